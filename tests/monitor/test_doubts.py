"""Operations in doubt, from rows to the end of an incident: through the pipeline, a backtest's file, and the store over a restart."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from alerts import Changes, Doubt, Incident, IncidentState
from alerts.cases import CaseBook
from monitor import people
from monitor import tables as t
from monitor.backtest import Outcome, write
from monitor.calendar import Calendar
from monitor.pipeline import Pipeline
from monitor.portfolio import Portfolio
from monitor.retention import prune
from monitor.store import Step, Store
from monitor.unsettled import doubts, in_doubt, recall
from monitor.windows import Windows, time_of
from rules import Scope, Severity, Spec
from rules.limit import Limit
from tests.characters import ACEROS, CAFE, CAST, TEXTILES, at, every_minute, minute, transactions
from tests.monitor.test_service import CONFIG, OTHER, Bank, live

FAILS = [
    *every_minute("08:00", "12:00", *(who.sends("08:00", "pagos", "web", count=20) for who in CAST)),
    *every_minute(
        "10:00", "10:15", *(who.sends("08:00", "pagos", "web", count=20, status="failed") for who in (ACEROS, TEXTILES))
    ),
]
"""Pagos by web fails for two of the three from ten to a quarter past."""


def pays(clock: str, name: str, status: str, amount: int = 70, who=ACEROS, product: str = "pagos") -> dict:
    return who.sends(clock, product, "web", id=name, status=status, amount=Decimal(amount))


OPERATIONS = [
    pays("09:50", "antes", "pending"),
    pays("10:02", "queda", "pending", 1),
    pays("10:03", "luego_bien", "pending", 2),
    pays("10:04", "vuelve", "ok", 3),
    pays("10:05", "doble_a", "ok", 50),
    pays("10:05:10", "doble_b", "ok", 50),
    pays("10:06", "reintento_a", "failed", 60),
    pays("10:06:10", "reintento_b", "ok", 60),
    pays("10:07", "de_otro", "pending", who=CAFE),
    pays("10:08", "otro_lado", "pending", product="recaudos"),
    pays("10:09", "", "pending", 5) | {"count": 3},
    pays("10:12", "vuelve", "reversed", 3),
    pays("10:20", "luego_bien", "ok", 2),
    pays("10:25", "despues", "pending"),
    pays("11:30", "queda", "failed", 1),
    pays("11:40", "doble_b", "ok", 50),
]
LEFT = {
    "queda": ("pending", at("10:02"), Decimal("1.00")),
    "vuelve": ("reversed", at("10:12"), Decimal("3.00")),
    "doble_b": ("duplicated", at("10:05:10"), Decimal("50.00")),
    "": ("pending", at("10:09"), Decimal("5.00")),
}


def rows() -> pa.Table:
    return transactions(sorted(FAILS + OPERATIONS, key=lambda row: row["timestamp"]))


def piped(windows: Windows) -> Pipeline:
    rule = Limit(Spec(name="fallas", for_=timedelta(minutes=2), min_total=10), when="failed_rate > 0.2")
    portfolio = Portfolio({who.nit: who.client for who in CAST}, [holding for who in CAST for holding in who.holdings])
    calendar = Calendar("America/Bogota")
    return Pipeline([rule], windows, calendar, lateness=timedelta(seconds=10), book=CaseBook(), portfolio=portfolio)


def history() -> Pipeline:
    windows = Windows()
    counted = windows.count(rows(), source="core", closing=None)
    windows.hold_cells(counted.cells)
    windows.note(counted.doubtful)
    return piped(windows)


def told(found: dict[tuple[str, ...], Doubt]) -> dict[str, tuple]:
    assert {doubt.client_id for doubt in found.values()} == {ACEROS.nit}
    return {doubt.id: (doubt.state, doubt.at, doubt.amount) for doubt in found.values()}


def test_at_recovery_what_is_pending_reversed_or_doubled_is_named_and_nothing_else():
    changes = history().judge(minute("08:00"), minute("11:00"))
    assert told(changes.doubts) == LEFT
    assert {doubt.id: doubt.n for doubt in changes.doubts.values()} == {"queda": 1, "vuelve": 1, "doble_b": 1, "": 3}


def test_before_the_end_nothing_is_told():
    assert history().judge(minute("08:00"), minute("10:15")).doubts == {}


def test_what_is_told_of_an_id_afterwards_settles_it_but_a_repetition_that_went_well_stays():
    changes = history().judge(minute("08:00"), minute("12:00"))
    news = {doubt.id: (doubt.settled_at, doubt.settled_as) for doubt in changes.doubts.values()}
    assert news.pop("queda") == (at("11:30"), "failed")
    assert set(news.values()) == {(None, "")}


def test_rows_that_come_minute_by_minute_leave_the_same_in_doubt_and_no_more_is_held_than_needed():
    table, windows = rows(), Windows()
    pipeline, outcome = piped(windows), Outcome()
    arrives = pc.floor_temporal(table["timestamp"], unit="minute")

    def arrive(some: pa.Table, closing: int | None) -> None:
        counted = windows.count(some, source="core", closing=closing)
        windows.hold_cells(counted.cells)
        windows.remember(counted.ledger)
        windows.note(counted.doubtful)

    arrive(table.filter(pc.less(arrives, at("09:58"))), None)
    for m in range(minute("09:58"), minute("10:40")):
        arrive(table.filter(pc.equal(arrives, time_of(m))), m)
        outcome.take(pipeline.judge(m, m + 1))
        windows.release(m + 1, pipeline.doubts_since())
    assert outcome.doubts == history().judge(minute("09:58"), minute("10:40")).doubts
    assert told(outcome.doubts) == LEFT
    windows.release(minute("20:00"), minute("10:00"))
    assert "queda" in windows.doubtful["id"].to_pylist(), "there may be news"
    windows.release(minute("20:00"))
    assert windows.doubtful.num_rows == 0


def test_the_file_of_a_backtest(tmp_path: Path):
    outcome = Outcome()
    outcome.take(history().judge(minute("08:00"), minute("12:00")))
    write(outcome, tmp_path, "America/Bogota")
    header, *lines = (tmp_path / "doubts.csv").read_text(encoding="utf-8").splitlines()
    assert header == "incident_id,client_id,product,channel,id,state,at,amount,operations,settled_at,settled_as"
    (queda,) = [line for line in lines if ",queda," in line]
    assert queda.endswith("pending,2026-03-03T10:02:00-05:00,1.00,1,2026-03-03T11:30:00-05:00,failed")
    assert len(lines) == 4


def test_over_a_restart_in_the_middle_of_a_failure_and_after_its_end(tmp_path: Path):
    store = Store(f"sqlite:///{tmp_path / 'vigia.db'}")
    store.migrate()
    pipeline = history()
    whole = pipeline.windows.doubtful
    before = [row for row in whole.to_pylist() if row["known"] < minute("10:10")]
    after = [row for row in whole.to_pylist() if row["known"] >= minute("10:10")]
    store.commit(Step(cells=[("doubtful", pa.Table.from_pylist(before, whole.schema))]), at("10:10"))
    pipeline.judge(minute("08:00"), minute("10:10"))
    pipeline.windows.doubtful = whole.slice(0, 0)  # what is in memory is gone
    recall(pipeline, store, minute("10:10"))
    pipeline.windows.note(pa.Table.from_pylist(after, whole.schema))
    changes = pipeline.judge(minute("10:10"), minute("11:00"))
    assert told(changes.doubts) == LEFT
    store.commit(Step(changes=changes), at("11:00"))
    pipeline.doubts.known.clear()
    recall(pipeline, store, minute("11:00"))
    later = pipeline.judge(minute("11:00"), minute("12:00"))
    assert [(doubt.id, doubt.settled_as) for doubt in later.doubts.values()] == [("queda", "failed")]
    store.commit(Step(changes=later), at("12:00"))
    kept = doubts(store)
    assert {row["id"]: row["settled_as"] for row in kept} == {"queda": "failed", "vuelve": "", "doble_b": "", "": ""}
    assert [row["id"] for row in in_doubt(store, ACEROS.nit, at("09:00"))] == ["vuelve", "", "doble_b", "queda"]
    store.close()


def test_they_are_forgotten_with_what_touches_single_clients(tmp_path: Path):
    store = Store(f"sqlite:///{tmp_path / 'vigia.db'}")
    store.migrate()
    end = at("10:15")
    incident = Incident(
        "AF-1", Scope("pagos"), "failed", Severity.MAJOR, IncidentState.RESOLVED, at("10:00"), at("10:02"), ("r",),
        frozenset({"failed"}), ended_at=end, resolved_at=end,
    )  # fmt: skip
    one = Doubt("AF-1", ACEROS.nit, "pagos", "web", "queda", "pending", "core", at("10:02"))
    store.commit(Step(changes=Changes(incidents={"AF-1": incident}, doubts={one.key: one})), end)
    limits = dict.fromkeys(("cells", "ledger", "incidents", "outbox"), at("00:00"))
    prune(store, limits | {"clients": at("10:14")})
    assert len(doubts(store, t.doubts.c.client_id == ACEROS.nit)) == 1
    prune(store, limits | {"clients": at("10:16")})
    assert doubts(store) == []
    store.close()


def test_the_daemon_tells_the_case_at_the_end_over_a_restart_and_takes_in_the_news(tmp_path: Path):
    bank = Bank(tmp_path, at("12:00:10"))
    (tmp_path / "config.toml").write_text(CONFIG + OTHER.replace('channel = "otra"', 'channel = "web"'))
    wires = tmp_path / "otra.csv"
    wires.write_text(
        f"timestamp,client_id,product,status,id,amount\n{at('11:59').isoformat()},{ACEROS.nit},pagos,ok,t0,5\n"
    )

    def wired(clock: str, status: str, name: str) -> None:
        with wires.open("a", encoding="utf-8") as out:
            out.write(f"{at(clock).isoformat()},{ACEROS.nit},pagos,{status},{name},7{name[1:]}\n")

    bank.pay("10:00", "12:00")
    bank.start().cycle()
    live(bank, "12:00", "12:05")
    live(bank, "12:05", "12:08", failing=0.8)
    wired("12:08:01", "pending", "t1")
    wired("12:08:02", "pending", "t2")
    live(bank, "12:08", "12:11", failing=0.8)
    bank.start().cycle()
    wired("12:11:01", "ok", "t2")
    live(bank, "12:11", "12:30")
    (incident,) = bank.store.incidents()
    assert incident.state is IncidentState.RESOLVED
    assert [(row["id"], row["state"], row["client_id"]) for row in doubts(bank.store)] == [
        ("t1", "pending", ACEROS.nit)
    ]
    with bank.store.reading() as c:
        ended = c.execute(t.outbox.select().where(t.outbox.c.action == "update")).mappings().all()
    notes = {row["payload"]["client_id"]: row["payload"]["note"] for row in ended}
    assert notes[ACEROS.nit].endswith(" 1 operación por verificar: t1.")
    assert all("verificar" not in note for client, note in notes.items() if client != ACEROS.nit)
    bank.start().cycle()
    wired("12:30:01", "failed", "t1")
    live(bank, "12:30", "12:32")
    assert [(row["settled_at"], row["settled_as"]) for row in doubts(bank.store)] == [(at("12:30:01"), "failed")]
    shown = people.incident(bank.store, incident.id, bank.now)["doubts"]
    assert [(row["id"], row["client"], row["settled_as"]) for row in shown] == [("t1", "", "failed")]
    for service in bank.services:
        service.store.close()
