"""The whole policy in one reading, no I/O: closed windows -> signals -> incidents -> impact -> cases.

It takes a *span* of closed minutes: live one minute, in a backtest a day. However the minutes are cut into spans, it decides the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from alerts import Changes, Client, Holding, Impact, Incident, IncidentState, Signal, Touch
from alerts.cases import AFTER, CaseBook, Limits
from alerts.ground import Base, Ground
from alerts.impact import Struck, exposed, struck, touched
from alerts.incidents import Incidents
from alerts.priority import Weights, ranked
from alerts.seat import seated
from monitor import grounds
from monitor.calendar import Calendar
from monitor.maintenance import Maintenance
from monitor.spans import Span, idle
from monitor.windows import Windows, minute_of, time_of
from rules import CLASSES, Bools, Rule, Scope, Verdict, Verdicts, Way

EVERY = 3
"""Of clients who are known to be hit, and of what did not come, is told anew in every such minute of the clock."""
FRESH = 15
"""Minutes from its detection on, in which a client who is hit for the first time is told of at once."""
AHEAD = 60
"""Minutes that are read at once of an incident's own time, where there are as many."""


@dataclass(frozen=True)
class Measured:
    """What an open incident is measured on, read once and kept: the days before it, and what has come since, up to `until`."""

    key: tuple[Scope, int]
    base: Base
    ground: Ground
    until: int


@dataclass
class Portfolio:
    """What the bank knows of its clients, and which desk takes a product's cases."""

    clients: dict[str, Client] = field(default_factory=dict)
    holdings: list[Holding] = field(default_factory=list)
    desk_of: Callable[[str], str] = lambda product: "local"  # noqa: ARG005 - the default desk takes every product
    weights: Weights = field(default_factory=Weights)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Status:
    """What a rule last said of a scope: for boards and metrics."""

    rule: str
    scope: Scope
    verdict: Verdict
    value: float
    expected: float
    score: float


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
        maintenance: Sequence[Maintenance] = (),
    ) -> None:
        self.rules, self.windows, self.calendar, self.lateness = rules, windows, calendar, lateness
        self.incidents = incidents or Incidents()
        self.incidents.onset = self._onset
        self.incidents.hints = {rule.spec.name for rule in rules if getattr(rule, "hint", False)}
        self.incidents.spoken = {rule.spec.name: _spoken(rule, rules) for rule in rules}
        self.book = book or CaseBook()
        self.portfolio = portfolio or Portfolio()
        self._ranks: dict[tuple[str, str], tuple[Client | None, Impact]] = {}
        self.maintenance = maintenance
        self._measured: dict[str, Measured] = {}
        self._past = grounds.Past(windows.db, windows.days, maintenance)
        self._near: dict[str, tuple[tuple[Scope | None, int], Sequence[Impact]]] = {}
        self.recent: dict[str, Incident] = {}
        self.impacts: dict[str, dict[tuple[str, str], Impact]] = {}
        """By incident, of each client and product."""
        self.status: dict[tuple[str, Scope], Status] = {}

    def train(self, start: int, end: int) -> None:
        """Let the models learn [start, end); nothing is decided."""
        span = Span(self.windows, self.calendar, self.rules, start, end, self.maintenance)
        for rule in self.rules:
            rule.check(span)

    def judge(self, start: int, end: int, *, now: datetime | None = None) -> Changes:
        """Judge the closed minutes [start, end). `now`: the moment of detection (None: each window's end plus lateness)."""
        span = Span(self.windows, self.calendar, self.rules, start, end, self.maintenance)
        said = [(rule, idle(span, rule.check(span))) for rule in self.rules]
        self._show(said)
        signals = self._signals(said)
        changes = Changes()
        for minute in range(start, end):
            at = time_of(minute + 1)
            detected = now or at + self.lateness
            stepped, before = Changes(alerts=changes.alerts), {i.id: _hurts(i) for i in self.incidents.open.values()}
            self.incidents.advance(signals.get(minute, ()), at, detected, stepped)
            for incident in stepped.incidents.values():
                self._turned(incident, changes)
            over = [i for i in stepped.incidents.values() if i.state is IncidentState.RESOLVED]
            self.book.know((*self.incidents.open.values(), *self.recent.values(), *over))
            for incident in (*self.incidents.open.values(), *over):
                if before.get(incident.id) != _hurts(incident) or self._stirs(incident, minute, end):
                    self._touch(incident, minute + 1, end, detected, changes)
            self._attach(detected, changes)
            self.book.release(detected, self.incidents.open.keys(), self.portfolio.limits, changes)
        self._measured = {key: held for key, held in self._measured.items() if key in self.incidents.open}
        self._near = {key: near for key, near in self._near.items() if key in self.incidents.open}
        return changes

    def people(self, action: str, incident_id: str, who: str, at: datetime, changes: Changes) -> None:
        """Take in what somebody did: `ack` or `resolve`; a note changes nothing here."""
        if action == "ack":
            self.incidents.acknowledge(incident_id, who, changes)
        elif action == "resolve" and (done := self.incidents.close(incident_id, who, at, changes)):
            self._ended(done, changes)

    def _ended(self, incident: Incident, changes: Changes) -> None:
        self.recent[incident.id] = incident
        ended = (d for d in self.book.decisions.values() if d.incident_id == incident.id)
        changes.ended += sorted(ended, key=lambda d: d.key)

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
                    )  # fmt: skip

    # ---- incidents and what they touch -----------------------------------------------------------------------------

    def _turned(self, incident: Incident, changes: Changes) -> None:
        changes.incidents[incident.id] = incident
        if incident.state is IncidentState.MERGED:
            self.book.follow(incident, changes)
            for client, product in self.impacts.pop(incident.id, {}):
                changes.impacts[incident.id, client, product] = None

    def _stirs(self, incident: Incident, minute: int, end: int) -> bool:
        """Whether what it does to clients may be another after this minute: a new one may be hurt, or it is looked at anew."""
        anew = minute % EVERY == 0
        if anew and "missing" in incident.ways:
            return True
        if not anew and minute - minute_of(incident.detected_at) > FRESH:
            return False
        held = self._measure(incident, minute_of(incident.started_at), minute + 1, end)
        hurt = held.ground.between(minute - EVERY + 1 if anew else minute, minute + 1)
        bad = hurt.rows.unit[held.base.kinds(hurt.rows, hurt.listed, incident.ways) >= 0]
        if anew:
            return len(bad) > 0
        known = self.impacts.get(incident.id, {})
        pairs = {hurt.listed.units[unit][:2] for unit in bad.tolist()}
        return any(pair not in known or known[pair].touch is not Touch.AFFECTED for pair in pairs)

    def _touch(self, incident: Incident, minute: int, end: int, at: datetime, changes: Changes) -> None:
        """Bring the incident's impact up to `minute` (exclusive), and decide on the clients that are new in it."""
        start = minute_of(incident.started_at)
        held = self._measure(incident, start, minute, end)
        last = minute_of(incident.ended_at) if incident.resolved_at and incident.ended_at else minute
        found = struck(incident, held.ground, held.base, start, last)
        incident = self._sits(incident, found, changes)
        hurt = list(self._kept(incident, [m for m in touched(incident, found) if _certain(incident, m)]))
        hit = {impact.client_id for impact in hurt}
        incident = self.incidents.grow(incident, len(hit), changes)
        before = self.impacts.get(incident.id, {})
        graded = [self._ranked(incident, impact, before.get((impact.client_id, impact.product))) for impact in hurt]
        # Who is exposed changes little: looked at as of each quarter of an hour, and when it sits elsewhere.
        quarter = minute // 15 * 15
        scope, known = self._near.get(incident.id, ((None, 0), ()))[0]
        if (scope, known) != (incident.scope, quarter):
            near = exposed(incident, held.ground, held.base, self.portfolio.holdings, set(), quarter, time_of(quarter))
            self._near[incident.id] = ((incident.scope, quarter), [self._placed(impact, before) for impact in near])
        graded += [impact for impact in self._near[incident.id][1] if impact.client_id not in hit]
        now = {(impact.client_id, impact.product): impact for impact in graded}
        for gone in before.keys() - now.keys():
            changes.impacts[incident.id, *gone] = None
        for key, impact in now.items():
            if before.get(key) is not impact:
                changes.impacts[incident.id, *key] = impact
        self.impacts[incident.id] = now
        affected = [impact for impact in graded if impact.touch is Touch.AFFECTED]
        bank = self.portfolio
        self.book.decide(incident, affected, at, bank.desk_of, changes, bank.limits, bank.clients)
        self.book.heard(
            m.client_id
            for m in affected
            if scope != incident.scope or not _same_touch(before.get((m.client_id, m.product)))
        )
        if incident.resolved_at:
            self._ended(incident, changes)

    def _placed(self, impact: Impact, before: Mapping[tuple[str, str], Impact]) -> Impact:
        """An exposed client's, whose rank does not depend on the incident."""
        key = (impact.client_id, impact.product)
        old, client = before.get(key), self.portfolio.clients.get(impact.client_id)
        if old and old.touch is Touch.EXPOSED and old.weights == self.portfolio.weights.version:
            return old
        known = self._ranks.get(key)
        if known is None or known[0] is not client:
            known = self._ranks[key] = (client, ranked(impact, client, (), self.portfolio.weights))
        return replace(known[1], incident_id=impact.incident_id)

    def _ranked(self, incident: Incident, impact: Impact, before: Impact | None) -> Impact:
        """With its priority; most are as they were a minute ago."""
        client, weights = self.portfolio.clients.get(impact.client_id), self.portfolio.weights
        worst = ("typology", round(weights.points["typology"] * weights.worst(incident.ways), 1))
        as_was = before is not None and before.weights == weights.version and worst in before.terms
        if before and as_was and _told(before) == _told(impact):
            return before
        return ranked(impact, client, incident.ways, weights)

    def _measure(self, incident: Incident, start: int, minute: int, end: int) -> Measured:
        """The incident's ground up to `minute` at least: the days before are read once, of its own time only what is new."""
        key, db, reach = (incident.reach, start), self.windows.db, incident.reach
        until = min(max(minute + AHEAD, start), end)
        held = self._measured.get(incident.id)
        if held is None or held.key != key:
            base = Base.of(self._past.before(reach, start))
            held = Measured(key, base, Ground.of(grounds.detail(db, reach, start, until), base), until)
        elif held.until < minute:
            fresh = grounds.detail(db, reach, held.until, until)
            held = replace(held, ground=held.ground.grown(fresh), until=until)
        if "missing" in incident.ways and held.base.usual is None:
            held = replace(held, base=held.base.with_usual(self._past.usual(reach, start), self.calendar))
        self._measured[incident.id] = held
        return held

    def _sits(self, incident: Incident, found: Struck, changes: Changes) -> Incident:
        """With what its failures have in common, as far as that can be told."""
        seat = seated(replace(incident, scope=incident.reach), found)
        return self.incidents.settle(incident, seat.scope, seat.shares, changes) if seat else incident

    def _kept(self, incident: Incident, found: list[Impact]) -> Iterator[Impact]:
        """With those who were found affected before and are no more, if a case was decided on for them: there is no taking back."""
        yield from found
        hit = {impact.client_id for impact in found}
        for (client, _), impact in self.impacts.get(incident.id, {}).items():
            if impact.touch is Touch.AFFECTED and client not in hit and self.book.decided(incident.id, client):
                yield impact

    def _attach(self, at: datetime, changes: Changes) -> None:
        for incident in [i for i in self.recent.values() if i.resolved_at and at - i.resolved_at > AFTER]:
            del self.recent[incident.id]
            self.book.forget(incident.id)
            self.impacts.pop(incident.id, None)
        self.book.attach(self._hurt_on, at, changes)

    def _hurt_on(self, incident_id: str, client_id: str) -> list[str]:
        """The products on which the incident has affected the client."""
        there = self.impacts.get(incident_id, {})
        return [p for (c, p), m in there.items() if c == client_id and p and m.touch is Touch.AFFECTED]

    def touched(self) -> Iterator[Impact]:
        """Every impact of the incidents that are open or were lately."""
        return (impact for there in self.impacts.values() for impact in there.values())


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


def _certain(incident: Incident, impact: Impact) -> bool:
    """Whether it may be told already: there is no taking back of a case.

    Where one client is the seat, it is that client's alone; as long as nobody can say where it sits, a single row tells nothing.
    """
    if incident.scope.client_id:
        return impact.client_id == incident.scope.client_id
    return bool(incident.shares) or impact.failures + impact.missing > 1


def _hurts(incident: Incident) -> tuple[object, ...]:
    """What decides whom it touches."""
    return incident.state, incident.scope, incident.reach, incident.ways


def _same_touch(before: Impact | None) -> bool:
    return before is not None and before.touch is Touch.AFFECTED


def _told(impact: Impact) -> tuple[object, ...]:
    return impact.touch, impact.failures, impact.missing, impact.amount, impact.first_failure_at


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
