"""Logging in: how a token is come by, for how long it serves, and that all threads share one renewal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from urllib.parse import urlsplit

from connectors import SourceError

MARGIN = 30.0
"""Seconds before its end at which a token is renewed; a tenth of its life if that is shorter."""
LIFE = 300.0
"""Seconds of life of a token that does not say."""

GRAPH = "https://graph.microsoft.com/v1.0"

Read = Callable[[bytes], tuple[str, float | None]]
"""The text that the log-in answers -> the token ('': there is none) and its life in seconds, if it is told."""


def oauth(text: bytes) -> tuple[str, float | None]:
    """The token of an OAuth2 answer."""
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
        if isinstance(found, dict) and isinstance(token := found.get("access_token"), str):
            with suppress(ValueError):
                return token, float(str(found.get("expires_in")))
            return token, None
    return "", None


_HEADER = re.compile(r"[A-Za-z0-9-]+")


def check_headers(headers: Mapping[str, str], user: str = "") -> None:
    """ValueError, beginning with the option, unless they can be sent beside a log-in, and the user in one."""
    if ":" in user:
        raise ValueError("user: cannot hold a colon")
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or name.lower() == "authorization":
            raise ValueError(
                "headers: cannot hold Authorization (give a token, or user and password), nor a name that is none"
            )
        if not sendable(value):
            raise ValueError(f"headers.{name}: holds a sign that no header can carry")


def sendable(token: str) -> bool:
    """Whether a header can carry it."""
    return token.isascii() and token.isprintable() and token == token.strip()


@dataclass(slots=True)
class Login:
    """A form that is answered with a token.

    url, form: where it goes and what it says; basic: name and password that go in its header instead; scheme: the word before the
    token in a request's header; read: the token in the answer; what: its name for people.
    """

    url: str
    form: Mapping[str, str] = field(repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    scheme: str = "Bearer"
    read: Read = oauth
    what: str = "access_token"
    _token: str = field(default="", init=False, repr=False)
    _until: float = field(default=0.0, init=False)
    _one: Lock = field(default_factory=Lock, init=False, repr=False)

    def token(self, asked: Callable[[], bytes], place: str, now: float) -> str:
        """The token that is good, `asked` for if there is none; `now`: seconds. Raises SourceError."""
        with self._one:
            if not self._token or now >= self._until:
                token, life = self.read(asked())
                if not token or not sendable(token):
                    raise SourceError(f"{place}: the answer has no {self.what}", whole=True, fault="login")
                seconds = life if life and life > 0 else LIFE
                self._token, self._until = token, now + seconds - min(MARGIN, seconds / 10)
            return self._token

    def refused(self, token: str) -> None:
        """Forget the token, which is withdrawn before its time; a newer one, that another thread has got meanwhile, stands."""
        with self._one:
            if self._token == token:
                self._token = ""


def credentials(token_url: str, client_id: str, client_secret: str, scope: str, *, basic: bool = False) -> Login:
    """OAuth2 client credentials; basic: they go in the header."""
    if not (client_id and client_secret):
        raise ValueError("token_url: needs client_id and client_secret")
    form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
    if basic:
        return Login(token_url, form, (client_id, client_secret))
    return Login(token_url, {**form, "client_id": client_id, "client_secret": client_secret})


def microsoft(
    tenant: str,
    client_id: str,
    client_secret: str,
    resource: str,
    token_url: str = "",
    *,
    scope: str = "",
) -> Login:
    """An application of Microsoft Entra, for what lies at `resource`; token_url: in place of the tenant's.

    scope: where it is not the resource's own address.
    """
    if not tenant and not token_url:
        raise ValueError("tenant: must be the directory's id or domain")
    address = token_url or f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
    server = urlsplit(resource)
    return credentials(address, client_id, client_secret, scope or f"{server.scheme}://{server.netloc}/.default")
