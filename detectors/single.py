"""One series by itself: the formulas of the banks in plain numbers, a few µs a reading.

Each class is what a bank's `one()` gives, and scores as the bank does; what the formulas mean is said there. Its state is that of a
bank of one series, and goes from one shape to the other.
"""

from __future__ import annotations

from array import array
from math import isfinite, isnan, nan, sqrt

import numpy as np

from detectors import SLOTS, Score, like
from detectors.chances import Chances, Level, believed
from detectors.ewma import CLIP, Ewma
from detectors.seasonal import LARGEST as WIDEST
from detectors.seasonal import MEMORY, Seasonal
from detectors.state import State, alone
from detectors.tail import LARGEST


class OneEwma:
    """An `Ewma` of one series. bank: one without series, whose options it takes."""

    __slots__ = ("_alpha", "_chances", "_direction", "_floor", "_level", "_warmup")

    def __init__(self, bank: Ewma) -> None:
        self._direction, recent = bank.direction, bank.recent
        self._alpha, self._warmup, self._floor = recent.alpha, recent.warmup, recent.floor
        self._level = Level(recent.floor)
        self._chances = Chances()

    def score_one(self, x: float, slot: int = 0) -> Score | None:  # noqa: ARG002  the clock means nothing to this kind
        """None while warming or where x is not a finite number."""
        level = self._level
        if level.age < self._warmup or not isfinite(x):
            return None
        x = min(max(float(x), -LARGEST), LARGEST)
        return self._chances.judge(x, level.level, level.scale, self._direction)

    def learn_one(self, x: float, slot: int = 0, *, take: bool = True) -> None:  # noqa: ARG002  as above
        """Take the reading in as normal."""
        if not take or not isfinite(x):
            return
        x = min(max(float(x), -LARGEST), LARGEST)
        level = self._level
        if level.age >= self._warmup:
            self._chances.learn(x, level.level, level.scale)
        level.follow(x, self._alpha, self._floor)

    def _new(self) -> Ewma:
        return Ewma(direction=self._direction, alpha=self._alpha, warmup=self._warmup, floor=self._floor)

    def state(self) -> State:
        """What it has learned, as that of a bank of one series."""
        bank = self._new()
        self._level.into(bank.recent)
        self._chances.into(bank.calibration)
        return bank.state()

    def take(self, state: State) -> None:
        """Go on from there. StateError: it is not one of this kind and version."""
        bank = alone(self._new(), state)
        self._level.out_of(bank.recent)
        self._chances.out_of(bank.calibration)


class OneSeasonal:
    """A `Seasonal` of one series. bank: one without series, whose options it takes."""

    __slots__ = (
        *("_alpha", "_days", "_direction", "_floor", "_rate", "_warmup"),
        *("_anchor", "_chances", "_due", "_level", "_mean", "_off", "_pass_withheld", "_passed"),
        *("_slot", "_tally", "_var", "_withheld"),
    )

    def __init__(self, bank: Seasonal) -> None:
        self._direction, self._rate, self._days, recent = bank.direction, bank.rate, bank.days, bank.recent
        self._alpha, self._warmup, self._floor = recent.alpha, recent.warmup, recent.floor
        self._level = Level(recent.floor)
        self._chances = Chances()
        self._anchor, self._off, self._slot = nan, 0.0, 0
        self._passed, self._withheld = bytearray(SLOTS), bytearray(SLOTS)
        self._mean, self._var = array("f", bytes(4 * SLOTS)), array("f", bytes(4 * SLOTS))
        self._tally = (0.0, 0.0, 0.0)
        self._pass_withheld = False
        self._due: tuple[int, float, float, bool] | None = None  # the last forecast, while it holds

    def score_one(self, x: float, slot: int = 0) -> Score | None:
        """None while warming or where x is not a finite number."""
        if self._level.age < self._warmup or not isfinite(x):
            return None
        x = min(max(float(x), -WIDEST), WIDEST)
        _, expected, scale, _ = self._forecast(slot)
        return self._chances.judge(x, self._anchor + expected, scale, self._direction)

    def learn_one(self, x: float, slot: int = 0, *, take: bool = True) -> None:
        """Take the reading in as normal; one that is withheld may still be the season, see `Seasonal`."""
        if slot != self._slot:
            self._end_pass()
            self._slot = slot
        if not isfinite(x):
            return
        x = min(max(float(x), -WIDEST), WIDEST)
        if isnan(self._anchor):
            if not take:
                return
            self._anchor = x
        x -= self._anchor
        if not take:
            self._pass_withheld = True
            new = self._passed[slot] == 0 and self._passed[like(slot)] < self._days
            if not (new or self._withheld[slot]):
                return
        _, expected, scale, believed = self._forecast(slot)
        e = x - expected
        limit = CLIP * scale
        clipped = min(max(e, -limit), limit)
        n, total, squares = self._tally
        self._tally = (n + 1.0, total + x, squares + clipped * clipped)
        if take:
            level = self._level
            if level.age >= self._warmup:
                self._chances.learn(x, expected, scale)
            if believed:
                self._off += self._rate * clipped
            level.follow(x, self._alpha, self._floor)
            self._due = None

    def _forecast(self, slot: int) -> tuple[int, float, float, bool]:
        """Slot, what is due relative to the anchor, its scale, and whether that is the profile's word."""
        if self._due is not None and self._due[0] == slot:
            return self._due
        level, days = self._level, self._days
        expected, scale = level.level, level.scale
        passed, kin = float(self._passed[slot]), like(slot)
        more = min(self._passed[kin], days - passed) if passed < days else 0
        known = passed + more >= days
        if known:
            mean, var = self._mean[slot], self._var[slot]
            if more:
                share = more / (passed + more)
                apart = self._mean[kin] - mean
                mean, var = (
                    mean + share * apart,
                    var + share * (self._var[kin] - var) + share * (1.0 - share) * apart * apart,
                )
            weight = min(passed + more, MEMORY)
            expected = mean + self._off
            scale = believed(sqrt((weight * var + scale * scale) / (weight + 1.0)), expected, self._floor)
        self._due = found = (slot, expected, scale, known)
        return found

    def _end_pass(self) -> None:
        """Take the pass under way into its slot's profile."""
        slot, (n, total, squares) = self._slot, self._tally
        if n:
            passed = self._passed[slot] = min(self._passed[slot] + 1, MEMORY)
            weight = 1 / passed / n
            self._mean[slot] += weight * (total - n * self._mean[slot])
            self._var[slot] += weight * (squares - n * self._var[slot])
            self._tally = (0.0, 0.0, 0.0)
        self._withheld[slot] = self._pass_withheld
        self._pass_withheld = False
        self._due = None

    def _new(self) -> Seasonal:
        return Seasonal(
            direction=self._direction,
            rate=self._rate,
            days=self._days,
            alpha=self._alpha,
            warmup=self._warmup,
            floor=self._floor,
        )

    def state(self) -> State:
        """What it has learned, as that of a bank of one series."""
        bank = self._new()
        self._level.into(bank.recent)
        self._chances.into(bank.calibration)
        bank.anchor, bank.off, bank.slot = np.array([self._anchor]), np.array([self._off]), self._slot
        bank.passed = np.frombuffer(self._passed, np.uint8)[:, None]
        bank.withheld = np.frombuffer(self._withheld, np.bool_)[:, None]
        bank.mean, bank.var = np.array(self._mean)[:, None], np.array(self._var)[:, None]
        bank.tally, bank.pass_withheld = np.array(self._tally)[:, None], np.array([self._pass_withheld])
        return bank.state()

    def take(self, state: State) -> None:
        """Go on from there. StateError: it is not one of this kind and version."""
        bank = alone(self._new(), state)
        self._level.out_of(bank.recent)
        self._chances.out_of(bank.calibration)
        self._anchor, self._off, self._slot = float(bank.anchor[0]), float(bank.off[0]), bank.slot
        self._passed, self._withheld = bytearray(bank.passed.tobytes()), bytearray(bank.withheld.tobytes())
        self._mean, self._var = array("f", bank.mean[:, 0]), array("f", bank.var[:, 0])
        n, total, squares = bank.tally[:, 0].tolist()
        self._tally, self._pass_withheld, self._due = (n, total, squares), bool(bank.pass_withheld[0]), None
