"""Where else something fails, for an incident, and what the bank does not have: there nobody is sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alerts import Alert, AlertState, Changes, Holding, Incident, IncidentState
from monitor.blocks import Words
from monitor.facts import Recipient, incident_facts
from monitor.failing import failing, nowhere
from monitor.guides import Guides
from monitor.store import Act, Step, Store
from monitor.words import rendered
from rules import Scope
from tests.monitor.conftest import ACEROS, INCIDENTS, MOLINOS, NOW, PAYMENTS, ago
from tests.monitor.served import Guarded

ROW = {"id": PAYMENTS, "product": "pagos", "channel": "conexion_directa", "client_id": ""}
BRANCH = Scope("", "sucursal_digital")
OTHER = replace(INCIDENTS[0], id="AF-20260303T1510-ffffff", scope=BRANCH, reach=BRANCH)


def put(store: Store, *incidents: Incident) -> None:
    store.commit(Step(changes=Changes(incidents={one.id: one for one in incidents})), NOW)


@pytest.mark.parametrize(
    ("scope", "row", "found"),
    [
        (BRANCH, {}, ["sucursal_digital"]),
        (Scope("pagos", "sucursal_digital"), {}, ["sucursal_digital"]),
        (Scope("recaudos", "sucursal_digital"), {}, ["recaudos"]),
        (Scope("recaudos", "sucursal_digital"), {"product": ""}, ["recaudos", "sucursal_digital"]),
        (Scope("recaudos", "conexion_directa"), {}, ["recaudos"]),
        (Scope("", "sucursal_digital", ACEROS), {}, []),
        (Scope("", "sucursal_digital", ACEROS), {"client_id": ACEROS}, ["sucursal_digital"]),
        (Scope("", "sucursal_digital", ACEROS), {"client_id": MOLINOS}, []),
        (Scope(series="cpu"), {}, []),
        (Scope("pagos"), {}, ["sucursal_digital"]),
        (Scope("recaudos"), {}, ["recaudos"]),
        (Scope(series="cpu"), {"channel": ""}, ["conexion_directa", "sucursal_digital"]),
    ],
)
def test_where_else_something_fails(store: Store, scope: Scope, row: dict[str, Any], found: list[str]) -> None:
    put(store, replace(OTHER, scope=scope, reach=scope))
    assert failing(store, ROW | row) == found


def test_what_rests_on_an_incident_fails_with_it(store: Store) -> None:
    put(store, replace(INCIDENTS[0], symptoms=(BRANCH,)))
    assert failing(store, ROW) == ["sucursal_digital"], "its own symptoms are no way out"
    assert failing(store, {"product": "swift"}) == ["pagos", "sucursal_digital"], "the first fails for payments alone"
    assert failing(store) == ["conexion_directa", "pagos", "sucursal_digital"]


def test_what_is_over_or_was_closed_a_second_ago_can_be_offered(store: Store) -> None:
    put(store, replace(OTHER, state=IncidentState.RESOLVED, resolved_at=ago(1)))
    assert failing(store, ROW) == []
    put(store, OTHER)
    assert failing(store, ROW) == ["sucursal_digital"]
    store.act(Act(OTHER.id, ago(0), "Ana", "resolve", ""))
    assert failing(store, ROW) == []


def test_what_was_closed_by_hand_and_is_in_alert_is_no_way_out(store: Store) -> None:
    alert = Alert("fallas", BRANCH, AlertState.FIRING, ago(20), ago(1), OTHER.id)
    store.commit(Step(changes=Changes(alerts={(alert.rule, alert.scope): alert}, incidents={OTHER.id: OTHER})), NOW)
    store.act(Act(OTHER.id, ago(0), "Ana", "resolve", ""))
    assert failing(store, ROW) == ["sucursal_digital"]
    put(store, replace(OTHER, state=IncidentState.RESOLVED, resolved_at=ago(0), resolved_by="Ana"))
    assert failing(store, ROW) == ["sucursal_digital"], "once the judging thread knows, too"
    store.commit(Step(changes=Changes(alerts={(alert.rule, alert.scope): None})), NOW)
    assert failing(store, ROW) == []


def test_what_was_never_seen_is_nowhere_but_in_an_empty_state(store: Store, tmp_path: Path) -> None:
    assert nowhere(store, {"pagos", "sucursal_digital", "app", "swift"}) == ["app"]
    empty = Store(f"sqlite:///{tmp_path / 'nada.db'}")
    empty.migrate()
    assert nowhere(empty, {"app"}) == []
    empty.close()


def letter(store: Store, known: Guides | None = None) -> str:
    to = Recipient("correo", words="plain")
    facts = incident_facts(store, PAYMENTS, to, NOW, known=known)
    return rendered(facts | {"event": "first", "why": ["new"]}, Words()).text


def test_nobody_is_sent_to_what_fails_itself(store: Store) -> None:
    assert "Sucursal Digital" in letter(store)
    assert "frezca Conexión Directa" not in letter(store)
    assert "Conexión Directa: también" not in letter(store), "of what fails itself there is no need to say so"


def test_nobody_is_sent_to_a_channel_that_the_bank_does_not_have(store: Store) -> None:
    put(store, replace(INCIDENTS[0], scope=(scope := Scope("adquirencia")), reach=scope))
    step, link = "cobro por pasarela", "enlace de pago"
    assert [words in letter(store) for words in (step, link)] == [False, False]
    known = Guides(named=["pasarela_pagos"])
    assert [words in letter(store, known) for words in (step, link)] == [True, True], "the configuration names it"
    web = Guarded(store)
    try:
        page = web.get("/guias/adquirencia/fallas", "ana").text
    finally:
        web.server.stop()
    assert "código QR" in page
    assert step not in page
    store.commit(Step(holdings=[Holding(ACEROS, "pasarela_pagos")]), NOW)
    assert step in letter(store), "it was seen"


@pytest.mark.parametrize(("language", "branch"), [("es", "Sucursal Digital"), ("en", "Digital Branch")])
def test_messages_send_nobody_to_what_fails_too(store: Store, language: Any, branch: str) -> None:
    def letter(words: Any) -> str:
        to = Recipient("correo", words=words, language=language)
        facts = incident_facts(store, PAYMENTS, to, NOW, address="https://vigia.banco.example")
        made = rendered(facts | {"event": "first", "why": ["new"]}, Words())
        assert made.faults == ()
        return made.text

    offered = {"es": "puede hacerlo por la Sucursal Digital", "en": "you can do in the Digital Branch"}[language]
    withheld = {"es": "No lo ofrezca ahora (Sucursal", "en": "Do not offer it now (Digital"}[language]
    assert offered in letter("plain")
    assert withheld not in letter("technical")
    put(store, OTHER)
    assert offered not in letter("plain")
    assert branch not in letter("plain").split("-----")[2], "the words for the client"
    assert withheld in letter("technical")
    assert withheld in letter("plain")


def test_the_page_and_the_api_say_what_is_not_to_be_offered(store: Store) -> None:
    put(store, OTHER)
    web = Guarded(store)
    try:
        page = web.get(f"/incidents/{PAYMENTS}", "ana").text
        told = web.get(f"/api/v1/incidents/{PAYMENTS}", "ana").json()
        guide = web.get("/guias/conexion_directa/fallas", "ana").text
    finally:
        web.server.stop()
    assert "No ofrezca ahora Sucursal Digital: también con fallas." in page
    assert told["failing"] == ["sucursal_digital"]
    assert "No lo ofrezca ahora (Sucursal" in guide
