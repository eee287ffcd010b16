"""Incident x transactions x holdings: which clients are touched, product by product.

A client is **affected** when more of their own transactions in the incident's scope and time went its way (failed, reversed, were
slow, or were due and did not come) than their own base rate explains: an exact binomial or Poisson tail below DOUBT. The base
rate is the client's own week before, drawn towards that of the whole scope while they have few transactions. Clients who hold or
use what fails and are not affected are **exposed**.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alerts import Holding, Impact, Incident, Touch
from rules import CLASSES, Floats, Ints

DOUBT = 0.05
"""Chance of calling a client affected whom their base rate explains."""
PRIOR = 20.0
"""Transactions' worth of the scope's base rate that a client's own starts from."""
DUE = 60
"""Minutes before the start from which what was due is taken."""
SLOW = 0.02
"""Slow is what at most this share of the scope's transactions reached before."""
LEAST = 1e-4
"""No base rate is believed to be smaller."""


@dataclass(frozen=True)
class Ground:
    """What an incident is measured on: a scope's transactions of the week before and since, as arrays.

    clients: K pairs of client and product; per row: which pair, minute, class number, count, cents, first time (µs, or -1), slow count.
    """

    pairs: tuple[tuple[str, str], ...]
    pair: Ints
    minute: Ints
    status: Ints
    n: Ints
    cents: Ints
    first: Ints
    bins: Ints

    @classmethod
    def of(cls, detail: pa.Table) -> Ground:
        """From the rows of `Windows.detail` (m, client_id, product, channel, status, n, cents, first, b0..b15)."""
        client, product, status = (
            detail[name].combine_chunks().dictionary_encode() for name in ("client_id", "product", "status")
        )
        code = client.indices.to_numpy().astype(np.int64) * max(len(product.dictionary), 1) + product.indices.to_numpy()
        found, pair = np.unique(code, return_inverse=True)
        names = (client.dictionary.to_pylist(), product.dictionary.to_pylist())
        pairs = tuple((names[0][key // len(names[1])], names[1][key % len(names[1])]) for key in found.tolist())
        number = np.array([CLASSES.index(name) for name in status.dictionary.to_pylist()] or [0])
        bins = [detail[name].to_numpy() for name in detail.column_names if name[0] == "b" and name[1:].isdigit()]
        return cls(
            pairs, pair.astype(np.int64), detail["m"].to_numpy(), number[status.indices.to_numpy()],
            detail["n"].to_numpy(), detail["cents"].to_numpy(), detail["first"].fill_null(-1).to_numpy(), np.stack(bins, axis=1),
        )  # fmt: skip

    def total(self, weights: Ints | Floats, rows: NDArray[np.bool_]) -> Floats:
        """The sum of `weights` by pair, over some rows."""
        return np.bincount(self.pair[rows], weights=weights[rows], minlength=len(self.pairs)).astype(np.float64)


@dataclass(frozen=True)
class Base:
    """The week before, by pair: transactions in all, and those that went the incident's way anyway; what is due a minute."""

    rate: Floats
    slow_from: int
    slow_rate: Floats
    due: Floats

    @classmethod
    def of(cls, ground: Ground, incident: Incident, start: int) -> Base:
        """From what lies before minute `start`."""
        before = ground.minute < start
        n = ground.total(ground.n, before)
        bins = ground.bins[before].sum(axis=0)
        above = bins[::-1].cumsum()[::-1] / max(bins.sum(), 1)
        slow_from = int(np.argmax(above <= SLOW)) if (above <= SLOW).any() else bins.size
        recent = before & (ground.minute >= start - DUE)
        span = start - max(start - DUE, int(ground.minute.min(initial=start)))
        return cls(
            rate=_drawn(ground.total(ground.n, before & _bad(ground, incident)), n),
            slow_from=slow_from,
            slow_rate=_drawn(ground.total(ground.bins[:, slow_from:].sum(axis=1), before), n),
            due=ground.total(ground.n, recent) / max(span, 1),
        )


def _bad(ground: Ground, incident: Incident) -> NDArray[np.bool_]:
    ways = [CLASSES.index(way) for way in incident.ways if way in CLASSES]
    found: NDArray[np.bool_] = np.isin(ground.status, ways)
    return found


def _drawn(hits: Floats, n: Floats) -> Floats:
    whole = hits.sum() / n.sum() if n.sum() else 0.0
    return np.clip((hits + PRIOR * whole) / (n + PRIOR), LEAST, 1.0)


def _whole(n: Floats, hits: Floats) -> Ints:
    """Transactions in all, as the binomial tail wants them: whole, and no fewer than the hits."""
    return np.maximum(n, hits).astype(np.int64)


def affected(incident: Incident, ground: Ground, base: Base, start: int, end: int) -> list[Impact]:
    """The clients whom the incident has affected by minute `end`, product by product."""
    from scipy import special  # noqa: PLC0415 - costs a third of a second, needed only once something fails

    since = (ground.minute >= start) & (ground.minute < end)
    bad = since & _bad(ground, incident)
    n, hits = ground.total(ground.n, since), ground.total(ground.n, bad)
    touched = (hits >= 1) & (special.bdtrc(hits - 1, _whole(n, hits), base.rate) < DOUBT)
    if "slow" in incident.ways:
        slow = ground.total(ground.bins[:, base.slow_from :].sum(axis=1), since)
        late = (slow >= 1) & (special.bdtrc(slow - 1, _whole(n, slow), base.slow_rate) < DOUBT)
        hits, touched = np.where(late, np.maximum(hits, slow), hits), touched | late
    missing = np.zeros(len(n))
    if "missing" in incident.ways:
        due = base.due * (end - start)
        gone = (due > n) & (special.pdtr(n, due) < DOUBT)
        missing, touched = np.where(gone, np.round(due - n), 0), touched | gone
    cents = ground.total(ground.cents, bad)
    first = np.full(len(n), np.iinfo(np.int64).max)
    dated = bad & (ground.first >= 0)
    np.minimum.at(first, ground.pair[dated], ground.first[dated])
    return [
        Impact(
            incident.id, *ground.pairs[k], Touch.AFFECTED, int(hits[k]), int(missing[k]), Decimal(int(cents[k])) / 100,
            datetime.fromtimestamp(first[k] / 1e6, UTC) if first[k] < np.iinfo(np.int64).max else incident.started_at,
        )
        for k in np.flatnonzero(touched)
    ]  # fmt: skip


def exposed(
    incident: Incident, ground: Ground, holdings: Iterable[Holding], hit: set[str], end: int, at: datetime
) -> list[Impact]:
    """Who holds, or by minute `end` has lately used, what fails, and is not among the affected."""
    scope = incident.scope
    used = {ground.pairs[k] for k in np.unique(ground.pair[ground.minute < end]).tolist()}
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
