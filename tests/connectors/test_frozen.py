"""A database that freezes in the middle, its connection open: the poll ends in words, wherever it was."""

from __future__ import annotations

import gc
import socket
import threading
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
import sqlalchemy as sa

from connectors import SourceError, databases
from connectors.frozen import Watch
from connectors.sources.sql import Sql
from tests.banks import NOW, Bank
from tests.freezing import Freezing
from tests.mariadb import MariaDB

SECONDS = 1.0


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "SLACK", 0.2)


def given_up(url: sa.URL) -> str:
    """What is said, within the limit and a little."""
    source = Sql(url=url.render_as_string(hide_password=False), table="orders", timeout=timedelta(seconds=SECONDS))
    began = monotonic()
    with pytest.raises(SourceError) as error:
        source.poll(None, NOW, None)
    assert 0.8 < monotonic() - began < 20
    assert (error.value.fault, error.value.permanent) == ("timeout", False)
    assert "watch" not in [thread.name for thread in threading.enumerate()]
    return str(error.value)


@pytest.mark.parametrize("at", [b"pg_catalog.version", b"statement_timeout", b"FROM orders", b"the answer"])
def test_postgresql(postgres: str, at: bytes) -> None:
    bank = Bank(postgres)
    bank.run("INSERT INTO orders VALUES (1, now(), 'the answer', 1)")
    address = sa.make_url(postgres)
    with Freezing(f"{address.query['host']}/.s.PGSQL.5432", at) as there:
        url = address.set(host="127.0.0.1", port=there.port, query={})
        assert given_up(url).endswith("no answer within 1.2 s: its server is frozen")


@pytest.mark.parametrize("at", [b"lower_case_table_names", b"max_statement_time", b"FROM orders", b"the answer"])
def test_mariadb(mariadb: MariaDB, at: bytes) -> None:
    bank = Bank(mariadb.url)
    bank.run("INSERT INTO orders VALUES (1, now(), 'the answer', 1)")
    with Freezing(("127.0.0.1", mariadb.port), at) as there:
        assert "timed out" in given_up(sa.make_url(mariadb.url).set(port=there.port))


def test_who_answers_is_let_go_of(postgres: str) -> None:
    bank = Bank(postgres)
    bank.run("INSERT INTO orders VALUES (1, now(), 'pagos', 1)")
    source = Sql(url=postgres, table="orders", timeout=timedelta(seconds=1))
    gc.collect()  # what other tests left
    held = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(9):
        assert source.poll(None, NOW, None).table.num_rows == 1
    assert len(list(Path("/proc/self/fd").iterdir())) < held + 9  # others may open or end something meanwhile


def test_a_line_is_shut_while_it_is_asked_and_at_no_other_time() -> None:
    ours, theirs = socket.socketpair()
    watch = Watch(0.4)
    with ours, theirs:
        watch.hold(ours.fileno())
        watch.rest()
        ours.settimeout(0.8)
        with pytest.raises(TimeoutError):
            ours.recv(1)
        watch.again()
        ours.settimeout(5)
        assert (ours.recv(1), watch.cut) == (b"", True)
        watch.let_go()
