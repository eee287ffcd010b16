"""What rests on what, on rows: who is hurt, who is around, what stands in the state; and what was seen failing together."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from alerts import Holding, Incident, IncidentState, Touch
from alerts.rests import Rest, Rests
from monitor import listing, people, tallies
from monitor import tables as t
from monitor.backtest import Outcome
from monitor.calendar import Calendar
from monitor.pipeline import Pipeline
from monitor.portfolio import Portfolio
from monitor.store import Step, Store
from monitor.together import rested, told
from monitor.windows import Windows
from rules import Grain, Scope, Severity, Spec
from rules.limit import Limit
from tests.characters import ACEROS, CAFE, TEXTILES, at, minute, transactions
from tests.monitor.conftest import NOW, PAYMENTS

BANK = Rests((Rest("channel", "h2h", "pagos"), Rest("product", "nomina", "pagos")))
PAGOS, OWN, NOMINA = Scope("pagos", "web"), Scope("", "h2h"), Scope("nomina", "app")
START, END = "08:00", "10:40"
LATER = "901000"
CLIENTS = 4
QUICK = {"for_": timedelta(minutes=2), "keep_firing_for": timedelta(minutes=5), "min_total": 8}


def rules() -> list[Limit]:
    grains = {"pares": ("product", "channel"), "canales": ("channel",), "productos": ("product",)}
    return [Limit(Spec(name=n, grain=Grain(by, 3), **QUICK), when="failed_rate > 0.2") for n, by in grains.items()]


def judged(bad: dict[Scope, tuple[str, str]], streams: list[Scope], rests: Rests = BANK, span: int = 160) -> Outcome:
    """A morning in which four clients of each stream send four rows a minute, of which three fail where and when it is bad."""
    rows = []
    for m in range(minute(START), minute(END)):
        clock = at("00:00") + timedelta(minutes=m - minute("00:00"))
        for n, stream in enumerate(streams):
            spoilt = any(scope.holds(stream) and minute(a) <= m < minute(b) for scope, (a, b) in bad.items())
            for k in range(CLIENTS):
                nit = f"{LATER}{n}{k}0"
                row = ACEROS.sends(clock, "x", "y") | {
                    "client_id": nit,
                    "product": stream.product,
                    "channel": stream.channel,
                }
                rows += [row | {"status": "failed" if spoilt and i < 3 else "ok"} for i in range(4)]
    windows = Windows(hold=20)
    windows.hold_cells(windows.count(transactions(rows), source="core", closing=None).cells)
    holdings = [
        Holding(CAFE.nit, "recaudos", "h2h"),
        Holding(TEXTILES.nit, "pagos", "web"),
        Holding(ACEROS.nit, "giros", "swift"),
    ]
    portfolio = Portfolio(clients={c.nit: c.client for c in (CAFE, TEXTILES, ACEROS)}, holdings=holdings, rests=rests)
    pipeline = Pipeline(
        rules(), windows, Calendar("America/Bogota"), lateness=timedelta(seconds=10), portfolio=portfolio
    )
    outcome = Outcome()
    pipeline.train(minute(START), minute("09:30"))
    for first in range(minute("09:30"), minute(END), span):
        outcome.take(pipeline.judge(first, min(first + span, minute(END))))
    return outcome


def standing(outcome: Outcome) -> list[Incident]:
    return [i for i in outcome.incidents.values() if i.state is not IncidentState.MERGED]


def touched(outcome: Outcome, incident: Incident, touch: Touch) -> set[str]:
    return {m.client_id for m in outcome.impacts.values() if m.incident_id == incident.id and m.touch is touch}


EARLY, LATE = ("10:00", "10:20"), ("10:03", "10:20")


@pytest.mark.parametrize(("cause", "symptom"), [(EARLY, LATE), (LATE, EARLY)])
@pytest.mark.parametrize("span", [160, 1])
def test_a_product_and_what_rests_on_it_are_one_incident_with_the_clients_of_both(cause, symptom, span):
    streams = [PAGOS, OWN, NOMINA, Scope("giros", "swift")]
    outcome = judged({PAGOS: cause, OWN: symptom, NOMINA: symptom}, streams, span=span)
    (incident,) = standing(outcome)
    assert (incident.scope, incident.kind, incident.symptoms) == (PAGOS, "failed", (OWN, NOMINA))
    assert incident.shares[0] == ("product", "pagos", 1.0)
    assert incident.severity is Severity.CRITICAL
    hit = touched(outcome, incident, Touch.AFFECTED)
    assert hit == {f"{LATER}{n}{k}0" for n in range(3) for k in range(CLIENTS)}
    assert incident.state is IncidentState.RESOLVED


def test_without_a_link_they_are_incidents_of_their_own():
    outcome = judged({PAGOS: EARLY, NOMINA: EARLY}, [PAGOS, NOMINA], rests=Rests())
    assert sorted(i.scope for i in standing(outcome)) == [NOMINA, PAGOS]


def test_a_channel_that_fails_while_what_it_rests_on_is_healthy_elsewhere_is_the_cause_itself():
    streams = [PAGOS, Scope("pagos", "h2h"), Scope("recaudos", "h2h"), OWN]
    (incident,) = standing(judged({OWN: EARLY}, streams))
    assert (incident.scope, incident.symptoms) == (OWN, ())
    assert [i.scope for i in standing(judged({OWN: EARLY}, [OWN, PAGOS]))] == [OWN]


def test_a_product_whose_rows_name_no_channel_is_the_cause_of_a_channel_whose_rows_name_no_product():
    outcome = judged({Scope("pagos"): EARLY, OWN: EARLY}, [Scope("pagos"), OWN, NOMINA])
    (incident,) = standing(outcome)
    assert (incident.scope, incident.symptoms) == (Scope("pagos"), (OWN,))
    assert len(touched(outcome, incident, Touch.AFFECTED)) == 2 * CLIENTS


def test_where_all_rows_name_product_and_channel_a_failing_product_is_seated_as_it_was_without_links():
    web, direct, other = Scope("pagos", "web"), Scope("pagos", "h2h"), Scope("recaudos", "h2h")
    streams = [web, direct, other, Scope("recaudos", "web")]
    for bad in ({Scope("pagos"): EARLY}, {direct: EARLY}, {web: EARLY}, {Scope("", "h2h"): EARLY}):
        (linked,), (plain,) = standing(judged(bad, streams)), standing(judged(bad, streams, rests=Rests()))
        assert (linked.scope, linked.kind, linked.id) == (plain.scope, plain.kind, plain.id)
        assert set(linked.symptoms) <= {Scope("", "h2h")}
        assert not linked.symptoms or linked.scope == Scope("pagos")


def test_two_products_of_one_channel_of_which_one_rests_on_the_other():
    rests = Rests((Rest("product", "nomina", "pagos"),))
    pagos, nomina, giros, other = (
        Scope("pagos", "web"),
        Scope("nomina", "web"),
        Scope("giros", "web"),
        Scope("pagos", "app"),
    )
    bad = {pagos: EARLY, nomina: EARLY}
    (incident,) = standing(judged(bad, [pagos, nomina, giros, other], rests))
    assert (incident.scope, incident.symptoms) == (pagos, (nomina,)), "the channel's other product is healthy"
    (incident,) = standing(judged(bad, [pagos, nomina, other], rests))
    assert (incident.scope, incident.symptoms) == (Scope("", "web"), ()), (
        "the product is healthy through the other channel"
    )
    (incident,) = standing(judged(bad | {giros: EARLY}, [pagos, nomina, giros, other], rests))
    assert (incident.scope, incident.symptoms) == (Scope("", "web"), ())


def test_who_uses_what_rests_on_it_is_exposed_with_a_lower_place_than_who_holds_it():
    streams = [PAGOS, OWN, NOMINA, Scope("giros", "swift")]
    outcome = judged({PAGOS: EARLY}, streams)
    (incident,) = standing(outcome)
    near = {(m.client_id, m.product): m for m in outcome.impacts.values() if m.touch is Touch.EXPOSED}
    resting = {f"{LATER}{n}{k}0" for n in (1, 2) for k in range(CLIENTS)}
    assert {client for client, _ in near} == {TEXTILES.nit, CAFE.nit, *resting}
    assert {product for _, product in near} == {"pagos", "recaudos", "nomina", ""}
    terms = {who: dict(near[who].terms) for who in ((TEXTILES.nit, "pagos"), (CAFE.nit, "recaudos"))}
    assert terms[TEXTILES.nit, "pagos"]["criticality"] > terms[CAFE.nit, "recaudos"]["criticality"] == 0
    assert touched(judged({PAGOS: EARLY}, streams, rests=Rests()), incident, Touch.EXPOSED) == {TEXTILES.nit}


# ---- seen together -------------------------------------------------------------------------------------------------


def failed(clock: str, scope: Scope, day: int = 0, **more: object) -> Incident:
    start = at(clock, day=day)
    known = Incident(
        f"AF-{scope.values}-{start}",
        scope,
        "failed",
        Severity.MAJOR,
        IncidentState.RESOLVED,
        start,
        start,
        (),
        frozenset({"failed"}),
    )
    return replace(known, **more)


def test_declared_links_are_counted_as_they_were_seen():
    known = [
        failed("10:00", PAGOS, symptoms=(OWN,)),
        failed("12:00", PAGOS), failed("12:05", NOMINA),
        failed("14:00", PAGOS), failed("14:06", NOMINA),
        failed("16:00", OWN), failed("16:02", OWN, state=IncidentState.MERGED),
        failed("17:00", Scope("pagos", "web", ACEROS.nit)), failed("17:00", Scope()),
    ]  # fmt: skip
    found = told(BANK, known, at("00:00"), at("23:00"))
    assert found["declared"] == [
        {"dimension": "channel", "name": "h2h", "on": "pagos", "together": 1, "alone": 1, "on_alone": 2},
        {"dimension": "product", "name": "nomina", "on": "pagos", "together": 1, "alone": 1, "on_alone": 2},
    ]
    assert found["suggested"] == []


def test_what_fails_together_beyond_chance_is_suggested_unless_it_is_declared():
    days = range(4)
    known = [failed("10:00", PAGOS, n) for n in days] + [failed("10:03", Scope("giros", "swift"), n) for n in days]
    known += [failed(f"{8 + 3 * n}:00", Scope("tarjetas", "web"), n) for n in days]
    (pair,) = told(BANK, known, at("00:00"), at("00:00", day=30))["suggested"]
    assert (pair["things"], pair["together"], pair["times"]) == (["giros", "pagos"], 4, [4, 4])
    share = 4 * 11 / (30 * 1440)
    assert pair["chance"] == pytest.approx(share**4)
    declared = Rests((Rest("product", "giros", "pagos"),))
    assert told(declared, known, at("00:00"), at("00:00", day=30))["suggested"] == []
    assert told(BANK, known, at("00:00"), at("02:00"))["suggested"] == [], "that much may be chance in so little time"
    assert told(BANK, known[:2] + known[4:6], at("00:00"), at("00:00", day=30))["suggested"] == []


# ---- what people see -----------------------------------------------------------------------------------------------


def shown(how: str, answer: people.Row) -> str:
    out = Console(file=io.StringIO(), width=200, no_color=True)
    getattr(tallies if how == "show_rests" else listing, how)(answer, out, NOW.astimezone(ZoneInfo("America/Bogota")))
    return out.file.getvalue()  # type: ignore[attr-defined]  # a StringIO


def test_an_incident_is_kept_and_shown_with_its_symptoms(store: Store) -> None:
    (payments,) = store.incidents(t.incidents.c.id == PAYMENTS)
    assert payments.symptoms == ()
    assert "Síntomas:   —" in shown("show_incident", people.incident(store, PAYMENTS, NOW))
    step = Step()
    step.changes.incidents[PAYMENTS] = replace(payments, symptoms=(OWN, NOMINA))
    store.commit(step, NOW)
    assert store.incidents(t.incidents.c.id == PAYMENTS)[0].symptoms == (OWN, NOMINA)
    row = people.incident(store, PAYMENTS, NOW)
    assert row["symptoms"] == [["", "h2h", "", ""], ["nomina", "app", "", ""]]
    assert "Síntomas:   H2h; Nomina · App" in shown("show_incident", row)


def test_what_rests_on_what_is_shown_as_declared_and_as_seen(store: Store) -> None:
    rests = Rests((Rest("channel", "conexion_directa", "pagos"),))
    found = rested(store, rests, NOW)
    assert found["declared"][0] | {"dimension": ""} == {
        "dimension": "", "name": "conexion_directa", "on": "pagos", "together": 1, "alone": 0, "on_alone": 0,
    }  # fmt: skip
    text = shown("show_rests", found)
    assert "Conexión Directa" in text
    assert "Ninguno." in text
    assert "[[rests]]" in shown("show_rests", rested(store, Rests(), NOW))
    pair = {"things": ["giros", "pagos"], "together": 4, "times": [4, 5], "chance": 2e-9}
    assert "Pagos (5 veces)" in shown("show_rests", {"declared": [], "suggested": [pair]})
