"""Windows of many lengths at once, against a slow computation of our own; blips, and what is over."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.counts import above
from rules.scan import LENGTHS, NEAR, NOTHING, REACH, Entries, Found, scan

BEGIN = 29_000_000
MATTERS = {"least": 4, "change": 0.02, "ratio": 2.0}
SHAPE = 20.0


def entries(*places: list[tuple[int, float, float, float]]) -> Entries:
    """Of each place: minute from BEGIN on, hits, expected, of how many."""
    rows = [(p, BEGIN + m, *counts) for p, told in enumerate(places) for m, *counts in sorted(told)]
    place, minute, *counts = (np.array(column) for column in zip(*rows, strict=True))
    return Entries(place, minute, *(column.astype(float) for column in counts))


def asked(of: Entries, *, tail: float = 5.0, **told: float) -> Found:
    shape = np.full(int(of.place.max()) + 1, SHAPE)
    return scan(of, np.arange(len(of.place)), shape, tail=tail, **MATTERS | told)


def series(hits: list[float], *, of: float = 20.0, rate: float = 0.02) -> Entries:
    """One place, minute by minute."""
    return entries([(m, h, rate * of, of) for m, h in enumerate(hits)])


def last(hits: list[float], **told: float) -> bool:
    """Whether what is beyond chance in the last minute lasts."""
    found = asked(series(hits, **told))
    return bool(found.tail[-1] > 5 and found.lasting[-1])


# ---- against a slow computation ----------------------------------------------------------------------------------

told = st.lists(
    st.tuples(st.integers(0, 150), st.integers(0, 12), st.floats(0.01, 2), st.integers(12, 40)),
    min_size=1, max_size=25, unique_by=lambda row: row[0],
)  # fmt: skip


@given(st.lists(told, min_size=1, max_size=3), st.floats(0, 0.3), st.integers(1, 9), st.floats(1, 4))
def test_the_most_unlikely_window_is_what_a_slow_computation_finds(places, change, least, ratio):
    of = entries(*places)
    found = asked(of, change=change, least=least, ratio=ratio)
    for i, (place, minute) in enumerate(zip(of.place.tolist(), of.minute.tolist(), strict=True)):
        tails: dict[int, float] = {}
        for length in LENGTHS:
            here = (of.place == place) & (of.minute > minute - length) & (of.minute <= minute)
            h, e, n = of.hits[here].sum(), of.expected[here].sum(), of.of[here].sum()
            matters = h >= least and h >= ratio * e and h - e >= change * n
            tails[length] = float(above(np.array([h]), np.array([e]), np.array([SHAPE]))[0]) if matters else 0.0
        assert found.tail[i] == pytest.approx(max(tails.values()), rel=1e-6, abs=1e-9)
        assert found.near[i] == pytest.approx(
            max(t for length, t in tails.items() if length <= NEAR), rel=1e-6, abs=1e-9
        )
        assert minute - REACH < found.start[i] <= minute
        assert not found.lasting[i] or found.tail[i] > 5


def test_the_start_is_a_minute_with_something_in_it():
    of = entries([(0, 0, 0.1, 5), (90, 9, 0.1, 10), (91, 9, 0.1, 10), (92, 9, 0.1, 10)])
    assert asked(of).start[-1] == BEGIN + 90
    assert asked(of).rate[-1] == pytest.approx(0.9)


@pytest.mark.parametrize(("share", "of"), [(0.95, 480), (0.5, 240), (0.2, 960), (0.95, 24)])
@pytest.mark.parametrize("bad", [1, 2, 3, 5, 8, 20])
def test_no_minute_as_healthy_as_any_other_is_its_start(share, of, bad):
    everyday = [float(max(1, of // 100))] * 60
    found = asked(series([*everyday, *[of * share] * bad], of=of, rate=0.01))
    assert {int(start) - BEGIN for start, tail in zip(found.start[60:], found.tail[60:], strict=True) if tail > 5} == {
        60
    }


def test_it_starts_with_the_minute_in_the_midst_of_which_it_begins():
    for part in (0.1, 0.5, 0.9):
        hits = [5.0] * 60 + [np.round(480 * part)] + [460.0] * 2
        assert asked(series(hits, of=480, rate=0.01)).start[-1] == BEGIN + 60


def test_it_starts_where_it_is_first_too_much_though_it_grows_slowly():
    hits = [5.0] * 60 + [20.0, 40.0, 80.0, 160.0, 320.0]
    assert asked(series(hits, of=480, rate=0.01)).start[-1] == BEGIN + 60


def test_a_start_between_two_lengths_of_windows_is_found():
    """It shows in a window of ten minutes, and began twelve ago."""
    hits = [0.0] * 60 + [3.0] * 12
    assert asked(series(hits)).start[-1] == BEGIN + 60


def test_places_do_not_see_each_other():
    calm, bad = [(m, 0, 0.4, 20) for m in range(60)], [(m, 10, 0.4, 20) for m in range(60)]
    found = asked(entries(calm, bad, calm))
    assert found.tail[:60].max() == found.tail[120:].max() == 0
    np.testing.assert_allclose(found.tail[60:120], asked(entries(bad)).tail)


def test_nothing_asked_is_nothing_found():
    found = scan(NOTHING, np.zeros(0, np.int64), np.zeros(0), tail=5.0, **MATTERS)
    assert len(found.tail) == len(found.lasting) == 0


# ---- blips -------------------------------------------------------------------------------------------------------


@given(
    st.integers(4, 300), st.floats(0, 0.75), st.floats(0, 1), st.integers(0, 40), st.sampled_from([0.002, 0.02, 0.1])
)
def test_a_minutes_worth_of_hits_never_lasts_however_it_straddles_two(n, share, part, after, rate):
    """A blip takes most of one minute's rows, wherever in two minutes it lies."""
    blip = int(n * share)
    first = int(blip * part)
    hits = [0.0] * 60 + [first, blip - first] + [0.0] * after
    found = asked(series(hits, of=n, rate=rate))
    assert not found.lasting.any()


@pytest.mark.parametrize("of", [1, 2, 5, 20, 200])
def test_what_goes_on_lasts(of):
    assert last([0.0] * 60 + [float(of)] * 20, of=of, rate=0.01)


def test_three_minutes_in_a_row_are_no_blip():
    assert last([0.0] * 60 + [9.0] * 3)
    assert not last([0.0] * 60 + [9.0] * 2)


# ---- what is over ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [5, 15, 60])
def test_what_ended_is_over_long_before_it_leaves_the_windows(length):
    hits = [0.0] * 60 + [10.0] * length
    assert last(hits)
    assert not any(last([*hits, *[0.0] * quiet]) for quiet in range(15, REACH, 7))


def test_what_flaps_goes_on():
    assert last([0.0] * 60 + [10.0, 10.0, 0.0] * 10)


def test_an_ended_failure_does_not_hide_a_new_one():
    assert last([0.0] * 60 + [10.0] * 10 + [0.0] * 60 + [10.0] * 5)
