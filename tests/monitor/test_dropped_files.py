"""A feed by file: a partner drops one every quarter of an hour, and the daemon is started again in between."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.config import read_config
from monitor.plugs import _placed
from monitor.windows import minute_of
from tests.characters import at
from tests.monitor.test_service import Bank

CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
rules = ["rules.toml"]

[sources.pagos]
role = "transactions"
kind = "file"
path = "entrada"
settled = "10s"
"""


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    found = Bank(tmp_path, at("12:00:10"))
    (tmp_path / "entrada").mkdir()
    (tmp_path / "config.toml").write_text(CONFIG + 'lag = "20m"\n')
    yield found
    for service in found.services:
        service.store.close()


def drop(bank: Bank, first: str, last: str, *, failing: float = 0.0, name: str = "") -> Path:
    """The rows of a quarter of an hour, there at its end."""
    name = name or f"entrada/{last.replace(':', '')}.csv"
    bank.pay(first, last, failing=failing, file=name)
    path = bank.folder / name
    os.utime(path, (at(last).timestamp(),) * 2)
    return path


def test_a_failure_is_found_once_its_file_has_come_and_a_late_minute_is_no_silence(bank: Bank):
    drop(bank, "08:00", "12:00")
    bank.start()
    bank.cycle("12:00:10")
    bank.cycle("12:00:30")
    for first, last, failing in (("12:00", "12:15", 0.0), ("12:15", "12:30", 0.9), ("12:30", "12:45", 0.0)):
        drop(bank, first, last, failing=failing)
        bank.start()  # and what it was is gone
        for seconds in ("10", "30"):
            assert bank.cycle(f"{last}:{seconds}")
        assert bank.services[-1].judge.judged_until == minute_of(at(last)) - 20
        for later in range(3, 15, 3):
            bank.cycle(f"{last[:3]}{int(last[3:]) + later:02}:30")
    (failed,) = bank.store.incidents()
    assert (failed.rules, failed.started_at) == (("fallas",), at("12:15"))
    bank.cycle("13:10:30")  # and no file of 13:00
    missing = next(one for one in bank.store.incidents() if one.id != failed.id)
    assert (missing.rules, missing.started_at) == (("volumen",), at("12:45"))
    assert bank.store.gaps() == []


def test_a_file_that_cannot_be_read_is_unknown_time_until_it_is_mended(bank: Bank):
    (bank.folder / "config.toml").write_text(CONFIG)
    drop(bank, "08:00", "12:00")
    service = bank.start()
    bank.cycle("12:00:10")
    bank.cycle("12:00:30")
    whole = drop(bank, "12:00", "12:15")
    good = whole.read_text()
    whole.write_text(good.replace("web", "véb"), encoding="latin-1")
    bank.cycle("12:15:10")
    assert bank.cycle("12:15:30") is False
    assert "1215.csv: not utf-8" in service.errors["pagos"]
    service = bank.start()
    bank.cycle("12:16:30")
    assert bank.cycle("12:17:30") is True  # told, and the others go on
    assert [source for source, _, _ in bank.store.gaps()] == ["pagos"]
    whole.write_text(good)
    bank.cycle("12:17:50")
    bank.cycle("12:18:10")
    assert 'vigia_source_rows_total{source="pagos"} 180.0' in service.metrics.exposition().decode()


def test_a_file_of_other_columns_is_told_by_name_until_the_next_one_comes(bank: Bank):
    (bank.folder / "config.toml").write_text(CONFIG)
    drop(bank, "08:00", "12:00")
    service = bank.start()
    bank.cycle("12:00:10")
    bank.cycle("12:00:30")
    wrong = drop(bank, "12:00", "12:15")
    wrong.write_text(wrong.read_text().replace("status", "estado", 1))
    bank.cycle("12:15:10")
    for clock in ("12:15:30", "12:16:30"):
        assert bank.cycle(clock) is False
        assert "columns.status must say" in service.errors["pagos"]
        assert service.errors["pagos"].endswith("(1215.csv:line 2)")
    drop(bank, "12:15", "12:30")
    bank.cycle("12:30:10")
    assert bank.cycle("12:30:30") is False  # half of what came cannot be used
    assert bank.cycle("12:30:50") is True
    told = service.metrics.exposition().decode()
    assert 'vigia_source_rejected_rows_total{source="pagos"} 180.0' in told


def test_an_address_is_no_path_beside_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    placed = _placed({"path": "sftp://h/x/*.csv", "key_file": "llave", "known_hosts": ""}, tmp_path)
    assert placed == {"path": "sftp://h/x/*.csv", "key_file": str(tmp_path / "llave"), "known_hosts": ""}
    monkeypatch.setenv("CLAVE", "s3cret")
    block = '\n[sources.otra]\nrole = "clients"\nkind = "file"\npath = "sftp://u@h/x/*.csv"\npassword = "${CLAVE}"\n'
    (tmp_path / "config.toml").write_text(CONFIG + block)
    (tmp_path / "rules.toml").write_text("")
    config = read_config(tmp_path / "config.toml")
    assert "s3cret" not in repr(config.sources["otra"].make())
