"""What impact is measured on, out of the cells that are held: an incident's transactions, and the week before it.

A row counts from the minute that it was known in, as in the windows that rules judge. Rows that were executed twice stand by
themselves: `again`, without transactions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import and_
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from monitor.maintenance import Declared
from rules import DIMENSIONS, Scope

DAY = 1440
DAYS = 7
"""Whole days before the one that an incident began in, on which it is measured: of each weekday one."""
_WHAT = "client_id, product, channel, status, error_code, coalesce(bin, -1)::TINYINT AS bin, again <> 0 AS twice"
_MANY = "sum(n)::BIGINT AS n, sum(again)::BIGINT AS again"


class Past:
    """What was known of the days before. days: what was read of whole ones, kept for the next; whoever adds to them drops it."""

    def __init__(self, db: duckdb.DuckDBPyConnection, days: dict[int, pa.Table], idle: Iterable[Declared] = ()) -> None:
        self._db, self._days = db, days
        self.idle: Iterable[Declared] = tuple(idle)

    def before(self, scope: Scope, start: int) -> pa.Table:
        """As `past`, since the first minute of DAYS days before."""
        today = start // DAY
        for day in range(today - DAYS, today):
            if day not in self._days:
                self._days[day] = past(self._db, Scope(), day * DAY, (day + 1) * DAY, self.idle)
        days = [self._days[day] for day in range(today - DAYS, today)]
        whole = pa.concat_tables(days)
        if wanted := [pc.equal(pc.field(name), value) for name, value in _held(scope)]:
            whole = whole.filter(reduce(and_, wanted))
        return pa.concat_tables([whole, past(self._db, scope, today * DAY, start, self.idle)])

    def quarters(self, scope: Scope, start: int, end: int) -> pa.Table:
        """As `quarters`, of [start, end)."""
        return quarters(self._db, scope, start, end, self.idle)

    def usual(self, scope: Scope, start: int) -> pa.Table:
        """As `usual`, of the same time."""
        return usual(self._db, scope, since(start), start, self.idle)


def since(start: int) -> int:
    """The first minute of what an incident that began at `start` is measured on."""
    return (start // DAY - DAYS) * DAY


def detail(db: duckdb.DuckDBPyConnection, scope: Scope, start: int, end: int) -> pa.Table:
    """What became known in [start, end), in order of time: m, client_id, product, channel, status, error_code, bin, n, again, cents, first.

    bin: the latency's step, -1 where it was not told; first: when the first of the rows happened (µs).
    """
    where, values = _within(scope)
    return db.sql(
        f"""SELECT greatest(minute, known) AS m, {_WHAT}, {_MANY}, (sum(amount) * 100)::BIGINT AS cents, min(first) AS first
            FROM cells WHERE known >= ? AND known < ? {where} GROUP BY ALL ORDER BY ALL""",
        params=[start, end, *values],
    ).to_arrow_table()


def past(db: duckdb.DuckDBPyConnection, scope: Scope, start: int, end: int, idle: Iterable[Declared]) -> pa.Table:
    """What became known in [start, end), but for declared maintenance, without its times."""
    where, values = _within(scope)
    left_out, when = _idle(idle, start, end)
    return db.sql(
        f"""SELECT {_WHAT}, {_MANY} FROM cells WHERE known >= ? AND known < ? {where} {left_out}
            GROUP BY ALL HAVING sum(n) <> 0 OR sum(again) <> 0 ORDER BY ALL""",
        params=[start, end, *values, *when],
    ).to_arrow_table()


def usual(db: duckdb.DuckDBPyConnection, scope: Scope, start: int, end: int, idle: Iterable[Declared]) -> pa.Table:
    """The same by minute, in order of time, whatever became of it: m, client_id, product, channel, n."""
    where, values = _within(scope)
    left_out, when = _idle(idle, start, end)
    return db.sql(
        f"""SELECT greatest(minute, known) AS m, client_id, product, channel, sum(n)::BIGINT AS n
            FROM cells WHERE known >= ? AND known < ? {where} {left_out} GROUP BY ALL HAVING sum(n) <> 0 ORDER BY ALL""",
        params=[start, end, *values, *when],
    ).to_arrow_table()


def quarters(db: duckdb.DuckDBPyConnection, scope: Scope, start: int, end: int, idle: Iterable[Declared]) -> pa.Table:
    """The same by quarters of an hour since the epoch: q, client_id, product, channel, n."""
    where, values = _within(scope)
    left_out, when = _idle(idle, start, end)
    return db.sql(
        f"""SELECT greatest(minute, known) // 15 AS q, client_id, product, channel, sum(n)::BIGINT AS n
            FROM cells WHERE known >= ? AND known < ? {where} {left_out} GROUP BY ALL HAVING sum(n) <> 0 ORDER BY ALL""",
        params=[start, end, *values, *when],
    ).to_arrow_table()


def minutes(
    db: duckdb.DuckDBPyConnection, start: int, end: int, clients: Sequence[str] | None = None
) -> dict[str, list[Any]]:
    """What became known in each minute of [start, end), of all or some clients: m, product, channel, client_id, status, bin, n, again."""
    who, where, named = _of(clients)
    return db.sql(
        f"""SELECT known AS m, product, channel, {who} AS client_id, status, coalesce(bin, -1)::INTEGER AS bin, {_MANY}
            FROM cells WHERE known >= ? AND known < ? {where} GROUP BY ALL""",
        params=[start, end, *named],
    ).fetchnumpy()


def volumes(
    db: duckdb.DuckDBPyConnection, start: int, end: int, clients: Sequence[str] | None = None
) -> dict[str, list[Any]]:
    """The same by quarters of an hour since the epoch, whatever became of it: q, product, channel, client_id, n."""
    who, where, named = _of(clients)
    return db.sql(
        f"""SELECT known // 15 AS q, product, channel, {who} AS client_id, sum(n)::BIGINT AS n
            FROM cells WHERE known >= ? AND known < ? {where} GROUP BY ALL""",
        params=[start, end, *named],
    ).fetchnumpy()


def totals(
    db: duckdb.DuckDBPyConnection, start: int, end: int, clients: Sequence[str] | None = None
) -> dict[str, list[Any]]:
    """The same over all of the time: product, channel, client_id, status, bin, n, again."""
    who, where, named = _of(clients)
    return db.sql(
        f"""SELECT product, channel, {who} AS client_id, status, coalesce(bin, -1)::INTEGER AS bin, {_MANY}
            FROM cells WHERE known >= ? AND known < ? {where} GROUP BY ALL""",
        params=[start, end, *named],
    ).fetchnumpy()


def readings(db: duckdb.DuckDBPyConnection, scope: Scope, start: int, end: int) -> dict[str, list[Any]]:
    """A metric minute by minute: m, value (the mean of its readings)."""
    held = [
        (name, value) for name, value in zip(DIMENSIONS, scope.values, strict=True) if value and name != "client_id"
    ]
    where = "".join(f" AND {name} = ?" for name, _ in held)
    return db.sql(
        f"""SELECT known AS m, sum(value) / nullif(sum(n), 0) AS value FROM metrics
            WHERE known >= ? AND known < ? {where} GROUP BY ALL ORDER BY ALL""",
        params=[start, end, *(value for _, value in held)],
    ).fetchnumpy()


def unheard(db: duckdb.DuckDBPyConnection, start: int, end: int) -> list[tuple[str, str, str, int, int]]:
    """What did not tell in [start, end): product, channel, series, from, until."""
    return db.execute(
        """SELECT DISTINCT product, channel, series, gaps.start, gaps.stop FROM pairs JOIN gaps USING (source)
           WHERE gaps.start < ? AND gaps.stop > ?""",
        [end, start],
    ).fetchall()


def _of(clients: Sequence[str] | None) -> tuple[str, str, list[list[str]]]:
    if clients is None:
        return "''", "", []
    return "client_id", "AND list_contains(?, client_id)", [list(clients)]


def _held(scope: Scope) -> list[tuple[str, str]]:
    return [(name, value) for name, value in zip(DIMENSIONS[:3], scope.values, strict=False) if value]


def _within(scope: Scope) -> tuple[str, list[str]]:
    held = _held(scope)
    return "AND client_id <> ''" + "".join(f" AND {name} = ?" for name, _ in held), [value for _, value in held]


def _idle(idle: Iterable[Declared], start: int, end: int) -> tuple[str, list[str | int]]:
    text = ""
    values: list[str | int] = []
    for one in (
        one for declared in idle for one in declared.within(start - DAY, end)
    ):  # what came late counts by when it happened
        named = [(name, value) for name, value in (("product", one.product), ("channel", one.channel)) if value]
        text += f" AND NOT (minute >= ? AND minute < ?{''.join(f' AND {name} = ?' for name, _ in named)})"
        values += [one.first, one.last + 1, *(value for _, value in named)]
    return text, values
