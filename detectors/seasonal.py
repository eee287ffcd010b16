"""A profile by the clock with a level that follows: what is usual is what this quarter of an hour has been before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detectors import SLOTS, Bools, Floats, Scores
from detectors.ewma import CLIP, Ewma
from detectors.tail import believed, directed, judge, readings

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 1e18
"""Readings beyond count as this much: the profile is float32, and holds their squares."""

MEMORY = 10
"""Passes that a profile remembers: two business weeks."""


class Seasonal:
    """Compare a reading with the profile of its clock slot, moved by how far off it the series has lately been.

    A *pass* is a run of steps in one slot: a quarter of an hour of one day. Until a slot has had `days` passes, it
    speaks as an `Ewma` of the recent readings does: the first day, the first weekend.

    Readings withheld from learning (mask false) do not move the level. But a slot's first pass is always taken into the
    profile, for nothing is known of it yet, and so is a slot that was withheld on its last pass: what comes again at the
    same time of day is the season, not an incident. Without that, a nightly closing would alarm every night.

    rate: weight of the newest reading in the level offset. days: passes before a slot's own profile is believed.
    direction, alpha, warmup, floor: as for `Ewma`.
    """

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
        self._direction = directed(direction)
        self._recent = Ewma(alpha=alpha, warmup=warmup, floor=floor)
        self._rate = rate
        self._days = days
        self._floor = floor
        self._anchor = np.zeros(0)  # first reading: all else is kept relative to it, which float32 can hold
        self._off = np.zeros(0)
        self._slot = 0
        self._passed = np.zeros((SLOTS, 0), dtype=np.uint8)
        self._mean: NDArray[np.float32] = np.zeros((SLOTS, 0), dtype=np.float32)
        self._var: NDArray[np.float32] = np.zeros((SLOTS, 0), dtype=np.float32)
        self._withheld = np.zeros((SLOTS, 0), dtype=np.bool_)
        self._pass = np.zeros((3, 0))  # of the pass under way: readings, their sum, their squared errors' sum
        self._pass_withheld = np.zeros(0, dtype=np.bool_)

    def grow(self, series: int) -> None:
        """Make room for `series` series in all."""
        more = series - len(self._anchor)
        self._recent.grow(series)
        self._anchor = np.append(self._anchor, np.full(more, np.nan))
        self._off = np.append(self._off, np.zeros(more))
        self._pass_withheld = np.append(self._pass_withheld, np.zeros(more, dtype=np.bool_))
        wider = ((0, 0), (0, more))
        self._pass = np.pad(self._pass, wider)
        self._passed, self._withheld = np.pad(self._passed, wider), np.pad(self._withheld, wider)
        self._mean, self._var = np.pad(self._mean, wider), np.pad(self._var, wider)

    def score(self, x: Floats, slot: int) -> Scores:
        """Score one reading a series; NaN where it is warming or missing. Changes nothing."""
        expected, scale = self._forecast(slot)
        due = np.where(self._recent.warm(), self._anchor + expected, np.nan)
        return judge(readings(x, LARGEST), due, scale, self._direction)

    def learn(self, x: Floats, slot: int, mask: Bools) -> None:
        """Learn the readings where `mask` is true and the reading is finite; see the class for the others."""
        if slot != self._slot:
            self._end_pass()
            self._slot = slot
        x = readings(x, LARGEST)
        first = mask & np.isnan(self._anchor)
        if first.any():
            self._anchor = np.where(first, x, self._anchor)
        x = x - self._anchor
        there = ~np.isnan(x)
        take = profiled = there & mask
        withheld = there & ~mask
        if withheld.any():
            self._pass_withheld = self._pass_withheld | withheld
            profiled = take | (withheld & (self._withheld[slot] | (self._passed[slot] == 0)))
        expected, scale = self._forecast(slot)
        e = np.where(profiled, x - expected, 0.0)
        limit = CLIP * scale
        e = np.minimum(np.maximum(e, -limit), limit)
        self._pass[0] += profiled
        self._pass[1] += np.where(profiled, x, 0.0)
        self._pass[2] += e * e
        self._off = self._off + self._rate * e * (take & (self._passed[slot] >= self._days))
        self._recent.follow(x, take)

    def _forecast(self, slot: int) -> tuple[Floats, Floats]:
        """What is due, relative to the anchor, and its scale: by the profile where it is believed, else recent."""
        level, scale = self._recent.forecast()
        passed = self._passed[slot]
        known = passed >= self._days
        if not known.any():
            return level, scale
        expected = np.where(known, self._mean[slot] + self._off, level)
        # A profile's own scale rests on few readings at first: the recent one counts as one pass more.
        weight = np.minimum(passed, MEMORY)
        profiled = np.sqrt((weight * self._var[slot] + scale * scale) / (weight + 1.0))
        return expected, believed(np.where(known, profiled, scale), expected, self._floor)

    def _end_pass(self) -> None:
        """Take the pass under way into its slot's profile."""
        slot = self._slot
        count, total, squares = self._pass
        done = count > 0
        passed = np.minimum(self._passed[slot] + done, MEMORY).astype(np.uint8)
        weight = done / np.maximum(passed, 1) / np.maximum(count, 1)
        self._mean[slot] += weight * (total - count * self._mean[slot])
        self._var[slot] += weight * (squares - count * self._var[slot])
        self._passed[slot] = passed
        self._withheld[slot] = self._pass_withheld
        self._pass[:] = 0
        self._pass_withheld[:] = False
