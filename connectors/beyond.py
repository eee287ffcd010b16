"""Times of PostgreSQL that Python knows none of: `infinity`, years past 9999 or before 1, 24:00."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

LAST, FIRST = datetime(9999, 12, 31, tzinfo=UTC), datetime(1, 1, 2, tzinfo=UTC)
"""What stands for all that is later, or earlier: a day from the end, so that every zone has it."""
DATE, TIMESTAMP = 1082, 1114
KINDS = (DATE, TIMESTAMP, 1184, 1083, 1266, 1186)
"""PostgreSQL's numbers of its types: date, timestamp without and with a zone, time without and with one, interval."""


def bear(connection: Any, fault: type[Exception]) -> None:
    """From now on this connection of psycopg's gives such a time as LAST or FIRST, and a time of day or an interval as its text.

    fault: what its own loaders raise, which would end the reading of all rows.
    """
    for kind in KINDS:
        connection.adapters.register_loader(kind, _loader(connection.adapters.get_loader(kind, 0), fault))


def _loader(known: Any, fault: type[Exception]) -> type:
    """Reads as `known` does, what it can."""

    class Bearing:
        format = known.format

        def __init__(self, oid: int, context: Any = None) -> None:
            self._oid, self._read = oid, known(oid, context).load

        def load(self, cell: Any) -> Any:
            try:
                return self._read(cell)
            except fault as error:
                return _nearest(self._oid, bytes(cell).decode(), str(error))

    return Bearing


def _nearest(kind: int, cell: str, why: str) -> date | str:
    if ("too large" not in why and "too small" not in why) or kind not in KINDS[:3]:
        return cell
    time = LAST if "too large" in why else FIRST
    return time.date() if kind == DATE else time.replace(tzinfo=None) if kind == TIMESTAMP else time
