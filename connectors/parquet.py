"""Parquet files: the rows past those already taken, by row groups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet

from connectors.growing import Piece

if TYPE_CHECKING:
    from connectors.growing import Place


def take(path: str, place: Place, seen: str, limit: int, *, called: str = "") -> Piece:
    """Row groups from the row at which reading stopped, about `limit` bytes; a file with fewer rows begins again.

    seen: the file's appearance, kept once nothing more waits; called: its name for people, where it is not the path's.
    """
    with pyarrow.parquet.ParquetFile(path) as file:
        total = file.metadata.num_rows
        start = place["at"] if place["at"] <= total else 0
        groups: list[int] = []
        first = passed = size = 0
        for group in range(file.num_row_groups):
            held = file.metadata.row_group(group)
            passed += held.num_rows
            if passed > start and size < limit:
                first = first if groups else passed - held.num_rows
                groups.append(group)
                size += held.total_byte_size
        table = file.read_row_groups(groups).slice(start - first) if groups else file.schema_arrow.empty_table()
    at = start + table.num_rows
    after: Place = {"at": at, "lines": (0, 0), "mark": "", "seen": seen if at == total else ""}
    name = Path(called or path).name
    return Piece(table, after, more=at < total, where=lambda row: f"{name}:row {start + row + 1}")
