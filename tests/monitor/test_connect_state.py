"""`vigia check --connect` tries the state too: a line of its own, the cause in words and no password in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from monitor.config import read_config
from monitor.connect import faults_of
from monitor.store import Store
from tests.monitor.conftest import NOW

PASSWORD = "s3cr3t-of-the-state"  # noqa: S105 - of nobody


def asked(folder: Path, database: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """How many faults there are, and what is said of the state."""
    (folder / "rows.csv").write_text("timestamp,status\n2026-03-03T10:00:00Z,ok\n")
    (folder / "config.toml").write_text(
        f'[monitor]\ndatabase = "{database}"\n[sources.core]\nrole = "transactions"\nkind = "file"\npath = "rows.csv"\n'
    )
    faults = faults_of(read_config(folder / "config.toml"), NOW, limit=120)
    said = capsys.readouterr()
    (line,) = [line for line in (said.out + said.err).splitlines() if line.startswith("state: ")]
    assert (line in said.err.splitlines()) == bool(faults)
    assert PASSWORD not in said.out + said.err
    return faults, line.removeprefix("state: ")


def test_a_file_that_is_there_and_one_that_is_not_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(tmp_path.iterdir())
    faults, line = asked(tmp_path, "sqlite:///var/v.db", capsys)
    assert (faults, line.partition("v.db: ")[2]) == (0, "nothing there yet, `vigia run` makes it")
    assert {one.name for one in tmp_path.iterdir()} - {one.name for one in before} == {"rows.csv", "config.toml"}
    store = Store(f"sqlite:///{tmp_path}/var/v.db")
    store.migrate()
    store.close()
    faults, line = asked(tmp_path, "sqlite:///var/v.db", capsys)
    assert (faults, line.partition("v.db: ")[2]) == (0, "answers")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rows.csv", "fails (unreadable): sqlite:///{0}/rows.csv: file is not a database"),
        ("rows.csv/v.db", "fails (refused): sqlite:///{0}/rows.csv/v.db: {0}/rows.csv: Not a directory"),
        (".", "fails (refused): sqlite:///{0}: {0}: Is a directory"),
    ],
)
def test_a_file_that_is_none(name: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(tmp_path, f"sqlite:///{name}", capsys) == (1, said.format(tmp_path))


@pytest.mark.parametrize("behind", [False, True])
def test_a_wrong_log_in_at_a_server(
    postgres: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, behind: bool
) -> None:
    address = sa.make_url(postgres)
    wrong = {"username": "nobody_here", "password": PASSWORD}
    if behind:
        address = address.set(username=None).update_query_dict({"user": "nobody_here", "password": PASSWORD})
    else:
        address = address.set(**wrong)
    faults, line = asked(tmp_path, address.render_as_string(hide_password=False), capsys)
    assert (faults, line.partition(": ")[0]) == (1, "fails (login)")
    assert "nobody_here" in line


def test_a_server_and_a_user_who_may_not_write(
    postgres: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = sa.make_url(postgres)
    only_reads = f"reads_{address.database}"
    with sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool).connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {only_reads} LOGIN")
        connection.exec_driver_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    theirs = address.set(username=only_reads).render_as_string(hide_password=False)
    assert asked(tmp_path, postgres, capsys)[1].endswith(": answers, nothing there yet: `vigia run` makes it")
    faults, line = asked(tmp_path, theirs, capsys)
    assert (faults, line.endswith(": no permission to make its tables")) == (1, True)
    store = Store(postgres)
    store.migrate()
    store.close()
    assert asked(tmp_path, postgres, capsys)[1].endswith(": answers")
    faults, line = asked(tmp_path, theirs, capsys)
    assert (faults, line.endswith(": no permission to write into its tables")) == (1, True)
