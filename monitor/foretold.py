"""Exposure, scored: of clients who were called exposed, who failed later; of those who failed later, who had been called.

Of each label that was found and whose affected clients are known (optional ones apart), client by client, over all incidents that found it:

- **later**: truly affected (`affected`), and their first failure in it comes after the first of these incidents was detected. When that
  was is told by the label (`first_failures`), else by the impact; of whom neither tells is left out;
- **called**: `exposed_at` is set on one of their impacts. `explained` clients are left out: to call them is neither right nor wrong;
- **right**: later, and called before their own first failure. Who is called too late counts as called, not as right.

recall = right / later, precision = right / called: pooled over labels (`exposed_recall`, `exposed_precision`), and the labels' means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from statistics import mean
from typing import Any

from alerts import Impact, Incident, Touch
from monitor.labels import Label


def foretold(
    labels: Iterable[Label], incidents: Sequence[Incident], impacts: Iterable[Impact]
) -> dict[str, dict[str, int]]:
    """By name of label its counts: later, called, right."""
    by_incident: dict[str, list[Impact]] = {}
    for impact in impacts:
        by_incident.setdefault(impact.incident_id, []).append(impact)
    counts = {}
    for label in labels:
        found = [incident for incident in incidents if label.meets(incident)]
        if found and label.affected and not label.optional:
            detected = min(incident.detected_at for incident in found)
            touched = [impact for incident in found for impact in by_incident.get(incident.id, ())]
            counts[label.name] = _count(label, detected, touched)
    return counts


def pooled(counts: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    """Over labels, of however many months; None where nobody was called or failed later."""
    later, called, right = (sum(one[name] for one in counts) for name in ("later", "called", "right"))
    recalls = [one["right"] / one["later"] for one in counts if one["later"]]
    precisions = [one["right"] / one["called"] for one in counts if one["called"]]
    return {
        "exposed_recall": right / later if later else None,
        "exposed_precision": right / called if called else None,
        "exposed_mean_recall": mean(recalls) if recalls else None,
        "exposed_mean_precision": mean(precisions) if precisions else None,
    }


def _count(label: Label, detected: datetime, touched: Iterable[Impact]) -> dict[str, int]:
    called: dict[str, datetime] = {}
    firsts: dict[str, datetime] = {}
    for impact in touched:
        if impact.exposed_at:
            called[impact.client_id] = min(impact.exposed_at, called.get(impact.client_id, impact.exposed_at))
        if impact.touch is Touch.AFFECTED and impact.first_failure_at:
            first = impact.first_failure_at
            firsts[impact.client_id] = min(first, firsts.get(impact.client_id, first))
    firsts |= label.first_failures
    later = {client for client in label.affected if client in firsts and firsts[client] > detected}
    right = {client for client in later if client in called and called[client] < firsts[client]}
    return {"later": len(later), "called": len(called.keys() - label.explained), "right": len(right)}
