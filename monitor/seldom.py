"""Files that come much rarer than `lag` says: until the next one its minutes are judged as empty, and cases opened by that."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import structlog

from connectors import SourceError
from monitor.languages import words
from monitor.lateness import EVENTS

if TYPE_CHECKING:
    from monitor.intake import Intake, Rows

log = structlog.get_logger()
MINUTE = timedelta(minutes=1)


def seldom(intake: Intake, rows: Rows, now: datetime, patience: timedelta) -> str:
    """What to set, in words; '' where the files of the folder come as `lag` and our patience allow, or it is no folder of operations.

    rows: the last that lie there. How long a row is in coming: the gap between files, and how old the newest row was when the last one
    came; of one or two files, how old it is now.
    """
    pace = intake.pace()
    if pace is None or intake.role not in EVENTS:
        return ""
    newest = pc.max(rows.table["timestamp"]).as_py() if rows.drained and rows.table.num_rows else None
    gap, last = pace
    old = max((now if gap is None else last) - newest, timedelta()) if newest else timedelta()
    needed = (gap or timedelta()) + old
    if needed <= intake.config.lag + patience:
        return ""
    minutes, length = round(needed / MINUTE), words("en").length
    every = f"a file comes every {length(gap.total_seconds())}" if gap else ""
    newest_row = f"its newest row is {length(old.total_seconds())} old" if old >= MINUTE else ""
    said = ", ".join(filter(None, [every, newest_row]))
    lag = f"`lag` says {length(intake.config.lag.total_seconds())}" if intake.config.lag else "there is no `lag`"
    return f'{said} and {lag}: minutes whose file has yet to come are judged as empty; set lag = "{minutes + 5}m" or so'


def tell_seldom(intake: Intake, rows: Rows, patience: timedelta) -> None:
    """In the log, once, when all that lay there has been read."""
    with suppress(SourceError):
        if said := seldom(intake, rows, rows.polled_at, patience):
            log.warning("files come later than their source says", source=rows.source, what=said)
