"""The API for programs: what people can ask, as JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from monitor import people
from monitor.standing import Row
from monitor.store import Store
from monitor.web import shapes

MISSING: dict[int | str, dict[str, Any]] = {404: {"model": shapes.Trouble, "description": "There is none such."}}
Limit = Annotated[int | None, Query(ge=1, description="At most so many; all without it.")]
Wanted = Annotated[
    Literal["open", "firing", "resolved", "merged", "all"] | None,
    Query(description="open and firing are the same; without it, all but the merged ones."),
]


def routes(store: Store, clock: Callable[[], datetime]) -> APIRouter:
    """/api/v1, over a store. Times are UTC, money is a decimal in text."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/incidents", response_model=list[shapes.Incident], tags=["incidents"])
    def incidents(state: Wanted = None, limit: Limit = None) -> list[Row]:
        """The incidents, newest first."""
        return people.incidents(store, clock(), state=state, limit=limit)

    @router.get("/incidents/{incident_id}", response_model=shapes.IncidentWhole, responses=MISSING, tags=["incidents"])
    def incident(incident_id: str) -> Row:
        """All of one, by its id or as much of its beginning or end as no other shares."""
        return people.incident(store, incident_id, clock())

    @router.get("/cases", response_model=list[shapes.Case], tags=["cases"])
    def cases(incident_id: str | None = None, limit: Limit = None) -> list[Row]:
        """What was decided on each client's case, newest first."""
        return people.cases(store, incident_id=incident_id, limit=limit)

    @router.get("/clients", response_model=list[shapes.Client], tags=["clients"])
    def clients() -> list[Row]:
        """The clients that the bank has told of, by name."""
        return people.clients(store)

    @router.get("/clients/{nit}", response_model=shapes.ClientWhole, responses=MISSING, tags=["clients"])
    def client(nit: str) -> Row:
        """One client across all that they hold; the NIT in any form."""
        return people.client(store, nit, clock())

    return router
