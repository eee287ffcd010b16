"""The decisions on preventive cases, as they stand: by key, by incident, by client, and by the client's own case that they are tied to."""

from __future__ import annotations

from collections.abc import Iterable

from alerts import Decision, TheirCase
from alerts.reasons import waits


def case_key(incident_id: str, client_id: str) -> str:
    """Our key of the case, which every desk is told: made of incident and client, so that a repeat does no harm."""
    return f"VG-{incident_id}-{client_id}"


def opened_for(decision: Decision) -> str:
    """The incident for which it was taken, which may have been merged into another since: its key names it."""
    return decision.key.removeprefix("VG-").removesuffix(f"-{decision.client_id}")


class Decided(dict[str, Decision]):
    """By key; written by `keep` and `forget` alone.

    A merged incident brings decisions of its own: of several on a client in an incident, its own comes first.
    """

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        super().__init__()
        self.held: set[str] = set()
        """Keys of those whose case waits."""
        self.hit: dict[str, set[str]] = {}
        """By incident, the clients whom it affects."""
        self._of_client: dict[str, list[str]] = {}
        self._of_incident: dict[str, dict[str, None]] = {}
        self._first: dict[tuple[str, str], str] = {}
        self._tied: dict[tuple[str, str], str] = {}
        """By the tool and its number, which another tool may give too: the key of the decision, be it forgotten by now."""
        self._undone: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for decision in sorted(decisions, key=lambda d: (d.key != case_key(d.incident_id, d.client_id), d.key)):
            self.keep(decision)

    def keep(self, decision: Decision) -> None:
        """Write it over what was decided before."""
        before = self.get(decision.key)
        if before and self._tied.get(old := (before.linked_source, before.linked_case_id)) == decision.key:
            del self._tied[old]
        if decision.undone or (before and before.undone):
            of = (decision.incident_id, decision.client_id)
            mine = [d for d in self.of_client(decision.client_id) if d.key != decision.key]
            same = (d for d in mine if d.incident_id == decision.incident_id)
            self._undone[of] = {*decision.undone, *(case for other in same for case in other.undone)}
        if decision.client_reported_at:
            self._tied[decision.linked_source, decision.linked_case_id] = decision.key
        if before is None:
            self._of_client.setdefault(decision.client_id, []).append(decision.key)
        elif before.incident_id != decision.incident_id:
            del self._of_incident[before.incident_id][decision.key]
        self._of_incident.setdefault(decision.incident_id, {})[decision.key] = None
        self[decision.key] = decision
        self.hit.setdefault(decision.incident_id, set()).add(decision.client_id)
        (self.held.add if waits(decision) else self.held.discard)(decision.key)
        self._first.setdefault((decision.incident_id, decision.client_id), decision.key)

    def of(self, incident_id: str, client_id: str) -> Decision | None:
        """What was decided for the client in the incident."""
        return self.get(self._first.get((incident_id, client_id), ""))

    def of_client(self, client_id: str) -> list[Decision]:
        """All that were taken on the client."""
        return [self[key] for key in self._of_client.get(client_id, ())]

    def of_incident(self, incident_id: str) -> list[Decision]:
        """All that were taken in the incident, or came to it with one that was merged into it."""
        return [self[key] for key in self._of_incident.get(incident_id, ())]

    def around(self, incident_id: str) -> list[Decision]:
        """All that were taken on clients of the incident, in whatever incident."""
        clients = dict.fromkeys(decision.client_id for decision in self.of_incident(incident_id))
        return [decision for client in clients for decision in self.of_client(client)]

    def alone(self, client_id: str, *incidents: str) -> bool:
        """Whether none of these incidents was found to hit anybody else so far."""
        return all(
            self.hit[incident] <= {client_id} for incident in incidents
        )  # sizes first: a set may be all of the bank

    def tied_to(self, case: TheirCase) -> Decision | None:
        """The decision to which the case is tied; None: to none, or to one that is forgotten."""
        return self.get(self._tied.get((case.source, case.case_id), ""))

    def ties(self, case: TheirCase) -> bool:
        """Whether the case is tied to a decision, be it one that is forgotten."""
        return (case.source, case.case_id) in self._tied

    def apart(self, case: TheirCase, incident_id: str, client_id: str) -> bool:
        """Whether somebody said that the case is not about the incident."""
        return (case.source, case.case_id) in self._undone.get((incident_id, client_id), ())

    def leave(self, incident_id: str) -> list[Decision]:
        """The decisions of an incident that was merged into another: they go on, but no longer under its name."""
        leaving = self.of_incident(incident_id)
        for decision in leaving:
            self._first.pop((incident_id, decision.client_id), None)
        return leaving

    def forget(self, incident_id: str) -> None:
        """Let go of an incident that can change no more."""
        for decision in self.of_incident(incident_id):
            del self[decision.key]
            self._of_client[decision.client_id].remove(decision.key)
            if not self._of_client[decision.client_id]:
                del self._of_client[decision.client_id]
            self._first.pop((incident_id, decision.client_id), None)
            self._undone.pop((incident_id, decision.client_id), None)
            self.held.discard(decision.key)
        self._of_incident.pop(incident_id, None)
        self.hit.pop(incident_id, None)
