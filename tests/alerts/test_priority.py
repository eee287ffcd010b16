"""Priority: terms that add up, and none of which ever works against itself."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import Client, Impact, Touch
from alerts.priority import TYPOLOGY, Weights, ranked
from tests.characters import ACEROS, CAFE, TEXTILES

TERMS = ("segment", "impact", "value", "sensitivity", "criticality", "typology")
part = st.floats(0, 1)
weight = st.floats(0, allow_infinity=False)
weights = (
    st.dictionaries(st.sampled_from(TERMS), weight, min_size=1)
    .filter(lambda given: any(given.values()))
    .flatmap(
        lambda given: st.builds(
            Weights,
            **{term: st.just(given.get(term, 0.0)) for term in TERMS},
            products=st.none() | st.dictionaries(st.sampled_from(["pagos", "nomina"]), part),
            ways=st.none() | st.dictionaries(st.sampled_from(sorted(TYPOLOGY)), part),
        )
    )
)
segments = st.sampled_from(["corporativo", "Empresarial", "pyme", "", "otro"])
clients = st.builds(
    Client,
    client_id=st.just("900"),
    segment=segments,
    value_rank=st.none() | st.integers(-1, 10**6),
    sensitivity=st.none() | st.floats(-1, 2),
)
ways = st.frozensets(st.sampled_from(sorted(TYPOLOGY)))
impacts = st.builds(
    Impact,
    incident_id=st.just("AF-1"),
    client_id=st.just("900"),
    product=st.sampled_from(["pagos", "recaudos"]),
    touch=st.sampled_from(Touch),
    failures=st.integers(0, 10**6),
    missing=st.integers(0, 10**6),
)
FAILED = frozenset({"failed"})


@given(impacts, st.none() | clients, ways, weights)
def test_the_terms_add_up_and_stay_within_their_weight(impact, client, hurt, chosen):
    graded = ranked(impact, client, hurt, chosen)
    assert 0 <= graded.priority <= 100
    assert tuple(name for name, _ in graded.terms) == TERMS
    assert graded.priority == pytest.approx(sum(points for _, points in graded.terms), abs=0.5 + len(TERMS) * 0.051)
    assert all(0 <= points <= chosen.points[name] + 0.051 for name, points in graded.terms)
    assert replace(graded, priority=0, terms=(), weights="") == replace(impact, priority=0, terms=())


@given(impacts, clients, ways, weights, st.integers(0, 1000))
def test_more_failures_never_make_it_less_urgent(impact, client, hurt, chosen, more):
    worse = replace(impact, failures=impact.failures + more)
    assert ranked(worse, client, hurt, chosen).priority >= ranked(impact, client, hurt, chosen).priority


@given(impacts, clients, ways, weights, st.integers(1, 1000), st.integers(0, 1000))
def test_a_more_valuable_client_never_waits_longer(impact, client, hurt, chosen, rank, further):
    first, second = replace(client, value_rank=rank), replace(client, value_rank=rank + further)
    assert ranked(impact, first, hurt, chosen).priority >= ranked(impact, second, hurt, chosen).priority


@given(impacts, clients, ways, weights, part, part)
def test_a_more_sensitive_client_never_waits_longer(impact, client, hurt, chosen, a, b):
    low, high = sorted((a, b))
    less, more = (ranked(impact, replace(client, sensitivity=s), hurt, chosen).priority for s in (low, high))
    assert more >= less


@given(impacts, clients, ways, weights, part, part)
def test_a_more_critical_product_never_waits_longer(impact, client, hurt, chosen, a, b):
    low, high = (replace(chosen, products={impact.product: given}) for given in sorted((a, b)))
    assert ranked(impact, client, hurt, high).priority >= ranked(impact, client, hurt, low).priority


@given(impacts, clients, ways, ways.filter(bool), weights)
def test_one_more_way_to_be_hurt_never_makes_it_less_urgent(impact, client, more, hurt, chosen):
    assert ranked(impact, client, hurt | more, chosen).priority >= ranked(impact, client, hurt, chosen).priority


@given(impacts, clients, ways, weights)
def test_segments_are_in_order_and_affected_comes_before_exposed(impact, client, hurt, chosen):
    by_segment = [
        ranked(impact, replace(client, segment=s), hurt, chosen).priority
        for s in ("otro", "pyme", "empresarial", "corporativo")
    ]
    assert by_segment == sorted(by_segment)
    touched = [
        ranked(replace(impact, touch=touch), client, hurt, chosen).priority for touch in (Touch.EXPOSED, Touch.AFFECTED)
    ]
    assert touched == sorted(touched)


def test_the_ways_to_be_hurt_are_in_the_order_of_what_becomes_of_the_money():
    impact = Impact("AF-1", ACEROS.nit, "pagos", Touch.AFFECTED, failures=10)
    found = [
        ranked(impact, ACEROS.client, {way}, Weights()).priority
        for way in ("failed", "missing", "reversed", "duplicated", "pending", "rejected", "slow")
    ]
    assert found[0] == found[1] == found[2] == found[3] > found[4] > found[5] > found[6]


@pytest.mark.parametrize("term", TERMS)
def test_no_term_outweighs_all_the_others_together(term):
    """With the shipped weights: the best of one term and the worst of the rest stands below the other way round."""
    worst, best = (
        {
            "segment": segment, "value_rank": rank, "sensitivity": s, "failures": hits, "ways": frozenset({way}), "product": product
        }
        for segment, rank, s, hits, way, product in (
            ("pyme", 10**4, 0.0, 1, "slow", "tarjetas"), ("corporativo", 1, 1.0, 10**6, "failed", "pagos"),
        )
    )  # fmt: skip
    of = {"impact": "failures", "value": "value_rank", "criticality": "product", "typology": "ways"}.get(term, term)

    def priority(given):
        client = Client("900", "", given["segment"], given["value_rank"], given["sensitivity"])
        impact = Impact("AF-1", "900", given["product"], Touch.AFFECTED, given["failures"])
        return ranked(impact, client, given["ways"], Weights(products={"pagos": 1.0, "tarjetas": 0.0})).priority

    assert priority(worst | {of: best[of]}) < priority(best | {of: worst[of]})


@given(st.lists(st.tuples(impacts, clients), min_size=2, max_size=8), st.randoms(), st.integers(0, 10**6))
def test_first_in_is_not_first_out(there, rng: random.Random, late):
    """Neither when the first failure was nor in which order they come in moves anyone."""
    noon = datetime(2026, 3, 3, 12, tzinfo=UTC)
    named = [(replace(m, client_id=str(n)), replace(c, client_id=str(n))) for n, (m, c) in enumerate(there)]

    def order(come):
        graded = [ranked(impact, client, FAILED, Weights()) for impact, client in come]
        return [m.client_id for m in sorted(graded, key=lambda m: (-m.priority, m.client_id))]

    moved = [
        (replace(m, first_failure_at=noon + timedelta(seconds=(late * (n + 1)) % 9973)), c)
        for n, (m, c) in enumerate(named)
    ]
    rng.shuffle(moved)
    assert order(moved) == order(named)


def test_the_version_is_of_all_that_makes_the_number_and_of_nothing_else():
    same = [Weights(), Weights(ways={"failed": 1.0})]
    other = [
        Weights(segment=0.35),
        Weights(ways={"slow": 0.4}),
        Weights(products={"pagos": 1.0}),
        Weights(typology=0.2),
    ]
    assert len({w.version for w in same}) == 1
    assert len({w.version for w in [same[0], *other]}) == 5
    impact = Impact("AF-1", ACEROS.nit, "pagos", Touch.AFFECTED, failures=10)
    assert ranked(impact, None, FAILED, other[0]).weights == other[0].version


def test_the_three_clients_stand_in_the_order_that_everyone_expects():
    graded = [
        ranked(Impact("AF-1", who.nit, "pagos", Touch.AFFECTED, failures=10), who.client, FAILED, Weights())
        for who in (ACEROS, TEXTILES, CAFE)
    ]
    priorities = [impact.priority for impact in graded]
    assert priorities == sorted(priorities, reverse=True)
    assert len(set(priorities)) == 3


def test_the_most_that_there_is_comes_to_a_hundred():
    client = Client("900", segment="corporativo", value_rank=1, sensitivity=1)
    impact = Impact("AF-1", "900", "pagos", Touch.AFFECTED, failures=10**6)
    assert ranked(impact, client, FAILED, Weights(products={"pagos": 1.0})).priority == 100
