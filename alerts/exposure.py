"""How likely those who are around a failure are to be hit before it is over, and when they usually come next.

The chance is 1 - exp(-what is usually theirs in the time ahead x the share of it that fails x how likely it is that it still fails
then). What is usually theirs: their stream's transactions at that clock time on that kind of day, times their part of it, drawn
towards what they sent around that hour themselves, times today's level. That it still fails u minutes on: exp(-u / LASTS), however
long it has lasted already.

Nearly all who are called rightly are called at once: a later look must be surer (`limit`), since its calls come true less often.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alerts.ground import Base, Listed, grid, sums
from alerts.impact import Struck
from rules import Floats, Ints, Slots

CALLED, LATER, SURER = 0.095, 6.0, 0.5
"""From this chance on a client is called exposed, at detection; every LATER minutes on, it must be higher by this part of it. Chosen
on months of the simulated bank, so that a little more than half of the called fail later."""
LASTS = 28.0
"""Minutes that a failure goes on for in the mean, whenever it is asked."""
AHEAD = 180
"""Minutes ahead in which a client may be hit."""
LATELY = 15
"""Minutes whose transactions say what share fails."""
OWN = 3.0
"""Transactions' worth of their part of all clients' hour that a client's own starts from."""
AROUND = 4
"""Quarters to each side that say what is a client's own hour."""
LEVEL, LEVELS = 20.0, (0.5, 3.0)
"""Transactions' worth of an ordinary hour that today's level starts from, and how far it may go."""
LEAST = 3
"""Transactions of a client that must fail to come before anybody can say that they are missing."""
KINDS, QUARTERS, QUARTER, WEEK = 3, 96, 15, 7 * 1440


@dataclass(frozen=True)
class Habit:
    """What units usually send.

    rate: transactions a minute by unit and clock slot (a quarter of a business day's, of a Saturday's, of another's; as `slots`
    counts them), at today's level; client: whose each unit is, by number; seen: how many transactions by stream all of it rests on.
    """

    listed: Listed
    rate: Floats
    client: Ints
    seen: Floats
    calendar: Slots | None

    @classmethod
    def of(cls, base: Base, seen: tuple[Ints, Ints, Ints], since: int, start: int, calendar: Slots | None) -> Habit:
        """From the days since minute `since`: seen are their transactions, as quarters since the epoch, unit and number."""
        quarter, unit, n = seen
        listed = base.listed
        size, streams, many = len(listed.units), listed.streams[1], len(listed.streams[0])
        clients: dict[str, int] = {}
        client = np.array([clients.setdefault(name[0], len(clients)) for name in listed.units], np.int64)
        first = since // QUARTER
        clock = slots(calendar, first * QUARTER, max(start, since + QUARTER))[::QUARTER]
        width = KINDS * QUARTERS
        minutes = sums(clock, np.full(len(clock), float(QUARTER)), width)
        own = grid(unit, clock[np.clip(quarter - first, 0, len(clock) - 1)], n, size, width)
        whole = grid(streams, np.zeros(size, np.int64), own.sum(axis=1), many, 1)[:, 0] if size else np.zeros(many)
        part = own.sum(axis=1) / np.maximum(whole[streams], 1) if size else np.zeros(0)
        place, slot = np.repeat(streams, width), np.tile(np.arange(width), size)
        usual = _evened(grid(place, slot, own.ravel(), many, width), 1) / np.maximum(_evened(minutes[None], 1), 1)
        last = start // QUARTER
        hourly = (quarter >= last - AROUND) & (quarter < last)
        lately = sums(streams[unit[hourly]], n[hourly], many)
        usual = _filled(usual, _evened(minutes[None], 1)[0], lately / (AROUND * QUARTER))
        shared = part[:, None] * usual[streams]
        near, due = _evened(own, AROUND), _evened(shared * minutes, AROUND)
        rate = shared * (near + OWN) / (due + OWN)
        # The last whole hour before it began, against an ordinary one.
        hour = usual[:, slots(calendar, (last - AROUND) * QUARTER, last * QUARTER)].sum(axis=1)
        level = np.clip((lately + LEVEL) / (hour + LEVEL), *LEVELS)
        return cls(listed, rate * level[streams][:, None], client, sums(streams, own.sum(axis=1), many), calendar)

    @cached_property
    def place(self) -> dict[tuple[str, ...], int]:
        """The number of each pair of client and product."""
        return {name: number for number, name in enumerate(self.listed.pairs[0])}

    def due(self, minute: int) -> Floats:
        """By unit: what is usually theirs from `minute` on for as long as a failure may go on."""
        lasts = np.exp(-(np.arange(AHEAD) + 0.5) / LASTS)
        weight = sums(slots(self.calendar, minute, minute + AHEAD), lasts, KINDS * QUARTERS)
        found: Floats = self.rate @ weight
        return found

    def next_use(self, pairs: Ints, minute: int) -> Ints:
        """By pair of client and product: the minute by which they have half likely come again, -1 where not within a week."""
        if not len(pairs):
            return np.zeros(0, np.int64)
        clock = slots(self.calendar, minute, minute + WEEK)[::QUARTER]
        place = np.full(len(self.listed.pairs[0]), -1)
        place[pairs] = np.arange(len(pairs))
        mine = np.flatnonzero(place[self.listed.pairs[1]] >= 0)
        rate = np.zeros((len(pairs), self.rate.shape[1]))
        np.add.at(rate, place[self.listed.pairs[1][mine]], self.rate[mine])
        total = np.cumsum(rate[:, clock] * QUARTER, axis=1)
        at = (total < np.log(2)).sum(axis=1)
        here = np.minimum(at, len(clock) - 1)
        rows = np.arange(len(pairs))
        step = rate[rows, clock[here]]
        short = np.log(2) - (total[rows, here] - step * QUARTER)
        found = minute + here * QUARTER + np.ceil(short / np.maximum(step, 1e-9)).clip(1, QUARTER).astype(np.int64)
        return np.where(at < len(clock), found, -1)


@dataclass(frozen=True)
class Chances:
    """By pair of client and product (as the base lists them): the chance to be hit, and the one by which the client is called.

    unseen: by product, that of one who holds it and was not seen to use it in the days before.
    """

    chance: Floats
    called: Floats
    unseen: dict[str, float]


def limit(minutes: float) -> float:
    """The chance from which a client is called exposed so many minutes after the detection."""
    return CALLED * (1 + SURER * max(minutes, 0) / LATER)


def chances(habit: Habit, found: Struck, minute: int) -> Chances:
    """Of those who have not been hit by `minute`. A client is called by all that they use together."""
    units, pair_of = len(habit.listed.units), habit.listed.pairs[1]
    many = len(habit.listed.pairs[0])
    fails, lost = _shares(habit, found, minute)
    due = habit.due(minute)
    streams = habit.listed.streams[1]
    hit = due * fails[streams]
    gone = due * lost[streams]
    before = sums(pair_of, np.maximum(found.due[:units] * lost[streams], 0), many)
    expected, absent = sums(pair_of, hit, many), sums(pair_of, gone, many)
    chance = 1 - np.exp(-expected) * (1 - np.exp(-before) * _at_least(absent))
    client = np.zeros(many, np.int64)
    client[pair_of] = habit.client
    size = int(client.max(initial=-1)) + 1
    together = 1 - np.exp(sums(client, np.log1p(-np.minimum(chance, 1 - 1e-12)), size))
    best = np.zeros(size)
    np.maximum.at(best, client, chance)
    doubtful = np.zeros(size, bool)
    seen = found.q > DOUBTFUL
    struck_units = found.ground.rows.unit[found.bad[seen]]
    doubtful[habit.client[struck_units[struck_units < units]]] = True
    called = np.where((chance >= np.minimum(best[client], CALLED)) & ~doubtful[client], together[client], 0.0)
    return Chances(chance, called, _unseen(habit, due, fails))


def _unseen(habit: Habit, due: Floats, fails: Floats) -> dict[str, float]:
    """Who was not seen among n transactions of a stream has perhaps HALF in n + 1 of what comes."""
    names, streams = habit.listed.streams
    coming = sums(streams, due, len(names)) * fails * HALF / (habit.seen + 1)
    found: dict[str, float] = {}
    for name, many in zip(names, coming.tolist(), strict=True):
        found[name[0]] = found.get(name[0], 0.0) + many
    return {product: 1 - math.exp(-many) for product, many in found.items()}


HALF = 0.5
DOUBTFUL = 0.3
"""Whoever has a row that is the failure's with more than this chance may be hit already, and is not called."""


def _shares(habit: Habit, found: Struck, minute: int) -> tuple[Floats, Floats]:
    """By stream: what share fails lately, and what share of what is due does not come.

    Who fails most is left out of it as far as the others can tell: what one client suffers is no danger to another.
    """
    listed, ground = found.ground.listed, found.ground
    units, streams = len(habit.listed.units), listed.streams[1]
    many = len(habit.listed.streams[0])
    size = int(habit.client.max(initial=-1)) + 2  # the last: who was not seen in the days before
    client = np.append(habit.client, np.full(len(listed.units) - units, size - 1))
    late = ground.minute >= minute - LATELY
    mine = late & (streams[ground.rows.unit] < many)
    unit = ground.rows.unit[mine]
    n = grid(streams[unit], client[unit], np.maximum(ground.rows.n[mine], 0), many, size)
    chosen = mine[found.bad]
    bad = found.bad[chosen]
    unit = ground.rows.unit[bad]
    hits = grid(streams[unit], client[unit], ground.rows.many[bad] * found.q[chosen], many, size)
    hits = np.clip(hits, 0, n)
    total, whole = hits.sum(axis=1), n.sum(axis=1)
    most = hits.argmax(axis=1)
    rows = np.arange(many)
    raw = total / np.maximum(whole, 1)
    others, whole = total - hits[rows, most], whole - n[rows, most]
    fails = (others + raw) / (whole + 1)
    known = streams < many
    due, came = (sums(streams[known], np.maximum(part[known], 0), many) for part in (found.due, found.came))
    lost = np.where(due > 0, 1 - np.clip(came / np.maximum(due, 1e-9), 0, 1), 0.0)
    return np.clip(fails, 0, 1), lost


def slots(calendar: Slots | None, start: int, end: int) -> Ints:
    """The clock slot of each minute of [start, end): the quarter of the day, by kind of day where there is a calendar."""
    if calendar is None:
        found: Ints = np.arange(start, end) // QUARTER % QUARTERS
        return found
    return calendar.days(start, end) * QUARTERS + calendar.slots(start, end) % QUARTERS


def _at_least(due: Floats) -> Floats:
    """The chance of LEAST transactions or more."""
    from scipy.special import pdtrc  # noqa: PLC0415 - costs a third of a second, needed only once something fails

    found: Floats = pdtrc(LEAST - 1, np.maximum(due, 0))
    return found


def _evened(rows: Floats, around: int) -> Floats:
    """Each slot's with those beside it on the clock of the same kind of day, added up."""
    days = rows.reshape(len(rows), KINDS, QUARTERS)
    padded = np.concatenate([days[..., -around - 1 :], days, days[..., :around]], axis=2).cumsum(axis=2)
    found: Floats = (padded[..., 2 * around + 1 :] - padded[..., : -2 * around - 1]).reshape(rows.shape)
    return found


def _filled(usual: Floats, minutes: Floats, lately: Floats) -> Floats:
    """With what the other kinds of day have at the same clock time where a kind was not seen yet, and with the last hour where none was."""
    days, seen = usual.reshape(-1, KINDS, QUARTERS), minutes.reshape(KINDS, QUARTERS)
    every = seen.sum(axis=0)
    mean = np.where(every > 0, (days * seen).sum(axis=1) / np.maximum(every, 1), lately[:, None])
    found: Floats = np.where(seen > 0, days, mean[:, None, :]).reshape(usual.shape)
    return found
