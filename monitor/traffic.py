"""Of whom the bank has told nothing but their transactions: what they used of late."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from alerts import Holding
from monitor.store import Store

LATELY = timedelta(days=1)
"""How far back it is looked: all the minutes of that are read."""


def used(store: Store, clients: Collection[str], now: datetime) -> list[Holding]:
    """By the cells of LATELY, in order; those of the first of the clients that has any."""
    wanted = pc.field("client_id").isin(pa.array(clients, pa.string()))
    since = int((now - LATELY).timestamp() // 60)
    found = {
        (row["client_id"], row["product"] or "", row["channel"] or "")
        for table in store.cells("cells", since)
        for row in table.select(["client_id", "product", "channel"]).filter(wanted).to_pylist()
    }
    first = next((one for one in clients if any(one == client for client, *_ in found)), None)
    return [Holding(*one) for one in sorted(found) if one[0] == first]
