"""`vigia check --connect` reads a source's first rows as the daemon would; a range without rows is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_backtest_of_a_range_without_rows_is_refused(tmp_path: Path):
    folder = written(tmp_path, 'columns = { timestamp = "fecha", status = "estado" }')
    found = vigia(folder, "backtest", "--out", str(tmp_path / "out"), "--from", "2027-01-01")
    assert found.returncode == 1
    assert "the rows are of 2026-03-03" in found.stderr
