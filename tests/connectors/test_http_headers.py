"""HTTP with a key in a header, or user and password: sent with each request to the server, and to no log-in."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from connectors import SourceError
from connectors.desks import http as desks
from connectors.sources import http as sources
from tests.connectors.test_http_desk import CASE
from tests.fake_api import SECRET, FakeApi, Said

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
KEY = "llave-secreta"
BASIC = "Basic " + b64encode("vigía:clave".encode()).decode()


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as made:
        yield made


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"headers": {"X-Api-Key": KEY}}, {"x-api-key": KEY}),
        ({"user": "vigía", "password": "clave"}, {"authorization": BASIC}),
        ({"headers": {"X-Api-Key": KEY}, "token": "t"}, {"x-api-key": KEY, "authorization": "Bearer t"}),
    ],
)
def test_what_lets_us_in_goes_with_every_request(api: FakeApi, options: dict[str, Any], sent: dict[str, str]) -> None:
    more = Said(body=[{"a": 1}], headers={"Link": '</rows?at=1>; rel="next"'})
    api.faults = [more, Said(body=[{"a": 2}]), Said(body={"id": "T-1"}), Said()]
    assert sources.Http(url=f"{api.url}/rows", **options).poll(None, NOW, None).table.num_rows == 2
    desk = desks.Http(url=f"{api.url}/cases", **options)
    assert desk.open(CASE) == "T-1"
    desk.update(CASE)
    assert [asked.method for asked in api.asked] == ["GET", "GET", "PUT", "PATCH"]
    for asked in api.asked:
        told = {name.lower(): value for name, value in asked.headers.items()}
        assert {name: told.get(name) for name in sent} == sent


def test_a_log_in_elsewhere_gets_no_header_of_the_server_s(api: FakeApi) -> None:
    options = {"token_url": f"{api.url}/token", "client_id": "vigia", "client_secret": SECRET}
    source = sources.Http(url=f"{api.url}/rows", rows="value", headers={"X-Api-Key": KEY}, **options)
    with_key: dict[str, bool] = {}
    request = source.session.exchange.http.request

    def seen(method: str, url: str, **sent: Any) -> Any:
        with_key[url.removeprefix(api.url)] = KEY in (sent.get("headers") or {}).values()
        return request(method, url, **sent)

    source.session.exchange.http.request = seen  # type: ignore[method-assign]
    source.poll(None, NOW, None)
    assert with_key == {"/token": False, "/rows": True}


def test_no_error_holds_them(api: FakeApi) -> None:
    api.faults = [Said(403, body={"error": KEY})]
    with pytest.raises(SourceError) as caught:
        sources.Http(url=f"{api.url}/rows", headers={"X-Api-Key": KEY}).poll(None, NOW, None)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("kind", [sources.Http, desks.Http])
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"headers": {"authorization": "Bearer x"}}, "^headers: cannot hold Authorization"),
        ({"headers": {"X Api": "x"}}, "^headers: cannot hold"),
        ({"headers": {"X-Api-Key": f"{KEY}\n"}}, "^headers.X-Api-Key: holds a sign"),
        ({"user": "a", "password": "b", "token": "c"}, "^user: needs password, and takes the place of a token"),
        ({"user": "a"}, "^user: needs password"),
        ({"user": "a:b", "password": "c"}, "^user: cannot hold a colon"),
    ],
)
def test_what_cannot_be_sent_or_would_be_sent_twice_is_refused(kind: Any, options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        kind(url="https://crm.banco.example/casos", **options)
    assert KEY not in str(caught.value)
