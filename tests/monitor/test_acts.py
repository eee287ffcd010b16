"""What people do to incidents: over the state at once, by the real judging thread, and after a restart."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alerts import Changes, IncidentState
from alerts.incidents import Incidents
from alerts.reasons import BUDGET, ELSEWHERE, RETURNED
from monitor import casework, people, spanish
from monitor.claims import waiting
from monitor.maintenance import Maintenance
from monitor.standing import as_acted, still_failing
from monitor.store import Step, Store
from monitor.timeline import timeline
from tests.characters import CAST, at, minute
from tests.monitor.conftest import INCIDENTS, NOW, PART, PAYMENTS, SLOW, ago
from tests.monitor.test_maintenance import fails, piped
from tests.monitor.test_mending import desk
from tests.monitor.test_service import Bank, live

DESK = """
[desks.local]
kind = "local"
path = "var/casos.csv"
per_hour = 1
"""


def row(store: Store, name: str = PAYMENTS) -> people.Row:
    return people.incident(store, name, NOW)


# ---- over the state --------------------------------------------------------------------------------------------------


def test_assigned_and_seen_at_once_wherever_it_is_listed(store: Store) -> None:
    people.act(store, "assign", PAYMENTS, "Turno", ago(3), about=" Operaciones de pagos ")
    people.act(store, "ack", PAYMENTS, "Ana", ago(2))
    (listed,) = people.incidents(store, NOW, state="open")
    assert (listed["assigned_to"], listed["acknowledged_by"]) == ("Operaciones de pagos", "Ana")
    assert spanish.state(listed) == "Abierta (la atiende Ana, asignada a Operaciones de pagos)"
    people.act(store, "unack", PAYMENTS, "Ana", ago(1))
    people.act(store, "assign", PAYMENTS, "Turno", ago(1))
    assert (row(store)["assigned_to"], row(store)["acknowledged_by"]) == ("", "")
    assert [spanish.act(act) for act in row(store)["acts"]] == [
        "Asignó a Operaciones de pagos", "La atiende", "Ya no la atiende", "Quitó la asignación",
    ]  # fmt: skip


def test_of_each_person_the_newest_word_on_its_use_counts_also_for_its_rules(store: Store) -> None:
    people.act(store, "useful", PAYMENTS, "Ana", ago(3), about="no", text="no la vi")
    people.act(store, "useful", PAYMENTS, "Ana", ago(2), about="yes")
    people.act(store, "useful", PAYMENTS, "Luis", ago(1), about="no", text="era un cierre")
    people.act(store, "useful", SLOW, "Ana", ago(1), about="yes")
    assert [(one["who"], one["useful"]) for one in row(store)["useful"]] == [("Ana", True), ("Luis", False)]
    assert spanish.useful(row(store)["useful"]) == "sí (Ana), no (Luis: era un cierre)"
    assert people.rules_useful(store) == {"fallas_inusuales": (1, 1), "volumen_caido": (1, 1), "lentitud": (1, 0)}


def test_closed_by_hand_and_taken_back_within_the_hour(store: Store) -> None:
    people.act(store, "resolve", PAYMENTS, "Ana", ago(20))
    assert "siguen en alerta" in people.said(store, "resolve", PAYMENTS)
    people.act(store, "reopen", PAYMENTS, "Luis", ago(1))
    (back,) = people.incidents(store, NOW, state="open")
    assert (back["state"], back["resolved_by"], back["resolved_at"], back["reopened_at"]) == (
        "firing",
        "",
        None,
        ago(1),
    )
    people.act(store, "resolve", PAYMENTS, "Ana", NOW)
    assert people.incidents(store, NOW, state="open") == []


@pytest.mark.parametrize(
    ("action", "name", "about", "words"),
    [
        ("reopen", PAYMENTS, "", "sigue abierta"),
        ("reopen", SLOW, "", "se normalizó"),
        ("reopen", PART, "", f"hace parte de {PAYMENTS}"),
        ("assign", SLOW, "Luis", "ya terminó"),
        ("unack", SLOW, "", "ya terminó"),
        ("useful", PAYMENTS, "perhaps", "yes o no"),
    ],
)
def test_refused_in_words_and_without_a_trace(store: Store, action: str, name: str, about: str, words: str) -> None:
    with pytest.raises(people.Refused, match=words):
        people.act(store, action, name, "Ana", NOW, about=about)
    assert store.acts() == []


def test_what_was_closed_for_more_than_an_hour_stays_so(store: Store) -> None:
    people.act(store, "resolve", PAYMENTS, "Ana", ago(20))
    with pytest.raises(people.Conflict, match="más de una hora"):
        people.act(store, "reopen", PAYMENTS, "Ana", NOW + timedelta(minutes=41))


def test_what_was_done_to_an_incident_is_not_done_to_one_that_began_later_under_its_id(store: Store) -> None:
    people.act(store, "ack", PAYMENTS, "Ana", ago(21))
    people.act(store, "resolve", PAYMENTS, "Ana", ago(20))
    taken, anew = {"last_act": str(store.acts()[-1].id)}, replace(INCIDENTS[0], detected_at=ago(2))
    store.commit(
        Step(changes=Changes(incidents={PAYMENTS: anew}), marks=taken), ago(1)
    )  # as stores of before may hold it
    (fires,) = people.incidents(store, NOW, state="open")
    assert (fires["id"], fires["state"], fires["acknowledged_by"]) == (PAYMENTS, "firing", "")


def test_a_double_click_and_a_retry_are_one_act_and_no_refusal(store: Store) -> None:
    for seconds in (0, 4):
        people.act(store, "resolve", PAYMENTS, "Ana", ago(5) + timedelta(seconds=seconds), text="ya")
    people.act(store, "reopen", PAYMENTS, "Ana", ago(4))
    people.act(store, "resolve", PAYMENTS, "Ana", ago(4) + timedelta(seconds=5), text="ya")
    assert [act.action for act in store.acts()] == ["resolve", "reopen", "resolve"], (
        "what came between makes it another"
    )
    for minutes in (3, 1):
        people.act(store, "note", PAYMENTS, "Ana", ago(minutes), text="llamé", request_key="k1")
    people.act(store, "note", PAYMENTS, "Ana", ago(1), text="llamé", request_key="k2")
    people.act(store, "note", PAYMENTS, "Luis", ago(1), text="llamé", request_key="k1")
    assert [(a.who, a.request_key) for a in store.acts()[3:]] == [("Ana", "k1"), ("Ana", "k2"), ("Luis", "k1")]


# ---- over the pipeline -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 7, 60])
def test_closed_and_reopened_however_the_minutes_are_cut(step: int) -> None:
    """Closed at 10:10 and reopened at 10:20 while it fails until 10:40: it ends as if nobody had touched it."""
    pipeline, whole = piped(fails("10:00", "10:40", *CAST)), Changes()

    def judge(start: str, end: str) -> None:
        for first in range(minute(start), minute(end), step):
            changes = pipeline.judge(first, min(first + step, minute(end)))
            whole.incidents |= changes.incidents
            whole.impacts |= changes.impacts

    judge("09:00", "10:10")
    (known,) = whole.incidents
    pipeline.people("assign", known, "Ana", at("10:10"), whole, "Luis")
    pipeline.people("resolve", known, "Ana", at("10:10"), whole)
    judge("10:10", "10:20")
    assert whole.incidents[known].resolved_by == "Ana"
    pipeline.people("reopen", known, "Ana", at("10:20"), whole)
    judge("10:20", "12:00")
    (done,) = whole.incidents.values()
    untouched = piped(fails("10:00", "10:40", *CAST)).judge(minute("09:00"), minute("12:00"))
    (usual,) = untouched.incidents.values()
    assert (done.ended_at, done.resolved_at, done.resolved_by) == (usual.ended_at, usual.resolved_at, "")
    assert (done.reopened_at, done.assigned_to) == (at("10:20"), "Luis")
    assert {k: i.failures for k, i in whole.impacts.items() if i} == {
        k: i.failures for k, i in untouched.impacts.items() if i
    }


def test_what_had_healed_meanwhile_is_over_again_the_next_minute() -> None:
    pipeline = piped(fails("10:00", "10:20", *CAST))
    whole = pipeline.judge(minute("09:00"), minute("10:19"))
    (known,) = whole.incidents
    pipeline.people("resolve", known, "Ana", at("10:19"), whole)
    pipeline.judge(minute("10:19"), minute("11:00"))
    pipeline.people("reopen", known, "Ana", at("11:00"), whole)
    (done,) = pipeline.judge(minute("11:00"), minute("11:01")).incidents.values()
    assert (done.state, done.resolved_by) == (IncidentState.RESOLVED, "")


def test_what_was_closed_long_ago_or_healed_is_not_taken_back() -> None:
    pipeline = piped(fails("10:00", "10:20", *CAST))
    whole = pipeline.judge(minute("09:00"), minute("10:10"))
    (known,) = whole.incidents
    pipeline.people("resolve", known, "Ana", at("10:10"), whole)
    late = Changes()
    pipeline.people("reopen", known, "Ana", at("13:11"), late)
    healed = piped(fails("10:00", "10:20", *CAST))
    healed.judge(minute("09:00"), minute("11:00"))
    healed.people("reopen", known, "Ana", at("11:00"), late)
    assert late.incidents == {}


def test_what_is_merged_keeps_who_has_it() -> None:
    one = Incidents()
    pipeline = piped(fails("10:00", "10:20", *CAST))
    (incident,) = pipeline.judge(minute("09:00"), minute("10:10")).incidents.values()
    other = incident.__class__(
        **{f: getattr(incident, f) for f in incident.__slots__} | {"id": "AF-2", "acknowledged_by": "Ana"}
    )
    one.open = {incident.id: incident, other.id: other}
    assert one._merge(incident, other, Changes()).acknowledged_by == "Ana"


def test_maintenance_that_is_declared_meanwhile_holds_from_then_on_and_ends_in_the_true_state() -> None:
    pipeline = piped(fails("10:00", "10:45", *CAST))
    assert pipeline.judge(minute("09:00"), minute("09:55")).incidents == {}
    pipeline.declare([Maintenance(at("09:55"), at("10:30"), "pagos", "web")])
    assert pipeline.judge(minute("09:55"), minute("10:30")).incidents == {}
    (incident,) = pipeline.judge(minute("10:30"), minute("10:40")).incidents.values()
    assert (incident.started_at, incident.detected_at) == (at("10:30"), at("10:32:10"))


# ---- by the real judging thread --------------------------------------------------------------------------------------


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Bank]:
    """Payments fail since noon; all three clients have our cases."""
    bank = Bank(tmp_path, at("12:00:10"))
    bank.pay("11:00", "12:00")
    bank.start().cycle()
    live(bank, "12:00", "12:04", failing=0.8)
    yield bank
    for service in bank.services:
        service.store.close()


@pytest.mark.parametrize("restart", ["never", "closed", "asked"])
def test_reopened_it_goes_on_and_its_cases_are_told_whatever_is_restarted(failing: Bank, restart: str) -> None:
    (incident,) = failing.store.incidents()
    people.act(failing.store, "assign", incident.id, "turno", failing.now, about="N2 de pagos")
    people.act(failing.store, "resolve", incident.id, "turno", failing.now)
    live(failing, "12:04", "12:08", failing=0.8)
    assert desk(failing) == {"abierto": 3}, "it fails on"
    assert all("turno cerró a mano" in note for note in notes(failing))
    if restart == "closed":
        failing.start()
    people.act(failing.store, "reopen", incident.id, "turno", failing.now)
    if restart == "asked":
        failing.start()
    live(failing, "12:08", "12:12", failing=0.8)
    (back,) = failing.store.incidents()
    assert (back.state, back.resolved_by, back.assigned_to) == (IncidentState.FIRING, "", "N2 de pagos")
    assert back.reopened_at
    assert desk(failing) == {"abierto": 3}, "the same cases are taken up"
    assert all("se reabrió" in note for note in notes(failing))
    live(failing, "12:12", "12:20")
    (done,) = failing.store.incidents()
    assert (done.state, done.resolved_by, done.ended_at) == (IncidentState.RESOLVED, "", at("12:12"))
    assert desk(failing) == {"afectación superada": 3}, "and told of the end anew"


@pytest.mark.parametrize("restart", [False, True])
def test_closed_by_hand_while_it_fails_its_end_is_when_it_stops_failing(failing: Bank, *, restart: bool) -> None:
    (incident,) = failing.store.incidents()
    people.act(failing.store, "resolve", incident.id, "turno", failing.now)
    breach = max(alert.last_breach for alert in failing.store.alerts())
    (shut,) = as_acted(failing.store, [incident])
    assert shut.ended_at == breach < shut.resolved_at, "one end, before and after the judging thread knows"
    assert still_failing(failing.store, [shut]) == {incident.id}
    live(failing, "12:04", "12:08", failing=0.8)
    here = people.head(failing.store, incident.id, failing.now)
    assert "ended" not in {step["what"] for step in timeline(failing.store, here, ())}
    if restart:
        failing.start()
    live(failing, "12:08", "12:20")
    (done,) = failing.store.incidents()
    assert (done.resolved_by, done.ended_at) == ("turno", at("12:08"))
    assert still_failing(failing.store, [done]) == set()
    assert desk(failing) == {"afectación superada": 3}
    assert all(note.endswith("terminó 03/03/2026 12:08.") for note in notes(failing))
    here = people.head(failing.store, incident.id, failing.now)
    assert next(step["at"] for step in timeline(failing.store, here, ()) if step["what"] == "ended") == at("12:08")


@pytest.mark.parametrize("restart", [False, True])
def test_a_case_of_what_was_closed_by_hand_is_not_told_of_an_end_by_another(tmp_path: Path, *, restart: bool) -> None:
    """It stands for both, and the other heals first."""
    bank = Bank(tmp_path, at("12:00:10"))
    bank.pay("11:00", "12:00")
    bank.pay("11:00", "12:00", channel="app")
    bank.start().cycle()

    def both(first: str, last: str, **failing: float) -> None:
        for n in range(int((at(last) - at(first)).total_seconds()) // 60):
            start, stop = (f"{at(first) - at('00:00') + timedelta(minutes=n + more)}"[:-3] for more in (0, 1))
            for channel in ("web", "app"):
                bank.pay(start, stop, failing=failing.get(channel, 0.0), channel=channel)
            bank.now = at(stop) + timedelta(seconds=11)
            bank.services[-1].cycle()

    both("12:00", "12:12", web=0.8)
    both("12:12", "12:20", web=0.8, app=0.8)
    first = min(bank.store.incidents(), key=lambda one: one.started_at)
    assert [d.reason for d in bank.store.decisions() if d.incident_id != first.id] == [ELSEWHERE] * 3
    people.act(bank.store, "resolve", first.id, "turno", bank.now)
    both("12:20", "12:22", web=0.8, app=0.8)
    if restart:
        bank.start()
    both("12:22", "12:40", web=0.8)
    assert {one.state for one in bank.store.incidents()} == {IncidentState.RESOLVED}
    assert desk(bank) == {"abierto": 3}, "its rules are in alert"
    both("12:40", "12:55")
    assert desk(bank) == {"afectación superada": 3}
    assert all(note.endswith("terminó 03/03/2026 12:40.") for note in notes(bank))
    bank.close()


@pytest.mark.parametrize("restart", [False, True])
def test_reopened_the_cases_that_stand_for_it_are_told_too(failing: Bank, *, restart: bool) -> None:
    """They were opened in what had ended half an hour before."""
    live(failing, "12:04", "12:25")
    live(failing, "12:25", "12:29", failing=0.8)
    again = next(i for i in failing.store.incidents() if i.state is IncidentState.FIRING)
    assert {d.reason for d in failing.store.decisions() if d.incident_id == again.id} == {RETURNED}
    people.act(failing.store, "resolve", again.id, "turno", failing.now)
    live(failing, "12:29", "12:30", failing=0.8)
    assert all("turno cerró a mano" in note for note in notes(failing))
    if restart:
        failing.start()
    people.act(failing.store, "reopen", again.id, "turno", failing.now)
    live(failing, "12:30", "12:31", failing=0.8)
    assert desk(failing) == {"abierto": 3}
    assert all("se reabrió" in note for note in notes(failing))
    live(failing, "12:31", "12:45")
    assert desk(failing) == {"afectación superada": 3}


def notes(bank: Bank) -> list[str]:
    """What each case was told last."""
    with (bank.folder / "var" / "casos.csv").open(encoding="utf-8-sig", newline="") as file:
        return [row["nota"] for row in csv.DictReader(file)]


def test_closed_and_reopened_in_one_step_nobody_is_told(failing: Bank) -> None:
    (incident,) = failing.store.incidents()
    before = len(waiting(failing.store))
    people.act(failing.store, "resolve", incident.id, "turno", failing.now)
    people.act(failing.store, "reopen", incident.id, "turno", failing.now)
    failing.services[-1].judge.step([])
    assert failing.store.incidents()[0].state is IncidentState.FIRING
    assert len(waiting(failing.store)) == before


def test_a_withdrawn_incident_is_reinstated_and_the_cases_that_waited_are_opened(tmp_path: Path) -> None:
    bank = Bank(tmp_path, at("12:00:10"))
    (tmp_path / "config.toml").write_text((tmp_path / "config.toml").read_text() + DESK)
    bank.pay("11:00", "12:00")
    bank.start().cycle()
    live(bank, "12:00", "12:04", failing=0.8)
    (incident,) = bank.store.incidents()
    with pytest.raises(people.Conflict, match="no está retirada"):
        casework.do(bank.store, "reinstate", [incident.id], "Ana", "", bank.now)
    assert desk(bank) == {"abierto": 1}, "the others wait for room"
    casework.do(bank.store, "withdraw", [incident.id], "Ana", "falsa", bank.now)
    live(bank, "12:04", "12:05", failing=0.8)
    bank.start()
    casework.do(bank.store, "reinstate", [incident.id], "Ana", "no era falsa", bank.now)
    live(bank, "12:05", "12:06", failing=0.8)
    assert sorted(d.reason for d in bank.store.decisions() if not d.withdrawn_at) == [BUDGET, BUDGET]
    gone = next(d.key for d in bank.store.decisions() if d.withdrawn_at)
    with pytest.raises(people.Conflict, match="ya se retiró en su mesa"):
        casework.do(bank.store, "reinstate", [gone], "Ana", "", bank.now)
    live(bank, "12:06", "12:20")
    casework.do(bank.store, "withdraw", [incident.id], "Ana", "", bank.now)
    with pytest.raises(people.Conflict, match="ya terminó"):
        casework.do(bank.store, "reinstate", [incident.id], "Ana", "", bank.now)
    bank.services[0].store.close()
    bank.store.close()
