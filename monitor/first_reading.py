"""A source's first reading is history, which trains: what it does not know by its own pages must not train as zero."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from monitor.windows import minute_of

if TYPE_CHECKING:
    from monitor.intake import Rows
    from monitor.patience import Standing


def unknown(rows: Rows, table: pa.Table, standing: Standing, since: datetime) -> list[tuple[str, int, int]]:
    """The minutes that are unknown by this page: those of pages of no use, from the rows before to the rows after them.

    table: the page's rows of `since` on, from which the reading begins. `standing` is kept up.
    """
    times = pc.min_max(table["timestamp"]).as_py() if table.num_rows else {"min": None, "max": None}
    start, end = standing.lost_from, None
    if rows.wrong:
        start = standing.lost_from = start or standing.newest or since
        end = rows.polled_at if rows.drained else times["max"]
    elif start and (table.num_rows or rows.drained):
        end = times["min"] or rows.polled_at
        standing.lost_from = None
    standing.newest = max((at for at in (standing.newest, times["max"]) if at), default=None)
    return [(rows.source, minute_of(start), minute_of(end) + 1)] if start and end and start <= end else []
