"""What every source must do, run over every kind there is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from connectors import SourceError
from tests.contract.conftest import sources

if TYPE_CHECKING:
    from tests.contract.conftest import Plugin

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
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
