"""One line, message or row that JSON holds and nothing else does, without end or with half a character: it alone is left out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import answers, jsonl, nested
from connectors.sources.file import File
from connectors.sources.http import Http
from tests.fake_api import TOKEN, FakeApi, Said

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
GOOD = '{"id":"g","estado":"ok"}'


def lists(depth: int) -> str:
    """An object that holds lists, with so many within each other."""
    return '{"id":"x","mas":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


def objects(depth: int) -> str:
    return '{"id":"x","mas":' + '{"a":' * (depth - 1) + "1" + "}" * (depth - 1) + "}"


DEEP = f"nested more than {nested.DEPTH} deep"
HALF = "holds half a character (a surrogate by itself)"
BAD = {
    "half": ('{"id":"x","asunto":"listo \\uD83D"}', HALF),
    "half a name": ('{"id":"x","\\ude00":1}', HALF),
    "objects": (objects(101), DEEP),
    "lists": (lists(101), DEEP),
    "600 objects": (objects(600), DEEP),
    "1,500 lists": (lists(1500), DEEP),
    "100,000 lists": (lists(100_000), DEEP),
}
FINE = {"pair": '{"id":"x","asunto":"\\ud83d\\ude00"}', "objects": objects(100), "lists": lists(100)}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as made:
        yield made


@pytest.mark.parametrize(("bad", "why"), BAD.values(), ids=BAD)
def test_a_message(bad: str, why: str) -> None:
    table, wrong = jsonl.each([GOOD.encode(), bad.encode(), GOOD.encode()])
    assert (table["id"].to_pylist(), wrong) == (["g", "g"], [(1, why)])


@pytest.mark.parametrize("ends", ["\n", ""])
@pytest.mark.parametrize(("bad", "why"), BAD.values(), ids=BAD)
def test_the_last_line_of_a_dropped_file(tmp_path: Path, bad: str, why: str, ends: str) -> None:
    for name, text in (("a", f"{GOOD}\n{bad}{ends}"), ("b", GOOD)):
        (tmp_path / f"{name}.jsonl").write_text(text)
        os.utime(tmp_path / f"{name}.jsonl", (NOW.timestamp() - 7200,) * 2)
    batch = File(path=str(tmp_path)).poll(None, NOW, None)
    assert batch.table["id"].to_pylist() == ["g", "g"]
    assert [(one.where, one.why) for one in batch.rejects] == [("a.jsonl:line 2", why)]
    assert batch.drained


@pytest.mark.parametrize(("bad", "why"), BAD.values(), ids=BAD)
def test_a_line_of_a_file_that_grows(tmp_path: Path, bad: str, why: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{GOOD}\n{bad}\n")
    source = File(path=str(path))
    first = source.poll(None, NOW, None)
    path.write_text(f"{GOOD}\n{bad}\n{GOOD}\n")
    assert [first.table.num_rows, source.poll(first.cursor, NOW, None).table.num_rows] == [1, 1]
    assert [(one.where, one.why) for one in first.rejects] == [("a.jsonl:line 2", why)]


@pytest.mark.parametrize(
    "since", [{}, {"since": "desde", "since_form": "number", "cursor": "n"}], ids=["whole", "since"]
)
@pytest.mark.parametrize(("bad", "why"), BAD.values(), ids=BAD)
def test_a_row_of_an_answer(api: FakeApi, bad: str, why: str, since: dict[str, Any]) -> None:
    rows = ", ".join(one.replace("{", '{"n": 1, ', 1) for one in (GOOD, bad, GOOD))
    api.pages = lambda _api, _asked: Said(text=f'{{"value": [{rows}]}}'.encode())
    batch = Http(url=f"{api.url}/rows", token=TOKEN, rows="value", **since).poll(None, NOW, None)
    assert batch.table["id"].to_pylist() == ["g", "g"]
    assert [(one.where, one.why) for one in batch.rejects] == [(f"{api.url}/rows: row 2", why)]


@pytest.mark.parametrize("fine", FINE.values(), ids=FINE)
def test_what_is_as_deep_as_it_may_be_is_read(api: FakeApi, fine: str) -> None:
    api.pages = lambda _api, _asked: Said(text=f"[{fine}]".encode())
    batch = Http(url=f"{api.url}/rows", token=TOKEN).poll(None, NOW, None)
    assert (batch.table["id"].to_pylist(), batch.rejects) == (["x"], ())
    table, wrong = jsonl.each([fine.encode(), GOOD.encode()])
    assert (table["id"].to_pylist(), wrong) == (["x", "g"], [])
    table, malformed = jsonl.parse(f"{fine}\n{GOOD}\n".encode())
    assert (table["id"].to_pylist(), malformed.count) == (["x", "g"], 0)


def test_of_a_case_tools_text_that_was_cut_short_the_rest_is_kept() -> None:
    table = answers.table([{"id": 1, "asunto": "listo \ud83d"}, {"id": 2, "asunto": "\U0001f600", "mas": ["\ude00"]}])
    assert table.to_pylist() == [
        {"id": 1, "asunto": "listo \ufffd", "mas": None},
        {"id": 2, "asunto": "\U0001f600", "mas": '["\ufffd"]'},
    ]


DEEPER = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('[]{}"\\u9')),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(DEEPER, st.integers(0, 3))
def test_only_what_is_too_deep_is_cut_off(thing: object, ends: int) -> None:
    """Whatever stands beside it, brackets within texts too."""
    deep = "[" * 2000 + "]" * 2000
    beside = nested.loads(json.dumps([thing, "MARK", thing] * ends).replace('"MARK"', deep).encode())
    assert [one for n, one in enumerate(beside) if n % 3 != 1] == [thing, thing] * ends
    assert all(nested.unfit(one) == DEEP for one in beside[1::3])


_SIGNS = st.text(st.characters() | st.sampled_from("\ud83d\ude00\udc00\ud7ff\ue000í"), max_size=4)
_THINGS = st.recursive(
    _SIGNS | st.integers(), lambda t: st.lists(t, max_size=2) | st.dictionaries(_SIGNS, t, max_size=2)
)


@given(
    rows=st.lists(st.dictionaries(_SIGNS, _THINGS, max_size=3), max_size=3),
    ascii_=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "utf-32-be"]),
)
def test_what_is_looked_for_in_a_whole_page_is_found_in_its_rows(
    rows: list[dict[str, Any]], *, ascii_: bool, encoding: str
) -> None:
    text = json.dumps(rows, ensure_ascii=ascii_).encode(encoding, "surrogatepass")
    halves = nested.halves(text)
    for row in nested.loads(text):
        assert nested.unfit(row, halves=halves) == nested.unfit(row)
