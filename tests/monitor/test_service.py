"""The service over a real store and real files, with the clock in the test's hand: one cycle at a time, and as the daemon."""

from __future__ import annotations

import csv
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from alerts import Action, IncidentState
from connectors import Reject, SourceError
from monitor.claims import waiting
from monitor.config import read_config
from monitor.intake import Rows
from monitor.judge import Stopped
from monitor.service import Service
from monitor.spans import Span
from monitor.store import Act, Step, Store
from monitor.troubles import troubles
from monitor.windows import minute_of
from tests.characters import ACEROS, CAST, at
from tests.watched import FAILURES, Watched

CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
rules = ["rules.toml"]

[sources.pagos]
role = "transactions"
kind = "file"
path = "pagos.csv"
every = "50ms"

[sources.crm]
role = "cases"
kind = "file"
path = "casos_crm*.csv"
every = "50ms"
"""

OTHER = """
[sources.otra]
role = "transactions"
kind = "file"
path = "otra.csv"
every = "50ms"
defaults = { channel = "otra" }
"""

CLIENTS = """
[sources.clientes]
role = "clients"
kind = "sql"
url = "sqlite:///crm.db"
table = "clients"
columns = { client_id = "nit" }
"""

RULES = f"""{FAILURES}
[[rule]]
name = "volumen"
kind = "anomaly"
measure = "total"
detector = {{ kind = "seasonal", direction = "down" }}
min_change_ratio = 0.5
for = "2m"
keep_firing_for = "5m"
"""


class Bank(Watched):
    """Payments in a file, which three clients send."""

    def __init__(self, folder: Path, now: datetime) -> None:
        super().__init__(folder, now, CONFIG, RULES)

    def pay(
        self,
        first: str,
        last: str,
        *,
        failing: float = 0.0,
        file: str = "pagos.csv",
        product: str = "pagos",
        channel: str = "web",
    ) -> None:
        """Each of the three sends a few payments a minute from `first` up to `last`."""
        path, minute = self.folder / file, at(first)
        with path.open("a", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, ["timestamp", "client_id", "product", "channel", "status"])
            if not path.stat().st_size:
                writer.writeheader()
            while minute < at(last):
                draw = Random(minute.timestamp())
                for client in CAST:
                    for _ in range(4):
                        status = "failed" if draw.random() < failing else "ok"
                        time = minute + timedelta(seconds=draw.randrange(60))
                        writer.writerow(client.sends(time, product, channel, status=status))
                minute += timedelta(minutes=1)


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    found = Bank(tmp_path, at("12:00:10"))
    yield found
    found.close()


def live(bank: Bank, first: str, last: str, *, failing: float = 0.0) -> None:
    """Minute by minute, as it would come."""
    minute = at(first)
    while minute < at(last):
        clock = f"{minute - at('00:00')}".rpartition(":")[0]
        after = minute + timedelta(minutes=1)
        bank.pay(clock, f"{after - at('00:00')}".rpartition(":")[0], failing=failing)
        bank.now = after + timedelta(seconds=11)
        bank.services[-1].cycle()
        minute = after


def test_history_trains_and_is_never_acted_on(bank: Bank):
    bank.pay("10:00", "11:00")
    bank.pay("11:00", "12:00", failing=0.9)
    bank.start().cycle()
    assert bank.store.incidents() == []
    assert bank.store.marks()["judged_until"] == str(int(at("12:00").timestamp() // 60))


def test_a_failure_is_one_incident_with_a_case_for_each_client_at_the_desk(bank: Bank):
    bank.pay("10:00", "12:00")
    bank.start().cycle()
    live(bank, "12:00", "12:05")
    live(bank, "12:05", "12:15", failing=0.8)
    (incident,) = bank.store.incidents()
    assert (incident.scope.product, incident.started_at, incident.state) == ("pagos", at("12:05"), IncidentState.FIRING)
    assert incident.detected_at == at("12:07:11")  # the moment of the commit
    assert {d.client_id for d in bank.store.decisions()} == {client.nit for client in CAST}
    with (bank.folder / "var" / "casos.csv").open(encoding="utf-8-sig", newline="") as desk:
        assert sorted(row["cliente"] for row in csv.DictReader(desk)) == sorted(client.nit for client in CAST)
    live(bank, "12:15", "12:30")
    (incident,) = bank.store.incidents()
    assert (incident.state, incident.ended_at) == (IncidentState.RESOLVED, at("12:15"))
    with (bank.folder / "var" / "casos.csv").open(encoding="utf-8-sig", newline="") as desk:
        assert {row["estado"] for row in csv.DictReader(desk)} == {"afectación superada"}


def test_a_client_who_has_reported_gets_a_link_and_one_who_reports_later_is_tied(bank: Bank):
    bank.pay("10:00", "12:00")
    bank.start().cycle()
    header = "case_id,client_id,product,opened_at,status,reported_by\n"
    (bank.folder / "casos_crm1.csv").write_text(
        f"{header}R-1,{ACEROS.nit},pagos,{at('12:06').isoformat()},abierto,client\n"
    )
    live(bank, "12:00", "12:05")
    live(bank, "12:05", "12:10", failing=0.8)
    other = CAST[1]
    (bank.folder / "casos_crm2.csv").write_text(
        f"{header}R-2,{other.nit},pagos,{at('12:10:20').isoformat()},abierto,client\n"
    )
    live(bank, "12:10", "12:12", failing=0.8)
    decisions = {d.client_id: d for d in bank.store.decisions()}
    assert (decisions[ACEROS.nit].action, decisions[ACEROS.nit].linked_case_id) == (Action.LINK, "R-1")
    assert (decisions[ACEROS.nit].lead_seconds or 0) < 0
    assert (decisions[other.nit].action, decisions[other.nit].linked_case_id) == (Action.OPEN, "R-2")
    assert decisions[other.nit].lead_seconds == (at("12:10:20") - decisions[other.nit].opened_at).total_seconds() > 0


def test_after_a_restart_the_models_say_what_they_would_have_said(bank: Bank):
    bank.pay("08:00", "12:00")
    bank.start().cycle()
    live(bank, "12:00", "12:20")
    stayed, restarted = bank.services[0], bank.start()
    end = stayed.judge.judged_until
    assert restarted.judge.judged_until == end
    assert end is not None
    said = []
    for service in (stayed, restarted):
        pipeline = service.judge.pipeline
        rule = next(rule for rule in pipeline.rules if rule.spec.name == "volumen")
        said.append(rule.check(Span(pipeline.windows, pipeline.calendar, pipeline.rules, end, end + 30)))
    for name in ("verdict", "value", "expected", "lower", "upper", "score"):
        np.testing.assert_array_equal(getattr(said[0], name), getattr(said[1], name))


def test_it_can_be_ended_while_it_reads_and_the_next_start_reads_all_of_it_once(bank: Bank):
    bank.pay("10:00", "12:00")
    bank.start()
    config, asked = read_config(bank.folder / "config.toml"), iter([False])
    with pytest.raises(Stopped):
        Service(config, bank.store, clock=lambda: bank.now, ending=lambda: next(asked, True)).cycle()
    assert bank.services[-1].judge.judged_until is None
    assert "judged_until" not in bank.store.marks()
    bank.start().cycle()
    assert sum(sum(table["n"].to_pylist()) for table in bank.store.cells("cells", 0)) == 120 * 12
    until = bank.store.marks()["judged_until"]
    with pytest.raises(Stopped):
        Service(config, bank.store, clock=lambda: bank.now, ending=lambda: True)
    assert bank.store.marks()["judged_until"] == until
    trained = bank.start().judge
    assert trained.windows.db.execute("SELECT sum(n) FROM cells").fetchall() == [(120 * 12,)]


def test_what_happened_while_it_was_down_is_judged_when_it_is_back(bank: Bank):
    bank.pay("10:00", "12:00")
    bank.start().cycle()
    live(bank, "12:00", "12:05")
    bank.pay("12:05", "12:15", failing=0.8)
    bank.pay("12:15", "12:40")
    bank.start()
    bank.cycle("12:40:11")
    (incident,) = bank.store.incidents()
    assert (incident.started_at, incident.ended_at) == (at("12:05"), at("12:15"))
    assert len(bank.store.decisions()) == 3


def test_a_source_that_is_down_is_unknown_and_never_failing_clients(bank: Bank):
    """Of two sources one goes away: it is waited for, then judged without; when it is back its rows correct, and nobody is accused."""
    (bank.folder / "config.toml").write_text(CONFIG + OTHER)
    for file in ("pagos.csv", "otra.csv"):
        bank.pay("10:00", "12:00", file=file)
    bank.start().cycle()
    gone = bank.folder / "otra.csv"
    gone.rename(bank.folder / "away")
    bank.pay("12:00", "12:10")
    assert bank.cycle("12:01:11") is False
    before = bank.services[-1].judge.judged_until
    bank.cycle("12:10:11")
    assert before == int(at("12:00").timestamp() // 60)  # waited for
    assert bank.services[-1].judge.judged_until == int(at("12:10").timestamp() // 60)  # judged without
    assert bank.store.gaps()
    assert bank.store.incidents() == []
    (bank.folder / "away").rename(gone)
    bank.pay("12:00", "12:12", file="otra.csv")
    bank.pay("12:10", "12:12")
    assert bank.cycle("12:12:11") is True
    assert bank.store.incidents() == []
    told = [row for table in bank.store.cells("cells", 0) for row in table.to_pylist() if row["source"] == "otra"]
    dark = {row["minute"] - before: row["known"] - before for row in told if before <= row["minute"] < before + 10}
    assert dark == {m: 12 + m // 5 for m in range(10)}  # known from its return on, five minutes of it a minute


def test_what_people_do_is_taken_in_and_a_closed_incident_is_not_opened_again(bank: Bank):
    bank.pay("10:00", "12:00")
    bank.start().cycle()
    live(bank, "12:00", "12:05", failing=0.8)
    (incident,) = bank.store.incidents()
    bank.store.act(Act(incident.id, bank.now, "turno", "ack"))
    live(bank, "12:05", "12:06", failing=0.8)
    assert bank.store.incidents()[0].acknowledged_by == "turno"
    bank.store.act(Act(incident.id, bank.now, "turno", "resolve", "prueba"))
    live(bank, "12:06", "12:10", failing=0.8)
    (closed,) = bank.store.incidents()
    assert (closed.state, closed.resolved_by) == (IncidentState.RESOLVED, "turno")


def test_a_step_that_fails_leaves_nothing_behind_and_is_taken_again(bank: Bank, monkeypatch: pytest.MonkeyPatch):
    bank.pay("10:00", "12:00")
    service = bank.start()
    commit, failures = Store.commit, iter([None] * 2)

    def failing(store: Store, step: Step, now: datetime) -> None:
        if step.cells and next(failures, "over") is None:
            raise OSError("disk full")
        commit(store, step, now)

    live(bank, "12:00", "12:03")
    bank.pay("12:03", "12:10", failing=0.8)
    bank.now = at("12:10:11")
    monkeypatch.setattr(Store, "commit", failing)
    daemon(service, lambda: bank.store.incidents() != [])
    (incident,) = bank.store.incidents()
    assert incident.started_at == at("12:03")
    assert next(failures, "over") == "over"
    with closing(sqlite3.connect(bank.folder / "vigia.db")) as db:
        ((twice,),) = db.execute("SELECT count(*) FROM outbox GROUP BY case_key ORDER BY 1 DESC LIMIT 1").fetchall()
    assert twice == 1


def test_the_daemon_ends_with_what_it_has_fetched_judged_and_delivered(bank: Bank):
    bank.pay("10:00", "12:00")
    service = bank.start()
    bank.now = at("12:00:11")
    service.cycle()
    bank.pay("12:00", "12:05", failing=0.8)
    bank.now = at("12:05:11")
    daemon(service, lambda: bool(bank.store.incidents()))
    assert waiting(bank.store) == []
    assert (bank.folder / "var" / "casos.csv").exists()
    assert service.ready() == (True, "listo")


def test_the_polls_that_gather_while_others_are_judged_are_told(bank: Bank, monkeypatch: pytest.MonkeyPatch):
    bank.pay("10:00", "12:00")
    service, go = bank.start(), Event()
    monkeypatch.setattr(service, "_step", lambda _: go.wait(60))

    def told() -> bool:
        shown = service.metrics.exposition().decode()
        if any(f"vigia_queue_length {many}.0" in shown for many in range(3, 65)):
            go.set()
        return go.is_set()

    try:
        daemon(service, told)
    finally:
        go.set()


def test_it_is_ready_once_a_full_cycle_has_ended_and_no_longer_when_none_ends(bank: Bank):
    bank.pay("10:00", "12:00")
    service = bank.start()
    assert service.ready()[0] is False
    service.cycle()
    assert service.ready()[0] is True
    bank.now += timedelta(minutes=5)
    ok, why = service.ready()
    assert not ok
    assert why == "sin un ciclo completo desde 2026-03-03T12:00:10-05:00", "by the bank's clock"


def test_rows_that_cannot_be_used_are_counted_and_the_others_go_on(bank: Bank):
    bank.pay("10:00", "12:00")
    bank.start().cycle()
    with (bank.folder / "pagos.csv").open("a", encoding="utf-8") as file:
        file.write("no es una hora,1,pagos,web,ok\n")
    bank.pay("12:00", "12:01")
    bank.cycle("12:01:11")
    exposition = bank.services[-1].metrics.exposition().decode()
    assert 'vigia_source_rejected_rows_total{source="pagos"} 1.0' in exposition
    assert bank.services[-1].judge.judged_until == int(at("12:01").timestamp() // 60)


def test_a_wrong_check_digit_is_told_and_counted_without_the_client(
    bank: Bank, capsys: pytest.CaptureFixture[str]
) -> None:
    """On paper the same client, by its number: the row counts, and somebody has to look at the source."""
    bank.pay("10:00", "12:00")
    service = bank.start()
    service.cycle()
    with (bank.folder / "pagos.csv").open("a", encoding="utf-8") as file:
        file.writelines(f"{at('12:00').isoformat()},900.123.456-{digit},pagos,web,ok\n" for digit in (7, 8))
    bank.cycle("12:01:11")
    assert 'vigia_source_wrong_digit_rows_total{source="pagos"} 1.0' in service.metrics.exposition().decode()
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "wrong check digit" in line)
    assert "rows=1" in line
    assert "900" not in line.partition("wrong")[2]


def test_rows_of_which_none_can_be_used_are_an_outage_of_the_source_and_no_silence_of_the_bank(bank: Bank):
    """The bank changes how it writes its dates for ten minutes: nobody is accused, and its minutes stay unknown afterwards."""
    bank.pay("10:00", "12:00")
    service = bank.start()
    service.cycle()
    live(bank, "12:00", "12:05")
    for minute in range(5, 15):
        with (bank.folder / "pagos.csv").open("a", encoding="utf-8") as file:
            file.writelines(f"03/03/2026 12:{minute:02}:{s:02},1,pagos,web,ok\n" for s in range(12))
        assert bank.cycle(f"12:{minute + 1:02}:11") is False
        assert service.judge.judged_until == minute_of(at("12:05"))
    ok, why = service.ready()
    assert not ok
    assert "pagos: none of 12 rows could be used, such as " in why
    assert 'vigia_source_rejected_rows_total{source="pagos"} 120.0' in service.metrics.exposition().decode()
    live(bank, "12:15", "12:25")
    assert (service.ready(), service.judge.judged_until) == ((True, "listo"), minute_of(at("12:25")))
    assert [(source, stop - start) for source, start, stop in bank.store.gaps()] == [("pagos", 11)]
    assert (bank.store.incidents(), bank.store.decisions()) == ([], [])


@pytest.mark.parametrize(("usable", "left", "down"), [(0, 1, True), (1, 9, False), (10, 10, True), (11, 10, False)])
def test_half_of_many_rows_that_cannot_be_used_tell_nothing(usable: int, left: int, *, down: bool):
    table = pa.table({"status": ["ok"] * usable})
    rejects = (Reject("pagos.csv:line 2", "no date"),) * left
    rows = Rows("pagos", "transactions", table, {}, at("12:00"), rejects=rejects)
    assert ("pagos.csv:line 2: no date" in rows.useless) is down


def test_a_row_dated_ahead_of_now_is_left_out_and_told(bank: Bank):
    bank.pay("10:00", "12:00")
    service = bank.start()
    service.cycle()
    bank.pay("12:00", "12:02")
    bank.pay("17:00", "17:01")  # a clock that runs in another zone
    assert bank.cycle("12:02:11") is True
    assert 'vigia_source_rejected_rows_total{source="pagos"} 12.0' in service.metrics.exposition().decode()
    assert service.judge.windows.bounds()[1] == minute_of(at("12:01"))


def test_clients_that_cannot_be_read_are_told_until_they_can(bank: Bank):
    (bank.folder / "config.toml").write_text(CONFIG + CLIENTS)
    with closing(sqlite3.connect(bank.folder / "crm.db")) as db:
        db.execute("CREATE TABLE clients (nit TEXT)")
        db.execute("INSERT INTO clients VALUES (NULL)")
        db.commit()
        bank.pay("10:00", "12:00")
        service = bank.start()
        for clock in ("12:00:11", "12:01:11"):
            assert bank.cycle(clock) is False
            assert "none of 1 rows could be used" in service.errors["clientes"]
        db.execute("UPDATE clients SET nit = '900123456'")
        db.commit()
    assert bank.cycle("12:02:11") is True


def test_a_source_that_hangs_is_given_up_and_the_others_are_judged(bank: Bank):
    """One poll neither answers nor fails: after its `every` and the patience it is unknown, until it answers again."""
    (bank.folder / "config.toml").write_text(CONFIG + OTHER)
    bank.pay("10:00", "12:00")
    bank.pay("10:00", "12:00", file="otra.csv", product="tarjetas")
    service = bank.start()
    service.cycle()
    others = [intake for name, intake in service._intakes.items() if name != "otra"]
    for minute in range(5):
        bank.pay(f"12:{minute:02}", f"12:{minute + 1:02}", failing=0.8)
        bank.now = at(f"12:{minute + 1:02}:11")
        for intake in others:
            service._step([service._poll(intake)])
    assert service.judge.judged_until == minute_of(at("12:05"))
    assert service.errors["otra"].startswith("no answer since")
    assert 'vigia_source_up{source="otra"} 0.0' in service.metrics.exposition().decode()
    (incident,) = bank.store.incidents()
    assert incident.started_at == at("12:00")
    bank.pay("12:00", "12:06", file="otra.csv", product="tarjetas")
    bank.pay("12:05", "12:06", failing=0.8)
    assert bank.cycle("12:06:11") is True
    assert not service.judge.sources["otra"].down


def test_it_is_not_ready_while_nothing_is_judged_whatever_is_polled(bank: Bank):
    bank.pay("10:00", "12:00")
    service = bank.start()
    service.cycle()
    asked = at("12:00:10")
    while service.ready()[0] and asked < at("13:00:00"):
        bank.now = asked = asked + timedelta(seconds=10)
        service._step([])
    ok, why = service.ready()
    assert not ok
    assert "pagos: no answer since" in why
    assert asked < at("12:05:00")


def test_the_headline_is_the_source_that_does_not_answer(bank: Bank):
    service = bank.start()
    service.cycle()
    ok, why = service.ready()
    assert not ok
    assert why.startswith("ninguna fuente responde: pagos: ")
    assert "pagos.csv" in why


def test_steps_that_fail_again_and_again_are_told(bank: Bank, monkeypatch: pytest.MonkeyPatch):
    bank.pay("10:00", "12:00")
    service = bank.start()
    bank.now = at("12:00:11")
    service.cycle()
    bank.pay("12:00", "12:01")
    bank.now = at("12:01:11")
    commit, full = Store.commit, Event()
    full.set()

    def failing(store: Store, step: Step, now: datetime) -> None:
        if full.is_set():
            raise OSError("disk full")
        commit(store, step, now)

    told: list[str] = []

    def mended() -> bool:
        if not told and not service.ready()[0]:
            told.append(service.ready()[1])
            full.clear()
        return bool(told) and service.ready()[0]

    monkeypatch.setattr(Store, "commit", failing)
    monkeypatch.setattr("monitor.service.PAUSE", 0.01)
    daemon(service, mended)
    words = r"no se puede juzgar, 2 intentos seguidos fallaron: OSError \(test_service\.py:\d+\)"
    assert re.fullmatch(words, told[0]), "where it broke, and not what it says"
    assert "vigia_step_errors_total 2.0" in service.metrics.exposition().decode()


def test_what_a_fault_of_ours_says_of_a_client_is_told_to_nobody(bank: Bank, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise KeyError("900100200")

    service = bank.start()
    monkeypatch.setattr(service._intakes["pagos"], "poll", broken)
    monkeypatch.setattr(service._intakes["crm"], "poll", broken)
    service.cycle()
    for _ in range(2):
        service._fail(KeyError("900100200"))
    bank.now += timedelta(minutes=10)
    said = [service.ready()[1], *service.errors.values(), *(one.what for one in troubles(service, bank.now))]
    assert any("KeyError (test_service.py:" in one for one in said)
    assert not any("900100200" in one for one in said)


def test_its_end_waits_for_no_source_that_hangs(bank: Bank, monkeypatch: pytest.MonkeyPatch):
    bank.pay("10:00", "12:00")
    service = bank.start()
    asked, answer = Event(), Event()

    def hanging(*_: object) -> None:
        asked.set()
        answer.wait(120)
        raise SourceError("gone")

    monkeypatch.setattr("monitor.service.LAST", 0.05)
    monkeypatch.setattr(service._intakes["pagos"], "poll", hanging)
    daemon(service, asked.is_set)
    assert "pagos" in service.hanging  # a desk may be asked just then, on a machine that has much to do
    answer.set()


def daemon(service: Service, done: Callable[[], bool]) -> None:
    """Run it as a daemon until `done`, and end it."""
    stop, pause = Event(), Event()
    thread = Thread(target=service.run, args=[stop])
    thread.start()
    try:
        waited: Any = next((n for n in range(3000) if done() or pause.wait(0.02)), None)
        assert waited is not None
    finally:
        stop.set()
        thread.join(timeout=120)
    assert not thread.is_alive()


def test_an_incident_begins_with_its_first_bad_minute_however_long_the_window(bank: Bank):
    rule = RULES.split("[[rule]]")[1].replace('name = "fallas"', 'name = "fallas"\nwindow = "5m"')
    (bank.folder / "rules.toml").write_text(f"[[rule]]{rule}")
    bank.pay("10:00", "12:00")
    bank.start().cycle()
    live(bank, "12:00", "12:05")
    live(bank, "12:05", "12:09", failing=0.9)
    (incident,) = bank.store.incidents()
    assert (incident.started_at, incident.detected_at) == (at("12:05"), at("12:07:11"))


def test_a_source_added_later_trains_with_its_history_and_is_not_acted_on(bank: Bank):
    bank.pay("10:00", "12:00")
    bank.start().cycle()
    live(bank, "12:00", "12:03")
    (bank.folder / "config.toml").write_text(CONFIG + OTHER)
    bank.pay("10:00", "11:50", file="otra.csv")
    bank.pay("11:50", "12:00", file="otra.csv", failing=0.9)
    bank.pay("12:00", "12:04", file="otra.csv")
    bank.pay("12:03", "12:04")
    service = bank.start()
    bank.cycle("12:04:11")
    assert bank.store.incidents() == []
    pipeline, end = service.judge.pipeline, service.judge.judged_until
    assert end is not None
    rule = next(rule for rule in pipeline.rules if rule.spec.name == "volumen")
    said = rule.check(Span(pipeline.windows, pipeline.calendar, pipeline.rules, end - 1, end))
    assert not np.isnan(said.score).any()
