"""Names of columns as people are told of them: where they are no names but a client's row, only how many there are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST, LONGEST = 100, 60
"""Names that are told, and signs of each."""
LONG_NUMBER = re.compile(r"\d(?:[.\- ]?\d){5,}")
"""What may be a client's, however it is written: 900.123.456-7."""
_VALUE = re.compile(rf"[^@\s]@(?!odata\.|Microsoft\.)[\w-]|{LONG_NUMBER.pattern}|\d:\d\d")


def headings(names: Sequence[str]) -> str:
    """`fecha, estado, valor`; of names that look like values (an address, a long number, a time): `3 columns, which ...`."""
    if any(_VALUE.search(name) for name in names):
        return f"{len(names)} columns, named as if they were values: is the header missing?"
    cut = [name if len(name) <= LONGEST else f"{name[:LONGEST]}…" for name in names[:MOST]]
    return ", ".join(cut) + (f" and {len(names) - MOST} others" if len(names) > MOST else "")
