"""The whole policy in one reading, no I/O: closed windows -> signals -> incidents -> impact -> cases.

It takes a *span* of closed minutes: live one minute, in a backtest a day. However the minutes are cut into spans, it decides the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import nan

import numpy as np

from alerts import Changes, Decision, Incident, IncidentState, Signal, Touch
from alerts.cases import CaseBook
from alerts.causes import CauseBook, occurrence
from alerts.incidents import Incidents
from alerts.ties import AFTER
from monitor.calendar import Calendar
from monitor.doubts import Doubts
from monitor.impacts import Impacts
from monitor.maintenance import Declared
from monitor.portfolio import Portfolio
from monitor.spans import Span, sure
from monitor.windows import Windows, minute_of, time_of
from rules import CLASSES, Bools, Rule, Scope, Verdict, Verdicts, Way


@dataclass(frozen=True)
class Status:
    """What a rule last said of a scope, for boards and metrics. until: the minute after the last that it is about; lower, upper: a band."""

    rule: str
    scope: Scope
    verdict: Verdict
    value: float
    expected: float
    score: float
    until: int = 0
    lower: float = nan
    upper: float = nan


class Pipeline:
    """Judges spans in order of time. Holds what must be remembered between them; the store can rebuild all of it.

    lateness: how long after a window's end it is judged; in history and backtests an incident is detected then.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        windows: Windows,
        calendar: Calendar,
        *,
        lateness: timedelta,
        incidents: Incidents | None = None,
        book: CaseBook | None = None,
        portfolio: Portfolio | None = None,
        maintenance: Sequence[Declared] = (),
    ) -> None:
        self.rules, self.windows, self.calendar, self.lateness = rules, windows, calendar, lateness
        self.incidents = incidents or Incidents()
        self.incidents.onset = self._onset
        self.incidents.unknown = self._unknown
        self._dark: tuple[int, dict[Scope, int]] = (0, {})
        self.incidents.hints = {rule.spec.name for rule in rules if getattr(rule, "hint", False)}
        self.incidents.spoken = {rule.spec.name: _spoken(rule, rules) for rule in rules}
        self.book = book or CaseBook()
        self.portfolio = portfolio or Portfolio()
        self.incidents.rests = self.portfolio.rests
        self.maintenance = maintenance
        self.impacts = Impacts(windows, calendar, self.portfolio, maintenance)
        self.causes = CauseBook(self.portfolio.escalating)
        self.doubts = Doubts(windows)
        self.recent: dict[str, Incident] = {}
        self.status: dict[tuple[str, Scope], Status] = {}

    def train(self, start: int, end: int, *, shown: bool = False) -> None:
        """Let the models learn [start, end); nothing is decided. shown: what they say is their `status`."""
        span = Span(self.windows, self.calendar, self.rules, start, end, self.maintenance)
        for rule in self.rules:
            verdicts = rule.check(span)
            if shown:
                self._show([(rule, sure(span, rule, verdicts))])

    def judge(self, start: int, end: int, *, now: datetime | None = None) -> Changes:
        """Judge the closed minutes [start, end). `now`: the moment of detection (None: each window's end plus lateness)."""
        span = Span(self.windows, self.calendar, self.rules, start, end, self.maintenance)
        said = [(rule, sure(span, rule, rule.check(span))) for rule in self.rules]
        self._show(said)
        signals = self._signals(said)
        changes = Changes()
        self.doubts.listen(start, end)
        for minute in range(start, end):
            at = time_of(minute + 1)
            detected = now or at + self.lateness
            stepped, before = Changes(alerts=changes.alerts), {i.id: _hurts(i) for i in self.incidents.open.values()}
            self.incidents.advance(signals.get(minute, ()), at, detected, stepped)
            for incident in stepped.incidents.values():
                self._turned(incident, changes)
            self._healed(stepped.healed, changes)
            over = [i for i in stepped.incidents.values() if i.state is IncidentState.RESOLVED]
            self.book.know((*self.incidents.open.values(), *self.recent.values(), *over))
            for incident in (*self.incidents.open.values(), *over):
                hinted = self.incidents.hinted(incident)
                if before.get(incident.id) != _hurts(incident) or self.impacts.stirs(
                    incident, minute, end, hinted=hinted
                ):
                    self._touch(incident, minute + 1, end, detected, changes)
            self._attach(detected, changes)
            self.doubts.hear(minute, changes)
            self.release(detected, changes)
        self.impacts.keep(self.incidents.open.keys())
        return changes

    def people(self, action: str, incident_id: str, who: str, at: datetime, changes: Changes, about: str = "") -> None:
        """Take in what somebody did to an incident; a note changes nothing here. about: whom it is assigned to."""
        match action:
            case "ack" | "unack":
                self.incidents.acknowledge(incident_id, who if action == "ack" else "", changes)
            case "assign":
                self.incidents.assign(incident_id, about, changes)
            case "resolve":
                if done := self.incidents.close(incident_id, who, at, changes):
                    self._ended(done, at, minute_of(at) + 1, changes)
            case "reopen":
                if self.incidents.reopen(incident_id, at, changes):
                    self.recent.pop(incident_id, None)

    def declare(self, maintenance: Sequence[Declared]) -> None:
        """All maintenance that is declared, from now on: what is judged already stays judged."""
        self.maintenance = maintenance
        self.impacts.idle(maintenance)

    def again(self, decision: Decision, at: datetime, changes: Changes) -> None:
        """Decide anew on a client whose link was undone, if the incident still hurts them."""
        incident, bank = self.incidents.open.get(decision.incident_id), self.portfolio
        there = self.impacts.known.get(decision.incident_id, {}).values()
        touched = [m for m in there if m.client_id == decision.client_id and m.touch is Touch.AFFECTED]
        if incident:
            self.book.decide(incident, touched, at, bank.desk_of, changes, bank.limits, bank.clients)

    def doubts_since(self) -> int | None:
        """The first minute whose operations in doubt may still be asked for; None where none are."""
        began = (minute_of(i.started_at) for i in (*self.incidents.open.values(), *self.recent.values()))
        return min(began, default=None)

    def release(self, at: datetime, changes: Changes) -> None:
        """Open what waits no more."""
        self.book.release(at, self.incidents.open.keys(), self.portfolio.limits, changes)

    def over(self, changes: Changes, at: datetime) -> None:
        """Take in what is over without being judged: the rules that saw it are no more."""
        over = [incident for incident in changes.incidents.values() if incident.state is IncidentState.RESOLVED]
        self.book.know((*self.incidents.open.values(), *self.recent.values(), *over))
        for incident in over:
            self._ended(incident, at, minute_of(at), changes)
        self._healed(changes.healed, changes)

    def _ended(self, incident: Incident, at: datetime, minute: int, changes: Changes) -> None:
        """It is over, by what is known before `minute`."""
        self.recent[incident.id] = incident
        touched = self.impacts.known.get(incident.id, {}).values()
        hit = {impact.client_id for impact in touched if impact.touch is Touch.AFFECTED}
        self.doubts.ended(incident, hit, minute, changes)
        bank = self.portfolio
        self.causes.ended(occurrence(incident, touched), at, bank.desk_of, changes, bank.limits.stages)
        changes.ended += sorted(self.book.decisions.of_incident(incident.id), key=lambda d: d.key)
        changes.over += [(ours, incident) for ours in self.book.over(incident)]

    def _healed(self, healed: Sequence[Incident], changes: Changes) -> None:
        """What was closed by hand while it failed fails no more: now it has its end, and its cases are told of it."""
        for incident in healed:
            if incident != self.recent.get(incident.id):  # it failed on after it was closed
                changes.incidents[incident.id] = self.recent[incident.id] = incident
            changes.over += [(ours, incident) for ours in self.book.over(incident)]

    def _unknown(self, scope: Scope, at: datetime) -> datetime:
        """Up to when what feeds a scope was last not known, before then."""
        minute = minute_of(at)
        if self._dark[0] != minute:
            self._dark = minute, self.windows.dark(minute)
        return time_of(self._dark[1].get(replace(scope, client_id=""), 0))

    # ---- signals ---------------------------------------------------------------------------------------------------

    def _signals(self, said: Sequence[tuple[Rule, Verdicts]]) -> dict[int, list[Signal]]:
        """By minute, in a fixed order: the breaches, and the healthy verdicts of scopes that are or were in breach."""
        bad: dict[tuple[str, Scope], list[int]] = {
            key: [minute_of(alert.last_breach)] for key, alert in self.incidents.alerts.items()
        }
        for rule, verdicts in said:
            frame = verdicts.frame
            for row in np.flatnonzero(verdicts.verdict == Verdict.BREACH).tolist():
                key = (rule.spec.name, frame.scopes[frame.series[row]])
                bad.setdefault(key, []).append(int(frame.minute[row]) + 1)
        out: dict[int, list[Signal]] = {}
        for rule, verdicts in said:
            breach = verdicts.verdict == Verdict.BREACH
            for row in np.flatnonzero(breach | self._telling(rule, verdicts, bad)).tolist():
                minute = int(verdicts.frame.minute[row])
                out.setdefault(minute, []).append(_signal(rule, verdicts, row, minute + 1))
        return out

    def _telling(self, rule: Rule, verdicts: Verdicts, bad: Mapping[tuple[str, Scope], Sequence[int]]) -> Bools:
        """Which healthy rows may end an alert: up to the first that comes `keep_firing_for` after the last breach.

        bad: the ends of the windows in breach by rule and scope, in order of time. Rows are sorted by scope.
        """
        frame, keep = verdicts.frame, int(rule.spec.keep_firing_for / timedelta(minutes=1))
        names = (rule.spec.name, *self.incidents.spoken.get(rule.spec.name, ()))
        telling = np.zeros(len(frame.minute), bool)
        for place, scope in enumerate(frame.scopes):
            ends = sorted(end for name in names for end in bad.get((name, scope), ()))
            if not ends:
                continue
            a, b = np.searchsorted(frame.series, (place, place + 1)).tolist()
            rows = a + np.flatnonzero(verdicts.verdict[a:b] == Verdict.HEALTHY)
            # What follows a healthy row that came late enough tells nothing more.
            newest = np.append(-(1 << 40), ends)[np.searchsorted(ends, frame.minute[rows] + 1, side="right")]
            before = np.append(-(1 << 40), frame.minute[rows[:-1]])[: len(rows)]
            telling[rows[before + 1 - newest < keep]] = True
        return telling

    def _onset(self, signal: Signal, since: datetime) -> datetime:
        """The first minute of a long window that is at least half as bad as the whole of it."""
        grain = signal.spec.grain
        bad = sorted(way for way in signal.ways if way in CLASSES)
        if grain.minutes == 1 or not bad:
            return since
        start, end = minute_of(since), minute_of(signal.at)
        frame = self.windows.frame(replace(grain, minutes=1), ["total", *bad], [], start, end)
        rows = np.array([scope == signal.scope for scope in frame.scopes], dtype=bool)[frame.series]
        total, hurt = frame.columns["total"][rows], sum(frame.columns[way][rows] for way in bad)
        worse = np.flatnonzero((hurt > 0) & (hurt * total.sum() >= total * np.sum(hurt) / 2))
        return time_of(int(frame.minute[rows][worse[0]])) if len(worse) else since

    def _show(self, said: Sequence[tuple[Rule, Verdicts]]) -> None:
        for rule, verdicts in said:
            frame = verdicts.frame
            ends = np.append(frame.series[1:] != frame.series[:-1], len(frame.series) > 0)
            for row in np.flatnonzero(ends[: len(frame.series)]).tolist():
                scope = frame.scopes[frame.series[row]]
                if not scope.client_id:
                    self.status[rule.spec.name, scope] = Status(
                        rule.spec.name, scope, Verdict(int(verdicts.verdict[row])),
                        float(verdicts.value[row]), float(verdicts.expected[row]), float(verdicts.score[row]),
                        int(frame.minute[row]) + 1, float(verdicts.lower[row]), float(verdicts.upper[row]),
                    )  # fmt: skip

    # ---- incidents and what they touch -----------------------------------------------------------------------------

    def _turned(self, incident: Incident, changes: Changes) -> None:
        changes.incidents[incident.id] = incident
        if incident.state is IncidentState.MERGED:
            self.book.follow(incident, changes)
            for client, product in self.impacts.forget(incident.id):
                changes.impacts[incident.id, client, product] = None

    def _touch(self, incident: Incident, minute: int, end: int, at: datetime, changes: Changes) -> None:
        """Bring the incident's impact up to `minute` (exclusive), and decide on the clients that are new in it."""
        incident, affected = self.impacts.update(incident, minute, end, at, self.incidents, self.book, changes)
        bank = self.portfolio
        self.book.decide(incident, affected, at, bank.desk_of, changes, bank.limits, bank.clients)
        if incident.resolved_at:
            self._ended(incident, at, minute, changes)

    def _attach(self, at: datetime, changes: Changes) -> None:
        long_over = (i for i in self.recent.values() if i.resolved_at and at - i.resolved_at > AFTER)
        for incident in [i for i in long_over if i.id not in self.incidents.closed]:
            del self.recent[incident.id]
            changes.over += [(d, incident) for d in self.book.kept(incident.id)]
            self.book.forget(incident.id)
            self.impacts.forget(incident.id)
            self.doubts.forget(incident.id)
        self.book.attach(self.impacts.hurt_on, at, changes)
        self.causes.keep(min((i.started_at for i in self.incidents.open.values()), default=at))


def _spoken(rule: Rule, rules: Sequence[Rule]) -> tuple[str, ...]:
    """The other rules for which it speaks when it finds a scope healthy."""
    vouches: frozenset[Way] = getattr(rule, "vouches", frozenset())
    return tuple(
        other.spec.name
        for other in rules
        if other is not rule
        and other.ways
        and other.ways <= vouches
        and other.spec.grain.where == rule.spec.grain.where
    )


def _hurts(incident: Incident) -> tuple[object, ...]:
    """What decides whom it touches."""
    return incident.state, incident.scope, incident.reach, incident.ways, incident.symptoms


def _signal(rule: Rule, verdicts: Verdicts, row: int, end: int) -> Signal:
    return Signal(
        spec=rule.spec,
        ways=rule.ways,
        scope=verdicts.frame.scopes[verdicts.frame.series[row]],
        start=time_of(end - rule.spec.grain.minutes if verdicts.onset is None else int(verdicts.onset[row])),
        at=time_of(end),
        verdict=Verdict(int(verdicts.verdict[row])),
        value=_known(verdicts.value[row]),
        expected=_known(verdicts.expected[row]),
        score=_known(verdicts.score[row]),
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
