"""When a failure was on, minute by minute: each minute by what it says itself and what its neighbours do.

A failure comes and goes. Sparse minutes borrow from the ones beside them, whose say is bounded; full ones speak for themselves.
"""

from __future__ import annotations

import numpy as np

from rules import Floats, Ints

ODDS = 1.0
"""Log odds against a failure being on in one minute, before anything is seen."""
STAYS = 2.2
"""Log odds that it is in the next minute as in this one: what a neighbouring minute can say at most."""
REACH = 4
"""Minutes to each side that have a say."""
TURNS = 3


def failing(seen: Floats, total: Floats, base: Floats, stream: Ints) -> tuple[Floats, Floats]:
    """By kind and minute, the probability that the failure is on and of this kind; and by kind its rate while it is.

    A stream's failure is on or off as a whole. First from what stands out over five minutes; then, in turns: the rate of each kind
    while it is on, whether the kind takes part in it, and the minutes that look like it.
    """
    from scipy.special import expit  # noqa: PLC0415 - costs a third of a second, needed only once something fails

    if not len(stream):
        return seen, base
    seen = np.maximum(seen, 0)
    r = base[:, None]
    own = np.zeros((stream.max() + 1, len(stream)))
    own[stream, np.arange(len(stream))] = 1  # which kinds are of a stream
    pooled, due = own @ _around(seen), own @ (_around(total) * r)
    alone = _excess(_around(seen), _around(total) * r)
    every = np.maximum(_excess(pooled, due)[stream], alone)
    best = np.full((len(own), seen.shape[1]), -np.inf)
    np.maximum.at(best, stream, every)
    on, part, then = expit(best - ODDS)[stream], np.ones(len(stream)), base
    for _ in range(TURNS):
        hits, volume = (on * seen).sum(axis=1), (on * total).sum(axis=1)
        then = np.clip((hits + base) / (volume + 1), base * 1.001, 0.999)
        part = expit(_excess(hits, volume * base) - ODDS)
        t = then[:, None]
        says = seen * np.log(t / r) + (total - seen) * np.log((1 - t) / (1 - r))
        says = own @ (part[:, None] * says)
        on = expit(_together(says) - ODDS)[stream]
    return on * part[:, None], then


def _excess(hits: Floats, due: Floats) -> Floats:
    """How much likelier (in logs) so many are at the rate that they came at than at the one that was due; 0 where they are fewer."""
    due = np.maximum(due, 1e-12)
    found: Floats = np.where(hits > due, hits * np.log(np.maximum(hits, 1e-12) / due) - (hits - due), 0.0)
    return found


def _around(x: Floats) -> Floats:
    padded, width = np.pad(x, ((0, 0), (2, 2))), x.shape[1]
    found: Floats = np.sum([padded[:, i : i + width] for i in range(5)], axis=0)
    return found


def _heard(says: Floats) -> Floats:
    """What each minute is told by the ones before it."""
    heard = np.zeros_like(says)
    for _ in range(REACH):
        heard[:, 1:] = np.clip(says[:, :-1] + heard[:, :-1], -STAYS, STAYS)
    return heard


def _together(says: Floats) -> Floats:
    """What each minute and the ones around it say."""
    return says + _heard(says) + _heard(says[:, ::-1])[:, ::-1]


def lacking(came: Floats, due: Floats) -> Floats:
    """By stream and minute, the probability that rows are kept back, from what came and what was due (streams x minutes)."""
    from scipy.special import expit  # noqa: PLC0415 - as above

    came, due = np.maximum(came, 0), np.maximum(due, 1e-9)
    near, wanted = _around(came), _around(due)
    short = near * np.log(np.maximum(near, 1e-12) / wanted) - (near - wanted)
    on: Floats = expit(np.where(near < wanted, short, 0.0) - ODDS)
    for _ in range(TURNS):
        part = ((on * came).sum(axis=1) + 0.5) / ((on * due).sum(axis=1) + 1)
        part = np.clip(part, 1e-3, 0.95)[:, None]
        on = expit(_together(came * np.log(part) + due * (1 - part)) - ODDS)
    return on
