"""What goes wrong and when: failures that strike a product through a channel, and the demo's timetable of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from monitor.demo.bank import Rows, milliseconds
from monitor.demo.profile import FAILED, REVERSED, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Failure:
    """From `start` up to `end`, this share of the transactions of one pair ends in `status` with `error_code`.

    `status` None is a silence: they never arrive. `slowdown` multiplies the latency of all the pair's transactions,
    struck or not.
    """

    product: str
    channel: str
    start: datetime
    end: datetime
    share: float
    status: str | None = FAILED
    error_code: str | None = None
    slowdown: float = 1.0

    def strike(self, rows: Rows, pairs: Sequence[Pair]) -> Rows:
        """The rows as they look under this failure; whatever lies outside its scope and time is as it was."""
        inside, struck = self._inside(rows, pairs), self.struck(rows, pairs)
        if self.status is None:
            return rows.only(~struck)
        status, error_code = rows.status.copy(), rows.error_code.copy()
        status[struck], error_code[struck] = self.status, self.error_code
        return replace(
            rows,
            status=status,
            error_code=error_code,
            latency_ms=np.where(inside, rows.latency_ms * self.slowdown, rows.latency_ms),
        )

    def struck(self, rows: Rows, pairs: Sequence[Pair]) -> NDArray[np.bool_]:
        """Which rows it spoils or swallows."""
        return self._inside(rows, pairs) & (rows.chance < self.share)

    def _inside(self, rows: Rows, pairs: Sequence[Pair]) -> NDArray[np.bool_]:
        scope = np.array([(pair.product, pair.channel) == (self.product, self.channel) for pair in pairs])
        inside: NDArray[np.bool_] = (
            scope[rows.pair] & (rows.at >= milliseconds(self.start)) & (rows.at < milliseconds(self.end))
        )
        return inside


SOON = timedelta(seconds=10)
EVERY = timedelta(minutes=15)
LASTS = timedelta(minutes=8)
HALF = 30


def first_failure(started: datetime) -> datetime:
    """Soon after the start, and early enough in a minute that this minute shows it: two bad minutes tell a failure from a blip."""
    if started.second < HALF:
        return started + SOON
    return started.replace(second=0, microsecond=0) + timedelta(minutes=1)


def timetable(started: datetime, since: datetime, until: datetime) -> Iterator[Failure]:
    """The failures between `since` and `until`: the first soon after the feed `started`, then another each `EVERY`."""
    first = first_failure(started)
    turn = max(0, (since - first) // EVERY)
    while (begin := first + turn * EVERY) < until:
        end = begin + LASTS
        yield (
            Failure("pagos", "conexion_directa", begin, end, 0.7, FAILED, "E504", slowdown=6.0),
            Failure("recaudos", "conexion_directa", begin, end, 1.0, None),
            Failure("tarjetas", "sucursal_digital", begin, end, 0.4, REVERSED, "V91"),
        )[turn % 3]
        turn += 1
