"""Links to the next page: what is kept of one holds no key of ours, and asks for the same page."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import SourceError
from connectors.links import Links
from connectors.session import Session
from connectors.sources.http import Http
from tests.fake_api import TOKEN, Asked, FakeApi, Said

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
KEY = "ll4ve/de la API&=%41+ñ"
MORE = {"rows": "value", "next": "next", "since": "since", "cursor": "modified", "token": TOKEN}


def repeating(api: FakeApi, asked: Asked) -> Said:
    """Page after page; the link repeats the whole query, as many APIs do."""
    assert asked.query["key"] == KEY
    at = int(asked.query.get("page", 0))
    link = f"{api.url}/rows?{urlencode(asked.query | {'page': str(at + 1)})}"
    rows = [{"id": at, "modified": (NOW - timedelta(minutes=9 - at)).isoformat()}]
    return Said(body={"value": rows, "next": link if at < 5 else None})


@pytest.mark.parametrize("where", ["params", "url"])
def test_a_key_of_ours_that_a_link_repeats_is_in_no_cursor_and_in_every_request(where: str) -> None:
    with FakeApi() as api:
        api.pages = repeating
        held = {"url": f"{api.url}/rows", "params": {"key": KEY}}
        if where == "url":
            held = {"url": f"{api.url}/rows?{urlencode({'key': KEY})}"}
        cursor: Any = None
        seen: list[int] = []
        for _ in range(6):
            batch = Http(**held, **MORE).poll(cursor, NOW, None)
            cursor = json.loads(json.dumps(batch.cursor))
            seen += batch.table["id"].to_pylist()
            assert "ll4ve" not in json.dumps(cursor)
        assert (seen, batch.drained) == ([0, 1, 2, 3, 4, 5], True)


def test_a_cursor_of_before_is_read_on() -> None:
    with FakeApi() as api:
        api.pages = repeating
        source = Http(url=f"{api.url}/rows", params={"key": KEY}, **MORE)
        cursor = source.poll(None, NOW, None).cursor
        cursor["round"]["page"] = ["link", f"{api.url}/rows?{urlencode({'key': KEY, 'page': '1'})}"]
        batch = source.poll(cursor, NOW, None)
        assert batch.table["id"].to_pylist() == [1]
        assert "ll4ve" not in json.dumps(batch.cursor)


def test_a_link_to_another_server_is_refused_before_it_is_kept() -> None:
    with FakeApi() as api:
        api.pages = lambda _, asked: Said(
            body={"value": [{"id": 1, "modified": NOW.isoformat()}], "next": f"http://otra.example/?{asked.query}"}
        )
        source = Http(url=f"{api.url}/rows", params={"key": KEY}, **MORE)
        with pytest.raises(SourceError, match=r"leads to http://otra.example/, which is another server") as error:
            source.poll(None, NOW, None)
        assert "ll4ve" not in str(error.value)


_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\t"), max_size=8)
_QUERY = st.lists(st.tuples(st.sampled_from(["key", "page", "a b", "limit"]) | _WORDS.filter(bool), _WORDS), max_size=6)


@given(
    ours=st.dictionaries(st.sampled_from(["key", "a b", "limit", "other"]), _WORDS, max_size=3),
    query=_QUERY,
    repeated=st.booleans(),
)
def test_what_is_kept_leads_to_the_same_page(
    ours: dict[str, str], query: list[tuple[str, str]], *, repeated: bool
) -> None:
    url = "https://api.example/rows"
    links = Links(Session(url, timeout=timedelta(seconds=1)), url, ours)
    link = f"{url}?{urlencode(query + (list(ours.items()) if repeated else []))}"
    page = json.loads(json.dumps(links.kept(link, None)))

    def asked(address: str) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(address).query, keep_blank_values=True)

    assert asked(links.whole(page)) == asked(link)
    assert not {one for one in ours.items() if not one[1].isdecimal()} & set(asked(page[1]))
    assert links.kept(link, page) == page
    assert links.kept(f"?{urlsplit(link).query}", page) == page
