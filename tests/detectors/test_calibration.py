"""A tail of k comes about once in 10^k, whatever the shape of the noise; what is rare is learned as rare."""

from __future__ import annotations

from dataclasses import astuple
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import make, one
from detectors.calibration import BINS, HALVING, SMOOTH, START, Calibration, fit

SERIES, LEARNED, HELD = 60, 8000, 6000
DAY = 1440


def season():
    return 40 * (1 + 0.8 * np.sin(2 * np.pi * np.arange(LEARNED + HELD) / DAY))[:, None]


FAMILIES = {
    "gaussian": lambda rng, shape: rng.normal(10, 2, shape),
    "t3": lambda rng, shape: rng.standard_t(3, shape),
    "log-normal": lambda rng, shape: rng.lognormal(0, 0.8, shape),
    "poisson of 40": lambda rng, shape: rng.poisson(40, shape).astype(float),
    "poisson of 2": lambda rng, shape: rng.poisson(2, shape).astype(float),
    "seasonal": lambda rng, shape: np.sqrt(rng.poisson(season(), shape)),
    "seasonal t3": lambda rng, shape: season() + rng.standard_t(3, shape),
}
LEAST, MOST = {1: 0.9, 2: 0.8, 3: 0.4}, {1: 1.1, 2: 1.25, 3: 2.0}
"""What 10^k times the share may be. The chance of k = 3 is told from a few readings of each series."""


@cache
def held_out(kind, direction):
    """By family: tails, and whether the band held, after the learned part; the series go on learning."""
    shape = (LEARNED + HELD, SERIES)
    x = np.hstack([family(np.random.default_rng(6), shape) for family in FAMILIES.values()])
    bank = make(kind, direction=direction)
    bank.grow(x.shape[1])
    every = np.ones(x.shape[1], bool)
    tails, inside = [], []
    for t, row in enumerate(x):
        slot = t % DAY // 15
        scores = bank.score(row, slot)
        bank.learn(row, slot, every)
        if t >= LEARNED:
            tails.append(scores.tail)
            inside.append((row >= scores.lower) & (row <= scores.upper))
    parts = [np.split(np.array(column), len(FAMILIES), axis=1) for column in (tails, inside)]
    return dict(zip(FAMILIES, zip(*parts, strict=True), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("kind", "direction"), [("seasonal", "both"), ("seasonal", "up"), ("ewma", "down")])
def test_a_tail_of_k_comes_about_once_in_10_to_the_k(kind, direction, family):
    tails, inside = held_out(kind, direction)[family]
    # A count has no half: few of them, or one side that ends at zero, can only be rarer than promised.
    least = LEAST if direction == "both" and family != "poisson of 2" else dict.fromkeys(LEAST, 0.2)
    for k, most in MOST.items():
        assert least[k] < (tails > k).mean() * 10**k < most, k
    assert 1 - inside.mean() == pytest.approx(0.01, rel=0.4)


@pytest.mark.parametrize("family", ["gaussian", "t3"])
def test_no_series_is_far_from_it(family):
    tails, _ = held_out("seasonal", "both")[family]
    shares = (tails > 2).mean(axis=0) * 100
    assert shares.min() > 0.5
    assert shares.max() < 1.8


def test_a_young_series_is_not_sure():
    """Ten times as many alarms as promised are too many, even of heavy tails of which little is known."""
    rng = np.random.default_rng(8)
    tails = {"gaussian": [], "t3": []}
    for name, found in tails.items():
        bank = make("ewma")
        bank.grow(2000)
        for row in FAMILIES[name](rng, (300, 2000)):
            found.append(bank.score(row, 0).tail)
            bank.learn(row, 0, np.ones(2000, bool))
    for name, most in (("gaussian", 2.0), ("t3", 12.0)):
        assert (np.array(tails[name][30:]) > 3).mean() * 1e3 < most, name


# ---- the survival function ---------------------------------------------------------------------------------------

counts = st.lists(st.integers(0, 5000), min_size=BINS, max_size=BINS)


@given(counts, st.integers(0, 100_000))
def test_the_chance_only_falls_outwards_and_is_never_nothing(hist, others):
    hist = np.array(hist, np.float32)[:, None]
    table, rest = fit(hist, np.array([float(hist.sum() + others)]))
    assert (np.diff(table[:, 0]) <= 0).all()
    assert 0 < table[-1, 0] <= table[0, 0] < 1
    hazard, band, far = rest[:, 0]
    assert hazard > 0
    assert 0 <= band <= far


@given(counts)
@settings(max_examples=30)
def test_one_look_at_many_series_is_a_look_at_each(hist):
    hist = np.array([hist, hist[::-1], [0] * BINS], np.float32).T
    total = hist.sum(axis=0, dtype=np.float64) * 2
    table, rest = fit(hist, total)
    for i in range(3):
        alone = fit(hist[:, [i]], total[[i]])
        np.testing.assert_array_equal(table[:, [i]], alone[0])
        np.testing.assert_array_equal(rest[:, [i]], alone[1])


def test_of_nothing_it_is_the_smooth_law_and_of_much_the_counts():
    np.testing.assert_allclose(START[0], 0.5 * np.cumprod(SMOOTH))
    hist = np.zeros((BINS, 1), np.float32)
    hist[:20, 0] = np.arange(20, 0, -1) * 500
    total = np.array([float(hist.sum()) * 2])
    table, _ = fit(hist, total)
    reached = np.cumsum(hist[::-1, 0])[::-1] / total
    np.testing.assert_allclose(table[:20, 0], reached[:20], rtol=0.02)


def learned(z):
    calibration = Calibration()
    calibration.grow(1)
    for each in z:
        calibration.learn(np.array([each]), np.ones(1, bool))
    return calibration


def tail(calibration, z):
    return float(calibration.judge(np.array([z]), np.zeros(1), np.ones(1), "both").tail[0])


def test_an_incident_that_was_learned_counts_once_however_long_it_was():
    calm = np.random.default_rng(9).normal(0, 1, 3000)
    short, long = learned([*calm, *[15.0] * 2, *calm[:128]]), learned([*calm, *[15.0] * 600, *calm[:128]])
    assert tail(long, 15.0) == pytest.approx(tail(short, 15.0), abs=0.3)
    assert tail(long, 15.0) > 6


def test_what_comes_again_and_again_is_no_longer_rare():
    rng = np.random.default_rng(10)
    z = rng.normal(0, 1, 6000)
    z[::300] = rng.uniform(12, 20, 20)
    assert tail(learned(z), 15.0) < 3.5


def test_what_was_is_forgotten_by_and_by():
    rng = np.random.default_rng(11)
    wild, calm = rng.normal(0, 4, 4000), rng.normal(0, 1, 3 * HALVING)
    assert tail(learned([*wild, *calm]), 8.0) > tail(learned(wild), 8.0) + 1


def test_a_score_does_not_end_where_the_chance_is_too_small_for_a_number():
    calibration = learned(np.random.default_rng(12).normal(0, 1, 2000))
    found = [tail(calibration, z) for z in (3, 10, 30, 100, 300, 900)]
    assert (np.diff(found) > 0).all()
    assert np.isfinite(found).all()
    assert found[-1] > 300


@pytest.mark.parametrize("kind", ["ewma", "seasonal"])
@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_the_further_out_the_rarer(kind, direction):
    detector = one(kind, direction=direction)
    for t, x in enumerate(np.random.default_rng(13).normal(100, 3, 4000).tolist()):
        detector.learn_one(x, t // 15 % 96)
    centre = detector.score_one(100.0, 0).expected
    for side in (1, -1):
        found = [detector.score_one(centre + side * off, 0) for off in np.linspace(0.01, 60, 200)]
        tails = [score.tail for score in found]
        rising = direction in ("both", "up" if side > 0 else "down")
        assert (np.diff(tails) >= -1e-9).all() if rising else (np.diff(tails) <= 1e-9).all()
        assert all(np.isfinite(astuple(score)).all() for score in found)
