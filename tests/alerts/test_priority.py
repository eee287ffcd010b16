"""Priority: terms that add up, and none of which ever works against itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import Client, Impact, Touch
from alerts.priority import Weights, ranked
from tests.characters import ACEROS, CAFE, TEXTILES

weight = st.floats(0, 5)
weights = st.builds(
    Weights,
    segment=weight,
    impact=weight,
    value=weight,
    sensitivity=weight,
    criticality=weight,
    products=st.none() | st.dictionaries(st.sampled_from(["pagos", "nomina"]), st.floats(0, 1)),
).filter(lambda w: w.segment + w.impact + w.value + w.sensitivity + w.criticality > 0.1)
clients = st.builds(
    Client,
    client_id=st.just("900"),
    segment=st.sampled_from(["corporativo", "Empresarial", "pyme", "", "otro"]),
    value_rank=st.none() | st.integers(-1, 10**6),
    sensitivity=st.none() | st.floats(-1, 2),
)
impacts = st.builds(
    Impact,
    incident_id=st.just("AF-1"),
    client_id=st.just("900"),
    product=st.sampled_from(["pagos", "recaudos"]),
    touch=st.sampled_from(Touch),
    failures=st.integers(0, 10**6),
    missing=st.integers(0, 10**6),
)


@given(impacts, st.none() | clients, weights)
def test_the_terms_add_up_and_stay_within_their_weight(impact, client, chosen):
    graded = ranked(impact, client, chosen)
    assert 0 <= graded.priority <= 100
    assert graded.priority == pytest.approx(sum(points for _, points in graded.terms), abs=0.5 + 5 * 0.05)
    whole = chosen.segment + chosen.impact + chosen.value + chosen.sensitivity + chosen.criticality
    assert all(0 <= points <= 100 * getattr(chosen, name) / whole + 0.05 for name, points in graded.terms)
    assert replace(graded, priority=0, terms=()) == replace(impact, priority=0, terms=())


@given(impacts, clients, weights, st.integers(0, 1000))
def test_more_failures_never_make_it_less_urgent(impact, client, chosen, more):
    worse = replace(impact, failures=impact.failures + more)
    assert ranked(worse, client, chosen).priority >= ranked(impact, client, chosen).priority


@given(impacts, clients, weights, st.integers(1, 1000), st.integers(0, 1000))
def test_a_more_valuable_client_never_waits_longer(impact, client, chosen, rank, further):
    first, second = replace(client, value_rank=rank), replace(client, value_rank=rank + further)
    assert ranked(impact, first, chosen).priority >= ranked(impact, second, chosen).priority


@given(impacts, clients, weights, st.floats(0, 1), st.floats(0, 1))
def test_a_more_sensitive_client_never_waits_longer(impact, client, chosen, a, b):
    low, high = sorted((a, b))
    less, more = (ranked(impact, replace(client, sensitivity=s), chosen).priority for s in (low, high))
    assert more >= less


@given(impacts, clients, weights)
def test_segments_are_in_order_and_affected_comes_before_exposed(impact, client, chosen):
    segments = [
        ranked(impact, replace(client, segment=s), chosen).priority for s in ("pyme", "empresarial", "corporativo")
    ]
    assert segments == sorted(segments)
    touched = [
        ranked(replace(impact, touch=touch), client, chosen).priority for touch in (Touch.EXPOSED, Touch.AFFECTED)
    ]
    assert touched == sorted(touched)


def test_the_three_clients_stand_in_the_order_that_everyone_expects():
    graded = [
        ranked(Impact("AF-1", who.nit, "pagos", Touch.AFFECTED, failures=10), who.client, Weights())
        for who in (ACEROS, TEXTILES, CAFE)
    ]
    priorities = [impact.priority for impact in graded]
    assert priorities == sorted(priorities, reverse=True)
    assert len(set(priorities)) == 3


def test_the_most_that_there_is_comes_to_a_hundred():
    client = Client("900", segment="corporativo", value_rank=1, sensitivity=1)
    impact = Impact("AF-1", "900", "pagos", Touch.AFFECTED, failures=10**6)
    assert ranked(impact, client, Weights(products={"pagos": 1.0})).priority == 100
