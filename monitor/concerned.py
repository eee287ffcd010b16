"""Whom the routes tell of an incident, how it stands for each of them, and what of that is news."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts import Incident, IncidentState
from alerts.routing import (
    ROLES,
    Addressee,
    Held,
    Hit,
    Route,
    addressed,
    concerns,
    counted,
    due,
    joined,
    opening,
    stands_since,
)
from alerts.rows import plain
from alerts.silences import Silence
from alerts.threads import LONG_AGO, Owed, Standing, Told, owed
from monitor import tables as t
from monitor.hits import hits
from monitor.recipients import thread_row
from monitor.routes import Routing
from monitor.standing import Row, as_acted, only, rows, still_failing
from monitor.store import Store
from monitor.troubles import Trouble

LATELY = timedelta(days=4)
"""What began and ended while nobody looked is told if it ended within it: a long weekend."""
SETTLED = "settled"
"""The subject of the mark until when all that is over is told to all who were to know it."""
NEVER = datetime.max.replace(tzinfo=UTC)
Way = tuple[Route, Sequence[Hit], datetime]
"""A route to somebody, with the affected clients that count for them, and when it opens."""
Over = tuple[Incident, Sequence[Silence]]
"""One that is over, with the silences that match it: its clients do not change any more."""
Wake = Callable[[datetime], None]
"""Told of each moment at which there may be something to tell though nothing new is stored."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A row of `threads`."""

    sequence: int
    told: Told
    began_at: datetime
    told_at: datetime


@dataclass(frozen=True, slots=True)
class News:
    """What somebody is owed. basis: in which words they are told, and of which segments' clients; thread: what they were told."""

    subject: str
    who: Addressee
    standing: Standing
    basis: Mapping[str, Any]
    thread: Thread | None
    fact: Incident | Trouble
    owed: Owed


def threads(store: Store, *where: Any) -> Mapping[str, Mapping[Addressee, Thread]]:
    """What was told of incidents and faults, by subject."""
    found: dict[str, dict[Addressee, Thread]] = defaultdict(dict)
    for row in rows(store, t.threads.select().where(*where)):
        told = Told.read(row["told"])
        who = Addressee(row["receiver"], told.basis["to"], told.basis["role"])
        found[row["subject"]][who] = Thread(row["sequence"], told, row["began_at"], row["told_at"])
    return found


def news_of(
    subject: str,
    who: Addressee,
    standing: Standing,
    basis: Mapping[str, Any],
    thread: Thread | None,
    *,
    fact: Incident | Trouble,
    escalated: bool,
    now: datetime,
    wake: Wake,
) -> News | None:
    """What they are owed now; None: nothing, or not yet."""
    told, told_at = (thread.told, thread.told_at) if thread else (None, None)
    news = owed(told, told_at, standing, escalated=escalated)
    if news and news.at > now:
        wake(news.at)
        return None
    return News(subject, who, standing, basis, thread, fact, news) if news else None


@dataclass(frozen=True, slots=True)
class Look:
    """All that decides on what is told of an incident, but for what was told and what time it is."""

    incident: Incident
    row: Row
    hits: Sequence[Hit]
    held: Sequence[Held]
    silences: Sequence[Silence]
    failing: bool = False
    """Closed by hand, and its rules see it fail."""

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.incident.state is IncidentState.FIRING

    def first(self, route: Route, theirs: Sequence[Hit], began: datetime) -> datetime | None:
        """From when on the route tells it to somebody who knows nothing of it. None: it never does."""
        at = due(route, self.incident, theirs, self.held)
        over = None if self.open else self.incident.resolved_at
        if at is None or self.incident.state is IncidentState.MERGED or (over and over < began):
            return None
        first = opening(route, at, self.silences)
        return None if over and first > over else first  # it ended before anybody was to know

    def covered(
        self, who: Addressee, ways: Sequence[Way], by: Way, now: datetime, wake: Wake
    ) -> tuple[frozenset[str], int]:
        """The segments of all routes that tell them by now, open or not, and how many clients count. by: the one that speaks."""
        mine = []
        for way in ways:
            at = due(way[0], self.incident, way[1] if who.role else (), self.held)
            if way is by or (at and at <= now):
                mine.append(way)
            elif at and self.open:
                wake(at)
        hits = {id(hit): hit for _, theirs, _ in mine for hit in theirs}
        return joined([route for route, _, _ in mine]).segments, counted(hits.values())

    def standing(self, who: Addressee, many: int) -> Standing:
        """For one of whom so many clients count."""
        one = self.incident
        client = "client" if one.scope.client_id else ""
        place = (one.scope.product, one.scope.channel, client, one.scope.series, str(one.kind))
        merged = one.state is IncidentState.MERGED
        more = {"failing": self.failing, "reopened": one.reopened_at is not None}
        return Standing(str(one.severity), self.open, place, many, own=bool(who.role), merged=merged, **more)


class Concerned:
    """Looks at the store. What it has found to be no news for anybody it leaves alone until something of it changes."""

    def __init__(self, store: Store, routing: Routing, receivers: Sequence[str]) -> None:
        self.store, self.routing, self.receivers = store, routing, receivers
        self.routes = [route for route in routing.routes if "incident" in route.news and not route.at]
        words = {word for route in self.routes for word in route.to}
        self._how: dict[str, Any] = {
            "roles": words & {*ROLES},
            "segments": any(route.segments for route in self.routes),
            "informed": any(route.after and words & {*ROLES} for route in self.routes),
        }
        self._quiet: dict[str, tuple[Look | Over, datetime]] = {}
        """By incident, what is no news, and until when."""
        self._found: Sequence[Incident] = ()
        self._settled = LONG_AGO

    def news(
        self, now: datetime, began: Mapping[str, datetime], silences: Sequence[Silence], wake: Wake
    ) -> Iterator[News]:
        """What is owed now. began: since when each receiver is told anything."""
        judged = self.store.marks().get("judged_until")  # before the incidents: what ends meanwhile is not settled
        mark = rows(self.store, t.threads.select().where(t.threads.c.subject == SETTLED))
        self._settled = datetime.fromisoformat(mark[0]["told"]["until"]) if mark else LONG_AGO
        looks = self._looks(now, silences, wake)
        fresh = [look for look in looks if not self._is_quiet(look.incident.id, look, now, wake)]
        known = threads(self.store, t.threads.c.subject.in_([look.incident.id for look in fresh]))
        for look in fresh:
            moments: list[datetime] = []
            told = known.get(look.incident.id, {})
            news = list(self._of(look, told, now, began, moments.append))
            yield from news
            self._quiet.pop(look.incident.id, None)
            if not news and not look.failing:  # its alerts alone change as that ends
                until = min(moments, default=NEVER)
                self._quiet[look.incident.id] = look if look.open else (look.incident, look.silences), until
            if moments:
                wake(min(moments))
        if judged:
            self._settle(datetime.fromtimestamp(int(judged) * 60, UTC), mark[0]["sequence"] + 1 if mark else 1, now)

    def _settle(self, judged: datetime, sequence: int, now: datetime) -> None:
        """Of what was over and judged by then nobody is owed anything any more: who is routed to from now on is not told of it."""
        over = [(one.resolved_at, self._quiet.get(one.id, (None, now))[1]) for one in self._found if one.resolved_at]
        settled = min([judged, *(at for at, until in over if until != NEVER)])
        if any(self._settled <= at < settled for at, _ in over):
            mark = thread_row(SETTLED, Addressee(""), sequence, {"until": settled.isoformat()}, now)
            self.store.tell([mark], (), now)

    def _is_quiet(self, incident_id: str, seen: Look | Over, now: datetime, wake: Wake) -> bool:
        known, until = self._quiet.get(incident_id, (None, NEVER))
        if known != seen or until <= now:
            return False
        wake(until)
        return True

    def _looks(self, now: datetime, silences: Sequence[Silence], wake: Wake) -> list[Look]:
        i, open_ = t.incidents.c, t.threads.c.ended_at.is_(None)
        wanted = (i.state == IncidentState.FIRING) | i.id.in_(only(t.threads, "subject", open_))
        found = as_acted(self.store, self.store.incidents(wanted | (i.resolved_at >= now - LATELY)))
        self._found = found
        self._quiet = {one.id: self._quiet[one.id] for one in found if one.id in self._quiet}
        quiet = {one.id: tuple(silence for silence in silences if silence.matches(plain(one))) for one in found}
        found = [one for one in found if not self._is_quiet(one.id, (one, quiet[one.id]), now, wake)]
        ids = [one.id for one in found]
        counts, held, failing = hits(self.store, ids, **self._how), self._held(found), still_failing(self.store, found)
        return [
            Look(
                one, plain(one), counts.get(one.id, ()), held.get(one.id, ()), quiet[one.id], failing=one.id in failing
            )
            for one in found
        ]

    def _held(self, found: Sequence[Incident]) -> dict[str, tuple[Held, ...]]:
        """By incident: when somebody took it on, and took that back, since it began or was opened anew."""
        a, began = t.acts.c, {one.id: stands_since(one) for one in found}
        query = t.acts.select().where(a.incident_id.in_(began), a.action.in_(("ack", "unack"))).order_by(a.at, a.id)
        held: dict[str, tuple[Held, ...]] = defaultdict(tuple)
        for row in rows(self.store, query):
            if row["at"] >= began[row["incident_id"]]:
                held[row["incident_id"]] += ((row["at"], row["action"] == "ack"),)
        return held

    def _of(
        self, look: Look, told: Mapping[Addressee, Thread], now: datetime, began: Mapping[str, datetime], wake: Wake
    ) -> Iterator[News]:
        """In the words of the first route that tells somebody of it at this time."""
        reached: dict[Addressee, list[Way]] = defaultdict(list)
        for route in (route for route in self.routes if concerns(route, look.row, self.routing.teams)):
            opens = opening(route, now, look.silences)
            for who, theirs in addressed(route, look.row, self.routing.teams, look.hits).items():
                reached[who].append((route, theirs, opens))
        for who, ways in reached.items():
            thread = told.get(who)
            if thread and not (thread.told.open or thread.told.failing or look.open):
                continue
            for way in ways:
                route, theirs, opens = way
                first = (
                    now
                    if thread
                    else look.first(route, theirs if who.role else (), max(began[route.receiver], self._settled))
                )
                if first is None:
                    continue
                if max(first, opens) > now:
                    wake(max(first, opens))
                    continue
                segments, many = look.covered(who, ways, way, now, wake)
                basis = {"to": who.to, "role": who.role, "words": route.words, "segments": sorted(segments)}
                standing, late = look.standing(who, many), bool(route.after)
                if news := self._news(look, who, standing, basis, thread, escalated=late, now=now, wake=wake):
                    yield news
                break
        yield from self._left(look, {who: told[who] for who in told if who not in reached}, now, wake)

    def _left(self, look: Look, told: Mapping[Addressee, Thread], now: datetime, wake: Wake) -> Iterator[News]:
        """The end, for those whom no route tells of it any more."""
        for who, thread in told.items():
            if who.receiver not in self.receivers or look.open or not (thread.told.open or thread.told.failing):
                continue
            if (opens := opening(Route(who.receiver), now, look.silences)) > now:
                wake(opens)
                continue
            standing = look.standing(who, thread.told.affected)
            basis = thread.told.basis
            if news := self._news(look, who, standing, basis, thread, escalated=False, now=now, wake=wake):
                yield news

    def _news(self, look: Look, *told: Any, **more: Any) -> News | None:
        return news_of(look.incident.id, *told, fact=look.incident, **more)
