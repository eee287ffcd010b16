"""kill -9 at twenty random moments: the same incidents and cases as undisturbed, nothing lost, doubled or forgotten."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.acceptance.timeline import Row, Timeline

START = datetime(2026, 3, 3, 14, 0, tzinfo=UTC)
HISTORY, LIVE = 120, 70
LATENESS = timedelta(seconds=10)
CLIENTS = {"900111222": 0.5, "900333444": 0.3, "900555666": 0.2}

CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
lateness = "10s"
rules = ["rules.toml"]

[sources.payments]
role = "transactions"
kind = "file"
path = "payments.csv"
every = "50ms"

[desks.local]
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

[[rule]]
name = "silencio"
kind = "absent"
for = "2m"
keep_firing_for = "5m"

[[rule]]
name = "volumen"
kind = "anomaly"
measure = "total"
detector = { kind = "seasonal", direction = "down", days = 1 }
min_change_ratio = 0.5
for = "2m"
keep_firing_for = "5m"
"""


def minutes(first: int, last: int) -> Iterator[tuple[datetime, list[Row]]]:
    """Payments of three clients: pagos fails for 12 minutes, later recaudos falls silent for 8; some ids come again as failed."""
    for number in range(first, last):
        at = START + timedelta(minutes=number - HISTORY)
        draw = random.Random(number)
        live = number - HISTORY
        rows: list[Row] = []
        for product, size in (("pagos", 40), ("recaudos", 25)):
            if product == "recaudos" and 35 <= live < 43:
                continue
            for k in range(size):
                client = draw.choices(list(CLIENTS), list(CLIENTS.values()))[0]
                failed = draw.random() < (0.6 if product == "pagos" and 10 <= live < 22 else 0.01)
                pending = draw.random() < 0.05
                key = f"{product}-{number}-{k}"
                when = at + timedelta(seconds=draw.randrange(60))
                row: Row = {"timestamp": when.isoformat(), "product": product, "channel": "conexion_directa", "client_id": client,
                            "status": "pending" if pending else "failed" if failed else "ok", "id": key}  # fmt: skip
                rows.append(row)
                if pending:
                    rows.append(row | {"status": "failed" if failed else "ok"})
        yield at, sorted(rows, key=lambda row: str(row["timestamp"]))


def play(folder: Path, kills: list[float]) -> Timeline:
    folder.mkdir()
    (folder / "config.toml").write_text(CONFIG)
    (folder / "rules.toml").write_text(RULES)
    timeline = Timeline(folder)
    timeline.write("payments.csv", [row for _, rows in minutes(0, HISTORY) for row in rows])
    timeline.now_is(START + LATENESS)
    try:
        timeline.until(int(START.timestamp() // 60))
        timeline.play(minutes(HISTORY, HISTORY + LIVE), lateness=LATENESS, kills=kills)
        assert timeline.stop() == 0
    finally:
        timeline.kill()
    return timeline


def outcome(timeline: Timeline) -> dict[str, object]:
    """What must not depend on kills: keys and event times, counts, and the desk's own file."""
    incidents = (
        "SELECT id, product, channel, kind, severity, state, started_at, ended_at, rules FROM incidents ORDER BY id"
    )
    impacts = "SELECT incident_id, client_id, product, touch, failures, missing, amount, first_failure_at FROM impacts ORDER BY 1, 2, 3"
    with (timeline.folder / "casos.csv").open(encoding="utf-8-sig", newline="") as file:
        desk = sorted((row["clave"], row["incidente"], row["cliente"], row["estado"]) for row in csv.DictReader(file))
    return {
        "incidents": timeline.ask(incidents),
        "impacts": timeline.ask(impacts),
        "decisions": timeline.ask("SELECT key, incident_id, client_id, product, action FROM decisions ORDER BY key"),
        "alerts": timeline.ask("SELECT rule, product, channel, state, since FROM alerts ORDER BY 1, 2, 3"),
        "desk": desk,
    }


def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    undisturbed = play(tmp_path / "calm", [])
    draw = random.Random(20)
    killed = play(tmp_path / "killed", [draw.random() for _ in range(20)])
    assert killed.started > 20
    expected = outcome(undisturbed)
    assert [(row[1], row[3]) for row in expected["incidents"]] == [("pagos", "failed"), ("recaudos", "missing")]
    assert len(expected["desk"]) == 6
    assert outcome(killed) == expected
