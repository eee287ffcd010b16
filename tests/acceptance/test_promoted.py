"""An incident in the second tool of a pair waits for N2: opened when a case is promoted, tied to it, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor import casework
from monitor.claims import waiting
from tests.acceptance.test_case_tools import Bank
from tests.characters import CAST
from tests.fake_api import Said
from tests.fakes import pair
from tests.fakes.server import Tool


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[Tool]:
    made = pair.tool(tmp_path)
    made.desk["promoted_only"], made.kind = True, "pair"
    made.desk["case"]["columns"] |= {"client_id": "NIT__c"}
    yield made
    made.close()


@pytest.fixture
def bank(tmp_path: Path, tool: Tool) -> Iterator[Bank]:
    """With a failure of pagos, and a case for each client."""
    made = Bank(tmp_path, tool)
    made.pay("11:45", "12:00")
    made.start()
    made.cycle("12:00:15")
    made.pay("12:00", "12:10", failing=0.9)
    made.cycle("12:10:15")
    assert len(tool.fake.records) == len(CAST)
    yield made
    for store in made.stores:
        store.close()


def incidents(tool: Tool) -> list[dict[str, Any]]:
    return list(tool.fake.incidents.incidents.values())


def logged(tool: Tool) -> list[str]:
    return [one["values"]["Detailed Description"] for one in tool.fake.incidents.log]


def promoted(bank: Bank, clock: str) -> str:
    """N2 makes an incidente of the first case at Vigía; its number at the desk."""
    key = bank.store.decisions()[0].key
    casework.do(bank.store, "promote", [key], "N2", "", bank.now)
    bank.cycle(clock)
    (record,) = [one for one in bank.tool.fake.records.values() if one["Vigia_Key__c"] == key]
    return str(record["CaseNumber"])


def test_the_incident_is_opened_at_the_promotion_and_not_before(bank: Bank, tool: Tool) -> None:
    assert incidents(tool) == []
    number = promoted(bank, "12:10:30")
    (incident,) = incidents(tool)
    ties = {one["CaseNumber"]: one.get(pair.INCIDENT_NUMBER) for one in tool.fake.records.values()}
    assert incident[pair.CASE_NUMBER] == number
    assert ties == dict.fromkeys(ties, None) | {number: incident["Incident Number"]}
    bank.pay("12:10", "12:30")
    bank.cycle("12:30:15")
    bank.cycle("12:31:15")
    (decision, *_) = bank.store.decisions()
    assert logged(tool) == [f"Caso {number}", f"Afectación {decision.incident_id}: afectación superada"]
    assert len(incidents(tool)) == 1
    assert waiting(bank.store) == []


@pytest.mark.parametrize("written", range(3))
def test_once_also_after_an_answer_that_was_lost_and_a_crash(bank: Bank, tool: Tool, written: int) -> None:
    tool.fake.incidents.after = [None] * written + [Said(500)]  # made, tied, noted
    promoted(bank, "12:10:30")
    bank.start()
    bank.pay("12:10", "12:11", failing=0.9)
    bank.cycle("12:11:15")
    number = promoted_number(bank, tool)
    (incident,) = incidents(tool)
    assert (incident[pair.CASE_NUMBER], logged(tool)) == (number, [f"Caso {number}"])
    assert waiting(bank.store) == []


def promoted_number(bank: Bank, tool: Tool) -> str:
    key = bank.store.decisions()[0].key
    (record,) = [one for one in tool.fake.records.values() if one["Vigia_Key__c"] == key]
    assert record[pair.INCIDENT_NUMBER] == incidents(tool)[0]["Incident Number"]
    return str(record["CaseNumber"])


def test_what_the_tool_itself_says_is_an_incidente_opens_it_too(bank: Bank, tool: Tool) -> None:
    bank.pay("12:10", "12:11", failing=0.9)
    bank.cycle("12:11:15")
    record = next(iter(tool.fake.records.values()))
    tool.fake.write(record, {"Tipo__c": "Incidente"})
    for minute in (12, 13):
        bank.pay(f"12:{minute - 1}", f"12:{minute}", failing=0.9)
        bank.cycle(f"12:{minute}:15")
    (incident,) = incidents(tool)
    assert incident[pair.CASE_NUMBER] == record["CaseNumber"]


def test_promoted_after_the_end_it_is_told_that_it_is_over(bank: Bank, tool: Tool) -> None:
    bank.pay("12:10", "12:30")
    bank.cycle("12:30:15")
    number = promoted(bank, "12:31:15")
    assert [line.rpartition(": ")[2] for line in logged(tool)] == [f"Caso {number}", "afectación superada"]
