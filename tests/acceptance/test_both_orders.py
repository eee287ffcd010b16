"""Whoever speaks first, and however the tools write the NIT: one case a client, an honest lead, and a wrong link can be mended."""

from __future__ import annotations

import csv
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

from connectors.nit import check_digit
from monitor import casework
from monitor.store import Store
from tests.acceptance.timeline import PATIENCE, Row, Timeline

START = datetime(2026, 3, 3, 14, 0, tzinfo=UTC)
HISTORY, LATENESS, MINUTE = 60, timedelta(seconds=10), timedelta(minutes=1)
FIRST, LATER, WRONG, MOVED = "900123456", "900333444", "900555666", "811222333"
"""Who reports before us; after us; about something else; after us, in both tools."""

CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
lateness = "10s"
rules = ["rules.toml"]

[sources.payments]
role = "transactions"
kind = "file"
path = "payments.csv"
every = "200ms"

[sources.sharepoint]
role = "cases"
kind = "file"
path = "sharepoint*.csv"
every = "200ms"
client_form = "nit_dv"

[sources.bizagi]
role = "cases"
kind = "file"
path = "bizagi*.csv"
every = "200ms"
client_form = "nit"

[desks.mesa]
kind = "local"
path = "casos.csv"
"""
RULES = """
[[rule]]
name = "fallas"
kind = "limit"
when = "failed_rate > 0.2"
min_total = 10
for = "2m"
keep_firing_for = "5m"
"""


class Day(Timeline):
    """Four clients, whose payments fail from the fifth minute on."""

    at: datetime = START - HISTORY * MINUTE
    told: int = 0

    def passes(self, minutes: int, *, failing: float = 0.0, each: bool = True) -> None:
        """So many minutes, judged one by one, or at once."""
        rows: list[Row] = []
        for n in range(minutes):
            draw = random.Random(self.at.timestamp())
            rows += [
                {"timestamp": (self.at + timedelta(seconds=draw.randrange(60))).isoformat(), "product": "pagos", "channel": "web",
                 "client_id": nit, "status": "failed" if draw.random() < failing else "ok"}
                for nit in (FIRST, LATER, WRONG, MOVED) for _ in range(6)
            ]  # fmt: skip
            self.at += MINUTE
            if each or n == minutes - 1:
                self.write("payments.csv", rows)
                self.now_is(self.at + LATENESS)
                self.until(int(self.at.timestamp() // 60))
                rows = []

    def reported(self, tool: str, number: str, nit: str, product: str = "") -> None:
        """The client reports this moment, and the tool tells of it."""
        self.told += 1
        at = (self.at + timedelta(seconds=5)).isoformat()
        case: Row = {"case_id": number, "client_id": nit, "product": product, "opened_at": at, "reported_by": "client"}
        self.write(f"{tool}.csv", [case])
        self.wait(f"SELECT 1 WHERE (SELECT count(*) FROM their_cases) = {self.told}")

    def wait(self, query: str) -> None:
        until = monotonic() + PATIENCE
        while not self.ask(query):
            assert monotonic() < until, query
            sleep(0.02)

    def does(self, action: str, nit: str, case_id: str = "") -> None:
        """Somebody does it, and the daemon takes it in."""
        store, now = Store(f"sqlite:///{self.folder / 'vigia.db'}"), self.at + LATENESS
        if case_id:
            casework.attribute(store, nit, case_id, "turno", now)
        else:
            casework.do(store, action, [nit], "turno", "", now)
        store.close()
        self.wait(
            "SELECT 1 WHERE (SELECT max(id) FROM acts) = (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'last_act')"
        )

    def of(self, nit: str) -> tuple[str, str, float | None]:
        """What was done for the client, the client's own case, and the lead in minutes."""
        store = Store(f"sqlite:///{self.folder / 'vigia.db'}")
        (decision,) = (d for d in store.decisions() if d.client_id == nit)
        store.close()
        lead = decision.lead_seconds
        return str(decision.action), decision.linked_case_id, None if lead is None else round(lead / 60)

    def desk(self) -> list[str]:
        """Whose cases are at the desk."""
        self.settle()
        with (self.folder / "casos.csv").open(encoding="utf-8-sig", newline="") as file:
            return sorted(row["cliente"] for row in csv.DictReader(file))


def test_both_orders_across_two_tools_and_a_link_that_is_mended(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "rules.toml").write_text(RULES)
    day = Day(tmp_path)
    for tool in ("sharepoint", "bizagi"):
        day.write(f"{tool}.csv", [])
    try:
        day.passes(HISTORY, each=False)
        day.reported("sharepoint", "SP-1", "900.123.456-8")
        day.reported("bizagi", "BZ-1", WRONG)
        day.passes(4, failing=0.9)
        assert day.of(FIRST) == ("link", "SP-1", -2), "they were first"
        assert day.of(WRONG) == ("link", "BZ-1", -2)
        assert day.desk() == sorted([LATER, MOVED])

        day.passes(4, failing=0.9)
        day.reported("bizagi", "BZ-2", LATER, "pagos")
        day.reported("sharepoint", "SP-2", f"{MOVED}{check_digit(MOVED)}", "pagos")
        day.passes(1, failing=0.9)
        day.reported("bizagi", "BZ-3", MOVED, "pagos")
        day.passes(1, failing=0.9)
        assert day.of(LATER) == ("open", "BZ-2", 6), "we were first"
        assert day.of(MOVED) == ("open", "SP-2", 6)

        day.does("undo", WRONG)
        assert day.of(WRONG) == ("open", "", None), "nothing stands for it any more"
        day.does("attribute", MOVED, "BZ-3")
        assert day.of(MOVED) == ("open", "BZ-3", 7)
        day.kill()
        day.passes(2, failing=0.9)
        assert day.of(WRONG) == ("open", "", None), "what was undone does not come back, after a restart neither"
        assert day.of(MOVED) == ("open", "BZ-3", 7)
        day.does("undo", LATER)
        day.passes(1, failing=0.9)
        assert day.of(LATER) == ("open", "", None)
        assert day.desk() == sorted([LATER, MOVED, WRONG]), "one case a client, and none for who had one"

        day.passes(8)
        assert day.ask("SELECT state FROM incidents WHERE parent_id = ''") == [("resolved",)]
        assert day.desk() == sorted([LATER, MOVED, WRONG])
        assert day.stop() == 0
    finally:
        day.kill()
