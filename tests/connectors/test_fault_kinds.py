"""What kind each fault is, for those who count them: over HTTP, through tries and log-ins; of databases, files and mail."""

from __future__ import annotations

import smtplib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, get_args

import pytest

from connectors import Fault, SourceError, circuit
from connectors.login import credentials
from connectors.session import Session
from connectors.smtp import told
from connectors.sources.file import File
from connectors.sources.sql import Sql
from monitor.metric_names import FAULTS
from tests.fake_api import TOKEN, FakeApi, Said

NOW = datetime(2026, 3, 3, 15, tzinfo=UTC)


def session(api: FakeApi, **options: Any) -> Session:
    made = Session(f"{api.url}/rows", **{"timeout": timedelta(seconds=5), "token": TOKEN} | options)
    made.sleep = lambda _: None
    return made


def kind(api: FakeApi, **options: Any) -> Fault:
    with pytest.raises(SourceError) as error:
        session(api, **options).ask("GET", f"{api.url}/rows")
    return error.value.fault


def test_every_kind_is_counted() -> None:
    assert set(FAULTS) == set(get_args(Fault))


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (Said(401), "login"), (Said(403), "login"), (Said(400), "refused"), (Said(404), "refused"), (Said(500), "server"),
        (Said(502), "server"), (Said(503), "server"), (Said(504), "timeout"), (Said(408), "timeout"), (Said(429), "busy"),
        (Said(503, headers={"Retry-After": "1"}), "busy"), (Said(302, headers={"Location": "/else"}), "refused"),
        (Said(403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}]), "busy"), (Said(text=b"{broken"), "unreadable"),
        (Said(body=[1], cut=True), "unreachable"),
    ],
)  # fmt: skip
def test_what_an_answer_is(said: Said, fault: Fault) -> None:
    with FakeApi() as api:
        api.faults = [said] * 4
        assert kind(api) == fault


def test_no_answer_and_no_connection_are_told_apart_after_all_tries() -> None:
    slow = Event()
    with FakeApi() as api:
        api.faults = [Said(wait=slow)] * 4
        assert kind(api, timeout=timedelta(seconds=0.1)) == "timeout"
        slow.set()
    assert kind(api) == "unreachable"


def test_who_asks_to_be_left_alone_is_busy_and_an_open_circuit_rests() -> None:
    with FakeApi() as api:
        api.faults = [Said(429, headers={"Retry-After": "300"})]
        asked = session(api)
        for _ in range(2):
            with pytest.raises(SourceError) as error:
                asked.ask("GET", f"{api.url}/rows")
            assert error.value.fault == "busy"
        api.faults = [Said(500)] * circuit.FAILURES
        asked, found = session(api), []
        for _ in range(circuit.FAILURES + 1):
            with pytest.raises(SourceError) as error:
                asked.ask("GET", f"{api.url}/rows")
            found.append(error.value.fault)
        assert found == ["server"] * circuit.FAILURES + ["resting"]


def test_a_log_in_that_is_refused_is_a_log_in_whatever_the_status() -> None:
    with FakeApi() as api:
        login = credentials(f"{api.url}/nowhere", "vigia", "wr0ng", "")
        assert kind(api, token="", login=login) == "login"


def test_of_databases_and_files(tmp_path: Path) -> None:
    (tmp_path / "odd.db").write_bytes(b"no database" * 100)
    (tmp_path / "odd.csv").write_bytes(b"a\xff\n1\n")
    (tmp_path / "odd.txt.gz").write_bytes(b"no gzip")
    made: dict[str, tuple[Any, Fault]] = {
        "gone": (File(path=str(tmp_path / "gone.csv")), "unreachable"),
        "not utf-8": (File(path=str(tmp_path / "odd.csv")), "unreadable"),
        "not gzip": (File(path=str(tmp_path / "odd.txt.gz")), "unreadable"),
        "no database": (Sql(url=f"sqlite:///{tmp_path / 'odd.db'}", table="x"), "unreadable"),
        "no such file": (Sql(url=f"sqlite:///{tmp_path / 'gone.db'}", table="x"), "unreachable"),
        "nobody there": (Sql(url="postgresql+psycopg://x@127.0.0.1:1/x", table="x"), "unreachable"),
    }
    found = {}
    for name, (source, _) in made.items():
        with pytest.raises(SourceError) as error:
            source.poll(None, NOW, None)
        found[name] = error.value.fault
    assert found == {name: fault for name, (_, fault) in made.items()}


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (smtplib.SMTPAuthenticationError(535, b""), "login"), (smtplib.SMTPRecipientsRefused({"a": (550, b"")}), "refused"),
        (smtplib.SMTPRecipientsRefused({"a": (450, b"")}), "busy"), (smtplib.SMTPServerDisconnected("x"), "unreachable"),
        (smtplib.SMTPNotSupportedError("STARTTLS"), "refused"), (ssl.SSLCertVerificationError("x"), "login"),
        (TimeoutError(), "timeout"), (ConnectionRefusedError(111, "Connection refused"), "unreachable"),
    ],
)  # fmt: skip
def test_of_mail(error: Exception, fault: Fault) -> None:
    assert told("mail:25", error, 5).fault == fault
