"""What people ask, as tables on a terminal: Spanish headers, nothing cut; plain and stable where it is no terminal.

now: whose zone the times are shown in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from monitor import spanish as es

if TYPE_CHECKING:
    from rich.console import Console

Row = Mapping[str, Any]
Columns = Mapping[str, Callable[[Row], object]]
WIDE = 200
"""Columns where nobody looks: a file or a pipe must read the same on every machine."""


def console() -> Console:
    """Standard output: as wide as the terminal, or WIDE and without colour where it is none."""
    from rich.console import Console  # noqa: PLC0415 - costs more than most commands take

    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDE, no_color=True)


def show_incidents(rows: Sequence[Row], out: Console, now: datetime) -> None:
    """A line an incident."""
    columns: Columns = {
        "Afectación": lambda r: r["id"],
        "Severidad": lambda r: es.SEVERITIES[r["severity"]],
        "Dónde": es.place,
        "Qué": es.kind,
        "Estado": es.state,
        "Desde": lambda r: es.moment(r["started_at"], now.tzinfo),
        "Dura": lambda r: es.lasting(r["minutes"]),
        "Afectados": lambda r: r["affected"],
        "Expuestos": lambda r: r["exposed"],
        "Casos": _cases,
    }
    _table(out, rows, columns, "No hay afectaciones.")


def show_incident(row: Row, out: Console, now: datetime, measures: Mapping[str, str] | None = None) -> None:
    """All of one. measures: what each rule measures, by its name, for the unit of its values."""
    units = measures or {}
    facts = {
        "Severidad": es.SEVERITIES[row["severity"]],
        "Estado": es.state(row),
        "Desde": es.moment(row["started_at"], now.tzinfo),
        "Detectada": es.moment(row["detected_at"], now.tzinfo),
        "Resuelta": es.moment(row["resolved_at"], now.tzinfo),
        "Dura": es.lasting(row["minutes"]),
        "Casos": _cases(row),
        "Guía": row["guide"] or es.NOTHING,
    }
    _facts(out, f"{row['id']}  {es.place(row)}: {es.kind(row)}", facts)
    _title(out, "Reglas")
    rules: Columns = {
        "Regla": lambda r: r["rule"],
        "Dónde": lambda r: es.NOTHING if r["state"] == "over" else es.place(r),
        "Estado": lambda r: es.ALERTS.get(r["state"], r["state"]),
        "Valor": lambda r: es.measured(r["value"], units.get(r["rule"], "")),
        "Esperado": lambda r: es.measured(r["expected"], units.get(r["rule"], "")),
    }
    _table(out, row["alerts"], rules, "Ninguna.")
    who: Columns = {
        "Prioridad": lambda r: r["priority"],
        "Cliente": lambda r: r["client"] or es.NOTHING,
        "NIT": lambda r: es.nit(r["client_id"]),
        "Segmento": lambda r: es.segment(r["segment"]),
        "Producto": lambda r: es.name(r["product"]),
    }
    hit: Columns = {
        "Fallas": lambda r: es.number(r["failures"]),
        "Faltantes": lambda r: es.number(r["missing"]),
        "Monto": lambda r: es.money(r["amount"]),
        "Primera falla": lambda r: es.moment(r["first_failure_at"], now.tzinfo),
        "Por qué": lambda r: es.terms(r["terms"]),
    }
    _title(out, f"Clientes afectados ({row['affected']})")
    _table(out, row["affected_clients"], {**who, **hit}, "Ninguno.")
    _title(out, "Casos")
    show_cases(row["cases"], out, now)
    _title(out, f"Clientes expuestos ({row['exposed']})")
    _table(out, row["exposed_clients"], who, "Ninguno.")
    _title(out, "Bitácora")
    acts: Columns = {
        "Cuándo": lambda r: es.moment(r["at"], now.tzinfo),
        "Quién": lambda r: r["who"],
        "Qué": lambda r: es.ACTS.get(r["action"], r["action"]),
        "Texto": lambda r: r["text"],
    }
    _table(out, row["acts"], acts, "Sin anotaciones.")


def show_cases(rows: Sequence[Row], out: Console, now: datetime) -> None:
    """A line a case."""
    columns: Columns = {
        "Caso": lambda r: r["key"],
        "Cliente": lambda r: r["client"] or es.nit(r["client_id"]),
        "Producto": lambda r: es.name(r["product"]),
        "Decisión": lambda r: es.ACTIONS[r["action"]],
        "Abierto": lambda r: es.moment(r["opened_at"], now.tzinfo),
        "Mesa": lambda r: r["desk"],
        "Número": lambda r: r["reference"],
        "Entrega": lambda r: f"{es.DELIVERIES.get(r['delivery'], r['delivery'])} {r['error']}".strip(),
        "Del cliente": lambda r: r["linked_case_id"],
        "Ventaja": lambda r: es.lead(r["lead_seconds"]),
    }
    _table(out, rows, columns, "No hay casos.")


def show_client(row: Row, out: Console, now: datetime) -> None:
    """A client across all that they hold."""
    facts = {
        "Segmento": es.segment(row["segment"]),
        "Posventa": row["post_sale"] or es.NOTHING,
        "Suplente": row["substitute"] or es.NOTHING,
        "Gerente": row["manager"] or es.NOTHING,
        "Grupo": row["group_id"] or es.NOTHING,
        "Sector": row["sector"] or es.NOTHING,
    }
    _facts(out, f"{row['name'] or 'Cliente'}  NIT {es.nit(row['client_id'])}", facts)
    _title(out, "Productos y canales")
    held: Columns = {
        "Producto": lambda r: es.name(r["product"]),
        "Canal": lambda r: es.name(r["channel"]),
        "Estado": lambda r: r["state"].capitalize(),
    }
    _table(out, row["holdings"], held, "No se conocen.")
    _title(out, "Afectaciones abiertas que lo tocan")
    show_incidents(row["incidents"], out, now)
    _title(out, "Casos preventivos")
    show_cases(row["cases"], out, now)
    _title(out, "Casos del cliente")
    theirs: Columns = {
        "Caso": lambda r: r["case_id"],
        "Fuente": lambda r: r["source"],
        "Producto": lambda r: es.name(r["product"]),
        "Tipo": lambda r: r["kind"],
        "Estado": lambda r: r["status"],
        "Reportado": lambda r: es.moment(r["reported_at"], now.tzinfo),
        "Asunto": lambda r: r["subject"],
    }
    _table(out, row["their_cases"], theirs, "No hay casos.")


def _cases(row: Row) -> str:
    return f"{es.count(row['cases_opened'], 'abierto')}, {es.count(row['cases_linked'], 'enlazado')}"


def _title(out: Console, text: str) -> None:
    out.print(f"\n{text}", style="bold", markup=False)


def _facts(out: Console, title: str, facts: Mapping[str, str]) -> None:
    out.print(title, style="bold", markup=False)
    for key, value in facts.items():
        out.print(f"  {key + ':':11} {value}", markup=False)


def _table(out: Console, rows: Sequence[Row], columns: Columns, empty: str) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - as above
    from rich.table import Column, Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*(Column(header, overflow="fold") for header in columns), box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(str(cell(row))) for cell in columns.values()))
    out.print(table if rows else Text(empty))
