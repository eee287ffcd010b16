"""Looking a case up: to the end of what is listed, and what is not found again is not opened over and over."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from connectors import SourceError, listed
from connectors.desks.http import Http
from connectors.kinds import load
from tests.cases import CASE
from tests.fake_api import TOKEN, Asked, FakeApi, Said
from tests.fakes import bizagi, helix, salesforce
from tests.fakes.server import Tool

KEYS = (bizagi.KEY, helix.KEY, "Clave")
"""What holds our key."""


@pytest.fixture
def tool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tool]:
    made: Tool = importlib.import_module(f"tests.fakes.{request.param}").tool(tmp_path)
    made.kind = request.param
    yield made
    made.close()


def desk(tool: Tool) -> Any:
    made = load("desks", tool.kind)(**tool.desk)
    made.session.sleep = lambda _: None
    return made


def tried(tool: Tool, opened: Any, times: int) -> set[str]:
    """What it says, asked again as the outbox does."""
    said = set()
    for _ in range(times):
        with pytest.raises(SourceError) as error:
            opened.open(CASE)
        said.add(str(error.value).removeprefix(tool.fake.url))
    return said


@pytest.mark.parametrize("tool", ["sharepoint", "outlook"], indirect=True)
def test_a_case_on_the_page_after_an_empty_one_is_found(tool: Tool) -> None:
    tool.fake.after = [Said(500)]
    with suppress(SourceError):
        desk(tool).open(CASE)
    desk(tool).open(CASE)
    assert tool.count(CASE.key) == 1


@pytest.mark.parametrize("tool", ["bizagi"], indirect=True)
def test_a_filter_that_is_passed_over_opens_no_second_case(tool: Tool) -> None:
    tool.add(list(range(450)))
    all_of_them = tool.fake.listed
    tool.fake.listed = lambda asked: all_of_them(
        Asked(asked.method, asked.path, {"$skip": asked.query.get("$skip", 0)}, {}, None)
    )
    assert desk(tool).open(CASE) == desk(tool).open(CASE) == "RC-000451"
    assert (
        desk(tool)
        .check()
        .endswith(": answers; passes over the filter by 'VigiaKey': all cases are read at each look-up")
    )
    assert tool.count(CASE.key) == 1


@pytest.mark.parametrize("tool", ["bizagi"], indirect=True)
def test_what_has_no_end_is_told_and_opens_nothing(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "MOST", 2)
    tool.fake.size = 1
    tool.fake.listed = lambda asked: Said(body={"value": [], "@odata.nextLink": f"{tool.fake.url}{asked.path}"})
    assert tried(tool, desk(tool), 1) == {": more than 2 pages, and not all of them looked through"}
    assert tool.count(CASE.key) == 0


@pytest.mark.parametrize("tool", ["helix", "bizagi", "webpage"], indirect=True)
def test_what_a_tool_does_not_show_by_our_key_is_opened_once(tool: Tool) -> None:
    """A field that people read under another name, or that the tool empties: every try would leave one more."""
    opened: list[dict[str, Any]] = []
    real = tool.fake.made

    def made(values: dict[str, Any]) -> dict[str, Any]:
        opened.append(real({name: "" if name in KEYS else value for name, value in values.items()}))
        return opened[-1]

    tool.fake.made = made
    one = desk(tool)
    (said,) = tried(tool, one, 3)
    assert "what " in said
    assert len(opened) == 1
    there = opened[0].get("parameters", opened[0])
    there[next(name for name in KEYS if name in there)] = CASE.key  # mended
    assert one.open(CASE)
    assert len(opened) == 1


@pytest.mark.parametrize("tool", ["bizagi"], indirect=True)
@pytest.mark.parametrize(
    "odd", [{"parameters": 1.5}, {"parameters": [{"xpath": {}}]}, {"id": "a-7", "VigiaKey": CASE.key}]
)
def test_a_case_of_another_form_is_no_fault_of_ours(tool: Tool, odd: dict[str, Any]) -> None:
    opened = desk(tool).open(CASE)
    real = tool.fake.listed

    def listed_(asked: Asked) -> Said:
        said = real(asked)
        said.body["value"] = [{"id": 99, "caseNumber": "RC-9"} | odd, *said.body["value"]]
        return said

    tool.fake.listed = listed_
    assert desk(tool).open(CASE) == opened


def test_a_tool_that_shows_neither_number_nor_case_gets_one() -> None:
    with FakeApi() as api:
        api.idempotent = False
        one = Http(
            url=f"{api.url}/cases", token=TOKEN, find="buscar", rows="value", number="numero", columns={"key": "llave"}
        )
        real, answered = api.answer, []

        def answer(asked: Asked) -> Said:
            answered.append(asked.method)
            return real(asked) if asked.method == "POST" else Said(body={"value": []})

        api.answer = answer
        for _ in range(3):
            with pytest.raises(SourceError, match="its case has no 'numero'"):
                one.open(CASE)
        assert answered.count("POST") == len(api.cases) == 1


@pytest.mark.parametrize("tool", ["salesforce"], indirect=True)
@pytest.mark.parametrize("there", [True, False])
def test_of_two_upserts_at_once_the_later_finds_the_record(tool: Tool, *, there: bool) -> None:
    """Salesforce refuses it; so it does where another field must be unique, and nothing is there."""
    real = tool.fake.by_key

    def by_key(asked: Asked, key: str) -> Said:
        if asked.method != "PATCH":
            return real(asked, key)
        if there:
            tool.fake.made({salesforce.KEY: key})
        return tool.fake.fault(400, "DUPLICATE_VALUE")

    tool.fake.by_key = by_key
    if there:
        assert desk(tool).open(CASE) == "00000001"
    else:
        assert tried(tool, desk(tool), 1) == {": 400 Bad Request (DUPLICATE_VALUE)"}
    assert tool.count(CASE.key) == there


@pytest.mark.parametrize("link", ["http://[bad", "http://127.0.0.1:99999/items", "http://127.0.0.1:abc/items"])
@pytest.mark.parametrize("tool", ["sharepoint", "bizagi"], indirect=True)
def test_a_link_that_is_no_address_is_told(tool: Tool, link: str) -> None:
    tool.fake.faults = [Said(body={"value": [], "@odata.nextLink": link})]
    (said,) = tried(tool, desk(tool), 1)
    assert said.endswith(": leads to what is no address")
    source = load("desks", tool.kind)(**tool.source)
    tool.fake.faults = [Said(body={"value": [], "@odata.nextLink": link})]
    with pytest.raises(SourceError, match="leads to what is no address"):
        source.poll(None, CASE.opened_at, None)
