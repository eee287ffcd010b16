"""Databases: the rows of a table or query that appeared since the last poll, at any SQLAlchemy address."""

from __future__ import annotations

import re
from bisect import bisect_left
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from connectors import Batch, Cursor, Reject, SourceError
from connectors.databases import Database
from connectors.selects import Asked, bound
from connectors.values import column, decoded, digest, encoded, kind, lies_ahead, newest_time, strangers, together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors import Fault

    Rows = Sequence[Sequence[Any]]

TOLD = 1000
"""Rows ahead of now that are told, and known again."""


class Sql:
    """Rows of a table or of a query (exactly one of the two), in the order of a column that grows.

    url: a SQLAlchemy address; table: a name, `schema.name` too; query: a SELECT; cursor: the column that grows, a time
    or a number; key: a unique column, never NULL, that tells rows of the same cursor value apart; batch: rows a poll;
    overlap: how far back rows are read again (30s, 5m), for those committed late with an older time; timeout: of a
    statement. A server that has a shorter limit for the user keeps it.

    A query may say `:since`, the time from which on rows are asked for, so that a database which groups or joins need
    not do it for all the past: `WHERE fecha >= :since`, with `cursor` a column of times. Rows before it are left out
    anyway. At the first read it is two days before what is wanted, in UTC; it has an offset where the cursor has one.

    What differs by database: SQLite and PostgreSQL, MySQL and MariaDB (make extras, mysql+pymysql://)
    are read in transactions that cannot write. A time without offset (DATETIME, timestamp) is in the zone that the
    source's `timezone` says; MySQL gives a TIMESTAMP in the zone of its session, which `?init_command=SET time_zone =
    '+00:00'` in the address (its signs percent-encoded) sets. Oracle and SQL Server were never run, their statements only
    compiled: there give a user who may only SELECT (SQL Server: ApplicationIntent=ReadOnly in the address asks for a
    replica), and in SQL Server as cursor no `datetime`, which it compares by thirds of a millisecond, but a `datetime2`
    or a number. Oracle's driver gives a TIMESTAMP WITH TIME ZONE without its offset.

    With `key`, pages go by (cursor, key): each row once, whatever the page boundary falls among. A row committed later
    with the newest time and a smaller key is missed unless `overlap` reaches back to it; what is read again is the same
    row for whoever maps an `id`. Without `key`, the rows of the newest cursor value are asked for again at each poll
    and known by their digests, so that the late ones come, once; best where few rows share a value. Without `cursor`,
    the whole of it is read at each poll, and given if anything in it changed: for clients and holdings.

    Rows whose cursor column is NULL are not read. Those whose time there lies ahead of now are rejected, told once, and
    read when their time has come: nothing else waits for them. So is a row with a text where others have a time or a number
    (SQLite). A time that Python knows none of (`infinity` of PostgreSQL, a year past 9999) is the end of 9999, or the beginning of 1.
    """

    def __init__(
        self,
        *,
        url: str,
        table: str | None = None,
        query: str | None = None,
        cursor: str | None = None,
        key: str | None = None,
        batch: int = 50_000,
        overlap: timedelta = timedelta(0),
        timeout: timedelta = timedelta(minutes=2),
    ) -> None:
        if (table is None) == (query is None):
            raise ValueError("give exactly one of table and query")
        if (key and not cursor) or (overlap and not key):
            raise ValueError("key needs cursor" if key and not cursor else "overlap needs key")
        if batch < 1:
            raise ValueError("batch must be at least 1")
        if timeout < timedelta(seconds=1):
            raise ValueError("timeout: must be at least 1s")
        if overlap < timedelta(0):
            raise ValueError("overlap: must not be negative")
        self.cursor, self.key, self.batch, self._overlap = cursor, key, batch, overlap
        self._database = Database(url, timeout.total_seconds())
        self._shown = self._database.shown
        self._asked = Asked(table, query, self._database.backend)
        if self._asked.moving and not cursor:
            raise ValueError("query: :since needs cursor")

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The next page of rows. Raises SourceError, the address in it without its password."""
        with self._database.reading() as connection:
            if not self.cursor:
                return self._whole(connection, cursor, now)
            last = {part: value for part, value in (cursor or {}).items() if part != "ahead"}
            if self.key:
                batch, ahead = self._keyed(connection, self.cursor, self.key, last=last, now=now, since=since)
            else:
                batch, ahead = self._unkeyed(connection, self.cursor, last=last, now=now, since=since)
        name = self.key or self.cursor
        batch = replace(batch, where=lambda row: f"{name} = {batch.table[name][row]}")
        told, names = (cursor or {}).get("ahead", []), batch.table.column_names
        if not ahead and not told:
            return batch
        fresh = {mark: row for row in ahead[:TOLD] if (mark := digest(row)) not in told}
        rejects = [
            Reject(
                f"{name} = {row[names.index(name)]}",
                f"{self.cursor} {at} {'lies ahead of now' if ahead else 'is of another kind than those before'}",
                ahead=ahead,
            )
            for row in fresh.values()
            for at in [row[names.index(self.cursor)]]
            for ahead in [lies_ahead(at, now)]
        ]
        return replace(batch, cursor={**batch.cursor, "ahead": [*told, *fresh][-TOLD:]}, rejects=tuple(rejects))

    def check(self) -> str:
        """The address and the columns."""
        with self._database.reading() as connection:
            names, _ = self._fetch(connection, self._asked.select().limit(1))
        return f"{self._shown}: {', '.join(names)}"

    def _whole(self, connection: sa.Connection, cursor: Cursor | None, now: datetime) -> Batch:
        names, rows = self._fetch(connection, self._asked.select())
        found = {"rows": len(rows), "digest": together(map(digest, rows))}
        return Batch(_table(names, [] if found == cursor else rows), found, drained=True, complete_until=now)

    def _keyed(
        self,
        connection: sa.Connection,
        cursor: str,
        key: str,
        *,
        last: Cursor | None,
        now: datetime,
        since: datetime | None,
    ) -> tuple[Batch, Rows]:
        by: sa.ColumnElement[Any] = sa.column(cursor)
        tie: sa.ColumnElement[Any] = sa.column(key)
        if not last:
            select = self._first(connection, by, since)
        elif self._overlap and last["drained"]:
            select = self._from(by, self._back(decoded(last["at"])))
        else:
            at, after = decoded(last["at"]), decoded(last["key"])
            select = self._from(by, at).where(sa.or_(by > bound(at), tie > bound(after), tie.is_(None)))
        names, found = self._fetch(connection, select.order_by(by, tie).limit(self.batch))
        if any(row[names.index(key)] is None for row in found):
            raise self._error(f"key: {key!r} is NULL in a row, and cannot tell it from others", "unreadable")
        rows, ahead = _until(found, names.index(cursor), now, decoded(last["at"]) if last else None)
        drained = len(found) < self.batch or bool(ahead)
        here = dict(last or {})
        if rows:
            here = {"at": encoded(rows[-1][names.index(cursor)]), "key": encoded(rows[-1][names.index(key)])}
        until = now if drained else newest_time(rows[-1][names.index(cursor)], now)
        return Batch(_table(names, rows), {**here, "drained": drained} if here else {}, drained, until), ahead

    def _unkeyed(
        self, connection: sa.Connection, cursor: str, *, last: Cursor | None, now: datetime, since: datetime | None
    ) -> tuple[Batch, Rows]:
        by: sa.ColumnElement[Any] = sa.column(cursor)
        seen: dict[str, int] = dict(last["seen"]) if last else {}
        limit = self.batch + sum(seen.values())
        at = decoded(last["at"]) if last else None
        select = self._from(by, at) if last else self._first(connection, by, since)
        names, found = self._fetch(connection, select.order_by(by).limit(limit))
        place = names.index(cursor)
        rows, ahead = _until(found, place, now, at)
        drained = len(found) < limit or bool(ahead)
        if not drained:  # the last value may go on past the page: leave it to the next, unless it is all there is
            newest = rows[-1][place]
            kept = [row for row in rows if row[place] != newest]
            if all(row[place] == at for row in kept):
                same = self._fetch(connection, self._from(by, newest).where(by == bound(newest)))[1]
                rows = [*kept, *same]
            else:
                rows = kept
        if not rows:
            return Batch(_table(names, []), dict(last or {}), drained, now if drained else None), ahead
        newest = rows[-1][place]
        here: dict[str, int] = {}
        fresh = []
        for row in rows:
            known = digest(row) if row[place] in (at, newest) else ""
            if row[place] == newest:
                here[known] = here.get(known, 0) + 1
            if row[place] == at and seen.get(known, 0):
                seen[known] -= 1
            else:
                fresh.append(row)
        until = now if drained else newest_time(newest, now)
        return Batch(_table(names, fresh), {"at": encoded(newest), "seen": here}, drained, until), ahead

    def _from(self, by: sa.ColumnElement[Any], at: Any) -> sa.Select[Any]:
        return self._asked.select(at).where(by >= bound(at))

    def _first(self, connection: sa.Connection, by: sa.ColumnElement[Any], since: datetime | None) -> sa.Select[Any]:
        """The first read, bounded if the column holds times; a day more where they carry no offset."""
        if since is None:
            return self._asked.select().where(by.is_not(None))
        day_before = since.astimezone(UTC).replace(tzinfo=None) - timedelta(days=1)
        select = self._asked.select(day_before - timedelta(days=1)).where(by.is_not(None))
        names, rows = self._fetch(connection, select.limit(1))
        one = rows[0][names.index(self.cursor or "")] if rows else None
        if isinstance(one, datetime):
            return select.where(by >= bound(since if one.tzinfo else day_before))
        if isinstance(one, date):
            return select.where(by >= bound(day_before.date()))
        if isinstance(one, str) and re.match(r"\d{4}-\d\d-\d\d", one):
            return select.where(by >= bound(day_before.date().isoformat()))
        return select

    def _back(self, at: Any) -> Any:
        """A time that lies the overlap before, written as it is."""
        with suppress(ValueError, OverflowError):  # as of 0000-00-00
            if isinstance(at, datetime):
                return at - self._overlap
            if isinstance(at, str) and re.match(r"\d{4}-\d\d-\d\d[ T]", at):
                back = (datetime.fromisoformat(at) - self._overlap).isoformat(sep=at[10])
                return back[: len(at)] if len(at) < len("2026-03-03 10:00:00") else back
        if kind(at) == "time":
            return at
        raise self._error(f"overlap: {self.cursor} holds no times but {at!r}", "refused")

    def _fetch(self, connection: sa.Connection, select: sa.Select[Any]) -> tuple[list[str], Rows]:
        names, rows = self._database.rows(connection, select)
        for name in (self.cursor, self.key):
            if name and name not in names:
                raise self._error(f"there is no column {name!r}; there are: {', '.join(names)}", "refused")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise self._error(f"the query names a column twice: {', '.join(twice)}", "refused")
        return names, rows

    def _error(self, what: str, fault: Fault) -> SourceError:
        return SourceError(f"{self._shown}: {what}", permanent=True, fault=fault)


def _until(rows: Rows, place: int, now: datetime, at: Any) -> tuple[Rows, Rows]:
    """The rows up to now, and the last ones, in their order: those that lie ahead of it, or are of another kind than what stood before.

    at: where the last page ended, or None. A text among times, behind which no time would ever come, is not moved on to.
    """
    last = len(rows) - strangers([row[place] for row in rows], at)
    if last and lies_ahead(rows[last - 1][place], now):
        last = bisect_left(rows[:last], 1, key=lambda row: lies_ahead(row[place], now))
    return rows[:last], rows[last:]


def _table(names: list[str], rows: Rows) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pa.table([column(cells) for cells in columns], names)
