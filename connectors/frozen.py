"""A server that holds its connection and says nothing any more: who waits for it is woken by shutting the line."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from threading import Condition, Thread
from time import monotonic


class Watch:
    """Over one connection, from `hold` until `let_go`. seconds: from `again` until its line is shut, unless it may `rest`; cut: it was."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.cut = seconds, False
        self._line: socket.socket | None = None
        self._end: float | None = None
        self._changed = Condition()

    def again(self) -> None:
        """Something is asked from now on."""
        with self._changed:
            self._end = monotonic() + self.seconds
            self._changed.notify_all()

    def rest(self) -> None:
        """It has answered."""
        with self._changed:
            self._end = None

    def hold(self, fileno: int) -> None:
        """The connection, by its file descriptor; kept by one of our own, so that no other is met when its owner has closed it."""
        self.let_go()
        self._line = socket.socket(fileno=os.dup(fileno))
        self.again()
        Thread(target=self._run, args=[self._line], name="watch", daemon=True).start()

    def let_go(self) -> None:
        """It is over."""
        with self._changed:
            if self._line:
                self._line.close()
            self._line = None
            self._changed.notify_all()

    def _run(self, line: socket.socket) -> None:
        with self._changed:
            while self._line is line:
                left = None if self._end is None else self._end - monotonic()
                if left is not None and left <= 0:
                    self.cut = True
                    with suppress(OSError):
                        line.shutdown(socket.SHUT_RDWR)
                    return
                self._changed.wait(left)
