"""A circuit: a server that keeps failing is left alone for a while, then one request goes through to see."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, get_ident
from typing import Literal

State = Literal["closed", "open", "half-open"]
FAILURES = 3
"""Requests in a row, each with its tries, after which the circuit opens."""
COOL = 15.0
"""Seconds that it stays open at first; twice as long each time that the probe fails,"""
LONGEST = 120.0
"""but no longer than this."""


def state_of(thing: object) -> State:
    """Of the circuit to a source's or desk's server; what has no server is always in reach."""
    session = getattr(thing, "session", None)
    return session.circuit.state if session is not None else "closed"


class Circuit:
    """Closed: requests pass. Open: none does. Half-open: its time has come, and one passes to see.

    What counts is whether the server can be used at all: a request that it refuses for good is an answer. For any number of threads: one
    that passed before the circuit opened, and ends only now, says nothing of it any more.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, Lock()
        self._failed, self._until, self._cool = 0, 0.0, COOL
        self._probing = 0
        """The thread that sees whether the server is back; 0: none does."""

    @property
    def state(self) -> State:
        """As of now."""
        if self._failed < FAILURES:
            return "closed"
        return "open" if self._clock() < self._until else "half-open"

    def left(self) -> float:
        """Seconds until a request may pass, 0 if this one may; whoever passes says afterwards how it went (`passed`)."""
        with self._lock:
            if self.state == "half-open" and not self._probing:
                self._probing = get_ident()
                return 0.0
            return 0.0 if self.state == "closed" else max(self._until - self._clock(), 1.0)

    def passed(self, *, well: bool) -> None:
        """How a request of this thread went that passed."""
        with self._lock:
            probing = self.state != "closed"
            if probing and self._probing != get_ident():
                return
            self._probing = 0
            if well:
                self._failed, self._cool = 0, COOL
                return
            self._failed += 1
            if self._failed >= FAILURES:
                self._cool = min(2 * self._cool, LONGEST) if probing else self._cool
                self._until = self._clock() + self._cool
