"""The database that the state lies in: how it is opened, who may judge on it, and what goes wrong with it, in words."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

UNDEFINED_TABLE, UNDEFINED_COLUMN = "42P01", "42703"
CLIENTS = "clients"
"""Among what is changed: any client."""
LOCK = 0x76696769
"""Number of the lock that the one judging Vigía holds on a PostgreSQL state."""


PATIENCE = 30.0
"""Seconds that a transaction waits for another one's lock on SQLite."""


class StoreError(Exception):
    """The state cannot be used, in words."""


def connect(url: str) -> sa.Engine:
    """An engine for the state's address. On SQLite a transaction that may write takes the lock when it begins.

    SQLite's default (lock at the first write) silently loses what another thread wrote between a read and a write.
    """
    try:
        address = sa.make_url(url)
        sqlite_ = address.get_backend_name() == "sqlite"
        options = {"connect_args": {"timeout": PATIENCE}} if sqlite_ else {"pool_pre_ping": True}
        engine = sa.create_engine(address, hide_parameters=True, **options)
    except (sa.exc.ArgumentError, ValueError, ImportError):
        raise StoreError(
            "the address of the state must be sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        ) from None
    if not sqlite_:
        return engine

    @sa.event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("lower", 1, _small, deterministic=True)  # its own knows no accents

    @sa.event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _small(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


def insert(c: Connection, table: sa.Table) -> Any:
    """An insert that can say what to do where the key is there already."""
    return postgresql.insert(table) if c.dialect.name == "postgresql" else sqlite.insert(table)


def put(c: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows, or write over the ones with their keys."""
    if not rows:
        return
    query, keys = insert(c, table), [column.name for column in table.primary_key]
    others = {name: query.excluded[name] for name in rows[0] if name not in keys}
    over = query.on_conflict_do_update(index_elements=keys, set_=others) if others else query.on_conflict_do_nothing()
    c.execute(over, list(rows))


def _no_place(path: Path, *, is_file: bool) -> int:
    """Why nothing can be written there, by its number; 0 where it can."""
    if path.is_dir() == is_file:
        return errno.EISDIR if is_file else errno.ENOTDIR
    return 0 if os.access(path, os.W_OK) else errno.EACCES


class Database:
    """SQLite or PostgreSQL."""

    def __init__(self, url: str) -> None:
        self.engine = connect(url)
        self.shown = self.engine.url.set(
            query={}
        ).render_as_string()  # a password may stand behind the question mark, too
        self.changed: dict[str, int] = {}
        """How often each incident, and CLIENTS, was changed since this process began, for who keeps what was counted of it."""

    def look(self) -> str:
        """What there is, without writing: the state, or where it can be made. StoreError, with its cause, where it cannot be used."""
        file = self._file
        place = next((one for one in (file, *file.parents) if one.exists()), file) if file else None
        if place and (wrong := _no_place(place, is_file=place == file)):
            raise StoreError(f"{self.shown}: {place}: {os.strerror(wrong)}")
        if file and place != file:
            return f"{self.shown}: nothing there yet, `vigia run` makes it"
        with self.reading() as connection:
            there = sa.inspect(connection).has_table("alembic_version")
            if connection.dialect.name == "postgresql":
                may = sa.func.has_table_privilege("cursors", "INSERT")
                may = may if there else sa.func.has_schema_privilege(sa.func.current_schema(), "CREATE")
                if not connection.execute(sa.select(may)).scalar():
                    raise StoreError(f"{self.shown}: no permission to {'write into' if there else 'make'} its tables")
        return f"{self.shown}: {'answers' if there else 'answers, nothing there yet: `vigia run` makes it'}"

    def note(self, incidents: Iterable[str]) -> None:
        """These were changed."""
        for key in incidents:
            self.changed[key] = self.changed.get(key, 0) + 1

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one that judges on this state; StoreError if somebody else does."""
        busy = StoreError(f"another Vigía is judging on {self.shown}")
        if self.engine.dialect.name == "sqlite":
            self.make_room()
            with ExitStack() as open_:
                try:
                    file = open_.enter_context(Path(f"{self.engine.url.database}.lock").open("a", encoding="utf-8"))
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise busy from None
                except OSError as error:
                    raise StoreError(f"{self.shown}: {error.filename}: {error.strerror}") from None
                yield
            return
        with self._told(), self.engine.connect() as connection:
            if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(LOCK))).scalar():
                raise busy
            connection.commit()
            try:
                yield
            finally:
                with suppress(sa.exc.DBAPIError):  # a session that has ended holds no lock
                    connection.execute(sa.select(sa.func.pg_advisory_unlock(LOCK)))
                connection.invalidate()  # if nothing else, the end of the session lets go; but nobody waits for that

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent look; waits for nobody. StoreError if there is no state there."""
        if (file := self._file) and not file.exists():
            raise StoreError(f"there is no state in {self.shown} yet")
        with self._told(), self.engine.connect().execution_options(reading=True) as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: all of it or, where anything goes wrong, nothing."""
        with self._told(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            words = " ".join(str(error.orig).split())
            state = getattr(error.orig, "sqlstate", "")
            if "no such column" in words or "has no column" in words or state == UNDEFINED_COLUMN:
                raise StoreError(self._older) from error
            if "no such table" in words or state == UNDEFINED_TABLE:
                raise StoreError(self._older if self._there() else f"there is no state in {self.shown} yet") from error
            raise StoreError(f"{self.shown}: {words}") from error

    @property
    def _older(self) -> str:
        return f"the state in {self.shown} is of an older version: `vigia run` brings it up to this one"

    def _there(self) -> bool:
        """Whether some version of Vigía has made its tables."""
        try:
            with self.engine.connect().execution_options(reading=True) as connection:
                return sa.inspect(connection).has_table("alembic_version")
        except sa.exc.DBAPIError:
            return False

    @property
    def _file(self) -> Path | None:
        name = self.engine.url.database
        return Path(name) if self.engine.dialect.name == "sqlite" and name and name != ":memory:" else None

    def make_room(self) -> None:
        """The folder of an SQLite file."""
        if file := self._file:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"{self.shown}: {error.filename}: {error.strerror}") from None
