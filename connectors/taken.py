"""What one poll takes, file after file: their rows under each other, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from connectors import KEPT, Batch, Cursor, Reject, lines

if TYPE_CHECKING:
    from datetime import datetime

    from connectors import Where
    from connectors.growing import Piece

LIMIT = 128 << 20
"""Bytes taken at one poll, over all files."""


@dataclass
class Taken:
    """So far. left: bytes that may still be taken; drained: nothing more waits; rejected: of all that were, the first KEPT are held."""

    tables: list[pa.Table] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    notes: list[Reject] = field(default_factory=list)
    rejected: int = 0
    left: int = field(default_factory=lambda: LIMIT)
    drained: bool = True
    _standing: list[tuple[int, Where]] = field(default_factory=list)
    _kinds: dict[str, pa.DataType] = field(default_factory=dict)

    @property
    def some(self) -> bool:
        """Whether there are rows, or rows that could not be read."""
        return bool(self.tables or self.rejects)

    def add(self, piece: Piece) -> bool:
        """A file's rows under those of the others; False, and they are left, if their columns are of other kinds."""
        if piece.table.num_rows:
            kinds = {column.name: column.type for column in piece.table.schema}
            if any(self._kinds.get(name, kind) != kind for name, kind in kinds.items()):
                return False
            self._kinds |= kinds
            if piece.where:
                self._standing.append((piece.table.num_rows, piece.where))
            self.tables.append(piece.table)
        self.rejects += piece.rejects[: KEPT - len(self.rejects)]
        self.rejected += piece.rejected
        self.left -= piece.table.nbytes
        return True

    def batch(self, cursor: Cursor, until: datetime | None) -> Batch:
        """All of it. until: of a batch that is drained, when it is complete."""
        table = pa.concat_tables(self.tables, promote_options="default") if self.tables else pa.table({})
        where = lines.one_after_another(self._standing) if self._standing else None
        return Batch(
            table, cursor, self.drained, until if self.drained else None, tuple(self.rejects), where, tuple(self.notes),
            rejected=self.rejected,
        )  # fmt: skip
