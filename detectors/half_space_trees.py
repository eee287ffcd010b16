"""Half-space trees (river): how sparsely visited is the place where this reading and its step lie."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from math import exp, isfinite, log10
from typing import Any

import numpy as np

from detectors import Score
from detectors.ewma import RECENT, Recent
from detectors.graph import frozen, thawed
from detectors.state import State, given, taken
from detectors.tail import BAND, directed, readings

REACH = 6.0
"""Scales from the level that the trees' unit square spans to either side; what lies beyond sits on its edge."""

PAST = 2000
"""Raw scores of its own that a reading's is ranked against."""

ENOUGH = 100
"""Raw scores before a rank says anything."""

DEEPEST = 300.0
"""Largest tail told: beyond it the probability is no longer a float."""


class HalfSpaceTrees:
    """Trees over two features: the reading against its slow level, and against its recent one.

    Both are measured in running robust scales and cut at 6, so that an outlier does not squeeze what follows. A raw
    score becomes a probability by its rank among the series' own past scores, and above their 99th percentile by an
    exponential tail, so that it can go beyond one in as many as it has seen. On the other side of what is expected
    than `direction` nothing is unusual. None until the trees have had a full window and 100 readings more, for ranks.

    window: readings between two renewals of the trees. trees, height: their number and depth. seed: of their cuts.
    """

    customary = 3.0

    NAMES = (
        *("trees", "past", "learned"),
        *(f"{level}.{name}" for level in ("slow", "recent") for name in RECENT),
    )
    """What its state is made of."""

    def __init__(
        self, *, direction: str = "both", window: int = 250, trees: int = 10, height: int = 8, seed: int = 0
    ) -> None:
        if min(window, trees, height) < 1:
            raise ValueError(f"window, trees and height must be at least 1, not {window}, {trees}, {height}")
        self._direction = directed(direction)
        self._count, self._height, self._window, self._seed = trees, height, window, seed
        self._model: Any = None
        self._learned = 0
        self.slow, self.recent = Recent(alpha=0.01), Recent(alpha=0.1)
        self.slow.grow(1)
        self.recent.grow(1)
        self.trees, self.past, self.learned = np.zeros(0, np.uint8), np.zeros(0), np.zeros(1, np.int64)
        self._past: deque[float] = deque()
        self._ranked: list[float] = []

    def score_one(self, x: float, slot: int = 0) -> Score | None:  # noqa: ARG002  the clock means nothing to this kind
        """None while warming or where x is not a finite number."""
        if not isfinite(x) or len(self._ranked) < ENOUGH:
            return None
        expected, scale = _forecast(self.recent)
        log_p = 0.0 if self._other_side(x, expected) else self._log_p(self._raw(x))
        half = BAND * scale
        return Score(1 - 10**log_p, -log_p, expected, expected - half, expected + half)

    def learn_one(self, x: float, slot: int = 0, *, take: bool = True) -> None:  # noqa: ARG002  as above
        """Take the reading in as normal."""
        if not (take and isfinite(x)):
            return
        if self._model is None:
            from river.anomaly import HalfSpaceTrees as Trees  # noqa: PLC0415  costs 2 s

            self._model = Trees(n_trees=self._count, height=self._height, window_size=self._window, seed=self._seed)
        if self._learned >= self._window:
            self._remember(self._raw(x))
        if self._learned:
            self._model.learn_one(self._place(x))
        self._learned += 1
        reading, always = readings(np.array([x])), np.ones(1, dtype=np.bool_)
        self.slow.follow(reading, always)
        self.recent.follow(reading, always)

    def state(self) -> State:
        """What it has learned."""
        self.trees, self.past = frozen(self._model), np.array(self._past, np.float64)
        self.learned = np.array([self._learned])
        return given("half_space_trees", self, self.NAMES)

    def take(self, state: State) -> None:
        """Go on from there. StateError: it is not one of this kind and version."""
        taken(state, "half_space_trees", self, self.NAMES)
        self._model, self._learned = thawed(self.trees), int(self.learned[0])
        self._past = deque(self.past.tolist())
        self._ranked = sorted(self._past)

    def _other_side(self, x: float, expected: float) -> bool:
        return (self._direction == "up" and x < expected) or (self._direction == "down" and x > expected)

    def _place(self, x: float) -> dict[str, float]:
        """Where the reading lies in the unit square."""
        return {name: _unit(x, *_forecast(recent)) for name, recent in (("slow", self.slow), ("recent", self.recent))}

    def _raw(self, x: float) -> float:
        return float(self._model.score_one(self._place(x)))

    def _remember(self, raw: float) -> None:
        self._past.append(raw)
        insort(self._ranked, raw)
        if len(self._past) > PAST:
            del self._ranked[bisect_left(self._ranked, self._past.popleft())]

    def _log_p(self, raw: float) -> float:
        """log10 of the share of past scores at least this high, continued beyond the highest hundredth."""
        n = len(self._ranked)
        top = self._ranked[-max(n // 100, 1) :]
        above = n - bisect_left(self._ranked, raw)
        rank = log10((above + 1) / (n + 1))
        if raw <= top[0]:
            return rank
        excess = sum(top) / len(top) - top[0]
        beyond = log10(len(top) / n) - (raw - top[0]) / max(excess, 1e-3) * log10(exp(1))
        return max(min(rank, beyond), -DEEPEST)


def _forecast(recent: Recent) -> tuple[float, float]:
    return float(recent.level[0]), float(recent.scale[0])


def _unit(x: float, level: float, scale: float) -> float:
    """0..1, one half at the level."""
    return min(max(x / scale - level / scale, -REACH), REACH) / (2 * REACH) + 0.5
