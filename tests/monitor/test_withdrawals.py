"""A withdrawal that the desk was not told: said so, and taken back without being lost or told twice."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from alerts import Action
from monitor import casework, people, spanish
from monitor import tables as t
from monitor.claims import claim, put_off
from monitor.seeing import SIGHT, Sight
from monitor.standing import rows
from monitor.withdrawals import NEVER
from tests.characters import CAFE
from tests.monitor.test_mending import desk, failing
from tests.monitor.test_service import Bank, live

__all__ = ["failing"]
LEASE = timedelta(minutes=2)


def mine(bank: Bank) -> people.Row:
    (row,) = people.cases(bank.store, client_id=CAFE.nit)
    return row


def does(bank: Bank, action: str, name: str = CAFE.nit) -> list[str]:
    return casework.do(bank.store, action, [name], "turno", "", bank.now)


def told(bank: Bank) -> list[dict[str, Any]]:
    o = t.outbox.c
    where = (o.action == "withdraw", o.case_key == mine(bank)["key"])
    return rows(bank.store, t.outbox.select().where(*where).order_by(o.id))


def judged(bank: Bank) -> None:
    bank.services[-1].judge.step([])


def test_until_the_desk_knows_the_case_is_not_told_as_received(failing: Bank) -> None:
    does(failing, "withdraw")
    for _ in range(2):  # before and after the judging thread has taken it in
        row = mine(failing)
        assert (row["delivery"], row["reference"] != "") == ("due", True)
        assert spanish.decided(row) == "Abierto por Vigía, retirado (la mesa aún no lo sabe)"
        assert spanish.delivered(row, failing.now).startswith("Retiro: por enviar, desde ")
        judged(failing)
    message = claim(failing.store, failing.now, LEASE)
    assert message
    assert message["action"] == "withdraw"
    put_off(failing.store, message["id"], "HTTP 500", failing.now, dead=False)
    assert spanish.delivered(mine(failing), failing.now).endswith(": HTTP 500")
    failing.services[-1].deliver()
    assert spanish.decided(mine(failing)) == "Abierto por Vigía, retirado"
    assert spanish.delivered(mine(failing), failing.now) == "Recibido"


@pytest.mark.parametrize("taken_in", [True, False], ids=["in the outbox", "not taken in yet"])
def test_what_the_desk_was_never_told_is_taken_back_and_may_be_withdrawn_again(failing: Bank, taken_in: bool) -> None:  # noqa: FBT001
    does(failing, "withdraw")
    if taken_in:
        judged(failing)
    assert does(failing, "reinstate") == [mine(failing)["key"]]
    assert does(failing, "reinstate") == [mine(failing)["key"]], "the same twice is one"
    assert [act.action for act in failing.store.acts()] == ["withdraw", "restore"]
    failing.services[-1].cycle()
    assert (mine(failing)["withdrawn_at"], mine(failing)["delivery"]) == (None, "sent")
    assert desk(failing) == {"abierto": 2}
    assert {(row["state"], row["error"]) for row in told(failing)} == {("sent", NEVER)}
    failing.now += timedelta(minutes=1)
    does(failing, "withdraw")
    failing.services[-1].cycle()
    assert desk(failing) == {"abierto": 1, "retirado": 1}
    with pytest.raises(people.Conflict, match="ya se retiró en su mesa"):
        does(failing, "reinstate")


def test_a_message_that_is_made_after_it_was_taken_back_is_never_sent(failing: Bank) -> None:
    does(failing, "withdraw")
    judged(failing)
    does(failing, "reinstate")
    held = failing.services[-1].judge.pipeline.book.decisions[mine(failing)["key"]]
    assert held.withdrawn_at, "what the judging thread still holds"
    casework.do(failing.store, "informed", [CAFE.nit], "N1", "", failing.now)
    failing.services[-1].cycle()
    assert desk(failing) == {"abierto": 2}


def test_once_it_was_tried_it_may_have_arrived(failing: Bank) -> None:
    does(failing, "withdraw")
    judged(failing)
    message = claim(failing.store, failing.now, LEASE)
    assert message
    put_off(failing.store, message["id"], "HTTP 500", failing.now, dead=False)
    failing.now += timedelta(minutes=4)
    before = failing.store.acts()
    with pytest.raises(people.Conflict, match=r"desde hace 4 min \(HTTP 500\) y ya pudo llegarle"):
        does(failing, "reinstate")
    assert (failing.store.acts(), [row["state"] for row in told(failing)]) == (before, ["due"])


def test_tried_in_between_nothing_of_it_is_noted(failing: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    does(failing, "withdraw")
    judged(failing)
    assert claim(failing.store, failing.now, LEASE)
    monkeypatch.setattr(casework, "takable", lambda _, some: {one.key for one in some})
    before = failing.store.acts()
    with pytest.raises(people.Conflict, match="ya se está retirando"):
        does(failing, "reinstate")
    assert (failing.store.acts(), [row["state"] for row in told(failing)]) == (before, ["sending"])


def test_what_comes_back_as_its_incident_ends_is_told_that_it_is_over(failing: Bank) -> None:
    does(failing, "withdraw")
    judged(failing)
    does(failing, "reinstate")
    restored = failing.store.acts()[-1]
    failing.services[-1].judge._last_act = restored.id  # what was noted while it judged
    live(failing, "12:04", "12:20")
    assert desk(failing) == {"abierto": 1, "afectación superada": 1}
    failing.services[-1].judge._last_act = restored.id - 1
    failing.services[-1].cycle()
    assert desk(failing) == {"afectación superada": 2}


def test_of_a_whole_incident_those_come_back_whose_desk_does_not_know(failing: Bank) -> None:
    (incident,) = failing.store.incidents()
    does(failing, "withdraw", incident.id)
    judged(failing)
    assert claim(failing.store, failing.now, LEASE)
    failing.now += timedelta(minutes=1)
    (line,) = does(failing, "reinstate", incident.id)
    assert line.endswith(": 1 caso; 1 caso ya retirado en su mesa, o en camino: si hace falta, ábralos allá")
    failing.now += LEASE
    failing.services[-1].cycle()
    assert desk(failing) == {"abierto": 1, "retirado": 1}
    live(failing, "12:07", "12:25")
    assert desk(failing) == {"afectación superada": 1, "retirado": 1}
    ours = Counter(bool(d.withdrawn_at) for d in failing.store.decisions() if d.action is Action.OPEN)
    assert ours == {True: 1, False: 1}


def test_who_sees_some_clients_alone_is_told_which_came_back_and_why_the_others_did_not(failing: Bank) -> None:
    (incident,) = failing.store.incidents()
    theirs = frozenset(d.client_id for d in failing.store.decisions() if d.action is Action.OPEN)
    token = SIGHT.set(Sight(theirs))
    try:
        does(failing, "withdraw", incident.id)
        judged(failing)
        assert claim(failing.store, failing.now, LEASE)
        failing.now += timedelta(minutes=1)
        (line,) = does(failing, "reinstate", incident.id)
        assert line.endswith(": 1 caso; 1 caso ya retirado en su mesa, o en camino: si hace falta, ábralos allá")
        failing.now += timedelta(minutes=1)
        judged(failing)
        with pytest.raises(people.Conflict, match="ya pudo llegarle: si hace falta, ábralo allá"):
            does(failing, "reinstate", incident.id)
    finally:
        SIGHT.reset(token)
