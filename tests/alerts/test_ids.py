"""One id, one incident: what begins in a scope and minute that another began in is another."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import Alert, AlertState, Incident, IncidentState
from alerts.incidents import incident_key
from alerts.raised import Raised
from rules import Scope, Spec, Verdict
from tests.alerts.test_incidents import MINUTE, PAGOS, RULE, Watch
from tests.characters import ACEROS, at

LONG = Spec(name="fallas_largas", for_=timedelta(minutes=15), keep_firing_for=timedelta(minutes=3))


def later(*, restart: int = -1, close: int = -1) -> tuple[Watch, list[Incident]]:
    """A short failure, and what is less bad goes on at the same place since the same minute: all that changed, in order."""
    watch, seen = Watch(), []
    for n in range(24):
        if n == restart:
            known = watch.incidents
            watch.incidents = known.again(known.alerts.values(), known.open.values(), [i.id for i in watch.all])
        short, long = (Verdict.BREACH if n < last else Verdict.HEALTHY for last in (5, 18))
        step = watch.minute(at("10:00") + n * MINUTE, (RULE, PAGOS, short), (LONG, PAGOS, long))
        if n == close:
            watch.incidents.close(watch.open[0].id, "Ana", at("10:04"), step)
            watch.changes.incidents |= step.incidents
        seen += step.incidents.values()
    return watch, seen


@pytest.mark.parametrize("close", [-1, 3])
def test_what_fires_once_another_of_its_scope_and_minute_is_over_is_another(close: int) -> None:
    watch, seen = later(close=close)
    first, second = watch.all
    assert (first.id, second.id) == (incident_key(PAGOS, at("10:00")), incident_key(PAGOS, at("10:00"), {first.id}))
    assert {i.state for i in watch.all} == {IncidentState.RESOLVED}
    assert len({(i.id, i.detected_at) for i in seen}) == len({i.id for i in seen}) == 2


@pytest.mark.parametrize("restart", [9, 13, 16])
def test_a_restart_gives_the_same_ids(restart: int) -> None:
    assert later(restart=restart)[1] == later()[1]


def test_the_id_of_what_was_merged_is_given_to_no_other() -> None:
    watch, recaudos = Watch(), Scope("recaudos", "h2h")
    for n in range(16):
        said = Verdict.BREACH if n < 4 else Verdict.HEALTHY
        places = [PAGOS, recaudos, *([Scope("pagos", "h2h")] if n > 1 else [])]  # the third makes one of the two
        watch.minute(
            at("10:00") + n * MINUTE,
            *((RULE, scope, said) for scope in places),
            *((LONG, scope, Verdict.BREACH) for scope in (PAGOS, recaudos)),
        )
    first = {incident_key(scope, at("10:00")) for scope in (PAGOS, recaudos)}
    states = {i.id: i.state for i in watch.all}
    assert {states[key] for key in first} == {IncidentState.MERGED, IncidentState.RESOLVED}
    assert watch.open
    assert not first & {i.id for i in watch.open}


keys = st.tuples(st.sampled_from("ab"), st.sampled_from([PAGOS, Scope("pagos"), Scope(client_id=ACEROS.nit)]))


@given(st.lists(st.tuples(keys, st.sampled_from(["", "AF-1", "AF-2", None])), max_size=30))
def test_alerts_by_incident_are_those_that_say_so(steps: list[tuple[tuple[str, Scope], str | None]]) -> None:
    raised, told = Raised(), {}
    for n, ((rule, scope), incident) in enumerate(steps):
        if incident is not None:
            told[rule, scope] = Alert(rule, scope, AlertState.FIRING, at("10:00"), at("10:00") + n * MINUTE, incident)
            raised.keep(told[rule, scope])
        elif (rule, scope) in told:
            assert raised.drop((rule, scope)) == told.pop((rule, scope))
        assert raised == told
        for name in ("AF-1", "AF-2"):
            of = [alert for alert in told.values() if alert.incident_id == name]
            assert {(a.rule, a.scope): a for a in raised.of(name)} == {(a.rule, a.scope): a for a in of}
            assert raised.held(name) is bool(of)
            newest = max((alert.last_breach for alert in of), default=at("09:00"))
            assert raised.last_breach(name, at("09:00")) == newest
