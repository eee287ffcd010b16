"""Who looks, for as long as a request lasts: their name, what they may do, whom they may see; and the one way out of every answer."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from datetime import datetime
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute

from monitor.access import Role
from monitor.reads import Door, Reader, noted
from monitor.seeing import EVERYONE, Forbidden, Hidden, Sight, Veil, names_somebody, unsaid
from monitor.store import Store


class Looks:
    """The reads of a service, once a minute for each reader and subject: pages renew themselves every few seconds."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self.store, self.veil, self._clock = store, Veil(store, clock), clock
        self._minute, self._kept = 0, set[tuple[Reader, str]]()

    def keep(self, reader: Reader, subject: str) -> None:
        """Keep that several clients are about to be shown."""
        now = self._clock()
        if (minute := int(now.timestamp() // 60)) != self._minute:
            self._minute, self._kept = minute, set()
        if (reader, subject) not in self._kept:
            noted(self.store, reader, "", now, subject=subject)
            self._kept.add((reader, subject))


class Viewer:
    """Whoever asks. name: of the user; '' where the configuration has no users. address: where the request came from."""

    def __init__(
        self,
        *,
        name: str = "",
        role: Role = Role.ADMINISTER,
        sight: Sight = EVERYONE,
        address: str = "",
        looks: Looks | None = None,
        scope: MutableMapping[str, Any] | None = None,
        csrf: Callable[[], str] = str,
        leaves: bool = False,
    ) -> None:
        self.name, self.role, self.sight, self.address = name, role, sight, address
        self.csrf = csrf
        self.leaves = leaves
        """Whether there is a session to end."""
        self._looks, self._scope = looks, scope or {}
        self.path = ""
        """Of what is asked, as the routes have it: without anybody's number."""
        self.passed = False
        """Whether the answer was looked through; none that was not reaches a viewer of some clients."""
        self.noted = False
        """Whether the read of this answer is kept already, by whoever made it."""

    @property
    def who(self) -> str:
        """The user or, without users, the address."""
        return self.name or self.address

    @property
    def partial(self) -> bool:
        """Whether they see some clients alone."""
        return self.sight.clients is not None

    def out(self, answer: Any) -> Any:
        """The answer as this viewer may have it, once it is kept that they have."""
        if self._looks is None:
            return answer
        answer = self._looks.veil.over(answer, self.sight, self._typed())
        if self._scope.get("method") in ("GET", "HEAD") and not self.noted and names_somebody(answer):
            door: Door = "api" if self.path.startswith("/api/") else "page"
            self._looks.keep(Reader(self.who, door), _subject(answer) or self.path)
            self.noted = True
        return answer

    def unsaid(self, words: str) -> str:
        """Why something is not shown, in words that tell a viewer of some clients nothing of others."""
        return unsaid(words) if self.partial else words

    def _typed(self) -> frozenset[str]:
        query = self._scope.get("query_string", b"").decode("latin-1")
        return frozenset(word for _, value in parse_qsl(query) for word in (value, value.strip()))


VIEWER: ContextVar[Viewer] = ContextVar("viewer")


def viewer() -> Viewer:
    """Whoever asks now."""
    return VIEWER.get(None) or Viewer()


def who(request: Request) -> str:
    """The user who asks; '' where the configuration has no users, and whoever acts says who they are."""
    found = request.scope.get("viewer")
    return found.name if isinstance(found, Viewer) else ""


def must(role: Role) -> None:
    """Forbidden unless whoever asks may do what that role may: for what depends on more than method and path."""
    if viewer().role < role:
        raise Forbidden(f"esto lo hace quien tiene el rol {role.name.lower()}")


def seen_first(limit: int | None, ask: Callable[[int | None], list[Any]]) -> list[Any]:
    """At most `limit` rows, counted of those that whoever asks may see. ask: for the rows, at most so many."""
    here = viewer()
    return list(here.out(ask(None)))[:limit] if here.partial else ask(limit)


def impersonal(thing: Any) -> Any:
    """The same answer of one's own making, or the same endpoint that streams, known to tell of no client."""
    thing.vigia_impersonal = True
    return thing


def watch_every_way_out(app: FastAPI) -> None:
    """Let every answer of the application pass `Viewer.out`: no endpoint can forget to."""
    for route in endpoints(app.router.routes):
        # The endpoint is what a router that is included is built from, at its first request; the other is the application's own routes'.
        route.endpoint = route.dependant.call = _watched(route.endpoint, route.path)


def endpoints(routes: list[BaseRoute]) -> list[Any]:
    """All routes of an application that have an endpoint of ours, also those of the routers in it."""
    found: list[Any] = []
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            found += endpoints(inner.routes)
        elif hasattr(route, "dependant"):
            found.append(route)
    return found


def _watched(call: Callable[..., Any], path: str) -> Callable[..., Any]:
    if getattr(call, "vigia_impersonal", False):
        return call
    if isgeneratorfunction(call) or isasyncgenfunction(call):
        raise TypeError(f"{call.__name__} streams: its rows would pass nobody")
    if iscoroutinefunction(call):

        @wraps(call)
        async def later(*args: Any, **named: Any) -> Any:
            viewer().path = path
            return await run_in_threadpool(_out, await call(*args, **named))

        return later

    @wraps(call)
    def at_once(*args: Any, **named: Any) -> Any:
        viewer().path = path
        return _out(call(*args, **named))

    return at_once


def _out(answer: Any) -> Any:
    here = viewer()
    here.passed = True
    if not isinstance(answer, Response):
        return here.out(answer)
    told = getattr(answer, "vigia_impersonal", False) or "location" in answer.headers
    if not told and here.partial:
        raise Forbidden("esto nombra a todos los clientes, y usted ve a los suyos")
    return answer


def _subject(answer: Any) -> str:
    """The incident that an answer is about."""
    for each in (answer, answer.get("incident") if isinstance(answer, dict) else None):
        if isinstance(each, dict) and {"id", "alerts", "acts"} <= each.keys():
            return str(each["id"])
    return ""


__all__ = ["Forbidden", "Hidden", "Looks", "Viewer", "impersonal", "must", "viewer", "watch_every_way_out", "who"]
