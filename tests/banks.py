"""A table of transactions in SQLite, PostgreSQL or MariaDB, and who reads it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from connectors import Batch
from connectors.sources.sql import Sql

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
BANKS = ("sqlite", "postgres", "mariadb")


class Bank:
    """A table of transactions in some database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = sa.create_engine(url, poolclass=sa.NullPool)
        self.kind = sa.make_url(url).get_backend_name()
        time = {"postgresql": "timestamptz", "mysql": "datetime"}.get(self.kind, "text")
        self.run("DROP TABLE IF EXISTS orders")
        self.run(f"CREATE TABLE orders (id integer PRIMARY KEY, at {time}, product text, amount numeric(18, 2))")

    def run(self, statement: str, *rows: dict[str, Any], **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), list(rows) or values)

    def add(self, *rows: tuple[int, int]) -> None:
        """Rows of (id, second)."""
        times = [(number, NOW + timedelta(seconds=second)) for number, second in rows]
        told = [{"id": number, "at": at.isoformat() if self.kind == "sqlite" else at} for number, at in times]
        self.run("INSERT INTO orders VALUES (:id, :at, 'pagos', 1.50)", *told)


def banks(kind: str, request: pytest.FixtureRequest) -> Bank:
    if kind == "sqlite":
        return Bank(f"sqlite:///{request.getfixturevalue('tmp_path') / 'bank.db'}")
    return Bank(request.getfixturevalue(kind) if kind == "postgres" else request.getfixturevalue(kind).url)


class Reader:
    def __init__(self, bank: Bank, **options: Any) -> None:
        self.options: dict[str, Any] = {"url": bank.url, "table": "orders", "cursor": "at", "key": "id", **options}
        self.cursor: dict[str, Any] | None = None
        self.last: Batch | None = None

    def poll(self, since: datetime | None = None, now: datetime = NOW) -> list[int]:
        self.last = Sql(**self.options).poll(self.cursor, now, since)
        self.cursor = json.loads(json.dumps(self.last.cursor))
        return self.last.table["id"].to_pylist()

    def drain(self) -> list[int]:
        seen = self.poll()
        while self.last and not self.last.drained:
            seen += self.poll()
        return seen
