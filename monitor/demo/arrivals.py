"""How transactions reach the bank's tables: some twice, some late, some pending first and with their end a little later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from monitor.demo.bank import MINUTE, Rows, joined, milliseconds
from monitor.demo.draws import Floats, Ints, uniforms
from monitor.demo.failures import Failure
from monitor.demo.profile import PENDING, Pair
from monitor.demo.truth import UPDATED

REPEATED, LATE = 0.005, 0.01
SPLITS, WAITS, REPEATS, LATES, DELAYS = 120, 121, 122, 123, 124
_LOW = 24


def updated(rows: Rows, seed: int, silences: Iterable[Failure], pairs: Sequence[Pair]) -> Rows:
    """Some rows as two of one id: EN_PROCESO at their time, and what became of them 5 to 50 seconds later; by time.

    Not just before or in a silence, in which nothing is written.
    """
    split = (_draw(seed, SPLITS, rows) < UPDATED) & (rows.status != PENDING)
    for silence in silences:
        near = (rows.at >= milliseconds(silence.start) - MINUTE) & (rows.at < milliseconds(silence.end))
        split &= ~(near & silence.scope(pairs)[rows.pair])
    later = rows.only(split)
    wait = 5000 + 45_000 * _draw(seed, WAITS, later)
    status, code = rows.status.copy(), rows.error_code.copy()
    status[split], code[split] = PENDING, None
    return joined([replace(rows, status=status, error_code=code), replace(later, at=later.at + wait.astype(np.int64))])


def arriving(rows: Rows, seed: int) -> Rows:
    """The rows in order of arrival: some repeated as they are, some 15 seconds to 8 minutes late."""
    moment = rows.at + 200 + 1300 * _draw(seed, DELAYS, rows)
    late = _draw(seed, LATES, rows)
    moment = moment + np.where(late < LATE, 15_000 + 465_000 * (late / LATE), 0)
    again = np.flatnonzero(_draw(seed, REPEATS, rows) < REPEATED)
    order = np.argsort(np.concatenate([moment, moment[again] + 500]), kind="stable")
    return rows.only(np.concatenate([np.arange(len(rows)), again])[order])


def _draw(seed: int, number: int, rows: Rows) -> Floats:
    ids: Ints = rows.id
    return uniforms(seed, number, ids >> _LOW, ids & ((1 << _LOW) - 1))
