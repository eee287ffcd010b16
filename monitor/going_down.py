"""Of each source that is down, the cause that was logged: it is logged again when it is another."""

from __future__ import annotations

import re

import structlog

from connectors import Fault

log = structlog.get_logger()


class Downs:
    """The causes that were logged last: kind of fault and words, but for how long a server is left alone yet."""

    def __init__(self) -> None:
        self._logged: dict[str, tuple[Fault, str]] = {}

    def tell(self, source: str, error: str, fault: Fault, *, already: bool) -> None:
        """Log it unless it is the cause that it is down for already; while it is left alone, that is the one that it had."""
        cause = fault, re.sub(r"\b\d+ s$", "", error)
        if not already or (fault != "resting" and self._logged.get(source) != cause):
            log.warning("source is down", source=source, error=error)
            self._logged[source] = cause
