"""A streaming discord: how far the last readings are from the nearest like stretch of the past, at seven lengths at once."""

from __future__ import annotations

from math import isfinite, sqrt

import numpy as np

from detectors import Floats, Score
from detectors.chances import Level
from detectors.ewma import RECENT
from detectors.past import Past
from detectors.state import Arrays, Part, State, gathered, spread
from detectors.tail import BAND, LARGEST, directed

LENGTHS = (1, 2, 4, 8, 16, 32, 64)
"""Readings in a stretch; each length's distances are sums of two of the length before."""

ALPHA = 0.1
"""Weight of the newest reading in the recent level."""

LIKES = 10
"""Past stretches to choose the nearest from, at least."""


class Distances:
    """From the stretch that ends with a reading to each past one: the second nearest, at each length.

    The second, since what has come once before is not yet usual. A past stretch must end a whole length before this one
    begins, or each would be like itself.

    history: past readings that a stretch may end with; 316 bytes each.
    """

    def __init__(self, history: int) -> None:
        self._history = history
        self._newest_first = np.zeros(2 * history)
        self._at = 2 * history
        self._learned = 0
        # By length but the last: the squared distances that the last so many readings had, by how long ago the other was.
        self._squares = [np.zeros((length, history)) for length in LENGTHS[:-1]]
        self._asked: tuple[float, list[Floats], list[float]] | None = None

    def nearest(self, x: float) -> list[float]:
        """One distance a length in the reading's unit; NaN while there are too few past stretches."""
        return self._look(x)[1]

    def learn(self, x: float) -> None:
        """The reading becomes the newest of the past."""
        for squares, ring in zip(self._look(x)[0], self._squares, strict=False):
            ring[self._learned % len(ring), : len(squares)] = squares
        if self._at == 0:
            self._at = self._history
            self._newest_first[self._at :] = self._newest_first[: self._history]
        self._at -= 1
        self._newest_first[self._at] = _cut(x)
        self._learned += 1
        self._asked = None

    def arrays(self) -> Arrays:
        """The readings, their distances, how many were learned and where the newest lies."""
        rings = {str(len(ring)): ring for ring in self._squares}
        return {"readings": self._newest_first, "numbers": np.array([self._learned, self._at]), **rings}

    def put(self, arrays: Arrays) -> None:
        """These instead."""
        self._newest_first = arrays["readings"]
        self._learned, self._at = arrays["numbers"].tolist()
        self._squares = [arrays[str(len(ring))] for ring in self._squares]
        self._asked = None

    def _look(self, x: float) -> tuple[list[Floats], list[float]]:
        """Squared distances at each length to the stretch that ended 1, 2, ... readings ago, and the distances to tell.

        Kept, since what is learned was mostly asked for just before.
        """
        if self._asked is None or self._asked[0] != x:
            there = min(self._learned, self._history)
            squares = np.square(self._newest_first[self._at : self._at + there] - _cut(x))
            found = [squares]
            for ring in self._squares:
                length = len(ring)
                reach = max(min(self._learned - 2 * length + 1, self._history), 0)
                squares = squares[:reach] + ring[self._learned % length, :reach]
                found.append(squares)
            self._asked = x, found, [_second(one, length) for one, length in zip(found, LENGTHS, strict=True)]
        return self._asked[1:]


def _second(squares: Floats, length: int) -> float:
    apart = squares[2 * length - 1 :]
    if len(apart) < LIKES:
        return np.nan
    nearest = int(apart.argmin())
    return sqrt(min(apart[:nearest].min(initial=np.inf), apart[nearest + 1 :].min(initial=np.inf)))


def _cut(x: float) -> float:
    return min(max(x, -LARGEST), LARGEST)


def remembered(history: int) -> int:
    """Check a kind's `history` option; ValueError where no long stretch could have a like."""
    if history < 4 * LENGTHS[-1]:
        raise ValueError(f"history must be at least {4 * LENGTHS[-1]}, not {history}")
    return history


class Discord:
    """Nothing like it has been seen: not of this reading, nor of the last two, four, ... 64 taken together.

    Knows no level and no season but finds what breaks any habit. A distance becomes a probability by its place among the series'
    own past distances of that length; the tail is the mean over the lengths, for they are views of one thing. On the other side
    of what is expected than `direction` nothing is unusual. None until the shortest lengths have 100 distances.

    history: past readings to compare with: a few days of minutes.
    """

    customary = 2.0

    def __init__(self, *, direction: str = "both", history: int = 5000) -> None:
        self._direction = directed(direction)
        self._distances = Distances(remembered(history))
        self._pasts = [Past() for _ in LENGTHS]
        self._due = Due()
        self._parts: dict[str, Part] = {"distances": self._distances, "due": self._due}
        self._parts |= {f"past{length}": past for length, past in zip(LENGTHS, self._pasts, strict=True)}

    def score_one(self, x: float, slot: int = 0) -> Score | None:  # noqa: ARG002  the clock means nothing to this kind
        """None while warming or where x is not a finite number."""
        if not isfinite(x) or not self._pasts[0].warm():
            return None
        tails = [past.tail(d) for past, d in zip(self._pasts, self._distances.nearest(x), strict=True) if past.warm()]
        return self._due.judged(x, sum(tails) / len(tails), self._direction)

    def learn_one(self, x: float, slot: int = 0, *, take: bool = True) -> None:  # noqa: ARG002  as above
        """Take the reading in as normal."""
        if not (take and isfinite(x)):
            return
        for past, distance in zip(self._pasts, self._distances.nearest(x), strict=True):
            if isfinite(distance):
                past.learn(distance)
        self._distances.learn(x)
        self._due.learn(x)

    def state(self) -> State:
        """What it has learned: 2.6 MB at the default history."""
        return gathered("discord", (), self._parts)

    def take(self, state: State) -> None:
        """Go on from there. StateError: it is not one of this kind and version."""
        spread(state, self.state(), self._parts, growing="came")


class Due:
    """The recent level and its 99 % band, for kinds that judge by something else and still owe an expectation."""

    def __init__(self) -> None:
        self._level = Level(0.0)

    def judged(self, x: float, tail: float, direction: str) -> Score:
        """That tail as a score; none of it on the side that was not asked for."""
        expected, half = self._level.level, BAND * self._level.scale
        if (direction == "up" and x < expected) or (direction == "down" and x > expected):
            tail = 0.0
        return Score(1 - 10.0**-tail, tail, expected, expected - half, expected + half)

    def learn(self, x: float) -> None:
        """Let the level follow."""
        self._level.follow(_cut(x), ALPHA, 0.0)

    def arrays(self) -> Arrays:
        """The level and its scale."""
        return {"level": np.array([getattr(self._level, name) for name in RECENT])}

    def put(self, arrays: Arrays) -> None:
        """These instead."""
        for name, value in zip(RECENT, arrays["level"].tolist(), strict=True):
            setattr(self._level, name, value)
