"""One series by itself: the formulas of the banks in plain numbers, a few µs a reading.

Each class is what a bank's `one()` gives, and scores as the bank does; what the formulas mean is said there. Its state is that of a
bank of one series, and goes from one shape to the other.
"""

from __future__ import annotations

from array import array
from copy import deepcopy
from math import isfinite, isnan, nan, sqrt

import numpy as np

from detectors import SLOTS, Score, like
from detectors.chances import Chances
from detectors.ewma import CLIP, RECENT, YOUNG, Ewma, Recent
from detectors.seasonal import LARGEST as WIDEST
from detectors.seasonal import MEMORY, Seasonal
from detectors.state import State, alone
from detectors.tail import LARGEST, SLIGHT


def _believed(scale: float, level: float, floor: float) -> float:
    return max(scale, floor, abs(level) * SLIGHT + 1e-12)


class Level:
    """`Recent` of one series."""

    __slots__ = ("age", "level", "scale", "surprise", "var")

    def __init__(self, floor: float) -> None:
        self.age, self.level, self.var, self.surprise = 0.0, 0.0, 0.0, 0.0
        self.scale = _believed(0.0, 0.0, floor)

    def into(self, bank: Recent) -> None:
        """Make it the only series of a bank."""
        for name in RECENT:
            setattr(bank, name, np.array([getattr(self, name)]))

    def out_of(self, bank: Recent) -> None:
        """Become the only series of a bank."""
        for name in RECENT:
            setattr(self, name, float(getattr(bank, name)[0]))

    def follow(self, x: float, alpha: float, floor: float) -> None:
        """Learn a number within bounds."""
        age = self.age
        if age == 0:
            self.level = x
        self.age = age = age + 1
        e = x - self.level
        size = abs(e)
        if age >= YOUNG:
            limit = max(CLIP * self.scale, min(size, self.surprise))
            e = min(max(e, -limit), limit)
        slow = alpha / 4
        age = max(age, 2)
        self.level = level = self.level + max(alpha, 1 / age) * e
        self.var = var = self.var + max(slow, 1 / (age - 1)) * (e * e - self.var)
        self.surprise = max(size, self.surprise * (1 - slow))
        self.scale = _believed(sqrt(var), level, floor)


class OneEwma:
    """An `Ewma` of one series. bank: one without series, whose options it has."""

    __slots__ = ("_bank", "_chances", "_level")

    def __init__(self, bank: Ewma) -> None:
        self._bank = bank
        self._level = Level(bank.recent.floor)
        self._chances = Chances()

    def score_one(self, x: float, slot: int = 0) -> Score | None:  # noqa: ARG002  the clock means nothing to this kind
        """None while warming or where x is not a finite number."""
        level, bank = self._level, self._bank
        if level.age < bank.recent.warmup or not isfinite(x):
            return None
        x = min(max(float(x), -LARGEST), LARGEST)
        return self._chances.judge(x, level.level, level.scale, bank.direction)

    def learn_one(self, x: float, slot: int = 0, *, take: bool = True) -> None:  # noqa: ARG002  as above
        """Take the reading in as normal."""
        if not take or not isfinite(x):
            return
        x = min(max(float(x), -LARGEST), LARGEST)
        level, recent = self._level, self._bank.recent
        if level.age >= recent.warmup:
            self._chances.learn(x, level.level, level.scale)
        level.follow(x, recent.alpha, recent.floor)

    def state(self) -> State:
        """What it has learned, as that of a bank of one series."""
        bank = deepcopy(self._bank)
        self._level.into(bank.recent)
        self._chances.into(bank.calibration)
        return bank.state()

    def take(self, state: State) -> None:
        """Go on from there. StateError: it is not one of this kind and version."""
        bank = alone(self._bank, state)
        self._level.out_of(bank.recent)
        self._chances.out_of(bank.calibration)


class OneSeasonal:
    """A `Seasonal` of one series. bank: one without series, whose options it has."""

    __slots__ = (
        *("_anchor", "_bank", "_chances", "_due", "_level", "_mean", "_off", "_pass_withheld", "_passed"),
        *("_slot", "_tally", "_var", "_withheld"),
    )

    def __init__(self, bank: Seasonal) -> None:
        self._bank = bank
        self._level = Level(bank.recent.floor)
        self._chances = Chances()
        self._anchor, self._off, self._slot = nan, 0.0, 0
        self._passed, self._withheld = bytearray(SLOTS), bytearray(SLOTS)
        self._mean, self._var = array("f", bytes(4 * SLOTS)), array("f", bytes(4 * SLOTS))
        self._tally = (0.0, 0.0, 0.0)
        self._pass_withheld = False
        self._due: tuple[int, float, float, bool] | None = None  # the last forecast, while it holds

    def score_one(self, x: float, slot: int = 0) -> Score | None:
        """None while warming or where x is not a finite number."""
        if self._level.age < self._bank.recent.warmup or not isfinite(x):
            return None
        x = min(max(float(x), -WIDEST), WIDEST)
        _, expected, scale, _ = self._forecast(slot)
        return self._chances.judge(x, self._anchor + expected, scale, self._bank.direction)

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
        bank = self._bank
        if not take:
            self._pass_withheld = True
            new = self._passed[slot] == 0 and self._passed[like(slot)] < bank.days
            if not (new or self._withheld[slot]):
                return
        _, expected, scale, believed = self._forecast(slot)
        e = x - expected
        limit = CLIP * scale
        clipped = min(max(e, -limit), limit)
        n, total, squares = self._tally
        self._tally = (n + 1.0, total + x, squares + clipped * clipped)
        if take:
            level, recent = self._level, bank.recent
            if level.age >= recent.warmup:
                self._chances.learn(x, expected, scale)
            if believed:
                self._off += bank.rate * clipped
            level.follow(x, recent.alpha, recent.floor)
            self._due = None

    def _forecast(self, slot: int) -> tuple[int, float, float, bool]:
        """Slot, what is due relative to the anchor, its scale, and whether that is the profile's word."""
        if self._due is not None and self._due[0] == slot:
            return self._due
        level, days = self._level, self._bank.days
        expected, scale = level.level, level.scale
        passed, kin = float(self._passed[slot]), like(slot)
        more = self._passed[kin] if passed < days else 0
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
            scale = _believed(sqrt((weight * var + scale * scale) / (weight + 1.0)), expected, self._bank.recent.floor)
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

    def state(self) -> State:
        """What it has learned, as that of a bank of one series."""
        bank = deepcopy(self._bank)
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
        bank = alone(self._bank, state)
        self._level.out_of(bank.recent)
        self._chances.out_of(bank.calibration)
        self._anchor, self._off, self._slot = float(bank.anchor[0]), float(bank.off[0]), bank.slot
        self._passed, self._withheld = bytearray(bank.passed.tobytes()), bytearray(bank.withheld.tobytes())
        self._mean, self._var = array("f", bank.mean[:, 0]), array("f", bank.var[:, 0])
        n, total, squares = bank.tally[:, 0].tolist()
        self._tally, self._pass_withheld, self._due = (n, total, squares), bool(bank.pass_withheld[0]), None
