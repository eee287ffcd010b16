"""`vigia sla`: how the promises stand of every case, in whatever tool it is: at risk, late, and end to end across returns.

Here all of them are looked at; how the open ones stand now is kept, for who asks often (`monitor.kept_clocks`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any

from alerts import Action, Decision, IncidentState, TheirCase
from alerts.promises import Clock, ClockState, Promises, ended, folded
from monitor import tables as t
from monitor.claims import whose
from monitor.standing import Row, only, over_at, rows, shut, tuples
from monitor.store import Store

LATELY = timedelta(days=30)
SHOWN = timedelta(days=92)
"""For how long boards show what was solved."""
NEVER = datetime.max.replace(tzinfo=UTC)
URGENT = (ClockState.AT_RISK, ClockState.BREACHED)


@dataclass(frozen=True, slots=True)
class Some:
    """Numbers of tools' cases, and keys of the decisions of ours."""

    numbers: Collection[str]
    decisions: Collection[str]


@dataclass(frozen=True, slots=True)
class Standing:
    """A case, its clock end to end, and that by the tool's own dates; None where nothing is promised.

    decision: the key of ours that is in no tool that is read.
    """

    case: TheirCase
    segment: str
    client: str
    clock: Clock | None
    tool: Clock | None
    decision: str = ""

    def end_to_end(self, now: datetime) -> float:
        """Seconds from the client's first word to the solution, or to now."""
        return ((self._end(now)) - min(self.case.reported_at, self.case.opened_at)).total_seconds()

    def by_tool(self, now: datetime) -> float:
        """Seconds by the tool's own dates: from its opening, which a return may have set anew."""
        return max(0.0, (self._end(now) - self.case.opened_at).total_seconds())

    def over(self, now: datetime) -> bool:
        """Whether it was solved by now."""
        return (end := ended(self.case)) is not None and end <= now

    def _end(self, now: datetime) -> datetime:
        return min(ended(self.case) or now, now)


def standing(store: Store, promises: Promises, now: datetime) -> Row:
    """By product: open cases, at risk, late; what was solved in the last 30 days, in time by our clock and by the tool's.

    cases: each that is at risk or late, the first due first. A case of which nothing is promised is counted as such, never as in time.
    """
    since = now - LATELY
    found = [
        one for one in stood(store, promises, now, since) if not one.over(now) or (ended(one.case) or now) >= since
    ]
    products: dict[str, list[Standing]] = defaultdict(list)
    for one in found:
        products[product_of(one.case)].append(one)
    return {
        "since": since,
        "until": now,
        "products": [{"product": name} | _counts(products[name], now) for name in sorted(products)],
        "cases": urgent(found, now),
    }


def urgent(found: Iterable[Standing], now: datetime) -> list[Row]:
    """Those of them that are open and at risk or late, the first due first."""
    kept = [one for one in found if not one.over(now) and one.clock and one.clock.state in URGENT]
    return [row(one, now) for one in sorted(kept, key=due_first)]


def due_first(one: Standing) -> tuple[bool, datetime, str]:
    """The order of open cases: those of which nothing is promised stand last."""
    return one.clock is None, one.clock.due_at if one.clock else NEVER, one.case.case_id


def stood(
    store: Store, promises: Promises, now: datetime, since: datetime, some: Some | None = None
) -> Iterator[Standing]:
    """Every case that is open or ended since then: the tools', and ours that have not come back from theirs.

    some: of the tools' those with such numbers, of ours those of such decisions' keys (not more than one query may ask about).
    """
    c, d, o = t.their_cases.c, t.decisions.c, t.outbox.c
    i, lately, ours_where = t.incidents.c, of_late(since), still_ours(since)
    sent = t.outbox.select().with_only_columns(o.key, o.reference).where(o.action == "open", o.reference != "")
    if some is None:
        sent = sent.where(o.key.in_(only(t.decisions, "key", d.action == Action.OPEN)))
    else:
        lately, ours_where = lately & c.case_id.in_(some.numbers), [*ours_where, d.key.in_(some.decisions)]
        sent = sent.where(o.key.in_(some.decisions) | o.reference.in_(some.numbers))
    number = {row["key"]: row["reference"] for row in rows(store, sent)}
    by_number: dict[str, list[str]] = defaultdict(list)  # two desks may give the same
    for key, reference in number.items():
        by_number[reference].append(key)
    theirs = store.their_cases(lately)
    opened = {decision.key: decision for decision in store.decisions(*ours_where)}
    # Ours that came back, whenever they ended there: they are the tool's to tell of.
    known = c.case_id.in_([number[key] for key in opened if key in number])
    back = {(case.case_id, case.client_id) for case in store.their_cases(known) if case.reported_by == "monitor"}
    priority, keys = _linked(store, only(t.their_cases, "case_id", lately)), set(by_number)
    numbered = [key for case in theirs if case.case_id in keys for key in by_number[case.case_id]]
    mine = {x.key: x for x in store.decisions(d.action == Action.OPEN, d.key.in_(numbered))}
    changes = store.case_changes(t.case_changes.c.case_id.in_(only(t.their_cases, "case_id", lately)))
    concerned = only(t.their_cases, "client_id", lately), only(t.decisions, "client_id", *ours_where)
    theirs_or_ours = [t.clients.c.client_id.in_(ids) for ids in concerned]
    clients = {client.client_id: client for client in store.clients(theirs_or_ours[0] | theirs_or_ours[1])}
    where = i.id.in_({x.incident_id for x in opened.values()})
    asked = t.incidents.select().with_only_columns(i.id, i.channel, over_at()).where(where)
    channels = {key: (channel, over) for key, channel, over in tuples(store, asked)}

    def one(case: TheirCase, urgency: int | None, key: str = "") -> Standing:
        client = clients.get(case.client_id)
        segment = client.segment if client else ""
        words: dict[str, Any] = {"segment": segment, "priority": urgency}
        told = changes.get((case.source, case.case_id), ())
        clock, tool = promises.clock(case, now, changes=told, **words), promises.by_tool(case, now, **words)
        return Standing(case, segment, client.name if client else "", clock, tool, key)

    for case in theirs:
        same = [mine[key] for key in by_number.get(case.case_id, ()) if key in mine]
        decision = whose(case.client_id, same) if case.reported_by == "monitor" else None
        if decision:
            first = min(decision.opened_at, case.reported_at)
            yield one(replace(case, product=decision.product or case.product, reported_at=first), decision.priority)
        else:
            yield one(case, priority.get((case.source, case.case_id)))
    for key, decision in opened.items():
        if not {(number.get(key, ""), who) for who in ("", decision.client_id)} & back:
            yield one(
                _ours(decision, number.get(key, key), *channels.get(decision.incident_id, ("", None))),
                decision.priority,
                key,
            )


def of_late(since: datetime) -> Any:
    """Of the tools' cases those that are open or ended since then, as a condition."""
    c = t.their_cases.c
    return (c.resolved_at.is_(None) | (c.resolved_at >= since)) & (c.closed_at.is_(None) | (c.closed_at >= since))


def still_ours(since: datetime) -> list[Any]:
    """The decisions whose cases are open with their incident or ended with it since then, as conditions."""
    d, i = t.decisions.c, t.incidents.c
    firing = only(t.incidents, "id", (i.state == IncidentState.FIRING) | shut() | (over_at() >= since))
    return [d.action == Action.OPEN, d.withdrawn_at.is_(None), d.incident_id.in_(firing)]


def _linked(store: Store, numbers: Any) -> Mapping[tuple[str, str], int]:
    """The priority of each of these cases (a query of their numbers) that an incident was tied to, the highest."""
    found: dict[tuple[str, str], int] = {}
    for decision in store.decisions(t.decisions.c.linked_case_id.in_(numbers)):
        key = (decision.linked_source, decision.linked_case_id)
        found[key] = max(decision.priority, found.get(key, 0))
    return found


def _ours(decision: Decision, number: str, channel: str, resolved: datetime | None) -> TheirCase:
    """One that only we know of: over with its incident."""
    return TheirCase(
        number, "", decision.client_id, decision.opened_at, decision.opened_at, decision.product, channel, "soporte",
        reported_by="monitor", resolved_at=resolved,
    )  # fmt: skip


def product_of(case: TheirCase) -> str:
    """By what it is counted: its product or, where it names none, its channel."""
    return folded(case.product or case.channel)


def _counts(found: Sequence[Standing], now: datetime) -> Row:
    open_ = [one for one in found if not one.over(now)]
    states = Counter(one.clock.state if one.clock else "" for one in open_)
    over = [one for one in found if one.over(now)]
    promised = [one for one in over if one.clock and one.tool]

    def in_time(clocks: Sequence[Clock | None]) -> int:
        return sum(clock is not None and clock.state is ClockState.MET for clock in clocks)

    return {
        "open": len(open_),
        **{str(state): states[state] for state in (*URGENT, ClockState.RUNNING, ClockState.PAUSED)},
        "unpromised": states[""],
        "resolved": len(over),
        "resolved_unpromised": len(over) - len(promised),
        "in_time": in_time([one.clock for one in promised]),
        "in_time_by_tool": in_time([one.tool for one in promised]),
        "mean_seconds": fmean(one.end_to_end(now) for one in over) if over else None,
        "mean_tool_seconds": fmean(one.by_tool(now) for one in over) if over else None,
    }


def row(one: Standing, now: datetime) -> Row:
    """The case as answers tell it."""
    case, clock, tool = one.case, one.clock, one.tool
    told = (
        "case_id",
        "source",
        "client_id",
        "product",
        "channel",
        "kind",
        "typology",
        "status",
        "level",
        "returns",
        "reopened",
    )
    return {
        **{name: getattr(case, name) for name in told},
        "client": one.client,
        "segment": one.segment,
        "reported_at": min(case.reported_at, case.opened_at),
        "opened_at": case.opened_at,
        "clock": str(clock.state) if clock else "",
        "due_at": clock.due_at if clock else None,
        "spent_seconds": clock.spent.total_seconds() if clock else None,
        "remaining_seconds": clock.remaining.total_seconds() if clock else None,
        "tool_clock": str(tool.state) if tool else "",
        "end_to_end_seconds": one.end_to_end(now),
        "tool_seconds": one.by_tool(now),
    }
