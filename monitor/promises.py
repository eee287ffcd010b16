"""[promises] and [[promise]] of the configuration: what the bank has promised, on which hours of service."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from alerts.promises import Promise, Promises, folded
from monitor.blocks import Block, Monitor
from monitor.business import ServiceHours
from monitor.calendar import Calendar
from monitor.faults import Fault, explained

_HOURS = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_DAY = timedelta(days=1)
LONGEST = 10_000
"""Hours or days that a promise may be long: what is longer is a slip of the pen."""


def _hours(text: str) -> str:
    if not _HOURS.fullmatch(text):
        raise ValueError("must be hours of the day such as 08:00-18:00")
    opens, closes = _minutes(text)
    if not opens < closes <= 24 * 60:
        raise ValueError("must open before it closes, within one day, as in 08:00-18:00")
    return text


def _minutes(text: str) -> tuple[int, int]:
    opens, closes = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    return opens, closes


def _words(words: list[str]) -> list[str]:
    if not words or not all(word.strip() for word in words):
        raise ValueError("must name something; without the key, it asks nothing")
    return words


Words = Annotated[list[str], AfterValidator(_words)]


class HoursBlock(Block):
    """[promises.calendars.NAME]: hours of the bank's day, on business days or on all of them."""

    hours: Annotated[str, AfterValidator(_hours)] = "00:00-24:00"
    days: Literal["business", "all"] = "business"


class PromisesBlock(Block):
    """[promises]. waiting: the tools' statuses in which the bank waits for the client; at_risk: share of a promise gone."""

    calendars: dict[str, HoursBlock] = Field(default_factory=dict)
    waiting: list[str] = Field(default_factory=list)
    at_risk: float = Field(default=0.8, gt=0, le=1)


class PromiseBlock(Block):
    """[[promise]]: hours or days of its calendar's service; of cases of these words; for those opened from `from` through `until`."""

    calendar: str
    hours: float | None = Field(default=None, gt=0, le=LONGEST)
    days: float | None = Field(default=None, gt=0, le=LONGEST)
    products: Words | None = None
    channels: Words | None = None
    kinds: Words | None = None
    typologies: Words | None = None
    segments: Words | None = None
    priority_from: int = Field(default=0, ge=0, le=100)
    from_: date | None = Field(default=None, alias="from")
    until: date | None = None

    @model_validator(mode="after")
    def _is_one_length_and_some_time(self) -> Self:
        if (self.hours is None) == (self.days is None):
            raise ValueError("give exactly one of hours and days")
        if self.from_ and self.until and self.until < self.from_:
            raise ValueError("until must not be before `from`")
        return self


_CONDITIONS = {
    "product": "products", "channel": "channels", "kind": "kinds", "typology": "typologies", "segment": "segments",
}  # fmt: skip


def read_promises(tables: Mapping[str, Any], monitor: Monitor, file: str, faults: list[Fault]) -> Promises:
    """What the configuration promises; what is wrong with it goes to `faults`."""
    try:
        block = PromisesBlock.model_validate(tables.get("promises", {}))
    except ValidationError as error:
        faults += explained(error, file, "promises", sorted(PromisesBlock.model_fields))
        block = None
    given = tables.get("promise", [])
    if not isinstance(given, list):
        faults.append(Fault(file, "promise", "must be a list of tables: write [[promise]]"))
        given = []
    calendar = Calendar(monitor.timezone, country=monitor.country)
    services = {name: service_of(calendar, hours) for name, hours in (block.calendars if block else {}).items()}
    known = sorted(field.alias or name for name, field in PromiseBlock.model_fields.items())
    found: list[tuple[int, Promise]] = []
    for i, written in enumerate(given):
        key = f"promise[{i}]"
        try:
            read = PromiseBlock.model_validate(written)
        except ValidationError as error:
            faults += explained(error, file, key, known)
            continue
        if read.calendar in services:
            found.append((i, _promise(read, services[read.calendar], calendar)))
        elif block:  # else its calendars could not be read, which is told
            there = f"there are {', '.join(services)}" if services else "there is no [promises.calendars.NAME]"
            faults.append(Fault(file, f"{key}.calendar", f"no such calendar; {there}"))
    faults += _doubtful(found, file)
    return Promises(
        tuple(promise for _, promise in found),
        frozenset(map(folded, block.waiting)) if block else frozenset(),
        block.at_risk if block else PromisesBlock().at_risk,
    )


def service_of(calendar: Calendar, block: HoursBlock) -> ServiceHours:
    """The hours of a calendar."""
    opens, closes = _minutes(block.hours)
    return ServiceHours(calendar, opens=opens, closes=closes, business_days=block.days == "business")


def _promise(block: PromiseBlock, service: ServiceHours, calendar: Calendar) -> Promise:
    def midnight(day: date | None) -> datetime | None:
        return datetime.combine(day, time(), calendar.zone) if day else None

    words = {name: getattr(block, key) for name, key in _CONDITIONS.items()}
    return Promise(
        length=timedelta(hours=block.hours) if block.hours is not None else service.day * (block.days or 0),
        service=service,
        where={name: frozenset(map(folded, named)) for name, named in words.items() if named},
        priority_from=block.priority_from,
        start=midnight(block.from_),
        until=midnight(block.until + _DAY if block.until else None),
    )


def _doubtful(found: Sequence[tuple[int, Promise]], file: str) -> list[Fault]:
    """Promises between which nothing decides: of the same cases, as closely said, in force at the same time."""
    return [
        Fault(file, f"promise[{i}]", f"is of cases that promise[{j}] is of too, at the same time: which one holds?")
        for n, (i, one) in enumerate(found)
        for j, other in found[:n]
        if one.rank == other.rank
        and all(one.where[name] & other.where[name] for name in one.where)
        and (one.start is None or other.until is None or one.start < other.until)
        and (other.start is None or one.until is None or other.start < one.until)
    ]
