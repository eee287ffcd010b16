"""The outbox's rows: which message is next, who holds it, and what came of it; sending them is `monitor.outbox`.

A message is due until somebody claims it, and sent once that is confirmed; whoever claims it and dies lets it go when the lease ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from alerts import Decision
from monitor import tables as t
from monitor.database import Database, insert
from monitor.step import Message

LEFT = ("due", "sending")
"""States of what is still to be sent."""
OVER = ("sent", "dead")
"""States of what is sent, or given up."""
GONE = "its desk is no longer in the configuration, and it waited for as long as the outbox is kept"
"""The error of what `give_up` gives up."""


def post(c: Any, messages: Iterable[Message], now: datetime) -> None:
    """Put messages into the outbox, in a transaction that writes; one whose key is there already is not sent again."""
    for message in messages:
        row = {
            "key": message.key, "case_key": message.case_key, "desk": message.desk, "action": message.action,
            "payload": message.payload, "state": "due", "attempts": 0, "due_at": now, "created_at": now,
        }  # fmt: skip
        c.execute(insert(c, t.outbox).values(row).on_conflict_do_nothing(index_elements=["key"]))


def claim(
    store: Database, now: datetime, lease: timedelta, *, only: str | None = None, but: Iterable[str] = ()
) -> dict[str, Any] | None:
    """The next message to send, held for `lease`; None where none is due. One of a case waits for the ones before it.

    only: of this desk (None: of any); but: not of these.
    """
    o, earlier = t.outbox.c, t.outbox.alias()
    before = (earlier.c.case_key == o.case_key, earlier.c.id < o.id, earlier.c.state.not_in(OVER))
    ready = t.outbox.select().where(o.state.in_(LEFT), o.due_at <= now, ~earlier.select().where(*before).exists())
    ready = ready.where(o.desk.not_in(list(but)) if only is None else o.desk == only)
    with store.writing() as c:
        row = c.execute(ready.order_by(o.id).limit(1)).mappings().first()
        if row is None:
            return None
        held = t.outbox.update().where(o.id == row["id"], o.state == row["state"], o.due_at == row["due_at"])
        taken = c.execute(held.values(state="sending", due_at=now + lease, attempts=row["attempts"] + 1))
        return dict(row) if taken.rowcount else None


def confirm(store: Database, message_id: int, reference: str, now: datetime, then: Iterable[Message] = ()) -> None:
    """It was sent; `reference` is the other side's number. then: what is to be sent now that it was."""
    values = {"state": "sent", "sent_at": now, "reference": reference, "error": ""}
    with store.writing() as c:
        c.execute(t.outbox.update().where(t.outbox.c.id == message_id).values(values))
        post(c, then, now)


def put_off(store: Database, message_id: int, error: str, due_at: datetime, *, dead: bool) -> None:
    """It was not sent: to be tried again at `due_at`, or given up; unless somebody else has sent it meanwhile."""
    o, values = t.outbox.c, {"state": "dead" if dead else "due", "error": error, "due_at": due_at}
    with store.writing() as c:
        c.execute(t.outbox.update().where(o.id == message_id, o.state == "sending").values(values))


def give_up(store: Database, desks: Collection[str], before: datetime, now: datetime) -> Counter[str]:
    """Give up what has waited since before then for a desk that is none of these: how many messages of each such desk.

    What is told to receivers is not meant. It is kept, as given up now, for a further term.
    """
    o = t.outbox.c
    waits = (o.state.in_(LEFT), o.action != "notify", o.desk.not_in(desks), o.created_at < before)
    with store.writing() as c:
        found = Counter(row.desk for row in c.execute(t.outbox.select().with_only_columns(o.desk).where(*waits)))
        c.execute(t.outbox.update().where(*waits).values(state="dead", due_at=now, error=GONE))
    return found


def opened_as(store: Database, numbers: Collection[str]) -> list[tuple[str, str]]:
    """Our keys of the cases to which the desks gave these numbers, each with its number: two desks may give the same (see `whose`)."""
    o = t.outbox.c
    opened = t.outbox.select().with_only_columns(o.case_key, o.reference).order_by(o.id)
    with store.reading() as c:
        found = c.execute(opened.where(o.action == "open", o.reference.in_(numbers)))
        return [(row.case_key, row.reference) for row in found]


def number_of(store: Database, case_key: str) -> str:
    """What its desk called the case when it was opened; '' while it has not answered."""
    o = t.outbox.c
    opened = t.outbox.select().with_only_columns(o.reference).where(o.case_key == case_key, o.action == "open")
    with store.reading() as c:
        return str(c.execute(opened).scalar() or "")


def whose(client_id: str, found: Iterable[Decision]) -> Decision | None:
    """Of ours with one number, the one of the client for whom a tool has that number; a tool that names no client means the first."""
    return next((one for one in found if client_id in ("", one.client_id)), None)


def waiting(store: Database) -> list[tuple[str, datetime]]:
    """The desk or receiver of each message that is still to be sent, and when it was made, oldest first."""
    o = t.outbox.c
    left = t.outbox.select().with_only_columns(o.desk, o.created_at).where(o.state.in_(LEFT)).order_by(o.id)
    with store.reading() as c:
        return [(row.desk, row.created_at) for row in c.execute(left)]
