"""What a case says, in Spanish."""

from __future__ import annotations

from dataclasses import replace

from alerts import Action, Decision, Incident, IncidentState
from alerts.messages import Words, case_text, end_text
from rules import Scope, Severity
from tests.characters import ACEROS, at

INCIDENT = Incident(
    id="AF-20260303T1500-1c7afd", scope=Scope("pagos", "web"), kind="failed", severity=Severity.MAJOR, state=IncidentState.FIRING,
    started_at=at("10:00"), detected_at=at("10:02"), rules=("fallas",), ways=frozenset({"failed"}),
)  # fmt: skip
DECISION = Decision("VG-1", INCIDENT.id, ACEROS.nit, "pagos", Action.OPEN, "affected", at("10:02"), priority=87)
WORDS = Words("Pagos · Web", "Fallas", "10:00", "10:02", "11:00", client=f"NIT {ACEROS.nit}")


def test_a_case_says_what_where_since_when_and_how_urgent():
    subject, body = case_text(INCIDENT, DECISION, WORDS)
    assert subject == "Afectación en Pagos · Web: fallas"
    for part in ("Pagos · Web", "10:00", "10:02", "87 de 100", INCIDENT.id, "aún no ha reportado"):
        assert part in body


def test_a_case_needs_no_name_of_a_client():
    assert ACEROS.nit in case_text(INCIDENT, DECISION, WORDS)[1]


def test_who_has_reported_is_not_said_to_be_silent():
    assert "aún no ha reportado" in case_text(INCIDENT, DECISION, WORDS)[1]
    told = replace(DECISION, linked_case_id="C-1", client_reported_at=at("09:58"))
    assert "aún no ha reportado" not in case_text(INCIDENT, told, WORDS)[1]


def test_the_end_is_told():
    assert end_text(INCIDENT, WORDS) == f"La afectación {INCIDENT.id} en Pagos · Web terminó 11:00."
