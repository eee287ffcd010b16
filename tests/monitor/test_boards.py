"""What has changed is pushed to a board: all of it and, whatever crashes or is down, in the end as it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pyarrow as pa
import pytest

from alerts import Changes, Impact, IncidentState, Touch
from connectors import SourceError
from monitor import boards as job
from monitor import tables as t
from monitor.boards import LEFT_OUT, PERHAPS, REFUSALS, Boards
from monitor.config import Config, read_config
from monitor.connect import faults_of
from monitor.faults import ConfigError
from monitor.jobs import scheduled
from monitor.metrics import Metrics
from monitor.months import keep_months
from monitor.retention import prune
from monitor.service import Service
from monitor.standing import rows
from monitor.store import Step, Store
from monitor.troubles import SILENT, troubles
from tests.fake_api import Said
from tests.fakes.powerbi import GROUP, Powerbi
from tests.fakes.server import SECRET
from tests.monitor.conftest import ACEROS, DECISIONS, IMPACTS, INCIDENTS, MOLINOS, NOW, PART, PAYMENTS, SLOW

MINUTE = timedelta(minutes=1)
CONFIG = """
[monitor]
database = "sqlite:///vigia.db"

[sources.core]
role = "transactions"
kind = "file"
path = "x.csv"

[boards.tablero]
kind          = "powerbi"
group         = "{group}"
url           = "{url}"
token_url     = "{url}/token"
client_id     = "vigia"
client_secret = "{secret}"
"""


class Bank:
    """A state, a Power BI and the job between them; `again` is a restart."""

    def __init__(self, store: Store, tool: Powerbi, folder: Path, more: str = "") -> None:
        self.path = folder / "config.toml"
        self.path.write_text(CONFIG.format(group=GROUP, url=tool.url, secret=SECRET) + more)
        self.store, self.tool, self.now = store, tool, NOW
        self.again()

    def again(self) -> None:
        self.config: Config = read_config(self.path)
        self.errors: dict[str, str] = {}
        self.metrics = Metrics.of(self.config)
        self.job = Boards(self.config, self.store, lambda: self.now, self.metrics, self.errors)
        self.job.boards["tablero"].session.sleep = lambda _: None  # type: ignore[attr-defined]

    def round(self) -> int:
        self.now += MINUTE
        return self.job.push("tablero")

    def changed(self, *impacts: Impact, **incident: Any) -> None:
        changes = Changes(impacts={(i.incident_id, i.client_id, i.product): i for i in impacts})
        if incident:
            changes.incidents = {PAYMENTS: replace(INCIDENTS[0], **incident)}
        self.store.commit(Step(changes=changes), self.now)

    def told(self) -> dict[str, dict[str, dict[str, Any]]]:
        return {sheet: self.tool.newest(sheet) for sheet in ("incidents", "impacts", "cases", "indicators")}

    def held(self) -> dict[tuple[str, str], int]:
        return {(row["sheet"], row["id"]): row["version"] for row in rows(self.store, t.pushed.select())}


@pytest.fixture
def tool() -> Iterator[Powerbi]:
    with Powerbi() as fake:
        yield fake


@pytest.fixture
def bank(store: Store, tool: Powerbi, tmp_path: Path) -> Bank:
    return Bank(store, tool, tmp_path)


def test_all_is_told_once_and_then_what_changes(bank: Bank) -> None:
    assert bank.round() == 3 + 4 + 3
    told = bank.told()
    assert told["incidents"].keys() == {PAYMENTS, SLOW, PART}
    assert told["incidents"][PAYMENTS]["affected"] == 2
    assert told["incidents"][PART]["state"] == "merged"
    mine = told["impacts"][f"{PAYMENTS}/{ACEROS}/pagos"]
    assert (mine["failures"], mine["amount"], mine["segment"]) == (131, 98450000.0, "corporativo")
    assert told["cases"][DECISIONS[0].key]["lead_seconds"] == 600
    assert bank.round() == 0
    bank.changed(replace(IMPACTS[1], failures=200, amount=Decimal(1)))
    assert bank.round() == 1
    assert bank.told()["impacts"][f"{PAYMENTS}/{ACEROS}/pagos"]["failures"] == 200
    assert len(bank.tool.rows["model-1", "impacts"]) == 5, "the former stands there too"
    bank.changed(state=IncidentState.RESOLVED, resolved_at=NOW, ended_at=NOW)
    assert bank.round() == 1
    assert bank.told()["incidents"][PAYMENTS]["resolved_at"] == "2026-03-03T15:30:00.000Z"


def test_no_name_goes_out_unless_it_is_asked_for(bank: Bank, tmp_path: Path) -> None:
    bank.round()
    assert {row["client"] for row in bank.told()["impacts"].values()} == {""}
    assert all("Aceros" not in asked.text for asked in bank.tool.asked)
    named = Bank(bank.store, bank.tool, tmp_path, "client_names = true\n")
    named.round()
    assert named.told()["impacts"][f"{PAYMENTS}/{ACEROS}/pagos"]["client"] == "Aceros del Istmo"
    assert named.told()["cases"][DECISIONS[0].key]["client"] == "Aceros del Istmo"


def test_what_is_no_more_is_told_as_such(bank: Bank) -> None:
    bank.round()
    bank.store.commit(Step(changes=Changes(impacts={(PAYMENTS, MOLINOS, "pagos"): None})), NOW)
    assert bank.round() == 2, "the impact, and how many are affected"
    last = bank.told()["impacts"][f"{PAYMENTS}/{MOLINOS}/pagos"]
    assert (last["touch"], last["incident_id"], "failures" in last) == ("", PAYMENTS, False)
    assert bank.round() == 0
    bank.changed(IMPACTS[0])
    bank.round()
    assert bank.told()["impacts"][f"{PAYMENTS}/{MOLINOS}/pagos"]["touch"] == "affected"


def test_a_crash_between_the_push_and_its_note_does_no_harm(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    put = bank.store.put

    def killed(*told: Any) -> None:
        if bank.told()["incidents"]:
            raise RuntimeError("killed")
        put(*told)

    with monkeypatch.context() as patch:
        patch.setattr(bank.store, "put", killed)
        with pytest.raises(RuntimeError):
            bank.round()
    assert {row["mark"] for row in rows(bank.store, t.pushed.select())} == {PERHAPS}
    first = dict(bank.told()["incidents"])
    bank.again()
    bank.changed(value=0.5, severity=INCIDENTS[1].severity)
    assert bank.round() == 10
    told = bank.told()["incidents"]
    assert {key: row["version"] > first[key]["version"] for key, row in told.items()} == dict.fromkeys(first, True)
    assert told[PAYMENTS]["severity"] == "minor"
    bank.again()
    assert bank.round() == 0, "a restart alone tells nothing again"


def test_an_answer_that_was_lost_does_no_harm(bank: Bank) -> None:
    bank.tool.after = [None, Said(503), None, Said(500)]
    assert bank.round() == 0
    assert "503" in bank.errors["board tablero"]
    bank.round()
    bank.round()
    assert bank.errors == {}
    assert bank.round() == 0
    assert {sheet: len(found) for sheet, found in bank.told().items()} == {
        "incidents": 3, "impacts": 4, "cases": 3, "indicators": 0,
    }  # fmt: skip
    assert {row["version"] for row in bank.told()["incidents"].values()} <= set(bank.held().values())


def test_an_answer_that_was_lost_and_all_is_as_before_is_told_again(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The board took the end, nobody knows, and somebody reopens the incident within the minute."""
    bank.round()
    board = bank.job.boards["tablero"]
    push = board.push

    def lost(*told: Any) -> None:
        push(*told)
        raise SourceError("no answer within 30 s")

    with monkeypatch.context() as patch:
        patch.setattr(board, "push", lost)
        bank.changed(state=IncidentState.RESOLVED, resolved_at=NOW, ended_at=NOW)
        bank.round()
    assert bank.told()["incidents"][PAYMENTS]["state"] == "resolved"
    bank.changed(state=IncidentState.FIRING)
    bank.round()
    assert bank.told()["incidents"][PAYMENTS]["state"] == "firing"
    assert bank.round() == 0


@pytest.mark.parametrize("restart", [False, True])
def test_what_is_open_for_longer_than_start_is_told_of_its_end(bank: Bank, *, restart: bool) -> None:
    bank.round()
    bank.now += timedelta(days=31)
    bank.round()
    bank.now += timedelta(days=31)
    bank.changed(state=IncidentState.RESOLVED, resolved_at=bank.now - timedelta(days=31), ended_at=bank.now)
    if restart:
        bank.again()
    bank.round()
    assert bank.told()["incidents"][PAYMENTS]["state"] == "resolved"
    assert bank.round() == 0


def test_a_row_that_is_refused_is_told_left_out_and_tried_again(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    board = bank.job.boards["tablero"]
    push, asked, bad = board.push, [], f"{PAYMENTS}/{ACEROS}/pagos"

    def refusing(place: str, sheet: str, told: pa.Table) -> None:
        asked.append(len(told))
        if sheet == "impacts" and bad in told.column("id").to_pylist():
            raise SourceError("400 Bad Request", permanent=True)
        push(place, sheet, told)

    with monkeypatch.context() as patch:
        patch.setattr(board, "push", refusing)
        bank.changed(*crowd(100))
        assert bank.round() == 109
        assert len(asked) < 25
        why = bank.errors["board tablero"]
        assert "400 Bad Request" in why
        assert PAYMENTS in why
        assert ACEROS not in why
        asked.clear()
        assert bank.round() == 0
        assert asked == [], "not asked every minute"
        assert bank.errors["board tablero"] == why
        bank.changed(severity=INCIDENTS[1].severity)
        assert bank.round() == 1
        bank.now += LEFT_OUT
        bank.round()
        assert asked[-1] == 1
    bank.now += LEFT_OUT
    assert bank.round() == 1
    assert bank.errors == {}
    assert bad in bank.told()["impacts"]


def test_what_refuses_everything_is_not_asked_for_ever(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    board, asked = bank.job.boards["tablero"], []

    def refusing(*told: Any) -> None:
        asked.append(told)
        raise SourceError("400 Bad Request", permanent=True)

    bank.changed(*crowd(500))
    with monkeypatch.context() as patch:
        patch.setattr(board, "push", refusing)
        assert bank.round() == 0
        assert len(asked) == REFUSALS + 1
    bank.now += LEFT_OUT
    assert bank.round() == 510


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_board_that_takes_nothing_blames_no_row(bank: Bank, status: int) -> None:
    """No right, or no model: one push, and all of it again as soon as that is mended."""
    right, posts = bank.tool.right, []

    def shut(asked: Any) -> Said:
        if not asked.path.endswith("/rows"):
            return right(asked)
        posts.append(asked)
        return Said(status)

    bank.tool.right = shut  # type: ignore[method-assign]
    assert bank.round() == 0
    assert len(posts) == (2 if status == 401 else 1), "a token is renewed once"
    assert "left out" not in bank.errors["board tablero"]
    bank.tool.right = right  # type: ignore[method-assign]
    assert bank.round() == 10
    assert bank.errors == {}


def test_a_segment_that_changes_is_told(bank: Bank) -> None:
    bank.round()
    (client,) = (one for one in bank.store.clients() if one.client_id == ACEROS)
    bank.store.commit(Step(clients=[replace(client, segment="pyme")]), bank.now)
    assert bank.round() > 0
    assert bank.told()["impacts"][f"{PAYMENTS}/{ACEROS}/pagos"]["segment"] == "pyme"
    assert bank.round() == 0


def test_down_for_an_hour_nothing_is_lost(bank: Bank) -> None:
    bank.round()
    session = bank.job.boards["tablero"].session  # type: ignore[attr-defined]
    session.clock = lambda: bank.now.timestamp()  # noqa: PLW0108 - its time goes on
    bank.tool.faults = [Said(503)] * 500
    for failures in range(60):
        bank.changed(replace(IMPACTS[1], failures=200 + failures))
        assert bank.round() == 0
    assert bank.errors["board tablero"]
    bank.tool.faults = []
    bank.now += timedelta(minutes=5)
    assert bank.round() == 1, "as it stands, and not all that lay between"
    assert bank.told()["impacts"][f"{PAYMENTS}/{ACEROS}/pagos"]["failures"] == 259
    assert bank.errors == {}


def test_a_model_that_was_deleted_is_made_anew_with_all_there_is(bank: Bank) -> None:
    bank.round()
    bank.tool.models.clear()
    assert bank.round() == 10
    assert bank.tool.made == 2
    assert len(bank.told()["impacts"]) == 4


def crowd(many: int, incident_id: str = PAYMENTS) -> list[Impact]:
    return [Impact(incident_id, f"8{n:08}", "pagos", Touch.AFFECTED, 1 + n % 7, 0, Decimal(n)) for n in range(many)]


def test_a_big_incident_takes_its_rounds_and_keeps_nobody_waiting(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "ROUND", 50)
    monkeypatch.setattr(job, "MOST", 20)
    bank.changed(*crowd(120))
    pushed = [bank.round() for _ in range(2)]
    assert pushed == [50, 50]
    assert max(len(asked.body["rows"]) for asked in bank.tool.asked if asked.path.endswith("/rows")) <= 20
    bank.changed(*[replace(one, failures=99) for one in crowd(120)])
    slow = replace(INCIDENTS[1], state=IncidentState.FIRING, severity=INCIDENTS[0].severity)
    bank.store.commit(Step(changes=Changes(incidents={SLOW: slow})), bank.now)
    bank.round()
    bank.round()
    assert bank.told()["incidents"][SLOW]["severity"] == "critical", "not behind the other's crowd"
    while bank.round():
        pass
    told = bank.told()["impacts"]
    assert sum(row["failures"] == 99 for row in told.values()) == 120
    assert len(told) == 124


def test_an_end_in_the_middle_goes_on_from_there(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "MOST", 2)
    calls = iter([False] * 5)
    bank.now += MINUTE
    first = bank.job.push("tablero", lambda: next(calls, True))
    assert 0 < first < 10
    bank.again()
    assert first + bank.round() == 10
    assert {sheet: len(found) for sheet, found in bank.told().items()} == {
        "incidents": 3, "impacts": 4, "cases": 3, "indicators": 0,
    }  # fmt: skip


def test_months_are_told_and_what_is_old_is_not(bank: Bank, tmp_path: Path) -> None:
    keep_months(bank.store, bank.config, lambda: NOW)
    assert bank.round() > 10
    told = bank.told()["indicators"]
    assert told["2026-03/preventive"]["numerator"] == 2
    assert "value" not in told["2026-02/ans"]
    assert bank.round() == 0
    few = Bank(bank.store, bank.tool, tmp_path, 'start = "1h"\n')
    few.tool.models.clear()
    few.round()
    assert few.told()["incidents"].keys() == {PAYMENTS, PART}, "open, or detected within the hour"


def test_pruned_with_its_incident(bank: Bank) -> None:
    bank.round()
    limits = dict.fromkeys(("cells", "ledger", "incidents", "clients", "outbox"), NOW + timedelta(days=1))
    prune(bank.store, limits)
    assert {key for _, key in bank.held() if key.startswith(SLOW)} == set()
    assert (("incidents", PAYMENTS) in bank.held()) is True


def test_a_service_has_its_job_its_fault_and_its_figures(store: Store, tool: Powerbi, tmp_path: Path) -> None:
    bank = Bank(store, tool, tmp_path)
    service = Service(bank.config, store, clock=lambda: bank.now)
    service.boards.boards["tablero"].session.sleep = lambda _: None  # type: ignore[attr-defined]
    assert "board tablero" in {one.id for one in scheduled(service).get_jobs()}
    figures = service.metrics.exposition().decode()
    assert 'vigia_outbox_sent_total{desk="boards.tablero"} 0.0' in figures
    service.boards.push("tablero")
    assert 'vigia_outbox_sent_total{desk="boards.tablero"} 3.0' in service.metrics.exposition().decode()
    tool.faults = [Said(400)]
    service.boards.push("tablero")
    assert 'vigia_outbox_errors_total{desk="boards.tablero"} 1.0' in service.metrics.exposition().decode()
    assert "board:tablero" not in {one.key for one in troubles(service, bank.now)}
    bank.now += SILENT
    told = {one.key: one.what for one in troubles(service, bank.now)}
    assert "el tablero tablero no recibe" in told["board:tablero"]
    service.boards.push("tablero")
    assert "board:tablero" not in {one.key for one in troubles(service, bank.now)}


def test_one_that_does_not_answer_is_told_as_hanging(bank: Bank) -> None:
    wait = Event()
    bank.tool.faults = [Said(503, wait=wait)]
    asking = Thread(target=bank.round)
    asking.start()
    while not bank.tool.asked:
        asking.join(0.01)
    assert bank.job.hanging == ["board tablero"]
    wait.set()
    asking.join()
    assert bank.job.hanging == []


def test_check_asks_it(bank: Bank, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("timestamp,status\n")
    assert faults_of(bank.config, NOW) == 0
    assert "board tablero:" in capsys.readouterr().out
    bank.path.write_text(bank.path.read_text().replace(SECRET, "wr0ng"))
    bank.again()
    assert faults_of(bank.config, NOW) == 1
    assert "board tablero:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('kind = "tableau"', "boards.b.kind: no board kind 'tableau'; there are: powerbi"),
        ('kind = "powerbi"\ngrupo = "x"', "boards.b.grupo"),
        ('kind = "powerbi"\nevery = "10s"', "boards.b.every"),
    ],
)
def test_what_is_wrong_with_a_block_is_told(bank: Bank, wrong: str, said: str) -> None:
    bank.path.write_text(f"{bank.path.read_text()}\n[boards.b]\n{wrong}\n")
    with pytest.raises(ConfigError) as error:
        read_config(bank.path)
    assert any(said in str(fault) for fault in error.value.faults)
