"""What people ask and do, over a state with three clients."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from alerts import Changes, Incident, IncidentState
from monitor import listing, people
from monitor.store import Step
from rules import Scope, Severity
from tests.monitor.conftest import ACEROS, MOLINOS, NOW, PART, PAYMENTS, SLOW, ago

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.store import Store


def ids(rows: list[people.Row]) -> list[str]:
    return [row["id"] for row in rows]


def test_incidents_newest_first_and_by_state(store: Store) -> None:
    assert ids(people.incidents(store, NOW)) == [PAYMENTS, SLOW]
    assert ids(people.incidents(store, NOW, state="open")) == [PAYMENTS]
    assert ids(people.incidents(store, NOW, state="firing")) == [PAYMENTS]
    assert ids(people.incidents(store, NOW, state="resolved")) == [SLOW]
    assert ids(people.incidents(store, NOW, state="all")) == [PART, PAYMENTS, SLOW]
    assert ids(people.incidents(store, NOW, state="all", limit=1)) == [PART]
    with pytest.raises(people.Refused, match="abiertas"):
        people.incidents(store, NOW, state="abiertas")


def test_resolved_before_is_left_out_open_never(store: Store) -> None:
    assert ids(people.incidents(store, NOW, since=ago(279))) == [PAYMENTS]
    assert ids(people.incidents(store, NOW, since=ago(281))) == [PAYMENTS, SLOW]


def test_an_incident_counts_its_clients_cases_and_minutes(store: Store) -> None:
    payments, slow = people.incidents(store, NOW)
    assert (payments["affected"], payments["exposed"], payments["priority"]) == (2, 1, 83)
    assert (payments["cases_opened"], payments["cases_linked"], payments["cases_left"]) == (1, 1, 0)
    assert payments["minutes"] == 25
    assert slow["minutes"] == 30, "a resolved one lasted until its last bad minute"
    assert slow["exposed"] == 0


def test_one_incident_whole(store: Store) -> None:
    found = people.incident(store, PAYMENTS, NOW)
    firing, over = found["alerts"]
    assert (firing["rule"], firing["state"], firing["value"], firing["expected"]) == (
        "fallas_inusuales", "firing", 0.41, 0.011,
    )  # fmt: skip
    assert (over["rule"], over["state"], over["value"]) == ("volumen_caido", "over", None)
    assert firing.keys() == over.keys()
    assert [client["client"] for client in found["affected_clients"]] == ["Aceros del Istmo", "Molinos Borovanda"]
    assert [client["client"] for client in found["exposed_clients"]] == ["Textiles Nube Alta"]
    first = found["affected_clients"][0]
    assert (first["failures"], first["missing"], first["segment"], first["terms"]["impact"]) == (
        131, 12, "corporativo", 21.5,
    )  # fmt: skip
    assert {case["client_id"] for case in found["cases"]} == {ACEROS, MOLINOS}


def test_what_the_detection_saw_stays_once_all_is_over(store: Store) -> None:
    (alert,) = people.incident(store, SLOW, NOW)["alerts"]
    assert (alert["rule"], alert["state"]) == ("lentitud", "over")


@pytest.mark.parametrize("part", [PAYMENTS, "AF-20260303T1505", "a1b2c3", "1505-a1b2c3"])
def test_an_id_by_its_beginning_or_end(store: Store, part: str) -> None:
    assert people.incident(store, part, NOW)["id"] == PAYMENTS


@pytest.mark.parametrize(("part", "words"), [("AF-2026", "3 afectaciones"), ("zz", "zz"), ("", "no hay"), ("%", "%")])
def test_an_id_that_is_of_none_or_of_several(store: Store, part: str, words: str) -> None:
    with pytest.raises(LookupError, match=words):
        people.incident(store, part, NOW)


def test_an_exact_id_is_never_ambiguous(store: Store) -> None:
    longer = Incident(
        PAYMENTS + "0", Scope("swift"), "failed", Severity.MINOR, IncidentState.FIRING, ago(5), ago(4), ("r",),
        frozenset({"failed"}),
    )  # fmt: skip
    store.commit(Step(changes=Changes(incidents={longer.id: longer})), NOW)
    assert people.incident(store, PAYMENTS, NOW)["id"] == PAYMENTS


def test_cases_with_their_delivery_and_lead(store: Store) -> None:
    linked, opened, waiting = people.cases(store)
    assert (opened["client"], opened["delivery"], opened["reference"]) == ("Aceros del Istmo", "sent", "C-000001")
    assert opened["lead_seconds"] == 600
    assert (linked["action"], linked["delivery"], linked["lead_seconds"]) == ("link", "", -60), (
        "negative stays negative"
    )
    assert (waiting["delivery"], waiting["reference"], waiting["lead_seconds"]) == ("due", "", None)
    assert [case["incident_id"] for case in people.cases(store, incident_id=SLOW)] == [SLOW]
    assert [case["client_id"] for case in people.cases(store, client_id=MOLINOS)] == [MOLINOS]
    assert people.cases(store, limit=1) == [linked]


def test_figures_count_each_client_once_and_keep_negative_leads(store: Store) -> None:
    assert people.figures(store, ago(1440)) == {
        "affected": 2, "exposed": 1, "opened": 2, "linked": 1, "reported": 2, "first": 1, "lead": 270,
    }  # fmt: skip
    assert people.figures(store, ago(1))["lead"] is None


def test_an_act_shows_before_the_daemon_has_seen_it(store: Store) -> None:
    assert people.acknowledge(store, "a1b2c3", " Mesa de turno ", "", ago(2)) == PAYMENTS
    assert people.incident(store, PAYMENTS, NOW)["acknowledged_by"] == "Mesa de turno"
    people.resolve(store, "a1b2c3", "Mesa de turno", "volvió el enlace", ago(1))
    assert people.incidents(store, NOW, state="open") == []
    found = people.incidents(store, NOW, state="resolved")[0]
    assert (found["state"], found["resolved_by"], found["resolved_at"], found["minutes"]) == (
        "resolved", "Mesa de turno", ago(1), 24,
    )  # fmt: skip
    assert people.figures(store, ago(60))["affected"] == 0
    people.note(store, PAYMENTS, "Operaciones", "revisado", NOW)
    assert [act["action"] for act in people.incident(store, PAYMENTS, NOW)["acts"]] == ["ack", "resolve", "note"]


@pytest.mark.parametrize(
    ("do", "words"),
    [
        (lambda s: people.acknowledge(s, SLOW, "Mesa", "", NOW), "ya terminó"),
        (lambda s: people.resolve(s, PART, "Mesa", "", NOW), f"hace parte de {PAYMENTS}"),
        (lambda s: people.resolve(s, PAYMENTS, " ", "", NOW), "quién"),
        (lambda s: people.note(s, PAYMENTS, "Mesa", " ", NOW), "vacía"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_no_trace(store: Store, do: Callable[[Store], str], words: str) -> None:
    with pytest.raises(people.Refused, match=words):
        do(store)
    assert store.acts() == []


def test_as_json_keeps_times_and_money(store: Store) -> None:
    found = json.loads(people.as_json(people.incident(store, PAYMENTS, NOW)))
    assert found["started_at"] == "2026-03-03T15:05:00+00:00"
    assert found["affected_clients"][1]["amount"] == "1250000.50"


@pytest.mark.parametrize("width", [60, 200])
def test_tables_cut_nothing_however_narrow(store: Store, width: int) -> None:
    out = Console(file=io.StringIO(), width=width)
    now = NOW.astimezone(ZoneInfo("America/Bogota"))
    people.note(store, PAYMENTS, "Mesa", "[bold]sin formato[/bold]", NOW)
    listing.show_incident(people.incident(store, PAYMENTS, NOW), out, now, {"fallas_inusuales": "failed_rate"})
    assert isinstance(out.file, io.StringIO)
    text = out.file.getvalue()
    assert "…" not in text
    if width == 200:
        for words in ("41 %", "03/03/2026 10:05:00", "Aceros del Istmo", "$ 98.450.000", "[bold]sin formato[/bold]"):
            assert words in text
