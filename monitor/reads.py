"""Who has looked at which clients (data protection): a record of its own for each read, never a log message.

A look at one client names them. An answer with rows of several is one read of its subject: the incident, or the page as the routes have
it; of an incident's, who was in it is known by its impacts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from monitor import tables as t
from monitor.standing import Row, only, rows
from monitor.store import Store

Door = Literal["cli", "api", "page"]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, by which door: the user of a session, or the address that a request came from."""

    who: str
    door: Door


def noted(
    store: Store, reader: Reader, client_id: str, now: datetime, *, subject: str = "", refused: bool = False
) -> None:
    """Keep that the reader is about to be shown this client, or what subject; or was refused it.

    Where that cannot be kept, nothing may be shown (StoreError).
    """
    row = {"at": now, "who": reader.who, "client_id": client_id, "door": reader.door}
    with store.writing() as connection:
        connection.execute(t.reads.insert().values(row | {"subject": subject, "refused": int(refused)}))


def reads(
    store: Store, *, client_id: str = "", who: str = "", since: datetime | None = None, until: datetime | None = None
) -> list[Row]:
    """The reads that are kept, newest first; of a client, also those of the incidents that touched them."""
    c = t.reads.c
    wanted = t.reads.select().order_by(c.id.desc())
    if client_id:
        touched = only(t.impacts, "incident_id", t.impacts.c.client_id == client_id)
        wanted = wanted.where((c.client_id == client_id) | ((c.client_id == "") & c.subject.in_(touched)))
    if who:
        wanted = wanted.where(c.who == who)
    if since:
        wanted = wanted.where(c.at >= since)
    if until:
        wanted = wanted.where(c.at < until)
    return [row | {"refused": bool(row["refused"])} for row in rows(store, wanted)]
