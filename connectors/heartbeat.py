"""The outbound heartbeat: an address that expects to be asked, and raises the alarm when it is not."""

from __future__ import annotations

from datetime import timedelta

from connectors.session import Session


class Heartbeat:
    """`GET url`, once a beat. The address is a secret: no more than its server stands in an error."""

    def __init__(self, *, url: str, timeout: timedelta = timedelta(seconds=10)) -> None:
        self._url, self._timeout = url, timeout
        self._session()  # a wrong address is told at once

    def beat(self) -> None:
        """Ask; any 2xx will do. Raises SourceError."""
        self._session().ask("GET", self._url, repeat=False, parse=False)

    def _session(self) -> Session:
        """A new one for each beat: no circuit that is open holds back the first that would be heard again."""
        return Session(self._url, timeout=self._timeout, hidden=True)
