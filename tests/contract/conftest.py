"""One set-up for each kind: how to make one, feed it and break it. A new kind needs an entry here."""

from __future__ import annotations

import csv
import logging
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from connectors.kinds import load
from tests.alertmanagers import alertmanager
from tests.contract.inboxes import INBOXES
from tests.fake_api import TOKEN, FakeApi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class SourceSetup:
    """options: of a source whose rows have a column `id`; add: rows of these ids appear; broken: options in vain.

    close: when the test is over.
    """

    options: dict[str, Any]
    add: Callable[[list[int]], None]
    broken: dict[str, Any]
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class DeskSetup:
    """options: of an empty desk; broken: options in vain; shared: whether other processes reach the same desk.

    read: what the desk holds of the case with our key, as columns `status` and `kind`.
    """

    options: dict[str, Any]
    broken: dict[str, Any]
    read: Callable[[str], dict[str, str]]
    shared: bool = True
    close: Callable[[], None] = lambda: None

    def status(self, key: str) -> str:
        return self.read(key)["status"]

    def kind(self, key: str) -> str:
        return self.read(key)["kind"]


def file_source(folder: Path) -> SourceSetup:
    path = folder / "rows.csv"
    path.write_text("id,timestamp,status\n")

    def add(ids: list[int]) -> None:
        with path.open("a") as out:
            out.writelines(f"{n},2026-03-03T10:{n // 60 % 60:02}:{n % 60:02}Z,ok\n" for n in ids)

    return SourceSetup({"path": str(path)}, add, {"path": str(folder / "nowhere.csv")})


def sql_source(folder: Path) -> SourceSetup:
    path = folder / "rows.db"

    def run(statement: str, rows: list[tuple[Any, ...]]) -> None:
        connection = sqlite3.connect(path)
        with connection:
            connection.executemany(statement, rows)
        connection.close()

    run("CREATE TABLE rows (id integer, timestamp text, status text)", [()])

    def add(ids: list[int]) -> None:
        rows = [(n, f"2026-03-03T10:{n // 600:02}:{n // 10 % 60:02}Z", "ok") for n in ids]  # ten rows a second
        run("INSERT INTO rows VALUES (?, ?, ?)", rows)

    options = {"url": f"sqlite:///{path}", "table": "rows", "cursor": "timestamp", "key": "id", "batch": 64}
    return SourceSetup(options, add, {**options, "table": "nowhere"})


def local_desk(folder: Path) -> DeskSetup:
    (folder / "file").write_text("")
    path = folder / "casos.csv"

    def read(key: str) -> dict[str, str]:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            (row,) = (row for row in csv.DictReader(lines) if row["clave"] == key)
        return {"status": row["estado"], "kind": row["tipo"]}

    return DeskSetup({"path": str(path)}, {"path": str(folder / "file" / "casos.csv")}, read)


def http_source(_: Path) -> SourceSetup:
    api = FakeApi()

    def add(ids: list[int]) -> None:
        start = datetime(2026, 3, 3, 10, tzinfo=UTC)
        # Fifty rows a second: one value at every page's edge, and at the end of every step.
        rows = [(n, (start + timedelta(seconds=n // 50)).isoformat()) for n in ids]
        api.rows += [{"id": n, "timestamp": at, "modified": at, "status": "ok"} for n, at in rows]

    options = {"url": f"{api.url}/rows", "rows": "value", "next": "@odata.nextLink", "since": "modified_after"}
    options |= {"cursor": "modified", "token": TOKEN}
    return SourceSetup(options, add, {**options, "url": f"{api.url}/nowhere"}, api.close)


def http_desk(_: Path) -> DeskSetup:
    api = FakeApi()
    options = {"url": f"{api.url}/cases", "token": TOKEN}
    return DeskSetup(options, {**options, "token": "another"}, api.cases.__getitem__, close=api.close)


SOURCES: dict[str, Callable[[Path], SourceSetup]] = {
    "file": file_source,
    "http": http_source,
    "sql": sql_source,
}
DESKS: dict[str, Callable[[Path], DeskSetup]] = {"http": http_desk, "local": local_desk}


@dataclass(frozen=True)
class Plugin:
    """A kind with its set-up; `make` gives a new object, as a restart does."""

    kind: str
    folder: Any
    setup: Any

    def make(self) -> Any:
        return load(self.folder, self.kind)(**self.setup.options)

    def make_broken(self) -> Any:
        return load(self.folder, self.kind)(**self.setup.broken)


def _plugin(request: pytest.FixtureRequest, folder: str, setups: dict[str, Callable[[Path], Any]]) -> Plugin:
    if request.param not in setups:
        pytest.fail(f"connectors/{folder}/{request.param}.py has no set-up: add one to {folder.upper()} in {__file__}")
    return Plugin(request.param, folder, setups[request.param](request.getfixturevalue("tmp_path")))


@pytest.fixture
def source(request: pytest.FixtureRequest) -> Iterator[Plugin]:
    plugin = _plugin(request, "sources", SOURCES)
    yield plugin
    plugin.setup.close()


@pytest.fixture
def desk(request: pytest.FixtureRequest) -> Iterator[Plugin]:
    plugin = _plugin(request, "desks", DESKS)
    yield plugin
    plugin.setup.close()


@pytest.fixture(scope="session")
def real_alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with alertmanager(tmp_path_factory.mktemp("alertmanager")) as url:
        yield url


@pytest.fixture
def receiver(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[Plugin]:
    """Whatever happens, no secret comes into a log."""
    caplog.set_level(logging.INFO)
    if request.param not in INBOXES:
        pytest.fail(f"connectors/receivers/{request.param}.py has no inbox: add one to tests/contract/inboxes.py")
    plugin = Plugin(request.param, "receivers", INBOXES[request.param](request))
    yield plugin
    plugin.setup.close()
    assert all(secret not in caplog.text for secret in plugin.setup.secrets)
