"""Silences: what somebody wants nobody to be told of for a while, with the reason. What is silenced is still watched and shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MATCHERS = ("product", "channel", "severity", "kind", "rule", "incident")


def matches(matchers: Mapping[str, str], incident: Mapping[str, Any]) -> bool:
    """Whether an incident (a row: see `alerts.rows.plain`) is as all the matchers say.

    `rule`: all of its rules are that one. What others see as well is told: quieting a noisy rule hides nothing of theirs.
    """

    def said(name: str, wanted: str) -> bool:
        if name == "rule":
            return set(incident["rules"]) == {wanted}
        return bool(incident["id" if name == "incident" else name] == wanted)

    return all(said(name, wanted) for name, wanted in matchers.items())


@dataclass(frozen=True, slots=True)
class Silence:
    """In force in [starts_at, until), or until somebody ended it. matchers: some of MATCHERS, each with the one value that it must have."""

    id: str
    matchers: Mapping[str, str]
    reason: str
    author: str
    created_at: datetime
    starts_at: datetime
    until: datetime
    ended_by: str = ""
    ended_at: datetime | None = None

    @property
    def over_at(self) -> datetime:
        """When it ends or ended."""
        return min(self.until, self.ended_at) if self.ended_at else self.until

    def holds(self, now: datetime) -> bool:
        """Whether it is in force."""
        return self.starts_at <= now < self.over_at

    def matches(self, incident: Mapping[str, Any]) -> bool:
        """Whether it is about the incident (a row)."""
        return matches(self.matchers, incident)


def unsilenced(time: datetime, silences: Iterable[Silence]) -> datetime:
    """The first moment from `time` on at which none of these is in force."""
    known = sorted(silences, key=lambda silence: silence.starts_at)
    while held := [silence for silence in known if silence.holds(time)]:
        time = max(silence.over_at for silence in held)
    return time
