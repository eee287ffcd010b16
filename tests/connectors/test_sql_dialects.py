"""Oracle and SQL Server were never run: what would be sent them is at least theirs in form."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, oracle

from connectors.selects import Asked, bound
from connectors.sources.sql import Sql
from tests.banks import NOW

AT = datetime(2026, 3, 3, 12, 0, 0, 123456)  # noqa: DTZ001 - as such a column gives it


class Sent(Sql):
    """Keeps what it would send, instead of asking: the database knows columns, and has no rows."""

    def __init__(self, dialect: Any, **options: Any) -> None:
        super().__init__(url="sqlite://", **options)
        self.dialect, self.sent = dialect, list[tuple[str, dict[str, Any]]]()

    def _fetch(self, connection: Any, select: sa.Select[Any]) -> tuple[list[str], list[Any]]:  # noqa: ARG002
        compiled = select.compile(dialect=self.dialect, compile_kwargs={"render_postcompile": True})
        self.sent.append((" ".join(str(compiled).split()), dict(compiled.params)))
        return ["fecha", "numero"], [(AT, 7)] if "fecha IS NOT NULL" in self.sent[-1][0] and len(self.sent) == 1 else []


ORACLE, OLD, MSSQL = oracle.dialect(), oracle.dialect(), mssql.dialect()
OLD._supports_offset_fetch = False  # before 12.2
DIALECTS = pytest.mark.parametrize("dialect", [ORACLE, MSSQL], ids=["oracle", "mssql"])


def sent(dialect: Any, last: dict[str, Any] | None = None, since: datetime | None = None, **options: Any) -> Sent:
    source = Sent(dialect, **{"cursor": "fecha", "key": "numero", "batch": 5, **options})
    source.poll(last, NOW, since)
    return source


PAST = {"at": {"time": AT.isoformat()}, "key": 7, "drained": False}


@DIALECTS
def test_a_page_is_bounded_ordered_and_short(dialect: Any) -> None:
    ((said, values),) = sent(dialect, PAST, table="tesoreria.pagos").sent
    bounds = r"WHERE fecha >= :\w+ AND \(fecha > :\w+ OR numero > :\w+ OR numero IS NULL\) ORDER BY fecha, numero"
    if dialect is ORACLE:
        assert re.fullmatch(rf"SELECT \* FROM tesoreria\.pagos {bounds} FETCH FIRST 5 ROWS ONLY", said)
    else:
        assert re.fullmatch(rf"SELECT TOP 5 \* FROM tesoreria\.pagos {bounds}", said)
    assert [v for v in values.values() if v != 5] == [AT, AT, 7]


def test_an_old_oracle_counts_rows() -> None:
    ((said, _),) = sent(OLD, PAST, table="pagos").sent
    assert "LIMIT" not in said
    assert "FETCH" not in said
    assert re.search(
        r"^SELECT anon_1\.\* FROM \(SELECT \* FROM pagos .* ORDER BY fecha, numero\) anon_1 WHERE ROWNUM <= 5$", said
    )


@DIALECTS
def test_the_first_read_asks_for_one_row_and_then_from_there(dialect: Any) -> None:
    (probe, _), (page, values) = sent(dialect, since=NOW, table="pagos").sent
    assert "FETCH FIRST 1 ROWS ONLY" in probe or "SELECT TOP 1 *" in probe
    assert "fecha >= :" in page
    assert (NOW - timedelta(days=1)).replace(tzinfo=None) in values.values()


@DIALECTS
@pytest.mark.parametrize("key", ["numero", None])
def test_a_query_stands_in_brackets_under_a_name(dialect: Any, key: str | None) -> None:
    query = "SELECT fecha, numero, 'a:b' AS c FROM pagos WHERE fecha >= :since -- all\n; "
    last = PAST if key else {"at": PAST["at"], "seen": {}}
    ((said, values),) = sent(dialect, last, query=query, key=key).sent
    named = "found" if dialect is ORACLE else "AS found"
    assert f"FROM (SELECT fecha, numero, 'a:b' AS c FROM pagos WHERE fecha >= :since -- all ) {named} WHERE" in said
    assert values["since"] == AT
    raw = str(Asked(None, query, "").select(AT).compile(dialect=dialect))
    assert "-- all\n)" in raw  # the bracket is none of the comment


@DIALECTS
def test_the_whole_of_it_has_neither_bounds_nor_order(dialect: Any) -> None:
    ((said, _),) = sent(dialect, table="clientes", cursor=None, key=None).sent
    assert said == "SELECT * FROM clientes"


@DIALECTS
def test_names_are_quoted_as_theirs(dialect: Any) -> None:
    ((said, _),) = sent(dialect, PAST, table="dbo.Order").sent
    assert ("dbo.[Order]" if dialect is MSSQL else 'dbo."Order"') in said


UNCONNECTED = sa.create_engine("sqlite://")
"""In place of engines whose drivers are not there."""


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a FROM t ORDER BY a",
        "select a from t\norder  by a desc;",
        "WITH w AS (SELECT 1 AS a) SELECT a FROM w",
    ],
)
def test_what_sql_server_takes_in_no_subquery_is_told_at_once(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sa, "create_engine", lambda *_, **__: UNCONNECTED)
    with pytest.raises(ValueError, match="SQL Server reads no WITH and no ORDER BY inside another query"):
        Sql(url="mssql+pyodbc://h/b", query=query)
    Sql(url="oracle+oracledb://h/b", query=query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a, ROW_NUMBER() OVER (ORDER BY a) AS n FROM t",
        "SELECT TOP 5 a FROM t ORDER BY a",
        "SELECT a FROM t ORDER BY a OFFSET 0 ROWS",
        "SELECT a FROM t WITH (NOLOCK)",
    ],
)
def test_what_sql_server_does_take_is_left(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sa, "create_engine", lambda *_, **__: UNCONNECTED)
    Sql(url="mssql+pyodbc://h/b", query=query)


def test_oracles_driver_is_told_of_fractions_of_a_second_alone() -> None:
    """It would send a time as a DATE, in whole seconds; of a DATE column that is right, and keeps its index."""
    theirs = SimpleNamespace(TIMESTAMP="timestamp", DATETIME="date")
    kinds = [bound(at).type.dialect_impl(ORACLE) for at in (AT, AT.replace(microsecond=0))]
    assert [kind.get_dbapi_type(theirs) for kind in kinds] == ["timestamp", "date"]


def test_a_time_with_offset_is_bound_with_it() -> None:
    kind = bound(AT.replace(tzinfo=UTC)).type.dialect_impl(MSSQL)
    assert isinstance(kind, sa.DateTime)
    assert kind.timezone
