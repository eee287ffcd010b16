"""The simulated bank's transactions: drawn by minute, normal outside failures, spoilt inside."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.demo.bank import WAYS, Bank, Rows, milliseconds
from monitor.demo.clients import SEGMENTS, WEIGHTS, check_digit, clients, written
from monitor.demo.complaints import SUBJECTS
from monitor.demo.failures import TURNS, Failure, first_failure, timetable
from monitor.demo.profile import DEMO, FAILED, PENDING

NOON = datetime(2026, 3, 11, 17, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
BANK = Bank(DEMO, clients(DEMO.pairs, 1), 1)
PAGOS = 0


def same(one: Rows, other: Rows) -> bool:
    return all(np.array_equal(getattr(one, column.name), getattr(other, column.name)) for column in fields(Rows))


def joined(parts: list[Rows]) -> Rows:
    return Rows(**{c.name: np.concatenate([getattr(part, c.name) for part in parts]) for c in fields(Rows)})


@settings(max_examples=30)
@given(st.lists(st.integers(0, 30 * 60_000), max_size=6))
def test_a_span_is_the_same_rows_however_it_is_cut(cuts: list[int]) -> None:
    edges = [NOON + timedelta(milliseconds=cut) for cut in sorted([0, *cuts, 30 * 60_000])]
    parts = [BANK.rows(start, end) for start, end in pairwise(edges)]
    assert same(joined(parts), BANK.rows(edges[0], edges[-1]))


def test_rows_stand_by_time_inside_their_span_and_another_seed_draws_others() -> None:
    start = NOON + timedelta(seconds=7)
    rows = BANK.rows(start, start + HOUR)
    assert (np.diff(rows.at) >= 0).all()
    assert milliseconds(start) <= rows.at[0] < rows.at[-1] < milliseconds(start + HOUR)
    other = Bank(DEMO, BANK.clients, 2).rows(start, start + HOUR)
    assert len(np.intersect1d(rows.at, other.at)) < len(rows) / 50


def test_a_normal_day_has_the_profiles_volume_and_shares() -> None:
    rows = BANK.rows(NOON, NOON + 24 * HOUR)
    expected = BANK.volume(np.arange(24 * 60) + milliseconds(NOON) // 60_000).sum(axis=0)
    assert expected == pytest.approx(
        DEMO.volume(np.arange(24 * 60) + milliseconds(NOON) // 60_000).sum(axis=0), rel=0.25
    )
    seen = np.bincount(rows.pair[rows.batch() < 0], minlength=len(DEMO.pairs))
    assert (np.abs(seen - expected) < 5 * np.sqrt(expected)).all()
    risks = BANK.risks(rows.at // 60_000, rows.pair, rows.client).sum(axis=0)
    for status, due in zip(WAYS, risks, strict=True):
        assert abs((rows.status == status).sum() - due) < 5 * np.sqrt(due), status
    assert set(rows.error_code[rows.status == FAILED]) == set(DEMO.codes[FAILED])
    assert set(rows.error_code[rows.status == PENDING]) == {None}
    assert np.median(rows.latency_ms[rows.pair == PAGOS]) == pytest.approx(DEMO.pairs[PAGOS].latency_ms, rel=0.08)
    assert np.median(rows.amount[rows.pair == PAGOS]) == pytest.approx(DEMO.pairs[PAGOS].amount, rel=0.05)


def test_the_day_peaks_before_noon_local_and_no_hour_of_the_week_falls_below_the_floor() -> None:
    monday = milliseconds(datetime(2026, 3, 9, 5, 0, tzinfo=UTC)) // 60_000  # midnight in Bogota
    share = DEMO.volume(np.arange(7 * 1440) + monday)[:, PAGOS] / DEMO.curves[0, PAGOS].max()
    assert share.min() >= 0.4
    assert np.argmax(share[:1440]) // 60 in (9, 10, 11)
    assert share[:1440].mean() > share[6 * 1440 :].mean()  # Monday over Sunday


def test_only_holders_of_a_pair_use_it_and_a_few_make_most_of_it() -> None:
    rows = BANK.rows(NOON, NOON + 6 * HOUR)
    for pair in range(len(DEMO.pairs)):
        holders = {i for i, client in enumerate(BANK.clients) if pair in client.holdings}
        assert set(rows.client[rows.pair == pair].tolist()) <= holders
    by_client = np.sort(np.bincount(rows.client, minlength=len(BANK.clients)))[::-1]
    assert by_client[:6].sum() > 0.2 * by_client.sum()


def test_clients_have_valid_nits_names_of_their_own_and_more_holdings_the_higher_the_segment() -> None:
    made = BANK.clients
    assert made == clients(DEMO.pairs, 1) != clients(DEMO.pairs, 2)
    assert len({c.nit for c in made}) == len({c.name for c in made}) == len(made) == 300
    assert sorted(c.value_rank for c in made) == list(range(1, 301))
    assert all(len(c.nit) == 9 and c.nit[0] in "89" and 0 <= c.sensitivity <= 1 for c in made)
    assert all(c.post_sale.endswith("@banco.example") and c.manager.endswith("@banco.example") for c in made)
    held = {s.name: np.mean([len(c.holdings) for c in made if c.segment == s.name]) for s in SEGMENTS}
    assert held["corporativo"] > held["empresarial"] > held["pyme"]
    assert {pair for c in made for pair in c.holdings} == set(range(len(DEMO.pairs)))


@given(st.integers(800_000_000, 999_999_999).map(str))
def test_the_check_digit_closes_the_weighted_sum(nit: str) -> None:
    rest = sum(int(d) * w for d, w in zip(reversed(nit), WEIGHTS, strict=False)) % 11
    digit = check_digit(nit)
    assert (rest + digit) % 11 == 0 or (rest, digit) == (1, 1)
    dotted, dashed, bare = written(nit)
    assert (dotted.replace(".", ""), dashed, bare) == (f"{nit}-{digit}", f"{nit}-{digit}", nit)


def test_check_digits_known_by_hand() -> None:
    assert [check_digit(nit) for nit in ("900123456", "800000000", "900000002", "900000009")] == [8, 2, 1, 0]


def test_a_failure_strikes_its_share_of_its_pair_in_its_time_and_nothing_else() -> None:
    start, end = NOON + HOUR, NOON + 2 * HOUR
    failure = Failure("pagos", "conexion_directa", start, end, 0.7, FAILED, "E504", slowdown=6.0)
    before = BANK.rows(NOON, NOON + 3 * HOUR)
    after = failure.strike(before, DEMO.pairs)
    inside = (before.pair == PAGOS) & (before.at >= milliseconds(start)) & (before.at < milliseconds(end))
    assert same(after.only(~inside), before.only(~inside))
    assert np.mean(after.error_code[inside] == "E504") == pytest.approx(0.7, abs=0.04)
    assert (after.status[after.error_code == "E504"] == FAILED).all()
    assert np.allclose(after.latency_ms[inside], 6 * before.latency_ms[inside])
    assert "E504" not in set(before.error_code)


def test_a_silence_removes_its_rows() -> None:
    before = BANK.rows(NOON, NOON + HOUR)
    after = Failure("pagos", "conexion_directa", NOON, NOON + HOUR, 1.0, None).strike(before, DEMO.pairs)
    assert same(after, before.only(before.pair != PAGOS))


@pytest.mark.parametrize(("second", "begins"), [(0, 10), (29, 39), (30, 60), (59, 60)])
def test_the_first_failure_comes_soon_and_fills_most_of_two_minutes(second: int, begins: int) -> None:
    assert first_failure(NOON + timedelta(seconds=second)) == NOON + timedelta(seconds=begins)


def test_the_timetable_begins_soon_and_turns_through_its_kinds() -> None:
    assert list(timetable(NOON, NOON, NOON + timedelta(seconds=10))) == []
    failures = list(timetable(NOON, NOON, NOON + HOUR))
    first = failures[0]
    assert (first.product, first.channel, first.share, first.error_code) == ("pagos", "conexion_directa", 0.7, "E504")
    assert (first.start - NOON, first.end - first.start) == (timedelta(seconds=10), timedelta(minutes=8))
    assert [f.kind for f in failures] == ["partial", "reversals", "rejections", "silence", "channel", "slow"]
    assert failures[2].start - NOON < timedelta(minutes=8)  # three kinds, each to be seen, in the first ten
    for minute in (0, 5, 8, 9, 15, 16, 40):
        since = NOON + timedelta(minutes=minute)
        open_then = [f for f in failures if f.end > since]
        assert [f for f in timetable(NOON, since, NOON + HOUR) if f.end > since] == open_then
    pairs = {(pair.product, pair.channel) for pair in DEMO.pairs}
    assert all((f.product, f.channel) in pairs or not f.product for f in failures)


def test_whoever_calls_about_a_failure_of_the_timetable_has_words_for_it() -> None:
    assert {failure.status for _, failure in TURNS} <= SUBJECTS.keys()
