"""Files of payments: clients who send many at once, on business days, at hours of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from monitor.demo.draws import Floats, Ints, uniforms
from monitor.demo.profile import UTC_OFFSET, Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.demo.clients import Client

SENDERS = 30
JITTER = 3
"""Minutes by which a batch comes sooner or later than usual."""
SPREAD = 0.2
"""Share by which it is larger or smaller than usual."""
PAYDAY = 1.6
"""How much larger it is on a pay-day."""
MOST = 1000
"""Batches of a day, at most: a key is made of the day and the number."""
JITTERS, SIZES, PLACES = 101, 102, 103
"""Draws of a batch of a day."""
DRAWS = 110
"""Of the rows of a batch: the bank's own draws, this much further on."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`number`: its own in the bank; `client`, `pair`: positions; `due`: minute of the local day; `rows`, `minutes`: as usual."""

    number: int
    client: int
    pair: int
    due: int
    rows: int
    minutes: int

    def key(self, day: int) -> int:
        """What names this batch of that local day (counted from the epoch)."""
        return day * MOST + self.number

    def sent(self, seed: int, profile: Profile, day: int) -> Floats:
        """When the rows of that day come, in minutes from the epoch; none on a day of rest."""
        midnight = day * 1440 - UTC_OFFSET // timedelta(minutes=1)
        if profile.kind(np.array([midnight]))[0]:
            return np.zeros(0)
        key, own = np.array([self.key(day)]), np.array([0])
        jitter = JITTER * (2 * uniforms(seed, JITTERS, key, own)[0] - 1)
        size = 1 + SPREAD * (2 * uniforms(seed, SIZES, key, own)[0] - 1)
        rows = round(self.rows * size * (PAYDAY if profile.payday(day) else 1))
        ordinals: Ints = np.arange(rows)
        found: Floats = (
            midnight + self.due + jitter + self.minutes * uniforms(seed, PLACES, np.full(rows, key[0]), ordinals)
        )
        return found


def batches(clients: Sequence[Client], profile: Profile, seed: int) -> tuple[Batch, ...]:
    """Who sends what, and when: some of the larger clients, one or two a day, at quarters of an hour."""
    rng = np.random.default_rng([seed, 2])
    direct = [
        i for i, p in enumerate(profile.pairs) if p.channel == "conexion_directa" and p.product in ("pagos", "recaudos")
    ]
    web = [i for i, pair in enumerate(profile.pairs) if (pair.product, pair.channel) == ("pagos", "sucursal_digital")]
    able = [
        i
        for i, c in enumerate(clients)
        if c.segment in ("corporativo", "empresarial") and {*direct, *web} & {*c.holdings}
    ]
    made: list[Batch] = []
    for client in sorted(rng.permutation(able)[:SENDERS].tolist()):
        held = clients[client].holdings
        for _ in range(int(rng.integers(1, 3))):
            mine = [pair for pair in direct if pair in held] or [pair for pair in web if pair in held]
            due = 15 * int(rng.integers(24, 70))  # from six in the morning to half past five
            rows, minutes = int(np.exp(rng.uniform(np.log(30), np.log(200)))), int(rng.integers(2, 7))
            made.append(Batch(len(made), client, int(rng.choice(mine)), due, rows, minutes))
    return tuple(made)
