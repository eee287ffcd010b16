"""The web face of a configuration with users, served to tests."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import requests

from alerts.promises import Promises
from monitor.access import Access, Role, User, digest
from monitor.blocks import Monitor
from monitor.metrics import Metrics
from monitor.store import Store
from monitor.web import Server, app, serve
from tests.monitor.conftest import NOW

HUNG = 60.0
"""Seconds after which a server is taken to hang: longer than any answer takes on a busy machine."""
TOKENS = {name: f"token-de-{name}-0123456789" for name in ("ana", "beto", "carla", "diana")}
ACCESS = Access(
    {
        "ana": User("ana", Role.LOOK, "own", "posventa1@banco.example", digest(TOKENS["ana"])),
        "beto": User("beto", Role.ACT, "all", "beto@banco.example", digest(TOKENS["beto"])),
        "carla": User("carla", Role.ADMINISTER, "all", "", digest(TOKENS["carla"])),
        "diana": User("diana", Role.ACT, ("pyme",), "", digest(TOKENS["diana"])),
    }
)
"""Ana looks at her own clients (Aceros alone), Beto acts, Carla administers, Diana acts for the small ones (Nube alone)."""


class Guarded:
    """A served application with users; the time stands still until a test moves it."""

    def __init__(
        self,
        store: Store,
        access: Access = ACCESS,
        monitor: Monitor | None = None,
        promises: Promises | None = None,
    ) -> None:
        self.store, self.now = store, NOW
        self.application = app(
            store, Metrics(sources=["core"]), lambda: (True, "ready"), self.clock, access=access, monitor=monitor, promises=promises,
        )  # fmt: skip
        self.server: Server = serve(self.application, "127.0.0.1:0")
        self.address = self.server.address

    def clock(self) -> datetime:
        return self.now

    def wait(self, length: timedelta) -> None:
        self.now += length

    def ask(self, method: str, path: str, *, user: str = "", **how: Any) -> requests.Response:
        """As a program does, with a user's token, or nobody's."""
        headers = how.pop("headers", {}) | ({"Authorization": f"Bearer {TOKENS[user]}"} if user else {})
        return requests.request(
            method, self.address + path, headers=headers, timeout=HUNG, allow_redirects=False, **how
        )

    def get(self, path: str, user: str = "", **headers: str) -> requests.Response:
        return self.ask("GET", path, user=user, headers=headers)


class Browser:
    """Keeps its cookies, says where it comes from, and sends forms with what is hidden in them."""

    def __init__(self, face: Guarded) -> None:
        self.face, self.session = face, requests.Session()

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.session.get(self.face.address + path, headers=headers, timeout=HUNG, allow_redirects=False)

    def form(self, page: str, action: str) -> dict[str, str]:
        """The hidden fields of a page's form."""
        found = re.search(rf'<form[^>]*action="{action}"[^>]*>(.*?)</form>', self.get(page).text, re.DOTALL)
        assert found, f"no form to {action} on {page}"
        return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', found[1]))

    def post(self, path: str, fields: dict[str, str], origin: str | None = "", **headers: str) -> requests.Response:
        """origin: '' is our own, None says nothing."""
        said = headers if origin is None else headers | {"Origin": origin or self.face.address}
        return self.session.post(
            self.face.address + path, data=fields, headers=said, timeout=HUNG, allow_redirects=False
        )

    def enter(self, token: str, page: str = "/") -> requests.Response:
        fields = self.form(f"/entrar?next={page}", "/entrar")
        return self.post("/entrar", fields | {"token": token})


def with_token(name: str, token: str, access: Access = ACCESS) -> Access:
    """The same users, one with another token."""
    return replace(access, users={**access.users, name: replace(access.users[name], digest=digest(token))})
