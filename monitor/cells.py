"""Rows to cells: one a minute, product, channel, client, status, error code and latency bin, counted once, known from a minute on.

A cell is a **difference**: later cells of the same key add up. `known` is the minute from which it counts: its own minute, or,
for a row that came late, the first minute that was still open. A window that ends at minute m sees what was known by m, so
a span of minutes judged at once sees exactly what was seen minute by minute.

A row with an `id` that was seen before, while its cell is still held, takes the older row back: a second cell with negative
counts, known from the newer row on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from monitor.doubtful import DOUBTFUL, doubled, doubtful

BUCKETS = 16
"""Latency is kept as the doubling step that it lies in, from 4 ms to 262 s: counts by step add up; see `percentile` in frames.

The step is part of a cell's key: a client has few rows a minute, so 16 counts a cell would be nearly all zeros (measured: a
third of the time and a fifth of the memory).
"""

MINUTE = 60_000_000
PLAYED = 5
"""Minutes of a source that was dark which become known in one, once it is back."""
KEY = ("product", "channel", "client_id", "status", "error_code")

CELLS = pa.schema(
    [
        ("minute", pa.int64()),
        ("known", pa.int64()),
        ("source", pa.string()),
        *((name, pa.string()) for name in KEY),
        ("bin", pa.int8()),
        ("n", pa.int64()),
        ("again", pa.int64()),
        ("amount", pa.decimal128(38, 2)),
        ("first", pa.int64()),
    ]
)
"""bin: the latency's step (null: no latency was told); again: rows that repeat another one's client, product, channel and amount in the
minute under an id of their own (told apart, in cells without rows); first: when the first row of the cell happened, in microseconds since
the epoch (null in a cell that takes back)."""

LEDGER = pa.schema(
    [
        ("minute", pa.int64()),
        ("known", pa.int64()),
        ("source", pa.string()),
        ("id", pa.string()),
        *((name, pa.string()) for name in KEY),
        ("n", pa.int64()),
        ("amount", pa.decimal128(18, 2)),
        ("first", pa.int64()),
        ("bin", pa.int8()),
    ]
)
"""The rows with an id whose cells are still held: what is needed to take one back."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a batch of rows came to: cells to add, ledger entries to remember, rows that were late, too late, or repeated.

    doubtful: the rows of operations in doubt; oldest: the first minute of those that were too late.
    """

    cells: pa.Table
    ledger: pa.Table
    late: int = 0
    too_late: int = 0
    repeated: int = 0
    doubtful: pa.Table = field(default_factory=DOUBTFUL.empty_table)
    oldest: int | None = None


def count(
    database: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    *,
    source: str,
    ledger: pa.Table,
    held: pa.Table,
    closing: int | None,
    hold: int,
    dark: tuple[int, int] | None = None,
    read: int | None = None,
) -> Counted:
    """Count transactions (the role's columns, in order of arrival) into cells.

    held: what is known of operations in doubt.
    closing: the first minute that is still open: rows before it are late, rows more than `hold` minutes before it are too late
    and dropped. None: history, in which a row is known from its own time on (and the order is that of time). dark: the first
    minute that was judged without the source, and the one in which what it tells of it is known: what it tells of the minutes since then
    becomes known PLAYED of them a minute, so that what went wrong in them is judged as what lasted. read: the minute
    in which history is read: ids are remembered as of then.
    """
    with database.cursor() as db:
        db.register("arrived", rows)
        db.register("ledger", ledger)
        known = "minute" if closing is None else f"greatest(minute, {int(closing)})"
        soon = ""
        if closing is not None and dark is not None:
            since, at = dark
            played = f"greatest({closing}, {at} + (minute - {since}) // {PLAYED})"
            known = f"CASE WHEN minute >= {since} AND minute < {closing} THEN {played} ELSE {known} END"
            soon = f"OR next - minute <= {hold}"  # by its own time: what is played later than that was told in time
            hold = max(hold, closing - since)
        db.execute(f"""
            CREATE TEMP VIEW placed AS
            SELECT epoch_us(timestamp) // {MINUTE} AS minute,
                   {known} AS known,
                   product, channel, client_id, status, error_code, "count" AS n, amount,
                   epoch_us(timestamp) AS first, id,
                   CASE WHEN latency_ms IS NOT NULL
                        THEN greatest(0, least({BUCKETS - 1}, floor(log2(greatest(latency_ms, 1) / 4))))::TINYINT END AS bin
            FROM arrived""")
        late, too_late, oldest = 0, 0, None
        kept = "placed"
        if closing is not None:
            late, too_late, oldest = _lateness(db, closing, hold)
            kept = f"(FROM placed WHERE minute >= {closing - hold})" if too_late else kept
        repeated, newest = _repeated(db, kept, source)
        # Not as of the newest row: one from a clock that is ahead would have all others forgotten.
        floor = (min(newest, read or newest) if closing is None else closing) - hold
        if repeated:
            db.execute(f"CREATE TEMP TABLE arrivals AS SELECT *, row_number() OVER () AS seq FROM {kept}")
            _take_back(db, source, in_time=closing is None, held=f"until - minute <= {hold} {soon}")
            cells = _cells(db, "counted", source)
            order = ", ".join(f"{name} DESC" for name in _order(in_time=closing is None).split(", "))
            last = f"minute >= {floor} QUALIFY row_number() OVER (PARTITION BY id ORDER BY {order}) = 1"
            once = f"SELECT * FROM arrivals ANTI JOIN several USING (id) WHERE minute >= {floor}"
            every = f"(SELECT * EXCLUDE (old, until) FROM versions UNION ALL BY NAME {once})"
            remembered = _changed(db, _remember(db, every, source, last))
        else:
            cells = _cells(db, kept, source, known="minute" if closing is None else "known")
            db.register("arrived", _since(rows, floor))  # few of a large batch
            remembered = _remember(db, kept, source, "true")
            db.register("arrived", rows)
        came, order = ("arrivals", _order(in_time=closing is None)) if repeated else (kept, "first, id")
        cells = pa.concat_tables([cells, _again(db, came, source, order)])
        # History that is read before it is watched trains; in a backtest all of it may be acted on.
        found = doubtful(db, came, source, held, order, since=floor if closing is None and read else 0)
        return Counted(cells, remembered, late, too_late, repeated, found, oldest)


def _since(rows: pa.Table, minute: int) -> pa.Table:
    """The rows of that minute and later ones."""
    time = rows["timestamp"]
    return rows.filter(pc.greater_equal(time, pa.scalar(minute * MINUTE, pa.int64()).cast(time.type)))


def _lateness(db: duckdb.DuckDBPyConnection, closing: int, hold: int) -> tuple[int, int, int | None]:
    held = f"minute >= {closing - hold}"
    query = f"""SELECT count(*) FILTER ({held}), count(*) FILTER (NOT {held}), min(minute) FILTER (NOT {held})
                FROM placed WHERE minute < {closing}"""
    ((late, too_late, oldest),) = db.execute(query).fetchall()
    return late, too_late, oldest


def _repeated(db: duckdb.DuckDBPyConnection, kept: str, source: str) -> tuple[int, int]:
    """How many rows bear an id seen before them, in the batch or in the ledger; and the last minute that one is known from."""
    query = f"SELECT count(*) - count(DISTINCT id), max(known) FROM {kept} WHERE id <> ''"
    ((within, newest),) = db.execute(query).fetchall()
    query = f"SELECT count(*) FROM ledger WHERE source = ? AND id IN (SELECT id FROM {kept})"
    before = db.execute(query, [source]).fetchall()[0][0] if db.execute("FROM ledger LIMIT 1").fetchall() else 0
    return int(within) + int(before), int(newest or 0)


def _take_back(db: duckdb.DuckDBPyConnection, source: str, *, in_time: bool, held: str) -> None:
    """A table `counted` with every version of each id, and its taking back; `versions` of those ids that there are `several` of.

    held: whether a version is still held when the `next` one, of that minute, is known (`until`).
    """
    columns = "minute, known, product, channel, client_id, status, error_code, n, amount, first, id, bin"
    db.execute(
        """CREATE TEMP TABLE several AS
            SELECT id FROM arrivals WHERE id <> '' GROUP BY id HAVING count(*) > 1
            UNION SELECT id FROM ledger WHERE source = $source AND id IN (SELECT id FROM arrivals)""",
        {"source": source},
    )
    db.execute(
        f"""CREATE TEMP TABLE versions AS
            WITH every AS (
                SELECT {columns}, 0 AS seq, true AS old FROM ledger SEMI JOIN several USING (id) WHERE source = $source
                UNION ALL SELECT {columns}, seq, false FROM arrivals SEMI JOIN several USING (id)),
            chained AS (SELECT *, lead(known) OVER later AS until, lead(minute) OVER later AS next FROM every
                        WINDOW later AS (PARTITION BY id ORDER BY {_order(in_time=in_time)}))
            SELECT * EXCLUDE (next) REPLACE (CASE WHEN {held} THEN greatest(until, known) END AS until) FROM chained""",
        {"source": source},
    )
    db.execute(
        f"""CREATE TEMP TABLE counted AS
            SELECT {columns} FROM arrivals ANTI JOIN several USING (id)
            UNION ALL SELECT {columns} FROM versions WHERE NOT old
            UNION ALL SELECT minute, until, product, channel, client_id, status, error_code, -n, -amount, NULL, id, bin
                      FROM versions WHERE until IS NOT NULL"""
    )


def _order(*, in_time: bool) -> str:
    return "first, seq" if in_time else "seq"  # what the ledger holds came before: its seq is 0


def _cells(db: duckdb.DuckDBPyConnection, rows: str, source: str, *, known: str = "known") -> pa.Table:
    """The rows summed up; `known` is "minute" where no row is late: a key less to group by."""
    keys = ", ".join((*KEY, "bin"))
    db.execute("SET VARIABLE source = ?", [source])
    return (
        db.sql(f"""
        SELECT minute, {known} AS known, getvariable('source')::VARCHAR AS source, {keys}, sum(n)::BIGINT AS n, 0::BIGINT AS again,
               coalesce(sum(amount), 0)::DECIMAL(38, 2) AS amount, min(first) AS first
        FROM {rows} GROUP BY minute, {"" if known == "minute" else "known, "}{keys} HAVING sum(n) <> 0 OR sum(amount) <> 0""")
        .to_arrow_table()
        .cast(CELLS)
    )


def _again(db: duckdb.DuckDBPyConnection, rows: str, source: str, order: str) -> pa.Table:
    """What was executed twice, as far as these rows add to it: ids beyond the first of one client, product, channel, amount and minute."""
    same = "minute, product, channel, client_id, amount"
    db.execute("SET VARIABLE source = ?", [source])
    doubled(db, rows, order)
    if not db.execute("FROM doubled LIMIT 1").fetchall():
        return CELLS.empty_table()  # as nearly always
    return (
        db.sql(f"""
        WITH added AS (SELECT {same}, max(known) AS known,
                              count(DISTINCT id) - greatest(count(DISTINCT id) FILTER (old), 1) AS again FROM doubled GROUP BY {same})
        SELECT minute, known, getvariable('source')::VARCHAR AS source, product, channel, client_id, 'ok' AS status, '' AS error_code,
               NULL::TINYINT AS bin, 0::BIGINT AS n, sum(again)::BIGINT AS again, 0::DECIMAL(38, 2) AS amount, NULL::BIGINT AS first
        FROM added WHERE again > 0 GROUP BY minute, known, product, channel, client_id""")
        .to_arrow_table()
        .cast(CELLS)
    )


def _changed(db: duckdb.DuckDBPyConnection, remembered: pa.Table) -> pa.Table:
    """Without the entries that the ledger has already: a source that reads back gives most of its rows again as they were."""
    db.register("remembered", remembered)
    same = " AND ".join(
        f"ledger.{name} IS NOT DISTINCT FROM remembered.{name}" for name in LEDGER.names if name not in ("id", "known")
    )
    found = db.sql(f"SELECT remembered.* FROM remembered ANTI JOIN ledger ON ledger.id = remembered.id AND {same}")
    return found.to_arrow_table().cast(LEDGER)


def _remember(db: duckdb.DuckDBPyConnection, rows: str, source: str, where: str) -> pa.Table:
    """The rows with an id, as entries of the ledger."""
    db.execute("SET VARIABLE source = ?", [source])
    return (
        db.sql(f"""
        SELECT minute, known, getvariable('source')::VARCHAR AS source, id, {", ".join(KEY)}, n, amount, first, bin
        FROM {rows} WHERE id <> '' AND {where}""")
        .to_arrow_table()
        .cast(LEDGER)
    )
