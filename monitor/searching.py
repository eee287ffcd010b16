"""What there is by a word or a number: guides, afectaciones, cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from monitor import tables as t
from monitor.guides import guides
from monitor.languages import Code, words
from monitor.listing import Field, show_table
from monitor.standing import Row, rows
from monitor.store import Store

if TYPE_CHECKING:
    from rich.console import Console

    from monitor.config import Config

MOST = 20
"""Of each kind, told at most: who gets as many should say more."""
SHORTEST = 3
"""Signs of a part of a number that is looked for; a case's whole number may be shorter."""


def guide_rows(config: Config, language: str | None = None) -> list[Row]:
    """Every guide as a row."""
    return [asdict(guide) for guide in guides(_code(config, language), config.words.guides)]


def search(store: Store, config: Config, text: str) -> list[Row]:
    """By a text: guides with its words, incidents and cases in whose number it stands, cases whose key ends so; at most MOST of each."""
    text = text.strip()
    found: list[Row] = []
    if len(text) >= SHORTEST:
        found += _incidents(store, config, text)
    if text:
        found += _cases(store, text)
    known = guides(_code(config), config.words.guides).search(text)[:MOST]
    return found + [{"what": "guide", "id": guide.id, "title": guide.title, "incident_id": ""} for guide in known]


def _incidents(store: Store, config: Config, text: str) -> list[Row]:
    i, say = t.incidents.c, words(_code(config))
    wanted = t.incidents.select().where(i.id.icontains(text, autoescape=True)).order_by(i.started_at.desc()).limit(MOST)
    return [
        {"what": "incident", "id": row["id"], "incident_id": row["id"]}
        | {"title": f"{say.place(row | {'one_client': bool(row['client_id']), 'client_id': ''})}: {say.kind(row)}"}
        for row in rows(store, wanted)
    ]


def _cases(store: Store, text: str) -> list[Row]:
    """Ours by the desk's number for them, or by their key or its end; theirs by the tool's."""
    o, d, c = t.outbox.c, t.decisions.c, t.their_cases.c
    ours = t.decisions.outerjoin(t.outbox, (o.case_key == d.key) & (o.action == "open")).select()
    ours = ours.with_only_columns(d.key, o.reference, d.incident_id, d.product, o.desk).order_by(
        d.opened_at.desc(), d.key
    )
    wanted = _numbered(o.reference, text)
    if len(text) >= SHORTEST:
        wanted = wanted | d.key.iendswith(text, autoescape=True)
    found = [
        (row["reference"] or row["key"], row["desk"], row["product"], row["incident_id"])
        for row in rows(store, ours.where(wanted).limit(MOST))
    ]
    theirs = t.their_cases.select().where(_numbered(c.case_id, text), c.reported_by != "monitor")
    told = rows(store, theirs.order_by(c.opened_at.desc()).limit(MOST))
    found += [(row["case_id"], row["source"], row["product"], "") for row in told]
    return [
        {"what": "case", "id": number, "title": " · ".join(filter(None, (tool, product))), "incident_id": incident}
        for number, tool, product, incident in found
    ]


def _numbered(column: Any, text: str) -> Any:
    """Whose number it is: one in which it stands; a short one whole, or after the sign that ends the tool's letters (SP-36)."""
    if len(text) >= SHORTEST:
        return column.icontains(text, autoescape=True)
    return (column == text) | column.iendswith(f"-{text}", autoescape=True)


def show_guides(found: Sequence[Row], out: Console, now: datetime) -> None:  # noqa: ARG001 - as every table is drawn
    """A line a guide."""
    columns = [Field("Guía", lambda r: r["id"], whole=True), Field("Título", lambda r: r["title"])]
    show_table(out, found, columns, "No hay guías.")


def show_guide(guide: Row, out: Console, now: datetime) -> None:  # noqa: ARG001 - as every table is drawn
    """One guide, to be read."""
    parts = {"Primera solución": "solution", "A quién escalar": "escalation", "Mientras tanto": "contingency"}
    out.print(f"{guide['title']} ({guide['id']})", markup=False)
    for title, key in parts.items():
        out.print(f"\n{title}", markup=False)
        for line in guide[key]:
            out.print(f"- {line}", markup=False, soft_wrap=True)
    if guide["client"]:
        out.print(f"\nPara el cliente\n{guide['client']}", markup=False, soft_wrap=True)


def show_found(found: Sequence[Row], out: Console, now: datetime) -> None:  # noqa: ARG001 - as every table is drawn
    """A line a find."""
    kinds = {"guide": "Guía", "incident": "Afectación", "case": "Caso"}
    columns = [
        Field("Qué", lambda r: kinds[r["what"]], whole=True),
        Field("Número", lambda r: r["id"], whole=True),
        Field("Título", lambda r: r["title"]),
        Field("Afectación", lambda r: r["incident_id"] if r["what"] == "case" else "", spare=1, whole=True),
    ]
    show_table(out, found, columns, "No se encontró nada.")


def _code(config: Config, language: str | None = None) -> Code:
    return cast("Code", language or config.words.language)
