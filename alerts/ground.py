"""What an incident is measured on: the transactions of its scope since it began, and the week before it, as arrays.

A **unit** is a client on one product through one channel; a **stream** is a product through a channel, all clients together. A bad
row is of one **kind**: its stream, the way that it hurts, and its error code. Codes that the week before hardly knew are one kind,
so that what is new stands out, but not where every row has a code of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rules import CLASSES, Floats, Ints, Slots, Way

Bools = NDArray[np.bool_]
Names = tuple[str, ...]
Ways = frozenset[Way]

UNIT = ("client_id", "product", "channel")
PRIOR = 50.0
"""Transactions' worth of the scope's base rate that a client's own starts from."""
UNSEEN, THIN = 0.5, 50.0
"""A kind's base rate begins as UNSEEN rows among THIN transactions: a tiny one where the week before was long."""
RARE = 1
"""A code seen no more often than this in the week before counts as new."""
SLOW = 0.05
"""Slow is what at most this share of a stream's transactions reached before."""
SLOW_KIND = len(CLASSES)
TWICE_KIND = SLOW_KIND + 1
_KINDS = TWICE_KIND + 1
_CODES = 1 << 31
NEW = _CODES - 1


@dataclass(frozen=True)
class Rows:
    """Transactions counted: which unit and error code (by number), class number, latency step (-1: not told), how many.

    again: of rows without transactions of their own, how many were executed twice.
    """

    unit: Ints
    code: Ints
    status: Ints
    step: Ints
    n: Ints
    again: Ints

    @property
    def many(self) -> Ints:
        """What a row counts in its way."""
        return self.n + self.again


@dataclass(frozen=True)
class Listed:
    """Units, error codes, and which stream and which pair of client and product a unit is of; numbers never change, lists grow."""

    units: tuple[Names, ...] = ()
    codes: tuple[Names, ...] = ()

    def read(self, table: pa.Table) -> tuple[Listed, Rows]:
        """The rows of a table with UNIT, status, error_code, bin, n and again; and the lists with what is new in it."""
        units, unit = _numbered(table, UNIT, self.units)
        codes, code = _numbered(table, ("error_code",), self.codes)
        encoded = table["status"].combine_chunks().dictionary_encode()
        status = np.array([CLASSES.index(name) for name in encoded.dictionary.to_pylist()] or [0], np.int64)
        step = table["bin"].to_numpy().astype(np.int64)
        return Listed(units, codes), Rows(
            unit, code, status[encoded.indices.to_numpy()], step, table["n"].to_numpy(), table["again"].to_numpy()
        )

    @cached_property
    def streams(self) -> tuple[tuple[Names, ...], Ints]:
        """Product and channel of each stream, and each unit's stream."""
        return _grouped(unit[1:] for unit in self.units)

    @cached_property
    def pairs(self) -> tuple[tuple[Names, ...], Ints]:
        """Client and product of each pair, and each unit's pair."""
        return _grouped(unit[:2] for unit in self.units)


@dataclass(frozen=True)
class Base:
    """The days before an incident began. `usual`: their transactions by minute and unit, in order of time, where absence is asked for.

    since: the first minute that anything is known of.
    """

    listed: Listed
    rows: Rows
    usual: tuple[Ints, Ints, Ints] | None = None
    since: int = 0
    calendar: Slots | None = None
    _known: dict[Ways, tuple[Ints, Floats, Ints]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, past: pa.Table, usual: pa.Table | None = None, calendar: Slots | None = None) -> Base:
        """From what was known of them, and from it by minute where absence is asked for: with the calendar, by kind of day."""
        base = cls(*Listed().read(past))
        return base if usual is None else base.with_usual(usual, calendar)

    def with_usual(self, usual: pa.Table, calendar: Slots | None) -> Base:
        """With the same days by minute."""
        units, unit = _numbered(usual, UNIT, self.listed.units)
        assert len(units) == len(self.listed.units), "the same days name the same units"  # noqa: S101 - both are read alike
        minute, n = usual["m"].to_numpy(), usual["n"].to_numpy()
        return Base(
            self.listed, self.rows, (minute, unit, n), int(minute[0]) if len(minute) else 0, calendar, self._known
        )

    @cached_property
    def slow_from(self) -> Ints:
        """By stream: the first latency step that at most SLOW of its transactions reached."""
        stream, told = self.listed.streams[1][self.rows.unit], self.rows.step >= 0
        steps = np.zeros((len(self.listed.streams[0]), 64))
        np.add.at(steps, (stream[told], self.rows.step[told]), self.rows.n[told])
        above = steps[:, ::-1].cumsum(axis=1)[:, ::-1] / np.maximum(steps.sum(axis=1, keepdims=True), 1)
        found: Ints = np.argmax(above <= SLOW, axis=1)
        return found

    def kinds(self, rows: Rows, listed: Listed, ways: Ways) -> Ints:
        """The kind of each row, -1 where it does not go any of these ways: the one place where a row's way is decided."""
        table = np.full(len(CLASSES), -1)
        named = [CLASSES.index(way) for way in ways if way in CLASSES]
        table[named] = named
        way, stream = table[rows.status], listed.streams[1][rows.unit]
        if "slow" in ways:
            known = np.append(self.slow_from, np.full(len(listed.streams[0]) - len(self.slow_from), 64))
            way = np.where((way < 0) & (rows.step >= known[stream]), SLOW_KIND, way)
        way = np.where(rows.again != 0, TWICE_KIND if "duplicated" in ways else -1, way)
        code = np.where(way >= SLOW_KIND, 0, rows.code)
        return np.where(way < 0, -1, (stream * _KINDS + way) * _CODES + code)

    def known(self, ways: Ways) -> tuple[Ints, Floats, Ints]:
        """The kinds that went these ways, sorted, with how many rows each; and the kind of each of the week's rows."""
        if ways not in self._known:
            self._known[ways] = self._count(ways)
        return self._known[ways]

    def _count(self, ways: Ways) -> tuple[Ints, Floats, Ints]:
        kind = self.kinds(self.rows, self.listed, ways)
        found, place = np.unique(kind, return_inverse=True)
        many = sums(place, self.rows.many, len(found))
        rare = (many <= RARE) & (found >= 0) & ((found // _CODES) % _KINDS < SLOW_KIND)
        kind = np.where(rare[place], kind - kind % _CODES + NEW, kind)
        found, place = np.unique(kind, return_inverse=True)
        return found, sums(place, self.rows.many, len(found)), kind

    def total(self, listed: Listed) -> Floats:
        """The week's transactions of each unit of a longer list."""
        return sums(self.rows.unit, self.rows.n, len(listed.units))


@dataclass(frozen=True)
class Ground:
    """What happened since an incident began, in order of time: its rows, the minute each was known in, cents, first time (µs or -1)."""

    listed: Listed
    rows: Rows
    minute: Ints
    cents: Ints
    first: Ints

    @classmethod
    def of(cls, detail: pa.Table, base: Base) -> Ground:
        """From what became known since, in order of time, listed after the base's."""
        listed, rows = base.listed.read(detail)
        first = detail["first"].fill_null(-1).to_numpy()
        return cls(listed, rows, detail["m"].to_numpy(), detail["cents"].to_numpy(), first)

    def grown(self, detail: pa.Table) -> Ground:
        """With the rows of later minutes."""
        if not detail.num_rows:
            return self
        more = Ground.of(detail, Base(self.listed, self.rows))
        rows = Rows(*(np.append(getattr(self.rows, name), getattr(more.rows, name)) for name in Rows.__match_args__))
        return Ground(
            more.listed, rows, np.append(self.minute, more.minute), np.append(self.cents, more.cents), np.append(self.first, more.first)
        )  # fmt: skip

    def until(self, minute: int) -> Ground:
        """What was known before `minute`."""
        return self.between(0, minute)

    def between(self, start: int, end: int) -> Ground:
        """What became known in [start, end)."""
        a, b = np.searchsorted(self.minute, (start, end)).tolist()
        if (a, b) == (0, len(self.minute)):
            return self
        rows = Rows(*(getattr(self.rows, name)[a:b] for name in Rows.__match_args__))
        return Ground(self.listed, rows, self.minute[a:b], self.cents[a:b], self.first[a:b])


def kind_parts(kind: Ints) -> tuple[Ints, Ints, Ints]:
    """Stream, way and code of each kind (NEW: a code that was new)."""
    return kind // _CODES // _KINDS, kind // _CODES % _KINDS, kind % _CODES


def sums(place: Ints, weight: Floats | Ints, size: int) -> Floats:
    """What lies at each place, added up."""
    return np.bincount(place, weights=weight, minlength=size).astype(np.float64, copy=False)


def grid(row: Ints, column: Ints, weight: Floats | Ints, height: int, width: int) -> Floats:
    """The same in two dimensions."""
    return sums(row * width + column, weight, height * width).reshape(height, width)


def _numbered(table: pa.Table, names: tuple[str, ...], known: tuple[Names, ...]) -> tuple[tuple[Names, ...], Ints]:
    """Each row's place in the list of what these columns say together; what is new comes at its end."""
    columns = [table[name].combine_chunks().dictionary_encode() for name in names]
    key = np.zeros(table.num_rows, np.int64)
    for column in columns:
        key = key * max(len(column.dictionary), 1) + column.indices.to_numpy()
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    words = zip(*(column.take(pa.array(first)).to_pylist() for column in columns), strict=True)
    place = {name: i for i, name in enumerate(known)}
    at = np.array([place.setdefault(name, len(place)) for name in words], np.int64)
    return tuple(place), at[inverse]


def _grouped(keys: object) -> tuple[tuple[Names, ...], Ints]:
    place: dict[Names, int] = {}
    at = [place.setdefault(key, len(place)) for key in keys]  # type: ignore[attr-defined]
    return tuple(place), np.array(at, np.int64)
