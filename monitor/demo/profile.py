"""What is normal at this bank: how many transactions, of what, when, how fast, for how much, and how many go wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta, timezone
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from monitor.calendar import Calendar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.demo.draws import Floats, Ints

UTC_OFFSET = timedelta(hours=-5)
BOGOTA = timezone(UTC_OFFSET)
"""America/Bogota, which has had no summer time since 1993: a fixed offset makes its hours plain arithmetic."""

OK, FAILED, REJECTED, REVERSED, PENDING = STATUSES = ("APROBADA", "FALLIDA", "RECHAZADA", "REVERSADA", "EN_PROCESO")
"""How the bank's own tables say ok, failed, rejected, reversed and pending."""

DAY = 1440
BUSINESS, REST = 0, 1
"""The two kinds of day: Saturdays, Sundays and public holidays are days of rest."""
SATURDAY = 5
WEEKDAYS = (1.05, 1.0, 0.97, 0.98, 1.03)
"""Monday to Friday, of an average business day."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A product's day: bumps (hour, width in hours, height) over a base, on business days and on days of rest.

    `saturday`, `sunday`: a whole day's transactions, of a business day's; a holiday is a Sunday. `payday`: what pay-days
    multiply it by.
    """

    base: float
    business: tuple[tuple[float, float, float], ...]
    rest: tuple[tuple[float, float, float], ...]
    saturday: float
    sunday: float
    payday: float

    def curve(self, kind: int) -> Floats:
        """The share of the day's transactions that each of its 1440 minutes has."""
        hour = (np.arange(DAY) + 0.5) / 60
        # Machines keep their nights: the base is as high on a day of rest, however few the day's other transactions.
        found = np.full(DAY, self.base / (1.0 if kind == BUSINESS else (self.saturday + self.sunday) / 2))
        for middle, width, height in self.rest if kind == REST else self.business:
            away = (hour - middle + 12) % 24 - 12
            found += height * np.exp(-0.5 * (away / width) ** 2)
        whole: Floats = found / found.sum()
        return whole


OFFICE = ((10.2, 1.7, 1.0), (15.2, 1.6, 0.95))
LATE = ((12.5, 1.6, 0.7), (19.0, 2.2, 1.0))
RHYTHMS: Mapping[str, Rhythm] = {
    "pagos": Rhythm(0.06, OFFICE, ((11.0, 2.5, 1.0),), 0.35, 0.15, 2.3),
    "recaudos": Rhythm(0.09, ((10.0, 2.2, 1.0), (16.0, 2.4, 0.9)), ((12.0, 3.0, 1.0),), 0.60, 0.25, 1.4),
    "depositos": Rhythm(0.008, ((10.5, 1.8, 1.0), (15.0, 1.5, 0.8)), ((10.5, 1.6, 1.0),), 0.30, 0.05, 1.5),
    "transporte_efectivo": Rhythm(0.002, ((7.5, 1.4, 1.0), (11.0, 1.2, 0.35)), ((8.0, 1.3, 1.0),), 0.45, 0.04, 1.3),
    "swift": Rhythm(0.002, ((10.0, 1.3, 1.0), (14.8, 1.2, 0.9)), ((11.0, 1.5, 1.0),), 0.04, 0.02, 1.0),
    "tarjetas": Rhythm(0.06, LATE, ((13.5, 2.5, 1.0), (19.0, 2.4, 1.0)), 1.15, 1.0, 1.3),
    "adquirencia": Rhythm(0.06, LATE, ((13.0, 2.4, 1.0), (18.5, 2.4, 0.95)), 1.2, 0.95, 1.35),
    "pasarela_pagos": Rhythm(0.08, ((11.0, 2.5, 0.7), (20.0, 2.5, 1.0)), ((20.0, 3.5, 1.0),), 1.05, 1.1, 1.3),
}
PLAIN = Rhythm(0.05, OFFICE, OFFICE, 0.5, 0.3, 1.0)
"""Of a product that has no rhythm of its own."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One product through one channel. `amount` (whole pesos) and `latency_ms` are the medians of lognormals.

    `per_day`: transactions of an average business day, all clients together, batches apart. `failed`, `rejected`,
    `reversed`: how many of them end so at an average hour, for an average client.
    """

    product: str
    channel: str
    per_day: float
    amount: float
    latency_ms: float
    failed: float
    rejected: float
    reversed: float
    amount_spread: float = 1.1
    latency_spread: float = 0.4


@dataclass(frozen=True)
class Profile:
    """A bank's ordinary life.

    `scale` multiplies every volume; no minute falls below `floor` of its pair's busiest one. `stuck`: how many transactions
    stay pending for ever. `codes`: error codes by status, with their shares.
    """

    pairs: tuple[Pair, ...]
    codes: Mapping[str, Mapping[str, float]]
    stuck: float = 0.0005
    scale: float = 1.0
    floor: float = 0.0
    calendar: Calendar = field(default=Calendar("America/Bogota"), compare=False)

    @cached_property
    def curves(self) -> Floats:
        """Transactions by kind of day, pair and minute of the day, on an average day of business or of the same size."""
        made = np.empty((2, len(self.pairs), DAY))
        for i, pair in enumerate(self.pairs):
            rhythm = RHYTHMS.get(pair.product, PLAIN)
            for kind in (BUSINESS, REST):
                made[kind, i] = rhythm.curve(kind) * pair.per_day * self.scale
        return made

    @cached_property
    def _floors(self) -> Floats:
        found: Floats = self.floor * self.curves[BUSINESS].max(axis=1)
        return found

    def kind(self, minute: Ints) -> Ints:
        """BUSINESS or REST of each minute (counted from the epoch)."""
        days, which = np.unique(_local(minute) // DAY, return_inverse=True)
        kinds = np.array([BUSINESS if self.calendar.business(_date(day)) else REST for day in days.tolist()], np.int64)
        found: Ints = kinds[which]
        return found

    def volume(self, minute: Ints) -> Floats:
        """Expected transactions, one row a minute (counted from the epoch), one column a pair."""
        local = _local(minute)
        days, which = np.unique(local // DAY, return_inverse=True)
        sizes = np.array([[self._size(day, pair.product) for pair in self.pairs] for day in days.tolist()])
        share = self.curves[self.kind(minute), :, local % DAY] * sizes.reshape(len(days), len(self.pairs))[which]
        found: Floats = np.maximum(share, self._floors)
        return found

    def payday(self, day: int) -> bool:
        """Whether wages are paid on this local day (counted from the epoch)."""
        today = _date(day)
        return today in _paydays(self.calendar, today.year, today.month)

    def _size(self, day: int, product: str) -> float:
        rhythm, today = RHYTHMS.get(product, PLAIN), _date(day)
        if self.calendar.business(today):
            size = WEEKDAYS[today.weekday()]
        else:
            size = rhythm.saturday if today.weekday() == SATURDAY else rhythm.sunday
        return size * (rhythm.payday if self.payday(day) else 1.0)


def _local(minute: Ints) -> Ints:
    return minute + UTC_OFFSET // timedelta(minutes=1)


@cache
def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


@cache
def _paydays(calendar: Calendar, year: int, month: int) -> frozenset[date]:
    """The 15th and the 30th (or the month's last day), or the business day before."""
    last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
    found = []
    for day in (15, min(30, last)):
        pay = date(year, month, day)
        while not calendar.business(pay):
            pay -= timedelta(days=1)
        found.append(pay)
    return frozenset(found)


MONTH = Profile(
    pairs=(
        Pair("pagos", "conexion_directa", 15_500, 1_800_000, 420, 0.0035, 0.035, 0.0030),
        Pair("pagos", "sucursal_digital", 7_500, 900_000, 650, 0.0042, 0.050, 0.0035),
        Pair("recaudos", "conexion_directa", 9_500, 350_000, 380, 0.0030, 0.030, 0.0025),
        Pair("recaudos", "sucursal_digital", 4_200, 280_000, 600, 0.0045, 0.045, 0.0030),
        Pair("depositos", "conexion_directa", 1_700, 4_000_000, 500, 0.0030, 0.020, 0.0025),
        Pair("depositos", "sucursal_digital", 2_800, 1_500_000, 700, 0.0045, 0.035, 0.0030),
        Pair("tarjetas", "sucursal_digital", 7_000, 180_000, 300, 0.0032, 0.065, 0.0040),
        Pair("tarjetas", "conexion_directa", 2_200, 220_000, 280, 0.0025, 0.055, 0.0035),
        Pair("adquirencia", "conexion_directa", 12_000, 95_000, 260, 0.0028, 0.060, 0.0050),
        Pair("adquirencia", "sucursal_digital", 1_600, 85_000, 420, 0.0055, 0.070, 0.0045),
        Pair("pasarela_pagos", "conexion_directa", 8_500, 140_000, 900, 0.0042, 0.070, 0.0045),
        Pair("pasarela_pagos", "sucursal_digital", 2_700, 120_000, 1100, 0.0085, 0.080, 0.0050),
        Pair("swift", "conexion_directa", 480, 60_000_000, 2400, 0.0080, 0.040, 0.0030),
        Pair("swift", "sucursal_digital", 260, 25_000_000, 2900, 0.0110, 0.050, 0.0030),
        Pair("transporte_efectivo", "sucursal_digital", 240, 30_000_000, 800, 0.0060, 0.025, 0.0020),
    ),
    codes={
        FAILED: {"E101": 0.52, "E110": 0.28, "E127": 0.13, "E140": 0.05, "E133": 0.02},
        REJECTED: {"R51": 0.48, "R14": 0.22, "R61": 0.15, "R05": 0.10, "R57": 0.05},
        REVERSED: {"V20": 0.8, "V31": 0.2},
    },
    scale=0.92,
)
"""About two million transactions in thirty days, with a real bank's quiet nights and Sundays."""

DEMO = replace(MONTH, scale=1.4, floor=0.4)
"""The live demo is the same bank, only larger, and it never sleeps: a real bank's nights and Sundays are far quieter, but
whoever starts this at three in the morning must see the first failure as soon as at noon."""
