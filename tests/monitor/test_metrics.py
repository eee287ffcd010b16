"""What Prometheus is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from prometheus_client.parser import text_string_to_metric_families

from alerts import Action, Changes, IncidentState
from alerts.reasons import BUDGET
from monitor.metrics import Metrics
from monitor.pipeline import Status
from rules import Scope, Severity, Verdict
from tests.monitor.conftest import ACEROS, CLIENTS, DECISIONS, IMPACTS, INCIDENTS, NOW, PAYMENTS, ago

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = {client.client_id: client for client in CLIENTS}
LABELS = ("rule", "product", "channel", "segment", "severity", "source", "desk", "le")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(sources=["core"], desks=["local"])


def read(metrics: Metrics) -> Mapping[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        (s.name, *(s.labels[label] for label in LABELS if label in s.labels)): s.value
        for f in families
        for s in f.samples
    }


def everything() -> Changes:
    return Changes(
        incidents={i.id: i for i in INCIDENTS},
        impacts={(i.incident_id, i.client_id, i.product): i for i in IMPACTS},
        decisions={d.key: d for d in DECISIONS},
    )


def test_known_names_stand_at_zero(metrics: Metrics) -> None:
    found = read(metrics)
    for key in (
        ("vigia_source_errors_total", "core"),
        ("vigia_source_too_late_rows_total", "core"),
        ("vigia_incidents_opened_total", "critical"),
        ("vigia_incidents_open", "minor"),
        ("vigia_clients_affected", "corporativo"),
        ("vigia_cases_opened_total", "local"),
        ("vigia_outbox_errors_total", "local"),
        ("vigia_lead_time_seconds_count",),
    ):
        assert found[key] == 0, key


def test_names_and_labels_keep_to_the_convention_and_name_no_client(metrics: Metrics) -> None:
    metrics.decided(everything(), NAMES)
    metrics.statuses([Status("r", Scope("pagos"), Verdict.BREACH, 1.0, 0.5, 0.9)])
    text = metrics.exposition().decode()
    for family in text_string_to_metric_families(text):
        assert family.name.startswith("vigia_")
        assert family.documentation
        for sample in family.samples:
            assert set(sample.labels) <= {*LABELS}
    assert ACEROS not in text
    assert "Aceros" not in text


def cells(*rows: tuple[str, str, str, int]) -> pa.Table:
    return pa.table(dict(zip(("product", "channel", "status", "n"), map(list, zip(*rows, strict=True)), strict=True)))


def test_transactions_by_class_and_what_is_taken_back_lowers_nothing(metrics: Metrics) -> None:
    metrics.transactions(
        cells(
            ("pagos", "web", "ok", 90),
            ("pagos", "web", "failed", 7),
            ("pagos", "web", "failed", 3),
            ("swift", "", "ok", 1),
        )
    )
    metrics.transactions(cells(("pagos", "web", "pending", -4), ("pagos", "web", "failed", 4)))
    found = read(metrics)
    assert found["vigia_transactions_total", "pagos", "web"] == 104
    assert found["vigia_transactions_failed_total", "pagos", "web"] == 14
    assert found["vigia_transactions_pending_total", "pagos", "web"] == 0
    assert found["vigia_transactions_failed_total", "swift", ""] == 0


def test_a_source_is_counted_and_its_standing_kept(metrics: Metrics) -> None:
    metrics.counted("core", rows=10, late=2, too_late=1, repeated=3, rejected=4, unknown=5)
    metrics.counted("new", rows=1)
    metrics.source("core", up=True, lag=4.5)
    metrics.source_error("bizagi")
    metrics.source("bizagi", up=False)
    found = read(metrics)
    names = ("rows", "late_rows", "too_late_rows", "repeated_rows", "rejected_rows", "unknown_status_rows")
    assert [found[f"vigia_source_{name}_total", "core"] for name in names] == [10, 2, 1, 3, 4, 5]
    assert (found["vigia_source_up", "core"], found["vigia_source_lag_seconds", "core"]) == (1, 4.5)
    assert (found["vigia_source_up", "bizagi"], found["vigia_source_errors_total", "bizagi"]) == (0, 1)
    assert ("vigia_source_lag_seconds", "bizagi") not in found
    assert not metrics.sources["bizagi"].up


def test_rules_show_the_worst_of_a_place_and_forget_what_is_gone(metrics: Metrics) -> None:
    nan = float("nan")
    metrics.statuses(
        [
            Status("cpu", Scope(series="a"), Verdict.HEALTHY, 0.1, 0.1, 0.1),
            Status("cpu", Scope(series="b"), Verdict.BREACH, 0.9, 0.1, 0.99),
            Status("cpu", Scope(series="c"), Verdict.UNKNOWN, nan, nan, nan),
            Status("fallas", Scope("pagos", "web"), Verdict.UNKNOWN, nan, nan, nan),
        ]
    )
    found = read(metrics)
    assert (found["vigia_rule_breach", "cpu", "", ""], found["vigia_rule_value", "cpu", "", ""]) == (1, 0.9)
    assert found["vigia_rule_unknown", "fallas", "pagos", "web"] == 1
    assert found["vigia_rule_breach", "fallas", "pagos", "web"] == 0
    metrics.statuses([])
    assert ("vigia_rule_breach", "cpu", "", "") not in read(metrics)


def test_incidents_and_cases_are_counted_once_however_often_they_change(metrics: Metrics) -> None:
    changes = everything()
    metrics.decided(changes, NAMES)
    metrics.decided(
        Changes(incidents={PAYMENTS: replace(INCIDENTS[0], acknowledged_by="Mesa")}, decisions=changes.decisions), NAMES
    )
    found = read(metrics)
    opened = [found["vigia_incidents_opened_total", severity] for severity in Severity]
    assert opened == [1, 1, 1]
    assert found["vigia_incidents_resolved_total", "minor"] == 1
    assert found["vigia_incidents_merged_total", "major"] == 1
    assert [found["vigia_incidents_open", severity] for severity in Severity] == [0, 0, 1]
    assert found["vigia_clients_affected", "corporativo"] == 1
    assert found["vigia_clients_affected", "empresarial"] == 1
    assert found["vigia_clients_exposed", "pyme"] == 1
    assert found["vigia_cases_opened_total", "local"] == 2
    assert found["vigia_cases_linked_total", ""] == 1
    assert found["vigia_lead_time_seconds_count",] == 2
    assert found["vigia_lead_time_seconds_bucket", "0.0"] == 1, "the client who was first"
    over = replace(INCIDENTS[0], state=IncidentState.RESOLVED, resolved_at=NOW)
    metrics.decided(Changes(incidents={PAYMENTS: over}), NAMES)
    found = read(metrics)
    assert (found["vigia_incidents_open", "critical"], found["vigia_clients_affected", "corporativo"]) == (0, 0)


def test_a_lead_is_observed_when_the_client_reports(metrics: Metrics) -> None:
    silent = replace(DECISIONS[0], client_reported_at=None)
    metrics.decided(Changes(decisions={silent.key: silent}), NAMES)
    assert read(metrics)["vigia_lead_time_seconds_count",] == 0
    metrics.decided(Changes(decisions={silent.key: DECISIONS[0]}), NAMES)
    found = read(metrics)
    assert (found["vigia_lead_time_seconds_count",], found["vigia_cases_opened_total", "local"]) == (1, 1)


def test_after_a_restart_what_stands_shows_and_is_not_counted_again(metrics: Metrics) -> None:
    metrics.resume(INCIDENTS, IMPACTS, DECISIONS, NAMES)
    metrics.decided(everything(), NAMES)
    found = read(metrics)
    assert (found["vigia_incidents_open", "critical"], found["vigia_clients_affected", "corporativo"]) == (1, 1)
    assert (found["vigia_incidents_opened_total", "critical"], found["vigia_cases_opened_total", "local"]) == (0, 0)
    assert found["vigia_lead_time_seconds_count",] == 0


def test_judging_delivery_and_the_cycle(metrics: Metrics) -> None:
    metrics.polled("core", 0.2)
    metrics.judged(3, 12.0, 0.05)
    metrics.queued(2)
    metrics.missed_run()
    metrics.outbox(4, 90.0)
    metrics.sent("local")
    metrics.delivery_error("salesforce")
    metrics.cycle(ago(0))
    found = read(metrics)
    assert found["vigia_poll_seconds_count", "core"] == 1
    assert (found["vigia_judged_seconds_total",], found["vigia_judging_lag_seconds",]) == (180, 12)
    assert (found["vigia_step_seconds_count",], found["vigia_queue_length",], found["vigia_missed_runs_total",]) == (
        1,
        2,
        1,
    )
    assert (found["vigia_outbox_pending",], found["vigia_outbox_oldest_age_seconds",]) == (4, 90)
    assert (found["vigia_outbox_sent_total", "local"], found["vigia_outbox_errors_total", "salesforce"]) == (1, 1)
    assert found["vigia_last_cycle_timestamp_seconds",] == NOW.timestamp()


def test_who_waits_is_counted_once_when_a_case_is_opened_or_the_incident_is_over(metrics: Metrics) -> None:
    waiting = [
        replace(DECISIONS[0], key=key, action=Action.NONE, reason=BUDGET, client_reported_at=None) for key in "ab"
    ]
    metrics.decided(Changes(decisions={d.key: d for d in waiting}), NAMES)
    found = read(metrics)
    assert (found.get(("vigia_cases_left_total", "local"), 0), found.get(("vigia_cases_opened_total", "local"), 0)) == (
        0,
        0,
    )
    metrics.decided(Changes(decisions={"a": replace(waiting[0], action=Action.OPEN)}), NAMES)
    metrics.decided(Changes(ended=[replace(waiting[0], action=Action.OPEN), waiting[1]]), NAMES)
    found = read(metrics)
    assert (found["vigia_cases_left_total", "local"], found["vigia_cases_opened_total", "local"]) == (1, 1)
