"""The page of cases: every open one with its clock, by tool, product and state."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from monitor.kept_clocks import still_open, whole
from monitor.standing import Row
from monitor.wanted import meant
from monitor.web.face import Face
from monitor.web.page import LOOK, part

CLOCKS = ("breached", "at_risk", "running", "paused", "")
"""The worst first; '': nothing is promised."""
KEYS = ("clock", "source", "product", "q")


def pages(face: Face) -> APIRouter:
    """/casos, with its filters in the query."""
    router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    @router.get("/casos")
    @router.get("/cases")
    def cases() -> HTMLResponse:
        now, look = face.clock(), LOOK.get()
        asked = {key: look.asked(key) for key in KEYS}
        promises = face.outlook.promises
        found = still_open(face.store, promises, now)
        clocks = Counter(row["clock"] for row in found)
        kept = [row for row in found if _meant(row, asked)]
        return face.shown(
            "cases.html",
            now,
            cases=part(kept, whole=lambda some: whole(face.store, promises, now, some), typed=asked["q"]),
            clocks=[(clock, clocks[clock]) for clock in CLOCKS],
            asked=asked,
            filtered=any(asked.values()),
            tools=[(name, name) for name in sorted({row["source"] for row in found} - {""})],
            products=[(name, look.words.name(name)) for name in sorted({row["product"] for row in found} - {""})],
        )

    return router


def _meant(row: Row, asked: dict[str, str]) -> bool:
    clock = asked["clock"] in ("", row["clock"] or "none")
    same = all(asked[key] in ("", row[key]) for key in ("source", "product"))
    return clock and same and meant(row["client"], row["client_id"], asked["q"])
