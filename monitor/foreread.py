"""Before a configuration is put in force: whether the sources whose block differs can still be read by it."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime
from threading import Thread
from time import monotonic

from connectors import SourceError
from monitor.config import Config
from monitor.faults import ConfigError, Fault
from monitor.intake import Intake
from monitor.plugs import SourceConfig

LIMIT = 5.0
"""Seconds for all of them together: one that has not answered by then blocks nothing."""
OURS = ("unreadable", "refused")
"""Faults that the block may be to blame for. One that is down, busy or does not let us in says nothing about it."""


def readable(old: Config, new: Config, now: datetime, limit: float = LIMIT) -> Config:
    """`new`; raises ConfigError, for each source that is new or was changed and whose first rows its block cannot read.

    Nothing of them is kept. A source that cannot be reached, or that had the very same fault before, is let through.
    """
    changed = {name: one for name, one in new.sources.items() if _given(one) != _given(old.sources.get(name))}
    until = monotonic() + limit
    asked = {name: _asking(one, old.sources.get(name), now) for name, one in changed.items()}
    found = []
    for name, (asking, answer) in asked.items():
        asking.join(max(until - monotonic(), 0.0))
        if answer.done() and (why := answer.result()):
            found.append(Fault(new.path.name, f"sources.{name}", why))
    if found:
        raise ConfigError(found)
    return new


def _given(source: SourceConfig | None) -> object:
    return source and (source.block, source.zone, source.reads, getattr(source.make, "keywords", {}))


def _asking(new: SourceConfig, old: SourceConfig | None, now: datetime) -> tuple[Thread, Future[str]]:
    answer: Future[str] = Future()

    def run() -> None:
        why = _why(new, now)
        answer.set_result("" if why and old and _why(old, now) == why else why)

    asking = Thread(target=run, daemon=True)
    asking.start()
    return asking, answer


def _why(source: SourceConfig, now: datetime) -> str:
    """What is wrong with its block by its first rows; '' where nothing is, or nothing can be said."""
    try:
        intake = Intake(source)
        try:
            intake.look(now, now - source.block.start)
        finally:
            intake.close()
    except SourceError as error:
        return str(error) if error.fault in OURS else ""
    except Exception:  # noqa: BLE001 - a fault of a library: the poll tells of it as of any other
        return ""
    return ""
