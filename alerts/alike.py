"""When what fails is alike: in how it hurts, in when it began, in how bad it is."""

from __future__ import annotations

from datetime import timedelta

from rules import Severity, Way

WORST: tuple[Way, ...] = (
    "failed",
    "missing",
    "reversed",
    "duplicated",
    "pending",
    "rejected",
    "other",
    "value",
    "slow",
)
SLOW: frozenset[Way] = frozenset({"slow"})
ONSET = timedelta(minutes=5)
"""Alerts that begin this close together on the same product or channel, in the same way, are taken for one cause."""


def alike(ways: frozenset[Way], others: frozenset[Way]) -> bool:
    """Whether they may be of one cause: slowness goes with anything."""
    return bool(ways & others) or SLOW in (ways, others)


def worst(ways: frozenset[Way]) -> Way:
    """What an incident is called after: slowness is what mostly goes with something worse."""
    return min(ways, key=WORST.index)


def worse(a: Severity, b: Severity) -> Severity:
    """The worse of the two."""
    return max(a, b, key=lambda severity: severity.rank)
