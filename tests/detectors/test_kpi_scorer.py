"""The scorer of the KPI bench on cases counted by hand, and against the challenge's way of writing it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.kpi import Curve, Found, best_threshold, found, halves, heard, left_out, read


def labelled(n, *segments):
    labels = np.zeros(n, dtype=int)
    for start, end in segments:
        labels[start:end] = 1
    return labels


def loud(n, *at, tail=5.0):
    out = np.zeros(n)
    out[list(at)] = tail
    return out


def points(tail, labels, threshold=3.0):
    return found(heard(tail, labels), threshold)


@pytest.mark.parametrize(("at", "true"), [(10, 20), (17, 20), (18, 0), (29, 0)])
def test_a_segment_is_found_whole_by_an_alarm_on_one_of_its_first_eight_points(at, true):
    assert points(loud(50, at), labelled(50, (10, 30))) == Found(true=true, false=0, missed=20 - true)


def test_each_alarm_outside_is_one_false_point_also_right_beside_a_segment():
    assert points(loud(50, 9, 30, 31), labelled(50, (10, 30))) == Found(true=0, false=3, missed=20)


def test_a_late_alarm_is_neither_found_nor_false():
    assert points(loud(50, 20), labelled(50, (10, 30))) == Found(true=0, false=0, missed=20)


def test_an_alarm_after_a_short_segment_does_not_find_it():
    assert points(loud(20, 13), labelled(20, (10, 12))) == Found(true=0, false=1, missed=2)


def test_segments_count_by_their_points():
    labels = labelled(60, (0, 4), (10, 40), (59, 60))
    seen = points(loud(60, 0, 50, 59), labels)
    assert seen == Found(true=5, false=1, missed=30)
    assert seen.f1 == pytest.approx(2 * 5 / (2 * 5 + 1 + 30))


def test_a_tail_at_the_threshold_is_an_alarm_and_silence_is_none():
    assert points(np.array([3.0, np.nan, 2.99]), labelled(3, (1, 2))) == Found(true=0, false=1, missed=1)


def test_without_segments_or_alarms_nothing_is_found():
    assert points(np.zeros(5), labelled(5)).f1 == 0


def test_the_threshold_is_the_one_of_the_best_f1():
    # at 5: 4 of 14 found; at 4: 14 of 14 and one false; at 2: the same and three false
    tail = np.array([5.0, 0, 0, 0, 0, 4.5, 2, 2, *[0] * 2, 4.0, *[0] * 9])
    labels = labelled(20, (0, 4), (10, 20))
    assert best_threshold([heard(tail, labels)]) == 4.0
    assert points(tail, labels, 4.0) == Found(true=14, false=1, missed=0)


def test_of_equal_segments_all_count_for_their_threshold():
    tail, labels = np.array([4.0, 0, 3, 0, 3, 0, 1, 0, 0]), labelled(9, (0, 1), (2, 3), (4, 5), (6, 7))
    assert best_threshold([heard(tail, labels)]) == 1.0


def test_where_no_segment_was_heard_there_is_no_threshold():
    with pytest.raises(ValueError, match="no segment"):
        best_threshold([heard(np.full(9, np.nan), labelled(9, (2, 4)))])


def test_the_threshold_is_chosen_on_first_halves_and_a_left_out_curve_has_no_say():
    second = np.arange(40) >= 20
    labels = labelled(40, (5, 10), (25, 30))
    curves = [Curve(name, np.arange(40), np.zeros(40), labels, second) for name in "ab"]
    a, b = loud(40, 5, 25, tail=4), loud(40, 5, 25, tail=9)
    a[30] = 3.5
    first, last = halves([a, b], curves)
    assert best_threshold(first) == 4.0
    assert [found(half, 4.0) for half in last] == [Found(5, 0, 0), Found(5, 0, 0)]
    assert left_out(first, last) == Found(0, 0, 5) + Found(5, 0, 0), "9 is too much for a, 4 enough for b"


def test_a_file_is_read_as_it_stands(tmp_path):
    path = tmp_path / "abc-1.csv"
    path.write_text("timestamp,value,label,split\n60,1,0,train\n120,2.5,1,test\n")
    curve = read(path)
    assert curve.name == "abc"
    assert (curve.times.tolist(), curve.values.tolist()) == ([60, 120], [1.0, 2.5])
    assert (curve.labels.tolist(), curve.second.tolist()) == ([0, 1], [False, True])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(1, 15)), min_size=1, max_size=20))
def test_it_is_the_challenges_own_adjustment(runs):
    """Alarms are moved to whole segments first, then counted point by point."""
    labels = np.concatenate([np.full(length, int(label)) for label, _, length in runs])
    tail = np.concatenate([np.arange(length) % (every + 1) / 3 for _, every, length in runs])
    alarms = tail >= 0.5
    edges = [0, *(np.flatnonzero(np.diff(labels)) + 1), len(labels)]
    for start, end in pairwise(edges):
        if labels[start]:
            alarms[start:end] = alarms[start : min(start + 8, end)].any()
    expected = Found(
        int((alarms & (labels == 1)).sum()), int((alarms & (labels == 0)).sum()), int((~alarms & (labels == 1)).sum())
    )
    assert points(tail, labels, 0.5) == expected
