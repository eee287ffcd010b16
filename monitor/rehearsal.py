"""The bank's templates and guides, tried before they are needed: every template rendered for every kind of news with made-up facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, get_args

from monitor.blocks import Words
from monitor.faults import Fault
from monitor.guides import Guides
from monitor.languages import Code
from monitor.words import PARTIALS, SHIPPED, rendered
from rules import Severity, Way

LANGUAGES: tuple[Code, ...] = get_args(Code)
EVENTS = ("first", "update", "end")
WHY = ("new", "severity", "clients", "scope", "end", "again", "escalated")
_AT, _LATER = "2026-03-03T15:30:00+00:00", "2026-03-03T16:00:00+00:00"
_OWN: Mapping[str, Any] = {
    "client_id": "900123456", "client": "Cliente de Ejemplo", "segment": "corporativo", "touch": "affected", "priority": 83,
    "products": ["pagos"], "failures": 131, "missing": 12, "amount": "98450000.00", "first_failure_at": _AT, "informed_at": None,
    "affected_at": _AT, "new": False,
    "case": {"key": "VG-1", "action": "open", "reason": "", "reference": "C-000001", "elsewhere": False},
    "doubts": [{"id": "TX-1", "n": 1, "state": "pending", "at": _AT, "amount": "1200000.00", "product": "pagos", "channel": ""}],
}  # fmt: skip
_BARE = dict(_OWN) | {"client": "", "case": None, "doubts": [], "informed_at": _AT, "first_failure_at": None}
_INCIDENT: Mapping[str, Any] = {
    "id": "AF-20260303T1505-a1b2c3", "product": "pagos", "channel": "conexion_directa", "client_id": "", "series": "", "client": "",
    "one_client": False, "kind": "failed", "ways": ["failed"], "severity": "critical", "state": "firing", "started_at": _AT,
    "detected_at": _AT, "ended_at": None, "resolved_at": None, "minutes": 25, "rules": ["fallas"], "value": 0.231, "expected": 0.012,
    "measure": "failed_rate", "guide": "general/fallas", "parent_id": "", "acknowledged_by": "", "assigned_to": "", "resolved_by": "",
    "reopened_at": None, "still_failing": False,
    "shares": [["channel", "conexion_directa", 0.92], ["error_code", "E504", 0.92]], "reach": ["pagos", "", "", ""],
    "symptoms": [["recaudos", "", "", ""]], "affected": 2, "exposed": 1, "priority": 83, "cases_opened": 1, "cases_linked": 1,
    "cases_left": 0, "cases_waiting": 2, "names": {"product": "Pagos", "channel": "Conexión Directa"}, "failing": [], "nowhere": [],
    "signals": [{"rule": "fallas", "product": "pagos", "channel": "", "series": "", "client_id": "", "state": "firing", "since": _AT,
                 "value": 0.41, "expected": None, "measure": "failed_rate"}],
}  # fmt: skip
_CASE: Mapping[str, Any] = {
    "incident_id": "AF-20260303T1505-a1b2c3", "product": "pagos", "priority": 83, "opened_at": _AT, "clock": "breached", "due_at": _AT,
    "informed_at": None, "reference": "C-000001", "segment": "corporativo", "client_id": "900123456", "client": "Cliente de Ejemplo",
    "link": "https://vigia.banco.example/incidents/AF-1",
}  # fmt: skip


def samples(
    language: Code,
    ways: Iterable[str] = get_args(Way),
    severities: Iterable[str] = tuple(map(str, Severity)),
) -> Iterator[dict[str, Any]]:
    """Facts of every kind of news, in all words, ways, severities and at every event."""
    at = {"schema": "vigia.notice/1", "language": language, "at": _AT}
    for way, severity, event, words in product(ways, severities, EVENTS, ("technical", "plain")):
        yield at | {"event": event, "why": list(WHY)} | sample_incident(way, severity, event) | {"words": words}
    for severity, event in product(severities, EVENTS):
        fault = {"key": "source:core", "severity": severity, "since": _AT, "what": "core"}
        yield at | {"news": "fault", "words": "technical", "event": event, "fault": fault, "links": {"board": ""}}
    row = sample_incident("slow", "minor", "end")["incident"] | {
        "own": [_OWN, _BARE],
        "own_more": 3,
        "own_exposed": 57,
        "link": "",
    }
    listed = at | {"words": "technical", "links": {"board": "https://vigia.banco.example/"}}
    for rows in (
        [],
        [
            row,
            dict(_INCIDENT)
            | {"own": [], "own_more": 0, "own_exposed": 0, "link": "https://vigia.banco.example/incidents/AF-1"},
        ],
    ):
        yield listed | {"news": "digest", "incidents": rows, "others": 2, "from": _AT, "until": _LATER}
        yield listed | {"news": "summary", "incidents": rows}
    late: list[Any] = [_CASE, dict(_CASE) | {"clock": "at_risk", "reference": "", "client": "", "link": ""}]
    for cases in ([], late[:1], late):
        yield listed | {"news": "breach", "cases": cases}


def sample_incident(way: str, severity: str, event: str) -> dict[str, Any]:
    """Facts of an incident whose reader has two clients of their own."""
    over = (
        {"state": "resolved", "ended_at": _LATER, "resolved_at": _LATER, "resolved_by": "Mesa"}
        if event == "end"
        else {}
    )
    done = {"at": _AT, "who": "Mesa", "action": "note", "text": "…", "about": "", "cases": 0}
    return {
        "news": "incident",
        "incident": dict(_INCIDENT) | {"kind": way, "ways": [way], "severity": severity} | over,
        "clients": {"affected": 2, "exposed": 1, "segments": {"corporativo": 1, "": 1}, "own": [_OWN, _BARE], "own_more": 4,
                    "own_exposed": 57, "others": 1},
        "done": [done, done | {"action": "informed", "text": "", "cases": 3}],
        "links": {name: f"https://vigia.banco.example/{name}" for name in ("incident", "clients")}
        | {"guide": "https://vigia.banco.example/guias/pagos/fallas"},
        "next_at": None if over else _LATER,
    }  # fmt: skip


def rehearsed(words: Words) -> list[Fault]:
    """What is wrong with the bank's templates and guides: by file, and line where there is one."""
    faults = [fault for language in LANGUAGES for fault in Guides(language, words.guides).faults]
    faults += [*_strays(words.templates, {*_shipped(), *PARTIALS}), *_strays(words.guides)]
    for language in LANGUAGES:
        if words.templates and any((Path(words.templates) / language).glob("*")):
            faults += [
                fault
                for facts in samples(language, severities=["critical"])
                for fault in rendered(facts, words, quiet=True).faults
            ]
    return list(dict.fromkeys(faults))


def _shipped() -> set[str]:
    return {file.name for language in LANGUAGES for file in (SHIPPED / language).iterdir()}


def _strays(folder: str, known: set[str] | None = None) -> Iterator[Fault]:
    """Files that nothing will ever use: in no language's folder, or named as no template is."""
    if not folder:
        return
    here = Path(folder)
    for file in sorted(here.iterdir()):
        if file.name not in LANGUAGES and not file.name.startswith("."):
            yield Fault(f"{here.name}/{file.name}", "", f"stands in no language's folder: {', '.join(LANGUAGES)}")
    for language in LANGUAGES if known else ():
        for file in sorted((here / language).glob("*")):
            wordless = {name.replace(".plain", "").replace(".technical", "") for name in known or ()}
            plain = file.name.replace(".plain", "").replace(".technical", "")
            if plain not in wordless and not file.name.startswith((".", "_")):
                what = "no such template; one of your own that others include begins with _"
                yield Fault(f"{language}/{file.name}", "", what)
