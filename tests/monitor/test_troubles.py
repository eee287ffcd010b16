"""The daemon's own faults: which stand, since when, and which are over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from structlog.testing import capture_logs

from connectors import SourceError
from monitor import jobs
from monitor.claims import claim, put_off
from monitor.config import read_config
from monitor.jobs import scheduled
from monitor.metrics import Metrics
from monitor.sending import Sending
from monitor.service import Service
from monitor.store import Message, Store
from monitor.troubles import Trouble, troubles
from tests.characters import ACEROS, at
from tests.fake_api import Said
from tests.fake_hook import FakeHook

CONFIG = """
[monitor]
database = "sqlite:///vigia.db"

[sources.core]
role = "transactions"
kind = "file"
path = "pagos.csv"
every = "10s"

[sources.crm]
role = "clients"
kind = "file"
path = "clientes.csv"
every = "10s"
"""
BEGAN = at("12:00:10")


class Watched:
    """A service whose clock a test moves, and which is looked at on the way every ten seconds, as the notifier does."""

    def __init__(self, folder: Path) -> None:
        (folder / "config.toml").write_text(CONFIG)
        (folder / "clientes.csv").write_text(f"client_id,name\n{ACEROS.nit},{ACEROS.name}\n")
        self.pagos, self.now, self.answers = folder / "pagos.csv", BEGAN, {"crm": "", "receivers.torre": ""}
        self.pay("11:59")
        config = read_config(folder / "config.toml")
        self.store = Store(config.monitor.database)
        self.store.migrate()
        self.service = Service(config, self.store, clock=lambda: self.now)
        sending = Sending(
            config, self.store, lambda: self.now, Metrics(), self.service.errors, {"receivers.torre": self._told}
        )
        sending.desks = {"crm": self}  # type: ignore[dict-item]
        self.service.sending = sending
        sending._at |= {"crm": sending._at["local"]}

    def pay(self, clock: str) -> None:
        new = not self.pagos.exists()
        with self.pagos.open("a") as out:
            out.write("timestamp,status,product,channel\n" if new else "")
            out.write(f"{at(clock).isoformat()},ok,pagos,web\n")

    def open(self, _case: Any) -> str:
        return self._answer("crm")

    def _told(self, _row: Any) -> str:
        return self._answer("receivers.torre")

    def _answer(self, name: str) -> str:
        if self.answers[name]:
            raise SourceError(self.answers[name])
        return "1"

    def send(self, desk: str, key: str) -> None:
        case = {
            "key": key,
            "incident_id": "i",
            "client_id": "900123456",
            "product": "pagos",
            "channel": "",
            "priority": 1,
        }
        case |= {"opened_at": self.now.isoformat(), "subject": "", "body": ""}
        action = "notify" if desk.startswith("receivers.") else "open"
        self.store.tell([], [Message(key, key, desk, action, case)], self.now)

    def cycle(self) -> None:
        self.service.cycle()

    def look(self) -> dict[str, Trouble]:
        return {trouble.key: trouble for trouble in troubles(self.service, self.now)}

    def until(self, clock: str, *, cycle: bool = True) -> dict[str, Trouble]:
        """What is found when the clock shows this."""
        while self.now < at(clock):
            self.now += timedelta(seconds=10)
            if cycle:
                self.cycle()
            found = self.look()
        return found


@pytest.fixture
def vigia(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    made.cycle()
    yield made
    made.store.close()


def test_nothing_is_told_while_all_is_well(vigia: Watched) -> None:
    assert vigia.look() == {}
    assert vigia.until("12:06:10") == {}


def test_a_source_is_told_once_patience_is_over_since_its_first_failure_and_no_more_once_it_is_back(
    vigia: Watched,
) -> None:
    away = vigia.pagos.rename(vigia.pagos.with_suffix(".away"))
    assert vigia.until("12:02:10") == {}
    found = vigia.until("12:02:20")["source:core"]
    assert (found.severity, found.since) == ("critical", at("12:00:20"))
    assert found.what.startswith("la fuente core no responde: ")
    assert vigia.until("12:10:10")["source:core"].since == at("12:00:20")
    away.rename(vigia.pagos)
    assert vigia.until("12:10:30") == {}


def test_rows_that_come_too_late_are_told_with_how_many_and_from_when(vigia: Watched) -> None:
    vigia.now = at("14:00:10")
    vigia.cycle()
    for clock in ("12:30", "12:31", "13:30"):
        vigia.pay(clock)
    with capture_logs() as logged:
        found = vigia.until("14:00:20")["late:core"]
    told = [
        (one["rows"], one["oldest"]) for one in logged if one["event"].startswith("rows are left out: they came too")
    ]
    assert told == [(2, at("12:30").isoformat())]
    assert (found.severity, found.since) == ("major", at("14:00:20"))
    assert found.what == "llegaron 2 filas demasiado tarde de core: no cuentan"
    assert vigia.service.ready() == (True, "listo, con vista parcial: llegaron 2 filas demasiado tarde de core")
    vigia.pay("12:40")
    assert vigia.until("14:00:40")["late:core"].what == "llegaron 3 filas demasiado tarde de core: no cuentan"
    vigia.now = at("15:00:20")
    assert "late:core" in vigia.look()
    vigia.until("15:00:40")
    assert "late:core" not in vigia.look()
    assert vigia.service.ready() == (True, "listo")


def test_a_source_of_clients_is_told_too_and_is_less_urgent(vigia: Watched, tmp_path: Path) -> None:
    (tmp_path / "clientes.csv").unlink()
    found = vigia.until("12:03:10")
    assert {key: trouble.severity for key, trouble in found.items()} == {"source:crm": "major"}
    assert found["source:crm"].since == at("12:00:20")


@pytest.mark.parametrize(
    ("desk", "key", "who"),
    [("crm", "desk:crm", "el destino de casos crm"), ("receivers.torre", "receiver:torre", "el receptor torre")],
)
def test_who_does_not_answer_for_five_minutes_is_told(vigia: Watched, desk: str, key: str, who: str) -> None:
    vigia.answers[desk] = "no connection: refused"
    vigia.send(desk, "k1")
    assert vigia.until("12:05:10") == {}
    found = vigia.until("12:05:20")
    assert found == {key: Trouble(key, "major", at("12:00:20"), f"{who} no recibe: no connection: refused")}
    vigia.send(desk, "k2")
    assert vigia.until("12:10:20")[key].since == at("12:00:20")
    vigia.answers[desk] = ""
    assert vigia.until("12:21:00") == {}


def test_a_message_that_was_given_up_is_no_fault_that_lasts(vigia: Watched) -> None:
    vigia.send("past", "k1")
    put_off(vigia.store, claim(vigia.store, vigia.now, timedelta(minutes=2))["id"], "gone", vigia.now, dead=True)
    vigia.service.errors["desk past"] = "gone"
    assert vigia.until("12:06:00") == {}


def test_notices_that_were_given_up_are_one_fault_for_a_day_and_name_no_recipient(vigia: Watched) -> None:
    for key in ("k1", "k2"):
        vigia.send("receivers.torre", f"{key}:mina@banco.example")
        lost = claim(vigia.store, vigia.now, timedelta(minutes=2))
        put_off(vigia.store, lost["id"], "refuses the recipient (550)", vigia.now, dead=True)
    what = "el receptor torre: avisos que en un día no se pudieron entregar y ya no se envían: 2"
    assert vigia.look() == {"undelivered:receiver:torre": Trouble("undelivered:receiver:torre", "major", BEGAN, what)}
    vigia.now += timedelta(days=1)
    assert "undelivered:receiver:torre" not in vigia.look()


def test_what_a_tool_says_of_a_client_is_not_told_on(vigia: Watched) -> None:
    vigia.answers["crm"] = "no case 2026/900123456 for 900123456"
    vigia.send("crm", "2026/900123456")
    assert "900123456" not in vigia.until("12:06:00")["desk:crm"].what


def test_a_message_that_waits_is_told_after_a_quarter_of_an_hour(vigia: Watched) -> None:
    vigia.send("receivers.torre", "k1")
    vigia.until("12:15:00", cycle=False)
    assert "outbox" not in vigia.look()
    found = vigia.until("12:15:10", cycle=False)["outbox"]
    assert (found.since, found.what) == (BEGAN, "hay mensajes sin enviar desde hace 15 minutos")
    vigia.cycle()
    assert "outbox" not in vigia.look()


def test_judging_that_is_behind_is_told_since_its_last_cycle(vigia: Watched) -> None:
    last = vigia.service.last_cycle
    assert "judging" not in vigia.until("12:04:20", cycle=False)
    found = vigia.until("12:04:30", cycle=False)["judging"]
    assert (found.severity, found.since) == ("critical", last)
    assert not vigia.service.ready()[0]
    vigia.cycle()
    assert vigia.look() == {}


def test_steps_that_fail_are_told_until_one_does_not(vigia: Watched) -> None:
    vigia.service._fail(OSError("disk full"))
    assert vigia.look() == {}
    vigia.service._fail(OSError("disk full"))
    found = vigia.look()["steps"]
    assert (found.severity, found.since) == ("critical", BEGAN)
    vigia.now += timedelta(seconds=10)
    assert vigia.look()["steps"].since == BEGAN
    vigia.cycle()
    assert vigia.look() == {}


def test_a_job_that_fails_or_hangs_is_told_and_the_worst_comes_first(vigia: Watched) -> None:
    runs = vigia.service.runs
    runs.failed("promises", KeyError("900123456"))
    runs.skipped("housekeep")
    runs.skipped("poll core")
    vigia.now += timedelta(minutes=4, seconds=50)
    runs.failed("promises", ValueError())
    assert set(vigia.look()) == {"judging"}
    vigia.now += timedelta(seconds=10)
    told = troubles(vigia.service, vigia.now)
    assert [trouble.key for trouble in told] == ["judging", "job:housekeep", "job:promises"]
    assert told[2] == Trouble("job:promises", "major", BEGAN, "la tarea «promises» falla: ValueError")
    runs.ran("promises")
    runs.ran("housekeep")
    assert set(vigia.look()) == {"judging"}


def test_a_receiver_that_never_answers_at_all_is_told_as_such(vigia: Watched) -> None:
    sending = vigia.service.sending
    vigia.service.runs.skipped("deliver receivers.torre")
    vigia.now += timedelta(minutes=5)
    with sending._at["receivers.torre"]:
        found = vigia.look()
    assert found["receiver:torre"].what == "el receptor torre sigue trabajando cuando ya debería empezar de nuevo"


def test_a_receiver_that_does_not_hear_what_stands_is_told(vigia: Watched) -> None:
    vigia.service.refreshing.errors["guardia"] = "http://am-2:9093: no connection: refused"
    vigia.until("12:01:10", cycle=False)
    found = vigia.until("12:06:10", cycle=True)["receiver:guardia"]
    assert (found.severity, found.since) == ("major", at("12:00:20"))
    assert found.what == "el receptor guardia no recibe lo que sigue: http://am-2:9093: no connection: refused"
    del vigia.service.refreshing.errors["guardia"]
    assert vigia.look() == {}


def test_vigia_is_not_ready_while_it_cannot_tell_anybody_for_minutes(vigia: Watched) -> None:
    vigia.service.runs.failed("notices", ValueError("of a client"))
    vigia.until("12:04:50")
    assert vigia.service.ready() == (True, "listo")
    vigia.until("12:05:10")
    assert vigia.service.ready() == (False, "no se puede avisar, la tarea «notices» falla: ValueError")
    vigia.service.runs.ran("notices")
    assert vigia.service.ready() == (True, "listo")


def test_the_scheduler_tells_of_jobs_that_fail_hang_and_run_again(vigia: Watched, monkeypatch: Any) -> None:
    failing, hanging = Event(), Event()
    failing.set()

    def watch(_: object) -> None:
        if failing.is_set():
            raise ValueError("no")

    def beat(_: object) -> None:
        hanging.wait(60)

    monkeypatch.setattr(jobs, "watch_promises", watch)
    monkeypatch.setattr(jobs, "housekeep", beat)
    scheduler: BackgroundScheduler = scheduled(vigia.service)
    for job in scheduler.get_jobs():
        if job.id in ("promises", "housekeep"):
            scheduler.reschedule_job(job.id, trigger="interval", seconds=0.02)
        else:
            scheduler.remove_job(job.id)
    scheduler.start()
    try:
        _until(lambda: set(vigia.service.runs.wrong) == {"promises", "housekeep"})
        _until(lambda: (vigia.service.metrics.registry.get_sample_value("vigia_job_errors_total") or 0) > 0)
        failing.clear()
        hanging.set()
        _until(lambda: vigia.service.runs.wrong == {})
    finally:
        hanging.set()
        scheduler.shutdown()


def test_a_receivers_own_trouble_is_told_by_the_others(tmp_path: Path) -> None:
    now = at("12:00:10")
    with FakeHook() as well, FakeHook() as ill:
        blocks = (
            f'[receivers.{name}]\nkind = "webhook"\nurl = "{hook.url}"\nsecret = "un secreto de pruebas"\n'
            for name, hook in (("bien", well), ("mal", ill))
        )
        (tmp_path / "config.toml").write_text(CONFIG + "\n".join(blocks))
        (tmp_path / "clientes.csv").write_text("client_id\n")
        config = read_config(tmp_path / "config.toml")
        store = Store(config.monitor.database)
        store.migrate()
        service = Service(config, store, clock=lambda: now)
        service.cycle()
        ill.faults = [Said(400)] * 1000
        for _ in range(60):  # pagos.csv is missing: a fault to be told by both
            now += timedelta(seconds=10)
            service.cycle()
        store.close()
    told = [asked.body["fault"]["key"] for asked in well.taken]
    assert (sorted(told), ill.taken) == (["receiver:mal", "source:core"], [])


def _until(there: Any) -> None:
    pause = Event()
    for _ in range(3000):
        if there():
            return
        pause.wait(0.02)
    pytest.fail("it did not come in a minute")
