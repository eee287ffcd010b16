"""A bank whose incidents stand as a test says, and receivers that remember what they were sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alerts import Changes, Client, Impact, Incident, IncidentState, Touch
from alerts.routing import Route
from connectors import Notice, SourceError
from monitor import tables as t
from monitor.blocks import ReceiverBlock
from monitor.config import Config, read_config
from monitor.notices import Notices, nothing_wrong
from monitor.outbox import deliver
from monitor.plugs import ReceiverConfig
from monitor.receiving import tellers
from monitor.routes import Routing
from monitor.standing import rows
from monitor.step import Act, Step
from monitor.store import Store
from rules import Scope, Severity

NOW = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)
"""Ten o'clock in Bogotá, of a Tuesday."""
MINUTE = timedelta(minutes=1)
MINA, RAUL = "mina@banco.example", "raul@banco.example"
"""A post-sale assistant and her substitute."""
OTHER = "otra.posventa@banco.example"
CLIENTS = [
    Client("900100200", "Aceros del Istmo", "corporativo", post_sale=MINA, substitute=RAUL, manager="g1@banco.example"),
    Client("900300400", "Textiles La Cumbre", "empresarial", post_sale=OTHER, substitute=MINA),
    Client("900500600", "Café Sierra Alta", "pyme", post_sale=OTHER, substitute=OTHER),
]
ACEROS, TEXTILES, CAFE = (client.client_id for client in CLIENTS)


@dataclass
class Receiver:
    """Takes what it is sent, unless it is down; as many in doubt as a real one: a repeat is seen by its key."""

    down: bool = False
    sent: list[Notice] = field(default_factory=list)

    def send(self, notice: Notice) -> str:
        if self.down:
            raise SourceError("no answer")
        self.sent.append(notice)
        return ""

    def check(self) -> str:
        return "here"


@dataclass
class Told:
    """One state, one clock, and what was told by then."""

    store: Store
    config: Config
    receivers: Mapping[str, Receiver]
    now: datetime = NOW
    troubles: Any = nothing_wrong
    notices: Notices = field(init=False)
    _steps: int = 0

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Another process on the same state."""
        self.notices = Notices(self.config, self.store, lambda: self.now, troubles=self._troubles)

    def _troubles(self, now: datetime) -> Any:
        return self.troubles(now)

    def told(self, *, after: float = 0) -> list[tuple[str, str, str, tuple[str, ...]]]:
        """`after` minutes later: what is newly told, as receiver, to, event and why."""
        self.now += after * MINUTE
        before = len(self.outbox())
        self.notices.tell()
        made = [row["payload"] | {"desk": row["desk"].partition(".")[2]} for row in self.outbox()[before:]]
        return [
            (one["desk"], one["to"], one["event"] if one["news"] != "summary" else "summary", tuple(one["why"]))
            for one in made
        ]

    def outbox(self) -> list[dict[str, Any]]:
        return rows(self.store, t.outbox.select().order_by(t.outbox.c.id))

    def payloads(self) -> list[dict[str, Any]]:
        return [row["payload"] for row in self.outbox()]

    def deliver(self) -> int:
        return deliver(self.store, {}, lambda: self.now, receivers=tellers(self.config, self.store, self.receivers))

    def put(self, *incidents: Incident, hit: Mapping[str, Sequence[str]] | None = None) -> None:
        """These stand in the state; hit: the clients affected by each."""
        impacts = [
            Impact(incident_id, client, "pagos", Touch.AFFECTED, 3, first_failure_at=self.now)
            for incident_id, clients in (hit or {}).items()
            for client in clients
        ]
        changes = Changes(
            incidents={incident.id: incident for incident in incidents},
            impacts={(i.incident_id, i.client_id, i.product): i for i in impacts},
        )
        self._steps += 1
        self.store.commit(Step(changes=changes, marks={"steps": str(self._steps)}), self.now)

    def act(self, incident_id: str, action: str, case_key: str = "") -> None:
        self.store.act(Act(incident_id, self.now, "ana", action, case_key=case_key))

    def silence(self, start: float, minutes: float, **matchers: str) -> None:
        begins = self.now + start * MINUTE
        row = {"id": f"S{begins}", "matchers": matchers, "reason": "prueba", "author": "ana", "created_at": self.now}
        row |= {"starts_at": begins, "until": begins + minutes * MINUTE, "ended_by": "", "ended_at": None}
        self.store.put(t.silences, [row])


def incident(
    name: str = "AF-1",
    at: datetime = NOW,
    severity: str = "major",
    product: str = "pagos",
    channel: str = "web",
    **more: Any,
) -> Incident:
    """One that began two minutes before it was detected."""
    return Incident(
        name, Scope(product, channel), "failed", Severity(severity), IncidentState.FIRING, at - 2 * MINUTE, at, ("fallas",),
        frozenset({"failed"}), **more,
    )  # fmt: skip


def over(one: Incident, at: datetime, state: IncidentState = IncidentState.RESOLVED, parent: str = "") -> Incident:
    """It has ended."""
    resolved = at if state is IncidentState.RESOLVED else None
    return replace(one, state=state, ended_at=resolved, resolved_at=resolved, parent_id=parent)


@cache
def _empty() -> bytes:
    """A new state: to migrate one takes most of a second."""
    with TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/vigia.db")
        store.migrate()
        store.close()
        return Path(folder, "vigia.db").read_bytes()


def bank(folder: Path, *routes: Route, per_hour: int = 60, url: str = "", **routing: Any) -> Told:
    """A new state with the three clients, and a receiver for each that the routes name. Told once, so that all receivers are known."""
    file = folder / "config.toml"
    file.write_text('[sources.core]\nrole = "transactions"\nkind = "file"\npath = "x.csv"\n')
    (folder / "vigia.db").write_bytes(b"" if url else _empty())
    store = Store(url or f"sqlite:///{folder / 'vigia.db'}")
    store.commit(Step(clients=CLIENTS), NOW)
    receivers = {route.receiver: Receiver() for route in routes}

    def made(name: str) -> ReceiverConfig:
        return ReceiverConfig(name, ReceiverBlock(kind="fake", per_hour=per_hour), lambda: receivers[name])

    config = replace(
        read_config(file), receivers={name: made(name) for name in receivers}, routing=Routing(routes, **routing)
    )
    found = Told(store, config, receivers)
    found.notices.tell()
    return found
