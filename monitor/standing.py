"""Incidents as they stand this moment: with what people did a second ago, whom they touch and what cases came of them.

The judging thread takes people's acts in at its next step; whoever looks in between sees them already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from alerts import Decision, Incident, IncidentState, TheirCase
from alerts.casework import ACTS, acted
from alerts.reasons import APPROVAL, APPROVED, BUDGET
from alerts.rows import plain
from alerts.silences import Silence, matches
from monitor import tables as t
from monitor.columns import either
from monitor.counts import counts
from monitor.store import Act, Store

Row = dict[str, Any]
ATONCE = 1000
"""Rows that are held of what is read on and on."""


def told(store: Store, found: Sequence[Incident], now: datetime) -> list[Row]:
    """Each as a row. minutes: how long it has lasted, or lasted; client: the name, if it is about one alone; silenced_until: or None.

    still_failing: whether it was closed by hand and its rules are still in alert.
    """
    quiet, still = in_force(store, now), last_failed(store, found)
    many = counts(store, [incident.id for incident in found])
    about = {incident.scope.client_id for incident in found if incident.scope.client_id}
    names = {c.client_id: c.name for c in store.clients(t.clients.c.client_id.in_(about))} if about else {}
    return [
        (row := plain(incident))
        | {"client": names.get(incident.scope.client_id, ""), "still_failing": incident.id in still}
        | {"minutes": lasted(incident, now, still.get(incident.id)), "silenced_until": silenced_until(quiet, row)}
        | many[incident.id]
        for incident in found
    ]


def in_force(store: Store, now: datetime) -> list[Silence]:
    """The silences that hold at that time."""
    s = t.silences.c
    query = t.silences.select().where(s.starts_at <= now, s.until > now, s.ended_at.is_(None))
    return [Silence(**row) for row in rows(store, query)]


def silenced_until(quiet: Sequence[Silence], row: Row) -> datetime | None:
    """Until when none of what happens to an open incident is told; None where nothing keeps it quiet."""
    mine = [one.until for one in quiet if row["state"] == IncidentState.FIRING and matches(one.matchers, row)]
    return max(mine, default=None)


def as_acted(store: Store, found: Sequence[Incident]) -> list[Incident]:
    """With what people did to the open ones, and to those that they closed, whether or not the judging thread has taken it in."""
    live = {i.id for i in found if i.state is IncidentState.FIRING or i.resolved_by}
    if not live:
        return list(found)
    acts: dict[str, list[Row]] = defaultdict(list)
    for act in rows(store, t.acts.select().where(t.acts.c.incident_id.in_(live)).order_by(t.acts.c.id)):
        acts[act["incident_id"]].append(act)
    last = int(store.marks().get("last_act", 0)) if acts else 0
    breach = _last_breach(store, [name for name, of in acts.items() if any(act["action"] == "resolve" for act in of)])
    return [_acted(incident, acts[incident.id], last, breach.get(incident.id)) for incident in found]


def still_failing(store: Store, found: Sequence[Incident]) -> set[str]:
    """Of these, the ids of those that were closed by hand and that their rules are still in alert about: nobody may call them over."""
    return set(last_failed(store, found))


def shut() -> Any:
    """The condition of incidents that the judging thread knows to be so."""
    i = t.incidents.c
    return (i.resolved_by != "") & i.id.in_(only(t.alerts, "incident_id"))


def over_at() -> Any:
    """When incidents were over for the cases of them, as a column: closed by hand, when they stopped failing; None while they do not."""
    i = t.incidents.c
    return either(shut(), None, either(i.ended_at > i.resolved_at, i.ended_at, i.resolved_at))


def last_failed(store: Store, found: Sequence[Incident]) -> dict[str, datetime]:
    """Of those that are still failing, when their rules saw it last."""
    return _last_breach(store, [i.id for i in found if i.state is IncidentState.RESOLVED and i.resolved_by])


def _last_breach(store: Store, ids: Sequence[str]) -> dict[str, datetime]:
    """By incident, when its rules saw it fail last; of those that have alerts."""
    a = t.alerts.c
    query = t.alerts.select().with_only_columns(a.incident_id, a.last_breach).where(a.incident_id.in_(ids))
    return dict(tuples(store, query.order_by(a.last_breach))) if ids else {}


def named(case: TheirCase) -> str:
    """A case of a tool as an act's text names it."""
    return f"{case.source}/{case.case_id}"


def meant(act: Act) -> tuple[str, str]:
    """The tool and the number of the case that an act names."""
    source, _, number = act.text.partition("/")
    return source, number


def attributed(store: Store, act: Act) -> TheirCase | None:
    """The case that an act names, if it still is known."""
    source, number = meant(act)
    theirs = t.their_cases.c
    return next(iter(store.their_cases(theirs.source == source, theirs.case_id == number)), None)


def untaken(store: Store) -> list[Act]:
    """What people did to cases that the judging thread has not taken in yet, in order."""
    last = int(store.marks().get("last_act", 0))
    return [act for act in store.acts(after=last) if act.action in ACTS]


def as_worked(store: Store, found: Sequence[Decision]) -> list[Decision]:
    """Decisions with what people did to them that the judging thread has not taken in yet."""
    newest = {decision.key: decision for decision in found}
    for act in untaken(store):
        case = attributed(store, act) if act.action == "attribute" else None
        for key, decision in newest.items():
            if key == act.case_key or (not act.case_key and decision.incident_id == act.incident_id):
                newest[key] = _approved(decision, acted(decision, act.action, act.who, act.at, case))
            elif case and (decision.linked_source, decision.linked_case_id) == meant(act):
                newest[key] = acted(decision, "undo", act.who, act.at)
    return list(newest.values())


def _approved(before: Decision, after: Decision) -> Decision:
    """Whether there is room at its desk is not known before the judging thread has taken it in."""
    told = (before.reason, after.reason) == (APPROVAL, BUDGET)
    return replace(after, reason=APPROVED) if told else after


def stirred(store: Store) -> Any:
    """The decisions that `as_worked` may have something to change about, as a condition; None: none.

    Whatever the database counts, it counts of the others.
    """
    d, fresh = t.decisions.c, untaken(store)
    if not fresh:
        return None
    keys, wide = {act.case_key for act in fresh if act.case_key}, {act.incident_id for act in fresh if not act.case_key}
    numbers = {meant(act)[1] for act in fresh if act.action == "attribute"}
    return d.key.in_(keys) | d.incident_id.in_(wide) | d.linked_case_id.in_(numbers)


def rows(store: Store, query: Any) -> list[Row]:
    """What a query of the state's tables brings, for questions that need less than whole facts."""
    with store.reading() as connection:
        found = connection.execute(query)
        names = [str(name) for name in found.keys()]  # noqa: SIM118 - no mapping; and plain text, not the words of SQL
        return [dict(zip(names, row, strict=True)) for row in found]


def tuples(store: Store, query: Any) -> list[Any]:
    """The same, each with its columns in order: for who asks for a hundred thousand."""
    with store.reading() as connection:
        return [*connection.execute(query).all()]


def streamed(store: Store, query: Any) -> Iterator[Any]:
    """The same one by one, for who keeps little of them."""
    with store.reading() as connection:
        for some in connection.execution_options(yield_per=ATONCE).execute(query).partitions():
            yield from some


def only(table: Any, column: str, *where: Any) -> Any:
    """One column of a table, to ask others by."""
    return table.select().with_only_columns(table.c[column]).where(*where)


def lasted(incident: Incident, now: datetime, failed: datetime | None = None) -> int:
    """How many minutes it has lasted, or lasted. failed: see `last_failed`."""
    over = failed or incident.ended_at or incident.resolved_at or incident.detected_at
    until = now if incident.state is IncidentState.FIRING else over
    return max(0, int((until - incident.started_at).total_seconds() // 60))


def _acted(incident: Incident, acts: Sequence[Row], last: int, breach: datetime | None = None) -> Incident:
    """last: the newest act that the judging thread has taken in; what was undone since stays undone. breach: the last one."""
    acts = [act for act in acts if act["at"] >= incident.detected_at]  # before, it was another's id
    undone = max((act["id"] for act in acts if act["action"] == "reopen"), default=0)
    for act in acts:
        action, at, who = act["action"], act["at"], act["who"]
        if action in ("ack", "unack", "assign") and incident.state is IncidentState.FIRING:
            told = {"assigned_to": act["about"]} if action == "assign" else {"acknowledged_by": who * (action == "ack")}
            incident = replace(incident, **told)
        if action == "resolve" and incident.state is IncidentState.FIRING and act["id"] > undone:
            over, ended = IncidentState.RESOLVED, breach or incident.ended_at or at
            incident = replace(incident, state=over, ended_at=ended, resolved_at=at, resolved_by=who)
        if action == "reopen" and act["id"] > last:
            fires: dict[str, Any] = {
                "state": IncidentState.FIRING,
                "ended_at": None,
                "resolved_at": None,
                "resolved_by": "",
            }
            incident = replace(incident, reopened_at=at, **(fires if incident.resolved_by else {}))
    return incident
