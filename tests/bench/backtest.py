"""A whole backtest with the shipped catalog: three days of a bank from a seed, and the labelled day of payments if it is there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from monitor.backtest import backtest
from monitor.config import read_config
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


def figures() -> Iterator[Figure]:
    """Transactions a second, what was found, and how soon."""
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
