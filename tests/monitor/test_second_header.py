"""One export put behind another, with its header: columns are known by their names, and never by the place that they had above."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors import SourceError
from connectors.sources.file import File
from monitor.__main__ import app
from tests.characters import at

CONFIG = """
[sources.core]
role = "transactions"
kind = "file"
path = "rows.csv"
[sources.clientes]
role = "clients"
kind = "file"
path = "clients.csv"
columns = { client_id = "NIT", name = "Nombre" }
"""
FIRST = "NIT,Nombre,segment\n900123456,Aceros del Istmo,corporativo\n"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("811222333,Textiles,pyme\n", ""),
        ("NIT,Nombre,segment\n811222333,Textiles,pyme\n", "clients.csv:line 3: client_id (NIT) 'NIT' is the name of its column"),
        ("NIT,segment,Nombre\n811222333,pyme,Textiles\n", "clients.csv:line 3 is a header again, with its columns in another"),
        ("segment, NIT,Nombre\npyme,811222333,Textiles\n", "clients.csv:line 3 is a header again, with its columns in another"),
        ("NIT,NIT,segment\n", "clients.csv:line 3: client_id (NIT) 'NIT' is the name of its column"),
    ],
)  # fmt: skip
def test_a_header_among_the_rows_is_told_by_its_line(tmp_path: Path, more: str, told: str) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "rows.csv").write_text("timestamp,status\n2026-03-03T10:00:00Z,ok\n")
    (tmp_path / "clients.csv").write_text(FIRST + more)
    done = CliRunner().invoke(app, ["check", "--connect", "--config", str(tmp_path / "config.toml")])
    assert (done.exit_code, told in done.stderr) == (int(bool(told)), True)
    if told:
        assert "source clientes: fails (unreadable)" in done.stderr


def test_nothing_is_read_by_place_until_the_file_is_mended(tmp_path: Path) -> None:
    path, now = tmp_path / "clients.csv", at("12:00")
    path.write_text(FIRST)
    source = File(path=str(path))
    first = source.poll(None, now, None)
    path.write_text(FIRST + "Nombre,segment,NIT\nTextiles,pyme,811222333\n")
    for _ in range(2):
        with pytest.raises(SourceError, match="line 3 is a header again"):
            source.poll(first.cursor, now, None)
    path.write_text(FIRST + "811222333,Textiles,pyme\n")
    assert source.poll(first.cursor, now, None).table.to_pylist() == [
        {"NIT": "811222333", "Nombre": "Textiles", "segment": "pyme"}
    ]
