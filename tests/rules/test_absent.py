"""`absent`: no rows where rows are due, and no alarm where none are."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from monitor.windows import minute_of
from rules.absent import Absent
from tests.characters import minute
from tests.rules.frames import checked, letters, spec

RNG = np.random.default_rng(3)
START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def whatever_ran_before() -> None:
    """Each test draws the same numbers, alone or after any others."""
    RNG.bit_generator.state = START


def day(rate: float = 30, *, awake: tuple[int, int] = (0, 24)) -> list[float]:
    """A day by minute, local time, silent outside the waking hours."""
    return [float(RNG.poisson(rate)) if awake[0] <= m // 60 < awake[1] else 0.0 for m in range(1440)]


def learned(rule: Absent, days: int, **told) -> int:
    """Shown some days; the first minute after them."""
    start = minute("00:00", day=-days)
    checked(rule, start, total=[x for _ in range(days) for x in day(**told)])
    return start + days * 1440


def test_a_silence_at_noon_is_found_within_a_minute_at_thirty_a_minute():
    rule = Absent(spec())
    start = learned(rule, 2)
    total = day()[: 12 * 60] + [0.0] * 10 + day()[:10]
    assert letters(checked(rule, start, total=total))[12 * 60 - 3 :] == "hhh" + "B" * 10 + "h" * 10


def test_the_fewer_rows_are_due_the_longer_it_takes():
    took = []
    for rate in (10, 3, 1):
        rule = Absent(spec())
        start = learned(rule, 5, rate=rate)
        found = letters(checked(rule, start, total=[*day(rate)[: 12 * 60], *[0.0] * 90]))[12 * 60 :]
        assert found == "?" * found.count("?") + "B" * found.count("B")
        took.append(found.count("?"))
    assert took == sorted(took)
    assert took[0] <= 2
    assert took[-1] <= 60


def test_after_the_first_a_quiet_night_is_no_alarm():
    rule = Absent(spec())
    start = learned(rule, 5, awake=(6, 21))
    nights = letters(checked(rule, start, total=[x for _ in range(3) for x in day(awake=(6, 21))]))
    assert "B" not in nights


def test_and_the_silence_of_the_day_after_a_quiet_night_is():
    rule = Absent(spec())
    start = learned(rule, 4, awake=(6, 21))
    total = day(awake=(6, 21))[: 11 * 60] + [0.0] * 30
    assert letters(checked(rule, start, total=total))[11 * 60 + 1 :] == "B" * 29


def test_the_quiet_night_of_the_first_payday_is_no_alarm_and_its_silent_noon_is():
    """The 15th of March 2026 is a Sunday: wages are paid on the 13th, whose clock is new, as the business days' is not."""
    rule, payday = Absent(spec()), minute_of(datetime(2026, 3, 13, tzinfo=ZoneInfo("America/Bogota")))
    checked(rule, payday - 9 * 1440, total=[x for _ in range(9) for x in day(awake=(6, 21))])
    found = letters(checked(rule, payday, total=[*day(awake=(6, 21))[: 12 * 60], *[0.0] * 30]))
    assert "B" not in found[: 12 * 60]
    assert found[12 * 60 + 1 :] == "B" * 29


def test_batches_every_ten_minutes_are_no_alarm():
    rule = Absent(spec())
    found = letters(checked(rule, "00:00", total=[300.0 if m % 10 == 0 else 0.0 for m in range(2 * 1440)]))
    assert "B" not in found


def test_a_batch_that_does_not_come_is_one_in_the_end():
    rule = Absent(spec())
    batches = [300.0 if m % 10 == 0 else 0.0 for m in range(2 * 1440)]
    found = letters(checked(rule, "00:00", total=[*batches, *[0.0] * 240]))[len(batches) :]
    assert "B" not in found[:20]
    assert found.endswith("B" * 60)


def test_while_warming_it_cannot_say():
    found = letters(checked(Absent(spec()), "10:00", total=[*day()[:10], 0.0, 0.0]))
    assert set(found) == {"?"}


def test_a_gap_is_neither_silence_nor_its_end():
    rule = Absent(spec())
    start = learned(rule, 2)
    verdicts = checked(rule, start, total=[*day()[: 12 * 60], *[None] * 30, *day()[:5]])
    assert "B" not in letters(verdicts)
    assert len(verdicts.verdict) == 12 * 60 + 5
    again = checked(rule, start + 12 * 60 + 35, total=[0.0, 0.0, None, 0.0, 30.0])
    assert letters(again) == "BBBh"


def test_rows_that_must_be_due_at_least():
    rule = Absent(spec(min_total=100))
    start = learned(rule, 2)
    found = letters(checked(rule, start, total=[*day()[: 12 * 60], *[0.0] * 10]))[-10:]
    assert found.startswith("??")
    assert found.endswith("BBBB")


def test_the_cut_of_spans_makes_no_difference():
    total = [*day()[:600], *[0.0] * 5, None, *[0.0] * 3, *day()[:30]]
    whole, cut = Absent(spec()), Absent(spec())
    start = minute("00:00")
    at_once = letters(checked(whole, start, total=total))
    by_minute = "".join(letters(checked(cut, start + m, total=[x])) for m, x in enumerate(total))
    assert at_once == by_minute
