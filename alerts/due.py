"""What was due from each client since an incident began, and did not come.

Due is their part of what all clients send at the same clock minutes of the days before that were like it (business days, Saturdays,
or the others), each day of a long incident by itself, and what they sent then themselves. Where the two disagree, as of one who
sends at fixed hours or now and then, their own median day counts alone: one at fixed hours is due only then, one at no fixed time
never. All of it is set by how the hour before compares with the same hour of those days. Until there are such days, the hour before
goes on for LASTS.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from alerts import Incident
from alerts.ground import Base, Bools, Ground, grid, sums
from alerts.spells import lacking
from rules import Floats, Ints

DOUBT = 0.05
"""Chance of sending so little, below which a client's quiet times do not explain it."""
LIKELY = 0.4
"""A client is touched whose chance to have lost that much is at least such a part of it and of the chance to have lost nothing."""
ODD = 0.001
"""Chance below which a client's own days and their part of all clients' disagree."""
OTHERS = 3.0
"""Weight of their part of all clients' against their own days, where the two agree."""
QUARTERS = 96
"""Clock slots a day, whatever its kind."""
HOUR = 60
AROUND = 7
"""Minutes to each side over which a stream's minutes are evened out."""
PRIOR = 20.0
"""Transactions' worth of all clients' level that one client's starts from."""
DAY, QUARTERS = 1440, 96
LASTS = 3 * HOUR
"""Minutes for which the hour before goes on, where no day was like this one."""
LEVELS = (0.25, 1.5)
"""How far an hour may lower or raise what is due."""


def missing(incident: Incident, ground: Ground, base: Base, start: int, end: int) -> tuple[Floats, Floats, Bools]:
    """By unit: what was due from `start` to `end` and what came; by pair of client and product: whether it is beyond chance."""
    size = len(ground.listed.units)
    names, pair_of = ground.listed.pairs
    nothing = np.zeros(size)
    if "missing" not in incident.ways or base.usual is None or not size:
        return nothing, nothing, np.zeros(len(names), bool)
    hour = _sent(base, start - HOUR, start, size)
    parts = _parts(base, start, end)
    lasting = hour / max(min(HOUR, start - base.since), 1)
    streams = ground.listed.streams[1]
    minute = np.clip(ground.minute - start, 0, end - start - 1)
    width, many = end - start, int(streams.max()) + 1
    seen = grid(streams[ground.rows.unit], minute, ground.rows.n, many, width)
    alike, level, whole, advance = parts[0][2], np.ones(size), np.ones(many), np.zeros(size)
    if alike:
        before = np.stack([_sent(base, start - HOUR - d * DAY, start - d * DAY, size) for d in alike])
        early = _ordinary(before, base, ground)
        whole = (sums(streams, hour, many) + PRIOR) / (sums(streams, early, many) + PRIOR)
        # Who sent far more than usual in the hour before was early today.
        usual = early * whole[streams]
        advance = np.where(hour - usual > 3 * np.sqrt(usual + 1), hour - usual, 0)
        whole = (sums(streams, hour - advance, many) + PRIOR) / (sums(streams, early, many) + PRIOR)
        level = np.clip((hour - advance + PRIOR * whole[streams]) / (early + PRIOR), *LEVELS)
    rate = sums(streams, lasting, many)[:, None]
    told = [(a, b, days) for a, b, days in parts if days or a < start + LASTS]
    wanted = np.zeros((many, width))
    for a, b, days in told:
        until = b if days else min(b, start + LASTS)
        wanted[:, a - start : until - start] = (
            whole[:, None] * _profile(base, days, a, b, streams, many) if days else rate
        )
    on = lacking(seen, wanted)
    due, known = np.zeros(size), np.zeros(width, bool)
    for a, b, days in told:
        until = b if days else min(b, start + LASTS)
        known[a - start : until - start] = True
        here = on[:, a - start : until - start]
        flat = lasting * here.sum(axis=1)[streams]
        if not days:
            due += flat
            continue
        then = np.stack([_sent(base, a - d * DAY, b - d * DAY, size, here, streams) for d in days])
        # A single day may have been odd: there the hour before has a say too.
        due += _ordinary(then, base, ground, flat if len(days) == 1 and a == start else None) * level
    came = sums(ground.rows.unit, ground.rows.n * (on * known)[streams[ground.rows.unit], minute], size)
    return due, came, _beyond(came + advance, due, streams, pair_of)


def _parts(base: Base, start: int, end: int) -> list[tuple[int, int, list[int]]]:
    """[start, end) by days of the bank, and for each how many days before there was one like it: the first with its hour before."""
    if base.calendar is None:
        cuts = list(range(start + DAY, end, DAY))
    else:
        clock = base.calendar.slots(start, end) % QUARTERS
        cuts = (start + 1 + np.flatnonzero(np.diff(clock) < 0)).tolist()
    found = []
    for a, b in pairwise([start, *cuts, end]):
        since = a - HOUR if a == start else a
        days = range(max(-((start - b) // DAY), 1), (since - base.since) // DAY + 1)
        found.append((a, b, [d for d in days if _alike(base, d, since, b)]))
    return found


def _profile(base: Base, days: list[int], start: int, end: int, streams: Ints, many: int) -> Floats:
    """By stream and minute of [start, end), what came on a mean one of those days, evened out over a quarter of an hour."""
    assert base.usual is not None  # noqa: S101 - as below
    minute, unit, n = base.usual
    width = end - start + 2 * AROUND
    found = np.zeros((many, width))
    for d in days:
        a, b = np.searchsorted(minute, (start - AROUND - d * DAY, end + AROUND - d * DAY))
        found += grid(streams[unit[a:b]], minute[a:b] - (start - AROUND - d * DAY), n[a:b], many, width)
    total = np.pad(found.cumsum(axis=1), ((0, 0), (1, 0)))
    evened: Floats = (total[:, 2 * AROUND + 1 :] - total[:, : -2 * AROUND - 1]) / (2 * AROUND + 1) / len(days)
    return evened


def _ordinary(days: Floats, base: Base, ground: Ground, most: Floats | None = None) -> Floats:
    """What a unit sends in a stretch of an ordinary day, from what it did on such days (days x units).

    most: what is believed at most of their own days, where these disagree with their part of all clients'.
    """
    from scipy.special import pdtr, pdtrc  # noqa: PLC0415 - as above

    streams, whole = ground.listed.streams[1], base.total(ground.listed)
    size, own = days.shape[1], days.sum(axis=0)
    part = whole / np.maximum(sums(streams, whole, size)[streams], 1)
    shared = part * sums(streams, own, size)[streams]
    agree = (pdtr(own, shared) > ODD) & (pdtrc(np.maximum(own - 1, 0), shared) > ODD) | (own == shared)
    alone = np.median(days, axis=0)
    alone = alone if most is None else np.minimum(alone, most)
    found: Floats = np.where(agree, (own + OTHERS * shared) / (1 + OTHERS) / len(days), alone)
    return found


def _alike(base: Base, days: int, start: int, end: int) -> bool:
    """Whether the clock and the kind of day were the same so many days before: a Saturday is neither a business day nor a Sunday."""
    if base.calendar is None:
        return True
    now, then = (start, end), (start - days * DAY, end - days * DAY)
    clock = base.calendar.slots
    return np.array_equal(base.calendar.days(*now), base.calendar.days(*then)) and np.array_equal(
        clock(*now) % QUARTERS, clock(*then) % QUARTERS
    )


def _beyond(came: Floats, due: Floats, streams: Ints, pair_of: Ints) -> Bools:
    """Whom the absence has probably touched: as much of theirs was kept back as what came would not explain."""
    from scipy.special import pdtrc, pdtri  # noqa: PLC0415 - costs a third of a second, needed only once something is missing

    size = int(pair_of.max(initial=-1)) + 1
    n, wanted = np.maximum(sums(pair_of, came, size), 0), sums(pair_of, due, size)
    many = int(streams.max()) + 1
    lack = 1 - np.clip(sums(streams, came, many) / np.maximum(sums(streams, due, many), 1e-9), 0, 1)
    lost, least = sums(pair_of, due * lack[streams], size), np.floor(pdtri(np.floor(n), DOUBT) - n)
    touched, spared = pdtrc(least, lost), np.exp(-lost)
    found: Bools = (wanted > n) & (touched > LIKELY * (touched + spared))
    return found


def _sent(
    base: Base, start: int, end: int, size: int, weight: Floats | None = None, streams: Ints | None = None
) -> Floats:
    """By unit, what it sent in [start, end), each minute with its weight (streams x minutes)."""
    assert base.usual is not None  # noqa: S101 - asked for only where it is there
    minute, unit, n = base.usual
    a, b = np.searchsorted(minute, (start, end))
    unit, counted = unit[a:b], n[a:b]
    if weight is None or streams is None:
        return sums(unit, counted, size)
    return sums(unit, counted * weight[streams[unit], minute[a:b] - start], size)
