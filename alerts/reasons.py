"""Why a case was opened, linked or left alone, and what keeps the desks from a flood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from alerts import Action, Client, Decision, Impact
from alerts.stages import Stages

BUDGET = "budget"
FEW = "too few failures yet"
APPROVAL = "waits for approval"
APPROVED = "approved, about to be opened"
"""Of what somebody approved a moment ago, until the judging thread has taken it in; nothing is stored with it."""
OBSERVED = "only observed"
WITHDRAWN = "withdrawn"
UNDONE = "the link was undone"
NO_DESK = "no desk takes this product"
OURS = "affected, no case of their own"
CLOSED = "their own case on it is closed already"
OLDER = "their own case is older than the failure"
ELSEWHERE = "our case on what else fails for them stands for it"
RETURNED = "our case on what had ended for them stands for it again"
THEIRS = "the client's own case is open"


@dataclass(frozen=True, slots=True)
class Limits:
    """What keeps the desks from a flood.

    per_hour: cases opened within any sixty minutes, by desk (none: no limit). open_from: failed and missing transactions of a client from
    which on a case is opened, by segment, or `default` for the others (none: 1). stages: whose cases are opened by themselves.
    """

    per_hour: Mapping[str, int] = field(default_factory=dict)
    open_from: Mapping[str, int] = field(default_factory=dict)
    stages: Stages = field(default_factory=Stages)

    def enough(self, client: Client | None, touched: Sequence[Impact]) -> bool:
        """Whether this is enough to open a case."""
        segment = client.segment.lower() if client else ""
        least = self.open_from.get(segment, self.open_from.get("default", 1))
        # Slow rows are counted as failures; what cannot be counted is not held against the client.
        return sum(impact.failures + impact.missing for impact in touched) >= least or least == 1


NO_LIMITS = Limits()


def waits(decision: Decision) -> bool:
    """Whether nothing was opened so far, but may be."""
    return decision.action is Action.NONE and decision.reason in (BUDGET, FEW, APPROVAL, APPROVED, OBSERVED)
