"""What people ask, as tables on a terminal: Spanish headers, nothing cut; plain and stable where it is no terminal.

An id never wraps, so that it can be copied; where the terminal is too narrow for all columns the less needed ones are
left out and named below the table. Rows are never left out. now: whose zone the times are shown in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from monitor import spanish as es

if TYPE_CHECKING:
    from rich.console import Console

Row = Mapping[str, Any]
WIDE = 200
"""Columns where nobody looks: a file or a pipe must read the same on every machine."""
LONGEST = 26
"""A word up to this long is never split: room for an incident's id in a text."""
GAP = 2


@dataclass(frozen=True, slots=True)
class Field:
    """A column. `spare`: 0 is always shown; the higher, the sooner left out. `whole`: never wrapped, as ids and money."""

    header: str
    cell: Callable[[Row], object]
    spare: int = 0
    whole: bool = False

    def least(self, rows: Sequence[Row]) -> int:
        """Characters that it needs, so that no word and no id is split."""
        if self.whole:
            return self.most(rows)
        words = [min(len(word), LONGEST) for row in rows for word in str(self.cell(row)).split()]
        return max([*words, *map(len, self.header.split())])

    def most(self, rows: Sequence[Row]) -> int:
        """Characters that it fills without wrapping."""
        return max(len(self.header), *(len(str(self.cell(row))) for row in rows))


def console() -> Console:
    """Standard output: as wide as the terminal, or WIDE and without colour where it is none."""
    from rich.console import Console  # noqa: PLC0415 - costs more than most commands take

    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDE, no_color=True)


def show_incidents(rows: Sequence[Row], out: Console, now: datetime) -> None:
    """A line an incident."""
    columns = [
        Field("Afectación", lambda r: r["id"], whole=True),
        Field("Severidad", lambda r: es.SEVERITIES[r["severity"]], spare=2),
        Field("Dónde", es.place),
        Field("Qué", es.kind),
        Field("Estado", es.state),
        Field("Desde", lambda r: es.moment(r["started_at"], now.tzinfo), spare=3),
        Field("Dura", lambda r: es.lasting(r["minutes"]), spare=4, whole=True),
        Field("Afectados", lambda r: r["affected"], spare=1),
        Field("Expuestos", lambda r: r["exposed"], spare=6),
        Field("Casos", _cases, spare=5),
    ]
    if any(row["silenced_until"] for row in rows):
        columns.append(Field("Silencio hasta", lambda r: es.moment(r["silenced_until"], now.tzinfo), spare=2))
    show_table(out, rows, columns, "No hay afectaciones.")


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
        "En común": es.shares(row) or es.NOTHING,
        "Síntomas": es.symptoms(row) or es.NOTHING,
        "Guía": row["guide"] or es.NOTHING,
        "Silencio": f"hasta {es.moment(row['silenced_until'], now.tzinfo)}" if row["silenced_until"] else es.NOTHING,
        "Útil": es.useful(row["useful"]),
    }
    show_facts(out, f"{row['id']}  {es.place(row)}: {es.kind(row)}", facts)
    show_title(out, "Reglas")
    rules = [
        Field("Regla", lambda r: r["rule"]),
        Field("Dónde", lambda r: es.NOTHING if r["state"] == "over" else es.place(r)),
        Field("Estado", lambda r: es.ALERTS.get(r["state"], r["state"])),
        Field("Valor", lambda r: es.measured(r["value"], units.get(r["rule"], ""))),
        Field("Esperado", lambda r: es.measured(r["expected"], units.get(r["rule"], "")), spare=1),
    ]
    show_table(out, row["alerts"], rules, "Ninguna.")
    who = [
        Field("Prioridad", lambda r: r["priority"]),
        Field("Cliente", lambda r: r["client"] or es.NOTHING),
        Field("NIT", lambda r: es.nit(r["client_id"]), whole=True),
        Field("Segmento", lambda r: es.segment(r["segment"]), spare=6),
        Field("Producto", lambda r: es.name(r["product"]), spare=4),
    ]
    hit = [
        Field("Fallas", lambda r: es.number(r["failures"]), spare=1),
        Field("Faltantes", lambda r: es.number(r["missing"]), spare=5),
        Field("Monto", lambda r: es.money(r["amount"]), spare=3, whole=True),
        Field("Primera falla", lambda r: es.moment(r["first_failure_at"], now.tzinfo), spare=2),
        Field("Por qué", lambda r: es.terms(r["terms"], r["weights"]), spare=7),
    ]
    show_title(out, f"Clientes afectados ({row['affected']})")
    show_table(out, row["affected_clients"], [*who, *hit], "Ninguno.")
    show_title(out, "Casos")
    show_cases(row["cases"], out, now)
    show_title(out, f"Operaciones por verificar ({es.number(es.to_verify(row['doubts']))})")
    show_doubts(row["doubts"], out, now, open_=row["state"] == "firing")
    show_title(out, f"Clientes expuestos ({row['exposed']})")
    near = [
        Field("Riesgo", lambda r: es.chance(r["chance"]), spare=1, whole=True),
        Field("Expuesto desde", lambda r: es.moment(r["exposed_at"], now.tzinfo), spare=3),
        Field("Próximo uso", lambda r: es.moment(r["next_use_at"], now.tzinfo), spare=2),
    ]
    show_table(out, row["exposed_clients"], [*who, *near], "Ninguno.")
    show_title(out, "Bitácora")
    acts = [
        Field("Cuándo", lambda r: es.moment(r["at"], now.tzinfo)),
        Field("Quién", lambda r: r["who"]),
        Field("Qué", es.act),
        Field("Caso", lambda r: r["case_key"] or es.NOTHING, spare=1, whole=True),
        Field("Texto", lambda r: r["text"]),
    ]
    show_table(out, row["acts"], acts, "Sin anotaciones.")


def show_cases(rows: Sequence[Row], out: Console, now: datetime) -> None:
    """A line a case; where the case ids do not fit, by incident, whose id stands once above its cases."""
    columns = [
        Field("Caso", lambda r: r["key"], whole=True),
        Field("Cliente", lambda r: r["client"] or es.nit(r["client_id"])),
        Field("Producto", lambda r: es.name(r["product"])),
        Field("Decisión", es.decided),
        Field("Abierto", lambda r: es.moment(r["opened_at"], now.tzinfo)),
        Field("Mesa", lambda r: r["desk"], spare=4),
        Field("Número", lambda r: r["reference"], spare=1, whole=True),
        Field("Entrega", lambda r: es.delivered(r, now), spare=3),
        Field("Del cliente", lambda r: r["linked_case_id"], spare=2, whole=True),
        Field("Certeza", es.certainty, spare=2),
        Field("Ventaja", es.lead),
    ]
    if any(row.get("clock") for row in rows):
        columns.append(Field("Promesa", lambda r: es.promise(r, now.tzinfo), spare=2))
    if not rows or _width(columns, rows) <= out.width:
        show_table(out, rows, columns, "No hay casos.")
        return
    shown = _fitting(columns[1:], rows, out.width)
    for number, incident in enumerate(dict.fromkeys(row["incident_id"] for row in rows)):
        out.print(f"\n{incident}" if number else incident, style="bold", markup=False)
        _draw(out, [row for row in rows if row["incident_id"] == incident], _sized(shown, rows, out.width))
    _tell_left_out(out, columns[1:], shown)


def show_doubts(rows: Sequence[Row], out: Console, now: datetime, *, open_: bool = False) -> None:
    """A line an operation; of those without an id, how many. open_: the incident goes on, they are told at its end."""
    columns = [
        *(
            [Field("Cliente", lambda r: r["client"] or es.nit(r["client_id"]))]
            if any("client" in r for r in rows)
            else []
        ),
        Field("Producto", lambda r: es.name(r["product"]) or es.NOTHING),
        Field("Canal", lambda r: es.name(r["channel"]) or es.NOTHING, spare=3),
        Field("Operación", es.operation, whole=True),
        Field("Estado", es.doubt),
        Field("Cuándo", lambda r: es.moment(r["at"], now.tzinfo), spare=1),
        Field("Monto", lambda r: es.money(r["amount"]), spare=2, whole=True),
    ]
    show_table(out, rows, columns, es.NO_DOUBTS[open_])


def _cases(row: Row) -> str:
    return f"{es.count(row['cases_opened'], 'abierto')}, {es.count(row['cases_linked'], 'enlazado')}"


def show_title(out: Console, text: str) -> None:
    """What the table below it is of, after an empty line."""
    out.print(f"\n{text}", style="bold", markup=False)


def show_facts(out: Console, title: str, facts: Mapping[str, str]) -> None:
    """A title, and what is known of one thing, a line each."""
    for line in wrap(title, out.width, break_long_words=False, break_on_hyphens=False):
        out.print(line, style="bold", markup=False)
    for key, value in facts.items():
        out.print(f"  {key + ':':11} {value}", markup=False)


def show_table(out: Console, rows: Sequence[Row], columns: Sequence[Field], empty: str) -> None:
    """A line a row, as wide as the terminal; empty: what to say where there are no rows."""
    if not rows:
        out.print(empty, markup=False)
        return
    shown = _fitting(columns, rows, out.width)
    _draw(out, rows, _sized(shown, rows, out.width))
    _tell_left_out(out, columns, shown)


def _width(columns: Sequence[Field], rows: Sequence[Row]) -> int:
    return sum(column.least(rows) for column in columns) + GAP * (len(columns) - 1)


def _fitting(columns: Sequence[Field], rows: Sequence[Row], width: int) -> list[Field]:
    """The columns that are always shown, and of the others, the most needed first, all that find room."""
    kept = [column for column in columns if not column.spare]
    for column in sorted((column for column in columns if column.spare), key=lambda column: column.spare):
        if _width([*kept, column], rows) <= width:
            kept.append(column)
    return [column for column in columns if column in kept]


def _sized(columns: Sequence[Field], rows: Sequence[Row], width: int) -> dict[Field, int]:
    """How wide each is: what is left of the terminal goes evenly to those that would wrap."""
    sizes = {column: column.least(rows) for column in columns}
    wanting = {column: column.most(rows) for column in columns}
    left = width - _width(columns, rows)
    while left > 0 and (narrow := [column for column in columns if sizes[column] < wanting[column]]):
        for column in narrow[:left]:
            sizes[column] += 1
        left -= len(narrow[:left])
    return sizes


def _draw(out: Console, rows: Sequence[Row], sizes: Mapping[Field, int]) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - as above
    from rich.table import Column, Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    heads = (
        Column(c.header, overflow="fold", no_wrap=c.whole, min_width=size, max_width=size) for c, size in sizes.items()
    )
    table = Table(*heads, box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for row in rows:
        table.add_row(*(Text(str(column.cell(row))) for column in sizes))
    wide = sum(sizes.values()) + GAP * len(sizes)  # rich would squeeze ids into a narrower terminal
    if out.is_terminal:
        out.print(table, width=wide, crop=False, no_wrap=True)
        return
    with out.capture() as caught:
        out.print(table, width=wide, crop=False)
    for line in caught.get().splitlines():
        out.print(line.rstrip(), markup=False, soft_wrap=True)


def _tell_left_out(out: Console, columns: Sequence[Field], shown: Sequence[Field]) -> None:
    headers = [column.header for column in columns if column not in shown]
    if headers:
        out.print(f"Sin espacio para: {', '.join(headers)}.", style="dim", markup=False)
