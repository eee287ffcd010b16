"""Whether a full cycle has ended lately and people can be told; and, where that is so, what is not seen all the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitor.lateness import EVENTS, behind, still
from monitor.spanish import length
from monitor.windows import time_of

if TYPE_CHECKING:
    from monitor.service import Service

READY = "listo"
STALE = timedelta(minutes=2)
"""Without a minute judged for this long, beyond the patience with a source and three polls of the slowest, not ready."""


def local(service: Service, time: datetime) -> str:
    """A moment by the bank's clock, with its offset."""
    return time.astimezone(ZoneInfo(service.config.monitor.timezone)).isoformat(timespec="seconds")


def ready(service: Service) -> tuple[bool, str]:
    """Whether it is so; if not, why; and if so, what is not seen all the same."""
    failures, failure = service.failures
    if failures:
        return False, f"no se puede juzgar, {failures} intentos seguidos fallaron: {failure}"
    down = [name for name, standing in service.judge.sources.items() if standing.down]
    errors = "; ".join(f"{name}: {service.errors[name]}" for name in down if name in service.errors)
    if down and len(down) == len(service.judge.sources):
        return False, f"ninguna fuente responde: {errors}"
    if service.last_cycle is None:
        return False, errors or "todavía se lee la historia"
    since = f"sin un ciclo completo desde {local(service, service.last_cycle)}{f': {errors}' if errors else ''}"
    if told := since if overdue(service) else ahead(service):
        return False, told
    if how := service.runs.stuck("notices"):
        return False, f"no se puede avisar, la tarea «notices» {how}"
    return True, in_part(service)


def overdue(service: Service) -> bool:
    """Whether the last full cycle ended too long ago."""
    events = [source.block.every for source in service.config.sources.values() if source.block.role in EVENTS]
    slowest = max(events, default=timedelta(0))  # no other source closes minutes, and some are asked once an hour
    allowed = max(slowest + service.config.monitor.patience + STALE, 3 * slowest)
    return service.last_cycle is not None and service.clock() - service.last_cycle > allowed


def ahead(service: Service) -> str:
    """In words, that minutes are judged that are yet to come: the clock was wrong, and what they bring is late; '' where it is not so."""
    until = time_of(service.judge.judged_until or 0)
    if until - service.clock() <= STALE:
        return ""
    return f"no se juzga nada hasta {local(service, until)}: hasta allí se juzgó ya, con el reloj adelantado"


def in_part(service: Service) -> str:
    """That it is ready; and by their names, never with their errors (anybody may ask), the sources that are dark or waited for."""
    said, sources = [], service.config.sources
    if dark := [name for name in sources if name in service.errors]:
        here = f"sin responder {len(dark)} de {len(sources)} fuentes: {', '.join(dark)}"
        said.append(f"{here}; lo que de allí depende no se sabe")
    if unmoved := still(service):
        said.append(f"se juzga sin lo que no dan por completo: {', '.join(unmoved)}")
    standing = service.judge.sources
    if reading := [n for n in standing if standing[n].dark_from is not None and n not in (*dark, *unmoved)]:
        said.append(f"se lee todavía lo que falta de {', '.join(reading)}, hasta entonces no se sabe")
    said += service.too_late.in_words(service.clock()).values()
    if late := behind(service):
        waits = f", se espera a {', '.join(late.sources)}" if late.sources else ""
        said.append(f"se juzga con {length((service.clock() - late.until).total_seconds())} de atraso{waits}")
    return f"{READY}, con vista parcial: {'; '.join(said)}" if said else READY
