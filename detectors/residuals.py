"""Three ideas of what is due, and how far a reading lies from each by that idea's own record."""

from __future__ import annotations

from array import array
from math import exp, expm1, isfinite, log, log10

import numpy as np

from detectors import SLOTS, Score
from detectors.ewma import CLIP
from detectors.state import Arrays, Part, State, gathered, spread
from detectors.tail import FARTHEST, LARGEST, SLIGHT, directed

RATE = 0.02
"""Weight of the newest reading in its slot's profile and scale: at one a minute, the last three or four passes."""

ENOUGH = round(1 / RATE)
"""Readings of a slot up to which its profile and scale are plain averages."""

FOLLOW, CHASE = 0.05, 0.3
"""Weight of the newest reading in the level that moves the profile, and in the level that has no profile."""

ORDINARY = 0.9
"""Part of the residuals that are ordinary: told apart by size alone; beyond it the tail is an exponential."""

STEP = 0.05
"""By how much the ordinary part's limit gives way to a reading, in logarithms; more while young."""

MEMORY = 2000
"""Readings that the overall scale remembers, and residuals beyond the ordinary that the tail does."""

CAP = 20.0
"""Mean excesses beyond which an excess teaches no more."""

LIMIT, EXCESS = 1.0, 0.5
"""The least that is believed of the ordinary part's limit and of the mean excess over it, in mean residuals. A normal's are
2.1 and 0.6: what has been steadier than noise so far is not expected to stay so."""

WARMUP = 100
"""Readings before it speaks."""

LN10 = log(10)
ORDINARY_TAIL = -log10(1 - ORDINARY)


class Residuals:
    """Compare a reading with its clock slot's profile, with the profile moved to the recent level, and with that level.

    A fault that is sudden lies far from all three; a slow one only from the profile, a change of level at the wrong hour not
    from it. Each residual is measured in what is usual at that time of day and against how far that series has ever strayed
    from that idea; the tail is the mean of the three. (The geometric mean of p-values is one itself but for a factor e,
    whatever their dependence: Vovk and Wang, Biometrika 2020.) Half of it must be borne out by the reading learned before:
    one freak reading counts half of what two do.

    For the few series that matter: some ten microseconds a reading each. Until a slot has been seen, its profile is the
    recent level. A residual is believed up to 4 scales, or as far as the last one went to that side: one freak changes next
    to nothing, a shift is learned from its second reading on.

    direction: which side is unusual: "up", "down" or "both". floor: the smallest usual residual believed, in the reading's
    unit.
    """

    customary = 2.0
    """Of the best F1 over the first halves of the KPI curves, see `tests.bench.kpi`."""

    def __init__(self, *, direction: str = "both", floor: float = 0.0) -> None:
        if not floor >= 0:
            raise ValueError(f"floor must not be negative, not {floor}")
        self._direction = directed(direction)
        self._floor = floor
        self._moved = _Idea(profiled=True, follow=FOLLOW)
        self._level = _Idea(profiled=False, follow=CHASE)
        self._ideas = (self._moved, _Idea(profiled=True, follow=0.0), self._level)
        self._parts: dict[str, Part] = {f"idea{n}": idea for n, idea in enumerate(self._ideas)}
        self._seen = bytearray(SLOTS)  # readings of each slot, up to ENOUGH
        self._age = 0
        self._before = 0.0  # the tail of the reading learned last, before the half that needs bearing out

    def score_one(self, x: float, slot: int = 0) -> Score | None:
        """None while warming or where x is not a finite number."""
        if self._age < WARMUP or not isfinite(x):
            return None
        x = min(max(x, -LARGEST), LARGEST)
        seen, recent = self._seen[slot], self._level.offset
        mean = 0.0
        for idea in self._ideas:
            expected, scale = idea.forecast(slot, seen, recent, self._floor)
            mean += idea.tail(self._size((x - expected) / scale)) / 3
        tail = (mean + min(mean, self._before)) / 2
        expected, scale = self._moved.forecast(slot, seen, recent, self._floor)
        half = self._moved.reach() * scale
        return Score(-expm1(-tail * LN10), tail, expected, expected - half, expected + half)

    def learn_one(self, x: float, slot: int = 0, *, take: bool = True) -> None:
        """Take the reading in as normal."""
        if not take or not isfinite(x):
            return
        x = min(max(x, -LARGEST), LARGEST)
        if not self._age:
            self._level.offset = x
        self._age += 1
        seen, recent = self._seen[slot], self._level.offset
        mean = 0.0
        for idea in self._ideas:
            expected, scale = idea.forecast(slot, seen, recent, self._floor)
            residual = x - expected
            size = self._size(residual / scale)
            mean += idea.tail(size) / 3
            idea.strayed(size, self._age)
            idea.learn(slot, seen, expected, residual, CLIP * scale, self._age)
        self._before = mean
        self._seen[slot] = min(seen + 1, ENOUGH)

    def state(self) -> State:
        """What it has learned."""
        return gathered("residuals", (self._age, self._before, *self._seen), self._parts)

    def take(self, state: State) -> None:
        """Go on from such a state."""
        age, self._before, *seen = spread(state, self.state(), self._parts)
        self._age, self._seen = int(age), bytearray(map(int, seen))

    def _size(self, z: float) -> float:
        if self._direction == "both":
            z = abs(z)
        elif self._direction == "down":
            z = -z
        return min(max(z, 0.0), FARTHEST)


class _Idea:
    """What is due: profile + offset; how much residuals usually are, by slot and overall; how often they are how large."""

    __slots__ = ("_beyond", "_excess", "_follow", "_last", "_limit", "_overall", "_profile", "_usual", "offset")

    def __init__(self, *, profiled: bool, follow: float) -> None:
        self._profile = array("d", bytes(8 * SLOTS)) if profiled else None
        self._follow = follow
        self.offset = 0.0
        self._usual = array("d", bytes(8 * SLOTS))  # mean residual of each slot
        self._overall = 0.0
        self._last = 0.0
        self._limit = 1.0  # of the ordinary part
        self._excess = 1.0  # mean excess over it
        self._beyond = 0

    def arrays(self) -> Arrays:
        """All that it knows."""
        numbers = (self.offset, self._overall, self._last, self._limit, self._excess, self._beyond)
        profile = {} if self._profile is None else {"profile": np.array(self._profile)}
        return {"numbers": np.array(numbers, np.float64), "usual": np.array(self._usual), **profile}

    def put(self, arrays: Arrays) -> None:
        """The same back in its place."""
        self.offset, self._overall, self._last, self._limit, self._excess, beyond = arrays["numbers"].tolist()
        self._beyond, self._usual = int(beyond), array("d", arrays["usual"].tobytes())
        if self._profile is not None:
            self._profile = array("d", arrays["profile"].tobytes())

    def forecast(self, slot: int, seen: int, recent: float, floor: float) -> tuple[float, float]:
        """What is due, and the usual residual."""
        usual = (self._usual[slot] + self._overall) / 2 if seen else self._overall
        expected = self.offset
        if self._profile is not None:
            expected = self._profile[slot] + expected if seen else recent
        return expected, max(usual, floor, abs(expected) * SLIGHT + 1e-12)

    def tail(self, size: float) -> float:
        """-log10 of how often residuals are that large: by the limit of the ordinary ones, and exponential beyond."""
        if size <= self._limit:
            return ORDINARY_TAIL * size / self._limit
        return ORDINARY_TAIL + (size - self._limit) / (self._excess * LN10)

    def reach(self) -> float:
        """The size whose tail is 2: half the 99 % band."""
        return self._limit + (2 - ORDINARY_TAIL) * LN10 * self._excess

    def strayed(self, size: float, age: int) -> None:
        """Take a residual into the record."""
        step = max(STEP, min(1 / (STEP * age), 1.0))
        if size <= self._limit:
            self._limit = max(self._limit * exp(step * (ORDINARY - 1)), LIMIT)
            return
        excess = min(size - self._limit, CAP * self._excess)
        self._beyond = min(self._beyond + 1, MEMORY - 1)
        self._excess = max(self._excess + (excess - self._excess) / (self._beyond + 1), EXCESS)
        self._limit *= exp(step * ORDINARY)

    def learn(self, slot: int, seen: int, expected: float, residual: float, most: float, age: int) -> None:
        """Move towards a reading, by what is believed of its residual."""
        believed = residual
        if age > WARMUP:
            believed = min(residual, max(most, self._last)) if residual > 0 else max(residual, min(-most, self._last))
        self._last = residual
        size = abs(believed)
        self._overall += (size - self._overall) / min(age, MEMORY)
        rate = 1 / min(seen + 1, ENOUGH)
        self._usual[slot] += rate * (size - self._usual[slot]) if seen else self._overall
        if self._profile is not None:
            self._profile[slot] = self._profile[slot] + rate * believed if seen else expected + believed - self.offset
        self.offset += self._follow * believed
