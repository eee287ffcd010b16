"""One set-up for each kind: how to make one, feed it and break it. A new source needs an entry here, a new desk a fake."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import logging
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from connectors.kinds import kinds, load
from tests.alertmanagers import alertmanager
from tests.contract.inboxes import INBOXES
from tests.fake_api import SECRET, TOKEN, FakeApi
from tests.fake_prometheus import FakePrometheus
from tests.fakes.azure_devops import PAT, AzureDevops
from tests.fakes.server import SECRET as CLIENT
from tests.fakes.server import Tool
from tests.kafka import Cluster
from tests.object_store import object_store
from tests.sftp_server import sftp_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class SourceSetup:
    """options: of a source whose rows have a column `id`; add: rows of these ids appear; broken: options in vain.

    close: when the test is over; number: the column, where it is not called `id`. Of one that speaks HTTP: fake, which takes faults, and
    expiring: options of a log-in whose tokens end, where it has one.
    """

    options: dict[str, Any]
    add: Callable[[list[int]], None]
    broken: dict[str, Any]
    close: Callable[[], None] = lambda: None
    number: str = "id"
    fake: Any = None
    expiring: dict[str, Any] = field(default_factory=dict)


def file_source(folder: Path) -> SourceSetup:
    path = folder / "rows.csv"
    path.write_text("id,timestamp,status\n")

    def add(ids: list[int]) -> None:
        with path.open("a") as out:
            out.writelines(f"{n},2026-03-03T10:{n // 60 % 60:02}:{n % 60:02}Z,ok\n" for n in ids)

    return SourceSetup({"path": str(path)}, add, {"path": str(folder / "nowhere.csv")})


def dropped(put: Callable[[str, bytes], Any], options: dict[str, Any], broken: str, **more: Any) -> SourceSetup:
    """Each addition is a file of its own."""

    def add(ids: list[int]) -> None:
        rows = "".join(f"{n},2026-03-03T10:{n // 60 % 60:02}:{n % 60:02}Z,ok\n" for n in ids)
        put(f"{ids[0]:05}.csv", f"id,timestamp,status\n{rows}".encode())

    options |= {"settled": timedelta(0)}
    return SourceSetup(options, add, {**options, "path": broken}, **more)


def folder_source(folder: Path) -> SourceSetup:
    def put(name: str, content: bytes) -> None:
        (folder / name).write_bytes(content)

    return dropped(put, {"path": str(folder)}, str(folder / "nowhere"))


def sftp_source(folder: Path) -> SourceSetup:
    held = contextlib.ExitStack()
    server = held.enter_context(sftp_server(folder / "sshd"))

    def put(name: str, content: bytes) -> None:
        (server.root / name).write_bytes(content)

    options = {"path": server.path("*.csv"), **server.options}
    return dropped(put, options, server.path("nowhere/*.csv"), close=held.close)


def s3_source(_: Path) -> SourceSetup:
    held = contextlib.ExitStack()
    store = held.enter_context(object_store())
    options = {"path": store.path("*.csv"), **store.options}
    return dropped(store.put, options, "s3://nowhere/*.csv", close=held.close)


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


def sql_on(url: str) -> SourceSetup:
    """The same on a server."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    def run(statement: str, rows: list[dict[str, Any]] | None = None) -> None:
        with engine.begin() as connection:
            connection.execute(sa.text(statement), rows)

    run("DROP TABLE IF EXISTS rows_in")
    run("CREATE TABLE rows_in (id integer, timestamp timestamp NOT NULL DEFAULT '2026-01-01', status varchar(9))")

    def add(ids: list[int]) -> None:
        at = datetime(2026, 3, 3, 10)  # noqa: DTZ001 - the column has no zone
        rows = [{"id": n, "at": at + timedelta(seconds=n // 10), "status": "ok"} for n in ids]
        run("INSERT INTO rows_in VALUES (:id, :at, :status)", rows)

    options = {"url": url, "table": "rows_in", "cursor": "timestamp", "key": "id", "batch": 64}
    return SourceSetup(options, add, {**options, "table": "nowhere"})


def http_source(_: Path) -> SourceSetup:
    api = FakeApi()

    def add(ids: list[int]) -> None:
        start = datetime(2026, 3, 3, 10, tzinfo=UTC)
        # Fifty rows a second: one value at every page's edge, and at the end of every step.
        rows = [(n, (start + timedelta(seconds=n // 50)).isoformat()) for n in ids]
        api.rows += [{"id": n, "timestamp": at, "modified": at, "status": "ok"} for n, at in rows]

    options = {"url": f"{api.url}/rows", "rows": "value", "next": "@odata.nextLink", "since": "modified_after"}
    options |= {"cursor": "modified", "token": TOKEN}
    named = {"client_id": "vigia", "client_secret": SECRET, "token_url": f"{api.url}/token"}
    return SourceSetup(
        options, add, {**options, "url": f"{api.url}/nowhere"}, api.close, fake=api,
        expiring={**{name: value for name, value in options.items() if name != "token"}, **named},
    )  # fmt: skip


def azure_devops_source(_: Path) -> SourceSetup:
    tool = AzureDevops()
    path = tool.sprint("Sprint 1", "2026-03-02", "2026-03-13")

    def add(ids: list[int]) -> None:
        for n in ids:
            tool.write(n, datetime(2026, 3, 3, 10, n // 60 % 60, n % 60, tzinfo=UTC), path=path)

    options = {"url": f"{tool.url}/banco", "project": "Mejora", "token": PAT}
    named = {"client_id": "vigia", "client_secret": CLIENT, "token_url": f"{tool.url}/token"}
    return SourceSetup(
        options, add, {**options, "token": "wr0ng"}, tool.close, "story_id", fake=tool,
        expiring={**{name: value for name, value in options.items() if name != "token"}, **named},
    )  # fmt: skip


def kafka_source(_: Path) -> SourceSetup:
    cluster = Cluster()

    def add(ids: list[int]) -> None:
        cluster.send(
            *({"id": n, "timestamp": f"2026-03-03T10:{n // 60 % 60:02}:{n % 60:02}Z", "status": "ok"} for n in ids)
        )

    options = {"servers": cluster.servers, "topics": [cluster.topic], "batch": 64}
    broken = {**options, "servers": "127.0.0.1:1", "timeout": timedelta(seconds=1)}
    return SourceSetup(options, add, broken, cluster.close)


def prometheus_source(_: Path) -> SourceSetup:
    server = FakePrometheus()
    noon = int(datetime(2026, 3, 3, 12, tzinfo=UTC).timestamp())
    times = itertools.count(noon, 250)

    def add(ids: list[int]) -> None:
        at = next(times) // 60 * 60
        for n, id_ in enumerate(ids):  # over the last four minutes, which no poll has asked for
            server.put("up", {at - 60 * (3 - 4 * n // len(ids)): 1}, id=str(id_))

    options = {"url": server.url, "query": "up", "settle": timedelta(0)}
    return SourceSetup(options, add, {**options, "url": f"{server.url}/nowhere"}, server.close, fake=server)


SOURCES: dict[str, Callable[[Path], SourceSetup]] = {
    "azure_devops": azure_devops_source,
    "file": file_source,
    "http": http_source,
    "kafka": kafka_source,
    "prometheus": prometheus_source,
    "sql": sql_source,
}
FOLDERS: dict[str, Callable[[Path], SourceSetup]] = {
    "file on a folder": folder_source,
    "file on sftp": sftp_source,
    "file on s3": s3_source,
}
"""Files that are dropped, here and elsewhere."""
SERVERS = {"sql on postgresql": "postgres", "sql on mariadb": "mariadb"}
"""Kinds on a server of a fixture's: more of the same kind."""


def sources() -> list[str]:
    """Every kind there is, and those on servers and in folders."""
    return [*kinds("sources"), *SERVERS, *FOLDERS]


@dataclass(frozen=True)
class Plugin:
    """A kind with its set-up; `make` gives a new object, as a restart does."""

    kind: str
    folder: Any
    setup: Any

    def make(self, **more: Any) -> Any:
        return load(self.folder, self.kind)(**{**self.setup.options, **more})

    def make_broken(self) -> Any:
        return load(self.folder, self.kind)(**self.setup.broken)


@pytest.fixture
def source(request: pytest.FixtureRequest) -> Iterator[Plugin]:
    kind = request.param.partition(" on ")[0]
    if kind not in SOURCES:
        pytest.fail(f"connectors/sources/{kind}.py has no set-up: add one to SOURCES in {__file__}")
    if server := SERVERS.get(request.param):
        there = request.getfixturevalue(server)
        setup = sql_on(there if isinstance(there, str) else there.url)
    else:
        setup = (FOLDERS | SOURCES)[request.param](request.getfixturevalue("tmp_path"))
    plugin = Plugin(kind, "sources", setup)
    yield plugin
    plugin.setup.close()


@pytest.fixture
def tool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tool]:
    """The case tool of a kind of desk, from tests/fakes: a new kind needs a file there."""
    made: Tool = importlib.import_module(f"tests.fakes.{request.param}").tool(tmp_path)
    made.kind = request.param
    yield made
    made.close()


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
