"""Where a failure sits, and what it has in common: from its excess, the bad rows that its base does not explain.

The seat is the narrowest scope that holds MOST of the excess and is no artefact of the traffic: a client is the seat only if the
others there sent enough to show it, and do not; a product through a channel only if what is beside it does not fail as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alerts import Incident
from alerts.ground import Base, Bools, Ground, sums
from alerts.impact import Struck, struck
from rules import Floats, Scope

MOST = 0.9
TOLD = 0.5
"""A share from which on it is told."""
FEW = 5
"""Rows of excess below which nothing is said."""
PLAIN, PART = 3.0, 0.25
"""A stream lacks rows from so many deviations on, and this part of what was due."""
MOSTLY = 0.8
"""As MOST, of a client: others fail a little by chance, and are looked at by themselves."""
SHOWN = 0.05
"""Chance below which others would not have had so few, had they failed as the client did."""
SURE = 0.01
"""Chance below which others fail, too."""
ALSO, LEAST = 0.3, 3.0
"""What is beside fails as well from this part of the rate on, and this many rows."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Where it sits. shares: (dimension, value, part of the excess), the biggest of each dimension; rows: the excess."""

    scope: Scope
    shares: tuple[tuple[str, str, float], ...]
    rows: int


def seat(incident: Incident, ground: Ground, base: Base, start: int, end: int) -> Seat | None:
    """Where the incident sits by minute `end`; None where there is too little to say."""
    return seated(incident, struck(incident, ground, base, start, end))


def seated(incident: Incident, found: Struck) -> Seat | None:
    """Where what was found sits."""
    listed = found.ground.listed
    names, stream_of = listed.streams
    rows = found.ground.rows
    weight = rows.many[found.bad] * found.q
    failing, absent = sums(stream_of[rows.unit[found.bad]], weight, len(names)), _lack(found)
    excess = np.maximum(failing, 0) + absent
    if excess.sum() < FEW:
        return None
    volume = sums(stream_of, np.maximum(found.due, sums(rows.unit, rows.n, len(listed.units))), len(names))
    client = incident.scope.client_id or _client(found, missing=absent.sum() > failing.sum())
    if client and not incident.scope.client_id:
        mine = np.array([unit[0] == client for unit in listed.units])
        bad = mine[rows.unit[found.bad]]
        excess = sums(stream_of[rows.unit[found.bad][bad]], weight[bad], len(names))
        excess = excess + sums(stream_of[mine], np.maximum(found.due - found.came, 0)[mine], len(names))
        volume = sums(
            stream_of[mine], np.maximum(found.due, sums(rows.unit, rows.n, len(listed.units)))[mine], len(names)
        )
    product, channel = _where(names, excess, volume)
    scope = Scope(incident.scope.product or product, incident.scope.channel or channel, client)
    return Seat(scope, _shares(found, weight, failing + absent, client), round(float((failing + absent).sum())))


def _lack(found: Struck) -> Floats:
    """By stream, what was due and did not come, where it is beyond chance."""
    names, stream_of = found.ground.listed.streams
    due = sums(stream_of, found.due, len(names))
    lack = due - sums(stream_of, found.came, len(names))
    return np.where((lack > PLAIN * np.sqrt(due)) & (lack >= PART * due), lack, 0.0)


def _where(names: tuple[tuple[str, ...], ...], excess: Floats, volume: Floats) -> tuple[str, str]:
    """Product and channel of the seat, '' where it is wider than one."""
    whole, top = excess.sum(), int(np.argmax(excess))
    product, channel = (np.array([name[k] for name in names]) for k in (0, 1))
    here = np.arange(len(names)) == top
    within = {
        part: excess[mask].sum() / whole
        for part, mask in (("product", product == product[top]), ("channel", channel == channel[top]))
    }

    def fails_too(rest: Bools) -> bool:
        n, rate = volume[rest].sum(), excess[top] / max(volume[top], 1)
        return bool(excess[rest].sum() >= LEAST and n and excess[rest].sum() / n >= ALSO * rate)

    if excess[top] / whole >= MOST:
        beside, other = fails_too((channel == channel[top]) & ~here), fails_too((product == product[top]) & ~here)
        return ("" if beside else str(product[top])), ("" if other and not beside else str(channel[top]))
    # The widest part first: of two that hold most, the one that holds more.
    widest = np.argmax([sum(excess[channel == name]) for name in channel])
    if sum(excess[channel == channel[widest]]) / whole >= MOST and within["channel"] >= within["product"]:
        return "", str(channel[widest])
    widest = np.argmax([sum(excess[product == name]) for name in product])
    if sum(excess[product == product[widest]]) / whole >= MOST:
        return str(product[widest]), ""
    return "", ""


def _client(found: Struck, *, missing: bool) -> str:
    """The one client whom it is about, or ''."""
    from scipy.special import pdtr, pdtrc  # noqa: PLC0415 - costs a third of a second, needed only once something fails

    listed = found.ground.listed
    nits = sorted({unit[0] for unit in listed.units})
    place = {nit: i for i, nit in enumerate(nits)}
    of = np.array([place[unit[0]] for unit in listed.units], np.int64)
    bad, due = (found.came, found.due) if missing else (found.hits, found.expected)
    sign = -1.0 if missing else 1.0
    by_client = sign * (sums(of, bad, len(nits)) - sums(of, due, len(nits)))
    top = int(np.argmax(by_client))
    if by_client[top] < MOSTLY * by_client.sum() or by_client[top] <= 0:
        return ""
    mine = of == top
    hurt = np.isin(listed.streams[1], listed.streams[1][mine & (sign * (bad - due) > 0)])
    others = ~mine & hurt
    n = found.due if missing else found.n
    rate = by_client[top] / max(n[mine].sum(), 1)
    had, usual, sent = bad[others].sum(), due[others].sum(), n[others].sum()
    if missing:
        fail, would = pdtr(max(had, 0), usual) < SURE, pdtrc(max(had - 1, 0), max(1 - rate, 0) * usual) < SHOWN
    else:
        fail, would = pdtrc(had - 1, usual) < SURE if had >= 1 else False, pdtr(had, usual + rate * sent) < SHOWN
    return nits[top] if would and not fail else ""


def _shares(found: Struck, weight: Floats, excess: Floats, client: str) -> tuple[tuple[str, str, float], ...]:
    """The biggest share of each dimension, where it is told."""
    ground, whole = found.ground, float(excess.sum())
    streams, codes = ground.listed.streams[0], ground.listed.codes
    by_code = sums(ground.rows.code[found.bad], weight, len(codes))
    told = [
        *(_biggest([name[k] for name in streams], excess) for k in (0, 1)),
        _biggest([code[0] for code in codes], by_code),
    ]
    parts = [(name, value, round(part / whole, 2)) for name, (value, part) in zip(DIMENSIONS, told, strict=True)]
    if client:
        mine = np.array([unit[0] == client for unit in ground.listed.units])
        held = weight[mine[ground.rows.unit[found.bad]]].sum() + np.maximum(found.due - found.came, 0)[mine].sum()
        parts.append(("client_id", client, round(min(float(held) / whole, 1.0), 2)))
    kept = [part for part in parts if part[1] and part[2] >= TOLD]
    return tuple(sorted(kept, key=lambda part: (-part[2], DIMENSIONS.index(part[0]) if part[0] in DIMENSIONS else 9)))


DIMENSIONS = ("product", "channel", "error_code")


def _biggest(values: list[str], weight: Floats) -> tuple[str, float]:
    found: dict[str, float] = {}
    for value, part in zip(values, weight.tolist(), strict=True):
        found[value] = found.get(value, 0.0) + part
    best: Callable[[str], float] = found.__getitem__
    top = max(found, key=best, default="")
    return top, found.get(top, 0.0)
