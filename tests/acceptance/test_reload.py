"""The configuration read anew by the real process: what is good takes effect whole, what is not changes nothing, nobody is told twice."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import requests

from tests.acceptance.listeners import Address, address
from tests.acceptance.test_told import HISTORY, RULES, Evening, of
from tests.fake_mail import free_port
from tests.monitor.served import Browser

ANA, BETO = "token-de-ana-0123456789", "token-de-beto-0123456789"
SECRETS = {"ana": ANA, "beto": BETO, "torre": "un secreto de pruebas", "guardia": "otro secreto de pruebas"}
CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
lateness = "10s"
rules = ["rules.toml"]
listen = "127.0.0.1:{port}"

[sources.payments]
role = "transactions"
kind = "file"
path = "payments.csv"
every = "200ms"

[receivers.torre]
kind = "webhook"
url = "{torre}"
secret = "${{file:{folder}/torre}}"

[[route]]
receiver = "torre"

[users.ana]
role = "administer"
token = "${{file:{folder}/ana}}"
"""
LOOKS = """
[users.beto]
role = "look"
clients = "all"
token = "${{file:{folder}/beto}}"
"""
GUARD = """
[receivers.guardia]
kind = "webhook"
url = "{guardia}"
secret = "${{file:{folder}/guardia}}"

[[route]]
receiver = "guardia"
"""
HIGHER = """
[[rule]]
name = "fallas_altas"
kind = "limit"
by = ["product"]
when = "failed_rate > 0.5"
min_total = 10
for = "2m"
keep_firing_for = "3m"
"""


@dataclass
class Watched(Evening):
    """The bank's evening, watched by a process with its board."""

    more: tuple[str, ...] = ("served",)
    port: int = field(default_factory=free_port)
    guard: Address = field(default_factory=Address)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def says(self, more: str = LOOKS, **instead: Any) -> None:
        """Write the configuration, and the secrets that it names."""
        told = {"port": self.port, "torre": self.torre.url, "guardia": self.guard.url, "folder": self.folder} | instead
        for name, secret in SECRETS.items():
            (self.folder / name).write_text(secret)
        (self.folder / "config.toml").write_text((CONFIG + more).format(**told))

    def reload(self, token: str = ANA) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.post(f"{self.address}/-/reload", headers=headers, timeout=60)

    def measured(self, name: str) -> float:
        found = re.search(rf"^{name} (\S+)$", requests.get(f"{self.address}/metrics", timeout=60).text, re.MULTILINE)
        assert found, name
        return float(found[1])

    def logged(self, words: str) -> int:
        return (self.folder / "log").read_text().count(words)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A quiet hour."""
    with ExitStack() as stack:
        bank = Watched(tmp_path)
        bank.torre, bank.guard = stack.enter_context(address()), stack.enter_context(address())
        bank.says()
        (tmp_path / "rules.toml").write_text(RULES)
        bank.pays(HISTORY, at_once=HISTORY)
        try:
            yield bank
        finally:
            bank.kill()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_good_takes_effect_and_an_open_incident_is_told_on_as_before(watched: Watched) -> None:
    watched.pays(4, share=1, pagos=0.9)
    incident = watched.incident("pagos")
    assert of(watched.torre.took, "pagos") == [("first", ["new"])]
    first = watched.measured("vigia_config_last_reload_timestamp_seconds")

    # A new rule: it is in force at once, and what the others found stays what it was.
    (watched.folder / "rules.toml").write_text(RULES + HIGHER)
    answer = watched.reload()
    assert (answer.status_code, answer.text) == (200, "La configuración se leyó de nuevo y está en vigor.\n")
    assert watched.measured("vigia_config_last_reload_successful") == 1
    assert watched.measured("vigia_config_last_reload_timestamp_seconds") > first
    assert requests.get(f"{watched.address}/-/ready", timeout=60).status_code == 200, "it was ready all the while"
    watched.pays(3, share=1, pagos=0.9)
    assert watched.incident("pagos") == incident
    assert watched.ask("SELECT state FROM alerts WHERE rule = 'fallas_altas'") == [("firing",)]
    assert [event for event, _ in of(watched.torre.took, "pagos")].count("first") == 1

    # By signal: a further route, and one user less.
    beto = Browser(cast("Any", watched))
    assert beto.enter(BETO).status_code == 303
    assert beto.get("/").status_code == 200
    assert watched.reload(BETO).status_code == 403
    before = watched.logged("the configuration was read anew")
    watched.says(GUARD)
    assert watched.process is not None
    os.kill(watched.process.pid, signal.SIGHUP)
    until(lambda: watched.logged("the configuration was read anew") > before)
    assert (beto.get("/").status_code, beto.get("/").headers["Location"]) == (303, "/entrar?next=/"), (
        "the session is over"
    )
    headers = {"Authorization": f"Bearer {BETO}"}
    assert requests.get(f"{watched.address}/api/v1/incidents", headers=headers, timeout=60).status_code == 401
    watched.pays(2, share=1, pagos=0.9)
    assert of(watched.guard.took, "pagos") == [("first", ["new"])], "it is told of what is open"
    assert [event for event, _ in of(watched.torre.took, "pagos")].count("first") == 1
    assert watched.incident("pagos") == incident

    watched.pays(10, at_once=2)
    for there in (watched.torre, watched.guard):
        events = [event for event, _ in of(there.took, "pagos")]
        assert (events[0], events[-1], events.count("first"), events.count("end")) == ("first", "end", 1, 1)
        assert max(Counter(there.keys).values()) == 1
    assert watched.ask("SELECT id, state FROM incidents WHERE product = 'pagos'") == [(incident, "resolved")]
    assert watched.ask("SELECT key, error FROM outbox WHERE state <> 'sent'") == []
    assert watched.started == 1
    assert watched.stop() == 0


def test_what_is_not_good_changes_nothing_and_is_told(watched: Watched) -> None:
    watched.pays(4, share=1, pagos=0.9)
    incident = watched.incident("pagos")
    watched.says(f'{LOOKS}\n[[route]]\nreceiver = "nadie"\n[lost]\n')
    (watched.folder / "rules.toml").write_text(RULES.replace('for = "2m"', 'for = "soon"', 1))
    answer = watched.reload()
    lines = answer.text.splitlines()
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "text/plain; charset=utf-8")
    for file, key in (("config.toml", "lost"), ("config.toml", "route[1].receiver"), ("rules.toml", "fallas.for")):
        assert any(line.startswith(file) and key in line for line in lines), answer.text
    assert watched.measured("vigia_config_last_reload_successful") == 0
    assert watched.logged("the configuration stays as it was") == 1
    assert ANA not in (watched.folder / "log").read_text()

    (watched.folder / "rules.toml").write_text(RULES)
    watched.says(port=free_port())
    (line,) = watched.reload().text.splitlines()
    assert line.startswith("config.toml: monitor.listen: cannot change while Vigía runs")

    watched.says("[users.beto]\n")
    assert watched.process is not None
    os.kill(watched.process.pid, signal.SIGHUP)
    until(lambda: watched.logged("the configuration stays as it was") == 3)
    beto = Browser(cast("Any", watched))
    assert beto.enter(BETO).status_code == 303, "still there"
    watched.pays(2, share=1, pagos=0.9)
    assert watched.incident("pagos") == incident
    assert [event for event, _ in of(watched.torre.took, "pagos")].count("first") == 1
    watched.says()
    assert watched.reload().status_code == 200
    assert watched.measured("vigia_config_last_reload_successful") == 1
    assert (watched.started, watched.stop()) == (1, 0)
