"""What config.toml promises, read and kept: the bank's own table, on cases made for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from alerts import TheirCase
from alerts.promises import ClockState, Promises, first_word
from monitor.config import read_config
from tests.characters import ACEROS, at

SHIPPED = Path(__file__).parents[2] / "config.toml"
CORE = '[sources.core]\nrole = "transactions"\nkind = "file"\npath = "transactions.csv"\n'
HABIL = '[promises.calendars]\nhabil = { hours = "08:00-18:00" }\nsiempre = { days = "all" }\n'


def read(folder: Path, text: str) -> Promises:
    (folder / "config.toml").write_text(CORE + text)
    return read_config(folder / "config.toml").promises


@pytest.fixture(scope="module")
def shipped() -> Promises:
    return read_config(SHIPPED).promises


def case(opened: datetime, **told: str | datetime | None) -> TheirCase:
    return replace(ACEROS.reports("00:00", reported_at=opened), opened_at=opened, **told)


# Opened on Wednesday 3 June 2026 at 16:00; the Monday of that week's end is Corpus Christi.
OPENED = datetime.fromisoformat("2026-06-03T16:00-05:00")
DUE = [
    ({"product": "pagos"}, "2026-06-04T16:00-05:00"),
    ({"product": "pagos", "channel": "sucursal_digital"}, "2026-06-04T16:00-05:00"),
    ({"product": "pagos", "typology": "Otros"}, "2026-06-11T16:00-05:00"),
    ({"product": "recaudos"}, "2026-06-05T16:00-05:00"),
    ({"product": "depositos"}, "2026-06-11T16:00-05:00"),
    ({"channel": "conexion_directa"}, "2026-06-04T14:00-05:00"),
    ({"product": "conexion_directa"}, "2026-06-04T14:00-05:00"),
    ({"channel": "sucursal_digital"}, "2026-06-04T14:00-05:00"),
    ({"product": "sucursal_digital"}, "2026-06-04T14:00-05:00"),
    *(
        ({"product": product}, "2026-06-11T16:00-05:00")
        for product in ("transporte_efectivo", "swift", "tarjetas", "adquirencia", "pasarela_pagos", "")
    ),
]


@pytest.mark.parametrize(("words", "due"), DUE)
def test_a_case_is_due_as_the_bank_has_promised(shipped, words, due):
    moment = datetime.fromisoformat(due)
    for now, ended, state in (
        (OPENED, None, ClockState.RUNNING),
        (moment - timedelta(hours=1), None, ClockState.AT_RISK),
        (moment, moment, ClockState.MET),
        (moment + timedelta(minutes=1), None, ClockState.BREACHED),
        (moment + timedelta(days=9), moment + timedelta(minutes=1), ClockState.BREACHED),
    ):
        found = shipped.clock(case(OPENED, **words, resolved_at=ended), now)
        assert found is not None
        assert (found.due_at, found.state) == (moment, state)


@pytest.mark.parametrize(("words", "due"), DUE)
def test_a_case_that_its_tool_opens_anew_when_it_returns_keeps_its_clock(shipped, words, due):
    first = case(OPENED, **words)
    again = replace(first, opened_at=OPENED + timedelta(days=1), reported_at=OPENED + timedelta(days=1), returns=1)
    kept = first_word(first, again)
    ours, theirs = shipped.clock(kept, OPENED + timedelta(days=2)), shipped.by_tool(kept, OPENED + timedelta(days=2))
    assert ours is not None
    assert theirs is not None
    assert ours.due_at == datetime.fromisoformat(due)
    assert theirs.due_at > ours.due_at, "the tool's own clock began anew"
    told = replace(again, reported_at=OPENED + timedelta(hours=1))
    assert first_word(first, told) == told, "the tool says itself when the client spoke"


def test_the_shipped_statuses_stop_the_clock(shipped):
    told = [(OPENED, "Abierto"), (OPENED + timedelta(hours=1), "Pendiente Cliente")]
    found = shipped.clock(case(OPENED), OPENED + timedelta(days=30), changes=told)
    assert found is not None
    assert (found.state, found.spent) == (ClockState.PAUSED, timedelta(hours=1))


def test_nothing_is_promised_where_nothing_is_said(tmp_path):
    assert read(tmp_path, "").clock(case(at("10:00"), product="pagos"), at("11:00")) is None


def test_a_promise_may_be_of_a_segment_a_priority_and_a_time(tmp_path):
    promises = read(
        tmp_path,
        f'{HABIL}[[promise]]\ncalendar = "habil"\ndays = 1\n'
        '[[promise]]\ncalendar = "siempre"\nhours = 1.5\nsegments = ["Corporativo"]\npriority_from = 80\n'
        "from = 2026-03-03\nuntil = 2026-03-03\n",
    )

    def due(told: str, day: int = 0, segment: str = "corporativo", priority: int | None = 80) -> datetime:
        opened = at(told, day=day)
        found = promises.clock(case(opened), opened, segment=segment, priority=priority)
        assert found is not None
        return found.due_at

    assert due("00:00") == at("01:30")
    assert due("23:59") == at("01:29", day=1)
    assert due("00:00", day=1) == at("18:00", day=1)
    assert due("23:59", day=-1) == at("18:00")
    assert (
        due("10:00", segment="pyme") == due("10:00", priority=79) == due("10:00", priority=None) == at("10:00", day=1)
    )


def test_the_last_day_of_a_promise_is_one_of_its_days(tmp_path):
    promises = read(tmp_path, f'{HABIL}[[promise]]\ncalendar = "habil"\ndays = 1\nuntil = {date(2026, 3, 3)}\n')
    assert promises.of({}, at("23:59")) is not None
    assert promises.of({}, at("00:00", day=1)) is None
