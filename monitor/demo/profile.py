"""What is normal at this bank: how many transactions, of what, how fast, for how much, and how many go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.demo.draws import Floats, Ints

UTC_OFFSET = timedelta(hours=-5)
BOGOTA = timezone(UTC_OFFSET)
"""America/Bogota, which has had no summer time since 1993: a fixed offset makes its hours plain arithmetic."""

OK, FAILED, REJECTED, REVERSED, PENDING = STATUSES = ("APROBADA", "FALLIDA", "RECHAZADA", "REVERSADA", "EN_PROCESO")
"""How the bank's own tables say ok, failed, rejected, reversed and pending."""

EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday; Monday is 0


@dataclass(frozen=True, slots=True)
class Pair:
    """One product through one channel. `amount` (whole pesos) and `latency_ms` are the medians of lognormals."""

    product: str
    channel: str
    per_minute: float
    """Transactions a minute at the day's peak, all clients together."""
    amount: float
    latency_ms: float
    amount_spread: float = 1.1
    latency_spread: float = 0.35


@dataclass(frozen=True, slots=True)
class Profile:
    """A bank's ordinary life.

    `by_hour` (local) and `by_weekday` (Monday first) are shares of the peak; together they never fall below `floor`.
    `shares`: how many of the transactions end in each status, the rest are approved. `codes`: error codes seen with a
    status, equally often; a status without any carries none.
    """

    pairs: tuple[Pair, ...]
    by_hour: tuple[float, ...]
    by_weekday: tuple[float, ...]
    floor: float
    shares: Mapping[str, float]
    codes: Mapping[str, tuple[str, ...]]

    def volume(self, minute: Ints) -> Floats:
        """Expected transactions, one row a minute (counted from the epoch), one column a pair."""
        local = minute + UTC_OFFSET // timedelta(minutes=1)
        # An hour's share stands at its middle, and the curve runs straight between: no hour begins with a step.
        of_day = np.interp((local % 1440) / 60, np.arange(24) + 0.5, self.by_hour, period=24)
        of_week = np.array(self.by_weekday)[(local // 1440 + EPOCH_WEEKDAY) % 7]
        share = np.maximum(of_day * of_week, self.floor)
        return np.outer(share, [pair.per_minute for pair in self.pairs])


MORNING = (0.45, 0.43, 0.42, 0.42, 0.43, 0.46, 0.52, 0.62, 0.78, 0.91, 0.98, 1.0)
AFTERNOON = (0.93, 0.88, 0.94, 0.98, 0.96, 0.87, 0.76, 0.67, 0.60, 0.55, 0.50, 0.47)

DEMO = Profile(
    pairs=(
        Pair("pagos", "conexion_directa", 32, 1_800_000, 420),
        Pair("pagos", "sucursal_digital", 16, 900_000, 650),
        Pair("recaudos", "conexion_directa", 16, 350_000, 380),
        Pair("recaudos", "sucursal_digital", 9, 280_000, 600),
        Pair("depositos", "conexion_directa", 6, 4_000_000, 500),
        Pair("depositos", "sucursal_digital", 8, 1_500_000, 700),
        Pair("tarjetas", "sucursal_digital", 14, 180_000, 300),
        Pair("adquirencia", "conexion_directa", 20, 95_000, 260),
        Pair("pasarela_pagos", "conexion_directa", 13, 140_000, 900),
        Pair("pasarela_pagos", "sucursal_digital", 5, 120_000, 1100),
        Pair("swift", "conexion_directa", 2, 60_000_000, 2400),
        Pair("swift", "sucursal_digital", 1.5, 25_000_000, 2900),
        Pair("transporte_efectivo", "sucursal_digital", 1.5, 30_000_000, 800),
    ),
    by_hour=MORNING + AFTERNOON,
    by_weekday=(1.0, 0.97, 0.97, 0.98, 1.0, 0.85, 0.78),
    floor=0.4,
    shares={FAILED: 0.005, REJECTED: 0.04, REVERSED: 0.003, PENDING: 0.0005},
    codes={FAILED: ("E101", "E110", "E127"), REJECTED: ("R51", "R14", "R61"), REVERSED: ("V20",)},
)
"""The demo never sleeps: a real bank's nights and Sundays are far quieter, but whoever starts this at three in the
morning must see the first failure as soon as at noon."""
