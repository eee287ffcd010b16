"""What receivers are given: words made when they are sent, and again and again for those that ask for it; and the wiring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.routing import Route
from connectors import Notice, SourceError
from monitor import connect
from monitor.jobs import NOTICES, scheduled
from monitor.languages import Code
from monitor.receiving import Refreshing
from monitor.service import Service
from rules import Severity
from tests.monitor.told import MINUTE, NOW, Receiver, Told, bank, incident, over


@dataclass
class Paging(Receiver):
    """Must hear again and again of what stands."""

    heard: list[list[str]] = field(default_factory=list)

    def refresh(self, notices: Sequence[Notice], now: datetime) -> None:
        if self.down:
            raise SourceError("no answer")
        assert now.tzinfo
        self.heard.append([f"{notice.key} {notice.event}" for notice in notices])


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Told]:
    found = bank(tmp_path, Route("torre"), per_hour=1)
    yield found
    found.store.close()


def test_a_notice_has_its_words_its_facts_and_whom_it_is_for(here: Told) -> None:
    here.put(incident())
    here.told()
    assert here.deliver() == 1
    (notice,) = here.receivers["torre"].sent
    assert (notice.key, notice.thread, notice.event, notice.to, notice.at) == (
        "AF-1:torre::1",
        "AF-1:torre:",
        "first",
        "",
        NOW,
    )
    assert notice.subject
    assert notice.text
    assert notice.facts["incident"]["id"] == "AF-1"
    assert notice.facts["schema"] == "vigia.notice/1"


@pytest.mark.parametrize("words", ["plain", "technical"])
@pytest.mark.parametrize("language", ["es", "en"])
def test_after_an_outage_the_newest_promise_is_the_only_one(tmp_path: Path, words: Any, language: Code) -> None:
    here = bank(tmp_path, Route("correo", to=("ana@banco.example",), words=words))
    here.config = replace(here.config, words=here.config.words.model_copy(update={"language": language}))
    here.restart()
    torre, one = here.receivers["correo"], incident()
    torre.down = True
    here.put(one)
    here.told()
    here.deliver()
    here.put(replace(one, severity=Severity.CRITICAL))
    here.told(after=30)
    torre.down = False
    here.now += timedelta(hours=1)
    assert here.deliver() == 2
    late, newest = torre.sent
    assert [late.event, newest.event] == ["first", "update"]
    assert (late.facts["overtaken"], late.facts["next_at"]) == (True, None)
    assert newest.facts["next_at"]
    promise, word = {
        "es": ("a más tardar", "Enseguida llega otro más reciente"), "en": ("by ", "A newer one follows")
    }[language]  # fmt: skip
    for text, html, is_late in ((late.text, late.html, True), (newest.text, newest.html, False)):
        assert [word in text, word in html] == [is_late] * 2
        if language == "es":
            assert (promise in text) != is_late
    here.store.close()


def test_what_stands_is_told_again_every_minute_and_what_has_ended_for_five_more(here: Told) -> None:
    paging = Paging()
    refreshing = Refreshing(here.config, here.store, {"torre": paging, "otra": Receiver()}, lambda: here.now)
    assert [*refreshing] == ["torre"]
    one = incident()
    here.put(one)
    here.told()
    refreshing.refresh("torre")
    here.put(over(one, NOW + MINUTE))
    here.told(after=1)
    refreshing.refresh("torre")
    here.now += timedelta(minutes=4, seconds=59)
    refreshing.refresh("torre")
    here.now += timedelta(seconds=1)
    refreshing.refresh("torre")
    end = ["AF-1:torre::2 end"]
    assert paging.heard == [["AF-1:torre::1 first"], end, end, []]
    paging.down = True
    refreshing.refresh("torre")  # logged: the next one is a minute away


def test_one_that_sorts_out_for_itself_what_people_hear_has_no_cap(here: Told) -> None:
    config = replace(here.config, receivers={"torre": replace(here.config.receivers["torre"], make=Paging)})
    made = Service(config, here.store, clock=lambda: here.now)
    here.put(*(incident(f"AF-{n}", channel=f"c{n}") for n in range(5)))
    assert made.notices.tell() == 5


def test_one_cycle_tells_and_sends(here: Told) -> None:
    (here.config.path.parent / "x.csv").write_text(f"timestamp,status\n{NOW.isoformat()},ok\n")
    config = replace(
        here.config, receivers={"torre": replace(here.config.receivers["torre"], make=lambda: here.receivers["torre"])}
    )
    here.put(incident())
    Service(config, here.store, clock=lambda: here.now).cycle()
    assert [notice.key for notice in here.receivers["torre"].sent] == ["AF-1:torre::1"]


def test_the_daemon_asks_every_five_seconds_and_refreshes_every_minute(here: Told) -> None:
    config = replace(here.config, receivers={"torre": replace(here.config.receivers["torre"], make=Paging)})
    jobs = {job.id: job.trigger.interval for job in scheduled(Service(config, here.store)).get_jobs()}
    assert (jobs["notices"], jobs["refresh torre"]) == (NOTICES, MINUTE)
    assert "deliver receivers.torre" in jobs


def test_connect_tries_receivers_too(
    here: Told, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(here.config, sources={}, desks={})
    assert connect.faults_of(config, NOW) == 0
    assert "receiver torre: here" in capsys.readouterr().out

    def gone(_self: Receiver) -> str:
        raise SourceError("no answer")

    monkeypatch.setattr(Receiver, "check", gone)
    assert connect.faults_of(config, NOW) == 1
    assert "receiver torre: fails (other): no answer" in capsys.readouterr().err
