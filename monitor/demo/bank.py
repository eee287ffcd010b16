"""The bank at work: all transactions of a span of time, in columns, a minute the same whichever span asks for it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.special import ndtri

from monitor.demo.batches import DRAWS, batches
from monitor.demo.draws import Floats, Ints, poisson, uniforms
from monitor.demo.profile import BUSINESS, DAY, FAILED, OK, PENDING, REJECTED, REST, REVERSED, UTC_OFFSET, Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from monitor.demo.clients import Client

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = 60_000
SLOW_FAILURE = 4.0
"""A transaction that fails technically mostly waited first: its latency over an ordinary one's."""
NOISE = 0.06
"""Of the logarithm of a product's day, and of a pair's quarter of an hour: what clock and calendar do not explain."""
SWING = 0.2
"""How far the share of what goes wrong swings with the hour: most in the early afternoon."""
LOAD = 0.1
"""The power of its load (of the pair's average) that latency rises by."""
ORDINALS, BATCH_ROWS = 10_000, 1000
"""An id is minute and ordinal; a batch's row: the batch's key and its place. The two ranges are far apart."""
DAYS, QUARTERS, CODES = 100, 104, 7
WAYS = (FAILED, REJECTED, REVERSED, PENDING)


@dataclass(frozen=True, slots=True)
class Rows:
    """Transactions in columns of one length, by time.

    `id`: a transaction's own; `at`: milliseconds from the epoch; `pair`, `client`: positions in the profile's and the bank's
    lists; `amount`: whole pesos; `error_code`: None where there is none; `chance`: each row's own number in (0, 1), unused
    by the bank, by which a failure picks the rows that it strikes.
    """

    id: Ints
    at: Ints
    pair: Ints
    client: Ints
    status: NDArray[np.object_]
    error_code: NDArray[np.object_]
    latency_ms: Floats
    amount: Ints
    chance: Floats

    def __len__(self) -> int:
        return len(self.at)

    def only(self, where: NDArray[np.bool_] | Ints) -> Self:
        """Those rows only, by mask or by position."""
        return replace(self, **{column.name: getattr(self, column.name)[where] for column in fields(self)})

    def by_time(self) -> Self:
        """In order of time; rows of one millisecond stay as they stood."""
        return self.only(np.argsort(self.at, kind="stable"))

    def batch(self) -> Ints:
        """The key of the batch that each row came in, or -1."""
        found: Ints = np.where(self.id < BATCHES_END, self.id // BATCH_ROWS, -1)
        return found


BATCHES_END = 100_000 * 1_000_000
"""Ids below it are of batches' rows: a batch's key is a day (until the year 2243) and a number below a thousand."""


def joined(parts: Sequence[Rows]) -> Rows:
    """All rows of all parts, by time."""
    return Rows(**{c.name: np.concatenate([getattr(part, c.name) for part in parts]) for c in fields(Rows)}).by_time()


class Bank:
    """A profile lived by these clients under one seed."""

    def __init__(self, profile: Profile, clients: Sequence[Client], seed: int) -> None:
        self.profile = profile
        self.clients = clients
        self.seed = seed
        self.batches = batches(clients, profile, seed)
        pairs = profile.pairs
        self._products = np.unique([pair.product for pair in pairs], return_inverse=True)[1]
        self.shares = self._shares()
        # Hour after hour, pair after pair on one line, a unit long each: one search then finds the client of every row.
        steps = np.cumsum(self.shares.reshape(-1, len(clients)), axis=1)
        self._ladder = (steps / steps[:, -1:] + np.arange(len(steps))[:, None]).ravel()
        self._amounts = np.array([(np.log(pair.amount), pair.amount_spread) for pair in pairs])
        self._latencies = np.array([(np.log(pair.latency_ms), pair.latency_spread) for pair in pairs])
        self._risks = np.array([(pair.failed, pair.rejected, pair.reversed) for pair in pairs])
        self._troubles = np.array([client.trouble for client in clients])
        self._came = np.array([client.came for client in clients])
        self._gone = np.array([client.gone for client in clients])

    def _shares(self) -> Floats:
        """By kind of day, hour, pair and client: the client's share of that pair's transactions; their hours differ a little."""
        found = np.zeros((2, 24, len(self.profile.pairs), len(self.clients)))
        middle = np.arange(24) * 60 + 30
        for column, client in enumerate(self.clients):
            held = list(client.holdings)
            for kind in (BUSINESS, REST):
                curves = self.profile.curves[kind, held]
                curves = np.maximum(curves, self.profile.floor * curves.max(axis=1, keepdims=True))
                at = (middle - round(60 * client.shift)) % DAY
                found[kind][:, held, column] = client.size * (curves[:, at] / curves.sum(axis=1, keepdims=True)).T
        shares: Floats = found / found.sum(axis=3, keepdims=True)
        return shares

    def volume(self, minute: Ints) -> Floats:
        """Transactions due, batches apart: one row a minute (counted from the epoch), one column a pair, with the day's whims."""
        local = minute + UTC_OFFSET // timedelta(minutes=1)
        day = np.repeat(local // DAY, len(self._products))
        whole = ndtri(uniforms(self.seed, DAYS, day, np.tile(self._products, minute.size)))
        # Between the middles of two quarters the curve runs straight.
        quarter, part = np.divmod(minute + 7.5, 15.0)
        part = part / 15
        pair = np.tile(np.arange(len(self._products)), minute.size)
        ends = [
            ndtri(uniforms(self.seed, QUARTERS, np.repeat(quarter.astype(np.int64) + k, len(self._products)), pair))
            for k in (0, 1)
        ]
        part = np.repeat(part, len(self._products))
        near = ((1 - part) * ends[0] + part * ends[1]) / np.hypot(part, 1 - part)
        whims = np.exp(NOISE * (whole + near) - NOISE**2).reshape(minute.size, len(self._products))
        found: Floats = self.profile.volume(minute) * whims
        return found

    def units(self, minute: Ints, pair: Ints) -> Ints:
        """Which line of `shares` (kind of day, hour, pair in one) each minute and pair is of."""
        hour = (minute + UTC_OFFSET // timedelta(minutes=1)) % DAY // 60
        found: Ints = (self.profile.kind(minute) * 24 + hour) * len(self._products) + pair
        return found

    def risks(self, minute: Ints, pair: Ints, client: Ints) -> Floats:
        """The true chance of each row to end in each of WAYS, one column a way."""
        hour = (minute + UTC_OFFSET // timedelta(minutes=1)) % DAY / 60
        swing = 1 + SWING * np.cos((hour - 14) / 24 * 2 * np.pi)
        found = np.empty((minute.size, len(WAYS)))
        found[:, :3] = self._risks[pair] * (self._troubles[client] * swing)[:, None]
        found[:, 1] = self._risks[pair, 1] * np.sqrt(self._troubles[client]) * swing  # what is rejected differs less
        found[:, 3] = self.profile.stuck
        return np.minimum(found, 0.5)

    @cached_property
    def _codes(self) -> dict[str, tuple[NDArray[np.object_], Floats]]:
        return {
            status: (np.array(list(codes), object), np.cumsum(list(codes.values())) / sum(codes.values()))
            for status, codes in self.profile.codes.items()
        }

    def rows(self, start: datetime, end: datetime) -> Rows:
        """Everything that happens from `start` up to, not including, `end` (both aware)."""
        first, last = milliseconds(start), milliseconds(end)
        rows = joined([self._singles(np.arange(first // MINUTE, -(-last // MINUTE))), *self.sent(first, last)])
        there = (rows.at >= self._came[rows.client]) & (rows.at < self._gone[rows.client])
        return rows.only((rows.at >= first) & (rows.at < last) & there)

    def _singles(self, minutes: Ints) -> Rows:
        """All rows of whole minutes, batches apart."""
        pairs = len(self.profile.pairs)
        cell = np.arange(minutes.size * pairs)
        volume = self.volume(minutes).ravel()
        counts = poisson(volume, uniforms(self.seed, 0, minutes[cell // pairs], cell % pairs))
        pair = np.repeat(cell % pairs, counts)
        minute = np.repeat(minutes[cell // pairs], counts)
        totals = counts.reshape(-1, pairs).sum(axis=1)
        ordinal = np.arange(pair.size) - np.repeat(np.cumsum(totals) - totals, totals)
        unit = np.repeat(self.units(minutes[cell // pairs], cell % pairs), counts)
        ladder = unit + uniforms(self.seed, 1, minute, ordinal)
        client = np.searchsorted(self._ladder, ladder, side="right") - unit * len(self.clients)
        at = minute * MINUTE + (uniforms(self.seed, 4, minute, ordinal) * MINUTE).astype(np.int64)
        usual = self.profile.curves[BUSINESS].mean(axis=1)
        load = np.repeat(volume / usual[cell % pairs], counts)
        return self._drawn(minute * ORDINALS + ordinal, at, pair, client, load, minute, ordinal, 0)

    def sent(self, first: int, last: int) -> list[Rows]:
        """The rows of the batches that may fall between two times."""
        found = []
        offset = UTC_OFFSET // timedelta(milliseconds=1)
        for day in range((first + offset) // (DAY * MINUTE), (last + offset) // (DAY * MINUTE) + 1):
            for batch in self.batches:
                due = (day * DAY + batch.due) * MINUTE - offset
                if due - 5 * MINUTE > last or due + (batch.minutes + 5) * MINUTE < first:
                    continue
                at = (batch.sent(self.seed, self.profile, day) * MINUTE).astype(np.int64)
                key, ordinal = np.full(at.size, batch.key(day)), np.arange(at.size)
                pair, client = np.full(at.size, batch.pair), np.full(at.size, batch.client)
                load = np.ones(at.size)
                found.append(self._drawn(key * BATCH_ROWS + ordinal, at, pair, client, load, key, ordinal, DRAWS))
        return found

    def _drawn(
        self, ids: Ints, at: Ints, pair: Ints, client: Ints, load: Floats, major: Ints, minor: Ints, more: int
    ) -> Rows:
        """What becomes of rows, drawn by `major` and `minor` from the draws numbered from `more` on."""

        def draw(number: int) -> Floats:
            return uniforms(self.seed, more + number, major, minor)

        risks = np.cumsum(self.risks(at // MINUTE, pair, client), axis=1)
        way = (draw(2)[:, None] >= risks).sum(axis=1)
        status = np.array([*WAYS, OK], object)[way]
        code = np.full(at.size, None, object)
        chance = draw(CODES)
        for number, name in enumerate(WAYS):
            if name in self._codes:
                names, steps = self._codes[name]
                code[way == number] = names[np.searchsorted(steps, chance[way == number], side="right")]
        z = ndtri(draw(3))
        # The slow ones are slower than a lognormal's: the hundredth by half, the thousandth by three times.
        z = z + 0.5 * np.maximum(z - 1.3, 0) ** 2
        latency = np.exp(self._latencies[pair, 0] + self._latencies[pair, 1] * z) * np.maximum(load, 0.05) ** LOAD
        return Rows(
            id=ids,
            at=at,
            pair=pair,
            client=client,
            status=status,
            error_code=code,
            latency_ms=latency * np.where(way == 0, SLOW_FAILURE, 1.0),
            amount=np.exp(self._amounts[pair, 0] + self._amounts[pair, 1] * ndtri(draw(5))).astype(np.int64),
            chance=draw(6),
        )


def milliseconds(moment: datetime) -> int:
    """An aware time as whole milliseconds from the epoch, as `Rows.at` counts them; a part of one is dropped."""
    return (moment - EPOCH) // timedelta(milliseconds=1)
