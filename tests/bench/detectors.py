"""A step (score and learn) of each detector kind: how long, and how much a series weighs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from time import perf_counter

import numpy as np

from detectors import Bank, kinds, make
from tests.bench import Figure

SERIES = (1, 30, 1_000, 100_000)
PATIENCE = 0.02
"""Seconds a step; a kind that takes longer is not asked for the next size: it is meant for few series."""
TRAINED, TIMED = 60, 30


def _steps(bank: Bank, readings: np.ndarray, first: int) -> None:
    everyone = np.ones(readings.shape[1], bool)
    for t, x in enumerate(readings):
        bank.score(x, (first + t) // 15 % 96)
        bank.learn(x, (first + t) // 15 % 96, everyone)


def figures() -> Iterator[Figure]:
    """µs a step at each number of series, and KiB a series at the largest."""
    rng = np.random.default_rng(7)
    for kind in kinds():
        weight = 0.0
        for series in SERIES:
            few = series > 1_000  # a step of so many is timed a few times only
            trained, timed = (TRAINED // 6, TIMED // 6) if few else (TRAINED, TIMED)
            readings = rng.poisson(40, (trained + timed, series)).astype(float)
            tracemalloc.start()
            bank = make(kind)
            bank.grow(series)
            _steps(bank, readings[:2], 0)
            weight = tracemalloc.get_traced_memory()[0] / 1024 / series
            tracemalloc.stop()
            _steps(bank, readings[2 : trained // 2], 2)
            began = perf_counter()
            _steps(bank, readings[trained // 2 : trained], trained // 2)
            each = (perf_counter() - began) / (trained - trained // 2)
            began = perf_counter()
            _steps(bank, readings[trained:], trained)
            taken = (perf_counter() - began) / timed * 1e6
            yield Figure(f"{kind}, {series:,} series", taken, "µs/step", f"{taken / series:.3g} µs a series")
            if each > PATIENCE:
                break
        yield Figure(f"{kind}, state", weight, "KiB/series", f"at {series:,} series")
