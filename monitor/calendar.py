"""The bank's calendar: local time, business days, and the clock slots that detectors are given."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import numpy as np

from rules import Ints

QUARTERS = 96
SATURDAY = 5


class Calendar:
    """One calendar for detectors, rules, promises and silences; `country` gives its public holidays (ISO code)."""

    def __init__(self, timezone: str, *, country: str = "CO") -> None:
        self.zone = ZoneInfo(timezone)
        self._holidays = holidays.country_holidays(country)
        self._day = lru_cache(maxsize=8192)(self._day_of_quarter)
        self._quarter = lru_cache(maxsize=8192)(self._slot_of_quarter)

    def business(self, day: date) -> bool:
        """Whether it is a business day."""
        return day.weekday() < SATURDAY and day not in self._holidays

    def slots(self, start: int, end: int) -> Ints:
        """The clock slot of each minute of [start, end), in minutes since the epoch: quarter of the local day, +96 on other days.

        Zones differ from UTC by whole quarters of an hour, so a quarter has one slot, also where the clocks change.
        """
        first, last = start // 15, (end - 1) // 15
        found = np.array([self._quarter(quarter) for quarter in range(first, last + 1)], dtype=np.int64)
        return np.repeat(found, 15)[start - first * 15 :][: end - start]

    def days(self, start: int, end: int) -> Ints:
        """The kind of day of each minute of [start, end): 0 a business day, 1 a Saturday, 2 a Sunday or holiday."""
        first, last = start // 15, (end - 1) // 15
        found = np.array([self._day(quarter) for quarter in range(first, last + 1)], dtype=np.int64)
        return np.repeat(found, 15)[start - first * 15 :][: end - start]

    def _day_of_quarter(self, quarter: int) -> int:
        day = (datetime.fromtimestamp(0, UTC) + timedelta(minutes=15 * quarter)).astimezone(self.zone).date()
        if self.business(day):
            return 0
        return 1 if day.weekday() == SATURDAY and day not in self._holidays else 2

    def slot_of(self, time: datetime) -> int:
        """The clock slot of a moment."""
        local = time.astimezone(self.zone)
        return local.hour * 4 + local.minute // 15 + (0 if self.business(local.date()) else QUARTERS)

    def _slot_of_quarter(self, quarter: int) -> int:
        return self.slot_of(datetime.fromtimestamp(0, UTC) + timedelta(minutes=15 * quarter))
