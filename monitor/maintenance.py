"""Declared maintenance: what is in breach there and then is no news, and is nobody's normal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

import numpy as np
from numpy.typing import NDArray

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
