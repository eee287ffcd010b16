"""What people do with a case: approve, withdraw, reinstate, confirm, undo and attribute its link, inform the client, promote it.

One act on one decision, and what comes of it. An act that makes no sense (any more) changes nothing, so that it may be taken in
again, and so that a list can show what the judging thread has not taken in yet.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from alerts import Action, Decision, TheirCase
from alerts.confidence import SURE
from alerts.reasons import APPROVAL, BUDGET, FEW, OBSERVED, THEIRS, UNDONE, WITHDRAWN, waits
from alerts.ties import linked_to, unlinked

WHOLE = ("approve", "withdraw", "reinstate")
"""What can be done with all cases of an incident at once; it also holds for those that come later."""
ACTS = (*WHOLE, "restore", "confirm", "undo", "attribute", "informed", "promote")
"""restore: our case stands again, for the desk never was told that it was taken back."""


def acted(decision: Decision, action: str, who: str, at: datetime, case: TheirCase | None = None) -> Decision:
    """The decision after the act, itself if nothing comes of it. case: the one that `attribute` ties it to."""
    if action == "attribute":
        return _attributed(decision, who, at, case) if case else decision
    if not may(decision, action):
        return decision
    return _undone(decision) if action == "undo" else replace(decision, **_told(decision, action, who, at))


def _told(decision: Decision, action: str, who: str, at: datetime) -> dict[str, Any]:
    """What the act writes into the decision."""
    match action:
        case "approve":
            return {"approved_by": who, "reason": BUDGET if decision.reason == APPROVAL else decision.reason}
        case "withdraw":
            return {"withdrawn_at": at, "reason": WITHDRAWN if waits(decision) else decision.reason}
        case "reinstate":
            return {"withdrawn_at": None, "reason": UNDONE}
        case "restore":
            return {"withdrawn_at": None}
        case "confirm":
            return {"confidence": SURE, "confirmed_by": who}
        case _:
            return {f"{'informed' if action == 'informed' else 'promoted'}_at": at}


def may(decision: Decision, action: str) -> bool:
    """Whether the act makes sense now (but for `attribute`, which depends on the case)."""
    standing = decision.action is not Action.NONE and not decision.withdrawn_at
    return {
        "approve": waits(decision) and decision.reason in (APPROVAL, FEW) and not decision.approved_by,
        "withdraw": waits(decision) or (decision.action is Action.OPEN and not decision.withdrawn_at),
        "reinstate": decision.action is Action.NONE and decision.reason == WITHDRAWN,
        "restore": decision.action is Action.OPEN and decision.withdrawn_at is not None,
        "confirm": bool(decision.linked_case_id) and not decision.confirmed_by,
        "undo": bool(decision.linked_case_id),
        "informed": decision.informed_at is None and not decision.withdrawn_at,
        "promote": standing and decision.promoted_at is None,
    }.get(action, False)


def _undone(decision: Decision) -> Decision:
    """Where the client's case stood for ours, nothing stands now: `CaseBook.decide` sees to it while the incident lasts."""
    gone = (decision.linked_source, decision.linked_case_id)
    freed = replace(unlinked(decision), undone=(*(pair for pair in decision.undone if pair != gone), gone))
    return replace(freed, action=Action.NONE, reason=UNDONE) if decision.action is Action.LINK else freed


def _attributed(decision: Decision, who: str, at: datetime, case: TheirCase) -> Decision:
    wanted = (case.source, case.case_id)
    if (decision.linked_source, decision.linked_case_id) == wanted and decision.client_reported_at:
        return decision
    if decision.linked_case_id:
        decision = replace(_undone(decision), action=decision.action, reason=decision.reason)
    apart = tuple(pair for pair in decision.undone if pair != wanted)
    told = replace(
        decision,
        **linked_to(case),
        client_reported_at=case.reported_at,
        confidence=SURE,
        confirmed_by=who,
        undone=apart,
    )
    idle = waits(told) or (told.action is Action.NONE and told.reason == UNDONE)
    if told.action is Action.LINK:
        return replace(told, opened_at=at)  # it stands for ours from now on
    if idle and told.reason != OBSERVED and case.open_at(at):
        return replace(told, action=Action.LINK, reason=THEIRS, desk="", opened_at=at)
    return told
