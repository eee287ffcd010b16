"""The file of an incident's clients, read part by part, is what its lists tell of them."""

from __future__ import annotations

import csv
from collections import defaultdict
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
import requests

from alerts import Touch
from monitor import people
from monitor.metrics import Metrics
from monitor.standing import Row
from monitor.web import app, serve
from tests.monitor.conftest import NOW, PAYMENTS, SLOW
from tests.monitor.test_theirs import crowded

if TYPE_CHECKING:
    from monitor.store import Store


def cell(value: Any) -> str:
    """As the file has it."""
    return "" if value is None else value.isoformat(timespec="seconds") if hasattr(value, "isoformat") else str(value)


def standing(store: Store, incident: str) -> dict[str, set[tuple[str, str]]]:
    """By client: number and time of the case that stands, else of the newest; of several that are alike, any."""
    of_client: dict[str, list[Row]] = defaultdict(list)
    for case in people.cases(store, incident_id=incident):
        of_client[case["client_id"]].append(case)

    def rank(case: Row) -> Any:
        return case["action"] != "none" and not case["withdrawn_at"], case["opened_at"]

    return {
        client: {
            (one["reference"] or one["linked_case_id"], cell(one["informed_at"]))
            for one in cases
            if rank(one) == max(map(rank, cases))
        }
        for client, cases in of_client.items()
    }


@pytest.mark.parametrize("some", [1, 7, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_every_part_continues_where_the_last_ended(
    store: Store, seed: int, some: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many of one priority and one name, several cases each, and acts that the judging thread has not taken in."""
    crowded(store, seed)
    monkeypatch.setattr("monitor.web.download.SOME", some)
    server = serve(app(store, Metrics(), lambda: (True, ""), lambda: NOW), "127.0.0.1:0")
    informed = 0
    try:
        for incident in (PAYMENTS, SLOW):
            whole, cases = people.incident(store, incident, NOW), standing(store, incident)
            for touch in Touch:
                address = f"{server.address}/api/v1/incidents/{incident}/clients.csv?touch={touch}"
                header, *found = csv.reader(StringIO(requests.get(address, timeout=20).content.decode("utf-8-sig")))
                names = ["client_id", "client", "segment", "product", "priority"]
                names += ["failures", "missing", "amount", "first_failure_at"]
                listed = whole[f"{touch}_clients"]
                assert [row[:9] for row in found] == [[cell(row[name]) for name in names] for row in listed]
                for row in found:
                    assert (row[9], row[10]) in cases.get(row[0], {("", "")})
                informed += sum(bool(row[10]) for row in found)
                assert len(header) == 11
    finally:
        server.stop()
    assert informed
