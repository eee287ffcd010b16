"""What people do on the pages: forms that post, and bring back to the page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse

from monitor import casework, people
from monitor.store import Store
from monitor.web.act_shapes import Deed, Short, Written
from monitor.web.acts import OnCase, OnIncident, do_case
from monitor.web.page import who

Text = Annotated[Written, Form()]
Word = Annotated[Short, Form()]


def pages(store: Store, clock: Callable[[], datetime]) -> APIRouter:
    """POST /incidents/{id}/{act} and /cases/{key}/{act}: fields text, to, by, and `back`, the page to come back to."""
    router = APIRouter(include_in_schema=False, default_response_class=RedirectResponse)

    @router.post("/incidents/{incident_id}/{act}")
    def on_incident(
        incident_id: str,
        act: OnIncident,
        request: Request,
        text: Text = "",
        to: Word = "",
        by: Word = "",
        back: Word = "",
    ) -> RedirectResponse:
        done = people.act(store, act, incident_id, who(request) or by, clock(), text=text, about=to)
        return _back(back, done)

    @router.post("/cases/{name}/{act}")
    def on_case(
        name: str, act: OnCase, request: Request, text: Text = "", to: Word = "", by: Word = "", back: Word = ""
    ) -> RedirectResponse:
        do_case(store, act, name, Deed(text=text, to=to), who(request) or by, clock())
        return _back(back, casework.incident_of(store, name))

    return router


def _back(wanted: str, incident_id: str) -> RedirectResponse:
    """To a page of ours alone."""
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return RedirectResponse(wanted if ours else f"/incidents/{quote(incident_id)}", 303)
