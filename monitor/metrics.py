"""What Vigía says of itself to Prometheus: each of its parts tells what it did, `exposition` is what Prometheus reads.

Names, labels and units stand in `monitor.metric_names`; what stands now (rules, incidents, clients) in `monitor.standing_metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest, metrics

from alerts import Action, Alert, Changes, Client, Decision, Impact, Incident, IncidentState
from alerts.leads import Line
from alerts.reasons import waits
from alerts.ties import AFTER
from connectors import Fault
from monitor.cells import BUCKETS
from monitor.config import Config
from monitor.lateness import Behind, expected
from monitor.lead_metrics import LeadMetrics
from monitor.metric_names import counter, gauge, histogram
from monitor.outbox import receiver_name
from monitor.outside_metrics import OutsideMetrics
from monitor.pipeline import Status
from monitor.places import Places, segment
from monitor.standing_metrics import Open, Standing
from monitor.verdicts import Said
from rules import CLASSES, Floats, Severity, Verdict

metrics.disable_created_metrics()  # type: ignore[no-untyped-call]  # `_created` series help nobody; one switch for all

Clients = Mapping[str, Client]
_CASES = {Action.OPEN: "opened", Action.LINK: "linked", Action.NONE: "left"}


@dataclass(frozen=True, slots=True)
class SourceStanding:
    """How a source is. up: its last poll was answered; lag: seconds since the time until which it is complete."""

    up: bool
    lag: float | None = None


class Metrics:
    """The metrics of one service.

    sources, desks (receivers and boards among them) and rules: the configured names, so that what is counted of them stands at zero
    before the first event.
    """

    def __init__(self, *, sources: Iterable[str] = (), desks: Iterable[str] = (), rules: Iterable[str] = ()) -> None:
        self.registry = CollectorRegistry()
        self.sources: dict[str, SourceStanding] = {}
        self.last_cycle: datetime | None = None
        self.last_step: datetime | None = None
        self.behind: Callable[[], Behind | None] = lambda: None
        self.still: Callable[[], list[str]] = list
        self._places = Places()
        self._now = Standing(self._places, rules)
        self._counted: dict[str, set[str]] = {}
        self._over: dict[str, datetime | None] = {}
        sources, desks = tuple(sources), tuple(desks)
        self._make()
        self.outside = OutsideMetrics(self.registry, sources, desks)
        self._now.raised(())
        for severity in Severity:
            for counted in (self._opened, self._resolved, self._merged):
                counted.labels(severity)
        for source in sources:
            for counted in (*self._rows.values(), self._source_errors):
                counted.labels(source)
        for desk in desks:
            for counted in (*self._cases.values(), self._sent, self._send_errors):
                counted.labels(desk)

    @classmethod
    def of(cls, config: Config) -> Self:
        """As it is configured."""
        desks = [*config.desks, *map(receiver_name, config.receivers), *(f"boards.{name}" for name in config.boards)]
        made = cls(sources=config.sources, desks=desks, rules=[rule.spec.name for rule in config.rules()])
        made.foreseen.set(expected(config).total_seconds())
        return made

    def _make(self) -> None:
        r = self.registry
        self._transactions = counter(r, "transactions")
        self._by_class = {name: counter(r, f"transactions_{name}") for name in CLASSES if name != "ok"}
        kinds = {"rows": "rows", "unknown": "unknown_status_rows"}
        kinds |= {name: f"{name}_rows" for name in ("rejected", "late", "too_late", "repeated", "wrong_digit")}
        self._rows = {name: counter(r, f"source_{known}") for name, known in kinds.items()}
        self._source_errors, self._source_up = counter(r, "source_errors"), gauge(r, "source_up")
        self._source_circuit, self._desk_circuit = gauge(r, "source_circuit_open"), gauge(r, "desk_circuit_open")
        self._poll = histogram(r, "poll_seconds")
        self._missed, self._judged = counter(r, "missed_runs"), counter(r, "judged_seconds")
        self._job_errors = counter(r, "job_errors")
        self._judging_lag, self._step = gauge(r, "judging_lag_seconds"), histogram(r, "step_seconds")
        self.foreseen = gauge(r, "judging_lag_expected_seconds")
        self._step_errors, self._queue = counter(r, "step_errors"), gauge(r, "queue_length")
        self._filled = gauge(r, "queue_filled_ratio")
        self._cells = gauge(r, "cells_held")
        self._opened, self._resolved = counter(r, "incidents_opened"), counter(r, "incidents_resolved")
        self._merged = counter(r, "incidents_merged")
        self._cases = {name: counter(r, f"cases_{name}") for name in _CASES.values()}
        self._escalated = counter(r, "causes_escalated")
        self._outbox, self._outbox_age = gauge(r, "outbox_pending"), gauge(r, "outbox_oldest_age_seconds")
        self._sent, self._send_errors = counter(r, "outbox_sent"), counter(r, "outbox_errors")
        self._given_up = counter(r, "outbox_given_up")
        self._heartbeats, self._heartbeat_errors = counter(r, "heartbeats"), counter(r, "heartbeat_errors")
        self._cycle = gauge(r, "last_cycle_timestamp_seconds")
        self._reload_taken = gauge(r, "config_last_reload_successful")
        self._reloaded = gauge(r, "config_last_reload_timestamp_seconds")
        gauge(r, "build_version").set(_build())
        self._leads = LeadMetrics(r)
        r.register(self._now)
        ProcessCollector(namespace="vigia", registry=r)

    def exposition(self) -> bytes:
        """All of it, in Prometheus' text format 0.0.4."""
        return generate_latest(self.registry)

    def polled(self, source: str, seconds: float) -> None:
        """A poll was answered."""
        self._poll.labels(source).observe(seconds)

    def counted(
        self,
        source: str,
        *,
        rows: int = 0,
        late: int = 0,
        too_late: int = 0,
        repeated: int = 0,
        rejected: int = 0,
        unknown: int = 0,
        wrong_digit: int = 0,
    ) -> None:
        """What a poll brought, and what became of it."""
        counts = {"rows": rows, "late": late, "too_late": too_late, "repeated": repeated}
        counts |= {"rejected": rejected, "unknown": unknown, "wrong_digit": wrong_digit}
        for name, number in counts.items():
            self._rows[name].labels(source).inc(number)

    def transactions(self, cells: pa.Table) -> None:
        """Newly counted cells (columns product, channel, status, bin, n). What takes rows back (n < 0) lowers no counter."""
        gross = cells.filter(pc.greater(cells["n"], 0)).group_by(["product", "channel", "status"])
        # The busiest first: places beyond the first many are counted as one.
        for row in gross.aggregate([("n", "sum")]).sort_by([("n_sum", "descending")]).to_pylist():
            place = self._places.place(row["product"] or "", row["channel"] or "")
            self._transactions.labels(*place).inc(row["n_sum"])
            for name, counted in self._by_class.items():
                counted.labels(*place).inc(row["n_sum"] if row["status"] == name else 0)
        self._timed(cells.filter(pc.and_(pc.greater(cells["n"], 0), pc.is_valid(cells["bin"]))))

    def _timed(self, cells: pa.Table) -> None:
        latency: dict[tuple[str, str], Floats] = dict(self._now.latency)
        for row in cells.group_by(["product", "channel", "bin"]).aggregate([("n", "sum")]).to_pylist():
            place = self._places.place(row["product"] or "", row["channel"] or "")
            counts = latency.get(place, np.zeros(BUCKETS)).copy()
            counts[row["bin"]] += row["n_sum"]
            latency[place] = counts
        self._now.latency = latency

    def source(self, name: str, *, up: bool, lag: float | None = None) -> None:
        """How a source is now, as pages show it; to Prometheus its lag is told as of when it reads (`OutsideMetrics.lags`)."""
        self.sources[name] = SourceStanding(up, lag)
        self._source_up.labels(name).set(up)

    def source_error(self, source: str, fault: Fault = "other") -> None:
        """A poll failed."""
        self._source_errors.labels(source).inc()
        self.outside.failed("source", source, fault)

    def circuits(self, *, source: str = "", desk: str = "", state: str) -> None:
        """Whether the server of a source or desk is left alone: its circuit's state, if it is not closed."""
        gauge_, name = (self._source_circuit, source) if source else (self._desk_circuit, desk)
        gauge_.labels(name).set(state != "closed")

    def job_error(self) -> None:
        """A scheduled run failed."""
        self._job_errors.inc()

    def missed_run(self) -> None:
        """The scheduler skipped a run."""
        self._missed.inc()

    def queued(self, length: Callable[[], int], filled: Callable[[], float]) -> None:
        """How many polls wait to be judged, and of their room how much: asked when it is read, for they gather while others are judged."""
        self._queue.set_function(length)
        self._filled.set_function(filled)

    def judged(self, minutes: int, lag: float, seconds: float) -> None:
        """A step judged so many minutes, `lag` seconds after the newest of them ended, in `seconds`."""
        self._judged.inc(60 * minutes)
        self._judging_lag.set(lag)
        self._step.observe(seconds)

    def stale(self, asked: Callable[[], bool]) -> None:
        """Whether nothing was judged lately: asked whenever it is read what the rules say, for then nobody can tell."""
        self._now.stale = asked

    def statuses(self, found: Iterable[Status], alerts: Iterable[Alert] = (), said: Iterable[Said] = ()) -> None:
        """What every rule says now of every scope, its alerts, pending and firing, and what all say of each place (`summed`)."""
        self._now.said(found)
        self._now.placed(said)
        self._now.raised(alerts)

    def held(self, cells: int) -> None:
        """How many cells are held in memory."""
        self._cells.set(cells)

    @property
    def said(self) -> list[Status]:
        """What every rule last said, one a rule, product and channel."""
        return list(self._now.words.values())

    @property
    def watched(self) -> tuple[int, int]:
        """How many places the rules watch (a rule, product and channel each), and of how many they cannot say."""
        verdicts = [status.verdict for status in self._now.words.values()]
        return len(verdicts), verdicts.count(Verdict.UNKNOWN)

    def stepped(self, now: datetime) -> None:
        """A step ended: what is told of the sources is as of now, and what is long over is forgotten."""
        self.last_step = now
        for incident_id, at in list(self._over.items()):
            self._over[incident_id] = at or now
            if at and now - at > AFTER:
                del self._over[incident_id], self._counted[incident_id]
                self._leads.forget(incident_id)

    def step_error(self) -> None:
        """A step failed."""
        self._step_errors.inc()

    def cycle(self, now: datetime) -> None:
        """A full cycle ended: minutes were judged."""
        self.last_cycle = now
        self._cycle.set(now.timestamp())

    # ---- incidents and cases ---------------------------------------------------------------------------------------

    def resume(
        self, incidents: Iterable[Incident], impacts: Iterable[Impact], decisions: Iterable[Decision], clients: Clients
    ) -> None:
        """What stood before this start, open or over for less than a day: it shows, and is not counted again."""
        incidents, impacts, decisions = list(incidents), list(impacts), list(decisions)
        self._leads.resume(incidents, impacts, decisions)
        self._now.open = {i.id: _open(i) for i in incidents if i.state is IncidentState.FIRING}
        touched = {(i.incident_id, i.client_id, i.product): (_segment(i, clients), i.touch) for i in impacts}
        self._now.touched = {key: touch for key, touch in touched.items() if key[0] in self._now.open}
        self._counted |= {i.id: self._counted.get(i.id, set()) for i in incidents}
        self._over |= {i.id: i.resolved_at for i in incidents if i.state is not IncidentState.FIRING}
        for decision in decisions:
            if not waits(decision):
                self._counted.setdefault(decision.incident_id, set()).add(decision.key)

    def decided(self, changes: Changes, clients: Clients) -> None:
        """What a step changed, once committed. What was over for more than a day is not told of."""
        open_, touched = dict(self._now.open), dict(self._now.touched)
        for incident in changes.incidents.values():
            if incident.id not in self._counted:
                self._opened.labels(incident.severity).inc()
            self._counted.setdefault(incident.id, set())
            open_[incident.id] = _open(incident)
            if incident.state is not IncidentState.FIRING:
                del open_[incident.id]
                if incident.id not in self._over:
                    self._over[incident.id] = incident.resolved_at
                    over = self._resolved if incident.state is IncidentState.RESOLVED else self._merged
                    over.labels(incident.severity).inc()
        for key, impact in changes.impacts.items():
            if impact is None:
                touched.pop(key, None)
            else:
                touched[key] = (_segment(impact, clients), impact.touch)
        self._now.touched = {key: touch for key, touch in touched.items() if key[0] in open_}
        self._now.open = open_
        self._leads.decided(changes, clients)
        for one in changes.escalated:
            scope = one.found[-1].scope
            self._escalated.labels(*self._places.place(scope.product, scope.channel)).inc()
        # Who waits is counted when a case is opened after all, or when it is over.
        for decision in (*(d for d in changes.decisions.values() if not waits(d)), *changes.ended):
            counted = self._counted.get(decision.incident_id)
            if counted is not None and decision.key not in counted:
                counted.add(decision.key)
                self._cases[_CASES[decision.action]].labels(decision.desk).inc()

    def led(self, lines: Iterable[Line]) -> None:
        """Who reported lately, and when they were reached (see `monitor.leading.reported`)."""
        self._now.lines = tuple(lines)

    def promises(self, found: Mapping[tuple[str, str], tuple[int, int]]) -> None:
        """By product and segment: how many open cases are at risk, and how many are late."""
        self._now.promised(found)

    def outbox(self, pending: int, oldest_age: float) -> None:
        """How many messages wait, and for how many seconds the oldest has."""
        self._outbox.set(pending)
        self._outbox_age.set(oldest_age)

    def sent(self, desk: str) -> None:
        """A desk or receiver took a message."""
        self._sent.labels(desk).inc()

    def delivery_error(self, desk: str, fault: Fault = "other") -> None:
        """A desk or receiver did not take a message."""
        self._send_errors.labels(desk).inc()
        self.outside.failed("desk", desk, fault)

    def given_up(self, desk: str, many: int) -> None:
        """What waited for a desk that is gone was given up."""
        self._given_up.labels(desk).inc(many)

    def reloaded(self, now: datetime, *, taken: bool) -> None:
        """The configuration was read, and taken or not."""
        self._reload_taken.set(taken)
        if taken:
            self._reloaded.set(now.timestamp())

    def heartbeat(self, *, taken: bool) -> None:
        """The address of the dead man's switch was asked."""
        (self._heartbeats if taken else self._heartbeat_errors).inc()


def _open(incident: Incident) -> Open:
    return Open(incident.severity, bool(incident.acknowledged_by))


def _segment(impact: Impact, clients: Clients) -> str:
    client = clients.get(impact.client_id)
    return segment(client.segment) if client else ""


def _build() -> int:
    major, minor, patch = (int(part) for part in version("vigia").split(".")[:3])
    return major * 10000 + minor * 100 + patch
