"""One live minute, from rows to commit, with a day of cells held: the judging thread's whole step on SQLite."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import text

from connectors.mapping import Mapping
from monitor.config import read_config
from monitor.intake import Rows
from monitor.judge import Judge
from monitor.store import Store
from tests.bench import Figure, bank, cores
from tests.bench.backtest import configured

CALM, STORM = 20, 20
"""Minutes that are timed: first of a calm bank, then with a product that fails."""
HELD = 1440


class Clock:
    """Time as it is told."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def _rows(table: pa.Table, mapping: Mapping, start: datetime, end: datetime) -> Rows:
    time = table["timestamp"]
    taken = table.filter(pc.and_(pc.greater_equal(time, start), pc.less(time, end)))
    return Rows("core", "transactions", mapping.apply(taken).table, {}, end, complete_until=end)


def _live(folder: Path, a_minute: int) -> Iterator[Figure]:
    minutes = HELD + CALM + STORM
    storm = (HELD + CALM, minutes, 0)
    table = bank.transactions(
        a_minute * minutes, days=minutes / 1440, channels=4, clients=300, flat=True, storms=[storm]
    )
    clock = Clock(bank.MONDAY + timedelta(minutes=HELD))
    store = Store(f"sqlite:///{folder}/{a_minute}.db")
    store.migrate()
    mapping = Mapping(role="transactions")
    judge = Judge(read_config(configured(folder, folder / "none.csv")), store, clock)
    began = perf_counter()
    judge.step([_rows(table, mapping, bank.MONDAY, clock.now)])
    first = perf_counter() - began
    taken, stored = [], [_bytes(store)]
    for _ in range(CALM + STORM):
        rows = _rows(table, mapping, clock.now, clock.now + timedelta(minutes=1))
        clock.now += timedelta(minutes=1)
        began = perf_counter()
        judge.step([rows])
        taken.append(perf_counter() - began)
        stored.append(_bytes(store))
    store.close()
    name = f"{a_minute:,} tx/min"
    calm, storm_taken = taken[:CALM], taken[-STORM // 2 :]
    yield Figure(
        f"{name}, a minute from rows to commit, median", median(calm) * 1e3, "ms", f"32 series, {cores()} cores"
    )
    yield Figure(f"{name}, the slowest of {CALM}", max(calm) * 1e3, "ms")
    yield Figure(f"{name}, with an incident open, median", median(storm_taken) * 1e3, "ms")
    yield Figure(f"{name}, with an incident open, the slowest", max(taken[CALM:]) * 1e3, "ms")
    yield Figure(f"{name}, cells stored a minute", (stored[CALM] - stored[0]) / CALM / 1024, "KiB")
    yield Figure(f"{name}, first step: a day of history", first, "s")


def _bytes(store: Store) -> int:
    with store.reading() as c:
        return int(c.execute(text("SELECT coalesce(sum(length(blob)), 0) FROM cells")).scalar_one())


def figures() -> Iterator[Figure]:
    """At the volume of a bank's corporate channels, and at that of a large one."""
    with tempfile.TemporaryDirectory() as folder:
        for a_minute in (150, 10_000):
            yield from _live(Path(folder), a_minute)
