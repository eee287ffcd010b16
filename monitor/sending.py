"""Delivery of what waits in the outbox: each desk and receiver on its own, so that a slow one holds nothing up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from threading import Event, Lock, Thread
from time import monotonic

import structlog

from connectors import Fault
from connectors.circuit import state_of
from connectors.turns import heeding
from monitor.claims import waiting
from monitor.config import Config
from monitor.metrics import Metrics
from monitor.outbox import Tell, deliver, with_tied
from monitor.store import Store

log = structlog.get_logger()


class Sending:
    """The desks and receivers of one service. errors: shared with it; those that do not answer, by `desk NAME`, with the cause in words."""

    def __init__(
        self,
        config: Config,
        store: Store,
        clock: Callable[[], datetime],
        metrics: Metrics,
        errors: dict[str, str],
        receivers: Mapping[str, Tell],
    ) -> None:
        """receivers: as `monitor.outbox.deliver` has them."""
        self.store, self.clock, self.metrics, self.errors, self.receivers = store, clock, metrics, errors, receivers
        self.desks = with_tied({name: desk.make() for name, desk in config.desks.items()})
        self._resting: dict[str | None, dict[str, datetime]] = {}
        self._oldest: dict[str, datetime] = {}
        for name in (*self.desks, *receivers):
            metrics.outside.lags("desk", name, partial(self._lag, name))
        self._at: dict[str | None, Lock] = {name: Lock() for name in (*self.desks, *receivers, None)}

    def __iter__(self) -> Iterator[str | None]:
        """Where to; None stands for those that are no longer configured."""
        return iter(self._at)

    def all(self) -> int:
        """Send what is due."""
        return sum(self.to(name) for name in self._at)

    def to(self, name: str | None, stop: Callable[[], bool] = lambda: False) -> int:
        """Send what is due at one desk or receiver (None: at those that are no longer configured)."""
        with self._at[name], heeding(stop):
            but = () if name else (*self.desks, *self.receivers)
            sent = deliver(
                self.store, self.desks, self.clock, self._sent, receivers=self.receivers, only=name, but=but,
                resting=self._resting.setdefault(name, {}), stop=stop,
            )  # fmt: skip
            if name in self.desks:
                self.metrics.circuits(desk=name, state=state_of(self.desks[name]))
            self._waiting()
            return sent

    def _waiting(self) -> None:
        """What waits, and for how long: by desk, and in all."""
        left = waiting(self.store)
        self._oldest = dict(reversed(left))
        self.metrics.outbox(len(left), (self.clock() - left[0][1]).total_seconds() if left else 0.0)

    def _lag(self, desk: str) -> float:
        """Seconds that the oldest message to it has waited."""
        oldest = self._oldest.get(desk)
        return (self.clock() - oldest).total_seconds() if oldest else 0.0

    def rest(self, seconds: float) -> None:
        """At the end: send what is due where it is answered, everywhere at once, and wait so long for it.

        What is not sent by then stays in the outbox; who has not answered is `hanging`.
        """
        over, until = Event(), monotonic() + seconds
        names = [name for name in self if f"desk {name}" not in self.errors and not self._at[name].locked()]
        last = [Thread(target=self._last, args=[name, over.is_set], daemon=True) for name in names]
        for thread in last:
            thread.start()
        for thread in last:
            thread.join(max(until - monotonic(), 0.0))
        over.set()
        if self.hanging:
            log.warning("not waited for any longer", hanging=self.hanging)

    def _last(self, name: str | None, stop: Callable[[], bool]) -> None:
        try:
            self.to(name, stop)
        except Exception:
            log.exception("what was due at the end was not sent", desk=name)

    @property
    def hanging(self) -> list[str]:
        """Those that are being asked this moment."""
        return sorted(f"desk {name}" for name, at in self._at.items() if at.locked())

    def _sent(self, name: str, error: str, fault: Fault) -> None:
        if error:
            self.errors[f"desk {name}"] = error
            self.metrics.delivery_error(name, fault)
        else:
            self.errors.pop(f"desk {name}", None)
            self.metrics.sent(name)
