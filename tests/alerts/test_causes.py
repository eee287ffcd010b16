"""Causes that come back: what is one, the Pareto of them, and the one escalation of each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import Changes, Impact, Incident, IncidentState, Occurrence, Touch
from alerts.causes import CauseBook, Escalating, occurrence, pareto, weighed
from alerts.stages import Stage, Staged, Stages
from rules import Scope, Severity
from tests.characters import ACEROS, CAFE, TEXTILES, at

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULES = Escalating(
    3, 30 * DAY, owners={"pagos": "pagos@banco.example", "h2h": "canal@banco.example"}, claims_chief="r@banco.example"
)


def once(day: float, cause: str = "product=pagos;way=failed", failures: int = 10, **told) -> Occurrence:
    start = at("10:00") + day * DAY
    words = {"scope": Scope("pagos"), "clients": frozenset({ACEROS.nit}), "products": ("pagos",)} | told
    return Occurrence(f"AF-{cause}-{day}", cause, code="", way="failed", started_at=start, ended_at=start + HOUR,
                      failures=failures, **words)  # fmt: skip


# ---- Pareto --------------------------------------------------------------------------------------------------------


def test_the_worked_example_of_the_bank():
    found = pareto({"V3": 465, "V1": 1050, "V2": 511})
    told = [(name, p.weight, round(100 * p.share), round(100 * p.cumulative)) for name, p in found]
    assert told == [("V1", 1050, 52, 52), ("V2", 511, 25, 77), ("V3", 465, 23, 100)]


def test_the_same_example_as_incidents():
    causes = [once(1, "V1", 1000), once(2, "V1", 50), once(3, "V2", 511), once(4, "V3", 465)]
    found = weighed(causes)
    assert [(w.cause, w.incidents, w.failures, round(100 * w.part.share)) for w in found] == [
        ("V1", 2, 1050, 52),
        ("V2", 1, 511, 25),
        ("V3", 1, 465, 23),
    ]
    assert [w.cause for w in weighed(causes, "minutes")] == ["V1", "V2", "V3"]
    assert weighed(causes, "minutes")[0].part.weight == 120


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 1000), max_size=8))
def test_a_pareto_adds_up(weights):
    found = pareto(weights)
    assert {name: part.weight for name, part in found} == weights
    assert [part.weight for _, part in found] == sorted(weights.values(), reverse=True)
    if sum(weights.values()):
        assert sum(part.share for _, part in found) == pytest.approx(1)
        assert found[-1][1].cumulative == 1
    else:
        assert all(part.share is None for _, part in found)


def test_a_client_hit_twice_by_a_cause_is_one_client_of_it_hit_again():
    both = frozenset({ACEROS.nit, CAFE.nit})
    (found,) = weighed([once(1), once(2, clients=both), once(3, clients=frozenset({TEXTILES.nit}))])
    assert (found.clients, found.again) == (3, 1)


# ---- what a cause is ----------------------------------------------------------------------------------------------


def test_a_cause_is_the_seat_the_code_and_the_way():
    incident = Incident(
        "AF-1", Scope("pagos", "h2h"), "failed", Severity.MAJOR, IncidentState.RESOLVED, at("10:00"), at("10:03"), ("r",),
        frozenset({"failed"}), at("10:45"), at("11:05"), shares=(("channel", "h2h", 1.0), ("error_code", "E504", 0.9)),
    )  # fmt: skip
    impacts = [
        Impact("AF-1", ACEROS.nit, "pagos", Touch.AFFECTED, 4, 1, Decimal(9), priority=70),
        Impact("AF-1", CAFE.nit, "nomina", Touch.AFFECTED, 30, priority=20),
        Impact("AF-1", TEXTILES.nit, "pagos", Touch.EXPOSED, priority=90),
    ]
    found = occurrence(incident, impacts)
    assert found.cause == "product=pagos;channel=h2h;error_code=E504;way=failed"
    assert (found.failures, found.minutes, found.priority) == (35, 45, 70)
    assert found.clients == {ACEROS.nit, CAFE.nit}
    assert found.products == ("nomina", "pagos")
    alone = occurrence(replace(incident, scope=Scope("pagos", "h2h", CAFE.nit), shares=()), [])
    assert alone.cause == f"product=pagos;channel=h2h;client_id={CAFE.nit};way=failed"
    assert alone.cause != occurrence(replace(incident, shares=()), []).cause, "one client's trouble is no product's"


# ---- escalation ----------------------------------------------------------------------------------------------------


def told(*days: float, book: CauseBook | None = None) -> list[tuple[float, int]]:
    """The days of the escalations that these occurrences set off, and how many incidents made each."""
    made = book or CauseBook(RULES)
    found = []
    for day in days:
        changes = Changes()
        made.ended(once(day), at("12:00") + day * DAY, lambda _: "mesa", changes)
        made.keep(at("12:00") + day * DAY)
        found += [(day, len(one.found)) for one in changes.escalated]
    return found


@pytest.mark.parametrize(
    ("days", "escalated"),
    [
        ([0, 1], []),
        ([0, 1, 2], [(2, 3)]),
        ([0, 15, 29.9], [(29.9, 3)]),
        ([0, 15, 30], []),  # the first is a whole period ago
        ([0, 15, 30, 31], [(31, 3)]),
        ([0, 1, 2, 3, 4, 5, 20, 40, 60], [(2, 3)]),  # it never was quiet
        ([0, 1, 2, 33, 34], [(2, 3)]),
        ([0, 1, 2, 33, 34, 35], [(2, 3), (35, 3)]),
        ([0, 1, 2, 31.9, 34, 35, 36], [(2, 3)]),  # quiet for less than a period
        ([0, 1, 2, 33, 70, 71, 72, 73], [(2, 3), (72, 3)]),
    ],
)
def test_once_and_once_more_only_after_a_quiet_period(days, escalated):
    assert told(*days) == escalated


def test_other_causes_do_not_count():
    book, changes = CauseBook(RULES), Changes()
    for day, cause in enumerate(("a", "b", "c", "a", "b", "c")):
        book.ended(once(day, cause), at("12:00", day=day), lambda _: "mesa", changes)
    assert changes.escalated == []
    book.ended(once(9, "b"), at("12:00", day=9), lambda _: "mesa", changes)
    (made,) = changes.escalated
    assert [one.cause for one in made.found] == ["b"] * 3
    assert [(newest.cause, many) for newest, many, _ in made.causes] == [("b", 3), ("a", 2), ("c", 2)]


def test_what_returns_after_it_is_added_to_it():
    book, changes = CauseBook(RULES), Changes()
    for day in (0, 1, 2, 20):
        book.ended(once(day), at("12:00", day=day), lambda _: "mesa", changes)
    book.ended(once(20), at("12:00", day=20), lambda _: "mesa", changes)  # told twice, it is one
    (state,) = changes.escalations.values()
    assert (state.returns, len(state.incidents)) == (4, 4)
    assert (state.first_at, state.last_at) == (at("10:00"), at("11:00", day=20))
    assert state.escalated_at == at("12:00", day=2)
    (made,) = changes.escalated
    assert made.escalation.returns == 3
    assert made.escalation.key == state.key


@given(
    st.lists(st.floats(0, 200, width=16), min_size=1, max_size=25, unique=True).map(sorted),
    st.integers(0, 25),
)
def test_a_restart_changes_nothing(days, cut):
    """Built again from what is kept (the period's incidents and all escalations), it decides the same."""
    calm = told(*days)
    book = CauseBook(RULES)
    before = told(*days[:cut], book=book)
    since = at("12:00") + (days[:cut] or [0])[-1] * DAY - RULES.period
    kept = [once(day) for day in days[:cut] if once(day).started_at > since]
    assert before + told(*days[cut:], book=CauseBook(RULES, kept, book.escalations.values())) == calm


@given(st.lists(st.floats(0, 300, width=16), max_size=40, unique=True).map(sorted))
def test_two_escalations_have_a_quiet_period_between_them(days):
    made = [day for day, _ in told(*days)]
    for first, second in pairwise(made):
        within = [day for day in days if first <= day <= second]
        assert max(b - a for a, b in pairwise(within)) >= 30


def test_both_owners_are_told_and_the_desk_is_the_products():
    def desk_of(product: str) -> str:
        return {"nomina": "mesa_nomina"}.get(product, "")

    wide = {"scope": Scope("", "h2h"), "products": ("pagos", "nomina")}
    book, changes = CauseBook(RULES), Changes()
    for day in range(3):
        book.ended(once(day, **wide), at("12:00", day=day), desk_of, changes)
    (state,) = changes.escalations.values()
    assert state.owners == (("h2h", "canal@banco.example"), ("claims_chief", "r@banco.example"))
    assert state.desk == "mesa_nomina", "of the products that it hurts, the first that a desk takes"


@pytest.mark.parametrize("stage", [Stage.OBSERVE, Stage.APPROVE])
def test_while_a_products_cases_are_not_opened_by_themselves_its_cause_is_shown_and_opens_none(stage):
    """The first return after that opens the one case, with all that went before; segments are of clients, and a cause is nobody's."""
    book, changes = CauseBook(RULES), Changes()
    stages = Stages((Staged(stage, frozenset({"pagos"})), Staged(stage, segments=frozenset({"pyme"}))))
    for day in range(4):
        book.ended(once(day), at("12:00", day=day), lambda _: "mesa", changes, stages)
        book.ended(
            once(day, "b", scope=Scope("swift"), products=()), at("12:00", day=day), lambda _: "mesa", changes, stages
        )
    assert [made.escalation.cause for made in changes.escalated] == ["b"]
    (state,) = (one for one in changes.escalations.values() if one.cause != "b")
    assert (state.returns, state.desk, state.escalated_at) == (4, "", at("12:00", day=2))
    book.ended(once(9), at("12:00", day=9), lambda _: "mesa", changes)
    made = changes.escalated[-1]
    assert (made.escalation.key, made.escalation.desk, made.escalation.returns) == (state.key, "mesa", 5)
    assert (len(made.found), made.escalation.escalated_at) == (5, at("12:00", day=9))
    book.ended(once(10), at("12:00", day=10), lambda _: "mesa", changes)
    assert len(changes.escalated) == 2, "once"


@pytest.mark.parametrize(
    ("scope", "owner"),
    [
        (Scope("pagos", "h2h"), ("pagos", "pagos@banco.example")),
        (Scope("swift", "h2h"), ("h2h", "canal@banco.example")),
        (Scope("swift", "web"), ("swift", "")),
        (Scope(), ("", "")),
    ],
)
def test_the_owner_is_the_products_or_else_the_channels(scope, owner):
    assert RULES.told(scope) == (owner, ("claims_chief", "r@banco.example"))
    assert Escalating().told(scope)[1] == ("claims_chief", "")


def test_a_long_one_that_ends_last_counts_by_when_it_began():
    book, changes = CauseBook(RULES), Changes()
    for day in (5, 6):
        book.ended(once(day), at("12:00", day=day), lambda _: "mesa", changes)
    long = replace(once(1), ended_at=at("10:00", day=8))
    book.ended(long, at("12:00", day=8), lambda _: "mesa", changes)
    (state,) = changes.escalations.values()
    assert (state.first_at, state.last_at) == (at("10:00", day=1), at("10:00", day=8))
