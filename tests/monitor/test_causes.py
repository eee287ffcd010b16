"""`vigia causes` over a state, and causes.csv of a backtest: the same Pareto by the same code."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerts import Changes, IncidentState
from alerts.causes import Escalating
from monitor import listing, tallies
from monitor.backtest import write
from monitor.causes import causes
from monitor.store import Step, Store
from tests.characters import CAST
from tests.monitor.conftest import ACEROS, IMPACTS, INCIDENTS, MOLINOS, NOW, PAYMENTS, SLOW, THEIRS, ago
from tests.monitor.test_backtest import RULE, Bank

DAY = timedelta(days=1)
RULES = Escalating()
WHERE = "product=pagos;channel=conexion_directa;error_code=E504;way=failed"


def again(store: Store, days: float = 9) -> None:
    """The payments' failure of some days before: one client, 53 transactions."""
    before = replace(
        INCIDENTS[0], id="AF-before", started_at=NOW - days * DAY, ended_at=NOW - days * DAY + timedelta(hours=2),
        state=IncidentState.RESOLVED, resolved_at=NOW - days * DAY + timedelta(hours=3),
    )  # fmt: skip
    hit = replace(IMPACTS[1], incident_id=before.id, failures=50, missing=3)
    changes = Changes(incidents={before.id: before}, impacts={(before.id, hit.client_id, hit.product): hit})
    store.commit(Step(changes=changes), NOW)


def test_the_pareto_of_the_last_period(store: Store):
    again(store)
    found = causes(store, RULES, NOW)
    told = [
        (c["cause"], c["incidents"], c["clients"], c["failures"], c["minutes"], c["again"]) for c in found["causes"]
    ]
    assert told == [
        (WHERE, 2, 2, 4 + 131 + 12 + 53, 25 + 120, 1),
        ("product=recaudos;way=slow", 1, 1, 9, 30, 0),
    ]
    first, second = found["causes"]
    assert first["share"] == pytest.approx(200 / 209)
    assert (second["share"], second["cumulative"]) == (pytest.approx(9 / 209), 1)
    assert (first["product"], first["channel"], first["error_code"], first["newest"]) == (
        "pagos",
        "conexion_directa",
        "E504",
        PAYMENTS,
    )


def test_by_another_measure_and_in_another_time(store: Store):
    again(store)
    found = causes(store, RULES, NOW, by="clients")
    assert [c["share"] for c in found["causes"]] == [pytest.approx(2 / 3), pytest.approx(1 / 3)]
    only = causes(store, RULES, NOW, since=NOW - 20 * DAY, until=NOW - DAY)
    assert [(c["incidents"], c["failures"]) for c in only["causes"]] == [(1, 53)]
    assert causes(store, RULES, NOW, since=NOW - 90 * DAY, until=NOW - 80 * DAY)["causes"] == []


def test_what_a_client_has_again_counts_what_was_before_the_time(store: Store):
    again(store, days=20)
    found = causes(store, RULES, NOW, since=NOW - DAY)
    assert [c["incidents"] for c in found["causes"]] == [1, 1]
    (same,) = found["same_error"]
    assert (same["client_id"], same["client"], same["product"], same["error"]) == (
        ACEROS,
        "Aceros del Istmo",
        "pagos",
        "E504",
    )
    assert (same["incidents"], same["repeated"]) == (["AF-before", PAYMENTS], 1)
    assert [(row["product"], row["error"]) for row in found["same_product"]] == [("pagos", "")]
    assert causes(store, replace(RULES, recurrence=timedelta(days=10)), NOW, since=NOW - DAY)["same_error"] == []


def test_repeated_cases_by_product(store: Store):
    more = [
        replace(THEIRS[0], case_id="SP-70", opened_at=ago(9000), reported_at=ago(9000), source="bizagi"),
        replace(THEIRS[0], case_id="SP-76", opened_at=ago(5), reported_at=ago(5), product="recaudos"),
        replace(THEIRS[0], case_id="V-1", reported_by="monitor"),
    ]
    store.commit(Step(cases=more), NOW)
    found = causes(store, RULES, NOW, since=NOW - DAY)
    assert {k: found["case_rate"][k] for k in ("cases", "repeated", "unknown")} == {
        "cases": 3,
        "repeated": 1,
        "unknown": 0,
    }
    assert found["case_rate"]["by_typology"] == {"cases": 0, "repeated": 0, "unknown": 3, "percent": None}
    assert [(row["product"], row["percent"]) for row in found["case_rate_by_product"]] == [
        ("pagos", 50),
        ("recaudos", 0),
    ]
    assert MOLINOS in {case.client_id for case in more}


def test_as_a_table(store: Store):
    again(store)
    out = listing.console()
    with out.capture() as told:
        tallies.show_causes(causes(store, RULES, NOW), out, NOW)
    words = " ".join(told.get().split())
    for part in (
        "Pagos · Conexión Directa, código E504: Fallas 2 2 1 200",
        "96 % 96 %",
        "Aceros del Istmo",
        "0 de 2 casos",
    ):
        assert part in words, words
    assert SLOW not in words


def test_a_backtest_writes_its_causes(tmp_path: Path):
    bank = Bank(tmp_path, rules=RULE)
    bank.mornings([0, 1, 2], bad=[0, 1, 2], minutes=200)
    outcome = bank.replay()
    write(outcome, tmp_path / "out", "America/Bogota")
    with (tmp_path / "out" / "causes.csv").open(newline="", encoding="utf-8") as file:
        (row, *others) = csv.DictReader(file)
    assert list(row)[:7] == ["cause", "incidents", "clients", "failures", "share", "cumulative", "escalated_at"]
    incidents = sorted(outcome.incidents.values(), key=lambda i: i.started_at)
    assert others == []
    assert (row["cause"], row["incidents"], row["clients"]) == (
        "product=pagos;channel=web;way=failed",
        "3",
        str(len(CAST)),
    )
    assert int(row["failures"]) == sum(m.failures + m.missing for m in outcome.impacts.values())
    assert (row["share"], row["cumulative"]) == ("1.0", "1.0")
    assert datetime.fromisoformat(row["escalated_at"]) == incidents[2].resolved_at, "with the end of the third"
    assert len(outcome.escalations) == 1


def test_a_day_at_once_and_minute_by_minute_escalate_the_same(tmp_path: Path):
    bank = Bank(tmp_path, rules=RULE)
    bank.mornings([0, 1, 2], bad=[0, 1, 2], minutes=180)
    once, small = bank.replay().escalations, bank.replay(span=97).escalations
    assert once == small
    assert len(once) == 1
