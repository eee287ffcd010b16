"""`due`: a batch that came on every business day, and today did not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rules import Frame, Rule, Scope, Spec
from rules.due import Due
from tests.characters import ACEROS, CAFE, minute
from tests.rules.frames import CALENDAR, Told, bank, breaches, judged, part

HOUR, DAY = 60, 1440
TEN = 10 * HOUR
OF_ACEROS = Scope("pagos", "", ACEROS.nit)


class Mornings:
    """Aceros sends a batch at ten on each business day, beside what everybody sends all the time.

    Days are counted from the Tuesday; the first is `first`.
    """

    def __init__(self, first: int = -14, last: int = 0, *, size: int = 80, seed: int = 1, other: float = 1.0) -> None:
        self.rng = np.random.default_rng(seed)
        self.first, self.start = first, minute("00:00", day=first)
        length = (last + 1 - first) * DAY
        self.aceros = self.rng.poisson(0.05, length).astype(float)
        self.others = self.rng.poisson(other, length).astype(float)
        self.size = size
        self.dark: tuple[tuple[Scope, int, int], ...] = ()
        for day in range(first, last + 1):
            if self.business(day):
                self.batch(day)

    def business(self, day: int) -> bool:
        noon = minute("12:00", day=day)
        return int(CALENDAR.days(noon, noon + 1)[0]) == 0

    def batch(self, day: int, clock: int = TEN, size: int | None = None) -> Mornings:
        at = (day - self.first) * DAY + clock + int(self.rng.integers(8))
        self.aceros[at : at + 4] += (size or self.size) / 4
        return self

    def without(self, day: int) -> Mornings:
        at = (day - self.first) * DAY + TEN
        self.aceros[at - 10 : at + 20] = 0
        return self

    def at(self) -> Frame:
        whole = bank(
            self.start,
            {
                Scope("pagos", "h2h", ACEROS.nit): {"total": self.aceros},
                Scope("pagos", "web", CAFE.nit): {"total": self.others},
            },
        )
        return replace(whole, dark=self.dark)

    def unheard(self, clock: str, until: str, channel: str = "h2h") -> Mornings:
        """The source of a channel does not tell in these minutes of the Tuesday, and what it has is not known."""
        a, b = minute(clock), minute(until)
        self.dark += ((Scope("pagos", channel), a, b),)
        (self.aceros if channel == "h2h" else self.others)[a - self.start : b - self.start] = 0
        return self

    def said(self, **told) -> Told:
        frame = self.at()
        return judged(Due(Spec(name="lotes"), **told), frame, range(frame.start, frame.end, DAY))

    def found(self, **told) -> list[int]:
        """The minutes of the Tuesday in which Aceros' batch is missing; nothing else ever is."""
        missing = breaches(self.said(**told))
        assert set(missing) <= {OF_ACEROS}
        return [m - minute("00:00") for m in missing.get(OF_ACEROS, [])]


# ---- the law of spans --------------------------------------------------------------------------------------------


def test_however_the_days_are_cut_the_dark_is_the_same():
    frame = Mornings(-6).without(0).unheard("10:50", "11:20").at()
    at_once = judged(Due(Spec(name="lotes")), frame)
    assert {letter for letter, _ in at_once.values()} >= {"B", "?"}
    assert judged(Due(Spec(name="lotes")), frame, range(minute("09:00"), frame.end)) == at_once


@settings(max_examples=3, derandomize=True, phases=(Phase.explicit, Phase.generate))
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([None, 30, 150, 400]),
    st.lists(st.integers(-6 * DAY, DAY - 1), max_size=8),
)
def test_however_the_days_are_cut_the_same_is_said(seed, late, edges):
    mornings = Mornings(-6, seed=seed).without(0)
    frame = (mornings.batch(0, TEN + late) if late else mornings).at()
    at_once = judged(Due(Spec(name="lotes")), frame)
    assert breaches(at_once)
    assert judged(Due(Spec(name="lotes")), frame, [minute("00:00") + m for m in edges]) == at_once
    assert judged(Due(Spec(name="lotes")), frame, range(minute("20:00", day=-1), frame.end)) == at_once


@pytest.mark.parametrize("clock", ["09:58", "10:17", "10:52", "13:00"])
def test_a_restart_that_trains_on_the_same_minutes_goes_on_as_no_restart(clock):
    frame, rule, mid = Mornings().without(0).at(), Due(Spec(name="lotes")), minute(clock)
    lived = judged(Due(Spec(name="lotes")), frame, range(minute("08:00"), frame.end))
    judged(rule, part(frame, frame.start, mid))
    after = judged(rule, part(frame, mid, frame.end))
    assert after == {key: said for key, said in lived.items() if key[1] >= mid}
    assert breaches(after)


# ---- missing -----------------------------------------------------------------------------------------------------


def test_a_batch_that_always_came_by_then_is_missed_within_the_hour():
    minutes = Mornings().without(0).found()
    assert TEN < minutes[0] <= TEN + HOUR
    assert minutes == list(range(minutes[0], minutes[-1] + 1))


def test_it_has_been_missing_since_when_it_always_came():
    said = Mornings().without(0).said()
    onset = {first - minute("00:00") for letter, first in said.values() if letter == "B"}
    assert len(onset) == 1
    assert TEN - 30 <= onset.pop() <= TEN + 15


@pytest.mark.parametrize("late", [60, 120])
def test_a_batch_that_comes_late_ends_it(late):
    minutes = Mornings().without(0).batch(0, TEN + late).found()
    assert TEN + late <= minutes[-1] + 1 <= TEN + late + 15


def test_what_is_too_small_to_be_it_does_not_end_it():
    minutes = Mornings().without(0).batch(0, TEN + 90, size=12).found()
    assert minutes[-1] > TEN + 120


@pytest.mark.parametrize(("clock", "until"), [("09:50", "10:20"), ("10:05", "11:30"), ("09:00", "15:00")])
def test_nothing_is_missed_where_nobody_told(clock, until):
    assert not Mornings().unheard(clock, until).found()


def test_a_dark_channel_does_not_hide_what_is_missing_beside_it():
    dark = Mornings().unheard("09:50", "10:20", "web").without(0)
    other = replace(dark.at(), dark=((Scope("recaudos"), minute("09:50"), minute("10:20")),))
    assert breaches(judged(Due(Spec(name="lotes")), other, range(other.start, other.end, DAY)))


def test_what_may_have_come_in_the_dark_is_unknown():
    said = Mornings().without(0).unheard("11:00", "11:30").said()
    letters = {m - minute("00:00"): letter for (_, m), (letter, _) in said.items() if m >= minute("10:00")}
    assert letters[TEN + 59] == "B"
    assert {letters[TEN + m] for m in range(60, 180)} == {"?"}


def test_nobody_waits_for_ever():
    minutes = Mornings().without(0).found()
    assert TEN + 3 * HOUR < minutes[-1] < TEN + 6 * HOUR


def test_once_a_day_it_is_told_whatever_comes_later():
    minutes = Mornings(last=0).without(0).batch(0, TEN + 90).found()
    assert minutes[-1] - minutes[0] == len(minutes) - 1


def test_a_batch_missed_yesterday_is_missed_today():
    minutes = Mornings().without(-1).without(0).found()
    assert any(m < 0 for m in minutes)
    assert any(m > 0 for m in minutes)


# ---- not missing -------------------------------------------------------------------------------------------------


def test_a_batch_on_time_is_not_missed():
    assert not Mornings().found()


def test_on_weekends_and_holidays_nothing_is_due():
    """From Tuesday to the Monday after next: two weekends; and over 20 July 2026, a Monday and a holiday."""
    assert not Mornings(-14, 13).found()
    assert not Mornings(120, 141).found()


def test_after_a_weekend_and_a_holiday_it_is_due_again():
    """21 July 2026 is the Tuesday after."""
    mornings = Mornings(120, 140).without(140)
    minutes = breaches(mornings.said())[OF_ACEROS]
    assert minute("10:00", day=140) < minutes[0] <= minute("11:00", day=140)


@pytest.mark.parametrize("days", [2, 3])
def test_of_few_days_nothing_is_said(days):
    """Before the Tuesday lie a Monday, a Friday and a Thursday."""
    mornings = Mornings(-days - 2).without(0)
    assert not mornings.found(min_days=days + 1)
    assert mornings.found(min_days=days)


def test_a_batch_that_comes_on_some_days_only_is_not_due():
    mornings = Mornings()
    for day in (-5, -8, -12):
        mornings.without(day)
    missing = [m for m in mornings.without(0).found() if m > 0]
    assert not missing or missing[0] > TEN  # told as long as nobody knows better, never before its hour


def test_a_few_rows_are_no_batch():
    assert not Mornings(size=12).without(0).found()
    assert Mornings(size=60).without(0).found()
    assert not Mornings(size=60).without(0).found(min_rows=100)


def test_who_sends_as_much_all_day_sends_no_batches():
    mornings = Mornings()
    mornings.aceros += mornings.rng.poisson(4, len(mornings.aceros))
    assert not mornings.without(0).found()


@pytest.mark.parametrize("length", [60, 120])
def test_where_the_whole_source_is_silent_no_batch_is_missing(length):
    mornings = Mornings(other=4)
    here = slice(14 * DAY + TEN - 20, 14 * DAY + TEN - 20 + length)
    mornings.without(0)
    mornings.aceros[here] = mornings.others[here] = 0
    assert not [m for m in mornings.found() if m < TEN - 20 + length]


def test_a_source_that_comes_back_with_what_it_held_is_no_missing_batch():
    mornings = Mornings(other=4)
    here = slice(14 * DAY + TEN - 20, 14 * DAY + TEN + 40)
    mornings.without(0)
    mornings.aceros[here] = mornings.others[here] = 0
    assert not mornings.batch(0, TEN + 40).found()


# ---- its entry ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [1, 99])
def test_what_is_wrong_is_told_under_its_key(days):
    with pytest.raises(ValueError, match=r"^min_days: must be from 2 to "):
        Due(Spec(name="lotes"), min_days=days)


def test_it_keeps_the_protocol():
    assert isinstance(Due(Spec(name="lotes")), Rule)
