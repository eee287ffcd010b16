"""A database that groups by the minute: what is watched is the same as by its rows, on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa

from connectors.sources.sql import Sql
from monitor.service import Service
from tests.banks import Bank
from tests.characters import CAST, at
from tests.watched import Watched

MINUTE = {
    "sqlite": "substr(fecha, 1, 16)",
    "postgresql": "date_trunc('minute', fecha)",
    "mysql": "CAST(DATE_FORMAT(fecha, '%Y-%m-%d %H:%i') AS DATETIME)",
}
KEY = {
    "sqlite": "json_array(substr(fecha, 1, 16), producto, canal, nit, estado)",
    "postgresql": "json_build_array(floor(extract(epoch FROM fecha) / 60), producto, canal, nit, estado)::text",
    "mysql": "CAST(JSON_ARRAY(DATE_FORMAT(fecha, '%Y%m%d%H%i'), producto, canal, nit, estado) AS CHAR)",
}
FETCHED = """
SELECT {minute} AS minuto, producto, canal, nit, estado, count(*) AS cuantas, sum(valor) AS valor, min(fecha) AS primera,
       {key} AS grupo
FROM movimientos WHERE fecha >= :since GROUP BY minuto, producto, canal, nit, estado, grupo;
"""
CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
rules = ["rules.toml"]

[sources.core]
role = "transactions"
kind = "sql"
url = "{url}"
cursor = "{cursor}"
key = "{key}"
overlap = "10m"
start = "1d"
timezone = "UTC"
{what}
columns = {{ {columns}, product = "producto", channel = "canal", client_id = "nit", status = "estado", amount = "valor", id = "{key}" }}
"""


class Movements:
    """The table, and the same bank watched by its rows and by its groups."""

    def __init__(self, bank: Bank, folder: Path) -> None:
        self.bank, self.number, self.both = bank, 0, list[Watched]()
        time = {"postgresql": "timestamptz", "mysql": "datetime(3)", "sqlite": "text"}[bank.kind]
        texts = ", ".join(f"{name} varchar(20)" for name in ("producto", "canal", "nit", "estado"))
        bank.run("DROP TABLE IF EXISTS movimientos")
        bank.run(f"CREATE TABLE movimientos (id integer PRIMARY KEY, fecha {time}, {texts}, valor numeric(18, 2))")
        self.query = FETCHED.format(minute=MINUTE[bank.kind], key=KEY[bank.kind])
        grouped = f'query = """{self.query}"""', 'timestamp = "primera", count = "cuantas"'
        for name, cursor, key, (what, columns) in (
            ("rows", "fecha", "id", ('table = "movimientos"', 'timestamp = "fecha"')),
            ("groups", "minuto", "grupo", grouped),
        ):
            (folder / name).mkdir()
            told = CONFIG.format(url=bank.url, cursor=cursor, key=key, what=what, columns=columns)
            self.both.append(Watched(folder / name, at("12:00:10"), told))
            self.both[-1].start()

    @property
    def services(self) -> list[Service]:
        return [one.services[-1] for one in self.both]

    def commit(self, *rows: tuple[datetime, str, str]) -> None:
        """Rows of (when, client, status); no two amounts are the same."""
        told = []
        for when, client, status in rows:
            self.number += 1
            time = when.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] if self.bank.kind == "sqlite" else when
            told.append({"id": self.number, "t": time, "nit": client, "s": status, "v": 1000 + self.number})
        with self.bank.engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO movimientos VALUES (:id, :t, 'pagos', 'web', :nit, :s, :v)"), told)

    def cycle(self, now: datetime) -> None:
        for one in self.both:
            one.now = now
        assert [service.cycle() for service in self.services] == [True, True]

    def cells(self, service: Service) -> tuple[list[Any], list[Any]]:
        """What is known of each minute from when on, and when its first row happened."""
        cells = pa.concat_tables(service.store.cells("cells", 0))  # noqa: F841 - read by DuckDB
        key = "minute, product, channel, client_id, status"
        sums = f"""SELECT {key}, known, sum(n), sum(amount), sum(again) FROM cells GROUP BY ALL
                   HAVING sum(n) <> 0 OR sum(amount) <> 0 OR sum(again) <> 0 ORDER BY ALL"""
        firsts = f"SELECT {key}, sum(n), min(first) FROM cells GROUP BY ALL ORDER BY ALL"
        return duckdb.sql(sums).fetchall(), duckdb.sql(firsts).fetchall()


@pytest.fixture
def movements(bank: Bank, tmp_path: Path) -> Iterator[Movements]:
    made = Movements(bank, tmp_path)
    yield made
    for one in made.both:
        one.close()


def paid(first: datetime, last: datetime, many: int, *, failing: float = 0.0) -> list[tuple[datetime, str, str]]:
    draw, span = Random(first.timestamp()), (last - first).total_seconds()
    return [
        (
            first + timedelta(seconds=round(draw.random() * span, 3)),
            draw.choice(CAST).nit,
            "failed" if draw.random() < failing else "ok",
        )
        for _ in range(many)
    ]


def test_groups_that_grow_count_as_their_rows_do(movements: Movements) -> None:
    movements.commit(*paid(at("11:00"), at("12:00:10"), 300))
    movements.cycle(at("12:00:10"))  # history, in the middle of a minute
    for step in range(10):
        ago = at("12:00:10") + timedelta(seconds=30 * step)
        now = ago + timedelta(seconds=30)
        movements.commit(*paid(ago, now, 12, failing=0.8 if ago >= at("12:01") else 0.0))
        if now == at("12:04:10"):  # late: into minutes that are closed, and into the one in which reading began
            movements.commit((at("12:02:30"), CAST[0].nit, "failed"), (at("12:00:05"), CAST[1].nit, "ok"))
            movements.commit((at("12:01:59"), "900999999", "ok"))
        movements.cycle(now)
    movements.cycle(at("12:15"))
    by_rows, by_groups = movements.services
    assert movements.cells(by_rows) == movements.cells(by_groups)
    assert sum(row[-2] for row in movements.cells(by_groups)[1]) == movements.number
    (one,), (other,) = by_rows.store.incidents(), by_groups.store.incidents()
    assert (one.scope, one.started_at, one.ended_at) == (other.scope, other.started_at, other.ended_at)
    told = [sorted((d.client_id, d.action) for d in service.store.decisions()) for service in movements.services]
    assert told[0] == told[1] != []


def test_only_the_time_that_is_asked_for_is_grouped_and_each_group_whole(movements: Movements) -> None:
    movements.commit(*paid(at("11:00"), at("12:00"), 90), *paid(at("11:00", day=-9), at("12:00", day=-9), 10))
    looked = "(SELECT count(*) FROM movimientos WHERE fecha >= :since) AS looked, count(*) AS cuantas"
    source = Sql(
        url=movements.bank.url,
        query=movements.query.replace("count(*) AS cuantas", looked),
        cursor="minuto",
        key="grupo",
        batch=7,
        overlap=timedelta(minutes=10),
    )
    seen: dict[str, int] = {}
    scopes, cursor, drained = [], None, False
    while not drained:
        batch = source.poll(cursor, at("12:00").astimezone(UTC), at("00:00"))
        seen |= zip(batch.table["grupo"].to_pylist(), batch.table["cuantas"].to_pylist(), strict=True)
        scopes += batch.table["looked"].to_pylist()
        cursor, drained = batch.cursor, batch.drained
    assert sum(seen.values()) == scopes[0] == 90
    assert scopes == sorted(scopes, reverse=True)
    again = source.poll(cursor, at("12:00").astimezone(UTC), None).table  # the last ten minutes
    assert scopes[-1] < again["looked"].to_pylist()[0] < 30
    assert all(seen[key] == n for key, n in zip(*(again[c].to_pylist() for c in ("grupo", "cuantas")), strict=True))
