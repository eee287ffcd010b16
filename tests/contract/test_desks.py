"""What every case desk must do, run over every kind there is."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from connectors import Case, SourceError
from connectors.kinds import kinds, load

if TYPE_CHECKING:
    from typing import Any

    from tests.contract.conftest import Plugin

WITHDRAWN = "retirado"
every_desk = pytest.mark.parametrize("desk", kinds("desks"), indirect=True)
CASE = Case(
    key="2026-03-03/pagos/900123456",
    incident_id="2026-03-03/pagos",
    client_id="900123456",
    product="pagos",
    channel="",
    opened_at=datetime(2026, 3, 3, 12, tzinfo=UTC),
    priority=80,
    subject="Afectación en pagos",
    body='Desde las 7:00\nfallan "algunos" pagos; estamos trabajando en ello, gracias.',
)


@every_desk
def test_the_same_key_is_the_same_case(desk: Plugin) -> None:
    number = desk.make().open(CASE)
    assert number
    assert desk.make().open(CASE) == number
    assert desk.make().open(replace(CASE, subject="otro")) == number
    assert desk.make().open(replace(CASE, key="another")) != number


@every_desk
def test_an_update_may_be_repeated_and_changes_no_number(desk: Plugin) -> None:
    number = desk.make().open(CASE)
    for _ in range(2):
        desk.make().update(replace(CASE, status="cerrado", note="resuelto"))
    assert desk.make().open(CASE) == number


@every_desk
def test_what_was_taken_back_stays_so_however_often_it_is_sent(desk: Plugin) -> None:
    """A withdrawal is an update to the status `retirado`; an opening that a crash repeats after it brings nothing back."""
    number = desk.make().open(CASE)
    for _ in range(2):
        desk.make().update(replace(CASE, status=WITHDRAWN, note="Vigía retira este caso."))
    assert desk.make().open(CASE) == number
    assert desk.setup.status(CASE.key) == WITHDRAWN


@every_desk
def test_what_is_opened_is_a_soporte(desk: Plugin) -> None:
    desk.make().open(CASE)
    assert desk.setup.kind(CASE.key) == "soporte"


@every_desk
def test_an_update_of_an_unknown_key_is_permanent(desk: Plugin) -> None:
    with pytest.raises(SourceError) as error:
        desk.make().update(CASE)
    assert error.value.permanent
    assert CASE.key in str(error.value)


@every_desk
def test_a_desk_out_of_reach_is_told_in_words(desk: Plugin) -> None:
    with pytest.raises(SourceError) as error:
        desk.make_broken().open(CASE)
    assert "\n" not in str(error.value)


@every_desk
def test_check_says_what_is_there_in_a_line(desk: Plugin) -> None:
    desk.make().open(CASE)
    line = desk.make().check()
    assert line
    assert "\n" not in line


def _open_all(kind: str, options: dict[str, Any], keys: list[str], numbers: Any) -> None:
    opened = load("desks", kind)(**options)
    numbers.put({key: opened.open(replace(CASE, key=key)) for key in keys})


@every_desk
def test_two_processes_open_each_case_once(desk: Plugin) -> None:
    if not desk.setup.shared:
        pytest.skip(f"{desk.kind}: its set-up is not reached from another process")
    spawn = multiprocessing.get_context("spawn")
    numbers = spawn.Queue()
    keys = [f"k{n}" for n in range(40)]
    processes = [
        spawn.Process(target=_open_all, args=(desk.kind, desk.setup.options, order, numbers))
        for order in (keys, keys[::-1])
    ]
    for process in processes:
        process.start()
    first, second = (numbers.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(60)
    numbers.close()
    assert first == second
    assert len(set(first.values())) == len(keys)
