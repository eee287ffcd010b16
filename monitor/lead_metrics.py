"""What Prometheus is told of the line of times: how soon detected, a case opened, the client informed; and who spoke first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram

from alerts import Action, Changes, Client, Decision, Impact, Incident, IncidentState, Touch
from alerts.priority import SEGMENTS

SECONDS = (15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)


class LeadMetrics:
    """Each time is observed once, when it is first known. What changed before this start is not told again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def seconds(name: str, meaning: str, label: str) -> Histogram:
            return Histogram(f"vigia_{name}_seconds", meaning, [label], registry=registry, buckets=SECONDS)

        def counter(name: str, meaning: str) -> Counter:
            return Counter(f"vigia_{name}", meaning, ["segment"], registry=registry)

        self._detect = seconds("time_to_detect", "From an incident's first bad minute to its detection.", "severity")
        meaning = "From a client's first failure, or the detection if that came later, to our case."
        self._case = seconds("time_to_case", meaning, "segment")
        self._inform = seconds("time_to_inform", "From our case to when the client was told.", "segment")
        self._reached = counter("clients_reached_first", "Affected clients who reported after our case or our word.")
        self._spoke = counter("clients_spoke_first", "Affected clients who reported before they were reached.")
        for segment in SEGMENTS:
            for counted in (self._reached, self._spoke):
                counted.labels(segment)
        self._detected: dict[str, datetime] = {}
        self._first: dict[tuple[str, str], datetime] = {}
        self._known: dict[str, Decision] = {}

    def resume(self, incidents: Iterable[Incident], impacts: Iterable[Impact], decisions: Iterable[Decision]) -> None:
        """What stood before this start."""
        self._detected = {incident.id: incident.detected_at for incident in incidents}
        self._hit(impacts)
        self._known = {decision.key: decision for decision in decisions}

    def decided(self, changes: Changes, clients: Mapping[str, Client]) -> None:
        """What a step changed, once committed."""
        for incident in changes.incidents.values():
            if incident.id not in self._detected and incident.state is not IncidentState.MERGED:
                self._detect.labels(incident.severity).observe(
                    (incident.detected_at - incident.started_at).total_seconds()
                )
            self._detected[incident.id] = incident.detected_at
        self._hit(impact for impact in changes.impacts.values() if impact)
        for decision in (*changes.decisions.values(), *changes.ended):
            client = clients.get(decision.client_id)
            self._told(decision, self._known.get(decision.key), client.segment.lower() if client else "")
            self._known[decision.key] = decision
        for incident in changes.incidents.values():
            if incident.state is not IncidentState.FIRING:
                self._forget(incident.id)

    def _told(self, decision: Decision, before: Decision | None, segment: str) -> None:
        opened = decision.action is Action.OPEN
        if opened and (before is None or before.action is not Action.OPEN):
            first = self._first.get((decision.incident_id, decision.client_id), decision.opened_at)
            since = max(self._detected.get(decision.incident_id, first), first)
            self._case.labels(segment).observe(max((decision.opened_at - since).total_seconds(), 0))
        if opened and decision.informed_at and not (before and before.informed_at):
            self._inform.labels(segment).observe(max((decision.informed_at - decision.opened_at).total_seconds(), 0))
        told = decision.client_reported_at
        if told and not (before and before.client_reported_at):
            reached = (opened and decision.opened_at < told) or (decision.informed_at or told) < told
            (self._reached if reached else self._spoke).labels(segment).inc()

    def _hit(self, impacts: Iterable[Impact]) -> None:
        for impact in impacts:
            if impact.touch is Touch.AFFECTED and impact.first_failure_at:
                key = (impact.incident_id, impact.client_id)
                self._first[key] = min(self._first.get(key, impact.first_failure_at), impact.first_failure_at)

    def _forget(self, incident_id: str) -> None:
        self._first = {key: at for key, at in self._first.items() if key[0] != incident_id}
