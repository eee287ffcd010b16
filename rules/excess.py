"""`excess`: more hits among a scope's transactions than their own past explains, by exact counts however few there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np

from detectors.counts import Rates, Stray, faded, summed
from rules import (
    BINS,
    COUNTS,
    DIMENSIONS,
    Bools,
    Floats,
    Frame,
    Ints,
    Scope,
    Spec,
    Verdict,
    Verdicts,
    View,
    ways_of,
)
from rules.levels import Dims, Level, Places, level, projected
from rules.scan import NOTHING, REACH, Entries, scan

MEASURED = (*(name for name in COUNTS if name not in ("total", "ok")), "novel", "duplicated", "slow")
LEVELS: tuple[Dims, ...] = (("product", "channel"), ("channel",), ("product",), ("product", "client_id"))
PAIR = ("product", "channel")
HOUR, DAY = 60, 1440
LEARN = 6 * HOUR
"""Minutes after which what came is learned, from the clock; each hour of the first day."""
KNOWN = 2
"""Lessons before anything is said: rates from the first, how they stray from the second."""
SLOW = 0.1
"""Slow is what at most this part of a pair's rows reached before."""
ENOUGH = 200
"""Rows of a pair before anything of it is called slow."""
CROWD = 5.0
"""Windows of many lengths are about as many chances as this many of one."""
LOOKS = 1000.0
"""Looks a day at a level until they were counted."""
SEVERAL = 2
"""Pairs from which a whole channel or product is a place of its own."""


class Excess:
    """In breach where some window of the last two hours has more hits than chance allows, more than a minute's blip, and it goes on.

    measure: a class of rows (failed, rejected, reversed, pending, other), `slow` (the slowest tenth of before), `novel` (an error code
    that is none of everyday) or `duplicated`. levels: at which scopes it is judged, each a list of dimensions; all of them from
    the same rows, so what is expected of a channel knows which clients and products are busy. budget: false alarms a
    week, over every scope of every level, if the past were repeated: the tail asked for grows with the number of looks taken.
    min_hits, min_change, min_ratio: what matters: hits in a window; their share of it above the expected; the same as a
    multiple. freeze: for how long what is in breach is not learned.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        measure: str,
        levels: list[list[str]] | None = None,
        budget: float = 0.05,
        min_hits: int = 4,
        min_change: float = 0.02,
        min_ratio: float = 2.0,
        freeze: timedelta = timedelta(hours=24),
    ) -> None:
        if measure not in MEASURED:
            raise ValueError(f"measure: knows no {measure!r}; there are {', '.join(MEASURED)}")
        chosen = tuple(tuple(name for name in DIMENSIONS if name in by) for by in levels) if levels else LEVELS
        if wrong := [name for by in levels or () for name in by if name not in DIMENSIONS[:3]]:
            raise ValueError(f"levels: knows no {wrong[0]!r}; there are {', '.join(DIMENSIONS[:3])}")
        if budget <= 0:
            raise ValueError(f"budget: must be above 0, not {budget}")
        bins = measure == "slow"
        self.measure, self.shown = measure, f"{measure}_rate"  # what it says is hits of trials
        self.levels = tuple(by for by in chosen if not bins or "client_id" not in by)
        by = tuple(n for n in DIMENSIONS[:3] if n in PAIR or (n == "client_id" and not bins))
        self.spec = replace(spec, grain=replace(spec.grain, by=by, everyone=True, heard=True))
        self.measures = frozenset({"total", *(BINS if bins else (measure,))})
        self.expressions: tuple[str, ...] = ()
        self.ways = ways_of(frozenset({BINS[0] if bins else measure}))
        self.vouches = self.ways & {measure}
        self.hint = measure == "novel"
        self._matters: dict[str, float] = {"least": min_hits, "change": min_change, "ratio": min_ratio}
        self._series, self._pools = Places(), Places()
        self._pool_of: Ints = np.zeros(0, np.int64)
        self._rates = Rates()
        self._watches = [
            _Watch(by, budget / 7 / len(self.levels), int(freeze / timedelta(minutes=1))) for by in self.levels
        ]
        self._steps = _Steps() if bins else None
        self._first: int | None = None
        self._learned = 0  # until which minute
        self._lessons_had = 0
        self._kept: list[tuple[Ints, Floats, Floats, Ints, Ints]] = []

    def check(self, view: View) -> Verdicts:
        """Judge the span between two lessons at once, learn, and go on."""
        frame = view.frame(self)
        series = self._numbered(frame)
        # What is heard of a row that was counted before is a hit of none of its minute's rows.
        hit = frame.columns[self.measure] if not self._steps else sum(frame.columns[name] for name in BINS)
        of = np.where(view.maintained(frame), 0, np.maximum(frame.columns["total"], hit))
        if self._first is None and len(frame.minute):
            self._first = self._learned = int(frame.minute.min())
        said = [_Said(len(level(frame, by).place)) for by in self.levels]
        for start, end in self._lessons(frame.start, frame.end):
            rows = np.flatnonzero((frame.minute >= start) & (frame.minute < end) & (of > 0))
            pair = self._pool_of[series[rows]]
            if self._steps:
                hits, rate = self._steps.hits(frame, rows, pair), self._steps.rate()[pair]
            else:
                hits, rate = frame.columns[self.measure][rows], self._rates.rate()[series[rows]]
            counts = (hits, rate * of[rows], of[rows])
            known = self._lessons_had >= KNOWN
            places = [
                watch.judge(frame, rows, counts, start, end, note, known=known, **self._matters)
                for watch, note in zip(self._watches, said, strict=True)
            ]
            self._kept.append((series[rows], hits, of[rows], frame.minute[rows], np.stack(places)))
            if self._steps:
                self._steps.keep(frame, rows, pair)
            if self._due(end):
                self._learn(end)
        return self._told(frame, said)

    def _numbered(self, frame: Frame) -> Ints:
        """The number of each row's series; new ones are given a place."""
        numbers = self._series.of(frame.scopes)
        if len(self._series) > len(self._pool_of):
            pairs = tuple(projected(scope, PAIR) or Scope() for scope in self._series.scopes)
            self._pool_of = self._pools.of(pairs)
            self._rates.grow(self._pool_of)
            if self._steps:
                self._steps.grow(len(self._pools))
        return numbers[frame.series] if len(numbers) else frame.series

    def _lessons(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The span cut at each minute in which something is learned."""
        cuts = [m for m in range(start + 1, end) if m % HOUR == 0 and self._due(m)]
        yield from zip([start, *cuts], [*cuts, end], strict=True)

    def _due(self, minute: int) -> bool:
        """Whether there is a lesson at that minute."""
        if self._first is None or minute % HOUR:
            return False
        return minute % LEARN == 0 or minute - self._first <= DAY

    def _learn(self, end: int) -> None:
        """Take in what came since the last lesson."""
        series, hits, of, minute, places = (np.concatenate(column, axis=-1) for column in zip(*self._kept, strict=True))
        self._kept.clear()
        left = faded(end - self._learned)
        many = len(self._series)
        free = np.ones(len(series), bool)
        for watch, place in zip(self._watches, places, strict=True):
            free &= watch.free(place, minute)
        series, hits, of = series[free], hits[free], of[free]
        if self._steps:
            self._steps.learn(left, free)
        for watch in self._watches:
            watch.learn(end, left, known=self._lessons_had > 0)
        self._rates.learn(summed(series, hits, many), summed(series, of, many), left)
        self._learned = end
        self._lessons_had += 1

    def _told(self, frame: Frame, said: list[_Said]) -> Verdicts:
        """What was said of all the levels, one after the other."""
        levels = [level(frame, by) for by in self.levels]
        offsets = np.cumsum([0, *(len(one.scopes) for one in levels)])
        scopes = tuple(scope for one in levels for scope in one.scopes)
        place = np.concatenate([one.place + offset for one, offset in zip(levels, offsets[:-1], strict=True)])
        minute = np.concatenate([one.minute for one in levels])
        whole = replace(frame, scopes=scopes, series=place, minute=minute, columns={}, flags={}, made={})
        nothing = np.full(len(place), np.nan)
        expected, onset, score, value, verdict = (
            np.concatenate([getattr(note, name) for note in said]) for name in _Said.__slots__
        )
        return Verdicts(whole, verdict, value, expected, nothing, nothing, score, onset)


class _Said:
    """What was said of a level's entries."""

    __slots__ = ("expected", "onset", "score", "value", "verdict")

    def __init__(self, length: int) -> None:
        self.verdict = np.full(length, Verdict.UNKNOWN, np.int8)
        self.value, self.expected, self.score = np.full((3, length), np.nan)
        self.onset = np.zeros(length, np.int64)


class _Watch:
    """One level: its entries of the last two hours, how its counts stray, how many looks it takes, and what is frozen."""

    def __init__(self, by: Dims, budget: float, freeze: int) -> None:
        self.by, self._budget, self._freeze = by, budget, freeze
        self._places = Places()
        self._recent: Entries = NOTHING
        self._stray = Stray()
        self._hits, self._seen, self._expected = np.zeros((3, 0))
        self._pairs: dict[int, set[tuple[str, str]]] = {}
        self._looks, self._span, self._looked = LOOKS, float(DAY), 0
        self._frozen: dict[int, int] = {}
        self._bad: set[int] = set()
        self._marks: list[tuple[Ints, Ints, Ints]] = []
        self._since = 0
        self._told: Frame | None = None
        self._numbers: Ints = np.zeros(0, np.int64)

    @property
    def tail(self) -> float:
        """How unlikely it must be, for the budget to hold over all the looks of a day."""
        looks = max(self._looks / self._span * DAY, LOOKS / 10)
        return float(np.log10(looks * CROWD / self._budget))

    def judge(
        self, frame: Frame, rows: Ints, counts: tuple[Floats, Floats, Floats], start: int, end: int, note: _Said,
        *, known: bool, least: float, change: float, ratio: float,
    ) -> Ints:  # fmt: skip
        """Judge the minutes [start, end) of a frame by its rows' hits, expected and trials; the place of each row, or -1."""
        one = level(frame, self.by)
        number = self._grow(frame, one)
        inside = np.flatnonzero((one.minute >= start) & (one.minute < end))
        at = one.row[rows]
        kept = at >= 0
        hits, expected, of = (summed(at[kept], column[kept], len(one.place))[inside] for column in counts)
        some = of > 0
        inside, hits, expected, of = inside[some], hits[some], expected[some], of[some]
        fresh = Entries(number[one.place[inside]], one.minute[inside], hits, expected, of)
        entries = self._recent.and_(fresh)
        self._recent = entries.since(end - REACH)
        self._count(fresh)
        note.value[inside], note.expected[inside] = hits / of, expected / of
        places = np.where(kept, number[one.place[at]], -1) if len(number) else np.full(len(rows), -1)
        if not known:
            return places
        note.verdict[inside] = Verdict.HEALTHY
        shape = 1 / (1 / (3.0 + self._hits) + self._stray.part)
        asked = np.flatnonzero((entries.minute >= start) & (entries.hits > 0) & self._wide()[entries.place])
        self._looked += len(asked)
        tail = self.tail
        found = scan(entries, asked, shape, least=least, change=change, ratio=ratio, tail=tail)
        # Back to the frame's own entries, which are sorted by other numbers.
        order = np.argsort(fresh.place * (1 << 32) + fresh.minute, kind="stable")
        back = inside[order][np.cumsum(entries.minute >= start)[asked] - 1]
        note.score[back] = 1 - 10.0**-found.tail
        breach = (found.tail > tail) & found.lasting
        note.verdict[back[found.near > tail / 2]] = Verdict.UNKNOWN
        note.verdict[back[breach]] = Verdict.BREACH
        note.value[back[breach]] = found.rate[breach]
        note.onset[back] = found.start
        bad = asked[breach]
        self._marks.append((entries.place[bad], found.start[breach], entries.minute[bad]))
        self._bad |= set(entries.place[bad].tolist())
        return places

    def free(self, place: Ints, minute: Ints) -> Bools:
        """Which rows, of these places and minutes, may be learned: not those of a breach, unless it has been frozen for too long."""
        free = np.ones(len(place), bool)
        marks = [np.concatenate(column) for column in zip(*self._marks, strict=True)] if self._marks else []
        self._marks.clear()
        if not marks or not len(marks[0]) or not len(place):
            return free
        bad, begun, until = marks
        first, last = int(minute.min()), int(minute.max())
        places, at = np.unique(bad, return_inverse=True)
        mark = np.zeros((len(places), last - first + 2), np.int64)
        np.add.at(mark, (at, np.clip(begun - first, 0, last - first + 1)), 1)
        np.add.at(mark, (at, np.clip(until - first + 1, 0, last - first + 1)), -1)
        held = np.array([self._frozen.get(p, 0) < self._freeze for p in places.tolist()])
        marked = (mark.cumsum(axis=1) > 0) & held[:, None]
        which = np.full(len(self._places) + 1, -1, np.int64)  # the last one is the place of rows that have none
        which[places] = np.arange(len(places))
        mine = which[place]
        free[mine >= 0] = ~marked[mine[mine >= 0], minute[mine >= 0] - first]
        return free

    def _grow(self, frame: Frame, one: Level) -> Ints:
        """The numbers of a frame's scopes at this level; new ones are given a place."""
        if self._told is frame:
            return self._numbers
        self._told, self._numbers = frame, self._places.of(one.scopes)
        more = np.zeros(len(self._places) - len(self._hits))
        if len(more):
            self._hits, self._seen, self._expected = (
                np.append(a, more) for a in (self._hits, self._seen, self._expected)
            )
        if len(self.by) == 1:
            for place, pairs in zip(self._numbers.tolist(), one.pairs, strict=True):
                self._pairs.setdefault(place, set()).update(pairs)
        return self._numbers

    def _wide(self) -> Bools:
        """Which places are worth a look: one that holds a single pair is that pair."""
        out = np.ones(len(self._places), bool)
        if len(self.by) == 1:
            out[[p for p in range(len(out)) if len(self._pairs.get(p, ())) < SEVERAL]] = False
        return out

    def _count(self, fresh: Entries) -> None:
        """Add to what came since the last lesson."""
        many = len(self._places)
        self._seen = self._seen + summed(fresh.place, fresh.hits, many)
        self._expected = self._expected + summed(fresh.place, fresh.expected, many)

    def learn(self, end: int, left: float, *, known: bool) -> None:
        """Take in how the counts strayed and how many looks were taken since the last lesson."""
        span = end - self._since if self._since else HOUR
        calm = np.ones(len(self._places), bool)
        calm[list(self._bad)] = False
        if known:
            self._stray.learn(self._seen[calm], self._expected[calm], left)
            self._looks, self._span = self._looks * left + self._looked, self._span * left + span
        self._hits = self._hits * left + np.where(calm, self._seen, np.minimum(self._seen, self._expected))
        self._frozen = {p: self._frozen.get(p, 0) + span for p in self._bad}
        self._seen, self._expected = np.zeros((2, len(self._places)))
        self._looked, self._since = 0, end
        self._bad.clear()


class _Steps:
    """Which latency steps are slow on each pair, and how often they are reached, from how its rows were spread before."""

    def __init__(self) -> None:
        self._counts = np.zeros((0, len(BINS)))
        self._kept: list[tuple[Ints, Floats]] = []
        self._from: Ints = np.zeros(0, np.int64)
        self._share = np.zeros(0)

    def grow(self, pairs: int) -> None:
        """So many pairs there are now."""
        more = pairs - len(self._from)
        self._counts = np.pad(self._counts, ((0, more), (0, 0)))
        self._from = np.append(self._from, np.full(more, len(BINS)))
        self._share = np.append(self._share, np.zeros(more))

    def hits(self, frame: Frame, rows: Ints, pair: Ints) -> Floats:
        """The slow rows of these rows of the frame, whose pairs have these numbers."""
        return np.asarray(
            np.where(np.arange(len(BINS)) >= self._from[pair][:, None], _bins(frame, rows), 0).sum(axis=1)
        )

    def rate(self) -> Floats:
        """The share of slow rows, by pair."""
        return self._share

    def keep(self, frame: Frame, rows: Ints, pair: Ints) -> None:
        """Rows to be learned."""
        self._kept.append((pair, _bins(frame, rows)))

    def learn(self, left: float, free: Bools) -> None:
        """Fade what is known, add what was kept and may be learned, and draw the line anew."""
        self._counts *= left
        pair, bins = (np.concatenate(column) for column in zip(*self._kept, strict=True))
        np.add.at(self._counts, pair[free], bins[free])
        self._kept.clear()
        rows = self._counts.sum(axis=1)
        beyond = (self._counts[:, ::-1].cumsum(axis=1)[:, ::-1] + 1) / (rows + ENOUGH / 10)[:, None]
        told = (beyond <= SLOW).any(axis=1) & (rows >= ENOUGH)
        self._from = np.where(told, (beyond <= SLOW).argmax(axis=1), len(BINS))
        self._share = np.where(
            told, np.take_along_axis(beyond, (beyond <= SLOW).argmax(axis=1)[:, None], axis=1)[:, 0], 0.0
        )


def _bins(frame: Frame, rows: Ints) -> Floats:
    return np.stack([frame.columns[name][rows] for name in BINS], axis=1)
