"""The page of one incident: its curve, its timeline, whom it touches, its cases, and what may be done."""

from __future__ import annotations

import re

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from monitor import people
from monitor.access import Role
from monitor.notified import SENT, notified
from monitor.seeing import COVERED
from monitor.standing import Row
from monitor.timeline import timeline
from monitor.web.board import traces
from monitor.web.clients import named
from monitor.web.face import Face
from monitor.web.page import LOOK, part
from monitor.web.viewer import viewer
from rules import DIMENSIONS

_ADDRESS = re.compile(r"([^\s@<>,;:\"'])[^\s@<>,;:\"']*(@[^\s@<>,;:\"']+)")


def pages(face: Face) -> APIRouter:
    """/incidents/{id}."""
    router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    @router.get("/incidents/{incident_id}")
    def incident(incident_id: str) -> HTMLResponse:
        now, look = face.clock(), LOOK.get()
        found = people.incident(face.store, incident_id, now)
        told = notified(face.store, found["id"])
        wanted, touch = look.asked("q"), look.asked("touch")
        clients = found["exposed_clients" if touch == "exposed" else "affected_clients"]
        wide = found["alerts"] if look.asked("rules") else _wide(found)
        return face.shown(
            "incident.html",
            now,
            incident=found,
            trace=traces(face.store, [found["id"]]).get(found["id"]),
            guide=face.guide(found),
            steps=timeline(face.store, found, told),
            notices=part([_seen(row) for row in told], "notices", 20),
            told_many=sum(row["state"] == SENT for row in told),
            clients=part([row for row in clients if named(row["client"], row["client_id"], wanted)], size=20),
            cases=part([row for row in found["cases"] if named(row["client"], row["client_id"], wanted)], "cases", 20),
            doubts=part(found["doubts"], "doubts", 20),
            wanted=wanted,
            touch=touch,
            alerts=wide,
        )

    return router


def _seen(row: Row) -> Row:
    """Who was told, as whoever asks may see it: addresses are whole for those who act and see every client."""
    here = viewer()
    if here.role >= Role.ACT and not here.partial:
        return row
    return row | {"recipient": masked(row["recipient"]), "error": masked(row["error"])}


def masked(text: str) -> str:
    """Addresses in it without whose they are: «p•••@banco.example»."""
    return _ADDRESS.sub(rf"\1{COVERED}\2", text)


def _wide(found: Row) -> list[Row]:
    """Its alerts about its own place, and those that say nothing any more; the others show the same in its parts."""
    place = [(found[name]) for name in DIMENSIONS]
    return [
        row for row in found["alerts"] if row["state"] == "over" or [row[name] for name in DIMENSIONS] == place
    ] or found["alerts"]
