"""What is counted of an incident is kept until it changes, and no longer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerts import Changes, Touch
from monitor import counts as counting
from monitor.counts import counts, touched, until_changed
from monitor.people import acknowledge
from monitor.store import Step, Store
from tests.monitor.conftest import IMPACTS, MOLINOS, NOW, PAYMENTS, SLOW


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the database was asked to count."""
    found: list[int] = []
    real = counting._rows
    monkeypatch.setattr(counting, "_rows", lambda store, query: found.append(1) or real(store, query))
    return found


def commit(store: Store, *impacts) -> None:
    step = Step(changes=Changes(impacts={(i.incident_id, i.client_id, i.product): i for i in impacts}))
    store.commit(step, NOW)


def test_what_another_thread_lets_go_of_meanwhile_is_told_all_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_keep", lambda kept, fresh: kept.clear())  # noqa: ARG005 - as it is called
    assert until_changed(store, "x", 1, lambda: "told") == "told"


def test_clients_priority_and_cases(store: Store):
    found = counts(store, [PAYMENTS, SLOW, "AF-none"])
    assert found[PAYMENTS] == {
        "affected": 2, "exposed": 1, "priority": 83, "cases_opened": 1, "cases_linked": 1, "cases_left": 0,
    }  # fmt: skip
    assert (found[SLOW]["affected"], found["AF-none"]["affected"]) == (1, 0)
    assert touched(store, [PAYMENTS, SLOW]) == (2, 1)
    assert touched(store, []) == (0, 0)


def test_who_is_both_is_affected_and_only_then_gives_the_priority(store: Store):
    commit(store, replace(IMPACTS[0], product="recaudos", touch=Touch.EXPOSED, priority=99))
    assert counts(store, [PAYMENTS])[PAYMENTS]["priority"] == 83
    assert counts(store, [PAYMENTS])[PAYMENTS]["exposed"] == 1


def test_nothing_is_counted_twice_until_it_changes(store: Store, asked: list[int]):
    before = counts(store, [PAYMENTS, SLOW])
    many = len(asked)
    assert counts(store, [PAYMENTS, SLOW]) == before
    assert len(asked) == many
    commit(store, replace(IMPACTS[0], touch=Touch.EXPOSED))
    assert counts(store, [PAYMENTS])[PAYMENTS]["affected"] == 1
    assert touched(store, [PAYMENTS]) == (1, 2)
    assert IMPACTS[0].client_id == MOLINOS


def test_what_is_kept_until_anything_changes(store: Store):
    made: list[int] = []
    ask = lambda as_of=1: until_changed(store, "x", as_of, lambda: {"n": made.append(1) or len(made)})  # noqa: E731 - short
    assert [ask()["n"], ask()["n"], ask(2)["n"]] == [1, 1, 2]
    acknowledge(store, PAYMENTS, "Mesa", "", NOW)
    assert ask(2)["n"] == 3
    commit(store, IMPACTS[0])
    assert ask(2)["n"] == 4
