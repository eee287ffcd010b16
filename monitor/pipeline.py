"""The whole policy in one reading, no I/O: closed windows -> signals -> incidents -> impact -> cases.

It takes a *span* of closed minutes: live one minute, in a backtest a day. However the minutes are cut into spans, it decides the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from alerts import Changes, Client, Holding, Impact, Incident, IncidentState, Signal, Touch
from alerts.cases import AFTER, CaseBook
from alerts.impact import Base, Ground, affected, exposed
from alerts.incidents import Incidents
from alerts.priority import Weights, ranked
from monitor.calendar import Calendar
from monitor.windows import HISTORY, Windows, minute_of, time_of
from rules import CLASSES, Frame, Grain, Rule, Scope, Verdict, Verdicts

Grounds = dict[tuple[Scope, int, frozenset[str]], tuple[Ground, Base]]


@dataclass
class Portfolio:
    """What the bank knows of its clients, and which desk takes a product's cases."""

    clients: dict[str, Client] = field(default_factory=dict)
    holdings: list[Holding] = field(default_factory=list)
    desk_of: Callable[[str], str] = lambda product: "local"  # noqa: ARG005 - the default desk takes every product
    weights: Weights = field(default_factory=Weights)


@dataclass(frozen=True)
class Status:
    """What a rule last said of a scope: for boards and metrics."""

    rule: str
    scope: Scope
    verdict: Verdict
    value: float
    expected: float
    score: float


class Span:
    """The closed minutes [start, end) as rules see them; a frame is computed once for all rules of one grain and one input."""

    def __init__(self, windows: Windows, calendar: Calendar, rules: Iterable[Rule], start: int, end: int) -> None:
        self.start, self.end, self.calendar = start, end, calendar
        self._windows = windows
        self._wanted: dict[Input, tuple[dict[str, None], dict[str, None]]] = {}
        for rule in rules:
            measures, expressions = self._wanted.setdefault(_input(rule), ({}, {}))
            measures.update(dict.fromkeys(sorted(rule.measures)))
            expressions.update(dict.fromkeys(rule.expressions))
        self._frames: dict[Input, Frame] = {}

    def frame(self, rule: Rule) -> Frame:
        """The windows of the rule's grain, with every measure and expression that a rule on the same ones asks for."""
        key = _input(rule)
        if key not in self._frames:
            measures, expressions = self._wanted[key]
            windows = self._windows.frame(rule.spec.grain, list(measures), list(expressions), self.start, self.end)
            self._frames[key] = windows
        return self._frames[key]


Input = tuple[Grain, bool]


def _input(rule: Rule) -> Input:
    """What windows a rule is judged on: its grain, of metrics or of transactions."""
    return rule.spec.grain, "value" in rule.measures


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
    ) -> None:
        self.rules, self.windows, self.calendar, self.lateness = rules, windows, calendar, lateness
        self.incidents = incidents or Incidents()
        self.incidents.onset = self._onset
        self.book = book or CaseBook()
        self.portfolio = portfolio or Portfolio()
        self.recent: dict[str, Incident] = {}
        self.impacts: dict[tuple[str, str, str], Impact] = {}
        self.status: dict[tuple[str, Scope], Status] = {}

    def train(self, start: int, end: int) -> None:
        """Let the models learn [start, end); nothing is decided."""
        span = Span(self.windows, self.calendar, self.rules, start, end)
        for rule in self.rules:
            rule.check(span)

    def judge(self, start: int, end: int, *, now: datetime | None = None) -> Changes:
        """Judge the closed minutes [start, end). `now`: the moment of detection (None: each window's end plus lateness)."""
        span = Span(self.windows, self.calendar, self.rules, start, end)
        said = [(rule, rule.check(span)) for rule in self.rules]
        self._show(said)
        signals = self._signals(said)
        grounds: Grounds = {}
        changes = Changes()
        for minute in range(start, end):
            at = time_of(minute + 1)
            detected = now or at + self.lateness
            stepped = Changes(alerts=changes.alerts)
            self.incidents.advance(signals.get(minute, ()), at, detected, stepped)
            for incident in stepped.incidents.values():
                self._turned(incident, changes)
            over = [i for i in stepped.incidents.values() if i.state is IncidentState.RESOLVED]
            self.book.know((*self.incidents.open.values(), *self.recent.values(), *over))
            for incident in (*self.incidents.open.values(), *over):
                self._touch(incident, minute + 1, end, detected, grounds, changes)
            self._attach(detected, changes)
        return changes

    def people(self, action: str, incident_id: str, who: str, at: datetime, changes: Changes) -> None:
        """Take in what somebody did: `ack` or `resolve`; a note changes nothing here."""
        if action == "ack":
            self.incidents.acknowledge(incident_id, who, changes)
        elif action == "resolve" and (done := self.incidents.close(incident_id, who, at, changes)):
            self._ended(done, changes)

    def _ended(self, incident: Incident, changes: Changes) -> None:
        self.recent[incident.id] = incident
        changes.ended += [d for d in self.book.decisions.values() if d.incident_id == incident.id]

    # ---- signals ---------------------------------------------------------------------------------------------------

    def _signals(self, said: Sequence[tuple[Rule, Verdicts]]) -> dict[int, list[Signal]]:
        """By minute, in a fixed order: the breaches, and the healthy verdicts of scopes that are or were in breach."""
        out: dict[int, list[Signal]] = {}
        for rule, verdicts in said:
            frame = verdicts.frame
            active = np.array([(rule.spec.name, scope) in self.incidents.alerts for scope in frame.scopes], dtype=bool)
            breach = verdicts.verdict == Verdict.BREACH
            active[frame.series[breach]] = True
            for row in np.flatnonzero(breach | ((verdicts.verdict == Verdict.HEALTHY) & active[frame.series])).tolist():
                minute = int(frame.minute[row])
                out.setdefault(minute, []).append(_signal(rule, verdicts, row, minute + 1))
        return out

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
                    )  # fmt: skip

    # ---- incidents and what they touch -----------------------------------------------------------------------------

    def _turned(self, incident: Incident, changes: Changes) -> None:
        changes.incidents[incident.id] = incident
        if incident.state is IncidentState.MERGED:
            self.book.follow(incident, changes)
            for key in [key for key in self.impacts if key[0] == incident.id]:
                del self.impacts[key]
                changes.impacts[key] = None

    def _touch(
        self, incident: Incident, minute: int, end: int, at: datetime, grounds: Grounds, changes: Changes
    ) -> None:
        """Bring the incident's impact up to `minute` (exclusive), and decide on the clients that are new in it."""
        start = minute_of(incident.started_at)
        key = (incident.scope, start, incident.ways)
        if key not in grounds:
            fresh = Ground.of(self.windows.detail(incident.scope, start - HISTORY, end))
            grounds[key] = fresh, Base.of(fresh, incident, start)
        ground, base = grounds[key]
        last = minute_of(incident.ended_at) if incident.resolved_at and incident.ended_at else minute
        found = affected(incident, ground, base, start, last) if ground.pairs else []
        found = list(self._kept(incident, found))
        hit = {impact.client_id for impact in found}
        touched = [*found, *exposed(incident, ground, self.portfolio.holdings, hit, minute, at)]
        graded = [
            ranked(impact, self.portfolio.clients.get(impact.client_id), self.portfolio.weights) for impact in touched
        ]
        now = {(i.incident_id, i.client_id, i.product): i for i in graded}
        for old in [k for k in self.impacts if k[0] == incident.id and k not in now]:
            del self.impacts[old]
            changes.impacts[old] = None
        for k, impact in now.items():
            if self.impacts.get(k) != impact:
                self.impacts[k] = changes.impacts[k] = impact
        hurt = [impact for impact in graded if impact.touch is Touch.AFFECTED]
        self.book.decide(incident, hurt, at, self.portfolio.desk_of, changes)
        if incident.resolved_at:
            self._ended(incident, changes)

    def _kept(self, incident: Incident, found: list[Impact]) -> Iterator[Impact]:
        """Who was once found affected stays so: a case may have been opened for them."""
        yield from found
        fresh = {(impact.client_id, impact.product) for impact in found}
        for (incident_id, client, product), impact in self.impacts.items():
            if incident_id == incident.id and impact.touch is Touch.AFFECTED and (client, product) not in fresh:
                yield impact

    def _attach(self, at: datetime, changes: Changes) -> None:
        for incident in [i for i in self.recent.values() if i.resolved_at and at - i.resolved_at > AFTER]:
            del self.recent[incident.id]
            self.book.forget(incident.id)
            self.impacts = {key: impact for key, impact in self.impacts.items() if key[0] != incident.id}
        self.book.attach(self._hurt_on, at, changes)

    def _hurt_on(self, incident_id: str, client_id: str) -> list[str]:
        """The products on which the incident has affected the client."""
        mine = (m for (i, c, _), m in self.impacts.items() if (i, c) == (incident_id, client_id))
        return [impact.product for impact in mine if impact.product and impact.touch is Touch.AFFECTED]


def _signal(rule: Rule, verdicts: Verdicts, row: int, end: int) -> Signal:
    return Signal(
        spec=rule.spec,
        ways=rule.ways,
        scope=verdicts.frame.scopes[verdicts.frame.series[row]],
        start=time_of(end - rule.spec.grain.minutes),
        at=time_of(end),
        verdict=Verdict(int(verdicts.verdict[row])),
        value=_known(verdicts.value[row]),
        expected=_known(verdicts.expected[row]),
        score=_known(verdicts.score[row]),
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
