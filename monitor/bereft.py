"""Open cases at a desk that the configuration no longer has: what they are to be told waits until it is back.

A case is open as long as its incident fires, or something that it is to be told has not been sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import structlog

from alerts import Action, IncidentState
from monitor import tables as t
from monitor.claims import LEFT
from monitor.config import Config
from monitor.database import StoreError
from monitor.faults import Fault
from monitor.outbox import TIED
from monitor.standing import Row, only, rows
from monitor.store import Store

log = structlog.get_logger()


def bereft(store: Store, desks: Collection[str]) -> dict[str, set[str]]:
    """By desk that is none of these, the keys of the open cases that it holds."""
    d, o, i = t.decisions.c, t.outbox.c, t.incidents.c
    desks = [*desks, *(f"{name}{TIED}" for name in desks)]
    firing = only(t.incidents, "id", i.state == IncidentState.FIRING)
    opened = (d.action == Action.OPEN, d.withdrawn_at.is_(None), d.desk.not_in(["", *desks]), d.incident_id.in_(firing))
    waits = (o.state.in_(LEFT), o.action != "notify", o.desk.not_in(desks))
    held: Any = t.decisions.select().with_only_columns(d.desk, d.key).where(*opened)
    left: Any = t.outbox.select().with_only_columns(o.desk, o.case_key.label("key")).where(*waits)
    found: dict[str, set[str]] = {}
    for row in (*rows(store, held), *rows(store, left)):
        found.setdefault(row["desk"], set()).add(row["key"])
    return dict(sorted(found.items()))


def warn(store: Store, desks: Collection[str]) -> None:
    """Note it in the log."""
    for name, keys in bereft(store, desks).items():
        log.warning("a desk is gone and holds open cases: what is to be told there waits", desk=name, cases=len(keys))


def bereft_of(config: Config) -> list[Fault]:
    """As `vigia check` says it, a line a desk; none where there is no state yet."""
    try:
        store = Store(config.monitor.database)
    except StoreError:
        return []
    try:
        found = bereft(store, config.desks)
    except StoreError:
        return []
    finally:
        store.close()
    return [Fault(config.path.name, f"desks.{name}", english(name, len(keys))) for name, keys in found.items()]


def english(desk: str, many: int) -> str:
    """What there is to be known of one such desk."""
    cases = "1 open case" if many == 1 else f"{many} open cases"
    return f"there is no desk {desk!r} any more, and it holds {cases}: what is to be told there waits until it is back"


def spanish(desk: str, many: int) -> str:
    """Likewise, for people."""
    cases = "1 caso abierto: lo que se le diga" if many == 1 else f"{many} casos abiertos: lo que se les diga"
    return f"el destino de casos {desk} ya no está en la configuración y tiene {cases} espera a que vuelva"


def marked(found: Iterable[Row], store: Store, desks: Collection[str]) -> list[Row]:
    """The rows of `people.cases`, with why nothing more reaches the desk of these."""
    why = "su destino ya no está en la configuración: lo que se le diga espera a que vuelva"
    lost = {key for keys in bereft(store, desks).values() for key in keys}
    return [row | {"error": why} if row["key"] in lost else row for row in found]
