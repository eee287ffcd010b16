"""The outbound heartbeat: an address that expects to be asked, and raises the alarm when it is not."""

from __future__ import annotations

from datetime import timedelta

from connectors.session import Session


class Heartbeat:
    """`GET url`, once a beat. The address is a secret: no more than its server stands in an error."""

    def __init__(self, *, url: str, timeout: timedelta = timedelta(seconds=10)) -> None:
        self.session = Session(url, timeout=timeout, hidden=True)
        self._url = url

    def beat(self) -> None:
        """Ask; any 2xx will do. Raises SourceError."""
        self.session.ask("GET", self._url, repeat=False, parse=False)
