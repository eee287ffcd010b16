"""The benchmark's score on cases worked out by hand."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from tests.bench.nab_score import PROFILES, STANDARD, curve, marked, normal

every_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
WINDOWS = [(400, 499), (700, 799)]


def sigmoid(position):
    return 2 / (1 + exp(5 * position)) - 1


def earned(*detections, profile=STANDARD, windows=WINDOWS, points=1000):
    """What these detections earn, on the scale from silence to perfection."""
    score = np.zeros(points)
    score[list(detections)] = 1.0
    found = curve([(marked(points, windows), score)], profile).at(0.5)
    return normal(found, len(windows), profile)


@every_profile
def test_each_window_found_at_once_and_nothing_else_is_100(profile):
    assert earned(400, 700, profile=profile) == pytest.approx(100)


@every_profile
def test_silence_is_0(profile):
    assert earned(profile=profile) == 0


@every_profile
def test_a_false_alarm_before_the_first_window_costs_its_whole_weight(profile):
    raw = (profile.fp * 100) / (2 * (1 + profile.fn))
    assert earned(399, 400, 700, profile=profile) == pytest.approx(100 - raw)


def test_a_false_alarm_behind_a_window_costs_more_the_further_it_is():
    at = {place: 100 - earned(400, 700, place) for place in (500, 549, 650, 699)}
    assert list(at.values()) == sorted(at.values())
    assert at[549] == pytest.approx(-0.11 * sigmoid(50 / 99) * 25)
    assert 100 - earned(400, 700, 998, windows=[(400, 499), (700, 709)]) == pytest.approx(0.11 * 25)


def test_only_the_first_detection_in_a_window_counts():
    assert earned(450, 700) == earned(450, 460, 499, 700) < earned(400, 700)


@pytest.mark.parametrize(("place", "position"), [(400, -1.0), (450, -0.5), (499, -0.01)])
def test_the_earlier_in_a_window_the_more(place, position):
    found = sigmoid(position) / sigmoid(-1)
    assert earned(place, 700) == pytest.approx(25 * (found + 1 + 2))


def test_a_missed_window_costs_its_weight():
    assert earned(400) == pytest.approx(50)
    assert earned(400, profile=PROFILES[2]) == pytest.approx(50)


@pytest.mark.parametrize(("points", "first"), [(1000, 150), (1001, 150), (4999, 749), (20_000, 750)])
def test_nothing_counts_in_the_probation(points, first):
    file = marked(points, [])
    assert file.first == first
    score = np.zeros(points)
    score[:first] = 1.0
    assert curve([(file, score)], STANDARD).at(0.5) == 0
    score[first] = 1.0
    assert curve([(file, score)], STANDARD).at(0.5) == pytest.approx(-0.11)


def test_no_score_is_no_detection_at_any_threshold():
    score = np.full(1000, np.nan)
    assert curve([(marked(1000, WINDOWS), score)], STANDARD).at(-1.0) == -2


def test_equal_scores_are_detections_all_or_none():
    found = curve([(marked(1000, WINDOWS), np.full(1000, 0.5))], STANDARD)
    assert found.thresholds.tolist() == [np.inf, 0.5]
    assert found.earned[1] == pytest.approx(2 - 0.11 * 250 + 0.11 * _behind())


def _behind():
    return sum(sigmoid((at - right) / 99) for right in (499, 799) for at in range(right + 1, right + 201))


def test_the_threshold_is_the_one_that_earns_most_over_all_files_and_of_equals_the_highest():
    first, second = np.zeros(1000), np.zeros(1000)
    first[[400, 700]] = 0.9, 0.6
    second[[200, 300]] = 0.7, 0.5
    files = [(marked(1000, WINDOWS), first), (marked(1000, []), second)]
    found = curve(files, STANDARD)
    assert found.best() == 0.6
    assert found.at(0.6) == pytest.approx(2 - 0.11)
    assert found.at(0.61) == found.at(0.7) == pytest.approx(1 - 1 - 0.11)
    assert found.at(1.0) == -2
    assert curve([(marked(1000, []), np.zeros(1000))], STANDARD).best() == np.inf
