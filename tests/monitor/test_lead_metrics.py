"""The line of times as Prometheus is told of it: each time once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from alerts import Changes
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


def test_each_time_is_told_once_and_who_was_first(registry: CollectorRegistry, value: Callable[..., float]) -> None:
    told = LeadMetrics(registry)
    assert value("clients_reached_first_total", segment="corporativo") == 0
    for _ in range(2):
        told.decided(CHANGES, NAMES)
    assert value("time_to_detect_seconds_sum", severity="critical") == 180
    assert value("time_to_detect_seconds_count", severity="major") is None, "a merged one was another's symptom"
    assert value("time_to_case_seconds_count", segment="corporativo") == 2
    assert value("clients_reached_first_total", segment="corporativo") == 1
    assert value("clients_spoke_first_total", segment="empresarial") == 1


def test_a_client_is_told_once_by_post_sale(registry: CollectorRegistry, value: Callable[..., float]) -> None:
    told = LeadMetrics(registry)
    told.decided(CHANGES, NAMES)
    (first, *_) = [d for d in DECISIONS if d.client_id == ACEROS]
    informed = replace(first, informed_at=ago(20))
    for _ in range(2):
        told.decided(Changes(decisions={informed.key: informed}), NAMES)
    assert value("time_to_inform_seconds_sum", segment="corporativo") == 120
    assert value("clients_reached_first_total", segment="corporativo") == 1


def test_what_stood_before_a_start_is_not_told_again(registry: CollectorRegistry, value: Callable[..., float]) -> None:
    told = LeadMetrics(registry)
    told.resume(INCIDENTS, IMPACTS, DECISIONS)
    told.decided(CHANGES, NAMES)
    assert value("time_to_detect_seconds_count", severity="critical") is None
    assert value("time_to_case_seconds_count", segment="corporativo") is None
    assert value("clients_reached_first_total", segment="corporativo") == 0
