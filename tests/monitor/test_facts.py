"""What a notice says of an incident: to each recipient their own clients, of all others how many."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest

from alerts import Action, Changes, Client, Decision, Doubt, Impact, Touch
from alerts.reasons import APPROVAL, ELSEWHERE
from monitor import people
from monitor.blocks import Words
from monitor.facts import Recipient, breach_facts, digest_facts, fault_facts, incident_facts, summary_facts
from monitor.store import Act, Step
from monitor.words import rendered
from rules import Scope
from tests.monitor.conftest import ACEROS, CLIENTS, INCIDENTS, MOLINOS, NOW, NUBE, PAYMENTS, SLOW, ago, heal

if TYPE_CHECKING:
    from monitor.store import Store

TOWER = Recipient("torre")
N1 = Recipient("correo", "posventa1@banco.example", "plain", "es", "post_sale")
BOARD = "https://vigia.banco.example"


def told(store: Store, recipient: Recipient = TOWER, incident: str = PAYMENTS, **more: Any) -> dict[str, Any]:
    facts = incident_facts(store, incident, recipient, NOW, address=BOARD, **more)
    assert json.loads(json.dumps(facts)) == facts, "as JSON has it"
    return facts


def test_the_tower_is_told_how_many_and_nobody_by_name(store: Store) -> None:
    facts = told(store)
    assert facts["schema"] == "vigia.notice/1"
    assert facts["incident"]["id"] == PAYMENTS
    assert (facts["incident"]["affected"], facts["incident"]["exposed"], facts["incident"]["priority"]) == (2, 1, 83)
    assert (facts["incident"]["cases_opened"], facts["incident"]["cases_linked"]) == (1, 1)
    assert facts["clients"] == {
        "affected": 2, "exposed": 1, "segments": {"corporativo": 1, "empresarial": 1}, "own": [], "own_more": 0,
        "own_exposed": 0, "others": 3,
    }  # fmt: skip
    written = json.dumps(facts)
    for client in CLIENTS:
        assert client.name not in written
        assert client.client_id not in written
    assert facts["links"] == {
        "incident": f"{BOARD}/incidents/{PAYMENTS}", "guide": f"{BOARD}/guias/pagos/fallas", "clients": f"{BOARD}/clientes",
    }  # fmt: skip


def test_an_assistant_is_told_of_their_clients_with_case_and_doubts(store: Store) -> None:
    doubt = Doubt(PAYMENTS, ACEROS, "pagos", "conexion_directa", "TX-9", "pending", "core", ago(3))
    settled = replace(doubt, id="TX-1", settled_at=ago(1), settled_as="ok")
    store.commit(Step(changes=Changes(doubts={doubt.key: doubt, settled.key: settled})), NOW)
    (mine,) = told(store, N1)["clients"]["own"]
    assert (mine["client"], mine["client_id"], mine["priority"], mine["touch"]) == (
        "Aceros del Istmo",
        ACEROS,
        83,
        "affected",
    )
    assert (mine["failures"], mine["missing"], mine["amount"], mine["products"]) == (131, 12, "98450000.00", ["pagos"])
    assert (mine["case"]["reference"], mine["case"]["action"], mine["informed_at"]) == ("C-000001", "open", None)
    assert [row["id"] for row in mine["doubts"]] == ["TX-9"], "what is settled is no doubt any more"
    assert told(store, N1)["clients"]["others"] == 2
    substitute = replace(N1, to="posventa2@banco.example", role="substitute")
    assert [row["client_id"] for row in told(store, substitute)["clients"]["own"]] == [ACEROS]
    assert told(store, replace(N1, to="otro@banco.example"))["clients"]["own"] == []
    assert told(store, replace(N1, to=""))["clients"]["own"] == [], "an address that is missing is nobody's"


def test_what_was_done_to_a_case_a_second_ago_is_told(store: Store) -> None:
    store.act(Act(PAYMENTS, ago(1), "N1", "informed", "", case_key=f"VG-{PAYMENTS}-{ACEROS}"))
    (mine,) = told(store, N1)["clients"]["own"]
    assert mine["informed_at"] == ago(1).isoformat()


def test_the_cases_of_others_are_counted_by_who_worked_on_them(store: Store) -> None:
    store.act(
        Act(PAYMENTS, ago(9), "Ana", "ack", ""),
        Act(PAYMENTS, ago(8), "Luz", "informed", "hablé con Molinos", case_key=f"VG-{PAYMENTS}-{MOLINOS}"),
        Act(PAYMENTS, ago(7), "Luz", "informed", "", case_key=f"VG-{PAYMENTS}-{ACEROS}"),
    )
    done = [(act["who"], act["action"], act["cases"], act["text"]) for act in told(store)["done"]]
    assert done == [("Ana", "ack", 0, ""), ("Luz", "informed", 2, "")]
    done = [(act["who"], act["action"], act["cases"]) for act in told(store, N1)["done"]]
    assert done == [("Ana", "ack", 0), ("Luz", "informed", 1), ("Luz", "informed", 0)]


def test_a_number_that_ends_as_anothers_is_another(store: Store) -> None:
    """Of a case its whole owner counts."""
    long = f"8{ACEROS}"
    decision = Decision(f"VG-{PAYMENTS}-{long}", PAYMENTS, long, "pagos", Action.OPEN, "", ago(9))
    store.commit(Step(changes=Changes(decisions={decision.key: decision})), NOW)
    store.act(Act(PAYMENTS, ago(8), "Luz", "informed", "le dije que cobramos doble", case_key=decision.key))
    assert [(act["text"], act["cases"]) for act in told(store, N1)["done"]] == [("", 1)]


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        ("Molinos Borovanda llamó dos veces", "… llamó dos veces"),
        ("llamó MOLINOS borovanda", "llamó …"),
        ("el 860.555.111-3 no puede pagar", "el … no puede pagar"),
        ("el 860 555 111 no puede", "el … no puede"),
        ("860555111", "…"),
        ("NIT 999.888.777: no es cliente", "NIT …: no es cliente"),
        ("volvió a las 10:05, quedan 98.450.000 por pasar", "volvió a las 10:05, quedan 98.450.000 por pasar"),
        ("ticket 20260303 y C-000001", "ticket 20260303 y C-000001"),
        ("la solución es un resol, dijo Sol", "la solución es un resol, dijo …"),
        ("Molinos  BOROVANDA\ny molinos_borovanda", "…\ny …"),
        ("cliente_860555111", "cliente_…"),
        ("Aceros del Istmo (900.123.456-8) ya paga", "Aceros del Istmo (900.123.456-8) ya paga"),
    ],
)
def test_what_people_wrote_names_no_other_client(store: Store, note: str, shown: str) -> None:
    store.commit(Step(clients=[Client("800700600", "Sol", "pyme")]), NOW)
    people.note(store, PAYMENTS, "Mesa", note, NOW)
    assert told(store, N1)["done"][-1]["text"] == shown


def test_only_the_segments_asked_for_are_counted(store: Store) -> None:
    facts = told(store, replace(TOWER, segments=frozenset({"empresarial"})))
    assert (facts["incident"]["affected"], facts["incident"]["exposed"], facts["incident"]["priority"]) == (1, 0, 61)
    assert (facts["incident"]["cases_opened"], facts["incident"]["cases_linked"]) == (0, 1)
    assert facts["clients"]["segments"] == {"empresarial": 1}
    assert told(store, replace(N1, segments=frozenset({"pyme"})))["clients"]["own"] == []


def test_an_incident_of_one_client_names_them_to_their_assistant_alone(store: Store) -> None:
    alone = replace(
        INCIDENTS[0], id="AF-1", scope=Scope("pagos", "", ACEROS), shares=(("client_id", ACEROS, 0.97),),
        reach=Scope("pagos", "", ACEROS), symptoms=(Scope("recaudos", "", ACEROS),),
    )  # fmt: skip
    hit = Impact("AF-1", ACEROS, "pagos", Touch.AFFECTED, 3)
    store.commit(Step(changes=Changes(incidents={"AF-1": alone}, impacts={("AF-1", ACEROS, "pagos"): hit})), NOW)
    tower, n1 = told(store, incident="AF-1"), told(store, N1, incident="AF-1")
    assert ACEROS not in json.dumps(tower)
    assert tower["incident"]["one_client"]
    assert tower["incident"]["shares"] == [["client_id", "", 0.97]]
    assert (n1["incident"]["client_id"], n1["incident"]["client"]) == (ACEROS, "Aceros del Istmo")


def test_the_next_news_comes_by_severity_and_none_after_the_end(store: Store) -> None:
    assert told(store)["next_at"] == "2026-03-03T16:00:00+00:00"
    later = incident_facts(store, PAYMENTS, TOWER, NOW + timedelta(seconds=61))
    assert later["next_at"] == "2026-03-03T16:05:00+00:00", "put up to five minutes"
    assert told(store, incident=SLOW)["next_at"] is None


def test_what_its_rules_see_now_with_their_measures(store: Store) -> None:
    facts = told(store, measures={"fallas_inusuales": "failed_rate"})
    (signal,) = facts["incident"]["signals"]
    assert (signal["rule"], signal["value"], signal["expected"], signal["measure"]) == (
        "fallas_inusuales",
        0.41,
        0.011,
        "failed_rate",
    )
    assert facts["incident"]["measure"] == "failed_rate"


def test_many_of_ones_own_are_listed_by_priority_and_the_rest_counted(store: Store) -> None:
    crowd = [Client(str(800000000 + i), f"Cliente {i}", "pyme", post_sale="grupo@banco.example") for i in range(230)]
    hits = [Impact(PAYMENTS, c.client_id, "pagos", Touch.AFFECTED, 1, priority=i % 60) for i, c in enumerate(crowd)]
    asked = [Decision(f"VG-{c.client_id}", PAYMENTS, c.client_id, "pagos", Action.NONE, "budget", NOW) for c in crowd]
    changes = Changes(
        impacts={(i.incident_id, i.client_id, i.product): i for i in hits}, decisions={d.key: d for d in asked}
    )
    store.commit(Step(clients=crowd, changes=changes), NOW)
    clients = told(store, replace(N1, to="grupo@banco.example"))["clients"]
    assert (len(clients["own"]), clients["own_more"], clients["others"]) == (200, 30, 3)
    assert [row["priority"] for row in clients["own"]] == sorted(
        (row["priority"] for row in clients["own"]), reverse=True
    )
    assert clients["segments"] == {"pyme": 230, "corporativo": 1, "empresarial": 1}


def test_of_ones_own_the_exposed_are_a_count_and_bury_nobody(store: Store) -> None:
    crowd = [Client(str(800000000 + i), f"Cliente {i}", "pyme", post_sale="grupo@banco.example") for i in range(230)]
    hits = [
        Impact(PAYMENTS, c.client_id, "pagos", Touch.AFFECTED if i < 3 else Touch.EXPOSED, i < 3, priority=i % 60)
        for i, c in enumerate(crowd)
    ]
    changes = Changes(impacts={(i.incident_id, i.client_id, i.product): i for i in hits})
    store.commit(Step(clients=crowd, changes=changes), NOW)
    facts = told(store, replace(N1, to="grupo@banco.example"))
    clients = facts["clients"]
    assert [row["client"] for row in clients["own"]] == ["Cliente 2", "Cliente 1", "Cliente 0"]
    assert (clients["own_more"], clients["own_exposed"], clients["others"]) == (0, 227, 3)
    mail = rendered(facts | {"event": "update", "why": ["clients"]}, Words())
    assert mail.subject.startswith("Actualización (3 clientes suyos): ")
    assert mail.text.index("Qué cambió: hay más clientes afectados.") < mail.text.index("Cliente 2")
    assert f"227 más aún sin fallas: véalos en {facts['links']['incident']}" in mail.text
    assert "Cliente 77" not in mail.text + mail.html
    assert rendered(facts | {"event": "first"}, Words()).subject.startswith("Avise a 3 clientes suyos: ")


def test_a_case_of_ours_on_something_else_is_told_with_its_number(store: Store) -> None:
    hit = Impact(SLOW, ACEROS, "pagos", Touch.AFFECTED, 3, priority=40)
    left = Decision(f"VG-{SLOW}-{ACEROS}", SLOW, ACEROS, "pagos", Action.NONE, ELSEWHERE, NOW)
    changes = Changes(impacts={(SLOW, ACEROS, "pagos"): hit}, decisions={left.key: left})
    store.commit(Step(changes=changes), NOW)
    facts = told(store, N1, SLOW)
    (mine,) = facts["clients"]["own"]
    assert (mine["case"]["action"], mine["case"]["elsewhere"], mine["case"]["reference"]) == ("none", True, "C-000001")
    mail = rendered(facts | {"event": "first", "why": []}, Words())
    assert "caso C-000001 por otra afectación" in mail.text
    assert "Caso C-000001 por otra afectación" in mail.html
    store.act(Act(PAYMENTS, ago(0), "Mesa", "withdraw", "", case_key=f"VG-{PAYMENTS}-{ACEROS}"))
    assert "sin caso" in rendered(told(store, N1, SLOW) | {"event": "first", "why": []}, Words()).text


def test_cases_that_wait_for_approval_are_told_with_what_to_do(store: Store) -> None:
    """And nobody is asked to mark a case that is not there."""
    hit = Impact(SLOW, ACEROS, "pagos", Touch.AFFECTED, 3, priority=40)
    waits = Decision(f"VG-{SLOW}-{ACEROS}", SLOW, ACEROS, "pagos", Action.NONE, APPROVAL, NOW)
    store.commit(Step(changes=Changes(impacts={(SLOW, ACEROS, "pagos"): hit}, decisions={waits.key: waits})), NOW)
    for recipient in (N1, TOWER):
        facts = told(store, recipient, SLOW) | {"event": "first", "why": []}
        facts["incident"] |= {"state": "firing", "ended_at": None, "resolved_at": None}
        assert facts["incident"]["cases_waiting"] == 1
        mail = rendered(facts, Words())
        for written in (mail.text, mail.html):
            assert "1 caso espera aprobación" in written
            assert f"vigia cases approve {SLOW}" in written
            assert "marque en cada caso" not in written
        english = rendered(facts | {"language": "en"}, Words())
        assert "1 case waits for approval" in english.text
        assert "1 case waits for approval" in english.html
        if recipient is N1:
            assert "caso por aprobar · aún no informado" in mail.text
            assert "sin caso" not in mail.text
    opened = told(store, N1) | {"event": "first", "why": []}
    assert "marque en cada caso" in rendered(opened, Words()).text
    assert "aprobación" not in rendered(opened, Words()).text


def test_a_fault_of_vigia(store: Store) -> None:
    fault = {"key": "source:core", "severity": "critical", "since": ago(5), "what": "la fuente core no responde"}
    facts = fault_facts(fault, TOWER, NOW, address=BOARD)
    assert facts["fault"] == fault | {"since": ago(5).isoformat()}
    assert store


def test_promises_name_the_clients_of_the_recipient_alone(store: Store) -> None:
    late = [case | {"clock": "breached", "due_at": ago(1)} for case in people.cases(store)]
    team = breach_facts(store, late, TOWER, NOW)
    assert [case["reference"] for case in team["cases"]] == ["SP-75", "C-000001", ""]
    assert not any(client.client_id in json.dumps(team) or client.name in json.dumps(team) for client in CLIENTS)
    mine = breach_facts(store, late, N1, NOW)
    assert {case["client"] for case in mine["cases"]} == {"Aceros del Istmo"}


def test_a_digest_for_a_manager_has_their_clients_alone(store: Store) -> None:
    store.commit(Step(clients=[replace(CLIENTS[2], manager="gerente@banco.example")]), NOW)
    manager = Recipient("correo", "gerente@banco.example", role="manager")
    facts = digest_facts(store, [SLOW, PAYMENTS], ago(600), NOW, manager, NOW, address=BOARD)
    assert [row["id"] for row in facts["incidents"]] == [PAYMENTS]
    assert facts["others"] == 1
    assert (facts["incidents"][0]["own"], facts["incidents"][0]["own_exposed"]) == ([], 1), (
        "who is exposed alone is a count"
    )
    assert NUBE not in json.dumps(facts)
    assert ACEROS not in json.dumps(facts)
    every = digest_facts(store, [SLOW, PAYMENTS], ago(600), NOW, TOWER, NOW)
    assert [row["id"] for row in every["incidents"]] == [PAYMENTS, SLOW], "the worst first"
    held = summary_facts(store, [SLOW, PAYMENTS], manager, NOW)
    assert [row["id"] for row in held["incidents"]] == [PAYMENTS, SLOW], "what was held back is never dropped"


def _words(facts: dict[str, Any]) -> tuple[str, str]:
    made = rendered(facts | {"event": "update", "why": []}, Words())
    return made.text, made.html


@pytest.mark.parametrize(("language", "words"), [
    ("es", "Cerrada a mano por Mesa; sigue en alerta"),
    ("en", "Closed by hand by Mesa; still in alert"),
])  # fmt: skip
def test_a_digest_calls_nothing_resolved_that_is_in_alert(
    store: Store, language: Literal["es", "en"], words: str
) -> None:
    people.resolve(store, PAYMENTS, "Mesa", "", ago(15))
    tower = replace(TOWER, language=language)

    def said() -> list[str]:
        digest = digest_facts(store, [PAYMENTS], ago(600), NOW, tower, NOW)
        alone = incident_facts(store, PAYMENTS, tower, NOW)
        return [text for one in (digest, alone) for text in _words(one)]

    assert all(words in text for text in said())
    heal(store)
    assert not any(words in text for text in said())
    old = digest_facts(store, [PAYMENTS], ago(600), NOW, tower, NOW)
    shown = _words(old)
    del old["incidents"][0]["still_failing"]
    assert _words(old) == shown, "what was made before this was told is still sent"


def test_who_is_new_since_the_last_notice_comes_first(store: Store) -> None:
    crowd = [Client(str(800000000 + i), f"Cliente {i}", "pyme", post_sale="g@banco.example") for i in range(3)]
    hits = [Impact(PAYMENTS, c.client_id, "pagos", Touch.AFFECTED, 1, priority=9 - i) for i, c in enumerate(crowd)]
    left = [
        Decision(
            f"VG-{c.client_id}", PAYMENTS, c.client_id, "pagos", Action.NONE, "budget", NOW, decided_at=ago(9 - 4 * i)
        )
        for i, c in enumerate(crowd)
    ]
    changes = Changes(
        impacts={(i.incident_id, i.client_id, i.product): i for i in hits}, decisions={d.key: d for d in left}
    )
    store.commit(Step(clients=crowd, changes=changes), NOW)
    facts = told(store, replace(N1, to="g@banco.example"), since=ago(3))
    assert [(row["client"], row["new"]) for row in facts["clients"]["own"]] == [
        ("Cliente 2", True), ("Cliente 0", False), ("Cliente 1", False),
    ]  # fmt: skip
