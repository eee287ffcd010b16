"""The bank at work: all transactions of a span of time, in columns, a minute the same whichever span asks for it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.special import ndtri

from monitor.demo.draws import Floats, Ints, poisson, uniforms
from monitor.demo.profile import FAILED, OK, Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from monitor.demo.clients import Client

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SLOW_FAILURE = 4.0
"""A transaction that fails technically mostly waited first: its latency over an ordinary one's."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Transactions in columns of one length, by time.

    `at`: milliseconds from the epoch; `pair`, `client`: positions in the profile's and the bank's lists; `amount`:
    whole pesos; `error_code`: None where there is none; `chance`: each row's own number in (0, 1), unused by the bank,
    by which a failure picks the rows that it strikes.
    """

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


class Bank:
    """A profile lived by these clients under one seed."""

    def __init__(self, profile: Profile, clients: Sequence[Client], seed: int) -> None:
        self.profile = profile
        self.clients = clients
        self.seed = seed
        weight = np.zeros((len(profile.pairs), len(clients)))
        for column, client in enumerate(clients):
            weight[list(client.holdings), column] = client.size
        share = np.cumsum(weight, axis=1) / weight.sum(axis=1, keepdims=True)
        # Pair after pair on one line, a unit long each: one search then finds the client of every row.
        self._ladder = (share + np.arange(len(profile.pairs))[:, None]).ravel()
        self._amounts = np.array([(np.log(pair.amount), pair.amount_spread) for pair in profile.pairs])
        self._latencies = np.array([(np.log(pair.latency_ms), pair.latency_spread) for pair in profile.pairs])
        outcomes = [
            (status, code, profile.shares[status] / len(codes))
            for status in profile.shares
            for codes in [profile.codes.get(status, (None,))]
            for code in codes
        ]
        self._statuses = np.array([*(status for status, _, _ in outcomes), OK], object)
        self._codes = np.array([*(code for _, code, _ in outcomes), None], object)
        self._steps = np.cumsum([share for _, _, share in outcomes])

    def rows(self, start: datetime, end: datetime) -> Rows:
        """Everything that happens from `start` up to, not including, `end` (both aware)."""
        first, last = milliseconds(start), milliseconds(end)
        rows = self._whole(np.arange(first // 60_000, -(-last // 60_000)))
        return rows.only((rows.at >= first) & (rows.at < last))

    def _whole(self, minutes: Ints) -> Rows:
        """All rows of whole minutes, by time."""
        pairs = len(self.profile.pairs)
        cell = np.arange(minutes.size * pairs)
        chance = uniforms(self.seed, 0, minutes[cell // pairs], cell % pairs)
        counts = poisson(self.profile.volume(minutes).ravel(), chance)
        pair = np.repeat(cell % pairs, counts)
        minute = np.repeat(minutes[cell // pairs], counts)
        totals = counts.reshape(-1, pairs).sum(axis=1)
        ordinal = np.arange(pair.size) - np.repeat(np.cumsum(totals) - totals, totals)

        def draw(number: int) -> Floats:
            return uniforms(self.seed, number, minute, ordinal)

        client = np.searchsorted(self._ladder, pair + draw(1), side="right") - pair * len(self.clients)
        outcome = np.searchsorted(self._steps, draw(2), side="right")
        status = self._statuses[outcome]
        latency = np.exp(self._latencies[pair, 0] + self._latencies[pair, 1] * ndtri(draw(3)))
        rows = Rows(
            at=minute * 60_000 + (draw(4) * 60_000).astype(np.int64),
            pair=pair,
            client=client,
            status=status,
            error_code=self._codes[outcome],
            latency_ms=latency * np.where(status == FAILED, SLOW_FAILURE, 1.0),
            amount=np.exp(self._amounts[pair, 0] + self._amounts[pair, 1] * ndtri(draw(5))).astype(np.int64),
            chance=draw(6),
        )
        return rows.only(np.argsort(rows.at, kind="stable"))


def milliseconds(moment: datetime) -> int:
    """An aware time as whole milliseconds from the epoch, as `Rows.at` counts them; a part of one is dropped."""
    return (moment - EPOCH) // timedelta(milliseconds=1)
