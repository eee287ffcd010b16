"""The application: its parts, and what every answer has in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.exceptions import HTTPException
from starlette.routing import Match

from alerts.causes import Escalating
from alerts.losses import Losses
from alerts.promises import Promises
from monitor.access import Access
from monitor.blocks import Monitor
from monitor.maintenance import Declared
from monitor.metrics import Metrics
from monitor.people import Conflict, Refused, Unknown
from monitor.portrait import Outlook
from monitor.seeing import Hidden
from monitor.store import Store, StoreError
from monitor.web import (
    acts,
    api,
    board,
    cases,
    clients,
    download,
    entry,
    followed,
    forms,
    guides,
    handover,
    incidents,
    indicators,
    leads,
    quiet,
    reference,
    rules,
    shapes,
)
from monitor.web import reload as reloading
from monitor.web.face import Face, trouble
from monitor.web.gate import Gate
from monitor.web.known import known_words
from monitor.web.page import LOOK, looked, remember
from monitor.web.sessions import Patience, Sessions
from monitor.web.viewer import Forbidden, impersonal, viewer, watch_every_way_out

NO_LOSSES = Losses()
HERE = Path(__file__).parent
SECTIONS = ("/", "/casos", "/clientes", "/reglas", "/guias", "/turno")
"""What every page leads to, where it is served."""
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": shapes.Trouble, "description": "Headers that no honest program sends."},
    401: {"model": shapes.Trouble, "description": "Nobody whom the configuration knows asks."},
    403: {"model": shapes.Trouble, "description": "Whoever asks may not."},
    413: {"model": shapes.Trouble, "description": "More than 256 KiB."},
    421: {"model": shapes.Trouble, "description": "For another host's name."},
    422: {"model": shapes.Trouble, "description": "It cannot be done, or not so."},
    429: {"model": shapes.Trouble, "description": "Too many wrong tokens from there."},
    503: {"model": shapes.Trouble, "description": "The state cannot be used."},
}
"""What any call may answer."""
UNFIT = {
    "missing": "falta",
    "literal_error": "debe ser {expected}",
    "enum": "debe ser {expected}",
    "int_": "debe ser un número entero",
    "float_": "debe ser un número",
    "bool_": "debe ser true o false",
    "greater_than_equal": "debe ser al menos {ge}",
    "greater_than": "debe ser más que {gt}",
    "less_than_equal": "debe ser como mucho {le}",
    "datetime_": "debe ser una fecha con hora y zona, como 2026-03-03T14:30:00-05:00",
    "timezone_": "debe ser una fecha con hora y zona, como 2026-03-03T14:30:00-05:00",
    "string_too_long": "debe tener como mucho {max_length} letras",
    "string_too_short": "debe tener al menos {min_length} letras",
    "string_": "debe ser un texto",
    "json_invalid": "debe ser JSON",
    "list_": "debe ser una lista",
    "model_": "debe ser un objeto de JSON",
    "extra_forbidden": "no se conoce",
    "unknown_word": "no se conoce; {expected}",
}
"""By the beginning of pydantic's names of what is wrong."""
NOT_THERE = {404: "aquí no hay nada", 405: "eso no se hace aquí"}
"""Of paths and methods that nothing answers."""


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
    access: Access | None = None,
    monitor: Monitor | None = None,
    own_guides: str = "",
    named: frozenset[str] = frozenset(),
    reload: Callable[[str], Sequence[str]] | None = None,
) -> FastAPI:
    """The web face of one service.

    ready: whether a full cycle has ended lately, and why not. clock: now, in the bank's time zone, which pages show.
    measures: what each rule measures, by its name, for the unit of its values; without it they are plain numbers.
    escalating: how causes are counted; promises: what the bank has promised.
    outlook: what of the configuration a client's page is seen by. losses: what clients are expected to be compensated.
    maintenance: what the configuration declares.
    access: who may do what, where [monitor] says that it listens; without users everybody who reaches it may do everything.
    own_guides: the folder of the bank's guides; named: the products and channels that its configuration names.
    reload: what POST /-/reload does, where there is something to be read anew.
    """
    seen, may = outlook or Outlook(), access or Access()
    sessions, patience = Sessions(store, may, clock), Patience(clock)
    made = FastAPI(
        title="Vigía", version="1", description="Afectaciones, casos preventivos y clientes.",
        docs_url=None, redoc_url=None, openapi_url="/api/openapi.json", responses=REFUSALS, dependencies=[Depends(known_words)],
    )  # fmt: skip
    made.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    made.include_router(followed.routes(store, clock, escalating or Escalating(), promises or Promises()))
    made.include_router(api.routes(store, clock, seen, own_guides))
    made.include_router(download.routes(store, clock))
    face = Face(store, metrics, ready, clock, measures or {}, seen, own_guides)
    for part in (board, incidents, clients, cases, rules):
        made.include_router(part.pages(face))
    made.include_router(leads.routes(store, losses))
    repeated = (escalating or Escalating()).recurrence
    made.include_router(indicators.routes(store, clock, promises or Promises(), losses, repeated))
    made.include_router(acts.routes(store, clock))
    made.include_router(quiet.routes(store, clock, maintenance))
    made.include_router(forms.pages(store, clock))
    made.include_router(handover.pages(store, clock, promises or Promises(), maintenance, own_guides, face.dark))
    made.include_router(guides.pages(store, own_guides, named))
    made.include_router(reference.page(made))
    made.include_router(entry.pages(may, sessions, patience))

    if reload:
        made.include_router(reloading.routes(reload))

    @made.head("/-/healthy", response_class=PlainTextResponse, include_in_schema=False)
    @made.get("/-/healthy", response_class=PlainTextResponse, include_in_schema=False)
    def healthy() -> str:
        return "Vigía is up.\n"

    @made.head("/-/ready", response_class=PlainTextResponse, include_in_schema=False)
    @made.get("/-/ready", response_class=PlainTextResponse, include_in_schema=False)
    def is_ready() -> Any:
        ok, why = ready()
        return impersonal(PlainTextResponse(f"{why}\n", 200 if ok else 503))

    @made.get("/metrics", include_in_schema=False)
    def exposition() -> Any:
        return impersonal(Response(metrics.exposition(), media_type=CONTENT_TYPE_PLAIN_0_0_4))

    for error, status in (
        (Unknown, 404),
        (Hidden, 404),
        (Conflict, 409),
        (Refused, 422),
        (Forbidden, 403),
        (StoreError, 503),
    ):
        made.add_exception_handler(error, _told(status))
    made.add_exception_handler(RequestValidationError, _unfit)
    made.add_exception_handler(HTTPException, _not_there)
    watch_every_way_out(made)
    served = frozenset(path for path in SECTIONS if _serves(made, path))

    @made.middleware("http")
    async def looks(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        look = looked(request, served)
        LOOK.set(look)
        response = await answer(request)
        remember(request, response, look)
        return response

    made.add_middleware(
        Gate, store=store, access=may, monitor=monitor or Monitor(), sessions=sessions, patience=patience, clock=clock
    )
    return made


def _serves(made: FastAPI, path: str) -> bool:
    scope = {"type": "http", "path": path, "root_path": "", "method": "GET", "headers": []}
    return any(route.matches(scope)[0] is Match.FULL for route in made.routes)


def _told(status: int) -> Callable[[Request, Exception], Response]:
    """The error in words: as a page to people, as JSON to programs."""

    def answer(request: Request, error: Exception) -> Response:
        words = viewer().unsaid(str(error.args[0]))
        if request.url.path.startswith(("/api/", "/-/")):
            return JSONResponse({"detail": words}, status)
        return trouble(words, status)

    return answer


def _not_there(request: Request, error: Exception) -> Response:
    """No such page, or nothing that is done to it so; never with what was asked for."""
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    answer = _told(status)(request, Refused(NOT_THERE.get(status, "no se puede")))
    answer.headers.update(headers or {})
    return answer


def _unfit(request: Request, error: Exception) -> Response:
    """What is wrong with the words of a request, one by one, never with what was written (it may name a client)."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    words = "; ".join(dict.fromkeys(f"{_place(problem)}: {_what(problem)}" for problem in problems))
    return _told(422)(request, Refused(words))


def _place(problem: Mapping[str, Any]) -> str:
    """Which word of the request it is about."""
    loc = [str(part) for part in problem["loc"]]
    return ".".join(loc[1:]) or {"body": "el cuerpo"}.get(loc[0], loc[0])


def _what(problem: Mapping[str, Any]) -> str:
    context = problem.get("ctx", {})
    for kind, words in UNFIT.items():
        if problem["type"].startswith(kind):
            return words.format(
                **dict.fromkeys(("expected", "ge", "gt", "le", "max_length", "min_length"), "") | context
            )
    return "no sirve así"
