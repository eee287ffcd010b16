"""What the API answers with: the rows of `monitor.people`, typed, so that its description is of use."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from monitor.kinds import YEARS

Severity = Literal["minor", "major", "critical"]
State = Literal["firing", "resolved", "merged"]
Way = Literal["failed", "rejected", "reversed", "pending", "other", "missing", "slow", "duplicated", "value"]
Words = Annotated[str, Field(description="Empty where there is none.")]
MOST = 2**31 - 1
"""The highest number that a query may ask by."""


def _of_our_time(time: datetime) -> datetime:
    if time.year not in YEARS:
        raise ValueError("debe ser de nuestro tiempo")
    return time


Time = Annotated[AwareDatetime, AfterValidator(_of_our_time), Field(description="With offset.")]


class Scope(BaseModel):
    """Where something holds; an empty dimension is all of it."""

    product: str
    channel: str
    client_id: str
    series: str


class Incident(Scope):
    """An afectación: one cause, from its first bad minute to its last. merged: it went into `parent_id`."""

    id: str
    client: Annotated[str, Field(description="The client's name, where it is about one alone.")]
    kind: Annotated[Way, Field(description="How it hurts, by its first signal.")]
    ways: list[Way]
    severity: Severity
    state: State
    started_at: datetime
    detected_at: datetime
    ended_at: datetime | None
    resolved_at: datetime | None
    reopened_at: Annotated[datetime | None, Field(description="When its closing by hand was last taken back.")]
    minutes: Annotated[int, Field(description="How long it has lasted, or lasted.")]
    rules: list[str]
    value: Annotated[float | None, Field(description="What the first rule saw when it was detected.")]
    expected: float | None
    guide: Words
    shares: Annotated[
        list[list[str | float]],
        Field(description="What its failures have in common: dimension, value, part of them (0..1)."),
    ]
    reach: Annotated[
        list[str], Field(description="How far its alerts reach, in a scope's dimensions; empty is all of it.")
    ]
    symptoms: Annotated[
        list[list[str]],
        Field(description="Where it shows only because that rests on what fails, in a scope's dimensions."),
    ]
    parent_id: Words
    acknowledged_by: Words
    assigned_to: Words
    silenced_until: Annotated[datetime | None, Field(description="Until when nobody is told of it.")]
    resolved_by: Annotated[str, Field(description="Who ended it by hand; empty where it healed.")]
    still_failing: Annotated[bool, Field(description="Closed by hand while its rules are in alert: it is not over.")]
    affected: Annotated[int, Field(description="Clients whose own transactions failed.")]
    exposed: Annotated[int, Field(description="Clients who hold what fails and have not hit it.")]
    priority: Annotated[int, Field(description="The highest of its affected clients, 0 to 100.")]
    cases_opened: int
    cases_linked: int
    cases_left: int


class Alert(Scope):
    """A rule's word. over: it says nothing any more."""

    rule: str
    state: Literal["pending", "firing", "over"]
    since: datetime | None
    last_breach: datetime | None
    incident_id: str | None
    value: float | None
    expected: float | None
    score: float | None


class Impact(BaseModel):
    """What an incident did to a client on one product."""

    incident_id: str
    client_id: str
    product: str
    touch: Literal["affected", "exposed"]
    failures: int
    missing: Annotated[int, Field(description="Transactions that were due and did not come.")]
    amount: Decimal
    first_failure_at: datetime | None
    priority: int
    terms: Annotated[dict[str, float], Field(description="What makes the priority, in points.")]
    weights: Annotated[str, Field(description="The version of the weights that it was made with.")]
    exposed_at: Annotated[datetime | None, Field(description="When first called exposed, before anything had failed.")]
    chance: Annotated[float | None, Field(description="That an exposed client is hit before it is over.")]
    next_use_at: Annotated[datetime | None, Field(description="When an exposed client usually uses it next.")]


class Touched(Impact):
    """The same, with who it is."""

    client: str
    segment: str


class Case(BaseModel):
    """What was decided on a client's case: open a preventive one, link the client's own, or none."""

    key: str
    incident_id: str
    client_id: str
    client: str
    segment: str
    product: str
    action: Literal["open", "link", "none"]
    reason: str
    opened_at: datetime
    priority: int
    desk: Words
    delivery: Literal["due", "sending", "sent", "dead", ""]
    reference: Annotated[str, Field(description="The desk's own number for it.")]
    error: Words
    linked_case_id: Words
    linked_source: Words
    client_reported_at: datetime | None
    confidence: Annotated[float | None, Field(description="How sure it is that the linked case is about this, 0..1.")]
    confirmed_by: Words
    informed_at: Annotated[datetime | None, Field(description="When post-sale told the client.")]
    promoted_at: Annotated[datetime | None, Field(description="When operations made an incidente of it.")]
    withdrawn_at: Annotated[datetime | None, Field(description="When our case was taken back.")]
    approved_by: Annotated[str, Field(description="Who let it be opened, where that was asked for.")]
    undone: Annotated[list[list[str]], Field(description="Cases (tool, number) that somebody said are not about this.")]
    decided_at: Annotated[datetime | None, Field(description="When the client was first found affected.")]
    waited: Annotated[str, Field(description="What the case waited for until opened_at; empty: nothing.")]
    lead_seconds: Annotated[int | None, Field(description="Positive: we were first; negative: the client was.")]


class Act(BaseModel):
    """What a person did."""

    id: int
    incident_id: str
    at: datetime
    who: str
    action: str
    text: str
    case_key: Annotated[str, Field(description="Of one of the incident's cases; empty: of the incident.")]
    about: Annotated[
        str, Field(description="Whom it is assigned to, yes or no, or a silence, maintenance or hand-over.")
    ]
    request_key: Annotated[str, Field(description="The Idempotency-Key that it came with.")]
    door: Annotated[
        str,
        Field(description="By which it came: page, api, cli:USER of the system; empty: Vigía itself, or not known."),
    ]
    hash: Annotated[str, Field(description="Of this act and all before it.")]


class Useful(BaseModel):
    """What a person last said of whether an incident was useful."""

    who: str
    useful: bool
    text: str
    at: datetime


class Doubt(BaseModel):
    """An operation that an incident left in doubt for a client at its end."""

    incident_id: str
    client_id: str
    product: str
    channel: str
    id: Annotated[str, Field(description="As the source has it; empty: so many (n) without one.")]
    state: Literal["pending", "reversed", "duplicated"]
    source: Words
    at: Annotated[datetime, Field(description="When it happened.")]
    amount: Decimal
    n: int
    settled_at: Annotated[
        datetime | None, Field(description="When more was told of it after the end, that settled it.")
    ]
    settled_as: Annotated[Literal["ok", "failed", "rejected", "reversed", ""], Field(description="What it came to.")]


class DoubtOfClient(Doubt):
    """The same, with the client's name."""

    client: str


class Total(BaseModel):
    """How many rows there are in each long list of an incident."""

    affected_clients: int
    exposed_clients: int
    cases: int
    doubts: int


class IncidentWhole(Incident):
    """All of one; `total` tells of the long lists how many rows there are, where an answer has fewer."""

    failing: Annotated[
        list[str],
        Field(description="Products and channels beside its own that fail now: no client is to be sent there."),
    ]
    alerts: list[Alert]
    affected_clients: list[Touched]
    exposed_clients: list[Touched]
    cases: list[Case]
    doubts: list[DoubtOfClient]
    useful: list[Useful]
    acts: list[Act]
    total: Annotated[Total, Field(description="Rows of the long lists that whoever asks may see.")]
    next: Annotated[str | None, Field(description="What to ask for the rows that follow by, as `after`; null: none.")]


class Trouble(BaseModel):
    """Why not, in words."""

    detail: str
