"""Cells that make a row unusable, gathered column by column and told row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from connectors import KEPT, Reject
from connectors.values import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors import Where

LONGEST = 100
"""Signs of a cell that are told."""


class Unusable:
    """The unusable rows of a table. theirs: our column names -> the table's. Why is kept of the first KEPT."""

    def __init__(self, table: pa.Table, theirs: Mapping[str, str]) -> None:
        self._table, self._theirs = table, theirs
        self._why: dict[int, list[str]] = {}
        self._wrong: pa.ChunkedArray | None = None

    def add(self, name: str, wrong: pa.ChunkedArray | None, why: str) -> None:
        """Rows for which `wrong` is true cannot be used, because of what their column `name` (ours) holds."""
        if wrong is None or not pc.any(wrong).as_py():
            return
        wrong = pc.fill_null(wrong, fill_value=False)
        self._wrong = wrong if self._wrong is None else pc.or_(self._wrong, wrong)
        # The first rows of all are among the first of each column.
        rows = pc.indices_nonzero(wrong)[:KEPT]
        theirs = self._theirs.get(name, name)
        called = name if theirs == name else f"{name} ({theirs})"
        cells = _cells(self._table.column(theirs).take(rows)) if theirs in self._table.column_names else []
        for i, row in enumerate(rows.to_pylist()):
            held = f" {_short(repr(cells[i]))}" if cells and cells[i] not in (None, "") else ""
            self._why.setdefault(row, []).append(f"{called}{held} {why}")

    @property
    def count(self) -> int:
        """How many rows cannot be used."""
        return 0 if self._wrong is None else int(pc.sum(self._wrong).as_py())

    @property
    def rows(self) -> list[int]:
        """Numbers of the first KEPT unusable rows, from 0, in order."""
        return sorted(self._why)[:KEPT]

    def others(self, rows: pa.Table) -> pa.Table:
        """The rows without a fault."""
        return rows if self._wrong is None else rows.filter(pc.invert(self._wrong))

    def told(self, key: str, where: Where | None) -> tuple[Reject, ...]:
        """One reject a row, of the first, naming where it stands (None: its number, from 1) and its `key` (ours) where it has one.

        key: '' where it is nothing to be told, as of clients.
        """
        if not self._why:
            return ()
        theirs = self._theirs.get(key, key)
        keys = (
            _cells(self._table.column(theirs).take(self.rows)) if theirs and theirs in self._table.column_names else []
        )
        told = []
        for i, row in enumerate(self.rows):
            place = where(row) if where else f"row {row + 1}"
            if keys and keys[i] and not place.endswith(f" = {keys[i]}"):  # a database names the row by its key already
                place += f" ({key} {_short(str(keys[i]))})"
            told.append(Reject(place, "; ".join(self._why[row])))
        return tuple(told)

    def marks(self, told: Sequence[Reject]) -> tuple[str, ...]:
        """Of each that is told, a digest of where it stands and of all it holds."""
        rows = zip(*(_cells(column.take(self.rows)) for column in self._table.columns), strict=True) if told else ()
        return tuple(digest([one.where, *row]) for one, row in zip(told, rows, strict=True))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _cells(column: pa.ChunkedArray) -> list[object]:
    """As they are told: a time may be none that Python knows."""
    return list((column.cast(pa.string()) if pa.types.is_temporal(column.type) else column).to_pylist())
