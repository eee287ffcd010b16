"""Rows that came too late: older than `hold` when they were read, so that they count nowhere. It is said, of each poll and as a trouble."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from monitor.spanish import count
from monitor.windows import time_of

log = structlog.get_logger()
STANDS = timedelta(hours=1)
"""For so long after the last of them it is a trouble: one, however many follow."""


class Dropped(NamedTuple):
    """Of one source. since, last: when the first and the newest of them were read; rows: how many, all together."""

    since: datetime
    last: datetime
    rows: int


class TooLate(dict[str, Dropped]):
    """By source. Memory alone keeps it: after a restart only the log tells of those before."""

    def came(self, source: str, rows: int, oldest: int | None, now: datetime) -> None:
        """A poll brought so many; oldest: the minute of the first of them."""
        if not rows:
            return
        since = time_of(oldest).isoformat() if oldest is not None else ""
        log.warning("rows are left out: they came too late (monitor.hold)", source=source, rows=rows, oldest=since)
        before = self.standing(now).get(source)
        self[source] = Dropped(before.since if before else now, now, rows + (before.rows if before else 0))

    def standing(self, now: datetime) -> dict[str, Dropped]:
        """Those of which some came lately."""
        return {name: one for name, one in self.items() if now - one.last < STANDS}

    def in_words(self, now: datetime) -> dict[str, str]:
        """By source, what is said of it."""
        return {
            name: f"{'llegó' if one.rows == 1 else 'llegaron'} {count(one.rows, 'fila')} demasiado tarde de {name}"
            for name, one in self.standing(now).items()
        }
