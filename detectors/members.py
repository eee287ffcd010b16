"""What an ensemble looks at beside discords: the range, the time of day, the spread.

Each gives a figure that is large where its view is unusual, and that can be compared with its own past only.
"""

from __future__ import annotations

from math import log, nan

import numpy as np

from detectors import QUARTERS, Floats
from detectors.state import Arrays

UNHEARD = 1e6
"""The figure of a change where there has never been one."""

FEW = 60
"""Readings before a spread is one."""


class Range:
    """How far beyond everything seen before, and 5 % of the way again, in parts of the range seen."""

    def __init__(self) -> None:
        self._low, self._high = np.inf, -np.inf

    def figure(self, x: float) -> float:
        """0 within the range; NaN before the first reading."""
        if self._low > self._high:
            return nan
        width = self._high - self._low
        beyond = max(x - self._high, self._low - x) - 0.05 * width
        if beyond <= 0:
            return 0.0
        return beyond / width if width > 0 else UNHEARD

    def learn(self, x: float) -> None:
        """Widen the range."""
        self._low, self._high = min(self._low, x), max(self._high, x)

    def arrays(self) -> Arrays:
        """The range."""
        return {"range": np.array([self._low, self._high])}

    def put(self, arrays: Arrays) -> None:
        """The same back in its place."""
        self._low, self._high = arrays["range"].tolist()


class Season:
    """How far the smoothed reading is from the profile of its quarter of an hour, moved by how far off it has lately been.

    In units of the error usual at this time of day and at any, in equal parts. What a clock slot says of the kind of day is left
    out: weekends alone are learned too slowly.
    """

    SMOOTH, RATE, LATELY, EVER = 0.2, 0.05, 0.02, 0.01

    def __init__(self) -> None:
        self._smooth = nan
        self._profile, self._usual = np.full((2, QUARTERS), np.nan)
        self._off = 0.0
        self._ever = nan

    def figure(self, x: float, slot: int) -> float:
        """NaN where the quarter has not been seen, or no error has."""
        _, error = self._error(x, slot)
        usual = self._usual.item(slot % QUARTERS)
        scale = (self._ever + (usual if usual == usual else self._ever)) / 2  # noqa: PLR0124  a quick test for NaN
        return error / scale if scale != 0 else UNHEARD * (error > 0)

    def learn(self, x: float, slot: int) -> None:
        """Move the profile, the errors and the distance from the profile."""
        smooth, error = self._error(x, slot)
        self._smooth, at = smooth, slot % QUARTERS
        due, usual = self._profile.item(at), self._usual.item(at)
        if due != due:  # noqa: PLR0124  NaN
            self._profile[at] = smooth - self._off
            return
        self._off += self.LATELY * (smooth - due - self._off)
        self._profile[at] += self.RATE * (smooth - due)
        self._usual[at] = usual + self.RATE * (error - usual) if usual == usual else error  # noqa: PLR0124
        self._ever = self._ever + self.EVER * (error - self._ever) if self._ever == self._ever else error

    def arrays(self) -> Arrays:
        """Profile and usual errors by quarter; what is of no quarter."""
        numbers = np.array([self._smooth, self._off, self._ever])
        return {"profile": self._profile, "usual": self._usual, "numbers": numbers}

    def put(self, arrays: Arrays) -> None:
        """These instead."""
        self._profile, self._usual = arrays["profile"], arrays["usual"]
        self._smooth, self._off, self._ever = arrays["numbers"].tolist()

    def _error(self, x: float, slot: int) -> tuple[float, float]:
        smooth = self._smooth + self.SMOOTH * (x - self._smooth) if self._smooth == self._smooth else x
        return smooth, abs(smooth - self._profile.item(slot % QUARTERS) - self._off)


class Spread:
    """How much wider or narrower the last 30 readings scatter than the last 1000: the log of the ratio, without its sign."""

    SHORT, LONG = 30, 1000

    def __init__(self) -> None:
        self._last = np.zeros(2 * self.LONG)
        self._count = 0
        self._end = 0

    def figure(self, x: float) -> float:
        """NaN before there are 60 readings."""
        if self._count < FEW:
            return nan
        first = max(self._end - self.LONG + 1, 0)
        readings = np.append(self._last[first : self._end], x)
        long = _deviation(readings)
        return abs(log(max(_deviation(readings[-self.SHORT :]) / long, UNHEARD**-1))) if long > 0 else 0.0

    def learn(self, x: float) -> None:
        """The reading becomes the last."""
        if self._end == len(self._last):
            self._last[: self.LONG] = self._last[self.LONG :]
            self._end = self.LONG
        self._last[self._end] = x
        self._end += 1
        self._count += 1

    def arrays(self) -> Arrays:
        """The last readings and where they end; how many there have been."""
        return {"last": self._last, "numbers": np.array([self._count, self._end])}

    def put(self, arrays: Arrays) -> None:
        """These instead."""
        self._last = arrays["last"]
        self._count, self._end = arrays["numbers"].tolist()


def _deviation(readings: Floats) -> float:
    """The standard deviation; 0 where it is nothing but rounding."""
    mean = readings.mean()
    off = readings - mean
    deviation = float(np.sqrt(off @ off / len(off)))
    return deviation if deviation > 1e-9 * abs(mean) else 0.0
