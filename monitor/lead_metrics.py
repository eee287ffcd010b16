"""What Prometheus is told of the line of times: how soon detected, a case opened, the client informed. Who spoke first stands elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry

from alerts import Action, Changes, Client, Decision, Impact, Incident, IncidentState, Touch
from alerts.priority import SEGMENTS
from monitor.metric_names import histogram
from monitor.places import segment
from rules import Severity


@dataclass(slots=True)
class _Known:
    """Of one incident: when it was detected, each client's first failure, and what was decided."""

    detected_at: datetime
    first: dict[str, datetime] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)


class LeadMetrics:
    """Each time is observed once, when it is first known. What changed before this start is not told again.

    An incident is remembered until `forget`; what comes of it later is not told.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._detect = histogram(registry, "time_to_detect_seconds")
        self._case = histogram(registry, "time_to_case_seconds")
        self._inform = histogram(registry, "time_to_inform_seconds")
        for name in SEGMENTS:
            self._case.labels(name)
            self._inform.labels(name)
        for severity in Severity:
            self._detect.labels(severity)
        self._known: dict[str, _Known] = {}

    def resume(self, incidents: Iterable[Incident], impacts: Iterable[Impact], decisions: Iterable[Decision]) -> None:
        """What stood before this start."""
        self._known = {incident.id: _Known(incident.detected_at) for incident in incidents}
        self._hit(impacts)
        for decision in decisions:
            if known := self._known.get(decision.incident_id):
                known.decisions[decision.key] = decision

    def decided(self, changes: Changes, clients: Mapping[str, Client]) -> None:
        """What a step changed, once committed."""
        for incident in changes.incidents.values():
            if incident.id not in self._known:
                self._known[incident.id] = _Known(incident.detected_at)
                if incident.state is not IncidentState.MERGED:
                    gap = incident.detected_at - incident.started_at
                    self._detect.labels(incident.severity).observe(gap.total_seconds())
        self._hit(impact for impact in changes.impacts.values() if impact)
        for decision in (*changes.decisions.values(), *changes.ended):
            if known := self._known.get(decision.incident_id):
                client = clients.get(decision.client_id)
                self._told(decision, known, segment(client.segment) if client else "")
                known.decisions[decision.key] = decision

    def forget(self, incident_id: str) -> None:
        """It is long over."""
        self._known.pop(incident_id, None)

    def _told(self, decision: Decision, known: _Known, of: str) -> None:
        before, opened = known.decisions.get(decision.key), decision.action is Action.OPEN
        if opened and (before is None or before.action is not Action.OPEN):
            since = max(known.detected_at, known.first.get(decision.client_id, known.detected_at))
            self._case.labels(of).observe(max((decision.opened_at - since).total_seconds(), 0))
        if opened and decision.informed_at and not (before and before.informed_at):
            self._inform.labels(of).observe(max((decision.informed_at - decision.opened_at).total_seconds(), 0))

    def _hit(self, impacts: Iterable[Impact]) -> None:
        for impact in impacts:
            known = self._known.get(impact.incident_id)
            if known and impact.touch is Touch.AFFECTED and impact.first_failure_at:
                at = impact.first_failure_at
                known.first[impact.client_id] = min(known.first.get(impact.client_id, at), at)
