"""Taking turns: what only one process of a machine may do at a time."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from connectors import SourceError


@contextmanager
def turn(*about: str) -> Iterator[None]:
    """Alone with what the words name, among the threads and processes of this user on this machine.

    For a tool that knows no key of ours, so that looking a case up and opening it are one. Processes on several machines have one
    database, in which a message is claimed by one of them.
    """
    folder = Path(tempfile.gettempdir()) / f"vigia-{os.getuid()}"
    name = sha256("\0".join(about).encode()).hexdigest()[
        :2
    ]  # 256 of them: they are never removed, and hardly ever shared
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = (folder / f"{name}.turn").open("w")
    except OSError as error:
        raise SourceError(f"{folder}: {error.strerror}", fault="unreachable") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
