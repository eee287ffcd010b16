"""What people and tools say of single cases, taken in by the judging thread: each act once, on the decision as it is by then.

A case is worked on long after its incident is over: what the pipeline has let go of is read from the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from alerts import Action, Changes, Decision, TheirCase
from alerts.casework import ACTS, WHOLE, acted
from alerts.decided import case_key
from alerts.reasons import UNDONE
from alerts.ties import AFTER
from monitor import tables as t
from monitor.claims import opened_as
from monitor.pipeline import Pipeline
from monitor.standing import attributed, meant
from monitor.store import Act, Store

INCIDENTE = "incidente"
"""The kind of a case that technology has confirmed."""


def remember(pipeline: Pipeline, acts: Iterable[Act]) -> None:
    """What was said of whole incidents: it holds for the cases to come."""
    book = pipeline.book
    for act in acts:
        if act.action in WHOLE and not act.case_key:
            book.approved.pop(act.incident_id, None)
            book.withdrawn.discard(act.incident_id)
            if act.action == "approve":
                book.approved[act.incident_id] = act.who
            elif act.action == "withdraw":
                book.withdrawn.add(act.incident_id)


def take(act: Act, pipeline: Pipeline, store: Store, now: datetime, changes: Changes) -> None:
    """Do what the act says to its case, or to all of the incident's."""
    if act.action not in ACTS:
        return
    remember(pipeline, [act])
    case = _case(act, pipeline, store) if act.action == "attribute" else None
    if case:
        _let_go(act, case, pipeline, store, now, changes)
    for decision in _meant(act, pipeline, store, changes):
        _write(decision, acted(decision, act.action, act.who, act.at, case), pipeline, now, changes)
        over = pipeline.recent.get(decision.incident_id)
        if act.action == "restore" and over:  # it ended in between, and told nothing to what was taken back
            changes.over += [(ours, over) for ours in pipeline.book.over(over) if ours.key == decision.key]


class Promotions:
    """Our own cases of which N2 has made an incidente, as their tool tells: known by the number that it gave them."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], TheirCase] = {}

    def hear(self, cases: Iterable[TheirCase]) -> None:
        """What a tool tells; of cases that are no longer new to it, the first word stands."""
        for case in cases:
            if case.reported_by == "monitor" and case.kind.strip().casefold() == INCIDENTE:
                self._told.setdefault((case.source, case.case_id), case)

    def take(self, pipeline: Pipeline, store: Store, now: datetime, changes: Changes) -> None:
        """Note them; one whose number the desk has not answered yet is noted later."""
        if not self._told:
            return
        for key, number in opened_as(store, {number for _, number in self._told}):
            for told in [case for case in self._told.values() if case.case_id == number]:
                act = Act("", told.updated_at or now, told.source, "promote", case_key=key)
                for decision in _meant(act, pipeline, store, changes):
                    if decision.client_id == told.client_id:
                        _write(decision, acted(decision, act.action, act.who, act.at), pipeline, now, changes)
                        self._told.pop((told.source, number), None)
        self._told = {key: case for key, case in self._told.items() if now - (case.updated_at or now) < AFTER}


def _meant(act: Act, pipeline: Pipeline, store: Store, changes: Changes) -> list[Decision]:
    d, book = t.decisions.c, pipeline.book
    whose = case_key(act.incident_id, "")  # also where the incident was merged into another since
    where = d.key == act.case_key if act.case_key else d.incident_id == act.incident_id
    there = [book.decisions[act.case_key]] if act.case_key in book.decisions else []
    if not act.case_key:
        there = [d for d in book.decisions.values() if d.incident_id == act.incident_id or d.key.startswith(whose)]
    held = {decision.key: decision for decision in there}
    stored = {} if held else {decision.key: decision for decision in store.decisions(where)}
    return [changes.decisions.get(key, decision) for key, decision in (held or stored).items()]


def _case(act: Act, pipeline: Pipeline, store: Store) -> TheirCase | None:
    return pipeline.book.cases.get(meant(act)) or attributed(store, act)


def _let_go(act: Act, case: TheirCase, pipeline: Pipeline, store: Store, now: datetime, changes: Changes) -> None:
    """A case is tied to one incident: the decision that has it lets it go."""
    d = t.decisions.c
    tied = pipeline.book.decisions.tied_to(case)
    found = (
        [tied]
        if tied
        else store.decisions(
            d.linked_source == case.source, d.linked_case_id == case.case_id, d.client_reported_at.is_not(None)
        )
    )
    for decision in found:
        if decision.key != act.case_key:
            newest = changes.decisions.get(decision.key, decision)
            _write(newest, acted(newest, "undo", act.who, act.at), pipeline, now, changes)


def _write(before: Decision, after: Decision, pipeline: Pipeline, now: datetime, changes: Changes) -> None:
    if after == before:
        return
    if before.key not in pipeline.book.decisions:
        changes.decisions[after.key] = after
        return
    pipeline.book.note(after, changes)
    if after.action is Action.NONE and after.reason == UNDONE:
        pipeline.again(after, now, changes)
