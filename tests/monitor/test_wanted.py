"""Whom somebody means by what they typed."""

from __future__ import annotations

import pytest

from monitor.wanted import beginning, meant


@pytest.mark.parametrize(
    ("typed", "begins"),
    [
        ("900123456", "900123456"),
        (" 900.123.456-7 ", "900123456"),
        ("900 123", "900123"),
        ("NIT 900.1", "9001"),
        ("9", "9"),
        ("Inventado 9", ""),
        ("Plaza 93", ""),
        ("900-", "900"),
        ("-", ""),
        ("", ""),
    ],
)
def test_the_beginning_of_a_nit_is_a_number_and_nothing_else(typed: str, begins: str) -> None:
    assert beginning(typed) == begins


def test_a_digit_in_a_name_is_part_of_the_name() -> None:
    assert meant("Inventado 9", "800000001", " inventado 9")
    assert not meant("Inventado 8", "900000001", "Inventado 9")
    assert meant("Inventado 8", "900000001", "9")
    assert meant("Grupo 9", "800000001", "9")
