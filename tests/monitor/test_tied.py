"""A case and its incident: the case goes out whatever becomes of the other tool, and the trace is whole, once, when that is back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from connectors import Case
from connectors.desks.pair import Pair
from monitor.bereft import bereft
from monitor.claims import waiting
from monitor.outbox import LONGEST_WAIT, TIED, deliver, with_tied
from monitor.store import Message, Step, Store
from tests.fake_api import Said
from tests.fakes import pair

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.server import Tool

NOW = datetime(2026, 3, 3, 15, 30, tzinfo=UTC)
MANY = 40
CASE = Case("VG-AF-1-1", "AF-1", "1", "pagos", "", NOW, 80, "Afectación en pagos", "Fallan pagos.")


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[Tool]:
    made = pair.tool(tmp_path)
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path}/vigia.db")
    made.migrate()
    yield made
    made.close()


class Sender:
    """Sends what is due, as the service does: each side on its own, its rests kept; it does not sleep."""

    def __init__(self, store: Store, tool: Tool, **incident: Any) -> None:
        self.store, self.now = store, NOW
        self.desks = with_tied({"principal": Pair(**{**tool.desk, "incident": {**tool.desk["incident"], **incident}})})
        self.errors: dict[str, str] = {}
        self.rests: dict[str, dict[str, datetime]] = {name: {} for name in self.desks}
        for desk in self.desks.values():
            desk.session.sleep = lambda _: None  # type: ignore[attr-defined]
            desk.session.clock = self.seconds  # type: ignore[attr-defined]

    def seconds(self) -> float:
        return (self.now - NOW).total_seconds()

    def sends(self) -> None:
        for name in self.desks:
            deliver(
                self.store, self.desks, lambda: self.now, self.told, only=name, resting=self.rests[name]
            )  # fmt: skip

    def told(self, desk: str, error: str, _: str) -> None:
        self.errors[desk] = error

    def passes(self, time: timedelta) -> None:
        self.now += time
        self.sends()


def put(store: Store, action: str, *cases: Case) -> None:
    suffix = "" if action == "open" else f":{action}"
    made = [
        Message(f"{case.key}{suffix}", case.key, "principal", action, told(case)) for case in cases
    ]  # fmt: skip
    store.commit(Step(messages=made), NOW)


def told(case: Case) -> dict[str, Any]:
    """As the outbox has it."""
    left = {name: value for name, value in asdict(case).items() if name != "number"}
    return left | {"opened_at": NOW.isoformat()}


CASES = [replace(CASE, key=f"VG-AF-1-{n}", client_id=str(n)) for n in range(MANY)]


@pytest.mark.parametrize("how", ["hangs up", "password"])
def test_a_dead_incident_tool_keeps_no_case_waiting_and_the_trace_is_whole_once(
    store: Store, tool: Tool, how: str
) -> None:
    other = tool.fake.incidents
    sender = Sender(store, tool)
    login = other.login
    if how == "password":
        other.login = lambda asked: other.fault(401, 623) if asked.path == "/api/jwt/login" else login(asked)
    else:
        other.login = lambda _: Said(503)
    put(store, "open", *CASES)
    sender.sends()
    assert len(tool.fake.records) == MANY
    put(store, "update", *(replace(case, status="afectación superada", note="Terminó") for case in CASES))
    sender.sends()
    assert [case["Vigia_Note__c"] for case in tool.fake.records.values()] == ["Terminó"] * MANY
    assert (sender.errors["principal"], other.incidents) == ("", {})
    assert sender.errors[f"principal{TIED}"]
    assert {desk for desk, _ in waiting(store)} == {f"principal{TIED}"}
    other.login = login
    for _ in range(6):
        sender.passes(2 * LONGEST_WAIT)
    (incident,) = other.incidents.values()
    cases = list(tool.fake.records.values())
    assert {case[pair.INCIDENT_NUMBER] for case in cases} == {incident["Incident Number"]}
    notes = [one["values"]["Detailed Description"] for one in other.log]
    ends = [note for note in notes if not note.startswith("Caso ")]
    assert ends == ["Afectación AF-1: afectación superada"]
    assert sorted(set(notes) - set(ends)) == sorted(f"Caso {case['CaseNumber']}" for case in cases)
    assert (len(notes), waiting(store)) == (MANY + 1, [])


def test_each_side_has_a_circuit_and_none_is_bereft(store: Store, tool: Tool) -> None:
    sender = Sender(store, tool)
    tool.fake.incidents.login = lambda _: Said(503)
    put(store, "open", *CASES[:3])
    for _ in range(4):
        sender.passes(LONGEST_WAIT / 100)
    states = [desk.session.circuit.state for desk in sender.desks.values()]  # type: ignore[attr-defined]
    assert states == ["closed", "open"]
    assert bereft(store, ["principal"]) == {}
    assert list(bereft(store, ["otro"])) == [f"principal{TIED}"]


@pytest.mark.parametrize("written", range(4))
def test_an_answer_that_is_lost_leaves_one_trace(store: Store, tool: Tool, written: int) -> None:
    tool.fake.incidents.after = [None] * written + [Said(500)]
    sender = Sender(store, tool)
    put(store, "open", *CASES[:2])
    for _ in range(4):
        sender.passes(LONGEST_WAIT)
    (incident,) = tool.fake.incidents.incidents.values()
    numbers = [case["CaseNumber"] for case in tool.fake.records.values()]
    assert incident[pair.CASE_NUMBER] == numbers[0]
    assert sorted(one["values"]["Detailed Description"] for one in tool.fake.incidents.log) == [
        f"Caso {n}" for n in numbers
    ]
    assert waiting(store) == []
