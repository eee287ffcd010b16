"""Transactions of a bank that does not exist, from a seed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

MONDAY = datetime(2026, 3, 2, 5, tzinfo=UTC)
"""Midnight in Bogotá."""
PRODUCTS = ("pagos", "transferencias", "recaudos", "nomina", "tesoreria", "tarjetas", "divisas", "credito")
CHANNELS = ("portal", "api", "movil", "archivo", "oficina", "sucursal")


def transactions(
    rows: int,
    *,
    days: float = 1,
    products: int = 8,
    channels: int = 2,
    clients: int = 500,
    start: datetime = MONDAY,
    flat: bool = False,
    storms: Collection[tuple[int, int, int]] = (),
    seed: int = 7,
) -> pa.Table:
    """The columns of a core bank, in order of time; busiest after noon, unless flat.

    storms: (first minute, end, product): half of what that product does then fails.
    """
    rng = np.random.default_rng(seed)
    minutes = round(days * 1440)
    busy = np.exp(-((np.arange(minutes) % 1440 - 800) ** 2) / 2 / 260**2) + 0.02
    weight = np.ones(minutes) if flat else busy
    minute = np.sort(rng.choice(minutes, rows, p=weight / weight.sum()))
    offset = np.sort(minute * 60_000_000 + rng.integers(0, 60_000_000, rows))
    product, channel = rng.integers(0, products, rows), rng.integers(0, channels, rows)
    client = np.minimum((rng.pareto(1.2, rows) * clients / 20).astype(np.int64), clients - 1)
    share = rng.random(rows)
    failing = np.full(rows, 0.006)
    for first, end, which in storms:
        failing[(minute >= first) & (minute < end) & (product == which)] = 0.5
    status = np.select([share < failing, share < failing + 0.03, share < failing + 0.033], [1, 2, 3], 0)
    code = np.where(status == 1, rng.integers(1, 4, rows), 0)
    latency = np.round(np.exp(rng.normal(5.2, 0.6, rows)), 1)
    amount = np.round(np.exp(rng.normal(6.0, 1.0, rows)), 2)
    texts = (
        ("product", PRODUCTS[:products], product),
        ("channel", CHANNELS[:channels], channel),
        ("client_id", [f"{900_000_000 + 137 * n}" for n in range(clients)], client),
        ("status", ("ok", "failed", "rejected", "reversed"), status),
        ("error_code", ("", "E504", "E91", "E05"), code),
    )
    microseconds = int(start.timestamp() * 1e6) + offset
    return pa.table(
        {
            "timestamp": pa.array(microseconds, pa.timestamp("us", tz="UTC")),
            **{name: pa.array(words, pa.string()).take(pa.array(at)) for name, words, at in texts},
            "latency_ms": latency,
            "amount": pa.array(amount),
            "id": pa.array(np.arange(rows)).cast(pa.string()),
        }
    )


def write(table: pa.Table, path: Path) -> Path:
    """As CSV or Parquet, as the name says."""
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path, pyarrow.csv.WriteOptions(quoting_style="none"))
    else:
        pyarrow.parquet.write_table(table, path)
    return path
