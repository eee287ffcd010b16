"""Affected clients by segment and by who answers for them: counted in the database, however many they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from alerts import Touch
from alerts.routing import ROLES, Hit
from monitor import tables as t
from monitor.standing import rows
from monitor.store import Store

Hits = Mapping[str, Sequence[Hit]]
"""By incident."""


def hits(store: Store, ids: Collection[str], *, roles: Collection[str], segments: bool, informed: bool) -> Hits:
    """Of each incident. roles: by which of ROLES they are told apart; segments: whether by segment.

    informed: whether those whom post-sale has informed stand apart.
    """
    wanted = [t.clients.c[role] for role in ROLES if role in roles]
    wanted += [t.clients.c.segment] if segments else []
    i, found = t.impacts.c, defaultdict(list)
    where = (i.incident_id.in_(ids), i.touch == Touch.AFFECTED)
    touched = t.impacts.outerjoin(t.clients, t.clients.c.client_id == i.client_id) if wanted else t.impacts
    many = t.counting(i.client_id.distinct()).label("many")
    query = touched.select().with_only_columns(i.incident_id, *wanted, many).where(*where)
    for row in rows(store, query.group_by(i.incident_id, *wanted)):
        found[row["incident_id"]].append(_hit(row, roles, row["many"]))
    told = _informed(store, ids) if informed else {}
    if told:
        some = i.client_id.in_({client for _, client in told})
        query = touched.select().with_only_columns(i.incident_id, i.client_id, *wanted).where(*where, some).distinct()
        for row in rows(store, query):
            if at := told.get((row["incident_id"], row["client_id"])):
                found[row["incident_id"]] += [_hit(row, roles, 1, at), _hit(row, roles, -1)]
    return {incident_id: _summed(mine) for incident_id, mine in found.items()}


def _hit(row: Mapping[str, Any], roles: Collection[str], many: int, at: datetime | None = None) -> Hit:
    people: dict[str, str] = {role: row[role] or "" for role in ROLES if role in roles}
    return Hit(many, row.get("segment") or "", people, at)


def _summed(found: Sequence[Hit]) -> list[Hit]:
    alike: dict[tuple[Any, ...], list[Hit]] = defaultdict(list)
    for hit in found:
        alike[hit.segment, tuple(hit.people.values()), hit.informed_at].append(hit)
    summed = [
        Hit(sum(hit.clients for hit in same), same[0].segment, same[0].people, same[0].informed_at)
        for same in alike.values()
    ]
    return [hit for hit in summed if hit.clients]


def _informed(store: Store, ids: Collection[str]) -> dict[tuple[str, str], datetime]:
    """By incident and client: when post-sale told them, whether or not the judging thread has taken it in."""
    d, a = t.decisions.c, t.acts.c
    taken = t.decisions.select().with_only_columns(d.incident_id, d.client_id, d.informed_at.label("at"))
    fresh = t.acts.join(t.decisions, d.key == a.case_key).select().with_only_columns(d.incident_id, d.client_id, a.at)
    found: dict[tuple[str, str], datetime] = {}
    for row in [
        *rows(store, taken.where(d.incident_id.in_(ids), d.informed_at.is_not(None))),
        *rows(store, fresh.where(a.incident_id.in_(ids), a.action == "informed")),
    ]:
        key = (row["incident_id"], row["client_id"])
        found[key] = min(row["at"], found.get(key, row["at"]))
    return found
