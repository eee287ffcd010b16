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
HALF = 10


def take(path: str, own: Place | None, others: Sequence[Place], seen: str, limit: int, *, called: str = "") -> Piece:
    """Row groups from the row at which reading stopped, about `limit` bytes; a file that does not begin with what was read begins again.

    own: where its reading stopped; others: places in files that it may have been, tried if it does not go on from there; seen: the
    file's appearance, kept once nothing more waits; called: its name for people, where it is not the path's.
    """
    with pyarrow.parquet.ParquetFile(path) as file:
        total = file.metadata.num_rows
        if own and own["at"] and _same(file, own):
            start = own["at"]
        else:
            furthest = sorted(others, key=lambda place: -place["at"])
            start = next((place["at"] for place in furthest if _same(file, place)), 0)
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


def end(path: str) -> Place:
    """The place of a file of which all was read."""
    with pyarrow.parquet.ParquetFile(path) as file:
        at = file.metadata.num_rows
        return {"at": at, "lines": (0, 0), "mark": _mark(file, at), "seen": ""}


def _same(file: pyarrow.parquet.ParquetFile, place: Place) -> bool:
    at, mark = place["at"], place["mark"]
    if at > file.metadata.num_rows:
        return False
    if not mark:  # kept before there were marks
        return True
    # By far most of the others differ in their first rows, and the last cost more.
    return _top(file, at) == mark[:HALF] and _bottom(file, at) == mark[HALF:]


def _mark(file: pyarrow.parquet.ParquetFile, at: int) -> str:
    """What the first `at` rows look like, from their first and last few."""
    return _top(file, at) + _bottom(file, at) if at else ""


def _top(file: pyarrow.parquet.ParquetFile, at: int) -> str:
    return _short(_rows(file, 0, min(MARGIN, at)))


def _bottom(file: pyarrow.parquet.ParquetFile, at: int) -> str:
    return _short(_rows(file, max(at - MARGIN, 0), at))


def _short(rows: list[dict[str, Any]]) -> str:
    return hashlib.sha256(repr(rows).encode(errors="surrogatepass")).hexdigest()[:HALF]


def _rows(file: pyarrow.parquet.ParquetFile, start: int, stop: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    passed = 0
    for group in range(file.num_row_groups):
        held = file.metadata.row_group(group).num_rows
        if passed < stop and passed + held > start:
            at = passed
            for batch in file.iter_batches(row_groups=[group], batch_size=1 << 12):
                cut = batch.slice(max(start - at, 0), max(min(stop - at, batch.num_rows) - max(start - at, 0), 0))
                rows += cut.to_pylist()
                at += batch.num_rows
                if at >= stop:
                    break
        passed += held
    return rows
