"""Who calls: the clients that a failure strikes and who tell the bank, a few minutes later, with a case of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from monitor.demo.bank import Bank, milliseconds
from monitor.demo.draws import uniforms
from monitor.demo.failures import KEEP
from monitor.demo.profile import FAILED, PENDING, REJECTED, REVERSED

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.demo.failures import Failure

CALLERS = 1 / 3
"""How many of those who are struck say so."""
QUICK, AT_ONCE = 2, 20_000
"""The largest few of those struck within so many milliseconds call at once, before anyone can have detected it."""
SUBJECTS = {
    FAILED: "Transacciones fallidas",
    REVERSED: "Transacciones reversadas",
    REJECTED: "Transacciones rechazadas",
    PENDING: "Transacciones que no terminan",
    KEEP: "Transacciones lentas",
    None: "Transacciones que no llegan",
}
CALLS, WAITS, TYPING = 7, 8, 9
"""Draws of one client in one failure: whether they call, how long they wait, how long the case takes to be written."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One client's case. `client`: position in the bank's list; `reported`, `opened`: milliseconds from the epoch."""

    client: int
    failure: Failure
    reported: int
    opened: int


def complaints(bank: Bank, failure: Failure, until: datetime) -> list[Complaint]:
    """The cases of those whom the failure has struck before `until` (aware), the first opened first.

    The same for the same failure and client whenever it is asked, so that a case is written once, at its time: 2 to 9
    minutes after that client's first struck transaction, or 60 to 90 seconds for the `QUICK` ones.
    """
    rows = bank.rows(failure.start, min(failure.end, until))
    struck = rows.only(failure.struck(rows, bank.profile.pairs))
    who, first = np.unique(struck.client, return_index=True)
    minute = np.full(who.size, milliseconds(failure.start) // 60_000)
    calls, waits, typing = (uniforms(bank.seed, number, minute, who) for number in (CALLS, WAITS, TYPING))
    at_once = who[struck.at[first] < milliseconds(failure.start) + AT_ONCE]
    quick = np.isin(who, at_once[:QUICK])  # by position, which is by size; complete before the first of them calls
    opened = struck.at[first] + (1000 * np.where(quick, 60 + 30 * waits, 150 + 390 * waits)).astype(np.int64)
    reported = opened - (1000 * (20 + 10 * typing)).astype(np.int64)
    found = [
        Complaint(int(who[i]), failure, int(reported[i]), int(opened[i]))
        for i in np.flatnonzero(quick | (calls < CALLERS))
    ]
    return sorted(found, key=lambda complaint: (complaint.opened, complaint.client))
