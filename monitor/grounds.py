"""What impact is measured on, out of the cells that are held: an incident's transactions, and the week before it.

A row counts from the minute that it was known in, as in the windows that rules judge.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb
import pyarrow as pa

from monitor.maintenance import Maintenance
from rules import DIMENSIONS, Scope


def detail(db: duckdb.DuckDBPyConnection, scope: Scope, start: int, end: int, *, slow: bool) -> pa.Table:
    """What became known in [start, end), in order of time: m, client_id, product, channel, status, error_code, bin, n, cents, first.

    bin: the latency's step, -1 where it was not told or `slow` is not asked for; first: when the first of the rows happened (µs).
    """
    where, values = _within(scope)
    return db.sql(
        f"""SELECT greatest(minute, known) AS m, client_id, product, channel, status, error_code, {_step(slow=slow)} AS bin,
                   sum(n)::BIGINT AS n, (sum(amount) * 100)::BIGINT AS cents, min(first) AS first
            FROM cells WHERE known >= ? AND known < ? {where} GROUP BY ALL ORDER BY ALL""",
        params=[start, end, *values],
    ).to_arrow_table()


def past(
    db: duckdb.DuckDBPyConnection, scope: Scope, start: int, end: int, idle: Iterable[Maintenance], *, slow: bool
) -> pa.Table:
    """What was known before `end` of the minutes from `start` on, but for declared maintenance, without its times."""
    where, values = _within(scope)
    left_out, when = _idle(idle)
    return db.sql(
        f"""SELECT client_id, product, channel, status, error_code, {_step(slow=slow)} AS bin, sum(n)::BIGINT AS n
            FROM cells WHERE minute >= ? AND known < ? {where} {left_out} GROUP BY ALL HAVING sum(n) <> 0 ORDER BY ALL""",
        params=[start, end, *values, *when],
    ).to_arrow_table()


def usual(db: duckdb.DuckDBPyConnection, scope: Scope, start: int, end: int, idle: Iterable[Maintenance]) -> pa.Table:
    """The same by minute, in order of time, whatever became of it: m, client_id, product, channel, n."""
    where, values = _within(scope)
    left_out, when = _idle(idle)
    return db.sql(
        f"""SELECT greatest(minute, known) AS m, client_id, product, channel, sum(n)::BIGINT AS n
            FROM cells WHERE minute >= ? AND known < ? {where} {left_out} GROUP BY ALL HAVING sum(n) <> 0 ORDER BY ALL""",
        params=[start, end, *values, *when],
    ).to_arrow_table()


def _step(*, slow: bool) -> str:
    return "coalesce(bin, -1)::TINYINT" if slow else "(-1)::TINYINT"


def _within(scope: Scope) -> tuple[str, list[str]]:
    held = [(name, value) for name, value in zip(DIMENSIONS[:3], scope.values, strict=False) if value]
    return "AND client_id <> ''" + "".join(f" AND {name} = ?" for name, _ in held), [value for _, value in held]


def _idle(idle: Iterable[Maintenance]) -> tuple[str, list[str | int]]:
    text = ""
    values: list[str | int] = []
    for one in idle:
        named = [(name, value) for name, value in (("product", one.product), ("channel", one.channel)) if value]
        text += f" AND NOT (minute >= ? AND minute < ?{''.join(f' AND {name} = ?' for name, _ in named)})"
        values += [one.first, one.last + 1, *(value for _, value in named)]
    return text, values
