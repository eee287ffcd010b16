"""A bank that has only counters: operations by Prometheus through the whole service, and what was not measured stays unknown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from connectors.sources import prometheus
from monitor.backtest import backtest
from monitor.config import read_config
from monitor.faults import ConfigError
from monitor.service import Service
from monitor.windows import minute_of
from tests.characters import at
from tests.fake_prometheus import FakePrometheus
from tests.watched import FAILURES, Watched

CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
rules = ["rules.toml"]

[sources.contadores]
role = "transactions"
kind = "prometheus"
url = "URL"
queries = { ok = "buenos", failed = "malos" }
columns = { product = "servicio", channel = "canal", status = "series" }
start = "3h"
"""
RULES = f"""{FAILURES}
[[rule]]
name = "silencio"
kind = "limit"
when = "total < 5"
for = "2m"
keep_firing_for = "5m"
"""


class Counted(Watched):
    """A bank whose counters grow by so many a minute, polled at 20 seconds past."""

    def __init__(self, folder: Path, server: FakePrometheus) -> None:
        super().__init__(folder, at("12:00:20"), CONFIG.replace("URL", server.url), RULES)
        self.server = server

    @property
    def service(self) -> Service:
        return self.services[-1]

    def grow(self, first: str, last: str, *, failing: int = 0) -> None:
        """Ten operations in each minute from `first` up to `last`: the point stands at the minute's end."""
        minute = at(first)
        points: dict[int, int] = {}
        while minute < at(last):
            minute += timedelta(minutes=1)
            points[int(minute.timestamp())] = failing
        for query, each in (("malos", points), ("buenos", {time: 10 - n for time, n in points.items()})):
            self.server.put(query, each, servicio="pagos", canal="web")

    def live(self, first: str, last: str) -> list[bool]:
        """A cycle every ten seconds."""
        self.now, well = at(first), []
        while self.now < at(last):
            self.now += timedelta(seconds=10)
            well.append(self.service.cycle())
        return well

    @property
    def judged(self) -> datetime | int | None:
        return self.service.judge.judged_until


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Counted]:
    with FakePrometheus() as server:
        made = Counted(tmp_path, server)
        made.grow("10:00", "12:00")
        yield made
        made.close()


def test_a_failure_is_found_within_half_a_minute_of_the_minute_it_needs(bank: Counted) -> None:
    bank.grow("12:00", "12:05")
    bank.grow("12:05", "12:10", failing=6)
    bank.grow("12:10", "12:30")
    assert bank.start().cycle()
    bank.live("12:00:20", "12:07:30")
    (incident,) = bank.store.incidents()
    assert (incident.started_at, incident.scope.product, incident.scope.channel) == (at("12:05"), "pagos", "web")
    assert incident.detected_at <= at("12:07:30")
    bank.start()  # a restart
    bank.live("12:07:30", "12:30:20")
    (incident,) = bank.store.incidents()
    assert incident.ended_at == at("12:10")
    assert sum(sum(table["n"].to_pylist()) for table in bank.store.cells("cells", 0)) == 150 * 10


def test_what_was_not_measured_accuses_nobody_and_stays_unknown(bank: Counted) -> None:
    bank.grow("12:00", "12:02")
    bank.grow("12:06", "12:15")
    bank.start().cycle()
    assert all(bank.live("12:00:20", "12:03:10"))
    assert not any(bank.live("12:03:20", "12:07"))
    assert "contadores: " in bank.service.ready()[1]
    assert "no series has had a point since" in bank.service.ready()[1]
    assert all(bank.live("12:07:10", "12:15:30"))
    gaps = {minute for source, start, stop in bank.store.gaps() for minute in range(start, stop)}
    assert gaps == set(range(minute_of(at("12:02")), minute_of(at("12:06"))))
    assert bank.judged == minute_of(at("12:15"))
    assert bank.store.incidents() == []


def test_the_same_hole_while_nobody_looked_is_no_silence_either(bank: Counted) -> None:
    bank.grow("12:00", "12:02")
    bank.grow("12:06", "12:15")
    bank.start().cycle()
    bank.live("12:00:20", "12:01:30")
    bank.start()
    bank.now = at("12:15:30")
    assert bank.service.cycle()
    assert bank.judged == minute_of(at("12:15"))
    assert bank.store.incidents() == []
    (gap,) = bank.store.gaps()
    assert gap == ("contadores", minute_of(at("12:02")), minute_of(at("12:06")))


@pytest.mark.parametrize("span", [1, 1440])
def test_a_backtest_knows_no_more_of_the_hole(bank: Counted, monkeypatch: pytest.MonkeyPatch, span: int) -> None:
    class Then(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return at("12:30:20").astimezone(tz)

    monkeypatch.setattr(prometheus, "datetime", Then)
    bank.grow("12:00", "12:02")
    bank.grow("12:06", "12:10")
    bank.grow("12:10", "12:15", failing=6)
    bank.grow("12:15", "12:25")
    outcome = backtest(read_config(bank.folder / "config.toml"), start=at("11:00"), span=span)
    (incident,) = outcome.incidents.values()
    assert (incident.started_at, incident.ended_at, incident.rules) == (at("12:10"), at("12:15"), ("fallas",))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"transactions"', '"cases"', "sources.contadores.role: must be 'metrics' or 'transactions'"),
        ('start = "3h"', 'step = "45s"', "sources.contadores.step: operations are counted by the minute"),
        ('start = "3h"', 'query = "up"', "sources.contadores.queries: give exactly one of query and queries"),
        ('channel = "canal"', 'count = "canal"', "sources.contadores.columns.count: is no label's to say"),
    ],
)
def test_a_fault_in_its_block_is_told_with_its_key(bank: Counted, old: str, new: str, fault: str) -> None:
    config = bank.folder / "config.toml"
    config.write_text(config.read_text().replace(old, new))
    with pytest.raises(ConfigError) as error:
        read_config(config)
    assert f"config.toml: {fault}" in str(error.value)
