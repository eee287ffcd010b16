"""The hand-over of a shift: /turno, its signing, and the same for programs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from alerts.promises import Promises
from monitor.handover import as_text, handover, sign, signed
from monitor.maintenance import Declared
from monitor.shift_listing import matchers
from monitor.standing import Row
from monitor.store import Store
from monitor.web import act_shapes as s
from monitor.web.acts import WHY_NOT, Key
from monitor.web.page import act_as, rendered, who
from monitor.web.viewer import viewer

Hours = Annotated[float, Query(gt=0, le=168, description="How long the shift was.")]
PEOPLE: dict[str, Any] = {"response_class": HTMLResponse, "include_in_schema": False}
PROGRAMS: dict[str, Any] = {"tags": ["handover"]}
SHOWN = 5
"""Signed ones that the page names."""


def pages(
    store: Store,
    clock: Callable[[], datetime],
    promises: Promises,
    written: tuple[Declared, ...],
    own_guides: str = "",
    down: Callable[[], Collection[str]] = tuple,
) -> APIRouter:
    """The page, the call, and POST /turno/sign (fields by, to, text, hours). written, own_guides, down: as `monitor.handover` has them."""
    router = APIRouter()

    def of(now: datetime, hours: float) -> Row:
        """As far as whoever asks may see it, before it becomes a text; and so it is signed: nobody signs what they have not seen."""
        whole = handover(
            store, promises, written, str(now.tzinfo), now, now - timedelta(hours=hours), own_guides, down()
        )
        seen: Row = viewer().out(whole)
        return seen

    @router.get("/turno", **PEOPLE)
    def page(hours: Hours = 8) -> HTMLResponse:
        now = clock()
        row = of(now, hours)
        return rendered(
            "handover.html", now=now, shift=row, hours=hours, signed=signed(store, SHOWN), text=as_text(row, now.tzinfo),
            matchers=matchers,
        )  # fmt: skip

    @router.post("/turno/sign", **PEOPLE)
    def sign_it(
        request: Request,
        by: Annotated[s.Short, Form()] = "",
        to: Annotated[s.Short, Form()] = "",
        text: Annotated[s.Written, Form()] = "",
        hours: Annotated[float, Form(gt=0, le=168)] = 8,
    ) -> RedirectResponse:
        now = clock()
        sign(store, of(now, hours), now.tzinfo, who(request) or by, now, to=to, text=text)
        answer = RedirectResponse("/turno", 303)
        if not who(request):
            act_as(answer, by)
        return answer

    @router.get("/api/v1/handover", response_model=s.Handover, responses=WHY_NOT, **PROGRAMS)
    def shift(hours: Hours = 8) -> Row:
        """What the next shift must know."""
        return of(clock(), hours)

    @router.post("/api/v1/handover", response_model=s.SignedWhole, responses=WHY_NOT, **PROGRAMS)
    def keep(signature: s.Signature, request: Request, key: Key = "") -> Row:
        """Keep it as it stands now, signed."""
        now, author = clock(), who(request) or signature.by
        row = of(now, signature.hours)
        return sign(store, row, now.tzinfo, author, now, to=signature.to, text=signature.text, request_key=key)

    return router
