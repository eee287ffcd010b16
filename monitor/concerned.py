"""Whom the routes tell of what stands now: incidents and the daemon's own faults, with how each stands for each recipient."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts import Incident, IncidentState
from alerts.routing import ROLES, Addressee, Hit, Route, addressed, concerns, due, opening
from alerts.rows import plain
from alerts.silences import Silence
from alerts.threads import Standing, Told
from monitor import tables as t
from monitor.hits import hits
from monitor.routes import Routing
from monitor.standing import Row, as_acted, only, rows
from monitor.store import Store
from monitor.troubles import Trouble

LATELY = timedelta(days=4)
"""What began and ended while nobody looked is told if it ended within it: a long weekend."""
FAULT = "fault:"
"""What a fault's subject begins with."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A row of `threads`."""

    sequence: int
    told: Told
    began_at: datetime
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that stands, and one who is to know of it. basis: in which words, and of which segments' clients."""

    subject: str
    who: Addressee
    standing: Standing
    basis: Mapping[str, Any]
    thread: Thread | None
    escalated: bool = False
    fact: Incident | Trouble | None = None


Threads = Mapping[str, Mapping[Addressee, Thread]]
"""By subject."""
Wake = Callable[[datetime], None]
"""Told of each moment at which there may be something to tell though nothing new is stored."""


def threads(store: Store, *where: Any) -> Threads:
    """What was told of incidents and faults."""
    found: dict[str, dict[Addressee, Thread]] = defaultdict(dict)
    for row in rows(store, t.threads.select().where(*where)):
        told = Told.read(row["told"])
        who = Addressee(row["receiver"], told.basis["to"], told.basis["role"])
        found[row["subject"]][who] = Thread(row["sequence"], told, row["began_at"], row["told_at"])
    return found


class Concerned:
    """Looks at the store. settled: incidents that are over, and of which nobody is owed anything any more."""

    def __init__(self, store: Store, routing: Routing, receivers: Sequence[str]) -> None:
        self.store, self.routing, self.receivers = store, routing, receivers
        self.routes = [route for route in routing.routes if "incident" in route.news and not route.at]
        self.of_faults = [route for route in routing.routes if "fault" in route.news]
        self.settled: set[tuple[str, datetime | None]] = set()
        words = {word for route in self.routes for word in route.to}
        self._how: dict[str, Any] = {
            "roles": words & {*ROLES},
            "segments": any(route.segments for route in self.routes),
            "informed": any(route.after and words & {*ROLES} for route in self.routes),
        }

    def incidents(
        self, now: datetime, began: Mapping[str, datetime], silences: Sequence[Silence], wake: Wake
    ) -> Iterator[Candidate]:
        """Of each incident those who are to know of it now. began: since when each receiver is told anything."""
        i, open_ = t.incidents.c, t.threads.c.ended_at.is_(None)
        wanted = i.state.in_([IncidentState.FIRING]) | i.id.in_(only(t.threads, "subject", open_))
        found = as_acted(self.store, self.store.incidents(wanted | (i.resolved_at >= now - LATELY)))
        found = [one for one in found if (one.id, one.resolved_at) not in self.settled]
        ids = [one.id for one in found]
        known = threads(self.store, t.threads.c.subject.in_(ids))
        counts = hits(self.store, ids, **self._how)
        acknowledged = self._acknowledged(ids)
        for one in found:
            look = _Look(one, plain(one), counts.get(one.id, ()), acknowledged.get(one.id), known.get(one.id, {}), now)
            waits = False

            def later(moment: datetime) -> None:
                nonlocal waits
                waits = True
                wake(moment)

            mine = list(self._of(look, began, silences, later))
            yield from mine
            told = all(not thread.told.open for thread in look.threads.values())
            if not mine and not waits and told and one.state is not IncidentState.FIRING:
                self.settled.add((one.id, one.resolved_at))

    def _of(
        self, look: _Look, began: Mapping[str, datetime], silences: Sequence[Silence], wake: Wake
    ) -> Iterator[Candidate]:
        mine = [silence for silence in silences if silence.matches(look.row)]
        seen: dict[Addressee, Candidate | None] = {}
        for route in self.routes:
            if not concerns(route, look.row, self.routing.teams):
                continue
            for who, many in addressed(route, look.row, self.routing.teams, look.hits).items():
                if seen.get(who) is None:
                    seen[who] = look.candidate(route, who, many, began[route.receiver], mine, wake)
        for who, thread in look.threads.items():
            if who not in seen and who.receiver in self.receivers and thread.told.open and not look.open:
                anywhere = Route(who.receiver)
                if (at := opening(anywhere, look.now, mine)) > look.now:
                    wake(at)
                else:
                    yield look.left(who, thread)
        yield from (found for found in seen.values() if found)

    def _acknowledged(self, ids: Sequence[str]) -> dict[str, datetime]:
        a, found = t.acts.c, {}
        query = t.acts.select().where(a.incident_id.in_(ids), a.action == "ack").order_by(a.id.desc())
        for row in rows(self.store, query):
            found[row["incident_id"]] = row["at"]  # the first one
        return found

    def faults(self, now: datetime, troubles: Sequence[Trouble], wake: Wake) -> Iterator[Candidate]:
        """Of each fault of the daemon, and of each that is over and not told so; a receiver's own is told by the others."""
        s = t.threads.c
        known = threads(self.store, s.subject.startswith(FAULT))
        standing = {f"{FAULT}{trouble.key}": trouble for trouble in troubles}
        for subject in sorted({*standing, *known}):
            trouble, told = standing.get(subject), known.get(subject, {})
            seen: set[Addressee] = set()
            for route in self.of_faults:
                for to in route.to or ("",):
                    who = Addressee(route.receiver, to)
                    if who in seen or subject == f"{FAULT}receiver:{who.receiver}":
                        continue
                    if candidate := _of_fault(subject, route, who, trouble, told.get(who), now, wake):
                        seen.add(who)
                        yield candidate


@dataclass(frozen=True, slots=True)
class _Look:
    """An incident at a moment, with all that is known of it."""

    incident: Incident
    row: Row
    hits: Sequence[Hit]
    acknowledged_at: datetime | None
    threads: Mapping[Addressee, Thread]
    now: datetime

    @property
    def open(self) -> bool:
        return self.incident.state is IncidentState.FIRING

    def candidate(
        self, route: Route, who: Addressee, many: int, began: datetime, silences: Sequence[Silence], wake: Wake
    ) -> Candidate | None:
        """What there may be to tell them by this route, if it is time."""
        thread = self.threads.get(who)
        over = None if self.open else self.incident.resolved_at
        if thread and not thread.told.open and not self.open:
            return None
        if thread is None:
            at = due(route, self.incident, who, self.hits, self.acknowledged_at)
            if at is None or self.incident.state is IncidentState.MERGED or (over and over < began):
                return None
            first = opening(route, at, silences)
            if over and first > over:  # it ended before anybody was to know
                return None
            if first > self.now:
                wake(first)
                return None
        if (at := opening(route, self.now, silences)) > self.now:
            wake(at)
            return None
        basis = {"to": who.to, "role": who.role, "words": route.words, "segments": sorted(route.segments)}
        late = bool(route.after) and thread is None
        return Candidate(self.incident.id, who, self._standing(who, many), basis, thread, late, self.incident)

    def left(self, who: Addressee, thread: Thread) -> Candidate:
        """The end, for one whom no route tells of it any more."""
        standing = self._standing(who, thread.told.affected)
        return Candidate(self.incident.id, who, standing, thread.told.basis, thread, fact=self.incident)

    def _standing(self, who: Addressee, many: int) -> Standing:
        one = self.incident
        client = "client" if one.scope.client_id else ""
        place = (one.scope.product, one.scope.channel, client, one.scope.series, str(one.kind))
        merged = one.state is IncidentState.MERGED
        return Standing(str(one.severity), self.open, place, many, own=bool(who.role), merged=merged)


def _of_fault(
    subject: str,
    route: Route,
    who: Addressee,
    trouble: Trouble | None,
    thread: Thread | None,
    now: datetime,
    wake: Wake,
) -> Candidate | None:
    if trouble is None and (thread is None or not thread.told.open):
        return None
    severity = trouble.severity if trouble else thread.told.severity if thread else ""
    first = now
    if thread is None and trouble:
        if concerns(
            Route(route.receiver, severity=route.severity), {"severity": severity, "product": "", "channel": ""}, ()
        ):
            first = opening(route, trouble.since + route.after, ())
        else:
            return None
    if (at := max(first, opening(route, now, ()))) > now:
        wake(at)
        return None
    said = trouble or _remembered(subject, thread)
    fault = {"key": said.key, "severity": said.severity, "since": said.since.isoformat(), "what": said.what}
    basis = {"to": who.to, "role": "", "words": route.words, "segments": [], "fault": fault}
    late = bool(route.after) and thread is None
    return Candidate(subject, who, Standing(severity, trouble is not None), basis, thread, late, said)


def _remembered(subject: str, thread: Thread | None) -> Trouble:
    """A fault that is over, as it was told."""
    fault = thread.told.basis["fault"] if thread else {"since": "", "severity": "", "what": ""}
    return Trouble(
        subject.removeprefix(FAULT), fault["severity"], datetime.fromisoformat(fault["since"]), fault["what"]
    )
