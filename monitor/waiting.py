"""Where what was polled waits for the judging thread: as much as memory bears, so that a step that takes long makes no poll late."""

from __future__ import annotations

from queue import Queue

from monitor.fetched import Fetched
from monitor.intake import Rows

ROOM = 64 << 20
"""Bytes that may wait, and beyond them one poll more; past that, pollers wait."""
LEAST = 16 << 10
"""Bytes that a poll takes at least, with all that comes beside its rows: four thousand small ones may wait."""


class Waiting(Queue[Fetched]):
    """A queue that is full by bytes. Its length for others is `many`; how full it is, from 0 to 1, `filled`."""

    def __init__(self) -> None:
        super().__init__(ROOM)
        self._bytes = 0

    def many(self) -> int:
        """How many polls wait."""
        return len(self.queue)

    def filled(self) -> float:
        """Of the room, what is taken."""
        return min(self._bytes / self.maxsize, 1.0)

    def _qsize(self) -> int:
        return self._bytes

    def _put(self, item: Fetched) -> None:
        super()._put(item)
        self._bytes += _size(item)

    def _get(self) -> Fetched:
        item: Fetched = super()._get()
        self._bytes -= _size(item)
        return item


def _size(item: Fetched) -> int:
    return LEAST + (item.arrived.table.nbytes if isinstance(item.arrived, Rows) else 0)
