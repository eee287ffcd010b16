"""Whom a user may see is read once for all who wait, and again when the clients change or after minutes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from monitor import sights, tables
from monitor.access import Role, User
from monitor.seeing import EVERYONE, sight_of
from monitor.sights import HELD, SOON, Sights
from monitor.store import Step
from tests.monitor.conftest import ACEROS, CLIENTS, MOLINOS, NOW, NUBE

if TYPE_CHECKING:
    from monitor.store import Store

SMALL, MINE = User("diana", Role.ACT, ("pyme",)), User("ana", Role.LOOK, "own", "posventa1@banco.example")
MORE = Step(clients=[replace(CLIENTS[1], segment="PYME")])


class Read:
    """How often the sight of users was read, and the time."""

    def __init__(self, store: Store, patch: pytest.MonkeyPatch) -> None:
        self.often, self.now = 0, NOW
        self.sights = Sights(store, lambda: self.now)
        patch.setattr(sights, "sight_of", self._counted)

    def _counted(self, store: Store, user: User) -> Any:
        self.often += 1
        return sight_of(store, user)

    def after(self, length: timedelta, user: User = SMALL) -> frozenset[str] | None:
        self.now += length
        return self.sights.of(user).clients


@pytest.fixture
def read(store: Store, monkeypatch: pytest.MonkeyPatch) -> Read:
    return Read(store, monkeypatch)


def test_it_is_kept_while_no_client_changes_and_shared_by_who_sees_alike(read: Read) -> None:
    for length in (timedelta(0), SOON, timedelta(minutes=3)):
        assert read.after(length) == {NUBE}
        assert read.after(timedelta(0), replace(SMALL, name="otra")) == {NUBE}
        assert read.after(timedelta(0), replace(MINE, email=MINE.email.upper())) == {ACEROS}
        assert read.often == 2
    assert read.sights.of(User("beto", Role.ACT, "all")) == EVERYONE
    assert read.often == 2


def test_it_follows_what_changes(read: Read, store: Store) -> None:
    assert read.after(timedelta(0)) == {NUBE}
    store.commit(Step(), NOW)
    assert (read.after(SOON), read.often) == ({NUBE}, 1)
    store.commit(MORE, NOW)
    assert (read.after(SOON), read.often) == ({NUBE, MOLINOS}, 2)


def test_what_another_process_changes_is_seen_after_minutes(read: Read, store: Store) -> None:
    assert read.after(timedelta(0)) == {NUBE}
    with store.writing() as c:
        c.execute(tables.clients.delete().where(tables.clients.c.client_id == NUBE))
    assert read.after(HELD - timedelta(seconds=1)) == {NUBE}
    assert read.after(timedelta(seconds=1)) == set()


def test_many_at_once_read_it_once(read: Read) -> None:
    together = Barrier(8)

    def ask(_: int) -> frozenset[str] | None:
        together.wait(60)
        return read.sights.of(SMALL).clients

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {frozenset({NUBE})}
    assert read.often == 1
