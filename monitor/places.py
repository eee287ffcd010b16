"""Which products, channels and segments stand in metrics by their own name: whatever number the data bring, Prometheus gets few."""

from __future__ import annotations

from alerts.priority import SEGMENTS

MOST = 200
"""Places (product and channel), and products, that are told apart."""
LONGEST = 64
"""Letters of a name; what is longer is nobody's product."""
OTHER = "other"
_REMEMBERED = 10_000
"""Places beyond those that are counted one by one; the gauge says no more."""


class Places:
    """First come, first served, for as long as the process lives: a series never changes its name."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: set[tuple[str, str]] = set()
        self._products: set[str] = set()
        self._beyond: set[tuple[str, str]] = set()

    @property
    def beyond(self) -> int:
        """How many places are counted as `other`."""
        return len(self._beyond)

    def place(self, product: str, channel: str) -> tuple[str, str]:
        """The labels of a place."""
        place = (product, channel)
        if place in self._known:
            return place
        if len(self._known) < self._most and max(len(product), len(channel)) <= LONGEST:
            self._known.add(place)
            return place
        if len(self._beyond) < _REMEMBERED:
            self._beyond.add(place)
        return OTHER, OTHER

    def product(self, product: str) -> str:
        """The label of a product by itself."""
        if product not in self._products and len(self._products) < self._most and len(product) <= LONGEST:
            self._products.add(product)
        return product if product in self._products else OTHER


def segment(name: str) -> str:
    """The label of a client's segment: one of the three, `other`, or '' where it is not known."""
    lowered = name.strip().lower()
    return lowered if not lowered or lowered in SEGMENTS else OTHER
