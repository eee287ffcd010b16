"""A source that fails by turns, or answers and vouches for nothing, is judged without; one folder never stops the judging of all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from monitor.cells import PLAYED
from monitor.patience import KEPT, UNMOVED, UNREAD, Standing, Standings
from monitor.service import Service
from monitor.troubles import troubles
from monitor.windows import minute_of, time_of
from rules import Grain
from tests.characters import ACEROS, at
from tests.monitor.test_service import CONFIG, OTHER, Bank

PATIENCE = timedelta(minutes=2)
FOLDER = """
[sources.lotes]
role = "transactions"
kind = "file"
path = "in"
defaults = { product = "lotes" }
"""


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    found = Bank(tmp_path, at("12:00:10"))
    (tmp_path / "in").mkdir()
    (tmp_path / "casos_crm.csv").write_text("case_id,opened_at\n")
    yield found
    for service in found.services:
        service.store.close()


def drop(bank: Bank, name: str, rows: int = 1) -> None:
    """A file of so many rows, written now."""
    path = bank.folder / "in" / name
    row = f"{bank.now.isoformat()},{ACEROS.nit},web,ok\n"
    path.write_text("timestamp,client_id,channel,status\n" + row * rows)
    os.utime(path, (bank.now.timestamp(), bank.now.timestamp()))


def busy(bank: Bank, service: Service, minutes: int, *, growing: bool = False) -> None:
    """A poll every half a minute, and something new in the folder at each."""
    for n in range(2 * minutes):
        bank.now += timedelta(seconds=30)
        drop(bank, "f.csv" if growing else f"{bank.now.timestamp()}.csv", rows=n + 1)
        service.cycle()


def test_a_busy_folder_stops_nothing(bank: Bank) -> None:
    (bank.folder / "config.toml").write_text(CONFIG + FOLDER)
    bank.pay("11:00", "12:00")
    service = bank.start()
    service.cycle()
    busy(bank, service, 15)
    assert service.judge.judged_until is not None
    assert service.judge.judged_until >= minute_of(bank.now - timedelta(minutes=2))
    assert service.ready()[0]


def test_a_folder_added_to_a_bank_that_is_watched_has_it_built_anew_once(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.pay("11:00", "12:00")
    bank.start().cycle()
    (bank.folder / "config.toml").write_text(CONFIG + FOLDER)
    drop(bank, "f.csv")
    service, built = bank.start(), []
    build = service._build
    monkeypatch.setattr(service, "_build", lambda: (built.append(bank.now), build()))
    busy(bank, service, 5, growing=True)
    assert built == []  # it has vouched for nothing yet
    assert service.judge.judged_until is not None
    assert service.judge.judged_until >= minute_of(bank.now - timedelta(minutes=2))  # the others wait no longer
    assert [one.key for one in troubles(service, bank.now)] == ["source:lotes"]
    busy(bank, service, 7, growing=True)
    assert len(built) == 1
    assert troubles(service, bank.now) == []


def test_a_bad_file_beside_one_that_grows_stops_nothing_and_is_told_once(bank: Bank) -> None:
    config = CONFIG.replace('path = "pagos.csv"', 'path = "pagos*.csv*"')
    (bank.folder / "config.toml").write_text(config + OTHER)
    bank.pay("11:00", "12:00")
    bank.pay("11:00", "12:00", file="otra.csv")
    service = bank.start()
    service.cycle()
    (bank.folder / "pagos_viejo.csv.gz").write_bytes(b"esto no es gzip")
    with capture_logs() as told:
        for minute in range(10):
            for file in ("pagos.csv", "otra.csv"):
                bank.pay(f"12:{minute:02}", f"12:{minute + 1:02}", file=file)
            bank.cycle(f"12:{minute + 1:02}:11")
    assert service.judge.judged_until == minute_of(at("12:10"))
    said = [one["event"] for one in told if one["event"] in ("source is down", "source is back", "row left out")]
    assert said == ["row left out", "source is down", "source is back"]
    assert not service.errors


@pytest.mark.parametrize("anew", [False, True], ids=["a process that stays", "a process a minute"])
def test_the_others_are_judged_without_one_that_is_down(bank: Bank, anew: bool) -> None:  # noqa: FBT001 - a case
    (bank.folder / "config.toml").write_text(CONFIG + OTHER)
    bank.pay("11:00", "12:00")
    bank.pay("11:00", "12:00", file="otra.csv", product="recaudos")
    bank.start().cycle()
    (bank.folder / "otra.csv").unlink()
    for minute in range(6):
        bank.pay(f"12:{minute:02}", f"12:{minute + 1:02}", failing=0.9 if minute else 0.0)
        if anew:
            bank.services[-1].store.close()
            bank.start()
        bank.cycle(f"12:{minute + 1:02}:11")
    service = bank.services[-1]
    assert service.judge.judged_until == minute_of(bank.now)
    assert service.judge.sources["otra"].down_since == at("12:01:11")
    assert [incident.scope.product for incident in bank.store.incidents()] == ["pagos"]


@given(st.dictionaries(st.sampled_from(KEPT), st.datetimes(timezones=st.just(UTC))), st.none() | st.integers(0))
def test_how_one_stands_is_known_to_the_next_process(kept: dict[str, datetime], dark_from: int | None) -> None:
    before, after = (Standings(["core"], PATIENCE, PATIENCE) for _ in range(2))
    before["core"] = Standing(dark_from=dark_from, **kept)  # type: ignore[arg-type]
    after.recall(before.marks(), ())
    assert after == before
    Standings(["other"], PATIENCE, PATIENCE).recall(before.marks(), ())  # one that is no longer configured


def test_one_that_gives_rows_and_fails_by_turns_is_given_up_after_the_patience() -> None:
    standing, now = Standing(complete_until=at("12:00")), at("12:00")
    for _ in range(5):
        standing.answered(now, None, drained=False, patience=PATIENCE)
        standing.failed(now)
        assert not standing.given_up(now, PATIENCE) or now > at("12:02")
        now += timedelta(minutes=1)
    standing.answered(now, None, drained=False, patience=PATIENCE)
    assert standing.given_up(now, PATIENCE)
    standing.answered(now, now, drained=True, patience=PATIENCE)
    assert (standing.down_since, standing.given_up(now, PATIENCE)) == (None, False)


def test_one_that_failed_once_while_it_reads_what_it_missed_is_waited_for() -> None:
    standing, now = Standing(complete_until=at("10:00")), at("12:00")
    standing.failed(now)
    for _ in range(60):
        now += timedelta(seconds=50)
        standing.answered(now, None, drained=False, patience=PATIENCE)
        assert not standing.given_up(now + timedelta(seconds=49), PATIENCE)


@pytest.mark.parametrize(("known", "patience"), [(True, UNMOVED), (False, PATIENCE)])
def test_one_that_has_no_more_and_vouches_for_nothing_is_given_up(known: bool, patience: timedelta) -> None:  # noqa: FBT001 - a case
    standing = Standing(complete_until=at("12:00") if known else None)
    for minute in range(20):
        now = at("12:00") + timedelta(minutes=minute)
        standing.answered(now, standing.complete_until, drained=True, patience=PATIENCE)
        assert standing.given_up(now, PATIENCE) == (timedelta(minutes=minute) > patience)
    standing.answered(now, now, drained=True, patience=PATIENCE)
    assert not standing.given_up(now, PATIENCE)


@pytest.mark.parametrize("near", [False, True])
def test_one_that_stays_behind_for_an_hour_is_given_up_and_one_that_keeps_up_page_by_page_is_not(near: bool) -> None:  # noqa: FBT001 - a case
    standing = Standing(complete_until=at("10:00"))
    for minute in range(120):
        now = at("12:00") + timedelta(minutes=minute)
        until = now - (PATIENCE if near else timedelta(hours=2))
        standing.answered(now, until, drained=False, patience=PATIENCE)
        assert standing.given_up(now, PATIENCE) == (not near and timedelta(minutes=minute) > UNREAD)
    standing.answered(now, now, drained=True, patience=PATIENCE)
    assert not standing.given_up(now, PATIENCE)


def test_one_that_was_judged_without_is_waited_for_once_it_has_caught_up() -> None:
    standing, now = Standing(complete_until=at("12:00"), dark_from=minute_of(at("12:00"))), at("18:00")
    standing.answered(now, at("12:10"), drained=False, patience=PATIENCE)
    assert (standing.given_up(now, PATIENCE), standing.waited_for(now, PATIENCE)) == (False, False)
    standing.caught_up()
    assert standing.waited_for(now, PATIENCE)


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 40)), min_size=1, max_size=30), st.integers(0, 9))
def test_what_it_tells_is_known_in_order_and_never_before_it_came(pages: list[tuple[int, int]], after: int) -> None:
    standing, first, closing, last = Standing(dark_from=1000), 1000, 1000 + after, 0
    for minutes, passed in pages:
        standing.play(first, closing)
        known = [max(closing, standing.played + (m - 1000) // PLAYED) for m in range(first, first + minutes)]
        assert sorted(known) == known
        assert all(m >= last for m in known)
        assert known == [] or known[-1] - known[0] >= (minutes - 1) // PLAYED
        last, first, closing = max([last, *known]), first + minutes, closing + passed


def test_what_was_judged_while_a_source_was_not_configured_is_unknown_and_not_zero(bank: Bank) -> None:
    """It is taken out, and put back hours later: a restart trains by what is kept."""
    with_both = CONFIG + OTHER
    for config, hour in ((with_both, 12), (CONFIG, 13), (CONFIG, 14), (with_both, 15)):
        (bank.folder / "config.toml").write_text(config)
        for file, product in (("pagos.csv", "pagos"), ("otra.csv", "recaudos")):
            bank.pay(f"{hour - 1}:00", f"{hour}:00", file=file, product=product)
        bank.start()
        bank.cycle(f"{hour}:00:11")
    watched = bank.start().judge
    assert watched.judged_until == minute_of(at("15:00"))
    frame = watched.windows.frame(Grain(("product",)), ["total"], [], minute_of(at("11:00")), minute_of(at("15:00")))
    empty = {
        frame.scopes[frame.series[row]].product for row in range(len(frame.minute)) if not frame.columns["total"][row]
    }
    known = [frame.scopes[one].product for one in frame.series].count("recaudos")
    assert (empty, known) == (set(), 120)  # not those of 12:00 to 14:00


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 40), st.integers(1, 9)), max_size=8),
    st.integers(1, 30),
    st.integers(1, 40),
)
def test_every_minute_that_one_did_not_tell_of_is_noted(
    told: list[tuple[str, int, int]], complete: int, until: int
) -> None:
    standings = Standings(["a", "new"], PATIENCE, timedelta(seconds=10))
    standings["a"].complete_until = time_of(complete)
    noted = sorted((source, start, start + length) for source, start, length in told)
    found = [*standings.unasked(noted, until)]
    minutes = {m for source, start, stop in (*noted, *found) if source == "a" for m in range(start, stop)}
    assert set(range(complete, until)) <= minutes
    assert all(source == "a" and complete <= start < stop == until for source, start, stop in found)
    assert [*standings.unasked(sorted([*noted, *found]), until)] == []
