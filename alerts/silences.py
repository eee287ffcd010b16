"""Silences: for a time nobody is told of what matches; it is judged, shown and counted as ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MATCHERS = ("product", "channel", "severity", "kind", "rule", "incident")
"""What an incident can be matched by."""


@dataclass(frozen=True, slots=True)
class Silence:
    """From starts_at until `until`, or until somebody ended it. matchers: all of them must hold."""

    id: str
    matchers: Mapping[str, str]
    reason: str
    author: str
    created_at: datetime
    starts_at: datetime
    until: datetime
    ended_by: str = ""
    ended_at: datetime | None = None


def matches(matchers: Mapping[str, str], row: Mapping[str, Any]) -> bool:
    """Whether an incident, as a row, is meant. rule: none but that one sees it, so that what others find is not kept quiet."""
    told = {"incident": row["id"], "rule": row["rules"][0] if len(set(row["rules"])) == 1 else ""}
    return all((told[name] if name in told else row[name]) == value for name, value in matchers.items())
