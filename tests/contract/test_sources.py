"""What every source must do, run over every kind there is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from connectors import SourceError
from connectors.kinds import load
from tests.contract.conftest import sources
from tests.fake_api import Said

if TYPE_CHECKING:
    from tests.contract.conftest import Plugin

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
HTTP = ["azure_devops", "http", "prometheus"]
every_http = pytest.mark.parametrize("source", HTTP, indirect=True)
every_source = pytest.mark.parametrize("source", sources(), indirect=True)


def poll(source: Plugin, cursor: Any, now: datetime = NOW) -> tuple[list[int], Any, bool]:
    """Ids, the cursor as it comes back from the store, and whether nothing more waits."""
    batch = source.make().poll(cursor, now, None)
    if batch.drained:
        assert batch.complete_until == now
    else:
        assert batch.complete_until is None or batch.complete_until <= now
    assert batch.rejects == ()
    ids = [int(n) for n in batch.table[source.setup.number].to_pylist()] if batch.table.num_rows else []
    return ids, json.loads(json.dumps(batch.cursor)), batch.drained


@every_source
def test_a_thousand_rows_come_exactly_once_across_restarts(source: Plugin) -> None:
    seen: list[int] = []
    cursor: Any = None
    for first in range(0, 1000, 250):
        source.setup.add(list(range(first, first + 250)))
        drained = False
        for _ in range(300):
            ids, cursor, drained = poll(source, cursor, NOW + timedelta(seconds=first))
            seen += ids
            if drained:
                break
        assert drained, "a source that grows no more is drained at last"
    assert seen == list(range(1000))


@every_source
def test_a_drained_source_gives_nothing_twice(source: Plugin) -> None:
    source.setup.add([1, 2, 3])
    ids, cursor, drained = poll(source, None)
    assert ids == [1, 2, 3]
    assert drained
    for _ in range(2):
        ids, cursor, drained = poll(source, cursor, NOW)
        assert (ids, drained) == ([], True)


@every_source
def test_the_same_cursor_gives_the_same_rows(source: Plugin) -> None:
    source.setup.add([1, 2])
    _, cursor, _ = poll(source, None)
    source.setup.add([3, 4])
    assert poll(source, cursor) == poll(source, cursor)


@every_source
def test_an_empty_source_is_drained(source: Plugin) -> None:
    ids, _, drained = poll(source, None)
    assert (ids, drained) == ([], True)


@every_source
def test_what_cannot_be_read_is_told_in_words(source: Plugin) -> None:
    for ask in (lambda: source.make_broken().poll(None, NOW, None), lambda: source.make_broken().check()):
        with pytest.raises(SourceError) as error:
            ask()
        assert len(str(error.value)) > len("error")
        assert "\n" not in str(error.value)


@every_source
def test_check_says_what_is_there_in_a_line(source: Plugin) -> None:
    source.setup.add([1])
    line = source.make().check()
    assert line
    assert "\n" not in line


# ---- what a server does that is not well --------------------------------------------------------------------------------


def drained(made: Any, source: Plugin, cursor: Any = None) -> list[int]:
    ids: list[int] = []
    for _ in range(40):
        batch = made.poll(cursor, NOW, None)
        assert batch.rejects == ()
        ids += [int(n) for n in batch.table[source.setup.number].to_pylist()] if batch.table.num_rows else []
        cursor = json.loads(json.dumps(batch.cursor))
        if batch.drained:
            return ids
    pytest.fail("a source that grows no more is drained at last")


def patient(source: Plugin, **options: Any) -> tuple[Any, list[float]]:
    """One that does not sleep, and for how long it would have."""
    made, slept = source.make(**options), []
    made.session.sleep = slept.append
    return made, slept


def until_fault(made: Any, source: Plugin, cursor: Any = None) -> tuple[list[int], Any, SourceError | None]:
    seen: list[int] = []
    for _ in range(40):
        try:
            batch = made.poll(cursor, NOW, None)
        except SourceError as error:
            return seen, cursor, error
        seen += [int(n) for n in batch.table[source.setup.number].to_pylist()] if batch.table.num_rows else []
        cursor = json.loads(json.dumps(batch.cursor))
        if batch.drained:
            break
    return seen, cursor, None


def test_every_source_that_speaks_http_is_asked() -> None:
    speak = [
        kind
        for kind in sources()
        if " on " not in kind and "session" in vars(load("sources", kind)).get("__init__").__code__.co_names
    ]
    assert speak == HTTP


@every_http
def test_asked_to_wait_it_waits_and_nothing_is_lost_or_twice(source: Plugin) -> None:
    source.setup.add(list(range(250)))
    made, slept = patient(source)
    source.setup.fake.faults = [Said(429, headers={"Retry-After": "7"})]
    assert drained(made, source) == list(range(250))
    assert slept == [7.0]


@every_http
def test_asked_to_wait_long_it_asks_no_more_until_then(source: Plugin) -> None:
    source.setup.add(list(range(250)))
    made, slept = patient(source)
    now = [0.0]
    made.session.clock = lambda: now[0]
    source.setup.fake.faults = [Said(429, headers={"Retry-After": "300"})]
    for _ in range(2):
        with pytest.raises(SourceError) as error:
            made.poll(None, NOW, None)
        assert (error.value.permanent, error.value.fault) == (False, "busy")
    assert (len(source.setup.fake.asked), sum(slept)) == (1, 0)
    now[0] = 301.0
    assert drained(made, source) == list(range(250))


FAULTS = {
    "broken JSON": lambda: Said(text=b'{"value": [{"id": 1, '),
    "a page in its place": lambda: Said(text=b"<html>mantenimiento"),
    "cut off": lambda: Said(body={"value": [], "count": 0}, cut=True),
    "its own fault": lambda: Said(500),
    "no answer in time": lambda: Said(wait=Event()),
}


@every_http
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("said", FAULTS.values(), ids=FAULTS)
def test_what_is_no_answer_is_told_and_the_same_cursor_goes_on(source: Plugin, said: Any, place: int) -> None:
    """At the first request, or at the second; as often as it is asked."""
    source.setup.add(list(range(250)))
    whole = drained(source.make(), source)
    asked = len(source.setup.fake.asked)
    if place >= asked:
        return  # it is all read by one request
    made, _ = patient(source, timeout=timedelta(seconds=0.3))
    held = [said() for _ in range(8)]
    source.setup.fake.faults = [*[None] * place, *held]
    seen, cursor, error = until_fault(made, source)
    assert error
    assert not error.permanent
    assert "\n" not in str(error)
    source.setup.fake.faults = []
    for one in held:
        if one.wait:
            one.wait.set()
    assert [*seen, *drained(source.make(), source, cursor)] == whole


@pytest.mark.parametrize("source", ["azure_devops", "http"], indirect=True)
def test_a_token_that_ends_in_the_middle_is_renewed_and_nothing_is_lost_or_twice(source: Plugin) -> None:
    source.setup.add(list(range(250)))
    fake = source.setup.fake
    made = load("sources", source.kind)(**source.setup.expiring)
    right, asked = fake.answer, []

    def ending(asks: Any) -> Said:
        if not asks.path.endswith("/token"):
            asked.append(asks)
            if len(asked) == 2:
                return Said(401)
        said: Said = right(asks)
        return said

    fake.answer = ending
    assert drained(made, source) == list(range(250))
    assert fake.given == 2


KILLED = {
    "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()",
    "mysql": "SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND db = database()",
}


@pytest.mark.parametrize("source", ["sql on postgresql", "sql on mariadb"], indirect=True)
def test_a_connection_that_the_server_ends_loses_nothing(source: Plugin) -> None:
    source.setup.add(list(range(250)))
    made = source.make()
    first = made.poll(None, NOW, None)
    seen = [int(n) for n in first.table["id"].to_pylist()]
    assert not first.drained
    engine = sa.create_engine(source.setup.options["url"], poolclass=sa.NullPool)
    with engine.begin() as c:
        for (held,) in c.execute(sa.text(KILLED[engine.dialect.name])).all():
            if engine.dialect.name == "mysql":
                c.execute(sa.text(f"KILL {held}"))
    more, cursor, error = until_fault(made, source, first.cursor)
    assert error is None or not error.permanent
    rest = drained(made, source, cursor) if error else []
    assert [*seen, *more, *rest] == list(range(250))
