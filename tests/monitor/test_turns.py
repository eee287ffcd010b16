"""How late sources are asked is told by when their turns were due, and a step that takes long makes nobody late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pyarrow as pa
import pytest

from connectors import SourceError
from monitor.fetched import Fetched
from monitor.intake import Intake, Rows
from monitor.jobs import scheduled
from monitor.judge import Down
from monitor.turns import Turns
from monitor.waiting import LEAST, Waiting
from monitor.windows import minute_of
from tests.characters import at
from tests.monitor.test_hearing import service
from tests.monitor.test_service import CONFIG, OTHER, Bank

TEN = timedelta(seconds=10)
START = at("12:00")


class Asked:
    now = False

    def __call__(self) -> bool:
        return self.now


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    found = Bank(tmp_path, at("12:00:10"))
    yield found
    found.close()


def test_a_turn_that_is_left_out_is_as_late_as_the_poll_that_begins_at_last() -> None:
    turns = Turns(TEN, Asked())
    assert turns.begins(START, START + TEN / 10) == [1]
    turns.left_out(START + TEN)
    turns.left_out(START + 2 * TEN)
    assert turns.begins(START + 3 * TEN, START + 3 * TEN) == [20, 10, 0]
    assert turns.begins(START + 4 * TEN, START + 4 * TEN) == [0]


def test_a_turn_that_falls_while_the_source_has_yet_to_answer_is_no_lateness_of_ours() -> None:
    asked = Asked()
    turns = Turns(TEN, asked)
    turns.begins(START, START)
    asked.now = True
    turns.left_out(START + TEN)
    asked.now = False  # it has answered, and what it brought waits
    turns.left_out(START + 2 * TEN)
    assert turns.begins(START + 3 * TEN, START + 3 * TEN) == [10, 0]


def test_turns_that_the_scheduler_had_no_time_for_are_late_too() -> None:
    """A machine that stood still: of the turns since, it hands on the last alone."""
    turns = Turns(TEN, Asked())
    turns.begins(START, START)
    assert turns.begins(START + 4 * TEN, START + 4 * TEN) == [30, 20, 10, 0]


def rows(nbytes: int) -> Rows:
    table = pa.table({"id": pa.array(range(nbytes // 8), pa.int64())})
    return Rows("s0", "transactions", table, {}, START)


def test_the_queue_is_full_by_bytes_and_takes_one_page_whatever_its_size(tmp_path: Path) -> None:
    made = service(tmp_path, 1)
    intake, queue = made._intakes["s0"], Waiting()
    small = 3 * queue.maxsize // (4 * LEAST)
    for _ in range(small):
        queue.put_nowait(Fetched(intake, Down("s0", "gone"), 0.0))
    assert (queue.many(), queue.filled(), queue.full()) == (small, 0.75, False)
    queue.put_nowait(Fetched(intake, rows(queue.maxsize), 0.0))
    assert (queue.many(), queue.filled(), queue.full()) == (small + 1, 1, True)
    for _ in range(small + 1):
        queue.get_nowait()
    assert (queue.many(), queue.filled(), queue.empty()) == (0, 0, True)
    made.store.close()


def test_sources_are_asked_at_each_turn_though_a_step_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred of them, three turns each: more than sixty-four, which once were all that could wait."""
    made, go = service(tmp_path, 100), Event()
    monkeypatch.setattr(made, "_poll", lambda intake: Down(intake.name, "gone"))
    monkeypatch.setattr(made, "_step", lambda _: go.wait(60))
    judging = Thread(target=made._judge_forever, args=[False])
    polls = Thread(target=lambda: [made.fetch(name) for _ in range(3) for name in made.config.sources])
    judging.start()
    polls.start()
    try:
        polls.join(30)
        assert (polls.is_alive(), go.is_set()) == (False, False)
        assert made._queue.many() >= 300 - 2
    finally:
        go.set()
        made._ending.set()
        made._stopping.set()
        polls.join(60)
        judging.join(60)
        made.store.close()


def test_what_waits_for_us_is_not_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, begun, answer = service(tmp_path, 1), Event(), Event()
    made.judge.judged_until = 1

    def hangs(intake: Intake) -> Down:
        begun.set()
        answer.wait(60)
        return Down(intake.name, "at last")

    monkeypatch.setattr(made, "_poll", hangs)
    monkeypatch.setattr(made._queue, "maxsize", 1)
    made._queue.put(Fetched(made._intakes["s0"], Down("s0", "gone"), 0.0))
    poll = Thread(target=made.fetch, args=["s0"])
    assert not made.asked("s0")
    poll.start()
    try:
        assert begun.wait(60)
        assert made.asked("s0")
        answer.set()
        until = monotonic() + 60
        while not made.hearing.waiting("s0") and monotonic() < until:
            Event().wait(0.01)
        assert not made.asked("s0")
    finally:
        answer.set()
        made._queue.get()
        poll.join(60)
    made.judge.judged_until = None
    assert made.asked("s0"), "while history is read nobody is late"
    made.store.close()


def test_a_turn_that_is_left_out_is_in_the_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the scheduler itself: what a poll brought waits for us over five of its turns, and these count when the next begins."""
    made, left, begun, go = service(tmp_path, 1, "50ms"), list[object](), list[float](), Event()
    made.judge.judged_until = 1

    def misses(event: object) -> None:
        left.append(event)
        if len(left) == 5:
            go.set()

    monkeypatch.setattr(made, "fetch", lambda _: go.wait(60))
    monkeypatch.setattr(made, "missed", misses)
    monkeypatch.setattr(made.metrics.outside, "begun", lambda _, late: begun.append(late))
    scheduler = scheduled(made)
    scheduler.start()
    try:
        assert go.wait(60)
        until = monotonic() + 60
        while len(begun) < 6 and monotonic() < until:
            Event().wait(0.01)
    finally:
        go.set()
        scheduler.shutdown()
        made.store.close()
    assert max(begun) >= 0.2


def test_two_pages_of_one_source_in_a_step_are_both_counted(bank: Bank) -> None:
    bank.pay("10:00", "12:00")
    made = bank.start()
    made.cycle()
    pages = []
    for minute in range(2):
        bank.pay(f"12:{minute:02}", f"12:{minute + 1 + minute:02}")  # a minute of payments, then two
        bank.now = at(f"12:{minute + 1 + minute:02}:11")
        pages.append(made._poll(made._intakes["pagos"]))
    place = {"product": "pagos", "channel": "web"}
    before = made.metrics.registry.get_sample_value("vigia_transactions_total", place)
    made._step(pages)
    after = made.metrics.registry.get_sample_value("vigia_transactions_total", place)
    assert before is not None
    assert after is not None
    assert after - before == 3 * 12


def test_patience_counts_from_when_the_poll_that_hangs_was_begun(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails by its time limit of 30 s: the others are held up for two minutes with it, and not for two minutes beyond it."""
    (bank.folder / "config.toml").write_text(CONFIG + OTHER)
    bank.pay("10:00", "12:00")
    bank.pay("10:00", "12:00", file="otra.csv", product="tarjetas")
    made = bank.start()
    made.cycle()
    began = bank.now

    def hangs(*_: object) -> Rows:
        bank.now += timedelta(seconds=30)
        raise SourceError("no answer within 30 s", fault="timeout")

    monkeypatch.setattr(made._intakes["otra"], "poll", hangs)
    made._step([made._poll(made._intakes["otra"])])
    bank.pay("12:00", "12:02")
    for late, judged in ((120, "12:00"), (121, "12:02")):
        bank.now = began + timedelta(seconds=late)
        made._step([made._poll(made._intakes[name]) for name in ("pagos", "crm")])
        assert made.judge.judged_until == minute_of(at(judged))
