"""What clients usually send, by quarters of an hour, of whole days that are read once: for whom an incident may still hit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from alerts.exposure import Habit
from alerts.ground import UNIT, Base
from monitor import grounds
from monitor.calendar import Calendar
from monitor.grounds import DAY, DAYS, Past
from rules import Ints, Scope

if TYPE_CHECKING:
    import pyarrow as pa

Counts = tuple[Ints, Ints, Ints]


class Habits:
    """days: what was read of whole days (quarter, unit, number), dropped by whoever learns more of them; units by number, for good."""

    def __init__(
        self,
        past: Past,
        days: dict[int, Counts],
        calendar: Calendar,
    ) -> None:
        self._past, self._days, self._calendar = past, days, calendar
        self._units: dict[tuple[str, ...], int] = {}

    def before(self, reach: Scope, start: int, base: Base) -> Habit:
        """What the units of the base usually send, from the days before an incident that began at minute `start`."""
        today = start // DAY
        for day in range(today - DAYS, today):
            if day not in self._days:
                self._days[day] = self._read(Scope(), day * DAY, (day + 1) * DAY)
        parts = [*(self._days[day] for day in range(today - DAYS, today)), self._read(reach, today * DAY, start)]
        quarter, unit, n = (np.concatenate(column) for column in zip(*parts, strict=True))
        place = np.full(len(self._units), -1)
        for number, name in enumerate(base.listed.units):
            if name in self._units:
                place[self._units[name]] = number
        mine = place[unit] >= 0
        since = int(quarter[mine].min()) * 15 if mine.any() else grounds.since(start)
        return Habit.of(base, (quarter[mine], place[unit[mine]], n[mine]), since, start, self._calendar)

    def _read(self, scope: Scope, start: int, end: int) -> Counts:
        table = self._past.quarters(scope, start, end)
        return table["q"].to_numpy(), self._numbered(table), table["n"].to_numpy()

    def _numbered(self, table: pa.Table) -> Ints:
        columns = [table[name].combine_chunks().dictionary_encode() for name in UNIT]
        key = np.zeros(table.num_rows, np.int64)
        for column in columns:
            key = key * max(len(column.dictionary), 1) + column.indices.to_numpy()
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        words = zip(*(column.take(first).to_pylist() for column in columns), strict=True)
        at = np.array([self._units.setdefault(name, len(self._units)) for name in words], np.int64)
        found: Ints = at[inverse]
        return found
