"""Promises kept and broken in a real log of cases: what our clocks say is what plain SQL counts."""

from __future__ import annotations

import csv
import gzip
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from alerts import TheirCase
from alerts.causes import Escalating
from alerts.promises import Promise, Promises, first_word
from alerts.recurrence import rate, repeated
from monitor.business import ServiceHours
from monitor.calendar import Calendar
from monitor.causes import causes
from monitor.sla import standing
from monitor.store import Step, Store

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
        names = next(csv.reader(lines))
        names[names.index("category") + 1] = "category_1"  # it is there twice
        for row in csv.DictReader(lines, names):
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


# ---- what comes back, and what comes again -------------------------------------------------------------------------

RETURNS = f"""
SELECT count(DISTINCT number), count(*) FILTER (WHERE returns > 0), sum(returns),
    count(*) FILTER (WHERE reopened > 0), sum(reopened), count(*) FILTER (WHERE returns > 0 OR reopened > 0)
FROM (
    SELECT number, max(CAST(reassignment_count AS INT)) AS returns, max(CAST(reopen_count AS INT)) AS reopened
    FROM read_csv('{LOG}', header = true, all_varchar = true) GROUP BY number)
"""
CASES = f"""
CREATE TABLE cases AS SELECT number, nullif(arg_max(caller_id, place), '?') AS caller,
    nullif(arg_max(category, place), '?') AS product,
    nullif(arg_max(category_1, place), '?') AS typology,
    min(opened) AS opened, least(arg_max(resolved, place), arg_max(closed, place)) AS ended
FROM (
    SELECT *, row_number() OVER () AS place, strptime(opened_at, '%d/%m/%Y %H:%M') AS opened,
        try_strptime(resolved_at, '%d/%m/%Y %H:%M') AS resolved, strptime(closed_at, '%d/%m/%Y %H:%M') AS closed
    FROM read_csv('{LOG}', header = true, all_varchar = true))
GROUP BY number;
CREATE TABLE again AS SELECT number FROM cases a WHERE EXISTS (
    SELECT 1 FROM cases b WHERE b.caller = a.caller AND b.product = a.product
        AND b.opened > a.opened - INTERVAL 30 DAY AND (b.opened, b.number) < (a.opened, a.number));
CREATE TABLE the_same AS SELECT number FROM cases a WHERE EXISTS (
    SELECT 1 FROM cases b WHERE b.caller = a.caller AND b.product = a.product AND b.typology = a.typology
        AND b.opened > a.opened - INTERVAL 30 DAY AND (b.opened, b.number) < (a.opened, a.number));
"""
MONTH = "opened >= timestamp '2016-04-01' AND opened < timestamp '2016-05-01'"
RATE = f"""
SELECT count(*) FILTER (WHERE caller IS NOT NULL AND product IS NOT NULL),
    count(*) FILTER (WHERE number IN (FROM again)), count(*) FILTER (WHERE caller IS NULL OR product IS NULL)
FROM cases WHERE {MONTH}
"""
SOLVED = """
SELECT product, count(*), count(*) FILTER (WHERE ended - opened <= INTERVAL 40 HOUR), avg(epoch(ended) - epoch(opened)),
FROM cases WHERE ended >= timestamp '2016-04-01' AND ended <= timestamp '2016-05-01' GROUP BY product
"""


def told(rows: list[dict[str, str]]) -> TheirCase:
    """As a tool would tell it, row by row; the newest wins, but for the client's first word."""
    found: TheirCase | None = None
    for row in rows:
        known = {name: "" if row[name] == "?" else row[name] for name in ("caller_id", "category", "category_1")}
        opened = moment(row["opened_at"])
        resolved, closed = (None if row[name] == "?" else moment(row[name]) for name in ("resolved_at", "closed_at"))
        fresh = TheirCase(
            row["number"], "log", known["caller_id"], opened, opened, product=known["category"], typology=known["category_1"],
            returns=int(row["reassignment_count"]), reopened=int(row["reopen_count"]),
            resolved_at=resolved, closed_at=closed, reported_by="client",
        )  # fmt: skip
        found = first_word(found, fresh) if found else fresh
    assert found is not None
    return found


@pytest.fixture(scope="module")
def cases(log) -> list[TheirCase]:
    return [told(rows) for rows in log.values()]


@pytest.fixture(scope="module")
def sql() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute(CASES)
        yield made


def test_returns_are_what_sql_counts(cases, sql):
    returned = [case for case in cases if case.returns]
    reopened = [case for case in cases if case.reopened]
    ours = (
        len(cases), len(returned), sum(case.returns for case in returned), len(reopened), sum(c.reopened for c in reopened),
        sum(bool(case.returns or case.reopened) for case in cases),
    )  # fmt: skip
    assert ours == sql.execute(RETURNS).fetchone()
    assert len(returned) > 5_000


@pytest.mark.parametrize(("typology", "table"), [(False, "again"), (True, "the_same")])
def test_repeated_cases_are_those_that_sql_finds(cases, sql, typology, table):
    found = {number for (number,) in sql.execute(f"FROM {table}").fetchall()}
    assert {case.case_id for case, _ in repeated(cases, typology=typology)} == found
    assert len(found) > 500


def test_the_rate_of_a_month_and_its_promises_through_the_state(cases, sql, tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'vigia.db'}")
    store.migrate()
    store.commit(Step(cases=cases), NOW)
    since, until = moment("1/4/2016 00:00"), moment("1/5/2016 00:00")
    asked = causes(store, Escalating(), until, since=since, until=until)["case_rate"]
    assert (asked["cases"], asked["repeated"], asked["unknown"]) == sql.execute(RATE).fetchone()
    assert rate(cases, since, until).percent == asked["percent"]
    always = ServiceHours(BOGOTA, business_days=False)
    promises = Promises((Promise(timedelta(hours=40), always),))
    found = standing(store, promises, until)
    store.close()
    counted = {product or "": tuple(rest) for product, *rest in sql.execute(SOLVED).fetchall()}
    assert found["since"] == since
    ours = {
        row["product"]: (row["resolved"], row["in_time"], row["mean_seconds"])
        for row in found["products"]
        if row["resolved"]
    }
    assert {name: row[:2] for name, row in ours.items()} == {name: row[:2] for name, row in counted.items()}
    assert [row[2] for row in ours.values()] == pytest.approx([counted[name][2] for name in ours])
    assert all(row["in_time"] == row["in_time_by_tool"] for row in found["products"])
