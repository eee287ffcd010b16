"""A database at its SQLAlchemy address: its driver, its limits, and connections that only read."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from threading import local
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from connectors import SourceError, beyond
from connectors.broken import hushed
from connectors.frozen import Watch
from connectors.sqlstates import meaning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CONNECT = 10
"""Seconds in which a server must take a connection."""
SLACK = 10
"""Seconds that a server has to break a statement off by itself before its connection is given up."""
PACKAGES = {"mysqldb": "mysqlclient", "cx_oracle": "cx_Oracle"}
"""What to install for a driver, where it is not called as the driver is."""
BIT = 16
"""MySQL's type of a column of bits, which its driver gives as bytes."""
_HUSHED = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)


class Database:
    """Opened anew for each poll: a database that restarted is met afresh, and none is kept busy between polls.

    timeout: seconds a statement may take. Where the server, or its user, has a shorter limit, that one stands; one that is frozen and
    does not heed it is given up SLACK seconds later.
    Raises ValueError, naming the key, where the address is none or its driver is not installed.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self.address, self._timeout = _address(url), timeout
        self.backend = self.address.get_backend_name()
        # what follows the question mark may hold a password too (odbc_connect)
        self.shown = self.address.set(query={}).render_as_string(hide_password=True)
        self._secrets = [secret for secret in _secrets(self.address) if secret]
        try:
            self._engine = sa.create_engine(
                _read_only(self.address), poolclass=sa.NullPool, connect_args=_limits(self.address, timeout)
            )
        except (NoSuchModuleError, ImportError) as error:
            raise ValueError(_driverless(self.address, error)) from error
        self._thread = local()
        sa.event.listen(self._engine, "do_connect", self._connected)

    def _connected(self, dialect: sa.Dialect, _: object, args: list[Any], options: dict[str, Any]) -> Any:
        """Made as it would be; the drivers of PostgreSQL know no limit of their own, and say which line it is."""
        made: Any = dialect.connect(*args, **options)
        if self.backend == "postgresql" and hasattr(made, "fileno"):
            self._thread.watch.hold(made.fileno())
        if dialect.driver == "psycopg":
            beyond.bear(made, dialect.loaded_dbapi.DataError)
        return made

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that cannot write, where the database knows of such. Raises SourceError, the password never in it."""
        file = self.address.database
        if self.backend == "sqlite" and file and not file.startswith("file:") and not Path(file).exists():
            raise SourceError(f"{self.shown}: there is no such file", fault="unreachable")
        self._thread.watch = watch = Watch(self._timeout + SLACK)
        try:
            with self._engine.connect() as connection:
                watch.again()
                self._settle(connection)
                watch.rest()
                yield connection
                watch.again()
        except (SQLAlchemyError, RuntimeError, OSError) as error:  # pymysql's RuntimeError: a log-in needs a package
            cause = getattr(error, "orig", None) or error
            words = " ".join(str(cause).split()) or type(cause).__name__
            if words == "interrupted":
                words = f"no answer within {self._timeout:g} s (timeout)"
            fault, permanent = meaning(cause, words, self.backend)
            if watch.cut:
                words, fault, permanent = (
                    f"no answer within {watch.seconds:g} s: its server is frozen",
                    "timeout",
                    False,
                )
            raise SourceError(
                f"{self.shown}: {hushed(words, self._secrets)}", permanent=permanent, fault=fault
            ) from None  # it holds the password
        finally:
            watch.let_go()

    def rows(self, connection: sa.Connection, select: sa.Select[Any]) -> tuple[list[str], Sequence[Sequence[Any]]]:
        """The names of the columns, and the rows; bits are numbers."""
        self._thread.watch.again()
        result = connection.execute(select)
        names = list(result.keys())
        told = (result.cursor.description or ()) if self.backend in ("mysql", "mariadb") and result.cursor else ()
        bits = {place for place, one in enumerate(told) if one[1] == BIT}
        found: Sequence[Sequence[Any]] = result.fetchall()
        self._thread.watch.rest()
        if bits:
            found = [
                tuple(int.from_bytes(c) if i in bits and isinstance(c, bytes) else c for i, c in enumerate(row))
                for row in found
            ]
        return names, found

    def _settle(self, connection: sa.Connection) -> None:
        held: Any = connection.connection.driver_connection
        match self.backend:
            case "postgresql":
                connection.execution_options(postgresql_readonly=True)
                if "statement_timeout" not in str(self.address.query.get("options", "")):
                    connection.execute(_LIMIT_OF_POSTGRES, {"ms": int(self._timeout * 1000)})
            case "mysql" | "mariadb":
                connection.execute(sa.text("SET SESSION TRANSACTION READ ONLY"))
                maria = getattr(connection.dialect, "is_mariadb", False)
                name, each = ("max_statement_time", 1) if maria else ("max_execution_time", 1000)
                limit = int(self._timeout * each)
                shorter = f"IF(@@SESSION.{name} > 0, LEAST(@@SESSION.{name}, {limit}), {limit})"
                connection.execute(sa.text(f"SET SESSION {name} = {shorter}"))
            case "sqlite":
                end = monotonic() + self._timeout
                held.text_factory = lambda text: text.decode(errors="replace")  # a byte that is none stops no other row
                held.set_progress_handler(lambda: monotonic() > end, 100_000)
            case "oracle" if self.address.get_driver_name() == "oracledb":
                held.call_timeout = int(self._timeout * 1000)
            case "mssql" if self.address.get_driver_name() == "pyodbc":
                held.timeout = int(self._timeout)


_LIMIT_OF_POSTGRES = sa.text(
    "SELECT set_config('statement_timeout', CAST(:ms AS text), true) FROM pg_settings"
    " WHERE name = 'statement_timeout' AND NOT CAST(setting AS bigint) BETWEEN 1 AND :ms"
)


def _limits(address: sa.URL, timeout: float) -> Mapping[str, Any]:
    """Of the connection itself: a server that is gone without a word is noticed. What the address says stands."""
    wait = int(timeout + SLACK)
    postgres = {
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": wait * 1000,
    }
    ours: Mapping[str, int] = {
        "psycopg": {"connect_timeout": CONNECT, **postgres},
        "psycopg2": {"connect_timeout": CONNECT, **postgres},
        "pymysql": {"connect_timeout": CONNECT, "read_timeout": wait, "write_timeout": wait},
        "oracledb": {"tcp_connect_timeout": CONNECT},
        "pyodbc": {"timeout": CONNECT},
        "pymssql": {"login_timeout": CONNECT, "timeout": int(timeout)},
    }.get(_driver(address), {})
    return {name: value for name, value in ours.items() if name not in address.query}


def _driver(address: sa.URL) -> str:
    """The driver's name, of a database that SQLAlchemy knows; else ''."""
    try:
        return address.get_driver_name()
    except NoSuchModuleError:
        return ""


def _driverless(address: sa.URL, error: Exception) -> str:
    driver = _driver(address)
    if not driver:
        return f"url: no driver for {address.drivername}: SQLAlchemy knows no such database"
    install = "make extras" if driver == "pymysql" else f"pip install {PACKAGES.get(driver, driver)}"
    told = f"url: no driver for {address.drivername}: {error}; {install}"
    if address.get_backend_name() in ("mysql", "mariadb") and driver != "pymysql":
        told += ", or write mysql+pymysql:// and make extras"
    return told


def _secrets(address: sa.URL) -> Iterator[str]:
    yield str(address.password or "")
    for name, given in address.query.items():
        for value in (given,) if isinstance(given, str) else given:
            if _HUSHED.search(name):
                yield value
            yield from re.findall(r"(?i)\bpwd\s*=\s*\{?([^;}]+)", value)


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
