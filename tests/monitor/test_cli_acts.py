"""Acts on the command line: what each says, where its trail is, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from pwd import getpwuid
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor import tables as t
from monitor.__main__ import app
from monitor.store import Act, Store
from monitor.trail import BEFORE, PURGE, reseal
from tests.monitor.conftest import ACEROS, NOW, PAYMENTS, SLOW

CONFIG = """
[monitor]
database = "sqlite:///vigia.db"

[sources.core]
role = "transactions"
kind = "file"
path = "rows.csv"

[[maintenance]]
product = "swift"
cron = "0 2 * * SUN"
lasts = "2h"
"""
OPENED = f"VG-{PAYMENTS}-{ACEROS}"


class Shell:
    """`vigia`, over the state with three clients."""

    def __init__(self, folder: Path) -> None:
        (folder / "config.toml").write_text(CONFIG)
        self.config = str(folder / "config.toml")

    def __call__(self, *words: str, code: int = 0) -> str:
        found = CliRunner().invoke(app, [*words, "--config", self.config])
        assert found.exit_code == code, found.output
        assert "Traceback" not in found.output
        return found.output

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


@pytest.fixture
def vigia(store: Store, tmp_path: Path) -> Shell:
    assert store.acts() == []
    return Shell(tmp_path)


def test_incidents_from_ack_to_reopen_and_the_trail(vigia: Shell) -> None:
    assert vigia("incidents", "ack", PAYMENTS, "--by", "Ana") == f"{PAYMENTS}\n"
    vigia("incidents", "assign", PAYMENTS, "--by", "Ana", "--to", "N2 de pagos")
    vigia("incidents", "note", PAYMENTS, "llamé al proveedor", "--who", "Ana")
    assert "asignada a N2 de pagos" in vigia("incidents", "list")
    assert "siguen en alerta" in vigia("incidents", "resolve", PAYMENTS, "--by", "Ana", "--text", "ya")
    assert "vuelve a estar abierta" in vigia("incidents", "reopen", PAYMENTS, "--by", "Ana")
    vigia("incidents", "unack", PAYMENTS, "--by", "Ana")
    vigia("incidents", "unassign", PAYMENTS, "--by", "Ana")
    vigia("incidents", "useful", PAYMENTS, "yes", "--by", "Ana", "--text", "a tiempo")
    assert "sí (Ana: a tiempo)" in vigia("incidents", "show", PAYMENTS)
    acts = ["useful", "assign", "unack", "reopen", "resolve", "note", "assign", "ack"]
    assert [act["action"] for act in vigia.json("audit", "list", "--incident", PAYMENTS)] == acts
    assert "Asignó a N2 de pagos" in vigia("audit", "list")
    assert vigia("audit", "verify").startswith("8 actos, íntegros; 0 de antes de haber sello; último sello: ")
    assert "ya terminó" in vigia("incidents", "ack", SLOW, "--by", "Ana", code=1)
    assert "se normalizó" in vigia("incidents", "reopen", SLOW, "--by", "Ana", code=1)
    vigia("incidents", "assign", PAYMENTS, "--by", "Ana", "--to", " ", code=2)
    vigia("incidents", "useful", PAYMENTS, "perhaps", code=2)


def test_the_use_of_each_rule(vigia: Shell, store: Store) -> None:
    with store.writing() as c:
        c.execute(t.incidents.update().where(t.incidents.c.id == PAYMENTS).values(rules=["fallas", "rechazos"]))
    vigia("incidents", "useful", PAYMENTS, "yes", "--by", "Ana")
    vigia("incidents", "useful", PAYMENTS, "no", "--by", "Luis")
    found = {rule["name"]: (rule["useful"], rule["not_useful"]) for rule in vigia.json("rules", "list")}
    assert (found["fallas"], found["rechazos"], found["fallas_altas"]) == ((1, 1), (1, 1), (0, 0))
    assert "useful 1, not 1" in vigia("rules", "list")


def test_tampering_is_told_and_ends_with_1(vigia: Shell, store: Store) -> None:
    vigia("incidents", "ack", PAYMENTS, "--by", "Ana")
    head = store.acts()[0].hash
    assert "1 actos" in vigia("audit", "verify", "--head", head[:12])
    assert f"no está el sello {'f' * 12}" in vigia("audit", "verify", "--head", "F" * 12, code=1)
    assert "al menos 12" in vigia("audit", "verify", "--head", head[:11], code=2)
    with store.writing() as c:
        c.execute(t.acts.update().values(who="Luis"))
    assert "la bitácora no está íntegra: no cuadra desde el acto 1" in vigia("audit", "verify", code=1)


def test_a_purge_since_the_seal_was_noted_is_told_and_ends_with_1_unless_it_is_known_of(
    vigia: Shell, store: Store
) -> None:
    vigia("incidents", "ack", PAYMENTS, "--by", "Ana")
    head = store.acts()[0].hash
    with store.writing() as c:
        c.execute(t.acts.update().values(who="otra persona"))
        reseal(c, Act("", NOW, "Ana", PURGE, f"x00: fin de relación; {BEFORE} {head}; scrypt 00 00"))
    said = "selló de nuevo todo lo anterior"
    assert said in vigia("audit", "verify", "--head", head, code=1)
    known = vigia("audit", "verify", "--head", head, "--allow-purges")
    assert said in known
    assert "2 actos, íntegros" in known
    assert said not in vigia("audit", "verify")


def test_silences(vigia: Shell) -> None:
    said = vigia("silence", "add", "product=pagos", "--reason", "prueba", "--for", "2h", "--by", "Ana")
    number, told = said.splitlines()
    assert told.startswith("silencia 1 afectación abierta hasta ")
    assert "silenciada" in vigia("incidents", "list")
    (row,) = vigia.json("silence", "list")
    assert (row["id"], row["matchers"], row["silences"]) == (number, {"product": "pagos"}, [PAYMENTS])
    assert number in vigia("silence", "list")
    assert vigia("silence", "expire", number, "--by", "Luis") == f"{number}\n"
    assert (vigia("silence", "list"), vigia.json("silence", "list")) == ("No hay silencios.\n", [])
    assert "por Luis" in vigia("silence", "list", "--all")
    assert "se silencia todo" in vigia("silence", "add", "--reason", "x", "--for", "2h", code=1)
    assert vigia("silence", "add", "--reason", "x", "--for", "2h", "--force").startswith("SI-")
    assert "no hay un silencio" in vigia("silence", "expire", "SI-9", code=1)
    for wrong in (
        ["pagos", "--for", "2h"],
        ["product=pagos"],
        ["product=pagos", "--for", "two"],
        ["product=a", "product=b", "--for", "2h"],
    ):
        vigia("silence", "add", *wrong, "--reason", "x", code=2)


def test_maintenance(vigia: Shell) -> None:
    number = vigia(
        "maintenance", "add", "--product", "pagos", "--cron", "0 3 * * *", "--lasts", "1h", "--reason", "motor"
    ).strip()
    listed = vigia.json("maintenance", "list")
    assert [(row["id"], row["product"], row["state"] != "over") for row in listed] == [
        ("", "swift", True),
        (number, "pagos", True),
    ]
    assert "0 3 * * *, 60 min" in vigia("maintenance", "list")
    assert vigia("maintenance", "end", number, "--by", "Luis") == f"{number}\n"
    assert "ya terminó" in vigia("maintenance", "end", number, "--by", "Ana", code=1)
    assert "todo el banco" in vigia(
        "maintenance", "add", "--cron", "0 3 * * *", "--lasts", "1h", "--reason", "x", code=1
    )
    vigia("maintenance", "add", "--until", "tomorrow", "--reason", "x", code=2)


def test_the_shift_is_handed_over(vigia: Shell) -> None:
    assert f"- {PAYMENTS} · Pagos · Conexión Directa" in vigia("handover")
    assert vigia.json("handover", "--since", "2h")["open"][0]["owed"] == ["unacknowledged", "unassigned", "uninformed"]
    number = vigia("handover", "sign", "--by", "Ana", "--to", "Luis", "--text", "ojo").strip()
    assert f"{number} · Ana a Luis" in vigia("handover", "list")
    assert vigia.json("handover")["signed"]["author"] == "Ana"
    vigia("handover", "--since", "yesterday", code=2)


def test_whatever_name_is_given_the_trail_tells_the_door_and_the_systems_user(vigia: Shell) -> None:
    vigia("incidents", "ack", PAYMENTS, "--who", "laura")
    (act,) = vigia.json("audit", "list", "--incident", PAYMENTS)
    assert (act["who"], act["door"]) == ("laura", f"cli:{getpwuid(os.getuid()).pw_name}")
    assert f"Terminal ({getpwuid(os.getuid()).pw_name})" in " ".join(vigia("audit", "list").split())
