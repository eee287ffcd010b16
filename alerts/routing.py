"""Routes: who is to be told of an incident, from when on, and whose clients are counted for whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Any, Literal, Protocol

from alerts import Incident
from alerts.silences import Silence, unsilenced
from rules import Severity

Role = Literal["post_sale", "substitute", "manager"]
ROLES: tuple[Role, ...] = ("post_sale", "substitute", "manager")
"""Words for those who answer for a client, each client's own."""
TEAM, LEAD = "team", "team_lead"
"""Words for those of the teams that an incident concerns."""
WORDS = (*ROLES, TEAM, LEAD)


Held = tuple[datetime, bool]
"""When somebody took an incident on (True), or took that back."""


def mailbox(text: str) -> str:
    """An address as it is compared, in lower case; a name or a word stays as it is written."""
    text = text.strip()
    return text.lower() if "@" in text else text


class Hours(Protocol):
    """When a route tells."""

    def opening(self, time: datetime) -> datetime:
        """The first moment from `time` on at which it does."""
        ...


@dataclass(frozen=True, slots=True)
class Team:
    """Who works on these products and channels; on all of them where none is named."""

    name: str
    products: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    members: tuple[str, ...] = ()
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """What is told there, of what, and to whom.

    to: addresses, or some of WORDS; none: the receiver's own address. products to teams: one of these, where any is named. hours: when it
    tells (None: at any time). after: from the detection (or reopening) on, told only if by then nobody has taken it on. at: times of the
    bank's day at which what happened since the last one is told as a digest, instead of one by one.
    """

    receiver: str
    words: Literal["technical", "plain"] = "technical"
    to: tuple[str, ...] = ()
    products: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    severity: Severity = Severity.MINOR
    news: frozenset[str] = frozenset({"incident"})
    hours: Hours | None = None
    after: timedelta = timedelta(0)
    at: tuple[time, ...] = ()

    def opening(self, moment: datetime) -> datetime:
        """The first moment from then on at which it tells."""
        return self.hours.opening(moment) if self.hours else moment


@dataclass(frozen=True, slots=True)
class Addressee:
    """One whom a receiver tells. to: '' for the receiver's own address; role: whose clients are theirs ('': nobody's)."""

    receiver: str
    to: str = ""
    role: str = ""

    @property
    def name(self) -> str:
        """What sets their threads apart: one person may answer for some clients and stand in for others."""
        return f"{self.to} ({self.role})" if self.role else self.to


@dataclass(frozen=True, slots=True)
class Hit:
    """Affected clients of one segment who have the same people. informed_at: when post-sale told them, where it did."""

    clients: int
    segment: str = ""
    people: Mapping[str, str] = field(default_factory=dict)
    informed_at: datetime | None = None


def whose(role: str, hits: Iterable[Hit]) -> dict[str, list[Hit]]:
    """By who answers for them in this role. Who stands in for themselves is told once."""
    found: dict[str, list[Hit]] = {}
    for hit in hits:
        to = hit.people.get(role, "")
        if to and not (role == "substitute" and hit.people.get("post_sale") == to):
            found.setdefault(to, []).append(hit)
    return found


def concerns(route: Route, row: Mapping[str, Any], teams: Sequence[Team]) -> bool:
    """Whether the route is about this incident (a row), but for its clients. What is wider than one product concerns them all."""
    enough = Severity(row["severity"]).rank >= route.severity.rank
    meant = [team for team in teams if team.name in route.teams and _works_on(team, row)]
    return enough and _named(route, row) and (not route.teams or bool(meant))


def addressed(
    route: Route, row: Mapping[str, Any], teams: Sequence[Team], hits: Sequence[Hit]
) -> dict[Addressee, Sequence[Hit]]:
    """Whom the route tells of an incident that concerns it, each with the affected clients that count for them."""
    inside = [hit for hit in hits if not route.segments or hit.segment in route.segments]
    if route.segments and not inside:
        return {}
    found: dict[Addressee, Sequence[Hit]] = {}
    for word in route.to or ("",):
        if word in ROLES:
            found |= {Addressee(route.receiver, to, word): mine for to, mine in sorted(whose(word, inside).items())}
        elif word in (TEAM, LEAD):
            there = [t for t in teams if _works_on(t, row) and (not route.teams or t.name in route.teams)]
            found |= {Addressee(route.receiver, to): inside for team in there for to in _of(team, word) if to}
        else:
            found[Addressee(route.receiver, word)] = inside
    return found


def joined(routes: Sequence[Route]) -> Route:
    """The first of these routes to one recipient, of the segments of all (none: all)."""
    named = [route.segments for route in routes]
    return replace(routes[0], segments=frozenset[str]().union(*named) if all(named) else frozenset())


def counted(hits: Iterable[Hit]) -> int:
    """How many clients they are."""
    return sum(hit.clients for hit in hits)


def stands_since(incident: Incident) -> datetime:
    """From when on it is to be told: its detection, or when somebody opened it anew."""
    return incident.reopened_at or incident.detected_at


def due(route: Route, incident: Incident, theirs: Sequence[Hit], held: Sequence[Held]) -> datetime | None:
    """From when on somebody is to be told of it by this route; None: it was taken on, or over, before.

    theirs: the clients that they answer for; once all of them are informed, it is taken on. held: in order; what stands then counts.
    One who gives it back later leaves the next one as long again. It does not depend on when this is asked: a Vigía that was down tells in
    the end what it would have told.
    """
    first = stands_since(incident) + route.after
    if not route.after:
        return first
    given_back = [moment + route.after for moment, taken in held if not taken and moment > first]
    for at in (first, *given_back):
        over = incident.resolved_at is not None and incident.resolved_at <= at
        taken = next((taken for moment, taken in reversed(held) if moment <= at), False)
        informed = bool(theirs) and all(hit.informed_at and hit.informed_at <= at for hit in theirs)
        if not (over or taken or informed):
            return at
    return None


def opening(route: Route, moment: datetime, silences: Sequence[Silence]) -> datetime:
    """The first moment from then on at which the route tells and none of these silences holds."""
    while (later := unsilenced(route.opening(moment), silences)) != moment:
        moment = later
    return moment


def _named(of: Route | Team, row: Mapping[str, Any]) -> bool:
    return all(
        not names or row[dimension] in names or not row[dimension]
        for dimension, names in (("product", of.products), ("channel", of.channels))
    )


def _works_on(team: Team, row: Mapping[str, Any]) -> bool:
    """Of a team with products and channels, either will do: a channel's team hears of all that fails in it."""
    product = not team.products or row["product"] in team.products or not row["product"]
    channel = not team.channels or row["channel"] in team.channels or not row["channel"]
    return (product or channel) if team.products and team.channels else (product and channel)


def _of(team: Team, word: str) -> tuple[str, ...]:
    return team.members if word == TEAM else (team.lead,)
