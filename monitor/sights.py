"""Whom each user may see, kept for a while: a hundred thousand clients are not read anew for every page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from monitor.access import User
from monitor.database import CLIENTS
from monitor.seeing import EVERYONE, Sight, sight_of
from monitor.store import Store

SOON = timedelta(seconds=10)
"""So long a sight is kept in any case."""
HELD = timedelta(minutes=5)
"""So long it is kept while this process has written no client: another may have."""


class Sights:
    """Of a service. Users who see by the same rule share one sight; whoever waits for it while it is read does not read it again."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._kept: dict[object, tuple[datetime, int, Sight]] = {}
        self._reading = Lock()

    def of(self, user: User) -> Sight:
        """The clients whom a user may see."""
        if user.clients == "all":
            return EVERYONE
        rule = user.email.casefold() if user.clients == "own" else user.clients
        if (kept := self._fresh(rule)) is None:
            with self._reading:
                if (kept := self._fresh(rule)) is None:
                    as_of = self._clock(), self._store.changed.get(CLIENTS, 0)
                    kept = sight_of(self._store, user)
                    self._kept[rule] = (*as_of, kept)
        return kept

    def _fresh(self, rule: object) -> Sight | None:
        if rule not in self._kept:
            return None
        at, changed, sight = self._kept[rule]
        age, same = self._clock() - at, changed == self._store.changed.get(CLIENTS, 0)
        return sight if age < SOON or (same and age < HELD) else None
