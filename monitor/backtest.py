"""`vigia backtest`: history through the very same pipeline, in event time; nothing is sent."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

from alerts import Action, Changes, Decision, Doubt, Escalation, Impact, Incident, IncidentState, TheirCase, Touch
from alerts.cases import CaseBook
from connectors import Reject, SourceError
from monitor.calendar import Calendar
from monitor.causes import causes_of
from monitor.config import Config
from monitor.foretold import foretold, pooled
from monitor.intake import ENDLESS, Intake, cases_of, clients_of, holdings_of
from monitor.labels import Label, compare
from monitor.leading import told
from monitor.pipeline import Pipeline
from monitor.portfolio import Portfolio
from monitor.reached import reached
from monitor.together import told as together
from monitor.windows import DAY, HISTORY, Windows, minute_of, time_of

Progress = Callable[[str, int, int], None]


class RangeError(ValueError):
    """The range that was asked for has no rows."""


@dataclass
class Outcome:
    """What a backtest came to: the newest state of all that was decided."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    impacts: dict[tuple[str, str, str], Impact] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    escalations: dict[str, Escalation] = field(default_factory=dict)
    doubts: dict[tuple[str, ...], Doubt] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    rejects: list[tuple[str, Reject]] = field(default_factory=list)
    rejected: int = 0
    """Rows that could not be used; `rejects` tells of the first of each poll."""
    unknown_statuses: dict[str, dict[str, int]] = field(default_factory=dict)
    wrong_digits: Counter[str] = field(default_factory=Counter)
    """By source, rows of clients whose check digit is wrong."""
    cases: list[TheirCase] = field(default_factory=list)
    bank: Portfolio = field(default_factory=Portfolio)

    def take(self, changes: Changes) -> None:
        """Write a step's changes over what there was."""
        self.incidents |= changes.incidents
        self.decisions |= changes.decisions
        self.escalations |= changes.escalations
        self.doubts |= changes.doubts
        for key, impact in changes.impacts.items():
            if impact is None:
                self.impacts.pop(key, None)
            else:
                self.impacts[key] = impact


def backtest(
    config: Config,
    *,
    start: datetime | None = None,
    until: datetime | None = None,
    labels: Iterable[Label] | None = None,
    span: int = DAY,
    progress: Progress = lambda what, done, whole: None,  # noqa: ARG005 - the silent one
) -> Outcome:
    """Judge [start, until) (None: all there is) in spans of `span` minutes; what lies before `start` trains. SourceError, RangeError."""
    began = perf_counter()
    outcome, pipeline, rows = Outcome(), _pipeline(config), 0
    for source in (source for source in config.sources.values() if source.block.role != "stories"):
        try:
            rows += _load(Intake(source), pipeline, outcome, progress)
        except SourceError as error:
            raise SourceError(f"{source.name}: {error}", permanent=error.permanent, fault=error.fault) from error
    outcome.cases, outcome.bank = list(pipeline.book.cases.values()), pipeline.portfolio
    first, last = pipeline.windows.bounds()
    if last >= first and ((start and minute_of(start) > last) or (until and minute_of(until) <= first)):
        there = f"{time_of(first).isoformat()} to {time_of(last + 1).isoformat()}"
        raise RangeError(f"there is nothing in that range: the rows are of {there}")
    # A day past the last row is judged if it is asked for: it may have ended in a silence. Further out there is nothing to say.
    begin = first if start is None else max(minute_of(start), first)
    end = last + 1 if until is None else min(minute_of(until), last + 1 + DAY)
    for a in range(first, end, span):
        progress("judging", a - first, end - first)
        pipeline.windows.prune(a - 2 * HISTORY)
        if a < begin:
            pipeline.train(a, min(a + span, begin))
        if begin < (b := min(a + span, end)):
            outcome.take(pipeline.judge(max(a, begin), b))
    progress("judging", end - first, end - first)
    outcome.summary = _summary(outcome, rows, begin, end, perf_counter() - began)
    decisions, shown = outcome.decisions.values(), _shown(outcome)
    lead = told(shown, outcome.impacts.values(), decisions, outcome.cases, outcome.bank, config.losses)
    outcome.summary["leads"] = lead
    outcome.summary["rests"] = together(config.rests, outcome.incidents.values(), time_of(begin), time_of(end))
    if labels is not None:
        known = list(labels)
        outcome.summary |= compare(known, shown, _affected(outcome), days=max(end - begin, 1) / DAY)
        outcome.summary["reached"] = reached(known, shown, decisions, outcome.cases)
        counts = foretold(known, shown, outcome.impacts.values())
        outcome.summary |= pooled(list(counts.values()))
        for row in outcome.summary["labels"]:
            row["exposed"] = counts.get(row["label"])
    return outcome


def _pipeline(config: Config) -> Pipeline:
    monitor = config.monitor
    windows = Windows(hold=int(monitor.hold.total_seconds() // 60))
    calendar = Calendar(monitor.timezone, country=monitor.country)
    return Pipeline(
        config.rules(),
        windows,
        calendar,
        lateness=monitor.lateness,
        portfolio=Portfolio(
            desk_of=config.desk_of,
            weights=config.weights,
            limits=config.limits,
            escalating=config.causes.escalating,
            rests=config.rests,
        ),
        maintenance=config.maintenance,
        book=CaseBook(declared=config.declared),
    )


def _load(intake: Intake, pipeline: Pipeline, outcome: Outcome, progress: Progress) -> int:
    windows, counted = pipeline.windows, 0
    for rows in intake.drain(ENDLESS):
        counted += rows.table.num_rows
        progress(f"reading {rows.source}", counted, 0)
        outcome.rejects += [(rows.source, reject) for reject in rows.rejects]
        outcome.rejected += rows.rejected
        outcome.wrong_digits[rows.source] += rows.wrong_digits
        for word, n in rows.unknown_statuses.items():
            words = outcome.unknown_statuses.setdefault(rows.source, {})
            words[word] = words.get(word, 0) + n
        for unknown in rows.unknown:
            windows.gap(*unknown)
        match rows.role:
            case "transactions":
                counts = windows.count(rows.table, source=rows.source, closing=None)
                windows.hold_cells(counts.cells)
                windows.remember(counts.ledger)
                windows.note(counts.doubtful)
            case "metrics":
                windows.hold_metrics(windows.place_metrics(rows.table, source=rows.source, closing=None)[0])
            case "cases":
                pipeline.book.cases.learn(cases_of(rows.table, rows.source))
            case "clients":
                pipeline.portfolio.clients |= {client.client_id: client for client in clients_of(rows.table)}
            case _:
                pipeline.portfolio.holdings += holdings_of(rows.table)
    return counted if intake.role == "transactions" else 0


def _shown(outcome: Outcome) -> list[Incident]:
    kept = [incident for incident in outcome.incidents.values() if incident.state is not IncidentState.MERGED]
    return sorted(kept, key=lambda incident: (incident.detected_at, incident.id))


def _affected(outcome: Outcome) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for impact in outcome.impacts.values():
        if impact.touch is Touch.AFFECTED:
            found.setdefault(impact.incident_id, set()).add(impact.client_id)
    return found


def _summary(outcome: Outcome, rows: int, begin: int, end: int, seconds: float) -> dict[str, Any]:
    actions = [decision.action for decision in outcome.decisions.values()]
    leads = [decision.lead_seconds for decision in outcome.decisions.values() if decision.lead_seconds is not None]
    return {
        "from": time_of(begin).isoformat(),
        "until": time_of(end).isoformat(),
        "transactions": rows,
        "rejected_rows": outcome.rejected,
        "seconds": round(seconds, 3),
        "transactions_per_second": round(rows / seconds),
        "incidents": len(_shown(outcome)),
        "affected_clients": len({client for clients in _affected(outcome).values() for client in clients}),
        "operations_in_doubt": sum(d.n if not d.id else 1 for d in outcome.doubts.values() if not d.settled_at),
        "cases": {str(action): actions.count(action) for action in Action},
        "clients_reached_first": sum(lead > 0 for lead in leads),
        "clients_who_were_first": sum(lead <= 0 for lead in leads),
    }


def write(outcome: Outcome, out: Path, timezone: str) -> None:
    """The files of the contract, times in the bank's own zone."""
    out.mkdir(parents=True, exist_ok=True)
    zone = ZoneInfo(timezone)

    def time(value: datetime | None) -> str:
        return "" if value is None else value.astimezone(zone).isoformat()

    affected = _affected(outcome)
    with _csv(
        out / "incidents.csv",
        "incident_id product channel client_id kind severity started_at detected_at resolved_at rules clients series"
        " ended_at seat symptoms",
    ) as row:
        for i in _shown(outcome):
            row(
                i.id, i.scope.product, i.scope.channel, i.scope.client_id, i.kind, i.severity, time(i.started_at), time(i.detected_at),
                time(i.resolved_at), ";".join(i.rules), len(affected.get(i.id, ())), i.scope.series, time(i.ended_at),
                ";".join(f"{dimension}={value}:{part:g}" for dimension, value, part in i.shares),
                ";".join("/".join(filter(None, scope.values)) for scope in i.symptoms),
            )  # fmt: skip
    with _csv(
        out / "impacts.csv",
        "incident_id client_id product impact failures amount first_failure_at priority missing exposed_at chance",
    ) as row:
        for m in sorted(
            outcome.impacts.values(), key=lambda m: (m.incident_id, m.touch, -m.priority, m.client_id, m.product)
        ):
            row(
                m.incident_id,
                m.client_id,
                m.product,
                m.touch,
                m.failures,
                m.amount,
                time(m.first_failure_at),
                m.priority,
                m.missing,
                time(m.exposed_at),
                "" if m.chance is None else m.chance,
            )
    header = "case_key incident_id client_id product action reason opened_at linked_case_id client_reported_at lead_seconds priority"
    with _csv(out / "cases.csv", header) as row:
        for d in sorted(outcome.decisions.values(), key=lambda d: (d.opened_at, -d.priority, d.key)):
            lead = "" if d.lead_seconds is None else d.lead_seconds
            reported = time(d.client_reported_at)
            row(
                d.key,
                d.incident_id,
                d.client_id,
                d.product,
                d.action,
                d.reason,
                time(d.opened_at),
                d.linked_case_id,
                reported,
                lead,
                d.priority,
            )
    header = "cause incidents clients failures share cumulative escalated_at minutes case_key"
    with _csv(out / "causes.csv", header) as row:
        for cause in causes_of(_shown(outcome), outcome.impacts.values(), outcome.escalations.values()):
            told = (time(e.escalated_at) for e in cause.escalations)
            keys, part = ";".join(e.key for e in cause.escalations), cause.weighed.part
            share, whole = ("" if value is None else round(value, 4) for value in (part.share, part.cumulative))
            w = cause.weighed
            row(w.cause, w.incidents, w.clients, w.failures, share, whole, ";".join(told), w.minutes, keys)
    header = "incident_id client_id product channel id state at amount operations settled_at settled_as"
    with _csv(out / "doubts.csv", header) as row:
        for one in sorted(outcome.doubts.values(), key=lambda one: (one.incident_id, one.client_id, one.at, one.key)):
            what = (one.incident_id, one.client_id, one.product, one.channel, one.id, one.state, time(one.at))
            row(*what, one.amount, one.n, time(one.settled_at), one.settled_as)
    (out / "summary.json").write_text(
        json.dumps(outcome.summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


class _csv:  # noqa: N801 - used as a function is
    def __init__(self, path: Path, header: str) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(header.split())

    def __enter__(self) -> Callable[..., None]:
        return lambda *cells: self._writer.writerow(cells) and None

    def __exit__(self, *_: object) -> None:
        self._file.close()
