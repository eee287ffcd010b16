"""What of a poll's rows could not be used, or is odd, as the log is told of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import structlog

from connectors.headings import LONG_NUMBER
from monitor.intake import Rows

log = structlog.get_logger()

TOLD = 5
"""Rows left out of one poll that are told one by one."""
FEW, LONGEST = 10, 30
"""Words of a status that are told, and signs of each."""


def tell_left_out(rows: Rows) -> None:
    """What could not be used: the first few, and how many."""
    for reject in rows.rejects[:TOLD]:
        log.warning("row left out", source=rows.source, where=reject.where, why=reject.why)
    if rows.rejected > TOLD:
        log.warning("rows left out", source=rows.source, rows=rows.rejected, told=TOLD)
    for note in rows.notes[:TOLD]:
        log.info("told by the source", source=rows.source, where=note.where, what=note.why)


def few(statuses: Mapping[str, int]) -> dict[str, int]:
    """Words of a status with their number of rows, the most frequent, as they may be told: texts in their place may name a client."""
    alike: Counter[str] = Counter()
    for word, rows in statuses.items():
        head = LONG_NUMBER.split(word, maxsplit=1)[0][:LONGEST]
        alike[word if head == word else f"{head}…"] += rows
    told = dict(alike.most_common(FEW))
    return told | ({f"({len(alike) - FEW} others)": rest} if (rest := alike.total() - sum(told.values())) else {})


def tell_odd(rows: Rows) -> None:
    """What was used all the same."""
    if rows.unknown_statuses:
        log.warning("statuses that no class names", source=rows.source, statuses=few(rows.unknown_statuses))
    if rows.wrong_digits:
        log.warning("rows of clients with a wrong check digit", source=rows.source, rows=rows.wrong_digits)
