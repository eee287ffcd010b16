"""Signals in; incidents, the clients they touch, and the decision on each client's case out.

What people call an *afectación* is an `Incident` here. Everything in this package is pure: time comes as an argument, state is
handed in, and what changed is handed back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from rules import Scope, Severity, Spec, Verdict, Way


@dataclass(frozen=True, slots=True)
class Signal:
    """One rule's word on one window: `start` to `at` is the window."""

    spec: Spec
    ways: frozenset[Way]
    scope: Scope
    start: datetime
    at: datetime
    verdict: Verdict
    value: float | None = None
    expected: float | None = None
    score: float | None = None


class AlertState(StrEnum):
    """A rule at a scope: in breach but not for long enough, or firing."""

    PENDING = "pending"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule in breach at a scope: since the start of the first breaching window; last_breach: the end of the newest one."""

    rule: str
    scope: Scope
    state: AlertState
    since: datetime
    last_breach: datetime
    incident_id: str = ""
    value: float | None = None
    expected: float | None = None
    score: float | None = None


class IncidentState(StrEnum):
    """merged: found to be a symptom of another incident (`parent_id`), which goes on for both."""

    FIRING = "firing"
    RESOLVED = "resolved"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Incident:
    """One cause, from its first bad minute (started_at) over its detection to its last bad minute (ended_at) and its end.

    The id is made of scope and first bad minute, so that a rerun meets its own. kind: the worst way in which it hurts;
    ways: all the ways in which it does. resolved_by: who ended it by hand, '' where it healed; reopened_at: when that was last taken
    back. shares: what its failures have in
    common (see `alerts.seat`): dimension, value, part of them. symptoms: where it shows only because that rests on what fails
    (see `alerts.rests`); scope, reach, kind and shares are those of the cause.
    """

    id: str
    scope: Scope
    kind: Way
    severity: Severity
    state: IncidentState
    started_at: datetime
    detected_at: datetime
    rules: tuple[str, ...]
    ways: frozenset[Way]
    ended_at: datetime | None = None
    resolved_at: datetime | None = None
    reopened_at: datetime | None = None
    parent_id: str = ""
    resolved_by: str = ""
    acknowledged_by: str = ""
    assigned_to: str = ""
    guide: str = ""
    value: float | None = None
    expected: float | None = None
    shares: tuple[tuple[str, str, float], ...] = ()
    reach: Scope = field(default_factory=Scope)
    symptoms: tuple[Scope, ...] = ()

    @property
    def reaches(self) -> tuple[Scope, ...]:
        """Everywhere where it may hurt: the cause's reach and its symptoms."""
        return (self.reach, *self.symptoms)


class Touch(StrEnum):
    """affected: their own transactions failed, were slow or did not come; exposed: they hold it and have not hit it yet."""

    AFFECTED = "affected"
    EXPOSED = "exposed"


@dataclass(frozen=True, slots=True)
class Impact:
    """What an incident did to a client on one product. missing: transactions that were due and did not come.

    terms: what makes the priority, in points of 100; weights: the version of the weights that it was made with. exposed_at: when
    the client was first called exposed, before anything failed for them; chance: that they are hit before it is over, as long as
    they are not; next_use_at: when they usually use the product next.
    """

    incident_id: str
    client_id: str
    product: str
    touch: Touch
    failures: int = 0
    missing: int = 0
    amount: Decimal = Decimal(0)
    first_failure_at: datetime | None = None
    priority: int = 0
    terms: tuple[tuple[str, float], ...] = ()
    weights: str = ""
    exposed_at: datetime | None = None
    chance: float | None = None
    next_use_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """A corporate client as the bank knows it."""

    client_id: str
    name: str = ""
    segment: str = ""
    value_rank: int | None = None
    sensitivity: float | None = None
    post_sale: str = ""
    substitute: str = ""
    manager: str = ""
    group_id: str = ""
    sector: str = ""


@dataclass(frozen=True, slots=True)
class Holding:
    """A client holds a product, perhaps through one channel."""

    client_id: str
    product: str
    channel: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class TheirCase:
    """A case in one of the bank's tools, whoever opened it. Known from opened_at on."""

    case_id: str
    source: str
    client_id: str
    opened_at: datetime
    reported_at: datetime
    product: str = ""
    channel: str = ""
    kind: str = ""
    status: str = ""
    reported_by: str = ""
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    updated_at: datetime | None = None
    subject: str = ""
    typology: str = ""
    level: str = ""
    returns: int = 0
    reopened: int = 0

    def open_at(self, time: datetime) -> bool:
        """Whether it is open at that time, by its own dates."""
        ends = [end for end in (self.resolved_at, self.closed_at) if end]
        return self.opened_at <= time and not any(end <= time for end in ends)


class Action(StrEnum):
    """open: we open a preventive case; link: the client's own open case stands for it; none: left alone."""

    OPEN = "open"
    LINK = "link"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for one client in one incident, and how it compared with the client's own report.

    confidence: how sure it is that the linked case is about the incident, 0..1; confirmed_by: who has said so. informed_at: when N1
    told the client; promoted_at: when N2 made an incidente of the soporte; withdrawn_at: when our case was taken back. approved_by: who
    let it be opened; undone: cases (tool, number) that somebody said are not about it: never tied to it again. decided_at: when the
    client was first found affected; waited: what the case waited for until opened_at, '' where it did not.
    """

    key: str
    incident_id: str
    client_id: str
    product: str
    action: Action
    reason: str
    opened_at: datetime
    priority: int = 0
    desk: str = ""
    linked_case_id: str = ""
    client_reported_at: datetime | None = None
    linked_source: str = ""
    confidence: float | None = None
    confirmed_by: str = ""
    informed_at: datetime | None = None
    promoted_at: datetime | None = None
    withdrawn_at: datetime | None = None
    approved_by: str = ""
    undone: tuple[tuple[str, str], ...] = ()
    decided_at: datetime | None = None
    waited: str = ""

    @property
    def lead_seconds(self) -> int | None:
        """By how much we were first; negative where the client was.

        None where nothing was done, or it was taken back before the client spoke: there is no merit in it.
        """
        told = self.client_reported_at
        if told is None or self.action is Action.NONE or (self.withdrawn_at and self.withdrawn_at <= told):
            return None
        return round((told - self.opened_at).total_seconds())


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One incident of a cause. cause: its name, made of seat, error code and way; products: where it hit its clients, the worst first.

    clients: the affected ones; failures: of transactions, with those that are missing; priority: the highest of its clients.
    """

    incident_id: str
    cause: str
    scope: Scope
    code: str
    way: Way
    started_at: datetime
    ended_at: datetime
    clients: frozenset[str] = frozenset()
    failures: int = 0
    priority: int = 0
    products: tuple[str, ...] = ()

    @property
    def minutes(self) -> int:
        """How long it lasted."""
        return max(0, int((self.ended_at - self.started_at).total_seconds() // 60))


@dataclass(frozen=True, slots=True)
class Part:
    """Of a Pareto: a weight, its share of the whole, and that of all up to it (None: there is nothing to share)."""

    weight: int
    share: float | None
    cumulative: float | None


@dataclass(frozen=True, slots=True)
class Escalation:
    """A cause that came back, told to those who answer for it. owners: (what they answer for, address or '').

    first_at: the start of the first of its incidents; last_at: the end of the newest; returns: how many there are, with those that came
    after it was escalated. desk: '' where none takes it.
    """

    key: str
    cause: str
    first_at: datetime
    last_at: datetime
    returns: int
    escalated_at: datetime
    incidents: tuple[str, ...]
    owners: tuple[tuple[str, str], ...]
    desk: str


@dataclass(frozen=True, slots=True)
class Escalated:
    """An escalation at its moment, with its evidence: found, the incidents that make it one; causes, the Pareto of the period by failures.

    causes: of each the newest incident, how many there were, its part.
    """

    escalation: Escalation
    found: tuple[Occurrence, ...]
    causes: tuple[tuple[Occurrence, int, Part], ...]


@dataclass(frozen=True, slots=True)
class Doubt:
    """An operation of a client that an incident left in doubt: pending, reversed or duplicated (see `alerts.doubts`).

    id: '' for those without one, `n` of them; at: when its first doubtful row happened. settled_at, settled_as: when its id was told
    anew after the end, and the status that ended the doubt.
    """

    incident_id: str
    client_id: str
    product: str
    channel: str
    id: str
    state: str
    source: str
    at: datetime
    amount: Decimal = Decimal(0)
    n: int = 1
    settled_at: datetime | None = None
    settled_as: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it one."""
        return self.incident_id, self.client_id, self.product, self.channel, self.id, self.state, self.source


@dataclass(slots=True)
class Changes:
    """What a step changed, to be committed together: newest state of each, in order of first change.

    ended: what was decided in incidents that ended; over: our cases that are to be told of an end, with the incident by which;
    healed: incidents that were closed by hand while they failed, and fail no more.
    """

    alerts: dict[tuple[str, Scope], Alert | None] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    impacts: dict[tuple[str, str, str], Impact | None] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    ended: list[Decision] = field(default_factory=list)
    over: list[tuple[Decision, Incident]] = field(default_factory=list)
    healed: list[Incident] = field(default_factory=list)
    escalations: dict[str, Escalation] = field(default_factory=dict)
    escalated: list[Escalated] = field(default_factory=list)
    doubts: dict[tuple[str, ...], Doubt] = field(default_factory=dict)
