"""The simulated case tool: one case a key, pages that lose nothing, and people who work the cases off; over the real connectors."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connectors import Case, SourceError
from connectors.mapping import Mapping
from monitor.config import read_config
from monitor.demo import casetool
from monitor.demo.cases import TABLE, prepare, stamp, work
from monitor.demo.casetool import CaseTool, served
from monitor.demo.feed import follow, preload
from monitor.intake import cases_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors import CaseDesk, Source

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 11, 8, 0, tzinfo=UTC)
KEY = "VG-AF-20260311T0800-a1b2c3-900123456"


class Tool:
    """A tool over a file of its own, with the source and the desk of the shipped configuration on it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.path, self.url, self.now = folder / "bank.db", url, NOW

    def at(self, **later: float) -> None:
        self.now = NOW + timedelta(**later)

    def call(self, number: int, opened: datetime) -> None:
        """A client's own case, as the feed writes it."""
        at = stamp(opened)
        row = (number, "900.100.200-3", "pagos", "web", "soporte", "abierto", at, at, stamp(self.now), "Falla")
        names = "id, nit, producto, canal, tipo, estado, abierto_en, reportado_en, actualizado_en, asunto"
        self.run(f"INSERT INTO casos ({names}) VALUES ({', '.join('?' * 10)})", row)

    def run(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            return database.execute(statement, values).fetchall()

    def work(self) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            work(database, self.now)


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[Tool]:
    made = Tool(tmp_path, "")
    with closing(sqlite3.connect(made.path, isolation_level=None)) as database:
        prepare(database)
    with served(CaseTool(made.path, lambda: made.now), ("127.0.0.1", 0), "vigia-demo-token") as url:
        made.url = url
        yield made


@pytest.fixture
def shipped(tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Source, Mapping, CaseDesk]:
    monkeypatch.delenv("VIGIA_DEMO_TOKEN", raising=False)
    text = (ROOT / "config.toml").read_text(encoding="utf-8")
    (tmp_path / "config.toml").write_text(text.replace("http://127.0.0.1:8090/casos", tool.url), encoding="utf-8")
    config = read_config(tmp_path / "config.toml")
    source = config.sources["casos"]
    return source.make(), source.mapping(), config.desks["casos"].make()


def case(**changes: Any) -> Case:
    words = {
        "key": KEY, "incident_id": "AF-20260311T0800-a1b2c3", "client_id": "900123456", "product": "pagos", "channel": "",
        "opened_at": NOW, "priority": 83, "subject": "Afectación en pagos", "body": "Desde las 3:00",
    }  # fmt: skip
    return Case(**words | changes)


def test_our_case_is_opened_once_and_comes_back_as_the_monitors(
    tool: Tool, shipped: tuple[Source, Mapping, CaseDesk]
) -> None:
    source, mapping, desk = shipped
    tool.call(7, NOW - timedelta(minutes=1))
    number = desk.open(case())
    assert desk.open(case(subject="otro")) == number
    batch = source.poll(None, NOW, None)
    found = cases_of(mapping.apply(batch.table, batch.where).table, "casos")
    assert [(c.case_id, c.client_id, c.reported_by, c.status) for c in found] == [
        ("7", "900100200", "client", "abierto"),
        (number, "900123456", "monitor", "abierto"),
    ]
    assert (found[1].subject, found[1].opened_at, found[1].reported_at) == ("Afectación en pagos", NOW, NOW)
    assert tool.run("SELECT clave, prioridad, incidente, detalle FROM casos WHERE clave IS NOT NULL") == [
        (KEY, 83, "AF-20260311T0800-a1b2c3", "Desde las 3:00")
    ]


def test_the_end_is_written_and_comes_back_also_into_a_case_that_was_closed(
    tool: Tool, shipped: tuple[Source, Mapping, CaseDesk]
) -> None:
    source, mapping, desk = shipped
    desk.open(case())
    cursor = source.poll(None, NOW, None).cursor
    tool.at(minutes=2)
    desk.update(case(status="afectación superada", note="Normal desde las 3:02"))
    batch = source.poll(cursor, tool.now, None)
    (found,) = cases_of(mapping.apply(batch.table).table, "casos")
    assert (found.status, found.updated_at) == ("afectación superada", tool.now)
    tool.at(hours=2)
    tool.work()
    desk.update(case(status="afectación superada", note="Otra vez"))
    assert tool.run("SELECT estado, nota FROM casos") == [("cerrado", "Otra vez")]
    with pytest.raises(SourceError, match="no case with key VG-x") as error:
        desk.update(case(key="VG-x"))
    assert error.value.permanent


def test_cases_of_both_are_taken_on_resolved_and_closed(tool: Tool, shipped: tuple[Source, Mapping, CaseDesk]) -> None:
    source, mapping, desk = shipped
    tool.call(1, NOW)
    desk.open(case())
    cursor = source.poll(None, NOW, None).cursor
    seen: dict[str, list[str]] = {}
    for minute in range(1, 90):
        tool.at(minutes=minute)
        tool.work()
        batch = source.poll(cursor, tool.now, None)
        cursor = batch.cursor
        for found in cases_of(mapping.apply(batch.table).table, "casos"):
            seen.setdefault(found.case_id, []).append(found.status)
            assert (found.resolved_at is not None) is (found.status in ("resuelto", "cerrado"))
            assert found.open_at(tool.now) is (found.status == "en gestión")
            assert minute > 15  # whoever looks at the demo for a while sees them open first
    assert seen == {"1": ["en gestión", "resuelto", "cerrado"], "2": ["en gestión", "resuelto", "cerrado"]}
    tool.work()
    assert source.poll(cursor, tool.now, None).table.num_rows == 0


def test_pages_lose_no_case_that_changes_while_they_are_read(
    tool: Tool, shipped: tuple[Source, Mapping, CaseDesk], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, _, _ = shipped
    monkeypatch.setattr(casetool, "PAGE", 10)
    for number in range(1, 36):
        tool.call(number, NOW)
    first = source.poll(None, NOW, None)
    tool.run("UPDATE casos SET actualizado_en = ? WHERE id <= 5", (stamp(NOW + timedelta(seconds=1)),))
    seen, batch = first.table["id"].to_pylist(), first
    while not batch.drained:
        batch = source.poll(batch.cursor, NOW, None)
        seen += batch.table["id"].to_pylist() if batch.table.num_rows else []
    assert sorted(set(seen)) == list(range(1, 36))
    assert seen[:10] == list(range(1, 11))
    assert sorted(seen[10:]) == [1, 2, 3, 4, 5, *range(11, 36)]  # and what changed comes again, as it is now


def test_only_who_has_the_token_is_answered(tool: Tool, shipped: tuple[Source, Mapping, CaseDesk]) -> None:
    *_, desk = shipped
    desk.session._fixed = "Bearer another"  # type: ignore[attr-defined]
    with pytest.raises(SourceError, match="401") as error:
        desk.open(case())
    assert error.value.permanent
    assert tool.run("SELECT count(*) FROM casos") == [(0,)]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "told"),
    [
        ("GET", "?modificado_desde=ayer", None, 400, "modificado_desde o pagina"),
        ("GET", "?pagina=2", None, 400, "modificado_desde o pagina"),
        ("GET", "/nadie", None, 404, "no hay un caso"),
        ("GET", "/a/b", None, 404, "no hay nada"),
        ("PUT", "/k", {"nit": "900123456"}, 400, "falta abierto_en"),
        ("PUT", "/k", {"nit": "1", "abierto_en": "ayer", "asunto": "x"}, 400, "no se entiende"),
        ("PUT", "/k", ["x"], 400, "no es un objeto"),
        ("PUT", "/k", {"asunto": "x" * (64 << 10)}, 400, "64 KB"),
        ("PATCH", "/k", {"estado": "x"}, 404, "no hay un caso"),
    ],
)
def test_a_wrong_request_is_told(tool: Tool, method: str, path: str, body: Any, status: int, told: str) -> None:
    import requests  # noqa: PLC0415 - tests alone speak to the tool without a connector

    named = {"Authorization": "Bearer vigia-demo-token"}
    answer = requests.request(method, f"{tool.url}{path}", json=body, headers=named, timeout=60)
    assert (answer.status_code, told in answer.json()["error"]) == (status, True), answer.text


def test_our_cases_do_not_keep_the_clients_from_calling(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    preload(path, NOW, hours=1)
    later = stamp(NOW + timedelta(hours=1))
    ours = {"nit": "900123456", "abierto_en": later, "asunto": "Nuestro", "reportado_por": "monitor"}
    CaseTool(path, lambda: NOW).open(KEY, ours)
    moments = iter([NOW, NOW + timedelta(minutes=10)])
    turns = iter([False, True])
    follow(path, lambda: next(moments), lambda _seconds: next(turns))
    with closing(sqlite3.connect(path)) as database:
        found = dict(database.execute("SELECT reportado_por, count(*) FROM casos GROUP BY 1").fetchall())
    assert found["monitor"] == 1
    assert found["client"] > 1


def test_a_table_of_an_earlier_version_gets_what_it_lacks(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "bank.db", isolation_level=None)) as database:
        database.execute(TABLE)
        row = "1, '9', 'pagos', 'web', 'soporte', 'abierto', '2026', '2026', '2026', 'Falla'"
        database.execute(f"INSERT INTO casos VALUES ({row})")
        for _ in range(2):
            prepare(database)
        assert database.execute("SELECT clave, reportado_por, nota FROM casos").fetchall() == [(None, "client", "")]


@pytest.mark.parametrize("whole", [False, True], ids=["demo", "daemon"])
def test_a_port_in_use_is_told_in_one_line(tmp_path: Path, whole: bool) -> None:  # noqa: FBT001 - drawn
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        text = (ROOT / "config.toml").read_text(encoding="utf-8").replace("127.0.0.1:8090", place)
        (tmp_path / "config.toml").write_text(text.replace("127.0.0.1:8080", "127.0.0.1:0"), encoding="utf-8")
        command = ["monitor", "run", "--config", str(tmp_path / "config.toml")]
        if not whole:
            command = ["monitor.demo", "--database", str(tmp_path / "bank.db"), "--cases", place]
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
            env={"VIGIA_DEMO_TOKEN": "x", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
    told = f"the simulated case tool cannot listen on {place} (demo.cases): Address already in use\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)
    assert not list(tmp_path.glob("*.db"))


def test_without_a_token_the_tool_is_not_served(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monitor.demo", "--database", str(tmp_path / "bank.db"), "--cases", "127.0.0.1:0"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env={"PATH": "/usr/bin:/bin"}
    )
    assert (done.returncode, done.stderr) == (1, "the environment has no VIGIA_DEMO_TOKEN, the case tool's token\n")


def test_a_root_cause_is_no_single_clients_and_comes_back_as_the_monitors(
    shipped: tuple[Source, Mapping, CaseDesk],
) -> None:
    source, mapping, desk = shipped
    number = desk.open(case(client_id="", kind="causa_raiz"))
    (found,) = cases_of(mapping.apply(source.poll(None, NOW, None).table).table, "casos")
    assert (found.case_id, found.client_id, found.kind, found.reported_by) == (number, "", "causa_raiz", "monitor")
    with pytest.raises(SourceError, match="400 Bad Request"):
        desk.open(case(key="VG-2", client_id=""))
