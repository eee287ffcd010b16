"""The API for programs: what people can ask, as JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from monitor import people, portrait
from monitor.portrait import Outlook
from monitor.standing import Row
from monitor.store import Store
from monitor.web import portraits, shapes
from monitor.web.page import reader
from monitor.web.viewer import seen_first

MISSING: dict[int | str, dict[str, Any]] = {404: {"model": shapes.Trouble, "description": "There is none such."}}
Limit = Annotated[int | None, Query(ge=1, description="At most so many; all without it.")]
Wanted = Annotated[
    Literal["open", "firing", "resolved", "merged", "all"] | None,
    Query(description="open and firing are the same; without it, all but the merged ones."),
]
Crossed = Annotated[
    bool, Query(description="Only those hit by two products at once, or twice within 30 days, touched now or not.")
]
Touched = Annotated[bool, Query(description="Only those whom an open incident touches.")]


def routes(store: Store, clock: Callable[[], datetime], outlook: Outlook) -> APIRouter:
    """/api/v1, over a store. Times are UTC, money is a decimal in text."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/incidents", response_model=list[shapes.Incident], tags=["incidents"])
    def incidents(state: Wanted = None, limit: Limit = None) -> list[Row]:
        """The incidents, newest first."""
        return seen_first(limit, lambda cut: people.incidents(store, clock(), state=state, limit=cut))

    @router.get("/incidents/{incident_id}", response_model=shapes.IncidentWhole, responses=MISSING, tags=["incidents"])
    def incident(incident_id: str) -> Row:
        """All of one, by its id or as much of its beginning or end as no other shares."""
        return people.incident(store, incident_id, clock())

    @router.get("/cases", response_model=list[shapes.Case], tags=["cases"])
    def cases(incident_id: str | None = None, limit: Limit = None) -> list[Row]:
        """What was decided on each client's case, newest first."""
        return seen_first(limit, lambda cut: people.cases(store, incident_id=incident_id, limit=cut))

    @router.get("/clients", response_model=list[portraits.ClientTouched], tags=["clients"])
    def clients(*, crossed: Crossed = False, touched: Touched = False) -> list[Row]:
        """The clients that the bank has told of: those touched now by priority, then the others by name."""
        return portrait.clients(store, clock(), crossed=crossed, touched=touched)

    @router.get("/clients/{nit}", response_model=portraits.ClientWhole, responses=MISSING, tags=["clients"])
    def client(nit: str, request: Request) -> Row:
        """One client across all that they hold, and their last 90 days; the NIT in any form. Who asks is noted."""
        return portrait.client(store, nit, clock(), reader(request, "api"), outlook)

    return router
