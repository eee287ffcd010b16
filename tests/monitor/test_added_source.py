"""A source that is added to a bank that is watched: its history is read page by page, and the others are judged meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from monitor.fetched import Fetched
from monitor.intake import Rows
from monitor.lateness import behind
from monitor.windows import minute_of
from tests.characters import ACEROS, at
from tests.monitor.test_service import CONFIG, Bank

ADDED = """
[sources.giros]
role = "transactions"
kind = "sql"
url = "sqlite:///core.db"
table = "t"
cursor = "id"
key = "id"
batch = 100
columns = { timestamp = "at", id = "id", client_id = "client" }
defaults = { product = "giros", channel = "h2h" }
"""
PAGES = 12


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    """Watched until 12:00; then a source is added, of three hours in a dozen pages."""
    found = Bank(tmp_path, at("12:00:10"))
    (tmp_path / "casos_crm.csv").write_text("case_id,opened_at\n")
    found.pay("11:00", "12:00")
    found.start().cycle()
    (tmp_path / "config.toml").write_text(CONFIG + ADDED)
    with closing(sqlite3.connect(tmp_path / "core.db")) as db:
        db.execute("CREATE TABLE t (id INTEGER, at TEXT, client TEXT, status TEXT)")
        times = (at("09:00") + timedelta(seconds=9 * n) for n in range(100 * PAGES - 1))
        db.executemany(
            "INSERT INTO t VALUES (?, ?, ?, 'ok')", ((n, t.isoformat(), ACEROS.nit) for n, t in enumerate(times))
        )
        db.commit()
    yield found
    found.close()


def test_the_others_are_judged_while_its_history_is_read(bank: Bank) -> None:
    """A page a minute; what the bank already watches fails from the fourth on."""
    service = bank.start()
    standing = service.judge.sources["giros"]
    for minute in range(PAGES - 1):
        bank.pay(f"12:{minute:02}", f"12:{minute + 1:02}", failing=0.9 if minute > 3 else 0.0)
        bank.now = at(f"12:{minute + 1:02}:11")
        service._step([service._poll(service._intakes[name]) for name in ("crm", "pagos", "giros")])
        assert service.judge.judged_until == minute_of(bank.now)
        assert (standing.complete_until, standing.dark_from) == (None, minute_of(at("12:00")))
        assert behind(service) is None
        assert service.ready() == (
            True,
            "listo, con vista parcial: se lee todavía lo que falta de giros, hasta entonces no se sabe",
        )
    (incident,) = bank.store.incidents()
    assert incident.scope.product == "pagos"
    bank.now += timedelta(minutes=1)
    service.cycle()  # its last page: all is built anew, with its history
    assert service.ready() == (True, "listo")
    standing = service.judge.sources["giros"]
    assert (standing.complete_until, standing.dark_from) == (bank.now, None)
    gaps = [(start, stop) for source, start, stop in bank.store.gaps() if source == "giros"]
    assert (min(gaps)[0], max(gaps)[1]) == (minute_of(at("12:00")), minute_of(bank.now))


def test_where_nothing_was_judged_yet_all_wait_for_its_history(bank: Bank) -> None:
    bank.services[-1].store.close()
    (bank.folder / "vigia.db").unlink()
    service = bank.start()
    for _ in range(3):
        service._step([service._poll(service._intakes[name]) for name in ("crm", "pagos", "giros")])
    assert service.judge.judged_until is None
    service.cycle()
    assert service.judge.judged_until == minute_of(bank.now)


def test_when_all_is_built_anew_a_poller_reads_on_from_what_is_committed(bank: Bank) -> None:
    """And not through the reader that was replaced, whose pages nobody takes."""
    service = bank.start()
    replaced = service._intakes["giros"]
    page, asked = replaced.poll(bank.now), list[datetime]()

    def poll(now: datetime, _since: datetime | None = None) -> Rows:
        asked.append(now)
        if len(asked) == 3:
            service._build()
        return replace(page, drained=len(asked) == 500)

    replaced.poll = poll  # type: ignore[method-assign]
    taken = list[Fetched]()
    judging = Thread(target=_take, args=(service._queue.get, taken))
    judging.start()
    service.fetch("giros")
    judging.join(timeout=120)
    assert len(asked) == 3
    assert [one.intake for one in taken] == [replaced] * 2 + [service._intakes["giros"]] * PAGES
    assert sum(one.arrived.table.num_rows for one in taken[2:] if isinstance(one.arrived, Rows)) == 100 * PAGES - 1


def _take(get: Callable[..., Fetched], taken: list[Fetched]) -> None:
    """As the judging thread does, until a page has no more after it."""
    while not taken or not taken[-1].arrived.drained:
        taken.append(get(timeout=20))
        taken[-1].judged.set()
