"""What is followed up, as JSON: causes that come back, and service promises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from alerts.causes import Escalating, Measure
from alerts.promises import Promises
from monitor.causes import causes
from monitor.people import Refused
from monitor.sla import standing
from monitor.standing import Row
from monitor.store import Store
from monitor.web.shapes import Time

Share = Annotated[float | None, Field(description="0..1; null where there is nothing to share.")]
Since = Annotated[Time | None, Query(description="With offset; without it, the last period.")]
Until = Annotated[Time | None, Query(description="With offset; without it, now.")]
State = Literal["running", "paused", "at_risk", "breached", "met", ""]


class Escalation(BaseModel):
    """A cause that came back and was escalated as a root-cause case."""

    key: Annotated[str, Field(description="The desk knows the case by it.")]
    cause: str
    first_at: datetime
    last_at: datetime
    returns: int
    escalated_at: datetime
    incidents: list[str]
    owners: Annotated[list[list[str]], Field(description="What each answers for, and their address.")]
    desk: Annotated[str, Field(description="Empty where none takes it.")]


class Cause(BaseModel):
    """A seat, error code and way of incidents, with all that it did."""

    cause: str
    product: str
    channel: str
    client_id: Annotated[str, Field(description="Where it is about one client alone.")]
    series: str
    error_code: str
    kind: str
    newest: Annotated[str, Field(description="Its newest incident.")]
    incidents: int
    clients: int
    again: Annotated[int, Field(description="Clients hit by it more than once.")]
    failures: Annotated[int, Field(description="Transactions that failed, were slow or did not come.")]
    minutes: int
    share: Share
    cumulative: Share
    escalations: list[Escalation]


class Again(BaseModel):
    """A client hit again on a product; error is empty where any counts."""

    client_id: str
    client: str
    product: str
    error: str
    incidents: list[str]
    first_at: datetime
    last_at: datetime
    repeated: int


class CaseRate(BaseModel):
    """Tasa de reincidencia. unknown: cases without client, product or typology, in neither number."""

    cases: int
    repeated: int
    unknown: int
    percent: float | None


class Rates(CaseRate):
    """The same, and of the same typology as well."""

    by_typology: CaseRate


class RateOfProduct(CaseRate):
    """Of one product."""

    product: str


class Causes(BaseModel):
    """The Pareto of a time, the heaviest cause first, and what came again in it."""

    since: datetime
    until: datetime
    by: Measure
    causes: list[Cause]
    same_error: list[Again]
    same_product: list[Again]
    case_rate: Rates
    case_rate_by_product: list[RateOfProduct]


class Promised(BaseModel):
    """The cases of a product. in_time: by our clock, end to end; in_time_by_tool: by the tool's own dates."""

    product: str
    open: int
    at_risk: int
    breached: int
    running: int
    paused: int
    unpromised: Annotated[int, Field(description="Open cases of which nothing is promised.")]
    resolved: int
    resolved_unpromised: int
    in_time: int
    in_time_by_tool: int
    mean_seconds: Annotated[float | None, Field(description="From the client's first word to the solution.")]
    mean_tool_seconds: Annotated[float | None, Field(description="From the tool's opening to the solution.")]


class Urgent(BaseModel):
    """An open case at risk or late."""

    case_id: str
    source: Annotated[str, Field(description="Empty for ours that no tool has told of yet.")]
    client_id: str
    client: str
    segment: str
    product: str
    channel: str
    kind: str
    typology: str
    status: str
    level: str
    returns: int
    reopened: int
    reported_at: Annotated[datetime, Field(description="The client's first word.")]
    opened_at: datetime
    clock: State
    due_at: datetime | None
    spent_seconds: Annotated[float | None, Field(description="Of service.")]
    remaining_seconds: Annotated[float | None, Field(description="Of service; negative once it is late.")]
    tool_clock: State
    end_to_end_seconds: float
    tool_seconds: float


class Sla(BaseModel):
    """How the promises stand: solved cases since then, open ones now."""

    since: datetime
    until: datetime
    products: list[Promised]
    cases: Annotated[list[Urgent], Field(description="The first due first.")]


def routes(store: Store, clock: Callable[[], datetime], escalating: Escalating, promises: Promises) -> APIRouter:
    """/api/v1/causes and /api/v1/sla."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/causes", response_model=Causes, tags=["causes"])
    def of_causes(since: Since = None, until: Until = None, by: Measure = "failures") -> Row:
        """What keeps failing, what was escalated, and who was hit again."""
        now = clock()
        if since and since >= (until or now):
            raise Refused("`since` debe ser anterior a `until`")
        return causes(store, escalating, now, since=since, until=until, by=by)

    @router.get("/sla", response_model=Sla, tags=["sla"])
    def of_promises() -> Row:
        """The service promises of all tools' cases."""
        return standing(store, promises, clock())

    return router
