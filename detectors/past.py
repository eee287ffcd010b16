"""How rare a figure is among those that came before it: the common scale of figures that have nothing else in common."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from math import exp, log, log10

import numpy as np

from detectors.state import Arrays

ENOUGH = 100
"""Figures before a rank says anything."""

PAST = 10_000
"""Figures remembered: a week of minutes."""

DEEPEST = 300.0
"""Largest tail told: beyond it the probability is no longer a float."""

FURTHEST = 20.0
"""Multiples of the way from the median to the 99th percentile beyond which figures are no longer told apart."""


class Past:
    """The figures of late, in order of size."""

    def __init__(self) -> None:
        self._came = array("d")
        self._next = 0
        self._ranked = array("d")

    def __len__(self) -> int:
        return len(self._ranked)

    def warm(self) -> bool:
        """Whether there are enough to compare with."""
        return len(self._ranked) >= ENOUGH

    def learn(self, figure: float) -> None:
        """Remember it; the oldest goes once there are more than `PAST`."""
        if len(self._came) < PAST:
            self._came.append(figure)
        else:
            del self._ranked[bisect_left(self._ranked, self._came[self._next])]
            self._came[self._next] = figure
            self._next = (self._next + 1) % PAST
        insort(self._ranked, figure)

    def arrays(self) -> Arrays:
        """The figures in the order of their places, and the place of the next."""
        return {"next": np.array([self._next]), "came": np.array(self._came, np.float64)}

    def put(self, arrays: Arrays) -> None:
        """Remember these instead."""
        self._next = int(arrays["next"][0])
        self._came = array("d", arrays["came"].tobytes())
        self._ranked = array("d", sorted(self._came))

    def rarity(self, figure: float) -> float:
        """-log10 of the share of past figures at least as large."""
        n = len(self._ranked)
        return -log10((n - bisect_left(self._ranked, figure) + 1) / (n + 2))

    def excess(self, figure: float) -> float:
        """How far it lies above the median, in log of the way from there to the 99th percentile: tells apart what ranks cannot.

        0 up to the median, 0.8 at the 99th percentile, at most 3.7.
        """
        n = len(self._ranked)
        median, high = self._ranked[n // 2], self._ranked[int(0.99 * n)]
        if figure <= median:
            return 0.0
        way = (figure - median) / (high - median) if high > median else FURTHEST
        return 1.2 * log(1 + min(way, FURTHEST))

    def tail(self, figure: float) -> float:
        """-log10 of the chance of one at least as large: by rank, and exponential beyond the highest hundredth."""
        n = len(self._ranked)
        count = max(n // 100, 1)
        high = self._ranked[n - count]
        rank = self.rarity(figure)
        if figure <= high:
            return rank
        beyond = sum(self._ranked[n - count :]) / count - high
        mean = max(beyond, 1e-3 * abs(high), 1e-12)
        return min(max(rank, log10(n / count) + (figure - high) / mean * log10(exp(1))), DEEPEST)
