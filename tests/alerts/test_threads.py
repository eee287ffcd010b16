"""What is news to somebody who was told something before; and how many messages there is room for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.threads import GAP, SUMMARY, Standing, Tally, Told, free, ordered, owed

NOW = datetime(2026, 3, 3, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HERE = Standing("major", True, ("pagos", "web"), 12)
BASIS = {"to": "", "role": "", "words": "plain", "segments": []}
standings = st.builds(
    Standing,
    severity=st.sampled_from(["minor", "major", "critical"]),
    open=st.booleans(),
    place=st.sampled_from([("pagos",), ("giros",)]),
    affected=st.integers(0, 200),
    own=st.booleans(),
    merged=st.just(False),
)


def told(standing: Standing, *, summed: bool = False) -> Told:
    return Told.of(standing, BASIS, summed=summed)


@given(standings)
def test_who_was_told_how_it_stands_is_owed_nothing(now: Standing) -> None:
    assert owed(told(now), NOW, now) is None
    assert Told.read(told(now).kept()) == told(now)


@given(standings, standings)
def test_what_is_owed_is_owed_until_it_is_told_and_then_no_more(before: Standing, now: Standing) -> None:
    news = owed(told(before), NOW, now)
    if news:
        assert news.why
        assert (news.event == "end") == (not now.open)
        assert news.at in (NOW, NOW + GAP)
        assert owed(told(now), NOW, now) is None
    else:
        assert not before.open or now.open, "an end is never kept back"
        assert not (before.open and now.open and now.severity == "critical" != before.severity)


@pytest.mark.parametrize(
    ("change", "why", "wait"),
    [
        ({"severity": "critical"}, ("severity",), 0),
        ({"severity": "minor"}, None, 0),
        ({"place": ("giros", "web")}, ("scope",), 5),
        ({"affected": 21}, None, 0),
        ({"affected": 24}, ("clients",), 5),
        ({"affected": 3}, None, 0),
        ({"open": False}, ("end",), 0),
        ({"open": False, "severity": "critical"}, ("end", "severity"), 0),
        ({"open": False, "merged": True}, ("merged",), 0),
        ({"affected": 13, "own": True}, ("clients",), 5),
    ],
)
def test_each_change(change: dict[str, object], why: tuple[str, ...] | None, wait: int) -> None:
    news = owed(told(HERE), NOW, replace(HERE, **change))
    assert (news and news.why, (news.at if news else NOW) - NOW) == (why, wait * MINUTE)


def test_of_many_own_clients_one_more_is_no_news() -> None:
    many = replace(HERE, own=True, affected=60)
    assert owed(told(many), NOW, replace(many, affected=61)) is None
    assert owed(told(many), NOW, replace(many, affected=120))


def test_news_to_one_who_knows_nothing() -> None:
    first = owed(None, None, HERE)
    assert first
    assert (first.event, first.why) == ("first", ("new",))
    late = owed(None, None, replace(HERE, open=False), escalated=True)
    assert late
    assert (late.event, late.why) == ("end", ("new", "escalated", "end"))
    assert owed(None, None, replace(HERE, open=False, merged=True)) is None


def test_the_cap_holds_back_no_end_and_nothing_that_has_become_critical() -> None:
    over, worse = replace(HERE, open=False), replace(HERE, severity="critical")
    for now, summed in ((over, False), (worse, True)):
        news = owed(told(HERE), NOW, now)
        assert news
        assert free(told(HERE), news, now)
        assert free(told(HERE, summed=True), news, now) is summed, "what came in a summary may end in one"
    new = owed(None, None, worse)
    assert new
    assert not free(None, new, worse), "a new one is one of many"


def test_what_a_tally_leaves_room_for() -> None:
    tally = Tally((NOW - 61 * MINUTE, NOW - 59 * MINUTE, NOW), NOW)
    assert (tally.room(3, NOW), tally.room(1, NOW)) == (1, 0)
    assert tally.summary_due(NOW, critical=False) == NOW + SUMMARY
    assert tally.summary_due(NOW, critical=True) == NOW + GAP
    assert Tally().summary_due(NOW, critical=False) == NOW


def test_the_worst_and_widest_goes_first() -> None:
    found = [(HERE, "b"), (replace(HERE, severity="critical"), "c"), (replace(HERE, affected=99), "d"), (HERE, "a")]
    assert [found[i][1] for i in ordered(found)] == ["c", "d", "a", "b"]


def test_the_next_news_comes_before_the_moment_that_was_promised() -> None:
    then = replace(told(HERE), promised=NOW + 30 * MINUTE)
    assert Told.read(then.kept()) == then
    news = owed(then, NOW, HERE)
    assert news is not None
    assert (news.event, news.why, news.at) == ("update", ("promised",), NOW + 25 * MINUTE)
    worse = owed(then, NOW, replace(HERE, severity="critical"))
    assert worse is not None
    assert (worse.why, worse.at) == (("severity",), NOW), "what is news by itself does not wait"
    over = owed(then, NOW, replace(HERE, open=False))
    assert over is not None
    assert over.why == ("end",)


def test_closed_by_hand_while_it_fails_is_no_end_until_it_stops_failing():
    shut = replace(HERE, open=False, failing=True)
    assert owed(told(HERE), NOW, shut).why == ("closed",)
    assert owed(told(shut), NOW, shut) is None
    assert Told.read(told(shut).kept()).failing
    assert owed(told(shut), NOW, replace(shut, failing=False)).why == ("end",)


@pytest.mark.parametrize(
    ("failing", "summed", "why"), [(False, False, "corrected"), (True, False, "reopened"), (False, True, "reopened")]
)
def test_a_mistaken_end_is_corrected_at_once_for_who_was_told_that_all_is_well(failing: bool, summed: bool, why: str):  # noqa: FBT001
    over = told(replace(HERE, open=False, failing=failing), summed=summed)
    news = owed(over, NOW, replace(HERE, reopened=True))
    assert (news.event, news.why, news.at) == ("update", (why,), NOW)
