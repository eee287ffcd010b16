"""A desk that is taken out of the configuration while it holds open cases: what they are told waits, is told, and goes once it is back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from zoneinfo import ZoneInfo

import pytest
import requests
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from structlog.testing import capture_logs
from typer.testing import CliRunner

from alerts import Action, Changes, Decision, Incident, IncidentState
from connectors import Case
from monitor import tables as t
from monitor.__main__ import app
from monitor.bereft import bereft, bereft_of
from monitor.claims import GONE
from monitor.config import read_config
from monitor.housekeeping import housekeep
from monitor.metrics import Metrics
from monitor.outbox import LONGEST_WAIT, deliver
from monitor.people import Conflict
from monitor.pipeline import Status
from monitor.portrait import outlook
from monitor.reloading import Live
from monitor.service import Service
from monitor.standing import rows
from monitor.step import Message, Step
from monitor.store import Store
from monitor.troubles import troubles
from monitor.web import app as app_of
from monitor.web import serve
from monitor.web.reload import routes
from rules import Scope, Severity, Verdict
from tests.characters import ACEROS, CAFE, TEXTILES, at

CONFIG = """
[monitor]
database = "sqlite:///vigia.db"

[sources.core]
role = "transactions"
kind = "file"
path = "pagos.csv"
"""
MAIL = """
[desks.correo]
kind = "local"
path = "correo.csv"
products = ["recaudos"]
"""
LOCAL = """
[desks.local]
kind = "local"
path = "var/casos.csv"
"""
INCIDENT = Incident(
    id="AF-1", scope=Scope("pagos"), kind="failed", severity=Severity.MAJOR, state=IncidentState.FIRING,
    started_at=at("10:00"), detected_at=at("10:02"), rules=("fallas",), ways=frozenset({"failed"}),
)  # fmt: skip
HELD = [
    Decision(f"VG-{who.nit}", "AF-1", who.nit, "pagos", Action.OPEN, "affected, no case of their own", at("10:03"), desk="local")
    for who in (ACEROS, CAFE)
]  # fmt: skip
BACK = replace(HELD[0], key="VG-back", client_id=TEXTILES.nit, withdrawn_at=at("10:04"))


def told(decision: Decision, action: str) -> Message:
    payload = {
        "key": decision.key, "incident_id": "AF-1", "client_id": decision.client_id, "product": "pagos", "channel": "", "priority": 1,
        "opened_at": at("10:03").isoformat(), "subject": "Falla", "body": "…", "status": "abierto",
    }  # fmt: skip
    return Message(f"{decision.key}:{action}", decision.key, decision.desk, action, payload)


class Bank:
    def __init__(self, folder: Path) -> None:
        self.path, self.now = folder / "config.toml", at("10:05")
        self.write("")
        (folder / "pagos.csv").write_text("timestamp,status,product,channel\n")
        self.store = Store(read_config(self.path).monitor.database)
        self.store.migrate()
        decisions = {d.key: d for d in (*HELD, BACK)}
        self.store.commit(Step(changes=Changes(incidents={"AF-1": INCIDENT}, decisions=decisions)), self.now)

    def write(self, desks: str) -> None:
        self.path.write_text(CONFIG + desks)

    def over(self) -> None:
        """The incident ends, and its cases are told."""
        ended = replace(INCIDENT, state=IncidentState.RESOLVED, ended_at=self.now, resolved_at=self.now)
        messages = [told(decision, "update") for decision in HELD]
        self.store.commit(Step(changes=Changes(incidents={"AF-1": ended}), messages=messages), self.now)

    def clock(self) -> datetime:
        return self.now


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    made = Bank(tmp_path)
    yield made
    made.store.close()


class Desk:
    def __init__(self) -> None:
        self.told: list[str] = []

    def open(self, case: Case) -> str:
        raise AssertionError(case.key)

    def update(self, case: Case) -> None:
        self.told.append(case.key)

    def check(self) -> str:
        return ""


def test_what_is_told_to_a_desk_that_is_gone_waits_for_weeks_and_goes_when_it_is_back(bank: Bank) -> None:
    bank.over()
    for _ in range(300):
        assert deliver(bank.store, {"correo": Desk()}, bank.clock) == 0
        bank.now += timedelta(hours=2)
    desk = Desk()
    bank.now += LONGEST_WAIT
    assert deliver(bank.store, {"local": desk}, bank.clock) == 2
    assert desk.told == [decision.key for decision in HELD]


def test_what_waits_for_a_desk_that_is_gone_is_given_up_at_its_retention(bank: Bank) -> None:
    bank.over()
    bank.write(MAIL)
    service = Service(read_config(bank.path), bank.store, clock=bank.clock)
    bank.now += timedelta(days=89)
    housekeep(service)
    assert bereft(bank.store, ["local"]) == {}
    assert len(bereft(bank.store, ["correo"])["local"]) == 2
    bank.now += timedelta(days=2)
    with capture_logs() as logs:
        housekeep(service)
    assert bereft(bank.store, ["correo"]) == {}
    (line,) = (one for one in logs if one["log_level"] == "error")
    assert (line["desk"], line["messages"]) == ("local", 2)
    assert 'vigia_outbox_given_up_total{desk="local"} 2.0' in service.metrics.exposition().decode()
    what = "el destino de casos local: mensajes que esperaban a que vuelva y ya no se envían: 2"
    assert what in {one.what for one in troubles(service, bank.now)}
    bank.now += timedelta(days=89)
    housekeep(service)
    kept = rows(bank.store, t.outbox.select())
    assert [(row["state"], row["error"]) for row in kept] == [("dead", GONE)] * 2, "as long again"
    bank.now += timedelta(days=2)
    housekeep(service)
    assert rows(bank.store, t.outbox.select()) == []


def test_its_open_cases_are_those_of_what_fails_and_of_what_waits(bank: Bank) -> None:
    assert bereft(bank.store, ["local"]) == {}
    assert bereft(bank.store, ["correo"]) == {"local": {decision.key for decision in HELD}}
    bank.over()
    assert bereft(bank.store, ["correo"]) == {"local": {decision.key for decision in HELD}}
    deliver(bank.store, {"local": Desk()}, bank.clock)
    assert bereft(bank.store, ["correo"]) == {}


def test_check_says_so_in_a_line_and_it_is_no_fault(bank: Bank) -> None:
    assert bereft_of(read_config(bank.path)) == []
    bank.write(MAIL)
    done = CliRunner().invoke(app, ["check", "--config", str(bank.path)])
    line = "config.toml: desks.local: there is no desk 'local' any more, and it holds 2 open cases"
    assert (done.exit_code, done.stderr.count(line)) == (0, 1)
    bank.write(MAIL + LOCAL)
    assert "any more" not in CliRunner().invoke(app, ["check", "--config", str(bank.path)]).stderr


def test_the_list_of_cases_does_not_call_it_received_and_no_more(bank: Bank) -> None:
    bank.store.commit(Step(messages=[told(HELD[0], "open")]), bank.now)
    bank.write(MAIL)
    rows = CliRunner().invoke(app, ["cases", "list", "--json", "--config", str(bank.path)]).stdout
    assert rows.count("su destino ya no está en la configuración") == 2


def test_it_is_a_trouble_after_the_usual_time_until_it_is_back(bank: Bank) -> None:
    bank.write(MAIL)
    service = Service(read_config(bank.path), bank.store, clock=bank.clock)
    assert troubles(service, bank.now) == []
    bank.now += timedelta(minutes=5)
    (wrong,) = troubles(service, bank.now)
    assert (wrong.key, wrong.since) == ("desk:local", at("10:05"))
    assert wrong.what.startswith("el destino de casos local ya no está en la configuración y tiene 2 casos abiertos")
    bank.write(MAIL + LOCAL)
    assert troubles(Service(read_config(bank.path), bank.store, clock=bank.clock), bank.now) == []


@contextmanager
def working(live: Live) -> Iterator[None]:
    works = Thread(target=live.run)
    works.start()
    try:
        yield
    finally:
        live._stop.set()
        works.join(timeout=120)


def test_who_reads_the_configuration_anew_is_told(bank: Bank) -> None:
    live = Live(Service(read_config(bank.path), bank.store, clock=bank.clock), lambda *_: FastAPI(), Event())
    web = FastAPI()
    web.include_router(routes(live.reload))
    web.add_exception_handler(Conflict, lambda *_: PlainTextResponse("", 409))  # it begins
    bank.write(MAIL)
    server, deadline = serve(web, "127.0.0.1:0"), monotonic() + 60
    try:
        with working(live):
            while (answer := requests.post(f"{server.address}/-/reload", timeout=60)).status_code != HTTPStatus.OK:
                assert monotonic() < deadline, answer.text
                sleep(0.05)
    finally:
        server.stop()
    known = "el destino de casos local ya no está en la configuración y tiene 2 casos abiertos: lo que se les diga espera a que vuelva"
    assert answer.text.splitlines() == ["La configuración se leyó de nuevo y está en vigor.", known]


@pytest.mark.parametrize("desks", [MAIL, MAIL + LOCAL])
def test_the_board_does_not_call_it_well(bank: Bank, desks: str) -> None:
    bank.over()
    bank.write(desks)
    metrics = Metrics(sources=["core"])
    metrics.source("core", up=True, lag=1.0)
    metrics.statuses([Status("fallas", Scope("pagos"), Verdict.HEALTHY, 0.0, 0.0, 0.0)])
    seen, zone = outlook(read_config(bank.path)), ZoneInfo("America/Bogota")
    server = serve(
        app_of(bank.store, metrics, lambda: (True, "listo"), lambda: bank.now.astimezone(zone), outlook=seen),
        "127.0.0.1:0",
    )
    try:
        text = requests.get(f"{server.address}/", timeout=60).text
    finally:
        server.stop()
    gone = desks == MAIL
    told = "El destino de casos local ya no está en la configuración y tiene 2 casos abiertos"
    assert (told in text, "Casos sin destino" in text, "Todo en orden" in text) == (gone, gone, not gone)
