"""Pérdidas evitadas: what clients who were reached first could have been owed as compensation. Not the failed amount.

A client reached first counts what a client like them is expected to be compensated for such a failure, times the chance that a client who
finds out alone claims. Amounts and chances are the bank's own, from the configuration; what has none counts for nothing and is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from alerts.leads import Line
from rules import Way

FORMULA = (
    "suma, por cada cliente alcanzado primero (caso abierto o aviso antes de su reporte, o nunca reportó), de"
    " compensación esperada de su tipología y segmento x probabilidad de que reclame un cliente que se entera solo;"
    " no es el monto fallido"
)
OTHERS = "default"
"""The segment that stands for those that are not named."""


@dataclass(frozen=True)
class Losses:
    """What the bank expects. amounts: pesos a client, by way and segment; claims: the chance, 0..1, by segment; OTHERS for the rest."""

    amounts: Mapping[Way, Mapping[str, Decimal]] = field(default_factory=dict)
    claims: Mapping[str, Decimal] = field(default_factory=dict)

    def price(self, way: Way, segment: str) -> tuple[Decimal, Decimal] | None:
        """Amount and chance for such a client; None where one of both is not configured."""
        by_segment = self.amounts.get(way, {})
        amount = by_segment.get(segment, by_segment.get(OTHERS))
        chance = self.claims.get(segment, self.claims.get(OTHERS))
        return None if amount is None or chance is None else (amount, chance)


def avoided(found: Iterable[Line], losses: Losses) -> dict[str, Any]:
    """The value (None: nothing is configured), the terms that it is the sum of, and how many clients have no price."""
    reached = Counter((line.way, line.segment) for line in found if line.first)
    terms: list[dict[str, Any]] = []
    whole, unpriced = Decimal(0), 0
    for (way, segment), clients in sorted(reached.items()):
        price = losses.price(way, segment)
        if price is None:
            unpriced += clients
            continue
        amount, chance = price
        value = (amount * chance * clients).quantize(Decimal("0.01"))
        whole += value
        terms.append(
            {"way": way, "segment": segment, "clients": clients, "amount": amount, "chance": chance, "value": value}
        )
    return {
        "value": whole if losses.amounts and losses.claims else None,
        "formula": FORMULA,
        "clients": sum(reached.values()),
        "unpriced": unpriced,
        "terms": terms,
    }
