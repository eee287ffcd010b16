"""What must raise nothing: blips, declared maintenance, clients who leave or join, pay-days and holidays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from monitor.demo.bank import EPOCH, milliseconds
from monitor.demo.clients import Client
from monitor.demo.failures import Failure
from monitor.demo.profile import BOGOTA, FAILED, Pair, Profile

LEAVERS, TOLD = 4, 2
"""Clients who leave in a month, and how many of them the bank is told about."""
BLIPS, MAINTENANCES = 3, 3
"""A day; a month."""


@dataclass(frozen=True, slots=True)
class Harmless:
    """Something that happened and is no failure; `client`: position in the bank's list."""

    kind: str
    start: datetime
    end: datetime
    product: str = ""
    channel: str = ""
    client: int | None = None


def comings_and_goings(
    clients: Sequence[Client], busy: set[int], start: datetime, days: int, seed: int
) -> tuple[tuple[Client, ...], frozenset[int]]:
    """The clients with their times of leaving and joining, and which of those who leave are told by `until`.

    busy: who sends batches, and stays.
    """
    rng = np.random.default_rng([seed, 3])
    count = max(1, round(LEAVERS * days / 30))
    ranks = [i for i in range(10, len(clients) // 2) if i not in busy]
    chosen = rng.choice(ranks, count + 1, replace=False).tolist()
    made = list(clients)
    for i in chosen[:count]:
        evening = start + timedelta(days=int(rng.integers(days // 3, days)), hours=float(rng.uniform(18, 22)))
        made[i] = replace(made[i], gone=milliseconds(evening))
    morning = start + timedelta(days=int(rng.integers(days // 3, days)), hours=float(rng.uniform(6, 9)))
    made[chosen[count]] = replace(made[chosen[count]], came=milliseconds(morning))
    return tuple(made), frozenset(chosen[: count * TOLD // LEAVERS])


def maintenances(pairs: Sequence[Pair], start: datetime, days: int, rng: np.random.Generator) -> list[Failure]:
    """Work that was declared before: a pair or a channel silent or failing, at night or on a Sunday."""
    found = []
    for _ in range(max(1, round(MAINTENANCES * days / 30))):
        pair = pairs[int(rng.integers(len(pairs)))]
        day, hour = int(rng.integers(1, max(days, 2))), float(rng.uniform(0.5, 4))
        if (start + timedelta(days=day)).weekday() == 6:  # noqa: PLR2004 - Sunday
            hour = float(rng.uniform(0.5, 20))
        begin = (start + timedelta(days=day, hours=hour)).replace(second=0, microsecond=0)
        end = begin + timedelta(minutes=int(rng.integers(30, 91)))
        status = None if rng.random() < 0.5 else FAILED  # noqa: PLR2004 - half of them
        product = "" if rng.random() < 0.3 else pair.product  # noqa: PLR2004 - some are of a channel
        found.append(Failure(product, pair.channel, begin, end, 1.0, status, "E503", kind="maintenance"))
    return found


def blip(pairs: Sequence[Pair], begin: datetime, rng: np.random.Generator) -> Failure:
    """A pair fails for less than a minute, wherever the minute begins."""
    weight = np.array([pair.per_day**0.5 for pair in pairs])
    pair = pairs[int(rng.choice(len(pairs), p=weight / weight.sum()))]
    end = begin + timedelta(seconds=float(rng.uniform(20, 60)))
    return Failure(
        pair.product, pair.channel, begin, end, float(rng.uniform(0.3, 1)), FAILED, ("E504", None)[int(rng.integers(2))],
        kind="blip",
    )  # fmt: skip


def calm(
    profile: Profile, clients: Sequence[Client], done: Sequence[Failure], start: datetime, days: int
) -> list[Harmless]:
    """All that must raise nothing, by time."""
    found = [Harmless(f.kind, f.start, f.end, f.product, f.channel) for f in done]
    for day in range(days):
        begin = start + timedelta(days=day)
        number = (milliseconds(begin.astimezone(BOGOTA)) - 5 * 3_600_000) // 86_400_000
        if profile.payday(number):
            found.append(Harmless("payday", begin, begin + timedelta(days=1)))
        if begin.weekday() < 5 and not profile.calendar.business(begin.date()):  # noqa: PLR2004 - not a Saturday
            found.append(Harmless("holiday", begin, begin + timedelta(days=1)))
    end = start + timedelta(days=days)
    for i, client in enumerate(clients):
        if client.came:
            found.append(Harmless("joins", EPOCH + timedelta(milliseconds=client.came), end, client=i))
        if client.gone < milliseconds(end):
            found.append(Harmless("leaves", EPOCH + timedelta(milliseconds=client.gone), end, client=i))
    return sorted(found, key=lambda one: one.start)
