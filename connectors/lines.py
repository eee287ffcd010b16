"""On which line of its file a row stands, worked out only for the rows that must be named."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from connectors import Where


def standing(
    name: str,
    *,
    before: int,
    taken: int,
    rows: int,
    malformed: Sequence[int],
    records: Callable[[], Iterable[int]],
    wrong: int,
) -> Where:
    """Where the rows stand that were read from `taken` lines of a file, of which `before` lines lie above them.

    malformed: lines that gave no row, the first of them if there are many, and wrong: their number; records: the line of every record,
    malformed ones too, both counted from 0 at the first of the lines taken. `records` is kept and asked only if there are empty lines
    or records of several lines; if it knows of more or fewer than there are rows, a line would be a guess: the record is named instead.
    """
    passed = [line - i for i, line in enumerate(malformed)]  # rows above each malformed line
    if taken == rows + wrong == rows + len(malformed):
        return lambda row: f"{name}:line {before + row + bisect_right(passed, row) + 1}"

    @cache
    def lines() -> list[int]:
        left_out = set(malformed)
        return [line for line in records() if line not in left_out]

    def where(row: int) -> str:
        if taken == rows + wrong and row < passed[-1]:
            return f"{name}:line {before + row + bisect_right(passed, row) + 1}"
        if wrong == len(malformed) and len(lines()) == rows:
            return f"{name}:line {before + lines()[row] + 1}"
        return f"{name}:record {row + 1} after line {before}" if before else f"{name}:record {row + 1}"

    return where


def one_after_another(pieces: Sequence[tuple[int, Where]]) -> Where:
    """Where the rows of tables stand that were put one under the other. pieces: number of rows, where they stand."""
    firsts = [0, *accumulate(rows for rows, _ in pieces)][:-1]

    def where(row: int) -> str:
        piece = bisect_right(firsts, row) - 1
        return pieces[piece][1](row - firsts[piece])

    return where
