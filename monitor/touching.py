"""Whom an incident touches, as all its recipients are told: as counts. Whose clients they are: `monitor.theirs`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from alerts import Action, Touch
from alerts.reasons import APPROVAL
from monitor import tables as t
from monitor.standing import Row, only, rows
from monitor.store import Store

_COUNTED = {Action.OPEN: "cases_opened", Action.LINK: "cases_linked", Action.NONE: "cases_left"}


def asked(once: dict[Any, Any] | None, key: object, ask: Callable[[], Any]) -> Any:
    """What `ask` says, or has said before in the same pass."""
    if once is None:
        return ask()
    if key not in once:
        once[key] = ask()
    return once[key]


def counts(store: Store, incident_id: str, among: Collection[str] = ()) -> Row:
    """Clients affected and exposed, the highest priority of the affected, cases by what was decided. among: segments (none: all).

    cases_waiting: those of cases_left that wait for approval.
    """
    i, d = t.impacts.c, t.decisions.c
    here = [i.incident_id == incident_id, *_among(i.client_id, among)]
    hit = only(t.impacts, "client_id", i.incident_id == incident_id, i.touch == Touch.AFFECTED)
    affected = t.impacts.select().where(*here, i.touch == Touch.AFFECTED)
    (worst,) = rows(
        store, affected.with_only_columns(t.different(i.client_id).label("n"), t.highest(i.priority).label("p"))
    )
    exposed = t.impacts.select().where(*here, i.touch == Touch.EXPOSED, i.client_id.not_in(hit))
    (near,) = rows(store, exposed.with_only_columns(t.different(i.client_id).label("n")))
    found: Row = {"affected": worst["n"], "exposed": near["n"], "priority": worst["p"] or 0}
    found |= dict.fromkeys((*_COUNTED.values(), "cases_waiting"), 0)
    decided = t.decisions.select().where(d.incident_id == incident_id, *_among(d.client_id, among))
    withdrawn, waits = d.withdrawn_at.is_not(None), d.reason == APPROVAL
    told = withdrawn.label("withdrawn"), waits.label("waits"), t.different(d.key).label("n")
    for row in rows(store, decided.with_only_columns(d.action, *told).group_by(d.action, withdrawn, waits)):
        found[_COUNTED[Action.NONE if row["withdrawn"] else Action(row["action"])]] += row["n"]
        found["cases_waiting"] += row["n"] if row["waits"] else 0
    return found


def segments(store: Store, incident_id: str, among: Collection[str] = ()) -> dict[str, int]:
    """How many affected clients by segment, '' where it is not known."""
    i, c = t.impacts.c, t.clients.c
    hit = only(t.impacts, "client_id", i.incident_id == incident_id, i.touch == Touch.AFFECTED).distinct().subquery()
    whole = hit.outerjoin(t.clients, hit.c.client_id == c.client_id).select()
    where = [c.segment.in_(list(among))] if among else []
    found = rows(store, whole.with_only_columns(c.segment, t.counting().label("n")).where(*where).group_by(c.segment))
    many = {row["segment"] or "": row["n"] for row in found if row["segment"]}
    unknown = sum(row["n"] for row in found if not row["segment"])
    return dict(sorted(many.items(), key=lambda pair: (-pair[1], pair[0]))) | ({"": unknown} if unknown else {})


def _among(client_id: Any, among: Collection[str]) -> list[Any]:
    return [client_id.in_(only(t.clients, "client_id", t.clients.c.segment.in_(list(among))))] if among else []
