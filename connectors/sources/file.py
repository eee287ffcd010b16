"""Files: CSV, JSON lines and Parquet, compressed or not, growing or whole, one or many."""

from __future__ import annotations

import codecs
import glob
import re
import zlib
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.parquet

from connectors import Batch, Cursor, Reject, SourceError, delimited, jsonl, lines, parquet
from connectors.growing import (
    MARGIN,
    Piece,
    Place,
    appearance,
    beginning,
    line_ends,
    mark,
    open_bytes,
    read,
    resume,
    still,
    window,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from connectors import Where

LIMIT = 128 << 20
"""Bytes taken at one poll, over all files."""
LONGEST = 256 << 10
"""Bytes of one record. Past it, a quotation mark never closed is a malformed row, not one still being written."""
SETTLED = 60
"""Seconds that a CSV file must lie untouched before a last row without a line end is taken for whole."""
_T = TypeVar("_T")
_FORMAT = re.compile(r"\.(csv|txt|jsonl|ndjson|parquet)(?![a-z0-9])", re.IGNORECASE)


class File:
    """Rows of CSV, JSON lines or Parquet files, told by the name: `.csv`, `.jsonl`, `.parquet`; `.gz` of the first two.

    path: one file, or a glob whose files are read in the order of their names; files that appear later are picked up.
    delimiter, encoding: of CSV (and JSON lines), where they are not a comma and UTF-8.

    A growing file is followed: only whole records are taken. A file that was truncated or replaced is read from its
    beginning; one renamed within the glob goes on where it stopped. A Parquet file that changes gives the rows past
    those already taken. CSV cells are text, as written. Rows that lie in a file rotated out of sight before a poll are
    not seen: let the glob cover the rotated name.
    """

    def __init__(self, *, path: str, delimiter: str = ",", encoding: str = "utf-8") -> None:
        delimited.check_delimiter(delimiter)
        try:
            plain = '\n\r,;"'.encode(encoding) == b'\n\r,;"'
        except LookupError:
            plain = False
        if not plain:
            raise ValueError(f"encoding {encoding!r} cannot be followed: use utf-8, latin-1, cp1252 or the like")
        self.path, self.delimiter, self.encoding = path, delimiter, codecs.lookup(encoding).name

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:  # noqa: ARG002 - older rows may come too
        """Whole records that appeared since `cursor`, in the order of the files' names; at most about 128 MB."""
        before: dict[str, Place] = (cursor or {}).get("files", {})
        paths = self._paths()
        renamed: list[Place] = []
        if any(path not in before for path in paths):
            renamed = [place for name, place in before.items() if name not in paths or not still(name, place)]
        # a glob that matches nothing may be a disk that is away: its places are kept
        places = {name: place for name, place in before.items() if name in paths or not paths}
        tables: list[pa.Table] = []
        rejects: list[Reject] = []
        standing: list[tuple[int, Where]] = []
        left, drained, fault = LIMIT, True, None
        for path in paths:
            if left <= 0:
                drained = False
                break
            try:
                piece = self._take(path, places.get(path), renamed, left, now)
            except FileNotFoundError:  # rotated away since it was listed
                continue
            except SourceError as error:  # the other files go on; told when they have
                fault = fault or error
                continue
            if piece.table.num_rows:
                if tables and not _alike(tables[0].schema, piece.table.schema):
                    drained = False
                    break
                if piece.where:
                    standing.append((piece.table.num_rows, piece.where))
                tables.append(piece.table)
            places[path] = piece.place
            rejects += piece.rejects
            left -= piece.table.nbytes
            drained = drained and not piece.more
        if fault and not tables and not rejects:
            raise fault
        table = pa.concat_tables(tables, promote_options="default") if tables else pa.table({})
        drained = drained and fault is None
        where = lines.one_after_another(standing) if standing else None
        return Batch(table, {"files": places}, drained, now if drained else None, tuple(rejects), where)

    def check(self) -> str:
        """How many files there are, and the columns of the last."""
        paths = self._paths()
        if not paths:
            return f"{self.path}: no file matches yet"
        columns = ", ".join(_in_words(paths[-1], self.encoding, lambda: self._columns(paths[-1])))
        return f"{len(paths)} file{'s' * (len(paths) > 1)}, the last {Path(paths[-1]).name}: {columns or 'no rows yet'}"

    def _paths(self) -> list[str]:
        path = Path(self.path)
        if path.is_dir():
            raise SourceError(f"{path} is a folder: name the files in it, as in {path}/*.csv", permanent=True)
        if path.exists():
            return [self.path]
        if not glob.has_magic(self.path):
            raise SourceError(f"{path}: there is no such file")
        return sorted(found for found in glob.iglob(self.path, recursive=True) if not Path(found).is_dir())  # noqa: PTH207 - absolute

    def _take(self, path: str, place: Place | None, renamed: list[Place], limit: int, now: datetime) -> Piece:
        status = Path(path).stat()
        if place and place["seen"] == appearance(status):
            return Piece(pa.table({}), place)

        def piece() -> Piece:
            if _form(path) == "parquet":
                return parquet.take(path, place or beginning(), status, limit)
            with open_bytes(path) as stream:
                return self._follow(path, stream, [place] if place else renamed, limit=limit, now=now, status=status)

        return _in_words(path, self.encoding, piece)

    def _follow(
        self,
        path: str,
        stream: IO[bytes],
        places: Iterable[Place],
        *,
        limit: int,
        now: datetime,
        status: os.stat_result,
    ) -> Piece:
        """Whole records from where this stream's reading stopped."""
        head, _ = read(stream, LONGEST)
        place = resume(stream, head, places)
        first = 0 if _form(path) == "jsonl" else head.find(b"\n") + 1
        if not first and _form(path) == "csv":  # the header is still being written
            return Piece(pa.table({}), place)
        names = self._header(head[:first]) if first else []
        at = max(place["at"], first)
        before = window(stream, max(0, at - MARGIN), min(at, MARGIN))
        chunk, complete = read(stream, limit)
        more = len(chunk) == limit
        end = delimited.whole(chunk, self.delimiter) if first else jsonl.whole(chunk)
        after: Place = {"at": at, "lines": place["lines"], "mark": "", "seen": ""}
        passed = line_ends(stream, after)
        still_written = now.timestamp() - status.st_mtime <= SETTLED and not path.lower().endswith(".gz")
        if first and end < len(chunk) and b"\n" not in chunk[end:] and complete and not more and not still_written:
            after["tail"], end = at + end, len(chunk)
        table, malformed = self._parse(chunk, end, names)
        ends = chunk.count(b"\n", 0, end)
        where = lines.standing(
            Path(path).name,
            before=passed,
            taken=ends + (not chunk.endswith(b"\n", 0, end)),
            rows=table.num_rows,
            malformed=[line for line, _ in malformed],
            records=partial(delimited.records, chunk, end, self.delimiter)
            if first
            else partial(jsonl.records, chunk, end),
        )
        if len(chunk) - end > LONGEST and b"\n" in chunk[end:]:  # no record is so long: its first line is malformed
            malformed.append((ends, "a quotation mark is never closed"))
            end, ends, more = chunk.find(b"\n", end) + 1, ends + 1, True
        rejects = tuple(Reject(f"{Path(path).name}:line {passed + line + 1}", why) for line, why in malformed)
        after["at"] += end
        after["lines"] = (after["at"], passed + ends)
        after["mark"] = mark(head, before + chunk[max(0, end - MARGIN) : end], after["at"])
        if complete and not more and end == len(chunk):
            after["seen"] = appearance(status)
        return Piece(table, after, more, rejects, where)

    def _parse(self, chunk: bytes, end: int, names: list[str]) -> tuple[pa.Table, list[tuple[int, str]]]:
        if self.encoding != "utf-8":
            chunk = chunk[:end].decode(self.encoding).encode()
            end = len(chunk)
        return delimited.parse(chunk, end, names, self.delimiter) if names else jsonl.parse(chunk[:end])

    def _header(self, top: bytes) -> list[str]:
        return delimited.header(top.removeprefix(codecs.BOM_UTF8).decode(self.encoding), self.delimiter)

    def _columns(self, path: str) -> list[str]:
        if _form(path) == "parquet":
            return list(pyarrow.parquet.read_schema(path).names)
        with open_bytes(path) as stream:
            head = read(stream, LONGEST)[0]
        top = head[: head.find(b"\n") + 1]
        return self._header(top) if _form(path) == "csv" else list(jsonl.parse(top)[0].column_names)


def _form(path: str) -> str:
    found = _FORMAT.findall(Path(path).name)
    if not found:
        raise SourceError(f"{path}: the name does not say the format: .csv, .jsonl or .parquet", permanent=True)
    last = str(found[-1]).lower()
    return {"txt": "csv", "ndjson": "jsonl"}.get(last, last)


def _alike(one: pa.Schema, other: pa.Schema) -> bool:
    """Whether tables of these columns can stand one under the other."""
    return all(one.field(name).type == other.field(name).type for name in set(one.names) & set(other.names))


def _in_words(path: str, encoding: str, ask: Callable[[], _T]) -> _T:
    """What `ask` answers; its faults as a SourceError that says what is wrong with the file."""
    try:
        return ask()
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise SourceError(f"{path}: no permission to read it") from error
    except UnicodeDecodeError as error:
        byte = f"byte 0x{error.object[error.start]:02x}"
        raise SourceError(f"{path}: not {encoding} ({byte}); set `encoding`", permanent=True) from error
    except (OSError, EOFError, ValueError, zlib.error, pa.ArrowException) as error:
        raise SourceError(f"{path}: cannot be read: {[*str(error).splitlines(), type(error).__name__][0]}") from error
