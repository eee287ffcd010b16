"""Who is called exposed while a failure lasts, through the pipeline: the same however it is cut, and over a restart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from alerts import Holding, Impact, Touch
from alerts.cases import CaseBook
from alerts.exposure import CALLED
from monitor.backtest import Outcome
from monitor.calendar import Calendar
from monitor.pipeline import Pipeline
from monitor.portfolio import Portfolio
from monitor.windows import Windows, time_of
from rules import Spec
from rules.limit import Limit
from tests.characters import minute, transactions

BEGIN, FAILS, HEALS, END = (minute(clock) for clock in ("06:00", "10:00", "10:40", "11:00"))
EVERY = {f"9005000{n:02}": n + 1 for n in range(30)}
"""Clients, each of whom sends every so many minutes, the last ones every half hour."""
IDLE = "900999999"


@pytest.fixture(scope="module")
def windows() -> Windows:
    rows = [
        {
            "timestamp": time_of(m),
            "client_id": nit,
            "product": "pagos",
            "status": "failed" if FAILS <= m < HEALS else "ok",
        }
        for m in range(BEGIN, END)
        for nit, every in EVERY.items()
        if m % every == 0
    ]
    held = Windows(hold=20)
    held.hold_cells(held.count(transactions(rows), source="core", closing=None).cells)
    return held


def piped(windows: Windows, book: CaseBook | None = None) -> Pipeline:
    rule = Limit(Spec(name="fallas", for_=timedelta(minutes=2), min_total=2), when="failed_rate > 0.2")
    portfolio = Portfolio(holdings=[Holding(nit, "pagos") for nit in (*EVERY, IDLE)])
    return Pipeline(
        [rule], windows, Calendar("America/Bogota"), lateness=timedelta(seconds=10), book=book, portfolio=portfolio
    )


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


def by_client(outcome: Outcome) -> dict[str, Impact]:
    return {impact.client_id: impact for impact in outcome.impacts.values()}


def test_a_day_at_once_and_minute_by_minute_and_over_a_restart(windows: Windows) -> None:
    at_once = judged(windows, END - BEGIN)
    assert judged(windows, 1).impacts == at_once.impacts
    for restart in (FAILS + 5, FAILS + 8, FAILS + 21):
        assert judged(windows, 1, restart=restart).impacts == at_once.impacts


def test_who_is_hit_keeps_the_moment_of_the_call_before_it(windows: Windows) -> None:
    early, late = by_client(judged(windows, 1, end=FAILS + 6)), by_client(judged(windows, 1))
    called = [m for m in early.values() if m.touch is Touch.EXPOSED and m.exposed_at]
    hit = [late[m.client_id] for m in called if late[m.client_id].touch is Touch.AFFECTED]
    assert len(hit) > len(called) / 2
    for m in hit:
        assert m.exposed_at == early[m.client_id].exposed_at
        assert m.exposed_at < m.first_failure_at
        assert m.chance is None


def test_who_holds_it_and_hardly_comes_stays_on_the_list_and_is_not_called(windows: Windows) -> None:
    found = by_client(judged(windows, 1, end=FAILS + 6))
    assert found.keys() == {*EVERY, IDLE}
    assert found[IDLE] == replace(found[IDLE], touch=Touch.EXPOSED, exposed_at=None, next_use_at=None)
    assert found[IDLE].chance < CALLED
    exposed = [m for m in found.values() if m.touch is Touch.EXPOSED and m.client_id != IDLE]
    assert exposed
    assert all(0 < m.chance <= 1 and m.next_use_at > time_of(FAILS) for m in exposed)
