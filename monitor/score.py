"""`vigia score`: one strictly online pass of a detector over a file of `timestamp,value`."""

from __future__ import annotations

import csv
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from math import isfinite, isnan, nan
from typing import TYPE_CHECKING, Any, TextIO
from zoneinfo import ZoneInfo

from detectors import BUSINESS, QUARTERS, REST, SATURDAY, Score, customary, one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

COLUMNS = ("timestamp", "value", "score", "expected", "lower", "upper", "breach")

KIND = "residuals"
"""The best all-round kind where one threshold has to serve: see README, detectors."""

MILLISECONDS = 1e11
"""Epoch figures from here on are milliseconds: as seconds they would lie beyond the year 5000."""


class ScoreError(ValueError):
    """The file cannot be scored at all; says which and why, with the line where there is one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its two fields as they came, and as they read. An empty or unreadable value is NaN: a gap."""

    timestamp: str
    value: str
    x: float
    slot: int


def score_csv(
    source: Path,
    out: Path | None,
    *,
    kind: str = KIND,
    options: Mapping[str, Any] | None = None,
    timezone: str = "UTC",
    slot_of: Callable[[datetime], int] | None = None,
) -> int:
    """Write a score for each row of `source` to `out` (None: stdout), in the order they came; returns how many rows.

    Each row is scored by the rows before it and then learned, whatever its score; in breach is one whose tail reaches the kind's
    customary one. (To withhold what is in breach, as rules do, loses more than it keeps where nobody knows the series.)
    A time without offset is local in `timezone`; `slot_of` gives the clock slot of a time where holidays are known. A
    row whose time or value cannot be read is told on stderr, kept without a score, and learned by nothing.
    ScoreError: file, header or time zone cannot be read, or `out` cannot be written; what `make` raises: kind or
    options are wrong.
    """
    try:
        zone = ZoneInfo(timezone)
    except (LookupError, OSError, ValueError) as fault:
        raise ScoreError(f"unknown time zone {timezone!r}") from fault
    detector, tail = one(kind, **(options or {})), customary(kind, **(options or {}))
    rows = list(_rows(source, zone, slot_of or weekday_slot))
    if rows and all(isnan(row.x) for row in rows):
        raise ScoreError(f"{source}: no row could be read")
    scores = []
    for row in rows:
        scores.append(detector.score_one(row.x, row.slot))
        detector.learn_one(row.x, row.slot)
    try:
        with _opened(out) as stream:
            _write(stream, rows, scores, tail)
    except OSError as fault:
        raise ScoreError(f"{out}: cannot be written: {fault.strerror}") from fault
    return len(rows)


def weekday_slot(time: datetime) -> int:
    """The clock slot of a local time where neither holidays nor paydays are known."""
    kind = (BUSINESS,) * 5 + (SATURDAY, REST)
    return kind[time.weekday()] * QUARTERS + time.hour * 4 + time.minute // 15


def _rows(source: Path, zone: ZoneInfo, slot_of: Callable[[datetime], int]) -> Iterator[Row]:
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            missing = [name for name in COLUMNS[:2] if name not in header]
            if missing:
                raise ScoreError(f"{source}: line 1: the header has no column {' and no column '.join(missing)}")
            at, of = header.index("timestamp"), header.index("value")
            for fields in reader:
                if fields:
                    cells = [*fields, *[""] * len(header)]
                    yield _row(cells[at], cells[of], zone, slot_of, f"{source}: line {reader.line_num}")
    except OSError as fault:
        raise ScoreError(f"{source}: cannot be read: {fault.strerror}") from fault
    except UnicodeDecodeError as fault:
        raise ScoreError(f"{source}: is not UTF-8 text") from fault
    except csv.Error as fault:
        raise ScoreError(f"{source}: line {reader.line_num}: {fault}") from fault


def _row(timestamp: str, value: str, zone: ZoneInfo, slot_of: Callable[[datetime], int], where: str) -> Row:
    x, slot = nan, 0
    try:
        slot = slot_of(_time(timestamp, zone))
        if value.strip():
            x = _number(value)
    except ValueError as fault:
        sys.stderr.write(f"{where}: {fault}\n")
    return Row(timestamp, value, x, slot)


def _time(text: str, zone: ZoneInfo) -> datetime:
    """ISO 8601, or epoch seconds or milliseconds, as local time."""
    try:
        epoch = float(text)  # first, since 13 digits may also pass for a date of the year 1512
    except ValueError:
        epoch = nan
    try:
        if not isnan(epoch):
            return datetime.fromtimestamp(epoch / 1000 if abs(epoch) >= MILLISECONDS else epoch, zone)
        time = datetime.fromisoformat(text.strip())
        return time.replace(tzinfo=zone) if time.tzinfo is None else time.astimezone(zone)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"cannot read the time {text!r}") from None


def _number(text: str) -> float:
    try:
        x = float(text)
    except ValueError:
        x = nan
    if not isfinite(x):
        raise ValueError(f"cannot read the value {text!r}")
    return x


def _opened(out: Path | None) -> AbstractContextManager[TextIO]:
    return nullcontext(sys.stdout) if out is None else out.open("w", encoding="utf-8", newline="")


def _write(stream: TextIO, rows: list[Row], scores: list[Score | None], tail: float) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row, found in zip(rows, scores, strict=True):
        figures = (found.score, found.expected, found.lower, found.upper) if found else ()
        columns = [f"{figure:.12g}" for figure in figures] or [""] * 4
        writer.writerow([row.timestamp, row.value, *columns, int(found is not None and found.tail >= tail)])
