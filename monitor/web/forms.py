"""What people do on the pages: forms that post, and bring back to the page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse

from monitor import casework
from monitor.store import Store
from monitor.web.act_shapes import Deed, Short, Written
from monitor.web.acts import OnCase, OnIncident, do_case, do_incident
from monitor.web.page import act_as, who

Text = Annotated[Written, Form()]
Word = Annotated[Short, Form()]


def pages(store: Store, clock: Callable[[], datetime]) -> APIRouter:
    """POST /incidents/{id}/{act} and /cases/{key}/{act}: fields text, to, by, and `back`, the page to come back to.

    Where there are no users, who has acted once is not asked again: POST /turno/quien says it beforehand, or that it is somebody else.
    """
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
        done, _ = do_incident(store, act, incident_id, Deed(text=text, to=to), who(request) or by, clock())
        return _back(back, done, "" if who(request) else by)

    @router.post("/cases/{name}/{act}")
    def on_case(
        name: str, act: OnCase, request: Request, text: Text = "", to: Word = "", by: Word = "", back: Word = ""
    ) -> RedirectResponse:
        do_case(store, act, name, Deed(text=text, to=to), who(request) or by, clock())
        return _back(back, casework.incident_of(store, name), "" if who(request) else by)

    @router.post("/turno/quien")
    def on_duty(by: Word = "", back: Word = "/") -> RedirectResponse:
        answer = _back(back, "")
        act_as(answer, by)
        return answer

    return router


def _back(wanted: str, incident_id: str, by: str = "") -> RedirectResponse:
    """To a page of ours alone. by: who is remembered to have acted."""
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    answer = RedirectResponse(wanted if ours else f"/incidents/{quote(incident_id)}" if incident_id else "/", 303)
    if by:
        act_as(answer, by)
    return answer
