"""The law of spans: however the minutes are cut, the same is decided."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from alerts import Action, Changes, TheirCase, Touch
from alerts.cases import CaseBook
from alerts.reasons import Limits
from monitor import grounds
from monitor import impacts as impacts_module
from monitor.backtest import Outcome
from monitor.calendar import Calendar
from monitor.pipeline import Pipeline
from monitor.portfolio import Portfolio
from monitor.windows import Windows, time_of
from rules import Grain, Rule, Scope, Severity, Spec
from rules.absent import Absent
from rules.anomaly import Anomaly
from rules.limit import Limit
from tests.characters import ACEROS, CAST, TEXTILES, at, every_minute, minute, transactions

BEGIN = minute("08:00")
TRAINED = 45
JUDGED = 75
END = BEGIN + TRAINED + JUDGED
HOLD = 20
CALENDAR = Calendar("America/Bogota")


def rules() -> list[Rule]:
    """A bit of everything, at five grains."""
    quick = {"for_": timedelta(minutes=2), "keep_firing_for": timedelta(minutes=5)}
    pairs, one, by_client = Grain(minutes=5), Grain(), Grain(("product", "channel", "client_id"), 5)
    few = {"min_total": 10}
    return [
        Limit(Spec(name="fallas", grain=pairs, severity=Severity.CRITICAL, **few, **quick), when="failed_rate > 0.2"),
        Limit(Spec(name="lentas", grain=pairs, **few, **quick), when="latency_p95 > 3000 or pending > 15"),
        Limit(
            Spec(name="largas", grain=Grain(), for_=timedelta(minutes=15), keep_firing_for=timedelta(minutes=5), **few),
            when="failed_rate > 0.05",
        ),
        Limit(Spec(name="codigos", grain=pairs, **quick), when="new_error_codes > 0"),
        Limit(Spec(name="varios", grain=Grain((), 3), **quick), when="clients_failing >= 3 and failed_amount > 500"),
        Limit(Spec(name="un_cliente", grain=by_client, **quick), when="failed >= 4"),
        Absent(Spec(name="nada", grain=one, **quick), freeze=timedelta(minutes=30)),
        Anomaly(
            Spec(name="raro", grain=one, min_total=3, **quick),
            measure="failed_rate",
            detector={"kind": "ewma"},
            tail=3.0,
        ),
        Anomaly(
            Spec(name="poco", grain=by_client, min_total=3, **quick),
            measure="total",
            detector={"kind": "seasonal", "direction": "down"},
            tail=3.0,
            freeze=timedelta(minutes=10),
        ),
    ]


@dataclass(frozen=True)
class Episode:
    """Something goes wrong in a part of the bank, for a while."""

    start: int
    length: int
    product: str
    channel: str
    client: str
    way: str

    def hits(self, m: int, row: dict) -> bool:
        named = zip(
            (self.product, self.channel, self.client), (row["product"], row["channel"], row["client_id"]), strict=True
        )
        return self.start <= m < self.start + self.length and all(ours in ("", theirs) for ours, theirs in named)


episodes = st.builds(
    Episode,
    start=st.integers(20, TRAINED + JUDGED - 1),
    length=st.integers(1, 20),
    product=st.sampled_from(["", "pagos", "recaudos", "nomina"]),
    channel=st.sampled_from(["", "web", "h2h"]),
    client=st.sampled_from(["", "", *(who.nit for who in CAST)]),
    way=st.sampled_from(["failed", "failed", "silent", "slow", "pending", "reversed", "update", "double"]),
)


def story(seed: int, happening: list[Episode], repeats: float) -> pa.Table:
    """What the three clients send over two hours, with what goes wrong; some rows come again under their id, changed."""
    rng, rows = np.random.default_rng(seed), []
    for m in range(TRAINED + JUDGED):
        for who in CAST:
            for product, channel in who.products:
                for _ in range(rng.poisson(2)):
                    status = rng.choice(["ok", "rejected", "failed"], p=[0.94, 0.04, 0.02])
                    row = who.sends(time_of(BEGIN + m) + timedelta(seconds=int(rng.integers(60))), product, channel)
                    row |= {
                        "status": str(status),
                        "latency_ms": float(rng.gamma(4, 100)),
                        "amount": Decimal(int(rng.integers(500))),
                    }
                    row |= {"error_code": f"E{rng.integers(8)}"} if status == "failed" else {}
                    row |= {"id": f"t{len(rows)}"} if rng.random() < 0.5 else {}
                    ways = {episode.way for episode in happening if episode.hits(m, row)}
                    if "silent" in ways:
                        continue
                    if "slow" in ways:
                        row["latency_ms"] = float(rng.gamma(4, 3000))
                    if hurt := ways & {"failed", "pending", "reversed"}:
                        row["status"] = min(hurt)
                    rows.append(row)
                    if "double" in ways:
                        rows.append(row | {"id": f"t{len(rows)}"})
                    if row.get("id") and (rng.random() < repeats or "update" in ways):
                        again = row["timestamp"] + timedelta(minutes=int(rng.integers(0, 2 * HOLD)))
                        rows.append(row | {"timestamp": again, "status": str(rng.choice(["failed", "ok"]))})
    table = transactions(row for row in rows if row["timestamp"] < time_of(END))
    return table.take(pc.sort_indices(table, [("timestamp", "ascending")]))


their_cases = st.lists(
    st.builds(
        lambda who, opened, told, product, lasts, n: TheirCase(
            f"C{n}", "mesa", who.nit, time_of(BEGIN + opened), time_of(BEGIN + opened - told), product,
            reported_by="client", resolved_at=time_of(BEGIN + opened + lasts) if lasts else None,
        ),
        st.sampled_from(CAST), st.integers(-60, TRAINED + JUDGED), st.integers(0, 150), st.sampled_from(["", "pagos", "nomina", "otro"]),
        st.integers(0, 60), st.integers(0, 10**6),
    ),
    max_size=4, unique_by=lambda case: case.case_id,
)  # fmt: skip
cuts = st.lists(st.integers(1, TRAINED + JUDGED - 1), max_size=12).map(
    lambda inner: sorted({0, TRAINED, TRAINED + JUDGED, *inner})
)


def piped(windows: Windows, cases: list[TheirCase]) -> Pipeline:
    portfolio = Portfolio({who.nit: who.client for who in CAST}, [holding for who in CAST for holding in who.holdings])
    portfolio.limits = Limits({"local": 2}, {"pyme": 5})
    book = CaseBook((), cases)
    return Pipeline(rules(), windows, CALENDAR, lateness=timedelta(seconds=10), book=book, portfolio=portfolio)


def judged(windows: Windows, edges: list[int], cases: list[TheirCase]) -> tuple[Outcome, Pipeline, list]:
    """Train and judge what the windows hold, cut at these minutes."""
    pipeline = piped(windows, cases)
    outcome, ended = Outcome(), []
    for start, end in pairwise(edges):
        if start < TRAINED:
            pipeline.train(BEGIN + start, BEGIN + end)
        else:
            changes = pipeline.judge(BEGIN + start, BEGIN + end)
            outcome.take(changes)
            ended += [*changes.ended, *changes.over]
    return outcome, pipeline, ended


def held(table: pa.Table) -> Windows:
    """The rows read as history, in one go."""
    windows = Windows(hold=HOLD)
    counted = windows.count(table, source="core", closing=None)
    windows.hold_cells(counted.cells)
    windows.note(counted.doubtful)
    return windows


def same(a: tuple[Outcome, Pipeline, list], b: tuple[Outcome, Pipeline, list]) -> None:
    assert a[0].incidents == b[0].incidents
    assert list(a[0].incidents) == list(b[0].incidents)
    assert a[0].impacts == b[0].impacts
    assert a[0].decisions == b[0].decisions
    assert a[0].doubts == b[0].doubts
    assert a[1].incidents.alerts == b[1].incidents.alerts
    for pairs in (False, True):  # what ended, and the cases that are told so
        assert [x for x in a[2] if isinstance(x, tuple) is pairs] == [x for x in b[2] if isinstance(x, tuple) is pairs]


LAW = settings(
    max_examples=3 if os.environ.get("VIGIA_TEST_ALL") == "1" else 2,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # an example takes seconds: shrinking it would take minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
MINUTES = list(range(TRAINED + JUDGED + 1))


@LAW
@given(
    st.integers(0, 2**32 - 1),
    st.lists(episodes, min_size=1, max_size=4),
    st.sampled_from([0.0, 0.1]),
    their_cases,
    cuts,
)
def test_minute_by_minute_and_all_at_once_decide_the_same(seed, happening, repeats, cases, edges):
    windows = held(story(seed, happening, repeats))
    at_once = judged(windows, [0, TRAINED, TRAINED + JUDGED], cases)
    same(at_once, judged(windows, edges, cases))
    same(at_once, judged(windows, MINUTES, cases))


@LAW
@given(st.integers(0, 2**32 - 1), st.lists(episodes, min_size=1, max_size=4), st.sampled_from([0.0, 0.1]), their_cases)
def test_rows_that_come_minute_by_minute_and_a_history_decide_the_same(seed, happening, repeats, cases):
    table = story(seed, happening, repeats)
    at_once = judged(held(table), [0, TRAINED, TRAINED + JUDGED], cases)
    arrives = pc.cast(pc.divide(pc.cast(table["timestamp"], pa.int64()), 60_000_000), pa.int64())
    before = pc.less(arrives, BEGIN + TRAINED)
    windows = Windows(hold=HOLD)
    pipeline = piped(windows, cases)
    outcome, ended = Outcome(), []

    def arrive(rows: pa.Table, closing: int | None) -> None:
        counted = windows.count(rows, source="core", closing=closing)
        assert (counted.late, counted.too_late) == (0, 0)
        windows.hold_cells(counted.cells)
        windows.remember(counted.ledger)
        windows.note(counted.doubtful)

    arrive(table.filter(before), None)
    pipeline.train(BEGIN, BEGIN + TRAINED)
    for m in range(BEGIN + TRAINED, END):
        arrive(table.filter(pc.equal(arrives, m)), m)
        changes = pipeline.judge(m, m + 1)
        windows.release(m + 1, pipeline.doubts_since())
        outcome.take(changes)
        ended += [*changes.ended, *changes.over]
    same(at_once, (outcome, pipeline, ended))


@LAW
@given(st.integers(0, 2**32 - 1), st.lists(episodes, min_size=1, max_size=4), cuts)
def test_what_came_late_is_judged_live_as_by_whoever_reads_what_is_kept(seed, happening, edges):
    table = story(seed, happening, 0.1)
    late = np.random.default_rng(seed).choice([0, 0, 0, 1, 2, 7], len(table))
    arrives = pc.add(
        pc.cast(pc.divide(pc.cast(table["timestamp"], pa.int64()), 60_000_000), pa.int64()), pa.array(late)
    )
    windows, kept = Windows(hold=HOLD), Windows(hold=HOLD)
    pipeline = piped(windows, [])
    outcome, ended = Outcome(), []
    for m in range(BEGIN, END):
        counted = windows.count(table.filter(pc.equal(arrives, m)), source="core", closing=m)
        windows.hold_cells(counted.cells)
        windows.remember(counted.ledger)
        windows.note(counted.doubtful)
        kept.hold_cells(counted.cells)
        kept.note(counted.doubtful)
        if m < BEGIN + TRAINED:
            pipeline.train(m, m + 1)
            continue
        changes = pipeline.judge(m, m + 1)
        outcome.take(changes)
        ended += [*changes.ended, *changes.over]
    same(judged(kept, edges, []), (outcome, pipeline, ended))


def restarted(before: Pipeline, windows: Windows, cases: list[TheirCase], until: int) -> Pipeline:
    """A new pipeline that knows of the one before only what the store keeps, as the judging thread makes it."""
    fresh = piped(windows, cases)
    fresh.train(BEGIN, until)
    known = [*before.incidents.open.values(), *before.incidents.closed.values(), *before.recent.values()]
    fresh.incidents = fresh.incidents.again(before.incidents.alerts.values(), known, before.incidents.taken)
    fresh.recent = dict(before.recent)
    fresh.impacts.recall(known, before.impacts)
    fresh.doubts.recall(doubt for there in before.doubts.known.values() for doubt in there.values())
    fresh.book = CaseBook(before.book.decisions.values(), cases)
    fresh.book.know(known)
    return fresh


@LAW
@given(
    st.integers(0, 2**32 - 1), st.lists(episodes, min_size=1, max_size=4), st.sampled_from([0.0, 0.1]),
    st.lists(st.integers(TRAINED + 1, TRAINED + JUDGED - 1), min_size=1, max_size=3).map(sorted),
)  # fmt: skip
def test_a_restart_decides_as_no_restart(seed, happening, repeats, restarts):
    windows = held(story(seed, happening, repeats))
    at_once = judged(windows, [0, TRAINED, TRAINED + JUDGED], [])
    pipeline = piped(windows, [])
    pipeline.train(BEGIN, BEGIN + TRAINED)
    outcome, ended = Outcome(), []
    for m in range(TRAINED, TRAINED + JUDGED):
        if m in restarts:
            pipeline = restarted(pipeline, windows, [], BEGIN + m)
        changes = pipeline.judge(BEGIN + m, BEGIN + m + 1)
        outcome.take(changes)
        ended += [*changes.ended, *changes.over]
    same(at_once, (outcome, pipeline, ended))


# ---- a reading of the whole policy ---------------------------------------------------------------------------------


def failing(start: str, end: str, *who, product: str = "pagos") -> list[dict]:
    """Ordinary minutes from eight to twelve, and failures in between."""
    usual = [client.sends("08:00", product, "web", count=20) for client in CAST]
    hurt = [client.sends("08:00", product, "web", count=20, status="failed", amount=Decimal("10.10")) for client in who]
    calm = [row for row in usual if row["client_id"] not in {client.nit for client in who}]
    return [
        *every_minute("08:00", start, *usual),
        *every_minute(start, end, *calm, *hurt),
        *every_minute(end, "12:00", *usual),
    ]


def one_rule(rows: list[dict], cases: list[TheirCase] | None = None) -> Pipeline:
    rule = Limit(Spec(name="fallas", for_=timedelta(minutes=2), min_total=10), when="failed_rate > 0.2")
    portfolio = Portfolio({who.nit: who.client for who in CAST}, [holding for who in CAST for holding in who.holdings])
    windows = held(transactions(rows))
    return Pipeline(
        [rule], windows, CALENDAR, lateness=timedelta(seconds=10), book=CaseBook((), cases or []), portfolio=portfolio
    )


def test_a_failure_from_its_first_minute_to_the_end_of_its_cases():
    pipeline = one_rule(
        failing("10:00", "10:15", CAST[0], CAST[2]),
        [TEXTILES.reports("10:05"), CAST[2].reports("10:20", product="pagos")],
    )
    changes = pipeline.judge(minute("08:00"), minute("12:00"))
    (incident,) = changes.incidents.values()
    times = (incident.started_at, incident.detected_at, incident.ended_at, incident.resolved_at)
    assert times == (at("10:00"), at("10:02:10"), at("10:15"), at("10:35:10"))
    touched = {
        client: (impact.touch, impact.failures, impact.amount) for (_, client, _), impact in changes.impacts.items()
    }
    hurt = (Touch.AFFECTED, 300, Decimal("151.50"))
    assert touched == {CAST[0].nit: hurt, CAST[2].nit: hurt, TEXTILES.nit: (Touch.EXPOSED, 0, Decimal(0))}
    decided = {d.client_id: (d.action, d.opened_at, d.lead_seconds) for d in changes.decisions.values()}
    assert decided == {
        CAST[0].nit: (Action.OPEN, at("10:02:10"), None),
        CAST[2].nit: (Action.OPEN, at("10:02:10"), 1070),
    }
    assert {decision.client_id for decision in changes.ended} == {CAST[0].nit, CAST[2].nit}


def test_what_its_failures_have_in_common_is_told():
    rows = failing("10:00", "10:15", CAST[0], CAST[2])
    told = [row | ({"error_code": "E504"} if row.get("status") == "failed" else {}) for row in rows]
    (incident,) = one_rule(told).judge(minute("08:00"), minute("12:00")).incidents.values()
    assert incident.shares == (("product", "pagos", 1.0), ("channel", "web", 1.0), ("error_code", "E504", 1.0))


def test_a_day_is_read_once_and_of_an_incidents_own_time_only_what_is_new(monkeypatch):
    asked = []
    real = {name: getattr(grounds, name) for name in ("past", "detail")}
    monkeypatch.setattr(grounds, "past", lambda *a: asked.append(("past", *a[2:4])) or real["past"](*a))
    monkeypatch.setattr(grounds, "detail", lambda *a: asked.append(("new", *a[2:4])) or real["detail"](*a))
    pipeline = one_rule(failing("10:00", "10:15", CAST[0]))
    pipeline.judge(minute("08:00"), minute("10:03"))
    for m in range(minute("10:03"), minute("10:10")):
        pipeline.judge(m, m + 1)
    start = minute("10:00")
    day = start // 1440 * 1440
    assert asked == [
        *(("past", day - d * 1440, day - (d - 1) * 1440) for d in range(7, 0, -1)),
        ("past", day, start),
        ("new", start, start + 3),
        *(("new", m, m + 1) for m in range(start + 3, start + 10)),
    ]
    asked.clear()
    grounds.Past(pipeline.windows.db, pipeline.windows.days).before(Scope("", "web"), start + 1)
    assert asked == [("past", day, start + 1)]


def test_impact_is_measured_only_in_minutes_in_which_it_may_have_changed(monkeypatch):
    measured = []
    real = impacts_module.struck
    monkeypatch.setattr(impacts_module, "struck", lambda *a: measured.append(a[-1] - 1) or real(*a))
    late = [CAST[1].sends(clock, "pagos", "web", status="failed", count=20) for clock in ("10:04", "10:25")]
    rows = failing("10:00", "10:30", CAST[0])
    pipeline = one_rule([*rows, *late])
    changes = pipeline.judge(minute("08:00"), minute("12:00"))
    told = {m % 3 == 0 for m in measured[1:-1] if m not in (minute("10:02"), minute("10:04"))}
    assert told == {True}, "those known to be hit are told anew every third minute, a new one at once"
    assert minute("10:04") in measured
    assert max(measured[:-1]) < minute("10:33"), "and nothing is while nothing fails"
    opened = {d.client_id: d.opened_at for d in changes.decisions.values()}
    assert opened[CAST[1].nit] == at("10:05:10")


def test_days_of_which_more_becomes_known_are_read_again():
    windows = held(transactions([ACEROS.sends(at("10:00", day=-1))]))
    past = grounds.Past(windows.db, windows.days)
    assert past.before(Scope(), minute("10:00"))["n"].to_pylist() == [1]
    late = windows.count(transactions([ACEROS.sends(at("11:00", day=-1))]), source="other", closing=None)
    windows.hold_cells(late.cells)
    assert past.before(Scope(), minute("10:00"))["n"].to_pylist() == [2]
    windows.prune(minute("10:00"))
    assert past.before(Scope(), minute("10:00"))["n"].to_pylist() == []


def test_live_it_is_detected_when_it_is_judged():
    pipeline = one_rule(failing("10:00", "10:15", CAST[0]))
    now = at("10:03:07")
    (incident,) = pipeline.judge(minute("08:00"), minute("10:03"), now=now).incidents.values()
    assert (incident.started_at, incident.detected_at) == (at("10:00"), now)


def test_what_people_say_is_done_and_stays_done():
    pipeline = one_rule(failing("10:00", "10:30", CAST[0]))
    (incident,) = pipeline.judge(minute("08:00"), minute("10:05")).incidents.values()
    changes = Changes()
    pipeline.people("ack", incident.id, "turno", at("10:05"), changes)
    assert changes.incidents[incident.id].acknowledged_by == "turno"
    pipeline.people("resolve", incident.id, "turno", at("10:06"), changes)
    assert [decision.client_id for decision in changes.ended] == [CAST[0].nit]
    later = pipeline.judge(minute("10:05"), minute("11:30"))
    (done,) = later.incidents.values()
    assert (done.id, done.state, done.resolved_by) == (incident.id, "resolved", "turno")
    assert done.ended_at == at("10:30"), "it failed on after it was closed"
    assert not pipeline.incidents.alerts


@pytest.mark.parametrize("step", [1, 200])
def test_what_fails_again_after_it_was_healthy_and_closed_by_hand_is_an_incident_with_cases(step: int):
    usual = [client.sends("08:00", "pagos", "web", count=20) for client in CAST]
    hurt = [client.sends("08:00", "pagos", "web", count=20, status="failed") for client in CAST[:3]]
    calm = usual[3:]
    rows = [*every_minute("08:00", "10:05", *usual), *every_minute("10:05", "10:10", *calm, *hurt)]
    rows += [*every_minute("10:10", "10:24", *usual), *every_minute("10:24", "10:40", *calm, *hurt)]
    pipeline = one_rule([*rows, *every_minute("10:40", "12:00", *usual)])
    (first,) = pipeline.judge(minute("08:00"), minute("10:15")).incidents.values()
    assert first.id in {alert.incident_id for alert in pipeline.incidents.alerts.values()}, "it lingers"
    closed = Changes()
    pipeline.people("resolve", first.id, "turno", at("10:15:47"), closed)
    assert closed.incidents[first.id].ended_at == at("10:10")
    later, found = {}, {}
    for m in range(minute("10:15"), minute("12:00"), step):
        changes = pipeline.judge(m, min(m + step, minute("12:00")))
        later |= changes.incidents
        found |= changes.decisions
    (second,) = later.values()
    assert (second.started_at, second.ended_at, second.resolved_by) == (at("10:24"), at("10:40"), "")
    assert {d.client_id for d in found.values() if d.incident_id == second.id} == {who.nit for who in CAST[:3]}


def test_a_boards_status_is_of_the_last_window_and_never_of_a_client():
    pipeline = one_rule(failing("10:00", "10:15", CAST[0]))
    pipeline.judge(minute("08:00"), minute("10:10"))
    (status,) = pipeline.status.values()
    assert (status.scope.product, status.scope.client_id, status.value) == ("pagos", "", pytest.approx(1 / 3))


@pytest.mark.parametrize("step", [1, 7, 500])
def test_a_client_of_whom_nothing_can_be_known_is_not_called_well(step: int) -> None:
    """The source is dark from twenty past ten to ten to twelve: silence counts from when it answers."""
    usual = [client.sends("09:00", "pagos", "web", count=20) for client in CAST]
    hurt = [row | ({"status": "failed"} if row["client_id"] == ACEROS.nit else {}) for row in usual]
    others = [row for row in usual if row["client_id"] != ACEROS.nit]
    rows = [
        *every_minute("09:00", "10:00", *usual),
        *every_minute("10:00", "10:20", *hurt),
        *every_minute("11:50", "13:30", *others),
    ]
    windows = Windows()
    windows.hold_cells(windows.count(transactions(rows), source="core", closing=None).cells)
    windows.gap("core", minute("10:20"), minute("11:50"))
    grain = Grain(by=("product", "client_id"))
    rule = Limit(Spec(name="fallas", grain=grain, for_=timedelta(minutes=2), min_total=10), when="failed_rate > 0.2")
    pipeline = Pipeline([rule], windows, CALENDAR, lateness=timedelta(seconds=10))

    def judged(first: str, last: str) -> list[tuple[str, object]]:
        found, end = {}, minute(last)
        for start in range(minute(first), end, step):
            found |= pipeline.judge(start, min(start + step, end)).incidents
        return [(incident.state, incident.resolved_at) for incident in found.values()]

    ((before, _),) = judged("09:00", "12:45")
    ((after, resolved_at),) = judged("12:45", "13:30")
    assert (before, after, resolved_at) == ("firing", "resolved", at("12:51:10"))
