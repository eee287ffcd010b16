"""`excess`: what is beyond a scope's own past, whatever its volume, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rules import BINS, Frame, Rule, Scope, Spec
from rules.excess import Excess
from tests.characters import ACEROS, CAFE, CAST, minute
from tests.rules.frames import Told, bank, breaches, judged, part

START = minute("00:00")
HOUR, DAY = 60, 1440
SPEC = Spec(name="fallas")
PAIRS = [(product, channel) for product in ("pagos", "recaudos") for channel in ("web", "h2h")]
WEB, PAGOS = Scope("pagos", "web"), Scope("pagos")


def excess(measure: str = "failed", **told) -> Excess:
    return Excess(SPEC, measure=measure, **told)


class Traffic:
    """What the three clients send on four pairs, each row failing by its client's own rate; then things go wrong."""

    def __init__(self, minutes: int, *, rate: float = 2.0, usual: float = 0.02, seed: int = 1, pairs=PAIRS) -> None:
        self.rng = np.random.default_rng(seed)
        self.minutes = minutes
        self.told = {
            Scope(product, channel, who.nit): self._sent(self.rng.poisson(rate, minutes), usual)
            for product, channel in pairs
            for who in CAST
        }

    def _sent(self, total: np.ndarray, share: float) -> dict[str, np.ndarray]:
        return {"total": total, "failed": self.rng.binomial(total, share)}

    def fails(self, start: int, end: int, share: float = 1.0, *, within: Scope = WEB) -> Traffic:
        """A share of the rows inside a scope fails for a while, beside those that fail anyway."""
        here = slice(start, end)
        for scope, columns in self.told.items():
            if within.overlaps(scope):
                left = columns["total"][here] - columns["failed"][here]
                columns["failed"][here] += self.rng.binomial(left, share)
        return self

    def at(self, start: int = START) -> Frame:
        return bank(start, self.told)


def found(frame: Frame, scope: Scope = WEB, **told) -> list[int]:
    """The minutes of a scope in breach, from the frame's start."""
    return [m - frame.start for m in breaches(judged(excess(**told), frame)).get(scope, [])]


# ---- the law of spans --------------------------------------------------------------------------------------------

LAW = settings(max_examples=4, derandomize=True, phases=(Phase.explicit, Phase.generate))
"""To shrink an example would take minutes."""
cuts = st.lists(st.integers(START + 1, START + 10 * HOUR), max_size=8)


def same(frame: Frame, measure: str, edges: list[int], **told) -> None:
    at_once = judged(excess(measure, **told), frame)
    assert judged(excess(measure, **told), frame, edges) == at_once
    assert judged(excess(measure, **told), frame, range(frame.start + 3 * HOUR, frame.end)) == at_once


@LAW
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.3, 2.0]), cuts)
def test_however_an_ordinary_night_is_cut_the_same_is_said(seed, rate, edges):
    same(Traffic(7 * HOUR, rate=rate, seed=seed).at(), "failed", edges)


@LAW
@given(st.integers(0, 2**32 - 1), st.integers(4 * HOUR, 5 * HOUR), st.integers(30, 60), st.floats(0.4, 1), cuts)
def test_however_a_night_with_a_failure_is_cut_the_same_is_said(seed, start, length, share, edges):
    same(Traffic(8 * HOUR, seed=seed).fails(start, start + length, share).at(), "failed", edges)


@LAW
@given(st.integers(0, 2**32 - 1), st.integers(4 * HOUR, 5 * HOUR), cuts)
def test_of_slowness_too(seed, start, edges):
    same(slow(8 * HOUR, start, start + 40, seed=seed), "slow", edges)


@pytest.mark.parametrize("mid", [6 * HOUR, 6 * HOUR + 7])
def test_a_restart_that_trains_on_the_same_minutes_goes_on_as_no_restart(mid):
    frame = Traffic(9 * HOUR).fails(5 * HOUR, 5 * HOUR + 20).fails(8 * HOUR, 8 * HOUR + 20, 0.4).at()
    lived = judged(excess(), frame, range(frame.start + 4 * HOUR, frame.end))
    rule = excess()
    judged(rule, part(frame, START, START + mid))
    after = judged(rule, part(frame, START + mid, frame.end))
    assert after == {key: said for key, said in lived.items() if key[1] >= START + mid}
    assert breaches(after)


# ---- found -------------------------------------------------------------------------------------------------------


def test_a_pair_of_one_row_a_minute_that_fails_wholly_is_found_within_a_quarter_of_an_hour():
    for seed in range(5):
        traffic = Traffic(6 * HOUR, rate=1 / 3, seed=seed).fails(5 * HOUR, 6 * HOUR)
        minutes = found(traffic.at())
        assert 5 * HOUR + 1 <= minutes[0] <= 5 * HOUR + 15, seed
        assert minutes[-1] >= 6 * HOUR - 5


@pytest.mark.parametrize(
    ("rate", "share", "within"), [(20, 0.08, 15), (20, 0.5, 5), (2, 0.3, 20), (2, 1, 6), (0.1, 1, 40)]
)
def test_the_more_there_is_to_see_the_sooner_it_is_found(rate, share, within):
    traffic = Traffic(7 * HOUR, rate=rate).fails(5 * HOUR, 7 * HOUR, share)
    first = found(traffic.at())[0]
    assert 5 * HOUR <= first <= 5 * HOUR + within


def test_its_first_bad_minute_is_told_near_where_it_began():
    frame = Traffic(6 * HOUR, rate=5).fails(5 * HOUR, 6 * HOUR, 0.6).at()
    said = judged(excess(), frame)
    onset = {said[WEB, m][1] - START for m in breaches(said)[WEB][:5]}
    assert all(5 * HOUR - 5 <= m <= 5 * HOUR + 5 for m in onset)


@pytest.mark.parametrize("rate", [8.0, 20.0, 80.0])
def test_what_fails_sharply_is_told_from_its_own_minute_where_some_always_fail(rate):
    """At a healthy minute of everyday failures it does not begin, however soon it is found."""
    for seed in range(4):
        frame = (
            Traffic(5 * HOUR + 4, rate=rate, usual=0.01, seed=seed, pairs=PAIRS[:1])
            .fails(5 * HOUR, 6 * HOUR, 0.95)
            .at()
        )
        said = judged(excess(), frame)
        first = next(m for m in breaches(said)[WEB] if m >= START + 5 * HOUR)
        assert said[WEB, first][1] == START + 5 * HOUR, seed


def test_it_is_over_soon_after_its_end():
    minutes = found(Traffic(8 * HOUR, rate=5).fails(5 * HOUR, 6 * HOUR, 0.6).at())
    assert 6 * HOUR - 1 <= minutes[-1] <= 6 * HOUR + 15


def test_one_client_that_fails_alone_is_found_as_that_client():
    of = Scope("recaudos", "", CAFE.nit)
    said = breaches(judged(excess(), Traffic(7 * HOUR).fails(5 * HOUR, 7 * HOUR, within=of).at()))
    assert said[of][0] <= START + 5 * HOUR + 15
    assert not [scope for scope in said if scope.client_id not in ("", CAFE.nit)]


def test_a_channel_that_fails_a_little_on_every_product_is_found_as_a_channel():
    of = Scope(channel="web")
    said = breaches(judged(excess(), Traffic(7 * HOUR, rate=3).fails(5 * HOUR, 7 * HOUR, 0.12, within=of).at()))
    assert said[of][0] <= min(minutes[0] for minutes in said.values()) + 5
    assert Scope(channel="h2h") not in said


def slow(minutes: int, start: int, end: int, *, seed: int = 1) -> Frame:
    """Rows mostly in the sixth and seventh step of latency; from start to end three steps later."""
    rng = np.random.default_rng(seed)
    told = {}
    for product, channel in PAIRS:
        total = rng.poisson(6, minutes)
        bins = np.stack([rng.multinomial(n, [0.5, 0.3, 0.15, 0.05]) for n in total], axis=1)
        columns = {"total": total} | dict.fromkeys(BINS, np.zeros(minutes))
        late = (np.arange(minutes) >= start) & (np.arange(minutes) < end) & (channel == "web")
        columns |= {f"b{5 + i}": np.where(late, 0, bins[i]) for i in range(3)}
        columns |= {f"b{8 + i}": np.where(late, bins[i], columns.get(f"b{8 + i}")) for i in range(3)}
        columns["b8"] = np.where(late, bins[0], bins[3])
        told[Scope(product, channel)] = columns
    return bank(START, told)


def test_slowness_is_found_on_what_is_slow():
    said = breaches(judged(excess("slow", min_change=0.2), slow(7 * HOUR, 5 * HOUR, 6 * HOUR)))
    assert Scope(channel="web") in said
    assert not [scope for scope in said if scope.channel == "h2h"]
    assert all(5 * HOUR <= m - START <= 6 * HOUR + 15 for minutes in said.values() for m in minutes)


# ---- not found ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.2, 2.0, 8.0])
def test_two_ordinary_weeks_are_two_weeks_of_peace(rate):
    frame = Traffic(14 * DAY, rate=rate, seed=13, pairs=PAIRS[:3]).at()
    assert not breaches(judged(excess(), frame, range(frame.start, frame.end, DAY)))


@pytest.mark.parametrize("seed", [11, 12, 14, 18])
def test_who_asks_for_fewer_false_alarms_has_fewer(seed):
    """Of twelve such fortnights these had one, at the budget that is shipped."""
    frame = Traffic(14 * DAY, rate=0.2, seed=seed, pairs=PAIRS[:3]).at()
    assert not breaches(judged(excess(budget=0.0005), frame, range(frame.start, frame.end, DAY)))


def test_hardly_any_blip_of_one_minute_is_told_however_it_straddles_two():
    """Most of one minute's rows fail, part of them in the next minute. What is left of chance is one in some hundreds."""
    rng, told = np.random.default_rng(5), 0
    for seed in range(40):
        n, straddles, share, after = rng.integers(1, 90), rng.random(), 0.75 * rng.random(), int(rng.integers(0, 41))
        traffic = Traffic(4 * HOUR + 5, rate=float(n) / 3, usual=0.01, seed=seed, pairs=PAIRS[:1])
        traffic.fails(4 * HOUR - after, 4 * HOUR - after + 1, share * straddles)
        traffic.fails(4 * HOUR - after + 1, 4 * HOUR - after + 2, share * (1 - straddles))
        told += bool(breaches(judged(excess(), traffic.at())))
    assert told <= 1


def test_a_clients_own_bad_habit_is_no_excess_and_the_same_of_another_client_is():
    bad, good = Scope("pagos", "", ACEROS.nit), Scope("pagos", "", CAFE.nit)
    traffic = Traffic(14 * HOUR).fails(0, 14 * HOUR, 0.3, within=bad)
    assert not breaches(judged(excess(), traffic.at()))
    traffic.fails(12 * HOUR, 14 * HOUR, 0.3, within=good)
    assert good in breaches(judged(excess(), traffic.at()))


def test_more_of_a_client_with_a_bad_habit_is_no_excess_of_the_channel():
    bad = Scope("pagos", "web", ACEROS.nit)
    traffic = Traffic(14 * HOUR)
    columns = traffic.told[bad]
    columns["total"] = traffic.rng.poisson(np.where(np.arange(14 * HOUR) < 12 * HOUR, 2, 20))
    columns["failed"] = traffic.rng.binomial(columns["total"], 0.3)
    assert not breaches(judged(excess(), traffic.at()))


def test_nothing_is_said_in_the_first_two_lessons_and_something_after():
    said = judged(excess(), Traffic(4 * HOUR, rate=10).fails(30, 2 * HOUR, 0.5).at())
    assert {letter for (_, m), (letter, _) in said.items() if m < START + 2 * HOUR} == {"?"}
    assert "h" in {letter for (_, m), (letter, _) in said.items() if m >= START + 2 * HOUR}


def test_a_change_that_does_not_matter_is_none():
    frame = Traffic(8 * HOUR, rate=30).fails(6 * HOUR, 8 * HOUR, 0.05).at()
    assert found(frame)
    assert not found(frame, min_change=0.2)
    assert not found(frame, min_ratio=10)
    assert not found(frame, min_hits=5000)


# ---- what is learned ---------------------------------------------------------------------------------------------


def test_what_is_in_breach_is_not_learned():
    """A second failure like the first, three hours long, is found as quickly; where it is learned, it is not."""
    traffic = Traffic(18 * HOUR).fails(6 * HOUR, 9 * HOUR, 0.25).fails(16 * HOUR, 17 * HOUR, 0.25)
    withheld, learned = (
        [m for m in found(traffic.at(), freeze=freeze) if m >= 16 * HOUR]
        for freeze in (timedelta(days=1), timedelta(0))
    )
    first = found(traffic.at())[0] - 6 * HOUR
    assert withheld[0] - 16 * HOUR <= 2 * first + 5
    assert not learned or learned[0] > withheld[0]


def test_a_lasting_change_is_the_new_normal_in_the_end():
    frame = Traffic(4 * DAY, rate=5, pairs=PAIRS[:2]).fails(DAY, 4 * DAY, 0.15).at()
    minutes = found(frame, freeze=timedelta(hours=6))
    assert minutes[0] <= DAY + 30
    assert not [m for m in minutes if m > 3 * DAY]


def without(told: Told, idle: range) -> Told:
    return {key: said for key, said in told.items() if key[1] not in idle}


@pytest.mark.parametrize("way", ["failed", "novel"])
def test_what_is_maintained_is_neither_judged_nor_learned(way):
    idle = range(START + 5 * HOUR, START + 6 * HOUR)
    traffic = Traffic(12 * HOUR).fails(5 * HOUR, 6 * HOUR).fails(11 * HOUR, 12 * HOUR, 0.4)
    for columns in traffic.told.values():
        columns["novel"] = columns["failed"]
    whole = traffic.at()
    there = judged(excess(way), whole, idle=idle)
    assert {letter for (_, m), (letter, _) in there.items() if m in idle} == {"?"}
    for columns in traffic.told.values():
        columns["total"][5 * HOUR : 6 * HOUR] = 0
    absent = judged(excess(way), traffic.at())
    assert without(there, idle) == absent
    assert WEB in breaches(absent)


# ---- what is wrong in its entry ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measure": "total"}, "^measure: knows no 'total'; there are failed, "),
        ({"measure": "failed", "levels": [["series"]]}, "^levels: knows no 'series'"),
        ({"measure": "failed", "budget": 0}, "^budget: must be above 0"),
    ],
)
def test_what_is_wrong_is_told_under_its_key(options, message):
    with pytest.raises(ValueError, match=message):
        Excess(SPEC, **options)


@pytest.mark.parametrize("measure", ["failed", "slow", "novel", "duplicated"])
def test_it_keeps_the_protocol(measure):
    rule = excess(measure)
    assert isinstance(rule, Rule)
    assert {"failed": "failed", "slow": "slow", "novel": "failed", "duplicated": "duplicated"}[measure] in rule.ways


def test_a_bank_with_nothing_to_say_is_told_nothing():
    nothing = Frame(
        START,
        START + 5,
        (),
        np.zeros(0, np.int64),
        np.zeros(0, np.int64),
        {"total": np.zeros(0), "failed": np.zeros(0)},
    )
    assert judged(excess(), nothing) == {}


def test_a_failure_that_follows_another_is_told_from_its_own_first_minute():
    frame = Traffic(8 * HOUR, rate=4.0, seed=3).fails(5 * HOUR, 5 * HOUR + 30).fails(6 * HOUR + 30, 7 * HOUR).at()
    letter, onset = judged(excess(), frame)[WEB, START + 6 * HOUR + 34]
    assert letter == "B"
    assert START + 6 * HOUR + 28 <= onset <= START + 6 * HOUR + 31
