"""The languages that Vigía speaks, by one door: `words("es").place(row)`, `words("en").place(row)`.

A language is a module: `monitor.spanish`, `monitor.english`. Both have the same names, keys and arguments (a test sees to it).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any, Literal, Protocol

from monitor import english, spanish

Code = Literal["es", "en"]
Row = Mapping[str, Any]


class Language(Protocol):
    """What is said alike in every message; templates reach all other names of the module as well."""

    NAMES: dict[str, str]
    KINDS: dict[str, str]
    SEVERITIES: dict[str, str]
    STATES: dict[str, str]
    ACTS: dict[str, str]

    def name(self, identifier: str) -> str:
        """A product or a channel."""
        ...

    def names(self, identifiers: Iterable[str]) -> str:
        """Several of them."""
        ...

    def place(self, row: Row) -> str:
        """Where something is."""
        ...

    def kind(self, row: Row) -> str:
        """How it hurts."""
        ...

    def state(self, row: Row) -> str:
        """Of an incident, with who acted on it."""
        ...

    def shares(self, row: Row) -> str:
        """What an incident's failures have in common."""
        ...

    def lasting(self, minutes: int) -> str:
        """How long."""
        ...

    def length(self, seconds: float) -> str:
        """How long, signed."""
        ...

    def when(self, time: datetime | None, now: datetime, *, seconds: bool = False) -> str:
        """A moment, as short as it can be told at `now`."""
        ...

    def moment(self, time: datetime | None, zone: tzinfo | None) -> str:
        """A moment with its day and seconds."""
        ...

    def number(self, value: float | Decimal | None) -> str:
        """A number."""
        ...

    def count(self, many: int, word: str, words: str = "") -> str:
        """So many of something."""
        ...

    def money(self, amount: Decimal | None) -> str:
        """Pesos, whole."""
        ...

    def measured(self, value: float | None, measure: str = "") -> str:
        """What a rule saw, in its measure's unit."""
        ...


_KNOWN: Mapping[str, Language] = {"es": spanish, "en": english}


def words(language: Code) -> Language:
    """The words of a language."""
    return _KNOWN[language]
