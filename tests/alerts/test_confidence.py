"""How sure a tie is: monotone in what speaks for it, and never certain without a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import Incident, IncidentState, TheirCase
from alerts.confidence import DOUBTFUL, SURE, confidence
from rules import Scope, Severity
from tests.characters import ACEROS, at

OVER = Incident(
    id="AF-1", scope=Scope("pagos", "web"), kind="failed", severity=Severity.MAJOR, state=IncidentState.RESOLVED,
    started_at=at("10:00"), detected_at=at("10:02"), rules=("fallas",), ways=frozenset({"failed"}), ended_at=at("11:00"),
    resolved_at=at("11:20"),
)  # fmt: skip
BEST = ACEROS.reports("10:30", product="pagos", channel="web", subject="Los pagos están fallando")


def sure(case: TheirCase, incident: Incident = OVER, *, declared: bool = True) -> float:
    return confidence(case, incident, ["pagos"], declared=declared)


@pytest.mark.parametrize(
    ("case", "declared", "said", "doubtful"),
    [
        (BEST, True, 0.95, False),
        (ACEROS.reports("10:30", product="pagos"), True, 0.80, False),
        (ACEROS.reports("10:30", product="pagos"), False, 0.65, False),
        (ACEROS.reports("10:30"), True, 0.65, False),
        (ACEROS.reports("10:30"), False, 0.50, True),
        (ACEROS.reports("16:00", product="pagos"), True, 0.68, False),  # five hours after its end
        (ACEROS.reports("16:00"), True, 0.52, True),
        (ACEROS.reports("10:30", product="swift", channel="h2h"), True, 0.50, True),
    ],
)
def test_some_ties_as_people_would_judge_them(case, declared, said, doubtful):
    assert sure(case, declared=declared) == pytest.approx(said, abs=0.006)
    assert (sure(case, declared=declared) < DOUBTFUL) is doubtful


@given(
    product=st.sampled_from(["pagos", "", "swift"]),
    channel=st.sampled_from(["web", "", "h2h"]),
    subject=st.sampled_from(["Fallas en pagos", "¿Por qué me RECHAZAN?", "Certificado tributario", ""]),
    minutes=st.integers(-300, 2000),
    declared=st.booleans(),
    firing=st.booleans(),
)
def test_each_term_speaks_for_the_tie_and_no_guess_is_certain(product, channel, subject, minutes, declared, firing):
    incident = replace(OVER, resolved_at=None, ended_at=None) if firing else OVER
    time = at("10:00") + timedelta(minutes=minutes)
    case = replace(BEST, product=product, channel=channel, subject=subject, reported_at=time, opened_at=time)
    found = sure(case, incident, declared=declared)
    assert 0 < found < SURE
    better = [
        sure(case, incident, declared=True),
        *(sure(replace(case, **{name: getattr(BEST, name)}), incident, declared=declared)
          for name in ("product", "channel", "subject")),
        *([sure(replace(case, product=""), incident, declared=declared)] if product == "swift" else []),
        *([sure(replace(case, channel=""), incident, declared=declared)] if channel == "h2h" else []),
        sure(replace(case, reported_at=at("10:30")), incident, declared=declared),
    ]  # fmt: skip
    assert all(found <= more for more in better)
    nearer = time + (at("10:30") - time) / 3
    assert found <= sure(replace(case, reported_at=nearer), incident, declared=declared)
