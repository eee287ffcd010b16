"""Scopes of one cause, put together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.scopes import narrowest, reaching
from rules import Scope
from tests.characters import ACEROS, CAFE

SCOPES = st.builds(
    Scope, st.sampled_from(["", "pagos", "giros"]), st.sampled_from(["", "web", "h2h"]), st.sampled_from(["", CAFE.nit])
)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ([Scope("pagos", "web"), Scope("pagos"), Scope("", "web")], Scope("pagos", "web")),
        ([Scope("pagos"), Scope("", "web")], Scope("pagos", "web")),
        ([Scope("pagos", "web"), Scope("pagos", "h2h"), Scope("", "web"), Scope("pagos")], Scope("pagos")),
        ([Scope("pagos", "web"), Scope("giros", "web"), Scope("pagos")], Scope("", "web")),
        ([Scope("pagos", "web"), Scope("pagos", "", ACEROS.nit)], Scope("pagos", "web")),
        ([Scope("pagos", "", ACEROS.nit), Scope("giros", "", ACEROS.nit)], Scope("", "", ACEROS.nit)),
    ],
)
def test_a_cause_reaches_as_far_as_the_narrowest_of_its_alerts(told, wanted):
    assert reaching(told) == wanted


@given(
    st.permutations([Scope("pagos", "web"), Scope("pagos", "h2h"), Scope("", "web"), Scope("", "h2h"), Scope("pagos")])
)
def test_it_does_not_matter_which_alert_came_first(told):
    assert reaching(told) == Scope("pagos")


@given(st.lists(SCOPES, min_size=1, max_size=6))
def test_a_pair_that_fails_is_never_left_out(told):
    pairs = [scope for scope in told if scope.product and scope.channel and not scope.client_id]
    assert all(reaching(told).holds(pair) for pair in pairs)
    assert all(any(scope.holds(one) for scope in told) for one in narrowest(told))


@given(st.lists(SCOPES, max_size=8))
def test_the_narrowest_hold_none_of_the_others(told):
    distinct = list(dict.fromkeys(told))
    assert narrowest(told) == [
        one for one in distinct if not any(other != one and one.holds(other) for other in distinct)
    ]
