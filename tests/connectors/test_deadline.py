"""A server that sends a byte now and then is given up as soon as one that says nothing: over HTTP and mail, with TLS and without."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import cycle
from time import monotonic
from typing import Any, Literal

import pytest

from connectors import SourceError
from connectors.deadline import until
from connectors.mailbox import Mailbox
from connectors.session import Session
from connectors.smtp import Smtp
from connectors.tls import Tls
from tests.certificates import own_certificate

LIMIT = timedelta(seconds=0.4)
BEAT = 0.03
"""Seconds between two pieces."""
ENOUGH = 60.0
"""Seconds after which a server ends, so that who waits for ever fails and does not hang."""


@contextmanager
def trickling(first: bytes, then: bytes, *, tls: bool = False, pieces: int = 1) -> Iterator[int]:
    """A server that says `first` to whoever comes, and then the bytes of `then` over and over, so many at once."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            with suppress(OSError):
                line: socket.socket = server.accept()[0]
                line = own_certificate()[1].wrap_socket(line, server_side=True) if tls else line
                with line:
                    line.sendall(first)
                    began, rest = monotonic(), cycle(then)
                    while not ended.wait(BEAT) and monotonic() - began < ENOUGH:
                        line.sendall(bytes(next(rest) for _ in range(pieces)))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        ended.set()
        with suppress(OSError):
            socket.create_connection(server.getsockname(), 1).close()  # where nobody came
    thread.join(60)


@contextmanager
def given_up() -> Iterator[None]:
    """In time, and told as such."""
    began = monotonic()
    with pytest.raises(SourceError, match=r"no answer within 0.4 s$") as error:
        yield
    assert error.value.fault == "timeout"
    assert 0.3 < monotonic() - began < ENOUGH / 2


def asked(url: str, **options: Any) -> Any:
    session = Session(url, timeout=LIMIT, **options)
    return session.ask("GET", url, repeat=False, parse=False)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    ("first", "then", "pieces"),
    [
        (b"", b"HTTP/1.1 200 OK", 1),
        (OK, b"x", 1),
        (OK, b"X-Eco: uno\r\n", 12),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 25),
        (OK + b"Content-Length: 100000\r\n\r\n", b" ", 1),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 6),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x", 1),
        (OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\0", b"x", 1),
    ],
    ids=["status", "a header", "headers", "continue", "body", "chunks", "a chunk's head", "gzip"],
)
def test_http(first: bytes, then: bytes, pieces: int, tls: bool) -> None:  # noqa: FBT001 - a table
    with trickling(first, then, tls=tls, pieces=pieces) as port, given_up():
        if tls:
            asked(f"https://localhost:{port}/", tls=Tls(str(own_certificate()[0])))
        else:
            asked(f"http://127.0.0.1:{port}/")


def test_a_log_in_and_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with trickling(OK, b"x") as port, given_up():
        login = {"token_url": f"http://127.0.0.1:{port}/token", "client_id": "vigia", "client_secret": "s3cret"}
        asked("http://127.0.0.1:1/", **login)
    for scheme in ("http", "https"):
        with trickling(OK, b"x") as port, given_up():
            monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{port}")
            asked(f"{scheme}://banco.example/")


def test_tls_that_is_never_agreed_on() -> None:
    with trickling(b"\x16\x03\x03\x40\x00", b"\x02") as port, given_up():
        asked(f"https://localhost:{port}/", tls=Tls(str(own_certificate()[0])))


def test_who_is_slow_and_yet_in_time_is_heard() -> None:
    said = OK + b"Content-Length: 7\r\n\r\n"
    with trickling(said, b"[1,2,3]") as port:
        assert asked(f"http://127.0.0.1:{port}/").text == b"[1,2,3]"


SAFE: tuple[Literal["tls", "starttls"], ...] = ("tls", "starttls")


@pytest.mark.parametrize("tls", SAFE)
@pytest.mark.parametrize(
    ("first", "then", "pieces"),
    [(b"", b"* OK hola ", 1), (b"* OK hola\r\n", b"* OK still here\r\n", 17), (b"* OK hola\r\n", b"x", 1)],
    ids=["greeting", "lines", "an answer"],
)
def test_imap(first: bytes, then: bytes, pieces: int, tls: Literal["tls", "starttls"]) -> None:
    with trickling(first, then, tls=tls == "tls", pieces=pieces) as port:
        ca_file = str(own_certificate()[0])
        box = Mailbox(host="localhost", port=port, tls=tls, user="x", password="x", ca_file=ca_file, timeout=LIMIT)
        with given_up(), box.opened():
            pass


@pytest.mark.parametrize("tls", ["tls", "none"])
@pytest.mark.parametrize(
    ("first", "then", "pieces"),
    [(b"", b"220-hola ", 1), (b"", b"220-hola\r\n", 10), (b"220 hola\r\n", b"250-SIZE\r\n", 10)],
    ids=["greeting", "lines", "an answer"],
)
def test_smtp(first: bytes, then: bytes, pieces: int, tls: Literal["tls", "none"]) -> None:
    with trickling(first, then, tls=tls == "tls", pieces=pieces) as port:
        ca_file = str(own_certificate()[0]) if tls == "tls" else ""
        server = Smtp(host="localhost", port=port, tls=tls, user="", password="", ca_file=ca_file, timeout=LIMIT)
        with given_up():
            server.check()


def test_a_socket_is_read_no_more_once_it_was_late() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    ends = iter([monotonic() - 1, monotonic() + 60])
    with ours, theirs, until(lambda: next(ends), ours.makefile("rb"), ours) as file:
        theirs.sendall(b"late\n")
        for _ in range(2):
            with pytest.raises(TimeoutError):
                file.readline()
