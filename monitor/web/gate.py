"""The gate that every request passes: for our own name, of bearable size, by somebody who may, and not forged by another page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import structlog
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.access import LOOPBACK, Access, Role, User, on_loopback
from monitor.blocks import Monitor
from monitor.seeing import EVERYONE, SIGHT, Sight
from monitor.sights import Sights
from monitor.step import DOOR
from monitor.store import Store, StoreError
from monitor.web.asked import Asked, Malformed
from monitor.web.page import LOOK, Look, came_from, rendered
from monitor.web.permits import SAFE, needed
from monitor.web.sessions import Patience, Sessions
from monitor.web.viewer import VIEWER, Looks, Viewer

log = structlog.get_logger()

LARGEST = 256 * 1024
"""Bytes of a request's body."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
"""Nothing from elsewhere, nothing inline, in nobody's frame; pages name clients, so no copy stays behind. (Without any referrer browsers
would not say of our own forms where they come from.)"""
NOTHING = (b"\0", b"%00", rb"\u0000")
"""The sign that no database keeps in a text, as it may be written."""
IMPERSONAL = ("/api/openapi.json",)
"""Answers of the framework's own that tell of no client."""
HTTPS_ALONE = "max-age=31536000"
LOCAL, ANYBODY = "local", "anybody"
"""What guards forms where there are no users, and before a log-in."""


class Refusal(Exception):  # noqa: N818 - it says what it is
    """No, with the status and words of the answer."""

    def __init__(self, status: int, words: str, **headers: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def cookie_name(*, https: bool) -> str:
    """Of the session; the browser itself keeps one with that prefix to this host and to https."""
    return "__Host-vigia" if https else "vigia"


class Gate:
    """Middleware around the application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        store: Store,
        access: Access,
        monitor: Monitor,
        sessions: Sessions,
        patience: Patience,
        clock: Callable[[], datetime],
    ) -> None:
        self._app, self._store, self._access = app, store, access
        self._sessions, self._patience, self._clock = sessions, patience, clock
        self._loopback, self._address = on_loopback(monitor.listen), monitor.address
        self._hosts = {*LOOPBACK, (urlsplit(monitor.address).hostname or "").lower()} - {""}
        self._looks = Looks(store, clock)
        self._sights = Sights(store, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through, or answer why not."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self._app(scope, receive, send)
            return
        https, here = False, Viewer()

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                if not _looked_through(scope, here, message):
                    raise RuntimeError("an answer that nobody looked through is not sent to a viewer of some clients")
                headers = MutableHeaders(scope=message)
                for name, value in (HEADERS | ({"Strict-Transport-Security": HTTPS_ALONE} if https else {})).items():
                    headers.setdefault(name, value)
            await send(message)

        asked = None
        try:
            asked = Asked(scope, self._access)
            https = asked.https
            self._addressed(asked)
            body = await _body(asked, receive)
            here = await run_in_threadpool(self._admitted, asked, scope, body)
            _written(asked, scope["query_string"] + (body or b""))
        except (Refusal, Malformed, StoreError) as error:
            await _no(asked, error)(scope, receive, guarded)
            return
        scope["viewer"], scope["vigia_https"] = here, https
        sight, known = SIGHT.set(here.sight), VIEWER.set(here)
        door = DOOR.set("api" if asked.path.startswith(("/api/", "/-/")) else "page")
        try:
            await self._app(scope, receive if body is None else _again(body, receive), guarded)
        finally:
            SIGHT.reset(sight)
            VIEWER.reset(known)
            DOOR.reset(door)

    def _addressed(self, asked: Asked) -> None:
        """Another name that leads to this machine is a page that wants to pass for ours (DNS rebinding)."""
        host = asked.host.rpartition(":")[0] if asked.host[-1:].isdigit() and ":" in asked.host else asked.host
        if self._loopback and host.strip("[]") not in self._hosts:
            raise Refusal(421, "este servidor no responde con ese nombre: diga monitor.address en la configuración")

    def _admitted(self, asked: Asked, scope: Scope, body: bytes | None) -> Viewer:
        """Who asks, if they may."""
        role = needed(asked.method, asked.path)
        if not self._access.users:
            here, mark = self._viewer(asked, scope, None, LOCAL), LOCAL
        elif asked.path == "/metrics":
            return self._reads_metrics(asked, scope)
        else:
            open_ = role is None and asked.path != "/entrar"
            user, mark = (None, ANYBODY) if open_ else self._user(asked)
            if user is None and role is not None:
                raise _unknown()
            here = self._viewer(asked, scope, user, mark)
            if user and role is not None and user.role < role:
                raise Refusal(403, f"{user.name} no tiene permiso para esto: hace falta el rol «{role.name.lower()}»")
        if asked.method not in SAFE and mark:
            self._not_forged(asked, mark, body or b"")
        return here

    def _user(self, asked: Asked) -> tuple[User | None, str]:
        """Who it is, and what their forms are guarded by ('': no browser sends these credentials by itself)."""
        if (token := asked.token) is not None:
            if wait := self._patience.wait(asked.address):
                raise Refusal(429, "demasiados intentos fallidos", Retry_After=str(wait))
            user = self._access.by_token(token)
            if user is None:
                self._patience.wrong(asked.address)
                log.warning("a token was wrong", address=asked.address)
                raise Refusal(401, "ese token no es de nadie", WWW_Authenticate="Bearer")
            return user, ""
        if asked.named:
            user = self._access.by_header(asked.named)
            if user is None:
                log.warning("the proxy names nobody whom the configuration knows", address=asked.address)
                raise Refusal(403, "quien entró no es un usuario de Vigía")
            return user, f"proxy {user.name}"
        cookie = asked.cookie(cookie_name(https=asked.https))
        session = self._sessions.of(cookie) if cookie else None
        return (session.user, session.mark) if session else (None, ANYBODY)

    def _viewer(self, asked: Asked, scope: Scope, user: User | None, mark: str) -> Viewer:
        nobody = bool(self._access.users) and user is None
        return Viewer(
            name=user.name if user else "",
            role=user.role if user else Role.LOOK if nobody else Role.ADMINISTER,
            sight=self._sights.of(user) if user else Sight(frozenset()) if nobody else EVERYONE,
            address=asked.address,
            looks=None if nobody else self._looks,
            scope=scope,
            csrf=lambda: self._sessions.guard(mark),
            leaves=bool(user) and bool(mark) and not mark.startswith("proxy "),
        )

    def _reads_metrics(self, asked: Asked, scope: Scope) -> Viewer:
        """Beyond loopback they take a token, unless the configuration leaves them open."""
        user = None
        if not (self._access.open_metrics or (self._loopback and not asked.forwarded)):
            alone = asked.token is not None and not self._patience.wait(asked.address)
            if not (alone and self._access.reads_metrics(asked.token or "")):
                user, _ = self._user(asked)
                if user is None:
                    raise _unknown()
        return self._viewer(asked, scope, user, "")

    def _not_forged(self, asked: Asked, mark: str, body: bytes) -> None:
        """What a browser sends along by itself must come from our own page; of a form, from one that we made for whoever sends it."""
        if not asked.from_our_own_page(self._address):
            raise Refusal(403, "esta petición no viene de una página de Vigía; un programa se identifica con un token")
        if asked.content == "application/json":  # no other page can send that without being allowed to first
            return
        given = asked.guard
        if not given and asked.content == "application/x-www-form-urlencoded":
            given = parse_qs(body.decode("latin-1")).get("csrf", [""])[0]
        if not self._sessions.guards(mark, given):
            raise Refusal(403, "el formulario ya no vale: vuelva a abrir la página")


def _looked_through(scope: Scope, here: Viewer, start: Message) -> bool:
    """Whether the answer has passed `Viewer.out`, where it must: the last line, should the framework change under us."""
    status, path = start["status"], scope["path"]
    if here.passed or not here.partial or status >= 400 or path.startswith("/static/") or path in IMPERSONAL:  # noqa: PLR2004 - errors
        return True
    told = {name.lower(): value for name, value in start["headers"]}
    return (
        b"location" in told and told.get(b"content-length") == b"0"
    )  # the framework's own: the same path without its slash


def _unknown() -> Refusal:
    return Refusal(401, "hace falta identificarse", WWW_Authenticate="Bearer")


def _written(asked: Asked, said: bytes) -> None:
    """Refused where it has the sign that no text has."""
    if "\0" in asked.path or any(sign in said for sign in NOTHING):
        raise Refusal(422, "trae un carácter que no es de ningún texto")
    if asked.content == "application/json":
        try:
            said.decode()
        except UnicodeDecodeError:
            raise Refusal(422, "el cuerpo debe ser JSON en UTF-8") from None


async def _body(asked: Asked, receive: Receive) -> bytes | None:
    """Of a request that may change something, whole; None: what has none."""
    if (asked.length or 0) > LARGEST:
        raise Refusal(413, f"la petición es demasiado grande: hasta {LARGEST // 1024} KiB")
    if asked.method in SAFE:
        return None
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > LARGEST:
            raise Refusal(413, f"la petición es demasiado grande: hasta {LARGEST // 1024} KiB")
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, for the application."""
    told = False

    async def replayed() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _no(asked: Asked | None, error: Exception) -> Response:
    """The answer to what is not let through: in words to people, as JSON to programs, to the log-in where one may help."""
    status, headers = 503 if isinstance(error, StoreError) else 400, dict[str, str]()
    if isinstance(error, Refusal):
        status, headers = error.status, error.headers
    words = str(error.args[0])
    if asked is None or not asked.is_page:
        return JSONResponse({"detail": words}, status, headers)
    if status == 401 and asked.method in SAFE and asked.token is None:  # noqa: PLR2004 - who is it?
        return RedirectResponse(f"/entrar?next={quote(asked.path)}", 303)
    told = LOOK.set(Look(came=came_from(asked.method, asked.referer)))
    try:
        page: Any = rendered("trouble.html", status, words=words)
    finally:
        LOOK.reset(told)
    page.headers.update(headers)
    return page  # type: ignore[no-any-return]
