"""The month's indicators: each counted from what it says, and nothing where nothing can be known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.losses import Losses
from monitor import listing
from monitor.indicator_listing import NAMES, show_indicators
from monitor.indicators import FORMULAS, indicators, month_of
from monitor.standing import Row
from monitor.store import Step, Store
from tests.monitor.conftest import ACEROS, NOW, ago
from tests.monitor.served import Guarded
from tests.monitor.test_sla import case, promises, put

MONTH = timedelta(days=30)
BOGOTA = ZoneInfo("America/Bogota")


def asked(store: Store, since: datetime, until: datetime = NOW) -> dict[str, Row]:
    found = indicators(store, promises(), Losses(), MONTH, since, until)
    return {row["name"]: row for row in found["indicators"]}


def counted(row: Row) -> tuple[object, object, object]:
    return row["value"], row["numerator"], row["denominator"]


def test_each_is_counted_from_what_it_says(store: Store) -> None:
    put(
        store,
        case("B-1", 500, resolved_at=ago(490), level="N1", kind="soporte"),
        case("B-2", 400, resolved_at=ago(100), level="N1", kind="Soporte", returns=1),
        case("B-3", 300, ACEROS, product="swift", resolved_at=ago(200), level="N2", kind="novedad"),
    )
    found = asked(store, ago(60 * 24))
    assert counted(found["ans"]) == (0.5, 1, 2), "of swift nothing is promised"
    assert counted(found["first_instance"]) == (pytest.approx(1 / 3), 1, 3), "what was returned was not solved at once"
    assert counted(found["rework"])[1] == 1
    # B-1, B-2, and ours of the slow incident, which is over
    assert found["resolution"]["denominator"] == 3
    assert found["recurrence"]["numerator"] == 1, "B-2 repeats B-1"
    assert counted(found["reached_first"]) == (0.5, 1, 2)
    assert found["lead"]["value"] == 270
    assert found["preventive"]["numerator"] == 2


def test_what_cannot_be_known_is_told_as_such(store: Store) -> None:
    found = asked(store, NOW - timedelta(minutes=1))
    for name in ("ans", "resolution", "first_instance", "rework", "opportunity", "reached_first", "lead", "losses"):
        assert found[name]["value"] is None, name
    assert found.keys() == NAMES.keys() == FORMULAS.keys()


def test_the_backlog_is_of_the_sprints_that_ended_then(store: Store) -> None:
    def story(number: str, ended: float, planned: float | None, done: float | None, sprint: str = "S1") -> Row:
        times = {"sprint_end": ended, "planned_at": planned, "done_at": done}
        told = {name: None if at is None else ago(at) for name, at in times.items()}
        return {"source": "devops", "sprint": sprint, "story_id": number, "title": "", "state": "", **told}

    assert counted(asked(store, ago(1000))["backlog"]) == (None, None, None)
    stories = [
        story("1", 100, 900, 200),
        story("2", 100, 900, 90),  # done, and late
        story("3", 100, 900, None),
        story("4", 100, None, 200),  # came later
        story("5", 0, 500, 0, "S2"),
        story("6", -1, 500, 5, "S3"),  # has not ended
        story("7", 1000, 1900, 1500, "S0"),  # the month before
    ]
    rest = {"sprint_start": None, "updated_at": None}
    store.commit(Step(stories=[one | rest for one in stories]), NOW)
    assert counted(asked(store, ago(1000))["backlog"]) == (0.5, 2, 4)
    store.commit(Step(stories=[story("3", 100, 900, 150) | rest]), NOW)
    assert counted(asked(store, ago(1000))["backlog"]) == (0.75, 3, 4), "the newest row wins"


def test_a_month_in_the_banks_zone_as_far_as_it_has_gone() -> None:
    at = datetime(2026, 3, 1, 3, 0, tzinfo=UTC).astimezone(BOGOTA)
    assert month_of(at) == (datetime(2026, 2, 1, tzinfo=BOGOTA), at)
    since, until = month_of(NOW.astimezone(BOGOTA), "2025-12")
    assert (since, until) == (datetime(2025, 12, 1, tzinfo=BOGOTA), datetime(2026, 1, 1, tzinfo=BOGOTA))
    for wrong in ("2026-13", "marzo", "2027-01"):
        with pytest.raises(ValueError, match=r"unconverted|match|not begun"):
            month_of(NOW.astimezone(BOGOTA), wrong)


def test_on_a_terminal_and_over_the_api(store: Store) -> None:
    out = listing.console()
    with out.capture() as told:
        show_indicators(indicators(store, promises(), Losses(), MONTH, ago(60 * 24), NOW), out, NOW)
    words = " ".join(told.get().split())
    assert "Cumplimiento de ANS" in words
    assert "1 de 2" in words
    face = Guarded(store)
    try:
        found = face.get("/api/v1/indicators", "carla").json()
        assert {row["name"] for row in found["indicators"]} == NAMES.keys()
        for wrong in ("2027-01", "marzo", "2026-13"):
            assert face.get(f"/api/v1/indicators?month={wrong}", "carla").status_code == 422
        assert face.get("/api/v1/indicators").status_code == 401
    finally:
        face.server.stop()
