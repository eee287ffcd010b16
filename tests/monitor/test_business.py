"""Business time agrees with counting the minutes one by one, on Colombian days and where the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.business import Outside, ServiceHours
from monitor.calendar import Calendar
from tests.characters import at

BOGOTA = Calendar("America/Bogota")
OFFICE = ServiceHours(BOGOTA, opens=8 * 60, closes=18 * 60)
ALWAYS = ServiceHours(BOGOTA, business_days=False)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

# ---- counted one by one, from the law itself ------------------------------------------------------------------------

FIRST = date(2025, 1, 1)
DAYS = 3 * 365
DAWN = datetime(2025, 1, 1, 5, tzinfo=UTC)
"""Midnight of the first day in Bogotá, whose clocks never change."""
EASTER = (date(2025, 4, 20), date(2026, 4, 5), date(2027, 3, 28))


def holidays() -> set[date]:
    """Colombia's, 2025 to 2027: fixed ones, those that the Emiliani law moves to a Monday, those that follow Easter."""
    found = set()
    for easter in EASTER:
        found |= {date(easter.year, m, d) for m, d in ((1, 1), (5, 1), (7, 20), (8, 7), (12, 8), (12, 25))}
        moved = [(1, 6), (3, 19), (6, 29), (8, 15), (10, 12), (11, 1), (11, 11)]
        moved += [(7, 9)] if easter.year >= 2026 else []  # Our Lady of Chiquinquirá
        for day in (date(easter.year, m, d) for m, d in moved):
            found.add(day + timedelta(days=-day.weekday() % 7))
        found |= {easter + timedelta(days=n) for n in (-3, -2, 43, 64, 71)}
    return found


def minutes_open(opens: int, closes: int) -> np.ndarray:
    """Of every minute of the three years, whether it is one of service."""
    free = holidays()
    day = np.zeros(1440, bool)
    day[opens:closes] = True
    days = [FIRST + timedelta(days=n) for n in range(DAYS)]
    return np.concatenate([day & (each.weekday() < 5 and each not in free) for each in days])


OPEN = minutes_open(8 * 60, 18 * 60)
MINUTES = st.integers(0, DAYS * 1440)


def moment(minute: int) -> datetime:
    return DAWN + minute * MINUTE


@given(MINUTES, MINUTES)
@example(0, DAYS * 1440)
def test_the_time_between_two_moments_is_the_count_of_its_minutes(start, end):
    assert OFFICE.between(moment(start), moment(end)) == int(OPEN[start:end].sum()) * MINUTE


@given(st.integers(0, 2 * 365 * 1440), st.integers(1, 20_000))
@example(2 * 1440 + 480, 600)  # a whole day of service, opening to closing
def test_the_moment_after_so_much_service_is_where_counting_arrives(start, length):
    counted = int(np.flatnonzero(OPEN[start:])[length - 1]) + 1
    assert OFFICE.after(moment(start), length * MINUTE) == moment(start + counted)


@given(MINUTES, st.integers(0, 59), st.timedeltas(timedelta(0), timedelta(days=90)))
def test_one_undoes_the_other_to_the_microsecond(minute, second, length):
    start = moment(minute) + timedelta(seconds=second)
    assert OFFICE.between(start, OFFICE.after(start, length)) == length
    assert ALWAYS.after(start, length) == start + length
    assert ALWAYS.between(start, start + length) == length


@given(MINUTES, MINUTES, MINUTES)
def test_the_parts_add_up_to_the_whole(a, b, c):
    first, between, last = map(moment, sorted((a, b, c)))
    assert OFFICE.between(first, between) + OFFICE.between(between, last) == OFFICE.between(first, last)


NEW_YORK = ServiceHours(Calendar("America/New_York", country="US"), opens=60, closes=18 * 60, business_days=False)


@given(st.integers(0, 240 * 1440), st.integers(0, 5 * 1440))
@example(66 * 1440, 2 * 1440)  # over the night of 8 March 2026, which has no half past two
def test_where_the_clocks_change_too(start, length):
    zone, first = ZoneInfo("America/New_York"), datetime(2026, 1, 1, tzinfo=UTC)
    local = [(first + (start + n) * MINUTE).astimezone(zone) for n in range(length)]
    counted = sum(60 <= time.hour * 60 + time.minute < 18 * 60 for time in local)
    begin = first + start * MINUTE
    assert NEW_YORK.between(begin, begin + length * MINUTE) == counted * MINUTE


# ---- in words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        (at("10:00"), 8, at("18:00")),  # the closing, not the opening after it
        (at("10:00"), 10, at("10:00", day=1)),
        (at("20:00"), 1, at("09:00", day=1)),
        (at("17:00", day=3), 2, at("09:00", day=6)),  # Friday to Monday
        (at("17:00", day=17), 2, at("09:00", day=21)),  # Friday to Tuesday: the Monday is Saint Joseph's
        (at("10:00"), 0, at("10:00")),
    ],
)
def test_a_due_moment(start, hours, due):
    assert OFFICE.after(start, hours * HOUR) == due


def test_a_day_of_service_is_from_opening_to_closing():
    assert OFFICE.day == 10 * HOUR
    assert ALWAYS.day == 24 * HOUR
    assert OFFICE.between(at("18:00"), at("08:00")) == timedelta(0)


@pytest.mark.parametrize(("opens", "closes"), [(600, 600), (1080, 480), (0, 1441), (-1, 60)])
def test_hours_that_are_none_are_refused(opens, closes):
    with pytest.raises(ValueError, match="must open before it closes"):
        ServiceHours(BOGOTA, opens=opens, closes=closes)


# ---- opening and closing ----------------------------------------------------------------------------------------------

spans = st.tuples(st.integers(0, 23), st.integers(1, 24), st.booleans()).filter(lambda h: h[0] < h[1])


@given(hours=spans, start=st.integers(0, 60 * 24 * 20))
def test_the_first_moment_in_and_out_of_service_is_the_first(hours: tuple[int, int, bool], start: int) -> None:
    opens, closes, business = hours
    service = ServiceHours(BOGOTA, opens=opens * 60, closes=closes * 60, business_days=business)
    now = datetime(2026, 12, 20, tzinfo=UTC) + timedelta(minutes=start)
    second = timedelta(seconds=1)
    opening = service.opening(now)
    assert service.between(opening, opening + second) == second
    assert service.between(now, opening) == timedelta(0)
    assert service.always == (hours == (0, 24, False))
    if not service.always:
        closing = Outside(service).opening(now)
        assert service.between(closing, closing + second) == timedelta(0)
        assert service.between(now, closing) == closing - now
