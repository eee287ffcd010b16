"""Lists that are read as a whole: what has changed in them comes, and comes once."""

from __future__ import annotations

from typing import Any

from connectors import Batch
from connectors.changed import changed
from tests.cases import NOW


def read(rows: list[tuple[str, str]], before: Batch | None = None) -> tuple[list[str], Batch]:
    told: list[dict[str, Any]] = [{"case_id": number, "status": status} for number, status in rows]
    batch = changed(told, [number for number, _ in rows], before.cursor if before else None, NOW, "casos")
    return [f"{row['case_id']} {row['status']}" for row in batch.table.to_pylist()], batch


def test_of_two_rows_with_one_number_the_last_counts_and_comes_once() -> None:
    twice = [("T-1", "abierto"), ("T-2", "abierto"), ("T-1", "cerrado")]
    said, first = read(twice)
    assert sorted(said) == ["T-1 cerrado", "T-2 abierto"]
    assert read(twice, first)[0] == []
    assert read([*twice, ("T-1", "abierto")], first)[0] == ["T-1 abierto"]


def test_rows_without_a_number_hide_no_other_and_come_once() -> None:
    said, first = read([("", "abierto"), ("", "cerrado")])
    assert sorted(said) == [" abierto", " cerrado"]
    assert read([("", "cerrado"), ("", "abierto")], first)[0] == []
