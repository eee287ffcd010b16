from __future__ import annotations

from dataclasses import astuple
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import kinds, make
from detectors.walk import Walk

STEPS = 420
FREEZE = 20
CALM = np.random.default_rng(7).normal(10, 1, (STEPS, 1))


def walk(kind="ewma", *, freeze=FREEZE, **options):
    return Walk(make(kind, **options), tail=6, freeze=freeze)


def quarters(steps, start=0):
    return np.arange(start, start + steps) // 15 % 4


def after_calm(then, *, freeze=FREEZE):
    """Whether each reading after the calm ones is in breach."""
    then = np.asarray(then, dtype=float).reshape(-1, 1)
    x = np.vstack([CALM, then])
    return walk(freeze=freeze).step_block(x, quarters(len(x))).breach[STEPS:, 0]


def series(seed=3):
    """Two series: calm, a gap, an incident that pauses, a lasting shift."""
    x = np.random.default_rng(seed).normal(10, 1, (STEPS, 2))
    x[300:310] = np.nan
    x[330:345, 0] = 60
    x[350:360, 0] = 60
    x[380:, 1] += 40
    return x


@pytest.mark.parametrize("kind", kinds())
@settings(max_examples=8)
@given(cuts=st.lists(st.integers(0, STEPS), max_size=4).map(sorted))
def test_where_a_block_is_cut_makes_no_difference(kind, cuts):
    x, slots = series(), quarters(STEPS)
    whole = astuple(walk(kind).step_block(x, slots))
    pieces = walk(kind)
    edges = [0, *cuts, STEPS]
    blocks = [astuple(pieces.step_block(x[a:b], slots[a:b])) for a, b in pairwise(edges)]
    for column, parts in zip(whole, zip(*blocks, strict=True), strict=True):
        np.testing.assert_array_equal(column, np.concatenate(parts))


@pytest.mark.parametrize("kind", kinds())
def test_a_series_that_comes_later_changes_nothing_for_the_others(kind):
    x, slots = series(), quarters(STEPS)
    alone = walk(kind).step_block(x[:, :1], slots)
    joined = walk(kind)
    first = joined.step_block(x[:200, :1], slots[:200])
    second = joined.step_block(x[200:], slots[200:])
    np.testing.assert_array_equal(alone.tail[:, 0], np.concatenate([first.tail[:, 0], second.tail[:, 0]]))
    assert np.isnan(second.tail[:20, 1]).all()


def test_fewer_series_or_slots_than_due_are_refused():
    stepped = walk()
    stepped.step_block(series(), quarters(STEPS))
    with pytest.raises(ValueError, match="do not follow 2 series"):
        stepped.step_block(CALM, quarters(STEPS))
    with pytest.raises(ValueError, match="with 3 slots"):
        stepped.step_block(series(), quarters(3))


def test_a_breach_is_beyond_the_tail_and_material():
    x = CALM.copy()
    x[[200, 300]] = [[30], [60]]
    asked = []

    def at_least_50(t, scores):
        asked.append(t)
        assert scores.tail.shape == (1,)
        return x[t] >= 50

    block = walk().step_block(x, quarters(STEPS), at_least_50)
    assert np.flatnonzero(block.breach).tolist() == [300]
    assert (block.tail[[200, 300]] > 6).all()
    assert asked == list(range(STEPS))


def material_alone(x, bad):
    """What is expected, where the tail is left out of it."""
    stepped = Walk(make("ewma"), tail=0, freeze=FREEZE)
    block = stepped.step_block(x, quarters(len(x)), lambda t, _: np.array([t in bad]))
    assert set(np.flatnonzero(block.breach)) == set(bad)
    return block.expected[:, 0]


def test_without_a_tail_what_is_material_decides_and_the_rest_is_learned():
    """A healthy reading a little off does not count as a mild minute of the incident before, nor cost its credit."""
    x = CALM.copy()
    x[200:215] = 60
    expected = material_alone(x, {100, *range(200, 215)})
    assert (expected[200:216] == expected[200]).all()
    assert (np.diff(expected[101:200]) != 0).all()


def test_the_milder_minutes_of_an_incident_do_not_wear_the_forecast_down():
    """Every other minute of it is not far enough out for a breach of its own."""
    x = np.vstack([CALM, np.tile([[18.0], [15.0]], (FREEZE // 2, 1))])
    block = walk().step_block(x, quarters(len(x)))
    assert (block.tail[STEPS + 1 :: 2] < 6).all()
    assert block.breach[STEPS::2].all()
    assert (block.expected[STEPS:] == block.expected[STEPS]).all()


def test_an_incident_is_in_breach_to_its_end_and_not_learned():
    breach = after_calm([60] * FREEZE + [10] * 5)
    assert breach.tolist() == [True] * FREEZE + [False] * 5


def test_a_lasting_shift_is_learned_after_the_freeze_in_bounded_time():
    breach = after_calm([60] * (FREEZE + 40))
    assert breach[:FREEZE].all()
    assert not breach[-20:].any()


def test_a_short_pause_does_not_buy_another_freeze():
    breach = after_calm([60] * (FREEZE - 5) + [10] * 3 + [60] * 60)
    assert breach[: FREEZE - 5].all()
    again = breach[FREEZE - 2 :]
    assert again[:8].all()
    assert not again[8 + 20 :].any()


def test_health_earns_the_credit_back():
    day_after = after_calm([60] * (FREEZE - 1) + [10] * 3 * FREEZE + [60] * (FREEZE - 1) + [10])
    assert day_after[-FREEZE:-1].all()
    assert not day_after[-1]


def test_a_long_incident_costs_no_more_than_a_freeze_of_health():
    x = np.vstack([CALM, CALM])
    expected = material_alone(x, {*range(100, 500), *range(500 + FREEZE, 500 + 2 * FREEZE)})
    again = expected[500 + FREEZE : 500 + 2 * FREEZE]
    assert (again == again[0]).all()


def test_a_storm_that_is_bad_less_than_half_of_the_time_stays_a_storm():
    breach = after_calm([60, 10, 10] * 80)
    assert breach[::3].all()
    assert not breach[1::3].any()


def test_a_storm_that_is_bad_most_of_the_time_is_learned():
    breach = after_calm([60, 60, 60, 10] * 80)
    assert breach[:FREEZE:4].all()
    assert not breach[-80:].any()


def test_missing_readings_are_neither_bad_nor_healthy():
    breach = after_calm([60] * (FREEZE - 1) + [np.nan] * 100 + [60] * 40)
    assert not breach[FREEZE : FREEZE + 90].any()
    assert not breach[-20:].any(), "the credit was not earned back in the gap"


def test_without_freeze_all_is_learned():
    assert not after_calm([60] * 40, freeze=0)[-20:].any()
