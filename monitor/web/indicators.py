"""/api/v1/indicators: the month's figures for programs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from alerts.losses import Losses
from alerts.promises import Promises
from monitor import indicators as figures
from monitor.people import Refused
from monitor.standing import Row
from monitor.store import Store


class Indicator(BaseModel):
    """One of them; value null where it cannot be known."""

    name: str
    unit: Literal["share", "seconds", "money"]
    value: Annotated[float | Decimal | None, Field(description="A share is of 1.")]
    numerator: float | None
    denominator: Annotated[int | None, Field(description="What it was counted from: cases, clients or stories.")]
    formula: str


class Indicators(BaseModel):
    """Of a month, as far as it has gone."""

    since: datetime
    until: datetime
    indicators: list[Indicator]


Month = Annotated[str, Query(pattern=r"^(\d{4}-\d{2})?$", description="Such as 2026-03; without it, the current one.")]


def routes(
    store: Store, clock: Callable[[], datetime], promises: Promises, losses: Losses, recurrence: timedelta
) -> APIRouter:
    """The indicators, over a store."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/indicators", response_model=Indicators, tags=["indicators"])
    def indicators(month: Month = "") -> Row:
        """Each with its formula, and what it was counted from."""
        try:
            since, until = figures.month_of(clock(), month)
        except ValueError:
            raise Refused(f"{month!r} is no month that has begun, such as 2026-03") from None
        return figures.indicators(store, promises, losses, recurrence, since, until)

    return router
