"""Lead: who spoke first, a client and incident at a time, and if it was not us, why.

The line of times of an affected client: their first bad transaction, the detection, when they were first named affected, our case, what
N1 told them, what they reported. They were **reached first** when our case was opened, or N1 had told them, before they reported; a
case that was taken back before then counts for nothing, and a case that a monitor opened is nobody's report. Whoever reported and was
not reached first is a **miss**, with one reason: the first link of the chain that came too late. Who never reported is neither.

**Anticipation** is another thing: the warning before a client's first bad transaction, by the incident's detection while they held what
fails, or by when they were called exposed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from alerts import Action, Client, Decision, Holding, Impact, Incident, IncidentState, TheirCase, Touch
from alerts.reasons import BUDGET, FEW, NO_DESK, waits
from alerts.standing import with_standing
from rules import Way

SOON = timedelta(minutes=5)
"""Whoever speaks sooner than this after their first bad transaction, nobody is expected to have reached."""


class Miss(StrEnum):
    """Why a client who reported was not reached first; the first that fits."""

    BEFORE = "before"
    """They spoke before anything of theirs had failed: perhaps of something else."""
    SOON = "soon"
    """They spoke within SOON of their first bad transaction."""
    UNDETECTED = "undetected"
    UNNAMED = "unnamed"
    """It was detected, and they were not found affected by then."""
    BUDGET = "budget"
    FEW = "few"
    NO_DESK = "no_desk"
    HELD = "held"
    """Nothing may be opened there yet, or nobody had approved it by then."""
    WITHDRAWN = "withdrawn"
    LINKED = "linked"
    """Their own case was there when they were named."""


_WAITED = {BUDGET: Miss.BUDGET, FEW: Miss.FEW, NO_DESK: Miss.NO_DESK}


@dataclass(frozen=True, slots=True)
class Line:
    """One affected client in one incident. product: '' where several were hit; way: how the incident hurts.

    named_at: when they were first found affected; case_at, withdrawn_at: our case; linked_at: when theirs was linked;
    reported_by: as the tool has it, '' where it does not
    say; warned_at: before the first bad transaction, or None.
    """

    incident_id: str
    client_id: str
    product: str
    segment: str
    way: Way
    detected_at: datetime
    first_failure_at: datetime | None = None
    named_at: datetime | None = None
    case_at: datetime | None = None
    linked_at: datetime | None = None
    withdrawn_at: datetime | None = None
    informed_at: datetime | None = None
    reported_at: datetime | None = None
    reported_by: str = ""
    warned_at: datetime | None = None
    waited: str = ""

    @property
    def reached_at(self) -> datetime | None:
        """When the client was reached: by our case, or by N1's word, whichever came first."""
        taken_back = self.withdrawn_at and (self.reported_at is None or self.withdrawn_at < self.reported_at)
        case_at = None if taken_back else self.case_at
        return min((time for time in (case_at, self.informed_at) if time), default=None)

    @property
    def lead(self) -> timedelta | None:
        """From when we reached them, or linked their own case, to their report: negative where they were first.

        None where one of both never came.
        """
        ours = self.reached_at or self.linked_at
        return self.reported_at - ours if self.reported_at and ours else None

    @property
    def first(self) -> bool:
        """Whether we reached them before they reported; also where they never did."""
        return self.reached_at is not None and (self.reported_at is None or self.reached_at < self.reported_at)

    @property
    def miss(self) -> Miss | None:
        """Why they were first; None where they were not, or never reported."""
        return None if self.reported_at is None or self.first else self._too_late(self.reported_at)

    def _too_late(self, told: datetime) -> Miss:
        first = self.first_failure_at
        chain = (
            (Miss.BEFORE, first is not None and told < first),
            (Miss.SOON, first is not None and told - first < SOON),
            (Miss.UNDETECTED, self.detected_at >= told),
            (Miss.UNNAMED, self.named_at is None or self.named_at >= told),
            (Miss.WITHDRAWN, self.withdrawn_at is not None and self.withdrawn_at < told),
            (_WAITED.get(self.waited, Miss.HELD), self.waited != ""),
        )
        return next((reason for reason, holds in chain if holds), Miss.LINKED)

    @property
    def warning(self) -> timedelta | None:
        """How long before their first bad transaction they could be warned; None where they could not."""
        return self.first_failure_at - self.warned_at if self.first_failure_at and self.warned_at else None


def lines(
    incidents: Iterable[Incident],
    impacts: Iterable[Impact],
    decisions: Iterable[Decision],
    cases: Iterable[TheirCase],
    clients: Mapping[str, Client],
    holdings: Iterable[Holding],
) -> list[Line]:
    """One for every client affected by, or decided on in, these incidents (not the merged ones), in order of detection."""
    known = {i.id: i for i in incidents if i.state is not IncidentState.MERGED}
    hit: dict[tuple[str, str], list[Impact]] = defaultdict(list)
    for impact in impacts:
        if impact.touch is Touch.AFFECTED:
            hit[impact.incident_id, impact.client_id].append(impact)
    decided: dict[tuple[str, str], list[Decision]] = defaultdict(list)
    for decision in with_standing(decisions):
        decided[decision.incident_id, decision.client_id].append(decision)
    speakers = {(case.source, case.case_id): case.reported_by.strip().lower() for case in cases}
    held: dict[str, list[Holding]] = defaultdict(list)
    for holding in holdings:
        held[holding.client_id].append(holding)
    found = [
        _line(known[i], c, hit[i, c], decided[i, c], speakers, clients.get(c), held.get(c, ()))
        for i, c in sorted({*hit, *decided})
        if i in known
    ]
    return sorted(found, key=lambda line: (line.detected_at, line.incident_id, line.client_id))


def _line(
    incident: Incident,
    client_id: str,
    impacts: list[Impact],
    decisions: list[Decision],
    speakers: Mapping[tuple[str, str], str],
    client: Client | None,
    held: Iterable[Holding],
) -> Line:
    opened = [d for d in decisions if d.action is Action.OPEN]
    # Of several (a merged incident brings its own) what stands is what was there first.
    ours = min(opened, key=lambda d: (d.withdrawn_at is not None, d.opened_at, d.key), default=None)
    heard = [
        (d.client_reported_at, who)
        for d in decisions
        if d.client_reported_at and (who := speakers.get((d.linked_source, d.linked_case_id), "")) != "monitor"
    ]
    reported_at, reported_by = min(heard, default=(None, ""))
    products = {m.product for m in impacts if m.product} or {d.product for d in decisions if d.product}
    first_failure_at = min((m.first_failure_at for m in impacts if m.first_failure_at), default=None)
    return Line(
        incident_id=incident.id,
        client_id=client_id,
        product=next(iter(products)) if len(products) == 1 else "",
        segment=client.segment.strip().lower() if client else "",
        way=incident.kind,
        detected_at=incident.detected_at,
        first_failure_at=first_failure_at,
        named_at=min((d.decided_at or d.opened_at for d in decisions), default=None),
        case_at=ours.opened_at if ours else None,
        linked_at=min((d.opened_at for d in decisions if d.action is Action.LINK), default=None),
        withdrawn_at=ours.withdrawn_at if ours else None,
        informed_at=min((d.informed_at for d in decisions if d.informed_at), default=None),
        reported_at=reported_at,
        reported_by=reported_by,
        warned_at=_warned(incident, impacts, first_failure_at, held),
        waited=next((d.reason if waits(d) or d.reason == NO_DESK else d.waited for d in decisions), ""),
    )


def _warned(
    incident: Incident, impacts: list[Impact], first: datetime | None, held: Iterable[Holding]
) -> datetime | None:
    """When it was first known that it may come to them, if that was before it did."""
    times = [m.exposed_at for m in impacts if m.exposed_at]
    at, products = incident.detected_at, {m.product for m in impacts}
    if any(
        h.product in products
        and incident.scope.channel in ("", h.channel or incident.scope.channel)
        and (h.since is None or h.since <= at)
        and (h.until is None or h.until > at)
        for h in held
    ):
        times.append(at)
    return min((time for time in times if first and time < first), default=None)
