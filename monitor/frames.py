"""The frames that rules are shown: SQL over the cells that are held."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import duckdb
import numpy as np
import pyarrow as pa

from rules import BINS, CLASSES, DIMENSIONS, LATENCIES, SETTLE, Floats, Frame, Grain, Ints, Scope
from rules.expression import Expression, evaluate, parse

HEADS = ("clients", "clients_failing", "arrivals")
EVERYDAY = 0.05
"""A code that was seen in fewer of the hours of the week before is not one of everyday."""
WEEK, DAY = 168, 24
LATELY, SOON, SEEN = 3, 0.25, 3
"""What is pending is soon over where at least this part of as much as came in so many minutes was taken back in them, and so many rows."""
_NOVEL = f"""(
    SELECT cells.*, cells.error_code <> '' AND coalesce(rare.rare, false) AS novel FROM cells LEFT JOIN (
        SELECT now.error_code, now.hour, count(before.hour) < {EVERYDAY} * least({WEEK}, now.hour - first.hour) AS rare
        FROM codes AS now CROSS JOIN (SELECT min(since) // 60 AS hour FROM pairs WHERE series = '') AS first
        LEFT JOIN codes AS before ON before.error_code = now.error_code AND before.hour < now.hour AND before.hour >= now.hour - {WEEK}
        WHERE now.hour - first.hour >= {DAY} AND now.hour >= $start // 60 AND now.hour < $end // 60 + 1
        GROUP BY now.error_code, now.hour, first.hour) AS rare ON rare.error_code = cells.error_code AND rare.hour = known // 60)"""
"""The cells, and whether their error code is none of everyday; nothing is said on the first day."""


def frame(
    db: duckdb.DuckDBPyConnection,
    grain: Grain,
    measures: Collection[str],
    expressions: Sequence[str],
    start: int,
    end: int,
) -> Frame:
    """The closed windows whose last minute lies in [start, end), with what each expression says of them."""
    table = _windows(db, grain, measures, start, end)
    vetted: list[Expression] = [parse(text, table.column_names) for text in expressions]
    scopes, series = _scopes(table)
    columns = {name: table[name].cast(pa.float64()).to_numpy() for name in measures}
    dark = _dark(db, start, end) if grain.heard or "client_id" in grain.by else ()
    frame = Frame(start, end, scopes, series, table["m"].to_numpy(), columns, dark=dark)
    return replace(frame, flags=dict(zip(expressions, evaluate(table, vetted), strict=True)))


def _windows(db: duckdb.DuckDBPyConnection, grain: Grain, measures: Collection[str], start: int, end: int) -> pa.Table:
    metrics = "value" in measures
    by = [name for name in DIMENSIONS if name in grain.by]
    dims = "".join(f"{name}, " for name in by)
    where = f"AND ({parse(grain.where, DIMENSIONS).sql})" if grain.where else ""
    sums = {"n": "sum(n)", "value": "sum(value)"} if metrics else _sums(measures, heard=grain.heard)
    inner = ", ".join(f"{how} AS {name}" for name, how in sums.items())
    outer = ", ".join(f"sum({name}) AS {name}" for name in sums)
    source = (
        "metrics"
        if metrics
        else _NOVEL.replace("$start", str(start - grain.minutes - SETTLE)).replace("$end", str(end))
        if "novel" in measures
        else "cells"
    )
    source = _heard(source, start - grain.minutes, end) if grain.heard else source
    where += " AND client_id <> ''" if "client_id" in by and not grain.everyone else ""
    reach = f"minute > {start - grain.minutes} AND minute < {end} AND known < {end}"
    # A cell counts in every window from the minute that it is known in to the last that reaches back to its own.
    last = (
        "minute AS m"
        if grain.minutes == 1
        else f"unnest(range(greatest(k, {start}), least(minute + {grain.minutes}, {end}))) AS m"
    )
    punctual = "WHERE k = minute" if grain.minutes == 1 else ""
    # Where nothing came late, the minute alone is grouped by.
    late = not grain.heard and db.execute(f"SELECT 1 FROM {source} WHERE {reach} AND known > minute LIMIT 1").fetchall()
    picked = f"""SELECT minute, {"greatest(minute, known) AS k," if late else ""} {dims} {"bin, " if _latency(measures) else ""} {inner}
                 FROM {source} WHERE {reach} {where} GROUP BY ALL"""
    picked = picked if late else f"SELECT minute, minute AS k, * EXCLUDE (minute) FROM ({picked})"
    if _latency(measures):
        # The counts by step are laid side by side only once the clients are summed up: far fewer rows.
        told = "told" if grain.heard else "total"
        steps = {name: f"coalesce(sum({told}) FILTER (bin = {i}), 0)" for i, name in enumerate(BINS)}
        side = ", ".join(f"{how} AS {name}" for name, how in steps.items())
        picked = f"SELECT minute, k, {dims} {outer}, {side} FROM ({picked}) GROUP BY ALL"
        sums |= dict.fromkeys(BINS, "")
        outer += "".join(f", sum({name}) AS {name}" for name in BINS)
    spread = f"SELECT {last}, * EXCLUDE (minute, k) FROM picked {punctual}"
    summed = spread if grain.minutes == 1 else f"SELECT {dims} m, {outer} FROM ({spread}) GROUP BY {dims} m"
    ctes = [f"picked AS ({picked})", f"summed AS ({summed})"]
    heads = set(HEADS) & set(measures)
    full = "summed"
    if heads:
        ctes.append(_distinct(dims, reach, where, last, punctual))
        full = f"(SELECT * FROM {full} LEFT JOIN heads USING ({dims} m))"
    # The series by what feeds them; where a rule picks clients, theirs alone.
    pairs = "pairs"
    if not metrics and "client_id" in where:
        pairs = f"""(SELECT source, '' AS series, product, channel, client_id, min(known) AS since FROM cells
                     WHERE known < {end} {where} GROUP BY ALL)"""
    if not metrics and "client_id" not in by:
        # Series that are known stand in every minute: no rows is zero where the sources answered.
        ctes.append(f"""grid AS (SELECT {dims} m, min(since) AS since FROM {pairs}, range({start}, {end}) AS r(m)
                        WHERE series = '' AND m >= since {where} GROUP BY {dims} m)""")
        full = f"(SELECT * FROM {full} RIGHT JOIN grid USING ({dims} m))"
    if "new_error_codes" in measures:
        ctes.append(_novel(dims, by, start, end, grain.minutes, where))
        full = f"(SELECT * FROM {full} LEFT JOIN novel USING ({dims} m))"
    zero = ", ".join(f"coalesce({name}, 0) AS {name}" for name in (*sums, *heads))
    chosen = ", ".join(_measure(name) for name in measures)
    dark = f"""(SELECT DISTINCT {dims} m FROM {pairs} JOIN gaps USING (source), range({start}, {end}) AS r(m)
                WHERE m >= gaps.start AND m - {grain.minutes} < gaps.stop - 1 {where})"""
    lit = (
        f"ANTI JOIN {dark} AS dark USING ({dims} m)"
        if _has_gaps(db) and not grain.heard and "client_id" not in by
        else ""
    )
    shown = "".join(f"{name if name in by else repr('')} AS {name}, " for name in DIMENSIONS)
    unasked = [name for name in BINS if name not in measures] if _latency(measures) else []
    beside = "".join(f", {name}::DOUBLE AS {name}" for name in unasked)
    query = f"""WITH {", ".join(ctes)}
        SELECT {shown} m, {chosen} {beside}
        FROM (SELECT * REPLACE ({zero}) FROM {full}) {lit} ORDER BY {dims} m"""
    table = db.sql(query).to_arrow_table()
    return _with_percentiles(table, measures) if _latency(measures) else table


def _heard(source: str, start: int, end: int) -> str:
    """The cells as they became known after minute `start`: what was said, in that minute, and what it adds to the rows (`fresh`).

    What is taken back was said all the same; but where a good part of what is pending on a pair is soon over, only what is still
    pending after SETTLE minutes is so.
    """
    columns = f"{', '.join(DIMENSIONS[:3])}, status, error_code, bin"
    novel, most = (", novel", ", bool_or(novel) AS novel") if source != "cells" else ("", "")
    pending = f"status = 'pending' AND known > {start - SETTLE} AND known < {end}"
    soon = f"""(
        SELECT product, channel, m
        FROM (SELECT product, channel, n, unnest(range(known, known + {LATELY})) AS m FROM {source} WHERE {pending})
        GROUP BY ALL HAVING sum(greatest(-n, 0)) >= greatest({SEEN}, {SOON} * sum(greatest(n, 0))))"""
    return f"""(
        SELECT m AS minute, m AS known, * EXCLUDE (m) FROM (
            SELECT known AS m, {columns}, CASE WHEN status = 'pending' THEN 0 ELSE greatest(n, 0) END AS n, n AS fresh, again, amount
                   {novel}
            FROM {source} WHERE known > {start} AND known < {end}
            UNION ALL BY NAME
            SELECT m, {columns}, n, 0 AS fresh, 0 AS again, 0 AS amount {novel}
            FROM (SELECT known AS m, * FROM {source} WHERE {pending} AND n > 0) ANTI JOIN {soon} AS soon USING (product, channel, m)
            UNION ALL BY NAME
            SELECT * FROM (
                SELECT greatest(known, minute + {SETTLE}) AS m, {columns}, sum(n) AS n, 0 AS fresh, 0 AS again, 0 AS amount {most}
                FROM {source} WHERE {pending} GROUP BY minute, m, {columns} HAVING sum(n) > 0)
            SEMI JOIN {soon} AS soon USING (product, channel, m)))"""


def _has_gaps(db: duckdb.DuckDBPyConnection) -> bool:
    return bool(db.execute("SELECT 1 FROM gaps LIMIT 1").fetchall())


def _dark(db: duckdb.DuckDBPyConnection, start: int, end: int) -> tuple[tuple[Scope, int, int], ...]:
    """What did not tell of its transactions in [start, end), by product and channel."""
    found = db.execute(f"""
        SELECT DISTINCT product, channel, greatest(start, {start}), least(stop, {end}) FROM pairs JOIN gaps USING (source)
        WHERE series = '' AND start < {end} AND stop > {start} ORDER BY ALL""").fetchall()
    return tuple((Scope(product, channel), a, b) for product, channel, a, b in found)


def _distinct(dims: str, reach: str, where: str, last: str, punctual: str) -> str:
    # Rows of no client come each by itself, as far as is known; those of one client in one minute come together.
    return f"""heads AS (
        SELECT {dims} m, count(*) FILTER (n > 0 AND client_id <> '') AS clients,
               count(*) FILTER (bad > 0 AND client_id <> '') AS clients_failing,
               clients + coalesce(sum(n) FILTER (client_id = ''), 0) AS arrivals
        FROM (SELECT {dims} m, client_id, sum(n) AS n, sum(bad) AS bad FROM (
                SELECT {last}, * EXCLUDE (minute, k) FROM (
                    SELECT minute, greatest(minute, known) AS k, {dims} client_id AS client_id, sum(n) AS n,
                           sum(n) FILTER (status = 'failed') AS bad
                    FROM cells WHERE {reach} {where} GROUP BY ALL) {punctual}) GROUP BY ALL)
        GROUP BY {dims} m)""".replace("client_id, client_id AS client_id", "client_id")


def _novel(dims: str, by: list[str], start: int, end: int, minutes: int, where: str) -> str:
    """Error codes first seen in the window, by scope; not said within the scope's first hour, when every code is new."""
    scope = ", ".join(by)
    over = f"PARTITION BY {scope}" if by else ""
    return f"""novel AS (
        SELECT {dims} m, count(*) FILTER (code <> '' AND born > m - {minutes}) AS new_error_codes FROM (
            SELECT {dims} error_code AS code, min(known) AS born, min(min(known)) OVER ({over}) AS since
            FROM cells WHERE known < {end} {where} GROUP BY {dims} error_code), range({start}, {end}) AS r(m)
        WHERE born <= m AND m - since >= 60 GROUP BY {dims} m)"""


def _latency(measures: Iterable[str]) -> bool:
    return any(name in LATENCIES or name in BINS for name in measures)


def _sums(measures: Collection[str], *, heard: bool) -> dict[str, str]:
    needed = {status for status in CLASSES if {status, f"{status}_rate"} & set(measures)}
    sums = {"total": "sum(fresh)" if heard else "sum(n)"} | {
        status: f"sum(n) FILTER (status = '{status}')" for status in CLASSES if status in needed
    }
    if "amount" in measures:
        sums["amount"] = "sum(amount)"
    if "failed_amount" in measures:
        sums["failed_amount"] = "sum(amount) FILTER (status = 'failed')"
    if heard and _latency(measures):
        sums["told"] = "sum(n)"
    if "novel" in measures:
        sums["novel"] = "sum(n) FILTER (novel)"
    if "duplicated" in measures:
        sums["duplicated"] = "sum(again)"
    return sums


def _measure(name: str) -> str:
    if name.endswith("_rate"):
        return f"{name.removesuffix('_rate')}::DOUBLE / nullif(total, 0) AS {name}"
    if name == "value":
        return "value / nullif(n, 0) AS value"
    if name in LATENCIES:
        return f"NULL::DOUBLE AS {name}"
    return f"{name}::DOUBLE AS {name}"


def _with_percentiles(table: pa.Table, measures: Collection[str]) -> pa.Table:
    bins = np.stack([table[name].to_numpy() for name in BINS], axis=1)
    for name in set(LATENCIES) & set(measures):
        found = percentile(bins, int(name.removeprefix("latency_p")) / 100)
        table = table.set_column(table.column_names.index(name), name, pa.array(found, from_pandas=True))
    return table.drop_columns([name for name in BINS if name not in measures])


def percentile(bins: Floats, share: float) -> Floats:
    """The latency in ms below which `share` of the rows lie, from counts in doubling steps (rows x BUCKETS); NaN for none."""
    total = np.clip(bins, 0, None).cumsum(axis=1)
    wanted = share * total[:, -1:]
    at = (total < wanted).sum(axis=1).clip(max=bins.shape[1] - 1)
    row = np.arange(len(bins))
    below = np.where(at > 0, total[row, at - 1], 0)
    inside = np.clip(bins[row, at], 1, None)
    found: Floats = 4.0 * 2.0 ** (at + np.clip((wanted[:, 0] - below) / inside, 0, 1))
    return np.where(total[:, -1] > 0, found, np.nan)


def _scopes(table: pa.Table) -> tuple[tuple[Scope, ...], Ints]:
    """The distinct scopes of a table that is sorted by them, and the number of each row's."""
    if not table.num_rows:
        return (), np.empty(0, np.int64)
    change = np.zeros(table.num_rows, bool)
    for name in DIMENSIONS:
        codes = table[name].combine_chunks().dictionary_encode().indices.to_numpy()
        change[1:] |= codes[1:] != codes[:-1]
    change[0] = True
    firsts = table.take(pa.array(np.flatnonzero(change)))
    scopes = tuple(Scope(*row) for row in zip(*(firsts[name].to_pylist() for name in DIMENSIONS), strict=True))
    return scopes, np.cumsum(change) - 1
