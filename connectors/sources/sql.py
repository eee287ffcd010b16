"""Databases: the rows of a table or query that appeared since the last poll, at any SQLAlchemy address."""

from __future__ import annotations

import re
from bisect import bisect_left
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from connectors import Batch, Cursor, Reject, SourceError
from connectors.sqlstates import fault_of
from connectors.values import column, decoded, digest, encoded, lies_ahead, newest_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Rows = Sequence[sa.Row[Any]]

TOLD = 1000
"""Rows ahead of now that are told, and known again."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PERMANENT = re.compile(
    r"no such (table|column|function)|syntax error|not a database|authentication|access denied|permission denied"
    r"|does ?n.t exist|does not exist|unknown (database|column)|pg_hba",
    re.IGNORECASE,
)


class Sql:
    """Rows of a table or of a query (exactly one of the two), in the order of a column that grows.

    url: a SQLAlchemy address; table: a name, `schema.name` too; query: a SELECT without parameters; cursor: the column
    that grows, a time or a number; key: a unique column that tells rows of the same cursor value apart; batch: rows a
    poll; overlap: how far back rows are read again ("30s", "5m"), for those committed late with an older time; timeout:
    of a statement, where the database knows of one (SQLite, PostgreSQL; elsewhere it goes into the address, in its
    driver's way).

    With `key`, pages go by (cursor, key): each row once, whatever the page boundary falls among. A row committed later
    with the newest time and a smaller key is missed unless `overlap` reaches back to it; what is read again is the same
    row for whoever maps an `id`. Without `key`, the rows of the newest cursor value are asked for again at each poll
    and known by their digests, so that the late ones come, once; best where few rows share a value. Without `cursor`,
    the whole of it is read at each poll, and given if anything in it changed: for clients and holdings.

    Rows whose cursor column is NULL are not read. Those whose time there lies ahead of now are rejected, told once, and
    read when their time has come: nothing else waits for them.
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
        overlap: str | None = None,
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
        self.cursor, self.key, self.batch, self._timeout = cursor, key, batch, timeout.total_seconds()
        self._overlap = _duration(overlap) if overlap else None
        self._address = _address(url)
        # Without its query, which may hold secrets too.
        self._shown = self._address.set(query={}).render_as_string(hide_password=True)
        try:
            # no pool: a poll opens and closes, and a database that restarted is met afresh
            self._engine = sa.create_engine(
                _read_only(self._address), poolclass=sa.NullPool, connect_args=_limits(self._address, self._timeout)
            )
        except (NoSuchModuleError, ImportError) as error:
            raise ValueError(f"url: no driver for {self._address.drivername}: {error}") from error
        self._rows = _rows(table, query)

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The next page of rows. Raises SourceError, the address in it without its password."""
        with self._connected() as connection:
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
                f"{name} = {row[names.index(name)]}", f"{self.cursor} {row[names.index(self.cursor)]} lies ahead of now"
            )
            for row in fresh.values()
        ]
        return replace(batch, cursor={**batch.cursor, "ahead": [*told, *fresh][-TOLD:]}, rejects=tuple(rejects))

    def check(self) -> str:
        """The address and the columns."""
        with self._connected() as connection:
            names, _ = self._fetch(connection, self._select().limit(1))
        return f"{self._shown}: {', '.join(names)}"

    def _whole(self, connection: sa.Connection, cursor: Cursor | None, now: datetime) -> Batch:
        names, rows = self._fetch(connection, self._select())
        found = {"rows": len(rows), "digest": f"{sum(int(digest(row), 16) for row in rows) % (1 << 64):016x}"}
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
        select = self._select().where(by.is_not(None)).order_by(by, tie).limit(self.batch)
        if not last:
            select = self._since(connection, select, by, since)
        else:
            at, after = decoded(last["at"]), decoded(last["key"])
            if self._overlap and last["drained"]:
                select = select.where(by >= _bound(self._back(at, self._overlap)))
            else:
                select = select.where(by >= _bound(at), sa.or_(by > _bound(at), tie > _bound(after)))
        names, found = self._fetch(connection, select)
        rows, ahead = _until(found, names.index(cursor), now)
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
        page = self._select().where(by.is_not(None)).order_by(by)
        seen: dict[str, int] = dict(last["seen"]) if last else {}
        limit = self.batch + sum(seen.values())
        at = decoded(last["at"]) if last else None
        select = page.where(by >= _bound(at)) if last else self._since(connection, page, by, since)
        names, found = self._fetch(connection, select.limit(limit))
        place = names.index(cursor)
        rows, ahead = _until(found, place, now)
        drained = len(found) < limit or bool(ahead)
        if not drained:  # the last value may go on past the page: leave it to the next, unless it is all there is
            newest = rows[-1][place]
            kept = [row for row in rows if row[place] != newest]
            if all(row[place] == at for row in kept):
                same = self._fetch(connection, page.where(by == _bound(newest)))[1]
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

    def _select(self) -> sa.Select[Any]:
        return sa.select(sa.literal_column("*")).select_from(self._rows)

    def _since(
        self, connection: sa.Connection, select: sa.Select[Any], by: sa.ColumnElement[Any], since: datetime | None
    ) -> sa.Select[Any]:
        """Bounds the first read, if the column holds times; a day more where they carry no offset."""
        if since is None:
            return select
        names, rows = self._fetch(connection, self._select().where(by.is_not(None)).limit(1))
        one = rows[0][names.index(self.cursor or "")] if rows else None
        day_before = since.astimezone(UTC) - timedelta(days=1)
        if isinstance(one, datetime):
            return select.where(by >= _bound(since if one.tzinfo else day_before.replace(tzinfo=None)))
        if isinstance(one, date):
            return select.where(by >= _bound(day_before.date()))
        if isinstance(one, str) and re.match(r"\d{4}-\d\d-\d\d", one):
            return select.where(by >= _bound(day_before.date().isoformat()))
        return select

    def _back(self, at: Any, overlap: timedelta) -> Any:
        if isinstance(at, datetime):
            return at - overlap
        if isinstance(at, str) and re.match(r"\d{4}-\d\d-\d\d[ T]", at):
            return (datetime.fromisoformat(at) - overlap).isoformat(sep=at[10])
        raise SourceError(f"overlap: {self.cursor} holds no times but {at!r}", permanent=True, fault="refused")

    def _fetch(self, connection: sa.Connection, select: sa.Select[Any]) -> tuple[list[str], Sequence[sa.Row[Any]]]:
        result = connection.execute(select)
        names = list(result.keys())
        for name in (self.cursor, self.key):
            if name and name not in names:
                there = ", ".join(names)
                raise SourceError(
                    f"{self._shown}: there is no column {name!r}; there are: {there}", permanent=True, fault="refused"
                )
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SourceError(
                f"{self._shown}: the query names a column twice: {', '.join(twice)}", permanent=True, fault="refused"
            )
        return names, result.fetchall()

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        file = self._address.database
        if (
            self._address.get_backend_name() == "sqlite"
            and file
            and not file.startswith("file:")
            and not Path(file).exists()
        ):
            raise SourceError(f"{self._shown}: there is no such file", fault="unreachable")
        try:
            with self._engine.connect() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execution_options(postgresql_readonly=True)
                    if "statement_timeout" not in str(self._address.query.get("options", "")):
                        connection.execute(sa.text(f"SET LOCAL statement_timeout = {int(self._timeout * 1000)}"))
                if connection.dialect.name == "sqlite":
                    end = monotonic() + self._timeout
                    held: Any = connection.connection.driver_connection
                    held.set_progress_handler(lambda: monotonic() > end, 100_000)
                yield connection
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            words = " ".join(str(cause).split()) or type(cause).__name__
            if words == "interrupted":
                words = f"no answer within {self._timeout:g} s (timeout)"
            if self._address.password:
                words = words.replace(str(self._address.password), "***")
            state = str(getattr(cause, "sqlstate", None) or "")
            permanent = state[:2] in {"28", "3D", "42"} or bool(_PERMANENT.search(words))
            raise SourceError(f"{self._shown}: {words}", permanent=permanent, fault=fault_of(state, words)) from None


def _limits(address: sa.URL, timeout: float) -> dict[str, Any]:
    """Of the connection itself: a server that is gone without a word is noticed."""
    if address.drivername not in ("postgresql", "postgresql+psycopg", "postgresql+psycopg2"):
        return {}
    ours = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    ours["tcp_user_timeout"] = int(timeout * 1000)
    return {name: value for name, value in ours.items() if name not in address.query}


def _until(rows: Rows, place: int, now: datetime) -> tuple[Rows, Rows]:
    """The rows up to now, and those that lie ahead of it, which are the last, in their order."""
    if not rows or not lies_ahead(rows[-1][place], now):
        return rows, []
    first = bisect_left(rows, 1, key=lambda row: lies_ahead(row[place], now))
    return rows[:first], rows[first:]


def _address(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except ArgumentError:
        raise ValueError("url: not a database address such as postgresql+psycopg://user@host/name") from None


def _read_only(address: sa.URL) -> sa.URL:
    """SQLite makes a missing file unless it is told not to."""
    if (
        address.get_backend_name() != "sqlite"
        or not address.database
        or address.database.startswith(("file:", ":memory:"))
    ):
        return address
    return address.set(database=f"file:{quote(address.database)}").update_query_dict({"mode": "ro", "uri": "true"})


def _rows(table: str | None, query: str | None) -> sa.FromClause:
    if table:
        schema, _, name = table.rpartition(".")
        return sa.table(name, schema=schema or None)
    plain = re.sub(r"(?<!:):(?=\w)", r"\\:", (query or "").strip().rstrip(";"))  # a colon is no parameter
    return sa.text(plain).columns().subquery("found")


def _bound(value: Any) -> sa.ColumnElement[Any]:
    """A value as a bound parameter; a time keeps its offset, or the lack of one."""
    kind = sa.DateTime(timezone=value.tzinfo is not None) if isinstance(value, datetime) else None
    return sa.literal(value, kind)


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+)([smhd])", text.strip())
    if not found:
        raise ValueError(f"overlap: {text!r} is not a duration such as 30s, 5m, 1h")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def _table(names: list[str], rows: Sequence[sa.Row[Any]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pa.table([column(cells) for cells in columns], names)
