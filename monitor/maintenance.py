"""Declared maintenance: what is in breach there and then is no news, and is nobody's normal."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, ValidationError

from monitor.blocks import Block, Minutes
from monitor.faults import Fault, explained
from monitor.kinds import YEARS
from rules import Frame, Scope

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger


@dataclass(frozen=True, slots=True)
class Maintenance:
    """[start, until) on a product, a channel or both; on the whole bank where neither is named."""

    start: datetime
    until: datetime
    product: str = ""
    channel: str = ""

    @property
    def first(self) -> int:
        """The first minute that any of it lies in, in minutes since the epoch."""
        return int(self.start.timestamp() // 60)

    @property
    def last(self) -> int:
        """The last one."""
        return ceil(self.until.timestamp() / 60) - 1

    def holds(self, scope: Scope) -> bool:
        """Whether the scope lies inside; a wider one does not."""
        return self.product in ("", scope.product) and self.channel in ("", scope.channel)

    def within(self, start: int, end: int) -> list[Maintenance]:
        """Itself, if any of it may lie in [start, end), in minutes since the epoch."""
        return [self] if self.first < end and self.last >= start else []


@dataclass(frozen=True, slots=True)
class Recurring:
    """Each time that the cron line says in the zone, for so long; between `since` and `until`, where they are given.

    What would begin in an hour that the clocks leave out begins an hour later by them; one that they have twice is all of it.
    """

    cron: str
    lasts: timedelta
    zone: str
    product: str = ""
    channel: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def within(self, start: int, end: int) -> list[Maintenance]:
        """Each time of it that lies, wholly or in part, in [start, end), in order; what overlaps is one."""
        first, last = start * 60 - int(self.lasts.total_seconds()), end * 60
        times = [
            t for day in range(first // _SECONDS, last // _SECONDS + 1) for t in _starts(self.cron, self.zone, day)
        ]
        found: list[Maintenance] = []
        for begin in times:
            time = max(begin, self.since or begin)
            over = min(begin + self.lasts, self.until or begin + self.lasts)
            if time < over and found and time <= found[-1].until:
                found[-1] = Maintenance(found[-1].start, max(found[-1].until, over), self.product, self.channel)
            elif time < over:
                found.append(Maintenance(time, over, self.product, self.channel))
        return [one for one in found if one.within(start, end)]


Declared = Maintenance | Recurring
LONGEST = timedelta(days=31)
"""So long may one time of a cron line be at most."""
_SECONDS = 86400


def cron_trigger(line: str, zone: str) -> CronTrigger:
    """What a cron line of five fields means in a zone; ValueError says what is wrong with it, or that it never comes."""
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - commands that only look need none of it

    fields = line.split()
    if len(fields) == _FIELDS and any(sign.isdigit() for sign in fields[-1]):
        raise ValueError("write the weekday as a name, such as SUN: tools disagree on which one 0 is")
    trigger = CronTrigger.from_crontab(line, timezone=ZoneInfo(zone))
    if trigger.get_next_fire_time(None, _SOME_TIME) is None:
        raise ValueError("never comes")
    return trigger


_FIELDS = 5
_SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)


_trigger = lru_cache(maxsize=256)(cron_trigger)


@lru_cache(maxsize=4096)
def _starts(line: str, zone: str, day: int) -> tuple[datetime, ...]:
    """When it begins in a UTC day (since the epoch): the days do not depend on each other, however the time is cut."""
    # The trigger goes by a clock that is never set: one of the zone's own passes over a whole day that begins in an hour left out.
    clock, begin = ZoneInfo(zone), datetime.fromtimestamp(day * _SECONDS, UTC)
    end = begin + timedelta(days=1)
    trigger, found = _trigger(line, "UTC"), set[datetime]()
    shown = begin.astimezone(clock).replace(tzinfo=UTC) - _SET
    last = end.astimezone(clock).replace(tzinfo=UTC) + _SET
    while (fire := trigger.get_next_fire_time(None, shown)) and fire < last:
        found |= {at for at in _times(fire.replace(tzinfo=None), clock) if begin <= at < end}
        shown = fire + timedelta(seconds=1)
    return tuple(sorted(found))


_SET = timedelta(hours=3)
"""By so much a clock is set at most at one time."""


def _times(shown: datetime, clock: ZoneInfo) -> set[datetime]:
    """When the clock shows this; if it never does, when it would have, had it not been set."""
    both = {shown.replace(tzinfo=clock, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return {at for at in both if at.astimezone(clock).replace(tzinfo=None) == shown} or {max(both)}


def maintained(declared: Sequence[Declared], frame: Frame, minutes: int) -> NDArray[np.bool_]:
    """Which windows of a frame, `minutes` long, have any minute in maintenance of their scope."""
    found = np.zeros(len(frame.minute), bool)
    for one in (one for each in declared for one in each.within(frame.start - minutes, frame.end)):
        inside = np.array([one.holds(scope) for scope in frame.scopes], bool)[frame.series]
        found |= inside & (frame.minute >= one.first) & (frame.minute - minutes < one.last)
    return found


_DAY = 10
"""Signs of a day without its hour."""


def _moment(value: Any) -> datetime:
    if isinstance(value, str) and len(value) > _DAY:
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if not isinstance(value, datetime) or value.year not in YEARS:
        raise ValueError("must be a time, such as 2026-03-03T22:00 or 2026-03-03T22:00-05:00")
    return value


class MaintenanceBlock(Block):
    """[[maintenance]]: once, from `from` to `until`, or by `cron`, for as long as it `lasts`, between them where they are given.

    Times without an offset, and the cron line, are in the bank's zone.
    """

    product: str | None = Field(default=None, min_length=1)
    channel: str | None = Field(default=None, min_length=1)
    from_: Annotated[datetime, BeforeValidator(_moment)] | None = Field(default=None, alias="from")
    until: Annotated[datetime, BeforeValidator(_moment)] | None = None
    cron: str | None = None
    lasts: Minutes | None = None


def read_maintenance(given: Any, zone: str, file: str, faults: list[Fault]) -> tuple[Declared, ...]:
    """What is declared in the configuration; what is wrong with it goes to `faults`."""
    if not isinstance(given, list):
        faults.append(Fault(file, "maintenance", "must be a list of tables: write [[maintenance]]"))
        return ()
    known = [field.alias or name for name, field in MaintenanceBlock.model_fields.items()]
    found: list[Declared] = []
    for i, written in enumerate(given):
        key = f"maintenance[{i}]"
        needed = () if not isinstance(written, dict) else ("lasts",) if "cron" in written else ("from", "until")
        missing = [Fault(file, f"{key}.{name}", "is missing") for name in needed if name not in written]
        try:
            block = MaintenanceBlock.model_validate(written)
        except ValidationError as error:
            faults += [*explained(error, file, key, known), *missing]
            continue
        faults += missing
        start, until = (
            time.replace(tzinfo=ZoneInfo(zone)) if time and not time.tzinfo else time
            for time in (block.from_, block.until)
        )
        if start and until and until <= start:
            faults.append(Fault(file, f"{key}.until", "must be after `from`"))
        where = (block.product or "", block.channel or "")
        if block.cron is not None:
            try:
                cron_trigger(block.cron, zone)
            except ValueError as error:
                faults.append(Fault(file, f"{key}.cron", f"{error}: write it as 0 2 * * SUN"))
                continue
            if block.lasts and block.lasts > LONGEST:
                faults.append(Fault(file, f"{key}.lasts", "must be 31d at most"))
            found.append(Recurring(block.cron, block.lasts or timedelta(0), zone, *where, start, until))
        elif block.lasts:
            faults.append(Fault(file, f"{key}.lasts", "needs a `cron`"))
        elif start and until:
            found.append(Maintenance(start, until, *where))
    return tuple(found)
