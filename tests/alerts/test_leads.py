"""Who spoke first, and why not us: lines of times made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import Action, Decision, Holding, Impact, Incident, IncidentState, Touch
from alerts.decided import case_key
from alerts.lead_figures import figures, misses
from alerts.leads import Line, Miss, lines
from alerts.losses import Losses, avoided
from alerts.reasons import BUDGET, ELSEWHERE, FEW, NO_DESK, OURS, RETURNED, THEIRS
from rules import Scope, Severity
from tests.characters import ACEROS, CAFE, CAST, TEXTILES, Character, at

INCIDENT = Incident(
    id="AF-1", scope=Scope("pagos", "web"), kind="failed", severity=Severity.MAJOR, state=IncidentState.FIRING,
    started_at=at("10:00"), detected_at=at("10:04"), rules=("fallas",), ways=frozenset({"failed"}),
)  # fmt: skip
LINE = Line("AF-1", ACEROS.nit, "pagos", "corporativo", "failed", at("10:04"), at("10:00"), at("10:04"), at("10:04"))
PRICES = Losses(
    {"failed": {"corporativo": Decimal(1_000_000), "default": Decimal(200_000)}}, {"default": Decimal("0.2")}
)


def hit(who: Character, first: str, **told) -> Impact:
    return Impact("AF-1", who.nit, "pagos", Touch.AFFECTED, failures=3, first_failure_at=at(first), **told)


def opened(who: Character, clock: str, reported: str = "", **told) -> Decision:
    words = {"action": Action.OPEN, "reason": OURS, "decided_at": at(clock)}
    if reported:
        words |= {"client_reported_at": at(reported), "linked_case_id": f"C-{reported}", "linked_source": "mesa"}
    words |= told
    return Decision(case_key("AF-1", who.nit), "AF-1", who.nit, "pagos", opened_at=at(clock), **words)


def line(impacts, decisions, cases=(), holdings=(), incident=INCIDENT) -> Line:
    clients = {who.nit: who.client for who in CAST}
    (found,) = lines([incident], impacts, decisions, cases, clients, holdings)
    return found


def test_a_case_before_they_report_is_first_and_the_lead_is_measured():
    found = line([hit(ACEROS, "10:01")], [opened(ACEROS, "10:05", "10:20")], [ACEROS.reports("10:20")])
    assert (found.first, found.miss, found.lead) == (True, None, timedelta(minutes=15))
    assert (found.reported_by, found.segment, found.product) == ("client", "corporativo", "pagos")


def test_the_word_of_post_sale_reaches_them_also_where_their_own_case_was_linked():
    told = opened(CAFE, "10:21", "10:20", action=Action.LINK, reason=THEIRS, informed_at=at("10:10"))
    assert line([hit(CAFE, "10:00")], [told]).lead == timedelta(minutes=10)


def test_a_case_taken_back_before_they_report_counts_for_nothing():
    found = line([hit(ACEROS, "10:00")], [opened(ACEROS, "10:05", "10:20", withdrawn_at=at("10:12"))])
    assert (found.first, found.miss, found.lead) == (False, Miss.WITHDRAWN, None)
    assert line([hit(ACEROS, "10:00")], [opened(ACEROS, "10:05", "10:20", withdrawn_at=at("10:40"))]).first


@pytest.mark.parametrize(
    ("first", "named", "reported", "told", "reason"),
    [
        ("10:10", "10:11", "10:09", {}, Miss.BEFORE),
        ("10:00", "10:05", "10:04:59", {}, Miss.SOON),
        ("09:50", "10:05", "10:04", {}, Miss.UNDETECTED),
        ("10:00", "10:15", "10:15", {}, Miss.UNNAMED),
        ("10:00", "10:05", "10:20", {"action": Action.NONE, "reason": BUDGET}, Miss.BUDGET),
        ("10:00", "10:05", "10:20", {"action": Action.NONE, "reason": FEW}, Miss.FEW),
        ("10:00", "10:05", "10:20", {"action": Action.NONE, "reason": NO_DESK}, Miss.NO_DESK),
        ("10:00", "10:05", "10:20", {"opened_at": at("10:30"), "waited": "approval"}, Miss.HELD),
        ("10:00", "10:05", "10:20", {"action": Action.LINK, "reason": THEIRS}, Miss.LINKED),
    ],
)
def test_a_miss_has_the_first_reason_that_fits(first, named, reported, told, reason):
    decision = replace(opened(ACEROS, named, reported), **told)
    assert line([hit(ACEROS, first)], [decision]).miss is reason


def test_who_never_reports_is_neither_reached_late_nor_missed():
    found = line([hit(CAFE, "10:00")], [opened(CAFE, "10:05")])
    assert (found.first, found.miss, found.lead) == (True, None, None)
    assert not line([hit(CAFE, "10:00")], []).first


def test_a_case_that_a_monitor_opened_is_nobodys_report():
    ours = CAFE.reports("10:20", reported_by="Monitor")
    assert line([hit(CAFE, "10:00")], [opened(CAFE, "10:05", "10:20")], [ours]).reported_at is None


def test_our_case_on_what_else_fails_for_them_stands_for_it():
    other = replace(INCIDENT, id="AF-2", scope=Scope("recaudos", "web"), detected_at=at("10:09"))
    second = replace(
        opened(CAFE, "10:09", "10:20"), key="VG-AF-2", incident_id="AF-2", action=Action.NONE, reason=ELSEWHERE
    )
    both = [hit(CAFE, "10:00"), replace(hit(CAFE, "10:06"), incident_id="AF-2", product="recaudos")]
    _, found = lines([INCIDENT, other], both, [opened(CAFE, "10:05"), second], [], {}, [])
    assert (found.incident_id, found.first, found.lead) == ("AF-2", True, timedelta(minutes=15))


def test_our_case_on_what_had_ended_counts_from_when_it_was_found_to_stand_for_it_again():
    back = replace(INCIDENT, id="AF-2", detected_at=at("10:40"))
    second = replace(
        opened(CAFE, "10:41", "10:50"), key="VG-AF-2", incident_id="AF-2", action=Action.NONE, reason=RETURNED
    )
    both = [hit(CAFE, "10:00"), replace(hit(CAFE, "10:38"), incident_id="AF-2")]
    _, found = lines([INCIDENT, back], both, [opened(CAFE, "10:05"), second], [], {}, [])
    assert (found.incident_id, found.first, found.lead) == ("AF-2", True, timedelta(minutes=9))


def test_warned_by_the_detection_if_they_held_it_then_or_by_being_called_exposed():
    held = Holding(CAFE.nit, "pagos", "web", since=at("09:00"))
    assert line([hit(CAFE, "10:30")], [], holdings=[held]).warning == timedelta(minutes=26)
    assert line([hit(CAFE, "10:03")], [], holdings=[held]).warning is None, "it had failed before anybody knew"
    for other in (replace(held, channel="h2h"), replace(held, since=at("10:10")), replace(held, until=at("10:04"))):
        assert line([hit(CAFE, "10:30")], [], holdings=[other]).warning is None
    assert line([hit(CAFE, "10:30", exposed_at=at("10:15"))], []).warning == timedelta(minutes=15)


def test_merged_incidents_tell_nothing():
    merged = replace(INCIDENT, state=IncidentState.MERGED)
    assert lines([merged], [hit(CAFE, "10:00")], [opened(CAFE, "10:05")], [], {}, []) == []


def figure(found, name):
    return next(row for row in figures(found, Losses())["figures"] if row["name"] == name)


def test_misses_and_negatives_count_and_the_silent_are_told_apart():
    first = replace(LINE, reported_at=at("10:24"), reported_by="client")
    late = replace(
        LINE, client_id=CAFE.nit, segment="pyme", case_at=at("10:30"), named_at=at("10:30"), reported_at=at("10:20")
    )
    silent = replace(LINE, client_id=TEXTILES.nit, segment="empresarial")
    said = figures([first, late, silent], Losses())
    share = figure([first, late, silent], "reached_first")
    assert (share["value"], share["many"], share["of"]) == (0.5, 1, 2)
    assert figure([first, late, silent], "lead")["value"] == (20 - 10) / 2 * 60
    assert figure([first, late, silent], "silent")["value"] == 1
    assert said["misses"] == {"unnamed": 1}
    assert [(row["segment"], row["first"], row["reported"], row["silent"]) for row in said["by_segment"]] == [
        ("corporativo", 1, 1, 0), ("empresarial", 0, 0, 1), ("pyme", 0, 1, 0),
    ]  # fmt: skip
    assert [(row["reported_by"], row["share"]) for row in said["by_reported_by"]] == [("client", 1), ("unsaid", 0)]
    (missed,) = misses([first, late, silent])
    assert (missed["client_id"], missed["reason"], missed["lead_seconds"]) == (CAFE.nit, "unnamed", -600)
    assert all(row["formula"] for row in said["figures"])


def test_nothing_to_count_is_no_figure():
    assert {row["value"] for row in figures([], Losses())["figures"]} == {None, 0}


def test_losses_are_what_the_bank_has_said_and_nothing_that_it_has_not():
    pyme = replace(LINE, segment="pyme")
    late = replace(LINE, case_at=at("10:30"), reported_at=at("10:20"))
    slow = replace(LINE, way="slow")
    said = avoided([LINE, pyme, pyme, late, slow], PRICES)
    assert said["value"] == Decimal("280000.00")
    assert [(term["segment"], term["clients"], term["value"]) for term in said["terms"]] == [
        ("corporativo", 1, Decimal("200000.00")), ("pyme", 2, Decimal("80000.00")),
    ]  # fmt: skip
    assert (said["clients"], said["unpriced"]) == (4, 1)
    assert avoided([LINE], Losses())["value"] is None
    assert avoided([], PRICES)["value"] == 0


minutes = st.none() | st.integers(0, 60)
made = st.builds(
    lambda case, informed, told, back: replace(
        LINE,
        **{
            name: None if m is None else at("10:00") + timedelta(minutes=m)
            for name, m in (("case_at", case), ("informed_at", informed), ("reported_at", told), ("withdrawn_at", back))
        },
    ),
    minutes, minutes, minutes, minutes,
)  # fmt: skip


@given(st.lists(made, max_size=8))
def test_whoever_reported_was_reached_first_or_is_a_miss_with_a_reason(found):
    told = figures(found, PRICES)
    reached = next(row for row in told["figures"] if row["name"] == "reached_first")
    assert reached["many"] + sum(told["misses"].values()) == reached["of"]
    assert reached["of"] == sum(one.reported_at is not None for one in found)
    assert sum(row["affected"] for row in told["by_product"]) == len(found)
    assert all(one.lead is None or (one.lead > timedelta(0)) == one.first for one in found if one.reported_at)
