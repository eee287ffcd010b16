"""What Vigía's words, times and numbers look like to the people of the bank: in Spanish, as written in Colombia."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from decimal import Decimal
from math import isnan
from typing import Any

from alerts.confidence import DOUBTFUL
from monitor.untold import untold
from rules import DIMENSIONS

NAMES = {
    "pagos": "Pagos",
    "recaudos": "Recaudos",
    "depositos": "Depósitos",
    "transporte_efectivo": "Transporte de Efectivo",
    "swift": "Swift",
    "conexion_directa": "Conexión Directa",
    "sucursal_digital": "Sucursal Digital",
    "tarjetas": "Tarjetas",
    "adquirencia": "Adquirencia",
    "pasarela_pagos": "Pasarela de Pagos",
}
"""Of the products and channels that we know; others are shown by their ids."""
KINDS = {
    "failed": "Fallas",
    "rejected": "Rechazos",
    "reversed": "Reversos",
    "pending": "En proceso",
    "missing": "Volumen caído o sin transacciones",
    "slow": "Lentitud",
    "duplicated": "Duplicadas",
    "value": "Indicador fuera de lo normal",
    "other": "Estados sin clasificar",
}
SEVERITIES = {"critical": "Crítica", "major": "Mayor", "minor": "Menor"}
STATES = {"firing": "Abierta", "resolved": "Resuelta", "merged": "Unida a otra"}
ALERTS = {"firing": "En alerta", "pending": "Por confirmar", "over": "Sin alerta"}
ACTIONS = {"open": "Abierto por Vigía", "link": "Enlazado al caso del cliente", "none": "Sin caso"}
DELIVERIES = {"due": "Por enviar", "sending": "Enviando", "sent": "Recibido", "dead": "No se pudo enviar", "": "—"}
REASONS = {
    "affected, no case of their own": "Afectado, sin caso propio",
    "the client's own case is open": "Su propio caso está abierto",
    "their own case on it is closed already": "Su propio caso ya se cerró",
    "their own case is older than the failure": "Su propio caso es anterior a la falla",
    "our case on what else fails for them stands for it": "Ya tiene caso nuestro por lo otro que le falla",
    "our case on what had ended for them stands for it again": "Volvió lo que tenía: sigue su caso nuestro",
    "budget": "Espera cupo de la mesa",
    "too few failures yet": "Aún son pocas fallas",
    "no desk takes this product": "Ninguna mesa recibe este producto",
    "waits for approval": "Espera aprobación",
    "approved, about to be opened": "Aprobado, por abrir",
    "only observed": "Solo en observación",
    "withdrawn": "Retirado de la lista",
    "the link was undone": "Se deshizo el enlace",
}
CLOCKS = {
    "running": "A tiempo",
    "paused": "En espera del cliente",
    "at_risk": "En riesgo",
    "breached": "Vencido",
    "met": "Cumplido",
}
ACTS = {
    "ack": "La atiende",
    "unack": "Ya no la atiende",
    "assign": "Asignó",
    "resolve": "La dio por resuelta",
    "reopen": "La reabrió",
    "useful": "Dijo si fue útil",
    "note": "Nota",
    "silence": "Silenció",
    "end_silence": "Terminó el silencio",
    "maintenance": "Declaró mantenimiento",
    "end_maintenance": "Terminó el mantenimiento",
    "handover": "Firmó la entrega de turno",
    "reload": "Recargó la configuración",
    "approve": "Aprobó",
    "withdraw": "Retiró",
    "reinstate": "Volvió a incluir",
    "restore": "Anuló el retiro",
    "confirm": "Confirmó el enlace",
    "undo": "Deshizo el enlace",
    "attribute": "Enlazó al caso",
    "informed": "Informó al cliente",
    "promote": "Promovió a incidente",
}
NAMED = {"yes": "sí", "no": "no"}
"""What an act on an incident names, where it is no person and no id."""
DOUBTS = {"pending": "Pendiente", "reversed": "Reversada", "duplicated": "Posible doble"}
SETTLED = {"ok": "quedó exitosa", "failed": "falló", "rejected": "fue rechazada", "reversed": "fue reversada"}
NO_DOUBTS = {False: "Ninguna.", True: "Se dirán cuando termine."}
"""Where no operation is in doubt: none, or, of what is still open, none yet."""
HOLDINGS = {"con fallas": "Con fallas", "expuesto": "Expuesto", "sin datos": "Sin datos", "sano": "Sano"}
WHYS = {
    "stale": "no se ha juzgado hace poco",
    "unwatched": "ninguna regla lo ha visto",
    "undecided": "las reglas no pueden decir",
    "": "",
}
"""Why nobody can tell how something is."""
TONES = {"con fallas": "critical", "expuesto": "major", "sin datos": "unknown", "sano": "well"}
TOUCHES = {"affected": "Afectado", "exposed": "Expuesto", "": "—"}
TERMS = {
    "segment": "segmento",
    "impact": "impacto",
    "value": "valor",
    "sensitivity": "sensibilidad",
    "criticality": "criticidad",
    "typology": "tipología",
}
NOTHING = "—"
_SHORT = 90
_DAY = 1440
_SMALL = 1000
_LEAST = 0.001


def name(identifier: str) -> str:
    """A product or a channel."""
    return NAMES.get(identifier) or identifier.replace("_", " ").strip().capitalize()


def names(identifiers: Iterable[str]) -> str:
    """Several of them: «Pagos, Recaudos»."""
    return ", ".join(filter(None, map(name, identifiers))) or NOTHING


def place(row: Mapping[str, Any]) -> str:
    """Where something is: «Pagos · Conexión Directa»; the client where it is about one alone."""
    parts = [name(row[key]) for key in ("product", "channel") if row.get(key)]
    parts += [str(row["series"])] if row.get("series") else []
    parts += [str(row.get("client") or nit(row["client_id"]))] if row.get("client_id") else []
    parts += ["un solo cliente"] if row.get("one_client") and not row.get("client_id") else []
    return " · ".join(parts) or "Todos los productos y canales"


def symptoms(row: Mapping[str, Any]) -> str:
    """Where it shows only because that rests on what fails: «Conexión Directa; Recaudos»."""
    return "; ".join(place(dict(zip(DIMENSIONS, values, strict=True))) for values in row["symptoms"])


def kind(row: Mapping[str, Any]) -> str:
    """How it hurts: the first kind, and the others that came to it."""
    ways = [row["kind"], *(way for way in row.get("ways", ()) if way != row["kind"])]
    return ", ".join([KINDS.get(ways[0], ways[0]), *(KINDS.get(way, way).lower() for way in ways[1:])])


def cause(row: Mapping[str, Any]) -> str:
    """A cause by its seat, error code and way: «Pagos · Conexión Directa, código E504: Fallas»."""
    code = f", código {row['error_code']}" if row["error_code"] else ""
    return f"{place(row)}{code}: {KINDS.get(row['kind'], row['kind'])}"


def percent(share: float | None) -> str:
    """A share of a whole, in whole percent; what is less than all of it is never told as 100."""
    if share is None:
        return NOTHING
    return f"{min(round(100 * share), 99 if share < 1 else 100)} %"


def lasting(minutes: int) -> str:
    """How long: 45 min, 2 h 5 min, 3 d 4 h."""
    if minutes < _SHORT:
        return f"{minutes} min"
    if minutes < _DAY:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    return f"{minutes // _DAY} d {minutes % _DAY // 60} h"


def length(seconds: float) -> str:
    """A length of time, signed: 45 s, 12 min, -3 min."""
    short = abs(seconds) < _SHORT
    return ("-" if seconds < 0 else "") + (f"{abs(seconds):.0f} s" if short else lasting(int(abs(seconds) // 60)))


def span(seconds: float | None) -> str:
    """A length of time, or that there is none to tell."""
    return NOTHING if seconds is None else length(seconds)


def lead(row: Mapping[str, Any]) -> str:
    """By how much we were first in a case's row."""
    if row["client_reported_at"] is None:
        return "Aún no reporta"
    if (seconds := row["lead_seconds"]) is None:
        return "Reportó; sin caso nuestro"
    return f"{length(abs(seconds))} {'antes' if seconds >= 0 else 'después'}"


def promise(row: Mapping[str, Any], zone: tzinfo | None) -> str:
    """How the promise of a case stands, and when it is due: «En riesgo, vence 03/03/2026 17:00»."""
    if not row["clock"] or row.get("withdrawn_at"):  # a case that was taken back keeps no promise
        return NOTHING
    return f"{CLOCKS[row['clock']]}, vence {row['due_at'].astimezone(zone):%d/%m/%Y %H:%M}"


def touched(row: Mapping[str, Any]) -> str:
    """What an incident does to a client on one product: «Pagos: 131 fallas, 12 faltantes, $ 98.450.000»."""
    done = [
        count(row["failures"], "falla") if row["failures"] else "",
        count(row["missing"], "faltante") if row["missing"] else "",
        money(row["amount"]) if row["amount"] else "",
    ]
    told = ", ".join(filter(None, done)) or "afectado" if row["touch"] == "affected" else "expuesto"
    return f"{name(row['product'])}: {told}" if row["product"] else told.capitalize()


def mark(row: Mapping[str, Any]) -> str:
    """Where impacts cross on a client: «2 productos a la vez: Pagos, Recaudos»; «Afectado 3 veces en 30 días»."""
    if row["mark"] == "products":
        return f"{len(row['products'])} productos a la vez: {', '.join(map(name, row['products']))}"
    return f"Afectado {len(row['incidents'])} veces en 30 días"


def standing(row: Mapping[str, Any]) -> str:
    """How something that a client holds is and, where nobody can tell, why: «Sin datos: las reglas no pueden decir»."""
    why = WHYS[row["why"]]
    told = HOLDINGS[row["state"]]
    return f"{told}: {why}" if why else told


def group(row: Mapping[str, Any]) -> str:
    """A client's economic group: «G-12, con 3 clientes más»."""
    size = row["group"]["size"]
    return f"{row['group_id']}, con {count(size, 'cliente')} más" if size else row["group_id"] or NOTHING


def worst(severities: Iterable[str]) -> str:
    """The worst of some severities."""
    found = set(severities)
    return next(severity for severity in SEVERITIES if severity in found)


def recurrence(row: Mapping[str, Any]) -> str:
    """What has come again: «Pagos» or, where it is the same error, «Pagos, código E504» or «Pagos, lentitud»."""
    if row["same"] == "product":
        return name(row["product"]) or NOTHING
    error = KINDS[row["error"]].lower() if row["error"] in KINDS else f"código {row['error']}"
    return ", ".join(filter(None, (name(row["product"]), error)))


def when(time: datetime | None, now: datetime, *, seconds: bool = False) -> str:
    """A moment in the zone of `now`: the hour if it is of that day, else with the day."""
    if time is None:
        return NOTHING
    local = time.astimezone(now.tzinfo)
    clock = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    return clock if local.date() == now.date() else f"{local:%d/%m/%Y} {clock}"


def moment(time: datetime | None, zone: tzinfo | None) -> str:
    """A moment with its day and seconds."""
    return NOTHING if time is None else f"{time.astimezone(zone):%d/%m/%Y %H:%M:%S}"


def state(row: Mapping[str, Any]) -> str:
    """Of an incident, with who acted on it: «Abierta (la atiende N. N.)»."""
    if row["state"] == "firing":
        who = [f"la atiende {row['acknowledged_by']}"] if row["acknowledged_by"] else []
        who += [f"asignada a {row['assigned_to']}"] if row["assigned_to"] else []
        who += ["silenciada"] if row.get("silenced_until") else []
        return f"Abierta ({', '.join(who)})" if who else STATES["firing"]
    if row["state"] == "resolved" and (who := row["resolved_by"]):
        return f"Cerrada a mano por {who}; sigue en alerta" if row.get("still_failing") else f"Resuelta (por {who})"
    return f"Unida a {row['parent_id']}" if row["parent_id"] else STATES[row["state"]]


def act(row: Mapping[str, Any]) -> str:
    """What somebody did, and what they named: «Asignó a N. N.», «Dijo si fue útil: sí»."""
    told = ACTS.get(row["action"], row["action"])
    if row["action"] == "assign":
        return f"{told} a {row['about']}" if row["about"] else "Quitó la asignación"
    return f"{told}: {NAMED.get(row['about'], row['about'])}" if row["about"] else told


def useful(told: Iterable[Mapping[str, Any]]) -> str:
    """Whether people found it useful: «sí (N. N.), no (M. M.: fue un cierre programado)»."""
    words = (
        f"{'sí' if one['useful'] else 'no'} ({': '.join(filter(None, (one['who'], one['text'])))})" for one in told
    )
    return ", ".join(words) or NOTHING


def segment(identifier: str) -> str:
    """A client's segment."""
    return identifier.capitalize() or NOTHING


def number(value: float | Decimal | None) -> str:
    """1.234,5 as here written; small ones to three figures."""
    if value is None or isnan(value):
        return NOTHING
    exact, size = value == int(value), abs(float(value))
    if 0 < value < _LEAST:
        return "< 0,001"
    figures = ",.0f" if exact or size >= _SMALL else ".3g" if size < 1 else ",.1f"
    text = format(value, figures)
    return text.replace(",", " ").replace(".", ",").replace(" ", ".")


def count(many: int, word: str, words: str = "") -> str:
    """1 abierto, 2 abiertos; words: the plural, where an s does not make it."""
    return f"{number(many)} {word if many == 1 else words or f'{word}s'}"


def to_verify(doubts: Iterable[Mapping[str, Any]]) -> int:
    """How many operations are in doubt still."""
    return sum(row["n"] if not row["id"] else 1 for row in doubts if not row["settled_at"])


def operation(row: Mapping[str, Any]) -> str:
    """Of an operation in doubt, its id; how many, where they have none."""
    return str(row["id"]) or f"{number(row['n'])} sin identificador"


def doubt(row: Mapping[str, Any]) -> str:
    """Why it is in doubt, and what it came to since: «Pendiente; luego quedó exitosa»."""
    since = SETTLED.get(row["settled_as"], "")
    return DOUBTS[row["state"]] + (f"; luego {since}" if since else "")


def measured(value: float | None, measure: str = "") -> str:
    """What a rule saw, in its measure's unit; a plain number where the measure is not known."""
    if value is None:
        return NOTHING
    if measure.endswith("_rate"):
        return f"{number(round(100 * value, 1))} %"
    if measure.startswith("latency"):
        return f"{number(round(value))} ms"
    return money(Decimal(value)) if measure.endswith("amount") else number(value)


def money(amount: Decimal | None) -> str:
    """Pesos, whole."""
    return NOTHING if amount is None else f"$ {number(round(amount))}"


def nit(client_id: str) -> str:
    """900.123.456; what is no number stays as it is."""
    digits = client_id.isascii() and client_id.isdigit() and not client_id.startswith("0")
    return number(int(client_id)) if digits else client_id


def chance(value: float | None) -> str:
    """«35 %»; what is less than one percent is not nothing."""
    if value is None:
        return NOTHING
    return "< 1 %" if value < 0.01 else f"{number(round(100 * value))} %"  # noqa: PLR2004 - one percent


def shares(row: Mapping[str, Any]) -> str:
    """What an incident's failures have in common: «92 % de las fallas: Conexión Directa, código E504; 60 %: Pagos»."""
    by_part: dict[float, list[str]] = {}
    for dimension, value, part in row["shares"] or ():
        one = f"NIT {nit(value)}" if value else "un solo cliente"
        words = {"error_code": f"código {value}", "client_id": one}.get(dimension, name(value))
        by_part.setdefault(part, []).append(words)
    of = "de las transacciones que faltan" if set(row["ways"]) == {"missing"} else "de las fallas"
    told = [f"{number(round(100 * part))} %: {', '.join(words)}" for part, words in by_part.items()]
    return "; ".join(told).replace(" %:", f" % {of}:", 1)


def decided(row: Mapping[str, Any]) -> str:
    """What was decided on a case and, where there is none, why: «Sin caso: Espera cupo de la mesa»."""
    told = ACTIONS[row["action"]]
    if row["action"] == "none":
        return f"{told}: {REASONS.get(row['reason'], row['reason'])}"
    marks = {
        "withdrawn_at": "retirado" + " (la mesa aún no lo sabe)" * untold(row),
        "promoted_at": "incidente",
        "informed_at": "cliente informado",
    }
    return ", ".join([told, *(word for name, word in marks.items() if row.get(name))])


def delivered(row: Mapping[str, Any], now: datetime) -> str:
    """How far what the desk is to be told of a case has come: «Retiro: por enviar, desde 10:20: HTTP 500»."""
    told = DELIVERIES.get(row["delivery"], row["delivery"])
    told = f"Retiro: {told.lower()}, desde {when(row['withdrawn_at'], now)}" if untold(row) else told
    return ": ".join(filter(None, (told, row["error"])))


def certainty(row: Mapping[str, Any]) -> str:
    """How sure a link is: «80 %», «52 %, por confirmar», «Confirmado por N. N.»."""
    if row.get("confirmed_by"):
        return f"Confirmado por {row['confirmed_by']}"
    sure = row.get("confidence")
    if sure is None:
        return NOTHING
    return f"{number(round(100 * sure))} %{', por confirmar' if sure < DOUBTFUL else ''}"


def terms(found: Mapping[str, float], version: str = "") -> str:
    """What makes a priority, in points, and by which weights: «segmento 30 + impacto 12,5 (pesos 3fa29c1e)»."""
    told = " + ".join(f"{TERMS.get(key, key)} {number(points)}" for key, points in found.items())
    return f"{told} (pesos {version})" if version else told
