"""Declared maintenance: no signal from within it, nobody's normal, and the true state at once when it is over."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from alerts import Incident, Touch
from monitor.backtest import backtest
from monitor.calendar import Calendar
from monitor.config import read_config
from monitor.faults import ConfigError
from monitor.maintenance import Maintenance, maintained
from monitor.pipeline import Pipeline
from monitor.spans import Span
from monitor.windows import Windows
from rules import Frame, Grain, Scope, Spec, Verdict
from rules.limit import Limit
from tests.characters import ACEROS, CAFE, CAST, at, every_minute, minute, transactions

CALENDAR = Calendar("America/Bogota")
NIGHT = Maintenance(at("10:00"), at("10:30"), "pagos", "web")


def fails(start: str, end: str, *who, product: str = "pagos") -> list[dict]:
    """Twenty transactions of each client a minute from nine to twelve; these clients' fail in between."""
    usual = [client.sends("09:00", product, "web", count=20) for client in CAST]
    hurt = [row | ({"status": "failed"} if row["client_id"] in {w.nit for w in who} else {}) for row in usual]
    return [
        *every_minute("09:00", start, *usual),
        *every_minute(start, end, *hurt),
        *every_minute(end, "12:00", *usual),
    ]


def piped(rows: list[dict], *declared: Maintenance, minutes: int = 1) -> Pipeline:
    windows = Windows()
    windows.hold_cells(windows.count(transactions(rows), source="core", closing=None).cells)
    grain = Grain(minutes=minutes)
    rule = Limit(Spec(name="fallas", grain=grain, for_=timedelta(minutes=2), min_total=10), when="failed_rate > 0.2")
    return Pipeline([rule], windows, CALENDAR, lateness=timedelta(seconds=10), maintenance=declared)


def judged(pipeline: Pipeline) -> list[Incident]:
    return list(pipeline.judge(minute("09:00"), minute("12:00")).incidents.values())


@pytest.mark.parametrize("minutes", [1, 5])
def test_what_fails_in_maintenance_alone_is_no_incident(minutes):
    rows = fails("10:00", "10:30", *CAST)
    assert judged(piped(rows, minutes=minutes))
    assert judged(piped(rows, NIGHT, minutes=minutes)) == []


def test_what_still_fails_when_it_is_over_is_an_incident_from_then_on():
    (incident,) = judged(piped(fails("10:00", "10:45", *CAST), NIGHT))
    assert (incident.started_at, incident.detected_at) == (at("10:30"), at("10:32:10"))


def test_what_failed_before_goes_on_through_it_and_heals_after_it():
    (incident,) = judged(piped(fails("09:50", "10:30", *CAST), NIGHT))
    assert incident.started_at == at("09:50")
    assert incident.resolved_at > at("10:30")


def test_a_wider_scope_is_not_inside():
    whole = Limit(Spec(name="todo", grain=Grain(()), min_total=10), when="failed_rate > 0.2")
    pipeline = piped(fails("10:00", "10:30", *CAST), NIGHT)
    pipeline.rules = [whole]
    assert judged(pipeline)


@pytest.mark.parametrize(
    ("declared", "silent"),
    [
        (Maintenance(at("09:00"), at("12:00")), True),
        (Maintenance(at("09:00"), at("12:00"), product="pagos"), True),
        (Maintenance(at("09:00"), at("12:00"), channel="web"), True),
        (Maintenance(at("09:00"), at("12:00"), product="nomina"), False),
        (Maintenance(at("09:00"), at("12:00"), "pagos", "h2h"), False),
        (Maintenance(at("07:00"), at("09:00"), "pagos", "web"), False),
    ],
)
def test_it_holds_for_what_it_names(declared, silent):
    assert (judged(piped(fails("10:00", "10:30", *CAST), declared)) == []) is silent


def test_failures_in_maintenance_are_nobodys_base_rate():
    rows = [
        *fails("09:10", "09:50", ACEROS),
        *every_minute("11:00", "11:20", CAFE.sends("11:00", status="failed", count=100)),
    ]
    rows += every_minute("11:00", "11:20", ACEROS.sends("11:00", status="failed", count=10))
    declared = Maintenance(at("09:10"), at("09:50"), "pagos", "web")

    def hurt(*idle: Maintenance) -> set[str]:
        changes = piped(rows, *idle).judge(minute("10:30"), minute("11:20"))
        return {i.client_id for i in changes.impacts.values() if i and i.touch is Touch.AFFECTED}

    assert CAFE.nit in hurt()
    assert ACEROS.nit not in hurt()
    assert hurt(declared) == {CAFE.nit, ACEROS.nit}


def test_rules_are_shown_which_windows_touch_it():
    pipeline = piped(fails("10:00", "10:30", *CAST), NIGHT, minutes=5)
    span = Span(pipeline.windows, CALENDAR, pipeline.rules, minute("09:50"), minute("10:50"), pipeline.maintenance)
    frame = span.frame(pipeline.rules[0])
    touched = frame.minute[span.maintained(frame)]
    assert touched.tolist() == list(range(minute("10:00"), minute("10:34")))


def test_a_part_of_a_minute_is_all_of_it():
    scopes = (Scope("pagos", "web"),)
    frame = Frame(
        minute("10:00"),
        minute("10:10"),
        scopes,
        np.zeros(10, np.int64),
        np.arange(minute("10:00"), minute("10:10")),
        {},
    )
    some = Maintenance(at("10:02:30"), at("10:03:01"))
    assert np.flatnonzero(maintained([some], frame, 1)).tolist() == [2, 3]
    assert np.flatnonzero(maintained([Maintenance(at("10:02"), at("10:04"))], frame, 1)).tolist() == [2, 3]


def test_the_boards_verdict_is_unknown():
    pipeline = piped(fails("10:00", "10:30", *CAST), NIGHT)
    pipeline.judge(minute("09:00"), minute("10:15"))
    assert {status.verdict for status in pipeline.status.values()} == {Verdict.UNKNOWN}


# ---- as it is written ------------------------------------------------------------------------------------------------

CONFIG = """
[sources.core]
role = "transactions"
kind = "file"
path = "transactions.csv"
"""


def written(folder: Path, text: str) -> Path:
    (folder / "config.toml").write_text(CONFIG + text)
    return folder / "config.toml"


def test_times_without_an_offset_are_the_banks(tmp_path):
    text = """
[[maintenance]]
product = "pagos"
from = 2026-03-03T22:00:00
until = "2026-03-04T04:00:00Z"

[[maintenance]]
from = "2026-03-03T22:00"
until = 2026-03-03T23:00:00-05:00
"""
    assert read_config(written(tmp_path, text)).maintenance == (
        Maintenance(at("22:00"), at("23:00"), "pagos"),
        Maintenance(at("22:00"), at("23:00")),
    )


def test_what_ends_before_it_begins_is_told(tmp_path):
    text = '[[maintenance]]\nfrom = 2026-03-03T22:00:00\nuntil = "2026-03-03T21:59:00-05:00"\n'
    with pytest.raises(ConfigError) as caught:
        read_config(written(tmp_path, text))
    assert [str(fault) for fault in caught.value.faults] == ["config.toml: maintenance[0].until: must be after `from`"]


def test_a_backtest_knows_of_it(tmp_path):
    lines = [
        f"{at('09:00') + timedelta(minutes=m):%Y-%m-%dT%H:%M:%SZ},pagos,web,{CAFE.nit},{'failed' if 60 <= m < 80 else 'ok'},100"
        for m in range(120)
    ]
    (tmp_path / "transactions.csv").write_text("\n".join(["timestamp,product,channel,client_id,status,count", *lines]))
    assert backtest(read_config(written(tmp_path, ""))).incidents
    text = '[[maintenance]]\nproduct = "pagos"\nfrom = 2026-03-03T10:00:00\nuntil = 2026-03-03T10:30:00\n'
    assert backtest(read_config(written(tmp_path, text))).incidents == {}
