"""The bank's calendar: clock slots in local time, business days, holidays."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import BUSINESS, PAYDAY, QUARTERS, REST, SATURDAY, SLOTS
from monitor.calendar import Calendar
from monitor.windows import minute_of, time_of
from tests.characters import at

BOGOTA = Calendar("America/Bogota")
ZONES = ["America/Bogota", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]
CALENDARS = {zone: Calendar(zone) for zone in ZONES}


@pytest.mark.parametrize(
    ("clock", "day", "slot"),
    [
        ("00:00", 0, 0),
        ("00:14:59", 0, 0),
        ("00:15", 0, 1),
        ("12:00", 0, 48),
        ("23:59", 0, 95),
        ("12:00", 4, SATURDAY * QUARTERS + 48),
        ("23:59", 5, REST * QUARTERS + 95),
    ],
)
def test_a_slot_is_a_quarter_of_the_local_day_of_its_kind(clock, day, slot):
    assert BOGOTA.slot_of(at(clock, day=day)) == slot


@given(
    st.sampled_from(ZONES),
    st.integers(0, 3 * 365 * 24 * 60).map(lambda m: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=m)),
    st.integers(1, 200),
)
def test_the_slots_of_a_span_are_those_of_its_minutes(zone, time, length):
    calendar, start = CALENDARS[zone], minute_of(time)
    slots = calendar.slots(start, start + length).tolist()
    assert slots == [calendar.slot_of(time_of(m)) for m in range(start, start + length)]
    assert all(0 <= slot < SLOTS for slot in slots)


def test_where_the_clocks_change_the_slot_follows_the_wall():
    calendar = CALENDARS["America/New_York"]
    before, after = (datetime(2026, 3, day, 9, tzinfo=ZoneInfo("America/New_York")) for day in (6, 9))
    assert (after - before) != timedelta(0)
    assert calendar.slot_of(before) == calendar.slot_of(after) == 36


@pytest.mark.parametrize(
    ("day", "business"),
    [
        (date(2026, 3, 3), True),
        (date(2026, 3, 7), False),
        (date(2026, 3, 8), False),
        (date(2026, 1, 12), False),  # Epiphany, moved to its Monday
        (date(2026, 4, 3), False),  # Good Friday
        (date(2026, 7, 20), False),
        (date(2026, 12, 8), False),
        (date(2026, 12, 24), True),
    ],
)
def test_business_days_are_those_of_the_country(day, business):
    assert BOGOTA.business(day) is business


def test_another_country_has_other_holidays():
    assert Calendar("America/Bogota", country="US").business(date(2026, 7, 20))
    assert not Calendar("America/Bogota", country="US").business(date(2026, 11, 26))


def test_a_holiday_has_the_slots_of_a_day_of_rest():
    holiday = datetime(2026, 7, 20, 10, tzinfo=ZoneInfo("America/Bogota"))
    assert BOGOTA.slot_of(holiday) == REST * QUARTERS + 40


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        (date(2026, 3, 3), 0),
        (date(2026, 3, 7), 1),
        (date(2026, 3, 8), 2),
        (date(2026, 1, 12), 2),  # a Monday, Epiphany
        (date(2026, 8, 15), 1),  # Assumption of this year is kept on the Monday after
        (date(2026, 8, 17), 2),
        (date(2027, 5, 1), 2),  # a Saturday, and a holiday
    ],
)
def test_the_kinds_of_day_are_business_days_saturdays_and_the_rest(day, kind):
    midnight = minute_of(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("America/Bogota")))
    assert set(BOGOTA.days(midnight, midnight + 1440).tolist()) == {kind}


@given(
    st.sampled_from(ZONES),
    st.integers(0, 3 * 365 * 24 * 60).map(lambda m: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=m)),
    st.integers(1, 200),
)
def test_the_days_of_a_span_are_those_of_its_minutes_and_go_with_its_slots(zone, time, length):
    calendar, start = CALENDARS[zone], minute_of(time)
    days = calendar.days(start, start + length)
    local = [time_of(m).astimezone(calendar.zone).date() for m in range(start, start + length)]
    assert [kind == 0 for kind in days.tolist()] == [calendar.business(day) for day in local]
    assert all(day.weekday() == 5 for day, kind in zip(local, days.tolist(), strict=True) if kind == 1)
    assert all(len(set(days[[d == day for d in local]].tolist())) == 1 for day in set(local))
    kinds = calendar.slots(start, start + length) // QUARTERS
    assert [{BUSINESS: 0, PAYDAY: 0, SATURDAY: 1, REST: 2}[kind] for kind in kinds.tolist()] == days.tolist()


@pytest.mark.parametrize(
    ("month", "paydays"),
    [
        ((2026, 1), [15, 30]),
        ((2026, 2), [13, 27]),  # the 15th is a Sunday, the 28th, its last, a Saturday
        ((2026, 5), [15, 29]),
        ((2026, 8), [14, 28]),  # both ends at a weekend
        ((2027, 3), [15, 30]),
        ((2028, 2), [15, 29]),
        ((2026, 12), [15, 30]),
    ],
)
def test_wages_are_paid_on_the_15th_and_the_30th_or_the_business_day_before(month, paydays):
    days = [date(*month, day) for day in range(1, 32) if day <= monthrange(*month)[1]]
    assert [day.day for day in days if BOGOTA.payday(day)] == paydays
    noons = [BOGOTA.slot_of(datetime(*month, day, 12, tzinfo=BOGOTA.zone)) for day in paydays]
    assert set(noons) == {PAYDAY * QUARTERS + 48}


@given(st.dates(date(2025, 1, 1), date(2030, 12, 31)))
def test_a_payday_is_a_business_day_and_there_are_two_a_month(day):
    days = [day.replace(day=n) for n in range(1, monthrange(day.year, day.month)[1] + 1)]
    paydays = [each for each in days if BOGOTA.payday(each)]
    assert len(paydays) == 2
    assert all(BOGOTA.business(each) for each in paydays)
