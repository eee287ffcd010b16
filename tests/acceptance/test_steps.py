"""An outage that touches 200 clients, in step `approve`: one act opens their cases within the desk's budget, one act takes them back."""

from __future__ import annotations

import csv
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

from monitor import casework
from monitor.store import Store
from tests.acceptance.timeline import PATIENCE, Row, Timeline

START = datetime(2026, 3, 3, 14, 0, tzinfo=UTC)
HISTORY, LATENESS, MINUTE = 60, timedelta(seconds=10), timedelta(minutes=1)
SEGMENTS = ["corporativo"] * 20 + ["empresarial"] * 60 + ["pyme"] * 120
CLIENTS = [f"900{n:06d}" for n in range(len(SEGMENTS))]
PER_HOUR = 100

CONFIG = f"""
[monitor]
database = "sqlite:///vigia.db"
lateness = "10s"
rules = ["rules.toml"]

[sources.payments]
role = "transactions"
kind = "file"
path = "payments.csv"
every = "200ms"

[sources.clients]
role = "clients"
kind = "file"
path = "clients.csv"

[[step]]
step = "approve"
products = ["pagos"]

[desks.mesa]
kind = "local"
path = "casos.csv"
per_hour = {PER_HOUR}
"""
RULES = """
[[rule]]
name = "fallas"
kind = "limit"
by = ["product"]
when = "failed_rate > 0.2"
min_total = 10
for = "2m"
keep_firing_for = "5m"

[[rule]]
name = "fallas_canal"
kind = "limit"
when = "failed_rate > 0.2"
min_total = 10
for = "2m"
keep_firing_for = "5m"
"""


class Outage(Timeline):
    """A bank whose payments fail from the start on."""

    at: datetime = START

    def pays(self, minutes: int, *, failing: float, share: float) -> None:
        """So many minutes of payments are written, of about that share of the clients each, and judged at once."""
        rows: list[Row] = []
        for _ in range(minutes):
            draw = random.Random(self.at.timestamp())
            rows += [
                {"timestamp": (self.at + timedelta(seconds=draw.randrange(60))).isoformat(), "product": "pagos", "channel": "web",
                 "client_id": nit, "status": "failed" if draw.random() < failing else "ok"}
                for nit in CLIENTS if draw.random() < share
            ]  # fmt: skip
            self.at += MINUTE
        self.write("payments.csv", rows)
        self.now_is(self.at + LATENESS)
        self.until(int(self.at.timestamp() // 60))

    def acts(self, action: str, incident: str) -> None:
        """Somebody does it, and the daemon has taken it in and told the desk."""
        store = Store(f"sqlite:///{self.folder / 'vigia.db'}")
        assert casework.do(store, action, [incident], "turno", "", self.at + LATENESS) == [f"{incident}: 200 casos"]
        store.close()
        until = monotonic() + PATIENCE
        while self.ask(
            "SELECT 1 FROM acts WHERE id > (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'last_act')"
        ):
            assert monotonic() < until
            sleep(0.02)

    def decided(self) -> dict[str, tuple[str, str, int]]:
        """Of each client: what was done, why, and the priority."""
        told = self.ask("SELECT client_id, action, reason, priority FROM decisions")
        assert len(told) == len({row[0] for row in told}), "one a client"
        return {
            str(client): (str(action), str(reason), int(str(priority))) for client, action, reason, priority in told
        }

    def desk(self) -> Counter[str]:
        """By state, how many cases there are at the desk; no client has two."""
        self.settle()
        path = self.folder / "casos.csv"
        if not path.exists():
            return Counter()
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len({row["cliente"] for row in rows}) == len(rows)
        assert {row["tipo"] for row in rows} == {"soporte"}
        return Counter(row["estado"] for row in rows)


def waiting(decided: dict[str, tuple[str, str, int]]) -> dict[str, int]:
    return {client: priority for client, (action, _, priority) in decided.items() if action == "none"}


def test_one_act_opens_two_hundred_cases_within_the_budget_and_one_takes_them_back(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "rules.toml").write_text(RULES)
    outage = Outage(tmp_path)
    outage.write("clients.csv", [{"client_id": c, "segment": s} for c, s in zip(CLIENTS, SEGMENTS, strict=True)])
    try:
        outage.at -= HISTORY * MINUTE
        outage.pays(HISTORY, failing=0.01, share=0.3)
        for _ in range(6):
            outage.pays(1, failing=0.9, share=1)
        ((incident,),) = outage.ask("SELECT id FROM incidents WHERE state = 'firing'")
        shown = outage.decided()
        assert {client: told[:2] for client, told in shown.items()} == dict.fromkeys(
            CLIENTS, ("none", "waits for approval")
        )
        assert outage.desk() == {}

        outage.acts("approve", str(incident))
        outage.pays(1, failing=0.9, share=0.3)
        assert outage.desk() == {"abierto": PER_HOUR}
        first = outage.decided()
        left = waiting(first)
        assert (len(first), len(left)) == (200, 100)
        assert min(shown[c][2] for c in CLIENTS if c not in left) >= max(shown[c][2] for c in left), "as of the act"
        outage.pays(30, failing=0.9, share=0.3)
        assert outage.desk() == {"abierto": PER_HOUR}, "the hour is not over"
        outage.pays(32, failing=0.9, share=0.3)
        assert outage.desk() == {"abierto": 200}
        assert not waiting(outage.decided())

        outage.acts("withdraw", str(incident))
        assert outage.desk() == {"retirado": 200}
        outage.pays(1, failing=0.9, share=0.3)
        outage.pays(10, failing=0, share=0.3)
        assert outage.ask("SELECT state FROM incidents WHERE parent_id = ''") == [("resolved",)]
        assert outage.desk() == {"retirado": 200}, "what was taken back is told no end, and is not opened again"
        assert len(outage.ask("SELECT 1 FROM outbox")) == 400
        assert outage.stop() == 0
    finally:
        outage.kill()
