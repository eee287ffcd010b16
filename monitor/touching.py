"""Whom an incident touches, as its recipients are told: all as counts, their own clients by name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from alerts import Action, Touch
from alerts.reasons import ELSEWHERE, RETURNED
from alerts.standing import stands
from monitor import tables as t
from monitor.standing import Row, as_worked, only, rows, tuples, untaken
from monitor.store import Act, Store
from monitor.unsettled import doubts

if TYPE_CHECKING:
    from monitor.facts import Recipient

MOST = 200
"""Of a recipient's own clients, those read for one notice, the affected first, by priority; the others are a count and a link."""
HARM = ("client_id", "product", "touch", "failures", "missing", "amount", "first_failure_at", "priority")
_COUNTED = {Action.OPEN: "cases_opened", Action.LINK: "cases_linked", Action.NONE: "cases_left"}


def asked(once: dict[Any, Any] | None, key: object, ask: Callable[[], Any]) -> Any:
    """What `ask` says, or has said before in the same pass."""
    if once is None:
        return ask()
    if key not in once:
        once[key] = ask()
    return once[key]


def counts(store: Store, incident_id: str, among: Collection[str] = ()) -> Row:
    """Clients affected and exposed, the highest priority of the affected, cases by what was decided. among: segments (none: all)."""
    i, d = t.impacts.c, t.decisions.c
    here = [i.incident_id == incident_id, *_among(i.client_id, among)]
    hit = only(t.impacts, "client_id", i.incident_id == incident_id, i.touch == Touch.AFFECTED)
    affected = t.impacts.select().where(*here, i.touch == Touch.AFFECTED)
    (worst,) = rows(
        store, affected.with_only_columns(t.different(i.client_id).label("n"), t.highest(i.priority).label("p"))
    )
    exposed = t.impacts.select().where(*here, i.touch == Touch.EXPOSED, i.client_id.not_in(hit))
    (near,) = rows(store, exposed.with_only_columns(t.different(i.client_id).label("n")))
    found: Row = {"affected": worst["n"], "exposed": near["n"], "priority": worst["p"] or 0}
    found |= dict.fromkeys(_COUNTED.values(), 0)
    decided = t.decisions.select().where(d.incident_id == incident_id, *_among(d.client_id, among))
    withdrawn = d.withdrawn_at.is_not(None)
    grouped = decided.with_only_columns(d.action, withdrawn.label("withdrawn"), t.different(d.key).label("n"))
    for row in rows(store, grouped.group_by(d.action, withdrawn)):
        found[_COUNTED[Action.NONE if row["withdrawn"] else Action(row["action"])]] += row["n"]
    return found


def segments(store: Store, incident_id: str, among: Collection[str] = ()) -> dict[str, int]:
    """How many affected clients by segment, '' where it is not known."""
    i, c = t.impacts.c, t.clients.c
    whole = t.impacts.outerjoin(t.clients, i.client_id == c.client_id).select()
    where = [i.incident_id == incident_id, i.touch == Touch.AFFECTED, *([c.segment.in_(list(among))] if among else [])]
    found = rows(
        store, whole.with_only_columns(c.segment, t.different(i.client_id).label("n")).where(*where).group_by(c.segment)
    )
    many = {row["segment"] or "": row["n"] for row in found if row["segment"]}
    unknown = sum(row["n"] for row in found if not row["segment"])
    return dict(sorted(many.items(), key=lambda pair: (-pair[1], pair[0]))) | ({"": unknown} if unknown else {})


def own(
    store: Store, incident_id: str, recipient: Recipient, once: dict[Any, Any] | None = None
) -> tuple[list[Row], int, int]:
    """The recipient's clients whom it affects, MOST of them; how many more are affected; how many are exposed alone.

    once: as `monitor.facts.incident_facts` has it.
    """
    if not recipient.role or not recipient.to:
        return [], 0, 0
    i, c, d = t.impacts.c, t.clients.c, t.doubts.c
    mine = [
        c[recipient.role] == recipient.to,
        *([c.segment.in_(list(recipient.segments))] if recipient.segments else []),
    ]
    # Asked from the few who are theirs: among an incident's clients there may be 100,000 of others.
    theirs = only(t.clients, "client_id", *mine)
    here = i.incident_id == incident_id, i.client_id.in_(theirs)
    columns = [i[name] for name in HARM]
    both = t.impacts.join(t.clients, i.client_id == c.client_id).select().with_only_columns(*columns, c.name, c.segment)
    read = tuples(store, both.where(*here))
    hurts = [row for row in read if row.touch == Touch.AFFECTED]
    hurts.sort(key=lambda row: (-row.priority, row.name, row.client_id, row.product))
    every = list(dict.fromkeys(row.client_id for row in hurts))
    exposed = len({row.client_id for row in read}) - len(every)
    if not every:
        return [], 0, exposed
    found: dict[str, Row] = {}
    for hurt in hurts:
        if (one := found.get(hurt.client_id)) is None:
            if len(found) == MOST:
                continue
            one = found[hurt.client_id] = _blank(hurt)
        _add(one, hurt)
    listed = list(found.values())
    fresh = asked(once, "untaken", lambda: untaken(store))
    decided = {case["client_id"]: case for case in _cases(store, incident_id, theirs, fresh, once)}
    open_: dict[str, list[Row]] = {}
    for doubt in doubts(store, d.incident_id == incident_id, d.settled_at.is_(None), d.client_id.in_(theirs)):
        kept = ("id", "n", "state", "at", "amount", "product", "channel")
        open_.setdefault(doubt["client_id"], []).append({key: doubt[key] for key in kept})
    for row in listed:
        case = decided.get(row["client_id"])
        row["case"] = case and {key: case[key] for key in ("key", "action", "reason", "reference", "elsewhere")}
        row["affected_at"] = case["decided_at"] if case else None
        row["informed_at"] = case["informed_at"] if case else None
        row["doubts"] = open_.get(row["client_id"], [])
    return listed, len(every) - len(listed), exposed


def _cases(
    store: Store, incident_id: str, theirs: Any, fresh: Collection[Act], once: dict[Any, Any] | None
) -> list[Row]:
    """What was decided on the cases of clients (a query), with what people did to them just now; of several, what counts stands last.

    fresh: what the judging thread has not taken in yet; once: with it, the desks' numbers are asked for of all of the incident's cases.
    """
    d, o = t.decisions.c, t.outbox.c
    here = (d.incident_id == incident_id, d.client_id.in_(theirs))
    kept = ("key", "client_id", "action", "reason", "opened_at", "decided_at", "informed_at", "linked_case_id")
    if fresh:
        found = [{name: getattr(one, name) for name in kept} for one in as_worked(store, store.decisions(*here))]
    else:
        newest = t.decisions.select().where(*here).order_by(d.opened_at.desc(), d.priority.desc(), d.key)
        read = tuples(store, newest.with_only_columns(*(d[name] for name in kept)))
        found = [dict(zip(kept, row, strict=True)) for row in read]
    ours = _elsewhere(store, found, fresh)
    opening = t.outbox.select().with_only_columns(o.key, o.reference).where(o.action == "open")
    mine = o.key.in_(only(t.decisions, "key", *(here if once is None else here[:1])))
    numbers = asked(once, ("opened", incident_id), lambda: dict(tuples(store, opening.where(mine))))
    numbers = numbers | dict(tuples(store, opening.where(o.key.in_(set(ours.values()))))) if ours else numbers
    for row in found:
        row["elsewhere"] = row["key"] in ours
        row["reference"] = numbers.get(ours.get(row["key"], row["key"])) or row["linked_case_id"]
    return sorted(found, key=lambda case: (case["action"] != Action.NONE, case["opened_at"]))


def _elsewhere(store: Store, found: Collection[Row], fresh: Collection[Act]) -> dict[str, str]:
    """By the key of what was decided here, the key of our case on what else fails for the client, which stands for it."""
    left = {row["key"]: row["client_id"] for row in found if row["reason"] in (ELSEWHERE, RETURNED)}
    if not left:
        return {}
    every = store.decisions(t.decisions.c.client_id.in_(set(left.values())))
    every = as_worked(store, every) if fresh else every
    by_key: dict[str, str] = {}
    for decision in every:
        if decision.key in left:
            ours = stands(decision, [other for other in every if other.client_id == decision.client_id])
            if ours and ours.key != decision.key and not ours.withdrawn_at:
                by_key[decision.key] = ours.key
    return by_key


def _among(client_id: Any, among: Collection[str]) -> list[Any]:
    return [client_id.in_(only(t.clients, "client_id", t.clients.c.segment.in_(list(among))))] if among else []


def _blank(hurt: Any) -> Row:
    return {
        "client_id": hurt.client_id, "client": hurt.name, "segment": hurt.segment, "touch": str(Touch.AFFECTED), "priority": 0,
        "products": [], "failures": 0, "missing": 0, "amount": Decimal(0), "first_failure_at": None,
    }  # fmt: skip


def _add(one: Row, hurt: Any) -> None:
    """One more product of theirs."""
    one["priority"] = max(one["priority"], hurt.priority)
    one["products"] += [hurt.product] if hurt.product else []
    one["failures"] += hurt.failures
    one["missing"] += hurt.missing
    one["amount"] += hurt.amount
    times = [time for time in (one["first_failure_at"], hurt.first_failure_at) if time]
    one["first_failure_at"] = min(times, default=None)
