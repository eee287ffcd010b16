"""How databases are reached: who may log in, how long it may take, what is said of what goes wrong, and to whom no word is given away."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from connectors import SourceError, databases
from connectors.databases import Database
from connectors.sources.sql import Sql
from tests.banks import NOW, Bank, Reader, banks
from tests.mariadb import MariaDB
from tests.postgres import Postgres


@contextmanager
def told(fault: str, match: str = "", *, permanent: bool = False) -> Iterator[None]:
    """Of this kind, in one line without the password."""
    with pytest.raises(SourceError, match=match) as error:
        yield
    assert (error.value.fault, error.value.permanent) == (fault, permanent)
    assert "\n" not in str(error.value)
    assert "s3cret" not in str(error.value)


@pytest.fixture
def reader(mariadb: MariaDB) -> Iterator[str]:
    """Who may read one table, and no longer than 0.2 s."""
    bank = Bank(mariadb.url)
    bank.add((1, 0))
    bank.run("CREATE TABLE IF NOT EXISTS salaries (id integer)")
    bank.run("CREATE OR REPLACE USER lector IDENTIFIED BY 's3cret' WITH MAX_STATEMENT_TIME 0.2")
    bank.run("GRANT SELECT ON banco.orders TO lector")
    yield mariadb.address("lector", "s3cret")
    bank.run("DROP USER lector")


def test_mariadb_lets_in_whom_it_knows_and_to_what_they_may_see(mariadb: MariaDB, reader: str) -> None:
    assert "lector:***@127.0.0.1" in Sql(url=reader, table="orders").check()
    with told("login", "Access denied for user 'lector'", permanent=True):
        Sql(url=mariadb.address("lector", "s3cret2"), table="orders").check()
    with told("login", "SELECT command denied", permanent=True):
        Sql(url=reader, table="salaries").check()
    with told("login", "Access denied", permanent=True):
        Sql(url=reader.replace("/banco", "/mysql"), table="orders").check()
    with told("refused", "nowhere", permanent=True):
        Sql(url=mariadb.url.replace("/banco", "/nowhere"), table="orders").check()


def test_mariadb_may_be_called_so(mariadb: MariaDB) -> None:
    bank = Bank(mariadb.url)
    bank.run("CREATE OR REPLACE TABLE flags (id bit(3))")
    bank.run("INSERT INTO flags VALUES (5)")
    url = mariadb.url.replace("mysql+", "mariadb+")
    assert Sql(url=url, table="flags").poll(None, NOW, None).table["id"].to_pylist() == [5]
    with told("refused", "(?i)read only", permanent=True), Database(url, 5).reading() as connection:
        connection.execute(sa.text("DELETE FROM orders"))
    with told("timeout", "max_statement_time"):
        Sql(url=url, query="SELECT sleep(10) AS id", timeout=timedelta(seconds=1)).check()


def test_a_limit_of_the_users_own_stands_where_it_is_shorter(reader: str) -> None:
    with told("timeout", "max_statement_time"):
        Sql(url=reader, query="SELECT sleep(10) AS id").check()


def test_mariadb_that_goes_away_in_the_middle_is_met_again(mariadb: MariaDB) -> None:
    bank = Bank(mariadb.url)
    bank.add(*((n, n // 3) for n in range(12)))
    reader = Reader(bank, batch=5)
    seen = reader.poll()
    mariadb.stop()
    with told("unreachable", "connect"):
        reader.poll()
    mariadb.start()
    assert seen + reader.drain() == list(range(12))


def test_a_statement_whose_connection_is_killed_is_worth_another_try(mariadb: MariaDB) -> None:
    def kill() -> None:
        with mariadb.connected() as connection, connection.cursor() as cursor:
            while not cursor.execute(
                "SELECT id FROM information_schema.processlist WHERE info LIKE '%sleep(9)%' AND id <> @@pseudo_thread_id"
            ):
                pass
            cursor.execute(f"KILL {cursor.fetchall()[0][0]}")

    killer = Thread(target=kill)
    killer.start()
    with told("unreachable", "Lost connection|killed"):
        Sql(url=mariadb.url, query="SELECT sleep(9) AS id").check()
    killer.join()


def test_a_server_that_takes_a_connection_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "SLACK", 0)
    with socket.create_server(("127.0.0.1", 0)) as mute, told("timeout", "timed out"):
        url = f"mysql+pymysql://ana:s3cret@127.0.0.1:{mute.getsockname()[1]}/banco"
        Sql(url=url, table="orders", timeout=timedelta(seconds=1)).check()


def test_a_way_to_log_in_that_needs_a_package_is_told_in_a_line(
    mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(**_: Any) -> None:  # as pymysql does where MySQL 8 asks for it
        raise RuntimeError(
            "'cryptography' package is required for sha256_password or caching_sha2_password auth methods"
        )

    monkeypatch.setattr(pymysql, "connect", connect)
    with told("login", "'cryptography' package is required", permanent=True):
        Sql(url=mariadb.url, table="orders").check()


@pytest.mark.parametrize(
    ("url", "missing", "install"),
    [
        ("mysql+pymysql://h/b", "pymysql", "make extras"),
        ("mysql://h/b", "MySQLdb", "write mysql+pymysql:// and make extras"),
        ("oracle+oracledb://h/b", "oracledb", "pip install oracledb"),
        ("mssql+pyodbc://h/b", "pyodbc", "pip install pyodbc"),
        ("klingon://h/b", "klingon", "knows no such database"),
    ],
)
def test_a_driver_that_is_not_installed_is_one_line_that_names_it(
    url: str, missing: str, install: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ValueError, match="url: no driver for") as error:
        Database(url, 1)
    assert install in str(error.value)
    assert "\n" not in str(error.value)


def test_a_password_within_the_addresss_options_is_not_shown() -> None:
    odbc = "Driver%3D%7Bx%7D%3BServer%3Dh%3BUID%3Dana%3BPWD%3D%7Bs3cret%7D%3B"
    address = sa.make_url(f"mssql+pyodbc:///?odbc_connect={odbc}")
    assert "s3cret" in list(databases._secrets(address))
    database = Database("sqlite:///nowhere.db?password=s3cret", 1)
    assert database.shown == "sqlite:///nowhere.db"
    assert "s3cret" in database._secrets


# ---- PostgreSQL ----------------------------------------------------------------------------------------------------


@pytest.fixture
def lector(postgres: str) -> Iterator[str]:
    """As on a replica: nothing can be written, little may be seen, and nothing may take long."""
    bank = Bank(postgres)
    bank.run("CREATE TABLE IF NOT EXISTS salaries (id integer)")
    bank.run("CREATE ROLE lector LOGIN PASSWORD 's3cret'")
    bank.run("ALTER ROLE lector SET default_transaction_read_only = on")
    bank.run("ALTER ROLE lector SET statement_timeout = '200ms'")
    bank.run("GRANT SELECT ON orders TO lector")
    bank.add((1, 0))
    yield sa.make_url(postgres).set(username="lector", password="s3cret").render_as_string(hide_password=False)
    bank.run("DROP OWNED BY lector")
    bank.run("DROP ROLE lector")


def test_a_user_of_a_replica_reads_within_its_limits(lector: str) -> None:
    assert Sql(url=lector, table="orders", cursor="at", key="id").poll(None, NOW, NOW).table["id"].to_pylist() == [1]
    with told("login", "permission denied for table salaries", permanent=True):
        Sql(url=lector, table="salaries").check()
    with told("timeout", "statement timeout"):
        Sql(url=lector, query="SELECT pg_sleep(10) AS id").check()
    with told("refused", "nextval|does not exist", permanent=True):
        Sql(url=lector, query="SELECT nextval('folios') AS id").check()


def test_a_function_that_writes_is_refused_and_not_asked_again(postgres: str) -> None:
    Bank(postgres).run("CREATE SEQUENCE IF NOT EXISTS folios")
    with told("refused", "read-only transaction", permanent=True):
        Sql(url=postgres, query="SELECT nextval('folios') AS id").check()


def test_postgresql_that_restarts_in_the_middle_is_met_again(own_postgres: Postgres) -> None:
    bank = Bank(own_postgres.url)
    bank.add(*((n, n // 3) for n in range(12)))
    reader = Reader(bank, batch=5)
    seen = reader.poll()
    own_postgres.stop()
    with told("unreachable", "(?i)connection"):
        reader.poll()
    own_postgres.ask_password_of("lector")
    own_postgres.start()
    assert seen + reader.drain() == list(range(12))
    bank.run("CREATE ROLE lector LOGIN PASSWORD 's3cret'")
    for password in ("s3cret2", None):
        with told("login", "password", permanent=True):
            url = sa.make_url(own_postgres.url).set(username="lector", password=password)
            Sql(url=url.render_as_string(hide_password=False), table="orders").check()


# ---- never run here: what would be set -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "limits"),
    [
        ("oracle+oracledb://h/b", {"tcp_connect_timeout": 10}),
        ("mssql+pyodbc://h/b", {"timeout": 10}),
        ("mssql+pymssql://h/b", {"login_timeout": 10, "timeout": 60}),
        ("mysql+pymysql://h/b?connect_timeout=3", {"read_timeout": 70, "write_timeout": 70}),
        ("mysql+mysqldb://h/b", {}),
        ("klingon://h/b", {}),
    ],
)
def test_limits_are_the_drivers_own_and_the_address_has_the_last_word(url: str, limits: dict[str, int]) -> None:
    assert databases._limits(sa.make_url(url), 60) == limits


@pytest.mark.parametrize(
    ("url", "name", "limit"), [("oracle+oracledb://h/b", "call_timeout", 60_000), ("mssql+pyodbc://h/b", "timeout", 60)]
)
def test_a_statements_limit_is_set_on_the_connection(url: str, name: str, limit: int) -> None:
    driver = SimpleNamespace()
    database = Database("sqlite://", 60)
    database.address = sa.make_url(url)
    database.backend = database.address.get_backend_name()
    database._settle(SimpleNamespace(connection=SimpleNamespace(driver_connection=driver)))  # type: ignore[arg-type]
    assert vars(driver) == {name: limit}


@pytest.mark.parametrize("maria", [True, False])
def test_mysql_has_a_limit_of_another_name(maria: bool, request: pytest.FixtureRequest) -> None:  # noqa: FBT001 - drawn
    said: list[str] = []
    database = Database("sqlite://", 60)
    database.backend = "mysql"
    connection: Any = SimpleNamespace(
        connection=SimpleNamespace(driver_connection=None),
        dialect=SimpleNamespace(is_mariadb=maria),
        execute=lambda text: said.append(str(text)),
    )
    database._settle(connection)
    name, limit = ("max_statement_time", 60) if maria else ("max_execution_time", 60_000)
    assert said[1] == f"SET SESSION {name} = IF(@@SESSION.{name} > 0, LEAST(@@SESSION.{name}, {limit}), {limit})"
    if maria:
        with Database(banks("mariadb", request).url, 60).reading() as real:
            assert real.execute(sa.text("SELECT @@max_statement_time")).scalar() == limit
