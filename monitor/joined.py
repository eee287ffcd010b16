"""Polls of one source that meet in a step, counted as one: each that is counted by itself takes as long, however few its rows.

So judging that fell behind catches up: what waits costs no more than one poll of each source.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from monitor.intake import Rows

if TYPE_CHECKING:
    from monitor.judge import Down


def joined(arrived: Iterable[Rows | Down], known: Collection[str]) -> list[Rows | Down]:
    """In their order, those of a source where its first was. known: the sources of which all is known that came before."""
    found: list[Rows | Down] = []
    last: dict[str, int] = {}
    for item in arrived:
        place = last.setdefault(item.source, len(found))
        before = found[place] if place < len(found) else None
        if item.source in known and (one := _one(before, item)):
            found[place] = one
        else:
            last[item.source] = len(found)
            found.append(item)
    return found


def _one(before: Rows | Down | None, item: Rows | Down) -> Rows | None:
    """Both as one poll; None where either is more than rows that follow each other."""
    if not (isinstance(before, Rows) and isinstance(item, Rows) and _plain(before) and _plain(item)):
        return None
    until = item.complete_until or before.complete_until
    return replace(item, table=pa.concat_tables([before.table, item.table]), complete_until=until)


def _plain(rows: Rows) -> bool:
    return rows.role == "transactions" and rows.drained and not (rows.wrong or rows.lost or rows.gaps)
