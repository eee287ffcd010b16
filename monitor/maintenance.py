"""Declared maintenance: what is in breach there and then is no news, and is nobody's normal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, ValidationError

from monitor.blocks import Block
from monitor.faults import Fault, explained
from rules import Frame, Scope


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


def maintained(declared: Sequence[Maintenance], frame: Frame, minutes: int) -> NDArray[np.bool_]:
    """Which windows of a frame, `minutes` long, have any minute in maintenance of their scope."""
    found = np.zeros(len(frame.minute), bool)
    for one in declared:
        if one.first < frame.end and one.last > frame.start - minutes:
            inside = np.array([one.holds(scope) for scope in frame.scopes], bool)[frame.series]
            found |= inside & (frame.minute >= one.first) & (frame.minute - minutes < one.last)
    return found


_DAY = 10
"""Signs of a day without its hour."""


def _moment(value: Any) -> datetime:
    if isinstance(value, str) and len(value) > _DAY:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    if not isinstance(value, datetime):
        raise ValueError("must be a time, such as 2026-03-03T22:00 or 2026-03-03T22:00-05:00")  # noqa: TRY004 - as elsewhere
    return value


class MaintenanceBlock(Block):
    """[[maintenance]]: times without an offset are in the bank's zone."""

    product: str | None = Field(default=None, min_length=1)
    channel: str | None = Field(default=None, min_length=1)
    from_: Annotated[datetime, BeforeValidator(_moment)] = Field(alias="from")
    until: Annotated[datetime, BeforeValidator(_moment)]


def read_maintenance(given: Any, zone: str, file: str, faults: list[Fault]) -> tuple[Maintenance, ...]:
    """What is declared in the configuration; what is wrong with it goes to `faults`."""
    if not isinstance(given, list):
        faults.append(Fault(file, "maintenance", "must be a list of tables: write [[maintenance]]"))
        return ()
    known = [field.alias or name for name, field in MaintenanceBlock.model_fields.items()]
    found = []
    for i, written in enumerate(given):
        key = f"maintenance[{i}]"
        try:
            block = MaintenanceBlock.model_validate(written)
        except ValidationError as error:
            faults += explained(error, file, key, known)
            continue
        start, until = (
            time if time.tzinfo else time.replace(tzinfo=ZoneInfo(zone)) for time in (block.from_, block.until)
        )
        if until <= start:
            faults.append(Fault(file, f"{key}.until", "must be after `from`"))
        found.append(Maintenance(start, until, block.product or "", block.channel or ""))
    return tuple(found)
