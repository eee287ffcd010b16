"""What a shift looks after, on a terminal: silences, maintenance, the audit trail and the hand-over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from monitor import spanish as es
from monitor.listing import Field, Row, show_table, show_title
from monitor.read_listing import through

if TYPE_CHECKING:
    from rich.console import Console

STATES = {"now": "En curso", "to_come": "Por venir", "over": "Terminó"}


def matchers(row: Row) -> str:
    """What a silence matches: «product=pagos, severity=minor»."""
    return ", ".join(f"{name}={value}" for name, value in row["matchers"].items()) or "todo"


def show_silence(row: Row, out: Console, now: datetime) -> None:
    """One that was just made: what it keeps quiet."""
    out.print(row["id"], markup=False)
    many = es.count(len(row["silences"]), "afectación abierta", "afectaciones abiertas")
    out.print(f"silencia {many} hasta {es.moment(row['until'], now.tzinfo)}: {matchers(row)}", markup=False)


def show_silences(rows: Sequence[Row], out: Console, now: datetime) -> None:
    """A line a silence."""
    columns = [
        Field("Silencio", lambda r: r["id"], whole=True),
        Field("Qué", matchers),
        Field("Hasta", lambda r: es.moment(r["ended_at"] or r["until"], now.tzinfo)),
        Field("Estado", lambda r: f"{STATES[r['state']]}{f' (por {by})' if (by := r['ended_by']) else ''}", spare=3),
        Field("Afectaciones", lambda r: len(r["silences"]), spare=1),
        Field("Razón", lambda r: r["reason"]),
        Field("Quién", lambda r: r["author"], spare=2),
    ]
    show_table(out, rows, columns, "No hay silencios.")


def show_works(rows: Sequence[Row], out: Console, now: datetime) -> None:
    """A line a maintenance."""
    columns = [
        Field("Mantenimiento", lambda r: r["id"] or es.NOTHING, whole=True),
        Field("Dónde", es.place),
        Field("Estado", lambda r: STATES[r["state"]]),
        Field("De", lambda r: es.moment(r["next_from"] or r["starts_at"], now.tzinfo)),
        Field("A", lambda r: es.moment(r["next_until"] or r["ended_at"] or r["until"], now.tzinfo)),
        Field("Se repite", lambda r: f"{r['cron']}, {es.lasting(r['minutes'])}" if r["cron"] else es.NOTHING, spare=1),
        Field("Razón", lambda r: r["reason"] or es.NOTHING, spare=2),
        Field("Quién", lambda r: r["author"], spare=3),
    ]
    show_table(out, rows, columns, "No hay mantenimientos.")


def show_acts(rows: Sequence[Row], out: Console, now: datetime) -> None:
    """A line an act."""
    columns = [
        Field("Cuándo", lambda r: es.moment(r["at"], now.tzinfo)),
        Field("Quién", lambda r: r["who"]),
        Field("Por dónde", lambda r: through(r["door"]), spare=4),
        Field("Qué", es.act),
        Field("Afectación", lambda r: r["incident_id"] or es.NOTHING, spare=1, whole=True),
        Field("Caso", lambda r: r["case_key"] or es.NOTHING, spare=3, whole=True),
        Field("Texto", lambda r: r["text"]),
        Field("Sello", lambda r: r["hash"][:12] or es.NOTHING, spare=2, whole=True),
    ]
    show_table(out, rows, columns, "Sin actos.")


def show_handover(row: Row, out: Console, now: datetime) -> None:
    """As the text that is pasted into a mail."""
    from monitor.handover import as_text  # noqa: PLC0415 - it asks much, and is asked for rarely

    out.print(as_text(row, now.tzinfo), markup=False, soft_wrap=True, end="")


def show_signed(rows: Sequence[Row], out: Console, now: datetime) -> None:
    """Each whole, the newest first."""
    for row in rows:
        to = f" a {row['to']}" if row["to"] else ""
        show_title(out, f"{row['id']} · {row['author']}{to} · {es.moment(row['at'], now.tzinfo)}")
        out.print("\n".join(filter(None, (row["text"], row["told"]))), markup=False, soft_wrap=True, end="")
    if not rows:
        out.print("No hay entregas firmadas.", markup=False)
