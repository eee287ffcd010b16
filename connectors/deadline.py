"""Answers that must have come whole by a moment: a server that sends a byte now and then holds nobody longer than one that is silent."""

from __future__ import annotations

import http.client
import io
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Callable

    from urllib3 import PoolManager


def until(end: Callable[[], float], file: io.BufferedReader, sock: Any) -> io.BufferedReader:
    """What comes over a socket: no read lasts longer than until `end`, by the monotonic clock; then TimeoutError, and nothing any more."""
    return io.BufferedReader(_Until(end, file, sock))


class _Until(io.RawIOBase):
    def __init__(self, end: Callable[[], float], file: io.BufferedReader, sock: Any) -> None:
        self._end, self._raw, self._sock = end, file.detach(), sock
        self._late = False

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int | None:
        left = self._end() - monotonic()
        if self._late or left <= 0:
            self._late = True
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        found: int | None = self._raw.readinto(into)
        return found

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """Status, headers and body within the timeout that the socket has when the request was sent: what is left of the request's."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        end = monotonic() + sock.gettimeout()
        self.fp = until(lambda: end, self.fp, sock)


class Punctual(HTTPAdapter):
    """To be asked with urllib3's `Timeout(total=...)`: that is how long a request takes at most, connection, headers and body."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As requests has it."""
        super().init_poolmanager(*args, **kwargs)
        _arm(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """As requests has it."""
        known = proxy in self.proxy_manager
        made = super().proxy_manager_for(proxy, **kwargs)
        if not known:
            _arm(made)
        return made


def _arm(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {name: _armed(pool) for name, pool in manager.pool_classes_by_scheme.items()}


@cache
def _armed(pool: Any) -> Any:
    connection = type("Connection", (pool.ConnectionCls,), {"response_class": _Answer})
    return type("Pool", (pool,), {"ConnectionCls": connection})
