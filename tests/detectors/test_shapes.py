"""One protocol, two shapes: a series scores alone as it does in a bank, and its state goes from one to the other."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import SLOTS, Bank, Detector, kinds, make, one
from detectors.state import StateError
from tests.detectors.kinds import OPTIONS, every_kind, quick_kind

odd = st.floats(allow_nan=True) | st.sampled_from([np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0, 5.0, 1e-300])
steps = st.lists(
    st.tuples(st.integers(0, SLOTS - 1), st.lists(st.tuples(odd, st.booleans()), min_size=2, max_size=2)), max_size=25
)


def shown(score):
    return np.full(5, np.nan) if score is None else np.array(astuple(score))


def together(bank, singles, x, slot, mask):
    """One step of both shapes; the scores of both."""
    scores = np.array(astuple(bank.score(x, slot)))
    alone = np.array([shown(single.score_one(r, slot)) for single, r in zip(singles, x.tolist(), strict=True)]).T
    bank.learn(x, slot, mask)
    for single, reading, take in zip(singles, x.tolist(), mask.tolist(), strict=True):
        single.learn_one(reading, slot, take=take)
    return scores, alone


def compared(bank, singles, stream):
    for x, slot, mask in stream:
        scores, alone = together(bank, singles, x, slot, mask)
        np.testing.assert_allclose(scores, alone, rtol=1e-9, atol=1e-12)


def days(n=3, seed=1, every=5):
    """Readings of two series along days of all kinds, with gaps, shocks, a nightly closing and withheld readings."""
    rng = np.random.default_rng(seed)
    for step in range(n * 1440 // every):
        minute = step * every
        slot = minute // 15 % 96 + 96 * (minute // 1440 % 4)
        x = np.where(minute % 1440 < 360, 0.0, 20 + rng.standard_t(3, 2))
        x = np.where(rng.random(2) < 0.02, [np.nan, 1e6], x)
        yield x, slot, rng.random(2) < 0.97


@every_kind
def test_what_a_door_gives_has_the_shape_it_says(kind):
    assert isinstance(make(kind, **OPTIONS[kind]), Bank)
    assert isinstance(one(kind, **OPTIONS[kind]), Detector)


@every_kind
@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_both_shapes_give_the_same_scores_over_days(kind, direction):
    bank, singles = make(kind, direction=direction, **OPTIONS[kind]), []
    bank.grow(2)
    singles = [one(kind, direction=direction, **OPTIONS[kind]) for _ in range(2)]
    compared(bank, singles, days(10 if kind in ("ewma", "seasonal") else 2, every=3 if kind == "seasonal" else 5))


@quick_kind
@settings(max_examples=60)
@given(stream=steps)
def test_both_shapes_give_the_same_scores_whatever_comes(kind, stream):
    options = OPTIONS[kind] | {"warmup": 2}
    bank, singles = make(kind, **options), [one(kind, **options) for _ in range(2)]
    bank.grow(2)
    compared(
        bank,
        singles,
        [
            (np.array([reading for reading, _ in row]), slot, np.array([take for _, take in row]))
            for slot, row in stream
        ],
    )


# ---- state -------------------------------------------------------------------------------------------------------


def learned(kind, stream):
    bank = make(kind, **OPTIONS[kind])
    bank.grow(2)
    for x, slot, mask in stream:
        bank.learn(x, slot, mask)
    return bank


def tails(bank, stream):
    found = []
    for x, slot, mask in stream:
        found.append(astuple(bank.score(x, slot)))
        bank.learn(x, slot, mask)
    return np.array(found)


@every_kind
def test_one_goes_on_from_its_state_as_if_it_had_never_stopped(kind):
    single, twin = (one(kind, **OPTIONS[kind]) for _ in range(2))
    for x, slot, mask in days(2):
        single.learn_one(float(x[0]), slot, take=bool(mask[0]))
    twin.take(single.state())
    spoke = False
    for x, slot, mask in days(1, seed=2):
        before, after = (shown(each.score_one(float(x[0]), slot)) for each in (single, twin))
        np.testing.assert_array_equal(after, before)
        spoke |= bool(np.isfinite(after).any())
        for each in (single, twin):
            each.learn_one(float(x[0]), slot, take=bool(mask[0]))
    assert spoke


@every_kind
def test_a_bank_goes_on_from_its_state_as_if_it_had_never_stopped(kind):
    bank = learned(kind, days(2))
    state = bank.state()
    twin = make(kind, **OPTIONS[kind])
    twin.take(state)
    after = list(days(1, seed=2))
    expected = tails(bank, after)
    assert np.isfinite(expected[:, 1]).any()
    np.testing.assert_array_equal(tails(twin, after), expected)
    again = make(kind, **OPTIONS[kind])
    again.take(state)
    np.testing.assert_array_equal(tails(again, after), expected, "what was given is a copy")


@quick_kind
def test_the_state_of_one_is_that_of_a_bank_of_one(kind):
    single = one(kind, **OPTIONS[kind])
    stream = list(days(2))
    for x, slot, mask in stream:
        single.learn_one(x[0], slot, take=bool(mask[0]))
    bank = make(kind, **OPTIONS[kind])
    bank.take(single.state())
    twin = one(kind, **OPTIONS[kind])
    twin.take(bank.state())
    for x, slot, mask in days(1, seed=2):
        before = shown(single.score_one(x[0], slot))
        scores, alone = together(bank, [twin], x[:1], slot, mask[:1])
        single.learn_one(x[0], slot, take=bool(mask[0]))
        np.testing.assert_allclose(scores[:, 0], before, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(alone[:, 0], before)


@every_kind
def test_a_state_holds_arrays_alone_and_no_objects(kind):
    state = learned(kind, days(1)).state()
    assert state.kind == kind
    assert state.version >= 1
    assert state.arrays
    for name, array in state.arrays.items():
        assert isinstance(array, np.ndarray), name
        assert not array.dtype.hasobject, name


@every_kind
@pytest.mark.parametrize("shape", ["bank", "one"])
def test_another_version_or_kind_or_half_a_state_is_refused(kind, shape):
    taker = make(kind, **OPTIONS[kind]) if shape == "bank" else one(kind, **OPTIONS[kind])
    state = (learned(kind, days(1)) if shape == "bank" else taker).state()
    for other, told in (
        (replace(state, version=99), "version 99.*rebuild"),
        (replace(state, kind="oracle"), "'oracle'"),
        (replace(state, arrays=dict(list(state.arrays.items())[1:])), "not whole"),
        (replace(state, arrays={**state.arrays, "more": np.zeros(1)}), "not whole: .*more"),
    ):
        with pytest.raises(StateError, match=told):
            taker.take(other)


@quick_kind
def test_arrays_of_another_type_or_shape_are_refused(kind):
    state = learned(kind, days(1)).state()
    name = next(name for name, array in state.arrays.items() if array.ndim > 1)
    array = state.arrays[name]
    for wrong in (array.astype(np.complex128), array[:-1], array[..., :1]):
        with pytest.raises(StateError, match=r"shape or type|different numbers"):
            make(kind).take(replace(state, arrays={**state.arrays, name: wrong}))
    with pytest.raises(StateError, match="not of one series"):
        one(kind).take(state)


def test_every_kind_is_looked_at():
    assert set(OPTIONS) == set(kinds())


@pytest.mark.parametrize("kind", ["discord", "ensemble", "residuals"])
def test_parts_of_another_type_or_shape_are_refused(kind):
    taker = one(kind)
    state = taker.state()
    for name, array in state.arrays.items():
        for wrong in (array.astype(np.complex128), np.stack([array, array])):
            with pytest.raises(StateError, match=f"shape or type: {name}"):
                taker.take(replace(state, arrays={**state.arrays, name: wrong}))


@pytest.mark.parametrize("kind", ["discord", "ensemble"])
def test_a_state_of_another_history_is_refused(kind):
    with pytest.raises(StateError, match="shape"):
        one(kind, history=300).take(one(kind, history=400).state())
