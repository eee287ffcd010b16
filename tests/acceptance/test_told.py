"""An evening of the bank as its people are told of it: real process, SMTP server and Alertmanager, an HTTP address that goes down."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from monitor import spanish
from tests.acceptance.listeners import Address, Alertmanager, Mailbox, address, alertmanager, mailbox
from tests.acceptance.timeline import PATIENCE, ROOT, Row, Timeline

MINUTE, LATENESS = timedelta(minutes=1), timedelta(seconds=10)
HISTORY = 60
CLIENTS = [f"900{n:06d}" for n in range(240)]
PRODUCTS = {"pagos": "web", "recaudos": "oficina"}
SUBSTITUTE, LEAD = "suplente@banco.example", "lider@banco.example"
ASSISTANTS = {nit: f"asistente{n % 4}@banco.example" for n, nit in enumerate(CLIENTS)}
CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
lateness = "10s"
rules = ["rules.toml"]
address = "https://vigia.banco.example"

[sources.payments]
role = "transactions"
kind = "file"
path = "payments.csv"
every = "200ms"

[sources.clients]
role = "clients"
kind = "file"
path = "clients.csv"

[receivers.correo]
kind = "email"
host = "127.0.0.1"
port = {smtp}
tls = "none"
sender = "vigia@banco.example"

[receivers.torre]
kind = "webhook"
url = "{webhook}"
secret = "un secreto de pruebas"

[receivers.alertas]
kind = "alertmanager"
urls = ["{alertmanager}"]

[[route]]
receiver = "torre"

[[route]]
receiver = "alertas"

[[route]]
receiver = "correo"
words = "plain"
to = ["post_sale"]

[[route]]
receiver = "correo"
words = "plain"
to = ["substitute"]
after = "15m"

[[route]]
receiver = "correo"
to = ["lider@banco.example"]
after = "30m"
"""
RULES = """
[[rule]]
name = "fallas"
kind = "limit"
by = ["product"]
when = "failed_rate > 0.2"
min_total = 10
for = "2m"
keep_firing_for = "3m"

[[rule]]
name = "fallas_canal"
kind = "limit"
when = "failed_rate > 0.2"
min_total = 10
for = "2m"
keep_firing_for = "3m"

[[rule]]
name = "fallas_cliente"
kind = "limit"
by = ["product", "channel", "client_id"]
when = "failed > 0"
for = "2m"
keep_firing_for = "3m"
"""


@dataclass
class Evening(Timeline):
    """The bank's payments, and who is told."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(second=0, microsecond=0) - HISTORY * MINUTE)
    lived: int = 0
    mail: Mailbox = field(default_factory=Mailbox)
    torre: Address = field(default_factory=Address)
    alerts: Alertmanager = field(default_factory=lambda: Alertmanager(""))

    def minute(self, failing: Mapping[str, float], share: float) -> list[Row]:
        """The next minute's payments: of that share of the clients in each product, of which so many fail."""
        draw = random.Random(self.lived)  # by the minute of the evening: the same evening whenever it is
        rows: list[Row] = [
            {"timestamp": (self.at + timedelta(seconds=draw.randrange(60))).isoformat(), "product": product, "channel": channel,
             "client_id": nit, "status": "failed" if draw.random() < failing.get(product, 0) else "ok"}
            for product, channel in PRODUCTS.items() for nit in CLIENTS if draw.random() < share
        ]  # fmt: skip
        self.at, self.lived = self.at + MINUTE, self.lived + 1
        return rows

    def pays(self, minutes: int, *, at_once: int = 1, share: float = 0.3, **failing: float) -> None:
        """So many minutes of payments, `at_once` of them between two looks of the daemon; whoever is to be told is told."""
        for done in range(0, minutes, at_once):
            rows = [row for _ in range(min(at_once, minutes - done)) for row in self.minute(failing, share)]
            self.write("payments.csv", rows)
            self.now_is(self.at + LATENESS)
            self.until(int(self.at.timestamp() // 60))
            self.told()

    def told(self) -> None:
        """Wait until a whole pass of the notifier has seen how it is, and all is sent that can be."""
        seen, until = self.passes(), monotonic() + PATIENCE
        while self.passes() < seen + 2:  # one may be under way
            assert monotonic() < until, (self.folder / "log").read_text()[-3000:]
            sleep(0.05)
        # What a process that was killed was sending waits for its lease, what could not be sent for its next try, others behind it.
        now = datetime.fromisoformat(self.clock.read_text()).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        behind = (
            "SELECT 1 FROM outbox e WHERE e.case_key = o.case_key AND e.id < o.id AND e.state NOT IN ('sent', 'dead')"
        )
        due = f"o.state = 'due' AND o.due_at <= '{now}' AND NOT EXISTS ({behind})"
        while self.ask(f"SELECT 1 FROM outbox o WHERE ({due}) OR (o.state = 'sending' AND o.due_at > '{now}')"):
            assert monotonic() < until, self.ask("SELECT key, state, due_at, error FROM outbox WHERE state <> 'sent'")
            sleep(0.05)

    def passes(self) -> int:
        """How many passes the notifier has ended."""
        path = self.folder / "passes"
        return int(path.read_text()) if path.exists() else 0

    def does(self, *words: str) -> str:
        """Somebody does it on the command line, at the time that it is here."""
        script, clock = str(Path(__file__).with_name("command.py")), str(self.clock)
        command = [sys.executable, script, clock, *words, "--config", str(self.folder / "config.toml")]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def incident(self, product: str) -> str:
        ((found,),) = self.ask(f"SELECT id FROM incidents WHERE state = 'firing' AND product = '{product}'")
        return str(found)


@pytest.fixture
def evening(tmp_path: Path) -> Iterator[Evening]:
    """A quiet hour, which ends when it really is: an Alertmanager has a clock of its own."""
    with ExitStack() as stack:
        bank = Evening(tmp_path)
        bank.mail, bank.torre = stack.enter_context(mailbox()), stack.enter_context(address())
        bank.alerts = stack.enter_context(alertmanager(tmp_path / "alertmanager"))
        told = {"smtp": bank.mail.port, "webhook": bank.torre.url, "alertmanager": bank.alerts.url}
        (tmp_path / "config.toml").write_text(CONFIG.format(**told))
        (tmp_path / "rules.toml").write_text(RULES)
        people = [
            {"client_id": nit, "name": f"Cliente {nit}", "segment": "corporativo", "post_sale": ASSISTANTS[nit], "substitute": SUBSTITUTE}
            for nit in CLIENTS
        ]  # fmt: skip
        bank.write("clients.csv", people)
        bank.pays(HISTORY, at_once=HISTORY)
        try:
            yield bank
        finally:
            bank.kill()


def of(took: Sequence[Mapping[str, Any]], product: str) -> list[tuple[str, list[str]]]:
    """What was told of a product's incident, in order: the event, and why."""
    return [(n["event"], n["why"]) for n in took if n["news"] == "incident" and n["incident"]["product"] == product]


def test_an_outage_is_told_once_to_each_escalates_until_somebody_takes_it_and_ends(evening: Evening):
    evening.pays(4, share=1, pagos=0.9)
    ((signals,),) = evening.ask("SELECT count(*) FROM alerts WHERE state = 'firing'")
    assert int(str(signals)) > 200, "each client's own failures, the channel's and the product's"
    incident = evening.incident("pagos")
    assert of(evening.torre.took, "pagos") == [("first", ["new"])]
    assert [to for to, _ in evening.mail.mails] == sorted(set(ASSISTANTS.values()))
    for to, mail in evening.mail.mails:
        said = mail.get_body(("plain",)).get_content()
        others = [nit for nit in CLIENTS if ASSISTANTS[nit] != to]
        assert not any(spanish.nit(nit) in said or nit in said for nit in others), "each their own clients"
        assert f"Cliente {next(nit for nit in CLIENTS if ASSISTANTS[nit] == to)}" in said
    (alert,) = [a for a in evening.alerts.alerts() if a["labels"]["alertname"] != "Watchdog"]
    assert (alert["labels"]["incident"], alert["status"]["state"]) == (incident, "active")
    assert not [label for label in alert["labels"].values() for nit in CLIENTS if nit in label]

    evening.kill()
    evening.pays(8, at_once=4, pagos=0.9)
    assert not evening.mail.of(SUBSTITUTE), "not yet"
    evening.pays(6, at_once=2, pagos=0.9)
    assert len(evening.mail.of(SUBSTITUTE)) == 1, "nobody had taken it on after a quarter of an hour"
    evening.does("incidents", "ack", incident, "--who", "turno")
    evening.kill()
    evening.pays(20, at_once=5, pagos=0.9)
    assert not evening.mail.of(LEAD), "it was taken on"

    evening.pays(8, at_once=2)
    assert of(evening.torre.took, "pagos")[-1][0] == "end"
    assert [event for event, _ in of(evening.torre.took, "pagos")].count("end") == 1
    for to in (*set(ASSISTANTS.values()), SUBSTITUTE):
        first, *_, last = evening.mail.of(to)
        assert first["Message-ID"] in last["References"], "one conversation"
    (alert,) = [a for a in evening.alerts.alerts() if a["labels"]["alertname"] != "Watchdog"]
    ((ended,),) = evening.ask("SELECT ended_at FROM incidents")
    assert datetime.fromisoformat(alert["endsAt"]) == datetime.fromisoformat(str(ended)).replace(tzinfo=UTC)
    nothing_twice(evening)


def test_a_receiver_that_is_down_for_an_hour_is_told_everything_once_it_is_back(evening: Evening):
    evening.torre.down = True
    evening.pays(5, share=1, pagos=0.9)
    evening.pays(10, at_once=5, pagos=0.9)
    evening.pays(20, at_once=5, pagos=0.9, recaudos=0.9)
    evening.kill()
    evening.pays(25, at_once=5)
    assert evening.torre.refused > 0
    assert evening.torre.took == []
    assert len(evening.mail.mails) >= 2 * len(set(ASSISTANTS.values())), "the others are told all the while"
    evening.torre.down = False
    evening.pays(12, at_once=4)
    for product in ("pagos", "recaudos"):
        events = [event for event, _ in of(evening.torre.took, product)]
        assert (events[0], events[-1], events.count("first"), events.count("end")) == ("first", "end", 1, 1)
    nothing_twice(evening)


def test_what_is_silenced_or_maintained_is_told_as_it_is_when_that_ends(evening: Evening):
    until = (evening.at + 20 * MINUTE).isoformat()
    why = ("--reason", "prueba de contingencia", "--who", "turno")
    evening.does("silence", "add", "product=pagos", "--until", until, *why, "--force")
    evening.does("maintenance", "add", "--product", "recaudos", "--until", until, *why)
    evening.pays(15, at_once=3, share=1, pagos=0.9, recaudos=0.9)
    assert evening.incident("pagos")
    assert evening.ask("SELECT id FROM incidents WHERE product = 'recaudos'") == [], "maintenance: it is no news"
    assert (evening.torre.took, evening.mail.mails) == ([], [])
    evening.kill()
    evening.pays(12, at_once=2, share=1, pagos=0.9, recaudos=0.9)
    assert of(evening.torre.took, "pagos") == [("first", ["new"])], "the silence is over, and it goes on"
    assert of(evening.torre.took, "recaudos") == [("first", ["new"])], "so is the maintenance"

    pagos = evening.incident("pagos")
    evening.does("incidents", "resolve", pagos, "--who", "turno")
    evening.pays(2, share=1, pagos=0.9, recaudos=0.9)
    assert of(evening.torre.took, "pagos")[-1] == ("end", ["closed"])
    evening.does("incidents", "reopen", pagos, "--who", "turno", "--text", "no había terminado")
    evening.pays(7, share=1, pagos=0.9, recaudos=0.9)
    assert of(evening.torre.took, "pagos")[-1] == ("update", ["reopened"])
    assert evening.incident("pagos") == pagos
    evening.pays(10, at_once=2)
    for product in PRODUCTS:
        assert of(evening.torre.took, product)[-1][0] == "end"
    nothing_twice(evening)
    assert "4 actos, íntegros" in evening.does("audit", "verify")


def nothing_twice(evening: Evening) -> None:
    """No message has come to anybody a second time, and none waits."""
    assert max(Counter(evening.torre.keys).values()) == 1
    assert max(Counter((to, mail["Message-ID"]) for to, mail in evening.mail.mails).values()) == 1
    assert evening.ask("SELECT key, error FROM outbox WHERE state <> 'sent'") == []
