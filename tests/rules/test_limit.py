"""`limit`: in breach where the expression is true, UNKNOWN where it cannot say."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from rules.limit import Limit
from tests.rules.frames import checked, letters, spec


def test_breach_healthy_and_unknown():
    rule = Limit(spec(), when="failed_rate > 0.05")
    verdicts = checked(rule, "10:00", total=[100, 100, 100, 0, 1], failed=[6, 5, 0, 0, 1])
    assert letters(verdicts) == "Bhh?B"
    np.testing.assert_allclose(verdicts.value, [0.06, 0.05, 0, np.nan, 1])
    assert np.isnan(verdicts.expected).all()


def test_below_its_volume_it_cannot_say():
    rule = Limit(spec(min_total=30), when="failed_rate > 0.05")
    assert letters(checked(rule, "10:00", total=[29, 30, 30], failed=[29, 30, 0])) == "?Bh"


def test_a_division_by_zero_is_unknown():
    rule = Limit(spec(), when="failed / rejected > 2")
    assert letters(checked(rule, "10:00", total=[9, 9, 9], failed=[3, 6, 3], rejected=[0, 2, 2])) == "?Bh"


def test_null_is_not_healthy_where_the_other_half_decides_nothing():
    rule = Limit(spec(), when="failed_rate > 0.05 and total >= 0")
    assert letters(checked(rule, "10:00", total=[0], failed=[0])) == "?"
    rule = Limit(spec(), when="failed_rate > 0.05 or total = 0")
    assert letters(checked(rule, "10:00", total=[0], failed=[0])) == "B"


def test_a_rule_about_silence_is_asked_of_silent_minutes():
    assert letters(checked(Limit(spec(), when="total < 1"), "10:00", total=[0, 3, None, 0])) == "BhB"


@pytest.mark.parametrize(
    ("when", "shown", "way"),
    [
        ("failed_rate > 0.05", "failed_rate", "failed"),
        ("total > 5 and rejected_rate > 0.3", "total", "rejected"),
        ("FAILED_RATE > 0.05 and failed > 3", "failed_rate", "failed"),
        ("latency_p95 > 2000", "latency_p95", "slow"),
        ("total < 5", "total", "missing"),
        ("1 = 1", "total", "missing"),
    ],
)
def test_it_shows_the_first_measure_that_it_names(when, shown, way):
    rule = Limit(spec(), when=when)
    assert rule.shown == shown
    assert rule.ways == {way}
    assert {"total", shown} <= rule.measures


def test_what_it_shows_does_not_hang_on_the_run():
    rule = "Limit(Spec(name='a'), when='failed_rate > 0.1 and failed > 3')"
    say = f"from rules import Spec; from rules.limit import Limit; print({rule}.shown)"
    runs = [
        subprocess.run(
            [sys.executable, "-c", say], env={"PYTHONHASHSEED": str(n)}, capture_output=True, text=True, check=True
        )
        for n in range(6)
    ]
    assert {run.stdout.strip() for run in runs} == {"failed_rate"}


def test_of_metrics_no_total_is_asked():
    rule = Limit(spec(), when="value > 90")
    assert rule.measures == {"value"}
    assert letters(checked(rule, "10:00", value=[91, 90, 3])) == "Bhh"


@pytest.mark.parametrize(
    "when",
    [
        "",
        "failed_rate >",
        "total > (SELECT 1)",
        "sum(total) > 3",
        "no_such > 1",
        "total > 1; DROP TABLE x",
        "now() > 1",
    ],
)
def test_what_is_no_expression_is_told_under_its_key(when):
    with pytest.raises(ValueError, match=r"^when: "):
        Limit(spec(), when=when)
