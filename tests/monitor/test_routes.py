"""What the configuration says of routes, as it is read; mistakes are in tests/configs."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, time, timedelta
from typing import Any

from alerts.routing import Route
from monitor.blocks import Monitor
from monitor.faults import Fault
from monitor.routes import Routing, read_routing
from rules import Severity

RECEIVERS = "[receivers.correo]\n[receivers.torre]\n"
NOON = datetime(2026, 3, 3, 17, tzinfo=UTC)
EVENING = NOON + timedelta(hours=9)


def read(text: str) -> Routing:
    faults: list[Fault] = []
    tables: dict[str, Any] = tomllib.loads(RECEIVERS + text)
    found = read_routing(tables, Monitor(), "config.toml", faults)
    assert faults == []
    return found


def test_without_a_route_each_receiver_is_told_everything() -> None:
    assert read("").routes == tuple(
        Route(name, news=frozenset({"incident", "fault", "breach"})) for name in ("correo", "torre")
    )
    assert read_routing({}, Monitor(), "config.toml", []).routes == ()


def test_a_route_is_read_as_it_is_written() -> None:
    (route,) = read(
        """
        [teams.n2]
        products = ["pagos"]
        members = ["n2@banco.example"]
        lead = "lider@banco.example"
        [[route]]
        receiver = "correo"
        words = "plain"
        to = ["team", "x@banco.example", "team"]
        products = ["pagos"]
        channels = ["web"]
        segments = ["pyme"]
        teams = ["n2"]
        severity = "major"
        after = "15m"
        """
    ).routes
    assert route == Route(
        "correo", "plain", ("team", "x@banco.example"), frozenset({"pagos"}), frozenset({"web"}), frozenset({"pyme"}),
        frozenset({"n2"}), Severity.MAJOR, after=timedelta(minutes=15),
    )  # fmt: skip


def test_the_hours_of_a_calendar_and_the_others() -> None:
    inside, outside, digest = read(
        """
        [promises.calendars]
        habil = { hours = "08:00-18:00" }
        [[route]]
        receiver = "correo"
        during = "habil"
        [[route]]
        receiver = "correo"
        outside = "habil"
        [[route]]
        receiver = "correo"
        at = ["19:00", "07:30"]
        """
    ).routes
    assert (inside.opening(NOON), inside.opening(EVENING)) == (NOON, EVENING + timedelta(hours=11))
    assert (outside.opening(NOON), outside.opening(EVENING)) == (NOON + timedelta(hours=6), EVENING)
    assert digest.at == (time(7, 30), time(19))
