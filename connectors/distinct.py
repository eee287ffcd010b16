"""A column of texts, of which many are the same: worked on once for each that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Distinct:
    """texts: those that there are, each once."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        codes = pc.dictionary_encode(column).combine_chunks()
        self._indices = codes.indices
        self.texts: list[str] = codes.dictionary.to_pylist()

    def replaced(self, by: Sequence[str]) -> pa.ChunkedArray:
        """The column, in place of each of the texts the one that stands where it does."""
        return pa.chunked_array([pa.array(by, pa.string()).take(self._indices)])

    def counted(self, named: Mapping[int, str]) -> dict[str, int]:
        """Rows by name, of the texts (by where they stand) that have one."""
        counts: dict[str, int] = {}
        for one in pc.value_counts(self._indices).to_pylist() if named else []:
            if one["values"] in named:
                name = named[one["values"]]
                counts[name] = counts.get(name, 0) + one["counts"]
        return counts
