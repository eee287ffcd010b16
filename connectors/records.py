"""The records of a file: CSV, JSON lines or Parquet by its name, compressed or not; whole ones only, from where reading stopped."""

from __future__ import annotations

import codecs
import re
import zlib
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import pyarrow as pa

from connectors import KEPT, Reject, SourceError, delimited, jsonl, lines, torn
from connectors.growing import MARGIN, Piece, Place, line_ends, mark, read, resume, window
from connectors.torn import LONGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connectors import Where
    from connectors.malformed import Malformed

_T = TypeVar("_T")
_FORMAT = re.compile(r"\.(csv|txt|jsonl|ndjson|parquet)(?![a-z0-9])", re.IGNORECASE)


class Records:
    """Of CSV and JSON lines. delimiter, encoding: as `sources.file` says; ValueError where they cannot be followed."""

    def __init__(self, delimiter: str, encoding: str) -> None:
        delimited.check_delimiter(delimiter)
        try:
            plain = '\n\r,;"'.encode(encoding) == b'\n\r,;"'
        except LookupError:
            plain = False
        if not plain:
            raise ValueError(f"encoding {encoding!r} cannot be followed: use utf-8, latin-1, cp1252 or the like")
        self.delimiter, self.encoding = delimiter, codecs.lookup(encoding).name

    def take(
        self,
        path: str,
        stream: IO[bytes],
        own: Place | None,
        others: Sequence[Place],
        *,
        limit: int,
        still_written: bool,
        whole: bool,
        seen: str,
    ) -> Piece:
        """Whole records from where this stream's reading stopped.

        own, others: as of `growing.resume`; path: whose name says the format; still_written: a last CSV row without a line end may be
        half of one; whole: nothing will be added, so that what makes no record is malformed; seen: the file's appearance, kept once
        nothing more waits.
        """
        name = Path(path).name
        head, _ = read(stream, LONGEST)
        place = resume(stream, head, own, others)
        first = 0 if form(path) == "jsonl" else head.find(b"\n") + 1
        if not first and form(path) == "csv":  # the header is still being written
            if len(head) == LONGEST or (b"\r" in head and not still_written):
                raise SourceError(f"{path}: cannot be read: its first line has no end", fault="unreadable")
            if whole:
                self._header(head)
            return Piece(pa.table({}), place)
        names = self._header(head[:first]) if first else []
        at = max(place["at"], first)
        before = window(stream, max(0, at - MARGIN), min(at, MARGIN))
        chunk, complete = read(stream, limit)
        more = len(chunk) == limit
        end = self._whole(path, chunk, csv=first > 0, top=not at, still_written=still_written)
        endless = not end and (more or (first and still_written)) and len(chunk) > LONGEST and b"\n" not in chunk
        if endless or place.get("endless"):
            end = chunk.find(b"\n") + 1 or len(chunk)
            after: Place = {"at": at, "lines": place["lines"], "mark": "", "seen": ""}
            after["mark"] = mark(head, (before + chunk[:end])[-MARGIN:], at + end)
            return _past(chunk, after, line_ends(stream, after), name, told=bool(place.get("endless")), more=more)
        after = {"at": at, "lines": place["lines"], "mark": "", "seen": ""}
        passed = line_ends(stream, after)
        ended = complete and not more
        unended = ended and end < len(chunk) and b"\n" not in chunk[end:]
        if unended and (whole or (first and not still_written)):
            after["tail"], end, unended = at + end, len(chunk), False
        table, malformed, closed = self._parse(chunk, end, names, whole=whole)
        if closed < end:
            after.pop("tail", None)
            end = closed
        ends = chunk.count(b"\n", 0, end)
        where = lines.standing(
            name,
            before=passed,
            taken=ends + (not chunk.endswith(b"\n", 0, end)),
            rows=table.num_rows,
            malformed=[line for line, _ in malformed.told],
            wrong=malformed.count,
            records=partial(delimited.records, chunk, end, self.delimiter)
            if first
            else partial(jsonl.records, chunk, end),
        )
        _one_header(path, table, where, csv=first > 0)
        if (len(chunk) - end > LONGEST or (whole and ended)) and b"\n" in chunk[end:]:  # its first line is malformed
            malformed.add(ends, "a quotation mark is never closed")
            end, ends, more = chunk.find(b"\n", end) + 1, ends + 1, True
        elif (
            unended and not first and (not still_written or len(chunk) - end > LONGEST)
        ):  # of CSV it waits, or is a row
            malformed.add(ends, "its line has no end")
            after["tail"], end = at + end, len(chunk)
        rejects = tuple(Reject(f"{name}:line {passed + line + 1}", why) for line, why in malformed.told)
        after["at"] += end
        after["lines"] = (after["at"], passed + ends)
        after["mark"] = mark(head, before + chunk[max(0, end - MARGIN) : end], after["at"])
        if complete and not more and end == len(chunk):
            after["seen"] = seen
        return Piece(table, after, more, rejects, where, malformed.count)

    def _whole(self, path: str, chunk: bytes, *, csv: bool, top: bool, still_written: bool) -> int:
        """Length of the complete records. top: it is the file's beginning. SourceError where that is all there is, and is a JSON list."""
        end = delimited.whole(chunk, self.delimiter) if csv else jsonl.whole(chunk)
        whole = end or not still_written or len(chunk) > LONGEST
        if whole and top and not csv and jsonl.one_array(chunk):
            raise SourceError(f"{path}: cannot be read: it is one JSON list, not an object a line", fault="unreadable")
        return end

    def _parse(self, chunk: bytes, end: int, names: list[str], *, whole: bool) -> tuple[pa.Table, Malformed, int]:
        """The records up to `end`, or to one with a quotation mark that closes too far on, and where that is.

        Of a file that grows, what cannot be read is left out; one that is whole can be sent again.
        """
        try:
            table, malformed = self._columns(chunk, end, names)
            if not names or (not malformed.count and delimited.widest(table) <= LONGEST):
                return table, malformed, end
            if (closed := delimited.unclosed(chunk, end, self.delimiter, LONGEST)) < end:
                return self._parse(chunk, closed, names, whole=whole)
        except (UnicodeDecodeError, pa.ArrowInvalid):
            if names and (closed := delimited.unclosed(chunk, end, self.delimiter, LONGEST)) < end:
                return self._parse(chunk, closed, names, whole=whole)
            if whole:
                raise
            kept, torn_lines = torn.blanked(chunk, end, self.encoding, self.delimiter if names else "", KEPT)
            if not torn_lines.count:
                raise
            table, malformed = self._columns(kept, end, names)
            malformed.also(torn_lines)
        return table, malformed, end

    def _columns(self, chunk: bytes, end: int, names: list[str]) -> tuple[pa.Table, Malformed]:
        if self.encoding != "utf-8":
            chunk = chunk[:end].decode(self.encoding).encode()
            end = len(chunk)
        return delimited.parse(chunk, end, names, self.delimiter) if names else jsonl.parse(chunk[:end])

    def _header(self, top: bytes) -> list[str]:
        text = top.removeprefix(codecs.BOM_UTF8).decode(self.encoding)
        if "\0" in text:
            raise ValueError("it is no text")
        return delimited.header(text, self.delimiter)

    def columns(self, path: str, stream: IO[bytes]) -> list[str]:
        """Names of the columns, from the first line."""
        head = read(stream, LONGEST)[0]
        top = head[: head.find(b"\n") + 1]
        return self._header(top) if form(path) == "csv" else list(jsonl.parse(top)[0].column_names)

    def in_words(self, path: str, ask: Callable[[], _T]) -> _T:
        """What `ask` answers; its faults as a SourceError that says what is wrong with the file."""
        try:
            return ask()
        except FileNotFoundError:
            raise
        except PermissionError as error:
            raise SourceError(f"{path}: no permission to read it", fault="refused") from error
        except UnicodeDecodeError as error:
            byte = f"byte 0x{error.object[error.start]:02x}"
            words = f"{path}: not {self.encoding} ({byte}); set `encoding`"
            raise SourceError(words, permanent=True, fault="unreadable") from error
        except (OSError, EOFError, ValueError, zlib.error, pa.ArrowException) as error:
            words = f"{path}: cannot be read: {[*str(error).splitlines(), type(error).__name__][0]}"
            raise SourceError(words, fault="unreadable") from error


def _one_header(path: str, table: pa.Table, where: Where, *, csv: bool) -> None:
    if csv and (row := delimited.reordered(table)) is not None:
        words = f"{path}: {where(row)} is a header again, with its columns in another order: a file has one"
        raise SourceError(words, fault="unreadable")


def _past(chunk: bytes, place: Place, passed: int, name: str, *, told: bool, more: bool) -> Piece:
    """On to the end of a line that has none, as far as it was read; it is told where it begins.

    place: at which the chunk begins, with the mark of where it goes on; passed: line ends before it.
    """
    end = chunk.find(b"\n") + 1
    at = place["at"] + (end or len(chunk))
    after: Place = {**place, "at": at, "lines": (at, passed + (end > 0))}
    if not end:
        after["endless"] = True
    why = f"no line end within {len(chunk):,} bytes: left out"
    rejects = () if told else (Reject(f"{name}:line {passed + 1}", why),)
    return Piece(pa.table({}), after, more or end > 0, rejects)


def form(path: str) -> str:
    """`csv`, `jsonl` or `parquet`; SourceError if the name does not say."""
    found = _FORMAT.findall(Path(path).name)
    if not found:
        words = f"{path}: the name does not say the format: .csv, .jsonl or .parquet"
        raise SourceError(words, permanent=True, fault="unreadable")
    last = str(found[-1]).lower()
    return {"txt": "csv", "ndjson": "jsonl"}.get(last, last)
