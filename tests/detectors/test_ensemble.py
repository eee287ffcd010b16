from __future__ import annotations

import numpy as np
import pytest

from detectors.ensemble import Ensemble
from detectors.past import ENOUGH, PAST, Past

TOLD = 2.4
NOISE = np.random.default_rng(17).normal(100, 2, 3000).tolist()


def tails(readings, slots=None, **options):
    """The tail of each reading, 0 while warming, in one strictly online pass."""
    ensemble = Ensemble(**options)
    found = []
    for x, slot in zip(readings, slots or [0] * len(readings), strict=True):
        score = ensemble.score_one(x, slot)
        found.append(score.tail if score else 0.0)
        ensemble.learn_one(x, slot)
    return np.array(found)


def told(*arguments, **options):
    return np.flatnonzero(tails(*arguments, **options) >= options.get("told", TOLD)).tolist()


def test_a_fault_is_told_once_and_soon():
    faulty = [*NOISE[:1500], *(x + 30 for x in NOISE[1500:1600]), *NOISE[1600:]]
    found = told(faulty)
    assert [at for at in found if 1500 <= at < 1575] == [1500]


def test_without_quiet_each_reading_of_its_beginning_is_told():
    faulty = [*NOISE[:1500], *(x + 30 for x in NOISE[1500:1520])]
    assert told(faulty, quiet=0)[-15:] == list(range(1505, 1520))


def test_a_quiet_series_tells_next_to_nothing():
    assert len(told(NOISE)) <= 6


def test_what_comes_again_soon_has_to_be_worse():
    spikes = list(NOISE)
    for at in (1500, 1700):
        spikes[at : at + 10] = [160.0] * 10
    found = tails(spikes)
    assert found[1500:1510].max() > found[1700:1710].max()


def test_a_higher_bar_tells_less():
    assert len(told(NOISE, told=1.5)) > len(told(NOISE, told=2.0)) >= len(told(NOISE, told=3.0))


def test_a_reading_at_the_wrong_time_of_day_is_unusual_though_its_value_is_not():
    slots = [t // 15 % 96 for t in range(1440 * 4)]
    day = [
        50 + 40 * np.sin(slot * 2 * np.pi / 96) + e
        for slot, e in zip(slots, np.random.default_rng(4).normal(0, 1, len(slots)), strict=True)
    ]
    at = 1440 * 3 + 360
    shifted = [*day[:at], *day[at + 720 : at + 780]]
    assert tails(shifted, slots[: len(shifted)])[at:].max() > TOLD


def test_a_series_that_falls_silent_is_told_though_each_value_is_usual():
    assert [at for at in told([*NOISE[:1500], *[100.0] * 100]) if at >= 1500]


def test_scores_are_the_same_whether_or_not_it_was_asked_before():
    asked, silent = Ensemble(), Ensemble()
    for x in NOISE[:400]:
        asked.score_one(x)
        asked.score_one(-x, 5)
        asked.learn_one(x)
        silent.learn_one(x)
    assert asked.score_one(120.0) == silent.score_one(120.0)


def test_a_past_tells_ranks_and_forgets_the_oldest():
    past = Past()
    for figure in range(ENOUGH):
        past.learn(float(figure))
    assert past.warm()
    assert past.rarity(99.0) == pytest.approx(-np.log10(2 / 102))
    assert past.rarity(-1.0) == pytest.approx(-np.log10(101 / 102))
    assert past.excess(50.0) == 0
    assert past.excess(99.0) == pytest.approx(1.2 * np.log(2))
    assert past.tail(1e300) == 300
    for _ in range(PAST):
        past.learn(7.0)
    assert len(past) == PAST
    assert past.rarity(8.0) == pytest.approx(np.log10(PAST + 2))
