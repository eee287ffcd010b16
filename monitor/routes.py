"""[[route]] and [teams.NAME] of the configuration: who is told of what, when, and in which words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, Field, ValidationError, model_validator

from alerts.routing import LEAD, TEAM, WORDS, Hours, Route, Team, mailbox
from connectors.kinds import load
from monitor.blocks import Block, Monitor
from monitor.business import Outside, ServiceHours
from monitor.calendar import Calendar
from monitor.faults import Fault, explained
from monitor.kinds import Duration
from monitor.plugs import named_blocks, read_block
from monitor.promises import HoursBlock, Words, service_of
from rules import Severity

ROUTING = ("route", "teams")
"""The keys of the configuration that are read here."""
NEWS = ("incident", "fault", "breach")
NONE = timedelta(0)
Named = Annotated[str, Field(min_length=1)]


def _times(given: list[str]) -> list[str]:
    for text in given:
        try:
            time.fromisoformat(text)
        except ValueError:
            raise ValueError("must be times of the day, such as 07:30") from None
    return given


def _some(given: list[str]) -> list[str]:
    if not given:
        raise ValueError("must name incident, fault or breach; without the key, it is of incidents")
    return given


def _mail(text: str) -> str:
    if not re.fullmatch(r"[^\s@]+@[^\s@]+", text.strip()):
        raise ValueError(f"has {text!r}, which is no address: write it as ana@banco.example")
    return text


def _lead(text: str) -> str:
    return _mail(text) if text.strip() else ""


def _people(given: list[str]) -> list[str]:
    for text in given:
        near = get_close_matches(text, WORDS, n=1, cutoff=0.75)
        if not text.strip():
            raise ValueError("must be addresses; without the key, it is the receiver's own")
        if text not in WORDS and "@" not in text and near:
            raise ValueError(f"has {text!r}, which is no address; did you mean {near[0]!r}?")
        if text not in WORDS:
            _mail(text)
    return [mailbox(text) for text in given]


class TeamBlock(Block):
    """[teams.NAME]: whose products and channels are theirs (none: all)."""

    products: list[Named] = Field(default_factory=list)
    channels: list[Named] = Field(default_factory=list)
    members: list[Annotated[str, AfterValidator(_mail)]] = Field(default_factory=list)
    lead: Annotated[str, AfterValidator(_lead)] = ""


class RouteBlock(Block):
    """[[route]]: see `alerts.routing.Route`. during, outside: a [promises.calendars] name, in or out of whose hours it tells."""

    receiver: str
    words: Literal["technical", "plain"] = "technical"
    to: Annotated[list[str], AfterValidator(_people)] = Field(default_factory=list)
    products: Words | None = None
    channels: Words | None = None
    segments: list[Literal["corporativo", "empresarial", "pyme"]] = Field(default_factory=list)
    teams: Words | None = None
    severity: Literal["minor", "major", "critical"] = "minor"
    news: Annotated[list[Literal["incident", "fault", "breach"]], AfterValidator(_some)] = Field(default=["incident"])
    during: str | None = None
    outside: str | None = None
    after: Duration = NONE
    at: Annotated[list[str], AfterValidator(_times)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.during is not None and self.outside is not None:
            raise ValueError("give at most one of during and outside")
        if self.at and (self.after or self.news != ["incident"]):
            raise ValueError("a digest (at) is of incidents alone, and takes no `after`")
        if self.after and "breach" in self.news:
            raise ValueError("a promise is told as it comes: give `breach` a route of its own, without `after`")
        narrow = [key for key in ("products", "channels", "segments", "teams") if getattr(self, key)]
        people = [word for word in self.to if word in WORDS]
        if "fault" in self.news and narrow + people:
            raise ValueError(
                f"a fault of Vigía's own has no {(narrow + people)[0]}: give `fault` a route of its own, without it"
            )
        return self


@dataclass(frozen=True)
class Routing:
    """Who is told of what."""

    routes: tuple[Route, ...] = ()
    teams: tuple[Team, ...] = ()


def read_routing(tables: Mapping[str, Any], monitor: Monitor, file: str, faults: list[Fault]) -> Routing:
    """What the configuration says of routes; what is wrong with it goes to `faults`.

    With receivers and no route, each is told everything.
    """
    receivers = tables.get("receivers")
    receivers = receivers if isinstance(receivers, dict) else {}
    there = list(receivers)
    named = tables.get("teams")
    written_teams = list(named) if isinstance(named, dict) else []
    teams = []
    for name, given in named_blocks(tables, "teams", file, faults):
        if block := cast("TeamBlock | None", read_block(TeamBlock, given, file, f"teams.{name}", faults)):
            members, lead = tuple(map(mailbox, block.members)), mailbox(block.lead)
            teams.append(Team(name, frozenset(block.products), frozenset(block.channels), members, lead))
    written = tables.get("route")
    if written is None:
        faults += [
            Fault(
                file,
                f"receivers.{name}.to",
                "is missing: without a [[route]] it is told everything, and reaches nobody",
            )
            for name in there
            if _mails_nobody(receivers[name])
        ]
        return Routing(tuple(Route(name, news=frozenset(NEWS)) for name in there), tuple(teams))
    if not isinstance(written, list):
        faults.append(Fault(file, "route", "must be a list of tables: write [[route]]"))
        return Routing()
    services = _services(tables, monitor)
    known = sorted(RouteBlock.model_fields)
    routes = []
    for i, given in enumerate(written):
        key = f"route[{i}]"
        try:
            read = RouteBlock.model_validate(given)
        except ValidationError as error:
            faults += explained(error, file, key, known)
            continue
        if read.receiver not in there:
            others = f"there are {', '.join(there)}" if there else "there is no [receivers.NAME]"
            faults.append(Fault(file, f"{key}.receiver", f"no such receiver; {others}"))
        elif read.to and _read_by_many(tables["receivers"][read.receiver]):
            faults.append(Fault(file, f"{key}.to", f"{read.receiver} has one place for all: leave `to` out"))
        elif not read.to and _mails_nobody(tables["receivers"][read.receiver]):
            faults.append(Fault(file, f"{key}.to", f"is missing: {read.receiver} is mail, and has no `to` of its own"))
        hours = _hours(read, services, file, key, faults)
        faults += _of_teams(read, teams, written_teams, file, key)
        routes.append(_route(read, hours))
    return Routing(tuple(routes), tuple(teams))


def _read_by_many(block: Any) -> bool:
    """Whether this [receivers.NAME] cannot reach one recipient alone; of a kind that there is not, that is told elsewhere."""
    try:
        return not getattr(load("receivers", block["kind"]), "personal", False)
    except (LookupError, ImportError, TypeError):
        return False


def _mails_nobody(block: Any) -> bool:
    """Whether what names no recipient reaches nobody by this [receivers.NAME]."""
    return isinstance(block, dict) and block.get("kind") == "email" and not block.get("to")


def _services(tables: Mapping[str, Any], monitor: Monitor) -> dict[str, ServiceHours | None]:
    """The calendars there are; None for one that cannot be read, which is told elsewhere."""
    promises = tables.get("promises")
    given = promises.get("calendars") if isinstance(promises, dict) else None
    calendar = Calendar(monitor.timezone, country=monitor.country)
    found: dict[str, ServiceHours | None] = {}
    for name, block in given.items() if isinstance(given, dict) else ():
        try:
            found[name] = service_of(calendar, HoursBlock.model_validate(block))
        except ValidationError:
            found[name] = None
    return found


def _hours(
    read: RouteBlock, services: Mapping[str, ServiceHours | None], file: str, key: str, faults: list[Fault]
) -> Hours | None:
    word = "during" if read.during is not None else "outside"
    name = read.during if read.during is not None else read.outside
    if name is None:
        return None
    if name not in services:
        there = f"there are {', '.join(services)}" if services else "there is no [promises.calendars.NAME]"
        faults.append(Fault(file, f"{key}.{word}", f"no such calendar; {there}"))
        return None
    service = services[name]
    if service and word == "outside" and service.always:
        faults.append(Fault(file, f"{key}.outside", f"{name} never closes: nothing would ever be told"))
        return None
    return Outside(service) if service and word == "outside" else service


def _of_teams(read: RouteBlock, teams: Sequence[Team], given: Collection[str], file: str, key: str) -> list[Fault]:
    """What the route asks of teams that they do not have. given: the names of all that are written, readable or not."""
    there = f"there are {', '.join(given)}" if given else "there is no [teams.NAME]"
    found = [
        Fault(file, f"{key}.teams", f"no team {name!r}; {there}") for name in read.teams or () if name not in given
    ]
    asked = {word for word in (TEAM, LEAD) if word in read.to}
    if asked and not given:
        found += [Fault(file, f"{key}.to", f"{word}: {there}") for word in sorted(asked)]
    for team in (team for team in teams if not read.teams or team.name in read.teams):
        if TEAM in asked and not team.members:
            found.append(Fault(file, f"teams.{team.name}.members", f"is missing: {key} tells them"))
        if LEAD in asked and not team.lead:
            found.append(Fault(file, f"teams.{team.name}.lead", f"is missing: {key} tells them"))
    return found


def _route(read: RouteBlock, hours: Hours | None) -> Route:
    return Route(
        read.receiver, read.words, tuple(dict.fromkeys(read.to)), frozenset(read.products or ()),
        frozenset(read.channels or ()), frozenset(read.segments), frozenset(read.teams or ()), Severity(read.severity),
        frozenset(read.news), hours, read.after, tuple(sorted(map(time.fromisoformat, read.at))),
    )  # fmt: skip
