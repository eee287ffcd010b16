"""The control tower's pages, made on the server: what is happening, one incident, one client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from monitor import people, portrait
from monitor.metrics import Metrics
from monitor.past import days
from monitor.portrait import Outlook
from monitor.standing import Row
from monitor.store import Store
from monitor.web.page import reader, rendered
from rules import Severity

LATELY = timedelta(hours=24)
"""For how long what is resolved stays on the board, and the time that its figures are of."""


def pages(
    store: Store,
    metrics: Metrics,
    ready: Callable[[], tuple[bool, str]],
    clock: Callable[[], datetime],
    measures: Mapping[str, str],
    outlook: Outlook,
) -> APIRouter:
    """/, /incidents/{id}, /clientes and /clientes/{nit} (also by /clients)."""
    router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    def shown(template: str, now: datetime, **values: Any) -> HTMLResponse:
        ok, why = ready()
        sources = sorted(metrics.sources.items())
        dark = [name for name, standing in sources if not standing.up]
        since = max((now - metrics.last_step).total_seconds(), 0.0) if metrics.last_step else 0.0
        state: dict[str, Any] = {
            "since": since,
            "ready": ok,
            "why": why,
            "sources": sources,
            "dark": dark,
            "last_cycle": metrics.last_cycle,
        }
        return rendered(template, now=now, measures=measures, **state, **values)

    @router.get("/")
    def board() -> HTMLResponse:
        now = clock()
        firing = people.incidents(store, now, state="open")
        over = people.incidents(store, now, state="resolved", since=now - LATELY)
        figures = people.figures(store, now - LATELY)
        return shown(
            "board.html",
            now,
            firing=sorted(firing, key=_worst_first),
            over=over,
            figures=figures,
            watched=metrics.watched,
        )

    @router.get("/incidents/{incident_id}")
    def incident(incident_id: str) -> HTMLResponse:
        now = clock()
        return shown("incident.html", now, incident=people.incident(store, incident_id, now))

    @router.get("/clients")
    @router.get("/clientes")
    def clients() -> HTMLResponse:
        now = clock()
        found = portrait.clients(store, now)
        touched = [row for row in found if row["touch"]]
        crossed = [row for row in found if row["marks"] and not row["touch"]]
        return shown("clients.html", now, touched=touched, crossed=crossed)

    @router.get("/clients/{nit}")
    @router.get("/clientes/{nit}")
    def client(nit: str, request: Request) -> HTMLResponse:
        now = clock()
        found = portrait.client(store, nit, now, reader(request, "page"), outlook)
        return shown("client.html", now, client=found, days=days(found["history"], now))

    return router


def trouble(words: str, status: int) -> HTMLResponse:
    """A page that says why there is none."""
    return rendered("trouble.html", status, words=words)


def _worst_first(row: Row) -> tuple[int, int, datetime]:
    return (-Severity(row["severity"]).rank, -row["priority"], row["started_at"])
