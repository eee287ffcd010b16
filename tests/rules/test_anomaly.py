"""`anomaly`: far from its own past, by a change that matters and that chance does not explain."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from rules.anomaly import Anomaly
from tests.rules.frames import checked, letters, spec

RNG = np.random.default_rng(7)
START = RNG.bit_generator.state
EWMA = {"kind": "ewma", "direction": "up"}
HOURS = 180


@pytest.fixture(autouse=True)
def whatever_ran_before() -> None:
    """Each test draws the same numbers, alone or after any others."""
    RNG.bit_generator.state = START


def rate(**options) -> Anomaly:
    told = {"measure": "failed_rate", "detector": EWMA} | options
    return Anomaly(spec(min_total=told.pop("min_total", 20)), **told)


def usual(n: int = HOURS, *, total: int = 200, share: float = 0.02) -> dict[str, list[float]]:
    return {"total": [total] * n, "failed": RNG.binomial(total, share, n).tolist()}


def then(before: dict[str, list[float]], **after: list[float]) -> dict[str, list[float]]:
    return {name: [*column, *after[name]] for name, column in before.items()}


def last(rule: Anomaly, n: int, columns: dict[str, list[float]]) -> str:
    return letters(checked(rule, "08:00", **columns))[-n:]


def test_an_ordinary_day_is_healthy_once_it_has_learned():
    found = letters(checked(rate(), "08:00", **usual()))
    assert "B" not in found
    assert set(found[:20]) == {"?"}
    assert found[60:].count("h") > 110


def test_a_jump_is_found_in_its_first_minute():
    assert last(rate(), 3, then(usual(), total=[200] * 3, failed=[40, 44, 4])) == "BBh"


def test_direction_is_kept():
    down = rate(detector={"kind": "ewma", "direction": "down"})
    assert "B" not in last(down, 3, then(usual(share=0.3), total=[200] * 3, failed=[190, 190, 190]))
    assert last(down, 2, then(usual(share=0.3), total=[200] * 2, failed=[0, 0])) == "BB"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"min_change": 0.15}, "B"),
        ({"min_change": 0.25}, "h"),
        ({"min_change_ratio": 5}, "B"),
        ({"min_change_ratio": 40}, "h"),
    ],
)
def test_a_change_that_does_not_matter_is_none(options, found):
    assert last(rate(**options), 1, then(usual(), total=[200], failed=[40])) == found


def test_below_its_volume_it_cannot_say():
    assert last(rate(min_total=50), 2, then(usual(), total=[49, 50], failed=[49, 50])) == "?B"


def test_at_low_volume_chance_is_an_explanation():
    """3 of 20 where 1 in 50 fails: ten times the usual rate, yet it happens once in a hundred such minutes."""
    assert last(rate(), 1, then(usual(total=20), total=[20], failed=[3])) != "B"
    assert last(rate(), 1, then(usual(total=20), total=[20], failed=[15])) == "B"


def test_the_minute_without_rows_is_unknown_and_not_learned():
    rule = rate(min_total=0)
    assert last(rule, 60, then(usual(), total=[0] * 60, failed=[0] * 60)) == "?" * 60
    assert letters(checked(rule, "12:00", total=[200, 200], failed=[4, 40])) == "hB"


def test_half_a_tail_is_unknown_neither_breach_nor_healthy():
    before = usual(share=0.1)
    ladder = [last(rate(min_change=0.001), 1, then(before, total=[200], failed=[n])) for n in range(20, 100, 2)]
    found = "".join(ladder)
    assert found == "h" * found.count("h") + "?" * found.count("?") + "B" * found.count("B")
    assert all(found.count(letter) > 2 for letter in "h?B")


def test_a_storm_is_not_learned_until_the_freeze_is_spent():
    patient, hasty = rate(freeze=timedelta(hours=2)), rate(freeze=timedelta(0))
    storm = then(usual(), total=[200] * 115, failed=[60] * 115)
    assert last(patient, 115, storm) == "B" * 115
    assert last(hasty, 115, storm).count("B") < 60


def test_a_lasting_change_is_the_new_normal_after_the_freeze():
    rule = rate(freeze=timedelta(minutes=30))
    found = last(rule, 200, then(usual(), total=[200] * 200, failed=RNG.binomial(200, 0.3, 200).tolist()))
    assert found[:30] == "B" * 30
    assert "B" not in found[-60:]


def test_a_count_is_asked_of_silent_minutes_where_enough_was_expected():
    drop = Anomaly(
        spec(min_total=20), measure="total", detector={"kind": "ewma", "direction": "down"}, min_change_ratio=0.4
    )
    busy = RNG.poisson(200, HOURS).tolist()
    assert last(drop, 3, {"total": [*busy, 0, 100, 195]}) == "BBh"
    quiet = Anomaly(spec(min_total=20), measure="total", detector={"kind": "ewma", "direction": "down"})
    assert last(quiet, 3, {"total": [*RNG.poisson(10, HOURS).tolist(), 0, 0, 10]}) == "???"


def test_one_place_a_series_whatever_else_comes():
    alone, together = rate(), rate()
    checked(alone, "08:00", **usual())
    for columns in (usual(), {"total": [], "failed": []}):
        checked(together, "08:00", **columns)
    assert letters(checked(together, "11:00", total=[200], failed=[50])) == "B"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measure": "failures"}, "^measure: knows no 'failures'"),
        ({"measure": "total", "detector": {"kind": "oracle"}}, "^detector: no detector kind 'oracle'"),
        ({"measure": "total", "detector": {"kind": "ewma", "wings": 2}}, "^detector: .*wings"),
        ({"measure": "total", "detector": {"kind": "ewma", "direction": "sideways"}}, "^detector: direction"),
    ],
)
def test_what_is_wrong_is_told_under_its_key(options, message):
    with pytest.raises(ValueError, match=message):
        Anomaly(spec(), **options)


def test_without_a_tail_it_is_that_of_the_kind():
    """Seven times the usual failures for a minute: rarer than one in a hundred, and not yet one in a million."""
    day = then(usual(1400), total=[200], failed=[30])
    wary = {"kind": "residuals", "direction": "up"}
    assert last(rate(detector=wary), 1, day) == "B"
    assert last(rate(detector=wary, tail=6.0), 1, day) != "B"
