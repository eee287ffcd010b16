"""What holds for every kind: found by `kinds()`, so a new file is held to it from its first day."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import astuple
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import SLOTS, make
from tests.detectors.kinds import measured_kind

WARMING = 400
EVER = np.ones(1, dtype=bool)

every_side = pytest.mark.parametrize("direction", ["up", "down", "both"])
odd = st.floats() | st.sampled_from([np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0, 5.0])


def fed(kind, readings, **options):
    """A bank of one series that has learned these readings, a quarter of an hour in each of four slots in turn."""
    bank = make(kind, **options)
    bank.grow(1)
    for t, x in enumerate(readings):
        bank.learn(np.array([x]), t // 15 % 4, EVER)
    return bank


def noise(n=WARMING):
    return np.random.default_rng(5).normal(5, 1, n)


@cache
def warmed(kind, direction):
    return fed(kind, noise(), direction=direction)


def scored(bank, x, slot=0):
    return np.array([column[0] for column in astuple(bank.score(np.array([x]), slot))])


@measured_kind
def test_it_is_silent_while_warming_and_speaks_afterwards(kind):
    assert np.isnan(scored(fed(kind, []), 5.0)).all()
    assert np.isnan(scored(fed(kind, noise(10)), 5.0)).all()
    assert np.isfinite(scored(fed(kind, noise()), 5.0)).all()


@measured_kind
@pytest.mark.parametrize("x", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_has_no_score_and_teaches_nothing(kind, x):
    bank, twin = fed(kind, noise()), fed(kind, noise())
    assert np.isnan(scored(bank, x)).all()
    for _ in range(50):
        bank.learn(np.array([x]), 0, EVER)
        twin.learn(np.array([np.nan]), 0, ~EVER)
    np.testing.assert_array_equal(scored(bank, 6.0), scored(twin, 6.0))


@measured_kind
def test_scoring_changes_nothing(kind):
    bank, twin = fed(kind, noise()), fed(kind, noise())
    first = scored(bank, 9.0, 2)
    for slot in range(SLOTS):
        scored(bank, 1e6, slot)
    np.testing.assert_array_equal(scored(bank, 9.0, 2), first)
    bank.learn(np.array([7.0]), 1, EVER)
    twin.learn(np.array([7.0]), 1, EVER)
    np.testing.assert_array_equal(scored(bank, 6.0, 1), scored(twin, 6.0, 1))


@measured_kind
def test_what_is_masked_does_not_move_the_forecast(kind):
    bank = fed(kind, noise())
    before = scored(bank, 9.0)
    for _ in range(15):
        bank.learn(np.array([1e6]), 0, ~EVER)
    np.testing.assert_array_equal(scored(bank, 9.0), before)


@measured_kind
@every_side
def test_the_side_asked_for_is_the_one_that_is_unusual(kind, direction):
    bank = fed(kind, noise(), direction=direction)
    above, below = scored(bank, 25.0)[1], scored(bank, -15.0)[1]
    assert (above > 3) == (direction != "down")
    assert (below > 3) == (direction != "up")


@measured_kind
@pytest.mark.parametrize("level", [0.0, 0.1, 370.0, -7e8])
def test_on_a_constant_series_the_same_is_usual_and_a_change_is_not(kind, level):
    bank = fed(kind, [level] * WARMING)
    score, tail, expected, lower, upper = scored(bank, level)
    assert tail < 0.1
    assert score < 0.2
    assert expected == pytest.approx(level)
    assert lower <= level <= upper
    assert scored(bank, level + max(1.0, abs(level) / 100))[1] > 6


@measured_kind
def test_one_monstrous_outlier_does_not_deafen(kind):
    bank = fed(kind, [*noise(), 1e9, *noise(20)])
    assert scored(bank, 25.0)[1] > 1.9  # a rank among some hundred cannot say more of what came once before
    assert scored(bank, 5.0)[1] < 1


@measured_kind
def test_a_lasting_shift_is_usual_in_the_end(kind):
    assert scored(fed(kind, [*noise(), *(noise() + 50)]), 55.0, 3)[1] < 3


@measured_kind
def test_growing_leaves_the_series_that_exist_alone(kind):
    bank = fed(kind, noise())
    before = scored(bank, 9.0)
    bank.grow(3)
    after = bank.score(np.array([9.0, 9.0, 9.0]), 0)
    np.testing.assert_array_equal([column[0] for column in astuple(after)], before)
    assert np.isnan(after.score[1:]).all()


@measured_kind
@every_side
@settings(max_examples=40)
@given(learned=st.lists(odd, max_size=40), x=odd, slot=st.integers(0, SLOTS - 1))
def test_scores_are_sound_after_whatever_was_learned(kind, direction, learned, x, slot):
    bank = deepcopy(warmed(kind, direction))
    for reading in learned:
        scored(bank, reading, slot)
        bank.learn(np.array([reading]), slot, EVER)
    figures = scored(bank, x, slot)
    assert np.isfinite(figures).all() == np.isfinite(x)
    assert np.isnan(figures).all() == (not np.isfinite(x))
    if np.isfinite(x):
        score, tail, expected, lower, upper = figures
        assert 0 <= score <= 1
        assert tail >= 0
        assert lower <= expected <= upper
        assert score == pytest.approx(1 - 10.0**-tail, abs=1e-12)
