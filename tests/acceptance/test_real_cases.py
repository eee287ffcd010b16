"""Promises kept and broken in a real log of cases: what our clocks say is what plain SQL counts."""

from __future__ import annotations

import csv
import gzip
import os
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from alerts import TheirCase
from alerts.promises import Promise, Promises
from monitor.business import ServiceHours
from monitor.calendar import Calendar

DATA = Path(os.environ.get("VIGIA_DATA") or Path(__file__).parents[2] / ".." / "shared" / "data")
LOG = DATA / "cases" / "incident_event_log.csv.gz"
pytestmark = pytest.mark.skipif(
    not LOG.exists(), reason=f"the real log of cases (VIGIA_DATA/cases/{LOG.name}) is not here"
)

BOGOTA = Calendar("America/Bogota")
AWAITED = "Awaiting User Info"
NOW = datetime(2017, 6, 1, tzinfo=UTC)
HOURS = {"office": (8, 18, True), "always": (0, 24, False)}

SECONDS = f"""
WITH log AS (
    SELECT number, ident_state AS state, row_number() OVER () AS place, strptime(opened_at, '%d/%m/%Y %H:%M') AS opened,
        try_strptime(resolved_at, '%d/%m/%Y %H:%M') AS resolved, strptime(closed_at, '%d/%m/%Y %H:%M') AS closed,
        strptime(sys_updated_at, '%d/%m/%Y %H:%M') AS seen
    FROM read_csv('{LOG}', header = true, all_varchar = true)),
cases AS (
    SELECT number, min(opened) AS opened, least(arg_max(resolved, place), arg_max(closed, place)) AS ended
    FROM log GROUP BY number),
newest AS (SELECT number, seen, arg_max(state, place) AS state FROM log GROUP BY number, seen),
stretches AS (
    SELECT number, seen AS a, lead(seen) OVER (PARTITION BY number ORDER BY seen) AS b, state FROM newest
    UNION ALL
    SELECT number, timestamp '1900-01-01', min(seen), '' FROM newest GROUP BY number),
running AS (
    SELECT number, greatest(a, opened) AS a, least(coalesce(b, ended), ended) AS b
    FROM stretches JOIN cases USING (number) WHERE state <> '{AWAITED}')
SELECT number, coalesce(sum(greatest(0, epoch(least(b, closes)) - epoch(greatest(a, opens)))), 0)::BIGINT AS seconds
FROM cases LEFT JOIN (SELECT number, a, b, opens, closes FROM running JOIN spans ON opens < b AND closes > a) USING (number)
GROUP BY number
"""


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=BOGOTA.zone)


@pytest.fixture(scope="module")
def log() -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    with gzip.open(LOG, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            found[row["number"]].append(row)
    return found


@pytest.mark.parametrize("hours", list(HOURS))
def test_the_service_that_each_case_took_is_what_sql_counts(log, hours):
    opens, closes, business = HOURS[hours]
    service = ServiceHours(BOGOTA, opens=opens * 60, closes=closes * 60, business_days=business)
    length = timedelta(hours=40)
    promises = Promises((Promise(length, service),), frozenset({AWAITED.casefold()}))
    days = [date(2016, 1, 1) + timedelta(days=n) for n in range(500)]
    midnights = [datetime(d.year, d.month, d.day) for d in days if not business or BOGOTA.business(d)]  # noqa: DTZ001 - as SQL has them
    spans = pa.table(
        {
            "opens": [m + timedelta(hours=opens) for m in midnights],
            "closes": [m + timedelta(hours=closes) for m in midnights],
        }
    )
    with duckdb.connect() as sql:
        sql.register("spans", spans)
        counted = dict(sql.execute(SECONDS).fetchall())
    taken, states = {}, Counter()
    for number, rows in log.items():
        last = rows[-1]
        ended = min(moment(last[name]) for name in ("resolved_at", "closed_at") if last[name] != "?")
        opened = min(moment(row["opened_at"]) for row in rows)
        case = TheirCase(number, "log", "", opened, opened, resolved_at=ended)
        changes = [(moment(row["sys_updated_at"]), row["ident_state"]) for row in rows]
        clock = promises.clock(case, NOW, changes=changes)
        assert clock is not None
        taken[number] = int(clock.spent.total_seconds())
        states[clock.state] += 1
    assert taken == counted
    late = sum(seconds > length.total_seconds() for seconds in counted.values())
    assert states["breached"] >= late  # also those that end out of hours with all of it spent
    assert sum(states.values()) == len(counted) > 17_000
    assert late > 1_000
    assert states["met"] + states["breached"] == len(counted)
