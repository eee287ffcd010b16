"""Of the clients whom an incident touches, each recipient's own: read for many addresses at once, made into rows for one.

Of all of them a few words are read; whole rows of those alone who are named.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from alerts import Action, Touch
from alerts.reasons import ELSEWHERE, RETURNED
from alerts.standing import stands
from monitor import tables as t
from monitor.columns import either, highest, many_of, place
from monitor.long_lists import SOME, parts
from monitor.standing import Row, as_worked, only, stirred, streamed, tuples
from monitor.store import Store
from monitor.unsettled import doubts

if TYPE_CHECKING:
    from monitor.facts import Recipient

MOST = 200
"""Of a recipient's own clients, those read for one notice, by priority; the others are a count and a link."""
HELD = 60_000
"""Named clients of all recipients and incidents together that are held at one time, at most, whatever one recipient alone has."""
FEW = 20
"""Addresses whose clients are looked up one by one; those of more are found among all of the incident."""
_CASE = ("key", "action", "reason", "opened_at", "decided_at", "informed_at", "linked_case_id")
_LEFT = (ELSEWHERE, RETURNED)
_AFFECTED = str(Touch.AFFECTED)
_DOUBT = ("id", "n", "state", "at", "amount", "product", "channel")


@dataclass(frozen=True, slots=True)
class Own:
    """One recipient's clients in an incident.

    named: of the affected MOST, as rows as JSON has them; more: how many more are; exposed: how many are exposed alone.
    """

    named: Sequence[Row] = ()
    more: int = 0
    exposed: int = 0

    def __bool__(self) -> bool:
        return bool(self.named or self.exposed)


class Together:
    """Recipients who are told in one pass: what is asked for one is asked for those who come next as well, by their addresses.

    told: of which incidents; whoever is not among them is asked for alone.
    """

    def __init__(self, told: Iterable[tuple[str, Recipient]] = ()) -> None:
        found: dict[Any, set[str]] = defaultdict(set)
        for incident_id, recipient in told:
            found[_alike(incident_id, recipient)].add(recipient.to)
        self._addresses = {alike: sorted(every) for alike, every in found.items()}
        self._many = max(1, HELD // MOST // max(1, len(found)))
        self._held: dict[Any, _Part] = {}

    def own(self, store: Store, incident_id: str, recipient: Recipient) -> Own:
        """Theirs; nothing where the recipient answers for nobody."""
        if not recipient.role or not recipient.to:
            return Own()
        alike = _alike(incident_id, recipient)
        part = self._held.get(alike)
        if part is None or recipient.to not in part.addresses:
            every = self._addresses.get(alike, ())
            at = bisect_left(every, recipient.to)
            some = every[at : at + self._many] if recipient.to in every[at : at + 1] else [recipient.to]
            self._held[alike] = part = _Part(store, incident_id, recipient, some)
        return part.own(recipient.to)


def _alike(incident_id: str, recipient: Recipient) -> Any:
    return incident_id, recipient.role, recipient.segments


class _Part:
    """What an incident is to the clients of some addresses. Held as it was read, and made into rows for one address at a time."""

    def __init__(self, store: Store, incident_id: str, recipient: Recipient, addresses: Collection[str]) -> None:
        self.addresses = frozenset(addresses)
        self._many: dict[str, tuple[int, int]] = {}
        self._named: dict[str, dict[str, list[Any]]] = defaultdict(dict)
        for row in streamed(store, _ranked(incident_id, recipient, addresses)):
            address, hit, every, client_id = row[:4]
            self._many[address] = hit, every
            if hit:
                self._named[address].setdefault(client_id, []).append(row[4:])
        named = [client_id for some in self._named.values() for client_id in some]
        self._cases, self._elsewhere = _cases(store, incident_id, named)
        self._doubts = _doubts(store, incident_id, named)

    def own(self, address: str) -> Own:
        """Of one of the addresses."""
        hit, every = self._many.get(address, (0, 0))
        named = [self._row(client_id, told) for client_id, told in self._named.get(address, {}).items()]
        named.sort(key=lambda row: (-row["priority"], row["client"], row["client_id"]))
        return Own(named, max(0, hit - MOST), every - hit)

    def _row(self, client_id: str, told: list[Any]) -> Row:
        """told: a tuple a product, as it is asked for in `_ranked`; most have one."""
        if len(told) > 1:
            told.sort(key=lambda hit: (-hit[3], hit[2]))
        name, segment, product, priority, failures, missing, amount, first = told[0]
        products = [product] if product else []
        amount += Decimal(0)
        for _, _, product, _, more_failures, more_missing, more, at in told[1:]:
            products += [product] if product else []
            failures, missing, amount = failures + more_failures, missing + more_missing, amount + more
            first = min(first, at) if first and at else first or at
        case, decided_at, informed_at = self._case(client_id)
        return {
            "client_id": client_id, "client": name, "segment": segment, "touch": _AFFECTED, "priority": priority,
            "products": products, "failures": failures, "missing": missing, "amount": str(amount),
            "first_failure_at": _iso(first), "case": case, "affected_at": decided_at,
            "informed_at": informed_at, "doubts": [dict(doubt) for doubt in self._doubts.get(client_id, ())],
        }  # fmt: skip

    def _case(self, client_id: str) -> tuple[Row | None, str | None, str | None]:
        if client_id not in self._cases:
            return None, None, None
        key, action, reason, _, decided_at, informed_at, linked, number, _ = self._cases[client_id]
        if elsewhere := key in self._elsewhere:
            number = self._elsewhere[key] or linked
        case = {"key": key, "action": str(action), "reason": reason, "reference": number, "elsewhere": elsewhere}
        return case, _iso(decided_at), _iso(informed_at)


def _ranked(incident_id: str, recipient: Recipient, addresses: Collection[str]) -> Any:
    """Of each address the first MOST affected, a row a product; of who has none affected, one row of nothing but how many are touched."""
    i, c = t.impacts.c, t.clients.c
    mine = [c[recipient.role].in_(addresses), *([c.segment.in_(recipient.segments)] if recipient.segments else [])]
    here = [i.incident_id == incident_id]
    if (
        len(addresses) <= FEW
    ):  # asked from the few who are theirs: among an incident's clients there may be 100,000 of others
        here.append(i.client_id.in_(only(t.clients, "client_id", *mine)))
    top = highest(either(i.touch == Touch.AFFECTED, i.priority)).label("top")
    touched = t.impacts.select().with_only_columns(i.client_id, top).where(*here).group_by(i.client_id).subquery()
    top, whose = touched.c.top, c[recipient.role]
    order = either(top.is_(None), 1, 0), top.desc(), c.name, c.client_id
    placed = touched.join(t.clients, c.client_id == touched.c.client_id).select().where(*mine)
    counted = many_of(top, whose).label("hit"), many_of(c.client_id, whose).label("every")
    columns = whose.label("whose"), *counted, c.client_id, c.name, c.segment, top, place(whose, *order).label("place")
    r = placed.with_only_columns(*columns).subquery()
    one = (i.incident_id == incident_id) & (i.client_id == r.c.client_id) & (i.touch == Touch.AFFECTED)
    told = i.product, i.priority, i.failures, i.missing, i.amount, i.first_failure_at
    query = r.outerjoin(t.impacts, one).select()
    query = query.with_only_columns(r.c.whose, r.c.hit, r.c.every, r.c.client_id, r.c.name, r.c.segment, *told)
    return query.where((r.c.place == 1) | ((r.c.place <= MOST) & r.c.top.is_not(None)))


def _doubts(store: Store, incident_id: str, ids: Sequence[str]) -> dict[str, list[Row]]:
    """What is in doubt still."""
    d, found = t.doubts.c, defaultdict(list)
    open_ = (d.incident_id == incident_id, d.settled_at.is_(None))
    if not tuples(store, t.doubts.select().with_only_columns(d.client_id).where(*open_).limit(1)):
        return {}
    for some in parts(ids):
        for doubt in doubts(store, *open_, d.client_id.in_(some)):
            said = {key: doubt[key] for key in _DOUBT}
            amount = doubt["amount"]
            said |= {"at": _iso(doubt["at"]), "amount": None if amount is None else str(amount)}
            found[doubt["client_id"]].append(said)
    return found


def _cases(store: Store, incident_id: str, ids: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What was decided on each one's case, with what people did to it a moment ago: as _CASE, its number, its priority.

    Of several, what counts: one that was opened or linked, the newest. And `_elsewhere` of what may have one.
    """
    d, o = t.decisions.c, t.outbox.c
    opened = t.decisions.outerjoin(t.outbox, (o.key == d.key) & (o.action == "open")).select()
    every = opened.with_only_columns(d.client_id, *(d[name] for name in _CASE), o.reference, d.priority)
    here, wanted = [d.incident_id == incident_id], frozenset(ids)
    if not wanted:
        return {}, {}
    if len(wanted) <= SOME:
        here.append(d.client_id.in_(ids))
    fresh = stirred(store)
    worked = {} if fresh is None else {one.key: one for one in as_worked(store, store.decisions(*here, fresh))}
    found: dict[str, Any] = {}
    left: dict[str, str] = {}
    for client_id, key, action, reason, at, decided, informed, linked, reference, priority in streamed(
        store, every.where(*here)
    ):
        if client_id not in wanted:
            continue
        told = key, action, reason, at, decided, informed, linked, reference or linked, priority
        if one := worked.get(key):
            theirs = [getattr(one, name) for name in _CASE[1:]]
            told = key, *theirs, reference or one.linked_case_id, priority
        if told[2] in _LEFT:
            left[key] = client_id
        before = found.get(client_id)
        if before is None or _counts(told) > _counts(before):
            found[client_id] = told
    return found, _elsewhere(store, left, worked=fresh is not None)


def _counts(case: Sequence[Any]) -> Any:
    """By what one case of a client comes before another."""
    return case[1] != Action.NONE, case[3], -case[-1], case[0]


def _elsewhere(store: Store, left: Mapping[str, str], *, worked: bool) -> dict[str, str]:
    """By the key of what was decided here, the number of our case on what else fails for the client, which stands for it; '' none yet.

    left: clients by the keys of what may have one.
    """
    of_client: dict[str, list[Any]] = defaultdict(list)
    for some in parts(sorted(set(left.values()))):
        every = store.decisions(t.decisions.c.client_id.in_(some))
        for decision in as_worked(store, every) if worked else every:
            of_client[decision.client_id].append(decision)
    by_key: dict[str, str] = {}
    for decision in (one for theirs in of_client.values() for one in theirs if one.key in left):
        ours = stands(decision, of_client[decision.client_id])
        if ours and ours.key != decision.key and not ours.withdrawn_at:
            by_key[decision.key] = ours.key
    numbers: dict[str, str] = {}
    o = t.outbox.c
    for some in parts(sorted(set(by_key.values()))):
        opening = t.outbox.select().with_only_columns(o.key, o.reference)
        numbers |= dict(map(tuple, tuples(store, opening.where(o.action == "open", o.key.in_(some)))))
    return {key: numbers.get(ours, "") for key, ours in by_key.items()}


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
