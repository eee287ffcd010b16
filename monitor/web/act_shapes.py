"""What people's acts come with and answer: bodies of requests, silences, maintenance and the hand-over, typed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from monitor.kinds import Duration
from monitor.web.followed import Urgent
from monitor.web.shapes import Act, Incident, Time, Words

Written = Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")]
Short = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
By = Annotated[Short, Field(description="Who does it; where users are named, the one who asks, whatever stands here.")]
Length = Annotated[Duration, Field(le=timedelta(days=3653))]
Lasts = Annotated[
    Length | None,
    Field(json_schema_extra={"type": "string"}, description="A length of time, such as 2h; ten years at most."),
]
Force = Annotated[bool, Field(description="Also where it is very wide or long; for who administers.")]


class Body(BaseModel):
    """What a request says; a key that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Deed(Body):
    """Something that a person does. to: of `assign`, whom; of `useful`, yes or no; of `attribute`, the case of a tool."""

    by: By = ""
    text: Written = ""
    to: Short = ""


class Done(BaseModel):
    """The incident by its full id, and what is to be known after the act."""

    incident_id: str
    said: Words


class CasesDone(BaseModel):
    """A line a case or, of a whole incident, how many."""

    told: list[str]


class NewSilence(Body):
    """Nobody is told of what matches: until then, or for so long from now."""

    matchers: Annotated[
        dict[Literal["product", "channel", "severity", "kind", "rule", "incident"], Short],
        Field(description="All must hold."),
    ]
    reason: Written
    by: By = ""
    until: Time | None = None
    lasts: Lasts = None
    force: Force = False


class Silence(BaseModel):
    """For a time nobody is told of what matches."""

    id: str
    matchers: dict[str, str]
    reason: str
    author: str
    created_at: datetime
    starts_at: datetime
    until: datetime
    ended_by: Words
    ended_at: datetime | None
    state: Literal["now", "over"]
    silences: Annotated[list[str], Field(description="The open incidents that it keeps quiet.")]


class SilenceOfShift(Silence):
    """The same, and whether it ends within the hour."""

    ends_soon: bool


class NewMaintenance(Body):
    """Once, from then (or now) until then; or each time that a cron line says, in the bank's zone, for so long."""

    product: Short = ""
    channel: Short = ""
    reason: Written
    by: By = ""
    starts_at: Time | None = None
    until: Time | None = None
    cron: Short = ""
    lasts: Lasts = None
    force: Force = False


class Maintenance(BaseModel):
    """What is in breach there and then is no news. id is empty where the configuration declares it."""

    id: Words
    product: str
    channel: str
    cron: Words
    minutes: Annotated[int | None, Field(description="Of each time that the cron line says.")]
    reason: Words
    author: str
    created_at: datetime | None
    starts_at: datetime | None
    until: datetime | None
    ended_by: Words
    ended_at: datetime | None
    state: Literal["now", "to_come", "over"]
    next_from: Annotated[datetime | None, Field(description="Of the time that runs or comes next.")]
    next_until: datetime | None


class MaintenanceOfShift(Maintenance):
    """The same, and whether it ends within the hour."""

    ends_soon: bool


class Named(BaseModel):
    """What was made or ended, by its id."""

    id: str


class Owed(Incident):
    """An open incident, and what is owed of it. uninformed: affected clients of whom nobody has said that they were told."""

    owed: list[Literal["unacknowledged", "unassigned", "unapproved", "uninformed"]]
    uninformed: int
    to_approve: Annotated[
        int, Field(description="Its cases that wait for approval, of those that whoever asks may see.")
    ]


class Dark(BaseModel):
    """A source that does not answer."""

    source: str
    since: Annotated[
        datetime | None, Field(description="Empty where nobody knows: it never answered, or not to what is asked.")
    ]


class Undelivered(BaseModel):
    """Messages to a desk or receiver that wait for longer than they should (due), or were given up (dead)."""

    desk: str
    state: Literal["due", "dead"]
    messages: int
    since: datetime
    error: Words


class Note(Act):
    """A note, and where its incident sits."""

    where: str


class Signed(BaseModel):
    """A hand-over that was signed."""

    id: str
    at: datetime
    author: str
    to: Words


class Handover(BaseModel):
    """Entrega de turno: what the next shift must know."""

    since: datetime
    until: datetime
    open: list[Owed]
    late: Annotated[list[Urgent], Field(description="Cases at risk or late, the first due first.")]
    late_in_all: Annotated[int, Field(description="How many there are; of very many the first alone are in `late`.")]
    silences: list[SilenceOfShift]
    maintenance: list[MaintenanceOfShift]
    sources: list[Dark]
    judged_until: datetime | None
    undelivered: list[Undelivered]
    ended: list[Incident]
    notes: list[Note]
    signed: Signed | None


class Signature(Body):
    """A hand-over is kept as it stands, signed."""

    by: By = ""
    to: Short = ""
    text: Written = ""
    hours: Annotated[float, Field(gt=0, le=168, description="How long the shift was.")] = 8


class SignedWhole(Signed):
    """The same, with the author's words and what stood then."""

    since: datetime
    text: Words
    told: str
