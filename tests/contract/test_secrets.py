"""No secret of any kind of source, desk or receiver stands anywhere but where it is sent: whatever goes wrong.

Every example block is made with secrets that would be known again, and asked where nobody listens, where nobody vouches for the
certificate, and where what was asked is echoed in the answer.
"""

from __future__ import annotations

import io
import json
import re
import socket
import tomllib
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any, get_args

import pytest
import requests
import sqlalchemy as sa
import structlog
from requests.adapters import HTTPAdapter
from structlog.tracebacks import ExceptionDictTransformer

from connectors import Case, Notice
from connectors.kinds import Folder, kinds, tools
from monitor.config import Config, read_config
from monitor.connect import faults_of
from monitor.daemon import pages
from monitor.service import Service
from monitor.store import Message, Step, Store
from monitor.web import serve
from tests.authority import beside
from tests.connectors.test_examples import EXAMPLES
from tests.fake_mail import free_port

NOW = datetime(2026, 3, 3, 15, tzinfo=UTC)
MARK = "S3NT1NEL"
RECEIVERS = {
    "email": 'host = "smtp.banco.example"\nuser = "vigia"\npassword = "${A}"\nsender = "v@banco.example"\nto = "t@banco.example"',
    "teams": 'url = "https://flujos.banco.example/workflows/${A}?sig=${B}"',
    "webhook": 'url = "https://avisos.banco.example/${A}"\nsecret = "${B}-long-enough"\ntoken = "${C}"',
    "alertmanager": 'urls = ["https://am.banco.example"]\nuser = "vigia"\npassword = "${A}"',
    "apprise": 'urls = ["jsons://vigia:${A}@avisos.banco.example/${B}"]\nallow = ["jsons"]',
}
CASE = Case("VG-1", "AF-1", "900123456", "pagos", "web", NOW, 50, "asunto", "cuerpo")
PAYLOAD = asdict(CASE) | {"opened_at": NOW.isoformat()}
TOLD = Notice(
    "n:1", "t:1", "first", "", NOW, "asunto", "texto", "<p>texto</p>", {"news": "fault", "fault": {"severity": "major"}}
)


def blocks() -> Iterator[tuple[str, str]]:
    """Each kind's example, a block by itself: its name and its text."""
    for name, text in EXAMPLES.items():
        for block in re.split(r"(?m)^(?=\[(?:sources|desks|boards)\.\w+\])", text):
            if block.strip():
                yield f"{block.partition('.')[0].strip('[')}-{name}", block
    for name, text in RECEIVERS.items():
        yield f"receivers-{name}", f'[receivers.{name}]\nkind = "{name}"\n{text}\n'


pytestmark = pytest.mark.filterwarnings("ignore:.imghdr. is deprecated")  # which apprise imports
BLOCKS = dict(blocks())
each = pytest.mark.parametrize("name", BLOCKS)


def test_every_kind_is_here() -> None:
    there = {
        (folder, block["kind"])
        for text in BLOCKS.values()
        for folder, named in tomllib.loads(text).items()
        for block in named.values()
    }
    every = {(folder, kind) for folder in get_args(Folder) for kind in kinds(folder)} | {
        ("sources", kind) for kind in tools()
    }
    assert every <= there, "a new kind needs a block in connectors/README.md; one of receiver a line in RECEIVERS"


@pytest.fixture
def made(name: str, plain: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The example, its secrets all marked; databases lie where nobody listens, and so does one broker; the other speaks no TLS."""
    for secret in re.findall(r"\$\{(\w+)\}", BLOCKS[name]):
        monkeypatch.setenv(secret, f"{MARK}-{secret}")
    beside(BLOCKS[name], tmp_path, f"{MARK}-KAFKA_LLAVE")
    text = re.sub(r"(://[^/@\s\"]*@)[\w.]+(?::\d+)?", rf"\g<1>127.0.0.1:{free_port()}", BLOCKS[name])
    text = re.sub(r'(?m)^(kind\s*= "kafka")$', r'\1\ntimeout = "1s"', text)  # waited for in vain
    text = re.sub(r"(?m)^(servers\s*=).*", rf'\1 "127.0.0.1:{free_port()},127.0.0.1:{plain}"', text)
    more = "" if "[sources." in BLOCKS[name] else '[sources.x]\nrole = "clients"\nkind = "file"\npath = "x.csv"\n'
    head = '[monitor]\ndatabase = "sqlite:///v.db"\n'
    (tmp_path / "config.toml").write_text(f"{head}{more}{text}", encoding="utf-8")
    (tmp_path / "x.csv").write_text("client_id\n")
    monkeypatch.setattr("connectors.session.TRIES", 1)
    return read_config(tmp_path / "config.toml")


def leading(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """All names lead to a port of ours."""
    there = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: there)


def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens."""
    leading(monkeypatch, free_port())


@pytest.fixture(scope="module")
def plain() -> Iterator[int]:
    """The port of one who speaks no TLS, and says what was sent."""

    def answer() -> None:
        with suppress(OSError):
            while True:
                asked, _ = server.accept()
                with asked, suppress(OSError):
                    asked.settimeout(0.5)
                    asked.sendall(b"220 " + asked.recv(4096) + b"\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def no_tls(port: int) -> Callable[[pytest.MonkeyPatch], None]:
    def leads(monkeypatch: pytest.MonkeyPatch) -> None:
        leading(monkeypatch, port)
        monkeypatch.setattr("connectors.exchange.CONNECT", 1.0)

    return leads


def echo(status: int) -> Callable[[pytest.MonkeyPatch], None]:
    """Every request is answered with all that it held: in the words, the headers and the body."""

    def send(_: HTTPAdapter, request: requests.PreparedRequest, **__: Any) -> requests.Response:
        body = request.body.decode() if isinstance(request.body, bytes) else str(request.body)
        said = f"{request.url} {dict(request.headers)} {body}"
        response = requests.Response()
        response.status_code, response.reason, response.url, response.request = status, said, str(request.url), request
        response.headers.update(
            {"WWW-Authenticate": said, "Content-Type": said, "Location": f"https://else.example/entrar?{MARK}"}
        )
        text = json.dumps({"error": MARK, "message": said}).encode() if status >= 400 else said.encode()
        response.raw = Raw(text)
        return response

    def answers(monkeypatch: pytest.MonkeyPatch) -> None:
        nobody(monkeypatch)  # for whoever asks by something else than HTTP
        monkeypatch.setattr(HTTPAdapter, "send", send)

    return answers


class Raw(io.BytesIO):
    """As urllib3 has an answer's body."""

    def read1(self, size: int | None = -1, *, decode_content: bool = False) -> bytes:  # noqa: ARG002 - urllib3's
        return self.read(size)


WAYS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "nobody": nobody, "200": echo(200), "302": echo(302), "401": echo(401), "403": echo(403), "500": echo(500),
}  # fmt: skip


def shown(error: BaseException | None) -> str:
    """All that anybody could be shown of an error: its words and parts, its chain, and its traceback as the log has it."""
    told = []
    while error is not None:
        told += [str(error), repr(error), repr(error.args), repr(vars(error)), *traceback.format_exception(error)]
        told.append(
            json.dumps(
                ExceptionDictTransformer(show_locals=False)((type(error), error, error.__traceback__)), default=str
            )
        )
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(told)


def asked(config: Config) -> Iterator[tuple[Any, Callable[[], Any]]]:
    """What can be asked of each thing: itself, and a call."""
    for name, source in config.sources.items():
        if name != "x":
            thing = source.make()
            yield thing, thing.check
            yield thing, lambda thing=thing: thing.poll(None, NOW, NOW - timedelta(days=1))
    for name, desk in config.desks.items():
        if name != "local":
            to = desk.make()
            yield from ((to, call) for call in (to.check, lambda to=to: to.open(CASE), lambda to=to: to.update(CASE)))
    for board in config.boards.values():
        pushed = board.make()
        yield from ((pushed, call) for call in (pushed.check, pushed.place))
    for receiver in config.receivers.values():
        tells = receiver.make()
        yield tells, tells.check
        yield tells, lambda tells=tells: tells.send(TOLD)
        if hasattr(tells, "refresh"):
            yield tells, lambda tells=tells: tells.refresh([TOLD], NOW)


@each
def test_no_error_and_no_repr_shows_one(
    made: Config,
    name: str,
    plain: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("INFO")  # as the daemon at its most talkative
    assert MARK not in repr(made), "the configuration as pydantic and dataclasses show it"
    failed, told = 0, []
    ways = WAYS | {"no TLS": no_tls(plain)}
    if name == "sources-kafka":
        ways = {"its brokers": nobody}  # its client asks in its own way, always the same
    for how, way in ways.items():
        with monkeypatch.context() as patched:
            way(patched)
            for thing, call in asked(made):
                told.append(f"{how}: {thing!r} {thing} {getattr(thing, 'session', '')!r}")
                try:
                    told.append(f"{how}: {call()}")
                except Exception as error:  # noqa: BLE001 - whatever it is
                    failed += 1
                    told.append(f"{how}: {shown(error)}")
    assert failed or name.partition("-")[2] in ("file", "local")
    out, err = capfd.readouterr()
    for text in (*told, caplog.text, out, err):
        assert MARK not in text


@each
def test_nothing_that_the_daemon_keeps_or_shows_has_one(
    made: Config, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    logged = structlog.testing.CapturingLoggerFactory()
    structlog.configure(processors=[structlog.processors.JSONRenderer(default=repr)], logger_factory=logged)
    store = Store(made.monitor.database)
    store.migrate()
    try:
        with monkeypatch.context() as patched:
            echo(500)(patched)
            service = Service(made, store, clock=lambda: NOW)
            store.commit(Step(messages=[Message("VG-1", "VG-1", desk, "open", PAYLOAD) for desk in made.desks]), NOW)
            for receiver in service.refreshing:
                service.refreshing.refresh(receiver)
            service.cycle()
            for board in service.boards:
                service.boards.push(board, lambda: False)
            faults_of(made, NOW)
        server = serve(pages(service, lambda: None), "127.0.0.1:0")
        paths = ("-/ready", "", "metrics", "api/v1/incidents", "api/v1/cases")
        said = [requests.get(f"{server.address.rstrip('/')}/{path}", timeout=20).text for path in paths]
        server.stop()
        with store.reading() as c:
            tables = sa.inspect(c).get_table_names()
            kept = [repr(c.execute(sa.text(f"SELECT * FROM {table}")).all()) for table in tables]
    finally:
        structlog.reset_defaults()
        store.close()
    assert tables
    assert service.errors or set(made.desks) <= {"local"}
    for text in (*said, *kept, repr(service.errors), repr(logged.logger.calls), *capfd.readouterr()):
        assert MARK not in text
