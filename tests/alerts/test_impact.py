"""Whom an incident touches: measured against each client's own past."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
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
    past = grounds.Past(windows.db, windows.days)
    base = Base.of(past.before(incident.scope, START), past.usual(incident.scope, START), Calendar("America/Bogota"))
    return Ground.of(grounds.detail(windows.db, incident.scope, START, minute(end)), base), base


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


def test_who_only_had_a_quiet_time_is_not_missed_where_half_of_the_others_came():
    silence = replace(FAILURE, kind="missing", ways=frozenset({"missing"}))
    large, small = (ACEROS, TEXTILES), [CAFE.sends(f"09:{m:02}") for m in range(0, 60, 10)]
    before = [*every_minute("09:00", "10:00", *(who.sends("09:00", count=10) for who in large)), *small]
    half = every_minute("10:00", "10:15", *(who.sends("10:00", count=5) for who in large))
    assert touched(*before, *half, incident=silence, until="10:15").keys() == {ACEROS.nit, TEXTILES.nit}
    assert touched(*before, incident=silence, until="10:15").keys() == {ACEROS.nit, TEXTILES.nit, CAFE.nit}


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


OWN, OLD = {"error_code": "E504"}, {"error_code": "E101"}


def small(clock: str, n: int, **told) -> list[dict]:
    """Single transactions of that many other clients."""
    return [replace(CAFE, nit=f"8001112{i:02}").sends(clock, **told) for i in range(n)]


SOMETIMES = [row for who in CAST for row in mixed("08:00", "10:00", who, "failed", 2, **OLD)]
"""In 36,000 transactions of the morning 2 % fail, always with the same code."""


def test_one_failure_with_the_failures_own_code_is_enough_among_many_with_ordinary_ones():
    now = [row for who in CAST for row in mixed("10:00", "10:10", who, "failed", 2, **OLD)]
    struck = mixed("10:00", "10:10", ACEROS, "failed", 30, **OWN)
    single = [*small("10:05", 5, status="failed", **OWN), *small("10:06", 5)]
    found = touched(*SOMETIMES, *now, *struck, *single)
    assert found.keys() == {ACEROS.nit, *(row["client_id"] for row in single[:5])}
    assert found[ACEROS.nit].failures == 300, "and not the two of a hundred that fail anyway"


def test_a_single_ordinary_failure_counts_while_the_failure_is_on_and_not_after_it():
    on = [row for who in CAST for row in mixed("10:00", "10:10", who, "failed", 60, **OLD)]
    off = [row for who in CAST for row in mixed("10:10", "10:30", who, "failed", 2, **OLD)]
    told = {"status": "failed", **OLD}
    while_on, after = small("10:05", 1, **told), [row | {"client_id": "800111299"} for row in small("10:20", 1, **told)]
    found = touched(*SOMETIMES, *on, *off, *while_on, *after, until="10:30")
    assert found.keys() == {ACEROS.nit, TEXTILES.nit, CAFE.nit, while_on[0]["client_id"]}
    assert found[CAFE.nit].failures == 600


def test_a_failure_that_comes_and_goes_is_followed():
    rows = []
    for m in range(0, 30, 5):
        bad, good = (f"10:{m:02}", f"10:{m + 2:02}"), (f"10:{m + 2:02}", f"10:{m + 5:02}" if m < 25 else "10:30")
        rows += [row for who in CAST for row in mixed(*bad, who, "failed", 60, **OLD)]
        rows += [row for who in CAST for row in mixed(*good, who, "failed", 2, **OLD)]
    told = {"status": "failed", **OLD}
    inside, between = (
        small("10:11", 1, **told),
        [row | {"client_id": "800111299"} for row in small("10:13:30", 1, **told)],
    )
    found = touched(*SOMETIMES, *rows, *inside, *between, until="10:30")
    assert found.keys() == {ACEROS.nit, TEXTILES.nit, CAFE.nit, inside[0]["client_id"]}
    assert found[CAFE.nit].failures == 60 * 2 * 6


def test_who_always_fails_so_is_not_affected_by_a_failure_of_the_others():
    before = [*mixed("08:00", "10:00", ACEROS, "failed", 0, **OLD), *mixed("08:00", "10:00", CAFE, "failed", 40, **OLD)]
    now = [*mixed("10:00", "10:10", ACEROS, "failed", 60, **OLD), *mixed("10:00", "10:10", CAFE, "failed", 40, **OLD)]
    assert touched(*before, *now).keys() == {ACEROS.nit}


def test_where_every_failure_has_a_code_of_its_own_a_new_one_says_nothing():
    def numbered(start: str, end: str, percent: int) -> list[dict]:
        rows = [row for who in CAST for row in mixed(start, end, who, "failed", percent, 50)]
        failed = [row for row in rows if row.get("status") == "failed"]
        split = [
            row | {"count": 1, "error_code": f"ref {start} {i} {k}"}
            for i, row in enumerate(failed)
            for k in range(row["count"])
        ]
        return [*(row for row in rows if row.get("status") != "failed"), *split]

    assert touched(*numbered("08:00", "10:00", 4), *numbered("10:00", "10:10", 4)) == {}


def test_whose_transactions_were_executed_twice_is_affected():
    twice = replace(FAILURE, kind="duplicated", ways=frozenset({"duplicated"}))

    def paid(who, n: int, *, again: bool) -> list[dict]:
        rows = [who.sends(f"10:{m:02}", amount=Decimal(m + 1), id=f"{who.nit} {m}") for m in range(n)]
        return [*rows, *([row | {"id": f"{row['id']} again"} for row in rows] if again else [])]

    rows = [*QUIET, *paid(ACEROS, 5, again=True), *paid(CAFE, 5, again=False)]
    found = touched(*rows, incident=twice)
    assert {nit: impact.failures for nit, impact in found.items()} == {ACEROS.nit: 5}
    assert touched(*rows) == {}, "they did not fail"


def test_a_correction_takes_the_failure_back():
    row = CAFE.sends("10:02", status="failed", id="t1", **OWN)
    struck = mixed("10:00", "10:10", ACEROS, "failed", 30, **OWN)
    assert touched(*QUIET, *struck, row).keys() == {ACEROS.nit, CAFE.nit}
    assert touched(*QUIET, *struck, row, row | {"timestamp": at("10:04"), "status": "ok"}).keys() == {ACEROS.nit}


def test_an_incident_of_one_client_concerns_that_client_only():
    alone = replace(FAILURE, scope=Scope("pagos", "web", CAFE.nit))
    both = [row for who in (ACEROS, CAFE) for row in mixed("10:00", "10:10", who, "failed", 50)]
    assert touched(*QUIET, *both, incident=alone).keys() == {CAFE.nit}
    assert near(*QUIET, scope=alone.scope) == {(CAFE.nit, "pagos")}


SILENCE = replace(FAILURE, kind="missing", ways=frozenset({"missing"}))


def week(*rows: dict) -> list[dict]:
    """The rows on each of the six days before, too."""
    return [row | {"timestamp": row["timestamp"] - timedelta(days=d)} for d in range(1, 7) for row in rows]


def test_who_sends_at_fixed_hours_is_due_only_then():
    all_day = every_minute("08:00", "12:00", TEXTILES.sends("08:00", count=5))
    batch = every_minute("10:20", "10:25", CAFE.sends("10:20", count=40))
    rows = [*week(*all_day, *batch), *every_minute("08:00", "10:00", TEXTILES.sends("08:00", count=5))]
    assert touched(*rows, incident=SILENCE, until="10:15").keys() == {TEXTILES.nit}
    found = touched(*rows, incident=SILENCE, until="10:30")
    assert found.keys() == {TEXTILES.nit, CAFE.nit}
    assert found[CAFE.nit].missing == pytest.approx(200, rel=0.2)


def test_who_was_early_today_is_not_missed():
    all_day = every_minute("08:00", "12:00", TEXTILES.sends("08:00", count=5))
    late, early = (every_minute(a, b, CAFE.sends(a, count=40)) for a, b in (("10:05", "10:10"), ("09:50", "09:55")))
    today = [*every_minute("08:00", "10:00", TEXTILES.sends("08:00", count=5)), *early]
    assert touched(*week(*all_day, *late), *today, incident=SILENCE, until="10:15").keys() == {TEXTILES.nit}


def test_who_sends_now_and_then_is_due_at_no_time():
    all_day = every_minute("08:00", "12:00", TEXTILES.sends("08:00", count=5))
    once = [CAFE.sends(at("10:05", day=-1), count=80)]
    rows = [*week(*all_day), *once, *every_minute("08:00", "10:00", TEXTILES.sends("08:00", count=5))]
    assert touched(*rows, incident=SILENCE, until="10:15").keys() == {TEXTILES.nit}


def gone(start: int, end: int, *rows: dict) -> float:
    """What Textiles is said to miss of a silence of [start, end)."""
    windows = Windows()
    windows.hold_cells(windows.count(transactions(rows), source="core", closing=None).cells)
    past, scope = grounds.Past(windows.db, windows.days), SILENCE.scope
    base = Base.of(past.before(scope, start), past.usual(scope, start), Calendar("America/Bogota"))
    ground = Ground.of(grounds.detail(windows.db, scope, start, end), base)
    return sum(impact.missing for impact in affected(SILENCE, ground, base, start, end))


def mornings(days: Iterable[int]) -> list[dict]:
    """Five a minute from 8 to 12 on each of these days after the Tuesday."""
    rows = every_minute("08:00", "12:00", TEXTILES.sends("08:00", count=5))
    return [row | {"timestamp": row["timestamp"] + timedelta(days=d)} for d in days for row in rows]


def test_a_saturday_is_measured_on_the_saturday_before():
    saturday, before = 4, (d for d in range(-4, 4) if d != -2)
    rows = [TEXTILES.sends(at("00:05", day=-2)), *mornings(before), *mornings([saturday])]
    start = minute("10:00", day=saturday)
    silent = [row for row in rows if row["timestamp"] < at("10:00", day=saturday)]
    assert gone(start, start + 30, *silent) == pytest.approx(150, rel=0.1)


def test_of_a_silence_of_days_each_day_is_measured_by_itself():
    rows = [row for row in mornings(range(-7, 1)) if row["timestamp"] < at("10:00")]
    assert gone(START, START + 4 * 1440, *rows) == pytest.approx(5 * 960, rel=0.1)


def test_where_no_day_was_alike_the_hour_before_goes_on_for_some_hours_only():
    rows = [row for row in mornings([0]) if row["timestamp"] < at("10:00")]
    assert gone(START, START + 60, *rows) == pytest.approx(300, rel=0.1)
    assert gone(START, START + 20 * 60, *rows) == pytest.approx(5 * 180, rel=0.1)


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


def test_a_week_in_which_more_was_taken_back_than_told_is_measured_all_the_same():
    """What was pending before the days that are read is taken back within them."""
    taken_back = [ACEROS.sends(f"09:{m:02}", status="failed", count=-1) for m in range(10)]
    found = touched(*QUIET, *taken_back, *every_minute("10:00", "10:10", ACEROS.sends("10:00", status="failed")))
    assert ACEROS.nit in found
