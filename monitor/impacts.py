"""What incidents do to clients: measured on rows that are read once, told anew whenever it may have become another.

Clients who are hit are *affected*, those around whom it fails *exposed*. The whole list is kept as long as the incident may change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from alerts import Changes, Client, Impact, Incident, Touch
from alerts.cases import CaseBook
from alerts.exposure import Habit, chances, limit
from alerts.ground import Base, Ground
from alerts.impact import Struck, exposed, struck, touched
from alerts.incidents import Incidents
from alerts.novelty import ENDS, told_by
from alerts.priority import ranked
from alerts.sits import Place, places, sits
from monitor import grounds, resting
from monitor.calendar import Calendar
from monitor.habits import Habits
from monitor.maintenance import Declared
from monitor.portfolio import Portfolio
from monitor.windows import Windows, minute_of, time_of
from rules import Scope

EVERY = 3
"""Of clients who are known to be hit, and of what did not come, is told anew in every such minute of the clock."""
LOOK = 6
"""In every such minute of the clock, of what may hit whom is told anew."""
FRESH = 15
"""Minutes from its detection on, in which a client who is hit for the first time is told of at once."""
AHEAD = 60
"""Minutes that are read at once of an incident's own time, where there are as many."""


@dataclass(frozen=True)
class Measured:
    """What an open incident is measured on, read once and kept: the days before it, and what has come since, up to `until`."""

    key: tuple[tuple[Place, ...], int]
    base: Base
    ground: Ground
    until: int
    habit: Habit | None = None


class Impacts:
    """By incident, of each client and product. `known` is all that was told of incidents that are open or were lately."""

    def __init__(
        self, windows: Windows, calendar: Calendar, portfolio: Portfolio, maintenance: Sequence[Declared] = ()
    ) -> None:
        self.windows, self.calendar, self.portfolio = windows, calendar, portfolio
        self.known: dict[str, dict[tuple[str, str], Impact]] = {}
        self._ranks: dict[tuple[str, str], tuple[Client | None, Impact]] = {}
        self._measured: dict[str, Measured] = {}
        self._past = grounds.Past(windows.db, windows.days, maintenance)
        self._habits = Habits(self._past, windows.quarters, calendar)
        self._near: dict[str, tuple[tuple[Scope, int], Sequence[Impact], frozenset[tuple[str, str]]]] = {}
        self._users: dict[tuple[str, Scope], set[tuple[str, str]]] = {}
        self._seats: dict[str, Scope] = {}
        self._hurt: dict[str, tuple[Mapping[tuple[str, str], Impact], dict[str, list[str]]]] = {}
        """By incident, the products on which each client was affected, and what was `known` then: it is replaced, never written to."""

    def recall(self, incidents: Iterable[Incident], told: Iterable[Impact]) -> None:
        """Take up what was told of these before a restart."""
        self._seats |= {incident.id: incident.scope for incident in incidents}
        for m in told:
            self.known.setdefault(m.incident_id, {})[m.client_id, m.product] = m

    def idle(self, maintenance: Sequence[Declared]) -> None:
        """What is declared by now: its time is nobody's base rate."""
        self._past.idle = maintenance

    def stirs(self, incident: Incident, minute: int, end: int, *, hinted: bool = False) -> bool:
        """Whether what it does to clients may be another after this minute: a new one may be hurt, or it is looked at anew.

        hinted: how it hurts may be another, too.
        """
        anew = minute % EVERY == 0
        if anew and "missing" in incident.ways:
            return True
        if not anew and minute - minute_of(incident.detected_at) > FRESH:
            return False
        held = self._measure(incident, minute_of(incident.started_at), minute + 1, end)
        hurt = held.ground.between(minute - EVERY + 1 if anew else minute, minute + 1)
        bad = hurt.rows.unit[held.base.kinds(hurt.rows, hurt.listed, ENDS if hinted else incident.ways) >= 0]
        if anew:
            return len(bad) > 0
        known = self.known.get(incident.id, {})
        pairs = {hurt.listed.units[unit][:2] for unit in bad.tolist()}
        return any(pair not in known or known[pair].touch is not Touch.AFFECTED for pair in pairs)

    def update(
        self,
        incident: Incident,
        minute: int,
        end: int,
        at: datetime,
        incidents: Incidents,
        book: CaseBook,
        changes: Changes,
    ) -> tuple[Incident, list[Impact]]:
        """Bring the incident's impacts up to `minute` (exclusive; rows are there until `end`): it as it sits now, and the affected.

        at: the moment of it, when clients are called exposed. book: who has been decided on is not taken back; it is told of
        whom there is news.
        """
        start = minute_of(incident.started_at)
        held = self._measure(incident, start, minute, end)
        last = minute_of(incident.ended_at) if incident.resolved_at and incident.ended_at else minute
        if incidents.hinted(incident):
            ways = told_by(incident, held.ground, held.base, start, last)
            incident = incidents.called(incident, ways, changes)
        found = struck(incident, held.ground, held.base, start, last)
        incident = _sits(incident, found, incidents, changes)
        hurt = list(self._kept(incident, [m for m in touched(incident, found) if _certain(incident, m)], book))
        hit = {impact.client_id for impact in hurt}
        incident = incidents.grow(incident, len(hit), changes)
        before = self.known.get(incident.id, {})
        called = _called(before.values())
        graded = [
            self._ranked(incident, impact, before.get((impact.client_id, impact.product)), called.get(impact.client_id))
            for impact in hurt
        ]
        moved = self._seats.get(incident.id) != incident.scope
        self._seats[incident.id] = incident.scope
        if incident.resolved_at or not (moved or not before or (minute - 1) % LOOK == 0):
            near: Iterable[Impact] = [m for m in before.values() if m.touch is Touch.EXPOSED]
        else:
            near = self._around(incident, found, minute, at, hit, before)
        now = {(m.client_id, m.product): m for m in [*graded, *(m for m in near if m.client_id not in hit)]}
        for gone in before.keys() - now.keys():
            changes.impacts[incident.id, *gone] = None
        for key, impact in now.items():
            if before.get(key) is not impact:
                changes.impacts[incident.id, *key] = impact
        self.known[incident.id] = now
        affected = [impact for impact in now.values() if impact.touch is Touch.AFFECTED]
        book.cases.stir(m.client_id for m in affected if moved or not _same_touch(before.get((m.client_id, m.product))))
        return incident, affected

    def _around(
        self,
        incident: Incident,
        found: Struck,
        minute: int,
        at: datetime,
        hit: Collection[str],
        before: Mapping[tuple[str, str], Impact],
    ) -> Iterator[Impact]:
        """Who is exposed, how likely they are to be hit, and who is called so by that, from now on or since before."""
        held, start = self._measured[incident.id], minute_of(incident.started_at)
        if held.habit is None:
            held = self._measured[incident.id] = replace(
                held, habit=self._habits.before(incident.reach, start, held.base)
            )
        habit = held.habit
        assert habit is not None  # noqa: S101 - just made
        likely = chances(habit, found, minute)
        _, holders, beside = self._holders(incident, held, minute)
        near = [m for m in holders if m.client_id not in hit]
        places = [habit.place.get((m.client_id, m.product), -1) for m in near]
        olds = [before.get((m.client_id, m.product)) for m in near]
        stale = [i for i, old in enumerate(olds) if old is None or old.next_use_at is None or old.next_use_at <= at]
        asked = sorted({places[i] for i in stale if places[i] >= 0})
        uses = dict(zip(asked, habit.next_use(np.array(asked, np.int64), minute).tolist(), strict=True))
        least = limit(minute - minute_of(incident.detected_at))
        for impact, old, place in zip(near, olds, places, strict=True):
            unseen = likely.unseen.get(impact.product, 0.0)
            chance, reached = (float(likely.chance[place]), likely.called[place]) if place >= 0 else (unseen, unseen)
            called = old.exposed_at if old else None
            if called is None and reached >= least:
                called = at
            use = old.next_use_at if old and old.next_use_at and old.next_use_at > at else None
            if use is None and uses.get(place, -1) >= 0:
                use = time_of(uses[place])
            lower = (impact.client_id, impact.product) in beside
            yield self._placed(impact, old, round(chance, 2), called, use, lower=lower)

    def _holders(
        self, incident: Incident, held: Measured, minute: int
    ) -> tuple[tuple[Scope, int], Sequence[Impact], frozenset[tuple[str, str]]]:
        """Who holds or uses what fails, and which of them only what rests on it: that is looked at each quarter of an hour."""
        key = (incident.scope, minute // 15 * 15)
        there = self._near.get(incident.id)
        if there is None or there[0] != key:
            at = time_of(key[1])
            near = exposed(incident, held.ground, held.base, self.portfolio.holdings, set(), key[1], at)
            others: list[Impact] = []
            if self.portfolio.rests:
                near, others = resting.widened(incident, near, self._resting(incident, key[1]))
            beside = frozenset((m.client_id, m.product) for m in others)
            there = self._near[incident.id] = (key, [*near, *others], beside)
        return there

    def _resting(self, incident: Incident, quarter: int) -> set[tuple[str, str]]:
        """Clients and products of what rests on what fails."""
        found: set[tuple[str, str]] = set()
        for scope in self.portfolio.rests.resting(incident.scope):
            found |= resting.holders(scope, self.portfolio.holdings, time_of(quarter))
            if (incident.id, scope) not in self._users:
                week = self._past.before(scope, minute_of(incident.started_at))
                self._users[incident.id, scope] = resting.users(week)
            found |= self._users[incident.id, scope]
        return found

    def hurt_on(self, incident_id: str, client_id: str) -> list[str]:
        """The products on which the incident has affected the client."""
        there = self.known.get(incident_id)
        if there is None:
            return []
        if incident_id not in self._hurt or self._hurt[incident_id][0] is not there:
            hurt: dict[str, list[str]] = {}
            for (client, product), m in there.items():
                if product and m.touch is Touch.AFFECTED:
                    hurt.setdefault(client, []).append(product)
            self._hurt[incident_id] = (there, hurt)
        return self._hurt[incident_id][1].get(client_id, [])

    def forget(self, incident_id: str) -> dict[tuple[str, str], Impact]:
        """Let go of an incident that can change no more; what was told of it."""
        self._hurt.pop(incident_id, None)
        return self.known.pop(incident_id, {})

    def keep(self, firing: Collection[str]) -> None:
        """What others are measured on is needed no more."""
        self._measured = {key: held for key, held in self._measured.items() if key in firing}
        self._near = {key: near for key, near in self._near.items() if key in firing}
        self._seats = {key: seat for key, seat in self._seats.items() if key in firing}
        self._users = {key: users for key, users in self._users.items() if key[0] in firing}

    def __iter__(self) -> Iterator[Impact]:
        return (impact for there in self.known.values() for impact in there.values())

    def _placed(
        self,
        impact: Impact,
        old: Impact | None,
        chance: float,
        called: datetime | None,
        use: datetime | None,
        *,
        lower: bool,
    ) -> Impact:
        """An exposed client's, whose rank does not depend on the incident. lower: they hold only what rests on what fails."""
        key, weights = (impact.client_id, impact.product), self.portfolio.weights
        client = self.portfolio.clients.get(impact.client_id)
        known = self._ranks.get(key)
        if known is None or known[0] is not client:
            known = self._ranks[key] = (client, ranked(impact, client, (), weights))
        rank = resting.lowered(known[1]) if lower else known[1]
        if old and old.touch is Touch.EXPOSED and (old.weights, old.terms) == (weights.version, rank.terms):
            same = (old.chance, old.exposed_at, old.next_use_at) == (chance, called, use)
            return old if same else replace(old, chance=chance, exposed_at=called, next_use_at=use)
        return replace(rank, incident_id=impact.incident_id, chance=chance, exposed_at=called, next_use_at=use)

    def _ranked(self, incident: Incident, impact: Impact, before: Impact | None, called: datetime | None) -> Impact:
        """With its priority, and when the client was called exposed; most are as they were a minute ago."""
        impact = replace(impact, exposed_at=called)
        client, weights = self.portfolio.clients.get(impact.client_id), self.portfolio.weights
        worst = ("typology", round(weights.points["typology"] * weights.worst(incident.ways), 1))
        as_was = before is not None and before.weights == weights.version and worst in before.terms
        if before and as_was and _told(before) == _told(impact):
            return before
        return ranked(impact, client, incident.ways, weights)

    def _measure(self, incident: Incident, start: int, minute: int, end: int) -> Measured:
        """The incident's ground up to `minute` at least: the days before are read once, of its own time only what is new."""
        there, db = places(incident), self.windows.db
        key, reach = (there, start), resting.around(there)
        until = min(max(minute + AHEAD, start), end)
        held = self._measured.get(incident.id)
        if held is None or held.key != key:
            base = Base.of(resting.lying(self._past.before(reach, start), there))
            ground = Ground.of(resting.lying(grounds.detail(db, reach, start, until), there), base)
            held = Measured(key, base, ground, until)
        elif held.until < minute:
            fresh = resting.lying(grounds.detail(db, reach, held.until, until), there)
            held = replace(held, ground=held.ground.grown(fresh), until=until)
        if "missing" in incident.ways and held.base.usual is None:
            usual = resting.lying(self._past.usual(reach, start), there)
            held = replace(held, base=held.base.with_usual(usual, self.calendar))
        self._measured[incident.id] = held
        return held

    def _kept(self, incident: Incident, found: list[Impact], book: CaseBook) -> Iterator[Impact]:
        """With those who were found affected before and are no more, if a case was decided on for them: there is no taking back."""
        yield from found
        hit = {impact.client_id for impact in found}
        for (client, _), impact in self.known.get(incident.id, {}).items():
            if impact.touch is Touch.AFFECTED and client not in hit and book.decisions.of(incident.id, client):
                yield impact


def _sits(incident: Incident, found: Struck, incidents: Incidents, changes: Changes) -> Incident:
    """With what its failures have in common, as far as that can be told."""
    seat, whole = sits(incident, found)
    return incidents.settle(incident, seat.scope, seat.shares, changes, whole=whole) if seat else incident


def _certain(incident: Incident, impact: Impact) -> bool:
    """Whether it may be told already: there is no taking back of a case.

    Where one client is the seat, it is that client's alone; as long as nobody can say where it sits, a single row tells nothing.
    """
    if incident.scope.client_id:
        return impact.client_id == incident.scope.client_id
    return bool(incident.shares) or impact.failures + impact.missing > 1


def _called(told: Iterable[Impact]) -> dict[str, datetime]:
    """When each client was first called exposed, on whatever product."""
    found: dict[str, datetime] = {}
    for m in told:
        if m.exposed_at:
            found[m.client_id] = min(m.exposed_at, found.get(m.client_id, m.exposed_at))
    return found


def _same_touch(before: Impact | None) -> bool:
    return before is not None and before.touch is Touch.AFFECTED


def _told(impact: Impact) -> tuple[object, ...]:
    return impact.touch, impact.failures, impact.missing, impact.amount, impact.first_failure_at, impact.exposed_at
