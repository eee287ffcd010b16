"""Sessions of people who typed their token once, the marks that guard forms, and the patience with wrong tokens."""

from __future__ import annotations

import hmac
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock

from itsdangerous import BadData, URLSafeSerializer

from monitor import tables as t
from monitor.access import Access, User
from monitor.standing import rows
from monitor.store import Store

WRONG = 10
"""Wrong tokens from one address within a PERIOD, after which it must wait."""
PERIOD = timedelta(minutes=1)
ADDRESSES = 10_000
"""Addresses that are remembered; past that the oldest are forgotten."""
_KEY = "web_key"
_ENDED = "ended "
"""Before a session's mark in `meta`: it was logged out of; the value is until when (epoch s) its cookie would hold."""


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in that holds. mark: its own, to which the guard of its forms is bound."""

    user: User
    mark: str


class Sessions:
    """Made and known by a key in the state's `meta`: they outlive a restart. One ends with its user's token, and when they log out."""

    def __init__(self, store: Store, access: Access, clock: Callable[[], datetime]) -> None:
        self._store, self._access, self._clock = store, access, clock
        self._key, self._making = "", Lock()

    def begin(self, user: User) -> str:
        """What the cookie holds."""
        until = (self._clock() + self._access.session).timestamp()
        made: str = self._signed().dumps([user.name, user.digest.hex()[:16], secrets.token_hex(8), int(until)])
        return made

    def of(self, cookie: str) -> Session | None:
        """Whose it is, if it still holds."""
        told = self._read(cookie)
        if told is None:
            return None
        name, digest, mark, until = told
        user = self._access.users.get(name)
        if user is None or not user.digest or user.digest.hex()[:16] != digest or self._clock().timestamp() >= until:
            return None
        ended = t.meta.select().where(t.meta.c.key == f"{_ENDED}{mark}")
        return None if rows(self._store, ended) else Session(user, mark)

    def end(self, cookie: str) -> None:
        """Somebody has logged out of it: whoever has a copy of the cookie is nobody from now on."""
        if self.of(cookie) is None or (told := self._read(cookie)) is None:
            return
        key = t.meta.c.key
        over = key.startswith(_ENDED) & (t.meta.c.value < f"{int(self._clock().timestamp()):012}")
        with self._store.writing() as c:
            c.execute(t.meta.delete().where(over | (key == f"{_ENDED}{told[2]}")))
            c.execute(t.meta.insert().values(key=f"{_ENDED}{told[2]}", value=f"{told[3]:012}"))

    def _read(self, cookie: str) -> tuple[str, str, str, int] | None:
        """What `begin` wrote there: user, beginning of the token's digest, mark, and until when."""
        try:
            name, digest, mark, until = self._signed().loads(cookie)
        except (BadData, ValueError, TypeError):
            return None
        return name, digest, mark, until

    def guard(self, mark: str) -> str:
        """What a form must bring back, by the session or other standing that it was shown in."""
        return hmac.new(self._secret().encode(), f"csrf {mark}".encode(), sha256).hexdigest()

    def guards(self, mark: str, given: str) -> bool:
        """Whether a form brought it."""
        return hmac.compare_digest(self.guard(mark).encode(), given.encode("utf-8", "replace"))

    def _signed(self) -> URLSafeSerializer:
        return URLSafeSerializer(self._secret(), salt="session", signer_kwargs={"digest_method": sha256})

    def _secret(self) -> str:
        with self._making:
            if not self._key:
                found = self._store.marks().get(_KEY)
                if not found:  # who only looks must not wait for whoever writes
                    found = secrets.token_hex(32)
                    self._store.put(t.meta, [{"key": _KEY, "value": found}])
                self._key = found
            return self._key


class Patience:
    """With wrong tokens, address by address."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._wrong: dict[str, deque[datetime]] = {}

    def wait(self, address: str) -> int:
        """Seconds that it must wait before a token is looked at; 0: none."""
        wrong, now = self._wrong.get(address), self._clock()
        while wrong and now - wrong[0] >= PERIOD:
            wrong.popleft()
        if not wrong or len(wrong) < WRONG:
            return 0
        return max(1, round((wrong[0] + PERIOD - now).total_seconds()))

    def wrong(self, address: str) -> None:
        """One more."""
        self._wrong.setdefault(address, deque(maxlen=WRONG)).append(self._clock())
        while len(self._wrong) > ADDRESSES:
            del self._wrong[next(iter(self._wrong))]
