"""The promise that a case has, and its clock: end to end, never started anew, paused only while the client is awaited."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.promises import Clock, ClockState, Promise, Promises, clock, pauses
from monitor.business import ServiceHours
from monitor.calendar import Calendar
from tests.characters import ACEROS, at

BOGOTA = Calendar("America/Bogota")
OFFICE = ServiceHours(BOGOTA, opens=8 * 60, closes=18 * 60)
ALWAYS = ServiceHours(BOGOTA, business_days=False)
HOUR = timedelta(hours=1)
WAITING = frozenset({"esperando al cliente"})


def promise(hours: float = 8, **where: str) -> Promise:
    return Promise(hours * HOUR, OFFICE, {name: frozenset({word}) for name, word in where.items()})


# ---- which one ------------------------------------------------------------------------------------------------------

REST = promise(50)
PAGOS = promise(10, product="pagos")
OTROS = promise(50, product="pagos", typology="otros")
CHANNEL = promise(8, channel="web")
CORPORATE = replace(promise(4, product="pagos", segment="corporativo"), priority_from=70)
ALL = Promises((REST, PAGOS, OTROS, CHANNEL, CORPORATE))


@pytest.mark.parametrize(
    ("words", "priority", "chosen"),
    [
        ({}, None, REST),
        ({"product": "pagos"}, None, PAGOS),
        ({"product": "Pagos ", "typology": "OTROS"}, None, OTROS),
        ({"product": "nomina", "typology": "otros"}, None, REST),
        ({"product": "nomina", "channel": "web"}, None, CHANNEL),
        ({"product": "pagos", "channel": "web"}, None, PAGOS),  # as many words; the product weighs more
        ({"product": "pagos", "segment": "corporativo"}, 69, PAGOS),
        ({"product": "pagos", "segment": "corporativo"}, None, PAGOS),
        ({"product": "pagos", "segment": "corporativo", "typology": "otros"}, 70, CORPORATE),
    ],
)
def test_the_one_that_says_most_closely_which_cases_it_is_of(words, priority, chosen):
    assert ALL.of(words, at("10:00"), priority) is chosen


def test_a_promise_is_of_the_cases_opened_while_it_is_in_force():
    old, new = replace(PAGOS, until=at("00:00")), replace(PAGOS, start=at("00:00"), length=4 * HOUR)
    both = Promises((old, new))
    assert both.of({"product": "pagos"}, at("23:59", day=-1)) is old
    assert both.of({"product": "pagos"}, at("00:00")) is new
    assert Promises((old,)).of({"product": "pagos"}, at("00:00")) is None


# ---- pauses ---------------------------------------------------------------------------------------------------------


def test_a_case_waits_from_the_status_that_says_so_to_the_next_that_does_not():
    told = [
        (at("14:00"), "En curso"),
        (at("09:00"), "Abierto"),
        (at("10:00"), "Esperando al cliente"),
        (at("11:00"), "ESPERANDO AL CLIENTE "),  # told again, it waits on
        (at("16:00"), "Esperando al cliente"),
    ]
    assert pauses(told, WAITING) == [(at("10:00"), at("14:00")), (at("16:00"), None)]
    assert pauses(told, frozenset()) == []


def test_of_two_changes_at_one_moment_the_last_told_counts():
    told = [(at("10:00"), "Esperando al cliente"), (at("10:00"), "En curso")]
    assert pauses(told, WAITING) == []
    assert pauses(reversed(told), WAITING) == [(at("10:00"), None)]


# ---- the clock ------------------------------------------------------------------------------------------------------


def standing(now: datetime, end: datetime | None = None, *paused, hours: float = 8) -> Clock:
    return clock(promise(hours), at("09:00"), end, now, paused=paused)


@pytest.mark.parametrize(
    ("now", "end", "state"),
    [
        (at("09:00"), None, ClockState.RUNNING),
        (at("15:23"), None, ClockState.RUNNING),
        (at("15:24"), None, ClockState.AT_RISK),  # 80 % of eight hours
        (at("17:00"), None, ClockState.AT_RISK),  # not late before it is past
        (at("17:01"), None, ClockState.BREACHED),
        (at("20:00", day=3), at("17:00"), ClockState.MET),
        (at("20:00", day=3), at("17:01"), ClockState.BREACHED),
        (at("10:00"), at("17:01"), ClockState.RUNNING),  # an end that has not come is not known
    ],
)
def test_a_state(now, end, state):
    found = standing(now, end)
    assert (found.state, found.due_at) == (state, at("17:00"))


def test_service_that_ends_with_the_day_is_late_in_the_evening():
    assert standing(at("18:00"), hours=9).state is ClockState.AT_RISK
    evening = standing(at("20:00"), hours=9)
    assert (evening.state, evening.due_at, evening.remaining) == (ClockState.BREACHED, at("18:00"), timedelta(0))


def test_what_was_waited_for_the_client_is_given_back():
    found = standing(at("18:00"), None, (at("10:00"), at("14:00")))
    assert (found.state, found.spent) == (ClockState.RUNNING, 5 * HOUR)
    assert found.due_at == at("11:00", day=1)
    assert found.remaining == 3 * HOUR


def test_while_it_waits_it_is_due_as_if_the_client_answered_now():
    waiting = (at("10:00"), None)
    assert standing(at("12:00"), None, waiting).state is ClockState.PAUSED
    assert standing(at("12:00"), None, waiting).due_at == at("09:00", day=1)
    assert standing(at("17:00"), None, waiting).due_at == at("14:00", day=1)
    assert standing(at("17:00"), None, waiting).remaining == 7 * HOUR


def test_a_wait_that_begins_too_late_mends_nothing():
    found = standing(at("10:00", day=2), None, (at("17:30"), None))
    assert (found.state, found.due_at, found.remaining) == (ClockState.BREACHED, at("17:00"), -HOUR / 2)


def test_a_case_that_comes_back_keeps_its_clock():
    """Sent to the wrong team and returned, solved too early and opened again: its start is its client's first word."""
    case = ACEROS.reports("11:00", reported_at=at("09:00"), product="pagos", status="Abierto")
    returned = replace(case, status="Devuelto", updated_at=at("16:00"))
    reopened = replace(case, status="Reabierto", updated_at=at("12:00", day=1))
    told = [
        (at("11:00"), "Abierto"),
        (at("16:00"), "Devuelto"),
        (at("17:00"), "Resuelto"),
        (at("12:00", day=1), "Reabierto"),
    ]
    promises = Promises((promise(10, product="pagos"),), WAITING)
    for row, now in ((case, "13:00"), (returned, "16:30"), (replace(case, resolved_at=at("17:00")), "17:30")):
        found = promises.clock(row, at(now), changes=told)
        assert found is not None
        assert found.due_at == at("09:00", day=1)
    late = promises.clock(reopened, at("12:00", day=1), changes=told)
    assert late is not None
    assert (late.state, late.spent) == (ClockState.BREACHED, 13 * HOUR)
    assert promises.clock(replace(case, product="recaudos"), at("13:00")) is None


MOMENTS = st.integers(0, 14 * 24 * 60).map(lambda minute: at("00:00") + timedelta(minutes=minute))
CHANGES = st.lists(st.tuples(MOMENTS, st.sampled_from(["Abierto", "Devuelto", "Esperando al cliente"])), max_size=8)


@given(CHANGES, MOMENTS, MOMENTS, st.integers(1, 60), st.sampled_from([OFFICE, ALWAYS]))
def test_the_clock_counts_the_minutes_in_which_nobody_waits(told, start, now, hours, service):
    paused = pauses(told, WAITING)
    found = clock(Promise(hours * HOUR, service), start, None, now, paused=paused)
    cuts = sorted({start, now, *(moment for moment, _ in told if start < moment < now)})
    statuses = dict(sorted(told, key=lambda change: change[0]))
    spent = timedelta(0)
    for a, b in pairwise(cuts):
        before = [status for moment, status in statuses.items() if moment <= a]
        if a >= start and (before or [""])[-1] != "Esperando al cliente":
            spent += service.between(a, b)
    assert found.spent == spent
    assert found.remaining == hours * HOUR - spent
    assert (found.state is ClockState.BREACHED) == (max(now, start) > found.due_at)
    if found.remaining > timedelta(0):
        assert found.due_at > now
        assert service.between(max(now, start), found.due_at) == found.remaining


@given(CHANGES, MOMENTS, MOMENTS)
def test_a_return_changes_nothing(told, start, now):
    plain = [(moment, "Abierto" if status == "Devuelto" else status) for moment, status in told]
    first, second = (clock(promise(), start, None, now, paused=pauses(each, WAITING)) for each in (told, plain))
    assert first == second


@given(CHANGES, MOMENTS, st.lists(MOMENTS, min_size=2, max_size=2).map(sorted))
def test_no_time_comes_back(told, start, moments):
    paused = pauses(told, WAITING)
    early, late = (clock(promise(), start, None, now, paused=paused) for now in moments)
    assert late.spent >= early.spent
    assert late.due_at >= early.due_at
    assert late.state is ClockState.BREACHED or early.state is not ClockState.BREACHED
