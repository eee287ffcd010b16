"""Values of databases: into columns, and into a cursor and back with their types."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa

from connectors import AHEAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def column(cells: Sequence[Any]) -> pa.Array:
    """Cells of one column: text stays text, numbers numbers, times times; of mixed kinds, or others, become text."""
    try:
        if isinstance(next((cell for cell in cells if cell is not None), None), UUID | dict | list | bytes):
            return _texts(cells)
        try:
            return pa.array(cells)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return _texts(cells)
    except UnicodeEncodeError:  # half of a character that takes two, as a text may end that was cut short
        halves = [None if cell is None else _text(cell).encode("utf-16", "surrogatepass") for cell in cells]
        return _texts([None if text is None else text.decode("utf-16", "replace") for text in halves])


def _texts(cells: Sequence[Any]) -> pa.Array:
    return pa.array([None if cell is None else _text(cell) for cell in cells], pa.string())


def _text(cell: Any) -> str:
    if isinstance(cell, dict | list):
        return json.dumps(cell, ensure_ascii=False, default=str)
    if isinstance(cell, bytes):
        text = cell.decode(errors="replace")
        return text if text.isprintable() and "\ufffd" not in text else cell.hex()
    return str(cell)


def encoded(value: Any) -> Any:
    """A value as JSON that keeps its type."""
    match value:
        case datetime():
            return {"time": value.isoformat()}
        case date():
            return {"date": value.isoformat()}
        case Decimal():
            return {"decimal": str(value)}
        case UUID():
            return {"uuid": str(value)}
        case bytes():
            return {"bytes": value.hex()}
        case _:
            return value


def decoded(value: Any) -> Any:
    """The value that `encoded` was given."""
    match value:
        case {"time": text}:
            return datetime.fromisoformat(text)
        case {"date": text}:
            return date.fromisoformat(text)
        case {"decimal": text}:
            return Decimal(text)
        case {"uuid": text}:
            return UUID(text)
        case {"bytes": text}:
            return bytes.fromhex(text)
        case _:
            return value


def newest_time(value: Any, now: datetime) -> datetime | None:
    """The value as a time not after `now`, if it is one and says its offset."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return min(time, now) if isinstance(time, datetime) and time.tzinfo else None


def lies_ahead(value: Any, now: datetime) -> bool:
    """Whether it is a time too far ahead of now; one without offset is of the zone of `now`."""
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:  # 2026-13-45
            return bool(value[:10] > (now + AHEAD).date().isoformat())
    if not isinstance(value, date):
        return False
    limit = now + AHEAD
    if not isinstance(value, datetime):
        return value > limit.date()
    return value > (limit if value.tzinfo else limit.replace(tzinfo=None))


def kind(value: Any) -> str:
    """What order it stands in: of times, texts that begin as one among them, of numbers, or of others."""
    if isinstance(value, date) or (isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value)):
        return "time"
    return "number" if isinstance(value, int | float | Decimal) else type(value).__name__


def strangers(values: Sequence[Any], before: Any) -> int:
    """How many of the last, of values in their order, are of another kind than `before` is; where that tells nothing, than most are."""
    own = kind(before)
    if not values or kind(values[-1]) == own or (before is None and kind(values[0]) == kind(values[-1])):
        return 0
    kinds = [kind(value) for value in values]
    known = own if own in ("time", "number") else Counter(kinds).most_common(1)[0][0]
    return next((n for n, one in enumerate(reversed(kinds)) if one == known), len(kinds))


def digest(row: Sequence[Any]) -> str:
    """16 hexadecimal digits by which a row is known again."""
    return blake2b(repr(tuple(row)).encode(), digest_size=8).hexdigest()


def together(marks: Iterable[str]) -> str:
    """The digest of rows in any order, from their own."""
    return f"{sum(int(mark, 16) for mark in marks) % (1 << 64):016x}"
