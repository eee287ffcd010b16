"""Maintenance that recurs, and that people declare while Vigía runs: what it holds for, and how it ends in the true state."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import IncidentState
from monitor import people, works
from monitor.config import read_config
from monitor.faults import ConfigError
from monitor.maintenance import Maintenance, Recurring
from monitor.store import Store
from rules import Scope
from tests.characters import CAST, at, minute
from tests.monitor.conftest import NOW
from tests.monitor.test_maintenance import fails, judged, piped, written
from tests.monitor.test_service import Bank, live

BOGOTA, HOUR = "America/Bogota", timedelta(hours=1)


def times(one: Recurring, first: str, days: int) -> list[tuple[str, str]]:
    start = int(datetime.fromisoformat(first).timestamp() // 60)
    return [(f"{m.start:%d %H:%M}", f"{m.until:%d %H:%M}") for m in one.within(start, start + days * 1440)]


# ---- again and again -------------------------------------------------------------------------------------------------


def test_by_the_banks_clock() -> None:
    sundays = Recurring("0 2 * * SUN", 2 * HOUR, BOGOTA, "pagos")
    assert times(sundays, "2026-03-01T00:00+00:00", 14) == [("01 07:00", "01 09:00"), ("08 07:00", "08 09:00")]
    assert [m.product for m in sundays.within(minute("00:00"), minute("00:00", day=7))] == ["pagos"]


def test_where_the_clocks_change() -> None:
    nights = Recurring("30 2 * * *", HOUR, "Europe/Madrid")
    assert times(nights, "2026-03-28T00:00+00:00", 3) == [
        ("28 01:30", "28 02:30"),
        ("29 01:30", "29 02:30"),
        ("30 00:30", "30 01:30"),
    ]
    assert times(nights, "2026-10-25T00:00+00:00", 2) == [("25 00:30", "25 02:30"), ("26 01:30", "26 02:30")]


@pytest.mark.parametrize(
    ("zone", "cron", "first", "found"),
    [
        ("America/Santiago", "0 0 * * *", "2026-09-05", ["05 04:00", "06 04:00", "07 03:00"]),
        ("America/Santiago", "30 0 * * *", "2026-09-05", ["05 04:30", "06 04:30", "07 03:30"]),
        ("Europe/Madrid", "0 0 * * *", "2026-03-28", ["28 23:00", "29 22:00", "30 22:00"]),
    ],
)
def test_no_night_is_left_out_where_the_clocks_leave_out_an_hour(
    zone: str, cron: str, first: str, found: list[str]
) -> None:
    assert [start for start, _ in times(Recurring(cron, HOUR, zone), f"{first}T00:00+00:00", 3)][-3:] == found


def test_only_while_it_is_valid_and_what_overlaps_is_one() -> None:
    some = Recurring("0 10 * * *", 2 * HOUR, BOGOTA, since=at("11:00"), until=at("11:30", day=1))
    assert times(some, "2026-03-01T00:00+00:00", 9) == [("03 16:00", "03 17:00"), ("04 15:00", "04 16:30")]
    dense = Recurring("*/30 10 * * *", HOUR, BOGOTA, since=at("00:00"))
    assert times(dense, "2026-03-03T05:00+00:00", 1) == [("03 15:00", "03 16:30")]


@given(st.integers(0, 3000), st.integers(1, 3000), st.lists(st.integers(1, 2999), max_size=5))
def test_however_the_time_is_cut_the_same_minutes_are_in_it(start: int, length: int, cuts: list[int]) -> None:
    one = Recurring("15 */7 * * *", timedelta(minutes=95), "Europe/Madrid")
    base = int(datetime(2026, 3, 28, tzinfo=UTC).timestamp() // 60) + start

    def inside(first: int, last: int) -> set[int]:
        spans = (range(m.first, m.last + 1) for m in one.within(first, last))
        return {minute for span in spans for minute in span} & set(range(first, last))

    edges = [base, *sorted(base + cut for cut in cuts if cut < length), base + length]
    parts = [inside(a, b) for a, b in itertools.pairwise(edges)]
    assert set().union(*parts) == inside(base, base + length)


def test_what_fails_each_night_is_no_news_and_goes_on_being_one_when_it_does_not_end() -> None:
    night = Recurring("0 10 * * *", timedelta(minutes=30), BOGOTA, "pagos", "web")
    assert judged(piped(fails("10:00", "10:30", *CAST), night)) == []
    (incident,) = judged(piped(fails("10:00", "10:45", *CAST), night))
    assert (incident.started_at, incident.detected_at) == (at("10:30"), at("10:32:10"))


def test_failures_of_each_night_are_nobodys_base_rate() -> None:
    night = Recurring("10 9 * * *", timedelta(minutes=40), BOGOTA, "pagos", "web")
    once = Maintenance(at("09:10"), at("09:50"), "pagos", "web")
    pipelines = [piped(fails("09:10", "09:50", *CAST), declared) for declared in (night, once)]
    seen = [pipeline.impacts._past.before(Scope(), minute("11:00")) for pipeline in pipelines]
    assert seen[0].num_rows
    assert seen[0].equals(seen[1])
    assert not set(seen[0]["status"].to_pylist()) & {"failed"}


def test_as_it_is_written(tmp_path: Path) -> None:
    text = '[[maintenance]]\nproduct = "pagos"\ncron = "0 2 * * SUN"\nlasts = "2h"\nuntil = 2026-12-31T00:00:00\n'
    (found,) = read_config(written(tmp_path, text)).maintenance
    assert found == Recurring("0 2 * * SUN", 2 * HOUR, BOGOTA, "pagos", "", None, datetime(2026, 12, 31, 5, tzinfo=UTC))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('cron = "0 2 * * SUN"', ["maintenance[0].lasts: is missing"]),
        (
            'cron = "0 2 * * 0"\nlasts = "2h"',
            ["maintenance[0].cron: write the weekday as a name, such as SUN: tools disagree"],
        ),
        (
            'cron = "0 2"\nlasts = "2h"',
            ["maintenance[0].cron: Wrong number of fields; got 2, expected 5: write it as 0 2 * * SUN"],
        ),
        ('cron = "0 2 * * *"\nlasts = "90s"', ["maintenance[0].lasts: must be a whole number of minutes"]),
        (
            'lasts = "2h"',
            [
                "maintenance[0].from: is missing",
                "maintenance[0].until: is missing",
                "maintenance[0].lasts: needs a `cron`",
            ],
        ),
    ],
)
def test_what_is_wrong_with_it_is_told(tmp_path: Path, lines: str, told: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(written(tmp_path, f"[[maintenance]]\n{lines}\n"))
    found = [str(fault).removeprefix("config.toml: ") for fault in caught.value.faults]
    assert len(found) == len(told)
    assert all(one.startswith(words) for one, words in zip(found, told, strict=True)), found


# ---- by people -------------------------------------------------------------------------------------------------------


def add(store: Store, now: datetime = NOW, **told: Any) -> str:
    return works.add(store, "Ana", "cambio de motor", now, BOGOTA, **told)


def test_declared_listed_and_ended(store: Store) -> None:
    once = add(store, product="pagos", start=NOW + HOUR, until=NOW + 3 * HOUR)
    nightly = add(store, channel="web", cron="0 2 * * *", lasts=2 * HOUR)
    known = {Maintenance(NOW + HOUR, NOW + 3 * HOUR, "pagos"), Recurring("0 2 * * *", 2 * HOUR, BOGOTA, "", "web", NOW)}
    assert set(works.declared(store, BOGOTA)) == known
    mine = (Maintenance(NOW - HOUR, NOW + HOUR, "swift"), Maintenance(NOW - 9 * HOUR, NOW - HOUR))
    listed = {row["id"]: row for row in works.listed(store, mine, NOW, BOGOTA)}
    assert {name: row["state"] for name, row in listed.items()} == {"": "now", once: "to_come", nightly: "to_come"}
    assert (listed[nightly]["next_from"], listed[nightly]["next_until"]) == (at("02:00", day=1), at("04:00", day=1))
    assert works.end(store, once, "Luis", NOW + 2 * HOUR) == once
    assert Maintenance(NOW + HOUR, NOW + 2 * HOUR, "pagos") in works.declared(store, BOGOTA)
    works.end(store, nightly, "Luis", NOW + 2 * HOUR)
    later = NOW + 3 * HOUR
    assert works.listed(store, (), later, BOGOTA) == []
    assert {row["state"] for row in works.listed(store, mine, later, BOGOTA, whole=True)} == {"over"}
    with pytest.raises(people.Conflict, match="ya terminó"):
        works.end(store, once, "Luis", later)
    assert [act.action for act in store.acts()] == ["maintenance", "maintenance", "end_maintenance", "end_maintenance"]


def test_ended_before_it_began_it_never_was(store: Store) -> None:
    works.end(store, add(store, product="pagos", start=NOW + HOUR, until=NOW + 2 * HOUR), "Ana", NOW)
    assert works.declared(store, BOGOTA) == ()


def test_it_begins_now_at_the_earliest_and_a_double_click_is_one(store: Store) -> None:
    told = {"product": "pagos", "start": NOW - HOUR, "until": NOW + HOUR}
    assert add(store, **told) == add(store, NOW + timedelta(seconds=3), **told)
    assert works.declared(store, BOGOTA) == (Maintenance(NOW, NOW + HOUR, "pagos"),)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"until": NOW + HOUR}, "todo el banco"),
        ({"product": "pagos", "until": NOW + 200 * HOUR}, "más de 7 días"),
        ({"product": "pagos", "cron": "0 2 * * *", "lasts": 25 * HOUR}, "más de un día"),
    ],
)
def test_what_is_wide_or_long_needs_force(store: Store, told: dict[str, Any], words: str) -> None:
    with pytest.raises(people.Refused, match=words):
        add(store, **told)
    assert works.declared(store, BOGOTA) == ()
    assert add(store, **told, force=True)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"until": NOW}, "posterior"),
        ({"start": NOW + HOUR, "until": NOW + HOUR}, "posterior"),
        ({}, "hasta cuándo"),
        ({"lasts": HOUR, "until": NOW + HOUR}, "con una línea cron"),
        ({"cron": "0 2 * * *"}, "cuánto dura"),
        ({"cron": "0 2 * * *", "lasts": 32 * 24 * HOUR}, "de un minuto a 31 días"),
        ({"cron": "0 2 * * 1", "lasts": HOUR}, "no es una línea cron"),
        ({"cron": "0 2 30 2 *", "lasts": HOUR}, "que llegue alguna vez"),
        ({"until": NOW + 11 * 8766 * HOUR}, "más de diez años"),
    ],
)
def test_what_makes_no_sense_is_refused(store: Store, told: dict[str, Any], words: str) -> None:
    with pytest.raises(people.Refused, match=words):
        add(store, product="pagos", force=True, **told)
    for who, reason in ((" ", "x"), ("Ana", " ")):
        with pytest.raises(people.Refused, match="falta"):
            works.add(store, who, reason, NOW, BOGOTA, product="pagos", until=NOW + HOUR)
    with pytest.raises(people.Unknown, match="MT-9"):
        works.end(store, "MT-9", "Ana", NOW)


# ---- by the real judging thread --------------------------------------------------------------------------------------


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Bank]:
    """All is well at noon."""
    bank = Bank(tmp_path, at("12:00:10"))
    bank.pay("10:00", "12:00")
    bank.start().cycle()
    yield bank
    for service in bank.services:
        service.store.close()


@pytest.mark.parametrize("restarts", [0, 1])
def test_a_failure_that_began_inside_and_goes_on_is_found_right_after(quiet: Bank, restarts: int) -> None:
    add(quiet.store, quiet.now, product="pagos", until=at("12:20"))
    live(quiet, "12:00", "12:05")
    if restarts:
        quiet.start()
    live(quiet, "12:05", "12:20", failing=0.8)
    assert quiet.store.incidents() == []
    if restarts:
        quiet.start()
    live(quiet, "12:20", "12:22", failing=0.8)
    (incident,) = quiet.store.incidents()
    assert (incident.started_at, incident.detected_at) == (at("12:20"), at("12:22:11"))


def test_ended_early_what_is_true_shows_at_once(quiet: Bank) -> None:
    number = add(quiet.store, quiet.now, product="pagos", until=at("13:00"))
    live(quiet, "12:00", "12:10", failing=0.8)
    assert quiet.store.incidents() == []
    works.end(quiet.store, number, "Ana", at("12:10"))
    live(quiet, "12:10", "12:12", failing=0.8)
    assert [i.started_at for i in quiet.store.incidents()] == [at("12:10")]


def test_what_failed_before_goes_on_through_it_and_heals_after_it(quiet: Bank) -> None:
    live(quiet, "12:00", "12:04", failing=0.8)
    add(quiet.store, quiet.now, product="pagos", until=at("12:10"))
    live(quiet, "12:04", "12:10", failing=0.8)
    assert [i.state for i in quiet.store.incidents()] == [IncidentState.FIRING]
    live(quiet, "12:10", "12:13")
    (done,) = quiet.store.incidents()
    assert (done.state, done.started_at) == (IncidentState.RESOLVED, at("12:00"))


def test_after_a_restart_the_models_know_what_they_knew(quiet: Bank) -> None:
    add(quiet.store, quiet.now, product="pagos", cron="5 12 * * *", lasts=timedelta(minutes=10))
    live(quiet, "12:00", "12:05")
    live(quiet, "12:05", "12:14", failing=0.8)
    live(quiet, "12:14", "12:25")
    known = repr(quiet.services[-1].judge.pipeline.status)  # nan is nan
    assert repr(quiet.start().judge.pipeline.status) == known
    assert quiet.store.incidents() == []
