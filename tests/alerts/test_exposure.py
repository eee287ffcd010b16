"""How likely those around a failure are to be hit, and when they come next: laws, on three clients with habits of their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import Incident, IncidentState
from alerts.exposure import CALLED, Chances, Habit, chances, slots
from alerts.ground import Base, Ground
from alerts.impact import struck
from monitor import grounds
from monitor.calendar import Calendar
from monitor.habits import Habits
from monitor.windows import Windows, time_of
from rules import Scope, Severity
from tests.characters import ACEROS, CAFE, TEXTILES, Character, at, minute, transactions

FAILURE = Incident(
    id="AF-1", scope=Scope("pagos", "web"), kind="failed", severity=Severity.MAJOR, state=IncidentState.FIRING,
    started_at=at("10:00"), detected_at=at("10:02"), rules=("fallas",), ways=frozenset({"failed"}),
)  # fmt: skip
START = minute("10:00")
BOGOTA = Calendar("America/Bogota")
WEEK = (-5, -4, -1, 0)
"""Thursday, Friday, Monday, and the Tuesday itself."""


def daily(who: Character, *clocks: str, each: int = 1, days: tuple[int, ...] = WEEK) -> list[dict]:
    return [
        who.sends(at(clock, day=day), count=each)
        for day in days
        for clock in clocks
        if at(clock, day=day) < at("10:00")
    ]


def hourly(who: Character, each: int = 1) -> list[dict]:
    return daily(who, *(f"{hour:02}:{quarter:02}" for hour in range(24) for quarter in (2, 17, 32, 47)), each=each)


def look(*rows: dict, until: str = "10:05", incident: Incident = FAILURE) -> tuple[Habit, Chances, dict[str, float]]:
    windows = Windows()
    windows.hold_cells(windows.count(transactions(rows), source="core", closing=None).cells)
    past = grounds.Past(windows.db, windows.days)
    base = Base.of(past.before(incident.scope, START), past.usual(incident.scope, START), BOGOTA)
    habit = Habits(past, windows.quarters, BOGOTA).before(incident.scope, START, base)
    ground = Ground.of(grounds.detail(windows.db, incident.scope, START, minute(until)), base)
    found = chances(habit, struck(incident, ground, base, START, minute(until)), minute(until))
    return habit, found, {client: float(found.chance[k]) for (client, _), k in habit.place.items()}


def failing(share: float, *who: Character, n: int = 20) -> list[dict]:
    """In each of five minutes n transactions of each, of which this share fails."""
    bad = round(n * share)
    return [
        one.sends(f"10:0{m}:10", status=status, count=many)
        for m in range(5)
        for one in who
        for status, many in (("failed", bad), ("ok", n - bad))
        if many
    ]


def test_who_usually_comes_now_is_in_danger_and_who_comes_at_night_is_not():
    night = daily(CAFE, *(f"{hour:02}:{m:02}" for hour in (1, 2) for m in range(60)))
    busy = [row for who in (ACEROS, TEXTILES) for row in hourly(who, each=40)]
    _, found, chance = look(*busy, *night, *failing(1, ACEROS, TEXTILES))
    assert chance[TEXTILES.nit] > 0.9
    assert chance[CAFE.nit] < 0.2
    assert chance[CAFE.nit] < chance[TEXTILES.nit]
    assert found.called.max() <= 1


def test_what_one_client_alone_suffers_calls_nobody_else():
    rows = [row for who in (ACEROS, TEXTILES, CAFE) for row in hourly(who, each=10)]
    _, _, alone = look(*rows, *failing(1, ACEROS), *failing(0, TEXTILES))
    _, _, both = look(*rows, *failing(1, ACEROS, TEXTILES))
    assert alone[CAFE.nit] < both[CAFE.nit] / 3


def test_who_may_have_been_hit_already_is_not_called():
    rows = [row for who in (ACEROS, TEXTILES, CAFE) for row in hourly(who, each=10)]
    habit, found, _ = look(*rows, *failing(1, ACEROS, TEXTILES))
    called = {client: found.called[k] >= CALLED for (client, _), k in habit.place.items()}
    assert called == {ACEROS.nit: False, TEXTILES.nit: False, CAFE.nit: True}


def test_where_nothing_comes_the_next_to_be_missed_are_those_who_send_much():
    silence = replace(FAILURE, kind="missing", ways=frozenset({"missing"}))
    rows = [*hourly(ACEROS, each=40), *hourly(TEXTILES, each=3), *daily(CAFE, "10:30")]
    _, _, chance = look(*rows, incident=silence, until="10:12")
    assert chance[TEXTILES.nit] > chance[CAFE.nit]
    assert 0 < chance[TEXTILES.nit] < 1


def test_each_next_use_is_at_the_hour_that_they_keep():
    rows = [
        *hourly(ACEROS, each=10),
        *daily(CAFE, *(f"16:{m:02}" for m in range(15)), each=4),
        *daily(TEXTILES, "09:00"),
    ]
    habit, _, _ = look(*rows, *failing(1, ACEROS))
    pairs = np.array([habit.place[who.nit, "pagos"] for who in (ACEROS, CAFE)])
    soon, later = (time_of(use) for use in habit.next_use(pairs, minute("10:05")).tolist())
    assert soon - at("10:05") < timedelta(minutes=15)
    assert at("12:00") <= later <= at("16:15")
    assert habit.next_use(np.array([], np.int64), minute("10:05")).tolist() == []


@settings(max_examples=8)
@given(st.integers(1, 30), st.integers(1, 30), st.floats(0.1, 1), st.floats(0.1, 1))
def test_the_chance_is_one_grows_with_use_and_with_the_share_that_fails(few, many, less, more):
    few, many, less, more = *sorted((few, many)), *sorted((less, more))

    def chance(each: int, share: float) -> float:
        rows = [*hourly(ACEROS, each=40), *hourly(TEXTILES, each=40), *hourly(CAFE, each=each)]
        return look(*rows, *failing(share, ACEROS, TEXTILES))[2][CAFE.nit]

    low = chance(few, less)
    assert 0 <= low <= 1
    assert low <= chance(many, less) + 1e-9
    assert low <= chance(few, more) + 1e-9


def test_without_any_past_nobody_is_called_and_nothing_breaks():
    habit, found, _ = look(*failing(1, ACEROS))
    assert (len(habit.due(START)), len(found.chance), len(found.called)) == (0, 0, 0)


def test_todays_level_tells():
    usual = [row for who in (ACEROS, CAFE) for row in hourly(who, each=10)]
    payday = [*usual, *(ACEROS.sends(f"09:{m:02}", count=20) for m in range(60))]
    high, low = (look(*rows, *failing(1, ACEROS))[0] for rows in (payday, usual))
    assert high.due(START).sum() > low.due(START).sum()


def test_who_comes_with_several_units_and_late_in_the_week_is_found(monkeypatch):
    """However few are looked at together, and though nobody of them comes within a day."""
    rows = [*daily(CAFE, "09:00", days=(-5,)), *hourly(ACEROS, each=40), *daily(TEXTILES, "09:00")]
    elsewhere = [who | {"channel": "h2h"} for who in (*daily(ACEROS, "16:30", each=9), *daily(TEXTILES, "16:00"))]
    wide = replace(FAILURE, scope=Scope("pagos"))
    habit, _, _ = look(*rows, *elsewhere, *failing(1, ACEROS), incident=wide)
    every = np.arange(len(habit.place))
    together = habit.next_use(every, minute("10:05")).tolist()
    monkeypatch.setattr("alerts.exposure.SOME", 1)
    assert habit.next_use(every, minute("10:05")).tolist() == together
    assert habit.next_use(every[::-1], minute("10:05")).tolist() == together[::-1]
    units = habit.listed.pairs[1]
    rate = np.zeros((len(every), 288))
    np.add.at(rate, units, habit.rate(slice(None), slice(None)))
    clock = slots(BOGOTA, minute("10:05"), minute("10:05") + 7 * 1440)[::15]
    total = np.cumsum(rate[:, clock] * 15, axis=1)
    quarters = (total < np.log(2)).sum(axis=1)
    found = (np.array(together) - minute("10:05") - 1) // 15
    assert (
        np.where(quarters < len(clock), quarters, -1).tolist() == np.where(np.array(together) >= 0, found, -1).tolist()
    )
    assert (quarters >= 96).any(), "nobody was left for a later day"


@pytest.mark.parametrize("calendar", [None, BOGOTA])
def test_a_kind_of_day_that_was_not_seen_yet_is_as_the_others(calendar):
    windows = Windows()
    windows.hold_cells(windows.count(transactions(hourly(CAFE)), source="core", closing=None).cells)
    base = Base.of(grounds.Past(windows.db, windows.days).before(FAILURE.scope, START))
    quarters = np.array([minute("10:00", day=-1) // 15]), np.array([0]), np.array([30])
    habit = Habit.of(base, quarters, minute("00:00", day=-1), START, calendar)
    assert habit.next_use(np.array([0]), minute("05:00", day=4))[0] > 0
