"""Which stage a case is in: the entry that names most, and of several products the wariest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.stages import Stage, Staged, Stages

PAGOS, SWIFT = frozenset({"pagos"}), frozenset({"swift"})
SOME = Stages(
    (
        Staged(Stage.APPROVE),
        Staged(Stage.OBSERVE, PAGOS),
        Staged(Stage.AUTOMATIC, PAGOS, frozenset({"corporativo", "empresarial"})),
        Staged(Stage.AUTOMATIC, SWIFT),
    )
)


@pytest.mark.parametrize(
    ("products", "segment", "stage"),
    [
        (["recaudos"], "pyme", Stage.APPROVE),
        (["pagos"], "pyme", Stage.OBSERVE),
        (["pagos"], "", Stage.OBSERVE),
        (["pagos"], "Corporativo", Stage.AUTOMATIC),
        (["swift"], "pyme", Stage.AUTOMATIC),
        ([], "corporativo", Stage.APPROVE),
        (["swift", "pagos"], "pyme", Stage.OBSERVE),
        (["swift", "recaudos"], "pyme", Stage.APPROVE),
        (["swift", "pagos"], "corporativo", Stage.AUTOMATIC),
    ],
)
def test_the_one_that_names_most_holds_and_of_several_products_the_wariest(products, segment, stage):
    assert SOME.of(products, segment) is stage


def test_where_nothing_is_said_cases_are_opened_by_themselves():
    assert Stages().of(["pagos"], "pyme") is Stage.AUTOMATIC


names = st.frozensets(st.sampled_from("abc"), max_size=2)
entries = st.builds(Staged, st.sampled_from(Stage), names, names)


@given(entries, entries)
def test_two_meet_where_some_case_is_of_both(one: Staged, other: Staged):
    cases = [(product, segment) for product in "abcz" for segment in "abcz"]
    assert one.meets(other) is any(one.fits(*case) and other.fits(*case) for case in cases)
