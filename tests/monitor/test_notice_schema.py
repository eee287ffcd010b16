"""What a webhook gets from the whole of Vigía keeps to the schema that ships with it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs

import monitor.web
from monitor.config import read_config
from monitor.service import Service
from monitor.store import Store
from tests.characters import CAST, at
from tests.fake_hook import FakeHook
from tests.watched import FAILURES

SCHEMA = Path(monitor.web.__file__).parent / "static" / "notice-1.schema.json"
CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
rules = ["rules.toml"]

[sources.pagos]
role = "transactions"
kind = "file"
path = "pagos.csv"

[sources.clientes]
role = "clients"
kind = "file"
path = "clientes.csv"

[receivers.bus]
kind = "webhook"
url = "{url}"
secret = "un secreto de pruebas"

[[route]]
receiver = "bus"
news = ["incident", "fault", "breach"]

[[route]]
receiver = "bus"
to = ["post_sale"]
words = "plain"

[[route]]
receiver = "bus"
to = ["gerencia@banco.example"]
at = ["07:30"]
"""


def pays(folder: Path, minute: datetime, status: str) -> None:
    with (folder / "pagos.csv").open("a") as out:
        if not out.tell():
            out.write("timestamp,client_id,product,channel,status\n")
        for second in range(0, 60, 10):
            for client in CAST:
                time = (minute + timedelta(seconds=second)).isoformat()
                out.write(f"{time},{client.nit},pagos,web,{status}\n")


def said(folder: Path) -> list[dict[str, Any]]:
    """An hour that is well, five minutes that fail, and a source that stays away after that; and the morning digest."""
    now = at("07:00:11")
    assistants = [f"{client.nit},{client.name},{client.segment},ana@banco.example" for client in CAST]
    (folder / "clientes.csv").write_text("\n".join(["client_id,name,segment,post_sale", *assistants]))
    (folder / "rules.toml").write_text(FAILURES)
    for minute in range(60):
        pays(folder, at("06:00") + timedelta(minutes=minute), "ok")
    with FakeHook() as hook:
        (folder / "config.toml").write_text(CONFIG.replace("{url}", hook.url))
        config = read_config(folder / "config.toml")
        store = Store(config.monitor.database)
        store.migrate()
        service = Service(config, store, clock=lambda: now)
        service.cycle()
        for minute in range(35):
            if minute == 15:
                (folder / "pagos.csv").rename(folder / "fuera.csv")
            elif minute < 15:
                pays(folder, at("07:00") + timedelta(minutes=minute), "failed" if minute < 5 else "ok")
            now += timedelta(minutes=1)
            service.cycle()
        store.close()
        return [asked.body for asked in hook.taken]


def test_whatever_is_told_keeps_to_the_schema(tmp_path: Path) -> None:
    bodies = said(tmp_path)
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()), validate_formats=True)
    wrong = {
        f"{body['news']}: {error.instance_path} {error}" for body in bodies for error in validator.iter_errors(body)
    }
    assert wrong == set()
    told = {(body["news"], body["event"]) for body in bodies}
    assert {("incident", "first"), ("incident", "end"), ("fault", "first"), ("digest", "first")} <= told
    assert {body["to"] for body in bodies} == {"", "ana@banco.example", "gerencia@banco.example"}
    assert len({body["key"] for body in bodies}) == len(bodies)
