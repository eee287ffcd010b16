"""The application: its parts, and what every answer has in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from alerts.causes import Escalating
from alerts.losses import Losses
from alerts.promises import Promises
from monitor.maintenance import Declared
from monitor.metrics import Metrics
from monitor.people import Conflict, Refused, Unknown
from monitor.portrait import Outlook
from monitor.store import Store, StoreError
from monitor.web import acts, api, board, followed, forms, handover, leads, quiet, reference

NO_LOSSES = Losses()
HERE = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Nothing from elsewhere, nothing inline, in nobody's frame; pages name clients, so no copy stays behind."""


def app(
    store: Store,
    metrics: Metrics,
    ready: Callable[[], tuple[bool, str]],
    clock: Callable[[], datetime],
    *,
    measures: Mapping[str, str] | None = None,
    escalating: Escalating | None = None,
    promises: Promises | None = None,
    outlook: Outlook | None = None,
    losses: Losses = NO_LOSSES,
    maintenance: tuple[Declared, ...] = (),
) -> FastAPI:
    """The web face of one service.

    ready: whether a full cycle has ended lately, and why not. clock: now, in the bank's time zone, which pages show.
    measures: what each rule measures, by its name, for the unit of its values; without it they are plain numbers.
    escalating: how causes are counted; promises: what the bank has promised.
    outlook: what of the configuration a client's page is seen by. losses: what clients are expected to be compensated.
    maintenance: what the configuration declares.
    """
    seen = outlook or Outlook()
    made = FastAPI(
        title="Vigía", version="1", description="Afectaciones, casos preventivos y clientes.",
        docs_url=None, redoc_url=None, openapi_url="/api/openapi.json",
    )  # fmt: skip
    made.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    made.include_router(followed.routes(store, clock, escalating or Escalating(), promises or Promises()))
    made.include_router(api.routes(store, clock, seen))
    made.include_router(board.pages(store, metrics, ready, clock, measures or {}, seen))
    made.include_router(leads.routes(store, losses))
    made.include_router(acts.routes(store, clock))
    made.include_router(quiet.routes(store, clock, maintenance))
    made.include_router(forms.pages(store, clock))
    made.include_router(handover.pages(store, clock, promises or Promises(), maintenance))
    made.include_router(reference.page(made))

    @made.get("/-/healthy", response_class=PlainTextResponse, include_in_schema=False)
    def healthy() -> str:
        return "Vigía is up.\n"

    @made.get("/-/ready", response_class=PlainTextResponse, include_in_schema=False)
    def is_ready() -> PlainTextResponse:
        ok, why = ready()
        return PlainTextResponse(f"{why}\n", 200 if ok else 503)

    @made.get("/metrics", include_in_schema=False)
    def exposition() -> Response:
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    @made.middleware("http")
    async def guarded(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await answer(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    for error, status in ((Unknown, 404), (Conflict, 409), (Refused, 422), (StoreError, 503)):
        made.add_exception_handler(error, _told(status))
    return made


def _told(status: int) -> Callable[[Request, Exception], Response]:
    """The error in words: as a page to people, as JSON to programs."""

    def answer(request: Request, error: Exception) -> Response:
        words = str(error.args[0])
        if request.url.path.startswith("/api/"):
            return JSONResponse({"detail": words}, status)
        return board.trouble(words, status)

    return answer
