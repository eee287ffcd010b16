"""The application: its parts, and what every answer has in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.routing import Match

from alerts.causes import Escalating
from alerts.losses import Losses
from alerts.promises import Promises
from monitor.metrics import Metrics
from monitor.people import Refused, Unknown
from monitor.portrait import Outlook
from monitor.store import Store, StoreError
from monitor.web import api, board, cases, clients, followed, incidents, leads, reference, rules
from monitor.web.face import Face, trouble
from monitor.web.page import LOOK, looked, remember

NO_LOSSES = Losses()
SECTIONS = ("/", "/casos", "/clientes", "/reglas", "/guias", "/turno")
"""What every page leads to, where it is served."""
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
) -> FastAPI:
    """The web face of one service.

    ready: whether a full cycle has ended lately, and why not. clock: now, in the bank's time zone, which pages show.
    measures: what each rule measures, by its name, for the unit of its values; without it they are plain numbers.
    escalating: how causes are counted; promises: what the bank has promised.
    outlook: what of the configuration a client's page is seen by. losses: what clients are expected to be compensated.
    """
    seen = outlook or Outlook()
    made = FastAPI(
        title="Vigía", version="1", description="Afectaciones, casos preventivos y clientes.",
        docs_url=None, redoc_url=None, openapi_url="/api/openapi.json",
    )  # fmt: skip
    made.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    made.include_router(followed.routes(store, clock, escalating or Escalating(), promises or Promises()))
    made.include_router(api.routes(store, clock, seen))
    face = Face(store, metrics, ready, clock, measures or {}, seen)
    for part in (board, incidents, clients, cases, rules):
        made.include_router(part.pages(face))
    made.include_router(leads.routes(store, losses))
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

    served = frozenset(path for path in SECTIONS if _serves(made, path))

    @made.middleware("http")
    async def guarded(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        look = looked(request, served)
        LOOK.set(look)
        response = await answer(request)
        remember(request, response, look)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    for error, status in ((Unknown, 404), (Refused, 422), (StoreError, 503)):
        made.add_exception_handler(error, _told(status))
    return made


def _serves(made: FastAPI, path: str) -> bool:
    scope = {"type": "http", "path": path, "root_path": "", "method": "GET", "headers": []}
    return any(route.matches(scope)[0] is Match.FULL for route in made.routes)


def _told(status: int) -> Callable[[Request, Exception], Response]:
    """The error in words: as a page to people, as JSON to programs."""

    def answer(request: Request, error: Exception) -> Response:
        words = str(error.args[0])
        if request.url.path.startswith("/api/"):
            return JSONResponse({"detail": words}, status)
        return trouble(words, status)

    return answer
