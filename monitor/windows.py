"""Closed windows by event time: the cells that are held, and the frames that rules are shown.

Cells live in an in-memory DuckDB, a scratch copy of what the store keeps: rebuilt at start, pruned as time goes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.cells import BINS, CELLS, LEDGER, Counted, count
from rules import CLASSES, DIMENSIONS, LATENCIES, Floats, Frame, Grain, Ints, Scope
from rules.expression import Expression, evaluate, parse

METRICS = pa.schema(
    [
        ("minute", pa.int64()),
        ("known", pa.int64()),
        ("source", pa.string()),
        ("series", pa.string()),
        ("product", pa.string()),
        ("channel", pa.string()),
        ("n", pa.int64()),
        ("value", pa.float64()),
    ]
)
DAY = 1440
HISTORY = 7 * DAY
"""Minutes of cells that are held: the base rates of clients are taken from them; a series silent for longer is forgotten."""


def minute_of(time: datetime) -> int:
    """The minute that `time` lies in, counted since the epoch."""
    return int(time.timestamp() // 60)


def time_of(minute: int) -> datetime:
    """When the minute starts."""
    return datetime.fromtimestamp(minute * 60, UTC)


class Windows:
    """What is held of the past, by event time.

    hold: minutes for which a closed cell may still be corrected by a late or repeated row.
    """

    def __init__(self, *, hold: int = 60) -> None:
        self.hold = hold
        self.ledger: pa.Table = LEDGER.empty_table()
        self.db = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
        self.db.execute("SET TimeZone = 'UTC'")
        for name, schema in (("cells", CELLS), ("metrics", METRICS)):
            self.db.register("empty", schema.empty_table())
            self.db.execute(f"CREATE TABLE {name} AS FROM empty")
            self.db.unregister("empty")
        self.db.execute(
            "CREATE TABLE pairs (source VARCHAR, series VARCHAR, product VARCHAR, channel VARCHAR, since BIGINT, last BIGINT, PRIMARY KEY (source, series, product, channel))"
        )
        self.db.execute("CREATE TABLE gaps (source VARCHAR, start BIGINT, stop BIGINT)")

    # ---- rows in ---------------------------------------------------------------------------------------------------

    def count(self, rows: pa.Table, *, source: str, closing: int | None) -> Counted:
        """Rows of a transactions source, in order of arrival, into cells; nothing is held yet (see `hold_cells`)."""
        return count(self.db, rows, source=source, ledger=self.ledger, closing=closing, hold=self.hold)

    def hold_cells(self, cells: pa.Table) -> None:
        """Add cells: what `count` made, or what the store kept."""
        self._append("cells", cells, "'' AS series, product, channel")

    def hold_metrics(self, metrics: pa.Table) -> None:
        """Add readings of metrics, already placed in minutes (METRICS)."""
        self._append("metrics", metrics, "series, product, channel")

    def place_metrics(self, rows: pa.Table, *, source: str, closing: int | None) -> tuple[pa.Table, int]:
        """Rows of a metrics source as METRICS, and how many came late: the readings of a minute are averaged."""
        floor = "NULL" if closing is None else str(int(closing))
        with self.db.cursor() as db:
            db.register("arrived", rows)
            db.execute("SET VARIABLE source = ?", [source])
            placed = db.sql(f"""
                SELECT epoch_us(timestamp) // 60000000 AS minute, greatest(minute, coalesce({floor}, minute)) AS known,
                       getvariable('source')::VARCHAR AS source, series, product, channel, count(*) AS n, sum(value) AS value
                FROM arrived WHERE value IS NOT NULL GROUP BY ALL""").to_arrow_table()
        late = pc.sum(pc.if_else(pc.less(placed["minute"], placed["known"]), placed["n"], 0)).as_py() or 0
        return placed.cast(METRICS), int(late)

    def remember(self, ledger: pa.Table) -> None:
        """Take in ledger entries; the newest of an id stands for it."""
        if not ledger.num_rows:
            return
        old = self.ledger
        if old.num_rows:
            seen = pc.and_(
                pc.is_in(old["id"], value_set=ledger["id"].combine_chunks()),
                pc.equal(old["source"], ledger["source"][0]),
            )
            old = old.filter(pc.invert(seen))
        self.ledger = pa.concat_tables([old, ledger])

    def gap(self, source: str, start: int, stop: int) -> None:
        """The source did not answer for these minutes: what it feeds is unknown, not zero."""
        self.db.execute("INSERT INTO gaps VALUES (?, ?, ?)", [source, start, stop])

    def _append(self, table: str, rows: pa.Table, pair: str) -> None:
        if not rows.num_rows:
            return
        with self.db.cursor() as db:
            db.register("fresh", rows)
            db.execute(f"INSERT INTO {table} BY NAME FROM fresh")
            db.execute(f"""
                INSERT INTO pairs SELECT source, {pair}, min(known), max(known) FROM fresh GROUP BY ALL
                ON CONFLICT DO UPDATE SET since = least(since, excluded.since), last = greatest(last, excluded.last)""")

    def prune(self, before: int) -> None:
        """Forget cells of minutes before `before`, ledger entries past the hold, and series silent since."""
        for table in ("cells", "metrics"):
            self.db.execute(f"DELETE FROM {table} WHERE minute < ?", [before])
        self.db.execute("DELETE FROM pairs WHERE last < ?", [before])
        self.db.execute("DELETE FROM gaps WHERE stop < ?", [before])

    def release(self, closing: int) -> None:
        """Drop the ledger entries whose cells are no longer held once `closing` is the first open minute."""
        if self.ledger.num_rows:
            self.ledger = self.ledger.filter(pc.greater_equal(self.ledger["minute"], closing - self.hold))

    def bounds(self) -> tuple[int, int]:
        """The first and the last minute that anything is held of; (0, -1) where nothing is."""
        query = "SELECT min(a), max(b) FROM (SELECT min(known) AS a, max(known) AS b FROM cells UNION ALL SELECT min(known), max(known) FROM metrics)"
        ((first, last),) = self.db.execute(query).fetchall()
        return (0, -1) if first is None else (int(first), int(last))

    # ---- windows out -----------------------------------------------------------------------------------------------

    def frame(self, grain: Grain, measures: Collection[str], expressions: Sequence[str], start: int, end: int) -> Frame:
        """The closed windows whose last minute lies in [start, end), with what each expression says of them."""
        table = self._windows(grain, measures, start, end)
        vetted: list[Expression] = [parse(text, table.column_names) for text in expressions]
        scopes, series = _scopes(table)
        columns = {name: table[name].cast(pa.float64()).to_numpy() for name in measures}
        frame = Frame(start, end, scopes, series, table["m"].to_numpy(), columns)
        return replace(frame, flags=dict(zip(expressions, evaluate(table, vetted), strict=True)))

    def _windows(self, grain: Grain, measures: Collection[str], start: int, end: int) -> pa.Table:
        metrics = "value" in measures
        by = [name for name in DIMENSIONS if name in grain.by]
        dims = "".join(f"{name}, " for name in by)
        where = f"AND ({parse(grain.where, DIMENSIONS).sql})" if grain.where else ""
        sums = {"n": "sum(n)", "value": "sum(value)"} if metrics else _sums(measures)
        inner = ", ".join(f"{how} AS {name}" for name, how in sums.items())
        outer = ", ".join(f"sum({name}) AS {name}" for name in sums)
        source = "metrics" if metrics else "cells"
        where += " AND client_id <> ''" if "client_id" in by else ""
        reach = f"minute > {start - grain.minutes} AND minute < {end} AND known < {end}"
        # A cell counts in every window from the minute that it is known in to the last that reaches back to its own.
        last = (
            "minute AS m"
            if grain.minutes == 1
            else f"unnest(range(greatest(k, {start}), least(minute + {grain.minutes}, {end}))) AS m"
        )
        punctual = "WHERE k = minute" if grain.minutes == 1 else ""
        ctes = [
            f"""picked AS (SELECT minute, greatest(minute, known) AS k, {dims} {inner} FROM {source}
                           WHERE {reach} {where} GROUP BY {dims} minute, k)""",
            f"spread AS (SELECT {last}, * EXCLUDE (minute, k) FROM picked {punctual})",
            f"summed AS (SELECT {dims} m, {outer} FROM spread GROUP BY {dims} m)",
        ]
        counted = {name for name in ("clients", "clients_failing", "new_error_codes") if name in measures}
        full = "summed"
        if counted & {"clients", "clients_failing"}:
            ctes.append(self._distinct(dims, reach, where, last, punctual))
            full = f"(SELECT * FROM {full} LEFT JOIN heads USING ({dims} m))"
        if "new_error_codes" in counted:
            ctes.append(self._novel(dims, by, start, end, grain.minutes, where))
            full = f"(SELECT * FROM {full} LEFT JOIN novel USING ({dims} m))"
        if not metrics and "client_id" not in by:
            # Series that are known stand in every minute: no rows is zero where the sources answered.
            ctes.append(f"""grid AS (SELECT {dims} m, min(since) AS since FROM pairs, range({start}, {end}) AS r(m)
                            WHERE series = '' AND m >= since {where.replace("client_id", "''")} GROUP BY {dims} m)""")
            full = f"(SELECT * FROM {full} RIGHT JOIN grid USING ({dims} m))"
        zero = ", ".join(
            f"coalesce({name}, 0) AS {name}" for name in (*sums, *(counted & {"clients", "clients_failing"}))
        )
        chosen = ", ".join(_measure(name) for name in measures)
        dark = f"""(SELECT DISTINCT {dims} m FROM pairs JOIN gaps USING (source), range({start}, {end}) AS r(m)
                    WHERE m + 1 > gaps.start AND m - {grain.minutes} < gaps.stop {where.replace("client_id", "''")})"""
        lit = f"ANTI JOIN {dark} AS dark USING ({dims} m)" if self._has_gaps() and "client_id" not in by else ""
        shown = "".join(f"{name if name in by else repr('')} AS {name}, " for name in DIMENSIONS)
        query = f"""WITH {", ".join(ctes)}
            SELECT {shown} m, {chosen} {", " + ", ".join(BINS) if _latency(measures) else ""}
            FROM (SELECT * REPLACE ({zero}) FROM {full}) {lit} ORDER BY {dims} m"""
        table = self.db.sql(query).to_arrow_table()
        return _with_percentiles(table, measures) if _latency(measures) else table

    def _has_gaps(self) -> bool:
        return bool(self.db.execute("SELECT 1 FROM gaps LIMIT 1").fetchall())

    def _distinct(self, dims: str, reach: str, where: str, last: str, punctual: str) -> str:
        return f"""heads AS (
            SELECT {dims} m, count(DISTINCT client_id) FILTER (n > 0) AS clients, count(DISTINCT client_id) FILTER (bad > 0) AS clients_failing
            FROM (SELECT {dims} m, client_id, sum(n) AS n, sum(bad) AS bad FROM (
                    SELECT {last}, * EXCLUDE (minute, k) FROM (
                        SELECT minute, greatest(minute, known) AS k, {dims} client_id AS client_id, sum(n) AS n,
                               sum(n) FILTER (status = 'failed') AS bad
                        FROM cells WHERE {reach} {where} AND client_id <> '' GROUP BY ALL) {punctual}) GROUP BY ALL)
            GROUP BY {dims} m)""".replace("client_id, client_id AS client_id", "client_id")

    def _novel(self, dims: str, by: list[str], start: int, end: int, minutes: int, where: str) -> str:
        """Error codes first seen in the window, by scope; not said within the scope's first hour, when every code is new."""
        scope = ", ".join(by)
        over = f"PARTITION BY {scope}" if by else ""
        return f"""novel AS (
            SELECT {dims} m, count(*) FILTER (code <> '' AND born > m - {minutes}) AS new_error_codes FROM (
                SELECT {dims} error_code AS code, min(known) AS born, min(min(known)) OVER ({over}) AS since
                FROM cells WHERE known < {end} {where} GROUP BY {dims} error_code), range({start}, {end}) AS r(m)
            WHERE born <= m AND m - since >= 60 GROUP BY {dims} m)"""

    def detail(self, scope: Scope, start: int, end: int) -> pa.Table:
        """What happened in a scope, by client, product, status and the minute that it was known in: for impact."""
        held = [f"{name} = ?" for name, value in zip(DIMENSIONS[:3], scope.values, strict=False) if value]
        values = [value for value in scope.values[:3] if value]
        return self.db.sql(
            f"""SELECT greatest(minute, known) AS m, client_id, product, channel, status, sum(n)::BIGINT AS n,
                       (sum(amount) * 100)::BIGINT AS cents, min(first) AS first, {", ".join(f"sum({b})::BIGINT AS {b}" for b in BINS)}
                FROM cells WHERE minute >= ? AND minute < ? AND known < ? AND client_id <> '' {"".join(" AND " + h for h in held)}
                GROUP BY ALL ORDER BY ALL""",
            params=[start, end, end, *values],
        ).to_arrow_table()


def _latency(measures: Iterable[str]) -> bool:
    return any(name in LATENCIES for name in measures)


def _sums(measures: Collection[str]) -> Mapping[str, str]:
    needed = {status for status in CLASSES if {status, f"{status}_rate"} & set(measures)}
    sums = {"total": "sum(n)"} | {
        status: f"sum(n) FILTER (status = '{status}')" for status in CLASSES if status in needed
    }
    if "amount" in measures:
        sums["amount"] = "sum(amount)"
    if "failed_amount" in measures:
        sums["failed_amount"] = "sum(amount) FILTER (status = 'failed')"
    return sums | ({name: f"sum({name})" for name in BINS} if _latency(measures) else {})


def _measure(name: str) -> str:
    if name.endswith("_rate"):
        return f"{name.removesuffix('_rate')}::DOUBLE / nullif(total, 0) AS {name}"
    if name == "value":
        return "value / nullif(n, 0) AS value"
    if name in LATENCIES:
        return f"NULL::DOUBLE AS {name}"
    return f"{name}::DOUBLE AS {name}"


def _with_percentiles(table: pa.Table, measures: Collection[str]) -> pa.Table:
    bins = np.stack([table[name].cast(pa.float64()).to_numpy() for name in BINS], axis=1)
    for name in set(LATENCIES) & set(measures):
        found = percentile(bins, int(name.removeprefix("latency_p")) / 100)
        table = table.set_column(table.column_names.index(name), name, pa.array(found, from_pandas=True))
    return table.drop_columns(list(BINS))


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
