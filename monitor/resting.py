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
from alerts.sits import Place
from rules import Scope


def around(places: Sequence[Place]) -> Scope:
    """The narrowest scope that holds all of these."""
    return reduce(Scope.widened, (place.scope for place in places)) if places else Scope()


def lying(table: pa.Table, places: Sequence[Place]) -> pa.Table:
    """The rows that lie in one of these places."""
    if not places:
        return table.slice(0, 0)
    if len(places) == 1 and not places[0].own:
        return table
    return table.filter(reduce(or_, map(_lies, places)))


def _lies(place: Place) -> pc.Expression:
    found = pc.scalar(True)
    for name, value in (("product", place.scope.product), ("channel", place.scope.channel)):
        if value or (place.own and name == "product"):
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
