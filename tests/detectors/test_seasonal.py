"""Simulated minutes of a bank: Poisson counts along a day, as square roots, whose noise is about 0.5 at any volume."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import BUSINESS, QUARTERS, REST, SATURDAY, make
from detectors.walk import Walk

DAY = 1440
SEEDS = 20
SATURDAY_OF_WEEK = 5


def day_curve():
    """Counts a minute: 0.5 at 4:00, 370 at 11:00 and down again."""
    hours = (np.arange(DAY) - 240) % DAY / 60
    risen = np.where(hours < 7, (1 - np.cos(np.pi * hours / 7)) / 2, (1 + np.cos(np.pi * (hours - 7) / 17)) / 2)
    return 0.5 + 369.5 * risen


def open_hours():
    """The same with doors closed from 22:00, where it is still busy, to 6:00."""
    curve = day_curve()
    curve[: 6 * 60] = curve[22 * 60 :] = 0
    return curve


def slots(days, first_weekday=0):
    weekday = np.repeat((first_weekday + np.arange(days)) % 7, DAY)
    kind = np.select([weekday < SATURDAY_OF_WEEK, weekday == SATURDAY_OF_WEEK], [BUSINESS, SATURDAY], REST)
    return kind * QUARTERS + np.tile(np.arange(DAY) // 15, days)


def walked(curve, at, *, direction="down", kind="seasonal", freeze=30):
    x = np.column_stack([np.sqrt(np.random.default_rng(seed).poisson(curve)) for seed in range(SEEDS)])
    return Walk(make(kind, direction=direction, floor=0.5), tail=6, freeze=freeze).step_block(x, at)


def alarms(block):
    """Minutes in breach after a minute in breach, whole block, each series."""
    return np.vstack([block.breach[:1] & False, block.breach[1:] & block.breach[:-1]])


@pytest.mark.parametrize("direction", ["up", "down", "both"])
@pytest.mark.parametrize("kind", ["ewma", "seasonal"])
def test_a_first_day_gives_no_alarm(kind, direction):
    assert not alarms(walked(day_curve(), slots(1), kind=kind, direction=direction)).any()


@pytest.mark.parametrize("direction", ["down", "both"])
@pytest.mark.parametrize("freeze", [0, 10, 30, 360])
def test_a_nightly_closing_is_known_after_three_days_however_long_alarms_freeze_it(freeze, direction):
    block = walked(np.tile(open_hours(), 6), slots(6) % 96, freeze=freeze, direction=direction)
    by_day = alarms(block).reshape(6, -1).sum(1)
    assert by_day[0] > 0, "the first closing cannot be told from a failure"
    assert by_day[3:].tolist() == [0, 0, 0]


@pytest.mark.parametrize("days", [1, 2, 4])
def test_a_drop_to_40_percent_is_told_within_two_readings_and_for_as_long_as_it_lasts(days):
    curve = np.tile(day_curve(), days)
    fault = slice((days - 1) * DAY + 14 * 60 + 31, (days - 1) * DAY + 14 * 60 + 61)
    curve[fault] *= 0.4
    block = walked(curve, slots(days))
    assert block.breach[fault][:2].any(0).all()
    assert alarms(block)[fault].mean() > 0.9
    assert not alarms(block)[: fault.start].any()
    assert not alarms(block)[fault.stop + 1 :].any()


def test_the_first_weekend_is_judged_by_its_own_level_and_not_by_the_business_days():
    quiet = day_curve() * 0.1
    curve = np.concatenate([np.tile(day_curve(), 5), np.tile(quiet, 2)])
    block = walked(curve, slots(7))
    weekend = alarms(block)[5 * DAY :]
    assert not weekend[60:].any(), "the step down at midnight may be told, the day may not"
    noon = 5 * DAY + 12 * 60
    assert block.expected[noon] == pytest.approx(np.sqrt(quiet[12 * 60]), abs=1.5)


def test_the_profile_foresees_what_the_recent_level_cannot():
    """On the fourth day the cliff is in the forecast of its first minute."""
    block = walked(np.tile(open_hours(), 4), slots(4), freeze=0)
    closing = 3 * DAY + 22 * 60
    assert (block.expected[closing - 1] > 3).all()
    assert (abs(block.expected[closing]) < 1).all()


def test_the_level_follows_a_stronger_day():
    """At half as much again as ever before, the forecast has come along by noon."""
    curve = np.concatenate([np.tile(day_curve(), 4), day_curve() * 1.5])
    block = walked(curve, slots(5), direction="both")
    noon = 4 * DAY + 12 * 60
    assert block.expected[noon].mean() == pytest.approx(np.sqrt(curve[noon]), rel=0.05)
    assert not alarms(block)[4 * DAY :].any()


def test_large_values_keep_their_precision():
    """The profile is float32: a billion give or take one must not drown in it."""
    x = 1e9 + np.random.default_rng(3).normal(0, 1, (4 * DAY, 1))
    block = Walk(make("seasonal"), tail=6, freeze=30).step_block(x, slots(4))
    assert not alarms(block).any()
    assert np.nanmax(block.upper[-DAY:] - block.lower[-DAY:]) < 10


def test_what_was_worked_out_is_forgotten_where_the_state_is_another():
    curve, at = day_curve(), slots(3)
    x, known, fresh = np.sqrt(np.tile(curve, 3))[:, None], make("seasonal"), make("seasonal")
    for bank in (known, fresh):
        bank.grow(1)
    for reading, slot in zip(x, at.tolist(), strict=True):
        known.learn(reading, slot, np.ones(1, bool))
    assert np.isnan(fresh.score(x[-1], at[-1].item()).expected[0])
    fresh.take(known.state())
    for name in ("score", "expected", "lower", "upper"):
        again, before = (getattr(bank.score(x[-1], at[-1].item()), name) for bank in (fresh, known))
        np.testing.assert_array_equal(again, before)
