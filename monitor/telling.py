"""What the desks are told of what changed: cases opened, taken up again, ended, taken back; causes that return."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from alerts import Action, Changes, Client, Decision, Incident, IncidentState
from alerts.decided import opened_for
from alerts.reasons import RETURNED
from alerts.ties import AFTER
from monitor import tables as t
from monitor.escalation import to_escalate
from monitor.outbox import kind_of, to_close, to_end, to_open, to_promote, to_reopen, to_return, to_withdraw
from monitor.pipeline import Pipeline
from monitor.store import Message, Store


def messages(pipeline: Pipeline, store: Store, changes: Changes, now: datetime) -> list[Message]:
    """The messages of a step, the most urgent first."""
    zone, doubts = pipeline.calendar.zone, pipeline.doubts.of

    def incident(decision: Decision) -> Incident:
        wanted = decision.incident_id
        known = changes.incidents.get(wanted) or pipeline.incidents.open.get(wanted) or pipeline.recent.get(wanted)
        return known or store.incidents(t.incidents.c.id == wanted)[0]  # over long ago: somebody works on its cases

    def client(decision: Decision) -> Client:
        return pipeline.portfolio.clients.get(decision.client_id) or Client(decision.client_id)

    ours = [d for d in changes.decisions.values() if d.action is Action.OPEN]
    # What was opened long ago was told then; what people do with it since is no new case.
    fresh = (d for d in ours if not d.withdrawn_at and now - d.opened_at <= AFTER)
    opened = sorted(fresh, key=lambda d: (-d.priority, d.key))
    withdrawn = [d for d in ours if d.withdrawn_at]
    promoted = [d for d in ours if d.promoted_at and not d.withdrawn_at]

    shut = pipeline.incidents.closed  # by hand, and still failing
    kept = {d.key for name in {d.incident_id for d in promoted} for d in pipeline.book.kept(name)}

    def over(decision: Decision) -> bool:
        one = incident(decision)
        return one.state is not IncidentState.FIRING and one.id not in shut and decision.key not in kept

    back = [(d, pipeline.book.standing(d)) for d in changes.decisions.values() if d.reason == RETURNED]
    firing = (i for i in changes.incidents.values() if i.state is IncidentState.FIRING)
    reopened = {i.id: i for i in firing if i.reopened_at == now}
    never = {d.key for d, by in changes.over if by.id in reopened}  # closed and reopened in one step
    on = [(d, one) for one in reopened.values() for d in pipeline.book.back(one) if d.key not in never]
    newest = ((changes.decisions.get(d.key, d), by) for d, by in changes.over if d.key not in never)
    ended = [(d, by) for d, by in newest if d.action is Action.OPEN and not d.withdrawn_at]

    def fails(decision: Decision) -> bool:
        """Whether it stands for its client in something shut, whose end it is told yet."""
        here = (
            [d for d in pipeline.book.decisions.of_client(decision.client_id) if d.incident_id in shut] if shut else []
        )
        return any(found.key == decision.key for d in here if (found := pipeline.book.standing(d)))

    left: dict[tuple[str, str], set[str]] = {}
    for d in pipeline.book.decisions.values() if withdrawn else ():
        if d.action is Action.OPEN and not d.withdrawn_at:
            left.setdefault((d.desk, opened_for(d)), set()).add(kind_of(d))

    def still(decision: Decision) -> Collection[str] | None:
        ended, back = incident(decision).resolved_at, decision.withdrawn_at
        # That it is over, while it stood.
        told = ended and back and ended < back and decision.incident_id not in shut
        return None if told else left.get((decision.desk, opened_for(decision)), ())

    return [
        *(to_open(d, incident(d), client(d), zone) for d in opened),
        *(to_promote(d, incident(d), client(d), zone, over=over(d)) for d in promoted),
        *(to_return(o, incident(d), client(d), zone) for d, o in back if o),
        *(to_reopen(d, one, client(d), zone) for d, one in on),
        *(to_close(d, by, client(d), zone) for d, by in ended if by.id in shut),
        *(to_end(d, by, client(d), zone, doubts(d)) for d, by in ended if by.id not in shut and not fails(d)),
        *(to_withdraw(d, incident(d), client(d), zone, still(d)) for d in withdrawn),
        *(to_escalate(one, zone) for one in changes.escalated if one.escalation.desk),
    ]
