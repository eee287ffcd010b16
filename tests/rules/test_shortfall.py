"""`shortfall`: silences and drops of volume, and no alarm where none are."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rules import Frame, Rule, Scope, Spec
from rules.shortfall import Shortfall
from tests.characters import minute
from tests.rules.frames import View, bank, breaches, judged, part

HOUR, DAY = 60, 1440
TUESDAY, FRIDAY, SATURDAY = 0, 3, 4
WEB, H2H, OTHER = Scope("pagos", "web"), Scope("pagos", "h2h"), Scope("recaudos", "web")
RHYTHM = np.array([0.1] * 6 + [0.5, 0.8] + [1.0] * 10 + [0.6, 0.4] + [0.2] * 4)
"""A day of the bank by hour, as a part of its busiest."""
SMOOTH = np.interp(np.arange(DAY), np.arange(25) * HOUR, [*RHYTHM, RHYTHM[0]])
"""The same by minute, without steps."""


def shortfall(**told) -> Shortfall:
    return Shortfall(Spec(name="volumen"), **told)


class Flow:
    """Arrivals a minute on three pairs, some days before the Tuesday and some of it; then things go wrong.

    Times are minutes from that Tuesday's midnight. Weekends have a tenth.
    """

    def __init__(
        self, until: int, *, days: int = 7, rate: float = 6.0, seed: int = 1, rhythm: np.ndarray = SMOOTH
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.days, self.start = days, minute("00:00", day=-days)
        clock = np.arange(days * DAY + until)
        weekend = np.isin((clock // DAY - days) % 7, (SATURDAY, SATURDAY + 1))
        due = rate * rhythm[clock % DAY] * np.where(weekend, 0.1, 1.0)
        self.told = {scope: self.rng.poisson(due).astype(float) for scope in (WEB, H2H, OTHER)}

    def lose(self, start: int, end: int, share: float = 1.0, *, scope: Scope = WEB) -> Flow:
        here = slice(self.days * DAY + start, self.days * DAY + end)
        self.told[scope][here] = self.rng.binomial(self.told[scope][here].astype(int), 1 - share)
        return self

    def gap(self, start: int, end: int, scope: Scope = WEB) -> Flow:
        self.told[scope][self.days * DAY + start : self.days * DAY + end] = np.nan
        return self

    def at(self) -> Frame:
        told = {scope: {"total": seen, "arrivals": seen} for scope, seen in self.told.items()}
        return bank(self.start, told, zeros=True)

    def found(self, scope: Scope = WEB, **told) -> list[int]:
        """The minutes of the scope in breach."""
        frame = self.at()
        said = breaches(judged(shortfall(**told), frame, range(frame.start, frame.end, DAY)))
        return [m - minute("00:00") for m in said.get(scope, [])]


# ---- the law of spans --------------------------------------------------------------------------------------------

LAW = settings(max_examples=4, derandomize=True, phases=(Phase.explicit, Phase.generate))
cuts = st.lists(st.integers(-2 * DAY, 14 * HOUR).map(lambda m: minute("00:00") + m), max_size=8)
begins = st.integers(8 * HOUR, 12 * HOUR)


def same(flow: Flow, edges: list[int], **told) -> None:
    frame = flow.at()
    at_once = judged(shortfall(**told), frame)
    assert judged(shortfall(**told), frame, edges) == at_once
    assert judged(shortfall(**told), frame, range(minute("07:00"), frame.end)) == at_once


@LAW
@given(st.integers(0, 2**32 - 1), begins, st.integers(1, 120), st.floats(0.3, 1), cuts)
def test_however_a_drop_is_cut_the_same_is_said(seed, start, length, share, edges):
    same(Flow(14 * HOUR, days=2, seed=seed).lose(start, start + length, share), edges)


@LAW
@given(st.integers(0, 2**32 - 1), begins, cuts)
def test_however_a_gap_is_cut_the_same_is_said(seed, start, edges):
    same(Flow(14 * HOUR, days=1, seed=seed).gap(start, start + 40), edges)


@LAW
@given(st.integers(0, 2**32 - 1), begins, cuts)
def test_however_a_drop_that_outlasts_the_freeze_is_cut_the_same_is_said(seed, start, edges):
    flow = Flow(15 * HOUR, days=2, seed=seed).lose(start, start + 150, 0.9)
    same(flow, edges, freeze=timedelta(minutes=40))


def test_whoever_comes_late_in_a_span_changes_nothing_before():
    flow = Flow(14 * HOUR, days=1).lose(9 * HOUR, 11 * HOUR, 0.55)
    for i in range(60):
        flow.told[Scope(f"nuevo{i}", "web2")] = flow.told[OTHER].copy()
        flow.gap(-DAY, 13 * HOUR, Scope(f"nuevo{i}", "web2"))
    same(flow, [minute("13:00")])


def test_a_restart_that_trains_on_the_same_minutes_goes_on_as_no_restart():
    frame = Flow(14 * HOUR, days=2).lose(9 * HOUR, 9 * HOUR + 20).lose(13 * HOUR, 14 * HOUR).at()
    lived, rule, mid = judged(shortfall(), frame, range(minute("08:00"), frame.end)), shortfall(), minute("11:07")
    judged(rule, part(frame, frame.start, mid))
    after = judged(rule, part(frame, mid, frame.end))
    assert after == {key: said for key, said in lived.items() if key[1] >= mid}
    assert breaches(after)


# ---- found -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "within"), [(1, 60), (3, 25), (10, 10), (100, 6)])
def test_a_silence_at_noon_is_found_and_the_busier_the_sooner(rate, within):
    for seed in range(3):
        minutes = Flow(14 * HOUR, rate=rate, seed=seed).lose(12 * HOUR, 14 * HOUR).found()
        assert 12 * HOUR + 2 <= minutes[0] <= 12 * HOUR + within, (rate, seed)
        assert minutes[-1] == 14 * HOUR - 1


@pytest.mark.parametrize(("rate", "share", "within"), [(30, 0.6, 15), (100, 0.6, 10), (10, 0.8, 20)])
def test_a_drop_of_volume_is_found(rate, share, within):
    minutes = Flow(14 * HOUR, rate=rate).lose(12 * HOUR, 14 * HOUR, share).found()
    assert minutes[0] <= 12 * HOUR + within


def test_it_began_where_it_began_and_is_over_when_they_are_back():
    flow = Flow(15 * HOUR, rate=10).lose(12 * HOUR, 13 * HOUR)
    frame = flow.at()
    said = judged(shortfall(), frame)
    first, last = breaches(said)[WEB][0], breaches(said)[WEB][-1]
    assert abs(said[WEB, first][1] - minute("12:00")) <= 5
    assert minute("12:59") <= last <= minute("13:10")


def test_a_whole_channel_that_goes_silent_is_found_as_a_channel():
    flow = Flow(13 * HOUR).lose(12 * HOUR, 13 * HOUR).lose(12 * HOUR, 13 * HOUR, scope=OTHER)
    assert flow.found(Scope(channel="web"))[0] <= flow.found(WEB)[0]
    assert not flow.found(H2H)


def test_a_silence_on_the_first_day_is_found_too():
    minutes = Flow(13 * HOUR, days=0, rate=10).lose(12 * HOUR, 13 * HOUR).found()
    assert 12 * HOUR < minutes[0] <= 12 * HOUR + 30


# ---- not found ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.5, 5, 50])
def test_two_ordinary_weeks_are_two_weeks_of_peace(rate):
    frame = Flow(DAY, days=13, rate=rate).at()
    assert not breaches(judged(shortfall(), frame, range(frame.start, frame.end, DAY)))


def test_the_quarter_before_a_steep_rise_is_no_drop():
    flow = Flow(DAY, days=8, rate=100, rhythm=np.repeat(RHYTHM, HOUR))
    assert not flow.found()


@pytest.mark.parametrize("night", [0.0, 0.05])
def test_a_bank_that_opens_and_closes_is_quiet_but_for_its_first_evening(night):
    hours = np.where(np.isin(np.arange(DAY) // HOUR, range(7, 19)), 1.0, night)
    assert not [m for m in Flow(DAY, days=8, rhythm=hours).found() if m > -7 * DAY]


@pytest.mark.parametrize("times", [2, 4, 6])
def test_after_a_busy_time_no_more_is_due_than_on_other_days(times):
    flow = Flow(15 * HOUR, rate=20)
    busy = slice(flow.days * DAY + 10 * HOUR, flow.days * DAY + 12 * HOUR)
    for seen in flow.told.values():
        seen[busy] *= times
    assert not flow.found()
    said = shortfall().check(View(flow.at()))
    here = (said.frame.series == said.frame.scopes.index(WEB)) & (said.frame.minute >= minute("12:00"))
    assert here.any()
    assert said.expected[here].max() < 1.1 * 20


@pytest.mark.parametrize("lost", [1, 2])
def test_a_pause_of_a_minute_or_two_is_none(lost):
    for rate in (5, 50, 500):
        assert not Flow(13 * HOUR, rate=rate).lose(12 * HOUR, 12 * HOUR + lost).found()


def test_a_busy_day_and_the_ordinary_one_after_it_are_none():
    flow = Flow(15 * HOUR, rate=10)
    yesterday = slice((flow.days - 1) * DAY, flow.days * DAY)
    for seen in flow.told.values():
        seen[yesterday] *= 3
    assert not flow.found()


def test_the_quiet_of_a_holiday_is_the_quiet_of_a_sunday():
    """20 July 2026 is a Monday: who knows the Sundays is not surprised; a Monday without a holiday would be one."""
    holiday = int((minute("00:00", day=139) - minute("00:00")) / DAY)
    flow = Flow(10 * HOUR, days=9)
    flow.start += holiday * DAY
    quiet = slice(flow.days * DAY, flow.days * DAY + 10 * HOUR)
    shifted = {scope: np.concatenate([seen[: flow.days * DAY], seen[quiet]]) for scope, seen in flow.told.items()}
    clock = np.arange(flow.days * DAY + 10 * HOUR)
    # From Saturday the 11th: Monday the 13th is a holiday too, by the law that moves them.
    off = np.isin(clock // DAY, (0, 1, 2, 7, 8, 9))
    due = 6 * SMOOTH[clock % DAY] * np.where(off, 0.1, 1.0)
    flow.told = {scope: flow.rng.poisson(due).astype(float) for scope in shifted}
    frame = flow.at()
    assert frame.start == minute("00:00", day=130)
    assert not breaches(judged(shortfall(), frame))
    moved = Frame(**{name: getattr(frame, name) for name in ("scopes", "series", "columns")}, start=frame.start + DAY,
                  end=frame.end + DAY, minute=frame.minute + DAY)  # fmt: skip
    assert breaches(judged(shortfall(), moved)), "the same quiet on an ordinary Tuesday"


def test_in_a_gap_nothing_is_said_and_after_it_nothing_is_missing():
    flow = Flow(15 * HOUR, rate=20).gap(12 * HOUR, 13 * HOUR)
    said = judged(shortfall(), flow.at())
    inside = range(minute("12:00"), minute("13:00"))
    assert not [m for scope, m in said if scope in (WEB, Scope("pagos"), Scope(channel="web")) and m in inside]
    assert [m for scope, m in said if scope == H2H and m in inside] == list(inside)
    assert not breaches(said)


def test_of_a_bank_of_which_nothing_has_come_nothing_is_said():
    rule, nobody = shortfall(), bank(minute("09:00"), {WEB: {"total": [np.nan] * 30, "arrivals": [np.nan] * 30}})
    nobody = part(nobody, nobody.start, nobody.end)
    assert not nobody.scopes
    assert not judged(rule, nobody, range(nobody.start, nobody.end, 5))


def test_until_half_an_hour_is_known_it_cannot_say():
    said = judged(shortfall(), Flow(HOUR, days=0, rate=20).lose(20, 30).at())
    assert {letter for (_, m), (letter, _) in said.items() if m < minute("00:30")} == {"?"}
    assert "h" in {letter for (_, m), (letter, _) in said.items() if m >= minute("00:30")}


# ---- what is learned ---------------------------------------------------------------------------------------------


def test_a_silence_is_not_learned():
    flow = Flow(13 * HOUR, rate=10).lose(-DAY + 12 * HOUR, -DAY + 14 * HOUR).lose(12 * HOUR, 13 * HOUR)
    today = [m for m in flow.found() if m > 0]
    assert today[0] <= 12 * HOUR + 10


def test_a_lasting_drop_is_the_new_normal_in_the_end():
    minutes = Flow(10 * DAY, days=3, rate=10).lose(8 * HOUR, 10 * DAY, 0.7).found()
    assert minutes[0] <= 9 * HOUR
    assert not [m for m in minutes if m > 8 * DAY]


def test_what_is_maintained_is_neither_judged_nor_learned():
    idle = range(minute("12:00"), minute("13:00"))
    frame = Flow(15 * HOUR, rate=20).lose(12 * HOUR, 13 * HOUR).at()
    said = judged(shortfall(), frame, idle=idle)
    assert not [key for key in said if key[1] in idle]
    assert not breaches(said)
    gone = Flow(15 * HOUR, rate=20).lose(12 * HOUR, 13 * HOUR).gap(12 * HOUR, 13 * HOUR)
    for scope in (H2H, OTHER):
        gone.gap(12 * HOUR, 13 * HOUR, scope)
    assert said == judged(shortfall(), gone.at())


# ---- its entry ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [({"levels": [["client_id"]]}, "^levels: knows no 'client_id'"), ({"budget": -1}, "^budget: must be above 0")],
)
def test_what_is_wrong_is_told_under_its_key(options, message):
    with pytest.raises(ValueError, match=message):
        shortfall(**options)


def test_it_keeps_the_protocol():
    assert isinstance(shortfall(), Rule)
