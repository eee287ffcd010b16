"""The long lists of an incident: whom it touches, their cases, what it left in doubt. Ordered, counted and cut by the database.

Of a hundred thousand rows, those of one page are read, and of these only what whoever asks may see (`monitor.seeing.within`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from alerts import Action, Touch
from alerts.reasons import APPROVAL, APPROVED, BUDGET, FEW, OBSERVED
from alerts.rows import decision_of, plain
from monitor import tables as t
from monitor.columns import adding, counting, either, filled, holding
from monitor.seeing import within
from monitor.standing import Row, as_worked, only, rows, stirred, tuples
from monitor.store import Store
from monitor.wanted import beginning
from monitor.withdrawals import withdrawals

Order = Sequence[tuple[Any, bool, type]]
"""Columns, whether the highest comes first, and what they are made of."""
Position = tuple[Any, ...]
"""Where a row stands in its list: by what it is ordered."""
WAITING = (BUDGET, FEW, APPROVAL, APPROVED, OBSERVED)
SOME = 5000
"""Keys that one query asks about."""


@dataclass(frozen=True)
class LongList:
    """where: its rows of the table; order: by what, together of one row alone; key: the columns that name a row.

    whole: makes answers of its rows, which come with `client` and `segment`; joined: whether it is ordered by the client's name.
    """

    table: Any
    where: Sequence[Any]
    order: Order
    key: Sequence[Any]
    whole: Callable[[Store, list[Row]], list[Row]]
    joined: bool = False

    def count(self, store: Store) -> int:
        """How many rows there are."""
        many = self.table.select().with_only_columns(counting(self.table.c.client_id)).where(*self.where)
        ((found,),) = tuples(store, many)
        return int(found)

    def named(self, store: Store, wanted: str) -> LongList:
        """Its rows about clients who are meant, see `monitor.wanted`."""
        c, client_id = t.clients.c, self.table.c.client_id
        meant = only(t.clients, "client_id", holding(c.name, wanted.strip()))
        ids = [key for (key,) in tuples(store, meant.limit(SOME + 1))]
        found = client_id.in_(ids if len(ids) <= SOME else meant)
        digits = beginning(wanted)
        return replace(self, where=[*self.where, found | client_id.startswith(digits) if digits else found])

    def part(
        self, store: Store, limit: int | None = None, *, offset: int = 0, past: Position = ()
    ) -> tuple[list[Row], Position, bool]:
        """At most `limit` rows beyond a position or after the first `offset`; where the last of them stands; whether there are more."""
        where = [*self.where, *([_beyond(self.order, past)] if past else [])]
        cut = None if limit is None else limit + 1
        if cut is not None and (offset or not self.joined):  # whole rows are read of those alone who are shown
            named = _with_clients(self.table) if self.joined else self.table.select()
            few = self._ordered(named.with_only_columns(*self.key).where(*where))
            keys = {tuple(key) for key in tuples(store, few.limit(cut).offset(offset))}
            where = [*self.where, self.key[0].in_({key[0] for key in keys})]
            found = [(row, at) for row, at in self._read(store, where) if self._key(row) in keys]
        else:
            found = self._read(store, where, cut)
        some = found[:limit]
        return self.whole(store, [row for row, _ in some]), some[-1][1] if some else past, len(found) > len(some)

    def place(self, store: Store, told: Mapping[int, Any], is_it: Callable[[Position], bool]) -> Position:
        """Where a row stood. told: by which column of the order, what it had there then, all but texts; is_it: knows the row.

        It is looked for where it stood, then everywhere; where it is no more, the place before all who had the same.
        """
        columns = [column for column, *_ in self.order]
        query, same = _with_clients(self.table).with_only_columns(*columns), [columns[n] == told[n] for n in told]
        for where in ([*self.where, *same], self.where):
            for at in map(tuple, tuples(store, query.where(*where))):
                if is_it(at):
                    return tuple(told.get(n, value) for n, value in enumerate(at))
        return tuple(told.get(n, "") for n in range(len(columns)))

    def _key(self, row: Row) -> Position:
        return tuple(row[column.name] for column in self.key)

    def asked(self, columns: Sequence[Any], past: Position = ()) -> Any:
        """A query of some columns of its rows with their clients, in order, beyond a position: for who reads very many."""
        where = [*self.where, *([_beyond(self.order, past)] if past else [])]
        return self._ordered(_with_clients(self.table).with_only_columns(*columns).where(*where))

    def _ordered(self, query: Any) -> Any:
        return query.order_by(*(column.desc() if down else column for column, down, _ in self.order))

    def _read(self, store: Store, where: Sequence[Any], cut: int | None = None) -> list[tuple[Row, Position]]:
        marks = {f"at{n}": column for n, (column, *_) in enumerate(self.order)}
        query = _with_clients(self.table).add_columns(*(column.label(mark) for mark, column in marks.items()))
        found = rows(store, self._ordered(query.where(*where)).limit(cut))
        return [(row, tuple(row.pop(mark) for mark in marks)) for row in found]


def lists(incident_id: str) -> Mapping[str, LongList]:
    """Those of an incident, by what an answer calls them."""
    return {
        "affected_clients": touched(incident_id, Touch.AFFECTED),
        "exposed_clients": touched(incident_id, Touch.EXPOSED),
        "cases": in_line(incident_id),
        "doubts": doubted(incident_id),
    }


def touched(incident_id: str, touch: Touch) -> LongList:
    """Its clients, by priority, then by name: a row a client and product."""
    i = t.impacts.c
    where = (i.incident_id == incident_id, i.touch == touch, *within(i.client_id))
    named = filled(t.clients.c.name, i.client_id)
    order = ((i.priority, True, int), (named, False, str), (i.product, False, str), (i.client_id, False, str))
    return LongList(t.impacts, where, order, (i.client_id, i.product), _impacts, joined=True)


def in_line(incident_id: str) -> LongList:
    """The decisions on its clients' cases: those who wait after the others, in the order in which they are served."""
    d = t.decisions.c
    where = (d.incident_id == incident_id, *within(d.client_id))
    waits = either(d.reason.in_(WAITING), 1, 0)
    newest = either(waits == 0, d.opened_at)
    order = ((waits, False, int), (newest, True, datetime), (d.priority, True, int), (d.key, False, str))
    return LongList(t.decisions, where, order, (d.key,), lambda store, found: _in_line(_cases(store, found)))


def doubted(incident_id: str) -> LongList:
    """What it left in doubt, by client, in order of time; what has been settled since last."""
    d = t.doubts.c
    where = (d.incident_id == incident_id, *within(d.client_id))
    settled = either(d.settled_at.is_not(None), 1, 0)
    key = (d.client_id, d.at, d.id, d.state, d.product, d.channel, d.source)
    order = [(settled, False, int), *((column, False, datetime if column is d.at else str) for column in key)]
    return LongList(t.doubts, where, order, key, _doubts)


def still_in_doubt(store: Store, incident_id: str) -> int:
    """How many of its operations are in doubt still, of those that whoever asks may see: where they have no id, as many as were counted."""
    d = t.doubts.c
    many = adding(either(d.id == "", d.n, 1))
    query = t.doubts.select().with_only_columns(many)
    here = query.where(d.incident_id == incident_id, d.settled_at.is_(None), *within(d.client_id))
    ((found,),) = tuples(store, here)
    return int(found or 0)


def decided(store: Store, *where: Any, limit: int | None = None) -> list[Row]:
    """Decisions with their clients' names and how far their cases have come, newest first, as far as whoever asks may see them."""
    d = t.decisions.c
    query = _with_clients(t.decisions).where(*where, *within(d.client_id))
    return _cases(store, rows(store, query.order_by(d.opened_at.desc(), d.priority.desc(), d.key).limit(limit)))


# ---- rows ----------------------------------------------------------------------------------------------------------


def _with_clients(table: Any) -> Any:
    c = t.clients.c
    whole = table.outerjoin(t.clients, c.client_id == table.c.client_id).select()
    return whole.with_only_columns(*table.c, filled(c.name).label("client"), filled(c.segment).label("segment"))


def _doubts(_store: Store, found: list[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if name != "segment"} for row in found]


def _impacts(_store: Store, found: list[Row]) -> list[Row]:
    return [row | {"terms": dict(row["terms"])} for row in found]


def _cases(store: Store, found: list[Row]) -> list[Row]:
    who = {row["key"]: {"client": row.pop("client"), "segment": row.pop("segment")} for row in found}
    sent: dict[str, Row] = {}
    o = t.outbox.c
    for keys in parts(list(who)):
        opening = t.outbox.select().with_only_columns(o.key, o.state, o.reference, o.error)
        asked = opening.where(o.action == "open", o.key.in_(keys))
        sent |= {row.pop("key"): row for row in rows(store, asked)}
    taken = {row["key"]: row["withdrawn_at"] for row in found}
    worked = as_worked(store, list(map(decision_of, found)))
    back = withdrawals(store, [one.key for one in worked if one.action is Action.OPEN and one.withdrawn_at])
    return [
        plain(one)
        | who[one.key]
        | {"lead_seconds": one.lead_seconds}
        | _delivery(sent.get(one.key), back.get(one.key), fresh=one.withdrawn_at != taken[one.key])
        for one in worked
    ]


def _delivery(opening: Row | None, back: Row | None, *, fresh: bool) -> Row:
    """Of what is to be told last; its number is of the opening. fresh: it was taken back a moment ago, and nothing is made of it yet."""
    last = {"state": "due", "error": ""} if fresh else back or opening
    number = opening["reference"] if opening else ""
    return {"delivery": last["state"] if last else "", "reference": number, "error": last["error"] if last else ""}


def to_approve(store: Store, ids: Sequence[str]) -> Counter[str]:
    """By incident, how many of its cases wait for approval, of those that whoever asks may see."""
    d, new = t.decisions.c, stirred(store)
    here = (d.incident_id.in_(ids), d.reason == APPROVAL, d.action == Action.NONE, *within(d.client_id))
    still = here if new is None else (*here, ~new)
    many = t.decisions.select().with_only_columns(d.incident_id, counting(d.key)).where(*still).group_by(d.incident_id)
    found = Counter(dict(map(tuple, tuples(store, many))))
    if new is not None:
        worked = as_worked(store, store.decisions(*here, new))
        found.update(one.incident_id for one in worked if one.reason == APPROVAL)
    return found


def _in_line(found: list[Row]) -> list[Row]:
    """As it is ordered, also after what people did a moment ago."""
    return sorted(found, key=lambda row: (1, -row["priority"], row["key"]) if row["reason"] in WAITING else (0, 0, ""))


def parts(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """So many of them as one query may ask about."""
    return (keys[start : start + SOME] for start in range(0, len(keys), SOME))


# ---- positions -----------------------------------------------------------------------------------------------------


def _beyond(order: Order, past: Position) -> Any:
    """What comes after a position. A time of None is one that all who are alike so far have."""
    found: Any = None
    for (column, down, kind), value in reversed([*zip(order, past, strict=True)]):
        if kind is datetime and value is None:
            continue
        if not isinstance(value, kind):
            raise ValueError(value)  # noqa: TRY004 - of what somebody has written
        further = column < value if down else column > value
        found = further if found is None else further | ((column == value) & found)
    (column, down, _), value = order[0], past[0]
    return found & (column <= value if down else column >= value)  # by which an index finds the place
