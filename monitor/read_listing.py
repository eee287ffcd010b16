"""The reads that are kept, as people see them on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from monitor import spanish as es
from monitor.listing import Field, Row, show_table

if TYPE_CHECKING:
    from rich.console import Console

DOORS = {"cli": "Terminal", "api": "API", "page": "Página"}


def through(door: str) -> str:
    """By which door, in words: «Terminal (ana)»; a line where it is not known."""
    name, _, user = door.partition(":")
    return (DOORS.get(name, name) + (f" ({user})" if user else "")) or es.NOTHING


def show_reads(rows: Sequence[Row], out: Console, now: datetime) -> None:
    """A line a read."""
    columns = [
        Field("Cuándo", lambda r: es.moment(r["at"], now.tzinfo), whole=True),
        Field("Quién", lambda r: r["who"]),
        Field("Cliente", lambda r: es.nit(r["client_id"]) if r["client_id"] else "Varios", whole=True),
        Field("Qué", lambda r: r["subject"] or es.NOTHING),
        Field("Por dónde", lambda r: through(r["door"])),
        Field("Resultado", lambda r: "Negado" if r["refused"] else "Mostrado"),
    ]
    show_table(out, rows, columns, "Nadie ha mirado.")
