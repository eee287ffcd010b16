"""Whom somebody means by what they typed in a box: a part of the name or, where all of it is a number, the beginning of the NIT."""

from __future__ import annotations

import re

NIT = 9
"""Digits of a number without its check digit."""
_NUMBER = re.compile(r"(?:nit\b[\s.:]*)?([0-9][0-9.\s-]*)", re.IGNORECASE)


def beginning(text: str) -> str:
    """The digits with which a client's number must begin, dots or not; '' where not all of the text is a number (Plaza 93)."""
    found = _NUMBER.fullmatch(text.strip())
    return re.sub("[^0-9]", "", found[1])[:NIT] if found else ""


def meant(name: str, client_id: str, text: str) -> bool:
    """Whether it is this client; everyone where nothing was typed."""
    begins = beginning(text)
    return text.strip().casefold() in name.casefold() or bool(begins and client_id.startswith(begins))
