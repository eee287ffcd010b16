"""CSV text into columns of text: whole records only, malformed rows told with their lines."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from connectors import KEPT
from connectors.malformed import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXACT = 1 << 20
"""Chunks up to this size are searched for an open quotation mark exactly; larger ones only if marks do not pair up."""

_END = ord("\n")
_TEXT = re.compile(rb"[^\r\n][^\n]*")
"""A line that is not empty."""


def check_delimiter(delimiter: str) -> None:
    """ValueError if cells cannot be set apart by it."""
    if len(delimiter.encode()) != 1 or delimiter in '"\r\n':
        raise ValueError(f"delimiter must be one plain character, not {delimiter!r}")


def whole(chunk: bytes, delimiter: str) -> int:
    """Length of the complete records at the beginning of `chunk`; a line end inside quotation marks ends no record."""
    end = chunk.rfind(b"\n") + 1
    first = chunk.find(b"\n") + 1
    # Most files have marks in their header at most: to find none is much quicker than to count.
    marks = chunk.count(b'"', 0, end if chunk.find(b'"', first, end) >= 0 else first)
    if not marks or (end > EXACT and marks % 2 == 0):
        return end
    spans: list[tuple[int, int]] = []
    for field in _quoted(delimiter).finditer(chunk, 0, end):
        if field[1] is None:
            return _record_start(chunk, field.start(), spans)
        if chunk.find(b"\n", *field.span()) >= 0:
            spans.append(field.span())
    return end


def _quoted(delimiter: str) -> re.Pattern[bytes]:
    """A cell within quotation marks; its group is the closing one."""
    return re.compile(rb'"(?:(?<=[\n\r%b]")|(?<=\A"))(?:[^"]++|"")*+(")?' % re.escape(delimiter.encode()))


def records(chunk: bytes, end: int, delimiter: str) -> Iterator[int]:
    """Of every record up to `end`, malformed ones too, the number of line ends before it."""
    spans = iter(spanning(chunk, end, delimiter))
    first = last = line = seen = 0
    for text in _TEXT.finditer(chunk, 0, end):
        start = text.start()
        line, seen = line + chunk.count(b"\n", seen, start), start
        while last <= start:
            first, last = next(spans, (end, end + 1))
        if start <= first:  # else it goes on within quotation marks
            yield line


def spanning(chunk: bytes, end: int, delimiter: str) -> list[tuple[int, int]]:
    """Where the cells begin and end that hold line ends within quotation marks."""
    if chunk.find(b'"', 0, end) < 0:
        return []
    cells = (cell.span() for cell in _quoted(delimiter).finditer(chunk, 0, end))
    return [span for span in cells if chunk.find(b"\n", *span) >= 0]


def widest(table: pa.Table) -> int:
    """Bytes of the longest cell."""
    return max((pc.max(pc.binary_length(column)).as_py() or 0 for column in table.columns), default=0)


def unclosed(chunk: bytes, end: int, delimiter: str, longest: int) -> int:
    """Where the first record begins with a cell of several lines within quotation marks that has more than `longest` bytes; else `end`."""
    spans: list[tuple[int, int]] = []
    for first, last in spanning(chunk, end, delimiter):
        if last - first > longest:
            return _record_start(chunk, first, spans)
        spans.append((first, last))
    return end


def _record_start(chunk: bytes, inside: int, spans: list[tuple[int, int]]) -> int:
    start = chunk.rfind(b"\n", 0, inside) + 1
    while spans and start > spans[-1][0]:
        first, last = spans.pop()
        if start <= last:
            start = chunk.rfind(b"\n", 0, first) + 1
    return start


def header(line: str, delimiter: str) -> list[str]:
    """Column names of a header line; of two `x`, neither is: they are `x (1)` and `x (2)`, so that nobody guesses."""
    names = [name.strip() for name in next(csv.reader(io.StringIO(line), delimiter=delimiter), [])]
    twice = {name for name in names if names.count(name) > 1}
    return [f"{name} ({names[: i + 1].count(name)})" if name in twice else name for i, name in enumerate(names)]


def reordered(table: pa.Table) -> int | None:
    """The first row that is the header in another order, as where one export was put behind another: there the first does not hold."""
    names = table.column_names
    like = pc.indices_nonzero(pc.is_in(table.column(0), pa.array(names, pa.string()))).to_pylist() if names else []
    said = ([cell.strip() for cell in table.slice(row, 1).to_pylist()[0].values()] for row in like)
    return next(
        (row for row, cells in zip(like, said, strict=True) if cells != names and sorted(cells) == sorted(names)), None
    )


def parse(chunk: bytes, end: int, names: list[str], delimiter: str, most: int = KEPT) -> tuple[pa.Table, Malformed]:
    """Whole records, up to `end`, to a table of text columns, and the malformed rows, `most` of them with their lines.

    An empty cell is ''. '007' stays '007'. UnicodeDecodeError if the text is not UTF-8.
    """
    schema = pa.schema([(name, pa.string()) for name in names])
    if not end or (end < EXACT and chunk[:end].isspace()):
        return schema.empty_table(), Malformed(most)
    malformed: list[tuple[str, str]] = []
    count = 0
    quoted = chunk.find(b'"', 0, end) >= 0

    def stop(row: pyarrow.csv.InvalidRow) -> str:  # noqa: ARG001 - threads tell of rows in any order
        nonlocal count
        count += 1
        return "error"

    def skip(row: pyarrow.csv.InvalidRow) -> str:
        nonlocal count
        count += 1
        if count <= most:
            malformed.append((row.text, f"{row.actual_columns} columns instead of {row.expected_columns}"))
        return "skip"

    def columns(wrong: Callable[[pyarrow.csv.InvalidRow], str], *, threads: bool) -> pa.Table:
        return pyarrow.csv.read_csv(
            pa.BufferReader(pa.py_buffer(chunk).slice(0, end)),  # not a copy
            read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=2 << 20, use_threads=threads),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=quoted, invalid_row_handler=wrong
            ),
            convert_options=pyarrow.csv.ConvertOptions(column_types=schema, null_values=[]),
        )

    try:
        try:
            table = columns(stop, threads=True)
        except pa.ArrowInvalid:
            if not count:
                raise
            count = 0
            table = columns(skip, threads=False)
    except pa.ArrowInvalid:
        chunk[:end].decode()  # says which byte
        raise
    return table, Malformed(most, _lines(chunk, malformed), count)


def _lines(chunk: bytes, malformed: list[tuple[str, str]]) -> list[tuple[int, str]]:
    """Each malformed row, in order, with the number of line ends before it."""
    told, line, seen = [], 0, 0
    for text, why in malformed:
        row = text.encode()
        start = chunk.find(row, seen)
        while start >= 0 and not _is_row(chunk, start, start + len(row)):
            start = chunk.find(row, start + 1)
        line += chunk.count(b"\n", seen, max(start, seen))
        told.append((line, why))
        if start >= 0:
            line += row.count(b"\n")
            seen = start + len(row)
    return told


def _is_row(chunk: bytes, start: int, end: int) -> bool:
    return (start == 0 or chunk[start - 1] == _END) and chunk[end : end + 1] in {b"\r", b"\n", b""}
