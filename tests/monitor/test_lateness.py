"""A source that is behind holds the judging of all, and one that is dark leaves a part unseen: check, /-/ready and the board say so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests
from typer.testing import CliRunner

from monitor.__main__ import app
from monitor.config import read_config
from monitor.daemon import pages
from monitor.lateness import expected
from monitor.service import Service
from monitor.store import Store
from monitor.troubles import troubles
from monitor.verdicts import present
from monitor.web import serve
from tests.characters import at

CORE = '[sources.core]\nrole = "transactions"\nkind = "file"\npath = "rows.csv"\n'
PSE = '[sources.pse]\nrole = "transactions"\nkind = "file"\npath = "pse.csv"\nlag = "1h"\n'
CRM = '[sources.crm]\nrole = "cases"\nkind = "file"\npath = "secreto/no.csv"\n'


class Bank:
    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, at("12:00:11")
        times = [at("08:00") + timedelta(minutes=minute) for minute in range(240)]
        for name in ("rows.csv", "pse.csv"):
            rows = [f"{time.isoformat()},ok" for time in times]
            (folder / name).write_text("\n".join(["timestamp,status", *rows]) + "\n")

    def clock(self) -> datetime:
        return self.now

    def starts(self, *sources: str) -> Service:
        (self.folder / "config.toml").write_text("".join(sources))
        config = read_config(self.folder / "config.toml")
        store = Store(config.monitor.database)
        store.migrate()
        self.service = Service(config, store, clock=self.clock)
        self.service.cycle()
        self.now += timedelta(minutes=1)
        self.service.cycle()
        return self.service

    def asked(self, path: str) -> str:
        """Status and words of a page of the board."""
        server = serve(pages(self.service, list), "127.0.0.1:0")
        try:
            answer = requests.get(f"{server.address}{path}", timeout=60)
        finally:
            server.stop()
        return f"{answer.status_code} " + " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    made = Bank(tmp_path)
    yield made
    made.service.store.close()


def test_all_that_answers_on_time_is_ready_and_nothing_more(bank: Bank) -> None:
    bank.starts(CORE)
    assert bank.asked("/-/ready") == "200 listo"
    assert "de atraso" not in bank.asked("/")


def test_what_is_late_by_its_own_word_is_told_with_what_it_costs(bank: Bank) -> None:
    bank.starts(CORE, PSE)
    assert bank.asked("/-/ready") == "200 listo, con vista parcial: se juzga con 60 min de atraso, se espera a pse"
    assert (
        "Se juzga con 60 min de atraso, hasta 11:01: se espera a la fuente pse, que aún no da por completo lo que sigue."
        in bank.asked("/")
    )
    english = bank.asked("/?lang=en")
    assert "Judging is 60 min behind, up to 11:01: it waits for the source pse, which is not complete" in english
    assert "Todo en orden" not in bank.asked("/")


def test_the_dark_ones_are_named_where_all_else_is_well(bank: Bank) -> None:
    service = bank.starts(CORE, CRM, CRM.replace("crm", "otro"))
    told = "200 listo, con vista parcial: sin responder 2 de 3 fuentes: crm, otro; lo que de allí depende no se sabe"
    assert bank.asked("/-/ready") == told
    assert "secreto" in service.errors["crm"], "what is wrong, which anybody who asks must not be told"
    assert "No responden las fuentes crm, otro: lo que de allí depende no se sabe." in bank.asked("/")


def test_one_that_answers_and_goes_no_further_is_named_too(bank: Bank) -> None:
    service = bank.starts(CORE, PSE.replace('lag = "1h"\n', ""))
    standing = service.judge.sources["pse"]
    standing.unmoved_since, standing.unmoved_at = bank.now - timedelta(minutes=30), bank.now
    assert bank.asked("/-/ready") == "200 listo, con vista parcial: se juzga sin lo que no dan por completo: pse"
    assert "La fuente pse responde, pero no da por completo nada más: se juzga sin ella." in bank.asked("/")
    assert "Todo en orden" not in bank.asked("/")


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        ([CORE], ""),
        ([PSE], "judging runs up to 60 min behind the clock: source pse says so by `lag` (60 min)\n"),
        (
            [CORE, PSE],
            "judging runs up to 60 min behind the clock: source pse says so by `lag` (60 min) and holds up every other source\n",
        ),
        (
            [CORE, PSE.replace('lag = "1h"', 'every = "5m"')],
            "judging runs up to 5 min behind the clock: source pse is asked every 5 min\n",
        ),
    ],
)
def test_check_says_how_late_judging_will_be(tmp_path: Path, sources: list[str], told: str) -> None:
    (tmp_path / "config.toml").write_text("".join(sources))
    done = CliRunner().invoke(app, ["check", "--config", str(tmp_path / "config.toml")])
    assert (done.exit_code, done.stdout.partition(str(tmp_path))[0]) == (0, told)


def test_what_is_configured_is_exported_beside_how_late_it_is(bank: Bank) -> None:
    service = bank.starts(CORE, PSE)
    assert expected(service.config) == timedelta(hours=1, seconds=10 + 10 + 120)
    assert b"\nvigia_judging_lag_expected_seconds 3740.0\n" in service.metrics.exposition()


def test_minutes_that_were_judged_by_a_clock_that_was_ahead_are_no_all_clear(bank: Bank) -> None:
    service = bank.starts(CORE)
    bank.now += timedelta(minutes=50)
    service.cycle()
    bank.now -= timedelta(minutes=45)
    service.cycle()
    told = "no se juzga nada hasta 2026-03-03T12:51:00-05:00: hasta allí se juzgó ya, con el reloj adelantado"
    assert bank.asked("/-/ready") == f"503 {told}"
    assert [(one.key, one.severity, one.what) for one in troubles(service, bank.now)] == [("judging", "critical", told)]
    assert "Todo en orden" not in bank.asked("/")
    assert present(service.store, bank.now).stale
    assert service.metrics.watched[1] == service.metrics.watched[0], "nobody can tell of anything"
    bank.now += timedelta(minutes=44)
    service.cycle()
    assert service.ready()[0]
