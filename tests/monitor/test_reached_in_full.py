"""Whoever is to be told is told: of all of it, once, whatever else is told to them or goes wrong next to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.routing import Route
from monitor import tables as t
from monitor.standing import rows
from monitor.step import Act
from tests.monitor.told import ACEROS, Told, bank, incident, over

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


@pytest.mark.parametrize(
    ("acts", "told"),
    [
        ((), True), (("ack",), False), (("ack", "unack"), True), (("ack", "unack", "ack"), False),
        (("ack", "unack") * 2, True),
    ],
)  # fmt: skip
def test_what_was_taken_on_and_taken_back_is_escalated(made: Bank, acts: tuple[str, ...], *, told: bool) -> None:
    here = made(Route("torre"), Route("jefe", after=timedelta(minutes=30)))
    here.put(incident("AF-1"))
    for act in acts:
        here.told(after=1)
        here.act("AF-1", act)
    late = [one for _ in range(6) for one in here.told(after=10) if one[0] == "jefe"]
    assert late == ([("jefe", "", "first", ("new", "escalated"))] if told else [])


def test_the_end_is_told_when_its_silence_is_lifted_early(made: Bank) -> None:
    here = made(Route("torre"))
    one = incident("AF-1")
    here.put(one)
    here.told(after=1)
    here.silence(0, 60 * 72)
    here.put(over(one, here.now))
    assert here.told(after=1) == []
    (silence,) = rows(here.store, t.silences.select())
    lifted = silence | {"ended_by": "ana", "ended_at": here.now}
    act = Act("", here.now, "ana", "end_silence", silence["id"], about=silence["id"])
    here.store.act(act, also=[(t.silences, lifted)])
    assert here.told(after=1) == [("torre", "", "end", ("end",))]
