"""Parquet files: the rows past those already taken, by row groups."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet

from connectors.growing import Piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.growing import Place

MARGIN = 16
"""Rows remembered (as a hash) at the beginning of a file and before the place where reading stopped."""


def take(path: str, places: Sequence[Place], seen: str, limit: int, *, called: str = "") -> Piece:
    """Row groups from the row at which reading stopped, about `limit` bytes; a file that does not begin with what was read begins again.

    places: where reading stopped, as far as is known, of this file or of those that it may have been; seen: the file's appearance, kept
    once nothing more waits; called: its name for people, where it is not the path's.
    """
    with pyarrow.parquet.ParquetFile(path) as file:
        total = file.metadata.num_rows
        start = max((place["at"] for place in places if _same(file, place)), default=0)
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
        after: Place = {"at": at, "lines": (0, 0), "mark": _mark(file, at), "seen": seen if at == total else ""}
    name = Path(called or path).name
    return Piece(table, after, more=at < total, where=lambda row: f"{name}:row {start + row + 1}")


def same(path: str, place: Place) -> bool:
    """Whether the file still begins with the rows that were taken."""
    with pyarrow.parquet.ParquetFile(path) as file:
        return _same(file, place)


def _same(file: pyarrow.parquet.ParquetFile, place: Place) -> bool:
    if place["at"] > file.metadata.num_rows:
        return False
    return not place["mark"] or _mark(file, place["at"]) == place["mark"]  # none: kept before there were marks


def _mark(file: pyarrow.parquet.ParquetFile, at: int) -> str:
    """What the first `at` rows look like, from their first and last few."""
    if not at:
        return ""
    ends = [_rows(file, 0, min(MARGIN, at)), _rows(file, max(at - MARGIN, 0), at)]
    return hashlib.sha256(repr(ends).encode(errors="surrogatepass")).hexdigest()[:20]


def _rows(file: pyarrow.parquet.ParquetFile, start: int, stop: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    passed = 0
    for group in range(file.num_row_groups):
        held = file.metadata.row_group(group).num_rows
        if passed < stop and passed + held > start:
            at = passed
            for batch in file.iter_batches(row_groups=[group]):
                cut = batch.slice(max(start - at, 0), max(min(stop - at, batch.num_rows) - max(start - at, 0), 0))
                rows += cut.to_pylist()
                at += batch.num_rows
                if at >= stop:
                    break
        passed += held
    return rows
