"""A source that was down for hours and comes back with many pages holds nobody up, and what it tells is judged as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from time import sleep
from typing import Any

import pyarrow as pa
import pytest

from alerts import IncidentState
from connectors.roles import ROLES
from monitor.config import read_config
from monitor.intake import Intake, Rows
from monitor.judge import Done, Down, Judge
from monitor.retention import prune
from monitor.store import Store
from monitor.windows import minute_of
from tests.characters import CAST, at, transactions
from tests.monitor.test_service import Bank, daemon

MINUTE = timedelta(minutes=1)
CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
rules = ["rules.toml"]

[sources.pagos]
role = "transactions"
kind = "file"
path = "pagos.csv"

[sources.otra]
role = "ROLE"
kind = "file"
path = "otra.csv"
"""
RULES = """
[[rule]]
name = "fallas"
kind = "excess"
measure = "failed"

[[rule]]
name = "lentitud"
kind = "excess"
measure = "slow"
"""
GONE, BACK = at("12:00"), at("13:30")
LATER = timedelta(minutes=10)
BAD = (at("12:30"), at("12:50"))


def sent(name: str, first: datetime, last: datetime, *, slow: bool = False, pending: bool = False) -> pa.Table:
    """A few operations a minute of each client; those of `otra` fail (or are slow) while it is BAD, or are pending for LATER."""
    rows, minute = [], first
    while minute < last:
        draw = Random(f"{name} {minute}")
        bad = name == "otra" and BAD[0] <= minute < BAD[1]
        for client in CAST:
            for n in range(3):
                failed = draw.random() < (0.7 if bad and not slow else 0.01)
                told: dict[str, Any] = {
                    "status": "failed" if failed else "ok",
                    "latency_ms": 5000.0 if bad and slow else draw.choice([20.0, 40.0, 80.0, 90.0]),
                    "id": f"{name} {minute} {client.nit} {n}",
                }
                time = minute + timedelta(seconds=draw.randrange(60))
                rows.append(client.sends(time, name, "web", **told | ({"status": "pending"} if pending else {})))
                if pending and minute - LATER >= GONE:
                    old = {"id": f"{name} {minute - LATER} {client.nit} {n}"}
                    rows.append(client.sends(time, name, "web", **told | old))
        minute += MINUTE
    return transactions(rows)


@dataclass
class Watch:
    """A judge that is brought what sources would bring, and may be ended and begun again."""

    folder: Path
    slow: bool = False
    role: str = "transactions"
    now: datetime = field(default_factory=lambda: at("08:00"))
    lag: list[int] = field(default_factory=list)
    unknown: list[bool] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    pending: bool = False

    def __post_init__(self) -> None:
        (self.folder / "config.toml").write_text(CONFIG.replace("ROLE", self.role))
        (self.folder / "rules.toml").write_text(RULES)
        self.config = read_config(self.folder / "config.toml")
        self.store = Store(self.config.monitor.database)
        self.store.migrate()
        self.begin()

    def begin(self) -> None:
        self.judge = Judge(self.config, self.store, lambda: self.now)

    def brings(
        self, name: str, first: datetime, last: datetime, *, drained: bool = True, until: datetime | None = None
    ) -> Rows:
        """What a poll now brings; drained, it vouches for all up to now."""
        pending = self.pending and name == "otra" and first >= GONE
        table, role = sent(name, first, last, slow=self.slow, pending=pending), "transactions"
        self.ids.update(table["id"].to_pylist())
        if name == "otra" and self.role == "metrics":
            times, role = table["timestamp"], "metrics"
            told = {"timestamp": times, "series": ["cola"] * len(times), "value": [1.0] * len(times)}
            table = pa.table({k: told.get(k, [""] * len(times)) for k in ROLES[role].names}, ROLES[role])
        return Rows(name, role, table, {}, self.now, drained, self.now if drained else until)

    def reads_history(self) -> None:
        self.now = GONE
        since = at("09:00")
        self.judge.step([self.brings("pagos", since, GONE), self.brings("otra", since, GONE)])

    def is_gone(self, until: datetime = BACK) -> None:
        """`otra` does not answer for hours."""
        before = self.now
        while self.now < until:
            self.now += MINUTE if self.now - GONE < 5 * MINUTE else 15 * MINUTE
            self.judge.step([self.brings("pagos", before, self.now), Down("otra", "no answer")])
            before = self.now

    def comes_back(
        self, *, minutes: int, a_minute: int, restarts: int = 0, vouching: bool = False, pages: int = 1000
    ) -> None:
        """`otra` gives so many pages a minute of so many of its minutes, until it has no more. restarts: we, each so many pages."""
        place = GONE
        for page in range(pages):
            if restarts and page % restarts == 0:
                self.begin()
            brought: list[Rows | Down] = []
            if page % a_minute == 0:
                before, self.now = self.now, self.now + MINUTE
                brought.append(self.brings("pagos", before, self.now))
            last = min(place + minutes * MINUTE, self.now)
            done = last == self.now
            until = last if vouching else None
            brought.append(self.brings("otra", place, last, drained=done, until=until))
            self.judge.step(brought)
            place = last
            self.unknown.append("otra" in self.dark())
            self.lag.append(minute_of(self.now) - (self.judge.judged_until or 0))
            if done:
                return

    def goes_on(self, minutes: int) -> None:
        """Both answer, every ten minutes."""
        for _ in range(0, minutes, 10):
            before, self.now = self.now, self.now + 10 * MINUTE
            self.judge.step([self.brings("pagos", before, self.now), self.brings("otra", before, self.now)])

    def dark(self) -> set[str]:
        """The products of which nobody can say how they are now."""
        until = self.judge.judged_until or 0
        return {scope.product for scope, end in self.judge.windows.dark(until).items() if end >= until}

    def said(self) -> list[tuple[Any, ...]]:
        """The incidents; by their own time, for the moment at which they were found is ours."""
        return sorted((i.scope.product, i.kind, i.started_at, i.ended_at, i.state) for i in self.store.incidents())

    def cells(self, name: str) -> list[dict[str, Any]]:
        """Of one source, as they are stored."""
        return [row for table in self.store.cells("cells", 0) for row in table.to_pylist() if row["source"] == name]

    def known(self) -> dict[tuple[int, int], int]:
        """How many of `otra`'s rows of each minute became known in which."""
        found: dict[tuple[int, int], int] = {}
        for row in self.cells("otra"):
            found[row["minute"], row["known"]] = found.get((row["minute"], row["known"]), 0) + row["n"]
        return found

    def counted(self) -> int:
        """Rows, each once."""
        return sum(sum(table["n"].to_pylist()) for table in self.store.cells("cells", 0))


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    made = Watch(tmp_path)
    yield made
    made.store.close()


@pytest.mark.parametrize("vouching", [False, True])
@pytest.mark.parametrize("role", ["transactions", "metrics"])
def test_the_others_are_judged_each_minute_while_it_reads_what_it_missed(
    tmp_path: Path,
    role: str,
    vouching: bool,  # noqa: FBT001 - a case
) -> None:
    watch = Watch(tmp_path, role=role)
    watch.reads_history()
    watch.is_gone()
    watch.comes_back(minutes=4, a_minute=10, vouching=vouching)
    assert max(watch.lag) <= 1
    assert (watch.judge.sources["otra"].dark_from, "otra" in watch.dark()) == (None, role == "transactions")
    watch.goes_on(10)
    assert (watch.judge.judged_until, watch.dark()) == (minute_of(watch.now) - 1, set())
    watch.store.close()


@pytest.mark.parametrize(("a_minute", "slow"), [(1, False), (100, False), (3, True)])
def test_what_it_tells_is_judged_once_however_fast_it_tells_it(tmp_path: Path, a_minute: int, slow: bool) -> None:  # noqa: FBT001 - a case
    watch = Watch(tmp_path, slow=slow)
    watch.reads_history()
    watch.is_gone()
    assert watch.said() == []
    watch.comes_back(minutes=10, a_minute=a_minute)
    watch.goes_on(60)
    (incident,) = watch.store.incidents()
    assert (incident.scope.product, incident.kind) == ("otra", "slow" if slow else "failed")
    assert incident.state is IncidentState.RESOLVED
    assert watch.counted() == len(watch.ids)
    assert all(watch.unknown[:-1])
    watch.store.close()


def test_a_restart_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    told = []
    for restarts in (0, 8):
        (folder := tmp_path / str(restarts)).mkdir()
        watch = Watch(folder)
        watch.reads_history()
        watch.is_gone()
        watch.comes_back(minutes=10, a_minute=4, restarts=restarts)
        assert max(watch.lag) <= 1
        watch.goes_on(60)
        told.append((watch.said(), watch.counted(), watch.known()))
        watch.store.close()
    assert told[0] == told[1]


def test_one_that_never_comes_to_its_end_holds_nobody_up_and_is_judged_as_it_tells(watch: Watch) -> None:
    watch.reads_history()
    watch.is_gone()
    watch.comes_back(minutes=2, a_minute=1, pages=30)
    assert max(watch.lag) <= 1
    assert all(watch.unknown)
    (incident,) = watch.store.incidents()
    assert incident.scope.product == "otra"
    late = [row["known"] - row["minute"] for row in watch.cells("otra") if row["known"] > row["minute"]]
    assert max(late) <= (BACK - GONE) / MINUTE + 5  # known as it comes


@pytest.mark.parametrize("minutes", [4, 40])
def test_an_operation_that_changes_in_what_it_missed_counts_once(watch: Watch, minutes: int) -> None:
    """Pending, and ten minutes later done: on one page, or on another."""
    watch.reads_history()
    watch.is_gone()
    watch.pending = True
    watch.comes_back(minutes=minutes, a_minute=4)
    watch.goes_on(10)
    left = sum(row["n"] for row in watch.cells("otra") if row["status"] == "pending")
    assert left == 10 * 9  # those of the last ten minutes
    assert watch.counted() == len(watch.ids)


def test_one_that_has_many_pages_gives_one_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that judges the others is never longer than one page of each."""
    bank = Bank(tmp_path, at("12:00:10"))
    (tmp_path / "casos_crm.csv").write_text("case_id,opened_at\n")
    bank.pay("11:00", "12:00")
    service = bank.start()
    service.cycle()
    pages, most, poll, step = iter(range(20)), [0], service._poll, service._step

    def paged(intake: Intake) -> Rows | Down:
        found = poll(intake)
        more = isinstance(found, Rows) and intake.name == "pagos" and next(pages, None) is not None
        return replace(found, drained=False) if more else found

    def stepped(arrived: list[Rows | Down]) -> Done:
        most.append(sum(one.source == "pagos" and not one.drained for one in arrived))
        sleep(0.02)  # while it judges, all that may is fetched
        return step(arrived)

    monkeypatch.setattr(service, "_poll", paged)
    monkeypatch.setattr(service, "_step", stepped)
    daemon(service, lambda: sum(most) > 10)
    assert max(most) == 1
    service.store.close()


def test_a_restart_hours_later_knows_what_it_told_last_before_it_went(watch: Watch) -> None:
    """It reads back a little, as sources with ids do: each row counts once, though the ledger is kept for a few hours only."""
    watch.reads_history()
    watch.is_gone(GONE + timedelta(hours=6))
    never = at("00:00") - timedelta(days=99)
    limits = dict.fromkeys(("cells", "incidents", "clients", "outbox"), never) | {
        "ledger": watch.now - timedelta(hours=4)
    }
    hold = watch.judge.windows.hold
    assert prune(watch.store, limits, spared=[(a - hold, a + hold) for a in watch.judge.sources.dark()])
    watch.begin()
    watch.now += MINUTE
    watch.judge.step([watch.brings("otra", GONE - 5 * MINUTE, GONE + 10 * MINUTE, drained=False)])
    assert watch.counted() == len(watch.ids)
