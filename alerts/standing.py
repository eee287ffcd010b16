"""Which case of ours stands for a client in an incident in which none was opened for them, because another incident brought one.

What is one cause to a client is one case. While what brought it still fails, or came back soon, a second case would tell the desk
nothing new: the one that is there is kept open until the last of what it stands for has ended (`CaseBook.over`). Once it is taken back it
stands for nothing: who is hit by what still fails is decided on anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from alerts import Action, Decision, Incident, IncidentState
from alerts.reasons import ELSEWHERE, RETURNED

TOGETHER = timedelta(minutes=5)
"""What begins for a client within this is one thing to them."""
AGAIN = timedelta(hours=1)
"""What hits a client anew within this of the end of an incident has come back: their case of it stands for it once more."""


def stands(decision: Decision, of_client: Iterable[Decision]) -> Decision | None:
    """Our case for what was decided, be it withdrawn by now: the one opened in it, or the one that stands for it; None: there is none.

    of_client: all decisions on the same client. Of several the one on the same product, and the newest.
    """
    if decision.action is Action.OPEN:
        return decision
    if decision.reason not in (ELSEWHERE, RETURNED):
        return None
    before = (d for d in of_client if d.action is Action.OPEN and d.opened_at <= decision.opened_at)
    return max(before, key=lambda d: (d.product == decision.product, d.opened_at, d.key), default=None)


def served(decision: Decision, decisions: Iterable[Decision]) -> bool:
    """Whether something was opened or linked for the client in the incident."""
    of = (decision.incident_id, decision.client_id)
    return any(d.action is not Action.NONE and (d.incident_id, d.client_id) == of for d in decisions)


def left(decision: Decision, of_client: Collection[Decision]) -> bool:
    """Whether nothing was opened because of a case of another incident, and that was taken back."""
    ours = stands(decision, of_client)
    return ours is not None and ours is not decision and ours.withdrawn_at is not None


def with_standing(decisions: Iterable[Decision]) -> list[Decision]:
    """With the case of ours that stands for a client's decision, where it is one of another incident.

    It counts from when it was opened; where that was for what had ended, from when it was found to stand.
    """
    given = list(decisions)
    of_client: dict[str, list[Decision]] = defaultdict(list)
    for decision in given:
        of_client[decision.client_id].append(decision)
    found = []
    for decision in given:
        ours = stands(decision, of_client[decision.client_id])
        if ours is None or ours is decision:
            found.append(decision)
        else:
            since = decision.opened_at if decision.reason == RETURNED else ours.opened_at
            found.append(replace(decision, action=Action.OPEN, opened_at=since, withdrawn_at=ours.withdrawn_at))
    return found


def ending(decisions: Iterable[Decision], incident_id: str, incidents: Mapping[str, Incident]) -> list[Decision]:
    """Our cases that end with an incident: its own and what stood for clients in it, but not what stands for one of these that fires."""
    of_client: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        of_client[decision.client_id].append(decision)

    def needed(ours: Decision, others: list[Decision]) -> bool:
        return any(_fires(incidents.get(d.incident_id)) and stands(d, others) is ours for d in others)

    found = {}
    for others in of_client.values():
        for ours in (stands(d, others) for d in others if d.incident_id == incident_id):
            if ours and not ours.withdrawn_at and not needed(ours, others):
                found[ours.key] = ours
    return sorted(found.values(), key=lambda d: d.key)


def kept(decisions: Collection[Decision], incident_id: str, incidents: Mapping[str, Incident]) -> list[Decision]:
    """Our cases of an incident that ended, which were not told so yet, for they stand for one that fires."""
    told = ending(decisions, incident_id, incidents)
    return [d for d in ending(decisions, incident_id, {}) if d.incident_id == incident_id and d not in told]


def why(incident: Incident, decision: Decision, other: Incident, held: Decision, *, alone: bool) -> str:
    """Why the client's case in the other incident stands for this one too, '' where it does not.

    held: what was decided in the other. It stands if that can hardly be another cause for them: one that is open, or ended lately, and
    overlaps this one, began when it did, or hits them on the same product; or one of both is theirs alone. alone: neither was found to
    hit anybody else so far.
    """
    one = (
        alone
        or decision.client_id in (incident.scope.client_id, other.scope.client_id)
        or incident.scope.overlaps(other.scope)
        or (decision.product and decision.product == held.product)
        or abs(incident.started_at - other.started_at) <= TOGETHER
    )
    if not one:
        return ""
    if other.state is IncidentState.FIRING:
        return ELSEWHERE
    return RETURNED if _lately(other, decision.opened_at) else ""


def _lately(over: Incident, at: datetime) -> bool:
    return over.resolved_at is not None and at - over.resolved_at <= AGAIN


def _fires(incident: Incident | None) -> bool:
    return incident is not None and incident.state is IncidentState.FIRING
