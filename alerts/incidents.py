"""Signals to incidents: pending, firing, resolved; one incident a cause.

A rule at a scope fires once it has been in breach for its `for`, counted from the start of the first breaching window; it is over
once a healthy verdict comes `keep_firing_for` after the last breach. UNKNOWN moves nothing. Between the two an alert may flap as it
likes: the incident stays one. Closed by hand, it stays closed while it fails: once healthy for ONSET, what fails fails anew.

To which incident a newly firing alert belongs, `alerts.kin` says; what it makes one is merged, the oldest goes on. Where the failures
really sit is told by `settle`; how bad it is grows with where it sits and with whom it hits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from hashlib import blake2s
from itertools import count

from alerts import Alert, AlertState, Changes, Incident, IncidentState, Signal
from alerts.alike import ONSET, worse, worst
from alerts.kin import Hints, hinted, kin, same_cause
from alerts.raised import Raised
from alerts.rests import Rests
from alerts.scopes import reaching, together
from alerts.symptoms import leaning, leans, leant, shown, symptoms
from rules import DIMENSIONS, Scope, Severity, Spec, Verdict, Way

SILENT = timedelta(hours=24)
"""An alert of which nothing was heard for so long, neither breach nor health, is over: its series has gone. While what feeds it is not
known nothing can be heard, so it counts from when that was over."""
CLIENT_SILENT = timedelta(hours=1)
"""Likewise of one client, who has windows only where there are rows: after so long without a bad one it is over."""
MANY, SOME = 50, 10
"""Clients hit that make any incident critical; and one that sits in a whole channel or product."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)
ECHO = timedelta(hours=3)
"""No rule looks back further."""


def incident_key(scope: Scope, started_at: datetime, taken: Collection[str] = ()) -> str:
    """The id of the incident that began at that minute in that scope: the same in every run, and none that is taken.

    A second one has the same minute and scope where a rule that waits longer fires once the first is over.
    """
    keys = (_key(scope, started_at, nth) for nth in count())
    return next(key for key in keys if key not in taken)


def _key(scope: Scope, started_at: datetime, nth: int) -> str:
    told = (*scope.values, str(nth)) if nth else scope.values
    digest = blake2s("\x1f".join(told).encode(), digest_size=3).hexdigest()
    return f"AF-{started_at.astimezone(UTC):%Y%m%dT%H%M}-{digest}"


Shares = tuple[tuple[str, str, float], ...]
Onset = Callable[[Signal, datetime], datetime]
"""The first bad minute of an alert that fires: not always the start of its first breaching window."""


class Incidents:
    """The alerts and open incidents of the moment."""

    def __init__(
        self,
        alerts: Iterable[Alert] = (),
        incidents: Iterable[Incident] = (),
        onset: Onset = lambda signal, since: since,  # noqa: ARG005 - without a pipeline, as the rule says
        spoken: Mapping[str, Collection[str]] | None = None,
        hints: Hints = (),
        rests: Rests | None = None,
        taken: Iterable[str] = (),
    ) -> None:
        """taken: ids that others have which are over, or merged, and of no more interest here."""
        self.rests = rests or Rests()
        self.onset, self.hints = onset, hints
        self.unknown: Callable[[Scope, datetime], datetime] = lambda scope, at: LONG_AGO  # noqa: ARG005 - without a pipeline
        """Up to when, before a time, what feeds a scope was last not known."""
        self.spoken = spoken or {}
        """By rule, the other rules that it speaks for when it finds a scope healthy: those that may know too little to say so."""
        self.alerts = Raised(alerts)
        known = list(incidents)
        self.taken = {*taken, *(incident.id for incident in known)}
        """The ids that any incident has, or has had: none is given twice."""
        self.open = {incident.id: incident for incident in known if incident.state is IncidentState.FIRING}
        self.past = {i.id: i for i in known if i.state is IncidentState.RESOLVED}
        """Over for less than ECHO: what looks back into their time is no news."""
        self.closed = {i.id: i for i in known if i.resolved_by and self.alerts.held(i.id)}
        """Closed by hand while their alerts still fire: what belongs to them does not open them anew."""

    def again(self, alerts: Iterable[Alert], incidents: Iterable[Incident], taken: Iterable[str]) -> Incidents:
        """As it was when these were all that it knew: after a restart."""
        made = Incidents(alerts, incidents, self.onset, self.spoken, self.hints, self.rests, taken)
        made.unknown = self.unknown
        return made

    def advance(self, signals: Iterable[Signal], at: datetime, detected_at: datetime, changes: Changes) -> None:
        """Take one minute's signals, of the windows that ended at `at`; what changes is noted in `changes`."""
        before = dict(self.open)
        self.past = {key: i for key, i in self.past.items() if i.resolved_at and at - i.resolved_at <= ECHO}
        for signal in signals:
            if signal.verdict is Verdict.BREACH:
                self._breach(signal, detected_at, changes)
            elif signal.verdict is Verdict.HEALTHY:
                self._healthy(signal, changes)
        for gone, alert in list(self.alerts.items()):
            patience = CLIENT_SILENT if alert.scope.client_id else SILENT
            if at - alert.last_breach > patience and at - self.unknown(alert.scope, at) > patience:
                self._over(gone, changes)
        self._lean(changes)
        self._resolve(at, detected_at, changes)
        for key, incident in self.open.items():
            if before.get(key) != incident:
                changes.incidents[key] = incident

    def forget(self, rules: Mapping[str, Spec], at: datetime, changes: Changes) -> None:
        """Drop the alerts of rules that are no more, or that look at another grain now: what only they held up is resolved."""
        for key in [key for key in self.alerts if key[0] not in rules or not _fits(key[1], rules[key[0]])]:
            self._over(key, changes)
        self._resolve(at, at, changes)

    def acknowledge(self, incident_id: str, who: str, changes: Changes) -> None:
        """Somebody has seen it; '': it was taken back."""
        if incident := self.open.get(incident_id):
            self.open[incident_id] = changes.incidents[incident_id] = replace(incident, acknowledged_by=who)

    def assign(self, incident_id: str, whom: str, changes: Changes) -> None:
        """It is somebody's to see to; '': nobody's."""
        if incident := self.open.get(incident_id):
            self.open[incident_id] = changes.incidents[incident_id] = replace(incident, assigned_to=whom)

    def close(self, incident_id: str, who: str, at: datetime, changes: Changes) -> Incident | None:
        """Somebody says that it is over. Alerts that still fire keep its id, so they do not open it anew, until healthy for ONSET."""
        incident = self.open.pop(incident_id, None)
        if incident is None:
            return None
        ended = self.alerts.last_breach(incident_id, incident.ended_at or at)
        done = replace(incident, state=IncidentState.RESOLVED, ended_at=ended, resolved_at=at, resolved_by=who)
        changes.incidents[incident_id] = self.past[incident_id] = done
        if self.alerts.held(incident_id):
            self.closed[incident_id] = done
        return done

    def reopen(self, incident_id: str, at: datetime, changes: Changes) -> Incident | None:
        """What was closed by hand not long ago was not over: it fires on as long as its alerts do, and ends as they heal."""
        over = self.past.get(incident_id)
        if over is None or not over.resolved_by or not over.resolved_at or at - over.resolved_at > ECHO:
            return None
        del self.past[incident_id]
        self.closed.pop(incident_id, None)
        ended = None if self.alerts.held(incident_id) else over.ended_at
        back = replace(
            over, state=IncidentState.FIRING, ended_at=ended, resolved_at=None, resolved_by="", reopened_at=at
        )
        self.open[incident_id] = changes.incidents[incident_id] = back
        return back

    def _breach(self, signal: Signal, detected_at: datetime, changes: Changes) -> None:
        key = (signal.spec.name, signal.scope)
        alert = self.alerts.get(key)
        stale = alert and alert.state is AlertState.PENDING and signal.start - alert.last_breach > signal.spec.for_
        if alert is None or stale:
            alert = Alert(signal.spec.name, signal.scope, AlertState.PENDING, signal.start, signal.at)
        alert = replace(alert, last_breach=signal.at, value=signal.value, expected=signal.expected, score=signal.score)
        due = alert.state is AlertState.PENDING and signal.at - alert.since >= signal.spec.for_
        if due and not self._echo(signal.scope, signal.start):
            incident = self._join(signal, alert.since, detected_at, changes)
            alert = replace(alert, state=AlertState.FIRING, incident_id=incident.id)
        changes.alerts[key] = self.alerts.keep(alert)

    def _healthy(self, signal: Signal, changes: Changes) -> None:
        own, keep = signal.spec.name, signal.spec.keep_firing_for
        for rule in (own, *self.spoken.get(own, ())):
            if alert := self.alerts.get((rule, signal.scope)):
                patience = min(keep, ONSET) if alert.incident_id in self.closed else keep
                firing = alert.state is AlertState.FIRING
                if signal.at - alert.last_breach >= patience if firing else rule == own:
                    self._over((rule, signal.scope), changes)

    def _over(self, key: tuple[str, Scope], changes: Changes) -> None:
        alert = self.alerts.drop(key)
        changes.alerts[key] = None
        if over := self.closed.get(alert.incident_id):
            ended = max(over.ended_at or alert.last_breach, alert.last_breach)
            self.closed[over.id] = over = replace(over, ended_at=ended)
            if not self.alerts.held(over.id):
                self.past |= {over.id: over} if over.id in self.past else {}
                changes.healed.append(self.closed.pop(over.id))
        if incident := self.open.get(alert.incident_id):
            ended = max(incident.ended_at or alert.last_breach, alert.last_breach)
            self.open[incident.id] = replace(incident, ended_at=ended)

    def settle(
        self, incident: Incident, scope: Scope, shares: Shares, changes: Changes, *, whole: bool = False
    ) -> Incident:
        """The incident's failures sit in this scope, which may be narrower than its alerts say, and have this in common.

        whole: nothing of it is a symptom, all of it sits there; nor is what lies in it, or only sees it from further off.
        """
        gone = [one for one in incident.symptoms if whole or scope.holds(one) or one.holds(scope)]
        reach = reduce(Scope.widened, [one for one in gone if not one.holds(scope) or whole], incident.reach)
        kept = tuple(one for one in incident.symptoms if one not in gone)
        settled = replace(incident, scope=scope, shares=shares, reach=reach, symptoms=kept)
        if settled == incident:
            return incident
        changes.incidents[incident.id] = incident = settled
        if incident.id in self.open:
            self.open[incident.id] = incident
        return incident

    def hinted(self, incident: Incident) -> bool:
        """Whether nothing is known but that something is new: how it hurts, its rows must say."""
        return hinted(incident, self.hints)

    def called(self, incident: Incident, ways: frozenset[Way], changes: Changes) -> Incident:
        """What is new hurts in these ways."""
        if ways == incident.ways:
            return incident
        changes.incidents[incident.id] = incident = replace(incident, ways=ways, kind=worst(ways))
        if incident.id in self.open:
            self.open[incident.id] = incident
        return incident

    def grow(self, incident: Incident, hit: int, changes: Changes) -> Incident:
        """As bad as its rules say at least; critical by many clients, or by fewer in more than a product's channel. It never shrinks."""
        scope = incident.scope
        pair = scope.product and scope.channel and not incident.symptoms
        wide = not scope.client_id and not pair and not scope.series and bool(incident.shares)
        severity = worse(
            incident.severity, Severity.CRITICAL if hit >= MANY or (wide and hit >= SOME) else incident.severity
        )
        if severity is incident.severity:
            return incident
        changes.incidents[incident.id] = incident = replace(incident, severity=severity)
        if incident.id in self.open:
            self.open[incident.id] = incident
        return incident

    def _join(self, signal: Signal, since: datetime, detected_at: datetime, changes: Changes) -> Incident:
        for over in self.closed.values():
            failed = min(over.resolved_at or since, self.alerts.last_breach(over.id, since))
            if since <= failed + ONSET and same_cause(over, self.alerts.of(over.id), self.hints, signal, since):
                return over
        alone = bool(signal.scope.client_id)
        if not alone:  # of thousands of clients, each asked for, it would cost seconds
            since = self.onset(signal, since)
        found = kin(
            self.open.values(), self.alerts, self.hints, signal, since, lambda: self._leans(signal.scope, since)
        )
        if not found:
            since = self.onset(signal, since) if alone else since
            incident = Incident(
                id=incident_key(signal.scope, since, self.taken), scope=signal.scope, reach=signal.scope, kind=worst(signal.ways),
                severity=signal.spec.severity, state=IncidentState.FIRING, started_at=since, detected_at=detected_at,
                rules=(signal.spec.name,), ways=signal.ways, guide=signal.spec.guide, value=signal.value, expected=signal.expected,
            )  # fmt: skip
        else:
            incident, *others = found
            for other in others:
                incident = self._merge(incident, other, changes)
            incident = self._with(incident, signal, since)
        self.taken.add(incident.id)
        self.open[incident.id] = incident
        return incident

    def _with(self, incident: Incident, signal: Signal, since: datetime) -> Incident:
        """The incident with one more alert."""
        ways, guide = incident.ways | signal.ways, incident.guide
        if signal.spec.name in self.hints and not self.hinted(incident):
            ways = incident.ways
        elif self.hinted(incident) and signal.spec.name not in self.hints:
            ways, guide = signal.ways, signal.spec.guide
        elif worst(ways) not in incident.ways:
            guide = signal.spec.guide
        reach = self._reach(incident, signal, since)
        scope = incident.scope if incident.shares and incident.scope.overlaps(signal.scope) else reach
        found = symptoms(self.rests, by := self._firing([incident]), incident, signal.scope) if self.rests else ()
        taken = replace(
            incident, scope=scope, reach=reach, ways=ways, kind=worst(ways), guide=guide, symptoms=found,
            severity=worse(incident.severity, signal.spec.severity), rules=_union(incident.rules, (signal.spec.name,)),
        )  # fmt: skip
        return shown(incident, taken, signal, since, by.get(incident.id, ())) if found else taken

    def _firing(self, of: Iterable[Incident]) -> dict[str, list[Alert]]:
        """By incident, the alerts that fire, but for mere hints."""
        return {i.id: [alert for alert in self.alerts.of(i.id) if alert.rule not in self.hints] for i in of}

    def _lean(self, changes: Changes) -> None:
        """Make one of what is open, began together, and rests one on the other, whichever of them came first."""
        while self.rests and (pair := leaning(self.rests, by := self._firing(plain := self._plain()), plain)):
            merged = leant(self.rests, by, *pair, self._merge(*pair, changes))
            self.open[merged.id] = merged

    def _leans(self, scope: Scope, since: datetime) -> bool:
        """Whether what rests on what tells the cause of what began there and then."""
        return bool(self.rests) and leans(self.rests, self._firing(plain := self._plain()), plain, scope, since)

    def _plain(self) -> list[Incident]:
        return [incident for incident in self.open.values() if not self.hinted(incident)]

    def _reach(self, incident: Incident, signal: Signal, since: datetime) -> Scope:
        """How far its alerts reach with one more; what begins later makes it wider only."""
        held = [alert.scope for alert in self.alerts.of(incident.id)]
        found = reaching([*held, signal.scope])
        early, client = since - incident.started_at <= ONSET, bool(incident.reach.client_id)
        return found if early or client != bool(found.client_id) else incident.reach.widened(found)

    def _merge(self, incident: Incident, other: Incident, changes: Changes) -> Incident:
        del self.open[other.id]
        sure = [one.ways for one in (incident, other) if not self.hinted(one)] or [incident.ways, other.ways]
        ways = frozenset[Way]().union(*sure)
        changes.incidents[other.id] = replace(other, state=IncidentState.MERGED, parent_id=incident.id)
        for alert in self.alerts.of(other.id):
            changes.alerts[alert.rule, alert.scope] = self.alerts.keep(replace(alert, incident_id=incident.id))
        return replace(
            incident,
            scope=together(incident.scope, other.scope),
            reach=incident.reach.widened(other.reach),
            severity=worse(incident.severity, other.severity),
            rules=_union(incident.rules, other.rules),
            ways=ways,
            kind=worst(ways),
            acknowledged_by=incident.acknowledged_by or other.acknowledged_by,
            assigned_to=incident.assigned_to or other.assigned_to,
        )

    def _echo(self, scope: Scope, since: datetime) -> bool:
        """Whether it began before the end of what is over already, and is of its scope: that is what it still sees."""
        return any(
            i.ended_at and since < i.ended_at and any(there.overlaps(scope) for there in i.reaches)
            for i in self.past.values()
        )

    def _symptom(self, alert: Alert) -> bool:
        """One client's, of a cause that is not that client's alone: it does not keep the incident open."""
        incident = self.open.get(alert.incident_id)
        return bool(incident and alert.scope.client_id and not incident.scope.client_id)

    def _resolve(self, at: datetime, detected_at: datetime, changes: Changes) -> None:
        held = {a.incident_id for a in self.alerts.values() if not self._symptom(a)}
        for incident in [i for key, i in self.open.items() if key not in held]:
            for alert in self.alerts.of(incident.id):
                self.alerts.drop(key := (alert.rule, alert.scope))
                changes.alerts[key] = None
            done = replace(
                incident, state=IncidentState.RESOLVED, ended_at=incident.ended_at or at, resolved_at=detected_at
            )
            del self.open[incident.id]
            changes.incidents[incident.id] = self.past[incident.id] = done


def _fits(scope: Scope, spec: Spec) -> bool:
    return all(name in spec.grain.by for name, value in zip(DIMENSIONS, scope.values, strict=True) if value)


def _union(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*a, *b)))
