"""Both languages have the same words, and write numbers and times as their readers do."""

from __future__ import annotations

import inspect
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from monitor import english, spanish
from monitor.languages import words
from tests.monitor.conftest import INCIDENTS, NOW

BOGOTA = ZoneInfo("America/Bogota")


def public(module: Any) -> dict[str, Any]:
    """What templates may reach of a language."""
    brought = {"annotations", "datetime", "tzinfo", "Decimal", "Iterable", "Mapping", "Any", "isnan"}
    return {
        name: thing
        for name, thing in vars(module).items()
        if not name.startswith("_") and name not in brought | {"DOUBTFUL", "DIMENSIONS"} and not inspect.ismodule(thing)
    }


def test_english_has_every_word_that_spanish_has() -> None:
    there, here = public(spanish), public(english)
    assert here.keys() == there.keys()
    for name, thing in there.items():
        if isinstance(thing, dict):
            assert here[name].keys() == thing.keys(), name
        elif callable(thing):
            assert inspect.signature(here[name]) == inspect.signature(thing), name


@pytest.mark.parametrize("name", [name for name, thing in public(spanish).items() if isinstance(thing, dict)])
def test_no_word_is_left_blank_or_untranslated(name: str) -> None:
    told = public(english)[name]
    assert all(told[key] for key in told if key)
    alike = {key for key, word in told.items() if word == public(spanish)[name][key] and key}
    assert alike <= ({*told} if name == "TONES" else {"swift", "no"})


def test_numbers_money_and_times() -> None:
    es, en = words("es"), words("en")
    assert (es.money(Decimal(98450000)), en.money(Decimal(98450000))) == ("$ 98.450.000", "COP 98,450,000")
    assert (es.number(1234.5), en.number(1234.5)) == ("1.234", "1,234")
    assert (es.number(12.34), en.number(12.34)) == ("12,3", "12.3")
    assert (es.measured(0.231, "failed_rate"), en.measured(0.231, "failed_rate")) == ("23,1 %", "23.1%")
    assert es.moment(NOW, BOGOTA) == "03/03/2026 10:30:00"
    assert en.moment(NOW, BOGOTA) == "3 Mar 2026 10:30:00"


def test_an_incident_in_both() -> None:
    incident = INCIDENTS[0]
    row = {"product": "pagos", "channel": "conexion_directa", "kind": "failed", "ways": ["failed", "missing"]}
    assert words("es").place(row) == "Pagos · Conexión Directa"
    assert words("en").place(row) == "Payments · Direct Connection"
    assert words("es").kind(row) == "Fallas, volumen caído o sin transacciones"
    assert words("en").kind(row) == "Failures, low or no volume"
    told = words("en").shares({"shares": incident.shares, "ways": ["failed"]})
    assert told == "92% of the failures: Direct Connection, code E504; 60%: Payments"


def test_a_client_who_is_not_named_is_one_client() -> None:
    row = {"shares": [["client_id", "", 0.97]], "ways": ["failed"]}
    assert words("es").shares(row) == "97 % de las fallas: un solo cliente"
    assert words("en").shares(row) == "97% of the failures: one client"
