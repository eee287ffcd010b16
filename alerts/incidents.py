"""Signals to incidents: pending, firing, resolved; one incident a cause.

A rule at a scope fires once it has been in breach for its `for`, counted from the start of the first breaching window; it is over
once a healthy verdict comes `keep_firing_for` after the last breach. UNKNOWN moves nothing. Between the two an alert may flap as it
likes: the incident stays one. Closed by hand, it stays closed while it fails: once healthy for ONSET, what fails fails anew.

A newly firing alert belongs to an open incident if its scope meets the incident's or that of one of its alerts, or if it shares
the product, the channel or the client and began within ONSET of it (a channel that takes several products down, a product that
fails through two channels). What began together is merged, the oldest goes on. Where the failures really sit is told by `settle`;
how bad it is grows with where it sits and with whom it hits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from hashlib import blake2s

from alerts import Alert, AlertState, Changes, Incident, IncidentState, Signal
from alerts.alike import ONSET, SLOW, alike, worse, worst
from alerts.rests import Rests
from alerts.scopes import narrowest, reaching, together
from alerts.symptoms import leaning, leans, leant, shown, symptoms
from rules import DIMENSIONS, Scope, Severity, Spec, Verdict, Way

SILENT = timedelta(hours=24)
"""An alert of which nothing was heard for so long, neither breach nor health, is over: its series has gone."""
CLIENT_SILENT = timedelta(hours=1)
"""Likewise of one client, who has windows only where there are rows: after so long without a bad one it is over."""
MANY, SOME = 50, 10
"""Clients hit that make any incident critical; and one that sits in a whole channel or product."""
ECHO = timedelta(hours=3)
"""No rule looks back further."""
LATELY = timedelta(minutes=20)
"""What begins later than this after the last breach of an incident is none of its symptoms."""
PLACES = 3
"""So many places that begin to fail in the same way within ONSET have one cause, even if they share neither product nor channel."""


def incident_key(scope: Scope, started_at: datetime) -> str:
    """The id of the incident that began at that minute in that scope: the same in every run."""
    digest = blake2s("\x1f".join(scope.values).encode(), digest_size=3).hexdigest()
    return f"AF-{started_at.astimezone(UTC):%Y%m%dT%H%M}-{digest}"


Shares = tuple[tuple[str, str, float], ...]
Onset = Callable[[Signal, datetime], datetime]
"""The first bad minute of an alert that fires, which may lie later than the start of its first breaching window."""


class Incidents:
    """The alerts and open incidents of the moment."""

    def __init__(
        self,
        alerts: Iterable[Alert] = (),
        incidents: Iterable[Incident] = (),
        onset: Onset = lambda signal, since: since,  # noqa: ARG005 - without a pipeline, as the rule says
        spoken: Mapping[str, Collection[str]] | None = None,
        hints: Collection[str] = (),
        rests: Rests | None = None,
    ) -> None:
        self.rests = rests or Rests()
        self.onset, self.hints = onset, hints
        """hints: the rules that find something new, and know little of how it hurts."""
        self.spoken = spoken or {}
        """By rule, the other rules that it speaks for when it finds a scope healthy: those that may know too little to say so."""
        self.alerts = {(alert.rule, alert.scope): alert for alert in alerts}
        known = list(incidents)
        self.open = {incident.id: incident for incident in known if incident.state is IncidentState.FIRING}
        self.past = {i.id: i for i in known if i.state is IncidentState.RESOLVED}
        """Over for less than ECHO: what looks back into their time is no news."""
        self.closed = {i.id: i for i in known if i.resolved_by and self._held(i.id)}
        """Closed by hand while their alerts still fire: what belongs to them does not open them anew."""

    def again(self, alerts: Iterable[Alert], incidents: Iterable[Incident]) -> Incidents:
        """As it was when these were all that it knew: after a restart."""
        return Incidents(alerts, incidents, self.onset, self.spoken, self.hints, self.rests)

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
            if at - alert.last_breach > (CLIENT_SILENT if alert.scope.client_id else SILENT):
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
        ended = self._last_breach(incident_id, at)
        done = replace(incident, state=IncidentState.RESOLVED, ended_at=ended, resolved_at=at, resolved_by=who)
        changes.incidents[incident_id] = self.past[incident_id] = done
        if self._held(incident_id):
            self.closed[incident_id] = done
        return done

    def reopen(self, incident_id: str, at: datetime, changes: Changes) -> Incident | None:
        """What was closed by hand not long ago was not over: it fires on as long as its alerts do, and ends as they heal."""
        over = self.past.get(incident_id)
        if over is None or not over.resolved_by or not over.resolved_at or at - over.resolved_at > ECHO:
            return None
        del self.past[incident_id]
        self.closed.pop(incident_id, None)
        ended = None if self._held(incident_id) else over.ended_at
        back = replace(
            over, state=IncidentState.FIRING, ended_at=ended, resolved_at=None, resolved_by="", reopened_at=at
        )
        self.open[incident_id] = changes.incidents[incident_id] = back
        return back

    def _held(self, incident_id: str) -> bool:
        return any(alert.incident_id == incident_id for alert in self.alerts.values())

    def _last_breach(self, incident_id: str, without: datetime) -> datetime:
        return max((a.last_breach for a in self.alerts.values() if a.incident_id == incident_id), default=without)

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
        self.alerts[key] = changes.alerts[key] = alert

    def _healthy(self, signal: Signal, changes: Changes) -> None:
        own, keep = signal.spec.name, signal.spec.keep_firing_for
        for rule in (own, *self.spoken.get(own, ())):
            if alert := self.alerts.get((rule, signal.scope)):
                patience = min(keep, ONSET) if alert.incident_id in self.closed else keep
                firing = alert.state is AlertState.FIRING
                if signal.at - alert.last_breach >= patience if firing else rule == own:
                    self._over((rule, signal.scope), changes)

    def _over(self, key: tuple[str, Scope], changes: Changes) -> None:
        alert = self.alerts.pop(key)
        changes.alerts[key] = None
        if alert.incident_id in self.closed and not self._held(alert.incident_id):
            del self.closed[alert.incident_id]
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
        return all(rule in self.hints for rule in incident.rules)

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
            failed = min(over.resolved_at or since, self._last_breach(over.id, since))
            if since <= failed + ONSET and self._same_cause(over, signal, since):
                return over
        kin = self._kin(signal, since)
        if not kin:
            since = self.onset(signal, since)
            incident = Incident(
                id=incident_key(signal.scope, since), scope=signal.scope, reach=signal.scope, kind=worst(signal.ways),
                severity=signal.spec.severity, state=IncidentState.FIRING, started_at=since, detected_at=detected_at,
                rules=(signal.spec.name,), ways=signal.ways, guide=signal.spec.guide, value=signal.value, expected=signal.expected,
            )  # fmt: skip
        else:
            incident = kin[0]
            for other in kin[1:]:
                incident = self._merge(incident, other, changes)
            incident = self._taken(incident, signal, since)
        self.open[incident.id] = incident
        return incident

    def _taken(self, incident: Incident, signal: Signal, since: datetime) -> Incident:
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
        found = symptoms(self.rests, by := self._firing(), incident, signal.scope) if self.rests else ()
        taken = replace(
            incident, scope=scope, reach=reach, ways=ways, kind=worst(ways), guide=guide, symptoms=found,
            severity=worse(incident.severity, signal.spec.severity), rules=_union(incident.rules, (signal.spec.name,)),
        )  # fmt: skip
        return shown(incident, taken, signal, since, by.get(incident.id, ())) if found else taken

    def _firing(self) -> dict[str, list[Alert]]:
        """By incident, the alerts that fire, but for mere hints."""
        found: dict[str, list[Alert]] = {}
        for alert in self.alerts.values():
            if alert.incident_id and alert.rule not in self.hints:
                found.setdefault(alert.incident_id, []).append(alert)
        return found

    def _lean(self, changes: Changes) -> None:
        """Make one of what is open, began together, and rests one on the other, whichever of them came first."""
        while self.rests and (pair := leaning(self.rests, by := self._firing(), self._plain())):
            merged = leant(self.rests, by, *pair, self._merge(*pair, changes))
            self.open[merged.id] = merged

    def _leans(self, scope: Scope, since: datetime) -> bool:
        """Whether what rests on what tells the cause of what began there and then."""
        return bool(self.rests) and leans(self.rests, self._firing(), self._plain(), scope, since)

    def _plain(self) -> list[Incident]:
        return [incident for incident in self.open.values() if not self.hinted(incident)]

    def _reach(self, incident: Incident, signal: Signal, since: datetime) -> Scope:
        """How far its alerts reach with one more; what begins later makes it wider only."""
        held = [alert.scope for alert in self.alerts.values() if alert.incident_id == incident.id]
        found = reaching([*held, signal.scope])
        early, client = since - incident.started_at <= ONSET, bool(incident.reach.client_id)
        return found if early or client != bool(found.client_id) else incident.reach.widened(found)

    def _kin(self, signal: Signal, since: datetime) -> list[Incident]:
        """The incidents that it makes one, the oldest first: of those whose cause it may have, the nearest in time and what began with it.

        A whole channel's alert sees two products fail one after the other: that does not make them one cause. That three places
        with nothing in common begin to fail in the same way at once does.
        """
        scope = signal.scope
        kin = [i for i in self.open.values() if self._same_cause(i, signal, since)]
        near = {
            i.id: (not alike(i.ways, signal.ways), not scope.shares(i.scope), abs(i.started_at - since)) for i in kin
        }
        home = min(kin, key=lambda i: (near[i.id], i.id), default=None)
        if home and scope.client_id:
            return [home]  # one client's rows tie nothing together
        together = [
            i for i in kin if home and abs(i.started_at - home.started_at) <= ONSET and alike(i.ways, home.ways)
        ]
        if not home and not scope.client_id and not scope.series and signal.spec.name not in self.hints:
            others = [i for i in self.open.values() if self._begun_alike(i, signal, since)]
            known = len(others) >= PLACES - 1 and not self._leans(scope, since)
            together = others if known else []
        return sorted(together, key=lambda i: (i.started_at, i.id))

    def _begun_alike(self, incident: Incident, signal: Signal, since: datetime) -> bool:
        """Whether it began with that, in the same way, and is of more than one client."""
        there = not incident.scope.client_id and not incident.scope.series and not self.hinted(incident)
        return there and abs(incident.started_at - since) <= ONSET and bool(incident.ways & signal.ways)

    def _same_cause(self, incident: Incident, signal: Signal, since: datetime) -> bool:
        scope = signal.scope
        alerts = [alert for alert in self.alerts.values() if alert.incident_id == incident.id]
        lately = [alert.scope for alert in alerts if since <= alert.last_breach + LATELY]
        if not lately:
            return incident.scope == scope
        if self._another(incident, signal, since):
            return False
        # Once it is known where it sits, that its alerts reach further, as a whole channel's does, is its own doing.
        settled = incident.shares and since > incident.started_at + ONSET
        # Nor is a client's failing product that of a channel's alert: which channel it fails through is not known.
        near = () if settled else narrowest(lately)
        there = incident.symptoms if settled else (one for one in near if not scope.client_id or scope.shares(one))
        scopes = {incident.scope, *there}
        # A metric's series says nothing of transactions that it does not name.
        if any(scope.overlaps(one) and (scope.shares(one) or scope.series == one.series) for one in scopes):
            return True
        told = signal.spec.name not in self.hints and (alike(incident.ways, signal.ways) or self.hinted(incident))
        began = abs(incident.started_at - since) <= ONSET
        return told and began and any(scope.shares(one) for one in scopes)

    def _another(self, incident: Incident, signal: Signal, since: datetime) -> bool:
        """What fails long after something was only slow is no symptom of it: slow since nine, failing since eleven.

        Of one client, much is said by chance.
        """
        if signal.spec.name in self.hints or signal.scope.client_id or incident.ways != SLOW:
            return False
        return since > incident.started_at + LATELY and signal.ways != SLOW

    def _merge(self, incident: Incident, other: Incident, changes: Changes) -> Incident:
        del self.open[other.id]
        sure = [one.ways for one in (incident, other) if not self.hinted(one)] or [incident.ways, other.ways]
        ways = frozenset[Way]().union(*sure)
        changes.incidents[other.id] = replace(other, state=IncidentState.MERGED, parent_id=incident.id)
        for key, alert in self.alerts.items():
            if alert.incident_id == other.id:
                self.alerts[key] = changes.alerts[key] = replace(alert, incident_id=incident.id)
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
            for key in [key for key, alert in self.alerts.items() if alert.incident_id == incident.id]:
                del self.alerts[key]
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
