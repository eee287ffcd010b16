"""An error code that nobody knew: the incident is called after what becomes of its rows, and whoever sent them is hit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import pytest

from alerts import Incident, Touch
from monitor.backtest import Outcome
from monitor.calendar import Calendar
from monitor.pipeline import Pipeline
from monitor.portfolio import Portfolio
from monitor.windows import Windows
from rules import Severity, Spec
from rules.excess import Excess
from tests.characters import ACEROS, CAFE, CAST, TEXTILES, at, every_minute, minute, transactions

JUDGED, END = "11:30", "12:10"
DAY = timedelta(days=1)
HINT = Spec(name="codigo_inusual", severity=Severity.MAJOR, guide="general", keep_firing_for=timedelta(minutes=20))


def judged(*status: str, cuts: Sequence[str] = ()) -> tuple[list[Incident], dict[str, int]]:
    """Since 11:40 Aceros and Textiles have a row a minute with a new code, of these statuses in turn: the incidents, and hits by client."""
    usual = [every_minute("00:00", "24:00", who.sends("00:00", count=6)) for who in CAST]
    usual += [every_minute("00:00", "24:00", CAFE.sends("00:00", status="failed", error_code="E1"))[::9]]
    usual += [every_minute("00:00", "24:00", CAFE.sends("00:00", status="rejected", error_code="R1"))[::5]]
    days = [row | {"timestamp": row["timestamp"] - back * DAY} for back in (0, 1) for some in usual for row in some]
    rows = [row for row in days if row["timestamp"] < at(END)]
    for n, who in enumerate((ACEROS, TEXTILES)):
        new = every_minute("11:40", END, who.sends("11:40", error_code="R91"))
        rows += [row | {"status": status[(n + m) % len(status)]} for m, row in enumerate(new)]
    windows = Windows(hold=20)
    counted = windows.count(transactions(sorted(rows, key=lambda row: row["timestamp"])), source="core", closing=None)
    windows.hold_cells(counted.cells)
    portfolio = Portfolio({who.nit: who.client for who in CAST}, [held for who in CAST for held in who.holdings])
    rule = Excess(HINT, measure="novel", min_hits=3, budget=0.5)
    pipeline = Pipeline([rule], windows, Calendar("America/Bogota"), lateness=timedelta(0), portfolio=portfolio)
    pipeline.train(minute("00:00", day=-1), minute(JUDGED))
    outcome = Outcome()
    edges = [minute(clock) for clock in (JUDGED, *cuts, END)]
    for start, end in pairwise(edges):
        outcome.take(pipeline.judge(start, end))
    hit = [impact for impact in outcome.impacts.values() if impact and impact.touch is Touch.AFFECTED]
    return list(pipeline.incidents.open.values()), {impact.client_id: impact.failures for impact in hit}


@pytest.mark.parametrize(
    ("status", "kind", "ways"),
    [
        (("rejected",), "rejected", {"rejected"}),
        (("failed",), "failed", {"failed"}),
        (("pending",), "pending", {"pending"}),
        (("rejected", "failed"), "failed", {"failed", "rejected"}),
        (("rejected",) * 9 + ("failed",), "rejected", {"rejected"}),
    ],
)
def test_it_is_called_after_what_becomes_of_its_rows(status: tuple[str, ...], kind: str, ways: set[str]) -> None:
    (incident,), hit = judged(*status)
    assert incident.rules == ("codigo_inusual",)
    assert (incident.kind, incident.ways) == (kind, ways)
    assert hit.keys() == {ACEROS.nit, TEXTILES.nit}
    assert min(hit.values()) >= 24, "thirty minutes, a row a minute"


def test_minute_by_minute_it_is_called_the_same() -> None:
    clocks = [f"{11 + m // 60}:{m % 60:02}" for m in range(31, 70)]
    assert judged("rejected", "rejected", "failed", cuts=clocks) == judged("rejected", "rejected", "failed")
