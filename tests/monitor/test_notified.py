"""Who was told of an incident: when, by which receiver, and whether it got there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from alerts.routing import Addressee
from monitor.claims import claim, confirm, put_off
from monitor.notified import first_told, notified
from monitor.recipients import message, thread_row
from monitor.web.incidents import masked
from tests.monitor.conftest import PAYMENTS, SLOW, ago
from tests.monitor.served import Guarded

if TYPE_CHECKING:
    from monitor.store import Store

TOWER, ANA = Addressee("torre"), Addressee("correo", "ana@banco.example", "post_sale")
LEASE = timedelta(minutes=2)


def say(store: Store, who: Addressee, minutes: float, sequence: int = 1, event: str = "first") -> None:
    told = {"basis": {"to": who.to, "role": who.role}}
    row = thread_row(PAYMENTS, who, sequence, told, ago(minutes)) | {"began_at": ago(20)}
    store.tell([row], [message(PAYMENTS, who, sequence, {"event": event})], ago(minutes))


def send(store: Store, who: Addressee, minutes: float, error: str = "", *, dead: bool = False) -> None:
    taken = claim(store, ago(minutes), LEASE, only=f"receivers.{who.receiver}")
    assert taken
    if error:
        put_off(store, taken["id"], error, ago(minutes - 10), dead=dead)
    else:
        confirm(store, taken["id"], "", ago(minutes))


def of(store: Store, receiver: str) -> dict[str, Any]:
    return {row["receiver"]: row for row in notified(store, PAYMENTS)}[receiver]


def test_nobody_was_told(store: Store) -> None:
    assert notified(store, PAYMENTS) == []
    assert first_told([]) == []


def test_what_was_sent_has_its_times(store: Store) -> None:
    say(store, TOWER, 20)
    send(store, TOWER, 19)
    say(store, TOWER, 5, 2, "end")
    send(store, TOWER, 4)
    told = of(store, "torre")
    assert (told["state"], told["n"], told["first_at"], told["last_at"]) == ("sent", 2, ago(19), ago(4))
    assert (told["event"], told["recipient"]) == ("end", "")
    assert first_told(notified(store, PAYMENTS)) == [{"receiver": "torre", "at": ago(19), "n": 1}]
    assert notified(store, SLOW) == []


def test_what_waits_or_failed_says_so_and_why(store: Store) -> None:
    say(store, ANA, 20)
    told = of(store, "correo")
    assert (told["state"], told["recipient"], told["role"], told["first_at"]) == (
        "waiting",
        "ana@banco.example",
        "post_sale",
        None,
    )
    send(store, ANA, 18, "the server is away")
    told = of(store, "correo")
    assert (told["state"], told["error"], told["due_at"]) == ("failed", "the server is away", ago(8))
    assert first_told(notified(store, PAYMENTS)) == [], "what has not gone out has told nobody"


def test_what_was_given_up_is_not_tried_again(store: Store) -> None:
    say(store, ANA, 20)
    send(store, ANA, 18, "no such address", dead=True)
    told = of(store, "correo")
    assert (told["state"], told["due_at"]) == ("failed", None)


def test_what_was_told_in_a_summary_has_no_message_of_its_own(store: Store) -> None:
    store.tell(
        [thread_row(PAYMENTS, ANA, 1, {"summed": True, "basis": {"to": ANA.to, "role": ANA.role}}, ago(9))], (), ago(9)
    )
    told = of(store, "correo")
    assert (told["state"], told["told_at"], told["n"]) == ("summed", ago(9), 0)


@pytest.mark.parametrize(("user", "whole"), [("ana", False), ("diana", False), ("beto", True), ("carla", True)])
def test_addresses_are_whole_for_who_acts_for_every_client(store: Store, user: str, whole: bool) -> None:  # noqa: FBT001 - a case
    say(store, ANA, 20)
    send(store, ANA, 18, "550 ana@banco.example: unknown")
    face = Guarded(store)
    page = face.get(f"/incidents/{PAYMENTS}", user=user).text.replace("<wbr>", "")
    face.server.stop()
    assert ("ana@banco.example" in page) is whole
    assert ("a•••@banco.example" in page) is not whole
    assert "No ha llegado" in page
    assert "0 de 1 con todo entregado" in page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ana@banco.example", "a•••@banco.example"), ("", ""), ("torre", "torre"),
        ("550 <ana.perez@banco.example>: unknown, b@c.example", "550 <a•••@banco.example>: unknown, b•••@c.example"),
    ],
)  # fmt: skip
def test_an_address_without_whose_it_is(text: str, shown: str) -> None:
    assert masked(text) == shown
