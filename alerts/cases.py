"""One preventive case a client and incident: open it, link the client's own, or leave it alone, with the reason.

A client's own case belongs to an incident if it names one of the products touched (or none), and was reported from BEFORE its
detection to AFTER its end. Reported first, it is linked and nothing is opened; reported later, it is tied to the case that we
opened, and the lead is measured. It is tied to one incident at most, the one that was under way when they reported it, or else
the latest before: what is nobody's merit must not be counted twice.

A client hit too little for their segment waits (FEW), and so does one whose desk has been given its cases of the hour (BUDGET), the
highest priority first whenever there is room and as long as the incident is open. Nobody leaves the list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from alerts import Action, Changes, Client, Decision, Impact, Incident, IncidentState, TheirCase

BEFORE = timedelta(hours=2)
AFTER = timedelta(hours=24)
EARLY = timedelta(minutes=15)
"""What was reported longer than this before the failure began is hardly about it: nobody is left without a case of ours because of it."""
TOGETHER = timedelta(minutes=5)
"""What begins for a client within this is one thing to them."""
HOUR = timedelta(hours=1)
BUDGET = "budget"
FEW = "too few failures yet"
NO_DESK = "no desk takes this product"
OURS = "affected, no case of their own"
CLOSED = "their own case on it is closed already"
OLDER = "their own case is older than the failure"
ELSEWHERE = "our case on what else fails for them stands for it"
THEIRS = "the client's own case is open"


@dataclass(frozen=True, slots=True)
class Limits:
    """What keeps the desks from a flood.

    per_hour: cases opened within any sixty minutes, by desk (none: no limit). open_from: failed and missing transactions of a client from
    which on a case is opened, by segment, or `default` for the others (none: 1).
    """

    per_hour: Mapping[str, int] = field(default_factory=dict)
    open_from: Mapping[str, int] = field(default_factory=dict)

    def enough(self, client: Client | None, touched: Sequence[Impact]) -> bool:
        """Whether this is enough to open a case."""
        segment = client.segment.lower() if client else ""
        least = self.open_from.get(segment, self.open_from.get("default", 1))
        # Slow rows are counted as failures; what cannot be counted is not held against the client.
        return sum(impact.failures + impact.missing for impact in touched) >= least or least == 1


def waits(decision: Decision) -> bool:
    """Whether nothing was opened so far, but may be."""
    return decision.action is Action.NONE and decision.reason in (BUDGET, FEW)


def case_key(incident_id: str, client_id: str) -> str:
    """Our key of the case, which every desk is told: made of incident and client, so that a repeat does no harm."""
    return f"VG-{incident_id}-{client_id}"


class CaseBook:
    """The decisions taken and the clients' own cases, as known by now."""

    def __init__(self, decisions: Iterable[Decision] = (), cases: Iterable[TheirCase] = ()) -> None:
        self.decisions: dict[str, Decision] = {}
        self._first: dict[tuple[str, str], str] = {}
        self._tied: dict[tuple[str, str], str] = {}
        """By the tool and its number, which another tool may give too: the key of the decision."""
        self._held: set[str] = set()
        self._incidents: dict[str, Incident] = {}
        for decision in sorted(decisions, key=lambda d: (d.key != case_key(d.incident_id, d.client_id), d.key)):
            self._keep(decision)
        self.cases: dict[tuple[str, str], TheirCase] = {}
        self._by_client: dict[str, dict[tuple[str, str], TheirCase]] = {}
        self._unseen: list[tuple[datetime, tuple[str, str]]] = []
        self._waiting: dict[str, dict[tuple[str, str], None]] = {}
        self._news: set[str] = set()
        self.learn(cases)

    def learn(self, cases: Iterable[TheirCase]) -> list[TheirCase]:
        """Take in cases as the tools tell them; the newest row of one wins. Those that were news."""
        news = []
        for case in cases:
            key = (case.source, case.case_id)
            old = self.cases.get(key)
            if old and old.updated_at and case.updated_at and case.updated_at < old.updated_at:
                continue
            if old:
                self._by_client.get(old.client_id, {}).pop(key, None)
            self.cases[key] = case
            news.append(case)
            if case.reported_by != "monitor":
                self._by_client.setdefault(case.client_id, {})[key] = case
                heappush(self._unseen, (case.opened_at, key))
        return news

    def know(self, incidents: Iterable[Incident]) -> None:
        """The incidents that are open or were lately, as they stand."""
        self._incidents = {incident.id: incident for incident in incidents}

    def decide(
        self,
        incident: Incident,
        impacts: Sequence[Impact],
        at: datetime,
        desk_of: Callable[[str], str],
        changes: Changes,
        limits: Limits = Limits(),
        clients: Mapping[str, Client] | None = None,
    ) -> None:
        """Decide for every affected client of the incident who has no decision yet, or waits; desk_of: who takes a product's cases."""
        by_client: dict[str, list[Impact]] = {}
        for impact in impacts:
            by_client.setdefault(impact.client_id, []).append(impact)
        for client, touched in by_client.items():
            held = self.decisions.get(self._first.get((incident.id, client), ""))
            priority = max(impact.priority for impact in touched)
            wait = BUDGET if limits.enough((clients or {}).get(client), touched) else FEW
            if held and waits(held) and (held.priority, held.reason) != (priority, wait):
                self._note(replace(held, priority=priority, reason=wait), changes)
            if held:
                continue
            products = sorted({impact.product for impact in touched if impact.product})
            product = products[0] if len(products) == 1 else ""
            theirs = self._theirs(incident, client, products, at)
            decision = Decision(
                key=case_key(incident.id, client), incident_id=incident.id, client_id=client,
                product=product, action=Action.OPEN, reason=OURS, opened_at=at, priority=priority,
                desk=desk_of(product or incident.scope.product),
            )  # fmt: skip
            held_back = wait == FEW or decision.desk in limits.per_hour
            decision = self._settled(decision, incident, theirs, wait if held_back else "")
            self._note(decision, changes)
            if theirs and self._free(theirs, changes):
                self._tie(decision, theirs, changes)

    def _settled(self, decision: Decision, incident: Incident, theirs: TheirCase | None, wait: str) -> Decision:
        """Open, unless the client's own case or another of ours stands for it, nobody takes it, or it has to wait."""
        early = theirs is not None and _early(theirs, incident)
        if theirs and theirs.open_at(decision.opened_at) and not early:
            return replace(decision, action=Action.LINK, reason=THEIRS, desk="", **_link(theirs))
        if not decision.desk:
            return replace(decision, action=Action.NONE, reason=NO_DESK)
        if self._stands(incident, decision):
            return replace(decision, action=Action.NONE, reason=ELSEWHERE)
        if wait:
            return replace(decision, action=Action.NONE, reason=wait)
        return replace(decision, reason=OLDER if early else CLOSED) if theirs else decision

    def release(self, at: datetime, firing: Collection[str], limits: Limits, changes: Changes) -> None:
        """Of those who wait in incidents that are `firing`, open what the desks' budgets allow by now, the highest priority first.

        Who has an open case of their own by now is linked to it, which costs no budget.
        """
        waiting = [d for d in map(self.decisions.__getitem__, self._held) if d.incident_id in firing]
        if not waiting:
            return
        done = [d for d in self.decisions.values() if d.action is not Action.NONE]
        served = {
            (d.incident_id, d.client_id) for d in done
        }  # a merged incident brings decisions of its own on a client
        spent = Counter(d.desk for d in done if d.action is Action.OPEN and at - d.opened_at < HOUR)
        for decision in sorted(waiting, key=lambda d: (-d.priority, d.key)):
            room = limits.per_hour.get(decision.desk, spent[decision.desk] + 1) - spent[decision.desk]
            theirs = self.cases.get((decision.linked_source, decision.linked_case_id))
            early = theirs is not None and self._is_early(theirs, decision)
            if (decision.incident_id, decision.client_id) in served:
                continue
            if theirs and theirs.open_at(at) and not early:
                done_now = replace(decision, action=Action.LINK, reason=THEIRS, desk="", opened_at=at)
            elif decision.reason == BUDGET and room > 0:
                spent[decision.desk] += 1
                reason = OLDER if early else CLOSED if theirs else OURS
                done_now = replace(decision, action=Action.OPEN, reason=reason, opened_at=at)
            else:
                continue
            served.add((decision.incident_id, decision.client_id))
            self._note(done_now, changes)

    def heard(self, clients: Iterable[str]) -> None:
        """What touches these clients may be other than it was."""
        self._news.update(clients)

    def decided(self, incident_id: str, client_id: str) -> bool:
        """Whether anything was decided for the client in the incident."""
        return (incident_id, client_id) in self._first

    def attach(self, products_of: Callable[[str, str], list[str]], at: datetime, changes: Changes) -> None:
        """Tie the cases that became known by `at` to the ones that we had opened for their clients.

        products_of: on which products an incident has affected a client.
        """
        while self._unseen and self._unseen[0][0] <= at:
            _, key = heappop(self._unseen)
            client = self.cases[key].client_id
            self._waiting.setdefault(client, {})[key] = None
            self._news.add(client)
        # A case that fits nothing yet may once its client is hit, or on another product; not for ever.
        news, self._news = sorted(self._news & self._waiting.keys()), set()
        for client in news:
            cases = [self.cases[key] for key in self._waiting[client]]
            for case in (case for case in cases if self._may_fit(case, at)):
                self._fit(case, products_of, at, changes)
            self._waiting[client] = {(c.source, c.case_id): None for c in cases if self._may_fit(c, at)}

    def _fit(
        self, case: TheirCase, products_of: Callable[[str, str], list[str]], at: datetime, changes: Changes
    ) -> None:
        fits = []
        for incident in self._incidents.values():
            decision = self.decisions.get(self._first.get((incident.id, case.client_id), ""))
            if decision is None or (decision.linked_case_id and not self._better(case, decision, incident)):
                continue
            if not _in_time(case, incident, at):
                continue
            if _belongs(case, incident, products_of(incident.id, case.client_id), at):
                fits.append((_under_way(incident, case.reported_at), incident.started_at, decision))
        if fits:
            self._tie(max(fits, key=lambda fit: (fit[0], fit[1], fit[2].key))[2], case, changes)

    def _is_early(self, case: TheirCase, decision: Decision) -> bool:
        incident = self._incidents.get(decision.incident_id)
        return incident is not None and _early(case, incident)

    def _better(self, case: TheirCase, decision: Decision, incident: Incident) -> bool:
        """Whether what they report now is about it, and what the decision was tied to is older than the failure."""
        tied = self.cases.get((decision.linked_source, decision.linked_case_id))
        return tied is not None and _early(tied, incident) and not _early(case, incident)

    def _may_fit(self, case: TheirCase, at: datetime) -> bool:
        return (case.source, case.case_id) not in self._tied and at - case.reported_at <= BEFORE + AFTER

    def _tie(self, decision: Decision, case: TheirCase, changes: Changes) -> None:
        self._note(replace(decision, **_link(case), client_reported_at=case.reported_at), changes)

    def _free(self, case: TheirCase, changes: Changes) -> bool:
        """Whether the case may be tied anew: it is not, or only to an incident that was over when it was reported."""
        tied = self.decisions.get(self._tied.get((case.source, case.case_id), ""))
        if tied is None:
            return True
        incident = self._incidents.get(tied.incident_id)
        if incident and _under_way(incident, case.reported_at):
            return False
        self._note(replace(tied, linked_case_id="", linked_source="", client_reported_at=None), changes)
        return True

    def forget(self, incident_id: str) -> None:
        """Let go of an incident that can change no more."""
        self.decisions = {key: d for key, d in self.decisions.items() if d.incident_id != incident_id}
        self._first = {of: key for of, key in self._first.items() if of[0] != incident_id}
        self._held &= self.decisions.keys()

    def follow(self, merged: Incident, changes: Changes) -> None:
        """Decisions of an incident that was merged go on under its parent; what it has decided for a client itself comes first."""
        for decision in [d for d in self.decisions.values() if d.incident_id == merged.id]:
            self._first.pop((merged.id, decision.client_id), None)
            self._note(replace(decision, incident_id=merged.parent_id), changes)

    def _theirs(self, incident: Incident, client: str, products: list[str], at: datetime) -> TheirCase | None:
        cases = self._by_client.get(client, {}).values()
        fits = [case for case in cases if _belongs(case, incident, products, at)]
        return min(
            fits,
            key=lambda case: (_early(case, incident), not case.open_at(at), case.reported_at, case.case_id),
            default=None,
        )

    def _stands(self, incident: Incident, decision: Decision) -> bool:
        """Whether a case of ours is open for the client on another incident that can hardly be another cause for them.

        One that is open, and overlaps this one, began when it did, or hits them on the same product; or one of both is theirs alone.
        """
        client = decision.client_id
        for other in self._incidents.values():
            ours = self.decisions.get(self._first.get((other.id, client), ""))
            if ours is None or other.id == incident.id or other.state is not IncidentState.FIRING:
                continue
            if (
                ours.action is Action.OPEN
                and not ours.withdrawn_at
                and (
                    client in (incident.scope.client_id, other.scope.client_id)
                    or incident.scope.overlaps(other.scope)
                    or (decision.product and decision.product == ours.product)
                    or abs(incident.started_at - other.started_at) <= TOGETHER
                )
            ):
                return True
        return False

    def _note(self, decision: Decision, changes: Changes) -> None:
        self._news.add(decision.client_id)
        before = self.decisions.get(decision.key)
        if decision.decided_at is None:
            decision = replace(decision, decided_at=before.decided_at if before else decision.opened_at)
        if before and before.action is Action.NONE and decision.action is not Action.NONE:
            decision = replace(decision, waited=before.reason)
        self._keep(decision)
        changes.decisions[decision.key] = decision

    def _keep(self, decision: Decision) -> None:
        before = self.decisions.get(decision.key)
        if before and before.client_reported_at:
            self._tied.pop((before.linked_source, before.linked_case_id), None)
        if decision.client_reported_at:
            self._tied[decision.linked_source, decision.linked_case_id] = decision.key
        self.decisions[decision.key] = decision
        (self._held.add if waits(decision) else self._held.discard)(decision.key)
        self._first.setdefault((decision.incident_id, decision.client_id), decision.key)


def _link(case: TheirCase) -> dict[str, Any]:
    return {"linked_case_id": case.case_id, "linked_source": case.source}


def _belongs(case: TheirCase, incident: Incident, products: list[str], at: datetime) -> bool:
    """Whether the client's case, known by `at`, may be about the incident."""
    names = not case.product or not products or case.product in products or case.product == incident.scope.product
    return names and _in_time(case, incident, at)


def _early(case: TheirCase, incident: Incident) -> bool:
    return case.reported_at < incident.started_at - EARLY


def _in_time(case: TheirCase, incident: Incident, at: datetime) -> bool:
    until = (incident.ended_at if incident.resolved_at and incident.ended_at else at) + AFTER
    return case.opened_at <= at and incident.detected_at - BEFORE <= case.reported_at <= until


def _under_way(incident: Incident, time: datetime) -> bool:
    return incident.started_at <= time and (
        incident.ended_at is None or not incident.resolved_at or time <= incident.ended_at
    )
