"""Causes and promises, asked over a real socket: all that is asked is answered, and typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from alerts.causes import Escalating
from monitor.causes import causes
from monitor.config import read_config
from monitor.housekeeping import watch_promises
from monitor.jobs import scheduled
from monitor.metrics import Metrics
from monitor.service import Service
from monitor.sla import standing
from monitor.store import Step, Store
from monitor.web import Server, app, serve
from tests.monitor.conftest import NOW, THEIRS, ago
from tests.monitor.test_causes import again
from tests.monitor.test_sla import promises

BANK = """
[sources.core]
role = "transactions"
kind = "file"
path = "rows.csv"
[promises.calendars]
siempre = { days = "all" }
[[promise]]
calendar = "siempre"
hours = 0.5
"""


@pytest.fixture
def server(store: Store) -> Iterator[Server]:
    made = app(store, Metrics(), lambda: (True, ""), lambda: NOW, escalating=Escalating(), promises=promises(19))
    served = serve(made, "127.0.0.1:0")
    yield served
    served.stop()


def get(server: Server, path: str) -> requests.Response:
    return requests.get(f"{server.address}/api/v1{path}", timeout=60)


def test_causes(store: Store, server: Server):
    again(store)
    found, asked = get(server, "/causes").json(), causes(store, Escalating(), NOW)
    assert found.keys() == asked.keys()
    for part in ("causes", "same_error", "same_product", "case_rate_by_product"):
        assert [row.keys() for row in found[part]] == [row.keys() for row in asked[part]] != [], part
    assert found["causes"][0]["error_code"] == "E504"
    early = get(server, "/causes?until=2026-02-26T00:00:00Z&by=incidents").json()
    assert [cause["incidents"] for cause in early["causes"]] == [1]


@pytest.mark.parametrize(
    "query",
    ["since=2026-03-02T00:00:00", "by=money", "since=2026-03-03T00:00:00Z&until=2026-03-02T00:00:00Z"],
)
def test_what_cannot_be_asked_is_refused(server: Server, query: str):
    assert get(server, f"/causes?{query}").status_code == 422


def test_promises(store: Store, server: Server):
    found, asked = get(server, "/sla").json(), standing(store, promises(19), NOW)
    assert found.keys() == asked.keys()
    for part in ("products", "cases"):
        assert [row.keys() for row in found[part]] == [row.keys() for row in asked[part]] != [], part
    assert {row["clock"] for row in found["cases"]} == {"at_risk", "breached"}


def test_the_service_looks_at_the_promises_by_itself(tmp_path: Path):
    (tmp_path / "config.toml").write_text(BANK)
    (tmp_path / "rows.csv").write_text("timestamp,status\n")
    config = read_config(tmp_path / "config.toml")
    store = Store(config.monitor.database)
    store.migrate()
    late = replace(THEIRS[0], opened_at=ago(40), reported_at=ago(40))
    store.commit(Step(cases=[late, replace(THEIRS[1], opened_at=ago(25), reported_at=ago(25))]), NOW)
    service = Service(config, store, clock=lambda: NOW)
    watch_promises(service)
    text = service.metrics.exposition().decode()
    assert 'vigia_cases_at_risk{product="pagos",segment=""} 1.0' in text
    assert 'vigia_cases_breached{product="pagos",segment=""} 1.0' in text
    (job,) = [job for job in scheduled(service).get_jobs() if job.id == "promises"]
    assert job.trigger.interval == timedelta(minutes=1)
    store.close()
