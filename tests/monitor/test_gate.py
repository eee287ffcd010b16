"""Who gets in, by which door, to do what; and what is not let through at all."""

from __future__ import annotations

import json
import logging
import socket
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor import tables as t
from monitor.access import Access, Role, digest
from monitor.blocks import Monitor
from monitor.standing import rows
from monitor.web.asked import Asked, Malformed
from monitor.web.entry import inside
from monitor.web.gate import HEADERS, LARGEST
from monitor.web.permits import needed
from monitor.web.sessions import ADDRESSES, PERIOD, WRONG, Patience
from monitor.web.viewer import endpoints
from tests.monitor.conftest import ACEROS, NOW, PAYMENTS
from tests.monitor.served import ACCESS, TOKENS, Browser, Guarded, with_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.store import Store

PROXIED = replace(ACCESS, header="x-user", proxies=(ip_network("127.0.0.1"),))
LOOK, ACT, ADMINISTER = Role.LOOK, Role.ACT, Role.ADMINISTER


@pytest.fixture
def face(store: Store) -> Iterator[Guarded]:
    made = Guarded(store)
    yield made
    made.server.stop()


@pytest.fixture
def local(store: Store) -> Iterator[Guarded]:
    """Without users."""
    made = Guarded(store, Access())
    yield made
    made.server.stop()


# ---- what a role may -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/-/healthy", None), ("GET", "/-/ready", None), ("GET", "/static/board.css", None),
        ("GET", "/entrar", None), ("POST", "/entrar", None), ("POST", "/salir", LOOK),
        ("GET", "/", LOOK), ("GET", "/clientes/900123456", LOOK), ("HEAD", "/api/v1/cases", LOOK), ("GET", "/turno", LOOK),
        ("GET", "/api/openapi.json", LOOK), ("GET", "/metrics", LOOK), ("GET", "/nobody/knows", LOOK),
        ("POST", "/api/v1/incidents/AF-1/ack", ACT), ("POST", "/incidents/AF-1/note", ACT), ("POST", "/cases/VG-1/informed", ACT),
        ("POST", "/api/v1/cases/VG-1/attribute", ACT), ("POST", "/api/v1/silences", ACT), ("DELETE", "/api/v1/silences/s1", ACT),
        ("POST", "/api/v1/maintenance", ACT), ("POST", "/api/v1/maintenance/w1/end", ACT),
        ("POST", "/-/reload", ADMINISTER), ("GET", "/api/v1/reads", ADMINISTER), ("POST", "/api/v1/users", ADMINISTER),
        ("POST", "/api/v1/clients/900123456/purge", ADMINISTER), ("POST", "/", ADMINISTER), ("POST", "/nobody/knows", ADMINISTER),
        ("PUT", "/api/v1/silences/s1", ADMINISTER), ("PATCH", "/incidents/AF-1", ADMINISTER), ("POST", "/static/x", ADMINISTER),
        ("POST", "/incidents/AF-1\n/../../-/reload", ACT), ("GET", "/entrar/", LOOK), ("BREW", "/", ADMINISTER),
    ],
)  # fmt: skip
def test_what_it_takes(method: str, path: str, role: Role | None) -> None:
    assert needed(method, path) is role


@pytest.mark.parametrize(
    ("user", "method", "path", "status"),
    [
        ("", "GET", "/-/healthy", 200), ("", "GET", "/-/ready", 200), ("", "GET", "/static/board.css", 200),
        ("", "GET", "/entrar", 200), ("", "GET", "/", 303), ("", "GET", "/clientes", 303),
        ("", "GET", "/api/v1/incidents", 401), ("", "GET", "/api/openapi.json", 401), ("", "POST", "/api/v1/silences", 401),
        ("", "GET", "/nope", 303), ("", "POST", "/-/reload", 401),
        ("ana", "GET", "/", 200), ("ana", "GET", "/api/v1/incidents", 200), ("ana", "GET", "/api/docs", 200),
        ("ana", "GET", "/-/ready", 200), ("ana", "GET", "/metrics", 200), ("ana", "GET", "/nope", 404),
        ("ana", "POST", "/api/v1/incidents/x/ack", 403), ("ana", "POST", "/incidents/x/ack", 403),
        ("ana", "DELETE", "/api/v1/silences/x", 403), ("ana", "POST", "/nope", 403),
        ("beto", "GET", "/", 200), ("beto", "POST", "/-/reload", 403), ("beto", "POST", "/nope", 403),
        ("beto", "GET", "/api/v1/reads", 403), ("carla", "POST", "/nope", 404),
    ],
)  # fmt: skip
def test_who_may_what(face: Guarded, user: str, method: str, path: str, status: int) -> None:
    answer = face.ask(method, path, user=user)
    assert answer.status_code == status
    if path.startswith("/api/") and status >= 400:
        assert set(answer.json()) == {"detail"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("silences", {"matchers": {}, "reason": "x", "lasts": "2h"}),
        ("maintenance", {"reason": "x", "until": (NOW + timedelta(hours=1)).isoformat()}),
    ],
)
def test_who_acts_does_not_force(face: Guarded, path: str, body: dict[str, Any]) -> None:
    for user, force, status in (("beto", False, 422), ("beto", True, 403), ("carla", False, 422), ("carla", True, 200)):
        answer = face.ask("POST", f"/api/v1/{path}", user=user, json=body | {"force": force})
        assert answer.status_code == status, answer.text
    assert len(face.store.acts()) == 1


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/no/hay", 404, "aquí no hay nada"), ("GET", "/api/v1/no", 404, "aquí no hay nada"),
        ("GET", "/-/no", 404, "aquí no hay nada"),
        ("GET", "/static/no.css", 404, "aquí no hay nada"), ("PUT", "/api/v1/silences", 405, "eso no se hace aquí"),
        ("POST", "/clientes", 405, "eso no se hace aquí"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said_in_words(face: Guarded, method: str, path: str, status: int, words: str) -> None:
    for user in ("carla", "ana") if method == "GET" and not path.startswith("/-/") else ("carla",):
        answer = face.ask(method, path, user=user)
        assert (answer.status_code, answer.headers.get("Allow") is not None) == (status, status == 405)
        if path.startswith(("/api/", "/-/")):
            assert answer.json() == {"detail": words}
        else:
            assert f"{words}" in answer.text.lower()
            assert "<html" in answer.text
            assert "/no/" not in answer.text


def test_every_call_that_changes_something_is_in_the_table(face: Guarded) -> None:
    """A new one must be given its role in monitor/web/permits.py, or be for who administers by intention."""
    unsafe = [(m, r.path) for r in endpoints(face.application.router.routes) for m in r.methods - {"GET", "HEAD"}]
    assert unsafe
    for method, path in unsafe:
        role = needed(method, path.replace("{", "").replace("}", ""))
        assert role in (None, LOOK) if path in ("/entrar", "/salir") else role in (ACT, ADMINISTER), path


# ---- who it is -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    ["Bearer wrong", "Bearer", "Bearer ", "bearer  x y", f"Bearer {'x' * 5000}", "Bearer ñ"],
)
def test_a_wrong_token_is_nobodys(face: Guarded, said: str) -> None:
    answer = face.get("/api/v1/incidents", Authorization=said.encode("latin-1"))  # type: ignore[arg-type]
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    page = face.get("/", Authorization=said.encode("latin-1"))  # type: ignore[arg-type]
    assert page.status_code == 401, "a program is not sent to the log-in"


def test_wrong_tokens_are_told_without_them_and_make_one_wait(face: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for n in range(WRONG):
            assert face.get("/api/v1/incidents", Authorization=f"Bearer casi-{n}").status_code == 401
        held = face.get("/api/v1/incidents", user="ana")
        assert (held.status_code, held.headers["Retry-After"]) == (429, "60")
        assert Browser(face).enter(TOKENS["ana"]).status_code == 429
    assert "casi-" not in caplog.text
    assert TOKENS["ana"] not in caplog.text
    face.wait(PERIOD)
    assert face.get("/api/v1/incidents", user="ana").status_code == 200


def test_patience_forgets_the_oldest_address() -> None:
    patience = Patience(lambda: NOW)
    for n in range(ADDRESSES + 5):
        patience.wrong(str(n))
    assert len(patience._wrong) == ADDRESSES
    for _ in range(WRONG):
        patience.wrong("9")
    assert patience.wait("9") == 60
    assert patience.wait("10") == 0


def test_a_person_enters_once_and_leaves(face: Guarded) -> None:
    person = Browser(face)
    sent = person.get("/clientes?x=1")
    assert (sent.status_code, sent.headers["Location"]) == (303, "/entrar?next=/clientes")
    assert "Su token" in person.get(sent.headers["Location"]).text
    assert person.enter("no-es-un-token", "/clientes").status_code == 401
    entered = person.enter(TOKENS["beto"], "/clientes")
    assert (entered.status_code, entered.headers["Location"]) == (303, "/clientes")
    cookie = entered.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"):
        assert part in cookie
    assert "Secure" not in cookie, "over plain HTTP the browser would drop it"
    assert TOKENS["beto"] not in cookie
    assert person.get("/clientes").status_code == 200
    assert person.get("/entrar").headers["Location"] == "/", "who is in need not enter"
    left = person.post("/salir", person.form("/", "/salir"))
    assert (left.status_code, left.headers["Location"]) == (303, "/entrar")
    assert person.get("/").status_code == 303


def test_a_session_that_was_left_opens_nothing_any_more(store: Store) -> None:
    """Neither here nor after a restart; another of the same person goes on; what has run out is forgotten."""
    first = Guarded(store)
    person, elsewhere = Browser(first), Browser(first)
    for one in (person, elsewhere):
        one.enter(TOKENS["beto"])
    copied = f"vigia={person.session.cookies['vigia']}"
    assert first.get("/casos", Cookie=copied).status_code == 200
    person.post("/salir", person.form("/", "/salir"))
    assert first.get("/casos", Cookie=copied).status_code == 303
    assert elsewhere.get("/casos").status_code == 200
    first.server.stop()
    again = Guarded(store)
    assert again.get("/casos", Cookie=copied).status_code == 303
    assert len([key for key in store.marks() if key.startswith("ended ")]) == 1
    again.wait(timedelta(hours=13))
    person.face = again
    person.enter(TOKENS["beto"])
    person.post("/salir", person.form("/", "/salir"))
    assert len([key for key in store.marks() if key.startswith("ended ")]) == 1
    again.server.stop()


def test_a_session_outlives_a_restart_and_ends_with_its_token_and_its_time(store: Store) -> None:
    first = Guarded(store)
    person = Browser(first)
    person.enter(TOKENS["ana"])
    first.server.stop()
    for access, length, status in (
        (ACCESS, timedelta(hours=11), 200),
        (ACCESS, timedelta(hours=12), 303),
        (with_token("ana", "otro-token-0123456789"), timedelta(0), 303),
        (with_token("beto", "otro-token-0123456789"), timedelta(0), 200),
        (replace(ACCESS, users={"beto": ACCESS.users["beto"]}), timedelta(0), 303),
    ):
        again = Guarded(store, access)
        again.wait(length)
        person.face = again
        assert person.get("/").status_code == status
        again.server.stop()


def test_whoever_looks_after_a_restart_waits_for_no_writer(store: Store) -> None:
    first = Guarded(store)
    person = Browser(first)
    person.enter(TOKENS["ana"])
    first.server.stop()
    again = person.face = Guarded(store)
    with store.writing():
        assert person.get("/").status_code == 200
    again.server.stop()


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c", '"[1,2]"', "WzFd.sig", "\xff"])
def test_a_made_up_session_is_nobodys(face: Guarded, cookie: str) -> None:
    assert face.get("/", Cookie=f"vigia={cookie}".encode("latin-1")).status_code == 303  # type: ignore[arg-type]


def test_a_session_is_bound_to_its_signature(face: Guarded) -> None:
    person = Browser(face)
    person.enter(TOKENS["ana"])
    cookie = person.session.cookies["vigia"]
    head, dot, tail = cookie.rpartition(".")
    assert face.get("/", Cookie=f"vigia={cookie}").status_code == 200
    assert face.get("/", Cookie=f"vigia={head[:-1]}{'A' if head[-1] != 'A' else 'B'}{dot}{tail}").status_code == 303


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/clientes", "/clientes"), ("/a?b=c#d", "/a?b=c#d"), ("//evil.example", "/"), ("/\\evil.example", "/"),
        ("https://evil.example", "/"), ("", "/"), ("clientes", "/"), ("/\r\nSet-Cookie: a=b", "/"), ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"), ("/a\\b", "/"),
    ],
)  # fmt: skip
def test_the_log_in_leads_nowhere_else(path: str, to: str) -> None:
    assert inside(path) == to


def test_who_comes_by_a_link_in_a_mail_is_asked_only_if_they_are_not_in(face: Guarded) -> None:
    mail = {"Sec-Fetch-Site": "cross-site"}
    page = face.get("/entrar?next=/clientes", **mail).text
    assert '<meta http-equiv="refresh" content="0; url=/entrar?de=fuera&amp;next=/clientes">' in page
    assert "http-equiv" not in face.get("/entrar?next=/clientes&de=fuera", **mail).text


def test_behind_https_the_cookie_and_the_answer_say_so(store: Store) -> None:
    face = Guarded(store, replace(ACCESS, proxies=(ip_network("127.0.0.1"),), header="x-user"))
    person = Browser(face)
    person.session.headers["X-Forwarded-Proto"] = "https"
    origin = face.address.replace("http:", "https:")
    entered = person.post("/entrar", person.form("/entrar", "/entrar") | {"token": TOKENS["ana"]}, origin)
    assert entered.status_code == 303
    assert entered.headers["Set-Cookie"].startswith("__Host-vigia=")
    assert "; Secure" in entered.headers["Set-Cookie"]
    assert entered.headers["Strict-Transport-Security"] == "max-age=31536000"
    face.server.stop()


# ---- the proxy -----------------------------------------------------------------------------------------------------


def test_a_trusted_proxy_names_the_user(store: Store) -> None:
    face = Guarded(store, PROXIED)
    assert face.get("/", **{"X-User": "beto@banco.example"}).status_code == 200
    assert face.get("/", **{"X-User": "somebody"}).status_code == 403
    assert face.get("/").status_code == 303
    face.get(f"/clientes/{ACEROS}", **{"X-User": "Beto", "X-Forwarded-For": "8.8.8.8, 10.1.1.1, 127.0.0.1"})
    assert [row["who"] for row in rows(store, t.reads.select())] == ["beto"]
    face.server.stop()


def test_what_a_proxy_was_given_itself_is_no_token(store: Store) -> None:
    """Neither does it lock anybody out, nor does it open anything."""
    made = Guarded(store, PROXIED)
    own = {"Authorization": "Basic YmV0bzp4", "X-Forwarded-For": "10.0.0.9"}
    for _ in range(WRONG + 1):
        assert made.get("/casos", **own, **{"X-User": "beto"}).status_code == 200
    assert made.get("/api/v1/incidents", **own).status_code == 401
    assert made.get("/casos", **own).headers["Location"] == "/entrar?next=/casos"
    made.server.stop()


def test_nobody_else_names_one(store: Store) -> None:
    face = Guarded(store, replace(PROXIED, proxies=(ip_network("10.0.0.0/8"),)))
    assert face.get("/", **{"X-User": "carla"}).status_code == 303
    assert face.get("/api/v1/cases", **{"X-User": "carla", "X-Forwarded-For": "10.0.0.1"}).status_code == 401
    face.server.stop()


def test_a_header_twice_is_not_believed_once(store: Store) -> None:
    face = Guarded(store, PROXIED)
    host, _, port = face.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 10) as link:
        link.sendall(
            f"GET /api/v1/cases HTTP/1.1\r\nHost: {host}:{port}\r\nX-User: ana\r\nX-User: carla\r\n\r\n".encode()
        )
        assert link.recv(100).startswith(b"HTTP/1.1 400 ")
    face.server.stop()


def asked(access: Access = PROXIED, peer: str = "127.0.0.1", **headers: str) -> Asked:
    given_ = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Asked({"method": "POST", "path": "/", "headers": given_, "client": (peer, 1), "scheme": "http"}, access)


@pytest.mark.parametrize(
    ("peer", "said", "address"),
    [
        ("127.0.0.1", "8.8.8.8", "8.8.8.8"), ("127.0.0.1", "6.6.6.6, 8.8.8.8, 127.0.0.1", "8.8.8.8"), ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "8.8.8.8, junk", "127.0.0.1"), ("127.0.0.1", "127.0.0.1", "127.0.0.1"), ("9.9.9.9", "8.8.8.8", "9.9.9.9"),
    ],
)  # fmt: skip
def test_where_it_came_from_by_the_proxys_word(peer: str, said: str, address: str) -> None:
    assert asked(peer=peer, x_forwarded_for=said).address == address


NAMES = ("authorization", "cookie", "x-user", "x-forwarded-for", "x-forwarded-proto", "host", "origin", "referer",
         "sec-fetch-site", "content-length", "content-type", "x-csrf-token")  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=60)), max_size=8))
def test_no_header_breaks_the_reading(headers: list[tuple[str, bytes]]) -> None:
    scope = {
        "method": "POST",
        "path": "/",
        "headers": [(n.encode(), v) for n, v in headers],
        "client": ("127.0.0.1", 1),
    }
    try:
        found = Asked(scope, PROXIED)
        found.token, found.length, found.content, found.guard, found.cookie("vigia")
        ours = found.from_our_own_page("https://vigia.banco.example")
    except Malformed:
        return
    said = {name: value for name, value in headers}  # noqa: C416 - the last of each
    assert (
        not ours
        or said.get("sec-fetch-site", b"").strip() == b"same-origin"
        or found.host
        or b"vigia.banco" in b"".join(said.values())
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.dictionaries(st.sampled_from(["Authorization", "Cookie", "Origin", "Referer", "X-User", "X-CSRF-Token"]), st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f\x85\xa0"), max_size=40)))  # fmt: skip
def test_no_made_up_credentials_get_in(face: Guarded, headers: dict[str, str]) -> None:
    sent: dict[str, Any] = {name: value.encode("latin-1") for name, value in headers.items()}
    assert face.ask("POST", "/api/v1/silences", headers=sent).status_code in (400, 401, 403, 429)
    face.wait(PERIOD)


# ---- forged requests -----------------------------------------------------------------------------------------------


def test_a_form_needs_our_own_page_and_its_mark(face: Guarded) -> None:
    person, other = Browser(face), Browser(face)
    person.enter(TOKENS["beto"])
    other.enter(TOKENS["carla"])
    mark = person.form("/", "/salir")
    path = f"/incidents/{PAYMENTS}/no/pe"  # nothing answers there: 404 and 405 are through the gate
    through = (404, 405)
    assert person.post(path, mark).status_code in through
    for origin in (
        "https://evil.example",
        "null",
        None,
        face.address + ".evil.example",
        face.address.replace("http", "https"),
    ):
        assert person.post(path, mark, origin).status_code == 403, origin
    assert person.post(path, mark, None, Referer=f"{face.address}/incidents/1").status_code in through
    assert person.post(path, mark, None, Referer="https://evil.example/").status_code == 403
    assert person.post(path, mark, None, **{"Sec-Fetch-Site": "same-origin"}).status_code in through
    for site in ("cross-site", "same-site", "none"):
        assert person.post(path, mark, **{"Sec-Fetch-Site": site}).status_code == 403, site
    for wrong in ({}, {"csrf": ""}, {"csrf": "x"}, other.form("/", "/salir"), Browser(face).form("/entrar", "/entrar")):
        assert person.post(path, wrong).status_code == 403, wrong
    assert person.post(path, {}, **{"X-CSRF-Token": mark["csrf"]}).status_code in through
    own = {"Content-Type": "application/json"}
    assert person.post(path, {}, **own).status_code in through, "no other page can send JSON unasked"
    assert person.post(path, {}, "https://evil.example", **own).status_code == 403
    assert face.ask("POST", path, user="beto").status_code in through, "a token is sent by nobody's browser by itself"


def test_the_log_in_is_guarded_too(face: Guarded) -> None:
    person = Browser(face)
    fields = person.form("/entrar", "/entrar") | {"token": TOKENS["ana"]}
    assert person.post("/entrar", fields, "https://evil.example").status_code == 403
    assert person.post("/entrar", fields | {"csrf": "x"}).status_code == 403
    assert person.post("/entrar", fields).status_code == 303


def test_without_users_a_foreign_page_does_nothing_either(local: Guarded) -> None:
    path = f"/incidents/{PAYMENTS}/no/pe"
    assert local.ask("POST", path).status_code == 403
    assert local.ask("POST", path, json={}).status_code == 403
    assert local.ask("POST", path, json={}, headers={"Origin": "https://evil.example"}).status_code == 403
    assert local.ask("POST", path, json={}, headers={"Origin": local.address}).status_code in (404, 405)
    assert local.ask("POST", path, data={"a": "b"}, headers={"Origin": local.address}).status_code == 403


def test_our_public_address_is_our_own_page(store: Store) -> None:
    face = Guarded(store, monitor=Monitor(address="https://vigia.banco.example"))
    person = Browser(face)
    person.enter(TOKENS["beto"])
    path, mark = f"/incidents/{PAYMENTS}/no/pe", person.form("/", "/salir")
    assert person.post(path, mark, "https://vigia.banco.example").status_code in (404, 405)
    assert person.post(path, mark, "https://vigia.banco.example.evil.example").status_code == 403
    face.server.stop()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("localhost:8080", 200), ("[::1]:8080", 200), ("LOCALHOST", 200), ("vigia.banco.example", 200),
        ("evil.example", 421), ("127.0.0.1.evil.example:8080", 421), ("localhost.evil.example", 421), ("", 421), ("::1x", 421),
    ],
)  # fmt: skip
def test_on_loopback_only_our_own_names_are_answered(store: Store, host: str, status: int) -> None:
    face = Guarded(store, Access(), Monitor(address="https://vigia.banco.example"))
    answer = face.get("/api/v1/incidents", Host=host)
    face.server.stop()
    assert answer.status_code == status


def test_beyond_loopback_any_name_leads_to_the_log_in(store: Store) -> None:
    face = Guarded(store, ACCESS, Monitor(listen="0.0.0.0:8080"))
    assert face.get("/api/v1/incidents", user="ana", Host="vigia:8080").status_code == 200
    face.server.stop()


# ---- metrics, sizes, headers, words --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listen", "open_metrics", "headers", "status"),
    [
        ("127.0.0.1:1", False, {}, 200), ("127.0.0.1:1", False, {"X-Forwarded-For": "8.8.8.8"}, 401),
        ("0.0.0.0:1", False, {}, 401), ("0.0.0.0:1", True, {}, 200), ("0.0.0.0:1", False, {"Authorization": "Bearer wrong"}, 401),
        ("0.0.0.0:1", False, {"Authorization": "Bearer metrics-token-0123456789"}, 200),
        ("0.0.0.0:1", False, {"Authorization": f"Bearer {TOKENS['ana']}"}, 200),
    ],
)  # fmt: skip
def test_the_metrics(store: Store, listen: str, open_metrics: bool, headers: dict[str, str], status: int) -> None:  # noqa: FBT001 - a table
    access = replace(ACCESS, metrics=digest("metrics-token-0123456789"), open_metrics=open_metrics)
    face = Guarded(store, access, Monitor(listen=listen))
    assert face.get("/metrics", **headers).status_code == status
    assert face.get("/-/healthy", **headers).status_code == 200
    face.server.stop()


def test_the_metrics_token_opens_nothing_else(store: Store) -> None:
    face = Guarded(store, replace(ACCESS, metrics=digest("metrics-token-0123456789")))
    answer = face.get("/api/v1/incidents", Authorization="Bearer metrics-token-0123456789")
    assert answer.status_code == 401
    face.server.stop()


def test_a_request_of_any_size_is_bearable(face: Guarded) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(LARGEST // 1024 + 2):
            yield b"x" * 1024

    assert face.ask("POST", "/api/v1/silences", user="beto", data=b"x" * (LARGEST + 1)).status_code == 413
    assert face.ask("POST", "/api/v1/silences", user="beto", data=pieces()).status_code == 413
    assert face.ask("GET", "/api/v1/cases", user="beto", data=b"x" * (LARGEST + 1)).status_code == 413
    assert face.ask("POST", "/nope/x", user="carla", data=b"x" * LARGEST).status_code == 404


@pytest.mark.parametrize("path", ["/", "/entrar", "/nope", "/static/board.css", "/-/healthy", "/api/v1/cases"])
def test_every_answer_is_guarded(face: Guarded, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"Host": "evil.example"}):
        found = face.get(path, **headers).headers
        for name, value in HEADERS.items():
            assert found[name] == value or path.startswith("/static/"), name


def test_what_does_not_fit_is_said_in_words_and_not_repeated(face: Guarded) -> None:
    answer = face.get("/api/v1/incidents?state=900123456&limit=0", user="ana")
    assert (answer.status_code, set(answer.json())) == (422, {"detail"})
    words = answer.json()["detail"]
    assert "900123456" not in words
    assert words.startswith(
        "state: debe ser 'open', 'firing', 'resolved', 'merged' or 'all'; limit: debe ser al menos 1"
    )
    assert face.get("/api/v1/leads?since=ayer", user="ana").json()["detail"].startswith("since: debe ser una fecha")


def test_a_sign_that_no_database_keeps_is_refused(face: Guarded) -> None:
    for path in ("/api/v1/incidents/%00", "/clientes/a%00b", "/api/v1/cases?incident_id=%00"):
        assert face.get(path, "beto").status_code == 422
    for body in (b"text=%00", b"a\0b", rb'{"text": "\u0000"}'):
        assert face.ask("POST", "/api/v1/silences", user="beto", data=body).status_code == 422


def test_no_secret_in_any_page_log_or_metric(face: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    person, key = Browser(face), ""
    with caplog.at_level(logging.DEBUG):
        person.enter(TOKENS["carla"])
        pages = [person.get(path).text for path in ("/", "/entrar", "/metrics", "/api/openapi.json", "/nope")]
        key = face.store.marks()["web_key"]
    assert len(key) == 64
    for secret in (*TOKENS.values(), *(digest(token).hex() for token in TOKENS.values()), key):
        ours = [r.getMessage() for r in caplog.records if not r.name.startswith("urllib3")]
        assert secret not in json.dumps([*pages, *ours])


@pytest.mark.parametrize("user", ["ana", "beto"])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/casos/", 307), ("/incidents/AF-1/", 307), ("/api/v1/incidents/", 307), ("/static", 307), ("/metrics/", 307),
        ("/api/openapi.json", 200),
    ],
)  # fmt: skip
def test_the_frameworks_own_answers_reach_everybody(face: Guarded, user: str, path: str, status: int) -> None:
    assert face.get(path, user).status_code == status


def test_who_sees_some_is_told_which_role_it_takes(face: Guarded) -> None:
    body = {"matchers": {}, "reason": "x", "lasts": "1h", "force": True}
    for user in ("beto", "diana"):
        answer = face.ask("POST", "/api/v1/silences", user=user, json=body)
        assert (answer.status_code, answer.json()["detail"]) == (403, "esto lo hace quien tiene el rol administer")


def test_an_answer_that_passes_nobody_reaches_no_viewer_of_some_clients(store: Store) -> None:
    face = Guarded(store)
    late = APIRouter()

    @late.get("/late")
    def told() -> dict[str, str]:
        return {"client": "Molinos Borovanda"}

    face.application.include_router(late)  # after the application was closed
    assert face.get("/late", user="beto").status_code == 200
    assert face.get("/late", user="ana").status_code == 500
    face.server.stop()
