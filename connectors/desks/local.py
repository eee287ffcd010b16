"""The local case desk: a CSV file that people read in a spreadsheet."""

from __future__ import annotations

import csv
import fcntl
import io
import os
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from connectors import Batch, Case, Cursor, SourceError, delimited
from connectors.changed import changed
from connectors.fields import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from connectors import Fault

_HEADER = (
    "clave",
    "caso",
    "incidente",
    "cliente",
    "producto",
    "canal",
    "abierto",
    "prioridad",
    "tipo",
    "estado",
    "asunto",
    "detalle",
    "nota",
)
_READS = {
    "case_id": "caso", "client_id": "cliente", "product": "producto", "channel": "canal", "opened_at": "abierto",
    "kind": "tipo", "status": "estado", "subject": "asunto",
}  # fmt: skip
_BOM = b"\xef\xbb\xbf"  # without it a spreadsheet takes the accents for something else
_ACTIVE = ("=", "+", "-", "@", "\t", "\r", "'")
"""First characters by which a spreadsheet takes a cell for a formula; the apostrophe, because it makes them text."""


class Local:
    """Cases as rows of a CSV file (UTF-8, commas), one a key, numbered C-000001 and on; all of them are ours.

    path: the file; made, with its folder, at the first case. Columns that people add at its right are kept.

    A row is appended and synced before `open` returns; an update writes the file anew beside it and renames. Any number
    of processes may use the same file: they take turns by a lock on `<path>.lock`. A last row torn by a crash was never
    answered for: it is cut off and opened again by whoever asks again.
    """

    def __init__(self, *, path: str) -> None:
        self.path = Path(path)
        self._text = b""
        self._rows: dict[str, list[str]] = {}
        self._last = 0

    def open(self, case: Case) -> str:
        """The number of the case with this key, appended to the file if it was not there."""
        with self._turn():
            self._catch_up()
            if case.key not in self._rows:
                row = _row(case, f"C-{self._last + 1:06d}")
                self._append(_written(row) if self._text else _TOP + _written(row))
            return self._rows[case.key][1]

    def update(self, case: Case) -> None:
        """Write the case's present state over its row."""
        with self._turn():
            self._catch_up()
            row = self._rows.get(case.key)
            if row is None:
                raise SourceError(f"{self.path}: there is no case with key {case.key}", permanent=True, fault="refused")
            wanted = _row(case, row[1]) + row[len(_HEADER) :]
            if wanted != row:
                self._replace({**self._rows, case.key: wanted})

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:  # noqa: ARG002 - few rows
        """The cases whose row is new or has changed."""
        rows: list[list[str]] = []
        if self.path.exists():
            with self._turn():
                self._catch_up()
                rows = list(self._rows.values())
        found = [{ours: row[_HEADER.index(theirs)] for ours, theirs in _READS.items()} for row in rows]
        told = [row | {"reported_by": OURS} for row in found]
        return changed(told, [row["case_id"] for row in told], cursor, now, str(self.path))

    def check(self) -> str:
        """How many cases there are."""
        if not self.path.exists():
            return f"{self.path}: no cases yet"
        with self._turn():
            self._catch_up()
        return f"{self.path}: {len(self._rows)} cases"

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Alone with the file, among threads and processes."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with Path(f"{self.path}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except (OSError, UnicodeDecodeError) as error:
            words = getattr(error, "strerror", None) or "not UTF-8"
            kind: Fault = "unreachable" if isinstance(error, OSError) else "unreadable"
            raise SourceError(f"{self.path}: {words}", fault=kind) from error

    def _catch_up(self) -> None:
        """Read what others wrote since; all of it, if more than rows at the end has changed."""
        text = self.path.read_bytes() if self.path.exists() else b""
        if not text.startswith(self._text) or not self._text:
            self._text, self._rows, self._last = b"", {}, 0
            ours = tuple(next(_read(text), (1, []))[1][: len(_HEADER)]) == _HEADER or _TOP.startswith(text)
            if not ours:
                raise SourceError(
                    f"{self.path}: its first line is not {','.join(_HEADER)}", permanent=True, fault="unreadable"
                )
        end = delimited.whole(text, ",")
        if end < len(text):
            os.truncate(self.path, end)
            text = text[:end]
        before = self._text.count(b"\n")
        for line, row in islice(_read(text[len(self._text) :]), 0 if self._text else 1, None):
            if len(row) < len(_HEADER):  # what it says is not told: it may name a client
                raise SourceError(
                    f"{self.path} line {before + line}: {len(row)} columns instead of {len(_HEADER)} or more",
                    permanent=True,
                    fault="unreadable",
                )
            self._rows[row[0]] = row
            number = row[1].removeprefix("C-")
            self._last = max(self._last, int(number) if number.isdecimal() else 0)
        self._text = text

    def _append(self, line: bytes) -> None:
        with self.path.open("ab") as out:
            out.write(line)
            out.flush()
            os.fsync(out.fileno())
        self._catch_up()

    def _replace(self, rows: dict[str, list[str]]) -> None:
        _, header = next(_read(self._text))
        beside = self.path.with_name(f".{self.path.name}.new")
        with beside.open("wb") as out:
            out.write(_BOM + _written(header) + b"".join(_written(row) for row in rows.values()))
            out.flush()
            os.fsync(out.fileno())
        beside.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _row(case: Case, number: str) -> list[str]:
    opened = case.opened_at.isoformat(sep=" ", timespec="seconds")
    about = [case.key, number, case.incident_id, case.client_id, case.product, case.channel, opened, str(case.priority)]
    return [*about, case.kind, case.status, case.subject, case.body, case.note]


def _written(row: list[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([f"'{cell}" if cell.startswith(_ACTIVE) else cell for cell in row])
    return line.getvalue().encode()


def _read(text: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows, each with the line that it begins in, from 1."""
    rows = csv.reader(io.StringIO(text.removeprefix(_BOM).decode(), newline=""))
    line = 1
    for row in rows:
        if row:
            yield line, [cell[1:] if cell.startswith("'") and cell[1:].startswith(_ACTIVE) else cell for cell in row]
        line = rows.line_num + 1


_TOP = _BOM + _written(list(_HEADER))
