"""The month's indicators as people read them on a terminal."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from monitor import spanish as es
from monitor.lead_listing import percent
from monitor.listing import Field, Row, show_table, show_title

if TYPE_CHECKING:
    from rich.console import Console

NAMES = {
    "ans": "Cumplimiento de ANS",
    "recurrence": "Tasa de reincidencia",
    "resolution": "Tiempo promedio de resolución",
    "first_instance": "Resueltos en primera instancia",
    "rework": "Reprocesos",
    "backlog": "Cumplimiento del backlog",
    "opportunity": "Oportunidad",
    "preventive": "Casos preventivos",
    "reached_first": "Alcanzados primero",
    "lead": "Ventaja",
    "losses": "Pérdidas evitadas",
}


def show_indicators(row: Row, out: Console, now: datetime) -> None:
    """Each with its value, what it was counted from, and its formula."""
    since, until = (time.astimezone(now.tzinfo) for time in (row["since"], row["until"]))
    show_title(out, f"Indicadores del {since:%d/%m/%Y} al {until:%d/%m/%Y %H:%M}")
    columns = [
        Field("Indicador", lambda r: NAMES[r["name"]], whole=True),
        Field("Valor", _value, whole=True),
        Field("De", _of, whole=True),
        Field("Fórmula", lambda r: r["formula"]),
    ]
    show_table(out, row["indicators"], columns, "Nada.")


def _value(row: Row) -> str:
    value = row["value"]
    if value is None:
        return es.NOTHING
    told = {"share": percent, "seconds": lambda v: es.length(round(v)), "money": es.money}
    return str(told[row["unit"]](value))


def _of(row: Row) -> str:
    if row["denominator"] is None:
        return es.NOTHING
    share = row["unit"] == "share"
    return (
        f"{es.number(row['numerator'])} de {es.number(row['denominator'])}" if share else es.number(row["denominator"])
    )
