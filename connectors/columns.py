"""Columns of any kind into ours: text trimmed, times in UTC, numbers; empty cells told from unreadable ones."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from connectors import SourceError
from connectors.roles import TIME

if TYPE_CHECKING:
    from collections.abc import Collection

_PROBE = "TIMESTAMPTZ '2026-11-21 13:02:00'"
"""A time whose every part is another number."""
FAR = datetime(2200, 1, 1, tzinfo=UTC)
"""What is later is a sentinel."""
_NUMBER = r"[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]+)(,[0-9]+)?"
"""With a decimal comma, dots between thousands or none."""
_EPOCH = """CASE WHEN {0} BETWEEN 631152000 AND 7258118400 THEN to_timestamp({0})
 WHEN {0} BETWEEN 631152000000 AND 7258118400000 THEN to_timestamp({0} / 1000) END"""
"""Seconds or milliseconds since 1970, told apart by magnitude, of the years 1990 to 2200: `20260303` is neither."""


@dataclass(frozen=True, slots=True)
class Read:
    """A column in our type: null where the cell was empty or `unreadable` (a mask; None if every cell was read)."""

    values: pa.ChunkedArray
    unreadable: pa.ChunkedArray | None


def text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as trimmed text, '' for null; whole numbers without a point: 900123456.0 is '900123456'; a list as JSON."""
    column = _plain(column)
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        with suppress(pa.ArrowInvalid):  # not all of them are whole
            column = pc.if_else(pc.is_null(column, nan_is_null=True), None, column).cast(pa.int64())
    try:
        column = column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise SourceError(f"a column of {kind} cannot be read as text", permanent=True, fault="unreadable") from error
    return pc.utf8_trim_whitespace(column.fill_null(""))


class Reader:
    """Reads columns of times and numbers by DuckDB, all in one query. For one thread at a time.

    timezone: of times that carry no offset. time_format: how times are written, as `strptime` has it ('': ISO 8601, or counted from
    1970); decimal: the sign before the decimals; where it is a comma, dots are between thousands. Both are of text alone.

    Raises ValueError if the format is none, or lacks what makes a day.
    """

    def __init__(self, timezone: str, time_format: str = "", decimal: Literal[".", ","] = ".") -> None:
        self._duck = duckdb.connect(
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "enable_external_access": "false",
            }
        )
        self._duck.execute(f"SET TimeZone = '{timezone.replace(chr(39), '')}'")
        self.time_format, self.decimal = time_format, decimal
        if time_format:
            self._check_format()

    def _check_format(self) -> None:
        """A time that is written by it and read again must be the same, or its hour, or its day."""
        spelled, parts = _quoted(self.time_format), re.findall(r"%-?(.)", self.time_format)
        back = f"try_strptime(strftime({_PROBE}, {spelled}), {spelled})::TIMESTAMPTZ"
        try:
            same = f"{back} IN ({_PROBE}, {_PROBE} - INTERVAL 2 MINUTE, date_trunc('day', {_PROBE}))"
            right = self._duck.sql(f"SELECT {same}").fetchall()[0][0] and len(set(parts)) == len(parts)
        except duckdb.Error:
            right = False
        if not right:
            raise ValueError(
                f"time_format: {self.time_format!r} is no format of times: day, month and year at least, as in %d/%m/%Y %H:%M:%S"
            )

    def read(
        self,
        columns: dict[str, pa.ChunkedArray],
        kinds: dict[str, pa.DataType],
        *,
        plain: bool = False,
        endless: Collection[str] = (),
    ) -> dict[str, Read]:
        """Each column in its kind: a timestamp, a decimal, float64 or int64. plain: as if neither format nor comma were given.

        endless: those of which a time past FAR (`infinity`, 31 December 9999) means that there is none: they are null.
        """
        if not columns:
            return {}
        columns = {name: _plain(column) for name, column in columns.items()}
        names = list(columns)
        self._duck.register("cells", pa.table([columns[name] for name in names], [f"c{i}" for i in range(len(names))]))
        try:
            wanted = [(f"c{i}", columns[n].type, kinds[n]) for i, n in enumerate(names)]
            # Times first, on their own: an expression is worked out again wherever a CASE repeats it.
            form, comma = ("", False) if plain else (self.time_format, self.decimal == ",")
            times = "".join(f", {_time(*one[:2], form)} AS t_{one[0]}" for one in wanted if one[2] == TIME)
            points = [
                f"{_pointed(cell)} AS {cell}"
                for cell, kind, want in wanted
                if comma and want != TIME and _textual(kind)
            ]
            cells = f"(SELECT * REPLACE ({', '.join(points)}) FROM cells)" if points else "cells"
            found = ", ".join(
                f"{_expression(*one, form, endless=n in endless)} AS {one[0]}"
                for n, one in zip(names, wanted, strict=True)
            )
            read = self._duck.sql(f"SELECT {found} FROM (SELECT *{times} FROM {cells})").to_arrow_table()
        except duckdb.Error as error:
            raise SourceError(
                f"columns {', '.join(names)}: {str(error).splitlines()[0]}", permanent=True, fault="unreadable"
            ) from error
        finally:
            self._duck.unregister("cells")
        return {
            name: _found(read.column(i).cast(kinds[name]), columns[name], endless=name in endless)
            for i, name in enumerate(names)
        }


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without a dictionary; a list or an object in a cell as JSON text."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_nested(column.type):
        cells = column.to_pylist()
        written = [None if cell is None else json.dumps(cell, ensure_ascii=False, default=str) for cell in cells]
        column = pa.chunked_array([pa.array(written, pa.string())])
    return column.cast(pa.string()) if pa.types.is_null(column.type) else column


def _found(values: pa.ChunkedArray, cells: pa.ChunkedArray, *, endless: bool) -> Read:
    wrong = _unreadable(cells, values)
    return Read(pc.if_else(pc.equal(values, FAR), None, values) if endless else values, wrong)


def _unreadable(cells: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Cells that hold something, and yet gave no value."""
    if not values.null_count:
        return None
    empty = pc.is_null(cells, nan_is_null=True)
    if _textual(cells.type):
        blank = pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(cells)), value_set=pa.array(["", "nan"], cells.type))
        empty = pc.or_(empty, blank)
    wrong = pc.and_(pc.is_null(values), pc.invert(empty))
    return wrong if pc.any(wrong).as_py() else None


def _dated(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _textual(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _pointed(cell: str) -> str:
    """A number with a decimal comma as one with a point; NULL if it is none."""
    plain = f"replace(replace(trim({cell}), '.', ''), ',', '.')"
    return f"CASE WHEN regexp_full_match(trim({cell}), {_quoted(_NUMBER)}) THEN {plain} END"


def _time(cell: str, kind: pa.DataType, form: str) -> str:
    """As a time that is written as one; NULL for a number, which counts from the epoch where no format is given."""
    if form and not _dated(kind):
        return f"try_strptime(CAST({cell} AS VARCHAR), {_quoted(form)})::TIMESTAMPTZ"
    return f"TRY_CAST({cell} AS TIMESTAMPTZ)" if _dated(kind) or _textual(kind) else "NULL::TIMESTAMPTZ"


def _expression(cell: str, kind: pa.DataType, wanted: pa.DataType, form: str, *, endless: bool) -> str:
    number = f"TRY_CAST({cell} AS DOUBLE)"
    if wanted == TIME:
        counted = not form and not _dated(kind)
        epoch = f" WHEN t_{cell} IS NULL THEN {_EPOCH.format(number)}" if counted else ""
        far = f"TIMESTAMPTZ '{FAR.isoformat()}'"
        near = f"t_{cell} BETWEEN TIMESTAMPTZ '1900-01-01' AND {far}"
        later = f" WHEN t_{cell} > {far} THEN {far}" if endless else ""
        return f"CASE WHEN {near} THEN t_{cell}{later}{epoch} END"
    if pa.types.is_decimal(wanted):
        return f"TRY_CAST({cell} AS DECIMAL({wanted.precision}, {wanted.scale}))"
    if pa.types.is_integer(wanted):
        whole = f"TRY_CAST({cell} AS BIGINT)"
        return whole if pa.types.is_integer(kind) else f"CASE WHEN {number} = {whole} THEN {whole} END"
    return f"CASE WHEN isfinite({number}) THEN {number} END"
