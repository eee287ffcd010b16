"""Exponentially weighted level and scale: what is usual is what has been of late."""

from __future__ import annotations

import numpy as np

from detectors import Bools, Detector, Floats, Scores
from detectors.calibration import Calibration, residuals
from detectors.state import State, given, taken
from detectors.tail import believed, directed, readings

CLIP = 4.0
"""Scales beyond which a residual is a surprise, and believed only in part."""

YOUNG = 8
"""Readings before anything can be called a surprise."""


RECENT = ("age", "level", "var", "scale", "surprise")


class Recent:
    """The level and scale of many series; options as for `Ewma`."""

    def __init__(self, *, alpha: float = 0.1, warmup: int = 30, floor: float = 0.0) -> None:
        if not 0 < alpha <= 1:
            raise ValueError(f"alpha must be above 0 and at most 1, not {alpha}")
        if warmup < 2:  # noqa: PLR2004  one reading has no residual
            raise ValueError(f"warmup must be at least 2, not {warmup}")
        if floor < 0:
            raise ValueError(f"floor must not be negative, not {floor}")
        self.alpha, self.warmup, self.floor = alpha, warmup, floor
        self.age, self.level, self.var, self.scale = np.zeros((4, 0))
        self.surprise = np.zeros(0)  # the largest residual of late, fading as the scale does

    def grow(self, series: int) -> None:
        """Make room for `series` series in all."""
        more = np.zeros(series - len(self.age))
        self.age, self.level = np.append(self.age, more), np.append(self.level, more)
        self.var, self.surprise = np.append(self.var, more), np.append(self.surprise, more)
        self.scale = believed(np.sqrt(self.var), self.level, self.floor)

    def warm(self) -> Bools:
        """Which series have learned enough to speak."""
        found: Bools = self.age >= self.warmup
        return found

    def follow(self, x: Floats, take: Bools) -> None:
        """Learn where `take` is true, which it may only be where x is a number within bounds."""
        first = take & (self.age == 0)
        if np.count_nonzero(first):
            self.level = np.where(first, x, self.level)
        self.age = self.age + take
        e = np.where(take, x - self.level, 0.0)
        size = np.abs(e)
        limit = np.maximum(CLIP * self.scale, np.minimum(size, self.surprise))
        if np.count_nonzero(young := self.age < YOUNG):
            limit[young] = np.inf
        e = np.minimum(np.maximum(e, -limit), limit)
        slow, age = self.alpha / 4, np.maximum(self.age, 2)
        self.level = self.level + np.maximum(self.alpha, 1 / age) * e
        self.var = self.var + take * np.maximum(slow, 1 / (age - 1)) * (e * e - self.var)
        self.surprise = np.where(take, np.maximum(size, self.surprise * (1 - slow)), self.surprise)
        self.scale = believed(np.sqrt(self.var), self.level, self.floor)


class Ewma:
    """Compare a reading with the recent level, in units of the recent one-step-ahead error.

    A surprise teaches as much as the last surprise was large, and no more than 4 scales where there was none: one
    freak reading changes next to nothing, while a shift of level or a rarely busy series is believed from the second
    reading on.

    direction: which side is unusual: "up", "down" or "both". alpha: weight of the newest reading in the level; the
    scale takes a quarter of it. warmup: readings before it speaks; while young both are plain averages. floor: the
    smallest scale believed, in the reading's unit.
    """

    NAMES = (*(f"recent.{name}" for name in RECENT), *(f"calibration.{name}" for name in Calibration.NAMES))
    """What its state is made of."""

    def __init__(self, *, direction: str = "both", alpha: float = 0.1, warmup: int = 30, floor: float = 0.0) -> None:
        self.direction = directed(direction)
        self.recent = Recent(alpha=alpha, warmup=warmup, floor=floor)
        self.calibration = Calibration()

    def one(self) -> Detector:
        """A detector of one series with the options of this bank."""
        from detectors.single import OneEwma  # noqa: PLC0415  it is made of this

        return OneEwma(self)

    def grow(self, series: int) -> None:
        """Make room for `series` series in all."""
        self.recent.grow(series)
        self.calibration.grow(series)

    def score(self, x: Floats, slot: int) -> Scores:  # noqa: ARG002  the clock means nothing to this kind
        """Score one reading a series; NaN where it is warming or missing. Changes nothing."""
        level = np.where(self.recent.warm(), self.recent.level, np.nan)
        return self.calibration.judge(readings(x), level, self.recent.scale, self.direction)

    def learn(self, x: Floats, slot: int, mask: Bools) -> None:  # noqa: ARG002  as above
        """Learn the readings where `mask` is true and the reading is finite."""
        x = readings(x)
        take = mask & ~np.isnan(x)
        known = take & self.recent.warm()
        self.calibration.learn(residuals(x, self.recent.level, self.recent.scale, known), known)
        self.recent.follow(x, take)

    def state(self) -> State:
        """What it has learned."""
        return given("ewma", self, self.NAMES)

    def take(self, state: State) -> None:
        """Go on from there. StateError: it is not one of this kind and version."""
        taken(state, "ewma", self, self.NAMES, many=True)
