"""The alerts of the moment: by rule and scope, and by the incident that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from alerts import Alert
from rules import Scope

Key = tuple[str, Scope]
"""An alert's rule and scope."""


class Raised(dict[Key, Alert]):
    """By rule and scope; written by `keep` and `drop` alone."""

    def __init__(self, alerts: Iterable[Alert] = ()) -> None:
        super().__init__()
        self._of: dict[str, dict[Key, None]] = {}
        for alert in alerts:
            self.keep(alert)

    def keep(self, alert: Alert) -> Alert:
        """Write it over what it was."""
        key = (alert.rule, alert.scope)
        if (before := self.get(key)) and before.incident_id != alert.incident_id:
            self._leave(key, before)
        self[key] = alert
        if alert.incident_id:
            self._of.setdefault(alert.incident_id, {})[key] = None
        return alert

    def drop(self, key: Key) -> Alert:
        """It is over."""
        self._leave(key, alert := self.pop(key))
        return alert

    def of(self, incident_id: str) -> Sequence[Alert]:
        """Those of the incident, in the order in which they joined it."""
        return [self[key] for key in self._of.get(incident_id, ())]

    def held(self, incident_id: str) -> bool:
        """Whether it has any."""
        return incident_id in self._of

    def last_breach(self, incident_id: str, without: datetime) -> datetime:
        """When the newest window in breach of any of them ended; `without` any, that."""
        return max((alert.last_breach for alert in self.of(incident_id)), default=without)

    def _leave(self, key: Key, alert: Alert) -> None:
        if alert.incident_id:
            there = self._of[alert.incident_id]
            del there[key]
            if not there:
                del self._of[alert.incident_id]
