"""How what is new hurts: a rule that finds an error code that nobody knew cannot say what becomes of the rows that bear it."""

from __future__ import annotations

from dataclasses import replace

from alerts import Incident
from alerts.ground import Base, Ground, Ways, sums
from alerts.impact import struck
from rules import CLASSES

ENDS: Ways = frozenset({"failed", "rejected", "reversed", "pending", "other"})
"""What may become of a row, and hurts."""
PART = 0.25
"""Of the rows that are probably the failure's, the part from which on what becomes of them is one of its ways."""


def told_by(incident: Incident, ground: Ground, base: Base, start: int, end: int) -> Ways:
    """The ways of what began with it, by its rows from minute `start` up to `end`, exclusive; as it was, where none shows yet."""
    found = struck(replace(incident, ways=ENDS), ground, base, start, end)
    rows = found.ground.rows
    by_class = sums(rows.status[found.bad], rows.many[found.bad] * found.q, len(CLASSES))
    ends = [way for way in sorted(ENDS) if by_class[CLASSES.index(way)] >= max(PART * by_class.sum(), 1)]
    return frozenset(ends) or incident.ways
