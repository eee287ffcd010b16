"""Of two incidents one after the other, whose the client's call is: that which had begun when they spoke."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerts import Action, Incident, IncidentState
from alerts.casework import acted
from alerts.reasons import OLDER, THEIRS
from rules import Scope
from tests.alerts.test_cases import INCIDENT, Desk
from tests.characters import ACEROS, CAFE, TEXTILES, at

PAGOS = replace(INCIDENT, id="AF-pagos", scope=Scope("pagos"), started_at=at("13:05"), detected_at=at("13:09"))
OVER = replace(
    PAGOS, state=IncidentState.RESOLVED, ended_at=at("13:10"), resolved_at=at("13:15:47"), resolved_by="turno"
)
RECAUDOS = replace(INCIDENT, id="AF-recaudos", scope=Scope("recaudos"), started_at=at("13:17"), detected_at=at("13:19"))


def day(first: Incident = OVER, product: str = "", reported: str = "13:12:51", known: str = "13:13") -> Desk:
    """Pagos fails for three clients and is closed; a client mails; recaudos begins to fail for two of them."""
    desk = Desk()
    for who in (ACEROS, CAFE, TEXTILES):
        desk.affected("13:09:48", who, "pagos", incident=PAGOS)
    desk.book.know([first])
    mail = replace(ACEROS.reports(reported, product=product, case_id="M-1"), opened_at=at(known))
    desk.book.cases.learn([mail])
    products = lambda i, c: desk.hurt.get((i, c), [])  # noqa: E731
    for clock in ("13:13", "13:18"):
        desk.book.attach(products, at(clock), desk.changes)
    desk.book.know([first, RECAUDOS])
    desk.affected("13:19:10", CAFE, "recaudos", incident=RECAUDOS)
    desk.affected("13:19:10", ACEROS, "recaudos", incident=RECAUDOS)
    desk.book.attach(products, at("13:19:10"), desk.changes)
    return desk


def tied(desk: Desk) -> list[str]:
    return [d.incident_id for d in desk.book.decisions.values() if d.client_reported_at]


@pytest.mark.parametrize("first", [OVER, PAGOS])
@pytest.mark.parametrize("known", ["13:13", "13:19:10"])
def test_a_call_stays_with_what_had_begun_and_is_none_about_what_began_after_it(first: Incident, known: str):
    desk = day(first, known=known)
    assert tied(desk) == ["AF-pagos"]
    assert desk.decision(ACEROS, PAGOS).lead_seconds == 183
    later = desk.decision(ACEROS, RECAUDOS)
    assert (later.action, later.reason, later.linked_case_id) == (Action.OPEN, OLDER, "")


def test_a_later_incident_takes_the_call_that_names_its_product():
    desk = day(product="recaudos")
    assert tied(desk) == ["AF-recaudos"]
    later = desk.decision(ACEROS, RECAUDOS)
    assert (later.action, later.reason, later.linked_case_id) == (Action.LINK, THEIRS, "M-1")


def test_a_call_that_was_of_the_first_and_then_turns_out_to_name_the_later_ones_product_is_taken():
    desk = Desk()
    for who in (ACEROS, CAFE, TEXTILES):
        desk.affected("13:09:48", who, "pagos", incident=PAGOS)
    mail = ACEROS.reports("13:12:51", case_id="M-1")
    desk.learns("13:13", mail, incident=OVER)
    assert tied(desk) == ["AF-pagos"]
    desk.book.cases.learn([replace(mail, product="recaudos")])
    desk.book.know([OVER, RECAUDOS])
    desk.affected("13:19:10", CAFE, "recaudos", incident=RECAUDOS)
    assert desk.affected("13:19:10", ACEROS, "recaudos", incident=RECAUDOS).action is Action.LINK
    assert tied(desk) == ["AF-recaudos"]


@pytest.mark.parametrize("known", ["13:13", "13:19:10"])
def test_a_call_before_either_had_begun_is_about_what_began_soonest(known: str):
    desk = day(reported="13:04", known=known)
    assert tied(desk) == ["AF-pagos"]
    assert desk.decision(ACEROS, RECAUDOS).action is Action.OPEN


def test_a_call_about_what_is_one_thing_to_the_client_stands_for_both():
    """The same product fails again: who has called about it gets no second case, and the credit stays where it was."""
    again = replace(PAGOS, id="AF-again", started_at=at("13:17"), detected_at=at("13:19"))
    desk = Desk()
    for who in (ACEROS, CAFE):
        desk.affected("13:09:48", who, "pagos", incident=PAGOS)
    desk.learns("13:13", ACEROS.reports("13:12:51", case_id="M-1"), incident=OVER)
    desk.book.know([OVER, again])
    desk.affected("13:19:10", CAFE, "pagos", incident=again)
    assert desk.affected("13:19:10", ACEROS, "pagos", incident=again).action is Action.LINK
    assert tied(desk) == ["AF-pagos"]


def test_a_call_while_the_later_one_was_under_way_is_the_later_ones():
    desk = day(reported="13:18", known="13:18")
    assert tied(desk) == ["AF-recaudos"]
    assert desk.decision(ACEROS, RECAUDOS).action is Action.LINK


def test_a_person_may_say_that_it_is_about_the_first_no_more():
    desk = day()
    said = acted(desk.decision(ACEROS, PAGOS), "undo", "turno", at("13:30"))
    assert said is not None
    desk.book.note(said, desk.changes)
    desk.book.attach(lambda i, c: desk.hurt.get((i, c), []), at("13:31"), desk.changes)
    assert tied(desk) == ["AF-recaudos"]
