"""Who is silent and who waits for us; and that no job waits for another."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from connectors import SourceError
from monitor.config import read_config
from monitor.fetched import Fetched
from monitor.hearing import Hearing
from monitor.intake import Intake, Rows
from monitor.jobs import SPACING, scheduled
from monitor.judge import Down
from monitor.service import Service
from monitor.store import Store
from tests.characters import at
from tests.monitor.test_service import CONFIG, OTHER, Bank

MINUTE = timedelta(minutes=1)
SOURCE = '[sources.s{n}]\nrole = "clients"\nkind = "file"\npath = "s{n}.csv"\nevery = "{every}"\n'


class Clock:
    now = at("12:00")

    def __call__(self) -> datetime:
        return self.now


def test_one_that_hangs_is_silent_past_its_time_and_one_that_waits_for_us_is_not() -> None:
    clock = Clock()
    heard = Hearing(clock, dict.fromkeys(("core", "slow"), timedelta(seconds=10)), 2 * MINUTE)
    clock.now += timedelta(seconds=130)
    assert heard.silent() == []
    clock.now += timedelta(seconds=1)
    assert heard.silent() == ["core", "slow"]
    heard.answered("core")
    with heard.waits("core"):
        clock.now += 10 * MINUTE
        assert heard.silent() == ["slow"], "a step of ten minutes is not the source's silence"
    assert heard.silent() == ["slow"], "and its next poll begins only now"
    heard.lost.add("slow")
    assert heard.silent() == []
    clock.now += 3 * MINUTE
    assert heard.silent() == ["core"]


def test_a_lag_is_the_sources_own_word_and_grows_by_itself() -> None:
    clock = Clock()
    heard = Hearing(clock, {"core": MINUTE}, MINUTE)
    assert heard.lag("core") is None
    heard.complete("core", at("11:59"))
    heard.complete("core", at("11:50"))  # what is read again from what is committed
    heard.complete("core", None)
    clock.now += timedelta(seconds=30)
    assert heard.lag("core") == 90


def service(folder: Path, number: int, every: str = "10s") -> Service:
    desk = '[desks.a]\nkind = "local"\npath = "a.csv"\n'
    blocks = "".join(SOURCE.format(n=n, every=every) for n in range(number))
    (folder / "config.toml").write_text(f'[monitor]\ndatabase = "sqlite:///v.db"\n{desk}{blocks}')
    config = read_config(folder / "config.toml")
    store = Store(config.monitor.database)
    store.migrate()
    return Service(config, store)


@pytest.mark.parametrize(("number", "every", "apart"), [(3, "10s", SPACING), (200, "10s", timedelta(seconds=0.05))])
def test_polls_are_spread_by_name(tmp_path: Path, number: int, every: str, apart: timedelta) -> None:
    made = service(tmp_path, number, every)
    jobs = {job.id: job.next_run_time for job in scheduled(made).get_jobs() if job.id.startswith("poll ")}
    times = [jobs[name] for name in sorted(jobs)]
    assert {b - a for a, b in pairwise(times)} == {apart}
    made.store.close()


def test_however_many_sources_hang_all_that_is_left_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty hang, more than any pool of before: the last source, deliveries and notices have their threads."""
    made, answer, went = service(tmp_path, 41, "50ms"), Event(), {name: Event() for name in ("poll", "send", "tell")}

    def fetch(name: str) -> None:
        if name != "s9":  # the last by name
            answer.wait(120)
        went["poll"].set()

    def tell() -> int:
        went["tell"].set()
        return 0

    def send(*_: object) -> int:
        went["send"].set()
        return 0

    monkeypatch.setattr("monitor.jobs.DELIVERY", timedelta(seconds=0.05))
    monkeypatch.setattr(made, "fetch", fetch)
    monkeypatch.setattr(made.sending, "to", send)
    monkeypatch.setattr(made.notices, "tell", tell)
    scheduler = scheduled(made)
    scheduler.start()
    try:
        assert all(event.wait(60) for event in went.values())
        found = made.metrics.registry.get_sample_value("vigia_poll_lag_seconds_count", {"source": "s9"})
        assert found, "how late each begins is told"
    finally:
        answer.set()
        scheduler.shutdown()
        made.store.close()


def test_a_step_that_takes_long_makes_no_source_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is full and the judge is at work: whoever waits to hand over is up, however long it takes."""
    made, clock = service(tmp_path, 2), Clock()
    made.hearing._clock = clock
    monkeypatch.setattr(made._queue, "maxsize", 1)
    made._queue.put(Fetched(made._intakes["s0"], made._poll(made._intakes["s0"]), 0.0))
    (tmp_path / "s1.csv").write_text("client_id\n900123456\n")
    polls = Thread(target=made.fetch, args=["s1"])
    polls.start()
    try:
        while "s1" not in made.hearing._waiting:
            Event().wait(0.01)
        clock.now += timedelta(hours=1)
        assert made.hearing.silent() == ["s0"]
    finally:
        made._queue.get()
        polls.join(60)
    assert not polls.is_alive()
    made.store.close()


def test_polls_that_fail_are_counted_by_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = service(tmp_path, 1)

    def gone(*_: object) -> None:
        raise SourceError("not let in", fault="login")

    made.cycle()
    monkeypatch.setattr(made._intakes["s0"], "poll", gone)
    made.cycle()
    value = made.metrics.registry.get_sample_value
    found = {
        fault: value(f"vigia_source_{fault}_errors_total", {"source": "s0"})
        for fault in ("unreachable", "login", "busy")
    }
    assert found == {"unreachable": 1, "login": 1, "busy": 0}
    assert value("vigia_source_errors_total", {"source": "s0"}) == 2
    made.store.close()


def test_a_single_pass_calls_no_source_silent_that_it_has_not_asked_yet(tmp_path: Path) -> None:
    """The first has much to read, for longer than we are patient."""
    bank = Bank(tmp_path, at("12:00:10"))
    (tmp_path / "casos_crm.csv").write_text("case_id,opened_at\n")
    (tmp_path / "config.toml").write_text(CONFIG + OTHER)
    for file in ("pagos.csv", "otra.csv"):
        bank.pay("11:00", "12:30", file=file)
    bank.start().cycle()
    bank.close()
    made = bank.start()
    poll, bank.now = made._poll, at("12:20:11")

    def slow(intake: Intake) -> Rows | Down:
        bank.now += timedelta(minutes=4)
        return poll(intake)

    made._poll = slow  # type: ignore[method-assign]
    assert made.cycle()
    assert (bank.store.gaps(), made.errors) == ([], {})
    bank.close()


def test_a_source_is_asked_by_one_thread_though_a_poll_of_before_a_pause_hangs_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, asked, answer = service(tmp_path, 1), list[str](), Event()

    def hangs(intake: Intake) -> Down:
        asked.append(intake.name)
        answer.wait(60)
        return Down(intake.name, "at last")

    monkeypatch.setattr(made, "_poll", hangs)
    before = Thread(target=made.fetch, args=["s0"])
    before.start()
    until = monotonic() + 60
    while not asked and monotonic() < until:
        Event().wait(0.01)
    made.fetch("s0")
    assert asked == ["s0"]
    answer.set()
    before.join(60)
    made.fetch("s0")
    assert asked == ["s0", "s0"]
    made.store.close()
