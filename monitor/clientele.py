"""All clients in the order in which they are served, and how open incidents touch those of them who are asked for.

Who stands where in the line is counted by the database and kept until something changes; only rows that somebody reads are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from alerts import Client, Incident, IncidentState
from alerts.rows import plain
from monitor import tables as t
from monitor.counts import until_changed
from monitor.crossings import marks
from monitor.past import MONTH, Hit, affected_by, lately, of_late
from monitor.seeing import SIGHT
from monitor.standing import Row, as_acted, only, rows, shut, still_failing, tuples
from monitor.store import Store

FEW = 1000
"""Rows of clients that are made at a time."""
UNTOUCHED: Row = {"touch": "", "priority": 0, "products": [], "incidents": []}


class Place(NamedTuple):
    """A client in the line. touch: '' where no open incident touches them; crossed: whether impacts cross on them."""

    client_id: str
    name: str
    touch: str
    priority: int
    crossed: bool


def clients(
    store: Store,
    now: datetime,
    *,
    crossed: bool = False,
    touched: bool = False,
    limit: int | None = None,
    offset: int = 0,
) -> list[Row]:
    """Every client that the bank has told of or that is touched now: the touched by priority, then the others by name.

    crossed: only those on whom impacts cross; touched: only those whom an open incident touches. limit: at most so many of those whom
    whoever asks may see, after the first `offset`.
    """
    return rows_of(store, now, wanted(store, now, crossed=crossed, touched=touched)[offset:][:limit])


def wanted(store: Store, now: datetime, *, crossed: bool = False, touched: bool = False) -> list[Place]:
    """Of `in_line`, those whom whoever asks may see; as `clients`."""
    sight = SIGHT.get().clients
    return [
        one
        for one in in_line(store, now)
        if (one.crossed or not crossed) and (one.touch or not touched) and (sight is None or one.client_id in sight)
    ]


def in_line(store: Store, now: datetime) -> Sequence[Place]:
    """Every client, the first to be served first."""
    made: Sequence[Place] = until_changed(store, "line", int(now.timestamp() // 60), lambda: _in_line(store, now))
    return made


def _in_line(store: Store, now: datetime) -> Sequence[Place]:
    i, c = t.impacts.c, t.clients.c
    month = (*lately(now), t.incidents.c.started_at > now - MONTH)
    names: dict[str, str] = dict(tuples(store, t.clients.select().with_only_columns(c.client_id, c.name)))
    twice = {key for (key,) in tuples(store, t.again(i.incident_id.in_(only(t.incidents, "id", *month))))}
    here = tuples(store, t.by_client(i.incident_id.in_(list(open_incidents(store)))))
    places = [
        Place(key, names.get(key, ""), touch, priority, products > 1 or key in twice)
        for key, touch, priority, products in here
    ]
    touched = {place.client_id for place in places}
    places += [Place(key, names.get(key, ""), "", 0, key in twice) for key in (names.keys() | twice) - touched]
    return sorted(places, key=lambda one: (not one.touch, one.touch, -one.priority, one.name, one.client_id))


def rows_of(store: Store, now: datetime, places: Sequence[Place]) -> list[Row]:
    """A row each, in this order: the client, how they are touched, and where impacts cross on them."""
    return [row for some in by_and_by(store, now, places) for row in some]


def by_and_by(store: Store, now: datetime, places: Sequence[Place]) -> Iterator[list[Row]]:
    """The same, FEW at a time: a hundred thousand at once are slow to make and hard to hold."""
    open_ = open_incidents(store) if places else {}
    late = of_late(store, now) if any(one.crossed for one in places) else {}
    alike: dict[tuple[str, ...], list[Row]] = {}

    def crossings(hits: Sequence[Hit]) -> list[Row]:
        key = tuple(word for hit in hits for word in (hit.incident_id, hit.product))
        if key not in alike:  # many are hit by the very same
            alike[key] = marks(hits, now)
        return alike[key]

    for start in range(0, len(places), FEW):
        some = places[start : start + FEW]
        ids = [one.client_id for one in some]
        here = touched_by(store, open_, t.impacts.c.client_id.in_(ids))
        hit = affected_by(store, [one.client_id for one in some if one.crossed], late)
        asked = t.clients.select().where(t.clients.c.client_id.in_(ids))
        known = {row["client_id"]: row for row in rows(store, asked)}
        yield [
            (known.get(one.client_id) or plain(Client(one.client_id)))
            | here.get(one.client_id, UNTOUCHED)
            | {"marks": crossings(hit.get(one.client_id, ()))}
            for one in some
        ]


def first_served(row: Row) -> tuple[Any, ...]:
    """By which rows are sorted as the line is."""
    return not row["touch"], row["touch"], -row["priority"], row["name"], row["client_id"]


def open_incidents(store: Store, *, failing: bool = False) -> dict[str, Incident]:
    """Those that go on, with what people did a moment ago. failing: also those that were closed by hand and are in alert."""
    i = t.incidents.c
    back = i.id.in_(only(t.acts, "incident_id", t.acts.c.action == "reopen"))  # the judging thread may not know yet
    wanted = (i.state == IncidentState.FIRING) | back
    found = as_acted(store, store.incidents(wanted | shut() if failing else wanted))
    still = still_failing(store, found) if failing else ()
    return {one.id: one for one in found if one.state is IncidentState.FIRING or one.id in still}


def touched_by(store: Store, open_: Mapping[str, Incident], where: Any) -> dict[str, Row]:
    """By client, where that holds: affected, or else exposed, on which products, by which incidents, and the highest priority of these."""
    i = t.impacts.c
    few = t.impacts.select().with_only_columns(i.client_id, i.touch, i.priority, i.product, i.incident_id)
    found: dict[str, Row] = {}
    every = [row for row in tuples(store, few.where(where)) if row[4] in open_]
    every.sort(key=lambda row: (row[1], -row[2], row[3], row[4]))
    for client_id, touch, priority, product, incident_id in every:  # the affected first: whoever is both is affected
        if (mine := found.get(client_id)) is None:
            found[client_id] = {"touch": touch, "priority": priority, "products": [product], "incidents": [incident_id]}
        elif mine["touch"] == touch:
            for key, value in (("products", product), ("incidents", incident_id)):
                mine[key] += [value] if value not in mine[key] else []
    return found
