"""The dead man's switch: it beats while all is well, and what goes wrong with it goes no further."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from monitor.config import read_config
from monitor.heartbeat import Pulse
from monitor.jobs import scheduled
from monitor.metrics import Metrics
from monitor.service import Service
from monitor.store import Store
from tests.fake_api import Said
from tests.fake_hook import FakeHook
from tests.fake_mail import free_port


@pytest.fixture
def hook() -> Iterator[FakeHook]:
    with FakeHook() as made:
        made._passed_on = lambda _: Said(text=b"OK")
        made.behind = "somewhere"
        yield made


def counted(metrics: Metrics) -> tuple[float, float]:
    """Heartbeats that were taken, and those that were not."""
    value = metrics.registry.get_sample_value
    return value("vigia_heartbeats_total") or 0.0, value("vigia_heartbeat_errors_total") or 0.0


def test_it_beats_while_ready_and_is_silent_while_not(hook: FakeHook) -> None:
    well = [True, False, False, True]
    pulse = Pulse(f"{hook.url}/ping/s3cret?a=b", lambda: (well.pop(0), ""), Metrics())
    for beats in (1, 1, 1, 2):
        pulse.beat()
        assert len(hook.asked) == beats
    assert {(asked.method, asked.path, asked.query["a"]) for asked in hook.asked} == {("GET", "/ping/s3cret", "b")}
    assert counted(pulse.metrics) == (2, 0)


def test_what_goes_wrong_is_counted_and_told_once_without_the_address(hook: FakeHook) -> None:
    hook._passed_on = lambda _: Said(503)
    pulse = Pulse(f"{hook.url}/ping/s3cret", lambda: (True, ""), Metrics())
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            pulse.beat()
        assert counted(pulse.metrics) == (0, 3)
        hook._passed_on = lambda _: Said()
        pulse.beat()
        hook._passed_on = lambda _: Said(503)
        pulse.beat()
    assert counted(pulse.metrics) == (1, 4)
    assert [log["error"] for log in logs] == [f"{hook.url}/...: 503 Service Unavailable"] * 2


def test_nobody_there_is_no_fault_of_ours() -> None:
    pulse = Pulse(f"http://127.0.0.1:{free_port()}/s3cret", lambda: (True, ""), Metrics())
    pulse.beat()
    assert counted(pulse.metrics) == (0, 1)


@pytest.mark.parametrize(
    ("block", "every"), [("", None), ('[heartbeat]\nurl = "https://x.example/s"\nevery = "30s"', 30)]
)
def test_the_daemon_beats_as_often_as_it_is_told(tmp_path: Path, block: str, every: int | None) -> None:
    source = '[sources.core]\nrole = "transactions"\nkind = "file"\npath = "x.csv"\n'
    (tmp_path / "config.toml").write_text(f'[monitor]\ndatabase = "sqlite:///vigia.db"\n{source}{block}\n')
    config = read_config(tmp_path / "config.toml")
    store = Store(config.monitor.database)
    store.migrate()
    jobs = {job.id: job for job in scheduled(Service(config, store)).get_jobs()}
    store.close()
    assert ("heartbeat" in jobs) is (every is not None)
    assert every is None or jobs["heartbeat"].trigger.interval.total_seconds() == every
