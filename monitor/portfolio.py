"""What the bank knows of its clients, and how it wants them served: who holds what, which desk, which weights, which limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from alerts import Client, Holding
from alerts.causes import Escalating
from alerts.priority import Weights
from alerts.reasons import Limits
from alerts.rests import Rests


@dataclass
class Portfolio:
    """What the bank knows of its clients, and which desk takes a product's cases; what rests on what."""

    clients: dict[str, Client] = field(default_factory=dict)
    holdings: list[Holding] = field(default_factory=list)
    desk_of: Callable[[str], str] = lambda product: "local"  # noqa: ARG005 - the default desk takes every product
    weights: Weights = field(default_factory=Weights)
    limits: Limits = field(default_factory=Limits)
    escalating: Escalating = field(default_factory=Escalating)
    rests: Rests = field(default_factory=Rests)
