"""The HTTP source: every row once at every page's edge, whatever breaks off; and what a bad answer is called."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import SourceError
from connectors.mapping import Mapping
from connectors.sources.http import Http
from tests.fake_api import SECRET, TOKEN, Asked, FakeApi, Said, since

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors import Batch

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as made:
        yield made


def row(number: int, second: float, **more: Any) -> dict[str, Any]:
    at = (NOW + timedelta(seconds=second)).isoformat()
    return {"id": number, "modified": at, "cliente": {"nit": f"90012345{number % 10}"}, **more}


class Reader:
    """Polls as the daemon does, every time with a new source, as after a restart."""

    def __init__(self, api: FakeApi, **options: Any) -> None:
        self.options: dict[str, Any] = {
            "url": f"{api.url}/rows", "token": TOKEN, "rows": "value", "next": "@odata.nextLink",
            "since": "modified_after", "cursor": "modified", **options,
        }  # fmt: skip
        self.cursor: Any = None
        self.now = NOW
        self.last: Batch | None = None

    def poll(self, first: datetime | None = None) -> list[int]:
        source = Http(**self.options)
        source.session.sleep = lambda _: None
        self.last = source.poll(self.cursor, self.now, first)
        self.cursor = json.loads(json.dumps(self.last.cursor))
        return self.last.table["id"].to_pylist() if "id" in self.last.table.column_names else []

    def drain(self) -> list[int]:
        seen = self.poll()
        while self.last and not self.last.drained:
            seen += self.poll()
        return seen


def by_link_header(api: FakeApi, asked: Asked) -> Said:
    rows, at = since(api, asked), int(asked.query.get("at", 0))
    after = quote(asked.query.get("modified_after", "1970-01-01T00:00:00Z"))
    link = f'</rows?at={at + api.size}&modified_after={after}>; rel="next"'
    more = {"Link": link} if at + api.size < len(rows) else {}
    return Said(body=rows[at : at + api.size], headers=more)


def by_token(api: FakeApi, asked: Asked) -> Said:
    rows, at = since(api, asked), int(asked.query.get("page", "p0")[1:])
    more = f"p{at + api.size}" if at + api.size < len(rows) else None
    return Said(body={"value": rows[at : at + api.size], "paging": {"next": more}})


def by_offset(api: FakeApi, asked: Asked) -> Said:
    at = int(asked.query.get("skip", 0))
    return Said(body={"value": since(api, asked)[at : at + min(api.size, int(asked.query["top"]))]})


STYLES = {
    "links": (None, {}),
    "header": (by_link_header, {"rows": "", "next": ""}),
    "token": (by_token, {"next": "paging.next", "page_cursor": "page"}),
    "offset": (by_offset, {"next": "", "offset": "skip", "limit": "top", "page_size": 1000}),
}


@pytest.mark.parametrize("style", STYLES)
def test_a_thousand_rows_on_five_pages_come_once_across_restarts_by_each_style(api: FakeApi, style: str) -> None:
    pages, options = STYLES[style]
    api.pages, api.size = pages or api.pages, 200
    api.rows = [row(n, -3600 + n // 50) for n in range(1000)]
    reader = Reader(api, **options)
    assert [len(reader.poll()) for _ in range(5)] == [200] * 5
    assert reader.drain() == []
    assert reader.last is not None
    assert (reader.last.drained, reader.last.complete_until) == (True, NOW)
    api.rows += [row(1000, 0), row(1001, 1)]
    assert reader.drain() == [1000, 1001]


def test_the_session_runs_out_and_the_server_fails_in_the_middle_of_the_pages(api: FakeApi) -> None:
    api.size, api.uses = 200, 2
    api.rows = [row(n, -3600 + n // 50) for n in range(1000)]
    login = {"token": "", "token_url": f"{api.url}/token", "client_id": "vigia", "client_secret": SECRET}
    source = Http(**Reader(api, **login).options)
    slept: list[float] = []
    source.session.sleep = slept.append
    api.faults = [None, Said(429, headers={"Retry-After": "3"}), None, None, Said(text=b'{"value": [{'), None]
    seen: list[int] = []
    cursor: Any = None
    told: list[str] = []
    for _ in range(6):
        try:
            batch = source.poll(cursor, NOW, None)
        except SourceError as error:
            told.append(str(error))
            continue
        cursor = json.loads(json.dumps(batch.cursor))
        seen += batch.table["id"].to_pylist()
    assert seen == list(range(1000))
    assert slept == [3]
    assert len(told) == 1
    assert "is not JSON" in told[0]
    assert api.given > 2


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_rows_of_the_same_value_come_once_whatever_the_page_also_late_ones(api: FakeApi, size: int) -> None:
    api.size = size
    api.rows = [row(1, 0), row(2, 1), row(3, 1), row(4, 1), row(5, 1), row(6, 2)]
    reader = Reader(api)
    assert reader.drain() == [1, 2, 3, 4, 5, 6]
    assert reader.drain() == []
    api.rows += [row(7, 2), row(8, 2), row(9, 3), row(10, -1)]  # the server asks for more than, not from
    assert sorted(reader.drain()) == [7, 8, 9, 10]
    assert reader.drain() == []


def test_what_lies_before_the_overlap_is_not_asked_for(api: FakeApi) -> None:
    api.rows = [row(1, 0)]
    reader = Reader(api, overlap=timedelta(seconds=2))
    reader.drain()
    reader.drain()
    assert [a.query.get("modified_after") for a in api.asked] == [None, "2026-03-03T11:59:58+00:00"]


def test_a_row_that_changes_comes_again(api: FakeApi) -> None:
    api.rows = [row(1, 0), row(2, 0)]
    reader = Reader(api)
    assert reader.drain() == [1, 2]
    api.rows[0] |= {"modified": row(1, 4)["modified"], "estado": "cerrado"}
    assert reader.drain() == [1]


def test_rows_in_descending_order_move_the_reading_on_just_the_same(api: FakeApi) -> None:
    api.pages = lambda api, asked: Said(body={"value": since(api, asked)[::-1]})
    api.rows = [row(n, n) for n in range(5)]
    reader = Reader(api)
    assert reader.drain() == [4, 3, 2, 1, 0]
    api.rows.append(row(5, 5))
    assert reader.drain() == [5]
    assert reader.cursor["newest"] == row(5, 5)["modified"]


@pytest.mark.parametrize("wrong", ["9999-12-31T00:00:00+00:00", f"{NOW + timedelta(hours=3):%Y-%m-%dT%H:%M:%S}Z"])
def test_a_clock_gone_wrong_does_not_end_the_reading(api: FakeApi, wrong: str) -> None:
    api.rows = [row(1, 0), {**row(2, 0), "modified": wrong}]
    reader = Reader(api)
    assert reader.drain() == [1, 2]
    assert reader.cursor["newest"] == row(1, 0)["modified"]
    api.rows.append(row(3, 1))
    assert reader.drain() == [3]
    assert reader.drain() == []


def test_complete_until_is_the_beginning_of_the_round(api: FakeApi) -> None:
    api.size = 2
    api.rows = [row(n, n) for n in range(3)]
    reader = Reader(api)
    reader.poll()
    assert reader.last is not None
    assert (reader.last.drained, reader.last.complete_until) == (False, None)
    reader.now += timedelta(minutes=3)
    reader.poll()
    assert (reader.last.drained, reader.last.complete_until) == (True, NOW)


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_page_that_is_gone_lets_the_round_begin_again_and_not_for_ever(api: FakeApi, status: int) -> None:
    api.size = 2
    api.rows = [row(n, n) for n in range(6)]
    reader = Reader(api)
    assert reader.poll() == [0, 1]
    api.faults = [Said(status)]
    assert reader.drain() == [2, 3, 4, 5]  # what was given lies within the overlap
    api.rows += [row(n, n) for n in range(6, 12)]
    assert reader.poll() == []  # a page of what is known
    api.faults = [Said(status), None, Said(status)]
    assert reader.poll() == []
    with pytest.raises(SourceError):  # a server whose pages are always gone is not asked in a circle
        reader.poll()
    api.faults = [Said(status)]
    reader.now += timedelta(minutes=6)
    assert reader.drain() == [6, 7, 8, 9, 10, 11]


def test_the_cursor_of_another_kind_is_no_obstacle(api: FakeApi) -> None:
    api.rows = [row(1, 0)]
    for foreign in ({"at": 7, "seen": {"a": 1}}, {"at": "x", "key": 3, "drained": True}, {"newest": "12"}, {}):
        reader = Reader(api)
        reader.cursor = foreign
        assert reader.drain() == [1]


def test_the_first_reading_asks_from_the_day_before(api: FakeApi) -> None:
    reader = Reader(api)
    reader.poll(NOW - timedelta(days=5))
    assert api.asked[-1].query["modified_after"] == "2026-02-25T12:00:00Z"


@pytest.mark.parametrize(
    ("form", "values", "asked"),
    [
        ("s", [1772539200, 1772539260], "1772539255"),
        ("ms", [1772539200000, 1772539260000], "1772539255000"),
        ("number", [7, 31], "31"),
        ("number", ["7", "31"], "31"),
        ("iso", ["2026-03-03T07:00:00.250-05:00", "2026-03-03T07:01:00.500-05:00"], "2026-03-03T07:00:55.500-05:00"),
        ("iso", ["2026-03-03T12:00:00Z", "2026-03-03T12:01:00Z"], "2026-03-03T12:00:55Z"),
        ("iso", ["2026-03-03 12:00:00", "2026-03-03T12:01:00.1234567"], "2026-03-03T12:00:55.123456"),
    ],
)
def test_the_newest_value_is_sent_back_as_it_is_written(api: FakeApi, form: str, values: list[Any], asked: str) -> None:
    api.pages = lambda api, _: Said(body=api.rows)
    api.rows = [{"id": n, "modified": value} for n, value in enumerate(values)]
    reader = Reader(api, rows="", since="desde", since_form=form)
    assert reader.drain() == [0, 1]
    assert reader.drain() == []  # though this server knows no parameter and answers with all it has
    assert api.asked[1].query["desde"] == asked


def test_a_filter_has_its_text_around_the_value(api: FakeApi) -> None:
    api.pages = lambda api, _: Said(body={"value": api.rows})
    api.rows = [row(1, 0)]
    reader = Reader(api, since="$filter=modified ge {}", params={"$orderby": "modified"})
    reader.drain()
    reader.drain()
    assert api.asked[1].query == {"$filter": "modified ge 2026-03-03T11:59:55+00:00", "$orderby": "modified"}


def test_without_since_all_pages_are_read_and_given_if_anything_changed(api: FakeApi) -> None:
    api.size = 2
    api.rows = [row(n, n) for n in range(5)]
    reader = Reader(api, since="", cursor="")
    assert reader.poll() == [0, 1, 2, 3, 4]
    assert reader.poll() == []
    api.rows[3]["estado"] = "cerrado"
    assert reader.poll() == [0, 1, 2, 3, 4]


def test_nested_names_lists_and_mixed_kinds_reach_our_columns(api: FakeApi) -> None:
    api.rows = [
        row(1, 0, abierto="2026-03-03T07:00:00", tags=["a"], asunto="Señal"),
        row(2, 1, abierto=1772539200, asunto=5, nivel={"n": {"x": 2}}),
    ]
    reader = Reader(api)
    reader.poll()
    assert reader.last is not None
    names = {"case_id": "id", "client_id": "cliente.nit", "opened_at": "abierto", "subject": "asunto"}
    mapped = Mapping(role="cases", columns=names | {"level": "nivel.n.x"}, timezone="America/Bogota")
    rows = mapped.apply(reader.last.table, reader.last.where).table.to_pylist()
    assert [(r["case_id"], r["client_id"], r["subject"], r["level"]) for r in rows] == [
        ("1", "900123451", "Señal", ""),
        ("2", "900123452", "5", "2"),
    ]
    assert {r["opened_at"] for r in rows} == {NOW}


def test_an_unusable_row_is_told_with_its_number_and_the_others_go_on(api: FakeApi) -> None:
    api.pages = lambda api, _: Said(body={"value": api.rows})
    api.rows = [row(1, 0), 7, {"id": 2, "modified": None}, {"id": 3, "modified": "ayer"}, row(4, 0)]  # type: ignore[list-item]
    reader = Reader(api)
    assert reader.poll() == [1, 4]
    assert reader.last is not None
    assert [(reject.where, reject.why) for reject in reader.last.rejects] == [
        (f"{api.url}/rows: row 2", "not a JSON object"),
        (f"{api.url}/rows: row 3", "modified is missing"),
        (f"{api.url}/rows: row 4", "modified is of another form"),
    ]
    assert reader.last.where is not None
    assert reader.last.where(1) == f"{api.url}/rows: row 5"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"items": [], "total": 0}, "the answer has no 'value': it has: items, total"),
        ([], "the answer has no 'value': it is a list"),
        (None, "the answer has no 'value': it is nothing"),
        ({"value": [], "error": {"code": 7}}, "the answer has no rows but 'error'"),
        ({"value": {"id": 7}}, "'value' is no list: it has: id"),
        ({"value": "900123456"}, "'value' is no list: it is a text"),
        ({"value": [{"id": 1, "cambio": "2026"}]}, "its rows have no 'modified': it has: id, cambio"),
        ({"value": [], "@odata.nextLink": {"a": 1}}, "'@odata.nextLink' is no text: it has: a"),
        (
            {"value": [], "@odata.nextLink": "https://elsewhere.example/rows"},
            "leads to https://elsewhere.example/rows, ...",
        ),
    ],
)
def test_a_wrong_shape_is_told_in_a_line_with_address_and_key(api: FakeApi, body: Any, told: str) -> None:
    api.pages = lambda _api, _asked: Said(body=body)
    reader = Reader(api, params={"api_key": "s3cret"})
    with pytest.raises(SourceError) as error:
        reader.drain()
    line = str(error.value)
    assert error.value.permanent
    assert line.startswith(f"{api.url}/rows: {told.removesuffix('...')}")
    assert "s3cret" not in line


def test_a_page_that_names_itself_is_told(api: FakeApi) -> None:
    api.pages = lambda api, _: Said(body={"value": [row(1, 0)], "@odata.nextLink": f"{api.url}/rows?page=1"})
    reader = Reader(api)
    reader.poll()
    with pytest.raises(SourceError, match="names itself"):
        reader.poll()


def test_pages_in_a_ring_are_told(api: FakeApi) -> None:
    def ring(_: FakeApi, asked: Asked) -> Said:
        here = asked.query.get("p", "a")
        return Said(body={"value": [row(ord(here), 0)], "@odata.nextLink": f"/rows?p={'b' if here == 'a' else 'a'}"})

    api.pages = ring
    reader = Reader(api)
    with pytest.raises(SourceError, match="a page leads back to one before it"):
        [reader.poll() for _ in range(9)]
    whole = Http(url=f"{api.url}/rows", token=TOKEN, rows="value", next="@odata.nextLink")
    with pytest.raises(SourceError, match="a page leads back to one before it"):
        whole.poll(None, NOW, None)


def test_an_offset_that_the_server_does_not_know_is_told(api: FakeApi) -> None:
    api.pages = lambda api, _: Said(body={"value": api.rows})
    api.rows = [row(n, n) for n in range(3)]
    reader = Reader(api, next="", offset="skip")
    with pytest.raises(SourceError, match="the same rows again: does it know the parameter 'skip'"):
        [reader.poll() for _ in range(9)]
    whole = Http(url=f"{api.url}/rows", token=TOKEN, rows="value", offset="skip")
    with pytest.raises(SourceError, match="the same rows again"):
        whole.poll(None, NOW, None)


@pytest.mark.parametrize("arrived", [1, 3])
def test_rows_that_move_to_the_next_page_as_others_arrive_come_once(api: FakeApi, arrived: int) -> None:
    api.pages = lambda api, asked: Said(body={"value": api.rows[int(asked.query.get("skip", 0)) :][:4]})
    api.rows = [row(n, -n) for n in range(10)]
    reader = Reader(api, next="", offset="skip")
    seen = reader.poll()
    api.rows[:0] = [row(100 + n, n) for n in range(arrived)]
    seen += [n for _ in range(4) for n in reader.poll()]
    assert sorted(n for n in seen if n < 100) == list(range(10))


ALIKE = [{"modified": NOW.isoformat(), "estado": "ok"}] * 5 + [{"modified": NOW.isoformat(), "estado": "falla"}]


@pytest.mark.parametrize("style", ["header", "token", "offset"])
@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("since", ["modified_after", ""])
def test_rows_that_nothing_tells_apart_all_come_by_each_style(api: FakeApi, style: str, size: int, since: str) -> None:
    """On both sides of a page's edge, and on two pages that are the same."""
    pages, options = STYLES[style]
    api.pages, api.size, api.rows = pages or api.pages, size, ALIKE
    reader = Reader(api, since=since, cursor="modified" if since else "", **options)
    states: list[str] = []
    while not (reader.last and reader.last.drained):
        reader.poll()
        assert reader.last
        states += reader.last.table["estado"].to_pylist() if reader.last.table.num_rows else []
    assert sorted(states) == ["falla"] + ["ok"] * 5


@pytest.mark.parametrize("far", [Said(400), Said(416), Said(body={"value": None})])
def test_a_server_that_refuses_to_pass_so_many_rows_knows_the_parameter(api: FakeApi, far: Said) -> None:
    api.pages = lambda api, asked: far if len(asked.query.get("skip", "")) > 3 else by_offset(api, asked)
    api.size, api.rows = 2, ALIKE
    reader = Reader(api, **STYLES["offset"][1], since="", cursor="")
    reader.poll()
    assert reader.last
    assert reader.last.table.num_rows == 6


def test_rows_that_move_on_and_have_no_identity_come_again(api: FakeApi) -> None:
    """Better one twice than one of two that are alike lost."""
    api.pages = lambda api, asked: Said(body={"value": api.rows[int(asked.query.get("skip", 0)) :][:4]})
    api.rows = [row(n, -n) for n in range(10)]
    reader = Reader(api, next="", offset="skip", identity="numero")
    seen = reader.poll()
    api.rows[:0] = [row(100, 0)]
    seen += [n for _ in range(4) for n in reader.poll()]
    assert sorted(n for n in seen if n < 100) == [0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9]


def test_check_names_the_columns_of_the_last_day(api: FakeApi) -> None:
    source = Http(**Reader(api).options)
    assert source.check() == f"{api.url}/rows: no rows of the last day"
    api.rows = [{**row(1, 0), "modified": datetime.now(UTC).isoformat()}]
    assert source.check() == f"{api.url}/rows: id, modified, cliente.nit"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"page_cursor": "page", "next": ""}, "page_cursor: needs next"),
        ({"offset": "skip"}, "offset: give either"),
        ({"page_size": 0}, "page_size: must be at least 1"),
        ({"cursor": ""}, "since: needs cursor"),
        ({"since": ""}, "cursor: needs since"),
        ({"since": "$filter=modified ge"}, "since: must be"),
        ({"overlap": timedelta(seconds=-1)}, "overlap: must not"),
    ],
)
def test_impossible_options(api: FakeApi, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Http(**Reader(api, **options).options)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.lists(st.integers(-2, 2), max_size=6), min_size=1, max_size=4),
    size=st.integers(1, 4),
    stops=st.integers(1, 5),
)
def test_however_rows_arrive_within_the_overlap_each_comes_once(
    api: FakeApi, steps: list[list[int]], size: int, stops: int
) -> None:
    api.rows, api.size = [], size
    reader = Reader(api, overlap=timedelta(seconds=60))
    number, second, seen = 0, 0, []
    for step in steps:
        for ahead in step:
            number, second = number + 1, second + ahead
            api.rows.append(row(number, second))
        for _ in range(stops):  # more rows may come while pages are waiting
            seen += reader.poll()
    seen += reader.drain() + reader.drain()
    assert sorted(seen) == list(range(1, number + 1))
