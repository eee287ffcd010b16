"""The clocks of service promises as they are kept in the state: for boards, which know no business hours, and for who lists open cases.

What a clock was made of is kept beside it, and the moment at which it turns by itself. So the database finds the cases that are no
longer as they are kept, and these alone are looked at: not a hundred thousand every minute.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary

from alerts import Action
from alerts.promises import ClockState, Promises, ended
from monitor import tables as t
from monitor.columns import counting, either, filled, highest, no_text, place, written
from monitor.database import put
from monitor.sla import SHOWN, URGENT, Some, Standing, due_first, of_late, product_of, row, still_ours, stood, urgent
from monitor.standing import Row, over_at, tuples
from monitor.store import Store

MOST = 5000
"""Cases that are asked for by number; of more, all are read."""
AS_OF = "clocks_kept"
"""Mark of the state: when all clocks were last seen to."""
Key = tuple[str, str]
"""A case: its tool and its number there; of one that is ours alone '' and its decision's key, for two desks may give one number."""
Read = Mapping[Key, tuple[str, str, str]]
"""Of cases: the decision's key, if it is ours alone; its number, or that key where another has the number; what the clock is made of."""

_kept_by: WeakKeyDictionary[Store, Promises] = WeakKeyDictionary()
"""By which promises this process has kept the clocks of a state."""


def keep_clocks(store: Store, promises: Promises, now: datetime) -> dict[tuple[str, str], tuple[int, int]]:
    """By product and segment of the open cases: how many are at risk, and how many are late.

    Kept is the clock of each case that is open or was solved in the last SHOWN: all the first time and where the promises are others,
    then those that have changed. One that is paused always has: its due moment moves on.
    """
    anew = _kept_by.get(store) != promises
    read = _read(store, _wanted(now)) if anew else _changed(store, now)
    looked_at = _looked_at(store, promises, now, read, all_=anew)
    made = [_kept(one, now) | dict(zip(("case_id", "read"), read[_key(one)][1:], strict=True)) for one in looked_at]
    gone = [] if anew else _gone(store, now)
    k = t.clocks.c
    with store.writing() as connection:
        if anew:
            connection.execute(t.clocks.delete())
        for source, number, _ in gone:
            connection.execute(t.clocks.delete().where(k.source == source, k.case_id == number))
        put(connection, t.clocks, made)
        put(connection, t.meta, [{"key": AS_OF, "value": f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"}])
    _kept_by[store] = promises
    many: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    by = (k.product, k.segment, k.state)
    open_ = t.clocks.select().with_only_columns(*by, counting(k.case_id)).where(k.ended_at.is_(None)).group_by(*by)
    for product, segment, state, n in tuples(store, open_):
        many[product, segment][state] = n
    return {key: (n.get(ClockState.AT_RISK, 0), n.get(ClockState.BREACHED, 0)) for key, n in many.items()}


def urgent_now(store: Store, promises: Promises, now: datetime, limit: int | None = None) -> tuple[list[Row], int]:
    """The open cases that are at risk or late, the first due first (as `sla.standing` has them), at most `limit`; how many there are."""
    if _kept_by.get(store) != promises:
        found = urgent(stood(store, promises, now, now), now)
        return found[:limit], len(found)
    k, changed, gone = t.clocks.c, _changed(store, now), {_same(*one) for one in _gone(store, now)}
    hot = t.clocks.select().with_only_columns(k.source, k.case_id, k.decision, k.read).order_by(k.due_at, k.case_id)
    kept = _read(store, hot.where(k.ended_at.is_(None), k.state.in_(URGENT)))
    as_kept = {key: read for key, read in kept.items() if key not in changed and key not in gone}
    fresh = _looked_at(store, promises, now, changed)
    first = _looked_at(store, promises, now, dict(islice(as_kept.items(), limit)))
    fresh_rows = urgent(fresh, now)
    found = sorted([*urgent(first, now), *fresh_rows], key=lambda one: (one["due_at"], one["case_id"]))
    return found[:limit], len(as_kept) + len(fresh_rows)


def still_open(store: Store, promises: Promises, now: datetime) -> list[Row]:
    """Every open case in short, the first due first, those of which nothing is promised last; `whole` tells all of some of them.

    source, case_id, decision (the key of ours that is in no tool), client_id, client, product, clock (its state).
    """
    if _kept_by.get(store) != promises:
        found = [one for one in stood(store, promises, now, now) if not one.over(now)]
        return [_short(one) for one in sorted(found, key=due_first)]
    k, read, gone = t.clocks.c, _changed(store, now), {_same(*one) for one in _gone(store, now)}
    named = t.clocks.outerjoin(t.clients, t.clients.c.client_id == k.client_id).select()
    columns = (k.source, k.case_id, k.decision, k.client_id, filled(t.clients.c.name), k.product, k.state, k.due_at)
    order = (either(k.state == "", 1, 0), k.due_at, k.case_id)
    every = tuples(store, named.with_only_columns(*columns).where(k.ended_at.is_(None)).order_by(*order))
    names = ("source", "case_id", "decision", "client_id", "client", "product", "clock")
    as_kept: list[tuple[datetime | None, Row]] = [
        (one[7], dict(zip(names, one[:7], strict=True))) for one in every if _same(*one[:3]) not in gone | read.keys()
    ]
    if not read:
        return [short for _, short in as_kept]
    fresh = [one for one in _looked_at(store, promises, now, read) if not one.over(now)]
    both = as_kept + [(one.clock.due_at if one.clock else None, _short(one)) for one in fresh]
    return [short for _, short in sorted(both, key=lambda one: (one[0] is None, one[0] or now, one[1]["case_id"]))]


def whole(store: Store, promises: Promises, now: datetime, some: Sequence[Row]) -> list[Row]:
    """Those of `still_open` in full, as they are told. ours: whether Vigía opened it."""
    shorts = [(short["source"], short["case_id"], short["decision"]) for short in some]
    read = {_same(*one): (one[2], one[1], "") for one in shorts}
    found = {_key(one): one for one in _looked_at(store, promises, now, read)}
    return [row(found[key], now) | {"ours": found[key].case.reported_by == "monitor"} for key in read if key in found]


def _looked_at(
    store: Store, promises: Promises, now: datetime, read: Read, *, all_: bool = False
) -> Iterator[Standing]:
    """These cases, as they stand now; of many, all that there are are read."""
    some = None
    if not read:
        return
    if len(read) <= MOST and not all_:
        theirs, ours = (
            [number for decision, number, _ in read.values() if not decision],
            [decision for decision, _, _ in read.values() if decision],
        )
        some = Some(theirs, ours)
    yield from (one for one in stood(store, promises, now, now - SHOWN, some) if _key(one) in read)


def _key(one: Standing) -> Key:
    return _same(one.case.source, one.case.case_id, one.decision)


def _same(source: str, number: str, decision: str) -> Key:
    return ("", decision) if decision else (source, number)


def _short(one: Standing) -> Row:
    return {
        "source": one.case.source, "case_id": one.case.case_id, "decision": one.decision, "client_id": one.case.client_id,
        "client": one.client, "product": product_of(one.case), "clock": str(one.clock.state) if one.clock else "",
    }  # fmt: skip


def _kept(one: Standing, now: datetime) -> Row:
    case, clock, end = one.case, one.clock, ended(one.case)
    turns = clock.turns_at if clock else end if end and end > now else None
    return {
        "source": case.source, "case_id": case.case_id, "client_id": case.client_id, "product": product_of(case),
        "channel": case.channel, "segment": one.segment, "kind": case.kind, "typology": case.typology, "status": case.status,
        "level": case.level, "reported_by": case.reported_by, "returns": case.returns, "reopened": case.reopened,
        "state": str(clock.state) if clock else "", "opened_at": min(case.reported_at, case.opened_at),
        "ended_at": min(end or now, now) if one.over(now) else None, "due_at": clock.due_at if clock else None,
        "seconds": one.end_to_end(now), "kept_at": now, "decision": one.decision,
        "turns_at": now if clock and clock.state is ClockState.PAUSED else turns,
    }  # fmt: skip


# ---- what has changed ----------------------------------------------------------------------------------------------


def _changed(store: Store, now: datetime) -> dict[Key, tuple[str, str, str]]:
    """The cases that are not as they are kept, or whose clock has turned since."""
    k, w = t.clocks.c, _wanted(now).subquery()
    both = w.outerjoin(t.clocks, _alike(w)).select()
    other = k.read.is_(None) | (k.read != w.c.read) | (k.turns_at <= now)
    return _read(store, both.with_only_columns(*w.c).where(other))


def _gone(store: Store, now: datetime) -> list[tuple[str, str, str]]:
    """The tool, number and decision of those that are kept and are no more so, or ended too long ago."""
    k, w = t.clocks.c, _wanted(now).subquery()
    both = t.clocks.outerjoin(w, _alike(w)).select()
    kept = both.with_only_columns(k.source, k.case_id, k.decision).where(w.c.source.is_(None))
    return [(source, number, decision) for source, number, decision in tuples(store, kept)]


def _alike(wanted: Any) -> Any:
    """What is kept and what is wanted of one case."""
    k, w = t.clocks.c, wanted.c
    return (k.source == w.source) & (k.case_id == w.case_id) & (k.decision == w.decision)


def _read(store: Store, query: Any) -> dict[Key, tuple[str, str, str]]:
    """Of rows of a case's tool, number, decision and what its clock is made of."""
    return {_same(source, number, key): (key, number, text) for source, number, key, text in tuples(store, query)}


def _wanted(now: datetime) -> Any:
    """Every case that `stood` finds: source, case_id, decision, read. All that a clock is made of must be in `read`."""
    c, d, o, i = t.their_cases.c, t.decisions.c, t.outbox.c, t.incidents.c
    segment, since = filled(t.clients.c.segment), now - SHOWN
    sent = (o.key == d.key) & (o.action == "open") & (o.reference != "")
    decided = _text(d.key, d.client_id, d.product, d.opened_at, d.priority)
    by_number = t.outbox.join(t.decisions, sent & (d.action == Action.OPEN)).select()
    mine: Any = (
        by_number.with_only_columns(o.reference, highest(decided).label("decided")).group_by(o.reference).subquery()
    )
    linked = t.decisions.select().with_only_columns(
        d.linked_source, d.linked_case_id, highest(d.priority).label("priority")
    )
    tied = linked.where(d.linked_case_id != "").group_by(d.linked_source, d.linked_case_id).subquery()
    theirs = (
        t.their_cases.outerjoin(t.clients, t.clients.c.client_id == c.client_id)
        .outerjoin(tied, (tied.c.linked_source == c.source) & (tied.c.linked_case_id == c.case_id))
        .outerjoin(mine, (c.reported_by == "monitor") & (mine.c.reference == c.case_id))
    )
    told = [column for column in c if column.name not in ("source", "case_id", "subject")]
    read = _text(*told, segment, tied.c.priority, mine.c.decided)
    first = theirs.select().with_only_columns(c.source, c.case_id, no_text().label("decision"), read.label("read"))
    first_of = place(o.reference, o.key).label("place")
    sends = t.outbox.select().with_only_columns(o.key, o.reference, first_of)
    opened = sends.where(o.action == "open", o.reference != "").subquery()
    ours = (
        t.decisions.join(t.incidents, i.id == d.incident_id)
        .outerjoin(t.clients, t.clients.c.client_id == d.client_id)
        .outerjoin(opened, opened.c.key == d.key)
    )
    back = t.their_cases.alias()
    same = (back.c.case_id == opened.c.reference) & back.c.client_id.in_(
        ["", d.client_id]
    )  # two desks may give one number
    is_back = back.select().where(same, back.c.reported_by == "monitor").exists()
    number = either(opened.c.place > 1, d.key, filled(opened.c.reference, d.key))
    read = _text(decided, i.channel, over_at(), segment)
    second = ours.select().with_only_columns(
        no_text().label("source"), number.label("case_id"), d.key.label("decision"), read.label("read")
    )
    return first.where(of_late(since)).union_all(second.where(*still_ours(since), ~is_back))


def _text(*columns: Any) -> Any:
    """All of them as one text."""
    found: Any = None
    for column in columns:
        one = column if str(column.type) == "TEXT" else written(column)
        one = filled(one) if getattr(column, "nullable", True) else one
        found = one if found is None else found + "|" + one
    return found
