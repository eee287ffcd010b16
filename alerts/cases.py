"""One preventive case a client and incident: open it, link the client's own, or leave it alone, with the reason.

A client's own case belongs to an incident if it names one of the products touched (or none), and was reported from BEFORE its detection
to AFTER its end. Reported first, it is linked and nothing is opened; reported later, it is tied to the case that we opened, and the
lead is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import heappop, heappush

from alerts import Action, Changes, Decision, Impact, Incident, TheirCase

BEFORE = timedelta(hours=2)
AFTER = timedelta(hours=24)


def case_key(incident_id: str, client_id: str) -> str:
    """Our key of the case, which every desk is told: made of incident and client, so that a repeat does no harm."""
    return f"VG-{incident_id}-{client_id}"


class CaseBook:
    """The decisions taken and the clients' own cases, as known by now."""

    def __init__(self, decisions: Iterable[Decision] = (), cases: Iterable[TheirCase] = ()) -> None:
        self.decisions = {(d.incident_id, d.client_id): d for d in decisions}
        self.cases: dict[tuple[str, str], TheirCase] = {}
        self._by_client: dict[str, dict[tuple[str, str], TheirCase]] = {}
        self._unseen: list[tuple[datetime, tuple[str, str]]] = []
        self.learn(cases)

    def learn(self, cases: Iterable[TheirCase]) -> list[TheirCase]:
        """Take in cases as the tools tell them; the newest row of one wins. Those that were news."""
        news = []
        for case in cases:
            key = (case.source, case.case_id)
            old = self.cases.get(key)
            if old and old.updated_at and case.updated_at and case.updated_at < old.updated_at:
                continue
            self.cases[key] = case
            news.append(case)
            if case.reported_by != "monitor":
                self._by_client.setdefault(case.client_id, {})[key] = case
                heappush(self._unseen, (case.opened_at, key))
        return news

    def decide(self, incident: Incident, impacts: Sequence[Impact], at: datetime, desk: str, changes: Changes) -> None:
        """Decide for every affected client of the incident who has no decision yet."""
        by_client: dict[str, list[Impact]] = {}
        for impact in impacts:
            by_client.setdefault(impact.client_id, []).append(impact)
        for client, touched in by_client.items():
            if (incident.id, client) in self.decisions:
                continue
            products = sorted({impact.product for impact in touched if impact.product})
            theirs = self._theirs(incident, client, products, at)
            decision = Decision(
                key=case_key(incident.id, client), incident_id=incident.id, client_id=client,
                product=products[0] if len(products) == 1 else "", action=Action.OPEN, reason="affected, no case of their own",
                opened_at=at, priority=max(impact.priority for impact in touched), desk=desk,
            )  # fmt: skip
            if theirs and theirs.open_at(at):
                decision = replace(decision, action=Action.LINK, reason="the client's own case is open", desk="")
            if theirs:
                decision = replace(decision, linked_case_id=theirs.case_id, client_reported_at=theirs.reported_at)
            self._note(decision, changes)

    def attach(self, incidents: Iterable[Incident], at: datetime, changes: Changes) -> None:
        """Tie the cases that became known by `at` to the ones that we had opened for their clients."""
        known = []
        while self._unseen and self._unseen[0][0] <= at:
            known.append(self.cases[heappop(self._unseen)[1]].client_id)
        for incident in incidents if known else ():
            for client in dict.fromkeys(known):
                decision = self.decisions.get((incident.id, client))
                if decision is None or decision.linked_case_id:
                    continue
                theirs = self._theirs(incident, client, [decision.product] if decision.product else [], at)
                if theirs:
                    self._note(
                        replace(decision, linked_case_id=theirs.case_id, client_reported_at=theirs.reported_at), changes
                    )

    def forget(self, incident_id: str) -> None:
        """Let go of an incident that can change no more."""
        self.decisions = {key: decision for key, decision in self.decisions.items() if key[0] != incident_id}

    def follow(self, merged: Incident, changes: Changes) -> None:
        """Decisions of an incident that was merged go on under its parent, unless it has one for that client already."""
        for key in [key for key in self.decisions if key[0] == merged.id]:
            decision = replace(self.decisions.pop(key), incident_id=merged.parent_id)
            self.decisions.setdefault((merged.parent_id, key[1]), decision)
            changes.decisions[decision.key] = decision

    def _theirs(self, incident: Incident, client: str, products: list[str], at: datetime) -> TheirCase | None:
        until = (incident.ended_at if incident.resolved_at and incident.ended_at else at) + AFTER
        fits = [
            case
            for case in self._by_client.get(client, {}).values()
            if case.opened_at <= at
            and (not case.product or not products or case.product in products or case.product == incident.scope.product)
            and incident.detected_at - BEFORE <= case.reported_at <= until
        ]
        return min(fits, key=lambda case: (not case.open_at(at), case.reported_at, case.case_id), default=None)

    def _note(self, decision: Decision, changes: Changes) -> None:
        self.decisions[decision.incident_id, decision.client_id] = decision
        changes.decisions[decision.key] = decision
