"""What the fakes of case tools have in common: a socket, log-ins that end, and faults before or after the work is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from tests.fake_api import Asked, Said, Served

SECRET = "s3cret-of-the-client"  # noqa: S105 - of a fake
REFRESH = "s3cret-of-the-user"
START = datetime(2026, 3, 3, 10, tzinfo=UTC)


@dataclass
class Tool:
    """A case tool in a test.

    desk, source: options of the kind, for the latter with what else stands in its block. count: its cases with our key; read: the one
    with our key, as `status` and `kind`; add: cases of others appear, with these numbers, in this order; number: of a case as it is
    read -> its number; change: it gets another status. paged: whether a poll is one page; broken: options of the desk in vain.
    """

    fake: Any
    desk: dict[str, Any]
    source: dict[str, Any]
    count: Callable[[str], int]
    read: Callable[[str], dict[str, str]]
    add: Callable[[list[int]], None]
    change: Callable[[int, str], None]
    number: Callable[[str], int] = int
    kind: str = ""
    paged: bool = True
    broken: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.broken = self.broken or {
            name: "wr0ng" if name in ("client_secret", "password", "token") else value
            for name, value in self.desk.items()
        }

    def close(self) -> None:
        if self.fake:
            self.fake.close()


@dataclass
class Fake(Served):
    """A tool on a real socket. Its clock goes on by a second a change.

    faults: taken from the front, one a request (not of a log-in): an answer in place of the right one, or None to let it pass; after:
    the same for requests that write, which do their work first. good: the tokens that are good.
    """

    faults: list[Said | None] = field(default_factory=list)
    after: list[Said | None] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    good: set[str] = field(default_factory=set)
    given: int = 0
    refresh: str = REFRESH
    size: int = 200

    def __post_init__(self) -> None:
        self.now = START
        super().__init__()

    def tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def expire(self) -> None:
        self.good.clear()

    def answer(self, asked: Asked) -> Said:
        with self.lock:
            if said := self.login(asked):
                return said
            self.asked.append(asked)
            if self.faults and (fault := self.faults.pop(0)):
                return fault
            if not self.may(asked):
                return self.refused()
            said = self.right(asked)
            if asked.method != "GET" and self.after and (lost := self.after.pop(0)):
                return lost
            return said

    def token(self) -> str:
        """A new one."""
        self.given += 1
        token = f"s3cret-token-{self.given}"
        self.good.add(token)
        return token

    def may(self, asked: Asked) -> bool:
        return asked.headers.get("authorization", "").removeprefix("Bearer ") in self.good

    # ---- what a fake says of its own ---------------------------------------------------------------------------------

    def login(self, asked: Asked) -> Said | None:
        """The answer, if that is a log-in: OAuth2 client credentials in a form, at any address that ends so."""
        if not asked.path.endswith("/token"):
            return None
        sent = {name: values[0] for name, values in parse_qs(asked.body).items()}
        grants = {"client_credentials": True, "refresh_token": sent.get("refresh_token") == self.refresh}
        if sent.get("client_secret") != SECRET or not grants.get(sent.get("grant_type", "")):
            return Said(401, {"error": "invalid_client", "error_description": "900123456 may not"})
        return Said(body={"access_token": self.token(), "token_type": "Bearer", "expires_in": 3600})

    def refused(self) -> Said:
        return Said(401, {"error": {"code": "InvalidAuthenticationToken", "message": "900123456 may not"}})

    def right(self, asked: Asked) -> Said:
        raise NotImplementedError
