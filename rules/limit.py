"""`limit`: an expression over a window's measures, such as `failed_rate > 0.05`."""

from __future__ import annotations

import numpy as np

from rules import DIMENSIONS, MEASURES, Spec, Verdict, Verdicts, View, ways_of
from rules.expression import ExpressionError, parse


class Limit:
    """In breach where `when` is true; UNKNOWN where it cannot say, or where the window has fewer than `min_total` rows."""

    def __init__(self, spec: Spec, *, when: str) -> None:
        self.spec = spec
        try:
            self.when = parse(when, (*MEASURES, *DIMENSIONS))
        except ExpressionError as error:
            raise ValueError(f"when: {error}") from None
        named = self.when.columns & set(MEASURES)
        # The first that is named; where one name begins another (failed, failed_rate), the longer one.
        self.shown = min(named, key=lambda name: (self.when.text.lower().find(name), -len(name)), default="total")
        self.measures = frozenset(named | {self.shown}) | ({"total"} if "value" not in named else set())
        self.expressions: tuple[str, ...] = (self.when.text,)
        self.ways = ways_of(named)

    def check(self, view: View) -> Verdicts:
        """One flag a window, computed for all rules of the grain at once."""
        frame = view.frame(self)
        flag = frame.flags[self.when.text]
        unknown = np.isnan(flag)
        if self.spec.min_total and "total" in frame.columns:
            unknown |= frame.columns["total"] < self.spec.min_total
        verdict = np.where(unknown, Verdict.UNKNOWN, np.where(flag == 1, Verdict.BREACH, Verdict.HEALTHY)).astype(
            np.int8
        )
        nothing = np.full(len(flag), np.nan)
        return Verdicts(frame, verdict, frame.columns[self.shown], nothing, nothing, nothing, nothing)
