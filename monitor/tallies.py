"""Causes, promises and dependencies on a terminal: what adds up over many incidents. As `monitor.listing`, whose tables these are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from monitor import spanish as es
from monitor.listing import Field, show_table, show_title

if TYPE_CHECKING:
    from rich.console import Console

Row = Mapping[str, Any]


def show_causes(row: Row, out: Console, now: datetime) -> None:
    """The Pareto of the causes, who is hit again, and how many cases are repeated."""

    def times(r: Row) -> str:
        return ", ".join(es.moment(e["escalated_at"], now.tzinfo) for e in r["escalations"]) or es.NOTHING

    causes = [
        Field("Causa", es.cause),
        Field("Afectaciones", lambda r: es.number(r["incidents"])),
        Field("Clientes", lambda r: es.number(r["clients"]), spare=2),
        Field("Otra vez", lambda r: es.number(r["again"]), spare=4),
        Field("Transacciones", lambda r: es.number(r["failures"]), spare=1),
        Field("Dura", lambda r: es.lasting(r["minutes"]), spare=3, whole=True),
        Field("Parte", lambda r: es.percent(r["share"]), whole=True),
        Field("Acumulado", lambda r: es.percent(r["cumulative"]), whole=True),
        Field("Escalada", times, spare=5),
    ]
    show_title(out, f"Causas desde {es.moment(row['since'], now.tzinfo)} hasta {es.moment(row['until'], now.tzinfo)}")
    show_table(out, row["causes"], causes, "No hay afectaciones.")
    again = [
        Field("Cliente", lambda r: r["client"] or es.NOTHING),
        Field("NIT", lambda r: es.nit(r["client_id"]), whole=True),
        Field("Producto", lambda r: es.name(r["product"])),
        Field("Error", lambda r: es.KINDS.get(r["error"], r["error"])),
        Field("Repeticiones", lambda r: es.number(r["repeated"])),
        Field("Última", lambda r: es.moment(r["last_at"], now.tzinfo), spare=1),
    ]
    show_title(out, "Mismo cliente, mismo error otra vez")
    show_table(out, row["same_error"], again, "Nadie.")
    show_title(out, "Mismo cliente, mismo producto otra vez")
    show_table(out, row["same_product"], [field for field in again if field.header != "Error"], "Nadie.")
    rate, typed = row["case_rate"], row["case_rate"]["by_typology"]
    show_title(out, "Reincidencia en los casos de los clientes")
    for word, told in (("mismo producto", rate), ("mismo producto y tipología", typed)):
        percent = es.NOTHING if told["percent"] is None else f"{es.number(round(told['percent'], 1))} %"
        counted = f"{es.number(told['repeated'])} de {es.count(told['cases'], 'caso')}"
        out.print(
            f"  {word}: {percent} ({counted}; {es.number(told['unknown'])} sin cliente, producto o tipología)",
            markup=False,
        )


def show_sla(row: Row, out: Console, now: datetime) -> None:
    """By product how the promises stand, and each open case that is at risk or late, the most urgent first."""
    products = [
        Field("Producto", lambda r: es.name(r["product"]) if r["product"] else es.NOTHING),
        Field("Abiertos", lambda r: es.number(r["open"])),
        Field("En riesgo", lambda r: es.number(r["at_risk"])),
        Field("Vencidos", lambda r: es.number(r["breached"])),
        Field("Sin promesa", lambda r: es.number(r["unpromised"]), spare=3),
        Field("Resueltos", lambda r: es.number(r["resolved"]), spare=1),
        Field("A tiempo", lambda r: es.number(r["in_time"]), spare=1),
        Field("Según la herramienta", lambda r: es.number(r["in_time_by_tool"]), spare=2),
        Field("Tiempo medio", lambda r: es.span(r["mean_seconds"]), spare=2),
        Field("El de la herramienta", lambda r: es.span(r["mean_tool_seconds"]), spare=4),
    ]
    show_title(out, f"Promesas de servicio; resueltos desde {es.moment(row['since'], now.tzinfo)}")
    show_table(out, row["products"], products, "No hay casos.")
    cases = [
        Field("Caso", lambda r: r["case_id"], whole=True),
        Field("Herramienta", lambda r: r["source"] or "vigia", spare=4),
        Field("Cliente", lambda r: r["client"] or es.nit(r["client_id"])),
        Field("Producto", lambda r: es.name(r["product"]), spare=1),
        Field("Promesa", lambda r: es.promise(r, now.tzinfo)),
        Field("De punta a punta", lambda r: es.span(r["end_to_end_seconds"])),
        Field("La herramienta", lambda r: es.span(r["tool_seconds"]), spare=2),
        Field("Devoluciones", lambda r: es.number(r["returns"]), spare=3),
    ]
    show_title(out, "En riesgo o vencidos")
    show_table(out, row["cases"], cases, "Ninguno.")


def show_rests(row: Row, out: Console, now: datetime) -> None:  # noqa: ARG001 - as the others
    """What rests on what, declared and seen."""
    show_title(out, "Dependencias declaradas")
    declared = [
        Field("Producto o canal", lambda r: es.name(r["name"])),
        Field("Depende de", lambda r: es.name(r["on"])),
        Field("Fallaron juntos", lambda r: r["together"]),
        Field("Falló solo", lambda r: r["alone"]),
        Field("Falló sin él", lambda r: r["on_alone"]),
    ]
    show_table(out, row["declared"], declared, "No hay ninguna: se declaran con [[rests]].")
    show_title(out, "Fallan juntos más de lo que explica el azar")
    suggested = [
        Field("Uno", lambda r: f"{es.name(r['things'][0])} ({r['times'][0]} veces)"),
        Field("Otro", lambda r: f"{es.name(r['things'][1])} ({r['times'][1]} veces)"),
        Field("Juntos", lambda r: r["together"]),
        Field("Por azar", lambda r: f"{r['chance']:.1e}"),
    ]
    show_table(out, row["suggested"], suggested, "Ninguno.")
