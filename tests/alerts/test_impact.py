"""Whom an incident touches: measured against each client's own past."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from alerts import Holding, Impact, Incident, IncidentState, Touch
from alerts.ground import Base, Ground
from alerts.impact import affected, exposed
from monitor import grounds
from monitor.calendar import Calendar
from monitor.windows import Windows
from rules import Scope, Severity
from tests.characters import ACEROS, CAFE, CAST, TEXTILES, at, every_minute, minute, transactions

FAILURE = Incident(
    id="AF-1", scope=Scope("pagos", "web"), kind="failed", severity=Severity.MAJOR, state=IncidentState.FIRING,
    started_at=at("10:00"), detected_at=at("10:02"), rules=("fallas",), ways=frozenset({"failed"}),
)  # fmt: skip
START = minute("10:00")


def measured(*rows: dict, incident: Incident = FAILURE, end: str = "11:00") -> tuple[Ground, Base]:
    windows = Windows()
    windows.hold_cells(windows.count(transactions(rows), source="core", closing=None).cells)
    week = (incident.scope, START - 7 * 1440, START, ())
    base = Base.of(
        grounds.past(windows.db, *week, slow=True), grounds.usual(windows.db, *week), Calendar("America/Bogota")
    )
    return Ground.of(grounds.detail(windows.db, incident.scope, START, minute(end), slow=True), base), base


def touched(*rows: dict, incident: Incident = FAILURE, until: str = "10:10") -> dict[str, Impact]:
    ground, base = measured(*rows, incident=incident)
    return {impact.client_id: impact for impact in affected(incident, ground, base, START, minute(until))}


def mixed(start: str, end: str, who, status: str, percent: int, n: int = 100, **told) -> list[dict]:
    """In every minute n transactions, of which this share has the status."""
    bad = who.sends(start, status=status, count=n * percent // 100, **told)
    return every_minute(start, end, *([bad] if bad["count"] else []), who.sends(start, count=n - bad["count"], **told))


QUIET = [row for who in CAST for row in mixed("08:00", "10:00", who, "failed", 0)]


def test_those_whose_transactions_fail_are_affected_and_the_others_are_not():
    found = touched(*QUIET, *mixed("10:00", "10:10", ACEROS, "failed", 50), *mixed("10:00", "10:10", CAFE, "failed", 0))
    assert list(found) == [ACEROS.nit]
    assert (found[ACEROS.nit].touch, found[ACEROS.nit].failures, found[ACEROS.nit].product) == (
        Touch.AFFECTED,
        500,
        "pagos",
    )


def test_a_single_failure_of_a_client_who_never_fails_is_enough():
    found = touched(*QUIET, CAFE.sends("10:04:30", status="failed", amount=Decimal("12.34")))
    assert found[CAFE.nit].failures == 1
    assert found[CAFE.nit].amount == Decimal("12.34")
    assert found[CAFE.nit].first_failure_at == at("10:04:30")


def test_who_is_rejected_as_usual_is_not_affected_by_a_storm_of_rejections():
    storm = replace(FAILURE, kind="rejected", ways=frozenset({"rejected"}))
    before = [*mixed("07:00", "10:00", ACEROS, "rejected", 9), *mixed("07:00", "10:00", TEXTILES, "rejected", 9)]
    found = touched(
        *before,
        *mixed("10:00", "10:10", ACEROS, "rejected", 9),
        *mixed("10:00", "10:10", TEXTILES, "rejected", 40),
        incident=storm,
    )
    assert list(found) == [TEXTILES.nit]


def test_what_does_not_go_the_incidents_way_does_not_count():
    found = touched(
        *QUIET, *mixed("10:00", "10:10", ACEROS, "rejected", 90), *mixed("10:00", "10:10", CAFE, "failed", 90)
    )
    assert list(found) == [CAFE.nit]


def test_only_what_lies_in_the_incidents_scope_and_time_counts():
    before = CAFE.sends("09:59:59", status="failed", count=500)
    after = CAFE.sends("10:10", status="failed", count=500)
    elsewhere = [
        ACEROS.sends("10:05", product, channel, status="failed", count=500)
        for product, channel in (("nomina", "web"), ("pagos", "h2h"))
    ]
    assert touched(*QUIET, after, *elsewhere) == {}
    assert touched(*QUIET, before) == {}


def test_product_by_product_in_an_incident_of_the_whole_channel():
    channel = replace(FAILURE, scope=Scope("", "web"))
    rows = [
        ACEROS.sends("10:01", product, "web", status="failed", count=10, amount=1)
        for product in ("pagos", "nomina", "recaudos")
    ]
    ground, base = measured(*QUIET, *rows, incident=channel)
    found = affected(channel, ground, base, START, minute("10:10"))
    assert sorted((impact.product, impact.failures) for impact in found) == [
        ("nomina", 10),
        ("pagos", 10),
        ("recaudos", 10),
    ]


def test_whose_transactions_no_longer_come_is_affected_by_a_silence():
    silence = replace(FAILURE, kind="missing", ways=frozenset({"missing"}))
    before = every_minute("09:00", "10:00", *(who.sends("09:00", count=10) for who in CAST))
    found = touched(*before, *every_minute("10:00", "10:10", CAFE.sends("10:00", count=10)), incident=silence)
    assert {nit: (impact.missing, impact.failures) for nit, impact in found.items()} == {
        ACEROS.nit: (100, 0),
        TEXTILES.nit: (100, 0),
    }
    assert found[ACEROS.nit].first_failure_at == silence.started_at


def test_who_rarely_comes_is_not_missed():
    silence = replace(FAILURE, kind="missing", ways=frozenset({"missing"}))
    assert touched(
        *every_minute("09:00", "10:00", ACEROS.sends("09:00")), CAFE.sends("09:30"), incident=silence
    ).keys() == {ACEROS.nit}


def test_whose_transactions_are_slow_is_affected_by_slowness():
    slow = replace(FAILURE, kind="slow", ways=frozenset({"slow"}))
    usual = [row for who in CAST for row in mixed("09:00", "10:00", who, "failed", 0, latency_ms=300.0)]
    now = [
        *mixed("10:00", "10:10", ACEROS, "failed", 0, latency_ms=5000.0),
        *mixed("10:00", "10:10", CAFE, "failed", 0, latency_ms=310.0),
    ]
    found = touched(*usual, *now, incident=slow)
    assert {nit: impact.failures for nit, impact in found.items()} == {ACEROS.nit: 1000}


def test_amounts_are_exact_and_of_what_failed():
    rows = [
        CAFE.sends("10:01", status="failed", amount=Decimal(amount)) for amount in ("0.10", "0.20", "90000000000.37")
    ]
    found = touched(*QUIET, *rows, CAFE.sends("10:01", amount=Decimal(5)))
    assert found[CAFE.nit].amount == Decimal("90000000000.67")


def test_a_client_of_whom_nothing_is_known_is_measured_by_the_scopes_own_past():
    stranger = replace(CAFE, nit="800111222")
    often = mixed("08:00", "10:00", ACEROS, "failed", 60)
    assert touched(*often, *mixed("10:00", "10:10", stranger, "failed", 60, 5)) == {}
    assert touched(*QUIET, *mixed("10:00", "10:10", stranger, "failed", 60, 5)).keys() == {stranger.nit}


def test_without_any_rows_nobody_is_affected():
    assert touched() == {}


# ---- exposed -------------------------------------------------------------------------------------------------------

HOLDINGS = [holding for who in CAST for holding in who.holdings]


def near(
    *rows: dict, holdings: list[Holding] = HOLDINGS, hit: set[str] | None = None, scope: Scope | None = None
) -> set[tuple[str, str]]:
    incident = replace(FAILURE, scope=scope or FAILURE.scope)
    found = exposed(incident, *measured(*rows, incident=incident), holdings, hit or set(), minute("10:10"), at("10:10"))
    assert all(impact.touch is Touch.EXPOSED and impact.failures == 0 for impact in found)
    return {(impact.client_id, impact.product) for impact in found}


def test_who_holds_what_fails_is_exposed_but_for_the_affected():
    assert near(hit={ACEROS.nit}) == {(TEXTILES.nit, "pagos"), (CAFE.nit, "pagos")}
    assert near(scope=Scope("pagos", "h2h")) == {(ACEROS.nit, "pagos")}
    assert near(scope=Scope("", "h2h")) == {(ACEROS.nit, product) for product in ("pagos", "nomina", "recaudos")}


def test_who_has_lately_used_what_fails_is_exposed_though_no_holding_says_so():
    assert near(CAFE.sends("09:00"), holdings=[]) == {(CAFE.nit, "pagos")}
    assert near(CAFE.sends("10:30"), holdings=[]) == set(), "not known yet at 10:10"


@pytest.mark.parametrize(
    ("holding", "counts"),
    [
        (Holding(CAFE.nit, "pagos"), True),
        (Holding(CAFE.nit, "pagos", "web", since=at("10:10")), True),
        (Holding(CAFE.nit, "pagos", "web", since=at("10:11")), False),
        (Holding(CAFE.nit, "pagos", "web", until=at("10:10")), False),
        (Holding(CAFE.nit, "pagos", "h2h"), False),
        (Holding(CAFE.nit, "nomina", "web"), False),
    ],
)
def test_a_holding_counts_while_it_lasts_and_where_it_is(holding, counts):
    assert bool(near(holdings=[holding])) is counts


def test_the_list_of_the_exposed_is_not_cut():
    holdings = [Holding(f"8{n:08}", "pagos", "web") for n in range(3000)]
    assert len(near(holdings=holdings)) == 3000
