"""A CSV file that people keep in a spreadsheet: its rows as they are read and written, and how it reaches the disk whole."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

BOM = b"\xef\xbb\xbf"
"""Without it a spreadsheet takes the accents for something else."""
ACTIVE = ("=", "+", "-", "@", "\t", "\r", "'")
"""First characters by which a spreadsheet takes a cell for a formula; the apostrophe, because it makes them text."""


def written(row: Iterable[str]) -> bytes:
    """A row, with its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([f"'{cell}" if cell.startswith(ACTIVE) else cell for cell in row])
    return line.getvalue().encode()


def read(text: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows, each with the line that it begins in, from 1."""
    rows = csv.reader(io.StringIO(text.removeprefix(BOM).decode(), newline=""))
    line = 1
    for row in rows:
        if row:
            yield line, [cell[1:] if cell.startswith("'") and cell[1:].startswith(ACTIVE) else cell for cell in row]
        line = rows.line_num + 1


def last(text: bytes) -> list[str]:
    """A last line without its end, as a row; none if it broke off within a cell's quotes or a character."""
    try:
        (row,) = csv.reader(io.StringIO(text.decode(), newline=""), strict=True)
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            raise
        return []
    except (ValueError, csv.Error):
        return []
    return row


def append(path: Path, text: bytes) -> bytes:
    """Add it at the end; it is on disk then."""
    with path.open("ab") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    return text


def rewrite(path: Path, text: bytes) -> None:
    """All of the file, beside it and then in its place: after a crash it is as before or as it is to be."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
