"""The figures of lead as people read them on a terminal, each with its formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from monitor import spanish as es
from monitor.listing import Field, Row, show_table, show_title

if TYPE_CHECKING:
    from rich.console import Console

NAMES = {
    "reached_first": "Alcanzados primero",
    "reached_first_in_time": "Alcanzados primero (5 min o más)",
    "lead": "Ventaja",
    "silent": "No han reportado",
    "silent_reached": "No han reportado, con caso o aviso",
    "to_detect": "Tiempo a la detección",
    "to_case": "Tiempo al caso",
    "to_inform": "Tiempo al aviso",
    "warned": "Advertidos antes de su falla",
    "warned_of_later": "Advertidos, de los que fallaron después",
    "warning": "Anticipación",
}
MISSES = {
    "before": "Habló antes de su primera falla: quizá de otra cosa",
    "soon": "Habló antes de 5 min de su primera falla",
    "undetected": "La afectación no se había detectado",
    "unnamed": "Se había detectado, sin contarlo entre los afectados",
    "budget": "Esperaba cupo de la mesa",
    "few": "Eran pocas fallas para abrirle caso",
    "no_desk": "Ninguna mesa recibe el producto",
    "held": "Esperaba aprobación",
    "withdrawn": "Nuestro caso se había retirado",
    "linked": "Su propio caso ya estaba abierto",
}
SPEAKERS = {"client": "Cliente", "unsaid": "Sin decir"}
UNSET = "sin configurar: [losses] no tiene montos o probabilidades"


def show_leads(row: Row, out: Console, now: datetime) -> None:
    """All of it: figures and formulas, by segment, product and who reported, the misses."""
    show_title(out, f"Ventaja sobre el cliente: {es.count(row['affected'], 'afectado')} (por cliente y afectación)")
    figures = [
        Field("Cifra", lambda r: NAMES[r["name"]]),
        Field("Valor", _value, whole=True),
        Field("De", _of, whole=True),
        Field("Fórmula", lambda r: r["formula"]),
    ]
    show_table(out, row["figures"], figures, "Nada.")
    _losses(row["losses"], out)
    for key, head, named in (
        ("by_segment", "Segmento", es.segment),
        ("by_product", "Producto", lambda word: es.name(word) if word else "Varios"),
        ("by_reported_by", "Reportado por", lambda word: SPEAKERS.get(word, word)),
    ):
        name = key.removeprefix("by_")
        show_title(out, f"Por {head.lower()}")
        show_table(out, row[key], _columns(head, name, named), "Nada.")
    show_title(out, f"Alcanzados tarde ({len(row['missed'])})")
    reasons = [{"reason": MISSES[reason], "many": many} for reason, many in row["misses"].items()]
    show_table(
        out, reasons, [Field("Por qué", lambda r: r["reason"]), Field("Clientes", lambda r: es.number(r["many"]))], "Ninguno."
    )  # fmt: skip
    if row["missed"]:
        out.print()
        show_table(out, row["missed"], _missed(now), "")


def _columns(head: str, name: str, named: Any) -> list[Field]:
    return [
        Field(head, lambda r: named(r[name])),
        Field("Afectados", lambda r: es.number(r["affected"])),
        Field("Reportaron", lambda r: es.number(r["reported"])),
        Field("Primero", lambda r: es.number(r["first"])),
        Field("Parte", lambda r: percent(r["share"]), whole=True),
        Field("Ventaja", lambda r: es.NOTHING if r["lead_seconds"] is None else es.length(r["lead_seconds"])),
        Field("No han reportado", lambda r: es.number(r["silent"])),
        Field("Por qué no", lambda r: _reasons(r["misses"]), spare=1),
    ]


def _missed(now: datetime) -> list[Field]:
    return [
        Field("Cliente", lambda r: r["client"] or es.NOTHING),
        Field("NIT", lambda r: es.nit(r["client_id"]), whole=True),
        Field("Afectación", lambda r: r["incident_id"], whole=True),
        Field("Producto", lambda r: es.name(r["product"]) if r["product"] else "Varios", spare=4),
        Field("Por qué", lambda r: MISSES[r["reason"]]),
        Field("Primera falla", lambda r: es.moment(r["first_failure_at"], now.tzinfo), spare=2),
        Field("Detectada", lambda r: es.moment(r["detected_at"], now.tzinfo), spare=3),
        Field("Caso", lambda r: es.moment(r["case_at"], now.tzinfo), spare=1),
        Field("Reportó", lambda r: es.moment(r["reported_at"], now.tzinfo)),
    ]


def _losses(row: Mapping[str, Any], out: Console) -> None:
    show_title(out, "Pérdidas evitadas")
    value: Decimal | None = row["value"]
    told = UNSET if value is None else es.money(value)
    out.print(f"  {told}; clientes alcanzados primero: {es.number(row['clients'])}", markup=False)
    if value is not None and row["unpriced"]:
        out.print(f"  sin monto configurado: {es.count(row['unpriced'], 'cliente')}", markup=False)
    out.print(f"  Fórmula: {row['formula']}", markup=False, soft_wrap=True)
    terms: Sequence[Row] = row["terms"]
    if terms:
        columns = [
            Field("Tipología", lambda r: es.KINDS.get(r["way"], r["way"])),
            Field("Segmento", lambda r: es.segment(r["segment"])),
            Field("Clientes", lambda r: es.number(r["clients"])),
            Field("Compensación", lambda r: es.money(r["amount"]), whole=True),
            Field("Reclama", lambda r: percent(r["chance"]), whole=True),
            Field("Evitado", lambda r: es.money(r["value"]), whole=True),
        ]
        show_table(out, terms, columns, "")


def percent(share: float | Decimal | None) -> str:
    """«97,4 %»; never rounded up to a whole that it is not."""
    if share is None:
        return es.NOTHING
    shown = int(Decimal(str(share)) * 1000) / 10
    return f"{es.number(shown)} %"


def _value(row: Row) -> str:
    if row["value"] is None:
        return es.NOTHING
    if row["unit"] == "share":
        return percent(row["value"])
    return es.length(row["value"]) if row["unit"] == "seconds" else es.number(row["value"])


def _of(row: Row) -> str:
    return f"{es.number(row['many'])} de {es.number(row['of'])}" if row["unit"] == "share" else es.number(row["many"])


def _reasons(misses: Mapping[str, int]) -> str:
    return "; ".join(f"{MISSES[reason]}: {many}" for reason, many in misses.items())
