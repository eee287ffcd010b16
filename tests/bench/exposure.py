"""Who may be hit next, of 100,000 clients around one failure: seconds, and the most memory that its arrays take at once.

They are of one product through two channels, with six quarters of an hour a day each over eight days.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np

from alerts.exposure import Habit
from alerts.ground import Base, Listed, Rows
from monitor.calendar import Calendar
from rules import Ints
from tests.bench import Figure

CLIENTS, DAYS, EACH = 100_000, 8, 6
START = 29_500_000 // 1440 * 1440 + 600


def figures() -> Iterator[Figure]:
    """Timed first, then once more under `tracemalloc`, which slows what it counts."""
    listed, seen = _seen()
    none = np.zeros(0, np.int64)
    base = Base(listed, Rows(*[none] * 6))
    since, calendar = int(seen[0].min()) * 15, Calendar("America/Bogota")

    def made() -> Habit:
        return Habit.of(base, seen, since, START, calendar)

    made()  # what is made once of a calendar and of the lists
    habit, took = _timed(made)
    yield Figure("their habits, from the days before", took, "s", "once an incident")
    _, took = _timed(lambda: habit.due(START + 5))
    yield Figure("what is due from them", took, "s", "every six minutes")
    _, took = _timed(lambda: habit.next_use(np.arange(CLIENTS), START + 5))
    yield Figure("when each comes next", took, "s", "once, then those who came")
    del habit
    tracemalloc.start()
    habit = made()
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    habit.next_use(np.arange(CLIENTS), START + 5)
    again = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    yield Figure("memory at the most", max(peak, again) / 2**20, "MiB")
    yield Figure("  kept while the incident is open", held / 2**20, "MiB")


def _seen() -> tuple[Listed, tuple[Ints, Ints, Ints]]:
    rng = np.random.default_rng(7)
    many = CLIENTS * EACH * DAYS
    units = tuple((str(900_000_000 + n), "pagos", ("web", "h2h")[n % 2]) for n in range(CLIENTS))
    unit, quarter = rng.integers(0, CLIENTS, many), START // 15 - 1 - rng.integers(0, 96 * DAYS, many)
    return Listed(units, (("",),)), (quarter, unit, rng.integers(1, 4, many))


def _timed(turn: Callable[[], Any]) -> tuple[Any, float]:
    began = perf_counter()
    return turn(), perf_counter() - began
