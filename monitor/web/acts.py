"""What people do, over the API: each act is kept with who and when, and the same twice is one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request

from alerts.casework import WHOLE
from monitor import casework, people, trail
from monitor.standing import Row
from monitor.store import Store
from monitor.web import act_shapes as s
from monitor.web.page import who
from monitor.web.shapes import MOST, Act, Time, Trouble

WHY_NOT: dict[int | str, dict[str, Any]] = {
    404: {"model": Trouble, "description": "There is none such."},
    409: {"model": Trouble, "description": "Not as it stands now."},
    422: {"model": Trouble, "description": "It cannot be done, or not so."},
}
OnIncident = Literal[
    "ack", "unack", "note", "assign", "resolve", "reopen", "useful", "approve", "withdraw", "reinstate"
]
OnCase = Literal["approve", "withdraw", "reinstate", "informed", "promote", "confirm", "undo", "attribute"]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        description="The same key of the same person is one act, however often.",
    ),
]


def do_case(store: Store, act: OnCase, name: str, deed: s.Deed, author: str, now: datetime, key: str = "") -> list[str]:
    """A case's act; `attribute` takes the tool's case from `to`."""
    if act == "attribute":
        return [casework.attribute(store, name, deed.to, author, now, request_key=key)]
    return casework.do(store, act, [name], author, deed.text, now, request_key=key)


def do_incident(
    store: Store, act: OnIncident, name: str, deed: s.Deed, author: str, now: datetime, key: str = ""
) -> tuple[str, str]:
    """An incident's act, or one on all of its cases; its full id, and what is to be known of it now."""
    if act in WHOLE:
        found = people.found_incident(store, name).id
        (told,) = casework.do(store, act, [found], author, deed.text, now, request_key=key)
        return found, told
    done = people.act(store, act, name, author, now, text=deed.text, about=deed.to, request_key=key)
    return done, people.said(store, act, done)


def routes(store: Store, clock: Callable[[], datetime]) -> APIRouter:
    """The acts of /api/v1, and their trail."""
    router = APIRouter(prefix="/api/v1", responses=WHY_NOT)

    @router.get("/acts", response_model=list[Act], tags=["acts"])
    def acts(
        incident: str | None = None,
        since: Annotated[Time | None, Query(description="With offset.")] = None,
        limit: Annotated[int | None, Query(ge=1, le=MOST, description="At most so many.")] = None,
    ) -> list[Row]:
        """The audit trail, newest first: who did what and when."""
        wanted = people.found_incident(store, incident).id if incident is not None else ""
        return trail.trail(store, incident_id=wanted, since=since, limit=limit)

    @router.post("/incidents/{incident_id}/{act}", response_model=s.Done, tags=["acts"])
    def on_incident(incident_id: str, act: OnIncident, deed: s.Deed, request: Request, key: Key = "") -> Row:
        """Acknowledge, note, assign, resolve, reopen (what was closed by hand, within the hour), or say whether it was useful.

        Approve, withdraw and reinstate are of all of its cases.
        """
        done, said = do_incident(store, act, incident_id, deed, who(request) or deed.by, clock(), key)
        return {"incident_id": done, "said": said}

    @router.post("/cases/{name}/{act}", response_model=s.CasesDone, tags=["acts"])
    def on_case(name: str, act: OnCase, deed: s.Deed, request: Request, key: Key = "") -> Row:
        """Of a case, by its key; approve, withdraw and reinstate also of all of an incident."""
        return {"told": do_case(store, act, name, deed, who(request) or deed.by, clock(), key)}

    return router
