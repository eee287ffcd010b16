"""CSV answers of an API: every row once by each style of pages, cells as written, and what cannot be read told with its row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import Batch, SourceError
from connectors.mapping import Mapping
from connectors.sheet import Sheet
from connectors.sources.http import Http
from tests.fake_api import TOKEN, Asked, FakeApi, Said, since

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
FIELDS = ("id", "modified", "cliente")


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as made:
        made.size = 200
        yield made


def written(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    sheet = csv.DictWriter(out, FIELDS, delimiter=delimiter)
    sheet.writeheader()
    sheet.writerows(rows)
    return out.getvalue().encode()


def by_link(api: FakeApi, asked: Asked) -> Said:
    rows, at = since(api, asked), int(asked.query.get("at", 0))
    after = asked.query.get("modified_after", "1970-01-01T00:00:00Z").replace("+", "%2B")
    link = f'</rows?at={at + api.size}&modified_after={after}>; rel="next"'
    return Said(text=written(rows[at : at + api.size]), headers={"Link": link} if at + api.size < len(rows) else {})


def by_offset(api: FakeApi, asked: Asked) -> Said:
    at = int(asked.query.get("skip", 0))
    return Said(text=written(since(api, asked)[at : at + api.size]))


def source(api: FakeApi, **options: Any) -> Http:
    made = Http(**{"url": f"{api.url}/rows", "token": TOKEN, "format": "csv"} | options)
    made.session.sleep = lambda _: None
    return made


def polled(api: FakeApi, at: Any = None, **options: Any) -> Batch:
    """As after a restart."""
    return source(api, **options).poll(json.loads(json.dumps(at)), NOW, None)


def drained(api: FakeApi, at: Any, **options: Any) -> list[Batch]:
    found = [polled(api, at, **options)]
    while not found[-1].drained:
        found.append(polled(api, found[-1].cursor, **options))
    return found


def row(number: int) -> dict[str, Any]:
    at = (NOW - timedelta(hours=1) + timedelta(seconds=number // 50)).isoformat()
    return {"id": number, "modified": at, "cliente": f"0{number}"}


@pytest.mark.parametrize(("pages", "options"), [(by_link, {}), (by_offset, {"offset": "skip"})])
def test_a_thousand_rows_on_five_pages_come_once_across_restarts(api: FakeApi, pages: Any, options: Any) -> None:
    api.pages, api.rows = pages, [row(n) for n in range(1000)]
    options = {"since": "modified_after", "cursor": "modified", **options}
    first = drained(api, None, **options)
    assert [one["id"] for batch in first for one in batch.table.to_pylist()] == [str(n) for n in range(1000)]
    assert first[-1].complete_until == NOW
    api.rows.append(row(1000))
    again = drained(api, first[-1].cursor, **options)
    assert [one for batch in again for one in batch.table.to_pylist()] == [{**row(1000), "id": "1000"}]


def test_without_since_it_is_given_when_anything_in_it_changed(api: FakeApi) -> None:
    api.pages, api.rows, api.size = by_link, [row(n) for n in range(5)], 2
    first = polled(api)
    assert first.table["cliente"].to_pylist() == ["00", "01", "02", "03", "04"]
    assert polled(api, first.cursor).table.num_rows == 0
    api.rows[3]["cliente"] = "otro"
    assert polled(api, first.cursor).table.num_rows == 5


def test_delimiter_encoding_quotes_and_numbers_as_they_are_written_here(api: FakeApi) -> None:
    text = 'nit;nombre;segmento\r\n900.123.456-8;"Señales; y ""más""\r\nS.A.";Pyme\r\n007;Año;\r\n'
    api.faults = [Said(text=text.encode("cp1252")), Said(text=text.encode("utf-16"))]
    for encoding in ("cp1252", "utf-16"):
        batch = polled(api, delimiter=";", encoding=encoding)
        assert batch.table.to_pylist() == [
            {"nit": "900.123.456-8", "nombre": 'Señales; y "más"\r\nS.A.', "segmento": "Pyme"},
            {"nit": "007", "nombre": "Año", "segmento": ""},
        ]
    rows = Mapping(role="clients", columns={"client_id": "nit", "name": "nombre", "segment": "segmento"})
    assert rows.apply(batch.table).table["client_id"].to_pylist() == ["900123456", "007"]


@pytest.mark.parametrize("text", [b"\xef\xbb\xbfid,modified\n", b"id,modified"])
def test_no_rows_are_no_fault(api: FakeApi, text: bytes) -> None:
    api.faults = [Said(text=text)]
    batch = polled(api)
    assert (batch.table.num_rows, batch.drained, batch.rejects) == (0, True, ())


def test_what_cannot_be_read_is_told_with_its_row_and_the_others_go_on(api: FakeApi) -> None:
    text = f'id,modified\n1,{NOW:%FT%TZ}\n2,"{NOW:%FT%TZ}"\n3,x,y\n\n4,ayer\n5,{NOW:%FT%TZ}\n6,"open'
    api.faults = [Said(text=text.encode())]
    batch = polled(api, since="modified_after", cursor="modified")
    assert batch.table["id"].to_pylist() == ["1", "2", "5"]
    assert sorted((reject.where.removeprefix(f"{api.url}/rows: "), reject.why) for reject in batch.rejects) == [
        ("row 3", "3 columns instead of 2"),
        ("row 4", "modified is of another form"),
        ("row 6", "a quotation mark is never closed"),
    ]
    assert batch.where is not None
    assert batch.where(2) == f"{api.url}/rows: row 5"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"\xff\xfe,a\n", "the answer is not utf-8: byte 0"),
        (b"  <!DOCTYPE html><html>login", "the answer is a web page or JSON, not CSV"),
        (b"", "the answer is empty, without the header of a CSV"),
        (b" \r\n", "the answer is empty, without the header of a CSV"),
        (b"asked with {'Authorization': 'Bearer x'}, no\n", "the answer's first line is no header of a CSV"),
        (b'{"error": "no"}', "the answer is a web page or JSON, not CSV"),
    ],
)
def test_what_is_no_csv_is_told(api: FakeApi, text: bytes, told: str) -> None:
    api.faults = [Said(text=text)]
    with pytest.raises(SourceError) as error:
        polled(api)
    assert (str(error.value), error.value.fault) == (f"{api.url}/rows: {told}", "unreadable")


def test_a_column_that_is_not_there_is_told(api: FakeApi) -> None:
    api.faults = [Said(text=b"id,fecha\n1,2026-03-03\n")]
    with pytest.raises(SourceError, match="its rows have no 'modified': it has: id, fecha"):
        polled(api, since="modified_after", cursor="modified")


@pytest.mark.parametrize("text", [b"ERROR: no disponible\n", b"otra,cabecera\n"])
def test_a_header_without_the_columns_that_are_asked_for_is_no_empty_list(api: FakeApi, text: bytes) -> None:
    api.faults = [Said(text=text), Said(text=text)]
    with pytest.raises(SourceError, match="its rows have no 'modified'"):
        polled(api, since="modified_after", cursor="modified")
    with pytest.raises(SourceError, match="there is no column 'nit'"):
        Mapping(role="clients", columns={"client_id": "nit"}).apply(polled(api).table)


def test_a_later_page_with_another_header_is_told(api: FakeApi) -> None:
    link = {"Link": '</rows?p=2>; rel="next"'}
    api.faults = [Said(text=b"id,nit\n1,2\n", headers=link), Said(text=b"ERROR\n")]
    with pytest.raises(SourceError, match="a page has another header: ERROR"):
        polled(api)


def test_check_names_the_columns(api: FakeApi) -> None:
    api.faults = [Said(text=b"id,fecha\n1,2026-03-03\n")]
    assert source(api).check() == f"{api.url}/rows: id, fecha"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"rows": "value"}, "^rows: CSV has none"),
        ({"next": "more"}, "^next: CSV has none"),
        ({"delimiter": ";;"}, "^delimiter must be one plain"),
        ({"encoding": "klingon"}, "^encoding: there is no 'klingon'"),
        ({"format": "json", "delimiter": ";"}, "^delimiter: of CSV alone"),
        ({"format": "json", "encoding": "cp1252"}, "^encoding: of CSV alone"),
    ],
)
def test_impossible_options(api: FakeApi, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        source(api, **options)


@settings(max_examples=60)
@given(st.lists(st.tuples(*[st.text("ab;,\" \n\r'é0.", max_size=5)] * 2), max_size=6))
def test_what_the_csv_writer_writes_is_read_as_it_was(cells: list[tuple[str, str]]) -> None:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *cells])
    rows, wrong, _ = Sheet().rows(out.getvalue().encode(), "x")
    assert [(row["a"], row["b"]) for _, row in rows] == cells
    assert [number for number, _ in rows] == list(range(len(cells)))
    assert wrong == []
