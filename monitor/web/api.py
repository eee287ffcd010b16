"""The API for programs: what people can ask, as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic_core import to_json

from monitor import clientele, people, portrait
from monitor.guides import meant
from monitor.portrait import Outlook
from monitor.standing import Row
from monitor.store import Store
from monitor.web import portraits, shapes
from monitor.web.page import reader
from monitor.web.viewer import impersonal, seen_first, viewer

MISSING: dict[int | str, dict[str, Any]] = {404: {"model": shapes.Trouble, "description": "There is none such."}}
Limit = Annotated[int | None, Query(ge=1, le=shapes.MOST, description="At most so many; all without it.")]
Rows = Annotated[int, Query(ge=1, le=10_000, description="Of each long list at most so many rows.")]
After = Annotated[str, Query(max_length=4000, description="The `next` of the answer before.")]
Offset = Annotated[int, Query(ge=0, le=shapes.MOST, description="Leave out so many first.")]
Wanted = Annotated[
    Literal["open", "firing", "resolved", "merged", "all"] | None,
    Query(description="open and firing are the same; without it, all but the merged ones."),
]
Crossed = Annotated[
    bool, Query(description="Only those hit by two products at once, or twice within 30 days, touched now or not.")
]
Touched = Annotated[bool, Query(description="Only those whom an open incident touches.")]


def routes(store: Store, clock: Callable[[], datetime], outlook: Outlook, own_guides: str = "") -> APIRouter:
    """/api/v1, over a store. Times are UTC, money is a decimal in text. own_guides: the folder of the bank's guides."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/incidents", response_model=list[shapes.Incident], tags=["incidents"])
    def incidents(state: Wanted = None, limit: Limit = None) -> list[Row]:
        """The incidents, newest first."""
        found = seen_first(limit, lambda cut: people.incidents(store, clock(), state=state, limit=cut))
        return [meant(row, own_guides) for row in found]

    @router.get("/incidents/{incident_id}", response_model=shapes.IncidentWhole, responses=MISSING, tags=["incidents"])
    def incident(incident_id: str, limit: Rows = 500, after: After = "") -> Row:
        """All of one, by its id or as much of its beginning or end as no other shares. Of a long list, the rows that follow by `next`.

        Lists are ordered as they stand at each answer: what changes its place between two, as clients do with their priority, may come
        twice, or not at all. Take rows by `key`, or by `client_id` and `product`, and ask for many at once.
        """
        return meant(people.incident(store, incident_id, clock(), limit=limit, after=after), own_guides)

    @router.get("/cases", response_model=list[shapes.Case], tags=["cases"])
    def cases(incident_id: str | None = None, limit: Limit = None) -> list[Row]:
        """What was decided on each client's case, newest first."""
        return people.cases(store, incident_id=incident_id, limit=limit)

    @router.get("/clients", response_model=list[portraits.ClientTouched], tags=["clients"])
    def clients(
        *, crossed: Crossed = False, touched: Touched = False, limit: Limit = None, offset: Offset = 0
    ) -> Response:
        """The clients that the bank has told of: those touched now by priority, then the others by name.

        `X-Total-Count`: how many there are without limit and offset.
        """
        now = clock()
        found = clientele.wanted(store, now, crossed=crossed, touched=touched)
        here, parts = viewer(), clientele.by_and_by(store, now, found[offset:][:limit])
        first = here.out(next(parts, []))  # the read is kept, or refused, before anything is said
        some = chain([first], map(here.out, parts))
        return impersonal(_listed(some, {"X-Total-Count": str(len(found))}))  # type: ignore[no-any-return]

    @router.get("/clients/{nit}", response_model=portraits.ClientWhole, responses=MISSING, tags=["clients"])
    def client(nit: str, request: Request) -> Row:
        """One client across all that they hold, and their last 90 days; the NIT in any form. Who asks is noted."""
        return portrait.client(store, nit, clock(), reader(request, "api"), outlook)

    return router


def _listed(parts: Iterable[list[Row]], headers: Mapping[str, str]) -> Response:
    """A list that is sent as it is made: of a hundred thousand rows of ours, nothing is gained by checking one by one."""

    def written() -> Iterator[bytes]:
        before = b"["
        for rows in filter(None, parts):
            yield before + to_json(rows)[1:-1]
            before = b","
        yield b"]" if before == b"," else b"[]"

    return StreamingResponse(written(), media_type="application/json", headers=headers)
