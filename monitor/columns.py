"""What columns are made of, and what queries that are built elsewhere may ask of them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    MetaData,
    Numeric,
    Text,
    case,
    cast,
    func,
    literal,
    types,
)
from sqlalchemy.engine import Dialect

metadata = MetaData()
counting = func.count
"""For queries that are built elsewhere: how many values of a column."""
SERIAL = BigInteger().with_variant(Integer, "sqlite")


class Utc(types.TypeDecorator[datetime]):
    """An aware time, kept in UTC also where the database forgets zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002, D102 - the face of SQLAlchemy
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002, D102 - as above
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: D102 - as above
        return _read if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _read(text: str | None) -> datetime | None:
    """A time as SQLite keeps it, in one step: of a hundred thousand rows it is half of what reading them costs."""
    return None if text is None else datetime.fromisoformat(text + "+00:00")


class Money(types.TypeDecorator[Decimal]):
    """An amount to the cent; as text where the database has no decimals and would round it."""

    impl = Numeric(38, 2)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:  # noqa: D102 - the face of SQLAlchemy
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Numeric(38, 2))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | str | None:  # noqa: D102 - as above
        return f"{value:.2f}" if dialect.name == "sqlite" and value is not None else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002, D102 - as above
        return None if value is None else Decimal(value)


def written(column: ColumnElement[Any]) -> ColumnElement[str]:
    """Likewise: a number as text."""
    return cast(column, Text)


def no_text() -> Any:
    """'' as a column, where a union needs one."""
    return literal("", Text)


def different(column: Any) -> Any:
    """How many values a query finds there, each counted once."""
    return func.count(column.distinct())


def highest(column: Any) -> Any:
    """The highest value that a query finds there; None where it finds none."""
    return func.max(column)


def adding(column: Any) -> Any:
    """The sum of what a query finds there; None where it finds nothing."""
    return func.sum(column)


def lowest(column: Any) -> Any:
    """The lowest value that a query finds there; None where it finds none."""
    return func.min(column)


def place(among: Any, *order: Any) -> Any:
    """Which in order a row is among those alike in a column, from 1."""
    return func.row_number().over(partition_by=among, order_by=order)


def many_of(column: Any, among: Any) -> Any:
    """How many of the rows alike in another column have a value in this one."""
    return func.count(column).over(partition_by=among)


def filled(*columns: Any) -> Any:
    """Of texts, the first that is not empty; '' where all are."""
    return func.coalesce(*(func.nullif(column, "") for column in columns), "")


def either(condition: Any, then: Any, other: Any = None) -> Any:
    """One value where the condition holds, else the other."""
    return case((condition, then), else_=other)


def holding(column: Any, text: str) -> Any:
    """Whether a text stands in a column, in small letters or capitals (see `monitor.database.connect`)."""
    return column.icontains(text, autoescape=True)
