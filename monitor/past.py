"""What has happened to clients: which incidents affected them, what these did, and what came again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from alerts import Impact, Incident, IncidentState, Touch
from monitor import tables as t
from monitor.standing import Row, as_acted, only, told, tuples
from monitor.store import Store

MONTH = timedelta(days=30)
"""What comes again within it is the same again."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A client's product that an incident has affected, and whether it still does."""

    incident_id: str
    product: str
    started_at: datetime
    open: bool


def lately(now: datetime) -> tuple[Any, ...]:
    """Of the incidents that stand for themselves, those that began within the last MONTH or go on."""
    i = t.incidents.c
    stands = i.state.in_((IncidentState.FIRING, IncidentState.RESOLVED))
    return stands, (i.started_at > now - MONTH) | (i.state == IncidentState.FIRING)


def of_late(store: Store, now: datetime) -> dict[str, Incident]:
    """Those of `lately`, with what people did a moment ago."""
    return {incident.id: incident for incident in as_acted(store, store.incidents(*lately(now)))}


def affected_by(store: Store, ids: Collection[str], incidents: Mapping[str, Incident]) -> dict[str, list[Hit]]:
    """By client, which of these incidents have affected them, in order of time."""
    n = t.impacts.c
    here = (n.touch == Touch.AFFECTED, n.client_id.in_(ids))
    few = t.impacts.select().with_only_columns(n.client_id, n.incident_id, n.product).where(*here)
    hits: dict[tuple[str, str], Hit] = {}
    found: dict[str, list[Hit]] = {}
    for client_id, incident_id, product in tuples(store, few):
        if (hit := hits.get((incident_id, product))) is None:
            if (incident := incidents.get(incident_id)) is None:
                continue
            firing = incident.state is IncidentState.FIRING
            hit = hits[incident_id, product] = Hit(incident_id, product, incident.started_at, firing)
        found.setdefault(client_id, []).append(hit)
    for mine in found.values():
        if len(mine) > 1:
            mine.sort(key=lambda h: (h.started_at, h.incident_id, h.product))
    return found


def history(store: Store, client_id: str, since: datetime, now: datetime, decided: Sequence[Row]) -> list[Row]:
    """The incidents that affected a client since then, newest first, with what they did to the client alone.

    decided: the client's rows of `people.cases`, for the case and the lead of each.
    """
    i, n = t.incidents.c, t.impacts.c
    mine = (n.client_id == client_id, n.touch == Touch.AFFECTED)
    where = (
        i.id.in_(only(t.impacts, "incident_id", *mine)),
        i.state.in_((IncidentState.FIRING, IncidentState.RESOLVED)),
        (i.started_at >= since) | (i.state == IncidentState.FIRING),
    )
    incidents = as_acted(store, store.incidents(*where))
    impacts: dict[str, list[Impact]] = {}
    for impact in store.impacts(*mine):
        impacts.setdefault(impact.incident_id, []).append(impact)
    case = {row["incident_id"]: row for row in reversed(decided)}
    return [
        row | _done(impacts.get(incident.id, ())) | _case(case.get(incident.id)) | {"error": _error(incident)}
        for incident, row in zip(incidents, map(_brief, told(store, incidents, now)), strict=True)
    ]


_KEPT = (
    "id", "product", "channel", "series", "kind", "ways", "severity", "state", "started_at", "detected_at", "ended_at",
    "minutes", "still_failing",
)  # fmt: skip


def _brief(row: Row) -> Row:
    return {name: row[name] for name in _KEPT}


def _done(impacts: Sequence[Impact]) -> Row:
    firsts = [impact.first_failure_at for impact in impacts if impact.first_failure_at]
    return {
        "products": sorted({impact.product for impact in impacts}),
        "failures": sum(impact.failures for impact in impacts),
        "missing": sum(impact.missing for impact in impacts),
        "amount": sum((impact.amount for impact in impacts), Decimal(0)),
        "first_failure_at": min(firsts, default=None),
    }


def _case(row: Row | None) -> Row:
    """What was decided on the client's case, and who was first."""
    blank = {"action": "", "opened_at": None, "client_reported_at": None, "lead_seconds": None}
    return blank if row is None else {name: row[name] for name in blank}


def _error(incident: Incident) -> str:
    """The error code that its failures have in common, or ''."""
    return next((value for dimension, value, _ in incident.shares if dimension == "error_code"), "")


def again(past: Sequence[Row], now: datetime) -> list[Row]:
    """What affected the client more than once within the last MONTH: the same product, and the same error on it.

    past: rows of `history`. The error is the code that an incident's failures share or, without one, the way it hurts.
    """
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in reversed(past):
        if row["started_at"] > now - MONTH:
            for product in row["products"]:
                found.setdefault(("product", product, ""), []).append(row)
                found.setdefault(("error", product, row["error"] or row["kind"]), []).append(row)
    return [
        {
            "same": same, "product": product, "error": error, "times": len(times),
            "dates": [row["started_at"] for row in times], "incidents": [row["id"] for row in times],
        }
        for (same, product, error), times in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
        if len(times) > 1
    ]  # fmt: skip


def days(
    past: Sequence[Mapping[str, Any]], now: datetime, length: int = 90
) -> list[tuple[date, list[Mapping[str, Any]]]]:
    """Each of the last `length` local days, today last (in the zone of `now`), with the rows of `history` that it saw."""
    today = now.date()
    found: list[tuple[date, list[Mapping[str, Any]]]] = [
        (today - timedelta(days=length - 1 - n), []) for n in range(length)
    ]
    for row in past:
        first = row["started_at"].astimezone(now.tzinfo).date()
        fails = row["state"] == IncidentState.FIRING or row.get("still_failing")
        until = now if fails else row["ended_at"] or row["started_at"]
        last = until.astimezone(now.tzinfo).date()
        for day, seen in found:
            if first <= day <= last:
                seen.append(row)
    return found
