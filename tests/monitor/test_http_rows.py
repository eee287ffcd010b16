"""Rows that an API gives, as the daemon reads them by its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.intake import Intake
from monitor.plugs import read_source
from tests.characters import at
from tests.fake_api import TOKEN, FakeApi, Said

NOW = at("12:00")


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as made:
        yield made


def intake(api: FakeApi, folder: Path, **more: Any) -> Intake:
    """Of operations, with what else stands in the block."""
    block = {
        "role": "transactions", "kind": "http", "url": f"{api.url}/rows", "token": TOKEN, "rows": "value",
        "since": "modified_after", "cursor": "modified",
    }  # fmt: skip
    config = read_source("pagos", block | more, "UTC", folder, "config.toml", faults=(faults := []))
    assert not faults
    assert config
    return Intake(config)


@pytest.mark.parametrize(("named", "comes"), [("numero", 1), ("referencia", 2)])
def test_a_row_that_moves_to_the_next_page_is_the_same_by_the_column_that_is_its_id(
    api: FakeApi, tmp_path: Path, named: str, comes: int
) -> None:
    """Without one, nothing says that it is not another."""
    api.pages = lambda api, asked: Said(body={"value": api.rows[int(asked.query.get("skip", 0)) :][:2]})
    api.rows = [
        {"numero": n, "modified": (NOW - timedelta(minutes=n)).isoformat(), "status": "ok"} for n in range(1, 4)
    ]
    reading = intake(api, tmp_path, offset="skip", columns={"timestamp": "modified", "id": named})
    first = reading.poll(NOW)
    api.rows[:0] = [{"numero": 9, "modified": NOW.isoformat(), "status": "ok"}]
    times = [*first.table["timestamp"].to_pylist(), *reading.poll(NOW).table["timestamp"].to_pylist()]
    assert times.count(NOW - timedelta(minutes=2)) == comes
