"""[losses] of the configuration: what a client is expected to be compensated, and how probably they claim."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from alerts.losses import Losses
from monitor.blocks import Block
from rules import Way

Segment = Literal["corporativo", "empresarial", "pyme", "default"]


class LossesBlock(Block):
    """[losses]: `amounts` by typology (failed, reversed, duplicated, ...) and segment, in whole pesos a client; `claims` by segment, 0..1.

    `default` is every segment that is not named. What is not named at all counts for nothing, and is told.
    """

    amounts: dict[Way, dict[Segment, Annotated[int, Field(ge=0)]]] = Field(default_factory=dict)
    claims: dict[Segment, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)

    @property
    def losses(self) -> Losses:
        """As figures are made from it."""
        amounts = {way: {str(s): Decimal(pesos) for s, pesos in by.items()} for way, by in self.amounts.items()}
        return Losses(amounts, {str(s): Decimal(str(chance)) for s, chance in self.claims.items()})
