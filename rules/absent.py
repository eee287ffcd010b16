"""`absent`: no rows where rows are due, learnt from the series' own past."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from detectors import Floats, Scores, make
from detectors.tail import BAND
from detectors.walk import Walk
from rules import Spec, Verdict, Verdicts, View
from rules.anomaly import Places


class Absent:
    """In breach once so many rows were due in an unbroken silence that chance does not explain it.

    What is due comes from the series' clock profile (the first days: from its last hour). With m rows due in the silence, and
    arrivals in bursts of about b rows, the chance of none is e^(-m/b): in breach where that is below 10^-tail. A silence that is too
    short to tell is UNKNOWN, so a quiet night is no alarm. `min_total`: rows that must be due in the silence at least.
    """

    def __init__(self, spec: Spec, *, tail: float = 6.0, freeze: timedelta = timedelta(hours=6)) -> None:
        self.spec = spec
        self.measures = frozenset({"total"})
        self.expressions: tuple[str, ...] = ()
        self.ways = frozenset({"missing"})
        self._least = tail * np.log(10.0)
        # A slower level than that of an alarm on volume: it must still know what was due when a silence is an hour old.
        bank = make("seasonal", direction="down", alpha=0.02, rate=0.02, floor=0.5)
        self._walk = Walk(bank, tail=0.0, freeze=max(int(freeze / timedelta(minutes=1)), 0))
        self._places = Places()
        self._due: Floats = np.zeros(0)
        self._bursts: Floats = np.zeros(0)

    def check(self, view: View) -> Verdicts:
        """Walk the span, adding up what was due since the last row of each series."""
        frame = view.frame(self.spec.grain)
        total, at = self._places.spread(frame, frame.columns["total"])
        more = total.shape[1] - len(self._due)
        self._due, self._bursts = np.append(self._due, np.zeros(more)), np.append(self._bursts, np.zeros(more))
        minutes = self.spec.grain.minutes

        def silent(t: int, scores: Scores) -> Floats:
            expected = np.square(np.maximum(scores.expected, 0))
            burst = np.square((scores.upper - scores.lower) / BAND)
            begins = self._due == 0
            due = np.where(begins, expected, self._due + expected / minutes)
            known = ~np.isnan(expected)
            self._bursts = np.where(total[t] > 0, 0, np.where(known & begins, burst, self._bursts))
            self._due = np.where(total[t] > 0, 0, np.where(known, due, self._due))
            found: Floats = (self._due >= self.spec.min_total) & (
                self._due >= self._least * np.maximum(self._bursts, 1)
            )
            return found

        block = self._walk.step_block(np.sqrt(total), view.calendar.slots(frame.start, frame.end), silent)
        rows, breach, score = total[at], block.breach[at], block.score[at]
        unknown = np.isnan(score) | ((rows == 0) & ~breach)
        verdict = np.where(unknown, Verdict.UNKNOWN, np.where(breach, Verdict.BREACH, Verdict.HEALTHY)).astype(np.int8)
        expected, lower, upper = (np.square(np.maximum(x, 0))[at] for x in (block.expected, block.lower, block.upper))
        return Verdicts(frame, verdict, rows, expected, lower, upper, score)
