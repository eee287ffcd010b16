"""What databases keep in columns, and order by them: fractions, text, bits, names, NULLs, on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from connectors import SourceError
from connectors.mapping import Mapping
from connectors.sources.sql import Sql
from tests.banks import NOW, Bank, Reader
from tests.mariadb import MariaDB

EXACT = {"sqlite": "text", "postgresql": "timestamp", "mysql": "datetime(6)"}


def make(bank: Bank, name: str, columns: str, *rows: dict[str, Any]) -> None:
    bank.run(f"DROP TABLE IF EXISTS {name}")
    bank.run(f"CREATE TABLE {name} ({columns})")
    if rows:
        bank.run(f"INSERT INTO {name} VALUES ({', '.join(':' + key for key in rows[0])})", *rows)


def when(bank: Bank, microseconds: int) -> Any:
    """Without an offset, to the microsecond."""
    time = NOW.replace(tzinfo=None) + timedelta(microseconds=microseconds)
    return time.isoformat(sep=" ", timespec="microseconds") if bank.kind == "sqlite" else time


@pytest.mark.parametrize("key", ["id", None])
@pytest.mark.parametrize("batch", [1, 3])
def test_times_without_offset_and_with_fractions_come_once(bank: Bank, key: str | None, batch: int) -> None:
    steps = [0, 1, 1, 1, 500_000, 999_999, 1_000_000, 1_000_000]
    rows = [{"id": n, "at": when(bank, step)} for n, step in enumerate(steps)]
    make(bank, "exact", f"id integer, at {EXACT[bank.kind]}", *rows)
    reader = Reader(bank, table="exact", key=key, batch=batch)
    assert sorted(reader.drain()) == list(range(8))
    bank.run("INSERT INTO exact VALUES (8, :at)", at=when(bank, 1_000_001))
    assert reader.drain() == [8]
    mapped = Mapping(
        role="transactions", columns={"timestamp": "at"}, defaults={"status": "ok"}, timezone="America/Bogota"
    )
    whole = Sql(url=bank.url, table="exact").poll(None, NOW, None).table
    assert mapped.apply(whole).table["timestamp"].to_pylist()[-1] == datetime(
        2026, 3, 3, 12, 0, 1, 1, tzinfo=ZoneInfo("America/Bogota")
    )


def test_since_bounds_times_without_offset(bank: Bank) -> None:
    rows = [{"id": n, "at": when(bank, -n * 86_400_000_000)} for n in (9, 4, 0)]
    make(bank, "exact", f"id integer, at {EXACT[bank.kind]}", *rows)
    assert Reader(bank, table="exact").poll(NOW - timedelta(days=5)) == [4, 0]


TEXTS = ["a", "A1", "é", "b", "B2", "Ñu", "n", "z", "_x", "10", "9", "ß1", "a-b", "AB", "ac"]


@pytest.mark.parametrize("batch", [1, 4])
def test_keys_of_text_come_once_whatever_order_the_database_has(bank: Bank, batch: int) -> None:
    rows = [{"id": key, "at": when(bank, n // 10)} for n, key in enumerate(TEXTS)]
    make(bank, "lettered", f"id varchar(20) PRIMARY KEY, at {EXACT[bank.kind]}", *rows)
    seen = Reader(bank, table="lettered", batch=batch).drain()
    assert sorted(map(str, seen)) == sorted(TEXTS)
    again = Reader(bank, table="lettered", batch=batch, overlap=timedelta(seconds=1))
    assert again.drain() == seen
    assert again.drain() == seen  # within the overlap


def test_a_key_that_is_null_is_told_and_not_passed_over(bank: Bank) -> None:
    rows = [{"id": n, "at": when(bank, 0)} for n in (1, 2, 3)]
    make(bank, "holed", f"id integer, at {EXACT[bank.kind]}", *rows)
    reader = Reader(bank, table="holed", batch=2)
    assert reader.poll() == [1, 2]
    bank.run("INSERT INTO holed VALUES (NULL, :at)", at=when(bank, 0))
    with pytest.raises(SourceError, match="key: 'id' is NULL in a row") as error:
        reader.poll()
    assert (error.value.permanent, error.value.fault) == (True, "unreadable")


def test_rows_without_a_time_are_not_read_and_hold_up_nothing(bank: Bank) -> None:
    rows = [{"id": n, "at": None if n % 2 else when(bank, n)} for n in range(6)]
    make(bank, "undated", f"id integer, at {EXACT[bank.kind]} NULL", *rows)
    for key in ("id", None):
        assert Reader(bank, table="undated", key=key, batch=1).drain() == [0, 2, 4]


@pytest.mark.parametrize("schema", [False, True])
def test_names_that_need_quotes(bank: Bank, schema: bool) -> None:  # noqa: FBT001 - drawn
    quote = bank.engine.dialect.identifier_preparer.quote_identifier
    table, order, key = map(quote, ("Órdenes de pago", "order", "Key #1"))
    rows = [{"a": n, "b": when(bank, n // 3)} for n in range(7)]
    make(bank, table, f"{key} integer, {order} {EXACT[bank.kind]}", *rows)
    within = {"sqlite": "main", "postgresql": "public", "mysql": "banco"}[bank.kind]
    name = f"{within}.Órdenes de pago" if schema else "Órdenes de pago"
    source = Sql(url=bank.url, table=name, cursor="order", key="Key #1", batch=2)
    seen, cursor = [], None
    for _ in range(5):
        batch = source.poll(cursor, NOW, None)
        seen += batch.table["Key #1"].to_pylist()
        cursor = batch.cursor
    assert seen == list(range(7))


@pytest.mark.parametrize("query", ["{0} -- all of them;", "{0} ORDER BY id DESC", "WITH w AS ({0}) SELECT * FROM w;\n"])
def test_a_query_may_end_and_begin_as_people_write_them(bank: Bank, query: str) -> None:
    bank.add((1, 0), (2, 0), (3, 1))
    reader = Reader(bank, table=None, query=query.format("SELECT id, at FROM orders"), batch=2)
    assert reader.drain() == [1, 2, 3]


def test_columns_become_what_our_columns_can_be_read_from(mariadb: MariaDB) -> None:
    bank = Bank(mariadb.url)
    columns = "id binary(16), flag bit(1), many bit(12), yes tinyint(1), amount decimal(18, 2), said json, at datetime, lasted time"
    bank.run("DROP TABLE IF EXISTS every")
    bank.run(f"CREATE TABLE every ({columns}, bytes varbinary(9))")
    bank.run(
        "INSERT INTO every VALUES (UNHEX('00112233445566778899AABBCCDDEEFF'), b'1', b'100000000001', 1, 1234567.89, "
        """'{"a"\\: 1}', '2026-03-03 12:00:00', '01:02:03', '860555111'), """
        "(UNHEX('FF'), NULL, b'0', 0, NULL, NULL, '2026-03-03 12:00:01', NULL, NULL)"
    )
    batch = Sql(url=mariadb.url, table="every", cursor="at").poll(None, NOW, None)
    first, second = batch.table.to_pylist()
    assert first["id"] == "00112233445566778899aabbccddeeff"
    assert (first["flag"], first["many"], first["yes"], second["flag"], second["many"]) == (1, 2049, 1, None, 0)
    assert (first["amount"], first["said"], first["bytes"]) == (Decimal("1234567.89"), '{"a": 1}', "860555111")
    columns_ = {"timestamp": "at", "status": "many", "client_id": "bytes", "error_code": "flag"}
    mapped = Mapping(role="transactions", columns=columns_, status={"ok": ["2049"], "failed": ["0"]}).apply(batch.table)
    assert mapped.rejects == ()
    assert [(r["status"], r["client_id"], r["error_code"]) for r in mapped.table.to_pylist()] == [
        ("ok", "860555111", "1"),
        ("failed", "", ""),
    ]


def test_a_zero_date_is_one_row_that_is_told_and_the_others_go_on(mariadb: MariaDB) -> None:
    bank = Bank(mariadb.url)
    bank.run("DROP TABLE IF EXISTS zeroes")
    bank.run("CREATE TABLE zeroes (id integer, at datetime NOT NULL)")
    bank.run(
        "INSERT INTO zeroes VALUES (1, '0000-00-00 00:00:00'), (2, '2026-03-03 11:59:00'), (3, '2026-03-03 12:00:00')"
    )
    for key in ("id", None):
        reader = Reader(bank, table="zeroes", key=key, batch=1)
        assert reader.drain() == [1, 2, 3]
        reader = Reader(bank, table="zeroes", key=key)
        assert reader.poll(NOW - timedelta(days=5)) == [2, 3]
    batch = Sql(url=mariadb.url, table="zeroes").poll(None, NOW, None)
    mapped = Mapping(role="transactions", columns={"timestamp": "at"}, defaults={"status": "ok"}).apply(batch.table)
    assert mapped.table.num_rows == 2
    assert len(mapped.rejects) == 1


@pytest.mark.parametrize(("zone", "hour"), [("%2B00:00", 17), ("-05:00", 12)])
def test_mysqls_timestamp_is_told_in_the_zone_of_the_session(mariadb: MariaDB, zone: str, hour: int) -> None:
    bank = Bank(mariadb.url)
    bank.run("DROP TABLE IF EXISTS instants")
    bank.run("CREATE TABLE instants (id integer, at timestamp(6) NULL, noted datetime)")
    with bank.engine.begin() as connection:
        connection.exec_driver_sql("SET time_zone = '-05:00'")
        connection.exec_driver_sql("INSERT INTO instants VALUES (1, '2026-03-03 12:00:00.25', '2026-03-03 12:00:00')")
        connection.exec_driver_sql("INSERT INTO instants VALUES (2, '2026-03-03 12:00:00.25', '2026-03-03 12:00:00')")
    bank.url += (
        f"?init_command=SET time_zone='{zone}'".replace(" ", "%20").replace("'", "%27").replace("=%27", "%3D%27")
    )
    reader = Reader(bank, table="instants", batch=1)
    assert reader.poll(now=NOW + timedelta(hours=9)) == [1]
    assert reader.last is not None
    (row,) = reader.last.table.to_pylist()
    assert (row["at"], row["noted"].hour) == (datetime(2026, 3, 3, hour, 0, 0, 250_000), 12)  # noqa: DTZ001 - as it comes
    assert reader.poll(now=NOW + timedelta(hours=9)) == [2]


@pytest.mark.parametrize("batch", [1, 100])
def test_postgresqls_own_columns(postgres: str, batch: int) -> None:
    bank = Bank(postgres)
    bank.run("DROP TABLE IF EXISTS every")
    bank.run("CREATE TABLE every (id uuid, at timestamp, yes boolean, said jsonb, tags text[], bytes bytea)")
    for n in range(3):
        bank.run(
            "INSERT INTO every VALUES (CAST(:id AS uuid), '2026-03-03 12:00', true, CAST(:said AS jsonb), '{a,b}', '\\xff00')",
            id=str(UUID(int=n)),
            said='{"a": 1}' if n else "7",
        )
    reader = Reader(bank, table="every", batch=batch)
    assert reader.drain() == [str(UUID(int=n)) for n in range(3)]
    assert reader.last is not None
    columns = {"timestamp": "at", "status": "yes", "error_code": "bytes", "channel": "tags", "product": "said"}
    mapped = Mapping(role="transactions", columns=columns, status={"ok": ["true"]}).apply(
        Sql(url=postgres, table="every").poll(None, NOW, None).table
    )
    row = mapped.table.to_pylist()[-1]
    assert (row["status"], row["error_code"], row["channel"], row["product"]) == (
        "ok",
        "ff00",
        '["a", "b"]',
        '{"a": 1}',
    )
    assert row["timestamp"] == datetime(2026, 3, 3, 12, tzinfo=UTC)


BEYOND = ["infinity", "-infinity", "20261-01-01", "0044-03-15 BC"]


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
@pytest.mark.parametrize("beyond", BEYOND)
@pytest.mark.parametrize("key", ["id", None])
def test_a_time_that_python_knows_none_of_stops_no_other_row(
    postgres: str, kind: str, beyond: str, key: str | None
) -> None:
    bank = Bank(postgres)
    rows = [{"id": n, "at": when(bank, n), "until": beyond if n == 3 else "2027-01-01"} for n in range(5)]
    make(bank, "far", f"id integer, at timestamptz, until {kind}", *rows)
    reader = Reader(bank, table="far", key=key, batch=2)
    assert sorted(reader.drain()) == list(range(5))
    bank.run(f"UPDATE far SET until = CAST('{beyond}' AS {kind})")
    batch = Sql(url=postgres, query="SELECT '900' AS client_id, 'TR' AS product, until FROM far").poll(None, NOW, None)
    mapped = Mapping(role="holdings").apply(batch.table)
    later = beyond in (BEYOND[0], BEYOND[2])
    assert (mapped.table["until"].to_pylist(), mapped.rejected) == (([None] * 5, 0) if later else ([], 5))


@pytest.mark.parametrize("key", ["id", None])
def test_the_column_that_grows_may_hold_infinity(postgres: str, key: str | None) -> None:
    bank = Bank(postgres)
    times = ["-infinity", "2026-03-03 11:00Z", "2026-03-03 11:30Z", "infinity", "20261-01-01"]
    make(bank, "far", "id integer, at timestamptz", *({"id": n, "at": at} for n, at in enumerate(times)))
    reader = Reader(bank, table="far", key=key, batch=2, overlap=timedelta(days=3) if key else timedelta(0))
    assert reader.drain() == [0, 1, 2]
    assert reader.last is not None
    assert {(one.where.partition(" = ")[0], one.ahead) for one in reader.last.rejects} == {(key or "at", True)}
    bank.run("DELETE FROM far WHERE id IN (1, 2)")
    late = Reader(bank, table="far", key=key, overlap=timedelta(days=3) if key else timedelta(0))
    late.drain()
    bank.run("INSERT INTO far VALUES (9, '2026-03-03 11:45Z')")
    assert late.poll()[-1:] == [9]
    assert late.last is not None
    assert late.last.complete_until == NOW


def test_a_time_of_24_and_an_interval_without_end_are_text(postgres: str) -> None:
    query = "SELECT time '24:00' AS a, timetz '24:00+00' AS b, interval '99999999 years' AS c UNION SELECT '10:00', '10:00+00', '1 s'"
    table = Sql(url=postgres, query=query).poll(None, NOW, None).table
    assert sorted(table["a"].to_pylist()) == ["10:00:00", "24:00:00"]
    assert "24:00:00+00" in table["b"].to_pylist()
    assert "99999999 years" in table["c"].to_pylist()


@pytest.mark.parametrize("key", ["id", None])
def test_a_zero_date_alone_is_no_end_of_reading(mariadb: MariaDB, key: str | None) -> None:
    bank = Bank(mariadb.url)
    make(bank, "zeros", "id integer, at datetime, day date")
    bank.run("INSERT IGNORE INTO zeros VALUES (1, '0000-00-00 00:00:00', '0000-00-00')")
    reader = Reader(bank, table="zeros", key=key, overlap=timedelta(minutes=1) if key else timedelta(0))
    for day in (1, 2, 3):
        reader.poll()
        bank.run("INSERT INTO zeros VALUES (:id, :at, '2026-03-01')", id=day + 1, at=datetime(2026, 3, day))  # noqa: DTZ001
    assert reader.poll()[-1] == 4


@pytest.mark.parametrize("key", ["id", None])
@pytest.mark.parametrize("odd", ["n/a", "", b"\x00\xff", 17, "2026-13-45 99:00:00"])
def test_a_text_among_times_stops_none_that_comes_later(tmp_path: Path, key: str | None, odd: Any) -> None:
    bank = Bank(f"sqlite:///{tmp_path / 'bank.db'}")
    make(
        bank,
        "odd",
        "id integer, at",
        {"id": 1, "at": when(bank, 1)},
        {"id": 2, "at": odd},
        {"id": 3, "at": when(bank, 3)},
    )
    reader = Reader(bank, table="odd", key=key, overlap=timedelta(seconds=1) if key else timedelta(0))
    seen, told = reader.poll(), list(reader.last.rejects if reader.last else ())
    for number in (4, 5):
        bank.run("INSERT INTO odd VALUES (:id, :at)", id=number, at=when(bank, number))
        seen += reader.poll()
        told += reader.last.rejects if reader.last else ()
    assert {1, 3, 4, 5} <= set(seen)
    assert (2 in seen) != bool(told)
    assert len(told) < 2


def test_a_number_that_grows_is_not_stopped_by_a_text(tmp_path: Path) -> None:
    bank = Bank(f"sqlite:///{tmp_path / 'bank.db'}")
    make(bank, "odd", "id integer, at", {"id": 1, "at": 1}, {"id": 2, "at": "x"})
    reader = Reader(bank, table="odd", key="id")
    assert reader.poll() == [1]
    assert reader.last is not None
    assert [(one.where, one.why, one.ahead) for one in reader.last.rejects] == [
        ("id = 2", "at x is of another kind than those before", False)
    ]
    bank.run("INSERT INTO odd VALUES (3, 2.5)")
    assert (reader.poll(), reader.last.rejects) == ([3], ())


def test_bytes_that_are_no_text_stop_no_other_row(tmp_path: Path) -> None:
    bank = Bank(f"sqlite:///{tmp_path / 'bank.db'}")
    bank.run("INSERT INTO orders VALUES (1, '2026-03-03', CAST(X'50F161' AS TEXT), 1), (2, '2026-03-03', 'Ñ', 1)")
    assert Reader(bank).poll() == [1, 2]
    assert Sql(url=bank.url, table="orders").poll(None, NOW, None).table["product"].to_pylist() == ["P\ufffda", "Ñ"]
