"""`anomaly`: a measure far from what its own past makes likely, by a detector of any kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import numpy as np

from detectors import Bank, Bools, Scores, customary, make
from detectors import options as options_of
from detectors.walk import Walk
from rules import COUNTS, LATENCIES, MEASURES, RATES, Floats, Frame, Scope, Spec, Verdict, Verdicts, View, ways_of

Turn = Callable[[Floats], Floats]


class Anomaly:
    """In breach where the detector's tail is beyond `tail` (-log10 of the chance) and the change is one that matters.

    tail: that which is customary for the detector's kind, if not given.
    measure: one of a window's measures. detector: its kind and options (`direction`: up, down or both). min_change: smallest
    change that matters, in the measure's unit; min_change_ratio: the same as a part of what was expected. For a rate, chance alone
    must not explain it either: the exact Poisson tail of that many among that few must be as small. `min_total` is the least
    volume, there or expected. freeze: for how long a breach is not learned; none ("0m") for `residuals` and `ensemble`, which
    learn warily by themselves.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        measure: str,
        detector: Mapping[str, Any] | None = None,
        min_change: float = 0.0,
        min_change_ratio: float = 0.0,
        tail: float | None = None,
        freeze: timedelta = timedelta(hours=6),
    ) -> None:
        if measure not in MEASURES:
            raise ValueError(f"measure: knows no {measure!r}; there are {', '.join(MEASURES)}")
        self.spec = spec
        self.shown = self.measure = measure
        self.measures = frozenset({measure} if measure == "value" else {measure, "total"})
        self.expressions: tuple[str, ...] = ()
        self.ways = ways_of(frozenset({measure}))
        self._options = dict(detector or {"kind": "seasonal"})
        self._direction = self._options.get("direction", "both")
        self._min_change, self._min_ratio = min_change, min_change_ratio
        bank, usual = _bank(measure, self._options)
        self._tail = usual if tail is None else tail
        self._walk = Walk(bank, tail=self._tail, freeze=max(int(freeze / timedelta(minutes=1)), 0))
        self._places = Places()

    def check(self, view: View) -> Verdicts:
        """Score and learn the span, minute by minute, all series of the frame at once."""
        frame = view.frame(self)
        raw, at = self._places.spread(frame, frame.columns[self.measure])
        total = np.full_like(raw, np.inf)
        if "total" in self.measures:
            total, _ = self._places.spread(frame, frame.columns["total"])
        counts = self.measure in COUNTS
        enough = total >= max(self.spec.min_total, 1) if not counts else np.ones_like(total, bool)
        there, back = _turns(self.measure)
        seen = np.where(enough, raw, np.nan)

        large = np.zeros_like(raw, bool)

        def material(t: int, scores: Scores) -> Bools:
            expected = back(scores.expected)
            change = seen[t] - expected
            size = np.abs(change)
            matters = (size >= self._min_change) & (size >= self._min_ratio * np.abs(expected))
            large[t] = matters
            if counts:
                matters &= np.maximum(seen[t], expected) >= self.spec.min_total
            if self.measure in RATES:
                matters &= _beyond_chance(seen[t] * total[t], expected * total[t], change, self._tail)
            return np.asarray(matters, bool)

        block = self._walk.step_block(there(seen), view.calendar.slots(frame.start, frame.end), material)
        # Half the tail is too much to be called healthy: it neither fires nor resolves.
        unknown = np.isnan(block.score) | (~block.breach & large & (block.tail > self._tail / 2))
        if counts:
            unknown |= np.fmax(raw, back(block.expected)) < self.spec.min_total
        verdict = np.where(unknown, Verdict.UNKNOWN, np.where(block.breach, Verdict.BREACH, Verdict.HEALTHY)).astype(
            np.int8
        )
        expected, lower, upper = (back(column)[at] for column in (block.expected, block.lower, block.upper))
        return Verdicts(frame, verdict[at], frame.columns[self.measure], expected, lower, upper, block.score[at])


class Places:
    """Which column of a bank each scope has: given once, kept as scopes come and go."""

    def __init__(self) -> None:
        self._place: dict[Scope, int] = {}

    def spread(self, frame: Frame, column: Floats) -> tuple[Floats, tuple[Any, Any]]:
        """The column as (minutes, every series ever seen), NaN where there is no window; and where each row stands in it."""
        places = np.array([self._place.setdefault(scope, len(self._place)) for scope in frame.scopes], dtype=np.int64)
        out = np.full((frame.end - frame.start, len(self._place)), np.nan)
        at = (frame.minute - frame.start, places[frame.series] if len(places) else frame.series)
        out[at] = column
        return out, at


def _bank(measure: str, options: Mapping[str, Any]) -> tuple[Bank, float]:
    """What judges, and the tail at which its kind customarily is in breach."""
    chosen = dict(options)
    kind = chosen.pop("kind", "seasonal")
    try:
        if measure in COUNTS and "floor" in options_of(kind):
            chosen.setdefault("floor", 0.5)  # the root of a Poisson count has this deviation whatever its mean
        return make(kind, **chosen), customary(kind, **chosen)
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"detector: {error.args[0]}") from None


def _turns(measure: str) -> tuple[Turn, Turn]:
    """To the scale on which the measure's noise is even, and back."""
    if measure in (*COUNTS, *RATES):
        return np.sqrt, lambda x: np.square(np.maximum(x, 0))
    if measure in LATENCIES:
        return lambda x: np.log(np.maximum(x, 1e-3)), lambda x: np.exp(np.minimum(x, 50))
    return lambda x: x, lambda x: x


def _beyond_chance(hits: Floats, due: Floats, change: Floats, tail: float) -> Bools:
    from scipy import special  # noqa: PLC0415 - costs a third of a second

    due = np.maximum(due, 1e-3)
    chance = np.where(change > 0, special.pdtrc(np.maximum(hits - 1, 0), due), special.pdtr(np.maximum(hits, 0), due))
    found: Bools = chance < 10.0**-tail
    return found
