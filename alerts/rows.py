"""The facts of this package as flat rows and back: for tables, files and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any

from alerts import Action, Alert, AlertState, Decision, Escalation, Impact, Incident, IncidentState, Touch
from rules import DIMENSIONS, Scope, Severity


def plain(fact: Any) -> dict[str, Any]:
    """A flat row: the scope as its dimensions, sets and tuples as lists, enumerations as text; times stay times."""
    row: dict[str, Any] = {}
    for name in (f.name for f in fields(fact)):
        value = getattr(fact, name)
        if isinstance(value, Scope) and name != "scope":
            row[name] = list(value.values)
        elif isinstance(value, Scope):
            row |= dict(zip(DIMENSIONS, value.values, strict=True))
        elif isinstance(value, frozenset):
            row[name] = sorted(value)
        elif isinstance(value, tuple):
            row[name] = [_listed(part) for part in value]
        else:
            row[name] = str(value) if isinstance(value, StrEnum) else value
    return row


def _listed(part: Any) -> Any:
    return list(part.values) if isinstance(part, Scope) else list(part) if isinstance(part, tuple) else part


def _scoped(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(row)
    return kept | {"scope": Scope(*(kept.pop(name) for name in DIMENSIONS))}


def alert_of(row: Mapping[str, Any]) -> Alert:
    """From its row."""
    kept = _scoped(row)
    return Alert(**kept | {"state": AlertState(kept["state"])})


def incident_of(row: Mapping[str, Any]) -> Incident:
    """From its row."""
    kept = _scoped(row)
    typed = {"severity": Severity(kept["severity"]), "state": IncidentState(kept["state"])}
    shares = tuple((dimension, value, part) for dimension, value, part in kept["shares"] or ())
    reach = Scope(*(kept["reach"] or kept["scope"].values))
    listed = {"rules": tuple(kept["rules"]), "ways": frozenset(kept["ways"]), "shares": shares, "reach": reach}
    symptoms = tuple(Scope(*values) for values in kept["symptoms"] or ())
    return Incident(**kept | typed | listed | {"symptoms": symptoms})


def impact_of(row: Mapping[str, Any]) -> Impact:
    """From its row."""
    terms = tuple((name, points) for name, points in row["terms"])
    return Impact(**dict(row) | {"touch": Touch(row["touch"]), "terms": terms})


def decision_of(row: Mapping[str, Any]) -> Decision:
    """From its row."""
    undone = tuple((source, case_id) for source, case_id in row["undone"] or ())
    return Decision(**dict(row) | {"action": Action(row["action"]), "undone": undone})


def escalation_of(row: Mapping[str, Any]) -> Escalation:
    """From its row."""
    owners = tuple((role, address) for role, address in row["owners"])
    return Escalation(**dict(row) | {"incidents": tuple(row["incidents"]), "owners": owners})
