"""A state with three clients of an invented bank, on a day when one thing fails and another has just healed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from alerts import (
    Action,
    Alert,
    AlertState,
    Changes,
    Client,
    Decision,
    Holding,
    Impact,
    Incident,
    IncidentState,
    TheirCase,
    Touch,
)
from monitor.claims import claim, confirm
from monitor.store import Message, Step, Store
from rules import Scope, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 3, 3, 15, 30, tzinfo=UTC)
ACEROS, MOLINOS, NUBE = "900123456", "860555111", "811222333"
PAYMENTS = "AF-20260303T1505-a1b2c3"
SLOW = "AF-20260303T1010-d4e5f6"
PART = "AF-20260303T1507-0a0b0c"


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


CLIENTS = [
    Client(ACEROS, "Aceros del Istmo", "corporativo", 1, 0.9, "posventa1@banco.example", "posventa2@banco.example"),
    Client(MOLINOS, "Molinos Borovanda", "empresarial", 20, 0.4, "posventa.empresarial@banco.example"),
    Client(NUBE, "Textiles Nube Alta", "pyme", 55, 0.2),
]
HOLDINGS = [
    Holding(ACEROS, "pagos", "conexion_directa"),
    Holding(ACEROS, "pagos", "sucursal_digital"),
    Holding(ACEROS, "recaudos"),
    Holding(MOLINOS, "pagos", "conexion_directa"),
    Holding(NUBE, "pagos"),
    Holding(NUBE, "swift", until=ago(60)),
]
INCIDENTS = [
    Incident(
        PAYMENTS, Scope("pagos", "conexion_directa"), "failed", Severity.CRITICAL, IncidentState.FIRING,
        ago(25), ago(22), ("fallas_inusuales", "volumen_caido"), frozenset({"failed", "missing"}),
        guide="general/fallas", value=0.231, expected=0.012,
        shares=(("channel", "conexion_directa", 0.92), ("error_code", "E504", 0.92), ("product", "pagos", 0.6)),
    ),
    Incident(
        SLOW, Scope("recaudos"), "slow", Severity.MINOR, IncidentState.RESOLVED, ago(320), ago(315), ("lentitud",),
        frozenset({"slow"}), ended_at=ago(290), resolved_at=ago(280),
    ),
    Incident(
        PART, Scope("", "conexion_directa"), "failed", Severity.MAJOR, IncidentState.MERGED, ago(23), ago(20),
        ("fallas_inusuales",), frozenset({"failed"}), parent_id=PAYMENTS,
    ),
]  # fmt: skip
TERMS = (("segment", 30.0), ("impact", 21.5), ("value", 15.0), ("sensitivity", 9.0), ("criticality", 7.5))
IMPACTS = [
    Impact(PAYMENTS, MOLINOS, "pagos", Touch.AFFECTED, 4, 0, Decimal("1250000.50"), ago(18), 61, TERMS),
    Impact(PAYMENTS, ACEROS, "pagos", Touch.AFFECTED, 131, 12, Decimal(98450000), ago(25), 83, TERMS),
    Impact(PAYMENTS, NUBE, "pagos", Touch.EXPOSED, priority=22, terms=TERMS),
    Impact(SLOW, ACEROS, "recaudos", Touch.AFFECTED, 9, 0, Decimal(0), ago(320), 70, TERMS),
]
OURS, THEIRS_OPEN = "affected, no case of their own", "the client's own case is open"
DECISIONS = [
    Decision(
        f"VG-{PAYMENTS}-{ACEROS}", PAYMENTS, ACEROS, "pagos", Action.OPEN, OURS, ago(22), 83, "local", "SP-77", ago(12)
    ),
    Decision(
        f"VG-{PAYMENTS}-{MOLINOS}",
        PAYMENTS,
        MOLINOS,
        "pagos",
        Action.LINK,
        THEIRS_OPEN,
        ago(17),
        61,
        "",
        "SP-75",
        ago(18),
    ),
    Decision(f"VG-{SLOW}-{ACEROS}", SLOW, ACEROS, "recaudos", Action.OPEN, OURS, ago(315), 70, "local"),
]
THEIRS = [
    TheirCase(
        "SP-75", "sharepoint", MOLINOS, ago(18), ago(18), "pagos", kind="soporte", status="abierto", subject="Pago"
    ),
    TheirCase(
        "SP-77", "sharepoint", ACEROS, ago(12), ago(12), "pagos", kind="soporte", status="abierto", subject="Pago"
    ),
]


def heal(store: Store) -> None:
    """The rules say nothing of anything any more."""
    over = {(alert.rule, alert.scope): None for alert in store.alerts()}
    store.commit(Step(changes=Changes(alerts=dict(over))), NOW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Payments fail by the direct connection since 25 minutes ago; collections were slow this morning."""
    made = Store(f"sqlite:///{tmp_path / 'vigia.db'}")
    made.migrate()
    alert = Alert(
        "fallas_inusuales", INCIDENTS[0].scope, AlertState.FIRING, ago(25), ago(1), PAYMENTS, 0.41, 0.011, 0.99
    )
    changes = Changes(
        alerts={(alert.rule, alert.scope): alert},
        incidents={incident.id: incident for incident in INCIDENTS},
        impacts={(i.incident_id, i.client_id, i.product): i for i in IMPACTS},
        decisions={decision.key: decision for decision in DECISIONS},
    )
    messages = [Message(d.key, d.key, d.desk, "open", {}) for d in DECISIONS if d.action is Action.OPEN]
    made.commit(Step(changes=changes, clients=CLIENTS, holdings=HOLDINGS, cases=THEIRS, messages=messages), ago(22))
    sent = claim(made, NOW, timedelta(minutes=2))
    assert sent
    confirm(made, sent["id"], "C-000001", NOW)
    yield made
    made.close()
