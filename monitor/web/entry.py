"""/entrar and /salir: a token typed once becomes a session of the browser."""

from __future__ import annotations

import re
from typing import Annotated

import structlog
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from monitor.access import Access
from monitor.web.gate import cookie_name
from monitor.web.page import rendered
from monitor.web.sessions import Patience, Sessions
from monitor.web.viewer import impersonal, viewer

log = structlog.get_logger()

AGAIN = "de=fuera"
"""In the address of the log-in after it has asked for itself: whoever comes by a link in a mail has their session with them only then."""


def pages(access: Access, sessions: Sessions, patience: Patience) -> APIRouter:
    """The log-in and the log-out."""
    router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    @router.get("/entrar")
    def enter(request: Request, next: str = "/", de: str = "") -> Response:  # noqa: A002 - the word in the address
        if viewer().name or not access.users:
            return RedirectResponse(inside(next), 303)
        outside = request.headers.get("sec-fetch-site") == "cross-site" and not de
        return rendered("entrar.html", next=inside(next), wait=0, wrong=False, again=AGAIN if outside else "")

    @router.post("/entrar")
    def entered(
        request: Request,
        token: Annotated[str, Form()] = "",
        next: Annotated[str, Form()] = "/",  # noqa: A002 - as above
    ) -> Response:
        address = viewer().address
        if wait := patience.wait(address):
            page = rendered("entrar.html", 429, next=inside(next), wait=wait, wrong=False, again="")
            page.headers["Retry-After"] = str(wait)
            return page
        user = access.by_token(token.strip())
        if user is None:
            patience.wrong(address)
            log.warning("a log-in failed", address=address)
            return rendered("entrar.html", 401, next=inside(next), wait=0, wrong=True, again="")
        log.info("logged in", user=user.name, address=address)
        answer = RedirectResponse(inside(next), 303)
        https = request.scope["vigia_https"]
        answer.set_cookie(
            cookie_name(https=https), sessions.begin(user), max_age=int(access.session.total_seconds()), httponly=True,
            samesite="strict", secure=https,
        )  # fmt: skip
        return answer

    @router.post("/salir")
    def leave(request: Request) -> Response:
        answer = RedirectResponse("/entrar", 303)
        https = request.scope["vigia_https"]
        sessions.end(request.cookies.get(cookie_name(https=https), ""))
        answer.delete_cookie(cookie_name(https=https), httponly=True, samesite="strict", secure=https)
        return impersonal(answer)  # type: ignore[no-any-return]

    return router


def inside(path: str) -> str:
    """A path of our own to go to; anything else is the board."""
    return path if re.fullmatch(r"/(?![/\\])[^\\\x00-\x20\x7f]*", path) else "/"
