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
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

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
WIDTH = KINDS * QUARTERS
HALFWAY = math.log(2)
"""Transactions that are to come, in the mean, until one has come with a chance of one half."""
SOME = 1024
"""Units whose slots are looked at together: of a hundred thousand at once, each array more is a quarter of a gigabyte."""


@dataclass(frozen=True)
class Habit:
    """What units usually send: their stream's rate, drawn towards what they sent around that hour themselves.

    own: each unit's transactions around each clock slot (a quarter of a business day's, of a Saturday's, of another's; as `slots`
    counts them); part: what part each unit has of its stream; usual: a stream's transactions a minute by slot, at today's level;
    around: how many a stream usually has around a slot in the days that were counted; client: whose each unit is, by number; seen: how many
    transactions by stream all of it rests on.
    """

    listed: Listed
    own: NDArray[np.float32]
    part: Floats
    usual: Floats
    around: Floats
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
        minutes = sums(clock, np.full(len(clock), float(QUARTER)), WIDTH)
        slot = clock[np.clip(quarter - first, 0, len(clock) - 1)]
        mine = sums(unit, n, size)
        total = sums(streams, mine, many)
        part = mine / np.maximum(total[streams], 1)
        whole = grid(streams[unit], slot, n, many, WIDTH)
        usual = _evened(whole, 1) / np.maximum(_evened(minutes[None], 1), 1)
        last = start // QUARTER
        hourly = (quarter >= last - AROUND) & (quarter < last)
        lately = sums(streams[unit[hourly]], n[hourly], many)
        usual = _filled(usual, _evened(minutes[None], 1)[0], lately / (AROUND * QUARTER))
        # The last whole hour before it began, against an ordinary one.
        hour = usual[:, slots(calendar, (last - AROUND) * QUARTER, last * QUARTER)].sum(axis=1)
        level = np.clip((lately + LEVEL) / (hour + LEVEL), *LEVELS)
        around = _evened(usual * minutes, AROUND)
        own = _around(unit, slot, n, size)
        return cls(listed, own, part, usual * level[:, None], around, client, total, calendar)

    def rate(self, units: Ints | slice, clock: Ints | slice) -> Floats:
        """Transactions a minute of these units in these clock slots, at today's level."""
        streams, part = self.listed.streams[1][units], self.part[units, None]
        own, due = self.own[units][:, clock], part * self.around[:, clock][streams]
        found: Floats = part * self.usual[:, clock][streams] * (own + OWN) / (due + OWN)
        return found

    @cached_property
    def place(self) -> dict[tuple[str, ...], int]:
        """The number of each pair of client and product."""
        return {name: number for number, name in enumerate(self.listed.pairs[0])}

    def due(self, minute: int) -> Floats:
        """By unit: what is usually theirs from `minute` on for as long as a failure may go on."""
        lasts = np.exp(-(np.arange(AHEAD) + 0.5) / LASTS)
        weight = sums(slots(self.calendar, minute, minute + AHEAD), lasts, WIDTH)
        clock = np.flatnonzero(weight)
        found: Floats = self.rate(slice(None), clock) @ weight[clock]
        return found

    def next_use(self, pairs: Ints, minute: int) -> Ints:
        """By pair of client and product: the minute by which they have half likely come again, -1 where not within a week."""
        clock = slots(self.calendar, minute, minute + WEEK)[::QUARTER]
        order = np.argsort(self.listed.pairs[1], kind="stable")
        first = np.searchsorted(self.listed.pairs[1][order], np.arange(len(self.listed.pairs[0]) + 1))
        found = np.full(len(pairs), -1)
        for at in range(0, len(pairs), SOME):
            left = np.arange(at, min(at + SOME, len(pairs)))
            total = np.zeros(len(left))
            for day in range(0, len(clock), QUARTERS):  # most have come again within the first
                here = pairs[left]
                many = first[here + 1] - first[here]
                start = np.cumsum(many) - many
                units = order[np.arange(many.sum()) + np.repeat(first[here] - start, many)]
                rate = np.add.reduceat(self.rate(units, clock[day : day + QUARTERS]), start)
                reached = rate * QUARTER
                reached[:, 0] += total
                reached = np.cumsum(reached, axis=1)
                quarter = (reached < HALFWAY).sum(axis=1)
                come = np.flatnonzero(quarter < reached.shape[1])
                step = rate[come, quarter[come]]
                short = HALFWAY - (reached[come, quarter[come]] - step * QUARTER)
                after = np.ceil(short / np.maximum(step, 1e-9)).clip(1, QUARTER).astype(np.int64)
                found[left[come]] = minute + (day + quarter[come]) * QUARTER + after
                stay = quarter == reached.shape[1]
                left, total = left[stay], reached[stay, -1]
                if not len(left):
                    break
        return found


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


def _around(unit: Ints, slot: Ints, n: Ints, size: int) -> NDArray[np.float32]:
    """By unit and clock slot: its transactions around there; whole numbers, which fit."""
    found = np.zeros((size, WIDTH), np.float32)
    block = unit // SOME
    order = np.argsort(block.astype(np.uint16) if size < SOME << 16 else block, kind="stable")
    ends = np.searchsorted(block[order], np.arange(size // SOME + 2))
    place, n = (unit * WIDTH + slot)[order], n[order]
    for number, (start, end) in enumerate(pairwise(ends)):
        rows = found[number * SOME : (number + 1) * SOME]
        mine = sums(place[start:end] - number * SOME * WIDTH, n[start:end], rows.size).reshape(rows.shape)
        rows[:] = _evened(mine, AROUND)
    return found


def _filled(usual: Floats, minutes: Floats, lately: Floats) -> Floats:
    """With what the other kinds of day have at the same clock time where a kind was not seen yet, and with the last hour where none was."""
    days, seen = usual.reshape(-1, KINDS, QUARTERS), minutes.reshape(KINDS, QUARTERS)
    every = seen.sum(axis=0)
    mean = np.where(every > 0, (days * seen).sum(axis=1) / np.maximum(every, 1), lately[:, None])
    found: Floats = np.where(seen > 0, days, mean[:, None, :]).reshape(usual.shape)
    return found
