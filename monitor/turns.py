"""How late sources are asked, by when their turns were due: a turn that was left out counts like one that was taken late."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock


class Turns:
    """Of one source, for two threads. asked: whether it is being asked this moment, and has not answered yet.

    A turn that falls then is its own doing and no lateness of ours. Every other turn that is left out, because what it brought waits for us
    or the machine stood still, is as late as the poll that at last begins.
    """

    def __init__(self, every: timedelta, asked: Callable[[], bool]) -> None:
        self._every, self._asked = every, asked
        self._last: datetime | None = None
        self._owed: list[datetime] = []
        self._lock = Lock()

    def left_out(self, due: datetime) -> None:
        """The turn of then is left out, for the poll before it goes on."""
        with self._lock:
            self._pass(due)
            if not self._asked():
                self._owed.append(due)

    def begins(self, due: datetime, now: datetime) -> list[float]:
        """The poll begins that was due then: by how many seconds each turn since the one before is late."""
        with self._lock:
            self._pass(due)
            owed, self._owed = [*self._owed, due], []
        return [(now - turn).total_seconds() for turn in owed]

    def _pass(self, due: datetime) -> None:
        """The turns before that one of which the scheduler never told were left out as well: it had no time."""
        while self._last is not None and due - self._last > 1.5 * self._every:
            self._last += self._every
            self._owed.append(self._last)
        self._last = max(due, self._last or due)
