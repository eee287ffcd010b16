"""Much at once: what a thousand incidents, and thousands of clients in two, cost. In seconds of the processor, with much to spare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import process_time

import pytest

from alerts import Action, Changes, Impact, Incident, IncidentState, Touch
from alerts.cases import CaseBook
from alerts.reasons import ELSEWHERE, RETURNED
from rules import Scope, Spec, Verdict
from tests.alerts.test_cases import INCIDENT
from tests.alerts.test_incidents import MINUTE, Watch
from tests.characters import at

THOUSANDS = 16_000
NITS = [f"9{n:08}" for n in range(THOUSANDS)]


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = process_time()
    yield
    assert process_time() - began < seconds


def hit(book: CaseBook, incident: Incident, clock: str) -> Changes:
    """It affects all of them."""
    changes, product = Changes(), incident.scope.product
    impacts = [Impact(incident.id, nit, product, Touch.AFFECTED, failures=5, priority=50) for nit in NITS]
    book.decide(incident, impacts, at(clock), lambda _: "local", changes)
    return changes


def test_a_thousand_clients_that_begin_to_fail_in_one_minute_do_not_hold_up_the_others() -> None:
    watch, spec = Watch(), Spec(name="fallas", keep_firing_for=2 * MINUTE)
    scopes = [Scope(f"p{n % 50}", "web", f"9{n:08}") for n in range(1600)]
    with within(10):
        watch.minute("10:00", *((spec, scope, Verdict.BREACH) for scope in scopes))
        assert len(watch.open) == len(scopes)
        for clock in ("10:01", "10:02"):
            watch.minute(clock, *((spec, scope, Verdict.HEALTHY) for scope in scopes))
    assert (len(watch.open), len(watch.all)) == (0, len(scopes))


@pytest.mark.parametrize(("product", "reason"), [("recaudos", ""), ("pagos", ELSEWHERE)])
def test_a_second_incident_of_the_same_clients_is_decided_as_fast_as_the_first(product: str, reason: str) -> None:
    second = replace(INCIDENT, id="AF-2", scope=Scope(product, "h2h"), started_at=at("10:20"), detected_at=at("10:22"))
    book = CaseBook()
    book.know([INCIDENT, second])
    hit(book, INCIDENT, "10:02")
    with within(7):
        decided = hit(book, second, "10:22").decisions.values()
    assert len(decided) == THOUSANDS
    assert {d.reason for d in decided if d.action is Action.NONE} == ({reason} if reason else set())


def test_what_came_back_for_thousands_finds_the_cases_that_stand() -> None:
    over = replace(INCIDENT, state=IncidentState.RESOLVED, ended_at=at("10:30"), resolved_at=at("10:30"))
    back = replace(INCIDENT, id="AF-2", started_at=at("10:50"), detected_at=at("10:50"))
    book = CaseBook()
    hit(book, INCIDENT, "10:02")
    book.know([over, back])
    with within(7):
        decided = hit(book, back, "10:51").decisions.values()
        standing = [book.standing(d) for d in decided]
    assert {d.reason for d in decided} == {RETURNED}
    assert [d.client_id for d in standing if d] == NITS
