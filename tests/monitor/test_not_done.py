"""Whoever has posted a form that cannot be done any more reads so, and finds back to the page that it stood on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from monitor.store import Store
from monitor.web.page import came_from
from tests.monitor.conftest import ACEROS, PAYMENTS
from tests.monitor.served import Guarded
from tests.monitor.test_web_acts import Hand

BACK = f'<a href="/incidents/{PAYMENTS}">'


@pytest.fixture
def hand(store: Store) -> Iterator[Hand]:
    made = Hand(store)
    yield made
    made.server.stop()


def post(hand: Hand, act: str, csrf: str, page: str = f"/incidents/{PAYMENTS}") -> requests.Response:
    """As a browser posts the form of that page."""
    address = hand.server.address
    headers = {"Origin": address, "Referer": address + page}
    body = {"csrf": csrf, "by": "Luis", "back": page}
    return requests.post(f"{address}/incidents/{PAYMENTS}/{act}", data=body, headers=headers, timeout=60)


@pytest.mark.parametrize("good", [True, False])
def test_what_is_not_done_says_so_and_leads_back(hand: Hand, *, good: bool) -> None:
    answer = post(hand, "approve", hand.guard if good else "of another page")
    assert answer.status_code == (409 if good else 403)
    assert "No se hizo" in answer.text
    assert "No se puede mostrar" not in answer.text
    assert BACK in answer.text
    assert ("no hay casos por aprobar" if good else "el formulario ya no vale") in answer.text


def test_what_is_only_looked_at_has_no_way_back(hand: Hand) -> None:
    answer = hand.get("/incidents/AF-nothing")
    assert "No se puede mostrar" in answer.text
    assert "Volver" not in answer.text


def test_who_may_not_is_led_back_too(store: Store) -> None:
    face = Guarded(store)
    try:
        answer = face.ask(
            "POST",
            f"/incidents/{PAYMENTS}/approve",
            user="ana",
            headers={"Referer": f"{face.address}/incidents/{PAYMENTS}"},
        )
    finally:
        face.server.stop()
    assert answer.status_code == 403
    assert "ana no tiene permiso" in answer.text
    assert BACK in answer.text


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        (f"https://vigia.banco.example/incidents/{PAYMENTS}?page=2#clients", f"/incidents/{PAYMENTS}"),
        ("http://127.0.0.1:8080/", "/"),
        ("http://127.0.0.1:8080/turno", "/turno"),
        (f"http://127.0.0.1:8080/clientes/{ACEROS}", "/"),
        ('http://127.0.0.1:8080/incidents/"><script>', "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_the_way_back_is_a_page_of_ours_that_names_nobody(referer: str, back: str) -> None:
    assert came_from("POST", referer) == back
    assert not came_from("GET", referer)
