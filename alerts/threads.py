"""Threads: what somebody was told of an incident or a fault, against how it stands: what is news to them now, and why.

Level-triggered: nothing is remembered of what happened between two looks, so a restart, a silence that ends or an hour in which
nobody looked need no code of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from rules import Severity

GAP = timedelta(minutes=5)
"""At most one update in so long, but for a worse severity and the end."""
SOON = timedelta(minutes=5)
"""So long before the moment that was promised, whoever waits for news is told how it stands."""
SUMMARY = timedelta(minutes=15)
"""At most one summary in so long; one with something critical and new in it waits for GAP alone."""
HOUR = timedelta(hours=1)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
FEW = 50
"""Up to so many clients of their own, each one more is news; else a count that has doubled, and by SOME at least."""
SOME = 10
NEW, END, AGAIN, MERGED, SEVERITY, SCOPE, CLIENTS, ESCALATED, PROMISED, CLOSED, REOPENED, CORRECTED = (
    "new", "end", "again", "merged", "severity", "scope", "clients", "escalated", "promised", "closed", "reopened", "corrected",
)  # fmt: skip
"""Closed: by hand, while its rules see it fail; corrected: reopened after they were told that all is well."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How something stands for one recipient. place: where it sits and how it hurts; affected: clients that count for them."""

    severity: str
    open: bool
    place: tuple[str, ...] = ()
    affected: int = 0
    own: bool = False
    """Whether these are clients that they answer for."""
    merged: bool = False
    """Over because it is a part of another one."""
    failing: bool = False
    """Closed by hand, and its rules see it fail: no end that anybody may be told as one."""
    reopened: bool = False
    """Closed by hand and opened anew: its end was a mistake, and is told to be one at once."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a recipient was last told, as `threads.told` keeps it.

    summed: in a summary; basis: how they are told (words, role, ...); promised: by when the message says that the next news comes;
    failing: see `Standing`; the true end is told them yet.
    """

    severity: str
    open: bool
    place: tuple[str, ...]
    affected: int
    summed: bool
    basis: Mapping[str, Any]
    promised: datetime | None = None
    failing: bool = False

    @classmethod
    def of(cls, standing: Standing, basis: Mapping[str, Any], *, summed: bool) -> Self:
        """They are told that it stands so."""
        at = standing.severity, standing.open, standing.place, standing.affected
        return cls(*at, summed, basis, failing=standing.failing)

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """From its JSON."""
        promised = kept.get("promised")
        return cls(
            **dict(kept) | {"place": tuple(kept["place"]), "promised": promised and datetime.fromisoformat(promised)}
        )

    def kept(self) -> dict[str, Any]:
        """As JSON."""
        promised = self.promised and self.promised.isoformat()
        return asdict(self) | {"place": list(self.place), "basis": dict(self.basis), "promised": promised}


@dataclass(frozen=True, slots=True)
class Owed:
    """News for somebody. event: first, update or end; why: what makes it news; at: from when on they may be told."""

    event: str
    why: tuple[str, ...]
    at: datetime


def owed(told: Told | None, told_at: datetime | None, now: Standing, *, escalated: bool = False) -> Owed | None:
    """What is owed to one who was told this at that time; None: nothing."""
    if told is None or told_at is None:
        why = (NEW, *((ESCALATED,) if escalated else ()), *(() if now.open else (CLOSED if now.failing else END,)))
        return None if now.merged else Owed("first" if now.open else "end", why, LONG_AGO)
    worse = Severity(now.severity).rank > Severity(told.severity).rank
    if not now.open:
        over = MERGED if now.merged else CLOSED if now.failing else END
        due = told.open or (told.failing and not now.failing)
        return Owed("end", (over, *((SEVERITY,) if worse else ())), told_at) if due else None
    if not told.open:
        anew = (REOPENED if told.failing or told.summed else CORRECTED) if now.reopened else AGAIN
        return Owed("update", (anew, *((SEVERITY,) if worse else ())), told_at if now.reopened else told_at + GAP)
    whys = {SEVERITY: worse, CLIENTS: _more(told, now), SCOPE: now.place != told.place}
    why = tuple(name for name, holds in whys.items() if holds)
    if why:
        return Owed("update", why, told_at if worse else told_at + GAP)
    return Owed("update", (PROMISED,), told.promised - SOON) if told.promised else None


def _more(told: Told, now: Standing) -> bool:
    if now.own and now.affected <= FEW:
        return now.affected > told.affected
    return now.affected >= told.affected + max(SOME, told.affected)


def free(told: Told | None, news: Owed, now: Standing) -> bool:
    """Whether no cap holds it back: the end of what was told by itself, and what has become critical."""
    if told is None:
        return False
    return (news.event == "end" and not told.summed) or (SEVERITY in news.why and now.severity == Severity.CRITICAL)


@dataclass(frozen=True, slots=True)
class Tally:
    """How much one recipient has been sent lately: when each message of the last hour was, and the last summary."""

    sent: tuple[datetime, ...] = ()
    summary_at: datetime | None = None

    def lately(self, now: datetime) -> tuple[datetime, ...]:
        """Of the last hour."""
        return tuple(time for time in self.sent if time > now - HOUR)

    def room(self, per_hour: int, now: datetime) -> int:
        """How many messages more the cap lets through now."""
        return max(0, per_hour - len(self.lately(now)))

    def summary_due(self, now: datetime, *, critical: bool) -> datetime:
        """From when on what is held back may be told as one summary."""
        return max(now, self.summary_at + (GAP if critical else SUMMARY)) if self.summary_at else now


def ordered(news: Sequence[tuple[Standing, str]]) -> list[int]:
    """The places of these (standing, subject) in the order in which they are told: the worst, and those that hit most, first."""
    return sorted(
        range(len(news)), key=lambda i: (-Severity(news[i][0].severity).rank, -news[i][0].affected, news[i][1])
    )
