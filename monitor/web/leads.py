"""/api/v1/leads: who was reached first and who was not, what was anticipated, what that was worth."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from alerts.losses import Losses
from monitor import leading
from monitor.standing import Row
from monitor.store import Store
from monitor.web.shapes import Time

Miss = Literal["before", "soon", "undetected", "unnamed", "budget", "few", "no_desk", "held", "withdrawn", "linked"]


class Figure(BaseModel):
    """A number with its formula, in Spanish; null where there is nothing to count."""

    name: str
    unit: Literal["share", "seconds", "clients"]
    value: float | None
    many: Annotated[int, Field(description="How many were counted: of a share, the numerator.")]
    of: Annotated[int, Field(description="Among how many: of a share, the denominator.")]
    formula: str


class Group(BaseModel):
    """Lead in one segment or product, or of those whose cases say who reported."""

    segment: str | None = None
    product: Annotated[str | None, Field(description="Empty: several at once.")] = None
    reported_by: Annotated[str | None, Field(description="unsaid: the tool does not say; monitor is never here.")] = (
        None
    )
    affected: int
    reported: int
    first: int
    share: float | None
    in_time: Annotated[int, Field(description="Reported 5 minutes or more after their first failure.")]
    first_in_time: int
    silent: Annotated[int, Field(description="Never reported: in no rate.")]
    lead_seconds: int | None
    misses: dict[Miss, int]


class Term(BaseModel):
    """What clients of one segment add to the losses kept from them in failures of one kind."""

    way: str
    segment: str
    clients: int
    amount: Annotated[Decimal, Field(description="Compensation expected a client.")]
    chance: Annotated[Decimal, Field(description="That a client who finds out alone claims.")]
    value: Decimal


class Avoided(BaseModel):
    """Pérdidas evitadas; null where [losses] is not configured."""

    value: Decimal | None
    formula: str
    clients: Annotated[int, Field(description="Reached first.")]
    unpriced: Annotated[int, Field(description="Of them, those for whom no amount or chance is configured.")]
    terms: list[Term]


class Missed(BaseModel):
    """A client who reported before we had reached them, and the first reason that fits."""

    incident_id: str
    client_id: str
    client: str
    segment: str
    product: str
    reason: Miss
    reported_by: str
    first_failure_at: datetime | None
    detected_at: datetime
    named_at: datetime | None
    case_at: datetime | None
    informed_at: datetime | None
    reported_at: datetime
    lead_seconds: int | None


class Leads(BaseModel):
    """Over the incidents detected in [since, until). affected: clients, once an incident."""

    since: datetime | None
    until: datetime | None
    affected: int
    figures: list[Figure]
    misses: dict[Miss, int]
    by_segment: list[Group]
    by_product: list[Group]
    by_reported_by: list[Group]
    losses: Avoided
    missed: list[Missed]


When = Annotated[Time | None, Query(description="Of an incident's detection, with its offset.")]


def routes(store: Store, losses: Losses) -> APIRouter:
    """The figures of lead, over a store."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/leads", response_model=Leads, response_model_exclude_unset=True, tags=["leads"])
    def leads(since: When = None, until: When = None) -> Row:
        """Who was reached first, who not and why, each figure with its formula."""
        return leading.leads(store, losses, since=since, until=until)

    return router
