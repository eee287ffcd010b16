"""What Vigía says of itself to Prometheus: every metric with its meaning and unit, in one place.

Labels are product, channel, segment, rule, severity, source and desk only: never a client. Gauges of what stands now
(rules, incidents, clients) are made when they are read, each from one snapshot: a scrape never meets half of a change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest, metrics
from prometheus_client.core import GaugeMetricFamily

from alerts import Action, Changes, Client, Decision, Impact, Incident, IncidentState, Touch
from alerts.priority import SEGMENTS
from alerts.reasons import waits
from monitor.lead_metrics import LeadMetrics
from monitor.pipeline import Status
from rules import CLASSES, Severity, Verdict

metrics.disable_created_metrics()  # type: ignore[no-untyped-call]  # `_created` series help nobody; one switch for all

Clients = Mapping[str, Client]
PLACE = ("product", "channel")
SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
LEAD = (-14400, -3600, -900, -300, 0, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400)
"""Negative where the client was first."""
_CASES = {Action.OPEN: "opened", Action.LINK: "linked", Action.NONE: "left"}
_WORST = (Verdict.HEALTHY, Verdict.UNKNOWN, Verdict.BREACH)


@dataclass(frozen=True, slots=True)
class SourceStanding:
    """How a source is. up: its last poll was answered; lag: seconds since the time until which it is complete."""

    up: bool
    lag: float | None = None


class Metrics:
    """The metrics of one service. Each of its parts tells it what it did; `exposition` is what Prometheus reads.

    sources and desks: the configured names, so that their counters stand at zero before the first event.
    """

    def __init__(self, *, sources: Iterable[str] = (), desks: Iterable[str] = ()) -> None:
        self.registry = CollectorRegistry()
        self.sources: dict[str, SourceStanding] = {}
        self.last_cycle: datetime | None = None
        self.last_step: datetime | None = None
        self._now = _Now()
        self._decided: dict[str, bool] = {}
        self._make()
        for severity in Severity:
            for counter in (self._opened, self._resolved, self._merged):
                counter.labels(severity)
        for source in sources:
            for counter in (*self._rows.values(), self._source_errors):
                counter.labels(source)
        for desk in desks:
            for counter in (*self._cases.values(), self._sent, self._send_errors):
                counter.labels(desk)

    def _make(self) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"vigia_{name}", meaning, labels, registry=self.registry)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"vigia_{name}", meaning, labels, registry=self.registry)

        def seconds(name: str, meaning: str, *labels: str, buckets: tuple[float, ...] = SECONDS) -> Histogram:
            return Histogram(f"vigia_{name}_seconds", meaning, labels, registry=self.registry, buckets=buckets)

        gross = "gross: one that was pending and then failed counts as both"
        self._transactions = counter("transactions", f"Transactions counted, {gross}.", *PLACE)
        self._by_class = {
            name: counter(f"transactions_{name}", f"Transactions that were {name}, {gross}.", *PLACE)
            for name in CLASSES
            if name != "ok"
        }
        self._rows = {
            "rows": counter("source_rows", "Rows read.", "source"),
            "rejected": counter("source_rejected_rows", "Rows left out because they could not be used.", "source"),
            "late": counter("source_late_rows", "Rows of a minute already judged; they correct it.", "source"),
            "too_late": counter("source_too_late_rows", "Rows dropped: older than late rows may be.", "source"),
            "repeated": counter("source_repeated_rows", "Rows whose id was seen before; the newest counts.", "source"),
            "unknown": counter("source_unknown_status_rows", "Rows with a status that no class names.", "source"),
        }
        self._source_errors = counter("source_errors", "Polls that failed.", "source")
        self._source_up = gauge("source_up", "1 if the last poll was answered, else 0.", "source")
        self._source_lag = gauge("source_lag_seconds", "Age of the time until which the source is complete.", "source")
        self._poll = seconds("poll", "Time a poll took.", "source")
        self._missed = counter("missed_runs", "Scheduled runs skipped because the one before still worked.")
        self._judged = counter("judged_seconds", "Event time judged.")
        self._judging_lag = gauge("judging_lag_seconds", "Age of the newest minute judged, when it was.")
        self._step = seconds("step", "Time a step took: rows in, judged, committed.")
        self._step_errors = counter("step_errors", "Steps that failed: what they would have judged is taken again.")
        self._queue = gauge("queue_length", "Polls waiting to be judged.")
        self._opened = counter("incidents_opened", "Incidents detected, by their severity then.", "severity")
        self._resolved = counter("incidents_resolved", "Incidents over, by their last severity.", "severity")
        self._merged = counter("incidents_merged", "Incidents found to be symptoms of another.", "severity")
        self._cases = {
            "opened": counter("cases_opened", "Preventive cases opened.", "desk"),
            "linked": counter("cases_linked", "Affected clients whose own open case stands for ours.", "desk"),
            "left": counter("cases_left", "Affected clients for whom nothing was opened.", "desk"),
        }
        meaning = "From our case to the client's own report; negative where the client was first."
        self._escalated = counter("causes_escalated", "Causes escalated as a root cause.", *PLACE)
        self._lead = seconds("lead_time", meaning, buckets=LEAD)
        self._outbox = gauge("outbox_pending", "Messages to desks that wait to be sent.")
        self._outbox_age = gauge("outbox_oldest_age_seconds", "Age of the oldest message that waits to be sent.")
        self._sent = counter("outbox_sent", "Messages that a desk took.", "desk")
        self._send_errors = counter("outbox_errors", "Deliveries that failed; most are tried again.", "desk")
        self._cycle = gauge("last_cycle_timestamp_seconds", "When the last full cycle ended.")
        self._leads = LeadMetrics(self.registry)
        self.registry.register(self._now)
        ProcessCollector(namespace="vigia", registry=self.registry)

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
        rows: int,
        late: int = 0,
        too_late: int = 0,
        repeated: int = 0,
        rejected: int = 0,
        unknown: int = 0,
    ) -> None:
        """What a poll brought, and what became of it."""
        counts = {"rows": rows, "late": late, "too_late": too_late, "repeated": repeated}
        for name, number in (counts | {"rejected": rejected, "unknown": unknown}).items():
            self._rows[name].labels(source).inc(number)

    def transactions(self, cells: pa.Table) -> None:
        """Newly counted cells (columns product, channel, status, n). What takes rows back (n < 0) lowers no counter."""
        gross = cells.filter(pc.greater(cells["n"], 0)).group_by([*PLACE, "status"]).aggregate([("n", "sum")])
        for row in gross.to_pylist():
            place = (row["product"] or "", row["channel"] or "")
            self._transactions.labels(*place).inc(row["n_sum"])
            for name, counter in self._by_class.items():
                counter.labels(*place).inc(row["n_sum"] if row["status"] == name else 0)

    def source(self, name: str, *, up: bool, lag: float | None = None) -> None:
        """How a source is now; a lag that is not known is not shown."""
        self.sources[name] = SourceStanding(up, lag)
        self._source_up.labels(name).set(up)
        if lag is not None:
            self._source_lag.labels(name).set(lag)

    def source_error(self, source: str) -> None:
        """A poll failed."""
        self._source_errors.labels(source).inc()

    def missed_run(self) -> None:
        """The scheduler skipped a run."""
        self._missed.inc()

    def queued(self, length: int) -> None:
        """How many polls wait to be judged."""
        self._queue.set(length)

    def judged(self, minutes: int, lag: float, seconds: float) -> None:
        """A step judged so many minutes, `lag` seconds after the newest of them ended, in `seconds`."""
        self._judged.inc(60 * minutes)
        self._judging_lag.set(lag)
        self._step.observe(seconds)

    def statuses(self, found: Iterable[Status]) -> None:
        """What every rule last said of every scope."""
        self._now.statuses = _worst(found)

    @property
    def said(self) -> list[Status]:
        """What every rule last said, one a rule, product and channel."""
        return list(self._now.statuses.values())

    @property
    def watched(self) -> tuple[int, int]:
        """How many places the rules watch (a rule, product and channel each), and of how many they cannot say."""
        verdicts = [status.verdict for status in self._now.statuses.values()]
        return len(verdicts), verdicts.count(Verdict.UNKNOWN)

    def stepped(self, now: datetime) -> None:
        """A step ended: what is told of the sources is as of now."""
        self.last_step = now

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
        """What stood before this start: it shows, and is not counted again."""
        incidents, impacts, decisions = list(incidents), list(impacts), list(decisions)
        self._leads.resume(incidents, impacts, decisions)
        self._now.open = {i.id: i.severity for i in incidents if i.state is IncidentState.FIRING}
        self._now.touched = {(i.incident_id, i.client_id, i.product): (_segment(i, clients), i.touch) for i in impacts}
        self._decided |= {d.key: d.lead_seconds is not None for d in decisions if not waits(d)}

    def decided(self, changes: Changes, clients: Clients) -> None:
        """What a step changed, once committed."""
        self._leads.decided(changes, clients)
        open_, touched = dict(self._now.open), dict(self._now.touched)
        for incident in changes.incidents.values():
            if incident.id not in open_:
                self._opened.labels(incident.severity).inc()
            open_[incident.id] = incident.severity
            if incident.state is not IncidentState.FIRING:
                del open_[incident.id]
                over = self._resolved if incident.state is IncidentState.RESOLVED else self._merged
                over.labels(incident.severity).inc()
        for key, impact in changes.impacts.items():
            if impact is None:
                touched.pop(key, None)
            else:
                touched[key] = (_segment(impact, clients), impact.touch)
        self._now.touched = {key: touch for key, touch in touched.items() if key[0] in open_}
        self._now.open = open_
        for one in changes.escalated:
            self._escalated.labels(one.found[-1].scope.product, one.found[-1].scope.channel).inc()
        # Who waits is counted when a case is opened after all, or when it is over.
        for decision in (
            *(d for d in changes.decisions.values() if not waits(d)),
            *(d for d in changes.ended if d.key not in self._decided),
        ):
            self._decide(decision)

    def _decide(self, decision: Decision) -> None:
        led = self._decided.get(decision.key)
        if led is None:
            self._cases[_CASES[decision.action]].labels(decision.desk).inc()
        if not led and decision.lead_seconds is not None:
            self._lead.observe(decision.lead_seconds)
        self._decided[decision.key] = decision.lead_seconds is not None

    def promises(self, found: Mapping[tuple[str, str], tuple[int, int]]) -> None:
        """By product and segment: how many open cases are at risk, and how many are late."""
        self._now.promises = dict(found)

    def outbox(self, pending: int, oldest_age: float) -> None:
        """How many messages wait, and for how many seconds the oldest has."""
        self._outbox.set(pending)
        self._outbox_age.set(oldest_age)

    def sent(self, desk: str) -> None:
        """A desk took a message."""
        self._sent.labels(desk).inc()

    def delivery_error(self, desk: str) -> None:
        """A desk did not take a message."""
        self._send_errors.labels(desk).inc()


class _Now:
    """What stands now, as gauges made when they are read."""

    def __init__(self) -> None:
        self.statuses: Mapping[tuple[str, str, str], Status] = {}
        self.open: Mapping[str, Severity] = {}
        self.touched: Mapping[tuple[str, str, str], tuple[str, Touch]] = {}
        self.promises: Mapping[tuple[str, str], tuple[int, int]] = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """As prometheus_client asks for it."""
        yield from self._rules()
        severities = list(self.open.values())
        family = GaugeMetricFamily("vigia_incidents_open", "Incidents open now.", labels=["severity"])
        for severity in Severity:
            family.add_metric([severity], severities.count(severity))
        yield family
        clients: dict[tuple[Touch, str], set[str]] = defaultdict(set)
        for (_, client, _), (segment, touch) in self.touched.items():
            clients[touch, segment].add(client)
        for touch in Touch:
            family = GaugeMetricFamily(
                f"vigia_clients_{touch}", f"Clients {touch} by the incidents open now.", labels=["segment"]
            )
            for segment in dict.fromkeys((*SEGMENTS, *(s for of, s in clients if of is touch))):
                family.add_metric([segment], len(clients.get((touch, segment), ())))
            yield family
        promised = {"at_risk": "Open cases whose promise is at risk.", "breached": "Open cases that are late."}
        for place, (state, meaning) in enumerate(promised.items()):
            family = GaugeMetricFamily(f"vigia_cases_{state}", meaning, labels=["product", "segment"])
            for labels, counts in self.promises.items():
                family.add_metric(labels, counts[place])
            yield family

    def _rules(self) -> Iterator[GaugeMetricFamily]:
        shown: dict[str, tuple[str, Callable[[Status], float]]] = {
            "breach": ("1 if the rule is in breach, else 0.", lambda s: s.verdict == Verdict.BREACH),
            "unknown": ("1 if the rule cannot say, else 0.", lambda s: s.verdict == Verdict.UNKNOWN),
            "value": ("What the rule saw, in its measure's unit (rates: share of 1; latency: ms).", lambda s: s.value),
            "expected": ("What the rule expected, in the same unit.", lambda s: s.expected),
            "score_ratio": ("How unusual, 0 to 1.", lambda s: s.score),
        }
        for name, (meaning, of) in shown.items():
            family = GaugeMetricFamily(f"vigia_rule_{name}", meaning, labels=["rule", *PLACE])
            for labels, status in self.statuses.items():
                family.add_metric(labels, float(of(status)))
            yield family


def _worst(found: Iterable[Status]) -> dict[tuple[str, str, str], Status]:
    """One a rule, product and channel; where it has several series: one in breach, or else one that cannot say."""
    worst: dict[tuple[str, str, str], Status] = {}
    for status in found:
        key = (status.rule, status.scope.product, status.scope.channel)
        old = worst.get(key)
        if old is None or _WORST.index(status.verdict) > _WORST.index(old.verdict):
            worst[key] = status
    return worst


def _segment(impact: Impact, clients: Clients) -> str:
    client = clients.get(impact.client_id)
    return client.segment.lower() if client else ""
