"""Counts against their own past: exact tails, base rates drawn towards their pool, and how far counts stray."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detectors.counts import HALF_LIFE, Rates, Stray, above, below, faded

means = st.floats(1e-3, 500)
shapes = st.floats(0.1, 1e4)
hits = st.integers(0, 1000)


def one(*numbers: float) -> list[np.ndarray]:
    return [np.array([x], float) for x in numbers]


# ---- tails -------------------------------------------------------------------------------------------------------


@given(hits, means, shapes)
def test_the_tails_are_those_of_the_negative_binomial(k, mean, shape):
    law = stats.nbinom(shape, shape / (mean + shape))
    (up,), (down,) = above(*one(k, mean, shape)), below(*one(k, mean, shape))
    if law.sf(k - 1) > 1e-280:
        assert up == pytest.approx(-np.log10(law.sf(k - 1)), rel=1e-6, abs=1e-9)
    if law.cdf(k) > 1e-280:
        assert down == pytest.approx(-np.log10(law.cdf(k)), rel=1e-6, abs=1e-9)


@given(hits, means)
def test_where_the_mean_is_known_exactly_they_are_poissons(k, mean):
    law, sure = stats.poisson(mean), 1e9
    for tail, chance in ((above, law.sf(k - 1)), (below, law.cdf(k))):
        if chance > 1e-12:
            assert tail(*one(k, mean, sure))[0] == pytest.approx(-np.log10(chance), rel=1e-3, abs=1e-5)


@given(hits, means, shapes)
def test_more_hits_are_less_likely_from_above_and_more_from_below(k, mean, shape):
    assert above(*one(k + 1, mean, shape))[0] >= above(*one(k, mean, shape))[0] >= 0
    assert 0 <= below(*one(k + 1, mean, shape))[0] <= below(*one(k, mean, shape))[0]


@given(st.floats(1e-3, 100), st.floats(3, 30), st.floats(1, 1e4), st.floats(1.1, 100))
def test_the_less_is_known_the_less_an_excess_means(mean, times, shape, more):
    k = np.ceil(times * mean) + 3
    assert above(*one(k, mean, shape))[0] <= above(*one(k, mean, shape * more))[0] + 1e-9


def test_what_is_beyond_all_numbers_is_a_number_still():
    (far,) = above(*one(1e6, 1e-3, 1e6))
    assert np.isfinite(far)
    assert far >= 280
    assert above(*one(0, 5, 5))[0] == 0


def test_what_is_left_halves_by_the_half_life():
    assert faded(0) == 1
    assert faded(HALF_LIFE) == pytest.approx(0.5)
    assert faded(7) * faded(13) == pytest.approx(faded(20))


# ---- rates -------------------------------------------------------------------------------------------------------


def learned(pools: list[int], *lessons: tuple[list[float], list[float]], left: float = 1.0) -> Rates:
    rates = Rates()
    rates.grow(np.array(pools))
    for seen, of in lessons:
        rates.learn(np.array(seen, float), np.array(of, float), left)
    return rates


def test_before_anything_is_learned_all_series_are_alike():
    rates = learned([0, 0, 1])
    assert not rates.known
    assert len(set(rates.rate().tolist())) == 1
    assert 0 < rates.rate()[0] < 0.05


def test_a_series_that_is_known_well_has_its_own_rate_and_one_that_is_not_its_pools():
    rate = learned([0, 0, 0, 1], ([2000, 20, 0, 0], [10_000, 1000, 1, 5000])).rate()
    assert rate[0] == pytest.approx(0.2, rel=0.02)
    assert rate[1] == pytest.approx(0.02, rel=0.5)
    assert rate[2] == pytest.approx(2020 / 11_001, rel=0.1)
    assert rate[3] < 0.002, "another pool"


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(0, 500)), min_size=1, max_size=12))
def test_a_rate_lies_between_its_own_and_what_it_is_drawn_to(told):
    pools, seen, more = (list(column) for column in zip(*told, strict=True))
    of = [h + m for h, m in zip(seen, more, strict=True)]
    rate = learned(pools, (seen, of)).rate()
    assert ((rate > 0) & (rate <= 1)).all()
    for p in set(pools):
        mine = [n for n, pool in enumerate(pools) if pool == p]
        free = {rate[n] for n in mine if of[n] == 0}
        assert len(free) <= 1
        for towards in free:
            for n in mine:
                own = seen[n] / of[n] if of[n] else towards
                assert min(own, towards) - 1e-6 <= rate[n] <= max(own, towards) + 1e-6


def test_one_lesson_or_the_same_in_two_is_the_same():
    once = learned([0, 1], ([6, 2], [100, 90]))
    twice = learned([0, 1], ([4, 0], [50, 40]), ([2, 2], [50, 50]))
    np.testing.assert_allclose(once.rate(), twice.rate())


def test_what_was_learned_long_ago_is_forgotten():
    old, new = ([500.0], [1000.0]), ([10.0], [1000.0])
    assert learned([0], old, new).rate()[0] == pytest.approx(0.255, rel=0.02)
    assert learned([0], old, new, left=0.0).rate()[0] == pytest.approx(0.01, rel=0.2)


def test_series_that_come_later_change_nothing_for_those_that_are_there():
    rates = learned([0, 1], ([6, 2], [100, 90]))
    before = rates.rate()
    rates.grow(np.array([0, 1, 1, 2]))
    np.testing.assert_array_equal(rates.rate()[:2], before)
    assert rates.rate()[2] == pytest.approx(before[1], rel=0.7)


# ---- how far they stray ------------------------------------------------------------------------------------------


def strayed(part: float, *, blocks: int = 300, series: int = 20, mean: float = 80.0) -> float:
    """What is learned of counts whose means stray by this part (1/r) from block to block."""
    rng, stray = np.random.default_rng(5), Stray()
    for _ in range(blocks):
        expected = rng.uniform(mean / 2, mean * 2, series)
        true = rng.gamma(1 / part, expected * part) if part else expected
        stray.learn(rng.poisson(true).astype(float), expected, 0.99)
    return stray.part


def test_counts_that_only_chance_moves_stray_by_next_to_nothing():
    assert strayed(0) <= 0.01


@pytest.mark.parametrize("part", [0.02, 0.05, 0.2])
def test_what_they_stray_by_themselves_is_found(part):
    assert strayed(part) == pytest.approx(part, rel=0.3)


def test_an_incident_that_slips_through_does_not_make_the_family_blind():
    calm, struck = Stray(), Stray()
    expected = np.full(50, 40.0)
    for stray in (calm, struck):
        for _ in range(50):
            stray.learn(expected + np.tile([6.0, -6.0], 25), expected, 0.99)
    hurt = expected.copy()
    hurt[0] = 1e6
    struck.learn(hurt, expected, 0.99)
    assert struck.part < calm.part + 0.01


def test_counts_too_small_to_tell_tell_nothing():
    stray = Stray()
    before = stray.part
    stray.learn(np.array([5.0, 0.0]), np.array([1.0, 0.5]), 1.0)
    assert stray.part == before
