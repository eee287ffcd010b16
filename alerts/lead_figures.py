"""The figures of lead, anticipation and pérdidas evitadas, each with its formula and with what it was counted from.

A share has all clients who reported for its denominator; those who never did are told apart, and the cases that monitors opened are
never among them. Formulas are in Spanish: they are shown wherever the number is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from alerts.leads import SOON, Line, Miss
from alerts.losses import Losses, avoided

Row = dict[str, Any]
UNSAID = "unsaid"
"""Reported by: where the tool does not say."""
FORMULAS = {
    "reached_first": "afectados que reportaron y a quienes antes se les abrió el caso o se les informó"
    " / afectados que reportaron (por cliente y afectación)",
    "reached_first_in_time": "lo mismo, entre los que reportaron 5 minutos o más después de su primera falla",
    "lead": "mediana de (reporte del cliente - nuestro caso o el aviso, o si no el enlace a su caso); negativa si el cliente fue primero"
    ", también de quien llamó hasta 2 h antes de la detección, antes de su falla",
    "silent": "afectados que no han reportado: no cuentan en ninguna tasa",
    "silent_reached": "de ellos, los que tienen caso nuestro vigente o fueron informados",
    "to_detect": "mediana de (detección - primera falla del cliente), entre los que fallaron antes de la detección",
    "to_case": "mediana de (nuestro caso - detección, o - primera falla del cliente si vino después)",
    "to_inform": "mediana de (aviso al cliente - nuestro caso)",
    "warned": "afectados advertidos (expuestos, o con el producto al detectarse) antes de su primera falla"
    " / afectados con primera falla conocida",
    "warned_of_later": "lo mismo, entre los que fallaron después de la detección",
    "warning": "mediana de (primera falla del cliente - advertencia)",
}


def figures(found: Sequence[Line], losses: Losses) -> Row:
    """All of them over these lines; the misses counted by reason; the same of lead by segment, product and who reported."""
    return {
        "figures": [*_lead(found), *_anticipation(found)],
        "misses": _misses(found),
        "by_segment": _by(found, lambda line: line.segment, "segment"),
        "by_product": _by(found, lambda line: line.product, "product"),
        "by_reported_by": _by(
            [line for line in found if line.reported_at], lambda line: line.reported_by or UNSAID, "reported_by"
        ),
        "losses": avoided(found, losses),
    }


def misses(found: Iterable[Line]) -> list[Row]:
    """Every client who was first, in order of time, with the line of times and the reason."""
    listed = [
        {
            "incident_id": line.incident_id, "client_id": line.client_id, "segment": line.segment, "product": line.product,
            "reason": str(line.miss), "reported_by": line.reported_by, "first_failure_at": line.first_failure_at,
            "detected_at": line.detected_at, "named_at": line.named_at, "case_at": line.case_at,
            "informed_at": line.informed_at, "reported_at": line.reported_at, "lead_seconds": _seconds(line.lead),
        }
        for line in found
        if line.miss
    ]  # fmt: skip
    return sorted(listed, key=lambda row: (row["reported_at"], row["incident_id"], row["client_id"]))


def in_time(line: Line) -> bool:
    """Whether they reported SOON or more after their first bad transaction."""
    first, told = line.first_failure_at, line.reported_at
    return first is not None and told is not None and told - first >= SOON


def _lead(found: Sequence[Line]) -> list[Row]:
    reported = [line for line in found if line.reported_at]
    later = [line for line in reported if in_time(line)]
    silent = [line for line in found if not line.reported_at]
    return [
        _share("reached_first", [line.first for line in reported]),
        _share("reached_first_in_time", [line.first for line in later]),
        _middle("lead", (line.lead for line in reported)),
        _count("silent", len(silent)),
        _count("silent_reached", sum(line.first for line in silent)),
        _middle("to_detect", (_gap(line.first_failure_at, line.detected_at) for line in found)),
        _middle("to_case", (_gap(_since(line), line.case_at) for line in found)),
        _middle("to_inform", (_gap(line.case_at, line.informed_at) for line in found)),
    ]


def _anticipation(found: Sequence[Line]) -> list[Row]:
    dated = [line for line in found if line.first_failure_at]
    later = [line for line in dated if line.first_failure_at and line.first_failure_at > line.detected_at]
    return [
        _share("warned", [line.warning is not None for line in dated]),
        _share("warned_of_later", [line.warning is not None for line in later]),
        _middle("warning", (line.warning for line in dated)),
    ]


def _by(found: Iterable[Line], of: Callable[[Line], str], name: str) -> list[Row]:
    groups: dict[str, list[Line]] = defaultdict(list)
    for line in found:
        groups[of(line)].append(line)
    rows = []
    for key, mine in sorted(groups.items()):
        reported = [line for line in mine if line.reported_at]
        leads = [lead.total_seconds() for line in reported if (lead := line.lead) is not None]
        rows.append(
            {
                name: key, "affected": len(mine), "reported": len(reported), "first": sum(line.first for line in reported),
                "share": _ratio(sum(line.first for line in reported), len(reported)),
                "in_time": sum(map(in_time, reported)), "first_in_time": sum(line.first for line in reported if in_time(line)),
                "silent": len(mine) - len(reported), "lead_seconds": round(median(leads)) if leads else None,
                "misses": _misses(reported),
            }
        )  # fmt: skip
    return rows


def _misses(found: Iterable[Line]) -> dict[str, int]:
    counted = Counter(line.miss for line in found if line.miss)
    return {str(reason): counted[reason] for reason in Miss if counted[reason]}


def _since(line: Line) -> datetime:
    """From when on a case could be opened."""
    return max(line.detected_at, line.first_failure_at) if line.first_failure_at else line.detected_at


def _gap(start: datetime | None, end: datetime | None) -> timedelta | None:
    """None where the order is the other one: what came before was not waited for."""
    return end - start if start and end and end >= start else None


def _share(name: str, hits: Sequence[bool]) -> Row:
    return _row(name, "share", _ratio(sum(hits), len(hits)), sum(hits), len(hits))


def _middle(name: str, gaps: Iterable[timedelta | None]) -> Row:
    seconds = [gap.total_seconds() for gap in gaps if gap is not None]
    return _row(name, "seconds", round(median(seconds)) if seconds else None, len(seconds), len(seconds))


def _count(name: str, many: int) -> Row:
    return _row(name, "clients", many, many, many)


def _row(name: str, unit: str, value: float | None, many: int, of: int) -> Row:
    """many: what is counted; of: among how many."""
    return {"name": name, "unit": unit, "value": value, "many": many, "of": of, "formula": FORMULAS[name]}


def _ratio(many: int, of: int) -> float | None:
    return many / of if of else None


def _seconds(gap: timedelta | None) -> int | None:
    return None if gap is None else round(gap.total_seconds())
