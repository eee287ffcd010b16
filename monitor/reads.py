"""Who has looked at which client (data protection): a record of its own for each read, never a log message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from monitor import tables as t
from monitor.store import Store

Door = Literal["cli", "api", "page"]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, by which door: the user of a session, or the address that a request came from."""

    who: str
    door: Door


def noted(store: Store, reader: Reader, client_id: str, now: datetime) -> None:
    """Keep that the reader is about to be shown this client; where that cannot be kept, nothing may be shown (StoreError)."""
    row = {"at": now, "who": reader.who, "client_id": client_id, "door": reader.door}
    with store.writing() as connection:
        connection.execute(t.reads.insert().values(row))
