"""The page of one incident: its curve, its timeline, whom it touches, its cases, and what may be done."""

from __future__ import annotations

import re

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from alerts.casework import WHOLE
from monitor import long_lists, people
from monitor.access import Role
from monitor.counts import COUNTED
from monitor.notified import SENT, notified
from monitor.seeing import COVERED
from monitor.standing import Row
from monitor.store import Store
from monitor.timeline import timeline
from monitor.web.board import traces
from monitor.web.face import Face
from monitor.web.page import LOOK, cut, part
from monitor.web.viewer import viewer
from rules import DIMENSIONS

_ADDRESS = re.compile(r"([^\s@<>,;:\"'])[^\s@<>,;:\"']*(@[^\s@<>,;:\"']+)")


def pages(face: Face) -> APIRouter:
    """/incidents/{id}."""
    router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    @router.get("/incidents/{incident_id}")
    def incident(incident_id: str) -> HTMLResponse:
        now, look = face.clock(), LOOK.get()
        found = people.head(face.store, incident_id, now)
        told = notified(face.store, found["id"])
        wanted, touch = look.asked("q"), look.asked("touch")
        lists = long_lists.lists(found["id"])
        wide = found["alerts"] if look.asked("rules") else _wide(found)

        def listed(name: str, key: str = "page", wanted: str = "") -> Row:
            return _part(face.store, lists[name], key, wanted)

        cases = listed("cases", "cases", wanted)
        if not wanted:
            cases["many"] = sum(found[key] for key in COUNTED.values())

        return face.shown(
            "incident.html",
            now,
            incident=found,
            trace=traces(face.store, [found["id"]]).get(found["id"]),
            guide=face.guide(found),
            steps=timeline(face.store, found, told),
            notices=part([_seen(row) for row in told], "notices", 20),
            told_many=sum(row["state"] == SENT for row in told),
            clients=listed("exposed_clients" if touch == "exposed" else "affected_clients", wanted=wanted),
            cases=cases,
            doubts=listed("doubts", "doubts"),
            in_doubt=long_lists.still_in_doubt(face.store, found["id"]),
            to_approve=long_lists.to_approve(face.store, [found["id"]])[found["id"]],
            withdrawn=_withdrawn(found),
            wanted=wanted,
            touch=touch,
            alerts=wide,
        )

    return router


def _withdrawn(found: Row) -> Row | None:
    """The act by which all of its cases are withdrawn, and those to come."""
    whole = [act for act in found["acts"] if act["action"] in WHOLE and not act["case_key"]]
    return whole[-1] if whole and whole[-1]["action"] == "withdraw" else None


def _part(store: Store, one: long_lists.LongList, key: str, wanted: str) -> Row:
    """The page of a list that is asked for; of those who are looked for by name or number, where somebody is."""
    one = one.named(store, wanted) if wanted else one
    seen = one.count(store)
    return cut(seen, seen, lambda size, first: one.part(store, size, offset=first)[0], key, 20)


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
