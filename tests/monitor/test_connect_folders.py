"""`vigia check --connect` reads what lies in a folder already, however young; the first poll of one says what waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.sources.file import File
from monitor import connect
from monitor.config import read_config
from monitor.intake import Intake, Rows

GOOD = "fecha;estado\n2026-03-03T10:00:00Z;ok\n2026-03-03T10:01:00Z;ok\n"
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
COLUMNS = 'columns = { timestamp = "fecha", status = "estado" }'


def said(folder: Path, capsys: pytest.CaptureFixture[str], more: str) -> tuple[int, str]:
    (folder / "config.toml").write_text(
        f'[sources.ach]\nrole = "transactions"\nkind = "file"\npath = "entrada"\n{more}\n', encoding="utf-8"
    )
    wrong = connect.faults_of(read_config(folder / "config.toml"), datetime.now(UTC))
    return wrong, "".join(capsys.readouterr())


@pytest.fixture
def entrada(tmp_path: Path) -> Path:
    (tmp_path / "entrada").mkdir()
    (tmp_path / "entrada/a.csv").write_text(GOOD)
    return tmp_path / "entrada"


@pytest.mark.parametrize(
    ("more", "wrong", "words"),
    [
        (f'delimiter = ";"\n{COLUMNS}', 0, "1 file, the last a.csv: fecha, estado; 2 rows can be used"),
        ('delimiter = ";"\ncolumns = { timestamp = "fechas", status = "estado" }', 1, "there is no column 'fechas'"),
        (COLUMNS, 1, "there is no column 'fecha'; there are: fecha;estado"),
        (
            'delimiter = ";"\ncolumns = { timestamp = "estado", status = "fecha" }',
            1,
            "0 rows can be used; 2 cannot, such as a.csv:line 2",
        ),
    ],
)
def test_files_just_dropped_are_looked_at(
    entrada: Path, capsys: pytest.CaptureFixture[str], more: str, wrong: int, words: str
) -> None:
    count, told = said(entrada.parent, capsys, more)
    assert (count, words in told) == (wrong, True), told


def test_a_file_that_cannot_be_read_is_no_row(entrada: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (entrada / "a.csv").write_text(GOOD.replace("ok", "é"), encoding="latin-1")
    (entrada / "b.csv").write_bytes(b"fecha;estado\nno\xe9l;x\n")
    count, told = said(entrada.parent, capsys, f'delimiter = ";"\n{COLUMNS}')
    assert (count, "2 files cannot, such as a.csv" in told) == (1, True), told
    rejects = File(path=str(entrada), settled=timedelta(0)).poll(None, NOW, None).rejects
    rows = Rows("ach", "transactions", Intake(read_config(entrada.parent / "config.toml").sources["ach"]).config.mapping().apply(
        File(path=str(entrada)).poll(None, NOW, None).table).table, {}, NOW, rejects=rejects)  # fmt: skip
    assert rows.useless.startswith("none of 2 files could be used, such as a.csv: ")


def test_a_file_without_a_line_end_that_is_no_text_is_told(entrada: Path) -> None:
    (entrada / "a.csv").write_bytes(b"\x89PNG\x00\x00\x01 no text")
    (entrada / "b.csv").write_bytes(b"PK\x03\x04\x00\x00 no text either")
    batch = File(path=str(entrada), settled=timedelta(0)).poll(None, NOW, None)
    assert [(one.where, one.why.partition(": ")[2]) for one in batch.rejects] == [
        ("a.csv", "not utf-8 (byte 0x89); set `encoding`"),
        ("b.csv", "cannot be read: it is no text"),
    ]


def test_the_first_poll_of_a_folder_says_what_waits(entrada: Path) -> None:
    now = datetime.now(UTC)
    for name in ("b.csv", "c.csv"):
        (entrada / name).write_text(GOOD + name)
    batch = File(path=str(entrada)).poll(None, now, None)
    assert [(one.where, one.why) for one in batch.notes] == [
        (str(entrada), "3 files wait until they lie still for 20 s")
    ]
    assert File(path=str(entrada)).poll(batch.cursor, now + timedelta(seconds=5), None).notes == ()
