"""When a month's failures strike, and where: drawn by seed, never two at once, each strong enough to be one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from monitor.demo.bank import MINUTE, Bank, milliseconds
from monitor.demo.draws import Floats
from monitor.demo.failures import Failure
from monitor.demo.harmless import BLIPS, blip, maintenances
from monitor.demo.kinds import KINDS, Kind

EACH = 8
"""Failures of each kind in thirty days."""
APART = timedelta(minutes=45)
"""Between the end of one failure and the start of the next, anywhere in the bank."""
QUIET = timedelta(hours=6)
"""At the beginning, without a failure."""
LEARNING = 8
"""Days before the first failure that only a learnt past can show."""
SETTLING = timedelta(minutes=60)
"""How long the last stuck rows take to end, many of them as failed: what a stuck hour does goes on."""
ALONE = timedelta(minutes=25)
"""Between a blip and anything else: what is detected because of it cannot pass for the detection of a failure."""
TRIES = 600
EVENLY = 1.2
"""The power of what is due by which a time is chosen: systems fail under load, now and then at other times."""
TASTE = 1.5
"""The power of its volume by which a pair is chosen to fail."""
SURE = 2 * 13.8
"""Evidence, in nats, that a drop of volume must come to over its life: twice what makes one who knows all of it sure (1e-6)."""
NEW_CODES = 930


@dataclass
class Schedule:
    """A month's failures, and what only looks like them: blips and declared maintenances."""

    failures: list[Failure] = field(default_factory=list)
    blips: list[Failure] = field(default_factory=list)
    maintenances: list[Failure] = field(default_factory=list)

    @property
    def everything(self) -> list[Failure]:
        """All of it, by time."""
        return sorted([*self.failures, *self.blips, *self.maintenances], key=lambda failure: failure.start)


def schedule(bank: Bank, start: datetime, days: int, *, learning: int = LEARNING) -> Schedule:
    """Draw the month that begins at `start` (a local midnight). What finds no place in it is left out."""
    draw = _Draw(bank, start, days, learning)
    made = Schedule(maintenances=maintenances(bank.profile.pairs, start, days, draw.rng))
    draw.taken += [(failure.start, failure.end) for failure in made.maintenances]
    count = max(1, round(EACH * days / 30))
    hard = [kind for kind in KINDS if kind.learnt or kind.night or kind.least > 12]  # noqa: PLR2004 - the usual least
    rest = [kind for kind in KINDS if kind not in hard]
    turns = [*hard * count, *rest * count]
    for kind in turns[: len(hard) * count] + [
        turns[len(hard) * count + i] for i in draw.rng.permutation(len(rest) * count)
    ]:
        failure = draw.failure(kind)
        if failure:
            made.failures.append(failure)
            draw.taken.append((failure.start, failure.end + (SETTLING if failure.settles else timedelta())))
    made.failures.sort(key=lambda failure: failure.start)
    for day in (day for day in range(days) for _ in range(BLIPS)):
        for _ in range(TRIES):
            begin = start + timedelta(days=day, seconds=float(draw.rng.uniform(0, 86_340)))
            one = blip(bank.profile.pairs, begin, draw.rng)
            if draw.free(one.start, one.end, ALONE):
                made.blips.append(one)
                draw.taken.append((one.start, one.end))
                break
    made.blips.sort(key=lambda failure: failure.start)
    return made


def _evidence(missing: float, share: float) -> float:
    """How far so many missing rows, this share of what was due, tell from none missing (Poisson, in nats)."""
    left = 1 - share
    return missing / share * (share + (left * np.log(left) if left > 0 else 0.0))


class _Draw:
    def __init__(self, bank: Bank, start: datetime, days: int, learning: int) -> None:
        self.bank, self.start, self.end = bank, start, start + timedelta(days=days)
        self.rng = np.random.default_rng([bank.seed, 4])
        self.taken: list[tuple[datetime, datetime]] = []
        self.first = milliseconds(start) // MINUTE
        self.learning = learning * 1440
        minutes = np.arange(self.first, self.first + days * 1440)
        self.volume = bank.volume(minutes)
        self.hour = (minutes - self.first) % 1440 / 60
        self.kinds = bank.profile.kind(minutes)
        self.stays = np.array([not client.came and client.gone >= milliseconds(self.end) for client in bank.clients])
        self.new_codes = 0

    def free(self, start: datetime, end: datetime, apart: timedelta) -> bool:
        return all(end + apart <= a or start >= b + apart for a, b in self.taken)

    def failure(self, kind: Kind) -> Failure | None:
        for _ in range(TRIES):
            failure = self._batch(kind) if kind.reach == "batch" else self._try(kind)
            if failure and self.free(failure.start, failure.end, APART) and failure.end < self.end - QUIET / 6:
                return failure
        return None

    def _try(self, kind: Kind) -> Failure | None:
        scope, due = self._scope(kind)
        weights: Floats = due**EVENLY
        lasts = float(self.rng.uniform(*kind.lasts))
        share = float(self.rng.uniform(*kind.share))
        if kind.name == "night" and self.rng.random() < 0.5:  # noqa: PLR2004 - half of them are total
            share = 1.0
        weights[: QUIET // timedelta(minutes=1)] = 0
        if kind.learnt:
            weights[: self.learning] = 0
        if kind.night:
            weights = np.where((self.hour < 5 - lasts / 60) & (weights > 0), 1.0, 0.0)
        if not weights.sum():
            return None
        minute = int(self.rng.choice(weights.size, p=weights / weights.sum()))
        begin = self.start + timedelta(minutes=minute, milliseconds=int(self.rng.integers(60_000)))
        code = kind.codes[int(self.rng.integers(len(kind.codes)))]
        failure = Failure(
            **scope, start=begin, end=begin + timedelta(minutes=lasts), share=share, status=kind.status,
            error_code=code, slowdown=float(self.rng.uniform(*kind.slowdown)), kind=kind.name, course=kind.course,
            twice=kind.way == "twice", settles=kind.settles,
        )  # fmt: skip
        struck = self._struck(failure)
        if struck < kind.least or (kind.way == "missing" and _evidence(struck, share) < SURE):
            return None
        if code == "":
            self.new_codes += 1
            failure = replace(failure, error_code=f"E{NEW_CODES + self.new_codes}")
        return failure

    def _scope(self, kind: Kind) -> tuple[dict[str, Any], Floats]:
        """Where, and what is due there by minute."""
        pairs, volume = self.bank.profile.pairs, self.volume
        daily = volume.sum(axis=0)
        if kind.reach == "channel":
            channel = ("conexion_directa", "sucursal_digital")[int(self.rng.integers(2))]
            return {"product": "", "channel": channel}, volume[:, [p.channel == channel for p in pairs]].sum(axis=1)
        if kind.reach == "pair":
            pair = int(self.rng.choice(len(pairs), p=daily**TASTE / (daily**TASTE).sum()))
            return {"product": pairs[pair].product, "channel": pairs[pair].channel}, volume[:, pair].copy()
        several = sorted({p.product for p in pairs if sum(q.product == p.product for q in pairs) > 1})
        if kind.reach == "product":
            product = several[int(self.rng.integers(len(several)))]
            return {"product": product, "channel": ""}, volume[:, [p.product == product for p in pairs]].sum(axis=1)
        # A client: the larger, the likelier, as the small ones have too little in an hour to be called a failure.
        due = self.bank.shares.mean(axis=(0, 1)) * daily[:, None]
        weight = np.where(self.stays, due.sum(axis=0), 0) ** 1.2
        client = int(self.rng.choice(weight.size, p=weight / weight.sum()))
        held = {p.product: sum(due[i, client] for i, q in enumerate(pairs) if q.product == p.product) for p in pairs}
        names = [name for name, size in held.items() if size > 0]
        wanted = 2 if kind.reach == "clients_products" else 1
        if len(names) < wanted:
            return {"product": "", "channel": "", "client": client}, np.zeros(len(volume))
        size = np.array([held[name] for name in names]) ** 0.7
        chosen = [names[i] for i in self.rng.choice(len(names), wanted, replace=False, p=size / size.sum())]
        scope = {"product": chosen[0], "channel": "", "client": client, "also": chosen[1] if wanted > 1 else ""}
        return scope, volume[:, [p.product in chosen for p in pairs]].sum(axis=1)

    def _struck(self, failure: Failure) -> float:
        """The rows that it is expected to strike."""
        first = milliseconds(failure.start) // MINUTE
        minutes = np.arange(first, milliseconds(failure.end) // MINUTE)
        if not minutes.size or minutes[-1] >= self.first + len(self.volume):
            return 0.0
        pairs = np.flatnonzero(failure.scope(self.bank.profile.pairs))
        due = self.volume[minutes - self.first][:, pairs]
        if failure.client is not None:
            shares = self.bank.shares.reshape(-1, len(self.bank.clients))[:, failure.client]
            due = due * np.stack([shares[self.bank.units(minutes, np.full(minutes.size, p))] for p in pairs], axis=1)
        return float((due.sum(axis=1) * failure.level(minutes * MINUTE + MINUTE // 2)).sum())

    def _batch(self, kind: Kind) -> Failure | None:
        bank = self.bank
        batch = bank.batches[int(self.rng.integers(len(bank.batches)))]
        day = int(self.rng.integers(0, (self.end - self.start).days))
        local = (self.first - 300) // 1440 + day
        sent = batch.sent(bank.seed, bank.profile, local)
        if not sent.size or day * 1440 < self.learning:
            return None
        begin = self.start + timedelta(minutes=float(sent.min() - self.first))
        lasts = timedelta(minutes=float(self.rng.uniform(*kind.lasts)))
        pair = bank.profile.pairs[batch.pair]
        return Failure(
            pair.product, pair.channel, begin, begin + lasts, 1.0, None, kind=kind.name, client=batch.client,
            batch=batch.key(local), late=lasts if self.rng.random() < 0.6 else None,  # noqa: PLR2004 - most come
        )  # fmt: skip
