"""Silences: what they match, when they hold, and when the first free moment is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.silences import Silence, matches, unsilenced

NOW = datetime(2026, 3, 3, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ROW = {
    "id": "AF-1",
    "product": "pagos",
    "channel": "web",
    "severity": "major",
    "kind": "failed",
    "rules": ["fallas", "caida"],
}


def silence(start: int, length: int, ended: int | None = None, **matchers: str) -> Silence:
    begins = NOW + start * MINUTE
    gone = None if ended is None else NOW + ended * MINUTE
    return Silence("S", matchers, "obra", "ana", NOW, begins, begins + length * MINUTE, ended_at=gone)


@pytest.mark.parametrize(
    ("matchers", "holds"),
    [
        ({}, True),
        ({"product": "pagos"}, True),
        ({"product": "pagos", "channel": "app"}, False),
        ({"severity": "critical"}, False),
        ({"kind": "failed", "rule": "caida"}, False),
        ({"rule": "otra"}, False),
        ({"incident": "AF-1"}, True),
        ({"incident": "AF-2"}, False),
    ],
)
def test_all_matchers_must_say_so(matchers: dict[str, str], holds: bool) -> None:  # noqa: FBT001 - a column of the table
    assert matches(matchers, ROW) is holds
    assert silence(0, 1, **matchers).matches(ROW) is holds


@pytest.mark.parametrize(
    ("rules", "holds"), [(["caida"], True), (["caida", "caida"], True), (["caida", "fallas"], False), ([], False)]
)
def test_a_noisy_rules_silence_hides_nothing_that_others_see(rules: list[str], holds: bool) -> None:  # noqa: FBT001 - as above
    assert matches({"kind": "failed", "rule": "caida"}, ROW | {"rules": rules}) is holds


def test_it_holds_from_its_start_until_its_end_or_somebodys() -> None:
    one = silence(0, 10)
    assert [one.holds(NOW + n * MINUTE) for n in (-1, 0, 9, 10)] == [False, True, True, False]
    assert [silence(0, 10, ended=4).holds(NOW + n * MINUTE) for n in (3, 4)] == [True, False]
    assert silence(0, 10, ended=40).over_at == one.until


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30), st.none() | st.integers(0, 90)), max_size=6),
    st.integers(0, 60),
)
def test_the_first_free_moment_is_the_first(given_: list[tuple[int, int, int | None]], start: int) -> None:
    known = [silence(*one) for one in given_]
    free = unsilenced(NOW + start * MINUTE, known)
    minutes = (NOW + n * MINUTE for n in range(start, 200))
    assert free == next(time for time in minutes if not any(one.holds(time) for one in known))
