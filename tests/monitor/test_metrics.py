"""What Prometheus is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from prometheus_client.parser import text_string_to_metric_families

from alerts import Action, Changes, IncidentState
from alerts.leads import Line
from alerts.reasons import BUDGET
from monitor.metric_names import LATENCY
from monitor.metric_names import NAMES as EVERY
from monitor.metrics import Metrics
from monitor.pipeline import Status
from monitor.verdicts import Said
from rules import Scope, Severity, Verdict
from tests.monitor.conftest import ACEROS, CLIENTS, DECISIONS, IMPACTS, INCIDENTS, NOW, PAYMENTS, ago

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMES = {client.client_id: client for client in CLIENTS}
LABELS = ("rule", "product", "channel", "segment", "severity", "source", "desk", "le")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(sources=["core"], desks=["local"], rules=["fallas"])


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
        ("vigia_clients_reached_first", "corporativo"),
        ("vigia_time_to_case_seconds_count", "pyme"),
        ("vigia_rule_alerts_firing", "fallas"),
        ("vigia_heartbeat_errors_total",),
        ("vigia_places_other",),
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


def cells(*rows: tuple[str, str, str, int], bins: Sequence[int | None] = ()) -> pa.Table:
    columns = dict(zip(("product", "channel", "status", "n"), map(list, zip(*rows, strict=True)), strict=True))
    return pa.table(columns | {"bin": pa.array(bins or [None] * len(rows), pa.int8())})


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
    metrics.counted("core", rows=10, late=2, too_late=1, repeated=3, rejected=4, unknown=5, wrong_digit=6)
    metrics.counted("new", rows=1)
    metrics.source("core", up=True, lag=4.5)
    metrics.outside.lags("source", "core", lambda: 4.5)
    metrics.outside.lags("source", "bizagi", lambda: None)
    metrics.source_error("bizagi", "timeout")
    metrics.source("bizagi", up=False)
    found = read(metrics)
    names = ("rows", "late_rows", "too_late_rows", "repeated_rows", "rejected_rows", "unknown_status_rows")
    names += ("wrong_digit_rows",)
    assert [found[f"vigia_source_{name}_total", "core"] for name in names] == [10, 2, 1, 3, 4, 5, 6]
    assert (found["vigia_source_up", "core"], found["vigia_source_lag_seconds", "core"]) == (1, 4.5)
    assert (found["vigia_source_up", "bizagi"], found["vigia_source_errors_total", "bizagi"]) == (0, 1)
    assert (found["vigia_source_timeout_errors_total", "bizagi"], found["vigia_source_login_errors_total", "core"]) == (
        1,
        0,
    )
    assert ("vigia_source_lag_seconds", "bizagi") not in found
    assert not metrics.sources["bizagi"].up


def test_a_server_that_is_left_alone_shows(metrics: Metrics) -> None:
    for state, shown in (("closed", 0), ("open", 1), ("half-open", 1)):
        metrics.circuits(source="core", state=state)
        metrics.circuits(desk="crm", state=state)
        found = read(metrics)
        assert (found["vigia_source_circuit_open", "core"], found["vigia_desk_circuit_open", "crm"]) == (shown, shown)


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


def test_a_place_is_told_as_the_board_has_it_and_where_several_are_one_the_worst(metrics: Metrics) -> None:
    one_way_healthy = Said("pagos", "web", healthy=1, unknown=2)
    metrics.statuses(
        [], (), [one_way_healthy, Said("swift", "web", healthy=2, unknown=1), Said("pse", "", breach=1, healthy=3)]
    )
    places = (("pagos", "web"), ("swift", "web"), ("pse", ""))
    assert one_way_healthy.verdict is Verdict.UNKNOWN
    assert [read(metrics)["vigia_place_verdict", *place] for place in places] == [1, 0, 2]
    metrics.stale(lambda: True)
    assert [read(metrics)["vigia_place_verdict", *place] for place in places] == [1, 1, 1]
    metrics.stale(lambda: False)
    many = [Said(f"p{n:03}", "web", healthy=1) for n in range(300)]
    metrics.statuses([], (), [*many, one_way_healthy, *many])
    assert read(metrics)["vigia_place_verdict", "other", "other"] == 0
    metrics.statuses([], (), [*many, Said("p300", "web", unknown=1), *many])
    assert read(metrics)["vigia_place_verdict", "other", "other"] == 1
    assert ("vigia_place_verdict", "pagos", "web") not in read(metrics), "a place that is gone is forgotten"


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
    assert found["vigia_incidents_acknowledged", "critical"] == 1
    over = replace(INCIDENTS[0], state=IncidentState.RESOLVED, resolved_at=NOW)
    metrics.decided(Changes(incidents={PAYMENTS: over}), NAMES)
    found = read(metrics)
    assert (found["vigia_incidents_open", "critical"], found["vigia_clients_affected", "corporativo"]) == (0, 0)


def test_who_spoke_first_stands_as_it_is_known_now(metrics: Metrics) -> None:
    def line(client: str, segment: str, reached: float, told: float) -> Line:
        times = {"detected_at": ago(22), "case_at": ago(reached), "reported_at": ago(told)}
        return Line(PAYMENTS, client, "pagos", segment, "failed", **times)

    first, late = line(ACEROS, "corporativo", 20, 10), line("811222333", "Banca personal", 10, 20)
    metrics.led([first, late])
    found = read(metrics)
    assert found["vigia_lead_time_seconds_count",] == found["vigia_lead_time_seconds_bucket", "+Inf"] == 2
    assert found["vigia_lead_time_seconds_bucket", "0.0"] == 1, "the client who was first"
    assert found["vigia_clients_reached_first", "corporativo"] == 1
    assert found["vigia_clients_spoke_first", "other"] == 1, "a segment that nobody has named is no label"
    metrics.led([first])
    assert read(metrics)["vigia_lead_time_seconds_count",] == 1, "a link that was undone is no lead"


def test_after_a_restart_what_stands_shows_and_is_not_counted_again(metrics: Metrics) -> None:
    metrics.resume(INCIDENTS, IMPACTS, DECISIONS, NAMES)
    metrics.decided(everything(), NAMES)
    found = read(metrics)
    assert (found["vigia_incidents_open", "critical"], found["vigia_clients_affected", "corporativo"]) == (1, 1)
    assert (found["vigia_incidents_opened_total", "critical"], found["vigia_cases_opened_total", "local"]) == (0, 0)


def test_judging_delivery_and_the_cycle(metrics: Metrics) -> None:
    metrics.polled("core", 0.2)
    metrics.judged(3, 12.0, 0.05)
    metrics.queued(lambda: 2, lambda: 0.5)
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
    metrics.decided(Changes(incidents={PAYMENTS: INCIDENTS[0]}, decisions={d.key: d for d in waiting}), NAMES)
    found = read(metrics)
    assert (found.get(("vigia_cases_left_total", "local"), 0), found.get(("vigia_cases_opened_total", "local"), 0)) == (
        0,
        0,
    )
    metrics.decided(Changes(decisions={"a": replace(waiting[0], action=Action.OPEN)}), NAMES)
    metrics.decided(Changes(ended=[replace(waiting[0], action=Action.OPEN), waiting[1]]), NAMES)
    found = read(metrics)
    assert (found["vigia_cases_left_total", "local"], found["vigia_cases_opened_total", "local"]) == (1, 1)


def test_latencies_by_step_add_up(metrics: Metrics) -> None:
    metrics.transactions(cells(("pagos", "web", "ok", 3), ("pagos", "web", "failed", 2), bins=[0, 15]))
    metrics.transactions(cells(("pagos", "web", "ok", 1), ("pagos", "web", "ok", -1), bins=[4, 0]))
    found = read(metrics)
    place = ("vigia_latency_seconds_bucket", "pagos", "web")
    assert [found[*place, str(LATENCY[step])] for step in (0, 3, 4, 14)] == [3, 3, 4, 4]
    assert found[*place, "+Inf"] == found["vigia_latency_seconds_count", "pagos", "web"] == 6


def test_places_and_segments_beyond_measure_are_one(metrics: Metrics) -> None:
    rows = [(f"producto {number:03}", "web", "ok", 1000 - number) for number in range(300)]
    metrics.transactions(cells(*rows, ("x" * 100, "web", "ok", 2000)))
    metrics.statuses([Status("r", Scope(f"producto {n:03}", "web"), Verdict.HEALTHY, 1, 1, 1) for n in range(300)])
    metrics.promises({(f"producto {n:03}", f"segmento {n}"): (1, 0) for n in range(300)})
    found = read(metrics)
    assert found["vigia_transactions_total", "producto 000", "web"] == 1000
    assert ("vigia_transactions_total", "producto 200", "web") not in found, "the busiest were there first"
    assert found["vigia_transactions_total", "other", "other"] == sum(r[3] for r in rows[200:]) + 2000
    assert found["vigia_places_other",] == 101
    assert found["vigia_rule_breach", "r", "other", "other"] == 0
    assert found["vigia_cases_at_risk", "other", "other"] == 100
    assert len([key for key in found if key[0] == "vigia_rule_breach"]) == 201


def test_the_band_is_shown_where_there_is_one(metrics: Metrics) -> None:
    metrics.statuses([Status("volumen", Scope("pagos"), Verdict.HEALTHY, 90, 100, 0.1, 0, 80, float("nan"))])
    found = read(metrics)
    assert found["vigia_rule_lower", "volumen", "pagos", ""] == 80
    assert ("vigia_rule_upper", "volumen", "pagos", "") not in found


def test_what_is_long_over_is_forgotten_and_not_told_again(metrics: Metrics) -> None:
    metrics.decided(everything(), NAMES)
    over = {i.id: replace(i, state=IncidentState.RESOLVED, resolved_at=NOW) for i in INCIDENTS}
    metrics.decided(Changes(incidents=over), NAMES)
    for days in (0, 1, 2):
        metrics.stepped(NOW + timedelta(days=days, seconds=1))

    def told() -> dict[tuple[str, ...], float]:
        return {key: value for key, value in read(metrics).items() if "_process_" not in key[0]}

    before = told()
    metrics.decided(Changes(decisions=everything().decisions), NAMES)
    assert told() == before
    assert not metrics._counted


def test_every_metric_is_named_in_one_place_with_its_meaning_and_unit(metrics: Metrics) -> None:
    families = {f.name for f in text_string_to_metric_families(metrics.exposition().decode())}
    assert {name for name in families if "_process_" not in name} == {f"vigia_{name}" for name in EVERY}
    for name, named in EVERY.items():
        assert named.meaning.endswith("."), name
        assert {*named.labels} <= {*LABELS}, name
        assert name.endswith(f"_{named.unit}") or not named.unit, name
