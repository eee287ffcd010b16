"""Counts of sparse series: exact tails against their own base rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detectors import make
from detectors.counts import above

EVER = np.ones(1, bool)


def fed(readings, **options):
    bank = make("count", **options)
    bank.grow(1)
    for x in readings:
        bank.learn(np.array([float(x)]), 0, EVER)
    return bank


def tail(bank, x):
    return float(bank.score(np.array([float(x)]), 0).tail[0])


def poisson(mean, n=3000, seed=1):
    return np.random.default_rng(seed).poisson(mean, n)


@pytest.mark.parametrize("mean", [0.02, 0.3, 4.0])
def test_of_a_rate_that_is_known_well_the_tails_are_nearly_poissons(mean):
    bank = fed(poisson(mean, 20_000))
    for hits in range(1, int(mean) + 4):
        assert tail(bank, hits) == pytest.approx(-np.log10(stats.poisson.sf(hits - 1, mean)), rel=0.35, abs=0.1)


def test_the_tail_is_the_exact_chance_of_the_mean_and_shape_that_were_learned():
    bank = fed(poisson(0.5))
    mean, shape = bank._forecast()
    assert tail(bank, 6) == pytest.approx(float(above(np.array([6.0]), mean, shape)[0]))
    assert tail(bank, 6) == pytest.approx(-np.log10(stats.nbinom(shape, shape / (shape + mean)).sf(5))[0])


@pytest.mark.parametrize("mean", [0.05, 0.5, 3.0, 30.0])
def test_a_tail_of_k_comes_no_more_than_once_in_10_to_the_k_or_so(mean):
    series = 40
    bank = make("count")
    bank.grow(series)
    found = []
    for x in np.random.default_rng(2).poisson(mean, (4000, series)).astype(float):
        found.append(bank.score(x, 0).tail)
        bank.learn(x, 0, np.ones(series, bool))
    tails = np.array(found[1000:])
    for k in (1, 2, 3):
        assert (tails > k).mean() * 10**k < 1.3


def test_counts_that_stray_by_themselves_are_believed_to():
    rng = np.random.default_rng(3)
    steady, straying = fed(rng.poisson(20, 3000)), fed(rng.poisson(rng.gamma(4, 5, 3000)))
    assert tail(steady, 60) > 8
    assert tail(straying, 60) < 3


def test_what_has_never_been_seen_is_unusual_at_once_and_not_for_ever():
    bank = fed([0] * 2000)
    assert tail(bank, 0) == 0
    assert tail(bank, 1) > 2.5
    assert tail(bank, 5) > 8
    assert tail(fed([0] * 2000 + [1] * 50), 1) < 2


def test_one_freak_changes_next_to_nothing():
    calm, struck = fed([*poisson(0.5)]), fed([*poisson(0.5), 100_000])
    assert tail(struck, 8) == pytest.approx(tail(calm, 8), rel=0.1)


@pytest.mark.parametrize(
    ("direction", "high", "low"), [("up", True, False), ("down", False, True), ("both", True, True)]
)
def test_the_side_that_is_asked_for(direction, high, low):
    bank = fed(poisson(20), direction=direction)
    assert (tail(bank, 60) > 3) == high
    assert (tail(bank, 0) > 3) == low


@given(st.lists(st.sampled_from([0.0, 1.0, 7.0, 1e30, -1.0, np.nan, np.inf]), max_size=30), st.floats())
def test_it_is_sound_whatever_comes(learned, x):
    bank = fed(poisson(0.7, 100))
    for reading in learned:
        bank.learn(np.array([reading]), 0, EVER)
    scores = bank.score(np.array([x]), 0)
    figures = np.array([scores.score, scores.tail, scores.expected, scores.lower, scores.upper])[:, 0]
    assert np.isfinite(figures).all() == bool(np.isfinite(x) and x >= 0)
    if np.isfinite(figures).all():
        score, far, expected, lower, upper = figures
        assert 0 <= score <= 1
        assert far >= 0
        assert 0 <= lower <= expected <= upper


def test_what_is_below_zero_or_no_number_teaches_nothing():
    bank, twin = fed(poisson(0.5)), fed(poisson(0.5))
    for x in (-1.0, np.nan, np.inf):
        bank.learn(np.array([x]), 0, EVER)
    bank.learn(np.array([50.0]), 0, ~EVER)
    assert tail(bank, 3) == tail(twin, 3)


@pytest.mark.parametrize(("options", "told"), [({"half_life": 0}, "half_life"), ({"warmup": 0}, "warmup")])
def test_an_impossible_option_is_told(options, told):
    with pytest.raises(ValueError, match=told):
        make("count", **options)
