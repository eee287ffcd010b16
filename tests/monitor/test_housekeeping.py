"""What is done at its times, and where nobody stays to do it, as with `vigia once` from cron, when it is due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monitor import tables as t
from monitor.housekeeping import keep_house
from monitor.standing import rows
from tests.characters import at
from tests.monitor.test_service import Bank


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    found = Bank(tmp_path, at("12:00:10"))
    (tmp_path / "casos_crm.csv").write_text("case_id,opened_at\n")
    found.pay("10:00", "12:00")
    yield found
    found.close()


def test_a_process_a_cycle_keeps_the_house_once_an_hour(bank: Bank) -> None:
    kept = []
    for minute in range(0, 150, 10):
        bank.now = at("12:00:10") + timedelta(minutes=minute)
        service = bank.start()
        service.cycle()
        with capture_logs() as told:
            if keep_house(service):
                kept.append(minute)
        assert [one["event"] for one in told] == ["housekeeping"] * (minute in kept)
        assert rows(service.store, t.months.select())
        service.store.close()
    assert kept == [0, 60, 120]


def test_a_clock_that_was_a_year_ahead_stops_nothing(bank: Bank) -> None:
    service, right = bank.start(), bank.now
    bank.now += timedelta(days=365)
    assert keep_house(service)
    bank.now = right
    assert keep_house(service)


def test_what_is_past_its_retention_is_gone(bank: Bank) -> None:
    service = bank.start()
    service.cycle()
    assert rows(service.store, t.cells.select())
    bank.now += service.config.retention.cells + timedelta(days=1)
    keep_house(service)
    assert not rows(service.store, t.cells.select())
