"""The service over a Kafka: killed at every moment, nothing is lost, nothing counts twice, and the group is never told too much."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors import Cursor
from monitor.__main__ import app
from monitor.config import read_config
from monitor.faults import ConfigError
from monitor.intake import Intake
from monitor.service import Service
from monitor.store import Step, Store
from monitor.windows import minute_of
from tests.authority import Authority
from tests.characters import CAST, at
from tests.kafka import Cluster
from tests.kafka_front import Front
from tests.watched import Watched

CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
rules = ["rules.toml"]

[sources.pagos]
role = "transactions"
kind = "kafka"
servers = "{servers}"
topics = ["transacciones"]
every = "50ms"
timeout = "5s"
"""


class Killed(BaseException):
    """As by a signal that nothing catches."""


class Bank(Watched):
    """A cluster whose topic has the payments."""

    def __init__(self, folder: Path, cluster: Cluster, servers: str) -> None:
        super().__init__(folder, at("12:00:11"), CONFIG.format(servers=servers))
        self.cluster, self.sent = cluster, 0

    def pay(self, first: str, last: str, *, failing: float = 0.0, **more: Any) -> None:
        """Each of the three sends four payments a minute, over two partitions."""
        minute, rows = at(first), {0: [], 1: []}
        while minute < at(last):
            draw = Random(minute.timestamp())
            for client in CAST:
                for n in range(4):
                    time = minute + timedelta(seconds=draw.randrange(60))
                    status = "failed" if draw.random() < failing else "ok"
                    row = client.sends(time, "pagos", "web", status=status, **more)
                    rows[n % 2].append(row | {"timestamp": time.isoformat()})
                    self.sent += 1
            minute += timedelta(minutes=1)
        for partition, there in rows.items():
            self.cluster.send(*there, partition=partition, at=int(at(first).timestamp() * 1000))

    def told(self) -> list[int]:
        """The group's offsets as Kafka has them; 0 where it has none."""
        return [max(self.cluster.told(partition=partition), 0) for partition in (0, 1)]

    def committed(self) -> list[int]:
        """The offsets as the database has them."""
        cursor = self.store.cursors().get("pagos", ({}, None))[0]
        offsets = cursor.get("offsets", {}).get("transacciones", {})
        return [offsets.get(partition, 0) for partition in ("0", "1")]

    def counted(self) -> int:
        return sum(row["n"] for table in self.store.cells("cells", 0) for row in table.to_pylist())

    def all_told(self) -> bool:
        return next((True for _ in range(300) if self.told() == self.committed()), False)


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    cluster = Cluster()
    front = Front(cluster)
    found = Bank(tmp_path, cluster, front.servers)
    yield found
    found.close()
    front.close()
    cluster.close()


def killed(bank: Bank, monkeypatch: pytest.MonkeyPatch, what: str, clock: str) -> None:
    """A cycle that ends where `what` would have been done."""

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(what, kill)
        with pytest.raises(Killed):
            bank.cycle(clock)


def test_killed_at_every_moment_nothing_is_lost_nothing_counts_twice(bank: Bank, monkeypatch: pytest.MonkeyPatch):
    bank.pay("10:00", "12:00")
    bank.start().cycle()
    assert (bank.counted(), bank.committed()) == (bank.sent, [bank.sent // 2] * 2)
    assert bank.all_told()
    before = bank.committed()

    bank.pay("12:00", "12:06", failing=0.8)
    killed(bank, monkeypatch, "monitor.judge.Judge.step", "12:06:11")  # fetched, not judged
    assert bank.told() == bank.committed() == before
    bank.start()
    killed(bank, monkeypatch, "monitor.store.post", "12:06:11")  # judged, in the middle of the transaction
    assert bank.told() == bank.committed() == before
    bank.start()
    killed(
        bank, monkeypatch, "connectors.sources.kafka.Kafka.committed", "12:06:11"
    )  # committed, and the group not told
    assert bank.committed() == [bank.sent // 2] * 2
    assert bank.told() == before, "never ahead of the state, at worst behind it"
    assert bank.counted() == bank.sent

    bank.start()
    assert bank.cycle("12:06:12")
    assert bank.counted() == bank.sent
    assert bank.all_told()
    (incident,) = bank.store.incidents()
    assert incident.started_at == at("12:00")


def test_the_daemon_tells_the_group_only_what_its_store_has(bank: Bank, monkeypatch: pytest.MonkeyPatch):
    """Steps fail as the disk is full, and begin again from what is committed; at its end the connection is let go of."""
    bank.pay("10:00", "12:00")
    service = bank.start()
    service.cycle()
    bank.pay("12:00", "12:06", failing=0.8)
    bank.now = at("12:06:11")
    commit, tell, failures, ahead = Store.commit, Intake.committed, count(), []

    def failing(store: Store, step: Step, now: datetime) -> None:
        if step.cells and next(failures) < 2:
            raise OSError("disk full")
        commit(store, step, now)

    def telling(intake: Intake, cursor: Cursor) -> None:
        ahead.append(cursor != bank.store.cursors()["pagos"][0])
        tell(intake, cursor)

    monkeypatch.setattr(Store, "commit", failing)
    monkeypatch.setattr(Intake, "committed", telling)
    monkeypatch.setattr("monitor.service.PAUSE", 0.01)
    daemon(service, lambda: bank.store.incidents() != [])
    assert next(failures) > 2
    assert ahead
    assert not any(ahead)
    assert bank.counted() == bank.sent
    assert bank.all_told()
    assert service._intakes["pagos"]._source._brokers._clients is None


def test_certificates_lie_beside_the_config_and_one_that_does_not_is_named(tmp_path: Path):
    authority = Authority(tmp_path)
    cert, key = authority.issue("own")
    key = key.rename(tmp_path / "elsewhere.key")
    block = 'security = "ssl"\nca_file = "ca.pem"\ncert_file = "own.pem"\nkey_file = "own.key"\n'
    (tmp_path / "config.toml").write_text(
        CONFIG.format(servers="kafka.banco.example:9093").replace("rules", "#") + block
    )
    with pytest.raises(ConfigError) as error:
        read_config(tmp_path / "config.toml")
    assert [str(fault) for fault in error.value.faults] == ["config.toml: sources.pagos.key_file: no such file"]
    key.rename(cert.with_suffix(".key"))
    assert list(read_config(tmp_path / "config.toml").sources) == ["pagos"]


SECURE = """
[sources.pagos]
role = "transactions"
kind = "kafka"
servers = "{servers}"
topics = ["transacciones"]
security = "sasl_ssl"
username = "vigia"
password = "${{CLAVE}}"
timeout = "{seconds}s"
ca_file = "{ca}.pem"
"""
CHECKED: list[tuple[dict[str, Any], str, str, str, str]] = [
    ({}, "", "", "", "transacciones: 4 partitions, offsets 0:0-1 1:0-0 2:0-0 3:0-0, the newest with timestamp, status;"),
    ({}, "", "s3cret-wrong", "login", "invalid credentials with SASL mechanism SCRAM-SHA-512"),
    ({"mechanisms": ("PLAIN",)}, "", "", "login", "supported mechanisms: PLAIN"),
    ({}, "other", "", "login", "its certificate cannot be verified: unable to get local issuer certificate"),
    ({"days": -1}, "", "", "login", "its certificate cannot be verified: certificate has expired"),
    ({"host": "kafka.banco.example"}, "", "", "login", "its certificate cannot be verified: Hostname mismatch"),
    ({"clients": True}, "", "", "login", "demands a certificate of ours (cert_file): certificate required"),
    ({"mute": "hello"}, "", "", "timeout", "no answer within 1 s"),
    ({"away": True}, "", "", "unreachable", "Connection refused"),
]  # fmt: skip


@pytest.mark.parametrize(("made", "ca", "password", "fault", "words"), CHECKED)
def test_check_connect_tells_in_a_line_what_is_wrong_with_tls_or_the_log_in(
    tmp_path: Path, made: dict[str, Any], ca: str, password: str, fault: str, words: str
) -> None:
    authority, right = Authority(tmp_path), "s3cret-right"
    Authority(tmp_path / "other", "CA de otros").ca.rename(tmp_path / "other.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("broker", made.get("host", "localhost"), days=made.get("days", 2)))
    if made.get("clients"):
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(authority.ca)
    cluster = Cluster()
    cluster.send({"timestamp": at("12:00").isoformat(), "status": "ok"})
    given = {name: made[name] for name in ("mechanisms", "mute") if name in made}
    with Front(cluster, tls, {"vigia": right}, **given) as front:
        if made.get("away"):
            front.drop()
        block = SECURE.format(
            servers=front.servers, ca=ca or "ca", seconds={"mute": 1, "away": 3}.get(next(iter(made), ""), 15)
        )
        (tmp_path / "config.toml").write_text(block)
        env = {"CLAVE": password or right}
        done = CliRunner(env=env).invoke(app, ["check", "--connect", "--config", str(tmp_path / "config.toml")])
        if made.get("away"):
            front.back()
    cluster.close()
    (line,) = [line for line in done.output.splitlines() if line.startswith("source pagos: ")]
    assert line.startswith(f"source pagos: fails ({fault}): " if fault else "source pagos: ")
    assert words in line
    assert done.exit_code == (1 if fault else 0)
    assert "s3cret" not in done.output
    assert "Traceback" not in done.output


def daemon(service: Service, done: Callable[[], bool]) -> None:
    """Run it as a daemon until `done`, and end it."""
    stop, pause = Event(), Event()
    thread = Thread(target=service.run, args=[stop])
    thread.start()
    try:
        assert any(done() or pause.wait(0.02) for _ in range(3000))
    finally:
        stop.set()
        thread.join(timeout=120)
    assert not thread.is_alive()


def test_minutes_of_which_messages_are_lost_are_unknown(bank: Bank, capsys: pytest.CaptureFixture[str]):
    bank.pay("10:00", "12:00")
    bank.start().cycle()
    bank.pay("12:00", "12:03")
    noise = Random(1)
    for _ in range(20):  # more than the mock keeps of a partition
        bank.cluster.send(
            {"timestamp": at("12:03").isoformat(), "status": "ok", "note": noise.randbytes(300_000).hex()}
        )
    bank.pay("12:04", "12:06")
    bank.start()
    assert bank.cycle("12:06:11")
    said = capsys.readouterr().out
    assert "rows are lost" in said
    assert "were not read and are no longer kept" in said
    assert bank.store.gaps() == [("pagos", minute_of(at("12:00")), minute_of(at("12:06")) + 1)]
    assert bank.store.incidents() == []
    assert 'vigia_source_errors_total{source="pagos"} 1.0' in bank.services[-1].metrics.exposition().decode()
