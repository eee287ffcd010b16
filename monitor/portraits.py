"""Clients on a terminal: one whole, and those whom something touches now. As `monitor.listing`, whose tables these are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from monitor import spanish as es
from monitor.listing import Field, show_doubts, show_facts, show_incidents, show_table, show_title
from monitor.past import days

if TYPE_CHECKING:
    from rich.console import Console

Row = Mapping[str, Any]
LOUD = {"critical": "█", "major": "▓", "minor": "▒"}
"""A day's worst incident, in the strip of the last 90 days; a quiet day is a dot."""
ROW = 30
"""Days on a line."""


def show_client(row: Row, out: Console, now: datetime) -> None:
    """A client across all that they hold."""
    facts = {
        "Estado": es.HOLDINGS[row["state"]],
        "Juzgado": es.moment(row["judged_at"], now.tzinfo),
        "Segmento": es.segment(row["segment"]),
        "Posventa": row["post_sale"] or es.NOTHING,
        "Suplente": row["substitute"] or es.NOTHING,
        "Gerente": row["manager"] or es.NOTHING,
        "Grupo": es.group(row),
        "Sector": row["sector"].capitalize() or es.NOTHING,
        **({"Cruces": "; ".join(map(es.mark, row["marks"]))} if row["marks"] else {}),
    }
    show_facts(out, f"{row['name'] or 'Cliente'}  NIT {es.nit(row['client_id'])}", facts)
    show_title(out, "Productos y canales")
    held = [
        Field("Producto", lambda r: es.name(r["product"]) or es.NOTHING),
        Field("Canal", lambda r: es.name(r["channel"]) or es.NOTHING),
        Field("Estado", es.standing),
    ]
    show_table(out, row["holdings"], held, "No se conocen.")
    show_title(out, "Afectaciones abiertas que lo tocan")
    show_incidents(row["incidents"], out, now)
    show_title(out, f"Operaciones por verificar ({es.number(es.to_verify(row['doubts']))})")
    show_doubts(row["doubts"], out, now)
    show_title(out, "Casos preventivos")
    _ours(row["cases"], out, now)
    show_title(out, "Casos del cliente")
    _theirs(row["their_cases"], out, now)
    show_title(out, "Reincidencias en 30 días")
    same = [
        Field("Qué", es.recurrence),
        Field("Veces", lambda r: r["times"]),
        Field("Cuándo", lambda r: ", ".join(es.when(at, now) for at in r["dates"])),
    ]
    show_table(out, row["recurrences"], same, "Ninguna.")
    if row["group"]["size"]:
        show_title(out, "Otros del grupo, tocados ahora")
        show_touched(row["group"]["touched"], out, now, "Ninguno.")
    _history(row["history"], out, now)


def show_clients(rows: Sequence[Row], out: Console, now: datetime) -> None:
    """A line a client."""
    show_touched(rows, out, now, "Ninguno.")


def show_touched(rows: Sequence[Row], out: Console, now: datetime, empty: str) -> None:  # noqa: ARG001 - as all that draw
    """Who is touched, by priority; with the crossings, where they are told."""
    columns = [
        Field("Prioridad", lambda r: r["priority"]),
        Field("Cliente", lambda r: r["name"] or es.NOTHING),
        Field("NIT", lambda r: es.nit(r["client_id"]), whole=True),
        Field("Segmento", lambda r: es.segment(r["segment"]), spare=3),
        Field("Ahora", lambda r: es.TOUCHES[r["touch"]]),
        Field("Productos", lambda r: es.names(r["products"]), spare=1),
    ]
    if any("marks" in row for row in rows):
        columns.append(Field("Cruces", lambda r: "; ".join(map(es.mark, r["marks"])) or es.NOTHING))
    show_table(out, rows, columns, empty)


def _ours(rows: Sequence[Row], out: Console, now: datetime) -> None:
    columns = [
        Field("Afectación", lambda r: r["incident_id"], whole=True),
        Field("Caso", lambda r: r["key"], spare=8, whole=True),
        Field("Producto", lambda r: es.name(r["product"]) or es.NOTHING, spare=1),
        Field("Decisión", es.decided),
        Field("Abierto", lambda r: es.when(r["opened_at"], now)),
        Field("Número", lambda r: r["reference"] or es.NOTHING, spare=4, whole=True),
        Field("Entrega", lambda r: es.delivered(r, now), spare=6),
        Field("Del cliente", lambda r: r["linked_case_id"] or es.NOTHING, spare=5, whole=True),
        Field("Ventaja", es.lead, spare=2),
    ]
    if any(row["clock"] for row in rows):
        columns.append(Field("Promesa", lambda r: es.promise(r, now.tzinfo), spare=3))
    show_table(out, rows, columns, "No hay casos.")


def _theirs(rows: Sequence[Row], out: Console, now: datetime) -> None:
    columns = [
        Field("Caso", lambda r: r["case_id"], whole=True),
        Field("Fuente", lambda r: r["source"], spare=3),
        Field("Producto", lambda r: es.name(r["product"]) or es.NOTHING),
        Field("Tipo", lambda r: r["kind"] or es.NOTHING, spare=5),
        Field("Estado", lambda r: r["status"] or es.NOTHING),
        Field("Reportado", lambda r: es.moment(r["reported_at"], now.tzinfo), spare=1),
        Field("Devuelto", lambda r: r["returns"], spare=6),
        Field("Asunto", lambda r: r["subject"] or es.NOTHING, spare=4),
    ]
    if any(row["clock"] for row in rows):
        columns.append(Field("Promesa", lambda r: es.promise(r, now.tzinfo), spare=2))
    show_table(out, rows, columns, "No hay casos.")


def _history(rows: Sequence[Row], out: Console, now: datetime) -> None:
    show_title(out, f"Últimos 90 días ({es.count(len(rows), 'afectación', 'afectaciones')})")
    told = days(rows, now)
    for first in range(0, len(told), ROW):
        some = told[first : first + ROW]
        strip = "".join(LOUD[es.worst(row["severity"] for row in seen)] if seen else "·" for _, seen in some)
        out.print(f"{some[0][0]:%d/%m} {strip} {some[-1][0]:%d/%m}", markup=False)
    columns = [
        Field("Afectación", lambda r: r["id"], whole=True),
        Field("Dónde", es.place),
        Field("Qué", es.kind, spare=4),
        Field("Desde", lambda r: es.moment(r["started_at"], now.tzinfo)),
        Field("Duró", lambda r: es.lasting(r["minutes"]), spare=5, whole=True),
        Field("Fallas", lambda r: es.number(r["failures"])),
        Field("Faltantes", lambda r: es.number(r["missing"]), spare=6),
        Field("Monto", lambda r: es.money(r["amount"]), spare=2, whole=True),
        Field("Ventaja", es.lead, spare=3),
    ]
    show_table(out, rows, columns, "Ninguna lo afectó.")
