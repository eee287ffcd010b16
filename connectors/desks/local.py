"""The local case desk: a CSV file that people read in a spreadsheet."""

from __future__ import annotations

import csv
import fcntl
import os
import re
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from connectors import Batch, Case, Cursor, Reject, SourceError, delimited
from connectors.changed import changed
from connectors.fields import OURS, no_case
from connectors.spreadsheet import BOM, append, last, read, rewrite, written

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
_NUMBER = re.compile(r"C-(\d+)", re.ASCII)


class Local:
    """Cases as rows of a CSV file (UTF-8, commas), one a key, numbered C-000001 and on; all of them are ours.

    path: the file; made, with its folder, at the first case. Columns that people add at its right are kept. timezone: of its times, which
    bear their offset; the monitor's where none is given.

    A row is appended and synced before `open` returns; an update writes the file anew beside it and renames. Any number
    of processes may use the same file: they take turns by a lock on `<path>.lock`. A last row torn by a crash was never
    answered for: it is no case, and the next that is written cuts it off. A last row that only lacks its line end, as some
    editors leave it, is a case. A row with too few cells is told by its line and not read; its key and its number stay taken,
    and whatever is next written of the case makes it whole.
    """

    def __init__(self, *, path: str, timezone: str = "UTC") -> None:
        self.path = Path(path)
        try:
            self._zone = ZoneInfo(timezone)
        except (OSError, ValueError, LookupError):
            raise ValueError(f"timezone: {timezone!r} is not a time zone") from None
        self._text = b""
        self._rows: dict[str, list[str]] = {}
        self._short: list[Reject] = []
        self._last = 0

    def open(self, case: Case) -> str:
        """The number of the case with this key, appended to the file if it was not there."""
        with self._turn():
            self._catch_up(write=True)
            if case.key not in self._rows:
                row = _row(case, self._zone, f"C-{self._last + 1:06d}")
                append(self.path, written(row) if self._text else _TOP + written(row))
                self._catch_up()
            elif len(row := self._rows[case.key]) < len(_HEADER):
                self._replace(row, _row(case, self._zone, row[1]))
            return self._rows[case.key][1]

    def update(self, case: Case) -> None:
        """Write the case's present state over its row."""
        with self._turn():
            self._catch_up(write=True)
            row = self._rows.get(case.key)
            if row is None:
                raise no_case(str(self.path), case.key)
            wanted = _row(case, self._zone, row[1]) + row[len(_HEADER) :]
            if wanted != row:
                self._replace(row, wanted)

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:  # noqa: ARG002 - few rows
        """The cases whose row is new or has changed."""
        rows: list[list[str]] = []
        short: list[Reject] = []
        if self._there():
            with self._turn():
                self._catch_up()
                rows = [row for row in self._rows.values() if len(row) >= len(_HEADER)]
                short = [*self._short]
        found = [{ours: row[_HEADER.index(theirs)] for ours, theirs in _READS.items()} for row in rows]
        told = [row | {"reported_by": OURS} for row in found]
        return changed(told, [row["case_id"] for row in told], cursor, now, str(self.path), short)

    def check(self) -> str:
        """How many cases there are."""
        if not self._there():
            return f"{self.path}: no cases yet"
        with self._turn():
            self._catch_up()
        return f"{self.path}: {len(self._rows)} cases"

    def _there(self) -> bool:
        try:
            return self.path.exists()
        except OSError as error:  # its folder lets nobody in
            raise SourceError(f"{self.path}: {error.strerror}", fault="unreachable") from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Alone with the file, among threads and processes."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with Path(f"{self.path}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            words = getattr(error, "strerror", None) or ("no CSV" if isinstance(error, csv.Error) else "not UTF-8")
            kind: Fault = "unreachable" if isinstance(error, OSError) else "unreadable"
            raise SourceError(f"{self.path}: {words}", fault=kind) from error

    def _catch_up(self, *, write: bool = False) -> None:
        """Read what others wrote since; all of it, if more than rows at the end has changed. write: and mend its end."""
        text = self.path.read_bytes() if self.path.exists() else b""
        if not (self._text.endswith(b"\n") and text.startswith(self._text)):
            self._text, self._rows, self._short, self._last = b"", {}, [], 0
        end = delimited.whole(text, ",")
        text, torn = text[:end], text[end:]
        if _closed(torn) if text else not _HEAD.startswith(torn) or torn == _HEAD:
            text, torn = text + torn, b""
        if text and not self._text and tuple(next(read(text), (1, []))[1][: len(_HEADER)]) != _HEADER:
            raise SourceError(f"{self.path}: its first line is not {','.join(_HEADER)}", whole=True, fault="unreadable")
        if write and torn:
            os.truncate(self.path, len(text))
        if write and text and not text.endswith(b"\n"):
            text += append(self.path, b"\n" if text.endswith(b"\r") else b"\r\n")
        before = self._text.count(b"\n")
        for line, row in islice(read(text[len(self._text) :]), 0 if self._text else 1, None):
            self._learn(before + line, row)
        self._text = text

    def _learn(self, line: int, row: list[str]) -> None:
        """What it says is not told: it may name a client."""
        if short := len(row) < len(_HEADER):
            why = f"{len(row)} columns instead of {len(_HEADER)} or more"
            self._short.append(Reject(f"{self.path} line {line}", why))
        numbers = [int(found[1]) for cell in row[:2] if (found := _NUMBER.fullmatch(cell))]
        self._last = max(self._last, *numbers, 0)
        if not short or _NUMBER.fullmatch("".join(row[1:2])):
            self._rows[row[0]] = row

    def _replace(self, row: list[str], wanted: list[str]) -> None:
        """All other rows stay as they are, also those that are no cases."""
        rows = (written(wanted if one == row else one) for _, one in read(self._text))
        rewrite(self.path, BOM + b"".join(rows))


def _closed(text: bytes) -> bool:
    """Whether a last line without its end is a row with a key and a number, and not one that broke off."""
    row = last(text)
    return len(row) > len(_HEADER[:2]) and bool(_NUMBER.fullmatch(row[1]))


def _row(case: Case, zone: ZoneInfo, number: str) -> list[str]:
    opened = case.opened_at.astimezone(zone).isoformat(sep=" ", timespec="seconds")
    about = [case.key, number, case.incident_id, case.client_id, case.product, case.channel, opened, str(case.priority)]
    return [*about, case.kind, case.status, case.subject, case.body, case.note]


_TOP = BOM + written(list(_HEADER))
_HEAD = _TOP.rstrip()
