"""Taking turns: what only one process of a machine may do at a time."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from hashlib import sha256
from pathlib import Path

from connectors import SourceError

PATIENCE = 10.0
"""Seconds that a turn is waited for: whoever has it asks a tool, which may take long to answer."""
AGAIN = 0.02
"""Seconds between two looks."""
_STOP: ContextVar[Callable[[], bool]] = ContextVar("stop", default=lambda: False)


@contextmanager
def heeding(stop: Callable[[], bool]) -> Iterator[None]:
    """Turns that are waited for within are given up once `stop` says so."""
    token = _STOP.set(stop)
    try:
        yield
    finally:
        _STOP.reset(token)


@contextmanager
def turn(*about: str) -> Iterator[None]:
    """Alone with what the words name, among the threads and processes of this user on this machine.

    For a tool that knows no key of ours, so that looking a case up and opening it are one. Processes on several machines have one
    database, in which a message is claimed by one of them. Raises SourceError (busy) where somebody else has it for too long.
    """
    folder = Path(tempfile.gettempdir()) / f"vigia-{os.getuid()}"
    name = sha256("\0".join(about).encode()).hexdigest()
    path = folder / f"{name}.turn"
    until = time.monotonic() + PATIENCE
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        while (lock := _taken(path)) is None:
            if _STOP.get()() or time.monotonic() >= until:
                raise SourceError(f"{about[0]}: somebody else is at work on the same case", fault="busy")
            time.sleep(AGAIN)
    except OSError as error:
        raise SourceError(f"{folder}: {error.strerror}", fault="unreachable") from error
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(lock)


def _taken(path: Path) -> int | None:
    """The lock, held; None while somebody else has it. Who had it takes its file away: one that is there no more is no turn."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_ino == path.stat().st_ino:
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(lock)
        raise
    os.close(lock)
    return None
