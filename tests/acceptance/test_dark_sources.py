"""A source that hangs or fails is UNKNOWN and a fault of its own, told after patience: never clients that fail or fall silent."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from monitor.config import read_config
from monitor.service import Service
from monitor.store import Store
from rules import Verdict
from tests.characters import CAST, at
from tests.fake_api import FakeApi, Said
from tests.fake_hook import FakeHook

MINUTE = timedelta(minutes=1)
CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
[sources.pagos]
role = "transactions"
kind = "file"
path = "pagos.csv"
[sources.tarjetas]
role = "transactions"
{tarjetas}
[receivers.torre]
kind = "webhook"
url = "{hook}"
secret = "un secreto de pruebas"
"""
HTTP = 'kind = "http"\nrows = "value"\nnext = "@odata.nextLink"\ntoken = "s3cret-bearer-token"\nurl = "{}/rows"\n'
HTTP += 'since = "modified_after"\ncursor = "modified"'
SQL = 'kind = "sql"\nurl = "sqlite:///tarjetas.db?timeout=0.1"\ntable = "t"\ncursor = "modified"\nkey = "id"'


class Bank:
    """Two products, a few payments a minute of each: one in a file, the other where `kind` says; the latter goes dark and comes back."""

    def __init__(self, folder: Path, kind: str, hook: FakeHook) -> None:
        self.folder, self.kind, self.now, self.sent = folder, kind, at("12:00"), 0
        self.api, self.answer = FakeApi(), Event()
        (folder / "config.toml").write_text(
            CONFIG.format(tarjetas=HTTP.format(self.api.url) if kind == "http" else SQL, hook=hook.url)
        )
        (folder / "pagos.csv").write_text("timestamp,client_id,product,channel,status\n")
        with closing(sqlite3.connect(folder / "tarjetas.db")) as db:
            db.execute("CREATE TABLE t (id, modified, timestamp, client_id, product, channel, status)")
        self.pay(at("08:00"), at("12:00"))
        config = read_config(folder / "config.toml")
        self.store = Store(config.monitor.database)
        self.store.migrate()
        self.service = Service(config, self.store, clock=lambda: self.now)

    def pay(self, first: object, last: object) -> None:
        minute, rows = first, []
        while minute < last:  # type: ignore[operator]
            for client in CAST:
                for second in (5, 20, 35, 50):
                    time = (minute + timedelta(seconds=second)).isoformat()  # type: ignore[operator]
                    self.sent += 1
                    rows.append((self.sent, time, time, client.nit, "tarjetas", "web", "ok"))
            minute += MINUTE  # type: ignore[operator]
        with (self.folder / "pagos.csv").open("a") as out:
            out.writelines(f"{row[2]},{row[3]},pagos,web,ok\n" for row in rows)
        names = ("id", "modified", "timestamp", "client_id", "product", "channel", "status")
        self.api.rows += [dict(zip(names, row, strict=True)) for row in rows]
        with closing(sqlite3.connect(self.folder / "tarjetas.db")) as db, db:
            db.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def live(self, minutes: int, seen: Callable[[], None] = lambda: None, *, pays: bool = True) -> None:
        for _ in range(minutes):
            if pays:
                self.pay(self.now, self.now + MINUTE)
            self.now += MINUTE
            for second in (11, 31, 51):
                self.now = self.now.replace(second=second)
                self.service.cycle()
                seen()
            self.now = self.now.replace(second=0)

    @contextmanager
    def dark(self) -> Iterator[None]:
        """It hangs: a request is taken and never answered, a database is locked."""
        self.api.faults = [Said(wait=self.answer)] * 1000
        if self.kind == "http":  # what is answered may take its time, what is not is soon given up
            source: Any = self.service._intakes["tarjetas"]._source
            source.session.exchange._seconds = 0.1
        with closing(sqlite3.connect(self.folder / "tarjetas.db", isolation_level=None)) as db:
            db.execute("BEGIN EXCLUSIVE")
            yield
            db.execute("ROLLBACK")
        self.api.faults = []
        if self.kind == "http":
            source.session.exchange._seconds = 30

    def said(self, product: str) -> set[Verdict]:
        """As the board has it."""
        return {one.verdict for one in self.service.judge.said or () if one.product == product}

    def told(self, name: str, product: str) -> set[float]:
        """As Prometheus has it."""
        families = self.service.metrics.registry.collect()
        samples = [one for family in families for one in family.samples if one.name == name]
        return {one.value for one in samples if one.labels["product"] == product}


@pytest.mark.parametrize(("kind", "fault"), [("http", "timeout"), ("sql", "busy")])
def test_a_source_that_hangs_is_unknown_and_told_and_accuses_nobody(
    kind: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.session.TRIES", 1)
    monkeypatch.setattr("connectors.circuit.COOL", 0.0)
    monkeypatch.setattr("connectors.circuit.LONGEST", 0.0)
    with FakeHook() as hook:
        bank = Bank(tmp_path, kind, hook)
        bank.service.cycle()
        bank.live(3)
        assert Verdict.HEALTHY in bank.said("tarjetas")
        assert 0.0 in bank.told("vigia_rule_unknown", "tarjetas")
        with bank.dark():
            told: list[object] = []
            bank.live(
                8, lambda: told.append(bank.now) if any("fault" in one.body for one in hook.taken) else None, pays=False
            )  # and nothing comes from anybody
            seen = bank.said("tarjetas")
            value = bank.service.metrics.registry.get_sample_value
            assert value(f"vigia_source_{fault}_errors_total", {"source": "tarjetas"})
            assert value("vigia_source_up", {"source": "tarjetas"}) == 0
            assert (value("vigia_source_lag_seconds", {"source": "tarjetas"}) or 0) >= 7 * 60
            assert bank.told("vigia_rule_unknown", "tarjetas") == {1.0}, "in metrics as on the board"
            assert bank.told("vigia_rule_breach", "tarjetas") == {0.0}
            assert 0.0 in bank.told("vigia_rule_unknown", "pagos")
        assert seen == {Verdict.UNKNOWN}
        faults = [one.body for one in hook.taken if "fault" in one.body]
        assert [(fault_["fault"]["key"], fault_["event"]) for fault_ in faults] == [("source:tarjetas", "first")]
        assert "tarjetas no responde" in faults[0]["text"]
        assert told[0] >= at("12:05"), "after its patience of two minutes, and not before"  # type: ignore[operator]
        assert not [i for i in bank.store.incidents() if i.scope.product == "tarjetas"]
        assert not [d for d in bank.store.decisions() if d.product == "tarjetas"]
        bank.answer.set()
        bank.live(10)
        assert [i for i in bank.store.incidents() if i.scope.product == "tarjetas"] == []
        assert bank.said("tarjetas") - {Verdict.UNKNOWN} <= {Verdict.HEALTHY}
        assert [one.body["event"] for one in hook.taken if "fault" in one.body] == ["first", "end"]
        bank.store.close()
        bank.api.close()
