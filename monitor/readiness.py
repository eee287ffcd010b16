"""Whether a full cycle has ended lately and people can be told; and, where that is so, what is not seen all the same."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitor.lateness import behind
from monitor.spanish import length

if TYPE_CHECKING:
    from monitor.service import Service

READY = "listo"


def local(service: Service, time: datetime) -> str:
    """A moment by the bank's clock, with its offset."""
    return time.astimezone(ZoneInfo(service.config.monitor.timezone)).isoformat(timespec="seconds")


def dark(service: Service) -> list[str]:
    """The sources that do not answer, or answer and vouch for nothing more."""
    patience, standing = service.config.monitor.patience, service.judge.sources
    still = {name for name, one in standing.items() if one.stands_still(patience)}
    return [name for name in service.config.sources if name in service.errors or name in still]


def in_part(service: Service) -> str:
    """That it is ready; and by their names, never with their errors (anybody may ask), the sources that are dark or waited for."""
    said, gone = [], dark(service)
    if gone:
        many = len(service.config.sources)
        said.append(
            f"sin responder {len(gone)} de {many} fuentes: {', '.join(gone)}; lo que de allí depende no se sabe"
        )
    if late := behind(service):
        sources = f", se espera a {', '.join(late.sources)}" if late.sources else ""
        said.append(f"se juzga con {length((service.clock() - late.until).total_seconds())} de atraso{sources}")
    return f"{READY}, con vista parcial: {'; '.join(said)}" if said else READY
