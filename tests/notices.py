"""Notices of each sort, as they come to a receiver. All that they tell of is made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from connectors import Notice
from tests.characters import ACEROS

BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
BOARD = "https://vigia.banco.example/"
PAGE = f"{BOARD}incidents/"
_numbers = count(1)


def new_incident() -> str:
    """An id that no other test has."""
    return f"{BEGAN:%Y-%m-%dT%H:%M:%SZ}/pagos/{next(_numbers)}"


def incident_notice(incident: str = "", event: str = "first", *, number: int = 1, **told: Any) -> Notice:
    """About an incident; told: what differs in its facts."""
    incident = incident or new_incident()
    over = BEGAN + timedelta(minutes=8) if event == "end" else None
    facts = {
        "id": incident, "product": "pagos", "channel": "", "client_id": "", "kind": "failures", "ways": ["failures"],
        "severity": "major", "state": "resolved" if over else "firing", "started_at": BEGAN.isoformat(),
        "detected_at": (BEGAN + timedelta(minutes=2)).isoformat(), "ended_at": over and over.isoformat(),
        "resolved_at": over and over.isoformat(), "rules": ["pagos_fallidos"], "value": 0.31, "expected": 0.01,
        "guide": "pagos/fallas", "affected": 14, "exposed": 220, "priority": 81, "cases_opened": 12,
    } | told  # fmt: skip
    clients = {"affected": 14, "exposed": 220, "segments": {"corporativo": 14}, "own": [], "others": 14}
    links = {"incident": f"{PAGE}{incident}", "guide": "https://vigia.banco.example/guides/pagos/fallas"}
    return notice(
        "incident", f"{incident}/torre", event, number=number, incident=facts, clients=clients, links=links
    )  # fmt: skip


def fault_notice(key: str = "source:core", event: str = "first") -> Notice:
    """About a fault of Vigía's own."""
    fault = {"key": key, "severity": "critical", "since": BEGAN.isoformat(), "what": "la fuente core no responde"}
    return notice("fault", f"fault/{key}", event, fault=fault)


def breach_notice() -> Notice:
    """About an incident whose promise was broken."""
    return notice("breach", f"breach/{new_incident()}", "first", incident=incident_notice().facts["incident"])


def digest_notice(news: str = "digest") -> Notice:
    """About many things at once."""
    return notice(
        news, f"{news}/{new_incident()}", "first", clients={"affected": 3, "exposed": 9}, links={"board": BOARD}
    )


def notice(news: str, thread: str, event: str, *, number: int = 1, **facts: Any) -> Notice:
    """With words that are trouble: accents, markup, a quotation, an empty line."""
    at = BEGAN + timedelta(minutes=2 + number)
    known = {"schema": "vigia.notice/1", "news": news, "words": "technical", "language": "es", "at": at.isoformat()}
    known |= {"thread": thread, "sequence": number, "event": event, "why": ["new" if event == "first" else "severity"]}
    subject = f"Vigía: afectación en pagos ({number})"
    text = f'Desde las 10:00 fallan "algunos" pagos.\n\n{ACEROS.name}: 31 % <b>contra</b> 1 % ñandú'
    key = f"{thread}/{number}"
    return Notice(key, thread, event, "", at, subject, text, f"<p>{ACEROS.name} &amp; otros</p>", known | facts)
