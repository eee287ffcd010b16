"""The cases of a month: clients who complain of a failure, and those whose case has nothing to do with any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from monitor.demo.bank import EPOCH, Bank, milliseconds
from monitor.demo.kinds import NAMED
from monitor.demo.profile import FAILED, PENDING, REJECTED, REVERSED
from monitor.demo.truth import Truth

A_DAY = 25
"""Cases of a business day that have nothing to do with a failure: the bank's 816 a month."""
REST = 0.2
SUBJECTS = {
    FAILED: "Transacciones fallidas", REJECTED: "Transacciones rechazadas", REVERSED: "Transacciones reversadas",
    PENDING: "Transacciones que quedan en proceso",
}  # fmt: skip
WAYS = {"missing": "Transacciones que no llegan", "slow": "Lentitud", "twice": "Transacciones duplicadas"}
OTHERS = (
    "Certificación",
    "Novedad de matrícula",
    "Cambio de topes",
    "Consulta de extracto",
    "Conciliación",
    "Usuario bloqueado",
)
KINDS = ("soporte", "novedad", "reclamo", "queja")


@dataclass(frozen=True, slots=True)
class Case:
    """One client's case; `client`: position in the bank's list; times in milliseconds from the epoch, `closed` None: open."""

    client: int
    product: str
    channel: str
    kind: str
    reported: int
    opened: int
    closed: int | None
    subject: str
    cause: Truth | None = None


def cases(bank: Bank, truths: Iterable[Truth], start: datetime, days: int) -> list[Case]:
    """All of them, in the order in which they are opened, up to the month's end."""
    end = milliseconds(start + timedelta(days=days))
    found = [case for i, truth in enumerate(truths) for case in _complaints(bank, truth, i)]
    found += _others(bank, start, days)
    return sorted((case for case in found if case.opened < end), key=lambda case: (case.opened, case.client))


def _complaints(bank: Bank, truth: Truth, number: int) -> list[Case]:
    rng = np.random.default_rng([bank.seed, 5, number])
    failure, made = truth.failure, []
    way = NAMED[failure.kind].way
    subject = WAYS.get(way) or SUBJECTS[failure.status or FAILED]
    for client, (first, rows) in sorted(truth.struck.items()):
        large = bank.clients[client].segment == "corporativo"
        chance = (0.21 + 0.27 * np.log10(rows)) * (1.3 if large else 1.0)
        calls, waits, files, names, stays = rng.random(5)
        if calls > min(chance, 0.9):
            continue
        reported = first + int(60_000 * (5 + 55 * waits))
        opened = reported + (int(1_800_000 * (files - 0.5) * 2) if files > 0.5 else 0)  # noqa: PLR2004 - half file at once
        product = failure.product or _held(bank, client, failure.channel, rng)
        closed = opened + int(3_600_000 * np.exp(np.log(8) + 0.9 * (stays - 0.5) * 3))
        made.append(
            Case(
                client, product if names < 0.8 else "", failure.channel, "soporte", reported, opened,  # noqa: PLR2004 - most say
                closed, subject, truth,
            )
        )  # fmt: skip
    return made


def _others(bank: Bank, start: datetime, days: int) -> list[Case]:
    rng = np.random.default_rng([bank.seed, 6])
    size = np.sqrt([client.size for client in bank.clients])
    made = []
    for day in range(days):
        today = start + timedelta(days=day)
        business = bank.profile.calendar.business(today.date())
        for _ in range(int(rng.poisson(1.35 * A_DAY if business else REST * A_DAY))):
            opened = milliseconds(today + timedelta(hours=float(np.clip(rng.normal(12, 3), 6, 21))))
            client = int(rng.choice(size.size, p=size / size.sum()))
            reported = opened - (int(1_800_000 * rng.random()) if rng.random() < 0.5 else 0)  # noqa: PLR2004 - half wrote before
            closed = opened + int(3_600_000 * np.exp(rng.normal(np.log(10), 1.2)))
            kind = KINDS[int(rng.choice(4, p=(0.6, 0.2, 0.12, 0.08)))]
            product = _held(bank, client, "", rng) if rng.random() < 0.8 else ""  # noqa: PLR2004 - most say
            subject = OTHERS[int(rng.integers(len(OTHERS)))]
            made.append(Case(client, product, "", kind, reported, opened, closed, subject))
    return made


def _held(bank: Bank, client: int, channel: str, rng: np.random.Generator) -> str:
    pairs = [bank.profile.pairs[i] for i in bank.clients[client].holdings]
    names: Sequence[str] = sorted({pair.product for pair in pairs if channel in ("", pair.channel)})
    return names[int(rng.integers(len(names)))] if names else ""


def moment(at: int) -> datetime:
    """Milliseconds from the epoch as a time."""
    return EPOCH + timedelta(milliseconds=at)
