"""A frame seen from further off is its rows added up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import DIMENSIONS, Scope
from rules.levels import Places, level, projected
from tests.rules.frames import bank

ALL = Scope("pagos", "web", "900")


@pytest.mark.parametrize(
    ("scope", "by", "found"),
    [
        (ALL, ("product", "channel"), Scope("pagos", "web")),
        (ALL, ("channel",), Scope(channel="web")),
        (ALL, ("product", "client_id"), Scope("pagos", "", "900")),
        (Scope("pagos", "web"), ("product", "client_id"), None),
        (Scope("pagos", ""), ("channel",), None),
        (Scope("", "web"), ("product",), None),
        (Scope("pagos", ""), ("product", "channel"), Scope("pagos")),
        (Scope(), ("product", "channel"), Scope()),
        (Scope("", "", "900"), ("product", "client_id"), Scope(client_id="900")),
    ],
)
def test_a_level_takes_what_there_is_but_not_what_it_is_all_about(scope, by, found):
    assert projected(scope, by) == found


scopes = st.builds(
    Scope, st.sampled_from(["", "pagos", "nomina"]), st.sampled_from(["", "web", "h2h"]), st.sampled_from(["", "1", "2"])
)  # fmt: skip
minutes = st.lists(st.integers(0, 5), min_size=6, max_size=6)
dims = st.sets(st.sampled_from(DIMENSIONS[:3]), min_size=1).map(
    lambda chosen: tuple(name for name in DIMENSIONS if name in chosen)
)


@given(st.dictionaries(scopes, minutes, min_size=1, max_size=8), dims)
def test_a_level_is_the_sum_of_its_rows(told, by):
    frame = bank(1000, {scope: {"total": total} for scope, total in told.items()})
    wanted: dict[tuple[Scope, int], float] = {}
    for scope, total in told.items():
        wide = projected(scope, by)
        for m, n in enumerate(total):
            if n and wide is not None:
                wanted[wide, 1000 + m] = wanted.get((wide, 1000 + m), 0) + n
    one = level(frame, by)
    entries = [(one.scopes[p], m) for p, m in zip(one.place.tolist(), one.minute.tolist(), strict=True)]
    sums = one.total(frame.columns["total"])
    assert dict(zip(entries, sums.tolist(), strict=True)) == wanted
    assert len(entries) == len(wanted)
    order = one.place * (1 << 32) + one.minute
    assert (np.diff(order) > 0).all()
    some = np.flatnonzero(frame.minute == 1002)
    here = one.total(frame.columns["total"], some)
    assert here[one.minute != 1002].sum() == 0
    np.testing.assert_array_equal(here[one.minute == 1002], sums[one.minute == 1002])
    assert level(frame, by) is one, "worked out once a frame"
    for scope, pairs in zip(one.scopes, one.pairs, strict=True):
        assert pairs == {(inside.product, inside.channel) for inside in told if projected(inside, by) == scope}


def test_a_place_keeps_its_number():
    places = Places()
    a, b, c = (Scope(name) for name in "abc")
    assert places.of((b, a)).tolist() == [0, 1]
    assert places.of((c, a)).tolist() == [2, 1]
    assert len(places) == 3
