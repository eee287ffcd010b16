"""A failure with each case tool as desk and as source: a case for each client, read back as ours, told of its end; nothing twice."""

from __future__ import annotations

import csv
import importlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from alerts import Action
from connectors.kinds import kinds
from monitor.claims import waiting
from monitor.config import read_config
from monitor.service import Service
from monitor.standing import only, rows
from monitor.store import Store
from monitor.tables import outbox
from tests.characters import CAST, at
from tests.fake_api import Said
from tests.fakes.server import Tool

OPENED = only(outbox, "reference", outbox.c.action == "open")
RULES = '[[rule]]\nname = "fallas"\nkind = "limit"\nwhen = "failed_rate > 0.3"\nmin_total = 6\nfor = "2m"\nkeep_firing_for = "5m"\n'


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {toml(one)}" for name, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


class Bank:
    """A folder with payments and a case tool, and the service, which may be started again; tokens end between two cycles."""

    def __init__(self, folder: Path, tool: Tool) -> None:
        self.folder, self.tool = folder, tool
        self.stores: list[Store] = []
        self.now = at("12:00")
        blocks = {
            "monitor": {"database": "sqlite:///vigia.db", "rules": ["rules.toml"]},
            "sources.pagos": {"role": "transactions", "kind": "file", "path": "pagos.csv"},
            "sources.casos": {"role": "cases", "kind": tool.kind, **tool.source},
            "desks.casos": {"kind": tool.kind, **tool.desk},
        }
        (folder / "config.toml").write_text("\n".join(f"{name} = {toml(block)}" for name, block in blocks.items()))
        (folder / "rules.toml").write_text(RULES)

    def pay(self, first: str, last: str, *, failing: float = 0.0) -> None:
        minute = at(first)
        with (self.folder / "pagos.csv").open("a", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, ["timestamp", "client_id", "product", "channel", "status"])
            if not out.tell():
                writer.writeheader()
            while minute < at(last):
                draw = Random(minute.timestamp())
                for client in (one for one in CAST for _ in range(4)):
                    status = "failed" if draw.random() < failing else "ok"
                    writer.writerow(
                        client.sends(minute + timedelta(seconds=draw.randrange(60)), "pagos", "web", status=status)
                    )
                minute += timedelta(minutes=1)

    def start(self) -> None:
        config = read_config(self.folder / "config.toml")
        self.stores.append(Store(config.monitor.database))
        self.store.migrate()
        self.service = Service(config, self.store, clock=lambda: self.now)
        for desk in self.service.sending.desks.values():
            if hasattr(desk, "session"):
                desk.session.sleep = lambda _: None

    @property
    def store(self) -> Store:
        return self.stores[-1]

    def cycle(self, clock: str) -> bool:
        self.now = at(clock)
        if self.tool.fake:
            self.tool.fake.expire()
        return self.service.cycle()


@pytest.fixture
def bank(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bank]:
    tool: Tool = importlib.import_module(f"tests.fakes.{request.param}").tool(tmp_path)
    tool.kind = request.param
    made = Bank(tmp_path, tool)
    yield made
    for store in made.stores:
        store.close()
    tool.close()


@pytest.mark.parametrize("bank", kinds("desks"), indirect=True)
def test_a_failure_is_a_case_of_each_client_in_the_tool_from_end_to_end(bank: Bank) -> None:
    bank.pay("11:45", "12:00")
    bank.start()
    assert bank.cycle("12:00:15")
    bank.pay("12:00", "12:10", failing=0.9)
    if bank.tool.fake:
        bank.tool.fake.after = [Said(500)]  # the first answer is lost once the case is there
    bank.cycle("12:10:15")
    bank.start()
    for minute in (11, 12):  # told again, and read back
        bank.pay(f"12:{minute - 1}", f"12:{minute}", failing=0.9)
        bank.cycle(f"12:{minute}:15")
    decisions = bank.store.decisions()
    assert {decision.client_id for decision in decisions} == {client.nit for client in CAST}
    assert all(decision.action is Action.OPEN and not decision.linked_case_id for decision in decisions)
    assert [bank.tool.count(decision.key) for decision in decisions] == [1] * len(CAST)
    theirs = bank.store.their_cases()
    assert [case.reported_by for case in theirs] == ["monitor"] * len(CAST)
    assert {case.case_id for case in theirs} == {sent["reference"] for sent in rows(bank.store, OPENED)}
    bank.pay("12:12", "12:30")
    assert bank.cycle("12:30:15")
    assert bank.cycle("12:31:15")
    assert waiting(bank.store) == []
    assert [bank.tool.count(decision.key) for decision in decisions] == [1] * len(CAST)
