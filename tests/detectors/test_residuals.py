from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.residuals import Residuals

DAY = 96
"""Readings a day: one a slot."""


def fed(readings, **options):
    detector = Residuals(**options)
    for t, x in enumerate(readings):
        detector.learn_one(float(x), t % DAY)
    return detector


def days(n, seed=3):
    """50 at night and 150 at noon, with noise of 2."""
    hours = np.arange(n * DAY) % DAY / DAY
    return 100 - 50 * np.cos(2 * np.pi * hours) + np.random.default_rng(seed).normal(0, 2, n * DAY)


def noise(n, seed=3):
    return np.random.default_rng(seed).normal(100, 2, n)


def tails(readings, **options):
    detector, out = Residuals(**options), []
    for t, x in enumerate(readings):
        score = detector.score_one(float(x), t % DAY)
        out.append(np.nan if score is None else score.tail)
        detector.learn_one(float(x), t % DAY)
    return np.array(out)


def test_what_is_usual_at_noon_is_not_at_midnight():
    detector = fed(days(10))
    assert detector.score_one(50.0, 0).tail < 1
    assert detector.score_one(150.0, 0).tail > 4
    assert detector.score_one(150.0, 0).expected == pytest.approx(50, abs=8)


def test_the_morning_rise_is_no_alarm_where_a_fall_as_steep_is():
    risen, fallen = days(14), days(14)
    fallen[-72:] -= 2 * (risen[-72:] - risen[-73])  # from six on it falls as fast as it should rise
    assert np.nanmax(tails(risen)[-72:]) < 2
    assert np.nanmax(tails(fallen)[-72:][:8]) > 4


def test_a_slide_that_the_level_follows_still_shows_against_the_profile():
    slid = days(14)
    slid[-DAY:] -= np.linspace(0, 40, DAY)
    assert np.median(tails(slid)[-10:]) > 2 * np.median(tails(days(14))[-10:])


def test_a_second_freak_reading_bears_the_first_out():
    once, twice = fed([*noise(500)]), fed([*noise(500), 160])
    assert twice.score_one(160.0).tail > 1.25 * once.score_one(160.0).tail


def test_a_freak_reading_is_not_carried_into_the_next():
    freak = fed([*noise(500), 160])
    assert freak.score_one(100.0, 500 % DAY).tail < 1


def test_a_series_that_often_strays_is_judged_by_its_record():
    wild = noise(3000)
    wild[::20] += 30
    assert fed(wild).score_one(130.0).tail < fed(noise(3000)).score_one(130.0).tail / 3


def test_tails_on_noise_are_not_more_often_large_than_they_say():
    seen = np.concatenate([tails(noise(4000, seed))[400:] for seed in range(3)])
    for tail in (1, 2, 3):
        assert (seen > tail).mean() < 10.0**-tail


def test_the_band_holds_99_of_100_readings_of_noise():
    detector, inside = fed(noise(3000)), []
    for x in noise(2000, seed=4):
        score = detector.score_one(x)
        inside.append(score.lower <= x <= score.upper)
        detector.learn_one(x)
    assert np.mean(inside) == pytest.approx(0.99, abs=0.008)


@settings(max_examples=20)
@given(factor=st.floats(1e-3, 1e6), shift=st.floats(-100, 100))
def test_units_do_not_matter(factor, shift):
    readings = days(4)
    np.testing.assert_allclose(tails((readings + shift) * factor)[200:], tails(readings)[200:], rtol=1e-3, atol=1e-3)


def test_below_the_floor_nothing_is_unusual():
    still = [5.0] * 300
    assert fed(still).score_one(5.5).tail > 6
    assert fed(still, floor=0.5).score_one(5.5).tail <= 1
    assert fed(still, floor=0.5).score_one(25.0).tail > 6


@pytest.mark.parametrize("wrong", [{"floor": -1.0}, {"floor": float("nan")}, {"direction": "sideways"}])
def test_an_option_out_of_range_is_told(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Residuals(**wrong)
