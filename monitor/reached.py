"""Of the clients who complained of what really happened, whom Vigía had reached first, and why not the others; and cases opened twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alerts import Action, Decision, Incident, TheirCase
from alerts.leads import SOON, Miss
from alerts.standing import with_standing
from monitor.labels import GRACE, Label

Row = dict[str, Any]
FORMULA = (
    "clients of a label who complained of it (a case of their own, of its product or of none, reported from 5 minutes after its start to"
    " 15 after its end) and for whom a case of ours was open before / all who so complained"
)
NEVER = "never_detected"
"""Nothing was found of the label at all."""
UNTOUCHED = "never_named"
"""It was found in time, and the client was never called affected."""


def reached(
    labels: Sequence[Label],
    incidents: Sequence[Incident],
    decisions: Iterable[Decision],
    cases: Iterable[TheirCase],
) -> Row:
    """The figure over all labels that are not optional and tell whom they touched, the misses one by one, and what was opened twice."""
    given = list(decisions)
    by_client, standing = _by_client(given), _by_client(with_standing(given))
    found = {label.name: [i for i in incidents if label.meets(i)] for label in labels}
    asked = [label for label in labels if label.affected and not label.optional]
    rows, soon = [], 0
    for label, case in _complaints(asked, cases):
        if case.reported_at - label.start < SOON:
            soon += 1
            continue
        mine = [d for i in found[label.name] for d in standing.get((i.id, case.client_id), ())]
        rows.append(_row(label, case, found[label.name], mine))
    missed = [row for row in rows if row["reason"]]
    return {
        "formula": FORMULA,
        "complained": len(rows),
        "first": len(rows) - len(missed),
        "share": (len(rows) - len(missed)) / len(rows) if rows else None,
        "too_soon": soon,
        "misses": dict(Counter(row["reason"] for row in missed).most_common()),
        "misses_by_kind": _by_kind(missed),
        "missed": missed,
        "opened_twice": opened_twice(labels, incidents, by_client),
    }


def _by_client(decisions: Iterable[Decision]) -> dict[tuple[str, str], list[Decision]]:
    found: dict[tuple[str, str], list[Decision]] = defaultdict(list)
    for decision in decisions:
        found[decision.incident_id, decision.client_id].append(decision)
    return found


def opened_twice(
    labels: Sequence[Label], incidents: Sequence[Incident], by_client: Mapping[tuple[str, str], Sequence[Decision]]
) -> list[Row]:
    """Clients with more than one case of ours for one cause: one incident, or incidents that are of one label."""
    causes: dict[str, list[str]] = defaultdict(list)
    for incident in incidents:
        meets = [label for label in labels if label.meets(incident)]
        of = min(meets, key=lambda label: abs(incident.started_at - label.start), default=None)
        causes[of.name if of else incident.id].append(incident.id)
    rows = []
    for cause, ids in causes.items():
        keys: dict[str, list[str]] = defaultdict(list)
        for (incident_id, client), mine in by_client.items():
            if incident_id in ids:
                keys[client] += [d.key for d in mine if d.action is Action.OPEN and not d.withdrawn_at]
        rows += [{"cause": cause, "client_id": c, "cases": sorted(k)} for c, k in sorted(keys.items()) if len(k) > 1]
    return rows


def _complaints(labels: Iterable[Label], cases: Iterable[TheirCase]) -> Iterable[tuple[Label, TheirCase]]:
    """Each client's first case of each label; a case is of one label, the latest that it can be of."""
    first: dict[tuple[str, str], tuple[Label, TheirCase]] = {}
    for case in sorted(cases, key=lambda case: (case.reported_at, case.source, case.case_id)):
        if case.reported_by.strip().lower() == "monitor":
            continue
        of = [label for label in labels if _is_of(case, label)]
        if of:
            label = max(of, key=lambda label: (label.start, label.name))
            first.setdefault((label.name, case.client_id), (label, case))
    return first.values()


def _is_of(case: TheirCase, label: Label) -> bool:
    return (
        case.client_id in label.affected
        and label.start <= case.reported_at <= label.end + GRACE
        and (not case.product or label.scope.product in ("", case.product))
        and (not case.channel or label.scope.channel in ("", case.channel))
    )


def _row(label: Label, case: TheirCase, incidents: Sequence[Incident], decisions: Sequence[Decision]) -> Row:
    detected = min((i.detected_at for i in incidents), default=None)
    named = min((d.decided_at or d.opened_at for d in decisions), default=None)
    told = case.reported_at
    opened = min(
        (d.opened_at for d in decisions if d.action is Action.OPEN and not (d.withdrawn_at and d.withdrawn_at < told)),
        default=None,
    )

    def reason() -> str:
        if opened and opened < told:
            return ""
        if detected is None:
            return NEVER
        if detected >= told:
            return str(Miss.UNDETECTED)
        if named is None:
            return UNTOUCHED
        if named >= told:
            return str(Miss.UNNAMED)
        waited = next((d.waited or d.reason for d in decisions if d.waited or d.action is Action.NONE), "")
        return waited or str(Miss.LINKED)

    return {
        "label": label.name, "kind": label.kind, "client_id": case.client_id, "case_id": case.case_id, "reason": reason(),
        "after_start_seconds": round((told - label.start).total_seconds()),
        "detected_seconds": None if detected is None else round((detected - label.start).total_seconds()),
        "named_seconds": None if named is None else round((named - label.start).total_seconds()),
        "opened_seconds": None if opened is None else round((opened - label.start).total_seconds()),
    }  # fmt: skip


def _by_kind(missed: Iterable[Row]) -> dict[str, dict[str, int]]:
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for row in missed:
        kinds[row["kind"]][row["reason"]] += 1
    return {kind: dict(reasons.most_common()) for kind, reasons in sorted(kinds.items())}
