"""Rows that an API gives, as the daemon reads them by its configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.intake import Intake
from monitor.plugs import read_source
from tests.characters import at
from tests.fake_api import TOKEN, Asked, FakeApi, Said

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


def test_a_row_that_the_server_gives_at_every_round_is_told_once(api: FakeApi, tmp_path: Path) -> None:
    """One without a value of the column that says what is new, or that is no row."""
    bad = [{"modified": None, "status": "ok"}, None]
    rows = [{"modified": (NOW - timedelta(minutes=n)).isoformat(), "status": "ok"} for n in range(1, 30)]
    api.pages = lambda api, asked: Said(
        body={"value": [row for row in api.rows if not row or str(row["modified"]) >= asked.query["modified_after"]]}
    )
    api.rows = [*rows, *bad]  # type: ignore[list-item]
    reading = intake(api, tmp_path, columns={"timestamp": "modified"})
    polls = [reading.poll(NOW + timedelta(minutes=n), NOW - timedelta(hours=1)) for n in range(3)]
    assert [(rows.table.num_rows, rows.rejected, rows.wrong) for rows in polls] == [(29, 2, ""), (0, 0, ""), (0, 0, "")]
    api.rows += bad[:1]  # type: ignore[arg-type]
    assert reading.poll(NOW + timedelta(minutes=4)).wrong.startswith("none of 1 rows could be used")


def test_rows_that_are_all_of_no_use_are_no_silence(api: FakeApi, tmp_path: Path) -> None:
    """As alike as they may be, they are not taken for those of before."""
    api.pages = lambda api, _: Said(body={"value": api.rows})
    api.rows = [{"modified": None, "status": "ok"}] * 5
    reading = intake(api, tmp_path, columns={"timestamp": "modified"})
    assert all(reading.poll(NOW + timedelta(minutes=n)).wrong for n in range(4))


@pytest.mark.parametrize("paged", [{}, {"offset": "skip", "limit": "top", "page_size": 20}])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_list_that_is_read_whole_is_well_as_long_as_nothing_changes(
    api: FakeApi, tmp_path: Path, form: str, paged: dict[str, Any]
) -> None:
    clients = [{"client_id": str(900123400 + n)} for n in range(50)]

    def pages(api: FakeApi, asked: Asked) -> Said:
        at, top = int(asked.query.get("skip", 0)), int(asked.query.get("top", 999))
        page = api.rows[at : at + top]
        text = "client_id,name\n" + "".join(f"{row['client_id']},uno\n" if row else "900,a,b,c\n" for row in page)
        return Said(text=text.encode()) if form == "csv" else Said(body=page)

    api.pages = pages
    api.rows = [*clients, None]  # type: ignore[list-item]
    reading = intake(api, tmp_path, role="clients", format=form, rows="", since="", cursor="", **paged)
    found = [reading.poll(NOW + timedelta(hours=n)) for n in range(3)]
    assert [(rows.table.num_rows, rows.rejected, rows.wrong) for rows in found] == [(50, 1, ""), (0, 0, ""), (0, 0, "")]
    api.rows += [None]  # type: ignore[list-item]
    assert [(rows.table.num_rows, rows.rejected) for rows in [reading.poll(NOW)]] == [(50, 2)]


ODD = [
    "1e400",
    "NaN",
    "Infinity",
    "-Infinity",
    "1" + "0" * 400,
    "1" + "0" * 5000,
    f'"{"9" * 5000}"',
    '"\\u0000"',
    "[1]",
    "{}",
]


@pytest.mark.parametrize("column", ["modified", "status", "latency_ms", "amount", "count", "id", "other"])
def test_whatever_one_cell_holds_the_other_rows_are_read(api: FakeApi, tmp_path: Path, column: str) -> None:
    row = {"modified": NOW.isoformat(), "status": "ok", "latency_ms": 5, "amount": 7, "count": 1, "id": "x", "other": 1}
    for odd in ODD:
        text = ", ".join(json.dumps(row | {"id": name}) for name in "ab")
        text += ", " + json.dumps(row | {column: "ODD"}).replace('"ODD"', odd)
        api.pages = lambda _api, _asked, text=text: Said(text=f'{{"value": [{text}]}}'.encode())
        rows = intake(api, tmp_path, columns={"timestamp": "modified"}).poll(NOW)
        assert rows.table["id"].to_pylist()[:2] == ["a", "b"], odd
        assert rows.table.num_rows + rows.rejected == 3, odd
        assert all(len(one.where + one.why) < 400 for one in rows.rejects), odd
