"""A step (score and learn, calibration and bands included) of each detector kind: how long, and how much a series weighs.

Banks at four sizes, and one series in the shape that is made for it. A step is shown at its usual and at its worst: once in a while
all series that began together are looked at together. What is resident is that of a process of its own.
"""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from time import perf_counter

import numpy as np

from detectors import QUARTERS, Bank, kinds, make, one
from tests.bench import Figure
from tests.bench.start import peak_mib

SERIES = (1, 30, 1_000, 100_000)
PATIENCE = 0.02
"""Seconds a step; a kind that takes longer is not asked for the next size: it is meant for few series."""
ROOM = 4 << 20
"""KiB; nor is a kind asked for as many as would not lie in it."""
TRAINED, TIMED = 60, 70
ALONE = 20_000
"""Readings of one series by itself, timed by the thousand."""
QUARTER = 15


def _steps(bank: Bank, readings: np.ndarray, first: int) -> list[float]:
    """Seconds of each step."""
    everyone = np.ones(readings.shape[1], bool)
    marks = [perf_counter()]
    for t, row in enumerate(readings):
        x = row.astype(float)
        bank.score(x, (first + t) // QUARTER % QUARTERS)
        bank.learn(x, (first + t) // QUARTER % QUARTERS, everyone)
        marks.append(perf_counter())
    return [b - a for a, b in pairwise(marks)]


def peak(kind: str, series: int) -> float:
    """The most MiB that a process had which made such a bank and stepped it through five hours; asked in a process of its own."""
    bank = make(kind)
    bank.grow(series)
    rng = np.random.default_rng(9)
    for t in range(0, 300, 5):
        _steps(bank, rng.poisson(40, (1, series)).astype(float), t)
    return peak_mib(os.getpid())


def _alone(kind: str) -> Iterator[Figure]:
    """µs a reading of one series, and KiB of what it has learned."""
    readings = np.random.default_rng(8).poisson(40, ALONE).astype(float).tolist()
    detector, best = one(kind), np.inf
    began = perf_counter()
    for t, x in enumerate(readings):
        slot = t // QUARTER % QUARTERS
        detector.score_one(x, slot)
        detector.learn_one(x, slot)
        if t % 1000 == 999:
            best = min(best, perf_counter() - began)
            if t > 1000 and best > 1:
                break
            began = perf_counter()
    yield Figure(f"{kind}, one series by itself", best * 1e3, "µs/reading", "to reach: 10; best thousand")
    tracemalloc.start()
    detector = one(kind)
    for t, x in enumerate(readings[:2000]):
        detector.learn_one(x, t // QUARTER % QUARTERS)
    weight = tracemalloc.get_traced_memory()[0] / 1024
    tracemalloc.stop()
    yield Figure(f"{kind}, one series by itself", weight, "KiB", "to reach: 8")


def _bank(kind: str) -> Iterator[Figure]:
    """µs a step at each number of series, and KiB a series at the largest."""
    rng = np.random.default_rng(7)
    weight = 0.0
    for series in SERIES:
        if weight * series > ROOM:
            break
        readings = rng.poisson(40, (TRAINED + TIMED, series)).astype(
            np.float32
        )  # half the weight of what is no part of the bank
        tracemalloc.start()
        bank = make(kind)
        bank.grow(series)
        _steps(bank, readings[:2], 0)
        weight = tracemalloc.get_traced_memory()[0] / 1024 / series
        tracemalloc.stop()
        each = float(np.median(_steps(bank, readings[2:8], 2)))
        if each > PATIENCE * 2:
            break
        taken = _steps(bank, readings[8:], 8)
        usual, worst = (figure * 1e6 for figure in (float(np.median(taken)), max(taken)))
        yield Figure(
            f"{kind}, {series:,} series", usual, "µs/step", f"worst {worst:,.0f}; {usual / series:.3g} µs a series"
        )
        if series == SERIES[-1]:
            yield Figure(f"{kind}, {series:,} series, worst step", worst, "µs/step", "to reach: 50,000")
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                most = pool.submit(peak, kind, series).result()
            yield Figure(
                f"{kind}, {series:,} series, resident", most, "MiB", "to reach: 1,000; the interpreter included"
            )
        if each > PATIENCE:
            break
    yield Figure(f"{kind}, state in a bank", weight, "KiB/series", f"at {series:,} series")


def figures() -> Iterator[Figure]:
    """The banks of every kind, then one series of each."""
    for kind in kinds():
        yield from _bank(kind)
        yield from _alone(kind)
