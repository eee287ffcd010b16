"""Priority of a client in an incident, 0 to 100: objective terms, each kept beside the number. When it came in is none of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from math import log10

from alerts import Client, Impact, Touch
from rules import Way

SEGMENTS: Mapping[str, float] = {"corporativo": 1.0, "empresarial": 0.6, "pyme": 0.3}
NO_SEGMENT = 0.3
"""A segment that is not known stands with the smallest: it is nobody's way to the front."""
TYPOLOGY: Mapping[Way, float] = {
    "failed": 1.0, "missing": 1.0, "reversed": 1.0, "duplicated": 1.0,
    "pending": 0.7, "rejected": 0.5, "value": 0.5, "other": 0.5, "slow": 0.3,
}  # fmt: skip
"""How bad each way is in which a client is hurt, 0..1: money that did not move or moved twice, may still move, was refused, was slow."""
_TERMS = ("segment", "impact", "value", "sensitivity", "criticality", "typology")


@dataclass(frozen=True)
class Weights:
    """The weight of each term; they need not add up to one.

    products: how critical each is, 0..1 (one not named: 0.5). ways: how bad each is, 0..1, where it differs from TYPOLOGY.
    points: what each term gives at most, of 100. version: a digest of all that makes the number, written down beside it.
    """

    segment: float = 0.34
    impact: float = 0.26
    value: float = 0.08
    sensitivity: float = 0.08
    criticality: float = 0.06
    typology: float = 0.18
    products: Mapping[str, float] | None = None
    ways: Mapping[Way, float] | None = None
    points: Mapping[str, float] = field(init=False, repr=False)
    version: str = field(init=False)

    def __post_init__(self) -> None:
        top = max(getattr(self, name) for name in _TERMS)  # first, so that no sum is too large for a float
        shares = {name: getattr(self, name) / top for name in _TERMS}
        whole = sum(shares.values())
        object.__setattr__(self, "points", {name: 100 * share / whole for name, share in shares.items()})
        object.__setattr__(self, "ways", {**TYPOLOGY, **(self.ways or {})})
        object.__setattr__(self, "version", "")
        said = {k: v for k, v in asdict(self).items() if k != "version"} | {"segments": [dict(SEGMENTS), NO_SEGMENT]}
        object.__setattr__(self, "version", sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:8])

    def worst(self, ways: Collection[Way]) -> float:
        """How bad the worst of these ways is, 0..1; 0.5 if none is known."""
        known = self.ways or TYPOLOGY
        return max((known.get(way, 0.5) for way in ways), default=0.5)


def ranked(impact: Impact, client: Client | None, ways: Collection[Way], weights: Weights) -> Impact:
    """The impact with its priority, the terms that make it, in points of 100, and the version of the weights.

    ways: the incident's. Who is only exposed has not been hurt in any of them: no points for impact nor typology.
    """
    client = client or Client(impact.client_id)
    hit, affected = impact.failures + impact.missing, impact.touch is Touch.AFFECTED
    rank, sensitivity = client.value_rank, client.sensitivity
    terms = {
        "segment": SEGMENTS.get(client.segment.lower(), NO_SEGMENT),
        "impact": min(1.0, 0.25 + log10(1 + hit) / 4) if affected else 0.0,
        "value": 1 / (1 + log10(rank)) if rank and rank > 0 else 0.3,
        "sensitivity": 0.5 if sensitivity is None else min(max(sensitivity, 0.0), 1.0),
        "criticality": (weights.products or {}).get(impact.product, 0.5),
        "typology": weights.worst(ways) if affected else 0.0,
    }
    points = {name: weights.points[name] * term for name, term in terms.items()}
    return replace(
        impact,
        priority=round(sum(points.values())),
        terms=tuple((name, round(p, 1)) for name, p in points.items()),
        weights=weights.version,
    )
