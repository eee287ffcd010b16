"""That cases wait for somebody stands where people look; what approving and taking back mean is said before it is done."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from alerts import Action, Changes, Decision
from alerts.reasons import APPROVAL
from monitor import casework, people
from monitor.long_lists import to_approve
from monitor.store import Step, Store
from tests.monitor.conftest import NOW, NUBE, PAYMENTS, SLOW, ago
from tests.monitor.served import Guarded

PAGE = f"/incidents/{PAYMENTS}"
COMING = "Los que vengan en esta afectación se abrirán sin preguntar de nuevo."
NONE_MORE = "en esta afectación no se abre ninguno más."


@pytest.fixture
def face(store: Store) -> Iterator[Guarded]:
    """As the bank's day; the case of the small client, Diana's, waits for approval."""
    waiting = Decision(f"VG-{PAYMENTS}-{NUBE}", PAYMENTS, NUBE, "pagos", Action.NONE, APPROVAL, ago(5), 22, "local")
    store.commit(Step(changes=Changes(decisions={waiting.key: waiting})), NOW)
    made = Guarded(store)
    yield made
    made.server.stop()


def head(face: Guarded, user: str) -> str:
    """What stands above all else on the incident's page."""
    page = face.ask("GET", PAGE, user=user).text
    return page[page.index('id="head"') : page.index('id="curves"')]


def acts(text: str) -> set[str]:
    return set(re.findall(r'id="act-(\w+)"', text))


def test_the_board_the_page_and_the_hand_over_say_that_cases_wait(face: Guarded) -> None:
    board = face.ask("GET", "/", user="beto").text
    assert f'href="{PAGE}#to-approve">1 caso por aprobar</a>' in board
    assert "1 caso espera aprobación" in head(face, "beto"), "above the curve, not below all clients"
    (row,) = face.ask("GET", "/api/v1/handover", user="beto").json()["open"]
    assert ("unapproved" in row["owed"], row["to_approve"]) == (True, 1)
    casework.do(face.store, "approve", [PAYMENTS], "Beto", "", NOW)
    assert "por aprobar" not in face.ask("GET", "/", user="beto").text
    (row,) = face.ask("GET", "/api/v1/handover", user="beto").json()["open"]
    assert ("unapproved" in row["owed"], row["to_approve"]) == (False, 0)


def test_each_is_told_what_their_act_means(face: Guarded) -> None:
    whole, some, looks = head(face, "beto"), head(face, "diana"), head(face, "ana")
    assert COMING in whole
    assert NONE_MORE in whole
    assert "Retirar los casos de sus clientes" in some, "she decides about her own alone"
    assert COMING not in some
    assert NONE_MORE not in some
    assert acts(looks) == set()
    assert {"resolve", "approve", "withdraw"} <= acts(whole)
    assert {"ack", "approve", "withdraw"} <= acts(some)
    assert "resolve" not in acts(some), "who sees some clients may not close it"


def test_what_was_withdrawn_can_be_taken_back_where_it_was_done(face: Guarded) -> None:
    assert "reinstate" not in acts(head(face, "beto"))
    casework.do(face.store, "withdraw", [PAYMENTS], "Beto", "", NOW)
    here = head(face, "beto")
    assert "Beto retiró todos los casos (15:30): no se abre ninguno más." in here
    assert "reinstate" in acts(here)
    assert "reinstate" not in acts(head(face, "diana"))
    casework.do(face.store, "reinstate", [PAYMENTS], "Beto", "", NOW)
    assert "reinstate" not in acts(head(face, "beto"))


def test_of_several_incidents_each_has_its_own(face: Guarded) -> None:
    assert to_approve(face.store, [PAYMENTS, SLOW]) == {PAYMENTS: 1}
    casework.do(face.store, "withdraw", [f"VG-{PAYMENTS}-{NUBE}"], "Beto", "", NOW)
    assert to_approve(face.store, [PAYMENTS, SLOW])[PAYMENTS] == 0


def test_once_it_is_over_nobody_can_approve_and_the_page_does_not_ask_for_it(face: Guarded) -> None:
    people.resolve(face.store, PAYMENTS, "Beto", "", NOW)
    here = head(face, "beto")
    assert "1 caso quedó sin aprobar: no se abrió." in here
    assert "espera aprobación" not in here
    assert acts(here) == {"note", "reopen", "useful"}
