"""Whether a full cycle has ended lately and people can be told; and, where that is so, what is not seen all the same."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitor.lateness import behind, still
from monitor.spanish import length

if TYPE_CHECKING:
    from monitor.service import Service

READY = "listo"


def local(service: Service, time: datetime) -> str:
    """A moment by the bank's clock, with its offset."""
    return time.astimezone(ZoneInfo(service.config.monitor.timezone)).isoformat(timespec="seconds")


def in_part(service: Service) -> str:
    """That it is ready; and by their names, never with their errors (anybody may ask), the sources that are dark or waited for."""
    said, sources = [], service.config.sources
    if dark := [name for name in sources if name in service.errors]:
        here = f"sin responder {len(dark)} de {len(sources)} fuentes: {', '.join(dark)}"
        said.append(f"{here}; lo que de allí depende no se sabe")
    if unmoved := still(service):
        said.append(f"se juzga sin lo que no dan por completo: {', '.join(unmoved)}")
    if late := behind(service):
        waits = f", se espera a {', '.join(late.sources)}" if late.sources else ""
        said.append(f"se juzga con {length((service.clock() - late.until).total_seconds())} de atraso{waits}")
    return f"{READY}, con vista parcial: {'; '.join(said)}" if said else READY
