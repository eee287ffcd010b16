"""What `check --connect` says of a case tool that cannot be used: what is wrong is named, and not what is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import SourceError
from connectors.desks.outlook import Outlook
from connectors.desks.pair import Pair
from connectors.desks.webpage import Webpage
from connectors.session import Session
from connectors.sources.http import Http
from tests.fake_api import Asked, FakeApi, Said
from tests.fakes import outlook, pair, webpage
from tests.fakes.server import Tool


@pytest.fixture(params=[webpage, outlook, pair], ids=["webpage", "outlook", "pair"])
def tool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tool]:
    made = request.param.tool(tmp_path)
    yield made
    made.close()


def of(name: str) -> Any:
    return pytest.mark.parametrize(
        "tool", [{"webpage": webpage, "outlook": outlook, "pair": pair}[name]], indirect=True
    )


def said(desk: Any) -> SourceError:
    session: Session = desk.session
    session.sleep = lambda _: None
    with pytest.raises(SourceError) as error:
        desk.check()
    return error.value


def absent(fake: Any, *paths: str) -> None:
    """Nothing is there."""
    right: Callable[[Asked], Said] = fake.right
    fake.right = lambda asked: Said(404) if asked.path in paths else right(asked)


@of("webpage")
@pytest.mark.parametrize("which", ["form", "change"])
def test_a_form_that_is_not_there_is_named_and_not_the_list(tool: Tool, which: str) -> None:
    tool.add([0])
    absent(tool.fake, "/nada", "/nada/T-00001")
    error = said(Webpage(**tool.desk | {which: "/nada" if which == "form" else "/nada/{}"}))
    place = "/nada" if which == "form" else "/nada/"
    assert (str(error), error.fault) == (f"{tool.fake.url}{place}: 404 Not Found", "refused")


@of("webpage")
def test_a_list_that_is_not_there_is_named(tool: Tool) -> None:
    absent(tool.fake, "/casos")
    assert str(said(Webpage(**tool.desk))) == f"{tool.fake.url}/casos: 404 Not Found"


@of("webpage")
def test_a_field_that_the_form_to_log_in_has_not_is_named(tool: Tool) -> None:
    wrong = f"{tool.fake.url}/casos: asks to log in, and takes neither name nor password"
    assert str(said(Webpage(**tool.broken))) == wrong
    error = said(Webpage(**tool.desk, user_field="usuario"))
    assert str(error) == f"{wrong}: its form has no field 'usuario', it has: username, forja, contrasena"
    assert error.fault == "login"


@of("webpage")
def test_a_log_in_that_is_asked_to_wait_is_sent_again(tool: Tool) -> None:
    login: Callable[[Asked], Said | None] = tool.fake.login
    posts: list[str] = []

    def once_busy(asked: Asked) -> Said | None:
        if asked.path == "/entrar" and asked.method == "POST":
            posts.append(asked.body)
            if len(posts) == 1:
                return Said(429, headers={"Retry-After": "2"})
        return login(asked)

    tool.fake.login = once_busy
    desk, slept = Webpage(**tool.desk), list[float]()
    desk.session.sleep = slept.append
    assert desk.check().startswith(f"{tool.fake.url}/casos: 0 rows")
    assert (slept, len(posts), posts[0] == posts[-1]) == ([2], 2, True)


@of("outlook")
def test_a_mailbox_that_sends_and_is_not_there_is_named(tool: Tool) -> None:
    error = said(Outlook(**tool.desk | {"sender": "otra@banco.example"}))
    assert str(error).startswith(f"{tool.fake.url}/v1.0/users/otra@banco.example/: 404 Not Found")
    error = said(Outlook(**tool.desk | {"folder": "nada"}))
    assert str(error).startswith(f"{tool.fake.url}/v1.0/users/{outlook.DESK}: 404 Not Found")


@of("pair")
def test_of_two_tools_that_cannot_be_used_both_are_told(tool: Tool) -> None:
    case, incident = tool.desk["case"], tool.desk["incident"]
    wrong = {"case": case | {"client_secret": "wr0ng"}, "incident": incident | {"password": "wr0ng"}}
    both = str(said(Pair(**wrong)))
    first, second = (str(said(Pair(**tool.desk | {name: wrong[name]}))) for name in wrong)
    assert both == f"{first}; {second}"
    assert "/oauth2/token: 401" in first
    assert "/api/jwt/login: 401" in second


def test_a_path_that_is_not_there_is_no_wrong_password() -> None:
    with FakeApi() as api:
        way = {"token_url": f"{api.url}/nada", "client_id": "vigia", "client_secret": "s3cret"}
        for status, told, kind in (
            (404, "404 Not Found, there is nothing to log in at", "refused"),
            (400, "400 Bad Request", "login"),
        ):
            api.faults = [Said(status)]
            error = said(Http(url=f"{api.url}/rows", **way))
            assert str(error).startswith(f"{api.url}/nada: {told}")
            assert (error.fault, error.whole) == (kind, True)
