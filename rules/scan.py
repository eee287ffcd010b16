"""Windows of many lengths looked back over at once: where hits have piled up beyond what was expected of them.

The scan statistic of the field (Glaz, Naus and Wallenstein, Scan Statistics, 2001), with the tail exact and the base rate each
series' own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from detectors.counts import LEAST, above, below
from rules import Bools, Floats, Ints
from rules.levels import STEP

REACH = 120
"""Minutes that are looked back."""
LENGTHS = (3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60, 90, REACH)
NEAR = 15
"""The longest window that is called short."""
HALF = 0.4
"""Part of two minutes' rows that a blip hits at most: half of them, were it total, a minute long, and across both."""
RECENT = (3, 5, 10, 15, 30, 60)
"""Windows of which none may say that it is over."""
BLIP, BURST = 1.75, 3.0
"""What is left without the two worst minutes in a row must be this unlikely (-log10): else it may be a blip of one minute, which is
what may hide in a window of up to FEW minutes; or a burst of errors, of which there are more in the course of hours."""
FEW = 6
NEWEST = ((2, 0.3), (3, 0.18), (4, 0.1))
"""The newest half, third and quarter of a window must have at least this part of its excess: what ended is not found again later."""
ODD = 0.5
"""How much less likely (-log10) an everyday minute must have so many hits than one in the midst of which it begins."""
OVER = 2.5
"""It is over where hits as few as the newest ones are this unlikely at the rate of the whole window."""


@dataclass(frozen=True, slots=True)
class Entries:
    """Counts by place and minute, sorted by both: hits, what was expected of them, and of how many."""

    place: Ints
    minute: Ints
    hits: Floats
    expected: Floats
    of: Floats

    def only(self, kept: Bools | Ints) -> Entries:
        """Some of them, or all in another order."""
        return Entries(self.place[kept], self.minute[kept], self.hits[kept], self.expected[kept], self.of[kept])

    def and_(self, later: Entries) -> Entries:
        """Both together."""
        pairs = zip(
            (self.place, self.minute, self.hits, self.expected, self.of),
            (later.place, later.minute, later.hits, later.expected, later.of), strict=True,
        )  # fmt: skip
        both = Entries(*(np.concatenate(pair) for pair in pairs))
        return both.only(np.argsort(both.place * STEP + both.minute, kind="stable"))

    def since(self, minute: int) -> Entries:
        """Those from that minute on."""
        return self.only(self.minute >= minute)


NOTHING = Entries(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Found:
    """What a scan says of each place and minute that was asked for; arrays as long as the questions.

    tail: of the most unlikely window (-log10), near: of the most unlikely short one, rate: hits of trials in the former; start: the minute
    with which it most likely began, not long before the latter if it tells enough: what ended an hour ago is not the onset of what began
    now; lasting: more than a blip, and still going on.
    """

    tail: Floats
    near: Floats
    start: Ints
    rate: Floats
    lasting: Bools


def scan(
    entries: Entries, asked: Ints, shape: Floats, *, least: float, change: float, ratio: float, tail: float
) -> Found:
    """Look back from the entries `asked` (positions). shape: the r of each place.

    least, change, ratio: what matters at all: hits in a window, their share of it over the expected, and as a multiple of it.
    tail: from where on it is looked into whether it lasts.
    """
    # Hits are never taken back: where the longest window has too few of them, none matters.
    key, hits = entries.place * STEP + entries.minute, np.append(0.0, np.cumsum(entries.hits))
    some = np.flatnonzero(hits[asked + 1] - hits[np.searchsorted(key, key[asked] - REACH + 1)] >= least)
    found = _looked(entries, asked[some], shape, least=least, change=change, ratio=ratio, tail=tail)
    tails, start, lasting = np.zeros((3, len(asked))), entries.minute[asked].copy(), np.zeros(len(asked), bool)
    tails[:, some], start[some], lasting[some] = (found.tail, found.near, found.rate), found.start, found.lasting
    return Found(tails[0], tails[1], start, tails[2], lasting)


def _looked(
    entries: Entries, asked: Ints, shape: Floats, *, least: float, change: float, ratio: float, tail: float
) -> Found:
    """As `scan`, window by window."""
    key = entries.place * STEP + entries.minute
    sums = [np.append(0.0, np.cumsum(column)) for column in (entries.hits, entries.expected, entries.of)]
    r = shape[entries.place[asked]]

    def window(length: int, of: Ints = asked) -> tuple[Ints, Floats, Floats, Floats]:
        first = np.searchsorted(key, key[of] - length + 1)
        hits, expected, trials = (column[of + 1] - column[first] for column in sums)
        return first, hits, np.maximum(expected, 1e-9), trials

    best, near, rate = np.zeros((3, len(asked)))
    start = entries.minute[asked]
    long = np.full(len(asked), NEAR)
    beyond: dict[int, Bools] = {}
    for length in LENGTHS:
        _, hits, expected, of = window(length)
        worth = np.flatnonzero((hits >= least) & (hits >= ratio * expected) & (hits - expected >= change * of))
        if not len(worth):
            continue
        found = np.zeros(len(asked))
        found[worth] = above(hits[worth], expected[worth], r[worth])
        beyond[length] = found > tail
        better = found > best
        if length <= NEAR:
            near = np.maximum(near, found)
        best, long = np.where(better, found, best), np.where(better, length, long)
        rate = np.where(better, hits / np.maximum(of, 1), rate)
    lasting = np.zeros(len(asked), bool)
    worst = np.flatnonzero(best > tail)
    if not len(worst):
        return Found(best, near, start, rate, lasting)
    start[worst] = _starts(entries, asked[worst], r[worst], np.where(near > tail, NEAR, long)[worst])
    recent = {length: window(length, asked[worst]) for length in RECENT}
    for length, wide in beyond.items():
        now = np.flatnonzero(wide[worst])
        _, hits, _, of = window(length, asked[worst[now]])
        for short, (_, h, _, n) in recent.items():
            if short < length * 3 / 4 and len(now):
                over = below(h[now], hits / of * n[now], np.full(len(now), 100.0)) > OVER
                now, hits, of = now[~over], hits[~over], of[~over]
        _, hits, expected, _ = window(length, asked[worst[now]])
        for part, least_part in NEWEST:
            _, h, e, _ = window(-(-length // part), asked[worst[now]])
            kept = h - e >= least_part * (hits - expected)
            now, hits, expected = now[kept], hits[kept], expected[kept]
        beyond[length] = np.isin(np.arange(len(asked)), worst[now])
    lasting[worst] = _lasting(entries, asked[worst], r[worst], {length: wide[worst] for length, wide in beyond.items()})
    return Found(best, near, start, rate, lasting)


def _starts(entries: Entries, asked: Ints, r: Floats, wide: Ints) -> Ints:
    """The minute with which it most likely began that shows in a window so many minutes long: less far back than the next longer one."""
    start = entries.minute[asked]
    for length, longer in pairwise((*LENGTHS, REACH)):
        at = np.flatnonzero(wide == length)
        start[at] = entries.minute[begun(entries, asked[at], r[at], longer)]
    return start


def begun(entries: Entries, asked: Ints, r: Floats, reach: int) -> Ints:
    """The entry with which it most likely began, of the last `reach` minutes before each entry `asked`. r: of each of them.

    The change point of greatest likelihood (Hinkley, Inference about the change-point in a sequence of random variables, 1970): what
    each minute was expected to have before it, one rate of its own from it on. What stands before it and is too much for an everyday
    minute belongs to it: it began in the midst of a minute, or slowly.
    """
    key = entries.place * STEP + entries.minute
    step = np.arange(min(reach, len(key)))
    back = asked[:, None] - step
    there = back >= np.searchsorted(key, key[asked] - reach + 1)[:, None]
    hits, expected, of = (np.where(there, a[back], 0) for a in (entries.hits, entries.expected, entries.of))
    usual = np.clip(expected / np.maximum(of, 1), LEAST, 1 - LEAST)
    plain = (hits * np.log(usual) + (of - hits) * np.log1p(-usual)).cumsum(axis=1)
    had, among = hits.cumsum(axis=1), of.cumsum(axis=1)
    rate = np.clip(had / np.maximum(among, 1), LEAST, 1 - LEAST)
    found = had * np.log(rate) + (among - had) * np.log1p(-rate) - plain
    first = np.where(hits > 0, found, -np.inf).argmax(axis=1)
    # Of a minute in the midst of which it begins, any number of hits is as likely as another: it must be less so every day.
    odd = step <= first[:, None]
    row, at = np.nonzero((hits > 0) & ~odd)
    odd[row, at] = above(hits[row, at], np.maximum(expected[row, at], 1e-9), r[row]) > ODD + np.log10(1 + of[row, at])
    first = np.where(odd.all(axis=1), len(step), odd.argmin(axis=1)) - 1
    return np.asarray(asked - first)


def _lasting(entries: Entries, asked: Ints, r: Floats, beyond: dict[int, Bools]) -> Bools:
    """Whether some window that is beyond chance is more than a blip of a minute can make.

    It would be unlikely also without its two worst minutes in a row, or in two of them more were hits than a minute's length reaches.
    """
    from scipy import special  # noqa: PLC0415 - costs a third of a second

    places, row = np.unique(entries.place[asked], return_inverse=True)
    begin = int(entries.minute[asked].min()) - REACH
    width = int(entries.minute[asked].max()) - begin + 1
    near = np.flatnonzero(np.isin(entries.place, places) & (entries.minute >= begin) & (entries.minute < begin + width))
    at = (np.searchsorted(places, entries.place[near]), entries.minute[near] - begin)
    hits, expected, trials = np.zeros((3, len(places), width))
    hits[at], expected[at], trials[at] = entries.hits[near], entries.expected[near], entries.of[near]
    now = entries.minute[asked] - begin
    both, all_ = (column + np.pad(column, ((0, 0), (1, 0)))[:, :-1] for column in (hits, trials))
    whole = (both > 1) & (special.bdtrc(np.maximum(both - 1, 0), all_.astype(np.int64), HALF) < 10.0**-BLIP)
    total = [np.pad(column.cumsum(axis=1), ((0, 0), (1, 0))) for column in (hits, expected)]
    more = np.zeros(len(asked), bool)
    for length, wide in beyond.items():
        if wide.any():
            first = np.maximum(now - length + 1, 0)
            h, e = (column[row, now + 1] - column[row, first] for column in total)
            # Of a window of n minutes the pairs are n - 1: from its second minute to its last.
            pairs = np.lib.stride_tricks.sliding_window_view(both, length - 1, axis=1)
            rest = h - pairs[row, np.maximum(now - length + 2, 0)].max(axis=1)
            longer = np.lib.stride_tricks.sliding_window_view(whole, length - 1, axis=1)
            more |= wide & longer[row, np.maximum(now - length + 2, 0)].any(axis=1)
            more |= wide & (
                above(np.maximum(rest, 0), np.maximum(e * (1 - 2 / length), 1e-9), r)
                > (BLIP if length <= FEW else BURST)
            )
    return more
