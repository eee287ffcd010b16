"""Every query of every board brings data: a real Prometheus that scrapes the real daemon on the simulated bank, and a real PostgreSQL.

And the alerts about Vigía are seen to fire: its case tool goes away, then it does itself. Grafana is not to be had here: nobody has
rendered these boards; what it would ask is asked.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep, time

import pytest
import requests
import sqlalchemy as sa

from monitor.store import Act, Store
from tests.boards import DEPLOY, Query, boards, queries, variables
from tests.fake_mail import free_port
from tests.postgres import Postgres
from tests.programs import needed

ROOT = Path(__file__).parents[2]
MINUTES = 38
"""So many minutes of the bank go by as fast as they can be judged; then its clock is ours, and a whole channel fails."""
PATIENCE = 180
OTHER_TOOL = """
[sources.bizagi]
role = "cases"
kind = "file"
path = "bizagi.csv"
"""
BOARDS = boards()
PANELS = [query for board in BOARDS.values() for query in queries(board)]


@dataclass
class Tower:
    """What runs: the state, Vigía's address, Prometheus' address, and the folder of both."""

    store: Store
    vigia: str
    prometheus: str
    folder: Path
    process: subprocess.Popen[str]
    log: Path

    def ask(self, expr: str, *, instant: bool = True) -> list[dict]:
        """What Prometheus says; over the last minutes, or now."""
        span = {"query": expr} | ({} if instant else {"start": time() - 120, "end": time(), "step": 5})
        found = requests.get(
            f"{self.prometheus}/api/v1/query{'' if instant else '_range'}", params=span, timeout=10
        ).json()
        assert found["status"] == "success", (expr, found)
        return [
            one for one in found["data"]["result"] if any(v[1] != "NaN" for v in one.get("values", [one.get("value")]))
        ]

    def sql(self, query: str) -> list[dict]:
        """What the boards' reader reads."""
        engine = sa.create_engine(self.store.engine.url.set(username="vigia_lector"), poolclass=sa.NullPool)
        with engine.connect() as connection:
            return [dict(row) for row in connection.exec_driver_sql(query.replace("%", "%%")).mappings()]

    def wait(self, what: str, holds: Callable[[], object], patience: float = PATIENCE) -> None:
        until = monotonic() + patience
        while not holds():
            assert monotonic() < until, f"{what}\n{self.log.read_text()[-3000:]}"
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            sleep(0.2)


def shipped(folder: Path, database: str, listen: int, cases: int) -> Path:
    """The shipped configuration on ports and a state of this test's own, asked more often; and a tool that tells of levels and returns."""
    text = (ROOT / "config.toml").read_text(encoding="utf-8")
    for old, new in {
        r'every( *)= "\w+"': 'every = "100ms"', r"127\.0\.0\.1:8080": f"127.0.0.1:{listen}", r"127\.0\.0\.1:8090": f"127.0.0.1:{cases}",
        r'"sqlite:///var/vigia\.db"': f'"{database}"',
    }.items():  # fmt: skip
        text = re.sub(old, new, text)
    catalog = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "rules" / "catalog").glob("*.toml")))
    soon = re.sub(
        r"(?m)^(severity *=.*)$", r'\1\nkeep_firing_for = "3m"', catalog
    )  # twenty minutes of health are long to wait for
    (folder / "catalog.toml").write_text(soon, encoding="utf-8")
    text = text.replace("[monitor]", '[monitor]\nrules = ["catalog.toml"]', 1)
    config = folder / "config.toml"
    config.write_text(text + OTHER_TOOL, encoding="utf-8")
    now = datetime.now(UTC)
    solved = [
        f"BZ-{n},900123456,recaudos,{now - timedelta(hours=5 + n)},{now - timedelta(hours=3)},N{1 + n % 2},{n % 2},soporte"
        for n in range(6)
    ]
    lines = ["case_id,client_id,product,opened_at,resolved_at,level,returns,kind", *solved]
    (folder / "bizagi.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return config


def rules(folder: Path) -> None:
    """The shipped alerts, which wait less, also for what is not sent: ten minutes are long."""
    text = (DEPLOY / "prometheus" / "vigia.rules.yml").read_text(encoding="utf-8")
    soon = re.sub(r"for: \w+", "for: 1s", text).replace("age_seconds > 600", "age_seconds > 15")
    (folder / "vigia.rules.yml").write_text(soon, encoding="utf-8")


@pytest.fixture(scope="module")
def tower(postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tower]:
    prometheus = needed("prometheus")
    folder = tmp_path_factory.mktemp("tower")
    url = postgres_server.database()
    listen, cases, scraping = free_port(), free_port(), free_port()
    config = shipped(folder, url, listen, cases)
    rules(folder)
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    text = (
        text.replace("vigia:8080", f"127.0.0.1:{listen}")
        .replace("localhost:9090", f"127.0.0.1:{scraping}")
        .replace("15s", "1s")
    )
    (folder / "prometheus.yml").write_text(
        text.replace("/run/secrets", str(folder)).replace("alertmanager:9093", "127.0.0.1:9"), encoding="utf-8"
    )
    (folder / "metrics_token").write_text("nobody asks for it on loopback", encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "VIGIA_DEMO_TOKEN": "of-this-test"}
    command = [sys.executable, str(Path(__file__).with_name("fast_bank.py")), str(config), str(MINUTES)]
    scraper = [
        prometheus, "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{scraping}", "--storage.tsdb.path=tsdb",
        "--log.level=warn",
    ]  # fmt: skip
    log = folder / "log"
    with log.open("wb") as out, ExitStack() as running:
        for program in (command, scraper):
            process = running.enter_context(
                subprocess.Popen(program, cwd=folder, stdout=out, stderr=out, text=True, env=env)
            )
            running.callback(process.kill)
            running.callback(process.terminate)
            if program is command:
                vigia = process
        store = Store(url)
        running.callback(store.close)
        made = Tower(store, f"http://127.0.0.1:{listen}", f"http://127.0.0.1:{scraping}", folder, vigia, log)
        made.wait("Vigía answers", lambda: answers(f"{made.vigia}/-/healthy"))
        made.wait("Prometheus answers", lambda: answers(f"{made.prometheus}/-/ready"))
        live(made)
        yield made


def answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=60).ok
    except requests.RequestException:
        return False


def live(made: Tower) -> None:
    """Some of the bank's time: what is over, what is open, clients who called, somebody who acts; then the case tool is gone."""
    incidents = "SELECT count(*) AS many FROM incidents WHERE parent_id = '' AND state = '{}'"

    def many(state: str) -> int:
        with made.store.reading() as connection:
            return connection.exec_driver_sql(incidents.format(state)).scalar_one()

    made.wait("an incident", lambda: many("firing"))
    with made.store.reading() as connection:
        first = connection.exec_driver_sql("SELECT id FROM incidents WHERE state = 'firing' LIMIT 1").scalar_one()
    made.store.act(Act(first, datetime.now(UTC), "turno", "ack"))
    with made.store.writing() as connection:
        connection.exec_driver_sql((DEPLOY / "postgres" / "lector.sql").read_text(encoding="utf-8").replace("%", "%%"))
    made.wait("one is over, another goes on", lambda: many("resolved") and many("firing"))
    made.wait("somebody reported", lambda: made.ask("vigia_lead_time_seconds_count > 0"))
    made.wait(
        "a case is solved",
        lambda: made.sql("SELECT 1 FROM v_clocks WHERE ended_at IS NOT NULL AND state IN ('met', 'breached') LIMIT 1"),
    )
    (made.folder / "away").touch()
    made.wait("its source is down", lambda: made.ask('vigia_source_up{source="casos"} == 0'))
    (made.folder / "go").touch()
    made.wait("the clock is ours", lambda: made.ask("time() - vigia_last_cycle_timestamp_seconds < 240"))
    made.wait("clients fail now", lambda: made.ask("sum(vigia_clients_affected) > 0"))


def chosen(made: Tower) -> dict[str, str]:
    """What somebody has chosen: every product, channel and segment, and the client that most has happened to."""
    places = "SELECT DISTINCT {0} FROM v_holdings WHERE {0} <> ''"

    def told(query: str, name: str) -> str:
        return ", ".join(f"'{row[name]}'" for row in made.sql(query))

    (client, *_) = made.sql(
        "SELECT m.client_id FROM v_impacts m JOIN v_incidents i ON i.id = m.incident_id JOIN v_cases d ON d.client_id = m.client_id"
        " JOIN v_clocks k ON k.client_id = m.client_id WHERE m.touch = 'affected' GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
    )
    return {
        "product": told(places.format("product"), "product"), "channel": told(places.format("channel"), "channel"),
        "segment": told("SELECT DISTINCT segment FROM v_clients", "segment"), "client": client["client_id"],
    }  # fmt: skip


def brings(made: Tower, query: Query, picked: dict[str, str]) -> bool:
    if query.source == "vigia-postgres":
        found = made.sql(query.filled(picked))
        return any(value is not None for row in found for value in row.values())
    words = dict.fromkeys(("product", "channel", "segment", "source"), ".*") | {"rule": "volumen_caido"}
    if label := re.fullmatch(r"label_values\((.+), (\w+)\)", query.text):
        return any(one["metric"].get(label[2]) for one in made.ask(label[1]))
    return bool(made.ask(query.filled(words), instant=query.instant))


def still_missing(made: Tower, asked: Sequence[Query], picked: dict[str, str]) -> list[str]:
    """What brings nothing within a minute: while the hurried clock is ahead of what is judged no rule says anything, as it should."""
    until, missing = monotonic() + 60, list(asked)
    while (missing := [query for query in missing if not brings(made, query, picked)]) and monotonic() < until:
        sleep(1)
    return [query.where for query in missing]


def test_every_query_of_every_panel_brings_data(tower: Tower) -> None:
    assert len(PANELS) > 80
    assert still_missing(tower, PANELS, chosen(tower)) == []


def test_every_variable_has_something_to_choose(tower: Tower) -> None:
    asked = [query for board in BOARDS.values() for query in variables(board)]
    assert len(asked) == 9
    assert still_missing(tower, asked, {}) == []


@pytest.mark.parametrize("alert", ["VigiaWatchdog", "VigiaSourceDown", "VigiaDeliveryErrors", "VigiaOutboxStuck"])
def test_an_alert_about_vigia_fires(tower: Tower, alert: str) -> None:
    tower.wait(alert, lambda: tower.ask(f'ALERTS{{alertname="{alert}", alertstate="firing"}}'), 40)


def test_no_name_of_a_client_is_in_what_prometheus_holds(tower: Tower) -> None:
    known = requests.get(f"{tower.prometheus}/api/v1/labels", timeout=60).json()["data"]
    allowed = {
        "__name__",
        "job",
        "instance",
        "product",
        "channel",
        "segment",
        "rule",
        "severity",
        "source",
        "desk",
        "le",
    }
    mine = {label for one in tower.ask('{__name__=~"vigia_.+"}') for label in one["metric"]}
    assert mine <= allowed
    assert mine <= set(known)
    (client, *_) = tower.sql("SELECT client_id, client FROM v_clients LIMIT 1")
    told = requests.get(f"{tower.vigia}/metrics", timeout=60).text
    assert client["client"] not in told
    assert client["client_id"] not in told


def test_when_vigia_ends_that_is_told_too(tower: Tower) -> None:
    (tower.folder / "away").unlink()
    tower.process.terminate()
    assert tower.process.wait(timeout=180) == 0
    until = monotonic() + 120
    while not tower.ask('ALERTS{alertname="VigiaAbsent", alertstate="firing"}'):
        assert monotonic() < until
        sleep(0.2)
