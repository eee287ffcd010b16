"""A pass in parts: each is done whatever becomes of the others, and what went wrong is told in the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()


class Parts:
    """One pass. `errors`: what went wrong so far; `end` raises the first, so that the job counts as failed and is run again."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    @contextmanager
    def part(self, **about: str) -> Iterator[None]:
        """What goes wrong in here holds up nothing else. about: for the log; no client's name, no person's."""
        try:
            yield
        except Exception as error:
            log.exception("not told", **about)
            self.errors.append(error)

    def end(self) -> None:
        """Raises the first error."""
        if self.errors:
            raise self.errors[0]
