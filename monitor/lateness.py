"""How far judging is behind the clock: by what the configuration says, and now; and which source it waits for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from monitor.languages import words
from monitor.windows import time_of

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.service import Service

EVENTS = ("transactions", "metrics")
"""The roles that close minutes."""
MINUTE = timedelta(minutes=1)


class Behind(NamedTuple):
    """Judging is behind by more than is usual. until: the end of what is judged; sources: those that it waits for (none: Vigía itself)."""

    until: datetime
    sources: tuple[str, ...]


def usual(config: Config) -> timedelta:
    """How late a minute's verdict may be where every source that is asked is complete until now."""
    every = (source.block.every for source in config.sources.values() if source.block.role in EVENTS)
    return max(every, default=timedelta()) + config.monitor.lateness + MINUTE


def expected(config: Config) -> timedelta:
    """How late a minute's verdict may be by what the configuration says: a source that is `lag` behind holds up all."""
    feeding = (source for source in config.sources.values() if source.block.role in EVENTS)
    slowest = max((source.lag + source.block.every for source in feeding), default=timedelta())
    return slowest + config.monitor.lateness + config.monitor.patience


def behind(service: Service) -> Behind | None:
    """How it is now; None where nothing has been judged, or judging is on time but for our patience with a source."""
    judged, now, monitor = service.judge.judged_until, service.clock(), service.config.monitor
    if judged is None or now - time_of(judged) <= usual(service.config) + monitor.patience:
        return None
    held = [
        name
        for name, standing in service.judge.sources.items()
        if standing.waited_for(now, monitor.patience) and service.judge.sources.answered(name) <= judged
    ]
    return Behind(time_of(judged), tuple(sorted(held)))


def still(service: Service) -> list[str]:
    """The sources that answer and vouch for nothing more: the others are judged without them."""
    patience = service.config.monitor.patience
    return [name for name, one in service.judge.sources.items() if not one.down and one.stands_still(patience)]


def foreseen(config: Config) -> str:
    """As `vigia check` says it, and because of which source; '' where it is less than a minute."""
    feeding = [source for source in config.sources.values() if source.block.role in EVENTS]
    if not feeding:
        return ""
    last = max(feeding, key=lambda source: source.lag + source.block.every)
    late = last.lag + last.block.every + config.monitor.lateness
    if late < MINUTE:
        return ""
    so = f"says so by `lag` ({_told(last.lag)})" if last.lag else f"is asked every {_told(last.block.every)}"
    others = " and holds up every other source" if len(feeding) > 1 and last.lag else ""
    return f"judging runs up to {_told(late)} behind the clock: source {last.name} {so}{others}"


def _told(length: timedelta) -> str:
    return str(words("en").length(length.total_seconds()))
