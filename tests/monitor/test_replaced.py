"""A source that is called otherwise, or whose feed moved, is no blind place; and what it alone fed is unknown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from monitor.cells import CELLS
from monitor.replaced import Replaced
from monitor.store import Step, Store
from monitor.windows import METRICS, minute_of
from rules import Grain, Scope
from tests.characters import at
from tests.monitor.test_service import CONFIG, OTHER, Bank


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    made = Bank(tmp_path, at("12:00:11"))
    (tmp_path / "casos_crm.csv").write_text("case_id,opened_at\n")
    (tmp_path / "config.toml").write_text(CONFIG + OTHER)
    made.pay("10:00", "12:00")
    for product in ("recaudos", "swift"):
        made.pay("10:00", "12:00", file="otra.csv", product=product)
    made.start().cycle()
    yield made
    made.close()


def goes_on(bank: Bank, file: str, minutes: int, failing_from: int) -> None:
    for minute in range(minutes):
        first, last = f"12:{minute:02}", f"12:{minute + 1:02}"
        bank.pay(first, last)
        bank.pay(first, last, file=file, product="recaudos", failing=0.9 if minute >= failing_from else 0.0)
        bank.cycle(f"{last}:11")


def totals(bank: Bank, product: str) -> list[float]:
    windows = bank.services[-1].judge.windows
    frame = windows.frame(Grain(("product",)), ["total"], [], minute_of(at("10:00")), minute_of(at("12:00")))
    mine = [frame.scopes[one].product == product for one in frame.series]
    return [float(total) for total, its in zip(frame.columns["total"], mine, strict=True) if its]


def test_what_fails_is_found_though_its_source_has_another_name(bank: Bank) -> None:
    before = totals(bank, "recaudos")
    (bank.folder / "config.toml").write_text(CONFIG + OTHER.replace("sources.otra", "sources.convenios"))
    bank.start()
    goes_on(bank, "otra.csv", 9, failing_from=4)
    found = [(one.kind, one.started_at) for one in bank.store.incidents() if one.scope.product == "recaudos"]
    assert found == [("failed", at("12:04"))]
    assert totals(bank, "recaudos") == before, "each row of before once"
    bank.start()
    assert totals(bank, "recaudos") == before


def test_what_moved_is_judged_and_what_nobody_feeds_any_more_is_unknown(bank: Bank) -> None:
    bank.pay("10:00", "12:00", file="nueva.csv", product="recaudos")
    new = OTHER.replace("sources.otra", "sources.nueva").replace("otra.csv", "nueva.csv")
    (bank.folder / "config.toml").write_text(CONFIG + new)
    service = bank.start()
    goes_on(bank, "nueva.csv", 3, failing_from=9)
    until = minute_of(bank.now)
    dark = service.judge.windows.dark(until)
    assert (Scope("recaudos", "web") in dark, Scope("swift", "web") in dark) == (False, True)
    assert (totals(bank, "swift"), len(totals(bank, "recaudos"))) == ([], 120)


def test_what_another_source_told_of_a_place_stays_where_nobody_else_feeds_it(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'v.db'}")
    store.migrate()

    def rows(schema: pa.Schema, *given: tuple[str, str, str]) -> pa.Table:
        told = [
            {"minute": 9, "known": 9, "source": source, "product": product, "series": series, "channel": "web"}
            for source, product, series in given
        ]
        return pa.Table.from_pylist([{name: one.get(name) for name in schema.names} for one in told], schema)

    cells = rows(CELLS, ("gone", "pagos", ""), ("gone", "swift", ""), ("core", "pagos", ""))
    metrics = rows(METRICS, ("gone", "", "cola"), ("core", "", "cola"), ("gone", "pagos", "cola"))
    cursors: dict[str, tuple[dict[str, Any], datetime | None]] = {name: ({}, None) for name in ("core", "gone")}
    store.commit(Step(cells=[("cells", cells), ("metrics", metrics)], cursors=cursors), at("12:00"))
    replaced = Replaced(store, {"core"}, 0)
    assert replaced.without(cells).select(["source", "product"]).to_pylist() == [
        {"source": "gone", "product": "swift"},
        {"source": "core", "product": "pagos"},
    ]
    assert replaced.without(metrics)["source"].to_pylist() == ["core", "gone"]
    assert Replaced(store, {"core", "gone"}, 0).without(cells) == cells
    assert Replaced(store, {"core"}, 99).without(cells) == cells, "nothing is known to be fed now"
    store.close()
