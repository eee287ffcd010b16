"""Pages of which half cannot be used: what can be is used, the reading moves on, and what is not known is no zero."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.compute as pc
import pytest

from monitor.windows import minute_of
from tests.characters import at
from tests.monitor.test_service import CONFIG, Bank

CASES = """
[sources.tool]
role = "cases"
kind = "sql"
url = "sqlite:///crm.db"
table = "t"
cursor = "id"
key = "id"
batch = 40
columns = { case_id = "id", opened_at = "at", client_id = "client" }
"""
AHEAD = CASES.replace('cursor = "id"', 'cursor = "at"')
PAID = """
[monitor]
database = "sqlite:///vigia.db"
rules = ["rules.toml"]

[sources.s]
role = "transactions"
kind = "sql"
url = "sqlite:///crm.db"
table = "t"
cursor = "id"
key = "id"
batch = 40
columns = { timestamp = "at", client_id = "client", amount = "amount", id = "id" }
"""


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "crm.db")) as db:
        db.execute("CREATE TABLE t (id INTEGER, at TEXT, client TEXT, status TEXT, amount TEXT)")
        yield db


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    bank = Bank(tmp_path, at("12:00:10"))
    yield bank
    for service in bank.services:
        service.store.close()


def write(db: sqlite3.Connection, *rows: tuple[int, datetime | None, str]) -> None:
    """Rows by their id, time and amount."""
    db.executemany(
        "INSERT INTO t VALUES (?, ?, '900123456', 'ok', ?)", [(n, t.isoformat() if t else "", a) for n, t, a in rows]
    )
    db.commit()


def test_the_good_cases_of_a_page_and_of_those_after_it_are_known(bank: Bank, tool: sqlite3.Connection) -> None:
    (bank.folder / "config.toml").write_text(CONFIG + CASES)
    write(tool, *((n, None if n < 25 else at("11:00") + timedelta(seconds=n), "1") for n in range(100)))
    bank.pay("11:00", "12:00")
    service = bank.start()
    service.cycle()
    assert len(bank.store.their_cases()) == 75
    assert "tool" not in service.errors


def test_a_list_of_which_nothing_can_be_used_is_down_after_a_restart_too(bank: Bank, tool: sqlite3.Connection) -> None:
    (bank.folder / "config.toml").write_text(CONFIG + CASES)
    write(tool, (1, None, "1"))
    bank.pay("11:00", "12:00")
    bank.start().cycle()
    service = bank.start()
    assert bank.cycle("12:01:10") is False
    assert "none of 1 rows could be used" in service.errors["tool"]
    write(tool, (2, at("12:01"), "1"))
    assert bank.cycle("12:02:10") is True


def test_a_row_of_tomorrow_makes_nothing_down(bank: Bank, tool: sqlite3.Connection) -> None:
    (bank.folder / "config.toml").write_text(CONFIG + AHEAD)
    write(tool, (1, at("11:00"), "1"))
    bank.pay("11:00", "12:00")
    service = bank.start()
    service.cycle()
    write(tool, (2, at("12:00") + timedelta(days=1), "1"))
    assert [bank.cycle(clock) for clock in ("12:01:10", "12:02:10")] == [True, True]
    assert 'vigia_source_rejected_rows_total{source="tool"} 1.0' in service.metrics.exposition().decode()


def test_history_of_half_a_page_counts_and_the_rest_of_its_time_is_unknown(
    bank: Bank, tool: sqlite3.Connection
) -> None:
    (bank.folder / "config.toml").write_text(PAID)
    times = [at("10:00") + timedelta(seconds=18 * n) for n in range(400)]
    write(tool, *((n, time, "n/d" if 100 <= n < 125 else "1") for n, time in enumerate(times)))
    service = bank.start()
    service.cycle()
    assert bank.cycle("12:01:10") is True
    counted = [table for kind, _, table in service.store.counted() if kind == "cells"]
    assert sum(pc.sum(table["n"]).as_py() for table in counted) == 375
    ((source, start, stop),) = service.store.gaps()
    assert source == "s"
    assert start <= minute_of(times[100])
    assert stop > minute_of(times[124])
    assert stop - start < 20


def test_live_rows_of_half_a_page_count_and_its_minutes_are_unknown(bank: Bank, tool: sqlite3.Connection) -> None:
    (bank.folder / "config.toml").write_text(PAID)
    write(tool, *((n, at("11:00") + timedelta(seconds=36 * n), "1") for n in range(100)))
    service = bank.start()
    service.cycle()
    write(tool, *((n, at("12:00") + timedelta(seconds=n - 70), "n/d" if n % 2 else "1") for n in range(100, 130)))
    assert bank.cycle("12:01:10") is False
    assert service.judge.sources["s"].down
    service = bank.start()  # what was found unknown is so after a restart
    assert bank.cycle("12:02:10") is True
    counted = [table for kind, _, table in service.store.counted() if kind == "cells"]
    assert sum(pc.sum(table["n"]).as_py() for table in counted) == 115
    ((_, start, stop),) = service.store.gaps()
    assert (start, stop) == (minute_of(at("12:00")), minute_of(at("12:02")))


def test_a_row_that_is_read_again_alone_makes_nothing_down(bank: Bank, tool: sqlite3.Connection) -> None:
    """The newest cannot be used, and an overlap brings it at each poll; a new one that cannot be used is told."""
    (bank.folder / "config.toml").write_text(PAID.replace('cursor = "id"', 'cursor = "at"\noverlap = "1m"'))
    write(tool, *((n, at("11:20") + timedelta(seconds=n), "1") for n in range(30)), (40, at("11:31"), "n/d"))
    service = bank.start()
    service.cycle()
    assert [bank.cycle(clock) for clock in ("12:01:10", "12:02:10")] == [True, True]
    bank.start()
    assert bank.cycle("12:03:10") is True
    write(tool, (41, at("11:31:01"), "n/d"))
    assert bank.cycle("12:04:10") is False
    assert "none of 2 rows could be used" in bank.services[-1].errors["s"]


def test_where_nothing_else_came_what_could_not_be_used_before_keeps_it_down(
    bank: Bank, tool: sqlite3.Connection
) -> None:
    (bank.folder / "config.toml").write_text(PAID.replace('cursor = "id"', 'cursor = "at"\noverlap = "1m"'))
    write(tool, (40, at("11:31"), "n/d"))
    service = bank.start()
    assert [service.cycle(), bank.cycle("12:01:10"), bank.cycle("12:02:10")] == [False] * 3


FILE = """
[monitor]
database = "sqlite:///vigia.db"
rules = ["rules.toml"]
timezone = "America/Bogota"

[sources.s]
role = "transactions"
kind = "file"
path = "s.csv"
"""


def test_where_all_rows_lie_ahead_of_now_nothing_is_known_and_the_time_zone_is_asked_about(bank: Bank) -> None:
    """Times of UTC without an offset, read as of here; a few at each poll."""
    (bank.folder / "config.toml").write_text(FILE)
    path = bank.folder / "s.csv"
    path.write_text(f"timestamp,status\n{at('11:00').isoformat()},ok\n")
    service = bank.start()
    service.cycle()
    well = []
    for minute in range(1, 8):
        when = at("12:00:10") + timedelta(minutes=minute)
        with path.open("a") as out:
            out.write(f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S},failed\n" * 5 * (minute < 6))
        well.append(bank.cycle(f"12:0{minute}:10"))
    assert well == [True] * 3 + [False] * 4
    assert service.errors["s"].endswith("all lie ahead of now; is its timezone right, and are the clocks?")
    service = bank.start()
    assert bank.cycle("12:08:10") is False
    with path.open("a") as out:
        out.write(f"{at('12:08').isoformat()},ok\n")
    assert bank.cycle("12:09:10") is True


def test_who_a_client_is_stands_in_no_log(
    bank: Bank, tool: sqlite3.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither by a file's row nor by a database's, whose key it is."""
    block = '[sources.clientes]\nrole = "clients"\nkind = "sql"\nurl = "sqlite:///crm.db"\ntable = "t"\ncursor = "id"\n'
    block += 'key = "client"\ncolumns = { client_id = "client", value_rank = "amount" }\n'
    (bank.folder / "config.toml").write_text(CONFIG + block)
    write(tool, (1, at("11:00"), "high"))
    bank.pay("11:00", "12:00")
    service = bank.start()
    assert service.cycle() is False
    assert "value_rank (amount) 'high' is not a whole number" in service.errors["clientes"]
    assert "900123456" not in service.errors["clientes"] + capsys.readouterr().out


@pytest.mark.parametrize("restart", [False, True])
def test_a_page_of_no_use_in_the_first_reading_is_unknown_after_a_restart_too(
    bank: Bank,
    tool: sqlite3.Connection,
    restart: bool,  # noqa: FBT001 - a case
) -> None:
    (bank.folder / "config.toml").write_text(PAID)
    times = [at("10:00") + timedelta(seconds=18 * n) for n in range(400)]
    write(tool, *((n, time, "n/d" if 80 <= n < 120 else "1") for n, time in enumerate(times)))
    service = bank.start()
    for _ in range(3):  # the third is of no use
        service._step([service._poll(service._intakes["s"])])
    if restart:
        service.store.close()
        service = bank.start()
    service.cycle()
    assert service.store.gaps() == [("s", minute_of(times[79]), minute_of(times[120]) + 1)]
