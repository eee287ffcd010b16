"""Which of a client's own cases belongs to which incident, by what it names and when it was reported."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from alerts import Decision, Incident, TheirCase

BEFORE = timedelta(hours=2)
AFTER = timedelta(hours=24)
EARLY = timedelta(minutes=15)
"""What was reported longer than this before the failure began is hardly about it: nobody is left without a case of ours because of it."""


def linked_to(case: TheirCase) -> dict[str, Any]:
    """What a decision says of the case that is linked."""
    return {"linked_case_id": case.case_id, "linked_source": case.source}


def unlinked(decision: Decision) -> Decision:
    """Without its tie, and without the figures that came of it."""
    return replace(
        decision, linked_case_id="", linked_source="", client_reported_at=None, confidence=None, confirmed_by=""
    )


def belongs(case: TheirCase, incident: Incident, products: list[str], at: datetime) -> bool:
    """Whether the client's case, known by `at`, may be about the incident."""
    names = not case.product or not products or case.product in products or case.product == incident.scope.product
    return names and in_time(case, incident, at)


def is_early(case: TheirCase, incident: Incident) -> bool:
    """Whether it was reported too long before the failure began to be about it."""
    return case.reported_at < incident.started_at - EARLY


def of_before(case: TheirCase, before: Incident, held: Decision, incident: Incident) -> bool:
    """Whether it was reported before this incident began, and an earlier one, on which `held` was decided, has the better claim.

    Unless it names a product, and that is none which is known to be hit by the earlier one.
    """
    old = {held.product, before.scope.product} - {""}
    other = case.product and old and case.product not in old
    return case.reported_at < incident.started_at and claim(case, before) > claim(case, incident) and not other


def claim(case: TheirCase, incident: Incident) -> tuple[bool, bool, timedelta]:
    """How good a claim it has to the case: it was under way then, or else began the latest before; or else the soonest after."""
    gap = abs(case.reported_at - incident.started_at)
    return under_way(incident, case.reported_at), incident.started_at <= case.reported_at, -gap


def in_time(case: TheirCase, incident: Incident, at: datetime) -> bool:
    """Whether it is known by `at` and was reported near enough to the incident."""
    until = (incident.ended_at if incident.resolved_at and incident.ended_at else at) + AFTER
    return case.opened_at <= at and incident.detected_at - BEFORE <= case.reported_at <= until


def under_way(incident: Incident, time: datetime) -> bool:
    """Whether the incident had begun by then, and was not over."""
    return incident.started_at <= time and (
        incident.ended_at is None or not incident.resolved_at or time <= incident.ended_at
    )
