"""The simulated bank's database: whole or absent, continued without gap or double, read through the mapping."""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.roles import REQUIRED, ROLES
from monitor.demo import feed
from monitor.demo.failures import first_failure
from monitor.demo.feed import demo_bank, follow, preload
from monitor.demo.profile import STATUSES

NOW = datetime(2026, 3, 11, 8, 0, 12, 345678, tzinfo=UTC)  # three in the morning in Bogota
ROOT = Path(__file__).parents[2]

SOURCES = """
[sources.transacciones]
role     = "transactions"
kind     = "sql"
url      = "sqlite:///var/demo/bank.db"
table    = "transacciones"
cursor   = "id"
columns  = { timestamp = "ocurrio_en", product = "producto", channel = "canal", client_id = "nit", status = "estado", \
error_code = "codigo_error", latency_ms = "latencia_ms", amount = "valor" }
status   = { ok = ["APROBADA"], failed = ["FALLIDA"], rejected = ["RECHAZADA"], reversed = ["REVERSADA"], \
pending = ["EN_PROCESO"] }

[sources.clientes]
role    = "clients"
kind    = "sql"
url     = "sqlite:///var/demo/bank.db"
table   = "clientes"
columns = { client_id = "nit", name = "nombre", segment = "segmento", value_rank = "puesto", \
sensitivity = "sensibilidad", post_sale = "postventa", substitute = "suplente", manager = "gerente", \
group_id = "grupo", sector = "sector" }

[sources.productos_cliente]
role    = "holdings"
kind    = "sql"
url     = "sqlite:///var/demo/bank.db"
table   = "productos_cliente"
columns = { client_id = "nit", product = "producto", channel = "canal", since = "desde" }

[sources.casos]
role    = "cases"
kind    = "sql"
url     = "sqlite:///var/demo/bank.db"
table   = "casos"
cursor  = "id"
columns = { case_id = "id", client_id = "nit", product = "producto", channel = "canal", kind = "tipo", \
status = "estado", opened_at = "abierto_en", reported_at = "reportado_en", updated_at = "actualizado_en", \
subject = "asunto" }
"""


class Clock:
    """A time that moves on by each wait, until `end`."""

    def __init__(self, now: datetime, end: datetime) -> None:
        self.now, self.end = now, end

    def __call__(self) -> datetime:
        return self.now

    def stop(self, seconds: float) -> bool:
        self.now += timedelta(seconds=seconds)
        return self.now > self.end


def asked(path: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def run(path: Path, start: datetime, **lasting: float) -> datetime:
    clock = Clock(start, start + timedelta(**lasting))
    follow(path, clock, clock.stop)
    return clock.end


def expected(start: datetime, end: datetime) -> list[int]:
    return demo_bank().rows(start, end).at.tolist()


def times(path: Path) -> list[int]:
    rows = asked(path, "SELECT ocurrio_en FROM transacciones ORDER BY id")
    return [round(datetime.fromisoformat(at).timestamp() * 1000) for (at,) in rows]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bank.db"


def test_preload_leaves_one_whole_file_that_is_read_while_it_is_written(path: Path) -> None:
    rows = preload(path, NOW, hours=3)
    assert times(path) == expected(NOW - timedelta(hours=3), NOW)
    assert rows == len(times(path)) > 3 * 50 * 60
    assert [file.name for file in path.parent.iterdir()] == ["bank.db"]
    assert asked(path, "PRAGMA journal_mode") == [("wal",)]


def test_follow_after_preload_leaves_no_gap_and_no_double(path: Path) -> None:
    preload(path, NOW, hours=1)
    end = run(path, NOW + timedelta(seconds=3.4), minutes=5)
    assert times(path) == expected(NOW - timedelta(hours=1), end)
    ids = [row[0] for row in asked(path, "SELECT id FROM transacciones ORDER BY id")]
    assert ids == list(range(1, len(ids) + 1))


def test_a_later_run_fills_what_is_missing_and_its_ids_go_on(path: Path) -> None:
    preload(path, NOW, hours=1)
    (before,) = asked(path, "SELECT max(id) FROM transacciones")
    preload(path, NOW + timedelta(minutes=30), hours=1)
    later = NOW + timedelta(minutes=30)
    assert times(path) == expected(later - timedelta(hours=1), later)
    assert asked(path, "SELECT max(id) FROM transacciones")[0] > before
    assert len(asked(path, "SELECT * FROM clientes")) == len(demo_bank().clients)


def test_after_a_long_rest_only_the_last_hours_are_drawn_and_ids_still_go_on(path: Path) -> None:
    preload(path, NOW, hours=1)
    ((last,),) = asked(path, "SELECT max(id) FROM transacciones")
    later = NOW + timedelta(days=9)
    rows = preload(path, later, hours=1)
    assert times(path) == expected(later - timedelta(hours=1), later)
    assert asked(path, "SELECT min(id), max(id) FROM transacciones") == [(last + 1, last + rows)]


def test_a_clock_set_back_writes_nothing_twice(path: Path) -> None:
    preload(path, NOW, hours=1)
    whole = times(path)
    run(path, NOW - timedelta(minutes=2), minutes=2)
    assert times(path) == whole


def test_two_feeds_of_one_file_write_each_second_once(path: Path) -> None:
    preload(path, NOW, hours=1)
    mine = Clock(NOW, NOW + timedelta(seconds=30))

    def stop(seconds: float) -> bool:
        other = Clock(mine.now, mine.now)
        follow(path, other, other.stop)
        return mine.stop(seconds)

    follow(path, mine, stop)
    assert times(path) == expected(NOW - timedelta(hours=1), mine.end)


def test_a_reader_in_the_middle_of_a_query_neither_blocks_nor_is_blocked(path: Path) -> None:
    preload(path, NOW, hours=1)
    with closing(sqlite3.connect(path, timeout=0)) as reader:
        rows = reader.execute("SELECT id FROM transacciones ORDER BY id")
        first = rows.fetchone()
        run(path, NOW, minutes=1)
        seen = [first, *rows]
    assert len(seen) == len(expected(NOW - timedelta(hours=1), NOW)) < len(times(path))


@pytest.mark.parametrize("before", [[], [NOW]], ids=["no file", "a file"])
def test_a_preload_that_dies_leaves_what_there_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, before: list[datetime]
) -> None:
    for moment in before:
        preload(path, moment, hours=1)
    there = times(path) if before else None
    with monkeypatch.context() as patch:
        patch.setattr(feed, "_as_written", lambda *_: iter([("2026",)]))  # one row, and not even a whole one
        with pytest.raises(sqlite3.Error):
            preload(path, NOW + timedelta(minutes=10), hours=1)
    assert (times(path) if path.exists() else None) == there
    path.with_name("bank.db.new").write_text("half a file")
    path.with_name("bank.db.new-journal").write_text("its journal")
    preload(path, NOW + timedelta(minutes=10), hours=1)
    assert times(path) == expected(NOW - timedelta(minutes=50), NOW + timedelta(minutes=10))


def test_at_three_in_the_morning_the_first_failure_shows_within_two_minutes(path: Path) -> None:
    preload(path, NOW, hours=1)
    run(path, NOW, minutes=12)
    pair = "producto = 'pagos' AND canal = 'conexion_directa'"
    rows = asked(path, f"SELECT ocurrio_en, estado, codigo_error FROM transacciones WHERE {pair}")
    start = first_failure(NOW)
    end = start + timedelta(minutes=8)
    inside = [estado for at, estado, _ in rows if start <= datetime.fromisoformat(at) < end]
    outside = [estado for at, estado, _ in rows if not start <= datetime.fromisoformat(at) < end]
    assert len(inside) > 8 * 10
    assert 0.6 < inside.count("FALLIDA") / len(inside) < 0.8
    assert outside.count("FALLIDA") / len(outside) < 0.02
    assert len([code for at, _, code in rows if code == "E504" and datetime.fromisoformat(at) < start]) == 0
    assert {estado for _, estado, code in rows if code == "E504"} == {"FALLIDA"}


def bare(nit: str) -> str:
    return nit.replace(".", "").partition("-")[0]


def calls(path: Path) -> dict[str, tuple[datetime, datetime]]:
    """Reported and opened by client: one case each in the first failure."""
    rows = asked(path, "SELECT nit, reportado_en, abierto_en FROM casos WHERE producto = 'pagos' ORDER BY id")
    found = {bare(nit): (datetime.fromisoformat(told), datetime.fromisoformat(opened)) for nit, told, opened in rows}
    assert len(found) == len(rows)
    return found


def test_some_of_those_who_failed_call_minutes_later_and_the_largest_at_once(path: Path) -> None:
    preload(path, NOW, hours=1)
    assert calls(path) == {}
    run(path, NOW, minutes=15)
    start = first_failure(NOW)
    rows = asked(path, "SELECT nit, ocurrio_en FROM transacciones WHERE codigo_error = 'E504' ORDER BY id DESC")
    first = {bare(nit): datetime.fromisoformat(at) for nit, at in rows}
    soon = {nit for nit, at in first.items() if at < start + timedelta(seconds=20)}
    largest = [client.nit for client in demo_bank().clients if client.nit in soon][:2]
    called = calls(path)
    assert set(called) <= set(first)
    assert set(largest) <= set(called)
    assert 0.15 * len(first) < len(called) - 2 < 0.55 * len(first)
    for nit, (told, opened) in called.items():
        waited = (opened - first[nit]).total_seconds()
        assert 60 <= waited <= 90 if nit in largest else 120 <= waited <= 540
        assert timedelta(seconds=20) <= opened - told <= timedelta(seconds=30)
        assert told > first[nit]
    told, _ = called[largest[0]]
    assert told < start + timedelta(minutes=1, seconds=30)  # two bad minutes are not over yet
    found = asked(path, "SELECT DISTINCT producto, canal, tipo, estado FROM casos WHERE producto = 'pagos'")
    assert found == [("pagos", "conexion_directa", "soporte", "abierto")]


def test_a_case_is_written_when_its_time_has_come_and_only_then(path: Path) -> None:
    preload(path, NOW, hours=1)
    clock = Clock(NOW, NOW + timedelta(minutes=6))
    seen: list[int] = []

    def stop(seconds: float) -> bool:
        opened = [at for _, at in calls(path).values()]
        assert all(at < clock.now for at in opened)
        seen.append(len(opened))
        return clock.stop(seconds)

    follow(path, clock, stop)
    assert (seen[0], sorted(set(seen))) == (0, list(range(seen[-1] + 1)))


def test_cases_are_the_same_by_the_second_and_at_once_and_go_on_once_after_a_restart(path: Path) -> None:
    preload(path, NOW, hours=1)
    by_second = path.with_name("seconds.db")
    shutil.copy(path, by_second)
    run(by_second, NOW, minutes=10)
    moments = iter([NOW, NOW + timedelta(minutes=10)])
    turns = iter([False, True])
    follow(path, lambda: next(moments), lambda _seconds: next(turns))
    whole = "SELECT nit, abierto_en, reportado_en FROM casos ORDER BY abierto_en"
    assert asked(path, whole) == asked(by_second, whole) != []
    before = asked(path, "SELECT * FROM casos ORDER BY id")
    later = NOW + timedelta(minutes=10)
    preload(path, later, hours=1)
    run(path, later, minutes=6)
    after = asked(path, "SELECT * FROM casos ORDER BY id")
    assert after[: len(before)] == before
    assert len({(nit, opened) for _, nit, _, _, _, _, opened, *_ in after}) == len(after) > len(before)


def test_a_file_of_an_earlier_version_gets_its_table_of_cases(path: Path) -> None:
    preload(path, NOW, hours=1)
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE casos")
    preload(path, NOW + timedelta(minutes=1), hours=1)
    run(path, NOW + timedelta(minutes=1), minutes=4)
    assert calls(path)


def test_nits_are_written_in_three_forms_of_known_clients(path: Path) -> None:
    preload(path, NOW, hours=1)
    known = {nit for (nit,) in asked(path, "SELECT nit FROM clientes")}
    seen = [nit for (nit,) in asked(path, "SELECT nit FROM transacciones")]
    assert {nit.replace(".", "").partition("-")[0] for nit in seen} <= known
    assert min(sum("." in n for n in seen), sum(n.isdigit() for n in seen)) > len(seen) / 4
    assert sum("-" in nit and "." not in nit for nit in seen) > len(seen) / 4


def test_the_shipped_sources_name_columns_and_statuses_that_exist(path: Path) -> None:
    preload(path, NOW, hours=1)
    sources = tomllib.loads(SOURCES)["sources"]
    for source in sources.values():
        theirs = {row[1] for row in asked(path, f"PRAGMA table_info({source['table']})")}
        assert set(source["columns"].values()) <= theirs
        assert set(REQUIRED[source["role"]]) <= set(source["columns"]) <= set(ROLES[source["role"]].names)
    named = [word for words in sources["transacciones"]["status"].values() for word in words]
    assert sorted(named) == sorted(STATUSES)


def test_the_command_says_one_line_and_ends_when_told(path: Path) -> None:
    command = [sys.executable, "-m", "monitor.demo", "--database", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as bank:
        line = bank.stdout.readline()
        bank.send_signal(signal.SIGINT)
        bank.send_signal(signal.SIGTERM)
        rest, errors = bank.communicate(timeout=120)
    assert (bank.returncode, rest, errors) == (0, "", "")
    said = re.fullmatch(r"simulated bank: (\d+) transactions up to now in .*bank\.db, [\d.]+ s\n", line)
    assert 100_000 < int(said[1]) <= len(times(path))


def test_the_command_ends_with_its_parent(path: Path) -> None:
    parent = f"""
import subprocess, sys
bank = subprocess.Popen([sys.executable, "-m", "monitor.demo", "--database", {str(path)!r}], stdout=subprocess.PIPE)
bank.stdout.readline()
"""
    # The bank inherits this stderr: it reads as ended only once the bank is gone too.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", parent], cwd=ROOT, stderr=subprocess.PIPE, timeout=180, check=True
    )
    assert done.stderr == b""


def test_a_file_that_is_no_database_is_told_in_one_line(path: Path) -> None:
    path.write_text("nothing of the kind, and long enough to be looked at as a database header would be")
    command = [sys.executable, "-m", "monitor.demo", "--database", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{path}: file is not a database; remove the file to begin afresh\n"
