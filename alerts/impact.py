"""Incident x transactions x holdings: which clients are touched, product by product.

A bad row is the failure's with a probability: that the failure was on in its minute for its kind (see `alerts.ground`), times the
share of the kind's rate then that its base rate does not explain. A client is **affected** when at least one of their bad rows is
probably the failure's, and their own base rate does not explain what they had while it was on; or when what was due from them did
not come. Clients who hold or use what fails and are not affected are **exposed**.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from alerts import Holding, Impact, Incident, Touch
from alerts.due import missing
from alerts.ground import NEW, PRIOR, THIN, UNSEEN, Base, Bools, Ground, grid, kind_parts, sums
from alerts.spells import failing
from rules import Floats, Ints, Scope

LIKELY = 0.5
"""From this probability on, a row is the failure's, and a client is touched."""
DOUBT = 0.1
"""Chance of calling a client affected whom their own base rate explains."""
FAINT = 0.05
"""What is on with less than this in every minute is left out of what clients' own base rates explain."""


@dataclass(frozen=True)
class Struck:
    """How far each bad row is the failure's, and each unit's share in it, up to a minute.

    bad: rows that go the incident's ways; q: of each of these, the probability that it is the failure's. By unit: hits and
    expected, bad rows while it was on and what its own base rate explains of them, n: transactions while it was on;
    due, came: transactions due since the start, where absence is asked for, and those that came.
    """

    ground: Ground
    bad: Ints
    kind: Ints
    q: Floats
    hits: Floats
    expected: Floats
    n: Floats
    due: Floats
    came: Floats
    gone: Bools


def struck(incident: Incident, ground: Ground, base: Base, start: int, end: int) -> Struck:
    """Measure the incident from minute `start` up to `end`, exclusive."""
    ground = ground.until(end)
    rows, listed = ground.rows, ground.listed
    size, length = len(listed.units), max(end - start, 1)
    minute = np.clip(ground.minute - start, 0, length - 1)
    known, before, past = base.known(incident.ways)
    kinds = base.kinds(rows, listed, incident.ways)
    bad = np.flatnonzero(kinds >= 0)
    wanted = kinds[bad]
    wanted = np.where(np.isin(wanted, known), wanted, wanted - kind_parts(wanted)[2] + NEW)
    found, kind = np.unique(wanted, return_inverse=True)
    stream = kind_parts(found)[0]
    streams = listed.streams[1]
    whole = base.total(listed)
    volume = np.maximum(sums(streams, whole, len(listed.streams[0])), 0)
    usual = np.maximum(_looked_up(found, known, before), 0)  # what was taken back of rows told before its days
    rate = (usual + UNSEEN) / (volume[stream] + THIN)
    many = rows.many
    seen = grid(kind, minute[bad], many[bad], len(found), length)
    total = grid(streams[rows.unit], minute, rows.n, len(listed.streams[0]), length)[stream]
    on, then = failing(seen, np.maximum(total, seen), np.minimum(rate, 0.9), stream)
    q = (on * np.clip(1 - rate / then, 0, 1)[:, None])[kind, minute[bad]] if len(found) else np.zeros(0)
    hits = sums(rows.unit[bad], many[bad] * on[kind, minute[bad]], size)
    expected, busy = np.zeros(size), np.zeros(size)
    active = np.flatnonzero(on.max(axis=1, initial=0) > FAINT).tolist()
    sent = grid(rows.unit, minute, rows.n, size, length) if active else np.zeros((size, 0))
    for k in active:
        mine = np.flatnonzero(streams == stream[k])
        own = np.maximum(sums(base.rows.unit[past == found[k]], base.rows.many[past == found[k]], size), 0)[mine]
        here = sent[mine] @ on[k]
        expected[mine] += here * (own + PRIOR * rate[k]) / (whole[mine] + PRIOR)
        busy[mine] = np.maximum(busy[mine], here)
    due, came, gone = missing(incident, ground, base, start, end)
    return Struck(ground, bad, kind, q, hits, expected, busy, due, came, gone)


def _looked_up(wanted: Ints, known: Ints, many: Floats) -> Floats:
    if not len(known):
        return np.zeros(len(wanted))
    at = np.searchsorted(known, wanted).clip(max=len(known) - 1)
    return np.where(known[at] == wanted, many[at], 0.0)


def affected(incident: Incident, ground: Ground, base: Base, start: int, end: int) -> list[Impact]:
    """The clients whom the incident has affected by minute `end`, product by product."""
    return touched(incident, struck(incident, ground, base, start, end))


def touched(incident: Incident, found: Struck) -> list[Impact]:
    """The clients affected by what was found."""
    from scipy import special  # noqa: PLC0415 - as above

    ground = found.ground
    names, pair_of = ground.listed.pairs
    rows, size = ground.rows, len(names)
    pair = pair_of[rows.unit[found.bad]]
    n = rows.many[found.bad]

    def by_pair(units: Floats) -> Floats:
        return sums(pair_of, units, size)

    net = sums(pair, n, size)
    spared = sums(pair, n * np.log1p(-np.minimum(found.q, 1 - 1e-12)), size)
    hits, expected = by_pair(found.hits), by_pair(found.expected)
    unexplained = (hits > 0) & (special.gammainc(np.maximum(hits, 1e-9), expected) < DOUBT)
    hurt = (net >= 1) & (1 - np.exp(spared) > LIKELY) & unexplained
    best = np.zeros(size)
    np.maximum.at(best, pair, found.q)
    counted = (found.q >= np.minimum(best, LIKELY)[pair]) & (found.q > 0)
    kept = found.bad[counted]
    failures = sums(pair[counted], n[counted], size)
    cents = sums(pair[counted], ground.cents[kept], size)
    first = np.full(size, np.iinfo(np.int64).max)
    dated = counted & (ground.first[found.bad] >= 0)
    np.minimum.at(first, pair[dated], ground.first[found.bad[dated]])
    gone = found.gone
    absent = np.where(gone, np.round(by_pair(found.due - found.came)), 0)
    return [
        Impact(
            incident.id, names[k][0], names[k][1], Touch.AFFECTED, max(int(failures[k]), 1) if hurt[k] else 0, int(absent[k]),
            Decimal(int(cents[k]) if hurt[k] else 0) / 100,
            datetime.fromtimestamp(first[k] / 1e6, UTC) if hurt[k] and first[k] < np.iinfo(np.int64).max else incident.started_at,
        )
        for k in np.flatnonzero(hurt | gone)
    ]  # fmt: skip


def exposed(
    incident: Incident, ground: Ground, base: Base, holdings: Iterable[Holding], hit: set[str], end: int, at: datetime
) -> list[Impact]:
    """Who holds, or in the week before or by minute `end` has used, what fails, and is not among the affected."""
    scope = incident.scope
    listed = ground.listed.units  # of all that it may reach, of which it sits in a part
    units = np.unique(np.append(base.rows.unit, ground.until(end).rows.unit)).tolist()
    used = {listed[k][:2] for k in units if scope.holds(Scope(listed[k][1], listed[k][2], listed[k][0], scope.series))}
    held = {
        (holding.client_id, holding.product)
        for holding in holdings
        if (not scope.product or holding.product == scope.product)
        and (not scope.channel or not holding.channel or holding.channel == scope.channel)
        and (not scope.client_id or holding.client_id == scope.client_id)
        and (holding.since is None or holding.since <= at)
        and (holding.until is None or holding.until > at)
    }
    return [
        Impact(incident.id, client, product, Touch.EXPOSED)
        for client, product in sorted(held | used)
        if client not in hit
    ]
