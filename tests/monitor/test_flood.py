"""An outage that touches two hundred clients: the desk is given what it can take, and nobody is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts import Action, Client
from alerts.cases import CaseBook
from alerts.reasons import Limits, waits
from monitor.backtest import Outcome
from monitor.calendar import Calendar
from monitor.pipeline import Pipeline
from monitor.portfolio import Portfolio
from monitor.windows import Windows, minute_of, time_of
from rules import Spec
from rules.limit import Limit
from tests.characters import minute, transactions

BUDGET = 30
SEGMENTS = ("pyme", "pyme", "empresarial", "corporativo")
CLIENTS = {
    nit: Client(nit, segment=SEGMENTS[n % 4], value_rank=n + 1) for n, nit in ((n, f"900{n:06d}") for n in range(200))
}
BEGIN, FAILS, HEALS, END = (minute(clock) for clock in ("09:00", "10:00", "11:30", "12:10"))


@pytest.fixture(scope="module")
def windows() -> Windows:
    """Each client sends every third minute; from ten to half past eleven, nothing goes through."""
    rows = [
        {"timestamp": time_of(m), "client_id": nit, "count": 2, "status": "failed" if FAILS <= m < HEALS else "ok"}
        for m in range(BEGIN, END)
        for n, nit in enumerate(CLIENTS)
        if m % 3 == n % 3
    ]
    held = Windows(hold=20)
    held.hold_cells(held.count(transactions(rows), source="core", closing=None).cells)
    return held


def piped(windows: Windows, book: CaseBook | None = None) -> Pipeline:
    rule = Limit(Spec(name="fallas", for_=timedelta(minutes=2), min_total=10), when="failed_rate > 0.2")
    portfolio = Portfolio(dict(CLIENTS), limits=Limits({"local": BUDGET}))
    calendar = Calendar("America/Bogota")
    return Pipeline([rule], windows, calendar, lateness=timedelta(seconds=10), book=book, portfolio=portfolio)


def judged(windows: Windows, step: int, restart: int = 0, end: int = END) -> Outcome:
    outcome, pipeline = Outcome(), piped(windows)
    for start in range(BEGIN, end, step):
        if start == restart:
            before, pipeline = pipeline, piped(windows, CaseBook(pipeline.book.decisions.values()))
            known = [*before.incidents.open.values(), *before.incidents.closed.values(), *before.recent.values()]
            pipeline.incidents = pipeline.incidents.again(
                before.incidents.alerts.values(), known, before.incidents.taken
            )
            pipeline.recent = dict(before.recent)
            pipeline.impacts.recall(known, before.impacts)
        outcome.take(pipeline.judge(start, min(start + step, end)))
    return outcome


def test_an_outage_of_two_hundred_clients_stays_inside_the_budget_and_loses_nobody(windows: Windows) -> None:
    outcome = judged(windows, END - BEGIN)
    (incident,) = outcome.incidents.values()
    decided = list(outcome.decisions.values())
    assert {d.client_id for d in decided} == CLIENTS.keys()
    times = sorted(d.opened_at for d in decided if d.action is Action.OPEN)
    assert len(times) == 2 * BUDGET, "of ten and of eleven o'clock"
    assert all(b - a >= timedelta(hours=1) for a, b in zip(times, times[BUDGET:], strict=False))
    assert times[0] == incident.detected_at
    assert all(waits(d) for d in decided if d.action is Action.NONE)
    assert len([time for time in times if time == times[0]]) == BUDGET


def test_when_there_is_room_again_those_who_stand_first_by_then_are_opened(windows: Windows) -> None:
    later = minute("11:02")
    outcome = judged(windows, 1, end=later)
    then = [d for d in outcome.decisions.values() if d.opened_at > time_of(later)]
    left = [d for d in outcome.decisions.values() if waits(d)]
    assert (len(then), len(left)) == (BUDGET, len(CLIENTS) - 2 * BUDGET)
    assert min(d.priority for d in then) >= max(d.priority for d in left)


def test_a_day_at_once_and_minute_by_minute_and_over_a_restart(windows: Windows) -> None:
    at_once = judged(windows, END - BEGIN)
    for other in (judged(windows, 1), judged(windows, 1, restart=FAILS + 45)):
        assert other.decisions == at_once.decisions
        assert other.impacts == at_once.impacts
        assert list(other.incidents) == list(at_once.incidents)
    assert minute_of(min(d.opened_at for d in at_once.decisions.values())) >= FAILS
