from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.discord import LENGTHS, Discord, Distances

NOISE = np.random.default_rng(3).normal(0, 1, 900).tolist()
WAVE = np.sin(np.arange(1001) * 2 * np.pi / 48) * 10 + np.random.default_rng(4).normal(0, 0.1, 1001)


def fed(readings, **options):
    discord = Discord(**options)
    for x in readings:
        discord.learn_one(x)
    return discord


def by_definition(past, x, length, history):
    """The second nearest past stretch, each compared with the last one reading by reading."""
    readings = [*past, x]
    last = readings[-length:]
    ends = range(len(readings) - 1 - 2 * length, length - 2, -1)[: max(history - 2 * length + 1, 0)]
    apart = sorted(np.linalg.norm(np.subtract(readings[end - length + 1 : end + 1], last)) for end in ends)
    return apart[1] if len(apart) >= 10 else np.nan


@settings(max_examples=25)
@given(readings=st.lists(st.sampled_from([0.0, 1.0, 1.5, -7.0, 1e9]), min_size=1, max_size=400), x=st.floats(-1e3, 1e3))
def test_distances_are_those_of_the_definition_also_after_a_monstrous_reading(readings, x):
    distances = Distances(256)
    for reading in readings:
        distances.learn(reading)
    np.testing.assert_allclose(
        distances.nearest(x), [by_definition(readings, x, length, 256) for length in LENGTHS], rtol=1e-9
    )


def test_asking_does_not_change_the_answers_that_follow():
    asked, silent = Distances(256), Distances(256)
    for x in NOISE[:300]:
        asked.nearest(x)
        asked.nearest(x + 1)
        asked.learn(x)
        silent.learn(x)
    assert asked.nearest(0.3) == silent.nearest(0.3)


def test_a_wave_that_goes_on_is_usual_and_one_that_stops_is_not():
    usual, stopped = fed(WAVE[:1000]), fed([*WAVE[:1000], *[WAVE[999]] * 40])
    assert usual.score_one(WAVE[1000]).tail < 1
    assert stopped.score_one(WAVE[999]).tail > 2 * usual.score_one(WAVE[1000]).tail


def test_what_came_once_is_not_yet_usual_but_what_came_twice_is():
    noise = NOISE[:400]
    never, once, twice = (fed([*noise, *([50.0, *noise[:100]] * times)]) for times in (0, 1, 2))
    assert never.score_one(50.0).tail > 3
    assert once.score_one(50.0).tail > 1.5
    assert twice.score_one(50.0).tail < once.score_one(50.0).tail


def test_beyond_its_history_it_knows_nothing():
    forgotten = Distances(300)
    for x in [50.0, 50.0, *NOISE]:
        forgotten.learn(x)
    assert forgotten.nearest(50.0)[0] > 40
