"""Every row once, at every page boundary, on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import Reject, SourceError
from connectors.databases import Database
from connectors.sources.sql import Sql
from tests.banks import NOW, Bank, Reader, banks

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("key", ["id", None])
@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_rows_of_the_same_time_come_once_whatever_the_page(bank: Bank, key: str | None, batch: int) -> None:
    bank.add((1, 0), (2, 1), (3, 1), (4, 1), (5, 1), (6, 2))
    reader = Reader(bank, key=key, batch=batch)
    assert sorted(reader.drain()) == [1, 2, 3, 4, 5, 6]
    assert reader.drain() == []
    bank.add((7, 2), (8, 2), (9, 3))
    assert sorted(reader.drain()) == [7, 8, 9]
    assert reader.drain() == []


def test_types_are_kept(bank: Bank) -> None:
    bank.add((1, 0))
    reader = Reader(bank)
    reader.poll()
    assert reader.last is not None
    row = reader.last.table.to_pylist()[0]
    assert (row["id"], row["product"], Decimal(str(row["amount"]))) == (1, "pagos", Decimal("1.5"))
    at = row["at"] if isinstance(row["at"], datetime) else datetime.fromisoformat(row["at"])
    assert at.replace(tzinfo=UTC) == NOW
    assert (at.tzinfo is None) == (bank.kind == "mysql")


def test_complete_until_is_now_once_drained(bank: Bank) -> None:
    bank.add((1, -9), (2, -8), (3, -7))
    reader = Reader(bank, batch=2)
    reader.poll()
    assert reader.last is not None
    # of a time without offset it cannot say while there is more
    assert reader.last.complete_until == (None if bank.kind == "mysql" else NOW - timedelta(seconds=8))
    reader.poll()
    assert (reader.last.drained, reader.last.complete_until) == (True, NOW)


def test_overlap_reads_back_to_rows_that_were_committed_late(bank: Bank) -> None:
    bank.add((1, 0), (5, 20))
    plain, reader = Reader(bank), Reader(bank, overlap=timedelta(seconds=10))
    assert plain.drain() == reader.drain() == [1, 5]
    bank.add((3, 15), (2, 20))
    assert plain.drain() == []
    assert reader.drain() == [3, 2, 5]
    bank.add((6, 40))
    assert reader.drain()[-1] == 6


def test_without_key_a_late_row_of_the_newest_time_still_comes(bank: Bank) -> None:
    bank.add((1, 0), (5, 20))
    reader = Reader(bank, key=None)
    assert reader.drain() == [1, 5]
    bank.add((2, 20))
    assert reader.drain() == [2]


@pytest.mark.parametrize("options", [{}, {"key": None}, {"overlap": timedelta(seconds=30)}])
@pytest.mark.parametrize("batch", [2, 100])
def test_a_row_dated_ahead_is_told_once_and_nothing_waits_for_it(
    bank: Bank, options: dict[str, Any], batch: int
) -> None:
    reader = Reader(bank, batch=batch, **options)
    bank.add((90, 70 * 365 * 86400), (91, 600))
    told: list[Reject] = []

    def drained(now: datetime) -> set[int]:
        seen = set(reader.poll(now=now))
        assert reader.last is not None
        told.extend(reader.last.rejects)
        assert not reader.last.drained or reader.last.complete_until == now
        return seen if reader.last.drained else seen | drained(now)

    for number in range(1, 7):
        bank.add((number, number - 60))
        assert number in drained(NOW)
    assert len(told) == len(set(told)) == (2 if batch > 2 else len(told)) > 0
    assert "lies ahead of now" in told[0].why
    assert 91 in drained(NOW + timedelta(seconds=300))


@pytest.mark.parametrize(("zone", "read"), [("UTC", [1, 2]), ("America/Bogota", [1])])
def test_a_time_without_offset_is_ahead_in_the_zone_of_the_source(tmp_path: Path, zone: str, read: list[int]) -> None:
    bank = Bank(f"sqlite:///{tmp_path / 'bank.db'}")
    bank.run("INSERT INTO orders VALUES (1, '2026-03-03 06:59:00', 'pagos', 1), (2, '2026-03-03 11:59:00', 'pagos', 1)")
    assert Reader(bank).poll(now=NOW.astimezone(ZoneInfo(zone))) == read


def test_a_statement_without_end_is_broken_off(bank: Bank) -> None:
    endless = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT max(id) AS id FROM n"
    if bank.kind == "mysql":  # MariaDB ends a recursion by itself
        endless = "SELECT sleep(20) AS id"
    source = Sql(url=bank.url, query=endless, timeout=timedelta(seconds=1))
    with pytest.raises(SourceError, match=r"timeout|max_statement_time") as error:
        source.poll(None, NOW, None)
    assert (error.value.permanent, error.value.fault) == (False, "timeout")


def test_since_bounds_the_first_read(bank: Bank) -> None:
    bank.add((1, -100 * 86400), (2, 0))
    assert Reader(bank).poll(NOW - timedelta(days=5)) == [2]


def test_whole_table_comes_again_only_if_it_changed(bank: Bank) -> None:
    bank.add((1, 0), (2, 0))
    reader = Reader(bank, cursor=None, key=None)
    assert sorted(reader.poll()) == [1, 2]
    assert reader.poll() == []
    bank.run("UPDATE orders SET product = 'swift' WHERE id = 1")
    assert sorted(reader.poll()) == [1, 2]


def test_query_with_colons_percents_and_a_number_as_cursor(bank: Bank) -> None:
    bank.add((1, 0), (2, 1))
    told = "concat(product, ':x 100%')" if bank.kind == "mysql" else "product || ':x 100%'"
    query = f"SELECT id, {told} AS product FROM orders WHERE product <> '10:30'; \n"
    reader = Reader(bank, table=None, query=query, cursor="id", key=None)
    assert reader.drain() == [1, 2]
    bank.add((3, 1))
    assert reader.drain() == [3]
    assert reader.last is not None
    assert reader.last.table["product"].to_pylist() == ["pagos:x 100%"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"table": "ordres"}, "ordres"),
        ({"cursor": "when"}, "when"),
        ({"key": "nr"}, "nr"),
        ({"table": None, "query": "SELECT WHERE FROM"}, "(?i)syntax"),
        ({"cursor": "product", "overlap": timedelta(seconds=5)}, "overlap: product holds no times but 'pagos'"),
    ],
)
def test_what_somebody_must_change_is_permanent(bank: Bank, options: dict[str, Any], told: str) -> None:
    bank.add((1, 0))
    reader = Reader(bank, **options)
    if "overlap" in options:  # the first read does not reach back
        reader.poll()
    with pytest.raises(SourceError, match=told) as error:
        reader.poll()
    assert (error.value.permanent, error.value.fault) == (True, "refused")


def test_nothing_can_be_written(bank: Bank) -> None:
    with (
        pytest.raises(SourceError, match=r"(?i)read.?only") as error,
        Database(bank.url, 5).reading() as connection,
    ):
        connection.execute(sa.text("DELETE FROM orders"))
    assert (error.value.permanent, error.value.fault) == (True, "refused")


def test_check_names_the_columns(bank: Bank) -> None:
    assert "id, at, product, amount" in Sql(url=bank.url, table="orders").check()


def test_missing_sqlite_file_is_told_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    with pytest.raises(SourceError, match="no such file") as error:
        Sql(url=f"sqlite:///{path}", table="orders").check()
    assert not error.value.permanent
    assert not path.exists()
    path.write_text("this is not a database, it is a text of some length " * 20)
    with pytest.raises(SourceError, match="not a database") as error:
        Sql(url=f"sqlite:///{path}", table="orders").check()
    assert error.value.permanent


def test_locked_sqlite_is_worth_another_try(tmp_path: Path) -> None:
    bank = Bank(f"sqlite:///{tmp_path / 'bank.db'}")
    holder = sqlite3.connect(tmp_path / "bank.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SourceError, match="locked") as error:
        Sql(url=bank.url + "?timeout=0", table="orders").check()
    assert not error.value.permanent
    holder.close()


def test_refused_connection_hides_the_password() -> None:
    with pytest.raises(SourceError) as error:
        Sql(url="postgresql+psycopg://ana:s3cret@127.0.0.1:1/bank", table="orders").check()
    assert not error.value.permanent
    assert "s3cret" not in str(error.value)
    assert "ana:***@127.0.0.1" in str(error.value)


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_an_unknown_database_is_permanent(kind: str, request: pytest.FixtureRequest) -> None:
    url = sa.make_url(banks(kind, request).url).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(SourceError, match="nowhere") as error:
        Sql(url=url, table="orders").check()
    assert (error.value.permanent, error.value.fault) == (True, "refused")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"url": "sqlite://"}, "exactly one of table and query"),
        ({"url": "sqlite://", "table": "a", "query": "b"}, "exactly one of table and query"),
        ({"url": "not an address", "table": "a"}, "url"),
        ({"url": "klingon://x", "table": "a"}, "no driver"),
        ({"url": "sqlite://", "table": "a", "key": "b"}, "key needs cursor"),
        ({"url": "sqlite://", "table": "a", "cursor": "c", "overlap": timedelta(seconds=5)}, "overlap needs key"),
        ({"url": "sqlite://", "table": "a", "cursor": "c", "key": "k", "overlap": -timedelta(1)}, "not be negative"),
        ({"url": "sqlite://", "query": "SELECT 1 FROM t WHERE at >= :since"}, ":since needs cursor"),
    ],
)
def test_impossible_options(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Sql(**options)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.lists(st.integers(0, 2), max_size=5), min_size=1, max_size=4),
    batch=st.integers(1, 4),
    keyed=st.booleans(),
)
def test_however_rows_arrive_each_comes_once(tmp_path: Path, steps: list[list[int]], batch: int, keyed: bool) -> None:  # noqa: FBT001 - drawn
    (tmp_path / "bank.db").unlink(missing_ok=True)
    bank = Bank(f"sqlite:///{tmp_path / 'bank.db'}")
    reader = Reader(bank, key="id" if keyed else None, batch=batch)
    number, second, seen = 0, 0, []
    for step in steps:
        for ahead in step:
            number, second = number + 1, second + ahead
            bank.add((number, second))
        seen += reader.drain()
    assert sorted(seen) == list(range(1, number + 1))


def test_values_of_mixed_kinds_become_text(tmp_path: Path) -> None:
    bank = Bank(f"sqlite:///{tmp_path / 'bank.db'}")
    bank.run("INSERT INTO orders VALUES (1, '2026-03-03', 7, 1), (2, '2026-03-03', 'x', NULL)")
    bank.run("CREATE VIEW mixed AS SELECT id, CASE id WHEN 1 THEN 5 ELSE 'five' END AS how FROM orders")
    table = Sql(url=bank.url, table="mixed").poll(None, NOW, None).table
    assert table.schema.field("how").type == pa.string()
    assert table["how"].to_pylist() == ["5", "five"]
