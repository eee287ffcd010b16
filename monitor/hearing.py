"""When each source was last heard, and until when it is complete by its own word: known to who polls, whether or not it is judged yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta


class Hearing:
    """For any number of threads, one a source. every: how often each is polled; patience: how long past that it may be silent.

    lost: those that were found silent, until what they bring is taken in.
    """

    def __init__(self, clock: Callable[[], datetime], every: Mapping[str, timedelta], patience: timedelta) -> None:
        self._clock, self._every, self._patience = clock, every, patience
        self._until: dict[str, datetime] = {}
        self.begin(every)

    def begin(self, names: Iterable[str]) -> None:
        """All are taken to be heard now, and none waits."""
        self.heard = dict.fromkeys(names, self._clock())
        self.lost: set[str] = set()
        self._waiting: set[str] = set()

    def answered(self, name: str) -> None:
        """A poll has ended, well or not."""
        self.heard[name] = self._clock()

    @contextmanager
    def waits(self, name: str) -> Iterator[None]:
        """What it brought waits to be taken by us: that is no silence of its own."""
        self._waiting.add(name)
        try:
            yield
        finally:
            self.answered(name)
            self._waiting.discard(name)

    def waiting(self, name: str) -> bool:
        """Whether what it brought waits to be taken by us."""
        return name in self._waiting

    def due(self, name: str) -> datetime:
        """When its next answer was to be had."""
        return self.heard[name] + self._every[name]

    def silent(self) -> list[str]:
        """Those that neither answer nor fail for too long, as where a poll hangs."""
        now, known = self._clock(), self.lost | self._waiting
        return [name for name in self.heard if name not in known and now - self.due(name) > self._patience]

    def complete(self, name: str, until: datetime | None) -> None:
        """It vouches that all up to then has come."""
        if until:
            self._until[name] = max(until, self._until.get(name, until))

    def lag(self, name: str) -> float | None:
        """Seconds since then; None if it has never said. A step that takes long makes no source late."""
        until = self._until.get(name)
        return (self._clock() - until).total_seconds() if until else None
