"""Exponentially weighted level and scale: what is usual is what has been of late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detectors.tail import believed, directed, judge, readings

if TYPE_CHECKING:
    from detectors import Bools, Floats, Scores

CLIP = 4.0
"""Scales beyond which a residual is a surprise, and believed only in part."""

YOUNG = 8
"""Readings before anything can be called a surprise."""


class Ewma:
    """Compare a reading with the recent level, in units of the recent one-step-ahead error.

    A surprise teaches as much as the last surprise was large, and no more than 4 scales where there was none: one
    freak reading changes next to nothing, while a shift of level or a rarely busy series is believed from the second
    reading on.

    direction: which side is unusual: "up", "down" or "both". alpha: weight of the newest reading in the level; the
    scale takes a quarter of it. warmup: readings before it speaks; while young both are plain averages. floor: the
    smallest scale believed, in the reading's unit.
    """

    def __init__(self, *, direction: str = "both", alpha: float = 0.1, warmup: int = 30, floor: float = 0.0) -> None:
        if not 0 < alpha <= 1:
            raise ValueError(f"alpha must be above 0 and at most 1, not {alpha}")
        if warmup < 2:  # noqa: PLR2004  one reading has no residual
            raise ValueError(f"warmup must be at least 2, not {warmup}")
        if floor < 0:
            raise ValueError(f"floor must not be negative, not {floor}")
        self._direction = directed(direction)
        self._alpha = alpha
        self._warmup = warmup
        self._floor = floor
        self._age = np.zeros(0)
        self._level = np.zeros(0)
        self._var = np.zeros(0)
        self._scale = np.zeros(0)
        self._surprise = np.zeros(0)  # the largest residual of late, fading as the scale does

    def grow(self, series: int) -> None:
        """Make room for `series` series in all."""
        more = np.zeros(series - len(self._age))
        self._age = np.append(self._age, more)
        self._level = np.append(self._level, more)
        self._var = np.append(self._var, more)
        self._surprise = np.append(self._surprise, more)
        self._scale = believed(np.sqrt(self._var), self._level, self._floor)

    def forecast(self) -> tuple[Floats, Floats]:
        """Level and scale a series, whether or not it has warmed."""
        return self._level, self._scale

    def warm(self) -> Bools:
        """Which series have learned enough to speak."""
        return self._age >= self._warmup

    def score(self, x: Floats, slot: int) -> Scores:  # noqa: ARG002  the clock means nothing to this kind
        """Score one reading a series; NaN where it is warming or missing. Changes nothing."""
        level = np.where(self.warm(), self._level, np.nan)
        return judge(readings(x), level, self._scale, self._direction)

    def learn(self, x: Floats, slot: int, mask: Bools) -> None:  # noqa: ARG002  as above
        """Learn the readings where `mask` is true and the reading is finite."""
        x = readings(x)
        self.follow(x, mask & ~np.isnan(x))

    def follow(self, x: Floats, take: Bools) -> None:
        """Learn where `take` is true, which it may only be where x is a number within bounds."""
        first = take & (self._age == 0)
        if first.any():
            self._level = np.where(first, x, self._level)
        self._age = self._age + take
        e = np.where(take, x - self._level, 0.0)
        size = np.abs(e)
        limit = np.maximum(CLIP * self._scale, np.minimum(size, self._surprise))
        limit[self._age < YOUNG] = np.inf
        e = np.minimum(np.maximum(e, -limit), limit)
        slow, age = self._alpha / 4, np.maximum(self._age, 2)
        self._level = self._level + np.maximum(self._alpha, 1 / age) * e
        self._var = self._var + take * np.maximum(slow, 1 / (age - 1)) * (e * e - self._var)
        self._surprise = np.where(take, np.maximum(size, self._surprise * (1 - slow)), self._surprise)
        self._scale = believed(np.sqrt(self._var), self._level, self._floor)
