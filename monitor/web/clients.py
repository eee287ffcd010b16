"""The pages of clients: who is touched now, and one of them across all that they hold."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from monitor import clientele, portrait
from monitor.client_pages import Pages
from monitor.past import days
from monitor.standing import Row
from monitor.wanted import meant
from monitor.web.face import Face
from monitor.web.page import LOOK, cut, part, reader


def pages(face: Face) -> APIRouter:
    """/clientes and /clientes/{nit} (also by /clients)."""
    router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    @router.get("/clients")
    @router.get("/clientes")
    def clients() -> HTMLResponse:
        now, wanted = face.clock(), LOOK.get().asked("q")

        def whole(some: Sequence[clientele.Place]) -> list[Row]:
            return clientele.rows_of(face.store, now, some)

        if not wanted:
            pages = Pages(face.store, now)
            touched = cut(*pages.count(), lambda size, first: whole(pages.touched(size, first)))
            crossed, others = pages.crossed(), []
        else:
            line = clientele.in_line(face.store, now)
            found = [one for one in line if meant(one.name, one.client_id, wanted)]
            touched = part([one for one in found if one.touch], "page", whole=whole, typed=wanted)
            crossed = [one for one in found if one.crossed and not one.touch]
            others = [one for one in found if not one.touch and not one.crossed]
        return face.shown(
            "clients.html",
            now,
            touched=touched,
            crossed=part(crossed, "again", whole=whole, typed=wanted),
            others=part(others, "others", whole=whole, typed=wanted),
            wanted=wanted,
        )

    @router.get("/clients/{nit}")
    @router.get("/clientes/{nit}")
    def client(nit: str, request: Request) -> HTMLResponse:
        now = face.clock()
        found: Row = portrait.client(face.store, nit, now, reader(request, "page"), face.outlook)
        return face.shown("client.html", now, client=found, days=days(found["history"], now))

    return router
