"""Who reads the state needs the state's secret alone: no other is asked for before it is used, and then in the same words."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.__main__ import app
from monitor.config import LATER, read_config
from monitor.faults import ConfigError
from monitor.store import Store

DONE, FAILED = 0, 1
WITHOUT = """
[sources.core]
role = "transactions"
kind = "file"
path = "rows.csv"
[sources.crm]
role = "cases"
kind = "http"
url = "https://crm.banco.example/casos"
token = "${CRM_TOKEN}"
[desks.crm]
kind = "http"
url = "${CRM_URL}"
token = "${file:crm.clave}"
[receivers.torre]
kind = "teams"
url = "${TEAMS_TORRE}"
[receivers.alertas]
kind = "alertmanager"
urls = ["${ALERTAS}"]
[heartbeat]
url = "${LATIDO}"
[users.laura]
role = "act"
clients = "all"
token = "${LAURA}"
"""
MISSING = [
    "sources.crm.token: the environment has no CRM_TOKEN",
    "desks.crm.url: the environment has no CRM_URL",
    "desks.crm.token: secret file crm.clave cannot be read: No such file or directory",
    "receivers.torre.url: the environment has no TEAMS_TORRE",
    "receivers.alertas.urls[0]: the environment has no ALERTAS",
    "heartbeat.url: the environment has no LATIDO",
    "users.laura.token: the environment has no LAURA",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text("timestamp,status\n2026-03-03T10:00:00Z,ok\n")
    (tmp_path / "var").mkdir()
    store = Store(f"sqlite:///{tmp_path}/var/vigia.db")
    store.migrate()
    store.close()
    (tmp_path / "config.toml").write_text(WITHOUT)
    return tmp_path


def vigia(folder: Path, words: str) -> Result:
    return CliRunner().invoke(app, [*words.split(), "--config", str(folder / "config.toml")])


def test_people_ask_and_act_without_them(folder: Path) -> None:
    for words in ("incidents list", "cases list", "clients", "rules list", "guides list pagos"):
        done = vigia(folder, words)
        assert (done.exit_code, done.stderr) == (DONE, ""), words
    silenced = vigia(folder, "silence add product=pagos --reason prueba --for 1h --who ana --force")
    assert (silenced.exit_code, silenced.stderr) == (DONE, "")


@pytest.mark.parametrize("words", ["check", "check --connect", "once"])
def test_what_polls_and_sends_tells_them_all(folder: Path, words: str) -> None:
    done = vigia(folder, words)
    assert (done.exit_code, done.stderr.splitlines()) == (FAILED, [f"config.toml: {line}" for line in MISSING])


def test_a_replay_needs_the_sources_alone(folder: Path) -> None:
    done = vigia(folder, f"backtest --out {folder}/o")
    assert (done.exit_code, done.stderr) == (FAILED, f"config.toml: {MISSING[0]}\n")
    without = WITHOUT.replace("${CRM_TOKEN}", "x").replace('kind = "http"\nurl = "https', 'kind = "file"\npath = "', 1)
    (folder / "config.toml").write_text(without.replace('://crm.banco.example/casos"\ntoken = "x"', 'casos.csv"'))
    (folder / "casos.csv").write_text("case_id,opened_at\n")
    done = vigia(folder, f"backtest --out {folder}/o")
    assert (done.exit_code, done.stderr) == (DONE, "")


def test_the_state_s_own_is_needed_where_the_state_is(folder: Path) -> None:
    (folder / "config.toml").write_text('[monitor]\ndatabase = "${LIBRO}"\n' + WITHOUT)
    told = "config.toml: monitor.database: the environment has no LIBRO\n"
    listed, guides = vigia(folder, "incidents list"), vigia(folder, "guides list pagos")
    assert (listed.exit_code, listed.stderr) == (FAILED, told)
    assert (guides.exit_code, guides.stderr) == (DONE, "")


def test_all_else_that_is_wrong_is_told_all_the_same(folder: Path) -> None:
    (folder / "config.toml").write_text(WITHOUT.replace("[heartbeat]", 'colour = "red"\n[heartbeat]'))
    done = vigia(folder, "incidents list")
    assert (done.exit_code, "receivers.alertas.colour: no such key" in done.stderr) == (FAILED, True)
    assert len(done.stderr.splitlines()) == 1


def test_what_lacks_one_is_named_and_refuses_to_be_made(folder: Path) -> None:
    config = read_config(folder / "config.toml", LATER)
    assert (list(config.sources), list(config.desks)) == (["core", "crm"], ["crm"])
    assert list(config.receivers) == ["torre", "alertas"]
    assert config.sources["core"].make()
    for plug, told in ((config.sources["crm"], MISSING[0]), (config.receivers["torre"], MISSING[3])):
        with pytest.raises(ConfigError) as caught:
            plug.make()
        assert str(caught.value) == f"config.toml: {told}"
