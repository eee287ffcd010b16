"""Where impacts cross on one client: two products at once, or twice in a month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from monitor.past import MONTH, Hit
from monitor.standing import Row


def marks(hits: Sequence[Hit], now: datetime) -> list[Row]:
    """The marks of a client, by what has affected them (in order of time); exposed is not hit.

    products: open incidents hit them on two products or more at this moment, be it one cause or several; month: two incidents or more
    that began within the last MONTH have hit them.
    """
    at_once = [hit for hit in hits if hit.open]
    lately = [hit for hit in hits if hit.started_at > now - MONTH]
    found = []
    if len({hit.product for hit in at_once if hit.product}) > 1:
        found.append(_mark("products", at_once))
    if len({hit.incident_id for hit in lately}) > 1:
        found.append(_mark("month", lately))
    return found


def _mark(kind: str, hits: Sequence[Hit]) -> Row:
    times = {hit.incident_id: hit.started_at for hit in hits}
    return {
        "mark": kind,
        "products": sorted({hit.product for hit in hits if hit.product}),
        "incidents": list(times),
        "dates": list(times.values()),
    }
