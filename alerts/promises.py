"""Service promises (ANS): which one a case has, and how its clock stands.

The clock is end to end. It starts when the client first spoke, and nothing starts it anew: not another team, not a
return, not a reopening (a resolution that did not hold has ended nothing). It stands still only while the bank waits for
the client, as the case's status told at the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from alerts import TheirCase

CONDITIONS = ("typology", "kind", "product", "channel", "segment")
"""What a promise may name, the weightiest first: it decides between promises that name equally many."""
NONE = timedelta(0)


class Service(Protocol):
    """Hours of service."""

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The service from start to end."""
        ...

    def after(self, start: datetime, length: timedelta) -> datetime:
        """The moment by which so much service has passed since start."""
        ...


@dataclass(frozen=True, slots=True)
class Promise:
    """A case of such words is solved within `length` of service, by the hours of `service`.

    where: of CONDITIONS, the words one of which the case must have; a condition that is not named asks nothing.
    priority_from: only for cases known to be of this priority or more. [start, until): when a case must have been opened.
    """

    length: timedelta
    service: Service
    where: Mapping[str, frozenset[str]] = field(default_factory=dict)
    priority_from: int = 0
    start: datetime | None = None
    until: datetime | None = None

    def fits(self, words: Mapping[str, str], priority: int | None, opened_at: datetime) -> bool:
        """Whether it is the promise of such a case; words are compared without regard to capitals."""
        if (self.start and opened_at < self.start) or (self.until and opened_at >= self.until):
            return False
        if self.priority_from and (priority is None or priority < self.priority_from):
            return False
        return all(folded(words.get(name, "")) in meant for name, meant in self.where.items())

    @property
    def rank(self) -> tuple[int, tuple[bool, ...], int]:
        """The higher, the more closely it says which cases it is of."""
        named = tuple(name in self.where for name in CONDITIONS)
        return sum(named) + (self.priority_from > 0), named, self.priority_from


def folded(word: str) -> str:
    """A word as promises compare it."""
    return word.strip().casefold()


class ClockState(StrEnum):
    """met and breached are also told of what is over: solved in time, or late."""

    RUNNING = "running"
    PAUSED = "paused"
    AT_RISK = "at_risk"
    BREACHED = "breached"
    MET = "met"


@dataclass(frozen=True, slots=True)
class Clock:
    """A case's clock at a moment. due_at: while it is paused, as if the client answered now.

    spent: service used; remaining: what is left of the promise, negative once it is broken. turns_at: when it will be in another state
    if nothing else happens; None: never.
    """

    state: ClockState
    due_at: datetime
    spent: timedelta
    remaining: timedelta
    turns_at: datetime | None = None


Pause = tuple[datetime, datetime | None]
"""From, and until; None where it lasts."""


def pauses(changes: Iterable[tuple[datetime, str]], waiting: frozenset[str]) -> list[Pause]:
    """When the case waited for the client, by its changes of status (time, status), in any order; waiting: folded statuses.

    Of several changes at one moment the last told counts.
    """
    found: list[Pause] = []
    since: datetime | None = None
    newest = dict(sorted(changes, key=lambda change: change[0]))
    for time, status in newest.items():
        waits = folded(status) in waiting
        if waits and since is None:
            since = time
        elif not waits and since is not None:
            found.append((since, time))
            since = None
    return found if since is None else [*found, (since, None)]


def clock(
    promise: Promise,
    start: datetime,
    end: datetime | None,
    now: datetime,
    *,
    paused: Sequence[Pause] = (),
    at_risk: float = 0.8,
) -> Clock:
    """How the promise stands at `now` for a case that began at start, and ended at end if that is known and not later.

    paused: in order, not overlapping. at_risk: the share of the promise from which on it is in danger. Ended at the due
    moment itself, it is met.
    """
    over = end is not None and end <= now
    stop = end if end is not None and over else max(now, start)
    spent, due = NONE, None
    for began, ended in _running(start, stop, paused):
        ran = promise.service.between(began, ended)
        if due is None and promise.length - spent <= ran:
            due = promise.service.after(began, promise.length - spent)
        spent += ran
    waits = not over and any(since <= stop and (until is None or stop < until) for since, until in paused)
    left = promise.length - spent
    due_at = due if due is not None else promise.service.after(stop, left)
    if stop > due_at:
        state = ClockState.BREACHED
    elif over:
        state = ClockState.MET
    elif waits:
        state = ClockState.PAUSED
    else:
        state = ClockState.AT_RISK if spent >= at_risk * promise.length else ClockState.RUNNING
    turns = due_at if state is ClockState.AT_RISK else None
    if state is ClockState.RUNNING:
        turns = min(due_at, promise.service.after(stop, at_risk * promise.length - spent))
    # What the future is already known to hold, a pause or the end, comes first.
    known = [time for time in (end, *(time for pause in paused for time in pause)) if time and stop < time]
    return Clock(state, due_at, spent, left, min([*known, *([turns] if turns else [])], default=None))


def _running(start: datetime, stop: datetime, paused: Sequence[Pause]) -> list[tuple[datetime, datetime]]:
    """The stretches of [start, stop) that are in no pause."""
    found, at = [], start
    for since, until in paused:
        if since > at:
            found.append((at, min(since, stop)))
        at = max(at, until or stop)
    return [(a, b) for a, b in [*found, (at, stop)] if a < b]


def ended(case: TheirCase) -> datetime | None:
    """When it was solved by its own dates, or closed without it."""
    return min((end for end in (case.resolved_at, case.closed_at) if end), default=None)


def first_word(old: TheirCase, case: TheirCase) -> TheirCase:
    """The newer row of a case, with the client's first word of the older: a tool that opens a returned case anew moves no clock.

    What the newer row itself tells of when the client spoke holds.
    """
    silent = case.reported_at == case.opened_at and old.reported_at < case.reported_at
    return replace(case, reported_at=old.reported_at) if silent else case


@dataclass(frozen=True, slots=True)
class Promises:
    """All that the bank has promised. waiting: the tools' statuses that mean waiting for the client, folded."""

    promises: tuple[Promise, ...] = ()
    waiting: frozenset[str] = frozenset()
    at_risk: float = 0.8

    def of(self, words: Mapping[str, str], opened_at: datetime, priority: int | None = None) -> Promise | None:
        """The promise that says most closely which cases it is of, in force when the case was opened; None: nothing is promised."""
        fitting = [promise for promise in self.promises if promise.fits(words, priority, opened_at)]
        return max(fitting, key=lambda promise: promise.rank, default=None)

    def of_case(self, case: TheirCase, segment: str = "", priority: int | None = None) -> Promise | None:
        """As `of`, by the words of a case; which one is decided by when it was first told of."""
        words = {name: getattr(case, name, "") for name in CONDITIONS} | {"segment": segment}
        return self.of(words, min(case.opened_at, case.reported_at), priority)

    def by_tool(
        self, case: TheirCase, now: datetime, *, segment: str = "", priority: int | None = None
    ) -> Clock | None:
        """The same promise by the tool's own dates alone: from its opening, which a return may have set anew, and never paused."""
        promise = self.of_case(case, segment, priority)
        if promise is None:
            return None
        return clock(promise, case.opened_at, ended(case), now, at_risk=self.at_risk)

    def clock(
        self,
        case: TheirCase,
        now: datetime,
        *,
        changes: Iterable[tuple[datetime, str]] = (),
        segment: str = "",
        priority: int | None = None,
    ) -> Clock | None:
        """The clock of a case by its newest row and its changes of status; None where nothing is promised."""
        promise = self.of_case(case, segment, priority)
        if promise is None:
            return None
        return clock(
            promise,
            min(case.reported_at, case.opened_at),
            ended(case),
            now,
            paused=pauses(changes, self.waiting),
            at_risk=self.at_risk,
        )
