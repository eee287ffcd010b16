"""Causes that come back: which they are, what each costs, and when one is escalated as a root cause.

A cause is the seat of an incident (product, channel, and the client or series where it is about one alone), the error code that its
failures share, and the way in which it hurts. It counts once its incident is over: only then are the seat and the cost known.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2s
from typing import Literal, TypeVar

from alerts import Changes, Escalated, Escalation, Impact, Incident, Occurrence, Part, Touch
from alerts.recurrence import MONTH, code_of
from alerts.stages import Stage, Stages
from rules import Scope

K = TypeVar("K", bound=Hashable)
Measure = Literal["failures", "incidents", "clients", "minutes"]
CLAIMS_CHIEF = "claims_chief"
AUTOMATIC = Stages()


@dataclass(frozen=True, slots=True)
class Escalating:
    """A cause is escalated that returns so many times within a period. owners: who answers for a product or channel (an address).

    recurrence: within how long a client's case or error counts as repeated.
    """

    returns: int = 3
    period: timedelta = MONTH
    recurrence: timedelta = MONTH
    owners: Mapping[str, str] = field(default_factory=dict)
    claims_chief: str = ""

    def told(self, scope: Scope) -> tuple[tuple[str, str], ...]:
        """Who is to know, as (what they answer for, address or ''): the product's owner, or else the channel's; the claims chief."""
        named = next((name for name in (scope.product, scope.channel) if name in self.owners), "")
        owned = named or scope.product or scope.channel
        return ((owned, self.owners.get(owned, "")), (CLAIMS_CHIEF, self.claims_chief))


# ---- Pareto --------------------------------------------------------------------------------------------------------


def pareto(weights: Mapping[K, int]) -> list[tuple[K, Part]]:
    """The heaviest first, each with its share of the whole and of all up to it; shares are None where there is nothing to share."""
    whole, sum_ = sum(weights.values()), 0
    found = []
    for name, weight in sorted(weights.items(), key=lambda item: (-item[1], str(item[0]))):
        sum_ += weight
        found.append((name, Part(weight, weight / whole if whole else None, sum_ / whole if whole else None)))
    return found


@dataclass(frozen=True, slots=True)
class Weighed:
    """A cause with all that it did. failures: transactions that failed, were slow or did not come; again: clients hit more than once."""

    cause: str
    incidents: int
    clients: int
    failures: int
    minutes: int
    again: int
    part: Part
    newest: Occurrence


def weighed(found: Iterable[Occurrence], by: Measure = "failures") -> list[Weighed]:
    """The Pareto of the causes of these, by one of the measures; a client hit twice by a cause is one client of it."""
    groups: dict[str, list[Occurrence]] = {}
    for one in found:
        groups.setdefault(one.cause, []).append(one)
    totals = {cause: _totals(group) for cause, group in groups.items()}
    return [
        Weighed(cause=cause, part=part, newest=max(groups[cause], key=_when), **totals[cause])
        for cause, part in pareto({cause: total[by] for cause, total in totals.items()})
    ]


def _totals(group: list[Occurrence]) -> dict[str, int]:
    times: dict[str, int] = {}
    for client in (client for one in group for client in one.clients):
        times[client] = times.get(client, 0) + 1
    return {
        "incidents": len(group),
        "clients": len(times),
        "failures": sum(one.failures for one in group),
        "minutes": sum(one.minutes for one in group),
        "again": sum(many > 1 for many in times.values()),
    }


# ---- causes --------------------------------------------------------------------------------------------------------


def occurrence(incident: Incident, impacts: Iterable[Impact], now: datetime | None = None) -> Occurrence:
    """What it was and what it cost; now: where it is not over."""
    hit = [impact for impact in impacts if impact.touch is Touch.AFFECTED]
    scope, code = incident.scope, code_of(incident)
    by_product: dict[str, int] = {}
    for impact in hit:
        by_product[impact.product] = by_product.get(impact.product, 0) + impact.failures + impact.missing
    named = zip((*_DIMENSIONS, "error_code", "way"), (*scope.values, code, incident.kind), strict=True)
    return Occurrence(
        incident_id=incident.id,
        cause=";".join(f"{name}={value}" for name, value in named if value),
        scope=scope,
        code=code,
        way=incident.kind,
        started_at=incident.started_at,
        ended_at=incident.ended_at or incident.resolved_at or now or incident.detected_at,
        clients=frozenset(impact.client_id for impact in hit if impact.client_id),
        failures=sum(by_product.values()),
        priority=max((impact.priority for impact in hit), default=0),
        products=tuple(sorted((p for p in by_product if p), key=lambda p: (-by_product[p], p))),
    )


_DIMENSIONS = ("product", "channel", "client_id", "series")


class CauseBook:
    """The causes of the last period, and those that were escalated.

    A cause is escalated once: what returns after that is added to the same escalation. Only when it has been quiet for a whole
    period, and then comes back so many times within one, is it escalated anew. While a product's cases are only shown, or wait for
    somebody's approval, its escalation is shown and opens no case: the first return once they open by themselves opens it. No desk's
    budget is asked: it is one case a cause and period, for its owner, and clients' cases make room for it.
    """

    def __init__(
        self, rules: Escalating, seen: Iterable[Occurrence] = (), escalations: Iterable[Escalation] = ()
    ) -> None:
        self.rules = rules
        self._seen = {one.incident_id: one for one in seen}
        self.escalations: dict[str, Escalation] = {}
        """By cause, the newest."""
        for escalation in sorted(escalations, key=lambda e: e.first_at):
            self.escalations[escalation.cause] = escalation

    def keep(self, oldest: datetime) -> None:
        """Let go of what no incident that began at `oldest` or later is counted with."""
        floor = oldest - self.rules.period
        self._seen = {key: one for key, one in self._seen.items() if one.started_at > floor}

    def ended(
        self,
        one: Occurrence,
        at: datetime,
        desk_of: Callable[[str], str],
        changes: Changes,
        stages: Stages = AUTOMATIC,
    ) -> None:
        """An incident is over, known at `at`; desk_of: who takes a product's cases; stages: which are opened by themselves."""
        if one.incident_id in self._seen:
            return
        self._seen[one.incident_id] = one
        period, known = self.rules.period, self.escalations.get(one.cause)
        mine = sorted((seen for seen in self._seen.values() if seen.cause == one.cause), key=_when)
        lately = [seen for seen in mine if seen.started_at > mine[-1].started_at - period]
        if known and one.started_at - known.last_at < period:
            ids, last = (*known.incidents, one.incident_id), max(known.last_at, one.ended_at)
            known = replace(known, incidents=ids, last_at=last, returns=known.returns + 1)
            desk = _desk(mine[-1], desk_of) if _opens(mine[-1], stages) else ""
            if desk and not known.desk:
                found = [seen for seen in mine if seen.incident_id in ids]
                self._tell(replace(known, desk=desk, escalated_at=at), found, changes)
            else:
                self._note(known, changes)
        else:
            fresh = [seen for seen in lately if not known or seen.started_at - known.last_at >= period]
            if len(fresh) >= self.rules.returns:
                if _opens(fresh[-1], stages):
                    self._tell(self._made(fresh, at, _desk(fresh[-1], desk_of)), fresh, changes)
                else:
                    self._note(self._made(fresh, at, ""), changes)

    def _made(self, fresh: list[Occurrence], at: datetime, desk: str) -> Escalation:
        first, newest = fresh[0], fresh[-1]
        return Escalation(
            key=escalation_key(first.cause, first.started_at),
            cause=first.cause,
            first_at=first.started_at,
            last_at=max(one.ended_at for one in fresh),
            returns=len(fresh),
            escalated_at=at,
            incidents=tuple(one.incident_id for one in fresh),
            owners=self.rules.told(newest.scope),
            desk=desk,
        )

    def _tell(self, made: Escalation, found: list[Occurrence], changes: Changes) -> None:
        self._note(made, changes)
        since = found[-1].started_at - self.rules.period
        whole = [one for one in self._seen.values() if since < one.started_at]
        parts = tuple((one.newest, one.incidents, one.part) for one in weighed(whole))
        changes.escalated.append(Escalated(made, tuple(found), parts))

    def _note(self, escalation: Escalation, changes: Changes) -> None:
        self.escalations[escalation.cause] = changes.escalations[escalation.key] = escalation


def _desk(one: Occurrence, desk_of: Callable[[str], str]) -> str:
    """Who takes its case, '' where nobody does."""
    products = dict.fromkeys((one.scope.product, *one.products))
    return next((desk for product in products if (desk := desk_of(product))), "")


def _opens(one: Occurrence, stages: Stages) -> bool:
    """Whether a case about it is opened by itself, whoever's it is."""
    return stages.of({one.scope.product, *one.products} - {""}, "") is Stage.AUTOMATIC


def escalation_key(cause: str, first_at: datetime) -> str:
    """Our key of the root-cause case: of the cause and the first of the incidents that make it one, so that a repeat does no harm."""
    digest = blake2s(cause.encode(), digest_size=4).hexdigest()
    return f"VG-CR-{first_at.astimezone(UTC):%Y%m%dT%H%M}-{digest}"


def _when(one: Occurrence) -> tuple[datetime, str]:
    return one.started_at, one.incident_id
