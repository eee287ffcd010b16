"""Rows of operations in doubt: pending, reversed, or executed twice; and what was told of the same ids before and after.

They are copied as rows are counted, so that a recovery can name them by id. Rows without an id stand together, as in cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import duckdb

DOUBTFUL = pa.schema(
    [
        ("minute", pa.int64()),
        ("known", pa.int64()),
        ("source", pa.string()),
        ("id", pa.string()),
        *((name, pa.string()) for name in ("client_id", "product", "channel", "status")),
        ("twice", pa.bool_()),
        ("n", pa.int64()),
        ("amount", pa.decimal128(38, 2)),
        ("first", pa.int64()),
    ]
)
"""id: '' where rows have none, then n of them; twice: another id stands before it for the same client, product, channel, amount, minute."""

ONSETS = 180
"""Minutes for which doubts are held without an incident: no rule finds one that began longer ago."""
OPEN = "('pending', 'reversed')"
TOLD = "('ok', 'failed', 'rejected')"
UNDONE = "('failed', 'rejected', 'reversed')"


def doubled(db: duckdb.DuckDBPyConnection, rows: str, order: str) -> None:
    """A table `doubled`: the rows, arrived or in the ledger (`old`), of which there are several alike; the source is a variable."""
    same = "minute, product, channel, client_id, amount"
    paid = "id <> '' AND client_id <> '' AND amount > 0 AND n = 1"  # a row that stands for many is no operation
    seq = "seq" if "seq" in order else "0"
    db.execute(f"""
        CREATE TEMP TABLE doubled AS
        WITH before AS (SELECT {same}, id, status, first FROM ledger WHERE source = getvariable('source') AND {paid}),
             twice AS (SELECT {same} FROM {rows} WHERE {paid} GROUP BY {same} HAVING count(*) > 1
                       UNION SELECT {same} FROM {rows} SEMI JOIN before USING ({same}) WHERE {paid})
        SELECT {same}, id, status, first, {seq} AS seq, known, false AS old FROM {rows} SEMI JOIN twice USING ({same}) WHERE {paid}
        UNION ALL SELECT {same}, id, status, first, 0, NULL, true FROM before SEMI JOIN twice USING ({same})""")


def doubtful(
    db: duckdb.DuckDBPyConnection, rows: str, source: str, held: pa.Table, order: str, *, since: int
) -> pa.Table:
    """The rows of operations in doubt from minute `since` on, in `order` of arrival; `doubled` is there.

    held: what is known of such operations: more on the same ids is told too. A repetition of what failed or was undone is none.
    """
    same = "minute, product, channel, client_id, amount"
    query = f"SELECT EXISTS (FROM doubled) OR EXISTS (FROM {rows} WHERE status IN {OPEN})"
    if not db.execute(query).fetchall()[0][0] and not pc.any(pc.equal(held["source"], source)).as_py():
        return DOUBTFUL.empty_table()  # as nearly always
    db.register("held", held)
    db.execute(f"""
        CREATE TEMP TABLE twice AS
        WITH every AS (SELECT {same}, id, bool_or(old) AS old, min(first) AS first, last(status ORDER BY {order}) AS status
                       FROM doubled GROUP BY {same}, id),
             placed AS (SELECT minute, id, old, row_number() OVER (PARTITION BY {same} ORDER BY old DESC, first, id) AS place
                        FROM every WHERE status NOT IN {UNDONE})
        SELECT DISTINCT minute, id FROM placed WHERE place > 1 AND NOT old""")
    columns = "minute, known, id, client_id, product, channel, status, n, amount, first"
    seq = "seq" if "seq" in order else "0"
    db.execute(f"""
        CREATE TEMP TABLE left_open AS
        SELECT {columns}, {seq} AS seq FROM {rows} WHERE status IN {OPEN} AND n > 0 AND client_id <> '' AND minute >= {since}""")
    db.execute(
        f"""CREATE TEMP TABLE doubted AS
            SELECT id FROM left_open WHERE id <> ''
            UNION SELECT id FROM twice WHERE minute >= {since} UNION SELECT id FROM held WHERE source = $source AND id <> ''""",
        {"source": source},
    )
    db.execute("SET VARIABLE source = ?", [source])
    return (
        db.sql(f"""
        WITH told AS (SELECT {columns}, seq FROM left_open WHERE id <> ''
                      UNION ALL SELECT {columns}, {seq} FROM {rows} SEMI JOIN doubted USING (id)
                      WHERE client_id <> '' AND status IN {TOLD}),
             every AS (SELECT told.*, twice.id IS NOT NULL AS twice FROM told LEFT JOIN twice USING (minute, id)
                       UNION ALL BY NAME
                       SELECT * EXCLUDE (n, amount, first, seq), sum(n) AS n, sum(amount) AS amount, min(first) AS first,
                              0 AS seq, false AS twice
                       FROM left_open WHERE id = '' GROUP BY ALL)
        SELECT minute, known, getvariable('source')::VARCHAR AS source, id, client_id, product, channel, status, twice,
               n::BIGINT AS n, coalesce(amount, 0)::DECIMAL(38, 2) AS amount, first
        FROM every ORDER BY {order}, client_id, product, channel, status""")
        .to_arrow_table()
        .cast(DOUBTFUL)
    )
