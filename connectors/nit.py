"""Client identities: the Colombian NIT, its check digit, and one form for the many ways in which tools write it."""

from __future__ import annotations

from typing import Literal

Form = Literal["nit", "nit_dv", "other"]
"""How a source writes identities: without check digit, with it as the last digit, or something that is no NIT."""

_WEIGHTS = (3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71)


def check_digit(digits: str) -> int:
    """The check digit of a NIT of up to 15 digits.

    >>> check_digit("900123456")
    8
    """
    remainder = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, reversed(digits), strict=False)) % 11
    return remainder if remainder < 2 else 11 - remainder  # noqa: PLR2004 - 0 and 1 stand for themselves by law


def canonical(text: str, form: Form | None = None) -> tuple[str, bool]:
    """The identity in the one form that all sources share, and whether its check digit (if it has one) is right.

    Dots, dashes and spaces go. A single digit after the last dash is the check digit and goes too, except with form
    `other`. With form `nit_dv` and no such dash, the last digit is the check digit. An identity with letters stays as
    it is, trimmed.

    A wrong check digit that was told apart by a dash leaves the number as it is; with `nit_dv` it may be no check digit
    at all, and the identity keeps its digits and gets a question mark, so that it matches no client.

    >>> canonical("900.123.456-8")
    ('900123456', True)
    >>> canonical("9001234567", "nit_dv")
    ('9001234567?', False)
    """
    trimmed = text.strip()
    number, dash, last = trimmed.rpartition("-")
    dashed = bool(dash) and form != "other" and len(last.strip()) == 1
    digits = "".join(trimmed.split()).replace(".", "").replace("-", "")
    if not (digits.isascii() and digits.isdigit()) or (dash and not number.strip(" .-")):
        return trimmed, True
    if not dashed and (form != "nit_dv" or len(digits) == 1):
        return digits, form != "nit_dv"
    body = digits[:-1]
    right = len(body) <= len(_WEIGHTS) and check_digit(body) == int(digits[-1])
    return (body if right or dashed else f"{digits}?"), right
