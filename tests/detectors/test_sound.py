"""Sound on bad input: what a source may send on a bad day, and what it may do to a detector, in bounded time."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import BUSINESS, LIKE, PAYDAY, QUARTERS, REST, SATURDAY, SLOTS, like, make, one, options
from detectors.walk import Walk
from tests.detectors.kinds import MEASURED, QUICK, every_kind, quick_kind

DAY = 1440
CALM = np.random.default_rng(21).normal(100, 3, 20 * DAY)


def walked(kind, x, slots, *, freeze=30, **options):
    return Walk(make(kind, **options), tail=6, freeze=freeze).step_block(x.reshape(-1, 1), slots)


def clock(n, start=0):
    return (start + np.arange(n)) // 15 % QUARTERS


# ---- gaps, bad numbers, constant series --------------------------------------------------------------------------


@quick_kind
@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([np.nan, np.inf, -np.inf]), min_size=1, max_size=30),
    st.integers(100, 900),
    st.integers(0, SLOTS - 1),
)
def test_what_is_no_number_changes_no_later_score(kind, bad, at, slot):
    """Shown in the clock slot under way it leaves no trace at all."""
    detector, twin = one(kind), one(kind)
    for t, x in enumerate(CALM[:1000].tolist()):
        if t == at:
            for reading in bad:
                assert detector.score_one(reading, slot) is None
                detector.learn_one(reading, t // 15 % QUARTERS)
        assert detector.score_one(x, t // 15 % QUARTERS) == twin.score_one(x, t // 15 % QUARTERS)
        for each in (detector, twin):
            each.learn_one(x, t // 15 % QUARTERS)


@pytest.mark.parametrize("kind", MEASURED)
@pytest.mark.parametrize("gap", [1, 15, 700])
def test_a_gap_is_not_learned_and_the_first_reading_after_it_is_usual(kind, gap):
    bank = make(kind)
    bank.grow(1)
    ever = np.ones(1, bool)
    for t, x in enumerate(CALM[:900]):
        bank.learn(np.array([x]), t // 15 % 4, ever)
    before = astuple(bank.score(np.array([101.0]), 0))
    for t in range(gap):
        bank.learn(np.array([np.nan]), t // 15 % 4, ever)
    after = bank.score(np.array([101.0]), 0)
    assert after.tail[0] < 2
    if kind != "seasonal":  # there the pass under way has ended meanwhile
        np.testing.assert_array_equal(astuple(after), before)


@quick_kind
def test_a_counter_that_is_always_zero_is_silent_until_it_counts(kind):
    x = np.zeros(3 * DAY)
    x[-1] = 5
    block = walked(kind, x, clock(len(x)), floor=0.5)
    assert not block.breach[:-1].any()
    assert block.breach[-1]
    assert (block.tail[30:-1] == 0).all()


# ---- clocks that jump --------------------------------------------------------------------------------------------


@every_kind
@settings(max_examples=10)
@given(slots=st.lists(st.integers(0, SLOTS - 1), min_size=240, max_size=300), seed=st.integers(0, 99))
def test_a_clock_that_stands_or_jumps_in_either_direction_is_no_trouble(kind, slots, seed):
    """Repeated and backward timestamps, and the hours when the clocks change, are slots in any order."""
    x = np.random.default_rng(seed).poisson(20, len(slots)).astype(float)
    soon = {"warmup": 2, "window": 20}
    bank = make(kind, **{name: value for name, value in soon.items() if name in options(kind)})
    bank.grow(1)
    for reading, slot in zip(x, slots, strict=True):
        figures = np.array(astuple(bank.score(np.array([reading]), slot)))
        assert np.isfinite(figures).all() or np.isnan(figures).all()
        bank.learn(np.array([reading]), slot, np.ones(1, bool))
    assert np.isfinite(astuple(bank.score(x[:1], slots[0]))).all()


def test_an_hour_that_comes_twice_or_not_at_all_raises_no_alarm():
    """Autumn: 60 more minutes in the slots of two o'clock; spring: none. The season is the wall clock's."""
    level = 60 + 50 * np.sin(2 * np.pi * np.arange(DAY) / DAY)
    minutes = [np.arange(DAY)] * 10
    minutes[6] = np.concatenate([np.arange(180), np.arange(120, DAY)])
    minutes[8] = np.concatenate([np.arange(120), np.arange(180, DAY)])
    wall = np.concatenate(minutes)
    x = level[wall] + np.random.default_rng(22).normal(0, 2, len(wall))
    block = walked("seasonal", x, wall // 15)
    assert not block.breach[4 * DAY :].any()


# ---- shifts and contamination ------------------------------------------------------------------------------------


@quick_kind
@settings(max_examples=4)
@given(st.floats(-1e6, 1e6).filter(lambda by: abs(by) > 60), st.one_of(st.just(0), st.integers(15, 120)))
def test_a_lasting_shift_is_absorbed_in_bounded_time(kind, by, freeze):
    """The freeze, and two days more: the profile's slots have been passed anew.

    A freeze that ends within a quarter of an hour leaves that quarter mixed for some days longer.
    """
    x = CALM[: 6 * DAY].copy()
    x[2 * DAY :] += by
    block = walked(kind, x, clock(len(x)), freeze=freeze)
    assert block.breach[2 * DAY : 2 * DAY + min(freeze, 1)].all()
    assert block.breach[-DAY:].sum() <= DAY // QUARTERS


@quick_kind
@pytest.mark.parametrize("length", [60, 400])
def test_learning_through_an_incident_does_not_hide_the_next(kind, length):
    """It lasted longer than the freeze and was learned; a day later one half as bad is told within two readings."""
    x = CALM[: 8 * DAY].copy()
    first, second = 5 * DAY + 600, 6 * DAY + 900
    x[first : first + length] -= 60
    x[second : second + 30] -= 30
    block = walked(kind, x, clock(len(x)))
    assert block.breach[first]
    assert block.breach[second : second + 2].any()
    assert block.breach[7 * DAY :].mean() < 0.002


@quick_kind
def test_a_storm_now_and_then_does_not_deafen(kind):
    """A dozen freaks in ten days, each learned: the thirteenth is still told."""
    x = CALM[: 12 * DAY].copy()
    at = DAY + np.arange(12) * 1100
    x[at] += np.linspace(50, 200, 12)
    x[-1] += 100
    block = walked(kind, x, clock(len(x)), freeze=0)
    assert block.tail[-1, 0] > 3
    assert block.breach[at[0]]


# ---- kinds of day ------------------------------------------------------------------------------------------------


def test_each_kind_of_day_has_another_to_stand_in():
    assert sorted(LIKE) == [BUSINESS, PAYDAY, SATURDAY, REST]
    for slot in range(SLOTS):
        assert like(slot) != slot
        assert like(like(slot)) == slot
        assert like(slot) % QUARTERS == slot % QUARTERS


def days_of(kinds, levels, seed=23):
    slots = np.repeat(np.array(kinds) * QUARTERS, DAY) + clock(len(kinds) * DAY)
    shape = 100 + 60 * np.sin(2 * np.pi * np.arange(DAY) / DAY)
    x = np.concatenate([shape * levels[kind] for kind in kinds])
    return x + np.random.default_rng(seed).normal(0, 2, len(x)), slots


def test_the_first_payday_is_judged_as_a_business_day():
    x, slots = days_of([BUSINESS] * 4 + [PAYDAY], {BUSINESS: 1.0, PAYDAY: 1.0})
    block = walked("seasonal", x, slots)
    noon = 4 * DAY + 720
    assert block.expected[noon] == pytest.approx(x[noon - DAY], rel=0.1)
    assert not block.breach[4 * DAY :].any()


def test_once_known_a_payday_has_its_own_season():
    week = [BUSINESS, BUSINESS, BUSINESS, PAYDAY]
    x, slots = days_of(week * 3, {BUSINESS: 1.0, PAYDAY: 2.0})
    block = walked("seasonal", x, slots)
    last = slice(11 * DAY, 12 * DAY)
    early = 11 * DAY + 50  # the quarters that were withheld on the first are known a payday later
    assert block.expected[early, 0] == pytest.approx(x[early], rel=0.15), "long before any level could follow"
    assert block.breach[last].sum() <= 2
    assert not block.breach[8 * DAY + 60 : 11 * DAY].any(), "and the business days are not moved by it"


def test_a_saturday_and_a_sunday_know_of_each_other_until_each_is_known():
    week = [BUSINESS] * 5 + [SATURDAY, REST]
    x, slots = days_of(week * 3, {BUSINESS: 1.0, SATURDAY: 0.5, REST: 0.3})
    block = walked("seasonal", x, slots)
    third = slice(19 * DAY + 60, 21 * DAY)
    error = np.abs(block.expected[third, 0] - x[third])
    assert np.median(error) < 5
    assert block.breach[third].sum() <= 4


def test_the_kinds_that_are_quick_are_found():
    assert set(QUICK) < set(MEASURED)
