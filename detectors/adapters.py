"""One shape in the other's place: many single detectors as a bank, one series of a bank as a detector."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detectors import Bank, Bools, Detector, Floats, Score, Scores
from detectors.state import VERSION, State, StateError, checked

if TYPE_CHECKING:
    from collections.abc import Callable


class Many:
    """A bank over one detector a series, made as series appear: for kinds that cannot live in arrays."""

    def __init__(self, new: Callable[[], Detector]) -> None:
        self._new = new
        self._kind = new().state().kind
        self._detectors: list[Detector] = []

    def grow(self, series: int) -> None:
        """Make room for `series` series in all."""
        self._detectors += [self._new() for _ in range(series - len(self._detectors))]

    def score(self, x: Floats, slot: int) -> Scores:
        """Score one reading a series; NaN where its detector has no score."""
        columns = np.full((5, len(self._detectors)), np.nan)
        for i, (detector, reading) in enumerate(zip(self._detectors, x.tolist(), strict=True)):
            if s := detector.score_one(reading, slot):
                columns[:, i] = s.score, s.tail, s.expected, s.lower, s.upper
        return Scores(*columns)

    def learn(self, x: Floats, slot: int, mask: Bools) -> None:
        """Learn the readings where `mask` is true and the reading is finite; the others are only shown."""
        for detector, reading, take in zip(self._detectors, x.tolist(), mask.tolist(), strict=True):
            detector.learn_one(reading, slot, take=take)

    def state(self) -> State:
        """What they have learned; each array under the number of its series."""
        states = [detector.state() for detector in self._detectors]
        arrays = {f"{i}.{name}": array for i, state in enumerate(states) for name, array in state.arrays.items()}
        return State(self._kind, VERSION, arrays)

    def take(self, state: State) -> None:
        """Go on from there. StateError: it is not one of this kind and version."""
        checked(state, self._kind)
        parts: dict[int, dict[str, NDArray[Any]]] = {}
        for name, array in state.arrays.items():
            number, _, rest = name.partition(".")
            if not number.isdecimal():
                raise StateError(f"the state of {self._kind!r} is not whole: {name}")
            parts.setdefault(int(number), {})[rest] = array
        made = [self._new() for _ in parts]
        for i, detector in enumerate(made):
            detector.take(State(self._kind, state.version, parts.get(i, {})))
        self._detectors = made


class One:
    """The first and only series of a bank, one reading at a time."""

    def __init__(self, bank: Bank) -> None:
        bank.grow(1)
        self._bank = bank
        self._always = np.ones(1, dtype=np.bool_)

    def score_one(self, x: float, slot: int = 0) -> Score | None:
        """None while warming or where x is not a finite number."""
        scores = self._bank.score(np.array([x], dtype=np.float64), slot)
        if np.isnan(scores.score[0]):
            return None
        return Score(**{f.name: float(getattr(scores, f.name)[0]) for f in fields(Score)})

    def learn_one(self, x: float, slot: int = 0, *, take: bool = True) -> None:
        """Take the reading in as normal."""
        self._bank.learn(np.array([x], dtype=np.float64), slot, self._always & take)

    def state(self) -> State:
        """What it has learned."""
        return self._bank.state()

    def take(self, state: State) -> None:
        """Go on from there. StateError: it is not one of this kind and version."""
        self._bank.take(state)
