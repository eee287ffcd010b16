"""The words of `monitor.spanish` in English, by the same names: see `monitor.languages`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from decimal import Decimal
from math import isnan
from typing import Any

from alerts.confidence import DOUBTFUL
from monitor import spanish
from monitor.untold import untold
from rules import DIMENSIONS

# What both languages write alike.
NOTHING, TONES = spanish.NOTHING, spanish.TONES
lasting, length, span, nit = spanish.lasting, spanish.length, spanish.span, spanish.nit
segment, to_verify, worst = spanish.segment, spanish.to_verify, spanish.worst

NAMES = {
    "pagos": "Payments",
    "recaudos": "Collections",
    "depositos": "Deposits",
    "transporte_efectivo": "Cash Transport",
    "swift": "SWIFT",
    "conexion_directa": "Direct Connection",
    "sucursal_digital": "Digital Branch",
    "tarjetas": "Cards",
    "adquirencia": "Merchant Acquiring",
    "pasarela_pagos": "Payment Gateway",
}
KINDS = {
    "failed": "Failures",
    "rejected": "Rejections",
    "reversed": "Reversals",
    "pending": "Stuck in process",
    "missing": "Low or no volume",
    "slow": "Slowness",
    "duplicated": "Duplicates",
    "value": "Indicator out of the ordinary",
    "other": "Statuses that nothing names",
}
SEVERITIES = {"critical": "Critical", "major": "Major", "minor": "Minor"}
STATES = {"firing": "Open", "resolved": "Resolved", "merged": "Joined to another"}
ALERTS = {"firing": "Firing", "pending": "To be confirmed", "over": "Silent"}
ACTIONS = {"open": "Opened by Vigía", "link": "Linked to the client's case", "none": "No case"}
DELIVERIES = {"due": "To be sent", "sending": "Being sent", "sent": "Received", "dead": "Could not be sent", "": "—"}
REASONS = {
    "affected, no case of their own": "Affected, no case of their own",
    "the client's own case is open": "The client's own case is open",
    "their own case on it is closed already": "Their own case on it is closed already",
    "their own case is older than the failure": "Their own case is older than the failure",
    "our case on what else fails for them stands for it": "Our case on what else fails for them stands for it",
    "our case on what had ended for them stands for it again": "What had ended came back: our case goes on",
    "budget": "Waits for room at the desk",
    "too few failures yet": "Too few failures yet",
    "no desk takes this product": "No desk takes this product",
    "waits for approval": "Waits for approval",
    "approved, about to be opened": "Approved, about to be opened",
    "only observed": "Only observed",
    "withdrawn": "Taken off the list",
    "the link was undone": "The link was undone",
}
CLOCKS = {
    "running": "In time",
    "paused": "Waiting for the client",
    "at_risk": "At risk",
    "breached": "Late",
    "met": "Met",
}
ACTS = {
    "ack": "Takes it on",
    "unack": "No longer takes it on",
    "assign": "Assigned it",
    "resolve": "Called it over",
    "reopen": "Reopened it",
    "useful": "Said whether it was useful",
    "note": "Note",
    "silence": "Silenced it",
    "end_silence": "Ended the silence",
    "maintenance": "Declared maintenance",
    "end_maintenance": "Ended the maintenance",
    "handover": "Signed the hand-over",
    "reload": "Reloaded the configuration",
    "approve": "Approved",
    "withdraw": "Withdrew",
    "reinstate": "Took it in again",
    "restore": "Took the withdrawal back",
    "confirm": "Confirmed the link",
    "undo": "Undid the link",
    "attribute": "Linked to the case",
    "informed": "Told the client",
    "promote": "Promoted to incidente",
}
NAMED = {"yes": "yes", "no": "no"}
DOUBTS = {"pending": "Pending", "reversed": "Reversed", "duplicated": "Possibly doubled"}
SETTLED = {"ok": "went through", "failed": "failed", "rejected": "was rejected", "reversed": "was reversed"}
NO_DOUBTS = {False: "None.", True: "They are told when it ends."}
HOLDINGS = {"con fallas": "Failing", "expuesto": "Exposed", "sin datos": "No data", "sano": "Well"}
WHYS = {
    "stale": "not judged lately",
    "unwatched": "no rule has seen it",
    "undecided": "the rules cannot say",
    "": "",
}
TOUCHES = {"affected": "Affected", "exposed": "Exposed", "": "—"}
"""What an act on an incident names, where it is no person and no id."""
TERMS = {
    "segment": "segment",
    "impact": "impact",
    "value": "value",
    "sensitivity": "sensitivity",
    "criticality": "criticality",
    "typology": "typology",
}
_SMALL = 1000
_LEAST = 0.001


def name(identifier: str) -> str:
    """A product or a channel."""
    return NAMES.get(identifier) or identifier.replace("_", " ").strip().capitalize()


def names(identifiers: Iterable[str]) -> str:
    """Several of them: «Payments, Collections»."""
    return ", ".join(filter(None, map(name, identifiers))) or NOTHING


def place(row: Mapping[str, Any]) -> str:
    """Where something is: «Payments · Direct Connection»; the client where it is about one alone."""
    parts = [name(row[key]) for key in ("product", "channel") if row.get(key)]
    parts += [str(row["series"])] if row.get("series") else []
    parts += [str(row.get("client") or nit(row["client_id"]))] if row.get("client_id") else []
    parts += ["one client"] if row.get("one_client") and not row.get("client_id") else []
    return " · ".join(parts) or "All products and channels"


def symptoms(row: Mapping[str, Any]) -> str:
    """Where it shows only because that rests on what fails: «Direct Connection; Collections»."""
    return "; ".join(place(dict(zip(DIMENSIONS, values, strict=True))) for values in row["symptoms"])


def kind(row: Mapping[str, Any]) -> str:
    """How it hurts: the first kind, and the others that came to it."""
    ways = [row["kind"], *(way for way in row.get("ways", ()) if way != row["kind"])]
    return ", ".join([KINDS.get(ways[0], ways[0]), *(KINDS.get(way, way).lower() for way in ways[1:])])


def cause(row: Mapping[str, Any]) -> str:
    """A cause by its seat, error code and way: «Payments · Direct Connection, code E504: Failures»."""
    code = f", code {row['error_code']}" if row["error_code"] else ""
    return f"{place(row)}{code}: {KINDS.get(row['kind'], row['kind'])}"


def percent(share: float | None) -> str:
    """A share of a whole, in whole percent; what is less than all of it is never told as 100."""
    if share is None:
        return NOTHING
    return f"{min(round(100 * share), 99 if share < 1 else 100)}%"


def lead(row: Mapping[str, Any]) -> str:
    """By how much we were first in a case's row."""
    if row["client_reported_at"] is None:
        return "Has not reported yet"
    if (seconds := row["lead_seconds"]) is None:
        return "Reported; no case of ours"
    return f"{length(abs(seconds))} {'before' if seconds >= 0 else 'after'}"


def promise(row: Mapping[str, Any], zone: tzinfo | None) -> str:
    """How the promise of a case stands, and when it is due: «At risk, due 3 Mar 2026 17:00»."""
    if not row["clock"] or row.get("withdrawn_at"):  # a case that was taken back keeps no promise
        return NOTHING
    local = row["due_at"].astimezone(zone)
    return f"{CLOCKS[row['clock']]}, due {_day(local)} {local:%H:%M}"


def touched(row: Mapping[str, Any]) -> str:
    """What an incident does to a client on one product: «Payments: 131 failures, 12 missing, COP 98,450,000»."""
    done = [
        count(row["failures"], "failure") if row["failures"] else "",
        f"{number(row['missing'])} missing" if row["missing"] else "",
        money(row["amount"]) if row["amount"] else "",
    ]
    told = ", ".join(filter(None, done)) or "affected" if row["touch"] == "affected" else "exposed"
    return f"{name(row['product'])}: {told}" if row["product"] else told.capitalize()


def mark(row: Mapping[str, Any]) -> str:
    """Where impacts cross on a client: «2 products at once: Payments, Collections»; «Affected 3 times in 30 days»."""
    if row["mark"] == "products":
        return f"{len(row['products'])} products at once: {', '.join(map(name, row['products']))}"
    return f"Affected {len(row['incidents'])} times in 30 days"


def standing(row: Mapping[str, Any]) -> str:
    """How something that a client holds is and, where nobody can tell, why: «No data: the rules cannot say»."""
    why = WHYS[row["why"]]
    told = HOLDINGS[row["state"]]
    return f"{told}: {why}" if why else told


def group(row: Mapping[str, Any]) -> str:
    """A client's economic group: «G-12, with 3 more clients»."""
    size = row["group"]["size"]
    more = f"{number(size)} more {'client' if size == 1 else 'clients'}"
    return f"{row['group_id']}, with {more}" if size else row["group_id"] or NOTHING


def recurrence(row: Mapping[str, Any]) -> str:
    """What has come again: «Payments» or, where it is the same error, «Payments, code E504» or «Payments, slowness»."""
    if row["same"] == "product":
        return name(row["product"]) or NOTHING
    error = KINDS[row["error"]].lower() if row["error"] in KINDS else f"code {row['error']}"
    return ", ".join(filter(None, (name(row["product"]), error)))


def when(time: datetime | None, now: datetime, *, seconds: bool = False) -> str:
    """A moment in the zone of `now`: the hour if it is of that day, else with the day."""
    if time is None:
        return NOTHING
    local = time.astimezone(now.tzinfo)
    clock = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    return clock if local.date() == now.date() else f"{_day(local)} {clock}"


def moment(time: datetime | None, zone: tzinfo | None) -> str:
    """A moment with its day and seconds."""
    if time is None:
        return NOTHING
    local = time.astimezone(zone)
    return f"{_day(local)} {local:%H:%M:%S}"


def _day(local: datetime) -> str:
    """3 Mar 2026: no reader takes the day for the month; by no locale."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{local.day} {months[local.month - 1]} {local.year}"


def state(row: Mapping[str, Any]) -> str:
    """Of an incident, with who acted on it: «Open (N. N. takes it on)»."""
    if row["state"] == "firing":
        who = [f"{row['acknowledged_by']} takes it on"] if row["acknowledged_by"] else []
        who += [f"assigned to {row['assigned_to']}"] if row["assigned_to"] else []
        who += ["silenced"] if row.get("silenced_until") else []
        return f"Open ({', '.join(who)})" if who else STATES["firing"]
    if row["state"] == "resolved" and (who := row["resolved_by"]):
        return f"Closed by hand by {who}; still in alert" if row.get("still_failing") else f"Resolved (by {who})"
    return f"Joined to {row['parent_id']}" if row["parent_id"] else STATES[row["state"]]


def act(row: Mapping[str, Any]) -> str:
    """What somebody did, and what they named: «Assigned it to N. N.», «Said whether it was useful: yes»."""
    told = ACTS.get(row["action"], row["action"])
    if row["action"] == "assign":
        return f"{told} to {row['about']}" if row["about"] else "Took the assignment back"
    return f"{told}: {NAMED.get(row['about'], row['about'])}" if row["about"] else told


def useful(told: Iterable[Mapping[str, Any]]) -> str:
    """Whether people found it useful: «yes (N. N.), no (M. M.: it was a planned closing)»."""
    words = (
        f"{'yes' if one['useful'] else 'no'} ({': '.join(filter(None, (one['who'], one['text'])))})" for one in told
    )
    return ", ".join(words) or NOTHING


def number(value: float | Decimal | None) -> str:
    """1,234.5; small ones to three figures."""
    if value is None or isnan(value):
        return NOTHING
    exact, size = value == int(value), abs(float(value))
    if 0 < value < _LEAST:
        return "< 0.001"
    return format(value, ",.0f" if exact or size >= _SMALL else ".3g" if size < 1 else ",.1f")


def count(many: int, word: str, words: str = "") -> str:
    """1 case, 2 cases; words: the plural, where an s does not make it."""
    return f"{number(many)} {word if many == 1 else words or f'{word}s'}"


def operation(row: Mapping[str, Any]) -> str:
    """Of an operation in doubt, its id; how many, where they have none."""
    return str(row["id"]) or f"{number(row['n'])} without an id"


def doubt(row: Mapping[str, Any]) -> str:
    """Why it is in doubt, and what it came to since: «Pending; then went through»."""
    since = SETTLED.get(row["settled_as"], "")
    return DOUBTS[row["state"]] + (f"; then {since}" if since else "")


def measured(value: float | None, measure: str = "") -> str:
    """What a rule saw, in its measure's unit; a plain number where the measure is not known."""
    if value is None:
        return NOTHING
    if measure.endswith("_rate"):
        return f"{number(round(100 * value, 1))}%"
    if measure.startswith("latency"):
        return f"{number(round(value))} ms"
    return money(Decimal(value)) if measure.endswith("amount") else number(value)


def money(amount: Decimal | None) -> str:
    """Pesos, whole."""
    return NOTHING if amount is None else f"COP {number(round(amount))}"


def chance(value: float | None) -> str:
    """«35%»; what is less than one percent is not nothing."""
    if value is None:
        return NOTHING
    return "< 1%" if value < 0.01 else f"{number(round(100 * value))}%"  # noqa: PLR2004 - one percent


def shares(row: Mapping[str, Any]) -> str:
    """What an incident's failures have in common: «92% of the failures: Direct Connection, code E504; 60%: Payments»."""
    by_part: dict[float, list[str]] = {}
    for dimension, value, part in row["shares"] or ():
        one = f"NIT {nit(value)}" if value else "one client"
        words = {"error_code": f"code {value}", "client_id": one}.get(dimension, name(value))
        by_part.setdefault(part, []).append(words)
    of = "of the missing transactions" if set(row["ways"]) == {"missing"} else "of the failures"
    told = [f"{number(round(100 * part))}%: {', '.join(words)}" for part, words in by_part.items()]
    return "; ".join(told).replace("%:", f"% {of}:", 1)


def decided(row: Mapping[str, Any]) -> str:
    """What was decided on a case and, where there is none, why: «No case: Waits for room at the desk»."""
    told = ACTIONS[row["action"]]
    if row["action"] == "none":
        return f"{told}: {REASONS.get(row['reason'], row['reason'])}"
    marks = {
        "withdrawn_at": "withdrawn" + " (the desk has not been told yet)" * untold(row),
        "promoted_at": "incidente",
        "informed_at": "client told",
    }
    return ", ".join([told, *(word for name, word in marks.items() if row.get(name))])


def delivered(row: Mapping[str, Any], now: datetime) -> str:
    """How far what the desk is to be told of a case has come: «Withdrawal: to be sent, since 10:20: HTTP 500»."""
    told = DELIVERIES.get(row["delivery"], row["delivery"])
    told = f"Withdrawal: {told.lower()}, since {when(row['withdrawn_at'], now)}" if untold(row) else told
    return ": ".join(filter(None, (told, row["error"])))


def certainty(row: Mapping[str, Any]) -> str:
    """How sure a link is: «80%», «52%, to be confirmed», «Confirmed by N. N.»."""
    if row.get("confirmed_by"):
        return f"Confirmed by {row['confirmed_by']}"
    sure = row.get("confidence")
    if sure is None:
        return NOTHING
    return f"{number(round(100 * sure))}%{', to be confirmed' if sure < DOUBTFUL else ''}"


def terms(found: Mapping[str, float], version: str = "") -> str:
    """What makes a priority, in points, and by which weights: «segment 30 + impact 12.5 (weights 3fa29c1e)»."""
    told = " + ".join(f"{TERMS.get(key, key)} {number(points)}" for key, points in found.items())
    return f"{told} (weights {version})" if version else told
