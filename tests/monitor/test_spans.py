"""What cannot be told is UNKNOWN: neither a breach, nor well."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from monitor.spans import sure
from rules import Frame, Scope, Spec, Verdict, Verdicts
from rules.due import Due
from rules.excess import Excess
from tests.characters import ACEROS, CAFE, minute

HERE = (Scope("pagos", "", ACEROS.nit), Scope("pagos", "web"), Scope("nomina", "web", CAFE.nit))
TEN = minute("10:00")
DARK = ((Scope("pagos", "h2h"), TEN + 1, TEN + 2),)
NO_MAINTENANCE = SimpleNamespace(maintenance=())


def said(verdict: Verdict) -> Verdicts:
    """The same of three scopes in three minutes."""
    series, at = np.repeat(np.arange(3), 3), np.tile(np.arange(TEN, TEN + 3), 3)
    nothing = np.full(9, np.nan)
    frame = Frame(TEN, TEN + 3, HERE, series, at, {}, dark=DARK)
    return Verdicts(frame, np.full(9, verdict, np.int8), *[nothing] * 5)


def after(kind: type[Due | Excess], verdict: Verdict) -> list[Verdict]:
    rule = Due(Spec(name="lotes")) if kind is Due else Excess(Spec(name="fallas"), measure="failed")
    return [Verdict(v) for v in sure(NO_MAINTENANCE, rule, said(verdict)).verdict.tolist()]


@pytest.mark.parametrize("kind", [Due, Excess])
def test_nobody_is_healthy_of_whom_a_source_did_not_tell(kind):
    found = after(kind, Verdict.HEALTHY)
    assert found == [Verdict.HEALTHY, Verdict.UNKNOWN, Verdict.HEALTHY, *[Verdict.HEALTHY] * 6]


def test_what_failed_has_failed_but_what_did_not_come_may_have():
    assert after(Excess, Verdict.BREACH) == [Verdict.BREACH] * 9
    assert after(Due, Verdict.BREACH).count(Verdict.UNKNOWN) == 1
