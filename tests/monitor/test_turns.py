"""How late sources are asked is told by when their turns were due, and a step that takes long makes nobody late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import pyarrow as pa
import pytest

from connectors import SourceError
from monitor.cells import Counted
from monitor.fetched import Fetched
from monitor.intake import Intake, Rows
from monitor.jobs import scheduled
from monitor.joined import joined
from monitor.judge import Down
from monitor.turns import Turns
from monitor.waiting import LEAST, Waiting
from monitor.windows import minute_of
from tests.characters import at
from tests.monitor.test_hearing import service
from tests.monitor.test_service import CONFIG, OTHER, Bank

TEN, MINUTE = timedelta(seconds=10), timedelta(minutes=1)
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


def test_sources_are_asked_at_each_turn_however_long_a_step_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten sources, ten turns each, and nothing is taken: more than the sixty-four polls for which there was room once."""
    made = service(tmp_path, 10)
    monkeypatch.setattr(made, "_poll", lambda intake: Down(intake.name, "gone"))
    polls = Thread(target=lambda: [made.fetch(name) for _ in range(10) for name in made.config.sources])
    polls.start()
    try:
        polls.join(60)
        assert (polls.is_alive(), made._queue.many()) == (False, 100)
    finally:
        made._ending.set()
        polls.join(60)
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


@pytest.mark.parametrize("told_of", [True, False], ids=["each by itself", "as one"])
def test_polls_of_one_source_in_a_step_are_each_counted(
    bank: Bank,
    monkeypatch: pytest.MonkeyPatch,
    told_of: bool,  # noqa: FBT001 - a case
) -> None:
    bank.pay("10:00", "12:00")
    made = bank.start()
    made.cycle()
    polls = []
    for first, last in (("12:00", "12:01"), ("12:01", "12:03")):
        bank.pay(first, last)
        bank.now = at(f"{last}:11")
        found = made._poll(made._intakes["pagos"])
        polls.append(replace(found, gaps=((at("09:00"), at("09:01")),)) if told_of else found)
    counts, times = made.judge.windows.count, list[int]()

    def count(rows: pa.Table, **how: Any) -> Counted:
        times.append(rows.num_rows)
        return counts(rows, **how)

    monkeypatch.setattr(made.judge.windows, "count", count)
    place = {"product": "pagos", "channel": "web"}
    before = made.metrics.registry.get_sample_value("vigia_transactions_total", place)
    made._step(polls)
    after = made.metrics.registry.get_sample_value("vigia_transactions_total", place)
    assert before is not None
    assert after is not None
    assert (times, after - before) == ([12, 24] if told_of else [36], 36)
    assert made.metrics.registry.get_sample_value("vigia_source_rows_total", {"source": "pagos"}) == before + 36


def polled(minute: int, source: str = "core", **more: Any) -> Rows:
    table = pa.table({"id": [f"{minute}"]})
    return Rows(source, "transactions", table, {"at": minute}, START, complete_until=START + minute * MINUTE, **more)


def test_what_follows_in_time_is_joined_and_what_says_more_is_not() -> None:
    one, other, gap = polled(1), polled(2, "pse"), ((START, START + MINUTE),)
    late = replace(polled(3), complete_until=None)
    (both, second) = joined([one, other, late], {"core", "pse"})
    assert isinstance(both, Rows)
    assert (both.table["id"].to_pylist(), both.cursor, both.complete_until) == (["1", "3"], {"at": 3}, START + MINUTE)
    assert second is other
    for odd in (
        polled(3, gaps=gap),
        polled(3, lost="some"),
        polled(3, still="so"),
        polled(3, drained=False),
        Down("core", "gone"),
    ):
        assert joined([one, odd, late], {"core"}) == [one, odd, late]
    assert joined([one, late], {"pse"}) == [one, late]


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
