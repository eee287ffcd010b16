"""A month of the simulated bank: the same by seed, each failure strikes what its label says and only that, all of it labelled."""

from __future__ import annotations

import csv
import re
from dataclasses import fields
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from monitor.__main__ import app
from monitor.config import read_config
from monitor.demo.bank import MINUTE, Bank, Rows, milliseconds
from monitor.demo.callers import cases
from monitor.demo.failures import Failure
from monitor.demo.kinds import NAMED
from monitor.demo.month import Month, month, slowness, write_month
from monitor.demo.profile import BOGOTA, FAILED, MONTH, OK, PENDING
from monitor.demo.schedule import APART, QUIET, schedule
from monitor.demo.truth import Truth, truth
from monitor.labels import OBSERVERS, read_labels

DAYS = 3
TUESDAY = datetime(2026, 3, 10, tzinfo=BOGOTA)
MINE = Month(
    bank := Bank(MONTH, month(5, DAYS).bank.clients, 5), TUESDAY, DAYS, schedule(bank, TUESDAY, DAYS, learning=0), frozenset()
)  # fmt: skip
PAIRS = MONTH.pairs
FAILURES = {failure.kind: failure for failure in MINE.schedule.failures}


def rows_around(failure: Failure) -> Rows:
    return MINE.bank.rows(failure.start - timedelta(minutes=20), failure.end + timedelta(minutes=20))


def same(one: Rows, other: Rows) -> bool:
    return all(np.array_equal(getattr(one, column.name), getattr(other, column.name)) for column in fields(Rows))


@pytest.fixture(scope="module")
def truths() -> list[Truth]:
    return MINE.truths()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("month")
    write_month(MINE, out)
    return out


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ---- the bank ------------------------------------------------------------------------------------------------------


def test_a_day_is_the_same_rows_however_it_is_cut() -> None:
    whole = MINE.bank.rows(TUESDAY, TUESDAY + timedelta(hours=24))
    cuts = [TUESDAY + timedelta(hours=h) for h in (0, 7.9, 8.51, 15, 24)]
    parts = [MINE.bank.rows(a, b) for a, b in pairwise(cuts)]
    joined = Rows(**{c.name: np.concatenate([getattr(p, c.name) for p in parts]) for c in fields(Rows)})
    assert same(joined, whole)
    assert len(np.unique(whole.id)) == len(whole)


def test_nights_and_sundays_are_quiet_paydays_are_not_and_holidays_are_sundays() -> None:
    def day(date: datetime) -> np.ndarray:
        return MINE.bank.profile.volume(milliseconds(date) // MINUTE + np.arange(1440))

    tuesday, payday = day(TUESDAY), day(datetime(2026, 3, 13, tzinfo=BOGOTA))  # the 15th is a Sunday
    sunday, holiday = day(datetime(2026, 3, 15, tzinfo=BOGOTA)), day(datetime(2026, 3, 23, tzinfo=BOGOTA))  # San José
    assert tuesday.min() < 0.05
    assert tuesday.max() > 15
    assert (tuesday[60:240].mean(axis=0) < 0.15 * tuesday.max(axis=0)).all()
    assert (holiday == sunday).all()
    product = [pair.product for pair in PAIRS]
    assert 0.1 < sunday[:, product.index("pagos")].sum() / tuesday[:, product.index("pagos")].sum() < 0.2
    assert sunday[:, product.index("tarjetas")].sum() > 0.9 * tuesday[:, product.index("tarjetas")].sum()
    assert 2 < payday[:, product.index("pagos")].sum() / tuesday[:, product.index("pagos")].sum() < 2.5
    assert payday[:, product.index("swift")].sum() < 1.1 * tuesday[:, product.index("swift")].sum()


def test_batches_come_on_business_days_at_their_hour_and_in_their_size() -> None:
    rows = MINE.bank.rows(TUESDAY, TUESDAY + timedelta(days=1))
    keys = rows.batch()
    day = (milliseconds(TUESDAY) - 5 * 60 * MINUTE) // (1440 * MINUTE)
    assert len(MINE.bank.batches) > 30
    for batch in MINE.bank.batches:
        mine = rows.only(keys == batch.key(day))
        minute = (mine.at - milliseconds(TUESDAY)) / MINUTE
        assert set(mine.client.tolist()) == {batch.client}
        assert 0.75 * batch.rows < len(mine) < 1.25 * batch.rows
        assert batch.due - 3 <= minute.min() <= minute.max() <= batch.due + 3 + batch.minutes
    sunday = TUESDAY + timedelta(days=5)
    assert (MINE.bank.rows(sunday, sunday + timedelta(days=1)).batch() == -1).all()


def test_who_leaves_or_joins_has_no_rows_beyond() -> None:
    made = month(9, 4)
    rows = made.bank.rows(made.start, made.start + timedelta(days=4))
    end = milliseconds(made.start + timedelta(days=4))
    moved = {i: c for i, c in enumerate(made.bank.clients) if c.came or c.gone < end}
    assert len(moved) == 2
    for i, client in moved.items():
        at = rows.at[rows.client == i]
        assert client.came <= at.min() <= at.max() < client.gone
    assert {one.kind for one in made.harmless()} >= {"joins", "leaves", "blip", "maintenance"}


# ---- failures ------------------------------------------------------------------------------------------------------


def test_one_at_a_time_and_none_in_the_first_hours() -> None:
    failures = MINE.schedule.failures
    assert set(FAILURES) == set(NAMED)
    assert failures[0].start >= TUESDAY + QUIET
    assert all(later.start - sooner.end >= APART for sooner, later in pairwise(failures))
    for calm in (*MINE.schedule.blips, *MINE.schedule.maintenances):
        assert not [f for f in failures if f.start < calm.end + timedelta(minutes=20) and calm.start < f.end]
    assert all(timedelta(0) < blip.end - blip.start <= timedelta(minutes=1) for blip in MINE.schedule.blips)
    assert any(f.start.second for f in failures)


def test_what_needs_a_learnt_past_comes_late() -> None:
    later = schedule(MINE.bank, TUESDAY, 4, learning=2).failures
    learnt = [f for f in later if NAMED[f.kind].learnt]
    assert {f.kind for f in learnt} == {"batch", "volume_drop"}
    assert all(f.start >= TUESDAY + timedelta(days=2) for f in learnt)


@pytest.mark.parametrize("kind", sorted(NAMED))
def test_it_strikes_its_scope_in_its_time_and_nothing_else(kind: str) -> None:
    failure = FAILURES[kind]
    before = rows_around(failure)
    after = failure.strike(before, PAIRS)
    begin, end = milliseconds(failure.start), milliseconds(failure.end)
    inside = (before.at >= begin) & (before.at < end)
    if failure.batch is None:
        products = {failure.product, failure.also} - {""} or {pair.product for pair in PAIRS}
        inside &= np.array([p.product in products and failure.channel in ("", p.channel) for p in PAIRS])[before.pair]
    if failure.client is not None:
        inside &= before.client == failure.client
    spared = before.only(~inside)
    own = after.only(np.isin(after.id, spared.id))
    assert same(own, spared)
    changed = failure.struck(before, PAIRS)
    assert not changed[~inside].any()
    assert changed.sum() >= 0.4 * NAMED[kind].least


def test_each_kind_does_what_its_name_says() -> None:
    def struck(kind: str) -> tuple[Rows, Rows, Failure]:
        failure = FAILURES[kind]
        before = rows_around(failure)
        inside = before.only(failure.inside(before, PAIRS))
        return inside, failure.strike(inside, PAIRS), failure

    for kind in ("total", "partial", "channel", "product", "one_client", "client_products", "new_code"):
        inside, after, failure = struck(kind)
        assert np.mean(after.status == FAILED) == pytest.approx(failure.share, abs=2.5 / len(inside) ** 0.5), kind
    inside, after, failure = struck("new_code")
    assert failure.error_code in set(after.error_code)
    assert failure.error_code not in set(inside.error_code)
    assert len({f.error_code for f in month(3).schedule.failures if f.kind == "new_code"}) > 5
    assert len(struck("silence")[1]) == 0
    inside, after, failure = struck("volume_drop")
    assert 1 - len(after) / len(inside) == pytest.approx(failure.share, abs=2.5 / len(inside) ** 0.5)
    inside, after, _ = struck("slow")
    assert 4 <= np.median(after.latency_ms / inside.latency_ms) <= 8
    inside, after, _ = struck("duplicates")
    twins = after.only(~np.isin(after.id, inside.id))
    first = after.only(np.isin(after.id, inside.id))
    assert len(twins) > 0.2 * len(inside)
    for twin in range(len(twins)):
        same_amount = (first.client == twins.client[twin]) & (first.amount == twins.amount[twin])
        wait = twins.at[twin] - first.at[same_amount]
        assert ((wait >= 1000) & (wait <= 10_000)).any()
    inside, after, _ = struck("pending")
    ids, versions = np.unique(after.id, return_counts=True)
    for each in ids[versions > 1]:
        one = after.only(after.id == each)
        assert one.status[0] == PENDING
        assert one.status[1] in (OK, FAILED)
        assert 20 * MINUTE <= one.at[1] - one.at[0] <= 60 * MINUTE
    assert (versions > 1).mean() > 0.4


def test_a_ramp_rises_and_flapping_comes_and_goes() -> None:
    ramp, flapping = FAILURES["ramp"], FAILURES["flapping"]
    begin, length = milliseconds(ramp.start), milliseconds(ramp.end) - milliseconds(ramp.start)
    assert ramp.level(begin + np.array([0, length // 2, length])) == pytest.approx([0, 0.3, 0.6], abs=1e-3)
    minutes = milliseconds(flapping.start) + MINUTE * np.array([0, 1, 2, 3, 4])
    assert (flapping.level(minutes) > 0).tolist() == [True, True, False, False, True]


def test_a_batch_that_is_late_comes_whole_and_one_that_is_not_never() -> None:
    made = [f for seed in (1, 2) for f in month(seed).schedule.failures if f.kind == "batch"]
    assert {f.late is None for f in made} == {True, False}
    failure = FAILURES["batch"]
    before = rows_around(failure)
    due = before.only(before.batch() == failure.batch)
    after = failure.strike(before, PAIRS)
    came = after.only(after.batch() == failure.batch)
    assert len(due) > 20
    assert same(came, Rows(**{c.name: getattr(due, c.name) for c in fields(Rows)} | {"at": came.at}))
    assert (came.at - due.at == (failure.late or timedelta(0)) // timedelta(milliseconds=1)).all()


# ---- truth ---------------------------------------------------------------------------------------------------------


def test_struck_clients_are_affected_or_explained_and_those_unstruck_are_never_affected(truths: list[Truth]) -> None:
    for one in truths:
        kind = one.failure.kind
        assert one.affected, kind
        assert not set(one.affected) & set(one.explained), kind
        known = {*one.affected, *one.explained}
        if NAMED[kind].way == "status":
            assert set(one.struck) <= known, kind
        assert set(one.affected) <= set(one.struck), kind
        if one.failure.client is not None:
            assert known == {one.failure.client}, kind


def test_an_observer_needs_three_minutes_and_shorter_cells_rarely_lose(truths: list[Truth]) -> None:
    known = [one for one in truths if all(seconds is not None for seconds in one.seconds.values())]
    assert len(known) > 0.8 * len(truths)
    assert all(one.seconds[60] >= 130 and one.seconds[15] >= 85 for one in known)
    ramped = ("ramp", "night", "one_client", "client_products", "batch")
    assert np.median([one.seconds[15] - one.seconds[60] for one in known if one.failure.kind not in ramped]) <= -15


def test_nobody_is_affected_where_nothing_fails() -> None:
    start = TUESDAY + timedelta(hours=14)
    calm = Failure("pagos", "conexion_directa", start, start + timedelta(minutes=40), 0.0, FAILED, kind="partial")
    one = truth(MINE.bank, calm, slowness(MINE.bank, TUESDAY, 1))
    assert (one.struck, one.affected) == ({}, ())
    assert one.explained
    assert one.seconds == {60: None, 30: None, 15: None}


def test_only_struck_clients_complain_and_about_a_third_of_them(truths: list[Truth]) -> None:
    found = cases(MINE.bank, truths, TUESDAY, DAYS)
    complaints = [case for case in found if case.cause]
    assert 0.2 < len(complaints) / sum(len(one.struck) for one in truths) < 0.5
    for case in complaints:
        first, _ = case.cause.struck[case.client]
        assert 5 * MINUTE <= case.reported - first <= 60 * MINUTE
        assert 0 <= case.opened - case.reported <= 30 * MINUTE
        assert (
            case.product in ("", case.cause.failure.product, case.cause.failure.also) or not case.cause.failure.product
        )
    assert 15 * DAYS < len(found) - len(complaints) < 50 * DAYS
    assert {"", "pagos"} <= {case.product for case in found}


# ---- files ---------------------------------------------------------------------------------------------------------


def test_the_same_seed_writes_the_same_files_and_another_does_not(folder: Path, tmp_path: Path) -> None:
    write_month(MINE, tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name
    one, other = month(1, 2), month(2, 2)
    assert month(1, 2).schedule.failures == one.schedule.failures != other.schedule.failures
    assert (one.start, one.bank.clients[0].nit) != (other.start, other.bank.clients[0].nit)


def test_rows_stand_in_order_of_arrival_some_late_some_twice_some_updated(folder: Path) -> None:
    table = pyarrow.parquet.read_table(folder / "transacciones.parquet")
    at = table["ocurrio_en"].cast("int64").to_numpy()
    assert np.all(np.abs(np.diff(at)) < 9 * MINUTE)
    behind = np.maximum.accumulate(at) - at
    assert 0.005 < np.mean(behind > 15_000) < 0.015
    assert behind.max() < 8.5 * MINUTE
    ids, counts = np.unique(table["id"].to_numpy(), return_counts=True)
    assert 0.015 < np.mean(counts > 1) < 0.04
    states = np.array(table["estado"].to_pylist())
    assert 0.008 < np.mean(states == PENDING) < 0.05
    assert (counts <= 4).all()
    assert len(ids) > 60_000


def test_a_silence_is_silent_in_the_file(folder: Path) -> None:
    table = pyarrow.parquet.read_table(folder / "transacciones.parquet")
    silence = FAILURES["silence"]
    at = table["ocurrio_en"].cast("int64").to_numpy()
    inside = (at >= milliseconds(silence.start)) & (at < milliseconds(silence.end))
    products, channels = (np.array(table[name].to_pylist())[inside] for name in ("producto", "canal"))
    assert inside.sum() > 0
    assert not ((products == silence.product) & (channels == silence.channel)).any()


def test_labels_are_read_and_name_clients_and_scope_as_narrow_as_the_failure(folder: Path) -> None:
    labels = read_labels(folder / "labels.csv", "America/Bogota")
    assert [label.kind for label in labels] == [failure.kind for failure in MINE.schedule.failures]
    nits = {row["nit"] for row in read(folder / "clientes.csv")}
    for label, failure in zip(labels, MINE.schedule.failures, strict=True):
        assert abs(label.start - failure.start) < timedelta(milliseconds=1)
        assert label.affected | label.explained <= nits
        given = tuple(bool(part) for part in (label.scope.product, label.scope.channel, label.scope.client_id))
        reach = NAMED[label.kind].reach
        assert given == {
            "pair": (True, True, False), "client": (True, False, True), "clients_products": (False, False, True),
            "channel": (False, True, False), "product": (True, False, False), "batch": (True, True, True),
        }[reach]  # fmt: skip
    assert all(set(label.observers) <= set(OBSERVERS) for label in labels)
    assert sum(len(label.observers) for label in labels) > 2 * len(labels)


def test_the_configuration_is_one_and_declares_the_maintenances(folder: Path) -> None:
    found = read_config(folder / "config.toml")
    assert set(found.sources) == {"transacciones", "clientes", "productos_cliente", "casos"}
    (done,) = MINE.schedule.maintenances
    (told,) = found.maintenance
    assert (told.product, told.channel, told.start, told.until) == (done.product, done.channel, done.start, done.end)
    calm = [row for row in read(folder / "harmless.csv") if row["kind"] == "maintenance"]
    assert [(row["product"], row["channel"]) for row in calm] == [(done.product, done.channel)]


def test_the_command_writes_a_month_and_tells_what_stands_in_its_way(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["demo", "month", "--seed", "3", "--days", "1", "--out", str(tmp_path / "march")])
    assert done.exit_code == 0, done.output
    assert re.search(
        r"march: \d{5,6} rows of 1 days from 2026-\d\d-\d\d, \d+ failures; vigia backtest --config", done.stdout
    )
    names = {path.name for path in (tmp_path / "march").iterdir()}
    assert names == {
        *("transacciones.parquet", "config.toml"),
        *(f"{name}.csv" for name in ("clientes", "productos_cliente", "casos", "labels", "harmless")),
    }
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(app, ["demo", "month", "--out", str(tmp_path / "file")])
    assert (done.exit_code, done.stderr) == (1, f"{tmp_path}/file: File exists\n")


def test_every_start_is_a_local_midnight_of_the_year() -> None:
    starts = {month(seed, 2).start for seed in range(6)}
    assert len(starts) > 3
    assert all((start.year, start.hour, start.tzinfo) == (2026, 0, BOGOTA) for start in starts)
