"""What a failure does to the transactions that it strikes, and the live demo's timetable of failures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np

from monitor.demo.bank import MINUTE, Rows, joined, milliseconds
from monitor.demo.draws import Floats, Ints
from monitor.demo.profile import FAILED, MONTH, OK, REJECTED, REVERSED, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

Course = Literal["steady", "ramp", "flapping"]
TURN = 2 * MINUTE
"""A flapping failure is on for so long, then off."""
TWIN = 1_000_000_000_000
"""What the id of the second of two executions adds to that of the first."""
KEEP = ""
"""The status of a failure that changes none."""


@dataclass(frozen=True, slots=True)
class Failure:
    """From `start` up to `end`, this share of the transactions in scope ends in `status` with `error_code`.

    An empty `product` or `channel` is every one, `also` a second product, `client` a position in the bank's list. `status`
    None is a silence: they never arrive. `error_code` None: the ordinary codes of that status. `slowdown` multiplies
    the latency of all the transactions in scope, struck or not. `course`: steady; a ramp that reaches `share` at the end; flapping.
    `batch`: the key of the one batch that is struck: at `late` it comes so much later, else not at all. `twice`: they are executed
    a second time, with an id of their own. `settles`: what is left pending ends 20 to 60 minutes later, this share of it well.
    """

    product: str
    channel: str
    start: datetime
    end: datetime
    share: float
    status: str | None = FAILED
    error_code: str | None = None
    slowdown: float = 1.0
    kind: str = ""
    also: str = ""
    client: int | None = None
    course: Course = "steady"
    batch: int | None = None
    late: timedelta | None = None
    twice: bool = False
    settles: float | None = None

    def strike(self, rows: Rows, pairs: Sequence[Pair]) -> Rows:
        """The rows as they look under this failure, by time; whatever lies outside its scope and time is as it was."""
        inside, struck = self.inside(rows, pairs), self.struck(rows, pairs)
        if self.late is not None:
            delay = self.late // timedelta(milliseconds=1)
            return replace(rows, at=np.where(struck, rows.at + delay, rows.at)).by_time()
        if self.status is None:
            return rows.only(~struck)
        status, error_code = rows.status, rows.error_code
        if self.status != KEEP:
            status, error_code = status.copy(), error_code.copy()
            status[struck], error_code[struck] = self.status, self._codes(rows.only(struck))
        latency = np.where(inside, rows.latency_ms * self.slowdown, rows.latency_ms)
        spoilt = replace(rows, status=status, error_code=error_code, latency_ms=latency)
        if self.twice:
            return joined([spoilt, self._again(rows.only(struck))])
        if self.settles is not None:
            return joined([spoilt, self._settled(rows.only(struck))])
        return spoilt

    def struck(self, rows: Rows, pairs: Sequence[Pair]) -> NDArray[np.bool_]:
        """Which rows it spoils, swallows, holds up or doubles."""
        return self.inside(rows, pairs) & (rows.chance < self.level(rows.at))

    def inside(self, rows: Rows, pairs: Sequence[Pair]) -> NDArray[np.bool_]:
        """Which rows lie in its scope and time."""
        if self.batch is not None:
            mine: NDArray[np.bool_] = rows.batch() == self.batch
            return mine
        scope = self.scope(pairs)
        inside: NDArray[np.bool_] = (
            scope[rows.pair] & (rows.at >= milliseconds(self.start)) & (rows.at < milliseconds(self.end))
        )
        return inside if self.client is None else inside & (rows.client == self.client)

    def scope(self, pairs: Sequence[Pair]) -> NDArray[np.bool_]:
        """Which pairs it is about."""
        products = {self.product, self.also} - {""}
        return np.array(
            [(not products or p.product in products) and self.channel in ("", p.channel) for p in pairs], bool
        )

    def level(self, at: Ints) -> Floats:
        """The share that is struck at each time (milliseconds from the epoch)."""
        since = at - milliseconds(self.start)
        if self.course == "ramp":
            rising: Floats = self.share * np.clip(since / (milliseconds(self.end) - milliseconds(self.start)), 0, 1)
            return rising
        if self.course == "flapping":
            return np.where(since // TURN % 2 == 0, self.share, 0.0)
        return np.full(at.shape, self.share)

    def _own(self, rows: Rows) -> Floats:
        """A number in (0, 1) of each struck row, evenly spread: what picked it, stretched."""
        return np.minimum(rows.chance / np.maximum(self.level(rows.at), 1e-9), 1 - 1e-9)

    def _codes(self, rows: Rows) -> NDArray[np.object_] | str | None:
        if self.error_code is not None or self.status is None or self.status not in MONTH.codes:
            return self.error_code
        codes = MONTH.codes[self.status]
        steps = np.cumsum(list(codes.values())) / sum(codes.values())
        found: NDArray[np.object_] = np.array(list(codes), object)[
            np.searchsorted(steps, self._own(rows), side="right")
        ]
        return found

    def _again(self, rows: Rows) -> Rows:
        wait = (1000 + 9000 * self._own(rows)).astype(np.int64)
        return replace(rows, id=rows.id + TWIN, at=rows.at + wait)

    def _settled(self, rows: Rows) -> Rows:
        own = self._own(rows)
        well = own < (self.settles or 0)
        status, code = (np.array(words, object)[well.astype(np.int64)] for words in ((FAILED, OK), ("E599", None)))
        # What picked the end must not say when: the digits after the third do.
        wait = (20 + 40 * (own * 1000 % 1)) * MINUTE
        return replace(rows, at=rows.at + wait.astype(np.int64), status=status, error_code=code)


SOON = timedelta(seconds=10)
ROUND = timedelta(minutes=60)
LASTS = timedelta(minutes=8)
HALF = 30
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TURNS = (
    (0, Failure("pagos", "conexion_directa", EPOCH, EPOCH, 0.7, FAILED, "E504", slowdown=6.0, kind="partial")),
    (2, Failure("tarjetas", "sucursal_digital", EPOCH, EPOCH, 0.5, REVERSED, "V91", kind="reversals")),
    (6, Failure("adquirencia", "conexion_directa", EPOCH, EPOCH, 0.6, REJECTED, "R91", kind="rejections")),
    (22, Failure("recaudos", "conexion_directa", EPOCH, EPOCH, 1.0, None, kind="silence")),
    (34, Failure("", "sucursal_digital", EPOCH, EPOCH, 0.5, FAILED, "E503", slowdown=3.0, kind="channel")),
    (46, Failure("pasarela_pagos", "conexion_directa", EPOCH, EPOCH, 1.0, KEEP, slowdown=6.0, kind="slow")),
)
"""Minutes after the round's beginning, and what then fails for `LASTS`: three kinds in the first ten minutes."""


def first_failure(started: datetime) -> datetime:
    """Soon after the start, and early enough in a minute that this minute shows it: two bad minutes tell a failure from a blip."""
    if started.second < HALF:
        return started + SOON
    return started.replace(second=0, microsecond=0) + timedelta(minutes=1)


def timetable(started: datetime, since: datetime, until: datetime) -> Iterator[Failure]:
    """The failures between `since` and `until`: the first soon after the feed `started`, then round after round."""
    first = first_failure(started)
    turn = max(0, (since - first) // ROUND)
    while (begin := first + turn * ROUND) < until:
        for minutes, failure in TURNS:
            at = begin + timedelta(minutes=minutes)
            if at < until:
                yield replace(failure, start=at, end=at + LASTS)
        turn += 1
