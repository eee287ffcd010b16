"""One identity, however a tool writes it; and never somebody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.nit import canonical, check_digit

NUMBERS = st.integers(1, 10**15 - 1).map(str)


@pytest.mark.parametrize(
    ("number", "digit"), [("900123456", 8), ("890903938", 8), ("860034313", 7), ("800197268", 4), ("899999068", 1)]
)
def test_check_digits(number: str, digit: int) -> None:
    assert check_digit(number) == digit


@given(NUMBERS, st.sampled_from(["{}-{}", "{} - {}", " {}-{} "]))
def test_every_written_form_is_one_identity(number: str, form: str) -> None:
    digit = check_digit(number)
    dotted = f"{int(number):,}".replace(",", ".")
    for declared in (None, "nit", "nit_dv"):
        assert canonical(form.format(number, digit), declared) == (number, True)
        assert canonical(form.format(dotted, digit), declared) == (number, True)
    assert canonical(f"{number}{digit}", "nit_dv") == (number, True)
    assert canonical(dotted, "nit") == (number, True)
    assert canonical(dotted) == (number, True)


@given(NUMBERS, st.integers(0, 9), st.sampled_from([None, "nit", "nit_dv", "other"]))
def test_canonical_form_is_its_own_where_no_check_digit_is_declared(number: str, digit: int, form: str | None) -> None:
    once, _ = canonical(f"{number}-{digit}", form)  # type: ignore[arg-type] - drawn from the literal's values
    assert canonical(once, "nit")[0] == once


@given(NUMBERS, st.integers(0, 9))
def test_wrong_last_digit_matches_no_client(number: str, digit: int) -> None:
    identity, right = canonical(f"{number}{digit}", "nit_dv")
    assert right == (check_digit(number) == digit)
    assert identity == (number if right else f"{number}{digit}?")


def test_wrong_digit_after_a_dash_is_told() -> None:
    assert canonical("900.123.456-1") == ("900123456", False)


@pytest.mark.parametrize("text", ["AB-1", "X900", "-1", "-", "", "N.A."])
@pytest.mark.parametrize("form", [None, "nit", "nit_dv", "other"])
def test_what_is_no_number_stays(text: str, form: str | None) -> None:
    assert canonical(f" {text} ", form) == (text, True)  # type: ignore[arg-type] - drawn from the literal's values


def test_other_identities_have_no_check_digit() -> None:
    assert canonical("1.020.304-5", "other") == ("10203045", True)
    assert canonical("0900123456") == ("0900123456", True)


@given(st.text(), st.sampled_from([None, "nit", "nit_dv", "other"]))
def test_any_text_is_taken(text: str, form: str | None) -> None:
    canonical(text, form)  # type: ignore[arg-type] - drawn from the literal's values
