"""`shortfall`: fewer clients sending than the same clock time of other days makes likely: a silence, or a drop of volume."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from detectors.counts import Stray, below, faded
from rules import DIMENSIONS, Bools, Floats, Ints, Spec, Verdict, Verdicts, View, Way
from rules.levels import Dims, Places, projected

PAIR = ("product", "channel")
LEVELS: tuple[Dims, ...] = (PAIR, ("channel",), ("product",))
QUARTER, QUARTERS, DAYS = 15, 96, 3
REACH = 120
LENGTHS = (3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60, 90, REACH)
FRESH = 5
"""Minutes in which it must still be short."""
BACK, LAST = 10, 2
"""Quarters that say how today compares with other days: so many, but not the last ones, in which it may just have begun."""
YOUNG = 0.25
"""How far an hour is from the one before it (1/r), where nothing else is known; a day from the next: a tenth of it."""
SURE = 2
"""Days after which a quarter speaks for itself."""
LOOKS = 3 * QUARTERS
"""Chances a day at one place: windows that overlap see the same."""
REST = 1.5
"""What is left without its two best-served minutes must be this unlikely (-log10)."""
STEADY = 20.0
"""Arrivals' worth of belief that today is as other days are."""


class Shortfall:
    """In breach where so few arrivals in some window of the last two hours are beyond chance, also without its two best-served minutes.

    What counts is `arrivals`: a client's rows of one minute are one, so that a batch which comes later than usual is no drop. Due is
    what the clock's quarters of such days have had, less where today is quieter as a whole, never more: after a payday
    nothing is missing. Where the quarter was never seen, due is what the last hour had, believed so far that only a silence can tell.
    share: what must be missing of what was due, at least. min_due: arrivals that must be due. budget: false alarms a week.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        levels: list[list[str]] | None = None,
        budget: float = 0.05,
        share: float = 0.4,
        min_due: int = 12,
        freeze: timedelta = timedelta(hours=6),
    ) -> None:
        chosen = tuple(tuple(name for name in DIMENSIONS if name in by) for by in levels) if levels else LEVELS
        if wrong := [name for by in levels or () for name in by if name not in PAIR]:
            raise ValueError(f"levels: knows no {wrong[0]!r}; there are {', '.join(PAIR)}")
        if budget <= 0:
            raise ValueError(f"budget: must be above 0, not {budget}")
        self.spec = replace(spec, grain=replace(spec.grain, by=PAIR))
        self.shown = "arrivals"
        self.measures = frozenset({"arrivals", "total"})
        self.expressions: tuple[str, ...] = ()
        self.ways: frozenset[Way] = frozenset({"missing"})
        self.vouches = self.ways
        self.levels = chosen
        self._budget, self._share, self._least = budget / 7, share, float(min_due)
        self._freeze = int(freeze / timedelta(minutes=1))
        self._pairs, self._places = Places(), Places()
        self._members = np.zeros((0, 0), bool)  # places x pairs
        self._profile = _Profile()
        self._recent = np.zeros((0, 0))  # REACH minutes x places: arrivals, NaN where not known
        self._due = np.zeros((0, 0))  # likewise: what was due
        self._shape = np.zeros((0, 0))
        self._frozen = np.zeros(0)
        self._met: Bools = np.zeros(0, bool)  # pairs that have been seen

    def check(self, view: View) -> Verdicts:
        """Walk the span by quarters of the clock."""
        frame = view.frame(self)
        pairs = self._pairs.of(frame.scopes)
        self._grow()
        seen = np.full((frame.end - frame.start, len(self._pairs)), np.nan)
        arrivals = np.where(view.maintained(frame), np.nan, frame.columns["arrivals"])
        seen[frame.minute - frame.start, pairs[frame.series] if len(pairs) else frame.series] = arrivals
        come, many = self._summed(seen)
        out = [np.full(come.shape, np.nan) for _ in range(3)]
        verdict = np.full(come.shape, Verdict.UNKNOWN, np.int8)
        onset = np.zeros(come.shape, np.int64)
        # A quarter of the clock on such a day: a Saturday is neither a business day nor a Sunday.
        slots = view.calendar.slots(frame.start, frame.end) % QUARTERS + QUARTERS * view.calendar.days(
            frame.start, frame.end
        )
        cuts = [m for m in range(frame.start + 1, frame.end) if m % QUARTER == 0]
        for start, end in zip([frame.start, *cuts], [*cuts, frame.end], strict=True):
            at = slice(start - frame.start, end - frame.start)
            self._quarter(start, int(slots[at][0]), come[at], many[at], verdict[at], onset[at], [a[at] for a in out])
            if end % QUARTER == 0:
                self._frozen = self._profile.learn(int(slots[at][0]), self._frozen, self._freeze)
        minute, place = np.nonzero(~np.isnan(come).T)[::-1]
        due, lower, score = (a[minute, place] for a in out)
        scopes, told = tuple(self._places.scopes), (minute, place)
        whole = replace(frame, scopes=scopes, series=place, minute=minute + frame.start, columns={}, flags={}, made={})
        nothing = np.full(len(place), np.nan)
        return Verdicts(whole, verdict[told], come[told], due, lower, nothing, score, onset[told])

    def _grow(self) -> None:
        """Give places to new pairs."""
        for pair in list(self._pairs.scopes)[self._members.shape[1] :]:
            for by in self.levels:
                if wide := projected(pair, by):
                    self._places.of((wide,))
        places = list(self._places.scopes)
        self._members = np.array(
            [[place.overlaps(pair) for pair in self._pairs.scopes] for place in places], bool
        ).reshape(len(places), len(self._pairs))
        more = ((0, 0), (0, len(places) - self._recent.shape[1]))
        self._recent = np.pad(self._recent, more, constant_values=np.nan)
        self._due, self._shape = np.pad(self._due, more), np.pad(self._shape, more, constant_values=1.0)
        self._frozen = np.pad(self._frozen, more[1])
        self._met = np.pad(self._met, (0, self._members.shape[1] - len(self._met)))
        self._profile.grow(len(places))

    def _summed(self, seen: Floats) -> tuple[Floats, Ints]:
        """By place, not known where a pair of it is not; and how many places were known before each minute."""
        known = ~np.isnan(seen)
        sums = np.where(known, seen, 0) @ self._members.T
        some = known.astype(float) @ self._members.T
        met = self._met | (np.cumsum(known, axis=0) > 0)
        before = np.vstack([self._met, met[:-1]]).astype(float)
        many = (before @ self._members.T > 0).sum(axis=1)
        self._met = met[-1]
        dark = (~known & met).astype(float) @ self._members.T
        return np.where((some > 0) & (dark == 0), sums, np.nan), many

    def _quarter(
        self, start: int, slot: int, come: Floats, many: Ints, verdict: NDArray[np.int8], onset: Ints, out: list[Floats]
    ) -> None:
        """Judge minutes of one quarter of the clock, from `start` on, with so many places; what is said is written into the last three."""
        due, shape = self._profile.due(slot)
        n = len(come)
        x = np.vstack([self._recent, come])
        e = np.vstack([self._due, np.tile(due, (n, 1))])
        r = np.vstack([self._shape, np.tile(shape, (n, 1))])
        e = np.where(np.isnan(x), 0, e)
        x = np.nan_to_num(x)
        keep = max(len(x) - REACH, 0)
        sums = [np.vstack([np.zeros(x.shape[1]), a.cumsum(axis=0)]) for a in (x, e, e / r)]
        now = np.arange(len(x) - n, len(x)) + 1
        best, best_rest, best_from = np.zeros(come.shape), np.zeros(come.shape), np.zeros(come.shape, np.int64)
        first = np.maximum(now - np.array(LENGTHS)[:, None], 0)
        had, was_due, weak = (a[now] - a[first] for a in sums)
        short = (was_due >= self._least) & (had <= (1 - self._share) * was_due)
        for i in np.flatnonzero(short.any(axis=(1, 2))).tolist():
            length = LENGTHS[i]
            t, p = np.nonzero(short[i])
            h, d = had[i, t, p], was_due[i, t, p]
            family = d / np.maximum(weak[i, t, p], 1e-9)
            tail = below(h, d, family)
            rest = below(h, d * (1 - 2 / length), family)
            better = tail > best[t, p]
            t, p, tail, rest = t[better], p[better], tail[better], rest[better]
            best[t, p], best_rest[t, p], best_from[t, p] = tail, rest, length
        recent = np.maximum(now - FRESH, 0)
        still = sums[0][now] - sums[0][recent] <= (1 - self._share) * (sums[1][now] - sums[1][recent])
        limit = np.log10(LOOKS * np.maximum(many, 1) / self._budget)[:, None]
        breach = (best > limit) & (best_rest > REST) & still & ~np.isnan(come)
        told = self._profile.told & ~np.isnan(come)
        verdict[told] = Verdict.HEALTHY
        verdict[told & ((best > limit / 2) | ((due < 1 / 30) & (come == 0)))] = Verdict.UNKNOWN
        verdict[breach] = Verdict.BREACH
        onset[:] = start + np.arange(n)[:, None] + 1 - best_from
        out[0][:], out[2][:] = due, 1 - 10.0**-best
        self._recent, self._due, self._shape = np.vstack([self._recent, come])[keep:], e[keep:], r[keep:]
        self._profile.keep(come, (breach | (best > limit / 2)).any(axis=0))


class _Profile:
    """Arrivals a minute by quarter of such days, and how today compares."""

    def __init__(self) -> None:
        self._sum, self._minutes = np.zeros((2, DAYS * QUARTERS, 0))
        self._passes = np.zeros((DAYS * QUARTERS, 0))
        self._kept: list[tuple[Floats, Bools]] = []
        self._lately = np.full((BACK, 2, 0), np.nan)  # quarters x (came, due by the profile) x places
        self._last = np.zeros((0,))
        self._stray = Stray(0.01)

    def grow(self, places: int) -> None:
        """So many places there are now."""
        more = places - self._sum.shape[1]
        self._sum, self._minutes, self._passes = (
            np.pad(a, ((0, 0), (0, more))) for a in (self._sum, self._minutes, self._passes)
        )
        self._lately = np.pad(self._lately, ((0, 0), (0, 0), (0, more)), constant_values=np.nan)
        self.told = np.ones(places, bool)

    def _usual(self, slot: int) -> tuple[Floats, Floats, Floats]:
        """Arrivals a minute, how many days say so, and how many arrivals."""
        day = slot - slot % QUARTERS
        around = [day + (slot + step) % QUARTERS for step in (-1, 0, 1)]
        weight = np.array([[0.5], [1.0], [0.5]])
        came, minutes = (weight * self._sum[around]).sum(axis=0), (weight * self._minutes[around]).sum(axis=0)
        smooth = came / np.maximum(minutes, 1e-9)
        # Where the day rises or falls steeply the quarters beside it promise too much.
        return (
            np.where(self._passes[slot] > 0, np.minimum(self._own(slot), smooth), smooth),
            self._passes[slot],
            came,
        )

    def _own(self, slot: int) -> Floats:
        """Arrivals a minute of this quarter alone."""
        found: Floats = self._sum[slot] / np.maximum(self._minutes[slot], 1e-9)
        return found

    def _today(self) -> Floats:
        """By place, how today compares with other days."""
        recent = np.nansum(self._lately[:-LAST], axis=0)
        found: Floats = np.clip((recent[0] + STEADY) / (recent[1] + STEADY), 0.2, 3.0)
        return found

    def due(self, slot: int) -> tuple[Floats, Floats]:
        """What is due a minute in this quarter, by place, and the shape r that says how far it is believed."""
        usual, days, came = self._usual(slot)
        today = np.minimum(self._today(), 1.0)
        known = days > 0
        quarters = (~np.isnan(self._lately[-4:, 0])).sum(axis=0)
        level = np.nansum(self._lately[-4:, 0], axis=0) / np.maximum(quarters, 1) / QUARTER
        self.told = known | (quarters >= 2)  # noqa: PLR2004 - half an hour
        due = np.where(known, usual * today, np.where(quarters >= 2, level * 0.7, 0.0))  # noqa: PLR2004
        part = np.where(known, self._stray.part + 0.1 * YOUNG / np.maximum(days, 1) + 1 / np.maximum(came, 1), YOUNG)
        return due, 1 / part

    def keep(self, come: Floats, bad: Bools) -> None:
        """Minutes to be learned, and in which places something may be missing."""
        self._kept.append((come, bad))

    def learn(self, slot: int, frozen: Floats, freeze: int) -> Floats:
        """The quarter is over: learn it where nothing was missing, or was for `freeze` minutes; how long each has been frozen.

        A quarter that is hardly known is learned in any case: what comes again at the same time of day is the season.
        """
        # Places that came in the middle of the quarter were not known before.
        width = self._sum.shape[1]
        come = np.vstack([np.pad(c, ((0, 0), (0, width - c.shape[1])), constant_values=np.nan) for c, _ in self._kept])
        bad = np.logical_or.reduce([np.pad(b, (0, width - len(b))) for _, b in self._kept])
        free = ~bad | (frozen >= freeze) | (self._passes[slot] < SURE)
        self._kept.clear()
        known = ~np.isnan(come)
        came, minutes = np.where(known, come, 0).sum(axis=0), known.sum(axis=0)
        usual, days, _ = self._usual(slot)
        sure = free & (days > 1) & (minutes > 0)
        # A busy day strays from other days, not from itself.
        self._stray.learn(came[sure], (usual * self._today() * minutes)[sure], faded(QUARTER))
        own = np.where(days >= SURE, self._own(slot), usual)
        lately = np.where(free & (minutes > 0), [came, own * minutes], np.nan)
        lately[1] = np.where(days > 0, lately[1], came)
        self._lately = np.concatenate([self._lately, lately[None]])[-BACK:]
        left = np.where(free & (minutes > 0), 0.9, 1.0)
        take = free & (minutes > 0)
        self._sum[slot] = self._sum[slot] * left + np.where(take, came, 0)
        self._minutes[slot] = self._minutes[slot] * left + np.where(take, minutes, 0)
        self._passes[slot] = self._passes[slot] * left + take
        if slot % QUARTERS == QUARTERS - 1:
            self._lately[:] = np.nan  # what today was like says nothing of tomorrow
        told = np.where(known & (come > 0), 1, 0).any(axis=0)
        return np.where(bad, frozen + QUARTER, np.where(told, np.maximum(frozen - QUARTER, 0), frozen))
