"""What the API answers with on clients: the rows of `monitor.portrait`, typed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from monitor.web.shapes import Case, Doubt, Impact, Incident, Severity, State, Way, Words

Clock = Annotated[
    Literal["running", "paused", "at_risk", "breached", "met", ""],
    Field(description="How the promise of the case stands; empty where nothing is promised."),
]


class Client(BaseModel):
    """A client as the bank knows it."""

    client_id: str
    name: str
    segment: str
    value_rank: int | None
    sensitivity: float | None
    post_sale: str
    substitute: str
    manager: str
    group_id: str
    sector: str


class Mark(BaseModel):
    """Where impacts cross on a client. products: hit on several at this moment; month: by several incidents within 30 days."""

    mark: Literal["products", "month"]
    products: list[str]
    incidents: list[str]
    dates: Annotated[list[datetime], Field(description="When these incidents began.")]


class Reached(BaseModel):
    """How open incidents touch a client: affected, or else exposed; empty where none does."""

    touch: Literal["affected", "exposed", ""]
    priority: Annotated[int, Field(description="The highest of these touches, 0 to 100.")]
    products: list[str]
    incidents: list[str]


class ClientTouched(Client, Reached):
    """A client, how they are touched now, and where impacts cross on them."""

    marks: list[Mark]


class Relative(Reached):
    """Another client of the group."""

    client_id: str
    name: str
    segment: str


class Group(BaseModel):
    """The economic group. size: how many others are in it; touched: those of them whom an open incident touches."""

    size: int
    touched: list[Relative]


HoldingState = Annotated[
    Literal["con fallas", "expuesto", "sin datos", "sano"],
    Field(description="Their own fail; it fails around them; nobody can tell (never told as well); it is well."),
]


class Holding(BaseModel):
    """A product that the client holds, perhaps through one channel, and how it is now."""

    client_id: str
    product: str
    channel: str
    since: datetime | None
    until: datetime | None
    held: Annotated[
        bool, Field(description="False: the bank has not told that they hold it, but it touches them, or they use it.")
    ]
    state: HoldingState
    why: Annotated[
        Literal["stale", "unwatched", "undecided", ""],
        Field(description="Of sin datos: nothing was judged lately, no rule has seen it, or the rules cannot tell."),
    ]


class TheirCase(BaseModel):
    """A case in one of the bank's tools, and how its promise stands."""

    case_id: str
    source: str
    client_id: str
    product: str
    channel: str
    kind: str
    status: str
    reported_by: str
    opened_at: datetime
    reported_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    updated_at: datetime | None
    subject: str
    typology: str
    level: Words
    returns: int
    reopened: int
    open: bool
    incident_id: Annotated[str, Field(description="The incident that it is tied to; empty where to none.")]
    clock: Clock
    due_at: datetime | None


class Clocked(Case):
    """A decision, and how the promise of its case stands."""

    clock: Clock
    due_at: datetime | None


class Again(BaseModel):
    """What affected the client more than once within 30 days: the same product, or the same error on it."""

    same: Literal["product", "error"]
    product: str
    error: Annotated[str, Field(description="The code that the failures share, or else how it hurts; empty: product.")]
    times: int
    dates: list[datetime]
    incidents: list[str]


class Past(BaseModel):
    """An incident that affected the client, and what it did to them alone."""

    id: str
    product: str
    channel: str
    series: str
    kind: Way
    ways: list[Way]
    severity: Severity
    state: State
    started_at: datetime
    detected_at: datetime
    ended_at: datetime | None
    minutes: int
    still_failing: Annotated[bool, Field(description="Closed by hand while its rules are in alert: it is not over.")]
    error: Annotated[str, Field(description="The error code that its failures share; empty where none.")]
    products: list[str]
    failures: int
    missing: int
    amount: Decimal
    first_failure_at: datetime | None
    action: Annotated[Literal["open", "link", "none", ""], Field(description="What was decided on their case.")]
    opened_at: datetime | None
    client_reported_at: datetime | None
    lead_seconds: Annotated[int | None, Field(description="Positive: we were first; negative: the client was.")]


class IncidentOfClient(Incident):
    """An open incident that touches the client, and how, product by product."""

    touches: list[Impact]


class ClientWhole(Client):
    """A client across all that they hold, and their last 90 days."""

    state: HoldingState
    judged_at: Annotated[datetime | None, Field(description="Until when the rules have judged.")]
    marks: list[Mark]
    holdings: list[Holding]
    incidents: list[IncidentOfClient]
    cases: list[Clocked]
    their_cases: list[TheirCase]
    recurrences: list[Again]
    group: Group
    doubts: Annotated[list[Doubt], Field(description="What incidents of the last 90 days left in doubt.")]
    history: list[Past]
