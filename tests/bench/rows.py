"""A million rows of CSV, from the file to closed windows, against the database's own reading of the same file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from collections.abc import Mapping as Wanted
from pathlib import Path
from statistics import median

import duckdb

from connectors.mapping import Mapping
from connectors.sources.file import File
from monitor.windows import Windows, minute_of
from rules import Grain
from tests.bench import Figure, bank, cores, ratio, seconds

ROWS = 1_000_000
MINUTE, FIVE = Grain(("product", "channel"), 1), Grain(("product", "channel"), 5)
RATES = ("failed_rate", "rejected_rate", "reversed_rate", "pending_rate", "other_rate")
CATALOG = {MINUTE: ("total", *RATES), FIVE: ("total", "failed_rate", "reversed_rate")}
"""The windows that the shipped catalog asks for; and the same grains with a quantile, which it does not."""
QUANTILES = dict.fromkeys((MINUTE, FIVE), ("total", "failed_rate", "latency_p95"))
BARE = """SELECT time_bucket(INTERVAL 1 MINUTE, timestamp), product, channel, client_id, status, count(*), sum(amount)
          FROM read_csv(?) GROUP BY ALL"""


def ours(path: Path, wanted: Wanted[Grain, tuple[str, ...]] = CATALOG) -> Windows:
    """File source, mapping, cells, and the frames of both grains."""
    source, mapping, windows = File(path=str(path)), Mapping(role="transactions"), Windows()
    cursor, drained = None, False
    while not drained:
        batch = source.poll(cursor, bank.MONDAY, None)
        counted = windows.count(mapping.apply(batch.table).table, source="core", closing=None)
        windows.hold_cells(counted.cells)
        windows.remember(counted.ledger)
        cursor, drained = batch.cursor, batch.drained
    start = minute_of(bank.MONDAY)
    for grain, measures in wanted.items():
        windows.frame(grain, measures, (), start, start + 1440)
    return windows


def theirs(path: Path) -> object:
    """DuckDB, bare: no check of a value, no duplicate, no late row, no quantile."""
    return duckdb.connect().sql(BARE, params=[str(path)]).to_arrow_table()


def figures() -> Iterator[Figure]:
    """Seconds of both, in turn, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        path = bank.write(bank.transactions(ROWS), Path(folder, "day.csv"))
        a, b, c = seconds(lambda: ours(path), lambda: theirs(path), lambda: ours(path, QUANTILES), times=7)
    yield Figure("file to 1 min and 5 min windows, best", min(a), "s", f"{ROWS:,} rows, {cores()} cores")
    yield Figure("file to 1 min and 5 min windows, median", median(a), "s")
    yield Figure("DuckDB read_csv aggregation, best", min(b), "s")
    yield Figure("DuckDB read_csv aggregation, median", median(b), "s")
    yield Figure("ours / DuckDB", ratio(a, b), "times", "to reach: 3.0 at most")
    yield Figure("ours / DuckDB, with latency quantiles", ratio(c, b), "times")
    yield Figure("rows a second", ROWS / median(a), "rows/s")
