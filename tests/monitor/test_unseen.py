"""Products and channels that the configuration names and nobody has ever seen are told, and are no fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.__main__ import app
from monitor.config import read_config
from monitor.store import Store
from monitor.unseen import unseen

CONFIG = """
[monitor]
database = "sqlite:///vigia.db"

[sources.core]
role = "transactions"
kind = "file"
path = "rows.csv"
defaults = { product = "nunca" }

[desks.a]
kind = "local"
path = "a.csv"
products = ["pagos", "recaudo"]

[desks.b]
kind = "local"
path = "b.csv"

[portfolio.products]
pagoz = 1.0

[causes.owners]
sucursal_digitl = "dueno@banco.example"

[receivers.torre]
kind = "teams"
url = "https://teams.example/x"

[[route]]
receiver = "torre"
products = ["swif"]

[promises.calendars]
habil = { hours = "08:00-18:00" }

[[promise]]
calendar = "habil"
channels = ["conexion_directa", "conexion_direta"]
days = 1

[[step]]
step = "approve"
products = ["Pagos"]

[[rests]]
channel = "conexion_directa"
on = ["pagos", "recaudoss", "cola_mq"]

[[maintenance]]
product = "xyz"
from = 2026-03-07T23:00:00-05:00
until = 2026-03-08T02:00:00-05:00
"""
CORE = "[sources.core]\n" + CONFIG.partition("[sources.core]\n")[2].partition("[desks.a]")[0]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "rows.csv").write_text("timestamp,status\n2026-03-03T10:00:00Z,ok\n")
    return tmp_path / "config.toml"


def test_each_name_that_nobody_knows_is_told_with_its_key_and_the_nearest(store: Store, config: Path) -> None:
    assert store.engine.url.database == str(config.with_name("vigia.db")), (
        "the state with three clients and what they hold"
    )
    assert [str(fault) for fault in unseen(read_config(config))] == [
        "config.toml: desks.a.products[1]: nothing of 'recaudo' was ever seen; did you mean 'recaudos'?",
        "config.toml: portfolio.products.pagoz: nothing of 'pagoz' was ever seen; did you mean 'pagos'?",
        "config.toml: causes.owners.sucursal_digitl: nothing of 'sucursal_digitl' was ever seen; did you mean 'sucursal_digital'?",
        "config.toml: route[0].products[0]: nothing of 'swif' was ever seen; did you mean 'swift'?",
        "config.toml: promise[0].channels[1]: nothing of 'conexion_direta' was ever seen; did you mean 'conexion_directa'?",
        "config.toml: step[0].products[0]: nothing of 'Pagos' was ever seen; did you mean 'pagos'?",
        "config.toml: rests[0].on[1]: nothing of 'recaudoss' was ever seen; did you mean 'recaudos'?",
        "config.toml: maintenance[0].product: nothing of 'xyz' was ever seen",
        "guides: nothing of pasarela_pagos was ever seen: the shipped steps that send there are not offered",
    ]


def test_what_a_desk_calls_its_fields_is_no_product(store: Store, config: Path) -> None:
    assert store.holdings()
    desk = '[desks.crm]\nkind = "http"\nurl = "http://127.0.0.1/casos"\nproducts = ["pagoz"]\n'
    desk += 'columns = { client_id = "nit", product = "producto", status = "estado", opened_at = "abierto", channel = "canal" }\n'
    config.write_text('[monitor]\ndatabase = "sqlite:///vigia.db"\n' + CORE + desk)
    assert [fault.key for fault in unseen(read_config(config))] == ["desks.crm.products[0]", ""]


def test_check_says_so_and_is_content(store: Store, config: Path) -> None:
    assert store.holdings()
    before, _, after = CONFIG.partition("[receivers.torre]")
    config.write_text(before + after.partition('products = ["swif"]')[2])
    said = CliRunner().invoke(app, ["check", "--connect", "--config", str(config)])
    assert "step[0].products[0]: nothing of 'Pagos' was ever seen; did you mean 'pagos'?\n" in said.stdout
    assert said.exit_code == 0
    assert said.stdout.endswith(f": no fault, {1 + said.stdout.count(' was ever seen')} warnings\n"), (
        "and the one of the desk"
    )
    said = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert said.stdout.endswith(
        ": no fault, 1 warning; names of products and channels are looked up by --connect alone\n"
    )
    assert [line.split(":")[1] for line in said.stderr.splitlines()] == [" desks.local"], (
        "which the state knows and it does not"
    )


def test_without_a_state_or_with_an_empty_one_nothing_is_known(config: Path) -> None:
    assert unseen(read_config(config)) == []
    assert not config.with_name("vigia.db").exists()
    store = Store(f"sqlite:///{config.with_name('vigia.db')}")
    store.migrate()
    store.close()
    assert unseen(read_config(config)) == []


def test_what_a_rule_s_where_names_is_looked_for_too(store: Store, config: Path) -> None:
    assert store.holdings()
    config.with_name("r.toml").write_text(
        """[[rule]]
name = "fallas"
kind = "limit"
when = "failed_rate > 0.05"
where = "product IN ('pagos', 'pagoz') AND channel <> 'conexion_direta' AND client_id <> '900'"
"""
    )
    config.write_text(
        '[monitor]\ndatabase = "sqlite:///vigia.db"\nrules = ["r.toml"]\n[sources.core]\n'
        + CONFIG.partition("[sources.core]\n")[2].partition("[desks.a]")[0]
    )
    assert [str(fault) for fault in unseen(read_config(config))] == [
        "r.toml: rule.fallas.where: nothing of 'pagoz' was ever seen; did you mean 'pagos'?",
        "r.toml: rule.fallas.where: nothing of 'conexion_direta' was ever seen; did you mean 'conexion_directa'?",
        "guides: nothing of pasarela_pagos was ever seen: the shipped steps that send there are not offered",
    ]


def test_where_the_banks_own_guides_send_people_is_looked_for_too(store: Store, config: Path) -> None:
    assert store.holdings()
    for name, text in {
        "swift": 'contingency = [{ text = "Use la sucursal", uses = ["sucursal_digitl", "pagos"] }]\n',
        "pagos": 'client = { text = "Pague por allá", uses = ["otra_cosa"] }\n[fallas]\ntitle = "Fallas"\nsolution = ["Reintente"]\n',
        "recaudo": "",
    }.items():
        path = config.parent / "guias" / "es" / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'title = "{name}"\n{text}')
    core = '[monitor]\ndatabase = "sqlite:///vigia.db"\n' + CORE
    config.write_text(f'{core}[words]\nguides = "guias"\n')
    said = CliRunner().invoke(app, ["check", "--connect", "--config", str(config)])
    assert [line for line in said.stdout.splitlines() if "was ever seen" in line] == [
        "guias/es/pagos.toml: client.uses[0]: nothing of 'otra_cosa' was ever seen",
        "guias/es/recaudo.toml: nothing of 'recaudo' was ever seen; did you mean 'recaudos'?",
        "guias/es/swift.toml: contingency[0].uses[0]: nothing of 'sucursal_digitl' was ever seen; did you mean 'sucursal_digital'?",
        "guides: nothing of pasarela_pagos was ever seen: the shipped steps that send there are not offered",
    ]
    config.write_text(
        f'{core}[[maintenance]]\nproduct = "pasarela_pagos"\nfrom = 2026-03-07T23:00:00-05:00\nuntil = 2026-03-08T02:00:00-05:00\n'
    )
    assert [fault.key for fault in unseen(read_config(config))] == ["maintenance[0].product"], (
        "named, so nowhere no more"
    )
