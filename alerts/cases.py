"""One preventive case a client and incident: open it, link the client's own, or leave it alone, with the reason.

A client's own case belongs to an incident if it names one of the products touched (or none), and was reported from BEFORE its
detection to AFTER its end. Reported first, it is linked and nothing is opened; reported later, it is tied to the case that we
opened, and the lead is measured. It is tied to one incident at most, the one that was under way when they reported it, or else
the latest before: what is nobody's merit must not be counted twice.

A client hit too little for their segment waits (FEW), and so does one whose desk has been given its cases of the hour (BUDGET), the
highest priority first whenever there is room and as long as the incident is open. Where the stage asks for it, they wait for an
act of approval first (APPROVAL), or are only shown (OBSERVED). Nobody leaves the list; what people do with a case is in
`alerts.casework`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from alerts import Action, Changes, Client, Decision, Impact, Incident, IncidentState, TheirCase
from alerts.confidence import confidence
from alerts.decided import Decided, case_key
from alerts.heard import Heard
from alerts.reasons import (
    APPROVAL,
    BUDGET,
    CLOSED,
    ELSEWHERE,
    FEW,
    NO_DESK,
    NO_LIMITS,
    OBSERVED,
    OLDER,
    OURS,
    RETURNED,
    THEIRS,
    UNDONE,
    WITHDRAWN,
    Limits,
    waits,
)
from alerts.stages import Stage
from alerts.standing import ending, kept, left, served, stands, why
from alerts.ties import AFTER, BEFORE, belongs, in_time, is_early, linked_to, under_way, unlinked

HOUR = timedelta(hours=1)


class CaseBook:
    """The decisions taken and the clients' own cases, as known by now."""

    def __init__(
        self, decisions: Iterable[Decision] = (), cases: Iterable[TheirCase] = (), declared: Collection[str] = ()
    ) -> None:
        """declared: the tools that say in which form they write NITs."""
        self.decisions, self.cases = Decided(decisions), Heard(cases)
        self.approved: dict[str, str] = {}
        """Incidents of which all cases are approved, also those to come, and by whom."""
        self.withdrawn: set[str] = set()
        """Incidents of which all was taken back: nothing is opened in them."""
        self._declared = declared
        self._incidents: dict[str, Incident] = {}

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
        limits: Limits = NO_LIMITS,
        clients: Mapping[str, Client] | None = None,
    ) -> None:
        """Decide for every affected client of the incident who has no decision yet, or waits; desk_of: who takes a product's cases."""
        by_client: dict[str, list[Impact]] = {}
        for impact in impacts:
            by_client.setdefault(impact.client_id, []).append(impact)
        self.decisions.hit.setdefault(incident.id, set()).update(by_client)
        self._incidents[incident.id] = incident
        for client, touched in by_client.items():
            held = self.decisions.of(incident.id, client)
            priority = max(impact.priority for impact in touched)
            products = sorted({impact.product for impact in touched if impact.product})
            wait = self._wait(incident, limits, (clients or {}).get(client), touched, products, held)
            approved = (held.approved_by if held else "") or self.approved.get(incident.id, "") * (wait == BUDGET)
            if held and waits(held) and (held.priority, held.reason, held.approved_by) != (priority, wait, approved):
                since = at if wait == WITHDRAWN else None
                held = replace(held, priority=priority, reason=wait, approved_by=approved, withdrawn_at=since)
                self.note(held, changes)
            if (
                held
                and not self._left(held, incident, at)
                and (held.reason != UNDONE or served(held, self.decisions.values()))
            ):
                continue
            product = products[0] if len(products) == 1 else ""
            begun = held or Decision(case_key(incident.id, client), incident.id, client, product, Action.NONE, wait, at)
            fresh = replace(  # what was done and said stays
                begun if begun.confirmed_by else unlinked(begun), product=product, action=Action.NONE, reason=wait, opened_at=at,
                priority=priority, desk=desk_of(product or incident.scope.product), approved_by=approved,
            )  # fmt: skip
            self._settle(fresh, incident, products, limits, changes)

    def _settle(
        self, fresh: Decision, incident: Incident, products: list[str], limits: Limits, changes: Changes
    ) -> None:
        """Open, unless the client's own case or another of ours stands for it, nobody takes it, or it has to wait; and note it.

        fresh: nothing is opened; its reason is what it would wait for.
        """
        at, wait = fresh.opened_at, fresh.reason
        said = self.cases.get((fresh.linked_source, fresh.linked_case_id)) if fresh.confirmed_by else None
        theirs = said or self._theirs(incident, fresh.client_id, products, at)
        early = theirs is not None and not said and is_early(theirs, incident)
        sure = fresh.confidence if said else self._sure(theirs, incident, products) if theirs else None
        if theirs and theirs.open_at(at) and not early and wait not in (OBSERVED, WITHDRAWN):
            linked = linked_to(theirs)
            decision = replace(fresh, action=Action.LINK, reason=THEIRS, desk="", confidence=sure, **linked)
        elif wait == WITHDRAWN:
            decision = replace(fresh, withdrawn_at=at)
        elif not fresh.desk:
            decision = replace(fresh, reason=NO_DESK)
        elif stood := self._elsewhere(fresh):
            decision = replace(fresh, reason=stood)
        elif wait == BUDGET and fresh.desk not in limits.per_hour:
            decision = replace(fresh, action=Action.OPEN, reason=(OLDER if early else CLOSED) if theirs else OURS)
        else:
            decision = fresh
        self.note(decision, changes)
        if theirs and self._free(theirs, changes):
            self._tie(decision, theirs, sure, changes)

    def _wait(
        self,
        incident: Incident,
        limits: Limits,
        client: Client | None,
        touched: Sequence[Impact],
        products: Collection[str],
        held: Decision | None,
    ) -> str:
        """What a case of this client waits for: for nothing but room at the desk, it is BUDGET."""
        stage = limits.stages.of({*products, incident.scope.product} - {""}, client.segment if client else "")
        if incident.id in self.withdrawn:
            return WITHDRAWN
        if stage is Stage.OBSERVE:
            return OBSERVED
        if not limits.enough(client, touched):
            return FEW
        approved = incident.id in self.approved or (held is not None and held.approved_by)
        return APPROVAL if stage is Stage.APPROVE and not approved else BUDGET

    def _left(self, held: Decision, incident: Incident, at: datetime) -> bool:
        """Whether the case that stood for the client was taken back: they are decided on anew."""
        mine = [d for i in self._incidents if (d := self.decisions.of(i, held.client_id))]
        if incident.state is not IncidentState.FIRING or not left(held, mine) or served(held, self.decisions.values()):
            return False
        stood = self._elsewhere(again := replace(held, opened_at=at))
        return not stood or self.standing(replace(again, reason=stood)) is not None

    def release(self, at: datetime, firing: Collection[str], limits: Limits, changes: Changes) -> None:
        """Of those who wait in incidents that are `firing`, open what the desks' budgets allow by now, the highest priority first.

        Who has an open case of their own by now is linked to it, which costs no budget.
        """
        waiting = [d for d in map(self.decisions.__getitem__, self.decisions.held) if d.incident_id in firing]
        if not waiting:
            return
        done = [d for d in self.decisions.values() if d.action is not Action.NONE]
        served = {(d.incident_id, d.client_id) for d in done}  # a merged incident brings decisions of its own
        spent = Counter(d.desk for d in done if d.action is Action.OPEN and at - d.opened_at < HOUR)
        for decision in sorted(waiting, key=lambda d: (-d.priority, d.key)):
            room = limits.per_hour.get(decision.desk, spent[decision.desk] + 1) - spent[decision.desk]
            theirs = self.cases.get((decision.linked_source, decision.linked_case_id))
            early = theirs is not None and self._is_early(theirs, decision)
            if (decision.incident_id, decision.client_id) in served:
                continue
            if theirs and theirs.open_at(at) and not early and decision.reason != OBSERVED:
                done_now = replace(decision, action=Action.LINK, reason=THEIRS, desk="", opened_at=at)
            elif decision.reason == BUDGET and (stood := self._elsewhere(replace(decision, opened_at=at))):
                done_now = replace(decision, reason=stood, opened_at=at)
            elif decision.reason == BUDGET and room > 0:
                spent[decision.desk] += 1
                reason = OLDER if early else CLOSED if theirs else OURS
                done_now = replace(decision, action=Action.OPEN, reason=reason, opened_at=at)
            else:
                continue
            served.add((decision.incident_id, decision.client_id))
            self.note(done_now, changes)

    def attach(self, products_of: Callable[[str, str], list[str]], at: datetime, changes: Changes) -> None:
        """Tie the cases that became known by `at` to the ones that we had opened for their clients.

        products_of: on which products an incident has affected a client.
        """
        # A case that fits nothing yet may once its client is hit, or on another product; not for ever.
        for client, cases in self.cases.stirred(at):
            for case in (case for case in cases if self._may_fit(case, at)):
                self._fit(case, products_of, at, changes)
            self.cases.left(client, (case for case in cases if self._may_fit(case, at)))

    def _fit(
        self, case: TheirCase, products_of: Callable[[str, str], list[str]], at: datetime, changes: Changes
    ) -> None:
        fits = []
        for incident in self._incidents.values():
            decision = self.decisions.of(incident.id, case.client_id)
            if decision is None or self.decisions.apart(case, incident.id, case.client_id):
                continue
            if decision.linked_case_id and not self._better(case, decision, incident):
                continue
            if not in_time(case, incident, at):
                continue
            if belongs(case, incident, products := products_of(incident.id, case.client_id), at):
                # What was taken back, or only observed, has the least claim to what a client tells.
                idle = decision.withdrawn_at is not None or decision.reason == OBSERVED
                rank = (not idle, under_way(incident, case.reported_at), incident.started_at)
                fits.append((rank, decision, self._sure(case, incident, products)))
        if fits:
            _, decision, sure = max(fits, key=lambda fit: (fit[0], fit[1].key))
            self._tie(decision, case, sure, changes)

    def _is_early(self, case: TheirCase, decision: Decision) -> bool:
        incident = self._incidents.get(decision.incident_id)
        return incident is not None and is_early(case, incident)

    def _better(self, case: TheirCase, decision: Decision, incident: Incident) -> bool:
        """Whether what they report now is about it, and what the decision was tied to is older than the failure."""
        tied = self.cases.get((decision.linked_source, decision.linked_case_id))
        return tied is not None and is_early(tied, incident) and not is_early(case, incident)

    def _may_fit(self, case: TheirCase, at: datetime) -> bool:
        return not self.decisions.ties(case) and at - case.reported_at <= BEFORE + AFTER

    def _tie(self, decision: Decision, case: TheirCase, sure: float | None, changes: Changes) -> None:
        told = replace(decision, **linked_to(case), client_reported_at=case.reported_at, confidence=sure)
        self.note(told, changes)

    def _sure(self, case: TheirCase, incident: Incident, products: Collection[str]) -> float:
        return confidence(case, incident, products, declared=case.source in self._declared)

    def _free(self, case: TheirCase, changes: Changes) -> bool:
        """Whether the case may be tied anew: it is not, or only to an incident that was over when it was reported."""
        tied = self.decisions.tied_to(case)
        if tied is None:
            return not self.decisions.ties(case)  # else to one that is forgotten
        incident = self._incidents.get(tied.incident_id)
        if tied.confirmed_by or (incident and under_way(incident, case.reported_at)):
            return False
        self.note(unlinked(tied), changes)
        return True

    def forget(self, incident_id: str) -> None:
        """Let go of an incident that can change no more."""
        self.decisions.forget(incident_id)
        self.approved.pop(incident_id, None)
        self.withdrawn.discard(incident_id)

    def follow(self, merged: Incident, changes: Changes) -> None:
        """Decisions of an incident that was merged go on under its parent; what it has decided for a client itself comes first."""
        for decision in self.decisions.leave(merged.id):
            self.note(replace(decision, incident_id=merged.parent_id), changes)

    def _theirs(self, incident: Incident, client: str, products: list[str], at: datetime) -> TheirCase | None:
        fits = [
            case
            for case in self.cases.of(client)
            if belongs(case, incident, products, at) and not self.decisions.apart(case, incident.id, client)
        ]
        return min(
            fits,
            key=lambda case: (is_early(case, incident), not case.open_at(at), case.reported_at, case.case_id),
            default=None,
        )

    def standing(self, decision: Decision) -> Decision | None:
        """Our case that stands for what was decided and was not taken back."""
        found = stands(decision, (d for d in self.decisions.values() if d.client_id == decision.client_id))
        return found if found and not found.withdrawn_at else None

    def over(self, incident: Incident) -> list[Decision]:
        """Our cases that end with the incident, see `ending`."""
        self._incidents[incident.id] = incident
        return ending(self.decisions.values(), incident.id, self._incidents)

    def kept(self, incident_id: str) -> list[Decision]:
        """Our cases of an incident that ended, which were not told so yet, see `kept`."""
        return kept(self.decisions.values(), incident_id, self._incidents)

    def _elsewhere(self, decision: Decision) -> str:
        """Why a case of ours on another incident stands for what is to be decided; '' where none does."""
        incident, reasons = self._incidents.get(decision.incident_id), set()
        for other in self._incidents.values():
            held = self.decisions.of(other.id, decision.client_id)
            if incident and held and other.id != incident.id and self.standing(held):
                alone = self.decisions.hit[incident.id] | self.decisions.hit[other.id] == {decision.client_id}
                reasons.add(why(incident, decision, other, held, alone=alone))
        return next((reason for reason in (ELSEWHERE, RETURNED) if reason in reasons), "")

    def note(self, decision: Decision, changes: Changes) -> None:
        """Write a decision over what was decided before; a case that it lets go may be tied to another incident."""
        self.cases.stir([decision.client_id])
        before = self.decisions.get(decision.key)
        if decision.decided_at is None:
            decision = replace(decision, decided_at=before.decided_at if before else decision.opened_at)
        if before and before.action is Action.NONE and decision.action is not Action.NONE:
            decision = replace(decision, waited=before.reason)
        self.decisions.keep(decision)
        changes.decisions[decision.key] = decision
        freed = before and self.cases.get((before.linked_source, before.linked_case_id))
        if freed and not self.decisions.ties(freed):
            self.cases.loosen(freed)
