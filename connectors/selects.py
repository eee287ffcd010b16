"""What is asked of a database: a table, or a query within brackets, and the values that bound it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import sqlalchemy as sa

LONG_AGO = datetime(1971, 1, 1)  # noqa: DTZ001 - of whatever zone; the first year of MySQL's TIMESTAMP that all zones have
_SINCE = re.compile(r"(?<![:\w]):since\b")
_UNFIT = re.compile(r"^\s*with\b|^(?!.*\b(top|offset|for\s+xml)\b).*\border\s+by\b[^()]*$", re.IGNORECASE | re.DOTALL)
"""What SQL Server takes in a query only if it stands alone."""


class Asked:
    """A table, `schema.name` too, or a query. Raises ValueError where the database takes no such query within another.

    moving: whether the query says `:since`.
    """

    def __init__(self, table: str | None, query: str | None, backend: str) -> None:
        self._table = _named(table) if table else None
        plain = (query or "").strip().rstrip("; \n\t")
        if backend == "mssql" and _UNFIT.search(plain):
            raise ValueError("query: SQL Server reads no WITH and no ORDER BY inside another query: make it a view")
        parts = [re.sub(r"(?<!:):(?=\w)", r"\\:", part) for part in _SINCE.split(plain)]  # a colon is no parameter
        self._query, self.moving = ":since".join(parts) + "\n", len(parts) > 1  # it may end in a comment

    def select(self, since: Any = None) -> sa.Select[Any]:
        """All of it. since: what `:since` stands for."""
        found: sa.FromClause
        if self._table is not None:
            found = self._table
        else:
            text = sa.text(self._query)
            if self.moving:
                text = text.bindparams(bound(LONG_AGO if since is None else since, "since"))
            found = text.columns().subquery("found")
        return sa.select(sa.literal_column("*")).select_from(found)


def _named(table: str) -> sa.TableClause:
    schema, _, name = table.rpartition(".")
    return sa.table(name, schema=schema or None)


def bound(value: Any, name: str | None = None) -> sa.BindParameter[Any]:
    """A value as a bound parameter; a time keeps its offset, or the lack of one, and its fractions of a second."""
    kind: sa.types.TypeEngine[Any] | None = None
    if isinstance(value, datetime):
        kind = sa.DateTime(timezone=value.tzinfo is not None)
        if value.microsecond:  # Oracle's driver sends whole seconds; of those its DATE columns keep their index
            kind = kind.with_variant(sa.TIMESTAMP(), "oracle")
    return sa.bindparam(name, value, kind, unique=name is None)
