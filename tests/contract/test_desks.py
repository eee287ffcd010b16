"""What every case tool must do, run over every kind of desk there is and its fake: opened, changed, read back, read on."""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from connectors import SourceError
from connectors.kinds import kinds, load
from monitor.__main__ import app
from monitor.faults import Fault
from monitor.intake import Intake
from monitor.plugs import read_source
from monitor.written_out import NAMES
from tests.cases import CASE, NOW
from tests.fake_api import Said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fake_api import Asked
    from tests.fakes.server import Tool

WITHDRAWN = "retirado"
LOOK = 0.03
"""Seconds that an answer takes to who looks a case up."""
KINDS = kinds("desks")
every_tool = pytest.mark.parametrize("tool", KINDS, indirect=True)
SERVED = [kind for kind in KINDS if "path" not in signature(load("desks", kind)).parameters]
"""All but those that write a file of this machine."""
every_server = pytest.mark.parametrize("tool", SERVED, indirect=True)


def desk_of(tool: Tool, **options: Any) -> Any:
    """A new desk, as after a restart; it does not sleep."""
    made = load("desks", tool.kind)(**{**tool.desk, **options})
    if hasattr(made, "session"):
        made.session.sleep = lambda _: None
    return made


class Reader:
    """The source of cases that the tool is, as the daemon reads it, started anew before every poll."""

    def __init__(self, tool: Tool) -> None:
        faults: list[Fault] = []
        block = {"role": "cases", "kind": tool.kind, **tool.source}
        source = read_source("casos", block, "America/Bogota", Path("/"), "config.toml", faults=faults)
        assert faults == []
        assert source
        self.source, self.tool, self.cursor, self.polls = source, tool, None, 0

    def poll(self, *, strict: bool = True) -> tuple[list[dict[str, Any]], bool]:
        intake = Intake(self.source, self.cursor)
        if hasattr(intake._source, "session"):
            intake._source.session.sleep = lambda _: None
        rows = intake.poll(NOW + timedelta(minutes=self.polls))
        assert not strict or rows.rejects == ()
        self.cursor, self.polls = json.loads(json.dumps(rows.cursor)), self.polls + 1
        return rows.table.to_pylist(), rows.drained

    def drain(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for _ in range(40):
            if self.tool.fake:
                self.tool.fake.expire()
            rows, drained = self.poll()
            found += rows
            if drained:
                return found
        pytest.fail("a tool that changes no more is drained at last")


@every_tool
def test_a_thousand_cases_are_read_once_across_restarts_and_expired_tokens(tool: Tool) -> None:
    tool.add(list(range(1000)))
    reader = Reader(tool)
    seen = Counter(tool.number(row["case_id"]) for row in reader.drain())
    assert reader.polls >= (5 if tool.paged else 1)
    assert seen == Counter(range(1000))
    assert reader.drain() == []
    tool.add([1000, 1001])
    assert [tool.number(row["case_id"]) for row in reader.drain()] == [1000, 1001]


@every_tool
def test_a_case_that_changes_is_read_again_and_alone(tool: Tool) -> None:
    tool.add(list(range(12)))
    reader = Reader(tool)
    assert len(reader.drain()) == 12
    tool.change(3, "en curso")
    (row,) = reader.drain()
    assert (tool.number(row["case_id"]), row["status"]) == (3, "en curso")
    assert row["opened_at"] is not None


@every_tool
def test_the_same_cursor_gives_the_same_cases(tool: Tool) -> None:
    tool.add(list(range(10)))
    reader = Reader(tool)
    first, _ = reader.poll()
    reader.cursor = None
    again, _ = reader.poll()
    assert first == again


@every_tool
def test_what_we_opened_is_read_back_as_ours_by_its_number(tool: Tool) -> None:
    number = desk_of(tool).open(CASE)
    reader = Reader(tool)
    (row,) = reader.drain()
    assert (row["case_id"], row["reported_by"]) == (number, "monitor")
    desk_of(tool).update(replace(CASE, status=WITHDRAWN, note="Vigía retira este caso."))
    (row,) = reader.drain()
    assert (row["case_id"], row["reported_by"]) == (number, "monitor")


@every_tool
def test_the_same_key_is_the_same_case_also_after_a_restart(tool: Tool) -> None:
    number = desk_of(tool).open(CASE)
    assert number
    assert desk_of(tool).open(replace(CASE, subject="otro")) == number
    assert desk_of(tool).open(replace(CASE, key="VG-AF-2-900123456")) != number
    assert tool.count(CASE.key) == 1


@every_tool
def test_an_update_may_be_repeated_and_changes_no_number(tool: Tool) -> None:
    number = desk_of(tool).open(CASE)
    for _ in range(2):
        desk_of(tool).update(replace(CASE, status="afectación superada", note="resuelto"))
    assert desk_of(tool).open(CASE) == number
    assert tool.count(CASE.key) == 1


@every_tool
def test_what_was_taken_back_stays_so_however_often_it_is_sent(tool: Tool) -> None:
    """A withdrawal is an update to the status `retirado`; an opening that a crash repeats after it brings nothing back."""
    number = desk_of(tool).open(CASE)
    for _ in range(2):
        desk_of(tool).update(replace(CASE, status=WITHDRAWN, note="Vigía retira este caso."))
    assert desk_of(tool).open(CASE) == number
    assert tool.read(CASE.key)["status"] == WITHDRAWN


@every_tool
def test_what_is_longer_than_a_tool_takes_is_cut(tool: Tool) -> None:
    """It would be refused for good: no case."""
    assert desk_of(tool).open(replace(CASE, subject="Afectación " * 100, body="Fallan pagos. " * 300))
    assert tool.count(CASE.key) == 1


@every_tool
def test_what_is_opened_is_a_soporte(tool: Tool) -> None:
    desk_of(tool).open(CASE)
    assert tool.read(CASE.key)["kind"] == "soporte"


@every_tool
def test_an_update_of_an_unknown_key_is_permanent(tool: Tool) -> None:
    with pytest.raises(SourceError) as error:
        desk_of(tool).update(CASE)
    assert error.value.permanent
    assert CASE.key in str(error.value)


@every_server
@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_error_that_comes_once_the_tool_has_written_leaves_one_case(tool: Tool, status: int) -> None:
    desk = desk_of(tool)
    tool.fake.after = [Said(status)]
    with suppress(SourceError):
        desk.open(CASE)
    assert desk.open(CASE) == desk_of(tool).open(CASE)
    assert tool.count(CASE.key) == 1


@every_server
def test_an_answer_that_breaks_off_once_the_tool_has_written_leaves_one_case(tool: Tool) -> None:
    desk = desk_of(tool)
    tool.fake.after = [Said(201, {"id": 1}, cut=True)]
    with suppress(SourceError):
        desk.open(CASE)
    assert desk.open(CASE) == desk_of(tool).open(CASE)
    assert tool.count(CASE.key) == 1


class Slow(threading.Event):
    """An answer waits for it; begun: what was asked is done, and it does."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.begun.set()
        return super().wait(timeout)


@pytest.mark.parametrize("tool", sorted({*KINDS} - {"local", "pair"}), indirect=True)
def test_an_answer_that_comes_too_late_leaves_one_case(tool: Tool) -> None:
    slow = Slow()
    desk = desk_of(tool, timeout=timedelta(seconds=1))
    tool.fake.after = [Said(wait=slow)]
    with suppress(SourceError):
        desk.open(CASE)
    assert slow.begun.wait(60)
    slow.set()
    assert desk.open(CASE) == desk_of(tool).open(CASE)
    assert tool.count(CASE.key) == 1


@every_server
@pytest.mark.parametrize(
    ("said", "permanent"),
    [(Said(403), True), (Said(400), True), (Said(500), False), (Said(429, headers={"Retry-After": "600"}), False),
     (Said(text=b"<html>mantenimiento"), False)],
    ids=["403", "400", "500", "429", "not what was asked for"],
)  # fmt: skip
def test_permanent_is_told_from_temporary(tool: Tool, said: Said, permanent: bool) -> None:  # noqa: FBT001 - a table
    tool.fake.faults = [said] * 2
    with pytest.raises(SourceError) as error:
        desk_of(tool).open(CASE)
    assert error.value.permanent is permanent
    assert "\n" not in str(error.value)
    assert tool.fake.url in str(error.value)


@pytest.mark.parametrize("tool", sorted({*SERVED} - {"imap"}), indirect=True)
@pytest.mark.parametrize(
    "said",
    [Said(500), Said(503), Said(429, headers={"Retry-After": "600"}), Said(text=b'{"value": ['), Said(201, {"value": []}, cut=True)],
    ids=["500", "503", "429", "broken JSON", "cut off"],
)  # fmt: skip
def test_a_page_that_does_not_come_is_told_and_the_reading_goes_on_from_there(tool: Tool, said: Said) -> None:
    tool.add(list(range(30)))
    reader = Reader(tool)
    assert len(reader.drain()) == 30
    tool.add([30])
    tool.fake.faults = [said] * 8
    with pytest.raises(SourceError) as error:
        reader.poll()
    assert not error.value.permanent
    tool.fake.faults = []
    assert [tool.number(row["case_id"]) for row in reader.drain()] == [30]


LOST = [Said(500), Said(502), Said(503), Said(201, {"values": {}}, cut=True)]


@pytest.mark.parametrize("tool", ["pair"], indirect=True)
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("said", LOST, ids=["500", "502", "503", "cut off"])
def test_an_answer_that_the_side_of_the_incident_loses_leaves_one_incident(tool: Tool, said: Said, place: int) -> None:
    """Of what is written there, the first is the incident, and what follows its tie."""
    incidents = tool.fake.incidents
    incidents.after = [*[None] * place, said]
    for _ in range(3):
        desk = desk_of(tool)
        desk.then.session.sleep = lambda _: None
        case = replace(CASE, number=desk.open(CASE))
        with suppress(SourceError):
            desk.then.open(case)
    assert incidents.after == []
    (incident,) = incidents.incidents.values()
    assert tool.count(CASE.key) == 1
    assert incident["SRMS Request"] == case.number


@pytest.mark.parametrize("tool", ["pair"], indirect=True)
@pytest.mark.parametrize(("status", "permanent"), [(403, True), (400, True), (500, False), (503, False)])
def test_a_fault_of_the_side_of_the_incident_is_its_own(tool: Tool, status: int, permanent: bool) -> None:  # noqa: FBT001 - a table
    desk = desk_of(tool)
    desk.then.session.sleep = lambda _: None
    tool.fake.incidents.faults = [Said(status)] * 8
    number = desk.open(CASE)
    with pytest.raises(SourceError) as error:
        desk.then.open(replace(CASE, number=number))
    assert error.value.permanent is permanent
    assert tool.fake.incidents.url in str(error.value)


ROW: dict[str, Any] = {"values": {}, "fields": {}, "body": None, "parameters": None, "_links": None, "reactions": None}
ODD: list[Any] = [
    *([], {}, "texto", 7, {"value": 3}, {"value": ["x"], "records": ["x"], "entries": ["x"]}),
    *(
        {name: [row] for name in ("value", "records", "entries")}
        for row in ({}, ROW, {"id": None}, {"id": "x", "values": None})
    ),
]
"""JSON that nobody expects."""


@every_server
def test_json_of_another_form_is_told_in_words(tool: Tool) -> None:
    for body in ODD:
        for method in ("open", "update", "check", "poll"):
            tool.fake.faults = (
                [None, Said(body=body)] if tool.kind == "bizagi" and method == "poll" else [Said(body=body)] * 2
            )
            with suppress(SourceError):
                if method == "poll":
                    Reader(tool).poll(strict=False)
                else:
                    desk = desk_of(tool)
                    desk.check() if method == "check" else getattr(desk, method)(
                        replace(CASE, note="x", status=WITHDRAWN)
                    )


@every_server
def test_no_secret_in_an_error_or_a_repr(tool: Tool) -> None:
    for options in (tool.desk, tool.broken):
        desk = desk_of(tool, **options)
        said = [repr(desk), repr(desk.session), repr(vars(desk.session)), repr(vars(desk))]
        tool.fake.faults = [Said(403)] if options is tool.desk else []
        with pytest.raises(SourceError) as error:
            desk.check()
        said += [str(error.value), repr(error.value)]
        assert not any(secret in text for text in said for secret in ("s3cret", "wr0ng"))


@every_tool
def test_a_desk_out_of_reach_is_told_in_words(tool: Tool) -> None:
    with pytest.raises(SourceError) as error:
        desk_of(tool, **tool.broken).open(CASE)
    assert "\n" not in str(error.value)


@every_tool
def test_check_says_what_is_there_in_a_line(tool: Tool) -> None:
    tool.add([0])
    line = desk_of(tool, **tool.desk).check()
    assert line
    assert "\n" not in line


@pytest.fixture(scope="module")
def others() -> Iterator[tuple[list[ProcessPoolExecutor], Any]]:
    """Two other processes, and what they can have in common."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as shared, ProcessPoolExecutor(1, spawn) as one, ProcessPoolExecutor(1, spawn) as two:
        yield [one, two], shared


def toml(value: Any) -> str:
    """A value as TOML has it, in one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {toml(one)}" for name, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def hidden(block: dict[str, Any], env: dict[str, str]) -> dict[str, Any]:
    """The block with its secrets in the environment."""
    there = {}
    for name, value in block.items():
        there[name] = hidden(value, env) if isinstance(value, dict) else value
        if NAMES.fullmatch(name) and isinstance(value, str):
            env[f"SECRET_{len(env)}"] = value
            there[name] = f"${{SECRET_{len(env) - 1}}}"
    return there


def checked(tool: Tool, folder: Path, desk: dict[str, Any]) -> tuple[int, str]:
    """Exit code and output of `vigia check --connect` with the tool as source of cases and as desk."""
    blocks = {
        "sources": {"role": "cases", "kind": tool.kind, "start": "9999d", **tool.source},
        "desks": {"kind": tool.kind, **desk},
    }
    env: dict[str, str] = {}
    lines = [f"{kind}.tool = {toml(hidden(block, env))}" for kind, block in blocks.items()]
    config = folder / "config.toml"
    config.write_text("\n".join(lines), encoding="utf-8")
    done = CliRunner(env=env).invoke(app, ["check", "--connect", "--config", str(config)])
    return done.exit_code, done.output


@every_tool
def test_vigia_check_asks_it_as_source_and_as_desk(tool: Tool, tmp_path: Path) -> None:
    tool.add([0, 1])
    code, said = checked(tool, tmp_path, tool.desk)
    assert code == 0, said
    assert "; 2 rows can be used\n" in said
    assert "desk tool: " in said


@every_server
def test_vigia_check_says_why_it_cannot_be_used(tool: Tool, tmp_path: Path) -> None:
    code, said = checked(tool, tmp_path, tool.broken)
    assert code == 1
    (line,) = (line for line in said.splitlines() if line.startswith("desk tool: "))
    assert not any(secret in said for secret in ("s3cret", "wr0ng"))
    assert len(line) > len(f"desk tool: {tool.fake.url}")


@pytest.mark.parametrize(
    ("tool", "without"), [("webpage", "form"), ("teams", "refresh_token"), ("imap", "sender")], indirect=["tool"]
)
def test_vigia_check_fails_for_a_desk_that_opens_nothing(tool: Tool, without: str, tmp_path: Path) -> None:
    tool.add([0])
    code, said = checked(tool, tmp_path, {name: value for name, value in tool.desk.items() if name != without})
    assert code == 1, said
    (line,) = (line for line in said.splitlines() if line.startswith("desk tool: "))
    assert line.endswith(f"; reads only, opens no cases: the block has no `{without}`")
    assert "; 1 rows can be used\n" in said, "as a source it serves"


def _open_all(kind: str, options: dict[str, Any], keys: list[str], both: Any) -> dict[str, str]:
    opened, found = load("desks", kind)(**options), {}
    for key in keys:
        both.wait()
        found[key] = opened.open(replace(CASE, key=key))
    return found


@every_tool
def test_two_processes_open_each_case_once(tool: Tool, others: tuple[list[ProcessPoolExecutor], Any]) -> None:
    """Both begin at once with each case, and what a tool answers to who looks takes its time: without turns, both find none."""
    keys, (processes, shared) = [f"VG-{n}" for n in range(4)], others
    both = shared.Barrier(2, timeout=60)
    if answer := getattr(tool.fake, "answer", None):

        def slow(asked: Asked) -> Said:
            said: Said = answer(asked)
            if asked.method == "GET":
                time.sleep(LOOK)
            return said

        tool.fake.answer = slow
    asked = [process.submit(_open_all, tool.kind, tool.desk, keys, both) for process in processes]
    first, second = (one.result(240) for one in asked)
    assert first == second
    assert len(set(first.values())) == len(keys)
    assert [tool.count(key) for key in keys] == [1] * len(keys)
