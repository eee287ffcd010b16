"""What was due from each client since an incident began, and did not come.

Due is what they sent at the same clock minutes of the days before that were like it (business days, or the others): the median of
those days, so that one who sends at no fixed time is not due at any, and one who sends at fixed hours is due only then. It is set
by how the hour before compares with the same hour of those days. Until there are such days, the hour before goes on.
"""

from __future__ import annotations

import numpy as np

from alerts import Incident
from alerts.ground import Base, Bools, Ground, sums
from rules import Floats, Ints

DOUBT = 0.05
"""Chance of missing a client who only had a quiet time."""
HOUR = 60
PRIOR = 20.0
"""Transactions' worth of all clients' level that one client's starts from."""
DAY = 1440
WEEK = 7
LEVELS = (0.25, 1.5)
"""How far an hour may lower or raise what is due."""


def missing(incident: Incident, ground: Ground, base: Base, start: int, end: int) -> tuple[Floats, Floats, Bools]:
    """By unit: what was due from `start` to `end` and what came; by pair of client and product: whether it is beyond chance."""
    size = len(ground.listed.units)
    names, pair_of = ground.listed.pairs
    nothing = np.zeros(size)
    if "missing" not in incident.ways or base.usual is None or not size:
        return nothing, nothing, np.zeros(len(names), bool)
    from scipy.special import pdtr  # noqa: PLC0415 - costs a third of a second, needed only once something is missing

    came = sums(ground.rows.unit, ground.rows.n, size)
    hour = _sent(base, start - HOUR, start, size)
    days = [d for d in range(1, WEEK + 1) if start - HOUR - d * DAY >= base.since and end - d * DAY <= start]
    alike = [d for d in days if _alike(base, d, start, end)]
    lasted = hour * (end - start) / max(min(HOUR, start - base.since), 1)
    if alike:
        then = np.stack([_sent(base, start - d * DAY, end - d * DAY, size) for d in alike])
        hours = np.stack([_sent(base, start - HOUR - d * DAY, start - d * DAY, size) for d in alike])
        usual, before = np.median(then, axis=0), np.median(hours, axis=0)
        whole = (hour.sum() + PRIOR) / (before.sum() + PRIOR)
        due = usual * np.clip((hour + PRIOR * whole) / (before + PRIOR), *LEVELS)
        due = np.minimum(due, lasted) if len(alike) == 1 else due
        # One who is early today has sent in the hour before what is due now on other days.
        both = np.median(then + hours, axis=0)
        enough = _beyond(pdtr, hour + came, both, pair_of)
    else:
        due, enough = lasted, np.ones(len(names), bool)
    return due, came, _beyond(pdtr, came, due, pair_of) & enough


def _alike(base: Base, days: int, start: int, end: int) -> bool:
    """Whether it was business, and was not, at the same times so many days before."""
    if base.calendar is None:
        return True
    now, then = (base.calendar.slots(start - HOUR - d * DAY, end - d * DAY) for d in (0, days))
    return bool(np.array_equal(now, then))


def _beyond(pdtr: object, came: Floats, due: Floats, pair_of: Ints) -> Bools:
    size = int(pair_of.max(initial=-1)) + 1
    n, wanted = np.maximum(sums(pair_of, came, size), 0), sums(pair_of, due, size)
    found: Bools = (wanted > n) & (pdtr(n, wanted) < DOUBT)  # type: ignore[operator]
    return found


def _sent(base: Base, start: int, end: int, size: int) -> Floats:
    assert base.usual is not None  # noqa: S101 - asked for only where it is there
    minute, unit, n = base.usual
    a, b = np.searchsorted(minute, (start, end))
    return sums(unit[a:b], n[a:b], size)
