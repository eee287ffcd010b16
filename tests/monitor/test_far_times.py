"""Months, times and lengths that nobody means: one clear line at every door, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from monitor.__main__ import app
from monitor.cli import length, time
from monitor.faults import Fault
from monitor.indicators import month_of
from monitor.kinds import LONGEST, YEARS, duration
from monitor.labels import LabelError, read_labels
from monitor.maintenance import read_maintenance
from monitor.store import Store
from tests.monitor.conftest import NOW, store  # noqa: F401 - the fixture
from tests.monitor.served import Guarded

ZONES = ("America/Bogota", "Pacific/Kiritimati", "UTC")
MONTHS = ("0001-01", "9999-12", "2026-13", "1969-12", "2026", "-1-01")
TIMES = (
    "0001-01-01",
    "9999-12-31T23:59:59",
    "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00+14:00",
    "2026-13-01",
    "2026-03-03T25:00",
)
LENGTHS = ("99999999d", "36526d", "99999999999999999999w", f"{'9' * 400}d", "-2h", "0x10h", "2h 30m", "")
WRONG = {"TIME": TIMES, "LENGTH": LENGTHS, "2026-03": MONTHS}


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if words and not getattr(command, "no_args_is_help", False):
        yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*words, name))


def needed(command: Any, but: str, folder: Path) -> list[str]:
    """What a command will not be asked without."""
    said = []
    for one in command.params:
        value = str(folder) if one.name == "out" else "x"
        if one.required and one.name != but:
            said += [one.opts[0], value] if one.param_type_name == "option" else [value]
    return said


OPTIONS = [
    (words, command, option)
    for words, command in commands(typer.main.get_command(app))
    for option in command.params
    if option.metavar in WRONG
]


def test_all_of_them_are_found() -> None:
    found = {" ".join(words) for words, _, _ in OPTIONS}
    assert {
        "indicators",
        "backtest",
        "silence add",
        "maintenance add",
        "handover",
        "audit list",
        "leads",
        "causes",
    } <= found


@pytest.mark.parametrize(
    ("words", "command", "option"), OPTIONS, ids=[" ".join((*words, option.opts[0])) for words, _, option in OPTIONS]
)
def test_every_command_says_in_one_line_what_it_cannot_take(
    words: tuple[str, ...],
    command: Any,
    option: Any,
    store: Store,  # noqa: F811
    tmp_path: Path,
) -> None:
    assert store.acts() == []
    (tmp_path / "config.toml").write_text(
        '[monitor]\ndatabase = "sqlite:///vigia.db"\nrules = []\n'
        '[sources.core]\nrole = "transactions"\nkind = "file"\npath = "rows.csv"\n'
    )
    for value in WRONG[option.metavar][:3]:
        given_ = [*words, f"{option.opts[0]}={value}", *needed(command, option.name, tmp_path)]
        said = CliRunner().invoke(app, [*given_, "--config", str(tmp_path / "config.toml")], env={"COLUMNS": "200"})
        assert isinstance(said.exception, SystemExit), (given_, said.output, said.exception)
        assert said.exit_code in (1, 2), (given_, said.output)
        assert option.opts[0] in said.stderr, (given_, said.output)


SAID = st.text(max_size=12) | st.from_regex(r"\d{1,20}(\.\d)?(ms|[smhdw])(\d{1,3}m)?", fullmatch=True)
WHEN = SAID | st.from_regex(r"\d{4}-\d{2}", fullmatch=True) | st.datetimes().map(datetime.isoformat)
WHEN |= st.datetimes(timezones=st.timezones()).map(datetime.isoformat)


@given(said=WHEN, zone=st.sampled_from(ZONES))
def test_a_time_that_is_taken_is_of_the_calendar_whatever_is_added(said: str, zone: str) -> None:
    with suppress(typer.BadParameter):
        taken = time(said, zone, "--from")
        assert taken is not None
        assert taken.astimezone(ZoneInfo(zone)) - LONGEST < taken < taken.astimezone(ZoneInfo(zone)) + LONGEST


@given(said=SAID | st.sampled_from(LENGTHS))
def test_a_length_that_is_taken_is_of_a_life(said: str) -> None:
    with suppress(ValueError):
        assert timedelta() <= duration(said) <= LONGEST
    with suppress(typer.BadParameter):
        assert length(said, "--for") == duration(said)


@given(said=WHEN | st.sampled_from(MONTHS), zone=st.sampled_from(ZONES))
def test_a_month_that_is_taken_has_begun_and_is_known(said: str, zone: str) -> None:
    with suppress(ValueError):
        since, until = month_of(NOW.astimezone(ZoneInfo(zone)), said)
        assert since <= until <= NOW
        assert since.year in YEARS


def test_the_api_refuses_what_the_command_line_does(store: Store) -> None:  # noqa: F811
    face = Guarded(store)
    try:
        for month in MONTHS:
            assert face.get(f"/api/v1/indicators?month={month}", "carla").status_code == 422, month
        for at in TIMES[:4]:
            assert face.get(f"/api/v1/leads?since={at}Z", "carla").status_code == 422, at
    finally:
        face.server.stop()


@pytest.mark.parametrize("at", TIMES)
def test_labels_and_declared_maintenance_say_where_it_stands(at: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(f"label,start,end\na,2026-03-03T10:00:00Z,{at}\n")
    with pytest.raises(LabelError, match=r"labels.csv:line 2: end '.*' is not "):
        read_labels(tmp_path / "labels.csv", "Pacific/Kiritimati")
    faults: list[Fault] = []
    read_maintenance([{"from": datetime(2026, 1, 1, tzinfo=UTC), "until": at}], ZONES[1], "config.toml", faults)
    assert [str(fault).partition(": must be")[0] for fault in faults] == ["config.toml: maintenance[0].until"]
