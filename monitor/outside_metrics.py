"""What Prometheus is told of those outside, sources and desks: how they fail, how far behind they are, and whether that is them or us."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from prometheus_client import CollectorRegistry

from connectors import Fault
from monitor.metric_names import FAULTS, counter, gauge, histogram

Side = Literal["source", "desk"]


class OutsideMetrics:
    """sources, desks: the names that stand at zero before the first event."""

    def __init__(self, registry: CollectorRegistry, sources: Iterable[str] = (), desks: Iterable[str] = ()) -> None:
        self._errors = {
            (side, fault): counter(registry, f"{side}_{fault}_errors")
            for side in ("source", "desk")
            for fault in FAULTS
        }
        self._lag = {side: gauge(registry, f"{side}_lag_seconds") for side in ("source", "desk")}
        self._begun, self._judged = histogram(registry, "poll_lag_seconds"), histogram(registry, "poll_judged_seconds")
        for (side, _), counted in self._errors.items():
            for name in sources if side == "source" else desks:
                counted.labels(name)

    def failed(self, side: Side, name: str, fault: Fault) -> None:
        """It could not be used, for a reason of this kind."""
        self._errors[side, fault].labels(name).inc()

    def lags(self, side: Side, name: str, age: Callable[[], float | None]) -> None:
        """How many seconds it is behind (None: not known, not shown): asked whenever it is read, so that it grows while nothing happens."""
        if age() is not None:
            self._lag[side].labels(name).set_function(lambda: age() or 0.0)

    def begun(self, source: str, late: float) -> None:
        """A poll begins, so many seconds after it was due."""
        self._begun.labels(source).observe(late)

    def judged(self, seconds: float) -> None:
        """What a poll brought is judged, so many seconds after it was brought."""
        self._judged.observe(seconds)
