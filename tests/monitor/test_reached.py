"""Whom of those who complained we had reached first, on labels and cases made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from alerts import Action, Decision, Incident, IncidentState
from alerts.decided import case_key
from alerts.reasons import BUDGET, OURS, THEIRS
from monitor.labels import Label
from monitor.reached import reached
from rules import Scope, Severity
from tests.characters import ACEROS, CAFE, TEXTILES, Character, at

PAGOS = Scope("pagos", "web")
CUT = Label("corte", at("10:00"), at("10:30"), PAGOS, "failed", frozenset({ACEROS.nit, CAFE.nit}))


def incident(detected: str = "10:04", name: str = "AF-1", scope: Scope = PAGOS) -> Incident:
    return Incident(
        id=name, scope=scope, kind="failed", severity=Severity.MAJOR, state=IncidentState.FIRING,
        started_at=at("10:00"), detected_at=at(detected), rules=("fallas",), ways=frozenset({"failed"}),
    )  # fmt: skip


def opened(who: Character, clock: str, incident_id: str = "AF-1", **told) -> Decision:
    words = {"action": Action.OPEN, "reason": OURS, "decided_at": at(clock)} | told
    return Decision(case_key(incident_id, who.nit), incident_id, who.nit, "pagos", opened_at=at(clock), **words)


def test_a_case_of_ours_before_they_spoke_is_first():
    said = reached([CUT], [incident()], [opened(ACEROS, "10:05")], [ACEROS.reports("10:06"), CAFE.reports("10:06")])
    assert (said["complained"], said["first"], said["share"]) == (2, 1, 0.5)
    assert said["misses"] == {"never_named": 1}
    assert said["missed"][0]["client_id"] == CAFE.nit


@pytest.mark.parametrize(
    ("case", "complained"),
    [
        (CAFE.reports("10:05"), 1),
        (CAFE.reports("10:45", product="pagos"), 1),
        (CAFE.reports("10:04:59"), 0),
        (CAFE.reports("10:45:01"), 0),
        (CAFE.reports("10:10", product="recaudos"), 0),
        (CAFE.reports("10:10", channel="h2h"), 0),
        (CAFE.reports("10:10", reported_by="monitor"), 0),
        (TEXTILES.reports("10:10"), 0),
    ],
)
def test_whose_complaint_counts(case, complained):
    assert reached([CUT], [], [], [case])["complained"] == complained
    assert reached([replace(CUT, optional=True)], [], [], [case])["complained"] == 0


@pytest.mark.parametrize(
    ("incidents", "decision", "reason"),
    [
        ([], None, "never_detected"),
        ([incident("10:20")], None, "undetected"),
        ([incident()], None, "never_named"),
        ([incident()], opened(CAFE, "10:15"), "unnamed"),
        ([incident()], opened(CAFE, "10:15", decided_at=at("10:05"), waited=BUDGET), BUDGET),
        ([incident()], opened(CAFE, "10:05", action=Action.LINK, reason=THEIRS), "linked"),
        ([incident()], opened(CAFE, "10:05", withdrawn_at=at("10:08")), "linked"),
        ([incident(scope=Scope("recaudos"))], opened(CAFE, "10:05"), "never_detected"),
    ],
)
def test_why_they_were_first(incidents, decision, reason):
    said = reached([CUT], incidents, [decision] if decision else [], [CAFE.reports("10:10")])
    assert said["misses"] == {reason: 1}
    assert said["misses_by_kind"] == {"failed": {reason: 1}}


def test_their_second_word_is_no_second_complaint():
    cases = [CAFE.reports("10:10"), CAFE.reports("10:20")]
    assert reached([CUT], [incident()], [opened(CAFE, "10:15")], cases)["complained"] == 1


def test_two_cases_of_ours_for_one_cause_are_counted():
    later = replace(CUT, name="otro", start=at("11:00"), end=at("11:30"))
    again = replace(incident("11:05", "AF-3"), started_at=at("11:00"))
    decisions = [opened(CAFE, "10:05"), opened(CAFE, "10:09", "AF-2"), opened(CAFE, "11:05", "AF-3")]
    incidents = [incident(), incident("10:08", "AF-2"), again]
    (twice,) = reached([CUT, later], incidents, decisions, [])["opened_twice"]
    assert (twice["cause"], twice["client_id"], len(twice["cases"])) == ("corte", CAFE.nit, 2)
    taken_back = [replace(decisions[0], withdrawn_at=at("10:10") + timedelta(minutes=1)), *decisions[1:]]
    assert reached([CUT, later], incidents, taken_back, [])["opened_twice"] == []
    assert (
        len(
            reached([], [incident()], [opened(CAFE, "10:05"), replace(opened(CAFE, "10:06"), key="VG-x")], [])[
                "opened_twice"
            ]
        )
        == 1
    )
