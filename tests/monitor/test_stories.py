"""Stories from their source to the indicator: kept once, the newest row wins, and neither judging nor a backtest is troubled."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from alerts.losses import Losses
from monitor import tables as t
from monitor.backtest import backtest
from monitor.config import read_config
from monitor.indicators import indicators
from monitor.readiness import overdue
from monitor.retention import prune
from monitor.service import Service
from monitor.standing import Row, rows
from monitor.store import Store
from tests.fakes.azure_devops import PAT, AzureDevops

BOGOTA = ZoneInfo("America/Bogota")
CONFIG = """
[monitor]
database = "sqlite:///vigia.db"

[sources.core]
role = "transactions"
kind = "file"
path = "pagos.csv"

[sources.mejora]
role = "stories"
start = "60d"
"""


def on(day: int) -> datetime:
    return datetime(2026, 3, day, 12, tzinfo=BOGOTA)


class Bank:
    """A service over a state; each cycle is of a new one, as after a restart."""

    def __init__(self, folder: Path, source: str) -> None:
        (folder / "config.toml").write_text(CONFIG + source)
        (folder / "pagos.csv").write_text("timestamp,status,product\n2026-03-01T12:00:00Z,ok,pagos\n")
        self.config = read_config(folder / "config.toml")
        self.store = Store(self.config.monitor.database)
        self.store.migrate()

    def cycle(self, now: datetime) -> bool:
        return Service(self.config, self.store, clock=lambda: now).cycle()

    def backlog(self, now: datetime) -> Row:
        since = now.replace(day=1, hour=0)
        found = indicators(self.store, self.config.promises, Losses(), timedelta(days=30), since, now)["indicators"]
        return next(row for row in found if row["name"] == "backlog")


def test_from_azure_devops_to_the_indicator(tmp_path: Path) -> None:
    with AzureDevops() as tool:
        first = tool.sprint("Sprint 1", "2026-03-02", "2026-03-13")
        url = f'kind = "azure_devops"\nurl = "{tool.url}/banco"\nproject = "Mejora"\ntoken = "{PAT}"\n'
        bank = Bank(tmp_path, url)
        for number in (1, 2, 3):
            tool.write(number, on(1), path=first)
        assert bank.cycle(on(4))
        assert bank.backlog(on(4))["value"] is None, "no sprint has ended"
        tool.write(1, on(9), state="Closed")
        assert bank.cycle(on(16))
        found = bank.backlog(on(16))
        assert (found["numerator"], found["denominator"]) == (1, 3)
        kept = rows(bank.store, t.stories.select())
        assert bank.cycle(on(17))
        assert rows(bank.store, t.stories.select()) == kept
        assert backtest(bank.config).incidents == {}
        prune(bank.store, dict.fromkeys(("cells", "ledger", "incidents", "clients", "outbox"), on(13)))
        assert len(rows(bank.store, t.stories.select())) == 3
        prune(bank.store, dict.fromkeys(("cells", "ledger", "incidents", "clients", "outbox"), on(15)))
        assert rows(bank.store, t.stories.select()) == []
        bank.store.close()


def test_a_source_that_is_asked_once_an_hour_lets_nobody_off(tmp_path: Path) -> None:
    (tmp_path / "historias.csv").write_text("story_id,sprint\n")
    bank = Bank(tmp_path, 'kind = "file"\npath = "historias.csv"\nevery = "1h"\n')
    service = Service(bank.config, bank.store, clock=lambda: on(16))
    for minutes, behind in ((4, False), (6, True)):
        service.last_cycle = on(16) - timedelta(minutes=minutes)
        assert overdue(service) is behind
    bank.store.close()


def test_from_a_file(tmp_path: Path) -> None:
    header = "story_id,sprint,sprint_end,planned_at,done_at\n"
    (tmp_path / "historias.csv").write_text(
        f"{header}1,S1,2026-03-14,2026-03-02,2026-03-05\n2,S1,2026-03-14,2026-03-02,\n"
    )
    bank = Bank(tmp_path, 'kind = "file"\npath = "historias.csv"\n')
    assert bank.cycle(on(16))
    assert bank.backlog(on(16))["value"] == 0.5
    with (tmp_path / "historias.csv").open("a") as out:
        out.write("2,S1,2026-03-14,2026-03-02,2026-03-13\n")
    assert bank.cycle(on(17))
    assert bank.backlog(on(17))["value"] == 1
    bank.store.close()
