"""Three corporate clients who come up in the tests, and a builder of what they do. All of them are made up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from alerts import Client, Holding, TheirCase
from connectors.roles import ROLES

DAWN = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
"""Midnight in Bogotá of an ordinary Tuesday."""


def at(clock: str, *, day: int = 0) -> datetime:
    """The moment when Bogotá's clocks show it, such as "10:05" or "10:05:30", `day` days after the Tuesday."""
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    return DAWN + timedelta(days=day, hours=hours, minutes=minutes, seconds=(seconds or [0])[0])


def minute(clock: str, *, day: int = 0) -> int:
    """The same as a minute since the epoch."""
    return int(at(clock, day=day).timestamp() // 60)


@dataclass(frozen=True)
class Character:
    """A client with a portfolio: the products held, each through some channels."""

    nit: str
    name: str
    segment: str
    value_rank: int
    products: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def client(self) -> Client:
        """As the bank knows it."""
        return Client(self.nit, self.name, self.segment, self.value_rank, sensitivity=0.5)

    @property
    def holdings(self) -> list[Holding]:
        """What they hold."""
        return [Holding(self.nit, product, channel) for product, channel in self.products]

    def sends(self, clock: str | datetime, product: str = "", channel: str = "", **told: Any) -> dict[str, Any]:
        """One row of a transaction, on the first of their products unless another is named."""
        first = self.products[0]
        time = at(clock) if isinstance(clock, str) else clock
        return {
            "timestamp": time,
            "client_id": self.nit,
            "product": product or first[0],
            "channel": channel or first[1],
        } | told

    def reports(self, clock: str, **told: Any) -> TheirCase:
        """Their own case, told and opened at the same time unless said otherwise."""
        opened = at(clock)
        words: dict[str, Any] = {
            "case_id": f"C-{clock}",
            "source": "mesa",
            "reported_by": "client",
            "reported_at": opened,
        }
        return TheirCase(client_id=self.nit, opened_at=opened, **words | told)


EVERYTHING = tuple((product, channel) for product in ("pagos", "recaudos", "nomina") for channel in ("web", "h2h"))
ACEROS = Character("900100200", "Aceros del Istmo", "corporativo", 1, EVERYTHING)
TEXTILES = Character("900300400", "Textiles La Cumbre", "empresarial", 40, (("pagos", "web"), ("recaudos", "web")))
CAFE = Character("900500600", "Café Sierra Alta", "pyme", 900, (("pagos", "web"),))
CAST = (ACEROS, TEXTILES, CAFE)

BLANK: dict[str, Any] = {
    "product": "pagos",
    "channel": "web",
    "client_id": "",
    "status": "ok",
    "error_code": "",
    "latency_ms": None,
    "amount": Decimal(0),
    "count": 1,
    "id": "",
}


def transactions(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Rows of the role, in order of arrival; what a row does not tell is as in BLANK."""
    return pa.Table.from_pylist([BLANK | row for row in rows], schema=ROLES["transactions"])


def every_minute(start: str, end: str, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows again in each minute of [start, end), whatever their own time is."""
    minutes = range(int((at(end) - at(start)) / timedelta(minutes=1)))
    return [row | {"timestamp": at(start) + timedelta(minutes=m)} for m in minutes for row in rows]
