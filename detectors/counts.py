"""Counts against their own past: base rates of many series, how far they stray by themselves, and exact tails.

A count of mean m that is itself only known, or only steady, to a part 1/sqrt(r) is negative binomial: variance m + m*m/r. With r
large that is Poisson's. A series of which little is known has a small r, so the same few hits mean less (the Gamma-Poisson model of the
textbooks: Gelman et al., Bayesian Data Analysis, 3rd ed., 2.6).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors import Floats

Ints = NDArray[np.int64]

HALF_LIFE = 5 * 24 * 60
"""Minutes after which what was learned counts half."""
PRIOR = 3.0
"""Hits' worth of the pool's rate that a series starts from: rates within a pool differ by about 1/sqrt(PRIOR)."""
LEAST = 1e-6
"""No rate is believed to be smaller."""


def above(hits: Floats, expected: Floats, shape: Floats) -> Floats:
    """-log10 of the chance of so many hits or more; arrays of one length, `shape` the r of the module's docstring."""
    from scipy import special  # noqa: PLC0415 - costs a third of a second

    chance = special.betainc(np.maximum(hits, 1e-9), shape, expected / (expected + shape))
    found: Floats = np.where(hits > 0, -np.log10(np.maximum(chance, 1e-300)), 0.0)
    return found


def below(hits: Floats, expected: Floats, shape: Floats) -> Floats:
    """-log10 of the chance of so many hits or fewer."""
    from scipy import special  # noqa: PLC0415 - as above

    chance = special.betainc(shape, hits + 1, shape / (expected + shape))
    found: Floats = -np.log10(np.maximum(chance, 1e-300))
    return found


def summed(at: Ints, values: Floats, places: int) -> Floats:
    """The sum of the values at each place (numbers from 0)."""
    found: Floats = np.bincount(at, values, places).astype(float)
    return found


def faded(minutes: float) -> float:
    """What is left of a weight after so many minutes."""
    return float(0.5 ** (minutes / HALF_LIFE))


class Rates:
    """The base rate of each series: hits of trials, drawn towards its pool's rate, and that towards the rate of all."""

    def __init__(self) -> None:
        self.hits, self.of = np.zeros(0), np.zeros(0)
        self.pool: Ints = np.zeros(0, np.int64)
        self._rate: Floats | None = None

    def grow(self, pools: Ints) -> None:
        """The pool of each series (numbers from 0); those that exist keep theirs."""
        more = np.zeros(len(pools) - len(self.hits))
        if len(more):
            self.hits, self.of, self.pool = np.append(self.hits, more), np.append(self.of, more), pools
            self._rate = None

    @property
    def known(self) -> bool:
        """Whether anything was learned yet."""
        return bool(self.of.any())

    def learn(self, hits: Floats, of: Floats, left: float) -> None:
        """Fade what is known to the part `left`, and add hits and trials (a value a series)."""
        self.hits, self.of = self.hits * left + hits, self.of * left + of
        self._rate = None

    def rate(self) -> Floats:
        """By series."""
        if self._rate is None:
            whole = (self.hits.sum() + 0.5) / (self.of.sum() + 50.0)
            pools = int(self.pool.max(initial=-1)) + 1
            pool = _drawn(summed(self.pool, self.hits, pools), summed(self.pool, self.of, pools), np.full(pools, whole))
            self._rate = np.clip(_drawn(self.hits, self.of, pool[self.pool]), LEAST, 1.0)
        return self._rate


def _drawn(hits: Floats, of: Floats, towards: Floats) -> Floats:
    found: Floats = (PRIOR + hits) / (PRIOR / np.maximum(towards, LEAST) + of)
    return found


class Stray:
    """How far counts stray from what was expected beyond Poisson's chance: 1/r, pooled over a family of series.

    The moments' estimate over blocks of time, each weighted by how much it can tell, each surprise cut to `CUT` deviations: an
    incident that slipped through must not make the family blind.
    """

    CUT = 4.0
    LEAST = 0.005
    BLOCKS = 10
    """Blocks' worth of belief in the start."""

    def __init__(self, start: float = 0.1) -> None:
        self._weight = self.BLOCKS / start**2
        self._part = start * self._weight

    @property
    def part(self) -> float:
        """1/r."""
        return max(self._part / self._weight, self.LEAST)

    def learn(self, seen: Floats, expected: Floats, left: float) -> None:
        """A block's counts and what was expected of them (a value a series)."""
        told = expected > 2  # noqa: PLR2004 - smaller counts say nothing of it
        seen, expected = seen[told], expected[told]
        reach = self.CUT * np.sqrt(expected + expected**2 * self.part)
        off = np.clip(seen - expected, -reach, reach)
        weight = 1 / (self.part + 1 / expected) ** 2
        self._part = self._part * left + float((weight * (off**2 - expected) / expected**2).sum())
        self._weight = self._weight * left + float(weight.sum())
