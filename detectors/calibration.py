"""From a residual to a chance: how rare such a residual is in the series' own past, whatever the shape of its noise.

A residual in scales, z, falls into one of 30 log-spaced bins on its side of zero. From the counts a survival function S is built edge
by edge: each step is the share of what reached the last edge that reached this one too, drawn by `PRIOR` readings' worth towards what a
smooth tail would have. That tail is normal in the middle and exponential beyond 2.4 scales (Huber's least favourable law, 1964), there as
much steeper or flatter as the series' own was between what 80 and what 20 readings reached. So a young series is judged by that law, an
old one by itself, and what has never been seen by how its tail was falling. (Survival as a product of conditional shares: Kaplan and
Meier 1958; shares with Beta priors along nested sets: Polya trees, Lavine 1992; exponential excesses beyond a high level: Pickands 1975.)

Readings beyond a chance of 1 in 2,000 on a side that follow one another count once (runs declustering: Coles, An Introduction to
Statistical Modeling of Extreme Values, 2001, 5.3.2): an incident that was learned is one rare thing, however long it was. All is halved
every `HALVING` readings, so nothing is held against a series for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import erfc, exp, log, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from detectors import Bools, Floats, Scores
from detectors.tail import FARTHEST, Direction

STEP = 4
"""Edges to a doubling."""
EDGES = (0.0, *(0.25 * 2 ** (k / STEP) for k in range(29)))
"""Lower edges of the bins, in scales; the last bin is open."""
BINS = len(EDGES)
PRIOR = 3.0
"""Readings' worth of belief in the smooth tail, at every edge."""
JOINT = 14
"""The edge, 2.4 scales, from which on the smooth tail is exponential."""
HAZARD = sqrt(2 / pi) * exp(-(EDGES[JOINT] ** 2) / 2) / erfc(EDGES[JOINT] / sqrt(2))
"""How steeply it falls there, a scale; the start of a series' own."""
STEEP = 10.0
"""Readings' worth of belief in that start."""
FLATTEST, STEEPEST = 0.2, 2.0
"""Times that."""
KNOWN, OFTEN = 20.0, 80.0
"""Readings beyond an edge from which on its share is known well; and four times as many."""
TAIL = 0.2
"""The part of all readings beyond which a slope is one of the middle, and says nothing of the tail."""
BAND, FAR = 0.005, 0.0005
"""Chances on one side: of the 99 % band, and of a reading that is rare."""
HALVING = 8192
REFRESH = 64
"""Readings between two looks at a side's counts; the two sides take turns."""
CHUNK = 8192
"""Series looked at together."""


def _smooth(z: float) -> float:
    joint = EDGES[JOINT]
    return erfc(min(z, joint) / sqrt(2)) * exp(-HAZARD * max(z - joint, 0.0))


SMOOTH = (1.0, *(_smooth(b) / _smooth(a) for a, b in pairwise(EDGES)))
"""Share of what reached the edge before that reaches each edge, by the smooth tail."""
WIDTHS = tuple(b - a for a, b in pairwise(EDGES))
LOG_SMOOTH = tuple(log(_smooth(edge)) for edge in EDGES)
_EDGES, _WIDTHS, _LOG_SMOOTH = np.array(EDGES), np.array([*WIDTHS, 1.0]), np.array(LOG_SMOOTH)


class Calibration:
    """The survival functions of many series, two sides each: 0.8 KiB a series.

    hist: readings by (side, bin, series), side 0 up and 1 down. table: S at each edge as last looked at; hazard: how it
    goes on beyond the last edge; band, far: the residuals of those chances.
    """

    NAMES = ("hist", "table", "rest", "seen", "run")
    """What its state is made of."""

    def __init__(self) -> None:
        self.hist = np.zeros((2, BINS, 0), np.float32)
        self.table = np.zeros((2, BINS, 0))
        self.rest = np.zeros((2, 3, 0))  # hazard, band, far
        self.seen = np.zeros(0, np.int64)
        self.run = np.zeros(0, np.int8)  # the last reading was far: 1 up, -1 down

    def grow(self, series: int) -> None:
        """Make room for `series` series in all."""
        more = series - len(self.seen)
        if not more:
            return
        start, rest = (np.array(column)[:, None] for column in START)
        self.hist = np.pad(self.hist, ((0, 0), (0, 0), (0, more)))
        self.table = np.concatenate([self.table, np.broadcast_to(start, (2, BINS, 1)).repeat(more, 2)], axis=2)
        self.rest = np.concatenate([self.rest, np.broadcast_to(rest, (2, 3, 1)).repeat(more, 2)], axis=2)
        self.seen, self.run = np.pad(self.seen, (0, more)), np.pad(self.run, (0, more))

    def judge(self, x: Floats, expected: Floats, scale: Floats, direction: Direction) -> Scores:
        """Scores of readings against forecasts; NaN in any of the three gives NaN. Changes nothing."""
        z = np.minimum(np.maximum((x - expected) / scale, -FARTHEST), FARTHEST)
        size, down = np.abs(z), z < 0
        unknown = np.isnan(z)
        missing = np.count_nonzero(unknown) > 0
        log_s = self._log_survival(np.where(unknown, 0.0, size) if missing else size, down.astype(np.intp))
        if direction == "both":
            log_p = np.minimum(log_s + log(2), 0.0)
        else:
            beyond = down == (direction == "down")
            log_p = np.where(beyond, log_s, np.log1p(-np.exp(np.minimum(log_s, -1e-9))))
        # What is exactly due is not unusual on any side, however often it comes.
        log_p, due = np.where(z == 0, 0.0, log_p), expected
        if missing:
            log_p, due = np.where(unknown, np.nan, log_p), np.where(unknown, np.nan, expected)
        lower, upper = due - self.rest[1, 1] * scale, due + self.rest[0, 1] * scale
        return Scores(score=0.0 - np.expm1(log_p), tail=(0.0 - log_p) / log(10), expected=due, lower=lower, upper=upper)

    def _log_survival(self, size: Floats, side: np.ndarray) -> Floats:
        many = len(size)
        at, every = _EDGES.searchsorted(size, "right") - 1, np.arange(many)
        last = at == BINS - 1
        here = (side * BINS + at) * many + every
        table = self.table.reshape(-1)
        low, high = np.log(table.take(here)), np.log(table.take(here + many * ~last))
        into = size - _EDGES.take(at)
        found: Floats = low + into / _WIDTHS.take(at) * (high - low)
        return np.where(last, low - self.rest[side, 0, every] * into, found) if np.count_nonzero(last) else found

    def learn(self, z: Floats, take: Bools) -> None:
        """Count the residuals where `take` is true, which it may only be where they are numbers."""
        size, side, every = np.abs(z), (z < 0).astype(np.intp), np.arange(len(z))
        sign = np.sign(z).astype(np.int8)
        far = size > self.rest.reshape(-1).take((side * 3 + 2) * len(z) + every)
        counted = take & ~(far & (self.run == sign))
        self.run = np.where(take, np.where(far, sign, 0), self.run).astype(np.int8)
        at = _EDGES.searchsorted(size, "right") - 1
        even = counted & (z == 0)
        self.hist[side, at, every] += np.where(even, 0.5, counted)
        if np.count_nonzero(even):
            self.hist[1, 0] += 0.5 * even
        self.seen = self.seen + take
        self._refresh(take)

    def _refresh(self, take: Bools) -> None:
        """Look at the counts of those whose turn it is."""
        turn = self.seen % REFRESH
        for side, due in ((0, take & (turn == 0)), (1, take & (turn == REFRESH // 2))):
            if not np.count_nonzero(due):
                continue
            for some in _chunks(due):
                total = self.hist[:, :, some].sum(axis=(0, 1), dtype=np.float64)
                self.table[side][:, some], self.rest[side][:, some] = fit(self.hist[side][:, some], total)
        if np.count_nonzero(old := take & (self.seen % HALVING == 0)):
            self.hist *= np.where(old, np.float32(0.5), np.float32(1.0))


def _chunks(due: Bools) -> Iterator[slice | NDArray[np.intp]]:
    """The series that are due, as many at a time as the processor's cache holds."""
    if due.all():
        yield from (slice(first, first + CHUNK) for first in range(0, len(due), CHUNK))
    else:
        some = np.flatnonzero(due)
        yield from (some[first : first + CHUNK] for first in range(0, len(some), CHUNK))


def residuals(x: Floats, expected: Floats, scale: Floats, take: Bools) -> Floats:
    """In scales; 0 where `take` is false."""
    return np.where(take, np.minimum(np.maximum((x - expected) / scale, -FARTHEST), FARTHEST), 0.0)


def fit(hist: np.ndarray, total: Floats) -> tuple[Floats, Floats]:
    """From a side's counts (bins, series) and the readings of both sides: S at each edge, and hazard, band and far."""
    reached = hist.astype(np.float64)
    for k in range(BINS - 2, -1, -1):
        reached[k] += reached[k + 1]
    known = np.maximum((reached >= KNOWN).sum(axis=0) - 1, 0)
    often = np.maximum((reached >= OFTEN).sum(axis=0) - 1, 0)
    every = np.arange(len(total))
    beyond, before = reached[known, every], reached[often, every]
    apart = _LOG_SMOOTH[often] - _LOG_SMOOTH[known]
    fall = (np.log(np.maximum(before, 1.0)) - np.log(np.maximum(beyond, 1.0))) / np.where(apart > 0, apart, 1.0)
    weight = np.where((apart > 0) & (before <= TAIL * total), beyond, 0.0)
    times = (weight * np.minimum(np.maximum(fall, FLATTEST), STEEPEST) + STEEP) / (weight + STEEP)
    hazard = HAZARD * times
    table = np.empty(reached.shape)
    table[0] = (reached[0] + PRIOR / 2) / (total + PRIOR)
    falls: dict[int, Floats] = {}
    for k in range(1, BINS):
        smooth: Floats | float = SMOOTH[k]
        if k > JOINT:  # each edge is twice as far from the next as the one STEP edges before
            half = falls.get(k - STEP)
            smooth = falls[k] = np.exp(-hazard * WIDTHS[k - 1]) if half is None else half * half
        table[k] = table[k - 1] * (reached[k] + PRIOR * smooth) / (reached[k - 1] + PRIOR)
    return table, np.stack([hazard, _where(table, hazard, BAND), _where(table, hazard, FAR)])


def _where(table: Floats, hazard: Floats, chance: float) -> Floats:
    """The residual of that chance."""
    at = np.maximum((table > chance).sum(axis=0) - 1, 0)
    every = np.arange(table.shape[1])
    low = table[at, every]
    high = table[np.minimum(at + 1, BINS - 1), every]
    slope = np.where(at < BINS - 1, np.log(low / high) / _WIDTHS[at], hazard)
    found: Floats = np.maximum(_EDGES[at] + np.log(np.maximum(low / chance, 1.0)) / slope, 0.0)
    return found


START = tuple(tuple(column[:, 0].tolist()) for column in fit(np.zeros((BINS, 1)), np.zeros(1)))
"""The table, and hazard, band and far, of a series that has learned nothing."""
