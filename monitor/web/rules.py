"""The page of rules: what each says now and where, how sure it is, and whether what it found was of use."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from math import isnan

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from alerts import IncidentState
from monitor import tables as t
from monitor.people import rules_useful
from monitor.pipeline import Status
from monitor.standing import Row, only, rows
from monitor.store import Store
from monitor.web.face import Face
from rules import Verdict

MONTH = timedelta(days=30)
WORDS = {Verdict.BREACH: "breach", Verdict.UNKNOWN: "unknown", Verdict.HEALTHY: "healthy"}


def pages(face: Face) -> APIRouter:
    """/reglas."""
    router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    @router.get("/reglas")
    @router.get("/rules")
    def rules() -> HTMLResponse:
        now = face.clock()
        said: dict[str, list[Status]] = defaultdict(list)
        for status in face.metrics.said:
            said[status.rule].append(status)
        found, useful = _found(face.store, now), rules_useful(face.store)
        names = list(dict.fromkeys((*face.measures, *said)))
        shown = [
            _row(name, said[name]) | {"incidents": found[name], "useful": useful.get(name, (0, 0))} for name in names
        ]
        shown.sort(key=lambda row: (-row["breach"], -row["top"], row["name"]))
        return face.shown("rules.html", now, rules=shown)

    return router


def _row(name: str, said: list[Status]) -> Row:
    """One rule: in how many places it finds what, those in breach (the surest first), and its highest score."""
    counts = Counter(WORDS[status.verdict] for status in said)
    scores = [0.0 if isnan(status.score) else status.score for status in said]
    breach = sorted((s for s in said if s.verdict is Verdict.BREACH), key=lambda s: -(0 if isnan(s.score) else s.score))
    return {
        "name": name,
        **{word: counts[word] for word in WORDS.values()},
        "top": max(scores, default=0.0),
        "places": [
            {"product": s.scope.product, "channel": s.scope.channel, "series": s.scope.series, "client_id": ""}
            | {"value": _known(s.value), "expected": _known(s.expected)}
            for s in breach
        ],
        "unsure": [
            {"product": s.scope.product, "channel": s.scope.channel} for s in said if s.verdict is Verdict.UNKNOWN
        ],
    }


def _known(value: float) -> float | None:
    """To four places: less is as good as nothing."""
    return None if isnan(value) else round(value, 4)


def _found(store: Store, now: datetime) -> Counter[str]:
    """By rule: the incidents of the last MONTH that it saw."""
    i = t.incidents.c
    lately = only(t.incidents, "rules", i.started_at > now - MONTH, i.state != IncidentState.MERGED)
    return Counter(rule for row in rows(store, lately) for rule in row["rules"])
