"""One preventive case a client and incident: open, link or none, whoever was first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import Action, Changes, Decision, Impact, Incident, IncidentState, TheirCase, Touch
from alerts.cases import CaseBook
from alerts.casework import acted
from alerts.decided import case_key
from alerts.reasons import BUDGET, ELSEWHERE, FEW, OLDER, OURS, RETURNED, THEIRS, Limits, waits
from rules import Scope, Severity
from tests.characters import ACEROS, CAFE, TEXTILES, Character, at

INCIDENT = Incident(
    id="AF-1", scope=Scope("pagos", "web"), kind="failed", severity=Severity.MAJOR, state=IncidentState.FIRING,
    started_at=at("10:00"), detected_at=at("10:02"), rules=("fallas",), ways=frozenset({"failed"}),
)  # fmt: skip
OVER = replace(INCIDENT, state=IncidentState.RESOLVED, ended_at=at("11:00"), resolved_at=at("11:20"))


def on_pagos(*_: str) -> list[str]:
    """Every incident hurts every client on this."""
    return ["pagos"]


class Desk:
    """A book, and the day on which it is kept."""

    def __init__(self, *cases: TheirCase) -> None:
        self.book = CaseBook((), cases)
        self.changes = Changes()
        self.hurt: dict[tuple[str, str], list[str]] = {}

    def affected(self, clock: str, who: Character, *products: str, incident: Incident = INCIDENT) -> Decision:
        """From now on the client is affected on these products."""
        self.hurt[incident.id, who.nit] = list(products or ("pagos",))
        impacts = [
            Impact(incident.id, who.nit, product, Touch.AFFECTED, failures=3, priority=50 + n)
            for n, product in enumerate(products or ("pagos",))
        ]
        self.book.decide(incident, impacts, at(clock), lambda product: f"desk of {product or 'all'}", self.changes)
        return self.changes.decisions[case_key(incident.id, who.nit)]

    def learns(self, clock: str, *cases: TheirCase, incident: Incident = INCIDENT) -> None:
        """The tool tells of cases; what was known before them is known still."""
        self.book.cases.learn(cases)
        self.book.know([incident])
        self.book.attach(lambda i, c: self.hurt.get((i, c), []), at(clock), self.changes)

    def decision(self, who: Character, incident: Incident = INCIDENT) -> Decision:
        return self.changes.decisions[case_key(incident.id, who.nit)]


def test_affected_without_a_case_of_their_own_one_is_opened():
    decision = Desk().affected("10:02", ACEROS, "nomina", "pagos")
    assert (decision.action, decision.opened_at, decision.priority) == (Action.OPEN, at("10:02"), 51)
    assert (decision.key, decision.linked_case_id, decision.lead_seconds) == (f"VG-AF-1-{ACEROS.nit}", "", None)


def test_the_desk_is_that_of_the_product_which_hurts_the_client():
    whole = replace(INCIDENT, scope=Scope("", "web"))
    assert Desk().affected("10:02", CAFE, "pagos", incident=whole).desk == "desk of pagos"
    assert Desk().affected("10:02", ACEROS, "pagos", "nomina", incident=whole).desk == "desk of all"


def test_one_case_a_client_and_incident_however_often_they_are_hit():
    desk = Desk()
    first = desk.affected("10:02", ACEROS)
    assert desk.affected("10:09", ACEROS, "pagos", "nomina") is first


def test_their_own_open_case_stands_for_it():
    decision = Desk(ACEROS.reports("09:50", case_id="C-7", product="pagos")).affected("10:02", ACEROS)
    assert (decision.action, decision.linked_case_id, decision.desk) == (Action.LINK, "C-7", "")
    assert decision.lead_seconds == -12 * 60


def test_reported_later_it_is_tied_to_the_case_that_we_opened():
    desk = Desk()
    desk.affected("10:02", ACEROS)
    desk.learns("10:30", ACEROS.reports("10:30", case_id="C-7", product="pagos"))
    assert desk.decision(ACEROS).action is Action.OPEN
    assert desk.decision(ACEROS).linked_case_id == "C-7"
    assert desk.decision(ACEROS).lead_seconds == 28 * 60


def test_a_case_of_another_client_or_product_is_not_theirs():
    other = [TEXTILES.reports("09:50", product="pagos"), ACEROS.reports("09:51", product="recaudos")]
    desk = Desk(*other)
    assert desk.affected("10:02", ACEROS).linked_case_id == ""
    desk.learns("10:10", TEXTILES.reports("10:05", product="pagos"), ACEROS.reports("10:06", product="recaudos"))
    assert desk.decision(ACEROS).linked_case_id == ""


def test_hit_on_two_products_a_case_on_a_third_is_about_something_else():
    whole = replace(INCIDENT, scope=Scope("", "web"))
    desk = Desk(ACEROS.reports("09:55", product="recaudos"))
    assert desk.affected("10:02", ACEROS, "pagos", "nomina", incident=whole).action is Action.OPEN
    desk.learns("10:10", ACEROS.reports("10:10", product="recaudos"), incident=whole)
    assert desk.decision(ACEROS).linked_case_id == ""
    desk.learns("10:11", ACEROS.reports("10:11", product="nomina"), incident=whole)
    assert desk.decision(ACEROS).linked_case_id == "C-10:11"


def test_a_case_that_names_no_product_may_be_about_it():
    assert Desk(ACEROS.reports("09:50")).affected("10:02", ACEROS).action is Action.LINK


@pytest.mark.parametrize(("reported", "tied"), [("08:02", True), ("08:01:59", False)])
def test_two_hours_before_detection_and_no_more(reported, tied):
    assert bool(Desk(ACEROS.reports(reported)).affected("10:02", ACEROS).linked_case_id) is tied


@pytest.mark.parametrize(("reported", "action"), [("09:45", Action.LINK), ("09:44:59", Action.OPEN)])
def test_a_case_older_than_the_failure_leaves_nobody_without_ours(reported, action):
    decision = Desk(ACEROS.reports(reported)).affected("10:02", ACEROS)
    assert (decision.action, decision.linked_case_id) == (action, f"C-{reported}")
    assert decision.reason == (THEIRS if action is Action.LINK else OLDER)


def test_what_they_report_now_takes_the_place_of_what_was_older_than_the_failure():
    desk = Desk(ACEROS.reports("09:00", case_id="C-old"))
    assert desk.affected("10:02", ACEROS).lead_seconds == -62 * 60
    desk.learns("10:30", ACEROS.reports("10:30", case_id="C-new"))
    assert (desk.decision(ACEROS).linked_case_id, desk.decision(ACEROS).lead_seconds) == ("C-new", 28 * 60)
    desk.learns("10:40", ACEROS.reports("10:40", case_id="C-third"))
    assert desk.decision(ACEROS).linked_case_id == "C-new"


def test_a_case_about_one_failure_does_not_stand_for_the_next():
    desk = Desk()
    desk.affected("10:02", ACEROS)
    desk.learns("10:20", ACEROS.reports("10:20", case_id="C-7"))
    after = replace(INCIDENT, id="AF-2", started_at=at("12:00"), detected_at=at("12:02"))
    over = replace(INCIDENT, state=IncidentState.RESOLVED, ended_at=at("10:25"), resolved_at=at("10:38"))
    desk.book.know([over, after])
    assert (desk.decision(ACEROS).linked_case_id, desk.decision(ACEROS).lead_seconds) == ("C-7", 18 * 60)
    second = desk.affected("12:02", ACEROS, incident=after)
    assert (second.action, second.linked_case_id) == (Action.OPEN, "")


@pytest.mark.parametrize(
    ("scope", "product", "began", "ended", "clock", "reason"),
    [
        (Scope("recaudos", "h2h", ACEROS.nit), "recaudos", "10:20", "", "10:25", ELSEWHERE),
        (Scope("", "web"), "recaudos", "10:20", "", "10:25", ELSEWHERE),
        (Scope("pagos", "h2h"), "pagos", "10:20", "", "10:25", ELSEWHERE),
        (Scope("recaudos", "h2h"), "recaudos", "10:05", "", "10:25", ELSEWHERE),
        (Scope("recaudos", "h2h"), "recaudos", "10:05:01", "", "10:25", OURS),
        (Scope("recaudos", "h2h", ACEROS.nit), "recaudos", "10:20", "10:18", "10:25", RETURNED),
        (Scope("pagos", "h2h"), "pagos", "11:00", "10:18", "11:18", RETURNED),
        (Scope("pagos", "h2h"), "pagos", "11:00", "10:18", "11:18:01", OURS),
        (Scope("recaudos", "h2h"), "recaudos", "10:20", "10:18", "10:25", OURS),
    ],
)
def test_what_is_one_cause_to_a_client_is_one_case(scope, product, began, ended, clock, reason):
    desk = Desk()
    desk.affected("10:02", CAFE)
    desk.affected("10:02", ACEROS)
    other = replace(INCIDENT, id="AF-2", scope=scope, started_at=at(began), detected_at=at(clock))
    desk.book.know([over(ended) if ended else INCIDENT, other])
    decision = desk.affected(clock, ACEROS, product, incident=other)
    assert (decision.action, decision.reason) == (Action.OPEN if reason == OURS else Action.NONE, reason)
    assert desk.affected(clock, TEXTILES, product, incident=other).action is Action.OPEN


def over(clock: str, incident: Incident = INCIDENT) -> Incident:
    """It has ended, and that is known."""
    return replace(incident, state=IncidentState.RESOLVED, ended_at=at(clock), resolved_at=at(clock))


def test_two_that_hit_one_client_and_nobody_else_are_one_cause_to_them():
    desk = Desk()
    desk.affected("10:02", ACEROS)
    assert desk.affected("10:25", ACEROS, "recaudos", incident=LATER).reason == ELSEWHERE


LATER = replace(
    INCIDENT, id="AF-2", scope=Scope("recaudos", "h2h"), started_at=at("10:20"), detected_at=at("10:25"),
)  # fmt: skip


def test_of_two_that_wait_for_one_cause_one_is_opened():
    book, changes, full = CaseBook(), Changes(), Limits({"mesa": 1})
    book.know([INCIDENT, later := replace(LATER, scope=Scope("pagos", "h2h"))])
    for incident in (INCIDENT, later):
        hit = [Impact(incident.id, ACEROS.nit, "pagos", Touch.AFFECTED, failures=3)]
        book.decide(incident, hit, at("10:25"), lambda _: "mesa", changes, full)
    for clock in ("10:25", "12:30"):
        book.release(at(clock), ["AF-1", "AF-2"], full, changes)
    assert [d.reason for d in changes.decisions.values()] == [OURS, ELSEWHERE]


def test_our_case_ends_with_the_last_of_what_it_stands_for():
    desk = Desk()
    ours = desk.affected("10:02", ACEROS)
    alone = desk.affected("10:02", CAFE)
    desk.affected("10:25", ACEROS, incident=(second := replace(LATER, scope=Scope("pagos", "h2h"))))
    first = over("10:40")
    assert desk.book.over(first) == [alone]
    assert desk.book.kept("AF-1") == [ours], "told all the same, once the incident is forgotten"
    third = replace(second, id="AF-3", started_at=at("10:45"), detected_at=at("10:50"))
    assert desk.affected("10:50", ACEROS, incident=third).reason == ELSEWHERE, "still open, by the second"
    assert desk.book.over(over("10:55", second)) == []
    assert desk.book.over(over("11:00", third)) == [ours]


def withdrawn(desk: Desk, decision: Decision, clock: str) -> None:
    desk.book.note(acted(decision, "withdraw", "turno", at(clock)), desk.changes)


SAME = replace(LATER, scope=Scope("pagos", "h2h"))


def test_where_the_case_that_stood_is_taken_back_the_client_is_decided_on_anew():
    """As if it had been taken back before: what still fails for them is nobody's then."""
    desk = Desk()
    ours = desk.affected("10:02", ACEROS)
    assert desk.affected("10:25", ACEROS, incident=SAME).reason == ELSEWHERE
    assert desk.affected("10:26", ACEROS, incident=SAME).reason == ELSEWHERE
    withdrawn(desk, ours, "10:30")
    second = desk.affected("10:31", ACEROS, incident=SAME)
    assert (second.action, second.reason, second.opened_at) == (Action.OPEN, OURS, at("10:31"))
    assert desk.affected("10:32", ACEROS, incident=SAME) is second
    assert desk.affected("10:32", ACEROS).withdrawn_at == at("10:30"), "what was taken back stays so"


def test_one_case_for_two_whose_case_was_taken_back():
    desk, third = Desk(), replace(SAME, id="AF-3")
    ours = desk.affected("10:02", ACEROS)
    for incident in (SAME, third):
        desk.affected("10:25", ACEROS, incident=incident)
    withdrawn(desk, ours, "10:30")
    for clock in ("10:31", "10:32"):
        found = [desk.affected(clock, ACEROS, incident=incident) for incident in (SAME, third)]
        assert [d.action for d in found] == [Action.OPEN, Action.NONE]
        assert [d.opened_at for d in found] == [at("10:31")] * 2
        assert desk.book.standing(found[1]) == found[0]


def test_what_has_ended_is_decided_on_no_more_when_its_case_is_taken_back():
    desk = Desk()
    ours = desk.affected("10:02", ACEROS)
    left = desk.affected("10:25", ACEROS, incident=SAME)
    withdrawn(desk, ours, "10:30")
    assert desk.affected("10:31", ACEROS, incident=over("10:29", SAME)) is left


def test_what_came_back_and_ended_again_is_told_to_the_case_that_stands_for_it():
    desk = Desk()
    ours = desk.affected("10:02", ACEROS)
    assert desk.book.over(over("10:18")) == [ours]
    again = replace(LATER, scope=Scope("pagos", "web"))
    decision = desk.affected("10:25", ACEROS, incident=again)
    assert (decision.reason, desk.book.standing(decision)) == (RETURNED, ours)
    assert desk.book.over(over("10:40", again)) == [ours]


def test_a_case_taken_back_stands_for_nothing():
    desk = Desk()
    ours = desk.affected("10:02", ACEROS)
    decision = desk.affected("10:25", ACEROS, incident=replace(LATER, scope=Scope("pagos", "h2h")))
    desk.book.note(replace(ours, withdrawn_at=at("10:30")), desk.changes)
    assert desk.book.standing(decision) is None
    assert desk.book.over(over("10:40")) == []


def test_when_they_were_named_and_what_their_case_waited_for_stay_with_it():
    book, changes = CaseBook(), Changes()
    hit = [Impact("AF-1", ACEROS.nit, "pagos", Touch.AFFECTED, failures=3)]
    book.know([INCIDENT])
    book.decide(INCIDENT, hit, at("10:02"), lambda _: "mesa", changes, Limits({"mesa": 1}))
    book.release(at("10:09"), ["AF-1"], Limits({"mesa": 1}), changes)
    (decision,) = changes.decisions.values()
    assert (decision.action, decision.decided_at, decision.opened_at) == (Action.OPEN, at("10:02"), at("10:09"))
    assert decision.waited == BUDGET


@pytest.mark.parametrize(("reported", "tied"), [("11:00", True), ("11:00:01", False)])
def test_a_day_after_the_end_and_no_more(reported, tied):
    desk = Desk()
    desk.affected("10:02", ACEROS)
    late = replace(ACEROS.reports(reported), opened_at=at(reported, day=1), reported_at=at(reported, day=1))
    desk.learns("11:05", incident=OVER)
    desk.book.cases.learn([late])
    desk.book.know([OVER])
    desk.book.attach(on_pagos, at("11:10", day=1), desk.changes)
    assert bool(desk.decision(ACEROS).linked_case_id) is tied


def test_a_case_is_not_known_before_it_is_opened_and_counts_from_when_the_client_spoke():
    told = ACEROS.reports("10:40", reported_at=at("10:01"))
    desk = Desk(told)
    assert desk.affected("10:02", ACEROS).action is Action.OPEN
    desk.learns("10:39")
    assert desk.decision(ACEROS).linked_case_id == ""
    desk.learns("10:40")
    assert desk.decision(ACEROS).linked_case_id == told.case_id
    assert desk.decision(ACEROS).lead_seconds == -60


def test_a_closed_case_does_not_stand_for_a_new_failure():
    closed = ACEROS.reports("09:30", resolved_at=at("09:50"))
    decision = Desk(closed).affected("10:02", ACEROS)
    assert decision.action is Action.OPEN
    assert decision.client_reported_at == at("09:30"), "they were first, and that is told"


def test_of_two_cases_the_open_one_is_linked():
    cases = [ACEROS.reports("09:46", resolved_at=at("09:48")), ACEROS.reports("09:47"), ACEROS.reports("09:50")]
    assert Desk(*cases).affected("10:02", ACEROS).linked_case_id == "C-09:47"


def test_our_own_cases_come_back_and_are_nobodys_report():
    ours = ACEROS.reports("10:03", reported_by="monitor")
    desk = Desk()
    desk.affected("10:02", ACEROS)
    desk.learns("10:10", ours)
    assert desk.decision(ACEROS).linked_case_id == ""
    assert Desk(ours).affected("10:05", ACEROS).action is Action.OPEN


def test_the_newest_row_of_a_case_wins_also_where_it_names_another_client():
    book = CaseBook()
    first = ACEROS.reports("09:50", case_id="C-7", updated_at=at("09:50"))
    assert book.cases.learn([first]) == [first]
    moved = replace(first, client_id=CAFE.nit, updated_at=at("09:55"))
    book.cases.learn([moved])
    assert book.cases.learn([first]) == []
    assert book.cases["mesa", "C-7"] is moved
    changes = Changes()
    impacts = [Impact("AF-1", who.nit, "pagos", Touch.AFFECTED) for who in (ACEROS, CAFE)]
    book.decide(INCIDENT, impacts, at("10:02"), str.title, changes)
    assert [d.action for d in changes.decisions.values()] == [Action.OPEN, Action.LINK]


def test_decisions_of_a_merged_incident_follow_it():
    parent = replace(INCIDENT, id="AF-0", started_at=at("09:55"))
    merged = replace(INCIDENT, state=IncidentState.MERGED, parent_id="AF-0")
    desk = Desk()
    desk.affected("10:02", CAFE)
    desk.affected("10:02", ACEROS)
    desk.affected("10:01", ACEROS, incident=parent)
    desk.book.follow(merged, desk.changes)
    assert {d.incident_id for d in desk.book.decisions.values()} == {"AF-0"}
    assert desk.book.decisions.hit == {"AF-0": {CAFE.nit, ACEROS.nit}}, "nothing is kept of what is merged"
    keys = {d.key for d in desk.book.decisions.values()}
    assert keys == {case_key("AF-1", CAFE.nit), case_key("AF-1", ACEROS.nit), case_key("AF-0", ACEROS.nit)}, (
        "each case was opened: each will be told the end"
    )
    desk.hurt["AF-0", CAFE.nit] = ["pagos"]
    again = CaseBook(desk.book.decisions.values())
    for book in (desk.book, again):
        changes = Changes()
        book.decide(
            parent,
            [Impact("AF-0", who.nit, "pagos", Touch.AFFECTED) for who in (ACEROS, CAFE)],
            at("10:05"),
            str,
            changes,
        )
        assert not changes.decisions
        book.cases.learn([ACEROS.reports("10:20", case_id="C-1"), CAFE.reports("10:20", case_id="C-2")])
        book.know([parent])
        book.attach(on_pagos, at("10:20"), changes)
        assert sorted(changes.decisions) == sorted([case_key("AF-0", ACEROS.nit), case_key("AF-1", CAFE.nit)])


def test_what_can_change_no_more_is_let_go():
    desk = Desk()
    desk.affected("10:02", ACEROS)
    desk.book.forget("AF-1")
    assert not desk.book.decisions


def test_the_lead_is_in_whole_seconds_and_keeps_its_sign():
    decision = Desk().affected("10:02", ACEROS)
    for seconds in (-90, 0, 3600):
        assert replace(decision, client_reported_at=at("10:02") + timedelta(seconds=seconds)).lead_seconds == seconds


def test_one_case_of_theirs_is_tied_to_one_incident_only():
    """Yesterday's incident, long over, does not take the credit for a call about today's."""
    today = replace(INCIDENT, id="AF-2", started_at=at("09:56", day=1), detected_at=at("10:00", day=1))
    desk = Desk()
    desk.affected("10:02", ACEROS, incident=OVER)
    desk.book.know([OVER])
    told = at("09:58", day=1)
    desk.book.cases.learn([replace(ACEROS.reports("09:58", case_id="C-9"), opened_at=told, reported_at=told)])
    desk.book.attach(on_pagos, at("09:59", day=1), desk.changes)
    assert desk.decision(ACEROS, OVER).linked_case_id == "C-9"  # nothing better is known yet
    desk.book.know([OVER, today])
    impacts = [Impact(today.id, ACEROS.nit, "pagos", Touch.AFFECTED, failures=3)]
    desk.book.decide(today, impacts, at("10:00", day=1), str, desk.changes)
    assert desk.decision(ACEROS, OVER).client_reported_at is None
    assert desk.decision(ACEROS, today).linked_case_id == "C-9"
    assert desk.decision(ACEROS, today).action is Action.LINK
    assert [d.key for d in desk.book.decisions.values() if d.lead_seconds is not None] == [case_key("AF-2", ACEROS.nit)]


def test_a_case_about_an_incident_under_way_is_no_lead_of_the_next_one():
    other = replace(INCIDENT, id="AF-2", started_at=at("10:08"), detected_at=at("10:10"))
    desk = Desk()
    desk.affected("10:02", ACEROS)
    desk.learns("10:05", ACEROS.reports("10:05", case_id="C-1"))
    assert desk.decision(ACEROS).lead_seconds == 180
    desk.book.know([INCIDENT, other])
    decision = desk.affected("10:10", ACEROS, incident=other)
    assert (decision.action, decision.linked_case_id, decision.lead_seconds) == (Action.LINK, "C-1", None)
    assert desk.decision(ACEROS).lead_seconds == 180


@pytest.mark.parametrize("number", ["17", "18"])
def test_two_tools_may_give_the_same_number(number: str):
    other = replace(INCIDENT, id="AF-2", scope=Scope("tarjetas", "h2h"), started_at=at("09:50"))
    desk = Desk()
    desk.affected("10:02", TEXTILES)
    desk.affected("10:02", ACEROS)
    desk.affected("10:02", ACEROS, "tarjetas", incident=other)
    desk.book.know([INCIDENT, other])
    desk.book.cases.learn(
        [
            ACEROS.reports("10:20", case_id="17", source="mesa", product="pagos"),
            ACEROS.reports("10:20", case_id=number, source="web", product="tarjetas"),
        ]
    )
    desk.book.attach(lambda i, c: desk.hurt[i, c], at("10:20"), desk.changes)
    tied = [desk.decision(ACEROS, incident) for incident in (INCIDENT, other)]
    assert [(d.linked_source, d.linked_case_id, d.lead_seconds) for d in tied] == [
        ("mesa", "17", 1080),
        ("web", number, 1080),
    ]
    again = CaseBook(desk.changes.decisions.values(), desk.book.cases.values())
    assert again.decisions._tied == desk.book.decisions._tied


# ---- no flood ------------------------------------------------------------------------------------------------------

NITS = [f"90000{n:04d}" for n in range(8)]
FEW_AN_HOUR = Limits({"mesa": 2})


class Flood:
    """A desk with room for two cases an hour, and what was decided so far."""

    def __init__(self, limits: Limits = FEW_AN_HOUR, book: CaseBook | None = None) -> None:
        self.book, self.limits, self.changes = book or CaseBook(), limits, Changes()

    def minute(self, clock: str, hurt: dict[str, int], incident: Incident = INCIDENT, *, hits: int = 3) -> None:
        """Who is hurt by now, with what priority."""
        impacts = [Impact(incident.id, nit, "pagos", Touch.AFFECTED, hits, priority=p) for nit, p in hurt.items()]
        clients = {who.nit: who.client for who in (ACEROS, TEXTILES, CAFE)}
        self.book.decide(incident, impacts, at(clock), lambda _: "mesa", self.changes, self.limits, clients)
        self.passes(clock, incident)

    def passes(self, clock: str, *firing: Incident) -> None:
        self.book.know(firing)
        self.book.attach(on_pagos, at(clock), self.changes)
        self.book.release(at(clock), {incident.id for incident in firing}, self.limits, self.changes)

    def opened(self) -> list[str]:
        done = [d for d in self.book.decisions.values() if d.action is Action.OPEN]
        return [d.client_id for d in sorted(done, key=lambda d: (d.opened_at, -d.priority))]

    def waiting(self) -> set[str]:
        return {d.client_id for d in self.book.decisions.values() if waits(d)}


def test_the_budget_goes_to_the_highest_priority_and_the_rest_wait_for_the_next_hour():
    flood = Flood()
    flood.minute("10:02", {nit: 10 * n for n, nit in enumerate(NITS[:5])})
    assert flood.opened() == [NITS[4], NITS[3]]
    assert flood.waiting() == set(NITS[:3])
    flood.minute("10:30", {NITS[0]: 90, NITS[1]: 10, NITS[5]: 15})
    flood.passes("11:01", INCIDENT)
    assert flood.opened() == [NITS[4], NITS[3]]
    flood.passes("11:02", INCIDENT)
    assert flood.opened() == [NITS[4], NITS[3], NITS[0], NITS[2]], "by the priority that they have by now"
    assert flood.waiting() == {NITS[1], NITS[5]}
    opened = flood.book.decisions[case_key("AF-1", NITS[0])]
    assert (opened.opened_at, opened.priority, opened.reason) == (
        at("11:02"), 90, "affected, no case of their own",
    )  # fmt: skip


def test_who_waits_in_an_incident_that_is_over_is_not_opened_and_stays_on_the_list():
    flood = Flood()
    flood.minute("10:02", dict.fromkeys(NITS[:3], 50))
    flood.passes("11:30")
    assert len(flood.opened()) == 2
    assert {d.reason for d in flood.book.decisions.values() if waits(d)} == {BUDGET}


def test_a_restart_knows_who_waits_and_what_was_spent():
    flood = Flood()
    flood.minute("10:02", {nit: 10 * n for n, nit in enumerate(NITS[:5])})
    again = Flood(book=CaseBook(flood.book.decisions.values()))
    for each in (flood, again):
        each.passes("10:59", INCIDENT)
        assert len(each.opened()) == 2
        each.passes("11:02", INCIDENT)
    assert again.opened() == flood.opened()
    assert len(again.opened()) == 4
    assert again.book.decisions == flood.book.decisions


def test_the_budget_is_one_for_all_the_incidents_of_the_desk():
    other = replace(INCIDENT, id="AF-2")
    flood = Flood()
    flood.minute("10:02", {NITS[0]: 50, NITS[1]: 40})
    flood.minute("10:03", {NITS[2]: 99}, other)
    flood.passes("11:02", INCIDENT, other)
    assert flood.opened() == [NITS[0], NITS[1], NITS[2]]


@pytest.mark.parametrize(
    ("resolved", "action", "lead"), [(None, Action.LINK, -12 * 60), (at("10:31"), Action.OPEN, -12 * 60)]
)
def test_what_a_person_said_stays_when_a_client_is_decided_on_anew(resolved, action, lead):
    """Our case stood for two failures and is taken back; what ties theirs to the other, which names another product, is a person's word."""
    two = replace(INCIDENT, id="AF-2", scope=Scope("pagos", "app"), started_at=at("10:01"), detected_at=at("10:05"))
    desk = Desk()
    desk.affected("10:02", ACEROS)
    assert desk.affected("10:06", ACEROS, incident=two).reason == ELSEWHERE
    theirs = ACEROS.reports("10:20", case_id="C-9", product="recaudos")
    desk.learns("10:21", theirs, incident=two)
    for act, clock in (("informed", "10:24"), ("attribute", "10:25")):
        desk.book.note(acted(desk.decision(ACEROS, two), act, "ana", at(clock), theirs), desk.changes)
    desk.learns("10:31", replace(theirs, resolved_at=resolved), incident=two)
    desk.book.know([INCIDENT, two])
    desk.book.note(acted(desk.decision(ACEROS), "withdraw", "ana", at("10:30")), desk.changes)
    anew = desk.affected("10:32", ACEROS, incident=two)
    assert (anew.action, anew.opened_at, anew.lead_seconds) == (action, at("10:32"), lead)
    assert (anew.linked_case_id, anew.confirmed_by, anew.confidence) == ("C-9", "ana", 1.0)
    assert (anew.client_reported_at, anew.informed_at) == (at("10:20"), at("10:24"))
    assert desk.book.decisions.tied_to(theirs) == anew


def test_who_reports_while_waiting_is_linked_and_costs_no_budget():
    flood = Flood()
    flood.minute("10:02", {ACEROS.nit: 1, NITS[0]: 50, NITS[1]: 40, NITS[2]: 30})
    flood.book.cases.learn([ACEROS.reports("10:10", case_id="C-1", product="pagos")])
    flood.passes("10:10", INCIDENT)
    linked = flood.book.decisions[case_key("AF-1", ACEROS.nit)]
    assert (linked.action, linked.linked_case_id, linked.desk) == (Action.LINK, "C-1", "")
    assert linked.lead_seconds == 0
    assert flood.waiting() == {NITS[2]}


def test_nothing_was_done_for_who_waits_so_nobody_was_first():
    flood = Flood()
    flood.minute("10:02", {ACEROS.nit: 1, NITS[0]: 50, NITS[1]: 40})
    flood.book.cases.learn([ACEROS.reports("10:10", case_id="C-1", product="pagos", resolved_at=at("10:11"))])
    flood.passes("10:15", INCIDENT)
    waiting = flood.book.decisions[case_key("AF-1", ACEROS.nit)]
    assert (waiting.linked_case_id, waiting.client_reported_at, waiting.lead_seconds) == ("C-1", at("10:10"), None)


def test_a_client_of_a_merged_incident_gets_one_case():
    parent = replace(INCIDENT, id="AF-0")
    flood = Flood()
    flood.minute("10:02", {NITS[0]: 50, NITS[1]: 40})
    flood.minute("10:03", {NITS[0]: 60, NITS[2]: 30}, parent)
    flood.book.follow(replace(INCIDENT, state=IncidentState.MERGED, parent_id="AF-0"), flood.changes)
    flood.passes("11:03", parent)
    assert flood.opened() == [NITS[0], NITS[1], NITS[2]]


def test_a_case_is_opened_from_so_many_failures_on_as_the_segment_asks():
    flood = Flood(Limits({}, {"pyme": 5, "default": 4}))
    flood.minute("10:02", {ACEROS.nit: 1, CAFE.nit: 1, NITS[0]: 1}, hits=3)
    assert (flood.opened(), flood.waiting()) == ([], {ACEROS.nit, CAFE.nit, NITS[0]})
    assert {d.reason for d in flood.book.decisions.values()} == {FEW}
    flood.minute("10:05", {ACEROS.nit: 1, CAFE.nit: 1, NITS[0]: 1}, hits=4)
    assert set(flood.opened()) == {ACEROS.nit, NITS[0]}
    flood.minute("10:08", {CAFE.nit: 1}, hits=5)
    assert flood.waiting() == set()


@given(
    st.lists(st.tuples(st.integers(0, 180), st.dictionaries(st.sampled_from(NITS), st.integers(0, 100))), max_size=12),
    st.integers(1, 4), st.sampled_from(["", "12:00"]),
)  # fmt: skip
def test_whatever_comes_no_hour_has_more_than_the_budget_and_nobody_is_lost(story, per_hour, restart):
    flood = Flood(Limits({"mesa": per_hour}))
    hurt: set[str] = set()
    for minutes, found in sorted(story, key=lambda told: told[0]):
        clock = f"{10 + minutes // 60}:{minutes % 60:02d}"
        if restart and clock > restart:
            flood = Flood(flood.limits, CaseBook(flood.book.decisions.values()))
        flood.minute(clock, found)
        hurt |= found.keys()
    decided = list(flood.book.decisions.values())
    assert {d.client_id for d in decided} == hurt
    times = sorted(d.opened_at for d in decided if d.action is Action.OPEN)
    assert all(b - a >= timedelta(hours=1) for a, b in zip(times, times[per_hour:], strict=False))
