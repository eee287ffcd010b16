"""One preventive case a client and incident: open it, link the client's own, or leave it alone, with the reason.

A client's own case belongs to an incident if it names one of the products touched (or none), and was reported from BEFORE its
detection to AFTER its end. Reported first, it is linked and nothing is opened; reported later, it is tied to the case that we
opened, and the lead is measured. It is tied to one incident at most, the one that was under way when they reported it, or else
the latest before: what is nobody's merit must not be counted twice. What began after they spoke takes no case that is another's, unless
that names its product; nor does such a case stand for ours in it, but where both are one thing to the client.

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
from alerts.ties import AFTER, BEFORE, belongs, claim, in_time, is_early, linked_to, of_before, under_way, unlinked

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
            if held and not self._left(held, incident, at) and (held.reason != UNDONE or self._served(held)):
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
        theirs = said or self._theirs(incident, fresh, products, at)
        early = theirs is not None and not said and self._older(theirs, incident, fresh)
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
        if theirs and self._free(theirs, incident, fresh.client_id, changes):
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
        mine = [decision for _, decision in self._on(held.client_id)]
        if incident.state is not IncidentState.FIRING or not left(held, mine) or self._served(held):
            return False
        stood = self._elsewhere(again := replace(held, opened_at=at))
        return not stood or self.standing(replace(again, reason=stood)) is not None

    def _served(self, held: Decision) -> bool:
        return served(held, self.decisions.of_client(held.client_id))

    def _on(self, client: str) -> list[tuple[Incident, Decision]]:
        """The known incidents in which something was decided on the client, each with what comes first."""
        told = dict.fromkeys(decision.incident_id for decision in self.decisions.of_client(client))
        found = ((self._incidents.get(name), self.decisions.of(name, client)) for name in told)
        return [(incident, held) for incident, held in found if incident and held]

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
        for incident, decision in self._on(case.client_id):
            if self.decisions.apart(case, incident.id, case.client_id):
                continue
            if decision.linked_case_id and not self._better(case, decision, incident):
                continue
            if not in_time(case, incident, at):
                continue
            if belongs(case, incident, products := products_of(incident.id, case.client_id), at):
                # What was taken back, or only observed, has the least claim to what a client tells.
                idle = decision.withdrawn_at is not None or decision.reason == OBSERVED
                rank = (not idle, *claim(case, incident))
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

    def _free(self, case: TheirCase, incident: Incident, client: str, changes: Changes) -> bool:
        """Whether the case may be tied to the incident: it is to none, or to one that was over when it was reported and this had begun."""
        tied, first = self.decisions.tied_to(case), self._first(case, incident, client)
        if tied is None:  # nor to one that is forgotten
            return not self.decisions.ties(case) and first is None
        other = self._incidents.get(tied.incident_id)
        if first or tied.confirmed_by or (other and under_way(other, case.reported_at)):
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
        self.decisions.forget(merged.id)

    def _first(self, case: TheirCase, incident: Incident, client: str) -> Decision | None:
        """What was decided in an incident that has the better claim to what they said before this one began, see `of_before`."""
        tied, found = self.decisions.tied_to(case), []
        for other, held in self._on(client):
            if other.id == incident.id or not of_before(case, other, held, incident):
                continue
            idle = held.withdrawn_at is not None or held.reason == OBSERVED
            apart = self.decisions.apart(case, other.id, client)
            if held is tied or (
                tied is None
                and not idle
                and not apart
                and belongs(case, other, [held.product] if held.product else [], case.opened_at)
            ):
                found.append((claim(case, other), held.key, held))
        return max(found, default=(None, None, None))[2]

    def _older(self, case: TheirCase, incident: Incident, fresh: Decision) -> bool:
        """Whether the case is older than the failure: by its time, or of an incident before it that was another thing to the client."""
        if is_early(case, incident):
            return True
        first = self._first(case, incident, fresh.client_id)
        if first is None:
            return False
        alone = self.decisions.alone(fresh.client_id, incident.id, first.incident_id)
        return not why(incident, fresh, self._incidents[first.incident_id], first, alone=alone)

    def _theirs(self, incident: Incident, fresh: Decision, products: list[str], at: datetime) -> TheirCase | None:
        def rank(case: TheirCase) -> tuple[bool, bool, datetime, str]:
            return self._older(case, incident, fresh), not case.open_at(at), case.reported_at, case.case_id

        client = fresh.client_id
        mine = (case for case in self.cases.of(client) if not self.decisions.apart(case, incident.id, client))
        return min((case for case in mine if belongs(case, incident, products, at)), key=rank, default=None)

    def standing(self, decision: Decision) -> Decision | None:
        """Our case that stands for what was decided and was not taken back."""
        found = stands(decision, self.decisions.of_client(decision.client_id))
        return found if found and not found.withdrawn_at else None

    def over(self, incident: Incident) -> list[Decision]:
        """Our cases that end with the incident, see `ending`."""
        self._incidents[incident.id] = incident
        return ending(self.decisions.around(incident.id), incident.id, self._incidents)

    def back(self, incident: Incident) -> list[Decision]:
        """Our cases of what is open anew: its own and what stood for clients in it, but not what stands for another one that fires."""
        others = {name: other for name, other in self._incidents.items() if name != incident.id}
        return ending(self.decisions.around(incident.id), incident.id, others)

    def kept(self, incident_id: str) -> list[Decision]:
        """Our cases of an incident that ended, which were not told so yet, see `kept`."""
        return kept(self.decisions.around(incident_id), incident_id, self._incidents)

    def _elsewhere(self, decision: Decision) -> str:
        """Why a case of ours on another incident stands for what is to be decided; '' where none does."""
        incident, client = self._incidents.get(decision.incident_id), decision.client_id
        if incident is None:
            return ""
        reasons = set()
        for other, held in self._on(client):
            if other.id != incident.id and self.standing(held):
                alone = self.decisions.alone(client, incident.id, other.id)
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
