"""What a failure did: whom it touched beyond what their own base rate explains, and how soon that could be known at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import bdtrc, pdtr

from monitor.demo.bank import EPOCH, MINUTE, WAYS, Bank, Rows, milliseconds
from monitor.demo.batches import JITTER, MOST
from monitor.demo.draws import Floats, Ints
from monitor.demo.kinds import NAMED
from monitor.demo.profile import PENDING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.demo.failures import Failure

DOUBT = 0.05
"""Below this chance a client's base rate does not explain what went wrong."""
SLOW = 0.05
"""The share of a pair's ordinary rows that is above what is called slow."""
TWICE = 0.001
"""Rows that are executed twice without any failure: none is drawn, but nobody can be as sure."""
UPDATED = 0.015
"""Rows that are written as pending first, and soon again with what became of them."""
CERTAIN = 1e-6
LATENESS = 10_000
BLIP = 60_000
"""What lasts no longer may be a blip: the observer waits until there is more of it."""


@dataclass(frozen=True)
class Truth:
    """Clients by position, and how soon it could be known.

    `explained`: with rows that went this way, as their base rate may do; `struck`: the first struck row's time (ms from the
    epoch) and how many there were. `seconds`: the observer's delay by the length of its cells (seconds), None where it
    could not know in time.
    """

    failure: Failure
    affected: tuple[int, ...]
    explained: tuple[int, ...]
    struck: dict[int, tuple[int, int]]
    seconds: dict[int, float | None]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What lies in scope and time: by row its time, client, whether it went this way, and its chance to do so anyway."""

    at: Ints
    client: Ints
    hit: NDArray[np.bool_]
    chance: Floats


def truth(bank: Bank, failure: Failure, slow_from: Floats) -> Truth:
    """What it did. slow_from: milliseconds by pair that SLOW of the ordinary rows reach."""
    begin, end = milliseconds(failure.start), milliseconds(failure.end)
    cut = EPOCH + timedelta(milliseconds=begin // MINUTE * MINUTE)
    drawn = bank.rows(cut, EPOCH + timedelta(milliseconds=-(-end // MINUTE) * MINUTE))
    scope = failure.scope(bank.profile.pairs)
    there = scope[drawn.pair] & ((drawn.client == failure.client) if failure.client is not None else True)
    drawn = drawn.only(there)
    picked = drawn.only(failure.struck(drawn, bank.profile.pairs))
    who, first, times = np.unique(picked.client, return_index=True, return_counts=True)
    struck = {c: (int(picked.at[i]), int(n)) for c, i, n in zip(who.tolist(), first, times, strict=True)}
    after = replace(failure, settles=None).strike(drawn, bank.profile.pairs)
    count = len(bank.clients)
    if NAMED[failure.kind].way == "missing":
        due, came = (_by_client(rows, begin, end, count) for rows in (drawn, after))
        wrong = due > came
        touched = wrong & (pdtr(came, np.maximum(_due(bank, failure, begin, end), 1e-9)) < DOUBT)
        seconds = {w: _silence_seconds(bank, failure, after, w * 1000) for w in (60, 30, 15)}
    else:
        seen = _seen(bank, failure, drawn, after, slow_from)
        inside = (seen.at >= begin) & (seen.at < end)
        n, hits, chance = (
            np.bincount(seen.client[inside], weights=weight[inside], minlength=count)
            for weight in (np.ones(seen.at.size), seen.hit.astype(float), seen.chance)
        )
        wrong = hits >= 1
        rate = chance / np.maximum(n, 1)
        touched = wrong & (bdtrc(hits - 1, np.maximum(n, hits).astype(np.int64), rate) < DOUBT)
        seconds = {w: _seconds(failure, seen, w * 1000) for w in (60, 30, 15)}
    # Bad luck that no failure brought about is a client's ordinary life, however rare.
    touched = touched & np.isin(np.arange(count), who)
    # Whoever was only made to wait by it may be called affected or not: their transactions were slow, and ended well.
    waited = np.isin(np.arange(count), after.client[after.latency_ms > slow_from[after.pair]]) & (failure.slowdown > 1)
    affected, explained = np.flatnonzero(touched), np.flatnonzero((wrong | waited) & ~touched)
    return Truth(failure, tuple(affected.tolist()), tuple(explained.tolist()), struck, seconds)


def _by_client(rows: Rows, begin: int, end: int, count: int) -> Ints:
    inside = (rows.at >= begin) & (rows.at < end)
    found: Ints = np.bincount(rows.client[inside], minlength=count)
    return found


def _due(bank: Bank, failure: Failure, begin: int, end: int) -> Floats:
    """By client, the rows to be expected in scope and time (ms): by the bank's own volumes and shares, and the batches sent then."""
    edges = np.arange(begin // MINUTE, -(-end // MINUTE) + 1)
    minutes, pairs = edges[:-1], np.flatnonzero(failure.scope(bank.profile.pairs))
    part: Floats = np.diff(np.clip(edges * MINUTE, begin, end).astype(np.float64)) / MINUTE
    volume = (bank.volume(minutes)[:, pairs] * part[:, None]).ravel()
    units = bank.units(np.repeat(minutes, pairs.size), np.tile(pairs, minutes.size))
    found: Floats = volume @ bank.shares.reshape(-1, len(bank.clients))[units]
    for rows in bank.sent(begin, end):
        inside = np.isin(rows.pair, pairs) & (rows.at >= begin) & (rows.at < end)
        found += np.bincount(rows.client[inside], minlength=len(bank.clients))
    return found


def _seen(bank: Bank, failure: Failure, drawn: Rows, after: Rows, slow_from: Floats) -> _Seen:
    way = NAMED[failure.kind].way
    if way == "twice":
        return _Seen(after.at, after.client, ~np.isin(after.id, drawn.id), np.full(len(after), TWICE))
    if way == "slow":
        return _Seen(after.at, after.client, after.latency_ms > slow_from[after.pair], np.full(len(after), SLOW))
    risks = bank.risks(after.at // MINUTE, after.pair, after.client)[:, WAYS.index(failure.status or "")]
    return _Seen(
        after.at, after.client, after.status == failure.status, risks + (UPDATED if failure.status == PENDING else 0)
    )


def _cells(failure: Failure, width: int) -> tuple[int, int]:
    """Where the onset's cell begins (ms), and how many there are up to the end."""
    begin = milliseconds(failure.start) // width * width
    return begin, -(-(milliseconds(failure.end) - begin) // width)


def _known(failure: Failure, width: int, certain: NDArray[np.bool_], touched: NDArray[np.bool_]) -> float | None:
    """Seconds from the onset to the end of the first cell that leaves no doubt, and the lateness."""
    order = np.arange(touched.size)
    first = int(np.argmax(touched)) if touched.any() else touched.size
    last = np.maximum.accumulate(np.where(touched, order, -1))
    # Two cells that one blip cannot have touched both; by minutes: the third minute touched.
    lasting = (last - first - 1) * width >= BLIP if width < BLIP else np.cumsum(touched) > 2  # noqa: PLR2004
    known = certain & lasting
    if not known.any():
        return None
    begin, _ = _cells(failure, width)
    return (begin + (int(np.argmax(known)) + 1) * width + LATENESS - milliseconds(failure.start)) / 1000


def _seconds(failure: Failure, seen: _Seen, width: int) -> float | None:
    begin, count = _cells(failure, width)
    cell = (seen.at - begin) // width
    inside = (cell >= 0) & (cell < count)
    n, hits, chance = (
        np.bincount(cell[inside], weights=weight[inside], minlength=count)
        for weight in (np.ones(seen.at.size), seen.hit.astype(float), seen.chance)
    )
    total, wrong = np.cumsum(n), np.cumsum(hits)
    rate = np.cumsum(chance) / np.maximum(total, 1)
    tail = np.where(wrong > 0, bdtrc(wrong - 1, np.maximum(total, wrong).astype(np.int64), rate), 1.0)
    return _known(failure, width, tail < CERTAIN, hits > 0)


def _silence_seconds(bank: Bank, failure: Failure, after: Rows, width: int) -> float | None:
    begin, count = _cells(failure, width)
    minutes = (begin + (np.arange(count) + 0.5) * width).astype(np.int64) // MINUTE
    if failure.batch is None:
        due = bank.volume(minutes)[:, failure.scope(bank.profile.pairs)].sum(axis=1) * width / MINUTE
    else:
        batch = next(batch for batch in bank.batches if failure.batch % MOST == batch.number)
        # It is due at some time within its jitter: certainly missing only from the last such time on.
        since = (np.arange(count) + 1) * width / MINUTE - 2 * JITTER
        due = np.diff(batch.rows * np.clip(since / batch.minutes, 0, 1), prepend=0.0)
    cell = (after.at - begin) // width
    came = np.bincount(cell[(cell >= 0) & (cell < count)], minlength=count)
    tail = pdtr(np.cumsum(came), np.maximum(np.cumsum(due), 1e-9))
    # A batch is due within few minutes and stays away: it is no blip, however few cells it was due in.
    gone = came < due if failure.batch is None else np.cumsum(came) < np.cumsum(due)
    return _known(failure, width, tail < CERTAIN, gone)
