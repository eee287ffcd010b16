"""The decisions on preventive cases, as they stand: by key, by incident and client, and by the client's own case that they are tied to."""

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
    """By key. A merged incident brings decisions of its own: of several on a client in an incident, its own comes first."""

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        super().__init__()
        self.held: set[str] = set()
        """Keys of those whose case waits."""
        self.hit: dict[str, set[str]] = {}
        """By incident, the clients whom it affects."""
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
            same = (d for d in self.values() if d.key != decision.key and (d.incident_id, d.client_id) == of)
            self._undone[of] = {*decision.undone, *(case for other in same for case in other.undone)}
        if decision.client_reported_at:
            self._tied[decision.linked_source, decision.linked_case_id] = decision.key
        self[decision.key] = decision
        self.hit.setdefault(decision.incident_id, set()).add(decision.client_id)
        (self.held.add if waits(decision) else self.held.discard)(decision.key)
        self._first.setdefault((decision.incident_id, decision.client_id), decision.key)

    def of(self, incident_id: str, client_id: str) -> Decision | None:
        """What was decided for the client in the incident."""
        return self.get(self._first.get((incident_id, client_id), ""))

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
        leaving = [decision for decision in self.values() if decision.incident_id == incident_id]
        for decision in leaving:
            self._first.pop((incident_id, decision.client_id), None)
        return leaving

    def forget(self, incident_id: str) -> None:
        """Let go of an incident that can change no more."""
        for key in [key for key, decision in self.items() if decision.incident_id == incident_id]:
            del self[key]
        self._first = {of: key for of, key in self._first.items() if of[0] != incident_id}
        self._undone = {of: cases for of, cases in self._undone.items() if of[0] != incident_id}
        self.held &= self.keys()
        self.hit.pop(incident_id, None)
