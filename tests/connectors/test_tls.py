"""Mutual TLS on a real socket: who shows the right certificate is let in, and who does not is told so in words."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors import Case, SourceError
from connectors.desks.http import Http as Desk
from connectors.receivers.webhook import Webhook
from connectors.session import Session
from connectors.sources.http import Http
from connectors.tls import Tls, check_file
from monitor.config import read_config
from monitor.faults import ConfigError
from tests.certificates import client_certificate, demanding, own_certificate
from tests.fake_api import SECRET, TOKEN, FakeApi, Said
from tests.fake_hook import FakeHook
from tests.notices import incident_notice

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
WORD = "la-clave-de-la-llave"


def shown(**more: Any) -> dict[str, Any]:
    cert, key = client_certificate()
    return {"ca_file": str(own_certificate()[0]), "cert_file": str(cert), "key_file": str(key)} | more


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def api(request: pytest.FixtureRequest) -> Iterator[FakeApi]:
    with FakeApi(tls=demanding(client_certificate()[0], tls=request.param)) as made:
        made.rows = [{"id": 1, "modified": NOW.isoformat()}]
        yield made


def source(api: FakeApi, **options: Any) -> Http:
    made = Http(**{"url": f"{api.url}/rows", "rows": "value", "token": TOKEN} | options)
    made.session.sleep = lambda _: None
    return made


def test_the_right_certificate_is_let_in_by_source_desk_and_webhook(api: FakeApi) -> None:
    assert source(api, **shown()).poll(None, NOW, None).table["id"].to_pylist() == [1]
    case = Case("k-1", "i-1", "900123456", "pagos", "", NOW, 1, "Falla", "Texto")
    assert Desk(url=f"{api.url}/cases", token=TOKEN, **shown()).open(case) == "T-1"
    with FakeHook(tls=demanding(client_certificate()[0])) as hook:
        Webhook(url=f"{hook.url}/avisos", secret=SECRET, **shown()).send(incident_notice())
        assert len(hook.taken) == 1


def test_so_does_an_oauth_log_in_over_the_same(api: FakeApi) -> None:
    login = {"token": "", "token_url": f"{api.url}/token", "client_id": "vigia", "client_secret": SECRET}
    assert source(api, **shown(), **login).poll(None, NOW, None).table.num_rows == 1
    with pytest.raises(SourceError, match="/token: demands a certificate of ours") as error:
        source(api, **shown(cert_file="", key_file=""), **login).poll(None, NOW, None)
    assert (error.value.whole, error.value.fault, api.given) == (True, "login", 1)


def test_without_ours_or_with_another_it_is_told_that_we_are_not_let_in(api: FakeApi) -> None:
    other = dict(zip(("cert_file", "key_file"), map(str, client_certificate("otro")), strict=True))
    for options, told in (
        (shown(cert_file="", key_file=""), "demands a certificate of ours (cert_file): "),
        (shown(**other), "does not accept our certificate: unknown ca"),
        (shown(ca_file=""), "its certificate cannot be verified"),
    ):
        with pytest.raises(SourceError) as error:
            source(api, **options).check()
        assert str(error.value).startswith(f"{api.url}/rows: {told}")
        assert (error.value.whole, error.value.fault) == (True, "login")
    assert api.asked == []


def test_a_key_may_be_encrypted_and_lie_in_the_certificates_file(tmp_path: Path) -> None:
    cert, key = client_certificate("cerrado", WORD)
    both = tmp_path / "both.pem"
    both.write_text(cert.read_text() + key.read_text())
    with FakeApi(tls=demanding(cert)) as server:
        locked = shown(cert_file=str(both), key_file="", key_password=WORD)
        Session(server.url, timeout=timedelta(seconds=30), token=TOKEN, tls=Tls(**locked)).ask(
            "GET", f"{server.url}/rows"
        )
    assert WORD not in repr(Tls(**locked))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"ca_file": "nowhere.pem"}, "^ca_file: no such file"),
        ({"ca_file": "x" * 300}, "^ca_file: cannot be read: File name too long$"),
        ({"cert_file": "nowhere.pem"}, "^cert_file: no such file"),
        ({"key_file": "nowhere.pem"}, "^key_file: no such file"),
        ({"cert_file": ""}, "^key_file: needs cert_file"),
        ({"cert_file": "", "key_file": "", "key_password": WORD}, "^key_password: needs cert_file"),
        ({"key_file": ""}, "^cert_file: holds no key beside the certificate: give key_file"),
        ({"ca_file": __file__}, "^ca_file: holds no certificate"),
        ({"cert_file": __file__}, "^cert_file: holds no certificate"),
        ({"key_file": __file__}, "^key_file: holds no key"),
    ],
)
def test_files_that_cannot_be_used_are_told_with_their_option(options: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Tls(**shown(**options))


def test_a_file_that_may_not_be_read_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(ValueError, match=r"^key_file: cannot be read: Permission denied$"):
        check_file("key_file", __file__)


def test_an_encrypted_key_asks_nobody_at_the_terminal() -> None:
    cert, key = map(str, client_certificate("cerrado", WORD))
    with pytest.raises(ValueError, match=r"^key_password: is needed"):
        Tls(cert_file=cert, key_file=key)
    with pytest.raises(ValueError, match=r"^key_password: does not open the key") as error:
        Tls(cert_file=cert, key_file=key, key_password="otra-cosa")
    assert "otra-cosa" not in str(error.value)
    with pytest.raises(ValueError, match=r"^key_file: the key is not that of the certificate"):
        Tls(cert_file=cert, key_file=str(client_certificate()[1]))


def test_a_server_without_tls_and_one_that_asks_for_a_certificate_in_its_answer() -> None:
    with FakeApi() as plain:
        with pytest.raises(SourceError, match="speaks no TLS"):
            source(plain, url=plain.url.replace("http://", "https://")).check()
        page = b"<html><head><title>400 No required SSL certificate was sent</title></head>"
        plain.faults = [Said(400, text=page)]
        with pytest.raises(SourceError, match="demands a certificate that it knows") as error:
            source(plain).check()
        assert (error.value.whole, error.value.fault) == (True, "login")


def test_the_files_lie_beside_the_configuration(tmp_path: Path) -> None:
    block = '[sources.core]\nrole = "clients"\nkind = "http"\nurl = "https://api.example/c"\ncolumns = { client_id = "nit" }\n'
    config = tmp_path / "config.toml"
    config.write_text(block + 'ca_file = "ca.pem"\ncert_file = "vigia.pem"\nkey_file = "vigia.key"\n')
    with pytest.raises(ConfigError, match=r"config.toml: sources.core.ca_file: no such file"):
        read_config(config)
    for name, file in zip(
        ("ca.pem", "vigia.pem", "vigia.key"), (own_certificate()[0], *client_certificate()), strict=True
    ):
        (tmp_path / name).write_bytes(file.read_bytes())
    assert read_config(config).sources["core"].make()
    (tmp_path / "vigia.key").unlink()
    with pytest.raises(ConfigError, match=r"config.toml: sources.core.key_file: no such file"):
        read_config(config)
