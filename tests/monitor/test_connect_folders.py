"""`vigia check --connect` reads what lies in a folder already, however young; the first poll of one says what waits."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from connectors.sources.file import File
from monitor import connect
from monitor.config import read_config
from monitor.intake import Intake, Rows
from monitor.service import Service
from monitor.store import Store

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


def fall(folder: Path, now: datetime, *ages: int, rows: int = 0) -> None:
    """A file that came so many minutes ago, for each; its newest row is `rows` minutes older."""
    for age in ages:
        came = now - timedelta(minutes=age)
        file = folder / f"f{age}.csv"
        file.write_text(
            f"fecha;estado\n{(came - timedelta(minutes=rows + 9)):%FT%TZ};ok\n{(came - timedelta(minutes=rows)):%FT%TZ};ok\n"
        )
        os.utime(file, (came.timestamp(), came.timestamp()))


EMPTY = 'minutes whose file has yet to come are judged as empty; set lag = "{}m" or so'


@pytest.mark.parametrize(
    ("ages", "rows", "more", "words"),
    [
        ((185, 125, 65, 5), 0, "", f"a file comes every 60 min and there is no `lag`: {EMPTY.format(65)}"),
        ((185, 125, 65, 5), 0, 'lag = "20m"', f"a file comes every 60 min and `lag` says 20 min: {EMPTY.format(65)}"),
        ((185, 125, 65, 5), 0, 'lag = "65m"', ""),
        ((5, 4, 3, 2), 0, "", ""),
        ((50,), 0, "", f"its newest row is 50 min old and there is no `lag`: {EMPTY.format(55)}"),
        (
            (3, 2, 1),
            30,
            "",
            f"a file comes every 60 s, its newest row is 30 min old and there is no `lag`: {EMPTY.format(36)}",
        ),
        ((603, 602, 601), 0, "", ""),
    ],
    ids=["hourly", "too little", "said", "each minute", "one", "copied together", "at night"],
)
def test_files_that_come_rarer_than_lag_says_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ages: tuple[int, ...], rows: int, more: str, words: str
) -> None:
    (tmp_path / "entrada").mkdir()
    fall(tmp_path / "entrada", datetime.now(UTC), *ages, rows=rows)
    count, told = said(tmp_path, capsys, f'delimiter = ";"\n{COLUMNS}\n{more}')
    assert (count, "`lag`" in told, words in told) == (0, bool(words), True), told


def test_the_first_start_logs_it_once(tmp_path: Path) -> None:
    (tmp_path / "entrada").mkdir()
    now = datetime.now(UTC)
    fall(tmp_path / "entrada", now, 185, 125, 65, 15)
    (tmp_path / "config.toml").write_text(
        f'[monitor]\ndatabase = "sqlite:///v.db"\n[sources.ach]\nrole = "transactions"\nkind = "file"\npath = "entrada"\n'
        f'delimiter = ";"\n{COLUMNS}\n'
    )
    config = read_config(tmp_path / "config.toml")
    store = Store(config.monitor.database)
    store.migrate()
    service = Service(config, store, clock=lambda: now)
    with capture_logs() as logged:
        service.cycle()
        fall(tmp_path / "entrada", now, 10)
        service.cycle()
        Service(config, store, clock=lambda: now).cycle()
    store.close()
    told = [one["what"] for one in logged if one["event"].startswith("files come later")]
    assert told == [f"a file comes every 60 min and there is no `lag`: {EMPTY.format(65)}"]
