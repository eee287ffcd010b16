"""What waits between a poller and the judging thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from queue import Full, Queue
from threading import Event

from monitor.intake import Intake, Rows
from monitor.judge import Down

WAIT = 1.0
"""Seconds, after which it is asked whether all ends."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a poll brought, when (by `perf_counter`), and whether a step has taken it, or let it fall."""

    intake: Intake
    arrived: Rows | Down
    answered: float
    judged: Event = field(default_factory=Event)

    def handed(self, queue: Queue[Fetched], before: Fetched | None) -> bool:
        """Put it where it is taken from, within a second or two; False where there was no room yet.

        before: the same source's page before it, which is judged first: so a source that has many to give gives one a step.
        """
        if before and not before.judged.wait(WAIT):
            return False
        try:
            queue.put(self, timeout=WAIT)
        except Full:
            return False
        return True
