"""Where else something fails, for an incident: there nobody is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alerts import Changes, Incident, IncidentState
from monitor.blocks import Words
from monitor.facts import Recipient, incident_facts
from monitor.failing import failing
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
