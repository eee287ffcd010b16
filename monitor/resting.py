"""Whom a failure is around because what they use rests on it; and the rows of several places at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce
from operator import or_

import pyarrow as pa
import pyarrow.compute as pc

from alerts import Holding, Impact, Incident, Touch
from alerts.rests import things
from rules import Scope


def around(scopes: Sequence[Scope]) -> Scope:
    """The narrowest scope that holds all of these."""
    return reduce(Scope.widened, scopes)


def lying(table: pa.Table, scopes: Sequence[Scope]) -> pa.Table:
    """The rows that lie in one of these products or channels."""
    if len(scopes) == 1 or not table.num_rows:
        return table
    return table.filter(reduce(or_, (_lies(scope) for scope in scopes)))


def _lies(scope: Scope) -> pc.Expression:
    held = [(name, value) for name, value in (("product", scope.product), ("channel", scope.channel)) if value]
    found = pc.scalar(True)
    for name, value in held:
        found &= pc.equal(pc.field(name), value)
    return found


def users(table: pa.Table) -> set[tuple[str, str]]:
    """Clients and products of these rows."""
    pairs = table.select(["client_id", "product"]).group_by(["client_id", "product"]).aggregate([])
    return set(zip(pairs["client_id"].to_pylist(), pairs["product"].to_pylist(), strict=True))


def holders(scope: Scope, holdings: Iterable[Holding], at: datetime) -> set[tuple[str, str]]:
    """Clients and products held there; of a channel, only what is known to go through it."""
    return {
        (h.client_id, h.product)
        for h in holdings
        if (h.product == scope.product if scope.product else h.channel == scope.channel)
        and (h.since is None or h.since <= at)
        and (h.until is None or h.until > at)
    }


def widened(
    incident: Incident, near: Sequence[Impact], resting: Iterable[tuple[str, str]]
) -> tuple[list[Impact], list[Impact]]:
    """Who is exposed: near what fails itself; and only through what rests on it, each client once there.

    near: all who hold or use where it fails or shows; resting: clients and products of what rests on it.
    """
    product, above = incident.scope.product, things(incident.symptoms)
    own = [m for m in near if not above or ((not product or m.product == product) and m.product not in above)]
    known = {m.client_id for m in own}
    others = {(m.client_id, m.product) for m in near} | set(resting)
    return own, [Impact(incident.id, c, p, Touch.EXPOSED) for c, p in sorted(others) if c and c not in known]


def lowered(impact: Impact) -> Impact:
    """With a lower place: what the client holds does not fail, so how critical that is counts for nothing."""
    terms = dict(impact.terms)
    points = terms.get("criticality", 0.0)
    told = tuple((terms | {"criticality": 0.0}).items())
    return replace(impact, priority=max(0, round(impact.priority - points)), terms=told)
