"""Counts of sparse series against their own base rate: exact tails, however few there are."""

from __future__ import annotations

import numpy as np

from detectors import Bools, Floats, Scores
from detectors.counts import above, below
from detectors.state import State, given, taken
from detectors.tail import BAND, directed

FIRST = 1.0
"""Hits' worth of the first rate that is believed."""
SPREAD, SURE = 0.02, 25.0
"""1/r of the start, and how much is believed of it, in squared expected hits."""
CUT = 4.0
"""Deviations beyond which a count says no more of how far counts stray."""


class Count:
    """Compare a count with the mean of its past: negative binomial, wide while little is known.

    The mean of a Poisson count learned from h hits is itself known to a part 1/sqrt(h), so the next is negative binomial with
    shape h (Gelman et al., Bayesian Data Analysis, 3rd ed., 2.6); how far counts stray beyond that is learned by moments (1/r,
    as in `detectors.counts.Stray`, here of the series alone). The tail is the exact chance of so many or more (or fewer); on both
    sides it is twice the rarer one. For error codes never seen: a count of rows that bear one. Below zero nothing is a count, and
    counts as missing. The band is that of the three first moments (Cornish and Fisher 1938).

    direction: which side is unusual. half_life: readings after which what was learned counts half. warmup: readings before it
    speaks.
    """

    NAMES = ("age", "hits", "of", "strayed", "weight")
    """What its state is made of."""

    def __init__(self, *, direction: str = "up", half_life: float = 7200.0, warmup: int = 60) -> None:
        if not half_life > 0:
            raise ValueError(f"half_life must be above 0, not {half_life}")
        if warmup < 1:
            raise ValueError(f"warmup must be at least 1, not {warmup}")
        self._direction, self._warmup = directed(direction), warmup
        self._left = 0.5 ** (1 / half_life)
        self.age, self.hits, self.of, self.strayed, self.weight = np.zeros((5, 0))

    def grow(self, series: int) -> None:
        """Make room for `series` series in all."""
        for name in self.NAMES:
            held = getattr(self, name)
            setattr(self, name, np.append(held, np.zeros(series - len(held))))

    def _forecast(self) -> tuple[Floats, Floats]:
        """The mean that is due, and the shape r."""
        shape = FIRST + self.hits
        mean = shape / np.maximum(self.of + 1.0, 1.0)
        part = np.maximum((self.strayed + SPREAD * SURE) / (self.weight + SURE), 0.0)
        return mean, 1.0 / (part + 1.0 / shape)

    def score(self, x: Floats, slot: int) -> Scores:  # noqa: ARG002  the clock means nothing to this kind
        """Score one count a series; NaN where it is warming or missing. Changes nothing."""
        there = _counted(x) & (self.age >= self._warmup)
        mean, shape = self._forecast()
        hits = np.where(there, np.minimum(x, LARGEST), 0.0)
        tail = self._tail(hits, mean, shape)
        p = shape / (shape + mean)
        deviation = np.sqrt(mean / p)
        skewed = (2.0 - p) / p * (BAND * BAND - 1.0) / 6.0  # third moment over deviation, by Cornish and Fisher
        lower = np.minimum(np.maximum(mean - BAND * deviation + skewed, 0.0), mean)
        found = [-np.expm1(-tail * np.log(10)), tail, mean, lower, mean + BAND * deviation + skewed]
        return Scores(*(np.where(there, column, np.nan) for column in found))

    def _tail(self, hits: Floats, mean: Floats, shape: Floats) -> Floats:
        if self._direction == "up":
            return above(hits, mean, shape)
        if self._direction == "down":
            return below(hits, mean, shape)
        rarer = np.maximum(above(hits, mean, shape), below(hits, mean, shape))
        found: Floats = np.maximum(rarer - np.log10(2.0), 0.0)
        return found

    def learn(self, x: Floats, slot: int, mask: Bools) -> None:  # noqa: ARG002  as above
        """Learn the counts where `mask` is true and there is one."""
        take = mask & _counted(x)
        hits = np.where(take, np.minimum(x, LARGEST), 0.0)
        mean, shape = self._forecast()
        known = take & (self.age >= self._warmup)
        reach = CUT * np.sqrt(mean + mean * mean / shape)
        off = np.minimum(np.maximum(hits - mean, -reach), reach)
        left = np.where(take, self._left, 1.0)
        self.strayed = self.strayed * left + np.where(known, off * off - mean, 0.0)
        self.weight = self.weight * left + np.where(known, mean * mean, 0.0)
        # A freak teaches no more of the mean than it does of how far counts stray; what comes again is believed by and by.
        self.hits = self.hits * left + np.where(known, np.minimum(hits, mean + reach + 1.0), hits)
        self.of = self.of * left + take
        self.age = self.age + take

    def state(self) -> State:
        """What it has learned."""
        return given("count", self, self.NAMES)

    def take(self, state: State) -> None:
        """Go on from there. StateError: it is not one of this kind and version."""
        taken(state, "count", self, self.NAMES, many=True)


LARGEST = 1e12
"""Counts beyond count as this many."""


def _counted(x: Floats) -> Bools:
    found: Bools = np.isfinite(x) & (x >= 0)
    return found
