"""Whom an incident touches, as its recipients are told: all as counts, their own clients by name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from alerts import Action, Touch
from alerts.reasons import ELSEWHERE, RETURNED
from alerts.standing import stands
from monitor import tables as t
from monitor.standing import Row, as_worked, only, rows, untaken
from monitor.store import Act, Store
from monitor.unsettled import doubts

if TYPE_CHECKING:
    from monitor.facts import Recipient

MOST = 200
"""Of a recipient's own clients, those read for one notice, the affected first, by priority; the others are a count and a link."""
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
    """The recipient's clients whom it touches, MOST of them, the affected first; how many more are affected; how many are exposed alone.

    once: as `monitor.facts.incident_facts` has it.
    """
    if not recipient.role or not recipient.to:
        return [], 0, 0
    i, c = t.impacts.c, t.clients.c
    mine = [
        c[recipient.role] == recipient.to,
        *([c.segment.in_(list(recipient.segments))] if recipient.segments else []),
    ]
    # Asked from the few who are theirs: among an incident's clients there may be 100,000 of others.
    theirs = i.client_id.in_(only(t.clients, "client_id", *mine))
    both = t.impacts.join(t.clients, i.client_id == c.client_id).select().where(i.incident_id == incident_id, theirs)
    columns = [
        i[name]
        for name in ("client_id", "product", "touch", "failures", "missing", "amount", "first_failure_at", "priority")
    ]
    touched = rows(store, both.with_only_columns(*columns, c.name, c.segment))
    touched.sort(key=lambda row: (row["touch"], -row["priority"], row["name"], row["client_id"], row["product"]))
    every = list(dict.fromkeys(row["client_id"] for row in touched))
    found: dict[str, Row] = {key: {} for key in every[:MOST]}
    for row in touched:  # the affected first: whoever is both is affected
        if (one := found.get(row["client_id"])) is None:
            continue
        one = found[row["client_id"]] = one or _blank(row)
        if row["touch"] == one["touch"]:
            _add(one, row)
    listed = list(found.values())
    if not listed:
        return [], 0, 0
    ids = [row["client_id"] for row in listed]
    fresh = asked(once, "untaken", lambda: untaken(store))
    decided = {case["client_id"]: case for case in _cases(store, incident_id, ids, fresh)}
    open_: dict[str, list[Row]] = {}
    for doubt in doubts(store, t.doubts.c.incident_id == incident_id, t.doubts.c.client_id.in_(ids)):
        if not doubt["settled_at"]:
            kept = ("id", "n", "state", "at", "amount", "product", "channel")
            open_.setdefault(doubt["client_id"], []).append({key: doubt[key] for key in kept})
    for row in listed:
        case = decided.get(row["client_id"])
        row["case"] = case and {key: case[key] for key in ("key", "action", "reason", "reference", "elsewhere")}
        row["affected_at"] = case["decided_at"] if case else None
        row["informed_at"] = case["informed_at"] if case else None
        row["doubts"] = open_.get(row["client_id"], [])
    hit = len({row["client_id"] for row in touched if row["touch"] == Touch.AFFECTED})
    return listed, max(0, hit - MOST), len(every) - hit


def _cases(store: Store, incident_id: str, ids: Collection[str], fresh: Collection[Act]) -> list[Row]:
    """What was decided on these clients' cases, with what people did to them a moment ago; of several, what counts stands last.

    fresh: what the judging thread has not taken in yet.
    """
    d, o = t.decisions.c, t.outbox.c
    here = (d.incident_id == incident_id, d.client_id.in_(ids))
    kept = ("key", "client_id", "action", "reason", "opened_at", "decided_at", "informed_at", "linked_case_id")
    if fresh:
        found = [{name: getattr(one, name) for name in kept} for one in as_worked(store, store.decisions(*here))]
    else:
        newest = t.decisions.select().where(*here).order_by(d.opened_at.desc(), d.priority.desc(), d.key)
        found = rows(store, newest.with_only_columns(*(d[name] for name in kept)))
    ours = _elsewhere(store, found, fresh)
    keys = [ours.get(row["key"], row["key"]) for row in found]
    opening = t.outbox.select().with_only_columns(o.key, o.reference).where(o.action == "open", o.key.in_(keys))
    numbers = {row["key"]: row["reference"] for row in rows(store, opening)} if keys else {}
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


def _blank(row: Row) -> Row:
    return {
        "client_id": row["client_id"], "client": row["name"], "segment": row["segment"], "touch": row["touch"], "priority": 0,
        "products": [], "failures": 0, "missing": 0, "amount": Decimal(0), "first_failure_at": None,
    }  # fmt: skip


def _add(one: Row, row: Row) -> None:
    """One more product of theirs."""
    one["priority"] = max(one["priority"], row["priority"])
    one["products"] += [row["product"]] if row["product"] else []
    for key in ("failures", "missing", "amount"):
        one[key] += row[key]
    times = [time for time in (one["first_failure_at"], row["first_failure_at"]) if time]
    one["first_failure_at"] = min(times, default=None)
