"""`vigia check --connect` reads a source's first rows as the daemon would; a range without rows is said."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from tests.fake_api import FakeApi

GOOD = "2026-03-03T10:00:00Z,ok\n" * 3
ROOT = Path(__file__).parents[2]


def vigia(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monitor", *arguments, "--config", str(folder / "config.toml")]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def written(folder: Path, mapping: str, rows: str = "2026-03-03T10:00:00Z,ok\n") -> Path:
    (folder / "config.toml").write_text(
        f'[sources.core]\nrole = "transactions"\nkind = "file"\npath = "x.csv"\n{mapping}\n'
    )
    (folder / "x.csv").write_text(f"fecha,estado\n{rows}")
    return folder


@pytest.mark.parametrize(
    ("mapping", "rows", "code", "said"),
    [
        ('columns = { timestamp = "fecha", status = "estado" }', "2026-03-03T10:00:00Z,ok\n", 0, "1 rows can be used"),
        ('columns = { timestamp = "fecha", status = "nada" }', "2026-03-03T10:00:00Z,ok\n", 1, "no column 'nada'"),
        ('columns = { timestamp = "estado", status = "fecha" }', "2026-03-03T10:00:00Z,ok\n", 1, "x.csv:line 2"),
        ('columns = { timestamp = "fecha", status = "estado" }', "2026-03-03T10:00:00Z,BIEN\n", 1, "BIEN"),
        ('columns = { timestamp = "fecha", status = "estado" }', f"{GOOD}2026-03-03T10:00:00Z,BIEN\n", 1, "BIEN"),
        ('columns = { timestamp = "fecha", status = "estado" }', f"{GOOD}ayer,ok\n", 1, "3 rows can be used; 1 cannot"),
    ],
)
def test_connect_tells_whether_the_rows_can_be_used(mapping: str, rows: str, code: int, said: str, tmp_path: Path):
    found = vigia(written(tmp_path, mapping, rows), "check", "--connect")
    assert (found.returncode, said in found.stdout + found.stderr) == (code, True), found
    assert "Traceback" not in found.stderr


def test_connect_tells_of_wrong_check_digits(tmp_path: Path):
    folder = written(tmp_path, 'columns = { timestamp = "fecha", status = "estado", client_id = "nit" }')
    (folder / "x.csv").write_text("fecha,estado,nit\n2026-03-03T10:00:00Z,ok,900.123.456-7\n")
    found = vigia(folder, "check", "--connect")
    assert (found.returncode, "1 of clients with a wrong check digit" in found.stdout) == (0, True), found


def test_a_backtest_names_the_source_that_is_down(tmp_path: Path):
    folder = written(tmp_path, 'columns = { timestamp = "fecha", status = "estado" }')
    (folder / "x.csv").unlink()
    found = vigia(folder, "backtest", "--out", str(tmp_path / "out"))
    assert (found.returncode, found.stderr.startswith("core: ")) == (1, True), found


def test_a_backtest_of_a_range_without_rows_is_refused(tmp_path: Path):
    folder = written(tmp_path, 'columns = { timestamp = "fecha", status = "estado" }')
    found = vigia(folder, "backtest", "--out", str(tmp_path / "out"), "--from", "2027-01-01")
    assert found.returncode == 1
    assert "the rows are of 2026-03-03" in found.stderr


def hung() -> socket.socket:
    """A port that takes every connection and never answers."""
    return socket.create_server(("127.0.0.1", 0), backlog=50)


def test_each_is_told_in_a_line_in_order_and_one_that_hangs_holds_up_nothing(tmp_path: Path) -> None:
    """Good, wrong password, wrong host, hanging, wrong table: the real command."""
    with FakeApi() as api, hung() as silent:
        port = silent.getsockname()[1]
        with closing(sqlite3.connect(tmp_path / "b.db")) as db:
            db.execute("CREATE TABLE t (a)")
        (tmp_path / "x.csv").write_text(f"timestamp,status\n{GOOD}")
        http = 'role = "cases"\nkind = "http"\nrows = "value"\n'
        (tmp_path / "config.toml").write_text(
            f"""
[sources.zeta]
role = "transactions"
kind = "file"
path = "x.csv"
[sources.colgada]
{http}url = "http://127.0.0.1:{port}/rows"
[sources.clave]
{http}url = "{api.url}/rows"
token = "${{WRONG}}"
[sources.nadie]
role = "clients"
kind = "sql"
url = "postgresql+psycopg://lector:${{WRONG}}@127.0.0.1:1/x"
table = "clientes"
[sources.tabla]
role = "clients"
kind = "sql"
url = "sqlite:///b.db"
table = "clientes"
[desks.crm]
kind = "http"
url = "http://127.0.0.1:{port}/cases"
[receivers.torre]
kind = "webhook"
url = "{api.url}/hook"
secret = "${{WRONG}}"
"""
        )
        began = monotonic()
        command = "from monitor import connect, __main__; connect.faults_of.__defaults__ = (3.0,); __main__.main()"
        found = subprocess.run(
            [sys.executable, "-c", command, "check", "--connect", "--config", str(tmp_path / "config.toml")],
            capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | {"WRONG": "not-the-right-one"},
        )  # fmt: skip
    assert found.returncode == 1
    assert monotonic() - began < 100
    state, zeta = found.stdout.splitlines()[:2]
    assert state.startswith("state: sqlite:///")
    assert zeta == "source zeta: 1 file, the last x.csv: timestamp, status; 3 rows can be used"
    assert found.stderr.replace(api.url, "API").replace(str(tmp_path), "DIR").splitlines()[:5] == [
        "source colgada: fails (timeout): no answer within 3 s",
        "source clave: fails (login): API/rows: 401 Unauthorized (InvalidToken)",
        (
            "source nadie: fails (unreachable): postgresql+psycopg://lector:***@127.0.0.1:1/x: connection failed: connection to server at"
            ' "127.0.0.1", port 1 failed: Connection refused Is the server running on that host and accepting TCP/IP connections?'
        ),
        "source tabla: fails (refused): sqlite:///DIR/b.db: no such table: clientes",
        "desk crm: fails (timeout): no answer within 3 s",
    ]
    assert "not-the-right-one" not in found.stderr
