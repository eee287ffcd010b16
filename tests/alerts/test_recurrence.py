"""What comes again: the first of a series is none, the window is half open, and what is not known is counted apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import Impact, Incident, IncidentState, TheirCase, Touch
from alerts.recurrence import MONTH, Hit, Rate, hits, rate, repeated, same_error, same_product
from rules import Scope, Severity
from tests.characters import ACEROS, CAFE, at

DAY = timedelta(days=1)


def on(day: float) -> datetime:
    return at("10:00") + day * DAY


def hit(day: float, error: str = "E504", product: str = "pagos", client: str = ACEROS.nit) -> Hit:
    return Hit(client, product, error, f"AF-{day}-{error}", on(day))


# ---- incidents -----------------------------------------------------------------------------------------------------


def test_the_same_client_product_and_error_again():
    found = same_error([hit(3), hit(0), hit(9), hit(1, "E99"), hit(2, product="nomina"), hit(4, client=CAFE.nit)])
    (one,) = found
    assert (one.client_id, one.product, one.error) == (ACEROS.nit, "pagos", "E504")
    assert (one.incidents, one.repeated) == (("AF-0-E504", "AF-3-E504", "AF-9-E504"), 2)
    assert (one.first_at, one.last_at) == (on(0), on(9))


def test_the_same_product_again_by_whatever_error():
    (one,) = same_product([hit(0), hit(1, "E99"), hit(2, product="nomina")])
    assert (one.product, one.error, one.repeated) == ("pagos", "", 1)


@pytest.mark.parametrize(("gap", "repetitions"), [(29.99, 1), (30, 0), (31, 0)])
def test_the_window_is_half_open(gap, repetitions):
    assert sum(run.repeated for run in same_error([hit(0), hit(gap)])) == repetitions
    assert sum(run.repeated for run in same_error([hit(0), hit(gap)], timedelta(days=gap))) == 0


def test_after_a_rest_a_series_begins_anew():
    runs = same_error([hit(day) for day in (0, 20, 40, 71, 90)])
    assert [len(run.incidents) for run in runs] == [3, 2]


def test_a_hit_is_an_incident_that_affected_a_client():
    incident = Incident(
        "AF-1", Scope("pagos"), "failed", Severity.MAJOR, IncidentState.RESOLVED, on(0), on(0), ("r",), frozenset({"failed"}),
        shares=(("error_code", "E504", 0.9),),
    )  # fmt: skip
    other, merged = replace(incident, id="AF-2", shares=()), replace(incident, id="AF-3", state=IncidentState.MERGED)
    touched = [
        Impact("AF-1", ACEROS.nit, "pagos", Touch.AFFECTED),
        Impact("AF-1", CAFE.nit, "pagos", Touch.EXPOSED),
        Impact("AF-2", CAFE.nit, "pagos", Touch.AFFECTED),
        Impact("AF-3", CAFE.nit, "pagos", Touch.AFFECTED),
    ]
    found = hits([incident, other, merged], touched)
    assert [(h.client_id, h.error, h.incident_id) for h in found] == [
        (ACEROS.nit, "E504", "AF-1"),
        (CAFE.nit, "failed", "AF-2"),
    ]


# ---- cases ---------------------------------------------------------------------------------------------------------


def case(number: str, day: float, product: str = "pagos", **told) -> TheirCase:
    words = {"case_id": number, "reported_at": on(day), "product": product, "typology": "rechazo"} | told
    return replace(ACEROS.reports("00:00"), opened_at=on(day), **words)


def numbers(*cases: TheirCase, typology: bool = False) -> list[tuple[str, str]]:
    return [(again.case_id, first.case_id) for again, first in repeated(cases, typology=typology)]


def test_a_clients_case_on_the_same_product_again():
    assert numbers(case("2", 4), case("1", 0), case("3", 5, "nomina"), case("4", 33)) == [("2", "1"), ("4", "2")]
    assert numbers(case("1", 0), case("2", 1, client_id=CAFE.nit)) == []


def test_across_tools_and_however_it_is_written():
    assert numbers(case("1", 0), case("1", 1, " PAGOS ", source="otra")) == [("1", "1")]


def test_of_the_same_typology_where_that_is_asked():
    held = (case("1", 0), case("2", 1, typology="otros"), case("3", 2, typology="Rechazo"))
    assert numbers(*held) == [("2", "1"), ("3", "2")]
    assert numbers(*held, typology=True) == [("3", "1")]


def test_it_counts_from_the_clients_first_word():
    late = replace(case("2", 31), reported_at=on(29))
    assert numbers(case("1", 0), late) == [("2", "1")]


def test_our_own_cases_are_no_clients_word():
    ours = case("2", 1, reported_by="monitor")
    assert numbers(case("1", 0), ours, case("3", 2)) == [("3", "1")]
    assert rate([case("1", 0), ours], on(0), on(9)) == Rate(1, 0, 0)


def test_the_rate_of_a_time_knows_what_was_before_it():
    held = [case("1", 0), case("2", 10), case("3", 11, ""), case("4", 12, client_id=""), case("5", 13, "nomina")]
    found = rate(held, on(5), on(20))
    assert found == Rate(cases=2, repeated=1, unknown=2)
    assert found.percent == 50
    assert rate(held, on(0), on(10)) == Rate(1, 0, 0)
    assert rate([], on(0), on(10)).percent is None


@given(
    st.lists(
        st.tuples(st.integers(0, 120), st.sampled_from("ab"), st.sampled_from(["pagos", "nomina", ""])), max_size=20
    )
)
def test_repeated_is_to_have_one_before_within_the_window(rows):
    """Against the definition, said plainly."""
    held = [case(f"{n:02}", day, product, client_id=who) for n, (day, who, product) in enumerate(rows)]
    plain = [
        c.case_id
        for c in held
        if c.product
        and any(
            (o.client_id, o.product) == (c.client_id, c.product)
            and c.opened_at - MONTH < o.opened_at
            and (o.opened_at, o.case_id) < (c.opened_at, c.case_id)
            for o in held
        )
    ]
    assert sorted(c.case_id for c, _ in repeated(held)) == sorted(plain)
    assert rate(held, on(0), on(121)).repeated == len(plain)
