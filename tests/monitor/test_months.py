"""The months that are kept for boards: each in the end as the product itself counts it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts import TheirCase
from monitor import months
from monitor import tables as t
from monitor.config import Config, read_config
from monitor.months import keep_months
from monitor.retention import prune
from monitor.standing import Row, rows
from monitor.store import Step, Store

END = datetime(2026, 3, 28, tzinfo=UTC)
FORTNIGHT = timedelta(days=14)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "config.toml"
    path.write_text('[sources.core]\nrole = "transactions"\nkind = "file"\npath = "x.csv"\n')
    return read_config(path)


def day(month: int, number: int) -> datetime:
    return datetime(2026, month, number, 12, tzinfo=UTC)


def story(number: int, done: datetime | None) -> Row:
    return {
        "source": "mejora", "sprint": "S1", "story_id": str(number), "title": "", "state": "", "sprint_start": END - FORTNIGHT,
        "sprint_end": END, "planned_at": END - FORTNIGHT, "done_at": done, "updated_at": END,
    }  # fmt: skip


def kept(store: Store, month: str = "2026-03") -> dict[str, Row]:
    return {row["name"]: row for row in rows(store, t.months.select().where(t.months.c.month == month))}


def test_a_month_is_counted_again_when_facts_come_for_it(store: Store, config: Config) -> None:
    """The first incident is of March."""
    keep_months(store, config, lambda: day(6, 15))
    assert kept(store)["backlog"]["value"] is None
    store.put(t.stories, [story(n, END - timedelta(days=1) if n < 2 else None) for n in range(4)])
    keep_months(store, config, lambda: day(6, 16))
    assert kept(store)["backlog"]["value"] == 0.5
    store.put(t.stories, [story(3, END - timedelta(days=1))])
    keep_months(store, config, lambda: day(6, 17))
    assert kept(store)["backlog"]["value"] == 0.75
    keep_months(store, config, lambda: day(6, 18))
    assert kept(store)["backlog"]["kept_at"] == day(6, 17), "nothing came: not counted again"


def test_what_is_pruned_leaves_a_month_as_it_was_kept(store: Store, config: Config) -> None:
    keep_months(store, config, lambda: day(6, 15))
    before = kept(store)
    assert before["preventive"]["numerator"] == 2
    with store.writing() as c:
        c.execute(t.incidents.delete().where(t.incidents.c.state == "resolved"))
        c.execute(t.decisions.delete())
    store.put(t.stories, [story(1, None)])
    for now in (day(6, 16), day(6, 17)):
        keep_months(store, config, [now].pop)
        assert kept(store) == before


def test_what_is_pruned_leaves_the_last_month_as_it_was_kept_at_its_end(store: Store, config: Config) -> None:
    """What touches single clients is kept for 30 days; the first twenty cases of May were solved at once, the others were not."""
    cases = [
        TheirCase(
            f"C{n}", "crm", "900123456", day(5, n), day(5, n), "pagos", kind="soporte", level="N1" if n < 20 else "N2",
            status="cerrado", resolved_at=day(5, n), closed_at=day(5, n), updated_at=day(5, n),
        )
        for n in range(1, 31)
    ]  # fmt: skip
    store.commit(Step(cases=cases), day(5, 31))
    keep_months(store, config, lambda: day(6, 1))
    before = kept(store, "2026-05")
    assert before["first_instance"]["denominator"] == 30
    for now in (day(6, 15), day(6, 28)):
        prune(
            store,
            dict.fromkeys(("cells", "ledger", "incidents", "outbox"), day(1, 1)) | {"clients": now - 2 * FORTNIGHT},
        )
        keep_months(store, config, [now].pop)
        assert kept(store, "2026-05") == before
    assert kept(store, "2026-06")["first_instance"]["kept_at"] == day(6, 28)


def test_a_month_that_was_kept_before_its_end_is_counted_to_its_end(
    store: Store, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vigía was away over the end of March, and in April; nothing has failed so far."""
    with store.writing() as c:
        c.execute(t.incidents.delete())
    counted = []

    def indicators(_store: Store, *rest: datetime) -> dict[str, list[Row]]:
        counted.append(rest[-2])
        return {
            "indicators": [{"name": "x", "unit": "u", "formula": "f", "value": 1, "numerator": 1, "denominator": 1}]
        }

    monkeypatch.setattr(months, "indicators", indicators)
    keep_months(store, config, lambda: day(3, 20))
    keep_months(store, config, lambda: day(5, 2))
    assert {month: kept(store, f"2026-{month:02}")["x"]["kept_at"] for month in (3, 4, 5)} == dict.fromkeys(
        (3, 4, 5), day(5, 2)
    )
    counted.clear()
    keep_months(store, config, lambda: day(5, 3))
    assert [since.month for since in counted] == [5, 4]
