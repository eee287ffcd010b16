"""A place of reading that belongs to an older configuration is not gone on from, and nothing counts twice by it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from connectors import SourceError
from monitor.anew import FROM, defines, taken_up
from monitor.config import read_config
from monitor.faults import ConfigError
from monitor.intake import Intake
from tests.characters import at
from tests.monitor.test_service import Bank

HEAD = """
[monitor]
database = "sqlite:///vigia.db"
rules = ["rules.toml"]

[sources.s]
role = "ROLE"
kind = "sql"
url = "sqlite:///crm.db"
table = "t"
"""
CASES = HEAD.replace("ROLE", "cases") + 'columns = { case_id = "id", opened_at = "at", client_id = "client" }\n'
PAID = HEAD.replace("ROLE", "transactions") + 'columns = { timestamp = "at", client_id = "client" }\n'
FORMS = {
    "whole": "",
    "by time": 'cursor = "at"\n',
    "keyed": 'cursor = "at"\nkey = "id"\n',
    "by id": 'cursor = "id"\nkey = "id"\n',
}


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    bank = Bank(tmp_path, at("12:00:10"))
    with closing(sqlite3.connect(tmp_path / "crm.db")) as db:
        db.execute("CREATE TABLE t (id INTEGER, at TEXT, client TEXT, status TEXT)")
        times = [at("11:00") + timedelta(seconds=36 * n) for n in range(100)]
        db.executemany(
            "INSERT INTO t VALUES (?, ?, '900123456', 'ok')", [(n, t.isoformat()) for n, t in enumerate(times)]
        )
        db.commit()
    yield bank
    for service in bank.services:
        service.store.close()


def intake(bank: Bank, text: str, *committed: Any) -> Intake:
    (bank.folder / "config.toml").write_text(text)
    return Intake(read_config(bank.folder / "config.toml").sources["s"], *committed)


@pytest.mark.parametrize(("before", "after"), list(permutations(FORMS, 2)))
def test_cases_are_all_read_again_by_another_order(bank: Bank, before: str, after: str) -> None:
    cursor = intake(bank, CASES + FORMS[before]).poll(bank.now).cursor
    assert intake(bank, CASES + FORMS[after], cursor).poll(bank.now).table.num_rows == 100


@pytest.mark.parametrize("form", FORMS)
def test_the_same_reading_goes_on_whatever_its_names_and_its_pace(bank: Bank, form: str) -> None:
    cursor = intake(bank, CASES + FORMS[form]).poll(bank.now).cursor
    other = CASES.replace('client_id = "client"', 'client_id = "client", level = "status"')
    assert intake(bank, other + 'batch = 70\ntimeout = "9s"\n' + FORMS[form], cursor).poll(bank.now).table.num_rows == 0


def test_operations_of_another_order_count_once(bank: Bank) -> None:
    (bank.folder / "config.toml").write_text(PAID + FORMS["by id"])
    bank.start().cycle()
    (bank.folder / "config.toml").write_text(PAID + FORMS["keyed"])
    with closing(sqlite3.connect(bank.folder / "crm.db")) as db:
        db.execute("INSERT INTO t VALUES (200, ?, '900123456', 'ok')", [at("12:00:30").isoformat()])
        db.commit()
    service = bank.start()
    assert [bank.cycle(clock) for clock in ("12:01:10", "12:02:10")] == [True, True]
    counted = [table for kind, _, table in service.store.counted() if kind == "cells"]
    assert sum(pc.sum(table["n"]).as_py() for table in counted) == 101


@pytest.mark.parametrize(("key", "again"), [("num", 41), ("id", 49)])
def test_operations_whose_first_reading_was_not_at_its_end_count_once(bank: Bank, key: str, again: int) -> None:
    """By the newest of them; those of the five minutes before are taken again where an id tells that they are the same."""
    with closing(sqlite3.connect(bank.folder / "crm.db")) as db:
        db.execute(f"CREATE VIEW v AS SELECT id AS {key}, at, client, status FROM t")
    paid = PAID.replace('"t"', '"v"')
    first = intake(bank, paid + f'cursor = "{key}"\nkey = "{key}"\nbatch = 60\n').poll(bank.now)
    second = intake(bank, paid + f'cursor = "at"\nkey = "{key}"\n', first.cursor, None).poll(bank.now)
    assert (first.table.num_rows, second.table.num_rows) == (60, again)


def test_rows_that_bear_an_id_are_taken_once_more_and_known_again(bank: Bank) -> None:
    """A group that the database counts may begin before and grow after."""
    named = PAID.replace('timestamp = "at"', 'timestamp = "at", id = "id"')
    (bank.folder / "config.toml").write_text(named + FORMS["by id"])
    bank.start().cycle()
    (bank.folder / "config.toml").write_text(named + FORMS["keyed"])
    service = bank.start()
    assert bank.cycle("12:01:10") is True
    assert 'vigia_source_repeated_rows_total{source="s"} 8.0' in service.metrics.exposition().decode()
    counted = [table for kind, _, table in service.store.counted() if kind == "cells"]
    assert sum(pc.sum(table["n"]).as_py() for table in counted) == 100


@pytest.mark.parametrize("rows", ["http", "prometheus"])
def test_a_cursor_of_another_kind_is_not_gone_on_from(bank: Bank, rows: str) -> None:
    cursor = intake(bank, CASES + FORMS["keyed"]).poll(bank.now).cursor
    assert cursor["at"]
    own, beside = taken_up("s", cursor, defines(rows, {"url": "https://bank.example"}), None)
    assert (own, FROM in beside) == (None, False)


def test_a_cursor_without_a_digest_is_taken_for_ours(bank: Bank) -> None:
    cursor = {k: v for k, v in intake(bank, CASES + FORMS["keyed"]).poll(bank.now).cursor.items() if k[0] != "_"}
    assert intake(bank, CASES + FORMS["keyed"], cursor).poll(bank.now).table.num_rows == 0


def test_secrets_and_log_ins_are_no_part_of_what_is_read() -> None:
    sql = {"url": "postgresql://user:old@bank.example/x?sslmode=require", "table": "t"}
    assert defines("sql", sql) == defines("sql", sql | {"url": "postgresql://u2:new@bank.example/x", "password": "y"})
    assert defines("sql", sql) != defines("sql", sql | {"url": "postgresql://user:old@bank.example/y"})
    assert defines("sql", sql) != defines("http", sql)
    assert defines("sql", {"query": "SELECT  a\nFROM t"}) == defines("sql", {"query": "SELECT a FROM t"})


HTTP = {"url": "https://bank.example/ops", "since": "desde", "cursor": "ts", "params": {"tipo": "A", "top": "5"}}


@pytest.mark.parametrize(
    "other",
    [
        {"url": "https://bank.example/ops?tabla=b"},
        {"params": {"tipo": "B", "top": "5"}},
        {"params": {"tipo": "A"}},
        {"params": {}},
        {"rows": "dos"},
    ],
)
def test_what_an_api_is_asked_for_is_what_is_read(other: dict[str, Any]) -> None:
    assert defines("http", HTTP) != defines("http", HTTP | other)


@pytest.mark.parametrize(
    "same",
    [
        {"url": "https://user:new@bank.example/ops?api_key=new&sig=new"},
        {"params": {"top": 5, "tipo": "A", "X-Api-Key": "new", "token": "new", "clave": "new"}},
        {"rows": "", "token": "new", "page_size": 7},
    ],
)
def test_by_which_key_it_is_asked_is_not(same: dict[str, Any]) -> None:
    assert defines("http", HTTP) == defines("http", HTTP | same)


def test_without_what_is_new_here_the_digest_is_as_it_was() -> None:
    """Else each source would be read anew by a new version."""
    assert defines("sql", {"url": "postgresql://u:p@bank.example/x", "table": "t"}) == "1a831a4c5c09beb9"
    assert defines("http", {"url": "https://bank.example/ops", "since": "desde", "cursor": "ts"}) == "bf8f2ab255983538"


def test_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert taken_up("pagos", {"at": 1, "_reads": "a"}, "b", at("12:00"))[1][FROM] == at("12:00").isoformat()
    assert "source=pagos" in capsys.readouterr().out


def test_an_overlap_without_an_id_is_a_fault(bank: Bank) -> None:
    (bank.folder / "config.toml").write_text(PAID + 'cursor = "at"\nkey = "num"\noverlap = "5m"\n')
    with pytest.raises(ConfigError, match=r"sources\.s\.columns\.id"):
        read_config(bank.folder / "config.toml")


def test_operations_that_are_all_read_at_each_change_need_an_id(bank: Bank) -> None:
    nameless = PAID.replace('table = "t"', 'query = "SELECT at, client, status FROM t"')
    with pytest.raises(SourceError, match="cursor is missing, and rows have no id") as error:
        intake(bank, nameless).poll(bank.now)
    assert error.value.permanent
    assert intake(bank, PAID).poll(bank.now).table.num_rows == 100


def test_other_topics_are_another_reading_and_their_order_and_the_brokers_are_not() -> None:
    kafka: dict[str, Any] = {
        "servers": "b1:9092,b2:9092",
        "topics": ["pagos", "recaudos"],
        "password": "x",
        "batch": 10,
    }
    same = kafka | {"servers": "b3:9092", "topics": ["recaudos", "pagos"], "password": "y", "batch": 20}
    assert defines("kafka", kafka) == defines("kafka", same)
    assert defines("kafka", kafka) != defines("kafka", kafka | {"topics": ["pagos"]})
    cursor = {"offsets": {"pagos": {"0": 7}}, "_reads": defines("kafka", kafka)}
    own, beside = taken_up("s", cursor, defines("kafka", kafka | {"topics": ["pagos"]}), at("12:00"))
    assert (own, beside[FROM]) == (None, at("12:00").isoformat())
