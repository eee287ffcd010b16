"""What an incident looks like, minute by minute: seen, expected, and the band."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from alerts import Incident, IncidentState
from monitor.calendar import Calendar
from monitor.traces import BEFORE, POINTS, Traces
from monitor.windows import METRICS, Windows, time_of
from rules import Scope, Severity
from tests.characters import minute, transactions

BEGAN = minute("10:00")
DAYS = 3


def rows(start: int, end: int, *, failing: range = range(0), silent: range = range(0)) -> pa.Table:
    """Twenty payments a minute; in every other one of them fails, in `failing` half of them do, in `silent` none comes."""
    made = []
    for m in range(start, end):
        bad = 10 if m in failing else m % 2
        for status, n in (("failed", bad), ("ok", 20 - bad)):
            if n and m not in silent:
                made.append({"timestamp": time_of(m), "status": status, "client_id": "900100200", "count": n})
    return transactions(made)


def held(*parts: pa.Table) -> Windows:
    windows = Windows()
    for part in parts:
        windows.hold_cells(windows.count(part, source="core", closing=None).cells)
    return windows


def incident(kind: str = "failed", scope: Scope | None = None) -> Incident:
    return Incident(
        "AF-1", scope or Scope("pagos", "web"), kind, Severity.MAJOR, IncidentState.FIRING, time_of(BEGAN), time_of(BEGAN + 3),
        ("fallas",), frozenset({kind}),
    )  # fmt: skip


@pytest.fixture(scope="module")
def week() -> Windows:
    """Three quiet days, and ten bad minutes."""
    return held(rows(BEGAN - DAYS * 1440, BEGAN + 20, failing=range(BEGAN, BEGAN + 10)))


def traces(windows: Windows) -> Traces:
    return Traces(windows, Calendar("America/Bogota"))


def test_failures_are_seen_over_what_the_base_rate_explains(week: Windows):
    (row,) = traces(week).drawn([incident()], BEGAN + 20)
    curves = row["curves"]
    assert (row["start"], len(curves["seen"]), curves["step"]) == (BEGAN - BEFORE, BEFORE + 20, 1)
    assert curves["seen"][BEFORE : BEFORE + 10] == [10.0] * 10
    assert set(curves["seen"][:BEFORE]) == {0.0, 1.0}
    assert curves["expected"][0] == pytest.approx(0.5, abs=0.01)
    assert all(
        low <= seen <= up
        for low, seen, up in zip(*(curves[n][:BEFORE] for n in ("lower", "seen", "upper")), strict=True)
    )
    assert curves["upper"][BEFORE] < 10


def test_what_is_missing_is_measured_by_the_time_of_day():
    windows = held(rows(BEGAN - DAYS * 1440, BEGAN + 20, silent=range(BEGAN, BEGAN + 15)))
    (row,) = traces(windows).drawn([incident("missing")], BEGAN + 20)
    curves = row["curves"]
    assert curves["seen"][BEFORE - 1 : BEFORE + 1] == [20.0, 0.0]
    assert curves["expected"][BEFORE] == pytest.approx(20, abs=1)
    assert 0 < curves["lower"][BEFORE] < 20 < curves["upper"][BEFORE]


def test_minute_by_minute_and_all_at_once_draw_the_same(week: Windows):
    (whole,) = traces(week).drawn([incident()], BEGAN + 20)
    slow = traces(week)
    for end in range(BEGAN + 3, BEGAN + 21):
        newest = slow.drawn([incident()], end)
    assert newest == [whole]
    assert slow.drawn([incident()], BEGAN + 20) == [], "nothing new"


def test_it_is_drawn_anew_where_its_seat_changes_and_ends_with_the_incident(week: Windows):
    seen = traces(week)
    seen.drawn([incident(scope=Scope("pagos"))], BEGAN + 5)
    over = replace(incident(), state=IncidentState.RESOLVED, resolved_at=time_of(BEGAN + 8))
    (row,) = seen.drawn([over], BEGAN + 8)
    assert len(row["curves"]["seen"]) == BEFORE + 8
    merged = replace(incident(), state=IncidentState.MERGED)
    assert seen.drawn([merged], BEGAN + 20) == []


def test_a_source_that_was_dark_leaves_a_hole():
    windows = held(rows(BEGAN - 1440, BEGAN + 20))
    windows.gap("core", BEGAN + 2, BEGAN + 5)
    (row,) = traces(windows).drawn([incident()], BEGAN + 10)
    assert [value is None for value in row["curves"]["seen"][BEFORE : BEFORE + 7]] == [False] * 2 + [True] * 3 + [
        False
    ] * 2


def test_what_is_long_is_thinned(week: Windows):
    seen = traces(week)
    old = replace(incident(), started_at=time_of(BEGAN - 1000))
    (row,) = seen.drawn([old], BEGAN + 20)
    curves = row["curves"]
    assert curves["step"] == 3
    assert len(curves["seen"]) <= POINTS
    assert np.mean(curves["seen"][:100]) == pytest.approx(0.5, abs=0.02)
    assert seen.drawn([old], BEGAN + 21) == [], "its newest point is not complete"


def test_an_indicator_is_seen_by_its_own_past():
    windows = Windows()
    minutes = np.arange(BEGAN - 2 * 1440, BEGAN + 10)
    value = np.where(minutes >= BEGAN, 90.0, 50.0 + minutes % 3)
    words = {"source": "core", "series": "cola", "product": "", "channel": ""}
    many = len(minutes)
    table = {
        "minute": minutes,
        "known": minutes,
        **{k: [v] * many for k, v in words.items()},
        "n": [1] * many,
        "value": value,
    }
    windows.hold_metrics(pa.table(table, schema=METRICS))
    (row,) = traces(windows).drawn([incident("value", Scope(series="cola"))], BEGAN + 10)
    curves = row["curves"]
    assert curves["seen"][-1] == 90
    assert curves["expected"][-1] == pytest.approx(51, abs=0.1)
    assert curves["upper"][-1] < 60
