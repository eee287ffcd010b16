"""A service that takes another's place while it works: what is carried over, what cannot change, and what goes on where it fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest
import requests
from typer.testing import CliRunner

from alerts import IncidentState
from connectors import SourceError
from monitor.__main__ import app
from monitor.daemon import pages
from monitor.faults import ConfigError
from monitor.guides import guides
from monitor.judge import Stopped
from monitor.people import Conflict
from monitor.reloading import Live, carried
from monitor.service import Service
from monitor.trail import verify
from monitor.troubles import troubles
from monitor.web import serve
from monitor.windows import minute_of
from tests.characters import at
from tests.monitor.test_service import CONFIG, OTHER, RULES, Bank

if TYPE_CHECKING:
    from starlette.types import ASGIApp

GUIDE = 'title = "Pagos"\n[fallas]\ntitle = "{}"\nsolution = ["Reintente"]\n'


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    made = Bank(tmp_path, at("12:00:11"))
    made.pay("10:00", "12:00")
    (tmp_path / "casos_crm.csv").write_text("case_id,client_id,product,status,opened_at\n")
    yield made
    for service in made.services:
        service.store.close()


def faceless(service: Service, reload: Callable[[], None]) -> ASGIApp:  # noqa: ARG001 - a `Pages`
    return lambda *_: None  # type: ignore[return-value]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def working(service: Service) -> Iterator[Live]:
    """It works, and has judged what there is."""
    stop = Event()
    live = Live(service, faceless, stop)
    thread = Thread(target=live.run)
    thread.start()
    try:
        judged(live, service.clock())
        yield live
    finally:
        stop.set()
        thread.join(timeout=120)
    assert not thread.is_alive()


def judged(live: Live, now: datetime) -> None:
    until(lambda: (live.service.judge.judged_until or 0) >= minute_of(now))


def minutes(bank: Bank, live: Live, first: int, last: int, failing: float = 0.0) -> None:
    for minute in range(first, last):
        bank.pay(f"12:{minute:02}", f"12:{minute + 1:02}", failing=failing)
        bank.now = at(f"12:{minute + 1:02}:11")
        judged(live, bank.now)


def test_what_had_begun_goes_on_where_it_was(bank: Bank) -> None:
    """A breach of one minute is remembered; one incident is found, from its first bad minute on, and ends once."""
    with working(bank.start()) as live:
        minutes(bank, live, 0, 1, failing=0.9)
        assert bank.store.incidents() == []
        first = live.service
        live.reload()
        assert live.service is not first
        minutes(bank, live, 1, 3, failing=0.9)
        (incident,) = bank.store.incidents()
        assert incident.started_at == at("12:00")
        live.reload()
        assert live.service.ready() == (True, "listo")
        minutes(bank, live, 3, 10)
        (over,) = bank.store.incidents()
        assert (over.id, over.state) == (incident.id, IncidentState.RESOLVED)


def test_sources_and_rules_come_and_go(bank: Bank) -> None:
    with working(bank.start()) as live:
        minutes(bank, live, 0, 3, failing=0.9)
        assert len(bank.store.incidents()) == 1
        (bank.folder / "config.toml").write_text(CONFIG + OTHER)
        (bank.folder / "rules.toml").write_text(RULES.replace('"fallas"', '"caidas"'))
        bank.pay("10:00", "12:03", file="otra.csv")
        live.reload()
        assert [rule.spec.name for rule in live.service.judge.pipeline.rules] == ["caidas", "volumen"]
        bank.pay("12:03", "12:04", file="otra.csv")
        minutes(bank, live, 3, 4)
        until(lambda: live.service.judge.sources["otra"].complete_until is not None)
        (incident,) = bank.store.incidents()
        assert incident.state is IncidentState.RESOLVED, "nobody looks at what only the rule that is gone has seen"
        (bank.folder / "config.toml").write_text(CONFIG)
        live.reload()
        assert set(live.service.judge.sources) == {"pagos"}
        assert b'source="otra"' not in live.service.metrics.exposition()


def columns(named: str) -> str:
    return CONFIG.replace('path = "pagos.csv"', f'path = "pagos.csv"\ncolumns = {{ client_id = "{named}" }}')


def test_a_column_that_does_not_exist_is_refused_and_all_goes_on(bank: Bank) -> None:
    with working(bank.start()) as live:
        first = live.service
        (bank.folder / "config.toml").write_text(columns("nitt"))
        with pytest.raises(ConfigError, match=r"sources\.pagos: .*there is no column 'nitt'"):
            live.reload()
        (bank.folder / "config.toml").write_text(
            CONFIG.replace('path = "pagos.csv"', 'path = "pagos.csv"\ndelimiter = ";"')
        )
        with pytest.raises(ConfigError, match=r"sources\.pagos: .*columns\.timestamp must say which"):
            live.reload()
        assert live.service is first
        (bank.folder / "config.toml").write_text(columns("client_id"))
        live.reload()
        assert live.service is not first


def test_a_source_that_is_down_or_was_no_better_before_stops_no_reload(bank: Bank) -> None:
    with working(bank.start()) as live:
        gone = CONFIG + '[sources.lejos]\nrole = "clients"\nkind = "http"\nurl = "http://127.0.0.1:1/x"\n'
        (bank.folder / "config.toml").write_text(gone)
        live.reload()
        old = live.service
        pagos = bank.folder / "pagos.csv"
        pagos.write_text(pagos.read_text().replace("client_id", "nit", 1))
        (bank.folder / "config.toml").write_text(gone.replace('path = "pagos.csv"', 'path = "pagos.csv"\nlag = "1m"'))
        live.reload()
        assert live.service is not old


def test_since_when_something_is_wrong_is_carried_over(bank: Bank) -> None:
    old = bank.start()
    old.cycle()
    old.errors |= {"crm": "no such file", "lost": "gone", "desk local": "full", "desk of yesterday": "gone"}
    old.troubled, old.judge.sources["pagos"].down_since = {"source:crm": at("11:00")}, at("11:30")
    old.judge.sources["pagos"].lost_from = at("11:40")
    old.runs.failed("promises", ValueError())
    new = Service(old.config, old.store, clock=lambda: bank.now)
    carried(old, new)
    assert new.errors == {"crm": "no such file", "desk local": "full"}
    assert new.sending.errors is new.errors
    assert (new.troubled, set(new.runs.wrong)) == (old.troubled, {"promises"})
    standing = new.judge.sources["pagos"]
    assert (standing.down_since, standing.lost_from, new.last_cycle) == (at("11:30"), at("11:40"), old.last_cycle)
    assert (new.metrics.last_cycle, new.metrics.sources) == (old.metrics.last_cycle, old.metrics.sources)
    new.runs.keep(["housekeep"])
    assert new.runs.wrong == {}


BOARD = """
[boards.gerencia]
kind = "powerbi"
group = "g"
client_id = "vigia"
client_secret = "x"
tenant = "t"
"""


def test_what_was_wrong_is_the_same_fault_after_it(bank: Bank) -> None:
    """Neither told as over nor told anew; a step that goes well is the end of that one."""
    (bank.folder / "config.toml").write_text(CONFIG + BOARD)
    old = bank.start()
    old.judge.step([old._poll(intake) for intake in old._intakes.values()])
    for name in ("crm", "board gerencia", "desk local"):
        old.errors[name] = "gone"
    for _ in range(3):
        old._fail(ValueError())
    troubles(old, bank.now)
    bank.now += timedelta(minutes=10)
    before = troubles(old, bank.now)
    assert {"source:crm", "board:gerencia", "steps"} <= {one.key for one in before}
    new = Service(old.config, old.store, clock=lambda: bank.now)
    carried(old, new)
    assert troubles(new, bank.now) == before
    new._step([])
    assert [one.key for one in before if one not in troubles(new, bank.now)] == ["steps"]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("vigia.db", "other.db", "monitor.database"),
        ("[monitor]", '[monitor]\nlisten = "127.0.0.1:9999"', "monitor.listen"),
        ("[sources.crm]", '[demo]\ndatabase = "bank.db"\n[sources.crm]', "demo"),
    ],
)
def test_what_cannot_change_while_it_runs_is_refused(bank: Bank, old: str, new: str, key: str) -> None:
    with working(bank.start()) as live:
        (bank.folder / "config.toml").write_text(CONFIG.replace(old, new) + OTHER)
        before = live.service
        with pytest.raises(ConfigError) as told:
            live.reload()
        assert [(fault.file, fault.key) for fault in told.value.faults] == [("config.toml", key)]
        live.hang_up()
        assert live.service is before
        assert b"vigia_config_last_reload_successful 0.0" in before.metrics.exposition()
    assert not (bank.folder / "other.db").exists()


def test_where_the_new_one_cannot_begin_the_one_before_goes_on(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    with working(bank.start()) as live:
        before = live.service
        with monkeypatch.context() as broken:
            broken.setattr("monitor.reloading.carried", lambda *_: 1 / 0)
            with pytest.raises(Conflict, match=r"\(ZeroDivisionError\): sigue la de antes"):
                live.reload()
        assert live.service is before
        minutes(bank, live, 0, 3, failing=0.9)
        assert len(bank.store.incidents()) == 1
        assert b"vigia_config_last_reload_successful 0.0" in before.metrics.exposition()
        live.reload()
        assert live.service is not before


def test_it_is_no_time_for_it_before_the_beginning_and_after_the_end(bank: Bank) -> None:
    stop = Event()
    live = Live(bank.start(), faceless, stop)
    with pytest.raises(Conflict):
        live.reload()
    stop.set()
    live.run()
    with pytest.raises(Conflict):
        live.reload()
    live.hang_up()


def test_what_hangs_holds_it_up_no_longer_than_an_end(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answer = Event(), Event()

    def hanging(*_: object) -> Any:
        asked.set()
        answer.wait(120)
        raise SourceError("gone")

    with working(bank.start()) as live:
        monkeypatch.setattr("monitor.service.LAST", 0.05)
        monkeypatch.setattr(live.service._intakes["pagos"], "poll", hanging)
        assert asked.wait(60)
        live.reload()
        assert live.hanging
        minutes(bank, live, 0, 1)
        answer.set()
        minutes(bank, live, 1, 2)
        assert live.service.errors == {}, "whoever hung there speaks for nobody any more"


def test_guides_are_read_anew(bank: Bank) -> None:
    folder = bank.folder / "guias" / "es"
    folder.mkdir(parents=True)
    (bank.folder / "config.toml").write_text(CONFIG + '[words]\nguides = "guias"\n')
    (folder / "pagos.toml").write_text(GUIDE.format("De antes"))
    with working(bank.start()) as live:
        where = live.service.config.words.guides
        found = guides("es", where).get("pagos/fallas")
        assert found is not None
        (folder / "pagos.toml").write_text(GUIDE.format("De ahora"))
        live.reload()
        anew = guides("es", where).get("pagos/fallas")
        assert anew is not None
        assert (found.title, anew.title) == ("De antes", "De ahora")


def test_the_trail_tells_what_changed_and_who_had_it_read(bank: Bank) -> None:
    (bank.folder / "laura").write_text("token-de-laura-0123456789\n")
    users = '[users.laura]\nrole = "administer"\ntoken = "${file:laura}"\n[words]\nguides = "guias"\n'
    (bank.folder / "config.toml").write_text(CONFIG + users)
    (bank.folder / "guias" / "es").mkdir(parents=True)
    with working(bank.start()) as live:
        live.hang_up()
        assert bank.store.acts() == [], "nothing changed"
        (bank.folder / "rules.toml").write_text(RULES.replace('"fallas"', '"caidas"'))
        live.hang_up()
        (bank.folder / "guias" / "es" / "pagos.toml").write_text(GUIDE.format("Fallas"))
        (bank.folder / "laura").write_text("otro-de-laura-0123456789\n")
        server = serve(pages(live.service, live.reload), "127.0.0.1:0")
        try:
            token = {"Authorization": "Bearer token-de-laura-0123456789"}
            answer = requests.post(f"{server.address}/-/reload", headers=token, timeout=60)
        finally:
            server.stop()
        assert answer.status_code == HTTPStatus.OK
        (bank.folder / "rules.toml").write_text("nothing")
        live.hang_up()
        told = [(act.action, act.who, act.text, act.door) for act in bank.store.acts()]
        assert told == [
            ("reload", "SIGHUP", "rules.toml", ""),
            ("reload", "laura", "guias/es/pagos.toml, laura", "api"),
        ]
        assert verify(bank.store).broken == ""
    listed = CliRunner().invoke(
        app, ["audit", "list", "--since", "90000h", "--config", str(bank.folder / "config.toml")]
    )
    assert "rules.toml: is not TOML" in listed.stderr
    (bank.folder / "rules.toml").write_text(RULES)
    listed = CliRunner().invoke(
        app, ["audit", "list", "--since", "90000h", "--config", str(bank.folder / "config.toml")]
    )
    assert "Recargó la configuración" in listed.stdout


def test_the_end_that_comes_while_the_next_one_is_built_is_clean(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Event()
    live = Live(bank.start(), faceless, stop)
    thread = Thread(target=live.run)
    thread.start()
    judged(live, bank.now)

    def ends(*_: object, **__: object) -> Service:
        stop.set()
        raise Stopped

    monkeypatch.setattr("monitor.reloading.Service", ends)
    with pytest.raises(Conflict, match="termina"):
        live.reload()
    thread.join(60)
    assert not thread.is_alive()
