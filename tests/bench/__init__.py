"""What the product costs: rows, detectors, backtests, starting, committing. `python -m tests.bench [NAME ...]`.

What it finds takes longer to tell, and is asked for by itself: `python -m tests.bench month`, see `month`.

One file with a public function `figures` is one bench; its name is what the command line knows it by. Nothing is asserted: only
ratios between figures of one run on one machine mean something, so what a figure is to be compared with is measured beside it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pkgutil import iter_modules
from statistics import median
from time import perf_counter

OTHERS = ("__main__", "bank", "month", "nab_score")
"""Files here that are no benches."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table. beside: what to compare it with, measured in the same run or asked of the product."""

    what: str
    value: float
    unit: str
    beside: str = ""


def benches() -> dict[str, Callable[[], Iterator[Figure]]]:
    """Every bench, by its name; a file is opened only once its bench is run."""
    names = sorted(
        found.name for found in iter_modules(__path__) if found.name not in OTHERS and "test_" not in found.name
    )
    return {name: partial(_run, name) for name in names}


def _run(name: str) -> Iterator[Figure]:
    yield from import_module(f"{__name__}.{name}").figures()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def seconds(*turns: Callable[[], object], times: int = 5) -> list[list[float]]:
    """How long each of `turns` takes, `times` times in turn (a, b, a, b, ...), so that a busy machine slows all alike."""
    found: list[list[float]] = [[] for _ in turns]
    for _ in range(times):
        for turn, taken in zip(turns, found, strict=True):
            began = perf_counter()
            turn()
            taken.append(perf_counter() - began)
    return found


def ratio(ours: list[float], theirs: list[float]) -> float:
    """How many times as long: the median over the pairs of neighbours."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))
