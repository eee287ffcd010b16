"""Any of river's anomaly detectors and forecasters, by name and options, calibrated like the rest."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy, deepcopy
from math import isfinite, log1p
from typing import Any

import numpy as np

from detectors import Score
from detectors.calibration import Calibration
from detectors.chances import Chances, Level
from detectors.ewma import RECENT
from detectors.graph import frozen, thawed
from detectors.models import model_of, supervised
from detectors.state import State, given, taken
from detectors.tail import BAND, directed

BOUNDED = ("GaussianScorer", "HalfSpaceTrees", "PredictiveAnomalyDetection")
"""Models whose scores end at 1: what they leave to it, on a log scale, tells readings apart for longer."""
REACH = 6.0
"""Scales from the recent level that a model is taught; what lies beyond is taught as this much, or one freak would deafen it."""
SLOW, FAST = 0.01, 0.1
FLOOR = 1e-9
COLD = (ArithmeticError, LookupError, TypeError, ValueError)
"""What models raise that have not seen enough (HoltWinters: IndexError)."""


class River:
    """One of river's models: an anomaly detector by its score, a forecaster by its error.

    A score, or an error, is measured in scales of its own recent past and counts by how rare it has been (see `Calibration`). An
    anomaly detector has no side: what lies on the other side of the recent level than `direction` is nothing unusual. What
    river's unsupervised detectors are shown is the reading against its slow and against its recent level, each in 0..1.

    model: `anomaly.GaussianScorer`, `time_series.HoltWinters`, ...; options: its own, where a table with a `model` is a model
    again. warmup: readings before it speaks.
    """

    NAMES = ("model", "levels", "known", *(f"calibration.{name}" for name in Calibration.NAMES))
    """What its state is made of."""

    def __init__(
        self,
        *,
        model: str = "anomaly.StandardAbsoluteDeviation",
        options: Mapping[str, Any] | None = None,
        direction: str = "both",
        warmup: int = 100,
    ) -> None:
        if warmup < 1:
            raise ValueError(f"warmup must be at least 1, not {warmup}")
        self._direction = directed(direction)
        self._warmup = warmup
        self._model = model_of(model, options or {})
        self._forecasts = hasattr(self._model, "forecast")
        self._slow, self._fast, self._own = Level(FLOOR), Level(FLOOR), Level(FLOOR)
        self._chances = Chances()
        self._known = 0

    def score_one(self, x: float, slot: int = 0) -> Score | None:  # noqa: ARG002  the clock means nothing to this kind
        """None while warming or where x is not a finite number, or the model says nothing of it."""
        if not isfinite(x) or self._known < (self._warmup + 1) // 2:
            return None
        x, fast, own = _cut(x), self._fast, self._own
        figure = self._figure(x, _still(self._model))
        if figure is None:
            return None
        if self._forecasts:
            expected = x - figure + own.level
            return self._chances.judge(x, expected, own.scale, self._direction)
        found = self._chances.judge(figure, own.level, own.scale, "up")
        half, other = BAND * fast.scale, (x > fast.level) == (self._direction == "down")
        score, tail = (0.0, 0.0) if other and self._direction != "both" else (found.score, found.tail)
        return Score(score, tail, fast.level, fast.level - half, fast.level + half)

    def learn_one(self, x: float, slot: int = 0, *, take: bool = True) -> None:  # noqa: ARG002  as above
        """Take the reading in as normal."""
        if not (take and isfinite(x)):
            return
        x = _cut(x)
        # The first half of the warm-up teaches the model alone: what it says when cold may be anything.
        figure = self._figure(x, self._model) if self._fast.age >= self._warmup // 2 else None
        if figure is not None:
            if self._known >= self._warmup // 4:
                self._chances.learn(figure, self._own.level, self._own.scale)
            self._own.follow(figure, FAST, FLOOR)
            self._known += 1
        self._teach(x)
        self._slow.follow(x, SLOW, FLOOR)
        self._fast.follow(x, FAST, FLOOR)

    def _figure(self, x: float, model: Any) -> float | None:
        """The error of a forecast, or the score of an anomaly detector; None where it has none as yet."""
        if getattr(model, "_first_window", False):  # half-space trees call everything healthy until then
            return None
        try:
            if self._forecasts:
                figure = x - model.forecast(1)[0]
            elif supervised(model):
                figure = model.score_one({}, x)
            else:
                figure = model.score_one(self._place(x))
        except COLD:
            return None
        if type(model).__name__ in BOUNDED:
            figure = -log1p(-min(figure, 1 - 1e-12))
        return _cut(figure) if isfinite(figure) else None

    def _teach(self, x: float) -> None:
        reach = REACH * self._fast.scale
        if self._fast.age > self._warmup // 2:
            x = min(max(x, self._fast.level - reach), self._fast.level + reach)
        if self._forecasts:
            self._model.learn_one(x)
        elif supervised(self._model):
            self._model.learn_one({}, x)
        else:
            self._model.learn_one(self._place(x))

    def _place(self, x: float) -> dict[str, float]:
        """Where the reading lies in the unit square."""
        return {
            name: min(max((x - level.level) / level.scale / (2 * REACH), -0.5), 0.5) + 0.5
            for name, level in (("slow", self._slow), ("recent", self._fast))
        }

    def state(self) -> State:
        """What it has learned; TypeError where the model holds what arrays cannot."""
        kept = _Kept()
        kept.model, kept.known = frozen(self._model), np.array([self._known])
        kept.levels = np.array([[getattr(one, name) for name in RECENT] for one in (self._slow, self._fast, self._own)])
        self._chances.into(kept.calibration)
        return given("river", kept, self.NAMES)

    def take(self, state: State) -> None:
        """Go on from there. StateError: it is not one of this kind and version."""
        kept = _Kept()
        taken(state, "river", kept, self.NAMES)
        self._model, self._known = thawed(kept.model), int(kept.known[0])
        for one, column in zip((self._slow, self._fast, self._own), kept.levels.tolist(), strict=True):
            for name, value in zip(RECENT, column, strict=True):
                setattr(one, name, value)
        self._chances.out_of(kept.calibration)


class _Kept:
    """The arrays of a state by their names."""

    def __init__(self) -> None:
        self.model, self.known, self.levels = np.zeros(0, np.uint8), np.zeros(1, np.int64), np.zeros((3, len(RECENT)))
        self.calibration = Calibration()


def _cut(x: float) -> float:
    """Squares of it are numbers still, and their sums."""
    return min(max(x, -1e100), 1e100)


def _still(model: Any) -> Any:
    """The model, or where its scoring changes its state, what may be changed instead."""
    if not hasattr(model, "dynamic_mae"):
        return model
    stand_in = copy(model)
    stand_in.dynamic_mae, stand_in.dynamic_se_variance = deepcopy((model.dynamic_mae, model.dynamic_se_variance))
    return stand_in
