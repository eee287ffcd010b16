"""The audit trail: what people did, who and when, each act once, and chained so that no change of the past goes unseen.

Each act's hash is made of the act and of the hash before it. Of what retention drops, the last hash stays as the anchor; the newest
stands apart as the head. Who can write to the database can write a whole new chain: note the head elsewhere now and then (the daemon
logs it, a signed hand-over carries it) and `vigia audit verify --head` tells whether it still belongs to the chain.
Taking a client out of the state rewrites what names them: the chain is made anew then, and the purge's act carries the seal before.
Such an act can be made up like any other: of a seal that it alone knows nobody can say that nothing else was changed before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from alerts.rows import plain
from monitor import tables as t
from monitor.database import Database
from monitor.step import DOOR, Act

AGAIN = timedelta(seconds=10)
"""The same act of the same person within this is a double click."""
HEAD, ANCHOR = "acts_head", "acts_anchor"
"""Marks of the state: the newest hash, and the last of those that retention has dropped."""
PURGE, BEFORE = "purge", "sello anterior"
"""The act after which the chain was made anew, and what its text calls the seal before."""
MADE = ("silence", "maintenance", "handover")
"""Acts that make something: `about` is its id, made of the time."""
_CHUNK = 1000
LEAST = 12
"""Signs of a seal that tell it from others: so many are shown in lists."""
_SEAL_BEFORE = re.compile(rf"{BEFORE} ([0-9a-f]{{64}})\b")


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look through the whole trail came to. unsealed: acts from before there was a chain; broken: why it does not hold, or ''.

    rewritten: the purge by which alone a seal noted before is still known, '' where it is in the chain itself: what stood then was sealed
    anew, and whether nothing else was changed is to be held against who asked for that purge, or a seal noted after it.
    """

    acts: int
    unsealed: int
    head: str
    broken: str = ""
    rewritten: str = ""


def sealed(act: Act, before: str) -> str:
    """The act's hash, with the one before it."""
    at = act.at.astimezone(UTC).isoformat(timespec="microseconds")
    told = [before, act.incident_id, at, act.who, act.action, act.text, act.case_key, act.about, act.request_key]
    told += [act.door] if act.door else []  # what was sealed before doors were kept stays sealed
    return sha256(json.dumps(told, ensure_ascii=True).encode()).hexdigest()


def append(c: Any, acts: Sequence[Act]) -> tuple[list[Act], bool]:
    """Note them in a transaction that writes: each as noted, or the earlier one that it repeats; and whether any is new.

    An act that does not say by which door it came came by the one that is open now.
    """
    _lock(c)
    a, noted, fresh = t.acts.c, [], False
    last = c.execute(t.acts.select().with_only_columns(a.hash).order_by(a.id.desc()).limit(1)).scalar() or ""
    for one in acts:
        if earlier := _same(c, one):
            noted.append(earlier)
            continue
        act = replace(one, door=one.door or DOOR.get())
        last, fresh = sealed(act, last), True
        row = plain(replace(act, hash=last))
        del row["id"]  # the database's own
        number = c.execute(t.acts.insert().values(row)).inserted_primary_key[0]
        noted.append(replace(act, hash=last, id=number))
    if fresh:
        _mark(c, HEAD, last)
    return noted, fresh


def repeated(store: Database, act: Act) -> Act | None:
    """The act that this one repeats: the person's last on the same thing, a moment ago, or one with the same key of its caller."""
    with store.reading() as c:
        return _same(c, act)


def _same(c: Any, act: Act) -> Act | None:
    a = t.acts.c
    mine = t.acts.select().where(a.incident_id == act.incident_id, a.case_key == act.case_key, a.who == act.who)
    if act.request_key:
        wanted = mine.where(a.request_key == act.request_key, a.action == act.action).limit(1)
        if found := c.execute(wanted).mappings().first():
            return Act(**found)
    found = c.execute(mine.order_by(a.id.desc()).limit(1)).mappings().first()
    if not found or not timedelta(0) <= act.at - found["at"] <= AGAIN:
        return None
    last = Act(**found)
    if act.request_key and last.request_key:
        return None  # the caller says that it is another one
    about = last.action in MADE or last.about == act.about
    return last if about and (last.action, last.text) == (act.action, act.text) else None


def verify(store: Database, head: str = "") -> Verified:
    """Look through the whole trail, in order. head: a hash noted before, or LEAST of its beginning, which must still be in it."""
    if head and len(head) < LEAST:
        raise ValueError(f"a seal of less than {LEAST} signs")
    rewritten = ""
    a, number, acts, unsealed, seen = t.acts.c, 0, 0, 0, not head
    with store.reading() as c:
        marks = {row.key: row.value for row in c.execute(t.meta.select().where(t.meta.c.key.in_((HEAD, ANCHOR))))}
        last = marks.get(ANCHOR, "")
        seen = seen or (bool(last) and last.startswith(head))
        while chunk := c.execute(t.acts.select().where(a.id > number).order_by(a.id).limit(_CHUNK)).mappings().all():
            for row in chunk:
                act, number, acts = Act(**row), row["id"], acts + 1
                if not act.hash and not last:
                    unsealed += 1
                elif act.hash != sealed(act, last):
                    return Verified(
                        acts, unsealed, last, f"no cuadra desde el acto {act.id} ({act.at:%Y-%m-%d %H:%M:%S} UTC)"
                    )
                else:
                    last = act.hash
                    seen = seen or last.startswith(head)
                    if act.action == PURGE and any(seal.startswith(head) for seal in _SEAL_BEFORE.findall(act.text)):
                        rewritten = rewritten or f"la purga del acto {act.id} ({act.at:%Y-%m-%d %H:%M:%S} UTC)"
    broken = "faltan los últimos actos" if last != marks.get(HEAD, last) else ""
    broken = broken or ("" if seen or rewritten else f"no está el sello {head}")
    return Verified(acts, unsealed, last, broken, "" if seen else rewritten)


def trail(
    store: Database, *, incident_id: str = "", since: datetime | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """The acts, newest first; of one incident, since a time, at most so many."""
    a = t.acts.c
    query = t.acts.select().order_by(a.id.desc()).limit(limit)
    query = query.where(a.incident_id == incident_id) if incident_id else query
    query = query.where(a.at >= since) if since else query
    with store.reading() as c:
        return [dict(row) for row in c.execute(query).mappings()]


def forget(store: Database, before: datetime, step: int) -> int:
    """Drop the acts from before that time, `step` a transaction, but never out of order nor the newest; how many."""
    a, dropped = t.acts.c, 0
    one = t.acts.select().with_only_columns(a.id).limit(1)
    with store.reading() as c:
        newest = c.execute(one.order_by(a.id.desc())).scalar()  # stays: SQLite would give its id anew
        kept = c.execute(one.where(a.at >= before).order_by(a.id)).scalar() or newest
    while kept is not None:
        with store.writing() as c:
            old = t.acts.select().with_only_columns(a.id, a.hash).where(a.id < kept).order_by(a.id).limit(step)
            gone = c.execute(old).all()
            if not gone:
                break
            _mark(c, ANCHOR, gone[-1].hash)
            dropped += c.execute(t.acts.delete().where(a.id <= gone[-1].id)).rowcount
    return dropped


def reseal(c: Any, act: Act) -> None:
    """The chain anew, in a transaction that writes, over what stands now that a client was taken out of it; `act` says so at its end.

    The seals before it are gone with what they were made of: the act's text should carry the last one (see `BEFORE`).
    """
    _lock(c)
    last = c.execute(t.meta.select().with_only_columns(t.meta.c.value).where(t.meta.c.key == ANCHOR)).scalar() or ""
    for row in c.execute(t.acts.select().order_by(t.acts.c.id)).mappings().all():
        if row["hash"] or last:
            last = sealed(Act(**row), last)
            c.execute(t.acts.update().where(t.acts.c.id == row["id"]).values(hash=last))
    append(c, [act])


def _lock(c: Any) -> None:
    if c.dialect.name == "postgresql":  # one at a time, or two would follow the same one; on SQLite it is so already
        c.exec_driver_sql("LOCK TABLE acts IN SHARE ROW EXCLUSIVE MODE")


def _mark(c: Any, key: str, value: str) -> None:
    c.execute(t.meta.delete().where(t.meta.c.key == key))
    c.execute(t.meta.insert().values(key=key, value=value))
