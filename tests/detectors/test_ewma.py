from __future__ import annotations

import numpy as np
import pytest

from detectors.calibration import START
from detectors.ewma import Ewma

RNG = np.random.default_rng(11)
EWMA_BAND = START[1][1]
NOISE = RNG.normal(100, 2, 300).tolist()


def fed(readings, **options):
    ewma = Ewma(**options).one()
    for x in readings:
        ewma.learn_one(x)
    return ewma


def test_level_scale_and_band_are_those_of_the_series():
    score = fed(NOISE).score_one(100.0)
    assert score.expected == pytest.approx(100, abs=1.5)
    assert (score.upper - score.lower) / 2 == pytest.approx(2.576 * 2, rel=0.25)


def test_while_young_the_level_is_the_plain_average():
    readings = NOISE[:40]
    assert fed(readings, alpha=0.01).score_one(0).expected == pytest.approx(np.mean(readings))


def test_while_little_is_known_the_tail_is_a_normals_to_two_scales_and_exponential_beyond():
    ewma = fed(NOISE[:30], direction="up")
    due = ewma.score_one(100.0)
    scale = (due.upper - due.expected) / EWMA_BAND
    assert ewma.score_one(due.expected + 2 * scale).tail == pytest.approx(-np.log10(0.02275), abs=0.02)
    steps = np.diff([ewma.score_one(due.expected + k * scale).tail for k in (4, 5, 6, 7)])
    assert steps == pytest.approx(steps[0])
    far, farther = ewma.score_one(200.0), ewma.score_one(300.0)
    assert far.score == farther.score == 1.0
    assert 20 < far.tail < farther.tail


def test_it_speaks_after_its_warmup():
    assert fed(NOISE[:9], warmup=10).score_one(100) is None
    assert fed(NOISE[:10], warmup=10).score_one(100) is not None


def test_a_monstrous_outlier_changes_next_to_nothing():
    before, after = fed(NOISE).score_one(100.0), fed([*NOISE, 1e12]).score_one(100.0)
    assert after.expected == pytest.approx(before.expected, abs=2)
    assert after.upper - after.lower < 1.5 * (before.upper - before.lower)


def test_a_shift_of_level_is_believed_from_its_second_reading_on():
    shifted = [x + 1000 for x in NOISE]
    assert fed([*NOISE, *shifted[:60]]).score_one(1100.0).expected == pytest.approx(1100, abs=20)
    calm_again = fed([*NOISE, *shifted, *shifted]).score_one(1100.0)
    assert calm_again.upper - calm_again.lower < 4 * 2.576 * 2


def test_a_rarely_busy_series_gets_a_scale():
    """One in ten is a one, the rest are zeros, and the first ones come late."""
    rare = [0.0] * 50 + [float(t % 10 == 0) for t in range(300)]
    assert fed(rare, direction="up").score_one(1.0).tail < 6


def test_the_floor_is_the_smallest_scale_believed():
    assert fed([5.0] * 50, floor=0.5, direction="up").score_one(6.0).tail == pytest.approx(1.643, abs=0.05)
