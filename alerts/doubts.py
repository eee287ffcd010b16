"""Operations in doubt (operaciones en duda): what an incident left pending, reversed or possibly executed twice, by id.

Of an id the newest row wins: what was pending and then told ok or failed is no longer in doubt, and neither is a repetition that
failed or was reversed. A row without an id can be followed by nothing that is told later: of these there is a count alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from alerts import Doubt, Incident
from rules import Scope

SETTLING = {
    "pending": frozenset({"ok", "failed", "rejected", "reversed"}),
    "reversed": frozenset({"ok", "failed", "rejected"}),
    "duplicated": frozenset({"failed", "rejected", "reversed"}),
}
"""By the state of a doubt, the statuses that end it."""


class Told(NamedTuple):
    """One row of an operation: `first` is when it happened (µs since the epoch); id is '' where `n` rows have none."""

    source: str
    id: str
    client_id: str
    product: str
    channel: str
    status: str
    twice: bool
    n: int
    amount: Decimal
    first: int

    @property
    def at(self) -> datetime:
        """When it happened."""
        return datetime.fromtimestamp(self.first / 1e6, UTC)

    @property
    def doubtful(self) -> bool:
        """Whether this row alone leaves it in doubt."""
        return self.twice or self.status in ("pending", "reversed")


def in_doubt(incident: Incident, told: Iterable[Told]) -> Iterator[Doubt]:
    """What the incident left in doubt at its end: told, all rows of its clients' operations since it began, in order of arrival."""
    end = incident.ended_at or incident.resolved_at or incident.started_at
    operations: dict[tuple[str, ...], list[Told]] = {}
    for row in told:
        key = (row.source, row.id) if row.id else ("", "", row.client_id, row.product, row.channel, row.status)
        operations.setdefault(key, []).append(row)
    for rows in operations.values():
        here = [row for row in rows if row.doubtful and incident.started_at <= row.at <= end and _lies(incident, row)]
        if not here:
            continue
        if not here[0].id:
            n, amount = sum(row.n for row in here), sum((row.amount for row in here), Decimal(0))
            yield _doubt(incident, min(here, key=lambda row: row.first), here[0].status, n, amount)
        elif state := _state(rows[-1], twice=any(row.twice for row in here)):
            yield _doubt(incident, min(here, key=lambda row: row.first), state, rows[-1].n, rows[-1].amount)


def settled(doubt: Doubt, newest: Told) -> Doubt:
    """The doubt after more was told of its id."""
    over = newest.status in SETTLING[doubt.state]
    return replace(doubt, settled_at=newest.at if over else None, settled_as=newest.status if over else "")


def _lies(incident: Incident, row: Told) -> bool:
    where = Scope(row.product, row.channel, row.client_id)
    return any(replace(reach, series="").holds(where) for reach in incident.reaches)


def _state(newest: Told, *, twice: bool) -> str:
    if newest.status == "reversed":
        return "reversed"
    if newest.status in ("failed", "rejected"):
        return ""
    return "duplicated" if twice else "pending" if newest.status == "pending" else ""


def _doubt(incident: Incident, row: Told, state: str, n: int, amount: Decimal) -> Doubt:
    return Doubt(
        incident.id, row.client_id, row.product, row.channel, row.id, state, row.source if row.id else "", row.at, amount, n
    )  # fmt: skip
