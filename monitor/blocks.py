"""The blocks of config.toml and of the rule files, as frozen models: keys, types and defaults."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from alerts.causes import Escalating
from alerts.recurrence import MONTH
from monitor.kinds import Duration
from rules import DIMENSIONS, Way
from rules.expression import ExpressionError, parse

MINUTE = timedelta(minutes=1)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}; write it as America/Bogota") from None
    return name


def _whole_minutes(length: timedelta) -> timedelta:
    if length < MINUTE or length % MINUTE:
        raise ValueError("must be a whole number of minutes, at least 1m")
    return length


def _host(text: str, example: str = "127.0.0.1:8080") -> str:
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]+", port):
        raise ValueError(f"must be host:port, such as {example}")
    if int(port) > 65535:  # noqa: PLR2004 - the last port
        raise ValueError(f"the port must be 1 to 65535, as in {example}")
    return host


def _address(text: str) -> str:
    _host(text)
    return text


def _board(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^\s?#]+", text):
        raise ValueError("must be the board's address, such as https://vigia.banco.example")
    return text.rstrip("/")


def _here(text: str) -> str:
    if _host(text, "127.0.0.1:8090") not in ("127.0.0.1", "localhost"):
        raise ValueError("the simulated bank stays on this machine: listen on 127.0.0.1")
    return text


def _where(text: str) -> str:
    try:
        parse(text, DIMENSIONS)
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return text


def _database(text: str) -> str:
    if not re.match(r"sqlite:///.|postgresql\+psycopg://.", text):
        raise ValueError("must be sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME")
    return text


def _word_or_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a text or a number")  # noqa: TRY004 - pydantic takes a TypeError for a bug
    return value


Zone = Annotated[str, AfterValidator(_zone)]
Minutes = Annotated[Duration, AfterValidator(_whole_minutes)]


class Block(BaseModel):
    """Keys that are not named here are refused, and nothing is turned into what it is not."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True)


class Monitor(Block):
    """[monitor]: how the daemon lives.

    hold: how long late or repeated rows may still correct a closed minute. false_alarms_per_week: what chance may raise in the whole
    bank, shared by the rules that take a `budget` and say none of their own. address: where people reach the board, for links in
    messages ('': by `listen`).
    """

    timezone: Zone = "America/Bogota"
    country: str = Field(default="CO", pattern="^[A-Z]{2}$")
    database: Annotated[str, AfterValidator(_database)] = Field(default="sqlite:///var/vigia.db", repr=False)
    window: Minutes = MINUTE
    lateness: Duration = timedelta(seconds=10)
    hold: Minutes = timedelta(hours=1)
    patience: Minutes = timedelta(minutes=2)
    rules: list[str] | None = None
    false_alarms_per_week: float = Field(default=0.5, gt=0, allow_inf_nan=False)
    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:8080"
    address: Annotated[str, AfterValidator(_board)] = ""


class SourceBlock(Block):
    """[sources.NAME], but for the options of its kind.

    time_format: how times are written, as `strptime` has it (none: ISO 8601, or counted from 1970); decimal: what stands before the
    decimals; of "," dots are between thousands.
    """

    role: Literal["transactions", "metrics", "cases", "clients", "holdings", "stories"]
    kind: str
    columns: dict[str, str] = {}
    defaults: dict[str, Annotated[Any, AfterValidator(_word_or_number)]] = {}
    status: dict[str, list[str]] = {}
    timezone: Zone | None = None
    client_form: Literal["nit", "nit_dv"] | None = None
    time_format: str = ""
    decimal: Literal[".", ","] = "."
    every: Duration = timedelta(seconds=10)
    start: Duration = timedelta(days=30)


class DeskBlock(Block):
    """[desks.NAME], but for the options of its kind.

    products: whose cases it takes (none: all that no other takes). per_hour: how many may be opened there within any sixty minutes.
    """

    kind: str
    products: list[str] = []
    per_hour: int | None = Field(default=None, ge=1)


class ReceiverBlock(Block):
    """[receivers.NAME], but for the options of its kind.

    language: of what is sent there (None: that of [words]). per_hour: how many messages one recipient gets within any sixty minutes; the
    rest is summarised.
    """

    kind: str
    language: Literal["es", "en"] | None = None
    per_hour: int = Field(default=60, ge=1)


class BoardBlock(Block):
    """[boards.NAME], but for the options of its kind.

    every: how often what has changed is pushed; start: how far back what was detected is told of (what is open always is); client_names:
    whether clients' names go with their numbers.
    """

    kind: str
    every: Minutes = MINUTE
    start: Duration = timedelta(days=30)
    client_names: bool = False


class Words(Block):
    """[words]: how messages read. templates, guides: folders of the bank's own, whose files go before the shipped ones of the same name."""

    language: Literal["es", "en"] = "es"
    templates: str = ""
    guides: str = ""


class Heartbeat(Block):
    """[heartbeat]: an address that is asked every so often while all is well; who listens there raises the alarm when it is not."""

    url: str = Field(pattern="^https?://.", repr=False)
    every: Duration = MINUTE


class RuleBlock(Block):
    """[[rule]], but for the options of its kind."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    kind: str
    by: list[Literal["product", "channel", "client_id", "series"]] = ["product", "channel"]
    where: Annotated[str, AfterValidator(_where)] = ""
    window: Minutes | None = None
    for_: Duration = Field(default=timedelta(0), alias="for")
    keep_firing_for: Duration = timedelta(minutes=20)
    min_total: int = Field(default=0, ge=0)
    severity: Literal["minor", "major", "critical"] = "major"
    guide: str = ""


class Retention(Block):
    """[retention]: how long what is kept. clients: what touches single clients (impacts, decisions, their cases)."""

    cells: Duration = timedelta(days=35)
    incidents: Duration = timedelta(days=730)
    clients: Duration = timedelta(days=400)
    outbox: Duration = timedelta(days=90)


class Portfolio(Block):
    """[portfolio]: the weights of a client's priority, and from how many failed and missing transactions on a case is opened.

    products: how critical each is; ways: how bad each way to be hurt is, where it differs from what is shipped (both 0..1).
    open_from: by segment, or `default` for the others (none: 1).
    """

    segment: float = Field(default=0.34, ge=0)
    impact: float = Field(default=0.26, ge=0)
    value: float = Field(default=0.08, ge=0)
    sensitivity: float = Field(default=0.08, ge=0)
    criticality: float = Field(default=0.06, ge=0)
    typology: float = Field(default=0.18, ge=0)
    products: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    ways: dict[Way, Annotated[float, Field(ge=0, le=1)]] = {}
    open_from: dict[Literal["corporativo", "empresarial", "pyme", "default"], Annotated[int, Field(ge=1)]] = {}

    @model_validator(mode="after")
    def _weighs_something(self) -> Self:
        if not any((self.segment, self.impact, self.value, self.sensitivity, self.criticality, self.typology)):
            raise ValueError("at least one weight must be more than 0")
        return self


class Causes(Block):
    """[causes]: a cause that returns so many times within a period is escalated as a root-cause case.

    owners: by product or channel, the address of who answers for it; recurrence: within how long what a client has again is a repetition.
    """

    returns: int = Field(default=3, ge=2)
    period: Minutes = MONTH
    recurrence: Minutes = MONTH
    owners: dict[str, Annotated[str, Field(min_length=1)]] = {}
    claims_chief: str = ""

    @property
    def escalating(self) -> Escalating:
        """As the book of causes has it."""
        return Escalating(**self.model_dump())


class Demo(Block):
    """[demo]: `vigia run` starts the simulated bank, which writes its payments to this database.

    cases: where its case tool listens; without it there is none.
    """

    database: str
    cases: Annotated[str, AfterValidator(_here)] | None = None


DEMO_SECRETS = {"VIGIA_DEMO_TOKEN": "vigia-demo-token"}
"""What the environment need not say where there is a [demo]: the token of its case tool, which guards invented cases."""
