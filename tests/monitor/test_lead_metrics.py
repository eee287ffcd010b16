"""The line of times as Prometheus is told of it: each time once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from alerts import Changes
from alerts.priority import SEGMENTS
from monitor.lead_metrics import LeadMetrics
from tests.monitor.conftest import ACEROS, CLIENTS, DECISIONS, IMPACTS, INCIDENTS, ago

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = {client.client_id: client for client in CLIENTS}
CHANGES = Changes(
    incidents={i.id: i for i in INCIDENTS},
    impacts={(i.incident_id, i.client_id, i.product): i for i in IMPACTS},
    decisions={d.key: d for d in DECISIONS},
)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def value(registry: CollectorRegistry) -> Callable[..., float | None]:
    return lambda name, **labels: registry.get_sample_value(f"vigia_{name}", labels)


def test_each_time_is_told_once(registry: CollectorRegistry, value: Callable[..., float]) -> None:
    told = LeadMetrics(registry)
    for _ in range(2):
        told.decided(CHANGES, NAMES)
    assert value("time_to_detect_seconds_sum", severity="critical") == 180
    assert value("time_to_detect_seconds_count", severity="major") == 0, "a merged one was another's symptom"
    assert value("time_to_case_seconds_count", segment="corporativo") == 2


def test_a_client_is_told_once_by_post_sale(registry: CollectorRegistry, value: Callable[..., float]) -> None:
    told = LeadMetrics(registry)
    told.decided(CHANGES, NAMES)
    (first, *_) = [d for d in DECISIONS if d.client_id == ACEROS]
    informed = replace(first, informed_at=ago(20))
    for _ in range(2):
        told.decided(Changes(decisions={informed.key: informed}), NAMES)
    assert value("time_to_inform_seconds_sum", segment="corporativo") == 120


def test_what_stood_before_a_start_is_not_told_again(registry: CollectorRegistry, value: Callable[..., float]) -> None:
    told = LeadMetrics(registry)
    told.resume(INCIDENTS, IMPACTS, DECISIONS)
    told.decided(CHANGES, NAMES)
    assert value("time_to_detect_seconds_count", severity="critical") == 0
    assert value("time_to_case_seconds_count", segment="corporativo") == 0


def test_what_comes_of_an_incident_that_is_forgotten_is_not_told(
    registry: CollectorRegistry, value: Callable[..., float]
) -> None:
    told = LeadMetrics(registry)
    told.decided(CHANGES, NAMES)
    for incident in INCIDENTS:
        told.forget(incident.id)
    late = [replace(decision, informed_at=ago(0)) for decision in DECISIONS]
    before = [value("time_to_case_seconds_count", segment=segment) for segment in SEGMENTS]
    told.decided(Changes(decisions={decision.key: decision for decision in late}), NAMES)
    assert [value("time_to_case_seconds_count", segment=segment) for segment in SEGMENTS] == before
    assert sum(value("time_to_inform_seconds_count", segment=segment) for segment in SEGMENTS) == 0
