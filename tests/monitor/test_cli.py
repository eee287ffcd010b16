"""The command line as a process: quick where it can be, exit codes, errors in one line each, never a traceback."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from monitor.cli import whoami

HEAVY = ("river", "duckdb", "sqlalchemy", "pyarrow", "numpy", "pydantic", "fastapi", "apscheduler", "requests", "scipy")
CONFIG = '[sources.core]\nrole = "transactions"\nkind = "file"\npath = "rows.csv"\n'
DONE, FAILED, USAGE = 0, 1, 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "rows.csv").write_text("timestamp,status\n2026-03-03T10:00:00Z,ok\n")
    (tmp_path / "series.csv").write_text("timestamp,value\n2026-03-03T10:00:00Z,1\n")
    return tmp_path


def vigia(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200"}
    start = [sys.executable, "-W", "error", "-m", "monitor"]
    return subprocess.run([*start, *words], cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_help_costs_nothing(folder: Path) -> None:
    look = f"import sys, monitor.__main__; print([name for name in {HEAVY} if name in sys.modules])"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    loaded = subprocess.run([sys.executable, "-c", look], env=env, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
    helped = vigia(folder, "--help")
    assert helped.returncode == DONE
    commands = ("run", "once", "check", "backtest", "score", "rules", "incidents", "cases", "client", "clients")
    commands += ("causes", "sla", "leads", "rests", "alerts", "guides", "search", "silence", "maintenance", "handover")
    for command in (*commands, "audit", "reads"):
        assert f"\n  {command} " in helped.stdout


def test_state_is_read_without_what_judges(folder: Path) -> None:
    heavy = ("river", "duckdb", "fastapi", "apscheduler", "alembic")
    look = f"import sys, monitor.casework, monitor.portrait; print([n for n in {heavy} if n in sys.modules])"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    loaded = subprocess.run(
        [sys.executable, "-c", look], cwd=folder, env=env, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("check", "config.toml: 1 sources, "),
        ("check --connect", "source core: 1 file, the last rows.csv: timestamp, status"),
        ("rules list", "fallas_altas  limit  by product, channel  5m  critical"),
        ("once", ""),
        ("score series.csv", "timestamp,value,score,expected,lower,upper,breach\n2026-03-03T10:00:00Z,1,,,,,0\n"),
    ],
)
def test_done(folder: Path, words: str, told: str) -> None:
    found = vigia(folder, *words.split())
    assert found.returncode == DONE, found.stderr
    assert told in found.stdout
    assert "Traceback" not in found.stderr


def test_people_look_once_there_is_a_state(folder: Path) -> None:
    assert vigia(folder, "once").returncode == DONE
    listed = vigia(folder, "incidents", "list", "--json")
    assert (listed.returncode, json.loads(listed.stdout), listed.stderr) == (DONE, [], "")
    assert vigia(folder, "incidents", "list").stdout == "No hay afectaciones.\n"
    assert json.loads(vigia(folder, "causes", "--since", "2026-03-01", "--json").stdout)["causes"] == []
    assert "No hay casos." in vigia(folder, "sla").stdout
    assert json.loads(vigia(folder, "rests", "--json").stdout) == {"declared": [], "suggested": []}
    assert json.loads(vigia(folder, "cases", "list", "--at-risk", "--json").stdout) == []


def test_a_client_is_shown_and_who_looked_is_kept(folder: Path) -> None:
    people = '[sources.people]\nrole = "clients"\nkind = "file"\npath = "people.csv"\n'
    (folder / "config.toml").write_text(CONFIG + people)
    (folder / "people.csv").write_text("client_id,name\n900123456,Aceros del Istmo\n")
    assert vigia(folder, "once").returncode == DONE
    shown = vigia(folder, "client", "900.123.456-8")
    assert (shown.returncode, shown.stderr) == (DONE, "")
    assert shown.stdout.startswith("Aceros del Istmo  NIT 900.123.456\n  Estado:     Sin datos\n")
    found = json.loads(vigia(folder, "client", "900123456", "--json").stdout)
    assert (found["name"], found["state"], found["history"]) == ("Aceros del Istmo", "sin datos", [])
    unknown = vigia(folder, "client", "811222333")
    assert (unknown.returncode, unknown.stderr) == (FAILED, "no se conoce un cliente con NIT «811222333»\n")
    with closing(sqlite3.connect(folder / "var" / "vigia.db")) as state:
        kept = state.execute("SELECT who, client_id, door FROM reads").fetchall()
    assert kept == [(whoami(), "900123456", "cli")] * 2
    assert (vigia(folder, "clients").stdout, vigia(folder, "clients", "--json").stdout) == ("Ninguno.\n", "[]\n")
    assert vigia(folder, "clients", "--crossed").stdout == "Ninguno.\n"


def test_rules_as_json_are_plain(folder: Path) -> None:
    rules = json.loads(vigia(folder, "rules", "list", "--json").stdout)
    (found,) = [rule for rule in rules if rule["name"] == "fallas_altas"]
    assert (found["by"], found["window_minutes"], found["for_seconds"]) == (["product", "channel"], 5, 120)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("check --config nothing.toml", "nothing.toml: no such file"),
        ("check --config .", ".: cannot be read: Is a directory"),
        ("check --config ~/nothing.toml", "~/nothing.toml: no such file"),
        ("demo month --out .", ".: is not empty: choose another folder"),
        ("run --config nothing.toml", "nothing.toml: no such file"),
        ("once --config nothing.toml", "nothing.toml: no such file"),
        ("rules list --config nothing.toml", "nothing.toml: no such file"),
        ("backtest --out out --config nothing.toml", "nothing.toml: no such file"),
        ("incidents list", "there is no state in sqlite:////"),
        ("incidents show AF-1", "there is no state in sqlite:////"),
        ("incidents ack AF-1 --who ana", "there is no state in sqlite:////"),
        ("incidents resolve AF-1 --who ana", "there is no state in sqlite:////"),
        ("cases list", "there is no state in sqlite:////"),
        ("causes", "there is no state in sqlite:////"),
        ("sla", "there is no state in sqlite:////"),
        ("client 900123456", "there is no state in sqlite:////"),
        ("clients --crossed", "there is no state in sqlite:////"),
        ("score nothing.csv", "nothing.csv: cannot be read: No such file or directory"),
        ("score series.csv --detector nothing", "no detector kind 'nothing', only "),
        ("score series.csv --timezone Nowhere", "unknown time zone 'Nowhere'"),
        ("score series.csv --out no/such/folder.csv", "no/such/folder.csv: cannot be written: No such file"),
        ("backtest --out out --labels nothing.csv", "nothing.csv: cannot be read: No such file or directory"),
        ("backtest --out rows.csv", "rows.csv: File exists"),
    ],
)
def test_what_could_not_be_done_is_one_line(folder: Path, words: str, told: str) -> None:
    found = vigia(folder, *words.split())
    assert (found.returncode, found.stdout) == (FAILED, "")
    (line,) = found.stderr.splitlines()
    assert line.startswith(told)
    assert not (folder / "var").exists()


def test_a_configuration_at_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert vigia(folder, "check", "--config", "~/config.toml").returncode == DONE


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--nothing", "No such option: --nothing"),
        ("nothing", "No such command 'nothing'"),
        ("check --connect=maybe", "does not take a value"),
        ("score", "Missing argument 'IN.csv'"),
        ("backtest", "Missing option '--out'"),
        ("backtest --out out --from yesterday", "'yesterday' is not a time: write it as 2026-03-03"),
        ("backtest --out out --from 2026-03-05 --until 2026-03-01", "must be later than --from"),
        ("backtest --out out --until 9999-12-31T23:59:59-05:00", "is not a time"),
        ("causes --since 2026-03-05 --until 2026-03-01", "must be later than --since"),
        ("causes --by money", "must be one of failures, incidents, clients, minutes"),
        ("incidents list --state gone", "must be one of open, firing, resolved, merged, all"),
        ("incidents note AF-1", "Missing argument 'text'"),
        ("", "Usage: vigia"),
        ("incidents", "Usage: vigia incidents"),
    ],
)
def test_wrong_usage(folder: Path, words: str, told: str) -> None:
    found = vigia(folder, *words.split())
    assert found.returncode == USAGE
    assert told in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("words", ["incidents list", "incidents ack AF-1 --who ana", "cases list", "once", "run"])
def test_a_state_that_is_none_is_told_in_one_line(folder: Path, words: str) -> None:
    (folder / "notes.db").write_text("these are not the tables you are looking for" * 50)
    (folder / "config.toml").write_text(f'[monitor]\ndatabase = "sqlite:///notes.db"\n{CONFIG}')
    found = vigia(folder, *words.split())
    assert (found.returncode, found.stdout) == (FAILED, "")
    (line,) = found.stderr.splitlines()
    assert line.endswith("notes.db: file is not a database")


def test_a_source_that_cannot_be_used_is_told_with_the_others(folder: Path) -> None:
    (folder / "config.toml").write_text(CONFIG + CONFIG.replace("core", "away").replace("rows.csv", "away.csv"))
    found = vigia(folder, "check", "--connect")
    assert found.returncode == FAILED
    assert "source core: 1 file" in found.stdout
    line, last = found.stderr.splitlines()
    assert line.startswith("source away: fails (unreachable): ")
    assert "there is no such file" in line
    assert last == "1 of 4 cannot be used"
