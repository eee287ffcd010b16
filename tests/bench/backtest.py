"""A whole backtest with the shipped catalog: three days of a bank from a seed, and the labelled day of payments if it is there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import duckdb

from monitor.backtest import backtest
from monitor.config import read_config
from monitor.demo.month import month, write_month
from monitor.labels import read_labels
from tests.bench import Figure, bank, cores

ROWS = 200_000
STORMS = ((1440 + 720, 1440 + 750, 0), (2880 + 660, 2880 + 690, 3))
CONFIG = """
[monitor]
timezone = "America/Bogota"
[sources.core]
role = "transactions"
kind = "file"
path = "{path}"
{more}
"""
WORDS = """
defaults = { product = "pagos" }
[sources.core.status]
ok = ["approved", "refunded"]
failed = ["failed"]
rejected = ["denied"]
reversed = ["reversed", "backend_reversed"]
pending = ["processing"]
"""


def configured(folder: Path, path: Path, more: str = "") -> Path:
    """A configuration of one file source, in that folder."""
    config = folder / "config.toml"
    config.write_text(CONFIG.format(path=path, more=more), encoding="utf-8")
    return config


BARE = """
SELECT epoch_us(ocurrio_en) // 60000000 AS minute, producto, canal, nit, estado, codigo_error, count(*) AS n, sum(valor) AS amount
FROM read_parquet(?) GROUP BY ALL"""
"""What DuckDB alone needs for the month's cells."""


@contextmanager
def two_cores() -> Iterator[None]:
    """Run on two cores only, with all that is started from here."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:2]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def whole_month(folder: Path) -> Iterator[Figure]:
    """Two million transactions of the simulated bank, all in, on two cores; and what DuckDB's own aggregation has of it."""
    write_month(month(seed=1), folder)
    with two_cores():
        found = backtest(read_config(folder / "config.toml"))
        with duckdb.connect(config={"threads": 2}) as db:
            began = perf_counter()
            cells = len(db.execute(BARE, [str(folder / "transacciones.parquet")]).to_arrow_table())
            bare = perf_counter() - began
    seconds = found.summary["seconds"]
    yield Figure("a month, all", seconds, "s", f"{found.summary['transactions']:,} transactions, two cores")
    yield Figure("a month, speed", found.summary["transactions_per_second"], "tx/s")
    yield Figure(
        "a month, DuckDB's bare aggregation", bare, "s", f"{cells:,} cells: {bare / seconds:.1%} of the backtest"
    )


def figures() -> Iterator[Figure]:
    """Transactions a second, what was found, and how soon."""
    with tempfile.TemporaryDirectory() as name:
        yield from whole_month(Path(name))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = bank.transactions(ROWS, days=3, channels=3, clients=300, storms=STORMS)
        path = bank.write(table, folder / "days.csv")
        found = backtest(read_config(configured(folder, path))).summary
        yield Figure("three days, all", found["seconds"], "s", f"{ROWS:,} transactions, 24 series, {cores()} cores")
        yield Figure("three days, speed", found["transactions_per_second"], "tx/s")
        yield Figure("three days, incidents", found["incidents"], "", "2 storms of half an hour")
        day = Path(
            os.environ.get("VIGIA_DATA", Path(__file__).parents[2].parent / "shared" / "data"), "payments", "day1.csv"
        )
        if not day.exists():
            yield Figure("labelled day of payments", float("nan"), "", "no VIGIA_DATA: left out")
            return
        labels = read_labels(day.with_name("day1_labels.csv"), "America/Bogota")
        found = backtest(read_config(configured(folder, day.resolve(), WORDS)), labels=labels).summary
        yield Figure("labelled day, all", found["seconds"], "s", f"{found['transactions']:,} rows of counts")
        beside = ", ".join(f"{row['label']} {row['delay_seconds']} s" for row in found["labels"])
        yield Figure("labelled day, recall", found["recall"], "", f"detected after: {beside}")
        yield Figure("labelled day, median delay", found["median_delay_seconds"], "s")
        yield Figure("labelled day, false incidents", found["false_incidents_per_day"], "a day")
