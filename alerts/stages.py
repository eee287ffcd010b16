"""In which stage a product's cases are: only shown, opened once somebody approves, or opened by themselves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """observe: decided and shown, nothing opened nor linked; approve: opened once an act approves; automatic: opened at once."""

    OBSERVE = "observe"
    APPROVE = "approve"
    AUTOMATIC = "automatic"


_WARY = (Stage.OBSERVE, Stage.APPROVE, Stage.AUTOMATIC)


@dataclass(frozen=True, slots=True)
class Staged:
    """The stage of these products' cases for clients of these segments; what is not named is all of them."""

    stage: Stage
    products: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()

    @property
    def rank(self) -> int:
        """How many conditions it names: the higher holds."""
        return bool(self.products) + bool(self.segments)

    def fits(self, product: str, segment: str) -> bool:
        """Whether it is of such a case."""
        return (not self.products or product in self.products) and (not self.segments or segment in self.segments)

    def meets(self, other: Staged) -> bool:
        """Whether some case is of both."""
        pairs = ((self.products, other.products), (self.segments, other.segments))
        return all(not one or not two or one & two for one, two in pairs)


@dataclass(frozen=True, slots=True)
class Stages:
    """All of them. Where nothing is said, cases are opened by themselves."""

    staged: tuple[Staged, ...] = ()

    def of(self, products: Collection[str], segment: str) -> Stage:
        """Of one case that is about these products: the wariest of theirs."""
        return min((self._of(product, segment.lower()) for product in products or ("",)), key=_WARY.index)

    def _of(self, product: str, segment: str) -> Stage:
        fitting = [staged for staged in self.staged if staged.fits(product, segment)]
        return max(fitting, key=lambda staged: staged.rank).stage if fitting else Stage.AUTOMATIC
