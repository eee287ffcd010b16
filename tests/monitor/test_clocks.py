"""Beside each case how its promise stands: the client's own case where it is linked, else ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from alerts import Action, Changes, IncidentState, TheirCase
from alerts.promises import Promise, Promises
from monitor import listing, people
from monitor.business import ServiceHours
from monitor.calendar import Calendar
from monitor.clocks import clocked
from monitor.store import Step, Store
from tests.monitor.conftest import ACEROS, DECISIONS, INCIDENTS, MOLINOS, NOW, PAYMENTS, SLOW, ago, heal

HOURS = ServiceHours(Calendar("America/Bogota"), business_days=False)


def promises(minutes: float) -> Promises:
    return Promises((Promise(timedelta(minutes=minutes), HOURS),), frozenset({"en espera"}))


def rows(store: Store, held: Promises) -> dict[str, dict]:
    return {row["key"]: row for row in clocked(store, people.cases(store), held, NOW)}


def test_anothers_case_with_the_same_number_at_another_desk_ends_nothing(store: Store) -> None:
    key = f"VG-{PAYMENTS}-{ACEROS}"
    number = next(row["reference"] for row in people.cases(store) if row["key"] == key)
    over = TheirCase(number, "otra", MOLINOS, ago(20), ago(20), reported_by="monitor", resolved_at=ago(1))
    store.commit(Step(cases=[over]), NOW)
    assert rows(store, promises(25))[key]["clock"] == "at_risk"


def test_ours_runs_from_its_opening_and_the_linked_one_from_the_clients_first_word(store: Store) -> None:
    linked = next(decision for decision in DECISIONS if decision.action is Action.LINK)
    named = replace(linked, linked_source="sharepoint")
    store.commit(Step(changes=Changes(decisions={named.key: named})), NOW)
    found = rows(store, promises(25))
    assert {key: (row["clock"], row["due_at"]) for key, row in found.items()} == {
        f"VG-{PAYMENTS}-{ACEROS}": ("at_risk", ago(22 - 25)),
        f"VG-{PAYMENTS}-{MOLINOS}": ("running", ago(18 - 25)),  # their own, told 18 minutes ago
        f"VG-{SLOW}-{ACEROS}": ("breached", ago(315 - 25)),  # over after 35, with its incident
    }
    assert rows(store, promises(36))[f"VG-{SLOW}-{ACEROS}"]["clock"] == "met"


def test_ours_ends_as_the_tool_tells_once_it_comes_back(store: Store) -> None:
    back = TheirCase("C-000001", "mesa", ACEROS, ago(20), ago(20), reported_by="monitor", resolved_at=ago(1))
    store.commit(Step(cases=[back]), NOW)
    states = {rows(store, promises(n))[f"VG-{PAYMENTS}-{ACEROS}"]["clock"] for n in (21, 21.5)}
    assert states == {"met"}
    assert rows(store, promises(20))[f"VG-{PAYMENTS}-{ACEROS}"]["clock"] == "breached"


def test_ours_ends_as_it_is_taken_back(store: Store) -> None:
    ours = next(decision for decision in DECISIONS if decision.key == f"VG-{PAYMENTS}-{ACEROS}")
    store.commit(Step(changes=Changes(decisions={ours.key: replace(ours, withdrawn_at=ago(12))})), NOW)
    assert rows(store, promises(10))[ours.key]["clock"] == "met"  # it stood for ten minutes
    assert rows(store, promises(9))[ours.key]["clock"] == "breached"


def test_ours_goes_on_while_what_was_closed_by_hand_is_in_alert(store: Store) -> None:
    key = f"VG-{PAYMENTS}-{ACEROS}"
    closed = replace(INCIDENTS[0], state=IncidentState.RESOLVED, ended_at=ago(9), resolved_at=ago(9), resolved_by="Ana")
    store.commit(Step(changes=Changes(incidents={PAYMENTS: closed})), NOW)
    assert rows(store, promises(25))[key]["clock"] == "at_risk"
    assert rows(store, promises(20))[key]["clock"] == "breached"
    store.commit(Step(changes=Changes(incidents={PAYMENTS: replace(closed, ended_at=ago(1))})), NOW)
    heal(store)
    assert rows(store, promises(22))[key]["clock"] == "met", "it stopped a minute ago"
    assert rows(store, promises(20))[key]["clock"] == "breached"


def test_what_waits_for_the_client_is_paused_and_the_table_says_so(store: Store) -> None:
    linked = next(row for row in people.cases(store) if row["action"] == "link")
    case = TheirCase(linked["linked_case_id"], linked["linked_source"], linked["client_id"], ago(50), ago(50))
    store.commit(Step(cases=[replace(case, status="En espera", updated_at=ago(40))]), NOW)
    found = rows(store, promises(30))[linked["key"]]
    assert (found["clock"], found["due_at"]) == ("paused", NOW + timedelta(minutes=20))
    out = listing.console()
    with out.capture() as told:
        listing.show_cases([found], out, NOW)
    assert "espera" in told.get()


def test_without_a_promise_there_is_no_clock(store: Store) -> None:
    assert {row["clock"] for row in rows(store, Promises()).values()} == {""}
