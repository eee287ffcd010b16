"""The source on a real Prometheus that holds a known afternoon: its readings, its counters, its own words for faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors import Batch, SourceError
from connectors.sources.prometheus import Prometheus
from connectors.stretches import POINTS
from monitor.config import read_config
from monitor.intake import Intake
from tests.prometheus_server import prometheus

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MS = timedelta(milliseconds=1)
CONFIG = """
[sources.contadores]
role    = "transactions"
kind    = "prometheus"
url     = "{url}"
query   = 'sum by (servicio, canal, estado) (increase(pagos_total[1m]))'
columns = {{ product = "servicio", channel = "canal", status = "estado" }}
status  = {{ ok = ["aprobado"], failed = ["fallido"] }}
start   = "1h"
"""


def history() -> str:
    """From 11:00 to 12:00 every 15 s: a queue whose length is the minute, and payments: 8 a minute, of which 4 fail from 11:30 on.

    From 11:40 to 11:45 nothing was scraped, and at 11:50 the counter began anew.
    """
    times = [NOON - timedelta(hours=1) + timedelta(seconds=15 * n) for n in range(241)]
    times = [time for time in times if not NOON - 20 * MINUTE < time <= NOON - 15 * MINUTE]

    def counted(name: str, each: dict[bool, int]) -> list[str]:
        total, lines = 0, []
        for time in times:
            total = 0 if time == NOON - 10 * MINUTE else total
            total += each[time > NOON - 30 * MINUTE]
            labels = f'servicio="pagos",canal="web",estado="{name}",pod="a"'
            lines.append(f"pagos_total{{{labels}}} {total} {int(time.timestamp())}")
        return lines

    queue = [
        f'cola{{servicio="pagos",instance="a:1"}} {t.minute + 60 * (t == NOON)} {int(t.timestamp())}' for t in times
    ]
    return "\n".join(
        [
            "# TYPE cola gauge",
            *queue,
            "# TYPE pagos counter",
            *counted("aprobado", {False: 2, True: 1}),
            *counted("fallido", {False: 0, True: 1}),
        ]
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus(tmp_path_factory.mktemp("prometheus"), history()) as url:
        yield url


def source(url: str, **options: Any) -> Prometheus:
    made = Prometheus(url=url, **({"queries": {"cola": "cola"}} | options))
    made.session.sleep = lambda _: None
    return made


def drained(url: str, cursor: Any, now: datetime, **options: Any) -> list[Batch]:
    """As after a restart before each poll."""
    found: list[Batch] = []
    while not found or not found[-1].drained:
        found.append(source(url, **options).poll(json.loads(json.dumps(cursor)), now, NOON - timedelta(hours=2)))
        cursor = found[-1].cursor
    return found


def rows(batches: list[Batch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.table.to_pylist()]


def test_a_gauge_is_read_as_it_was_scraped_once_across_restarts(server: str) -> None:
    options = {"columns": {"product": "servicio"}, "settle": timedelta(0)}
    whole = rows(drained(server, None, NOON, **options))
    assert {(row["series"], row["product"]) for row in whole} == {('cola{instance="a:1"}', "pagos")}
    read = {(row["timestamp"] + MS - (NOON - timedelta(hours=1))) / MINUTE: row["value"] for row in whole}
    # A series that is scraped no more stands for five minutes.
    assert read == {n: 40 if 40 < n <= 45 else n for n in range(61)}
    cursor, again = None, []
    for n in range(-70, 1, 7):
        batches = drained(server, cursor, NOON + n * MINUTE, **options)
        cursor, again = batches[-1].cursor, [*again, *rows(batches)]
    assert again == whole


def test_counters_become_transactions_by_the_minute_and_what_was_not_scraped_is_a_gap(
    server: str, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(CONFIG.format(url=server))
    intake = Intake(read_config(tmp_path / "config.toml").sources["contadores"])
    found = list(intake.drain(NOON + timedelta(seconds=20), NOON - timedelta(hours=1)))
    told = [row for one in found for row in one.table.to_pylist()]
    assert {(row["product"], row["channel"]) for row in told} == {("pagos", "web")}
    counts: dict[tuple[int, str], int] = {}
    for row in told:
        minute = int((row["timestamp"] - (NOON - timedelta(hours=1))) / MINUTE)
        counts[minute, row["status"]] = counts.get((minute, row["status"]), 0) + row["count"]
    assert [counts.get((n, "ok"), 0) for n in (5, 29, 31, 39, 48, 59)] == [8, 8, 4, 4, 4, 4]
    assert [counts.get((n, "failed"), 0) for n in (5, 29, 31, 39, 48, 59)] == [0, 0, 4, 4, 4, 4]
    assert [gap for one in found for gap in one.gaps] == [(NOON - 20 * MINUTE, NOON - 15 * MINUTE)]
    assert not [n for n, _ in counts if 40 <= n < 45]
    assert found[-1].complete_until == NOON + timedelta(seconds=20)


def test_its_words_for_what_it_refuses(server: str) -> None:
    for query, words in (
        ("sum(", r"400 Bad Request \(bad_data\): 1:5: parse error: unclosed left"),
        (
            "pagos_total * on(servicio) pagos_total",
            r"422 Unprocessable Entity \(execution\): found duplicate series for the match group {…} on",
        ),
    ):
        with pytest.raises(SourceError, match=f"{server}: cola: {words}") as fault:
            source(server, queries={"cola": query}).poll(None, NOON, NOON - 5 * MINUTE)
        assert (fault.value.permanent, fault.value.fault) == (True, "refused")


def test_the_longest_piece_is_one_that_it_gives(server: str) -> None:
    one = source(server, step=timedelta(seconds=1), settle=timedelta(0))
    batch = one.poll(None, NOON, NOON - timedelta(seconds=POINTS + 1))
    assert batch.cursor["at"] == int(NOON.timestamp()) - 1


def test_nan_and_infinity_as_it_writes_them(server: str) -> None:
    queries = {"nada": "cola - cola / 0 * 0 - cola / 0 + cola / 0", "mucho": "cola / 0 > 0"}
    batch = source(server, queries=queries).poll(None, NOON, NOON - 3 * MINUTE)
    assert batch.table.num_rows == 0
    assert {reject.why for reject in batch.rejects} == {"the value is infinite"}


def test_check_says_what_there_is(server: str) -> None:
    one = source(server, queries={"cola": "cola", "otra": "otra"})
    one.clock = lambda: NOON
    assert one.check() == (
        f"{server}: 1 series of 2 queries; labels: instance, servicio; no series match within the last hour: otra"
    )
