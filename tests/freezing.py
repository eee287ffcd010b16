"""A server in front of a real one that freezes: it takes what comes, and passes nothing on any more."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Event, Thread
from typing import Self


class Freezing:
    """behind: a host and port, or the path of a Unix socket; at: it freezes once this comes, from either side."""

    def __init__(self, behind: tuple[str, int] | str, at: bytes) -> None:
        self._behind, self._at, self._frozen = behind, at, Event()
        self._lines: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(60)
        for line in self._lines:
            _end(line)
        for thread in self._threads:
            thread.join(60)
        for line in (*self._lines, self._server):
            line.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours = self._server.accept()[0]
                theirs = socket.socket(socket.AF_UNIX if isinstance(self._behind, str) else socket.AF_INET)
                theirs.connect(self._behind)
                self._lines += (ours, theirs)
                for pair in ((ours, theirs), (theirs, ours)):
                    self._threads.append(Thread(target=self._pass_on, args=pair, daemon=True))
                    self._threads[-1].start()

    def _pass_on(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while piece := here.recv(1 << 16):
                if self._at in piece:
                    self._frozen.set()
                if not self._frozen.is_set():
                    there.sendall(piece)
        if not self._frozen.is_set():
            _end(there)


def _end(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
