"""However many rows cannot be used, all are counted and the first are told."""

from __future__ import annotations

from structlog.testing import capture_logs

from connectors import KEPT
from monitor.backtest import backtest
from monitor.config import read_config
from tests.characters import at
from tests.monitor.test_service import Bank, bank

__all__ = ["bank"]

MANY = 3 * KEPT


def spoil(bank: Bank) -> None:
    with (bank.folder / "pagos.csv").open("a") as out:
        out.write("1;ok\n" * MANY)


def test_where_none_can_be_used_the_source_is_down_and_all_are_counted(bank: Bank) -> None:
    bank.pay("11:00", "12:00")
    service = bank.start()
    service.cycle()
    spoil(bank)
    with capture_logs() as told:
        assert bank.cycle("12:01:11") is False
    assert service.errors["pagos"].startswith(f"none of {MANY} rows could be used, such as pagos.csv:line ")
    assert f'vigia_source_rejected_rows_total{{source="pagos"}} {MANY}.0' in service.metrics.exposition().decode()
    assert [one["rows"] for one in told if one["event"] == "rows left out"] == [MANY]


def test_a_backtest_counts_them_and_tells_of_the_first(bank: Bank) -> None:
    bank.pay("11:00", "12:00")
    spoil(bank)
    outcome = backtest(read_config(bank.folder / "config.toml"))
    assert (outcome.summary["rejected_rows"], len(outcome.rejects)) == (MANY, KEPT)


def test_times_that_lie_ahead_are_counted_too(bank: Bank) -> None:
    bank.pay("11:00", "12:00")
    with (bank.folder / "pagos.csv").open("a") as out:
        out.write("2026-03-05T10:00:00Z,900123456,pagos,web,ok\n" * MANY)
    service = bank.start()
    rows = service._intakes["pagos"].poll(at("12:00:10"))
    assert (rows.rejected, len(rows.rejects)) == (MANY, KEPT)
