"""The control tower's first page: what is happening now, how each product is, what was resolved lately."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from alerts import Incident, IncidentState, Touch
from alerts.priority import SEGMENTS
from monitor import people
from monitor import tables as t
from monitor.bereft import bereft
from monitor.long_lists import to_approve
from monitor.seeing import seen
from monitor.standing import Row, as_acted, only, rows, shut, still_failing, told
from monitor.store import Store
from monitor.verdicts import Present, present
from monitor.web.face import Face
from monitor.web.page import LOOK
from rules import Severity, Verdict

LATELY = timedelta(hours=24)
"""For how long what is resolved stays on the board, and the time that its figures are of."""
SHOWN, SHOWN_OVER = 6, 4
"""Incidents that are drawn at first; the others are a link away."""
BLIND = 0.5
"""From this share of watched places without a verdict on, nobody is told that all is well: most of the bank is not seen."""
NOBODY = "-"
"""Of a filter: those that nobody has taken."""
TONES = {Verdict.HEALTHY: "well", Verdict.BREACH: "critical", Verdict.UNKNOWN: "unknown"}
KEYS = ("product", "channel", "segment", "severity", "by")


def pages(face: Face) -> APIRouter:
    """/, with its filters in the query."""
    router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)
    store = face.store

    @router.head("/")
    @router.get("/")
    def board() -> HTMLResponse:
        now, look = face.clock(), LOOK.get()
        asked = {key: look.asked(key) for key in KEYS}
        incidents = as_acted(store, store.incidents(t.incidents.c.state == IncidentState.FIRING))
        firing = [incident for incident in incidents if incident.state is IncidentState.FIRING]
        told_of = sorted(told(store, firing, now), key=_worst_first)
        worst = next((row for row in told_of if seen(row["client_id"])), None)
        graver = worst or (told_of[0] if told_of else None)
        matching = _matching(store, told_of, asked)
        drawn = matching if look.asked("all") else matching[:SHOWN]
        over = _over(store, incidents, now, everything=bool(look.asked("over")))
        present_ = present(store, now, face.outlook.fresh)
        ok, _ = face.ready()
        watched = face.metrics.watched
        calm = not told_of and watched[0] > watched[1] and all(s.up for s in face.metrics.sources.values())
        behind, still = face.metrics.behind(), face.metrics.still()
        well = watched[1] < BLIND * watched[0] and not behind and not still
        desks = face.outlook.desks
        gone = {} if desks is None else {name: len(keys) for name, keys in bereft(store, desks).items()}
        quiet = "well" if calm and well and not gone and not over[2] else "unknown" if calm and not over[2] else "major"
        return face.shown(
            "board.html",
            now,
            many=len(told_of),
            worst=worst,
            tone="critical" if not ok else graver["severity"] if graver else quiet,
            rows=drawn,
            matching=len(matching),
            to_approve=to_approve(store, [row["id"] for row in drawn]),
            guides={row["id"]: face.guide(row) for row in drawn},
            traces=traces(store, [row["id"] for row in drawn]),
            asked=asked,
            filtered=any(asked.values()),
            options=_options(told_of, present_),
            matrix=_matrix(present_, told_of),
            over=over[0],
            over_many=over[1],
            shut=over[2],
            figures=people.figures(store, now - LATELY),
            watched=watched,
            well=well,
            gone=gone,
            behind=behind,
            still=still,
        )

    return router


def traces(store: Store, ids: Sequence[str]) -> dict[str, Row]:
    """The curves of these incidents, by their ids (see `monitor.traces`)."""
    found = rows(store, t.traces.select().where(t.traces.c.incident_id.in_(ids))) if ids else []
    return {row["incident_id"]: row for row in found}


def _over(store: Store, open_: Sequence[Incident], now: datetime, *, everything: bool) -> tuple[list[Row], int, int]:
    """What was resolved LATELY, the newest first: what is shown of it, how many there are, and how many of them are still failing.

    Those that were closed by hand and are come first, whenever that was. open_: what was open a moment ago.
    """
    i = t.incidents.c
    held = store.incidents(i.state == IncidentState.RESOLVED, (i.resolved_at >= now - LATELY) | shut())
    found = [incident for incident in open_ if incident.state is IncidentState.RESOLVED] + held
    still = still_failing(store, found)
    found.sort(key=lambda one: one.id not in still)
    return told(store, found if everything else found[:SHOWN_OVER], now), len(found), len(still)


def _worst_first(row: Row) -> tuple[int, int, datetime]:
    return (-Severity(row["severity"]).rank, -row["priority"], row["started_at"])


def _matching(store: Store, told_of: Sequence[Row], asked: dict[str, str]) -> list[Row]:
    """Those that the filter leaves: an incident that names no product is of all of them."""
    found = [
        row for row in told_of if all(asked[key] in ("", row[key]) or not row[key] for key in ("product", "channel"))
    ]
    found = [row for row in found if asked["severity"] in ("", row["severity"])]
    if asked["by"]:
        found = [row for row in found if (_whose(row) or NOBODY) == asked["by"]]
    if asked["segment"]:
        here = _hitting(store, asked["segment"], [row["id"] for row in found])
        found = [row for row in found if row["id"] in here]
    return found


def _whose(row: Row) -> str:
    return str(row["assigned_to"] or row["acknowledged_by"])


def _hitting(store: Store, segment: str, ids: Sequence[str]) -> set[str]:
    """Which of these incidents affect a client of the segment."""
    i, theirs = t.impacts.c, only(t.clients, "client_id", t.clients.c.segment == segment)
    hit = i.incident_id.in_(ids), i.touch == Touch.AFFECTED, i.client_id.in_(theirs)
    return {row["incident_id"] for row in rows(store, only(t.impacts, "incident_id", *hit).distinct())}


def _options(told_of: Iterable[Row], present_: Present) -> dict[str, list[tuple[str, str]]]:
    """What may be chosen: what is watched or fails, and who has something in hand."""
    words = LOOK.get().words
    found: dict[str, list[tuple[str, str]]] = {}
    for place, key in enumerate(("product", "channel")):
        ids = {said[place] for said in present_.said} | {row[key] for row in told_of}
        found[key] = sorted(((one, words.name(one)) for one in ids if one), key=lambda pair: pair[1])
    found["segment"] = [(segment, segment.capitalize()) for segment in SEGMENTS]
    found["by"] = [(who, who) for who in sorted({_whose(row) for row in told_of} - {""})]
    return found


def _matrix(present_: Present, told_of: Sequence[Row]) -> dict[str, Any]:
    """Every product through every channel that is watched: well, failing, or that nobody can tell; failing leads to what fails."""
    places = {place for place in present_.said if place[0]}
    narrow = {place for place in places if place[1]}
    places = narrow | {place for place in places if not any(one[0] == place[0] for one in narrow)}
    products, channels = sorted({p for p, _ in places}), sorted({c for _, c in places})

    def cell(place: tuple[str, str]) -> tuple[str, str]:
        if place not in places:
            return "", ""
        here = [row for row in told_of if _at(row, place)]
        verdict = Verdict.BREACH if here else present_.of(*place)[0]
        if len(here) == 1:
            return TONES[verdict], f"/incidents/{here[0]['id']}"
        return TONES[verdict], LOOK.get().home(product=place[0], channel=place[1]) if here else ""

    return {"channels": channels, "products": [(p, [cell((p, c)) for c in channels]) for p in products]}


def _at(row: Row, place: tuple[str, str]) -> bool:
    """Whether all of the place is in what fails: neither one client's nor an indicator's."""
    product, channel = place
    if row["client_id"] or row["series"]:
        return False
    return row["product"] in ("", product) and row["channel"] in ("", channel)
