"""Of those called exposed, who failed later, on cases counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerts import Impact, Incident, IncidentState, Touch
from monitor.foretold import foretold, pooled
from monitor.labels import Label
from rules import Scope, Severity
from tests.characters import ACEROS, CAFE, TEXTILES, at

PAGOS = Scope("pagos", "web")
FOUND = Incident(
    id="AF-1", scope=PAGOS, kind="failed", severity=Severity.MAJOR, state=IncidentState.RESOLVED,
    started_at=at("10:00"), detected_at=at("10:02"), rules=("fallas",), ways=frozenset({"failed"}),
)  # fmt: skip
LABEL = Label(
    "a", at("10:00"), at("10:30"), PAGOS, affected=frozenset({ACEROS.nit, CAFE.nit}),
    first_failures={ACEROS.nit: at("10:01"), CAFE.nit: at("10:20")},
)  # fmt: skip


def exposed(who, clock: str | None, **told) -> Impact:
    return Impact("AF-1", who.nit, "pagos", Touch.EXPOSED, exposed_at=clock and at(clock), **told)


def counted(*impacts: Impact, label: Label = LABEL) -> tuple[int, ...]:
    return tuple(foretold([label], [FOUND], impacts)[label.name][name] for name in ("later", "called", "right"))


def test_who_failed_before_the_detection_was_not_to_be_foretold():
    assert counted(exposed(CAFE, "10:02")) == (1, 1, 1)
    assert counted(exposed(ACEROS, "10:02")) == (1, 1, 0)


def test_who_is_only_on_the_list_was_not_called():
    assert counted(exposed(CAFE, None, chance=0.02)) == (1, 0, 0)


def test_a_call_after_the_first_failure_is_a_call_but_not_a_right_one():
    assert counted(exposed(CAFE, "10:20:01")) == (1, 1, 0)


def test_the_call_stays_on_the_impact_of_whoever_is_hit():
    hit = replace(exposed(CAFE, "10:02"), touch=Touch.AFFECTED, failures=1, first_failure_at=at("10:19"))
    assert counted(hit, exposed(TEXTILES, "10:02")) == (1, 2, 1)


def test_whose_failures_may_be_ordinary_ones_is_neither_right_nor_wrong():
    explained = replace(LABEL, explained=frozenset({TEXTILES.nit}))
    assert counted(exposed(TEXTILES, "10:02"), label=explained) == (1, 0, 0)


def test_where_the_label_does_not_tell_when_the_impact_does():
    hit = replace(exposed(CAFE, "10:02"), touch=Touch.AFFECTED, failures=1, first_failure_at=at("10:20"))
    assert counted(hit, label=replace(LABEL, first_failures={})) == (1, 1, 1)


def test_what_was_not_found_or_tells_of_nobody_counts_nothing():
    labels = [replace(LABEL, affected=frozenset()), replace(LABEL, optional=True), replace(LABEL, scope=Scope("swift"))]
    assert foretold(labels, [FOUND], [exposed(CAFE, "10:02")]) == {}
    assert set(pooled([]).values()) == {None}


def test_pooled_over_labels_and_their_means():
    counts = [
        {"later": 10, "called": 20, "right": 9},
        {"later": 2, "called": 1, "right": 1},
        {"later": 0, "called": 0, "right": 0},
    ]
    assert pooled(counts) == {
        "exposed_recall": pytest.approx(10 / 12),
        "exposed_precision": pytest.approx(10 / 21),
        "exposed_mean_recall": pytest.approx(0.7),
        "exposed_mean_precision": pytest.approx(0.725),
    }
