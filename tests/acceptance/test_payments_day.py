"""One real day of card payments by minute, which is no part of the product: where the file is not there, it is not missed.

The file has no clients. They are given its rows by fixed shares here: a declared, synthetic mapping that leaves each minute's totals
as they are.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerts import Action, Incident, IncidentState, Touch
from monitor.backtest import Outcome, backtest
from monitor.config import read_config
from tests.characters import ACEROS, CAFE, CAST, TEXTILES

DAY = (
    Path(os.environ.get("VIGIA_DATA") or Path(__file__).parents[2] / ".." / "shared" / "data") / "payments" / "day1.csv"
)
SHARES = {ACEROS: 0.6, TEXTILES: 0.3, CAFE: 0.1}
CONFIG = """
[sources.core]
role = "transactions"
kind = "file"
path = "day.csv"
defaults = { product = "pagos", channel = "tarjeta" }

[sources.core.status]
ok = ["approved"]
rejected = ["denied"]
failed = ["failed"]
reversed = ["reversed", "backend_reversed", "refunded"]
pending = ["processing"]
"""

pytestmark = pytest.mark.skipif(
    not DAY.exists(), reason="the real payments day (VIGIA_DATA/payments/day1.csv) is not here"
)


def local(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-03T{clock}-05:00")


def shared_out(source: Path, target: Path) -> dict[str, int]:
    """Every row's count among the clients by their shares, what is left over carried to the next row; rows by minute."""
    carried: dict[tuple[str, str], float] = defaultdict(float)
    totals: dict[str, int] = defaultdict(int)
    with source.open(newline="") as file, target.open("w", newline="") as out:
        row_of = csv.writer(out, lineterminator="\n").writerow
        row_of(["timestamp", "client_id", "status", "count"])
        for row in csv.DictReader(file):
            left = int(row["count"])
            totals[row["timestamp"]] += left
            for who, share in SHARES.items():
                key = (who.nit, row["status"])
                carried[key] += share * int(row["count"])
                theirs = left if who is CAST[-1] else min(left, int(carried[key]))
                carried[key] -= theirs
                left -= theirs
                if theirs:
                    row_of([row["timestamp"], who.nit, row["status"], theirs])
    return totals


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("day")
    shared_out(DAY, folder / "day.csv")
    (folder / "config.toml").write_text(CONFIG)
    return backtest(read_config(folder / "config.toml"))


def shown(outcome: Outcome) -> list[Incident]:
    found = [incident for incident in outcome.incidents.values() if incident.state is not IncidentState.MERGED]
    return sorted(found, key=lambda incident: incident.detected_at)


def between(outcome: Outcome, start: str, end: str) -> list[Incident]:
    return [incident for incident in shown(outcome) if local(start) <= incident.detected_at <= local(end)]


def test_the_shares_leave_every_minute_as_it_is(tmp_path):
    before, after = shared_out(DAY, tmp_path / "day.csv"), defaultdict(int)
    with (tmp_path / "day.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            after[row["timestamp"]] += int(row["count"])
    assert after == before


def test_the_storm_of_reversals_is_found_within_three_minutes_and_is_one_incident(judged):
    storm = between(judged, "14:31:00", "18:43:00")
    assert len(storm) == 1
    assert storm[0].detected_at <= local("14:34:00")
    assert storm[0].ended_at >= local("18:35:00")


def test_the_silence_before_midnight_is_found_within_five_minutes(judged):
    silence = between(judged, "23:47:00", "23:59:59")
    assert len(silence) == 1
    assert silence[0].detected_at <= local("23:52:00")


def test_hardly_anything_else_is_raised(judged):
    others = [
        i
        for i in shown(judged)
        if not local("14:31:00") <= i.detected_at <= local("18:43:00") and i.detected_at < local("23:47:00")
    ]
    assert len(others) <= 2, others


def test_all_three_clients_are_affected_by_the_storm_with_one_case_each(judged):
    (storm,) = between(judged, "14:31:00", "18:43:00")
    affected = {
        client
        for (incident, client, _), impact in judged.impacts.items()
        if incident == storm.id and impact.touch is Touch.AFFECTED
    }
    assert affected == {who.nit for who in CAST}
    cases = [decision for decision in judged.decisions.values() if decision.incident_id == storm.id]
    assert sorted(decision.client_id for decision in cases) == sorted(affected)
    assert {decision.action for decision in cases} == {Action.OPEN}
    assert all(decision.opened_at - storm.detected_at <= timedelta(minutes=30) for decision in cases)
