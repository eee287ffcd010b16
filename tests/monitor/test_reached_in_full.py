"""Whoever is to be told is told: of all of it, once, whatever else is told to them or goes wrong next to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest

from alerts.routing import Route
from tests.monitor.told import ACEROS, Told, bank, incident

MORNING = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
"""Half past seven of the Wednesday in Bogotá."""
Bank = Callable[..., Told]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Bank]:
    """A bank with these routes; closed in the end."""
    there: list[Told] = []

    def make(*routes: Route, **how: Any) -> Told:
        folder = tmp_path / str(len(there))
        folder.mkdir()
        there.append(bank(folder, *routes, **how))
        return there[-1]

    yield make
    for one in there:
        one.store.close()


def test_two_digests_of_one_receiver_that_share_a_time_are_both_told(made: Bank) -> None:
    half_past, four = time(7, 30), time(16)
    here = made(
        Route("correo", "plain", ("manager",), products=frozenset({"pagos"}), at=(half_past,)),
        Route("correo", "plain", ("manager",), products=frozenset({"recaudos"}), at=(half_past, four)),
    )
    here.put(incident("AF-1"), incident("AF-2", product="recaudos"), hit={"AF-1": [ACEROS], "AF-2": [ACEROS]})
    here.now = MORNING
    here.told()
    assert [[i["id"] for i in told["incidents"]] for told in here.payloads()] == [["AF-1"], ["AF-2"]]
