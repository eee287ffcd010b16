"""The first-instance guides as pages: all of them, and one."""

from __future__ import annotations

from itertools import groupby

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from monitor.failing import failing, nowhere
from monitor.guides import GENERAL, guides
from monitor.people import Unknown
from monitor.store import Store
from monitor.web.page import LOOK, rendered


def pages(store: Store, folder: str = "", named: frozenset[str] = frozenset()) -> APIRouter:
    """/guias (also those in which the words of ?q= stand) and /guias/{id}. folder, named: as `monitor.guides.Guides` has them."""
    router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    @router.get("/guias")
    def every(q: str = "") -> HTMLResponse:
        known = guides(LOOK.get().lang, folder)
        found = sorted(known.search(q) if q.strip() else known, key=lambda guide: _place(guide.id))
        places = [
            (_place(place)[1], list(some))
            for place, some in groupby(found, key=lambda guide: guide.id.partition("/")[0])
        ]
        return rendered("guides.html", places=places, asked=q.strip())

    @router.get("/guias/{guide_id:path}")
    def one(guide_id: str) -> HTMLResponse:
        known = guides(LOOK.get().lang, folder, named)
        now = {*failing(store), *failing(store, {"product": guide_id.partition("/")[0]})}
        found = known.get(guide_id, now, nowhere(store, known.sent_to))
        if found is None:
            raise Unknown(f"no hay una guía «{guide_id}»")
        return rendered("guide.html", guide=found)

    return router


def _place(guide_id: str) -> tuple[bool, str]:
    """The general ones first."""
    place = guide_id.partition("/")[0]
    return place != GENERAL, place
