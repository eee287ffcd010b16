"""The dead man's switch: while Vigía is ready it asks an address every so often; who listens there raises the alarm when it does not."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from connectors import SourceError
from connectors.heartbeat import Heartbeat
from monitor.metrics import Metrics

log = structlog.get_logger()


class Pulse:
    """ready: as of `Service.ready`; what goes wrong is counted and told once, and holds up nothing: the silence is the alarm."""

    def __init__(self, url: str, ready: Callable[[], tuple[bool, str]], metrics: Metrics) -> None:
        self.heartbeat, self.ready, self.metrics = Heartbeat(url=url), ready, metrics
        self._error = ""

    def beat(self) -> None:
        """Ask the address, if all is well."""
        if not self.ready()[0]:
            return
        error = ""
        try:
            self.heartbeat.beat()
        except SourceError as found:
            error = str(found)
        if error and error != self._error:
            log.warning("the heartbeat was not taken", error=error)
        self._error = error
        self.metrics.heartbeat(taken=not error)
