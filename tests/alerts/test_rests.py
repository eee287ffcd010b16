"""What rests on what: the cause names the incident, and what rests on it is listed under it, whichever came first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import Changes, IncidentState, Signal
from alerts.incidents import Incidents
from alerts.rests import Rest, Rests
from rules import Scope, Severity, Spec, Verdict
from tests.alerts.test_incidents import Watch
from tests.characters import ACEROS, at

MINUTE = timedelta(minutes=1)
LONG = timedelta(hours=2)
BANK = Rests((
    Rest("channel", "h2h", "pagos"), Rest("channel", "h2h", "recaudos"), Rest("product", "nomina", "pagos"),
    Rest("channel", "portal", "h2h"), Rest("product", "pagos", "nucleo"),
))  # fmt: skip
CHANNEL, PAGOS, RECAUDOS, NOMINA = (
    Scope("", "h2h"),
    Scope("pagos", "web"),
    Scope("recaudos", "web"),
    Scope("nomina", "app"),
)
METER = Scope(channel="h2h", series="errores")
QUICK = Spec(name="ya", keep_firing_for=LONG)
GRAVE = Spec(name="grave", keep_firing_for=LONG, severity=Severity.CRITICAL)


def watch(rests: Rests = BANK, **ways: str) -> Watch:
    return Watch(Incidents(rests=rests), **ways)


def tell(seen: Watch, clock: str, *scopes: Scope, spec: Spec = QUICK) -> None:
    seen.minute(clock, *((spec, scope, Verdict.BREACH) for scope in scopes))


def test_what_rests_on_others_rests_on_what_they_rest_on():
    assert BANK.on["portal"] == {"h2h", "pagos", "recaudos", "nucleo"}
    assert BANK.on["nomina"] == {"pagos", "nucleo"}
    assert BANK.resting(Scope("pagos", "web")) == [Scope("", "h2h"), Scope("", "portal"), Scope("nomina")]
    assert BANK.resting(Scope("", "portal")) == BANK.resting(Scope()) == []


@pytest.mark.parametrize("symptom", [CHANNEL, METER, NOMINA])
@pytest.mark.parametrize("first", ["cause", "symptom"])
def test_the_cause_names_it_and_the_symptom_is_listed_in_either_order(symptom, first):
    seen = watch(grave="slow")
    told = [("10:00", PAGOS, QUICK), ("10:04", symptom, GRAVE)]
    if first == "symptom":
        told = [("10:00", symptom, GRAVE), ("10:04", PAGOS, QUICK)]
    for clock, scope, spec in told:
        tell(seen, clock, scope, spec=spec)
        if clock == "10:00":
            (oldest,) = seen.open
    (incident,) = seen.open
    assert (incident.scope, incident.kind, incident.symptoms) == (PAGOS, "failed", (symptom,))
    assert incident.severity is Severity.CRITICAL
    assert (incident.id, incident.started_at) == (oldest.id, at("10:00"))
    assert set(incident.rules) == {"ya", "grave"}
    merged = [i for i in seen.all if i.state is IncidentState.MERGED]
    assert {i.parent_id for i in merged} == {incident.id}
    assert {alert.incident_id for alert in seen.incidents.alerts.values()} == {incident.id}


def test_without_a_declared_link_they_stay_apart():
    for rests in (Rests(), Rests((Rest("channel", "h2h", "giros"),))):
        seen = watch(rests)
        tell(seen, "10:00", PAGOS, CHANNEL, NOMINA)
        assert [i.scope for i in seen.open] == [PAGOS, CHANNEL, NOMINA] or len(seen.open) == 1
        assert all(not i.symptoms for i in seen.open)


@pytest.mark.parametrize(("second", "wanted"), [("10:05", 1), ("10:06", 2)])
def test_only_what_began_together_is_one(second, wanted):
    for order in ((PAGOS, NOMINA), (NOMINA, PAGOS)):
        seen = watch()
        tell(seen, "10:00", order[0])
        tell(seen, second, order[1])
        assert len(seen.open) == wanted


def test_a_channel_that_fails_by_itself_stays_the_channels_own():
    seen = watch()
    tell(
        seen,
        "10:00",
        Scope("pagos", "h2h"),
        Scope("recaudos", "h2h"),
        CHANNEL,
        Scope("pagos"),
        Scope("tarjetas", "h2h"),
    )
    (incident,) = seen.open
    assert (incident.scope, incident.symptoms) == (CHANNEL, ())


@pytest.mark.parametrize("scopes", [(CHANNEL,), (METER,), (CHANNEL, METER)])
def test_a_channels_own_alert_with_nothing_beneath_it_is_its_own_incident(scopes):
    seen = watch()
    tell(seen, "10:00", *scopes)
    assert all(i.scope.channel == "h2h" and not i.symptoms for i in seen.open)


def test_one_product_through_the_channel_alone_is_seen_from_the_whole_channel_and_no_symptom():
    seen = watch()
    tell(seen, "10:00", CHANNEL, Scope("pagos"))
    assert (seen.open[0].scope, seen.open[0].symptoms) == (Scope("pagos"), (CHANNEL,))
    tell(seen, "10:01", Scope("pagos", "h2h"))
    (incident,) = seen.open
    assert (incident.scope, incident.symptoms) == (Scope("pagos", "h2h"), ())


def test_the_deepest_cause_names_a_chain():
    for order in ((Scope(series="nucleo"), PAGOS, CHANNEL), (CHANNEL, PAGOS, Scope(series="nucleo"))):
        seen = watch()
        for n, scope in enumerate(order):
            tell(seen, f"10:0{n}", scope)
        (incident,) = seen.open
        assert (incident.scope, incident.symptoms) == (Scope(series="nucleo"), (CHANNEL, PAGOS))


def test_a_client_alone_is_nobodys_symptom_nor_cause():
    seen = watch()
    tell(seen, "10:00", Scope("nomina", "app", ACEROS.nit))
    tell(seen, "10:01", PAGOS)
    assert len(seen.open) == 2


def test_what_is_over_is_over_for_symptoms_too_and_they_keep_it_open_till_they_heal():
    seen = watch()
    short = Spec(name="corta", keep_firing_for=2 * MINUTE)
    tell(seen, "10:00", PAGOS, NOMINA, spec=short)
    for n in range(1, 6):
        seen.minute(f"10:0{n}", (short, PAGOS, Verdict.HEALTHY), (short, NOMINA, Verdict.BREACH))
    assert [i.symptoms for i in seen.open] == [(NOMINA,)]
    for n in range(6, 9):
        seen.minute(f"10:0{n}", (short, NOMINA, Verdict.HEALTHY))
    (incident,) = [i for i in seen.all if i.state is IncidentState.RESOLVED]
    assert (incident.scope, incident.symptoms, incident.ended_at) == (PAGOS, (NOMINA,), at("10:06"))
    again = Incidents((), seen.all, rests=BANK)
    assert again._echo(NOMINA, at("10:03"))


def test_a_restart_goes_on_where_it_was():
    seen = watch()
    tell(seen, "10:00", NOMINA)
    second = Watch(watch().incidents.again(seen.incidents.alerts.values(), seen.all, ()))
    tell(second, "10:03", PAGOS)
    (incident,) = second.open
    assert (incident.scope, incident.symptoms) == (PAGOS, (NOMINA,))


places = st.sampled_from(
    [PAGOS, RECAUDOS, NOMINA, METER, Scope(series="nucleo"), Scope("", "portal"), Scope("recaudos", "caja")]
)


@given(st.dictionaries(places, st.integers(0, 5), min_size=2), st.randoms())
def test_what_stands_in_the_end_does_not_ask_in_which_order_it_was_told(starts, chance):
    """Alerts of several places that began at these minutes, told one by one in any order, each since its own beginning."""

    def stands(order: list[Scope]) -> set[tuple[object, ...]]:
        seen = Incidents(rests=BANK)
        for n, scope in enumerate(order):
            now, since = at("10:06") + n * MINUTE, at("10:00") + starts[scope] * MINUTE
            told = Signal(QUICK, frozenset({"failed"}), scope, since, now, Verdict.BREACH)
            seen.advance([told], now, now, Changes())
        return {(i.scope, i.symptoms, i.kind, i.severity, i.rules) for i in seen.open.values()}

    order = list(starts)
    assert stands(order) == stands(chance.sample(order, len(order)))
