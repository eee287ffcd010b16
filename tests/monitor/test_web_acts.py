"""Acts over the API and by the pages' forms, asked over a real socket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from typing import Any

import pytest
import requests

from alerts import Changes, Decision
from alerts.cases import Action
from alerts.reasons import APPROVAL
from monitor import people
from monitor.store import Step, Store
from tests.monitor.conftest import ACEROS, MOLINOS, NOW, NUBE, PART, PAYMENTS, SLOW, ago
from tests.monitor.test_web import Face, assert_same_keys

OPENED, WAITING = f"VG-{PAYMENTS}-{ACEROS}", f"VG-{PAYMENTS}-{NUBE}"


class Hand(Face):
    """The served application, and whoever acts on it."""

    def send(self, method: str, path: str, *, key: str = "", **told: Any) -> requests.Response:
        """As a browser on one of our own pages."""
        headers = {"Origin": self.server.address, "X-CSRF-Token": self.guard} | (
            {"Idempotency-Key": key} if key else {}
        )
        address = self.server.address + path
        return requests.request(method, address, timeout=60, allow_redirects=False, headers=headers, **told)

    def post(self, path: str, body: dict[str, Any], key: str = "") -> requests.Response:
        return self.send("POST", f"/api/v1/{path}", json=body, key=key)

    @cached_property
    def guard(self) -> str:
        """What our own forms carry."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/turno").text)
        assert found
        return found[1]


@pytest.fixture
def hand(store: Store) -> Iterator[Hand]:
    waiting = Decision(WAITING, PAYMENTS, NUBE, "pagos", Action.NONE, APPROVAL, ago(5), 22, "local")
    store.commit(Step(changes=Changes(decisions={waiting.key: waiting})), NOW)
    made = Hand(store)
    yield made
    made.server.stop()


def test_every_act_on_an_incident_and_its_trail(hand: Hand) -> None:
    told = {
        "ack": {"text": "la tomo"}, "assign": {"to": "N2 de pagos"}, "note": {"text": "llamé"}, "useful": {"to": "yes"},
        "unack": {}, "resolve": {"text": "ya"}, "reopen": {},
    }  # fmt: skip
    for act, more in told.items():
        answer = hand.post(f"incidents/{PAYMENTS[-6:]}/{act}", {"by": "Ana"} | more)
        assert (answer.status_code, answer.json()["incident_id"]) == (200, PAYMENTS), answer.text
        assert bool(answer.json()["said"]) is (act in ("resolve", "reopen"))
    found = hand.get(f"/api/v1/acts?incident={PAYMENTS}").json()
    assert [act["action"] for act in found] == list(told)[::-1]
    assert {(act["who"], act["door"]) for act in found} == {("Ana", "api")}
    assert [act["action"] for act in hand.get("/api/v1/acts?limit=1").json()] == ["reopen"]
    whole = hand.get(f"/api/v1/incidents/{PAYMENTS}").json()
    assert_same_keys(whole, people.incident(hand.store, PAYMENTS, NOW))
    assert (whole["assigned_to"], whole["state"], whole["useful"][0]["useful"]) == ("N2 de pagos", "firing", True)


def test_every_act_on_cases(hand: Hand) -> None:
    acts = [
        (PAYMENTS, "approve", {}), (OPENED, "informed", {}), (OPENED, "promote", {}), (OPENED, "confirm", {}), (OPENED, "undo", {}),
        (OPENED, "attribute", {"to": "sharepoint/SP-77"}), (WAITING, "withdraw", {"text": "no aplica"}),
    ]  # fmt: skip
    for name, act, more in acts:
        answer = hand.post(f"cases/{name}/{act}", {"by": "Ana"} | more)
        assert (answer.status_code, len(answer.json()["told"])) == (200, 1), answer.text
    assert [act.action for act in hand.store.acts()] == [act for _, act, _ in acts]


@pytest.mark.parametrize("act", ["approve", "withdraw"])
def test_all_cases_of_an_incident_over_its_own_address(hand: Hand, act: str) -> None:
    answer = hand.post(f"incidents/{PAYMENTS[-6:]}/{act}", {"by": "Ana"})
    assert (answer.status_code, answer.json()["incident_id"]) == (200, PAYMENTS), answer.text
    assert answer.json()["said"].startswith(f"{PAYMENTS}: ")
    assert [(one.action, one.incident_id, one.case_key) for one in hand.store.acts()] == [(act, PAYMENTS, "")]


def test_the_page_tells_how_many_wait_for_approval_and_approves_them(hand: Hand) -> None:
    page = f"/incidents/{PAYMENTS}"
    before = hand.get(page).text
    assert "1 caso espera aprobación" in before
    assert all(f'action="/incidents/{PAYMENTS}/{act}"' in before for act in ("approve", "withdraw"))
    form = {"by": "Ana", "back": page}
    assert hand.send("POST", f"/incidents/{PAYMENTS}/approve", data=form).headers["location"] == page
    after = hand.get(page).text
    assert "espera aprobación" not in after
    assert f'action="/incidents/{PAYMENTS}/approve"' not in after
    assert "Sin caso: Aprobado, por abrir" in after
    assert [(one.action, one.who) for one in hand.store.acts()] == [("approve", "Ana")]


REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("incidents/AF-9/ack", {"by": "Ana"}, 404, "no hay una afectación «AF-9»"),
    (f"incidents/{SLOW}/ack", {"by": "Ana"}, 409, "ya terminó"),
    (f"incidents/{PART}/ack", {"by": "Ana"}, 409, f"hace parte de {PAYMENTS}"),
    (f"incidents/{PAYMENTS}/reopen", {"by": "Ana"}, 409, "sigue abierta"),
    (f"incidents/{PAYMENTS}/ack", {}, 422, "falta quién lo hace"),
    (f"incidents/{PAYMENTS}/note", {"by": "Ana"}, 422, "la nota está vacía"),
    (f"incidents/{PAYMENTS}/useful", {"by": "Ana", "to": "sí"}, 422, "yes o no"),
    (f"incidents/{PAYMENTS}/explode", {"by": "Ana"}, 422, "act"),
    (f"incidents/{PAYMENTS}/ack", {"by": "Ana", "note": "x"}, 422, "note"),
    (f"incidents/{SLOW}/approve", {"by": "Ana"}, 409, "no hay casos por aprobar"),
    (f"incidents/{WAITING}/approve", {"by": "Ana"}, 404, "no hay una afectación"),
    ("cases/VG-9/informed", {"by": "Ana"}, 404, "no hay un caso «VG-9»"),
    (f"cases/{OPENED}/approve", {"by": "Ana"}, 409, "ya está abierto"),
    (f"cases/VG-{PAYMENTS}-{MOLINOS}/withdraw", {"by": "Ana"}, 409, "del propio cliente"),
    (f"cases/{OPENED}/attribute", {"by": "Ana", "to": "SP-0"}, 404, "SP-0"),
    ("silences", {"by": "Ana", "matchers": {}, "reason": "x", "lasts": "2h"}, 422, "se silencia todo"),
    ("silences", {"by": "Ana", "matchers": {"product": "pagos"}, "reason": "x"}, 422, "uno de los dos"),
    ("silences", {"by": "Ana", "matchers": {"nit": "9"}, "reason": "x", "lasts": "2h"}, 422, "matchers"),
    ("silences", {"by": "Ana", "matchers": {"product": "pagos"}, "reason": "x", "lasts": "two"}, 422, "lasts"),
    ("maintenance", {"by": "Ana", "reason": "x", "until": "2026-03-04T00:00:00Z"}, 422, "todo el banco"),
    ("maintenance", {"by": "Ana", "reason": "x", "product": "pagos", "cron": "a", "lasts": "2h"}, 422, "cron"),
    (
        "silences",
        {"by": "A", "matchers": {"product": "p"}, "reason": "x", "until": "9999-12-31T23:59:59-12:00"},
        422,
        "until",
    ),
    ("silences", {"by": "A", "matchers": {"product": "p"}, "reason": "x", "lasts": "99999999d"}, 422, "lasts"),
    (
        "maintenance",
        {"by": "A", "reason": "x", "product": "p", "cron": "0 2 * * *", "lasts": "99d", "force": True},
        422,
        "31",
    ),
    ("handover", {"hours": 8}, 422, "quién entrega"),
    ("handover", {"by": "A\u0000", "hours": 8}, 422, "carácter"),
]
"""Path, body, and the status and words of the answer."""


def test_refused_in_words_with_the_status_that_says_why(hand: Hand) -> None:
    for path, body, status, words in REFUSED:
        answer = hand.post(path, body)
        assert (answer.status_code, words in answer.text) == (status, True), (path, body, answer.text)
    assert hand.store.acts() == []


def test_silences_and_maintenance(hand: Hand) -> None:
    made = hand.post(
        "silences", {"by": "Ana", "matchers": {"product": "pagos"}, "reason": "prueba", "lasts": "2h"}
    ).json()
    assert (made["silences"], made["author"]) == ([PAYMENTS], "Ana")
    assert hand.get("/api/v1/incidents?state=open").json()[0]["silenced_until"] == made["until"]
    assert "Silenciada hasta 12:30" in hand.text("/")
    assert hand.get("/api/v1/silences").json() == [made]
    over = hand.send("DELETE", f"/api/v1/silences/{made['id']}?by=Luis")
    assert (over.status_code, over.json()["ended_by"]) == (200, "Luis")
    assert (hand.get("/api/v1/silences").json(), len(hand.get("/api/v1/silences?all=true").json())) == ([], 1)
    body = {"by": "Ana", "reason": "motor", "product": "pagos", "cron": "0 2 * * SUN", "lasts": "2h"}
    number = hand.post("maintenance", body).json()["id"]
    (row,) = hand.get("/api/v1/maintenance").json()
    assert (row["id"], row["state"], row["next_from"]) == (number, "to_come", "2026-03-08T07:00:00Z")
    assert hand.send("DELETE", f"/api/v1/maintenance/{number}?by=Luis").json() == {"id": number}
    assert [
        hand.send("DELETE", f"/api/v1/{path}?by=L").status_code for path in ("maintenance/MT-9", "silences/SI-9")
    ] == [404, 404]
    assert [act.action for act in hand.store.acts()] == ["silence", "end_silence", "maintenance", "end_maintenance"]


def test_the_same_twice_is_one(hand: Hand) -> None:
    for _ in range(2):
        assert hand.post(f"incidents/{PAYMENTS}/resolve", {"by": "Ana"}).status_code == 200
        assert hand.post(f"cases/{OPENED}/informed", {"by": "Ana"}, key="k").status_code == 200
    body = {"by": "Ana", "matchers": {"product": "recaudos"}, "reason": "prueba", "lasts": "2h"}
    assert hand.post("silences", body, key="s").json() == hand.post("silences", body | {"lasts": "3h"}, key="s").json()
    assert [act.action for act in hand.store.acts()] == ["resolve", "informed", "silence"]


def test_forms_act_and_bring_back_to_the_page(hand: Hand) -> None:
    told = {"text": "llamé", "by": "Ana", "csrf": "x"}
    done = hand.send("POST", f"/incidents/{PAYMENTS}/note", data=told)
    assert (done.status_code, done.headers["location"]) == (303, f"/incidents/{PAYMENTS}")
    back = hand.send(
        "POST", f"/incidents/{PAYMENTS}/assign", data={"to": "Luis", "by": "Ana", "back": "/?product=pagos"}
    )
    assert back.headers["location"] == "/?product=pagos"
    case = hand.send("POST", f"/cases/{OPENED}/informed", data={"by": "N1"})
    assert (case.status_code, case.headers["location"]) == (303, f"/incidents/{PAYMENTS}")
    for elsewhere in ("https://otro.example/", "//otro.example", "/\\otro.example"):
        away = hand.send(
            "POST", f"/incidents/{PAYMENTS}/note", data={"text": elsewhere, "by": "Ana", "back": elsewhere}
        )
        assert away.headers["location"] == f"/incidents/{PAYMENTS}"
    refused = hand.send("POST", f"/incidents/{SLOW}/ack", data={"by": "Ana"})
    assert (refused.status_code, "ya terminó" in refused.text, "<html" in refused.text) == (409, True, True)
    assert "llamé" in hand.text(f"/incidents/{PAYMENTS}")
    assert {act.door for act in hand.store.acts()} == {"page"}


def test_the_shift_as_a_page_and_signed(hand: Hand) -> None:
    people.note(hand.store, PAYMENTS, "Ana", "<b>llamé</b>", NOW - timedelta(minutes=9))
    page = hand.text("/turno")
    for words in (
        "Entrega de turno",
        "Pagos · Conexión Directa",
        "nadie la atiende, sin asignar, 1 caso por aprobar, 2 clientes sin informar",
        "Firmar",
    ):
        assert words in page, page
    assert "<b>llamé" not in hand.get("/turno").text
    done = hand.send("POST", "/turno/sign", data={"by": "Ana", "to": "Luis", "text": "ojo", "hours": "8"})
    assert (done.status_code, done.headers["location"]) == (303, "/turno")
    assert "Ana a Luis" in hand.text("/turno")
    answer = hand.get("/api/v1/handover?hours=2").json()
    assert (answer["ended"], answer["signed"]["author"], answer["open"][0]["uninformed"]) == ([], "Ana", 2)
    kept = hand.post("handover", {"by": "Luis", "to": "Ana", "hours": 2}).json()
    assert (kept["author"], "ENTREGA DE TURNO" in kept["told"]) == ("Luis", True)
    assert hand.send("POST", "/turno/sign", data={"hours": "8"}).status_code == 422
    assert hand.get("/turno?hours=0").status_code == 422
