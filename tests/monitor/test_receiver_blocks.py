"""[receivers.NAME] of the configuration: each kind with its options, each fault with its key, and no secret told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from monitor.config import read_config
from monitor.faults import ConfigError
from tests.certificates import own_certificate
from tests.fake_mail import PASSWORD, USER, FakeMail

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # which apprise imports

SOURCE = '[sources.core]\nrole = "transactions"\nkind = "file"\npath = "x.csv"\n\n'
ALL = """
[receivers.correo]
kind = "email"
host = "localhost"
port = 2525
user = "vigia"
password = "${SECRET}"
ca_file = "ca.pem"
sender = "Vigía <vigia@banco.example>"
to = "torre@banco.example"
timeout = "10s"

[receivers.canal]
kind = "teams"
url = "https://workflows.example/${SECRET}"

[receivers.guardia]
kind = "alertmanager"
urls = ["http://am-1:9093", "http://am-2:9093"]
labels = { team = "torre" }

[receivers.bus]
kind = "webhook"
url = "https://bus.example/avisos"
secret = "${SECRET}"

[receivers.chat]
kind = "apprise"
urls = ["json://${SECRET}@chat.example"]
allow = ["json"]
"""


def written(folder: Path, blocks: str) -> Path:
    (folder / "config.toml").write_text(SOURCE + blocks)
    shutil.copy(own_certificate()[0], folder / "ca.pem")
    return folder / "config.toml"


def test_every_kind_is_read_and_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cret-of-the-receivers")
    receivers = read_config(written(tmp_path, ALL)).receivers
    kinds = {name: type(receiver.make()).__name__.lower() for name, receiver in receivers.items()}
    assert kinds == {
        "correo": "email", "canal": "teams", "guardia": "alertmanager", "bus": "webhook", "chat": "apprise"
    }  # fmt: skip


def test_a_ca_file_lies_beside_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", PASSWORD)
    with FakeMail(starttls=own_certificate()[1]) as server:
        block = ALL.partition("\n\n")[0].replace("2525", str(server.port)).replace('user = "vigia"', f'user = "{USER}"')
        receiver = read_config(written(tmp_path, block)).receivers["correo"].make()
        assert receiver.check().endswith("answers over STARTTLS, and lets us in")


ROUTE = '\n[[route]]\nreceiver = "canal"\nto = ["post_sale"]\n'


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[receivers.chat]", f"{ROUTE}[receivers.chat]", "route[0].to: canal has one place for all: leave `to` out"),
        ('ca_file = "ca.pem"', 'ca_file = "nowhere.pem"', "receivers.correo.ca_file: no such file"),
        ('timeout = "10s"', 'tls = "none"', "receivers.correo.tls: a password goes over no open line"),
        ('timeout = "10s"', 'tls = "ssl"', "receivers.correo.tls: must be 'starttls', 'tls' or 'none'"),
        ('host = "localhost"', 'hots = "localhost"', "receivers.correo.hots: no such key; did you mean 'host'?"),
        ("https://workflows", "http://workflows", "receivers.canal.url: must begin with https://"),
        ("https://bus", "http://bus", "receivers.bus.url: must begin with https://"),
        (
            "[receivers.chat]",
            "[receivers.otro]\nkind = 'email'\nhost = 'localhost'\nsender = 'v@banco.example'\n[receivers.chat]",
            "receivers.otro.to: is missing: without a [[route]]",
        ),
        (
            'to = "torre@banco.example"\ntimeout = "10s"\n',
            "\n" + ROUTE.replace("canal", "correo").replace('to = ["post_sale"]', ""),
            "route[0].to: is missing",
        ),
        (
            "[receivers.chat]",
            ROUTE.replace("canal", "bus").replace("post_sale", "ana.banco") + "[receivers.chat]",
            "route[0].to: has 'ana.banco', which is no address",
        ),
        (
            "[receivers.chat]",
            '[teams.n2]\nmembers = ["ana"]\n[receivers.chat]',
            "teams.n2.members[0]: has 'ana', which is no address",
        ),
        (
            "[receivers.chat]",
            '[teams.n2]\nlead = "ana"\n[receivers.chat]',
            "teams.n2.lead: has 'ana', which is no address",
        ),
        (
            "[receivers.chat]",
            '[monitor]\nlisten = "0.0.0.0:80"\n[receivers.chat]',
            "monitor.address: is missing: links",
        ),
        ('"http://am-2:9093"', '"am-2:9093"', "receivers.guardia.urls: number 2 must be an address"),
        ('secret = "${SECRET}"', 'secret = "corto"', "receivers.bus.secret: must have at least 16 signs"),
        ('allow = ["json"]', "allow = []", "receivers.chat.urls: number 1 is json, which is not on `allow`"),
        ('kind = "teams"', 'kind = "teems"', "receivers.canal.kind: no receiver kind 'teems'; there are: alertmanager"),
    ],
)
def test_each_fault_is_told_with_its_key_and_without_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, fault: str
) -> None:
    monkeypatch.setenv("SECRET", "s3cret-of-the-receivers")
    assert old in ALL
    with pytest.raises(ConfigError) as error:
        read_config(written(tmp_path, ALL.replace(old, new)))
    assert f"config.toml: {fault}" in str(error.value)
    assert "s3cret-of" not in str(error.value)


@pytest.mark.parametrize("name", ["correo", "bus"])
def test_a_route_to_single_people_goes_where_they_can_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("SECRET", "s3cret-of-the-receivers")
    (route,) = read_config(written(tmp_path, ALL + ROUTE.replace("canal", name))).routing.routes
    assert route.to == ("post_sale",)
