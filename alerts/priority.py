"""Priority of a client in an incident, 0 to 100: objective terms, each kept beside the number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log10

from alerts import Client, Impact, Touch

SEGMENTS: Mapping[str, float] = {"corporativo": 1.0, "empresarial": 0.6, "pyme": 0.3}


@dataclass(frozen=True, slots=True)
class Weights:
    """The share of each term; they need not add up to one. `criticality` is by product, 0..1 (a product not named: 0.5)."""

    segment: float = 0.30
    impact: float = 0.30
    value: float = 0.15
    sensitivity: float = 0.10
    criticality: float = 0.15
    products: Mapping[str, float] | None = None


def ranked(impact: Impact, client: Client | None, weights: Weights) -> Impact:
    """The impact with its priority and the terms that make it, each already weighted (points of 100)."""
    client = client or Client(impact.client_id)
    hit = impact.failures + impact.missing
    terms = {
        "segment": weights.segment * SEGMENTS.get(client.segment.lower(), 0.3),
        "impact": weights.impact * (min(1.0, 0.25 + log10(1 + hit) / 4) if impact.touch is Touch.AFFECTED else 0.0),
        "value": weights.value
        * (1 / (1 + log10(client.value_rank)) if client.value_rank and client.value_rank > 0 else 0.3),
        "sensitivity": weights.sensitivity
        * (0.5 if client.sensitivity is None else min(max(client.sensitivity, 0.0), 1.0)),
        "criticality": weights.criticality * (weights.products or {}).get(impact.product, 0.5),
    }
    whole = weights.segment + weights.impact + weights.value + weights.sensitivity + weights.criticality
    points = {name: 100 * term / whole for name, term in terms.items()}
    return replace(
        impact, priority=round(sum(points.values())), terms=tuple((name, round(p, 1)) for name, p in points.items())
    )
