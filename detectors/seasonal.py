"""A profile by the clock with a level that follows: what is usual is what this quarter of an hour has been before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors import SLOTS, Bools, Detector, Floats, Scores, like
from detectors.calibration import Calibration, residuals
from detectors.ewma import CLIP, RECENT, Recent
from detectors.state import State, given, taken
from detectors.tail import believed, directed, readings

LARGEST = 1e18
"""Readings beyond count as this much: the profile is float32, and holds their squares."""

MEMORY = 10
"""Passes that a profile remembers: two business weeks."""


class Seasonal:
    """Compare a reading with the profile of its clock slot, moved by how far off it the series has lately been.

    A *pass* is a run of steps in one slot: a quarter of an hour of one day. Until a slot has had `days` passes, the
    missing ones are taken from the kind of day that stands in for its own (see `detectors.LIKE`: the first payday is
    judged as a business day). Where these are too few as well, it speaks as an `Ewma` of the recent readings does: the
    first day, the first weekend.

    Readings withheld from learning (mask false) do not move the level. But a slot's first pass, where nothing stands in,
    is always taken into the profile, for nothing is known of it yet, and so is a slot that was withheld on its last pass:
    what comes again at the same time of day is the season, not an incident. Without that, a nightly closing would alarm
    every night.

    rate: weight of the newest reading in the level offset. days: passes before a slot's own profile is believed.
    direction, alpha, warmup, floor: as for `Ewma`.
    """

    NAMES = (
        *("anchor", "off", "slot", "passed", "mean", "var", "withheld", "tally", "pass_withheld"),
        *(f"recent.{name}" for name in RECENT),
        *(f"calibration.{name}" for name in Calibration.NAMES),
    )
    """What its state is made of."""

    def __init__(
        self,
        *,
        direction: str = "both",
        rate: float = 0.05,
        days: int = 2,
        alpha: float = 0.1,
        warmup: int = 30,
        floor: float = 0.0,
    ) -> None:
        if not 0 <= rate <= 1:
            raise ValueError(f"rate must be from 0 to 1, not {rate}")
        if not 1 <= days <= MEMORY:
            raise ValueError(f"days must be from 1 to {MEMORY}, not {days}")
        self.direction = directed(direction)
        self.recent = Recent(alpha=alpha, warmup=warmup, floor=floor)
        self.rate = rate
        self.days = days
        self.anchor = np.zeros(0)  # first reading: all else is kept relative to it, which float32 can hold
        self.off = np.zeros(0)
        self.slot = 0
        self.passed = np.zeros((SLOTS, 0), dtype=np.uint8)
        self.mean: NDArray[np.float32] = np.zeros((SLOTS, 0), dtype=np.float32)
        self.var: NDArray[np.float32] = np.zeros((SLOTS, 0), dtype=np.float32)
        self.withheld = np.zeros((SLOTS, 0), dtype=np.bool_)
        self.tally = np.zeros((3, 0))  # of the pass under way: readings, their sum, their squared errors' sum
        self.pass_withheld = np.zeros(0, dtype=np.bool_)
        self.calibration = Calibration()
        self._clear()

    def _clear(self) -> None:
        """Forget what was worked out: a profile changes with a pass, a forecast with what is learned."""
        self._profiles: dict[int, tuple[Bools, Floats, Floats, Floats] | None] = {}
        self._due: tuple[int, Floats, Floats] | None = None

    def one(self) -> Detector:
        """A detector of one series with the options of this bank."""
        from detectors.single import OneSeasonal  # noqa: PLC0415  it is made of this

        return OneSeasonal(self)

    def grow(self, series: int) -> None:
        """Make room for `series` series in all."""
        more = series - len(self.anchor)
        self._clear()
        self.recent.grow(series)
        self.calibration.grow(series)
        self.anchor = np.append(self.anchor, np.full(more, np.nan))
        self.off = np.append(self.off, np.zeros(more))
        self.pass_withheld = np.append(self.pass_withheld, np.zeros(more, dtype=np.bool_))
        wider = ((0, 0), (0, more))
        self.tally = np.pad(self.tally, wider)
        self.passed, self.withheld = np.pad(self.passed, wider), np.pad(self.withheld, wider)
        self.mean, self.var = np.pad(self.mean, wider), np.pad(self.var, wider)

    def score(self, x: Floats, slot: int) -> Scores:
        """Score one reading a series; NaN where it is warming or missing. Changes nothing."""
        expected, scale = self._forecast(slot)
        due = np.where(self.recent.warm(), self.anchor + expected, np.nan)
        return self.calibration.judge(readings(x, LARGEST), due, scale, self.direction)

    def learn(self, x: Floats, slot: int, mask: Bools) -> None:
        """Learn the readings where `mask` is true and the reading is finite; see the class for the others."""
        if slot != self.slot:
            self._end_pass()
            self.slot = slot
        x = readings(x, LARGEST)
        first = mask & np.isnan(self.anchor)
        if np.count_nonzero(first):
            self.anchor = np.where(first, x, self.anchor)
        x = x - self.anchor
        there = ~np.isnan(x)
        take = profiled = there & mask
        withheld = there & ~mask
        if np.count_nonzero(withheld):
            self.pass_withheld = self.pass_withheld | withheld
            new = (self.passed[slot] == 0) & (self.passed[like(slot)] < self.days)
            profiled = take | (withheld & (self.withheld[slot] | new))
        expected, scale = self._forecast(slot)
        known = take & self.recent.warm()
        self.calibration.learn(residuals(x, expected, scale, known), known)
        e = np.where(profiled, x - expected, 0.0)
        limit = CLIP * scale
        e = np.minimum(np.maximum(e, -limit), limit)
        self.tally[0] += profiled
        self.tally[1] += np.where(profiled, x, 0.0)
        self.tally[2] += e * e
        held = self._profile(slot)
        if held:
            self.off = self.off + self.rate * e * (take & held[0])
        self.recent.follow(x, take)
        self._due = None

    def _believed(self, slot: int) -> Bools:
        """Which series have had enough passes, with those of the slot that stands in."""
        passed = self.passed[slot]
        found: Bools = (passed >= self.days) | (passed + self.passed[like(slot)] >= self.days)
        return found

    def _forecast(self, slot: int) -> tuple[Floats, Floats]:
        """What is due, relative to the anchor, and its scale: by the profile where it is believed, else recent."""
        if self._due and self._due[0] == slot:
            return self._due[1:]
        level, scale = self.recent.level, self.recent.scale
        if held := self._profile(slot):
            known, mean, squares, weight = held
            level = np.where(known, mean + self.off, level)
            profiled = np.sqrt((squares + scale * scale) / weight)
            scale = believed(np.where(known, profiled, scale), level, self.recent.floor)
        self._due = (slot, level, scale)
        return level, scale

    def _profile(self, slot: int) -> tuple[Bools, Floats, Floats, Floats] | None:
        """Whose profile of the slot is believed, its mean, and its variance, times and plus one the weight; None where nobody's is.

        Worked out once a pass.
        """
        if slot not in self._profiles:
            self._profiles[slot], known = None, self._believed(slot)
            if known.any():
                passed, mean, var = self._passes(slot)
                # A profile's own scale rests on few readings at first: the recent one counts as one pass more.
                weight = np.minimum(passed, MEMORY)
                self._profiles[slot] = known, mean, weight * var, weight + 1.0
        return self._profiles[slot]

    def _passes(self, slot: int) -> tuple[Floats, Floats, Floats]:
        """Passes, mean and variance of a slot; until it has had enough passes, together with the one that stands in."""
        passed, mean, var = (a[slot].astype(np.float64) for a in (self.passed, self.mean, self.var))
        young = passed < self.days
        if not young.any():
            return passed, mean, var
        kin = like(slot)
        more = np.where(young, np.minimum(self.passed[kin], self.days - passed), 0.0)  # the passes that are missing
        both = np.maximum(passed + more, 1.0)
        share = more / both
        apart = self.mean[kin] - mean
        return both, mean + share * apart, var + share * (self.var[kin] - var) + share * (1.0 - share) * apart * apart

    def _end_pass(self) -> None:
        """Take the pass under way into its slot's profile."""
        slot = self.slot
        count, total, squares = self.tally
        done = count > 0
        passed = np.minimum(self.passed[slot] + done, MEMORY).astype(np.uint8)
        weight = done / np.maximum(passed, 1) / np.maximum(count, 1)
        self.mean[slot] += weight * (total - count * self.mean[slot])
        self.var[slot] += weight * (squares - count * self.var[slot])
        self.passed[slot] = passed
        self.withheld[slot] = self.pass_withheld
        self.tally[:] = 0
        self.pass_withheld[:] = False
        self._clear()

    def state(self) -> State:
        """What it has learned."""
        return given("seasonal", self, self.NAMES)

    def take(self, state: State) -> None:
        """Go on from there. StateError: it is not one of this kind and version."""
        taken(state, "seasonal", self, self.NAMES, many=True)
        self.slot = int(self.slot)
        self._clear()
