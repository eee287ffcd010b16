"""Tables in terminals of any width: ids and words stay whole, rows are never left out, columns only by name."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from monitor import clientele, listing, people, portrait, portraits
from monitor.reads import Reader
from tests.monitor.conftest import ACEROS, NOW, PART, PAYMENTS, SLOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.store import Store

LOCAL = NOW.astimezone(ZoneInfo("America/Bogota"))
CASE = f"VG-{PAYMENTS}-{ACEROS}"


def told(width: int, show: Callable[..., None], answer: Any) -> str:
    out = Console(file=io.StringIO(), width=width)
    show(answer, out, LOCAL)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def every(store: Store, width: int) -> dict[str, str]:
    incidents = [people.incident(store, incident, NOW) for incident in (PAYMENTS, SLOW, PART)]
    return {
        "incidents": told(width, listing.show_incidents, incidents),
        "cases": told(width, listing.show_cases, people.cases(store)),
        "incident": told(width, listing.show_incident, people.incident(store, PAYMENTS, NOW)),
        "client": told(width, portraits.show_client, portrait.client(store, ACEROS, NOW, Reader("ana", "cli"))),
        "clients": told(width, portraits.show_clients, clientele.clients(store, NOW, touched=True)),
    }


WIDEST = 200


@pytest.mark.parametrize("width", [80, 100, WIDEST])
def test_ids_and_headers_are_whole_and_every_line_fits_without_padding(store: Store, width: int) -> None:
    shown = every(store, width)
    for text in shown.values():
        lines = text.splitlines()
        assert lines[0]
        assert lines[-1]
        assert all(len(line) <= width for line in lines)
        assert [line for line in lines if line != line.rstrip()] == []
        assert "…" not in text
    for incident in (PAYMENTS, SLOW, PART):
        assert incident in shown["incidents"]
    for word in ("Afectación", "Dónde", "Qué", "Estado", "transacciones"):
        assert word in shown["incidents"]
    for word in (PAYMENTS, SLOW, "C-000001", "SP-75", "Cliente", "Producto", "Decisión", "Abierto", "Ventaja"):
        assert word in shown["cases"]
    for word in ("900.123.456", "860.555.111", "811.222.333", "$ 98.450.000", "Prioridad"):
        assert word in shown["incident"]
    if width == WIDEST:
        assert "En común:   92 % de las fallas: Conexión Directa, código E504; 60 %: Pagos" in shown["incident"]
    for word in (PAYMENTS, "900.123.456", "SP-77"):
        assert word in shown["client"]
    for word in ("900.123.456", "Afectado", "Expuesto"):
        assert word in shown["clients"]


def test_a_wide_terminal_keeps_every_column(store: Store) -> None:
    shown = every(store, 200)
    assert all("Sin espacio" not in text for text in shown.values())
    for word in ("Severidad", "Desde", "Dura", "Afectados", "Expuestos", "Casos"):
        assert word in shown["incidents"]
    for word in (CASE, "Mesa", "Número", "Entrega", "Del cliente"):
        assert word in shown["cases"]


@pytest.mark.parametrize("width", [80, 100])
def test_a_narrow_terminal_shows_cases_under_their_incident_once(store: Store, width: int) -> None:
    text = every(store, width)["cases"]
    assert [line for line in text.splitlines() if line.startswith("AF-")] == [PAYMENTS, SLOW]
    assert text.count(PAYMENTS) == 1
    assert "Caso " not in text
    assert text.count("Aceros") == 2


def test_what_finds_no_room_is_named(store: Store) -> None:
    text = every(store, 80)["incidents"]
    (line,) = [line for line in text.splitlines() if line.startswith("Sin espacio para: ")]
    headers = text.splitlines()[0]
    for word in ("Severidad", "Desde", "Dura", "Afectados", "Expuestos", "Casos"):
        assert (word in headers) != (word in line)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_affected_clients_are_never_shortened(store: Store, width: int) -> None:
    row = people.incident(store, PAYMENTS, NOW)
    (one, *_) = row["affected_clients"]
    many = [{**one, "client_id": str(900_000_000 + number)} for number in range(500)]
    text = told(width, listing.show_incident, {**row, "affected_clients": many, "affected": len(many)})
    assert all(f"900.000.{number:03}" in text for number in range(500))


def test_nothing_is_one_line() -> None:
    assert told(80, listing.show_cases, []) == "No hay casos.\n"
    assert told(80, listing.show_incidents, []) == "No hay afectaciones.\n"
