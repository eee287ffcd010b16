"""The bank's calendar: local time, business days, and the clock slots that detectors are given."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import numpy as np

from detectors import BUSINESS, PAYDAY, QUARTERS, REST, SATURDAY
from rules import Ints

WEEKEND = 5
"""The weekday on which it begins."""


class Calendar:
    """One calendar for detectors, rules, promises and silences; `country` gives its public holidays (ISO code)."""

    def __init__(self, timezone: str, *, country: str = "CO") -> None:
        self.zone = ZoneInfo(timezone)
        self._holidays = holidays.country_holidays(country)
        self._kind = lru_cache(maxsize=1024)(self._kind_of)
        self._quarter = lru_cache(maxsize=8192)(self._slot_of_quarter)

    def business(self, day: date) -> bool:
        """Whether it is a business day."""
        return day.weekday() < WEEKEND and day not in self._holidays

    def payday(self, day: date) -> bool:
        """Whether wages are paid: the 15th and the 30th (in February its last), or the business day before."""
        if not self.business(day):
            return False
        ends = (15, min(30, monthrange(day.year, day.month)[1]))
        target = next((end for end in ends if end >= day.day), 0)
        return not any(self.business(day.replace(day=later)) for later in range(day.day + 1, target + 1)) and target > 0

    def slots(self, start: int, end: int) -> Ints:
        """The clock slot of each minute of [start, end), in minutes since the epoch: its quarter of such a local day.

        Zones differ from UTC by whole quarters of an hour, so a quarter has one slot, also where the clocks change.
        """
        first, last = start // 15, (end - 1) // 15
        found = np.array([self._quarter(quarter) for quarter in range(first, last + 1)], dtype=np.int64)
        return np.repeat(found, 15)[start - first * 15 :][: end - start]

    def days(self, start: int, end: int) -> Ints:
        """The kind of day of each minute of [start, end): 0 a business day, 1 a Saturday, 2 a Sunday or holiday."""
        return np.maximum(self.slots(start, end) // QUARTERS - PAYDAY, 0)

    def slot_of(self, time: datetime) -> int:
        """The clock slot of a moment."""
        local = time.astimezone(self.zone)
        return self._kind(local.date()) * QUARTERS + local.hour * 4 + local.minute // 15

    def _kind_of(self, day: date) -> int:
        if self.business(day):
            return PAYDAY if self.payday(day) else BUSINESS
        return SATURDAY if day.weekday() == WEEKEND and day not in self._holidays else REST

    def _slot_of_quarter(self, quarter: int) -> int:
        return self.slot_of(datetime.fromtimestamp(0, UTC) + timedelta(minutes=15 * quarter))
