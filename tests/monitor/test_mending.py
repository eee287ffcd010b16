"""What people and tools say of cases, taken in by the judging thread: once, with its effect, and remembered after a restart."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alerts import Action, Changes, IncidentState, TheirCase
from alerts.reasons import RETURNED, WITHDRAWN
from monitor import casework
from monitor import tables as t
from monitor.calendar import Calendar
from monitor.claims import claim, confirm, waiting
from monitor.mending import Promotions, take
from monitor.pipeline import Pipeline
from monitor.standing import rows
from monitor.store import Act, Step, Store
from monitor.windows import Windows
from tests.characters import ACEROS, CAFE, CAST, TEXTILES, at
from tests.monitor.conftest import ACEROS as OURS
from tests.monitor.conftest import MOLINOS, NOW, PAYMENTS, SLOW, ago
from tests.monitor.test_service import Bank, live

HEADER = "case_id,client_id,product,opened_at,updated_at,kind,reported_by\n"


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Bank]:
    """Payments fail since noon; Aceros had a case of their own, the others have ours."""
    bank = Bank(tmp_path, at("12:00:10"))
    bank.pay("11:00", "12:00")
    told(bank, "1", f"R-1,{ACEROS.nit},pagos,{at('11:59').isoformat()},{at('11:59').isoformat()},soporte,client")
    bank.start().cycle()
    live(bank, "12:00", "12:04", failing=0.8)
    yield bank
    for service in bank.services:
        service.store.close()


def told(bank: Bank, file: str, *rows: str) -> None:
    (bank.folder / f"casos_crm{file}.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))


def desk(bank: Bank) -> Counter[str]:
    with (bank.folder / "var" / "casos.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["cliente"] for row in rows}) == len(rows)
    return Counter(row["estado"] for row in rows)


def test_undone_and_withdrawn_and_what_comes_of_it_after_a_restart_too(failing: Bank):
    (incident,) = failing.store.incidents()
    assert desk(failing) == {"abierto": 2}
    casework.do(failing.store, "undo", [ACEROS.nit], "turno", "otra cosa", failing.now)
    failing.services[-1].cycle()
    mine = next(d for d in failing.store.decisions() if d.client_id == ACEROS.nit)
    assert (mine.action, mine.linked_case_id, mine.undone) == (Action.OPEN, "", (("crm", "R-1"),))
    assert desk(failing) == {"abierto": 3}, "in the same step, and told at once"

    casework.do(failing.store, "withdraw", [incident.id], "turno", "falsa", failing.now)
    failing.services[-1].cycle()
    assert desk(failing) == {"retirado": 3}
    with (failing.folder / "var" / "casos.csv").open(encoding="utf-8-sig", newline="") as file:
        assert all(
            f"Vigía retira este caso: la afectación {incident.id}" in row["nota"] for row in csv.DictReader(file)
        )
    failing.start()
    assert failing.services[-1].judge.pipeline.book.withdrawn == {incident.id}
    live(failing, "12:04", "12:06", failing=0.8)
    live(failing, "12:06", "12:13")
    assert [i.state for i in failing.store.incidents()] == [IncidentState.RESOLVED]
    assert desk(failing) == {"retirado": 3}
    assert len(waiting(failing.store)) == 0


def test_with_the_last_that_is_taken_back_its_desk_is_told_that_none_is_left(failing: Bank):
    left = []
    for who in (CAFE, TEXTILES):
        casework.do(failing.store, "withdraw", [who.nit], "turno", "", failing.now)
        failing.services[-1].cycle()
        (row,) = rows(failing.store, t.outbox.select().where(t.outbox.c.key.like(f"%{who.nit}:withdraw%")))
        left.append(row["payload"]["left"])
    assert left == [["soporte"], []]


def test_what_is_taken_back_once_it_is_over_is_not_the_last_of_anything(failing: Bank):
    live(failing, "12:04", "12:20")
    casework.do(failing.store, "withdraw", [CAFE.nit], "turno", "", failing.now)
    failing.services[-1].cycle()
    (row,) = rows(failing.store, t.outbox.select().where(t.outbox.c.action == "withdraw"))
    assert row["payload"]["left"] is None


def test_the_end_is_of_all_who_were_decided_on_and_told_to_those_whose_case_stands(failing: Bank):
    (incident,) = failing.store.incidents()
    casework.do(failing.store, "withdraw", [CAFE.nit], "turno", "", failing.now)
    failing.store.act(Act(incident.id, failing.now, "turno", "resolve"))
    done = failing.services[-1].judge.step([])
    assert sorted(d.client_id for d in done.changes.ended) == sorted(who.nit for who in CAST)
    assert [d.client_id for d in done.changes.ended if d.action is Action.LINK] == [ACEROS.nit], (
        "links are told of, too"
    )
    failing.services[-1].deliver()
    assert desk(failing) == {"retirado": 1, "abierto": 1}, "it was closed by hand, and fails on"


def test_what_comes_back_within_the_hour_takes_up_the_case_that_is_there(failing: Bank):
    live(failing, "12:04", "12:20")
    assert desk(failing) == {"afectación superada": 2}
    failing.start()
    live(failing, "12:20", "12:25", failing=0.8)
    assert [i.state for i in failing.store.incidents()] == [IncidentState.FIRING, IncidentState.RESOLVED]
    assert desk(failing)["afectación superada"] == 0
    assert Counter(d.reason for d in failing.store.decisions())[RETURNED] == 2
    live(failing, "12:25", "12:40")
    assert desk(failing) == {"afectación superada": 3}, "and Aceros's, who had a case of their own the first time"


def test_our_case_is_promoted_when_its_tool_tells_so_and_worked_on_when_all_is_long_over(failing: Bank):
    with (failing.folder / "var" / "casos.csv").open(encoding="utf-8-sig", newline="") as file:
        numbers = {row["cliente"]: row["caso"] for row in csv.DictReader(file)}
    when = at("12:04:30").isoformat()
    opened = at("12:03").isoformat()
    told(
        failing, "2", f"{numbers[TEXTILES.nit]},{TEXTILES.nit},pagos,{opened},{when},Incidente,monitor",
        f"{numbers[CAFE.nit]},{ACEROS.nit},pagos,{opened},{when},incidente,monitor",
    )  # fmt: skip
    live(failing, "12:04", "12:05", failing=0.8)
    promoted = {d.client_id: d.promoted_at for d in failing.store.decisions()}
    assert promoted == {TEXTILES.nit: at("12:04:30"), CAFE.nit: None, ACEROS.nit: None}

    service = failing.services[-1]
    (incident,) = failing.store.incidents()
    failing.store.act(Act(incident.id, failing.now, "turno", "resolve"))
    service.cycle()
    service.judge.pipeline.book.forget(incident.id)
    service.judge.pipeline.recent.clear()
    casework.do(failing.store, "withdraw", [CAFE.nit], "turno", "", failing.now)
    service.cycle()
    assert desk(failing) == {"abierto": 1, "retirado": 1}, "it was closed by hand, and fails on"


# ---- over a state of its own ---------------------------------------------------------------------------------------


def pipeline() -> Pipeline:
    """One that holds nothing of what is stored."""
    return Pipeline([], Windows(hold=60), Calendar("America/Bogota"), lateness=timedelta(seconds=10))


def test_an_act_on_what_is_let_go_is_written_over_what_is_stored(store: Store) -> None:
    changes = Changes()
    key = f"VG-{SLOW}-{OURS}"
    take(Act(SLOW, ago(1), "N1", "informed", case_key=key), pipeline(), store, NOW, changes)
    take(Act(SLOW, ago(1), "N2", "withdraw"), pipeline(), store, NOW, changes)
    held = changes.decisions[key]
    assert (list(changes.decisions), held.informed_at, held.withdrawn_at) == ([key], ago(1), ago(1))
    assert held.reason != WITHDRAWN


def test_a_case_that_is_attributed_is_let_go_where_it_was(store: Store) -> None:
    two = [f"VG-{PAYMENTS}-{OURS}", f"VG-{PAYMENTS}-{MOLINOS}"]
    store.commit(Step(cases=[TheirCase("SP-75", "", MOLINOS, ago(18), ago(18))]), NOW)
    changes = Changes()
    take(Act(PAYMENTS, ago(1), "turno", "attribute", "/SP-75", case_key=two[0]), pipeline(), store, NOW, changes)
    mine, theirs = (changes.decisions[key] for key in two)
    assert (mine.linked_case_id, mine.undone, mine.confirmed_by) == ("SP-75", (("", "SP-77"),), "turno")
    assert (theirs.linked_case_id, theirs.action, theirs.client_reported_at) == ("", Action.NONE, None)


def test_acts_of_other_kinds_and_of_nobody_change_nothing(store: Store) -> None:
    changes = Changes()
    for act in (
        Act(PAYMENTS, NOW, "turno", "note", "x"),
        Act(PAYMENTS, NOW, "turno", "undo", case_key="VG-gone"),
        Act(PAYMENTS, NOW, "turno", "attribute", "mesa/none", case_key=f"VG-{PAYMENTS}-{OURS}"),
    ):
        take(act, pipeline(), store, NOW, changes)
    assert not changes.decisions


def test_a_promotion_waits_until_the_desk_has_told_its_number(store: Store) -> None:
    ours = TheirCase(
        "C-000009", "crm", OURS, ago(300), ago(300), kind="incidente", reported_by="monitor", updated_at=ago(9)
    )
    promotions, changes = Promotions(), Changes()
    promotions.hear([ours])
    promotions.take(pipeline(), store, NOW, changes)
    assert not changes.decisions
    sent = claim(store, NOW, timedelta(minutes=2))
    assert sent
    confirm(store, sent["id"], "C-000009", NOW)
    promotions.take(pipeline(), store, NOW, changes)
    assert [(d.key, d.promoted_at) for d in changes.decisions.values()] == [(f"VG-{SLOW}-{OURS}", ago(9))]


def test_an_act_on_an_incident_that_was_merged_meanwhile_is_on_what_it_brought_along(store: Store) -> None:
    judging, changes = pipeline(), Changes()
    for decision in store.decisions():
        judging.book.note(replace(decision, incident_id="AF-0"), changes)
    take(Act(SLOW, ago(1), "turno", "withdraw"), judging, store, NOW, changes)
    taken = {key: d.withdrawn_at for key, d in changes.decisions.items()}
    assert {key for key, time in taken.items() if time} == {f"VG-{SLOW}-{OURS}"}
