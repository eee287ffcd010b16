"""Every metric of Vigía: its name, what it means, its labels and its unit. Nothing else is told to Prometheus.

Labels are product, channel, segment, rule, severity, source and desk only (`le` in histograms): never a client. A desk's label also
names receivers, as `receivers.NAME`, and boards, as `boards.NAME`. Units are base units and end the name; a counter of things has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily

from connectors import Fault

PREFIX = "vigia_"
PLACE = ("product", "channel")
RULE = ("rule", *PLACE)
SEGMENT = ("segment",)
SEVERITY = ("severity",)
SOURCE = ("source",)
DESK = ("desk",)

WORK = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
WAITED = (15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
LEAD = (-14400, -3600, -900, -300, 0, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400)
"""Negative where the client was first."""
LATENCY = tuple(0.008 * 2**step for step in range(15))
"""The doubling steps of `monitor.cells`: what is slower lies in the last one, which has no end."""

FAULTS: Mapping[Fault, str] = {
    "unreachable": "no connection, or no such file",
    "timeout": "no answer in time",
    "busy": "asked to come later",
    "login": "not let in: a password, a certificate, a right",
    "refused": "let in, and what was asked refused",
    "server": "an error of the other side's own",
    "unreadable": "what came cannot be made out",
    "resting": "not asked, for its circuit is open",
    "other": "anything else",
}
"""Every kind of fault, in words. No label says the kind: each is a counter of its own, beside the total."""

GROSS = "gross: one that was pending and then failed counts as both"
LATELY = "of the last 30 days, by their incident's detection; a link undone or a case taken back lowers it"


@dataclass(frozen=True, slots=True)
class Named:
    """One metric. meaning: as Prometheus shows it; buckets: upper bounds of a histogram, in its unit."""

    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = ()


def _counter(meaning: str, *labels: str, unit: str = "") -> Named:
    return Named("counter", meaning, labels, unit)


def _gauge(meaning: str, *labels: str, unit: str = "") -> Named:
    return Named("gauge", meaning, labels, unit)


def _seconds(meaning: str, *labels: str, buckets: tuple[float, ...] = WORK) -> Named:
    return Named("histogram", meaning, labels, "seconds", buckets)


NAMES: dict[str, Named] = {
    # ---- what the bank's transactions do
    "transactions": _counter(f"Transactions counted, {GROSS}.", *PLACE),
    **{
        f"transactions_{name}": _counter(f"Transactions that were {name}, {GROSS}.", *PLACE)
        for name in ("failed", "rejected", "reversed", "pending", "other")
    },
    "latency_seconds": _seconds(
        "How long transactions took, by doubling steps; the sum is of the steps' middles.", *PLACE, buckets=LATENCY
    ),
    "places_other": _gauge("Places (product and channel) beyond the first 200, counted together as `other`."),
    # ---- what the rules say
    "rule_breach": _gauge("1 if the rule is in breach, else 0.", *RULE),
    "rule_unknown": _gauge("1 if the rule cannot say, else 0.", *RULE),
    "rule_value": _gauge("What the rule saw, in its measure's unit (rates: share of 1; latency: ms).", *RULE),
    "rule_expected": _gauge("What the rule expected, in the same unit.", *RULE),
    "rule_lower": _gauge("Lower end of the band in which it expected it, in the same unit.", *RULE),
    "rule_upper": _gauge("Upper end of that band.", *RULE),
    "rule_score_ratio": _gauge("How unusual, 0 to 1.", *RULE, unit="ratio"),
    "place_verdict": _gauge(
        "All its rules together, as the board has it: 2 in breach, 1 nobody can tell, 0 healthy in most ways.", *PLACE
    ),
    "rule_alerts_pending": _gauge("Scopes in which the rule is in breach, not yet for long enough to fire.", "rule"),
    "rule_alerts_firing": _gauge("Scopes in which the rule fires.", "rule"),
    # ---- incidents, clients, cases
    "incidents_open": _gauge("Incidents open now.", *SEVERITY),
    "incidents_acknowledged": _gauge("Incidents open now that somebody has acknowledged.", *SEVERITY),
    "incidents_opened": _counter("Incidents detected, by their severity then.", *SEVERITY),
    "incidents_resolved": _counter("Incidents over, by their last severity.", *SEVERITY),
    "incidents_merged": _counter("Incidents found to be symptoms of another.", *SEVERITY),
    "causes_escalated": _counter("Causes escalated as a root cause.", *PLACE),
    "clients_affected": _gauge("Clients affected by the incidents open now.", *SEGMENT),
    "clients_exposed": _gauge("Clients exposed by the incidents open now.", *SEGMENT),
    "cases_opened": _counter("Preventive cases opened.", *DESK),
    "cases_linked": _counter("Affected clients whose own open case stands for ours.", *DESK),
    "cases_left": _counter("Affected clients for whom nothing was opened.", *DESK),
    "cases_at_risk": _gauge("Open cases whose promise is at risk.", "product", *SEGMENT),
    "cases_breached": _gauge("Open cases that are late.", "product", *SEGMENT),
    # ---- who spoke first
    "time_to_detect_seconds": _seconds(
        "From an incident's first bad minute to its detection.", *SEVERITY, buckets=WAITED
    ),
    "time_to_case_seconds": _seconds(
        "From a client's first failure, or the detection if that came later, to our case.", *SEGMENT, buckets=WAITED
    ),
    "time_to_inform_seconds": _seconds("From our case to when the client was told.", *SEGMENT, buckets=WAITED),
    "lead_time_seconds": _seconds(
        f"From our case or word to the client's own report; negative where the client was first. Reports {LATELY}: no rate is taken of it.",
        buckets=LEAD,
    ),
    "clients_reached_first": _gauge(f"Clients who reported after our case or our word, {LATELY}.", *SEGMENT),
    "clients_spoke_first": _gauge(f"Clients who reported before they were reached, {LATELY}.", *SEGMENT),
    # ---- sources
    "source_rows": _counter("Rows read.", *SOURCE),
    "source_rejected_rows": _counter("Rows left out because they could not be used.", *SOURCE),
    "source_late_rows": _counter("Rows of a minute already judged; they correct it.", *SOURCE),
    "source_too_late_rows": _counter("Rows dropped: older than late rows may be.", *SOURCE),
    "source_repeated_rows": _counter("Rows whose id was seen before; the newest counts.", *SOURCE),
    "source_unknown_status_rows": _counter("Rows with a status that no class names.", *SOURCE),
    "source_wrong_digit_rows": _counter("Rows of a client whose check digit is wrong.", *SOURCE),
    "source_errors": _counter("Polls that failed.", *SOURCE),
    **{f"source_{fault}_errors": _counter(f"Polls that failed: {words}.", *SOURCE) for fault, words in FAULTS.items()},
    "source_up": _gauge("1 if the last poll was answered, else 0.", *SOURCE),
    "source_lag_seconds": _gauge("Age of the time until which the source is complete.", *SOURCE, unit="seconds"),
    "source_circuit_open": _gauge("1 while its server is left alone after failures in a row, else 0.", *SOURCE),
    "poll_seconds": _seconds("Time a poll took.", *SOURCE),
    "poll_lag_seconds": _seconds(
        "From when each turn of a source was due to when a poll began; a turn left out is as late as the next poll. "
        "Ours alone: turns that fall while the source itself has yet to answer are not counted.",
        *SOURCE,
    ),
    "poll_judged_seconds": _seconds("From the end of a poll to the end of the step that judged what it brought."),
    # ---- Vigía itself
    "missed_runs": _counter("Scheduled runs skipped because the one before still worked."),
    "job_errors": _counter("Scheduled runs that failed: they are tried again at their next time."),
    "judged_seconds": _counter("Event time judged.", unit="seconds"),
    "judging_lag_seconds": _gauge("Age of the newest minute judged, when it was.", unit="seconds"),
    "judging_lag_expected_seconds": _gauge(
        "Age up to which that is as configured: lag, every, lateness and patience.", unit="seconds"
    ),
    "step_seconds": _seconds("Time a step took: rows in, judged, committed."),
    "step_errors": _counter("Steps that failed: what they would have judged is taken again."),
    "queue_length": _gauge("Polls waiting to be judged."),
    "queue_filled_ratio": _gauge(
        "Of the memory where they wait, what is taken: at 1 sources are asked late.", unit="ratio"
    ),
    "cells_held": _gauge("Cells held in memory."),
    "last_cycle_timestamp_seconds": _gauge("When the last full cycle ended; 0: none has yet.", unit="seconds"),
    "outbox_pending": _gauge("Messages to desks and receivers that wait to be sent."),
    "outbox_oldest_age_seconds": _gauge("Age of the oldest message that waits to be sent.", unit="seconds"),
    "outbox_sent": _counter("Messages that a desk or receiver took, and rows' pushes that a board took.", *DESK),
    "outbox_given_up": _counter(
        "Messages given up because their desk was gone for as long as the outbox is kept.", *DESK
    ),
    "outbox_errors": _counter("Deliveries that failed; most are tried again.", *DESK),
    **{f"desk_{fault}_errors": _counter(f"Deliveries that failed: {words}.", *DESK) for fault, words in FAULTS.items()},
    "desk_lag_seconds": _gauge("Age of the oldest message that waits for it; 0: none does.", *DESK, unit="seconds"),
    "desk_circuit_open": _gauge("1 while its server is left alone after failures in a row, else 0.", *DESK),
    "heartbeats": _counter("Heartbeats that were taken."),
    "heartbeat_errors": _counter("Heartbeats that were not taken."),
    "config_last_reload_successful": _gauge(
        "Whether the configuration was good when it was read last: 1, or 0 where it stays as it was."
    ),
    "config_last_reload_timestamp_seconds": _gauge("When the configuration that is in force was read.", unit="seconds"),
    "build_version": _gauge("Vigía's version as a number: major x 10000 + minor x 100 + patch."),
}
"""By the name without the prefix; a counter's ends in `_total` as well."""


def counter(registry: CollectorRegistry, name: str) -> Counter:
    """The counter of that name."""
    named = NAMES[name]
    return Counter(PREFIX + name, named.meaning, named.labels, registry=registry)


def gauge(registry: CollectorRegistry, name: str) -> Gauge:
    """The gauge of that name."""
    named = NAMES[name]
    return Gauge(PREFIX + name, named.meaning, named.labels, registry=registry)


def histogram(registry: CollectorRegistry, name: str) -> Histogram:
    """The histogram of that name."""
    named = NAMES[name]
    return Histogram(PREFIX + name, named.meaning, named.labels, registry=registry, buckets=named.buckets)


def standing(name: str) -> GaugeMetricFamily:
    """The gauge of that name, to be filled while it is read."""
    named = NAMES[name]
    return GaugeMetricFamily(PREFIX + name, named.meaning, labels=named.labels)


def spread(name: str) -> HistogramMetricFamily:
    """The histogram of that name, to be filled while it is read."""
    named = NAMES[name]
    return HistogramMetricFamily(PREFIX + name, named.meaning, labels=named.labels)
