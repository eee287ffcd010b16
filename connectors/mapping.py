"""From a source's own columns and words to ours."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pc

from connectors import SPARSE, Reject, SourceError, identities
from connectors.columns import Read, Reader, text
from connectors.headings import headings
from connectors.roles import REQUIRED, ROLES
from connectors.statuses import Statuses
from connectors.unusable import Unusable

if TYPE_CHECKING:
    from collections.abc import Mapping as Names

    from connectors import Where, nit

_KEYS = {
    "transactions": "id",
    "metrics": "series",
    "cases": "case_id",
    "clients": "",
    "holdings": "",
    "stories": "story_id",
}
"""The column that tells people which row a reject is about; who a client is, is told to nobody."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """Rows in the schema of their role, and what could not be used or understood.

    rejects: rows left out, the first KEPT, with the column and the value that was wrong, and rejected: the number of all;
    unknown_statuses: words that no class names, with their number of rows (these count as `other`); wrong_digits: client ids whose
    check digit is wrong, as written, with their number of rows (`connectors.nit` says what becomes of them).
    """

    table: pa.Table
    rejects: tuple[Reject, ...] = ()
    unknown_statuses: dict[str, int] = field(default_factory=dict)
    wrong_digits: dict[str, int] = field(default_factory=dict)
    rejected: int = 0
    absent: tuple[str, ...] = ()
    """Names (ours) of columns that the mapping names and no row has; only where rows may lack some."""
    marks: tuple[str, ...] = ()
    """By which the rejects are known again."""


class Mapping:
    """What a source calls our columns. Made once per source, used by one thread at a time.

    role: a key of ROLES; columns: ours -> theirs, where they differ; defaults: ours -> the value of a column that the
    source lacks and of empty cells; status: class -> their words for it (none given: our own class names are theirs);
    timezone: of times without offset; client_form: how client ids are written (None: a check digit only after a dash); time_format,
    decimal: how texts that are times and numbers are written (`columns.Reader`; defaults are written as elsewhere in the configuration).
    A column `id_type` (`nit`, `nit_dv` or `other`) decides row by row.

    Of the role `metrics`, a table without a `value` column is wide: every other column that holds numbers is a series.

    Raises ValueError, naming the key, if the mapping itself is wrong.
    """

    def __init__(
        self,
        *,
        role: str,
        columns: Names[str, str] | None = None,
        defaults: Names[str, Any] | None = None,
        status: Names[str, list[str]] | None = None,
        timezone: str = "UTC",
        client_form: nit.Form | None = None,
        time_format: str = "",
        decimal: Literal[".", ","] = ".",
    ) -> None:
        if role not in ROLES:
            raise ValueError(f"role: {role!r} is none of {', '.join(ROLES)}")
        self.role, self.client_form = role, client_form
        self._columns, self._defaults = dict(columns or {}), dict(defaults or {})
        self._types = {column.name: column.type for column in ROLES[role]}
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: `America`, which is a folder
            raise ValueError(f"timezone: {timezone!r} is not a time zone") from error
        self._reader = Reader(timezone, time_format, decimal)
        self._statuses = Statuses(status)
        self._check_names()
        if role == "transactions":
            self._defaults.setdefault("count", 1)
        for name, value in self._defaults.items():
            self._defaults[name] = self._default(name, value)

    def apply(self, table: pa.Table, where: Where | None = None) -> Mapped:
        """The table's rows in our schema; `where` (the batch's) names the rejected ones, else they count from 1.

        Raises SourceError (permanent) if a column that the mapping names, or that the role requires, is not there.
        """
        if not table.num_columns:
            return Mapped(ROLES[self.role].empty_table())
        if dict(table.schema.metadata or {}) != SPARSE:
            self._check_columns(table)
        if self.role == "metrics" and self._theirs("value") not in table.column_names and "value" not in self._defaults:
            return self._melt(table, where)
        unusable = Unusable(table, {name: self._theirs(name) for name in [*self._types, "id_type"]})
        ours = self._convert(table, unusable)
        wrong: dict[str, int] = {}
        unknown: dict[str, int] = {}
        if "client_id" in ours:
            ids = ours["client_id"]
            if (types := self._theirs("id_type")) in table.column_names:
                ids, unknown_types = identities.typed(ids, table.column(types))
                unusable.add("id_type", unknown_types, f"is none of {', '.join(identities.FORMS)}")
            ours["client_id"], wrong = identities.canonical(ids, self.client_form)
        if self.role == "transactions":
            ours["status"], unknown = self._statuses.read(ours["status"])
        rows = unusable.others(pa.table([ours[name] for name in self._types], schema=ROLES[self.role]))
        if self.role == "transactions":
            # Aggregated files have rows of zero: they say that there were none; of a group that is known by its id, that none is left.
            some = pc.or_(pc.greater(rows["count"], 0), pc.not_equal(rows["id"], ""))
            rows = rows if pc.all(some).as_py() else rows.filter(some)
        absent = tuple(ours for ours, theirs in self._columns.items() if theirs not in table.column_names)
        told = unusable.told(_KEYS[self.role], where)
        return Mapped(rows, told, unknown, wrong, unusable.count, absent, unusable.marks(told))

    def _theirs(self, name: str) -> str:
        return self._columns.get(name, name)

    def _check_names(self) -> None:
        known = [*self._types, "id_type"] if "client_id" in self._types else list(self._types)
        for key, names in (("columns", self._columns), ("defaults", self._defaults)):
            for name in names:
                if name not in known or (key == "defaults" and name not in self._types):
                    raise ValueError(f"{key}.{name}: {self.role} have no such column; there are: {', '.join(known)}")

    def _check_columns(self, table: pa.Table) -> None:
        there = headings(table.column_names)
        for ours, theirs in self._columns.items():
            if theirs not in table.column_names:
                raise SourceError(
                    f"columns.{ours}: there is no column {theirs!r}; there are: {there}",
                    permanent=True,
                    fault="unreadable",
                )
        for ours in REQUIRED[self.role]:
            if self._theirs(ours) not in table.column_names and ours not in self._defaults:
                raise SourceError(
                    f"columns.{ours} must say which column it is; there are: {there}",
                    permanent=True,
                    fault="unreadable",
                )

    def _default(self, name: str, value: Any) -> pa.Scalar:
        """A default in the type of its column."""
        cell = pa.chunked_array([[value if isinstance(value, str) else str(value)]])
        if self._types[name] == pa.string():
            return text(cell)[0]
        read = self._reader.read({name: cell}, self._types, plain=True)[name].values[0]
        if not read.is_valid:
            raise ValueError(f"defaults.{name}: {value!r} is not a {_kind(self._types[name])}")
        return read

    def _convert(self, table: pa.Table, unusable: Unusable) -> dict[str, pa.ChunkedArray]:
        """Every column of the role in its type, defaults filled in."""
        found = {
            name: table.column(self._theirs(name)) for name in self._types if self._theirs(name) in table.column_names
        }
        typed = {n: c for n, c in found.items() if self._types[n] != pa.string()}
        read = self._reader.read(typed, self._types, endless=("until",))
        texts = [name for name in found if name not in read]
        with ThreadPoolExecutor(4) as pool:  # Arrow trims without the interpreter's lock
            trimmed = dict(zip(texts, pool.map(text, [found[name] for name in texts]), strict=True))
        ours: dict[str, pa.ChunkedArray] = {}
        for name, kind in self._types.items():
            default = self._defaults.get(name)
            if name in read:
                ours[name] = read[name].values if default is None else read[name].values.fill_null(default)
                self._unreadable(unusable, name, read[name], found[name])
            elif name in found:
                cells = trimmed[name]
                ours[name] = cells if default is None else pc.if_else(pc.equal(cells, ""), default, cells)
            else:
                blank = pa.scalar("" if kind == pa.string() else None, kind) if default is None else default
                ours[name] = pa.chunked_array([pa.repeat(blank, table.num_rows)])
        for name in REQUIRED[self.role]:
            held = ours[name]
            absent = pc.equal(held, "") if held.type == pa.string() else pc.is_null(held)
            if name in read and read[name].unreadable is not None:
                absent = pc.and_not(absent, read[name].unreadable)
            unusable.add(name, absent, "is missing")
            if held.type == pa.string():
                unusable.add(
                    name, pc.equal(held, self._theirs(name)), "is the name of its column: a header among the rows"
                )
        if "count" in ours:
            unusable.add("count", pc.less(ours["count"], 0), "is less than 0")
        return ours

    def _unreadable(self, unusable: Unusable, name: str, read: Read, cells: pa.ChunkedArray) -> None:
        """Tell cells that are not of their kind, with the key by which they may be read where it is not given."""
        kind, wrong = self._types.get(name, pa.float64()), read.unreadable
        what = f"is not a {_kind(kind)}"
        if wrong is not None and pa.types.is_string(cells.type):
            if pa.types.is_timestamp(kind):
                what += "" if self._reader.time_format else "; see time_format"
            elif self._reader.decimal == ".":
                commas = pc.and_(wrong, pc.match_substring(cells, ",").fill_null(fill_value=False))
                unusable.add(name, commas, f"{what}; see decimal")
                wrong = pc.and_not(wrong, commas)
        unusable.add(name, wrong, what)

    def _melt(self, table: pa.Table, where: Where | None) -> Mapped:
        """One row for each number of a wide table."""
        named = {self._theirs(name) for name in self._types}
        cells = {name: table.column(name) for name in table.column_names if name not in named}
        read = self._reader.read(cells, dict.fromkeys(cells, pa.float64()))
        series = [name for name in cells if read[name].values.null_count < table.num_rows]
        if not series and table.num_rows:
            there = headings(table.column_names)
            raise SourceError(
                f"columns.value: no column holds numbers; there are: {there}", permanent=True, fault="unreadable"
            )
        unusable = Unusable(table, {name: self._theirs(name) for name in self._types})
        ours = self._convert(table, unusable)
        pieces = [ROLES[self.role].empty_table()]
        for name in series:
            self._unreadable(unusable, name, read[name], cells[name])
            column = {**ours, "series": pa.chunked_array([pa.repeat(name, table.num_rows)]), "value": read[name].values}
            pieces.append(pa.table([column[n] for n in self._types], schema=ROLES[self.role]))
        rows = pa.concat_tables([pieces[0], *(unusable.others(piece) for piece in pieces[1:])])
        told = unusable.told("timestamp", where)
        return Mapped(
            rows.filter(pc.is_valid(rows["value"])), told, rejected=unusable.count, marks=unusable.marks(told)
        )


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "time"
    return "whole number" if pa.types.is_integer(kind) else "number"
