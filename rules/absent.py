"""`absent`: no rows where rows are due, learnt from the series' own past."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from detectors import QUARTERS, SLOTS, Bools, Floats, Scores, like, make
from detectors.walk import Walk
from rules import Spec, Verdict, Verdicts, View, Way
from rules.anomaly import Places

FORGET = 0.02
"""Weight of the newest silence in how long they usually last, once there have been many."""
DAYS = 5
"""Days over which it is remembered whether a quarter of an hour has rows; it has some if MOSTLY of them had."""
MOSTLY = 0.5
MEAN = 0.05
"""Weight of the newest minute in the mean that stands in while the profile warms."""


class Absent:
    """In breach once so many rows were due in an unbroken silence that chance does not explain it.

    What is due comes from the series' clock profile (the first days: from its last hour). With m rows due in the silence, and
    silences that usually last b rows' time beyond their first minute, the chance of one so long is e^(-m/b): in breach where that is
    below 10^-tail. Nothing is due in a quarter of an hour that is, or borders on, one that was mostly silent on such days
    before. Too short to tell is UNKNOWN: a quiet night is no alarm, and neither is the pause between two batches.
    `min_total`: rows that must be due in the silence at least.
    """

    def __init__(self, spec: Spec, *, tail: float = 6.0, freeze: timedelta = timedelta(hours=6)) -> None:
        self.spec = spec
        self.shown = "total"
        self.measures = frozenset({"total"})
        self.expressions: tuple[str, ...] = ()
        self.ways: frozenset[Way] = frozenset({"missing"})
        # A slower level than that of an alarm on volume: it must still know what was due when a silence is an hour old.
        bank = make("seasonal", direction="down", alpha=0.02, rate=0.02, floor=0.5)
        self._walk = Walk(bank, tail=0.0, freeze=max(int(freeze / timedelta(minutes=1)), 0))
        self._places = Places()
        self._silences = _Silences(tail * np.log(10.0), spec.grain.minutes)

    def check(self, view: View) -> Verdicts:
        """Walk the span, adding up what was due since the last row of each series."""
        frame = view.frame(self)
        total, at = self._places.spread(frame, frame.columns["total"])
        self._silences.grow(total.shape[1])

        def silent(t: int, scores: Scores) -> Bools:
            return self._silences.step(
                total[t], np.square(np.maximum(scores.expected, 0)), int(slots[t]), self.spec.min_total
            )

        slots = view.calendar.slots(frame.start, frame.end)
        block = self._walk.step_block(np.sqrt(total), slots, silent)
        rows, breach, score = total[at], block.breach[at], block.score[at]
        unknown = np.isnan(score) | ((rows == 0) & ~breach)
        verdict = np.where(unknown, Verdict.UNKNOWN, np.where(breach, Verdict.BREACH, Verdict.HEALTHY)).astype(np.int8)
        expected, lower, upper = (np.square(np.maximum(x, 0))[at] for x in (block.expected, block.lower, block.upper))
        return Verdicts(frame, verdict, rows, expected, lower, upper, score)


class _Silences:
    """The silence that each series is in, and how long its silences usually last, both in rows that were due."""

    def __init__(self, least: float, minutes: int) -> None:
        self._least, self._minutes = least, minutes
        self._state = np.zeros((6, 0))
        self._slot = -1
        self._rows = np.zeros(0)
        self._passes = np.zeros((SLOTS, 0))
        self._active = np.zeros((SLOTS, 0))
        self._opened: Bools | None = None  # worked out once a quarter of an hour

    def grow(self, series: int) -> None:
        more = series - self._state.shape[1]
        self._opened = None
        fresh = np.zeros((6, more))
        fresh[3] = 1.0
        self._state = np.hstack([self._state, fresh])
        self._rows = np.append(self._rows, np.full(more, np.nan))
        self._passes, self._active = (np.pad(a, ((0, 0), (0, more))) for a in (self._passes, self._active))

    def _turn(self, slot: int) -> None:
        """A new quarter of an hour: note whether the one before had rows."""
        known = ~np.isnan(self._rows)
        passes = self._passes[self._slot]
        passes += known * (passes < DAYS)
        self._active[self._slot] += np.where(
            known, ((self._rows > 0) - self._active[self._slot]) / np.maximum(passes, 1), 0
        )
        self._rows[:] = np.nan
        self._slot = slot
        self._opened = None

    def _open(self, slot: int) -> Bools:
        """Which series have, as far as is known, rows in this quarter of an hour and the ones beside it."""
        day = slot - slot % QUARTERS
        around = [day + (slot + step) % QUARTERS for step in (-1, 0, 1)]
        kin = [like(slot) for slot in around]  # a kind of day that is new behaves like the one that stands in for it
        active = np.where(self._passes[around] == 0, self._active[kin], self._active[around])
        new = (self._passes[around] == 0) & (self._passes[kin] == 0)
        found: Bools = (new | (active >= MOSTLY)).all(axis=0)
        return found

    def step(self, rows: Floats, expected: Floats, slot: int, least: int) -> Bools:
        """One minute's rows (NaN: not known) and what was expected (NaN: warming). Which series are silent for too long."""
        if slot != self._slot:
            self._turn(slot)
        self._rows = np.fmax(self._rows, rows)
        due, first, told, usual, ended, mean = self._state
        seen = ~np.isnan(rows)
        # While warming, what is due is the mean so far: the pauses of a series that comes in batches are learnt from the start.
        rate = np.where(np.isnan(expected), mean, expected)
        # Until it can be told, a silence is learnt: what was due when it began stays due while it lasts.
        if self._opened is None:
            self._opened = self._open(slot)
        rate = np.where(due > 0, np.maximum(rate, first), rate) * self._opened
        over = seen & (rows > 0) & (due > 0) & (told == 0)
        weight = np.maximum(1 / (ended + 2), FORGET)
        usual += np.where(over, weight * (due - first - usual), 0)
        ended += over
        quiet = seen & (rows == 0)
        first[:] = np.where(quiet & (due == 0), rate, first)
        due[:] = np.where(quiet, due + np.where(due > 0, rate / self._minutes, rate), np.where(seen, 0, due))
        mean += np.where(seen, MEAN * (rows - mean), 0)
        breach: Bools = quiet & ~np.isnan(expected) & (due >= least) & (due >= self._least * np.maximum(usual, 1))
        told[:] = np.where(quiet, np.maximum(told, breach), np.where(seen, 0, told))
        return breach
