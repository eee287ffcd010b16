"""The web face, asked over a real socket."""

from __future__ import annotations

import json
import logging
import re
import socket
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import requests

from alerts import Alert, AlertState, Changes, Client, Impact, IncidentState, Touch
from alerts.promises import Promise, Promises
from alerts.routing import Addressee
from monitor import clientele, people, portrait
from monitor import tables as t
from monitor.business import ServiceHours
from monitor.calendar import Calendar
from monitor.claims import claim, confirm
from monitor.metrics import Metrics
from monitor.pipeline import Status
from monitor.portrait import Outlook
from monitor.reads import Reader
from monitor.recipients import message, thread_row
from monitor.standing import rows
from monitor.store import Step, Store
from monitor.web import Server, app, serve
from rules import Scope, Verdict
from tests.monitor.conftest import ACEROS, CLIENTS, INCIDENTS, MOLINOS, NOW, NUBE, PAYMENTS, SLOW, ago, heal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY = (True, "ready")
HOURS = ServiceHours(Calendar("America/Bogota"), business_days=False)
BOGOTA = NOW.astimezone(ZoneInfo("America/Bogota"))


def assert_same_keys(answer: Any, asked: Any) -> None:
    """What the API tells has all that was asked for and no more, however deep."""
    if isinstance(asked, dict):
        assert answer.keys() == asked.keys()
        for key in asked:
            assert_same_keys(answer[key], asked[key])
    elif isinstance(asked, list):
        assert len(answer) == len(asked)
        for one, other in zip(answer, asked, strict=True):
            assert_same_keys(one, other)


class Face:
    """A served application whose readiness a test may change."""

    def __init__(self, store: Store) -> None:
        self.store, self.metrics, self.ready = store, Metrics(sources=["core"]), READY
        self.metrics.source("core", up=True, lag=4.0)
        self.metrics.cycle(ago(0.1))
        self.metrics.stepped(ago(0.1))
        made = app(
            store, self.metrics, lambda: self.ready, lambda: BOGOTA, measures={"fallas_inusuales": "failed_rate"},
            outlook=Outlook(Promises((Promise(timedelta(hours=1), HOURS, {"product": frozenset({"pagos"})}),))),
        )  # fmt: skip
        self.server: Server = serve(made, "127.0.0.1:0")

    def get(self, path: str) -> requests.Response:
        return requests.get(self.server.address + path, timeout=60)

    def text(self, path: str) -> str:
        """What a page says, without its marks."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        main = answer.text.partition("</head>")[2]
        return " ".join(re.sub(r"<[^>]*>", " ", main).split())


@pytest.fixture
def face(store: Store) -> Iterator[Face]:
    made = Face(store)
    yield made
    made.server.stop()


def test_healthy_ready_and_metrics(face: Face) -> None:
    assert face.get("/-/healthy").status_code == 200
    assert face.get("/-/ready").status_code == 200
    found = face.get("/metrics")
    assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'vigia_source_up{source="core"} 1.0' in found.text


@pytest.mark.parametrize("path", ["/", "/-/healthy", "/-/ready"])
def test_who_asks_for_the_head_alone_gets_what_a_get_would_without_its_text(face: Face, path: str) -> None:
    head = requests.head(face.server.address + path, timeout=60)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == face.get(path).headers["content-type"]
    face.ready = (False, "history is still being read")
    assert requests.head(face.server.address + "/-/ready", timeout=60).status_code == 503


def test_not_ready_says_why(face: Face) -> None:
    face.ready = (False, "history is still being read")
    answer = face.get("/-/ready")
    assert (answer.status_code, answer.text) == (503, "history is still being read\n")
    assert face.get("/-/healthy").status_code == 200, "it lives all the same"


def test_the_board_says_what_happens_in_the_banks_time(face: Face) -> None:
    text = face.text("/")
    for words in (
        "1 afectación abierta", "En vivo", "Último ciclo 10:29:54", "Fuente core: al día", "Crítica",
        "Pagos · Conexión Directa", "Fallas, volumen caído o sin transacciones", "desde 10:05 · hace 25 min",
        "Afectados 2", "Expuestos 1", "Prioridad 83", "Nadie la atiende aún", "Aún sin curva",
        "Resueltas en las últimas 24 horas 1", "Recaudos Lentitud", "se normalizó",
    ):  # fmt: skip
        assert words in text, words
    assert "Todo en orden" not in text
    people.acknowledge(face.store, PAYMENTS, "Mesa", "", NOW)
    assert "La atiende Mesa" in face.text("/")


def test_all_is_well_only_if_vigia_can_know(face: Face) -> None:
    people.resolve(face.store, PAYMENTS, "Mesa", "", ago(1))
    heal(face.store)
    learning = Status("fallas", Scope("pagos"), Verdict.UNKNOWN, 0.0, 0.0, 0.0)
    face.metrics.statuses([learning])
    assert "Sin veredicto todavía" in face.text("/")
    healthy = [replace(learning, scope=Scope(name), verdict=Verdict.HEALTHY) for name in ("swift", "recaudos")]
    face.metrics.statuses([learning, healthy[0]])
    half = face.text("/")
    assert "Todo en orden" not in half
    assert "Vista parcial Sin afectaciones en lo que se alcanza a ver." in half
    assert "Sin veredicto en 1 de 2 vigilancias" in half
    assert 'class="headline unknown"' in face.get("/").text
    face.metrics.statuses([learning, *healthy])
    well = face.text("/")
    assert "Todo en orden" in well
    assert "Sin veredicto en 1 de 3 vigilancias" in well
    assert 'class="headline well"' in face.get("/").text
    face.metrics.source("bizagi", up=False)
    partial = face.text("/")
    assert "Todo en orden" not in partial
    assert "No responde la fuente bizagi" in partial
    assert "En vivo" not in partial
    face.ready = (False, "no source answers")
    blind = face.text("/")
    assert "SIN DATOS" in blind
    assert "no source answers" in blind
    assert "Todo en orden" not in blind


def test_what_was_closed_by_hand_and_is_in_alert_is_never_well(face: Face) -> None:
    people.resolve(face.store, PAYMENTS, "Mesa", "", ago(1))
    healthy = Status("fallas", Scope("pagos"), Verdict.HEALTHY, 0.0, 0.0, 0.0)
    face.metrics.statuses([healthy])
    board, page, shift = face.text("/"), face.text(f"/incidents/{PAYMENTS}"), face.text("/turno")
    client = face.text(f"/clientes/{ACEROS}")
    assert "Todo en orden" not in board
    assert "1 afectación se cerró a mano y sus reglas siguen en alerta." in board
    assert 'class="headline major"' in face.get("/").text
    for text in (board, shift):
        assert "la cerró Mesa y sus reglas siguen en alerta" in text
        assert "desde 10:05" in text
        assert "10:05 a 10:29" not in text
    assert "Cerrada a mano por Mesa; sigue en alerta" in page
    assert "Duró" not in page.partition("Clientes afectados")[0]
    assert "24 min sigue" in client
    (row,) = (one for one in face.get("/api/v1/incidents").json() if one["id"] == PAYMENTS)
    assert (row["state"], row["still_failing"]) == ("resolved", True)
    heal(face.store)
    board, page, shift = face.text("/"), face.text(f"/incidents/{PAYMENTS}"), face.text("/turno")
    assert "Todo en orden" in board
    assert "Resuelta (por Mesa)" in page
    assert "siguen en alerta" not in board + page + shift


def test_what_was_closed_long_ago_and_is_in_alert_stays_on_the_board(face: Face) -> None:
    shut = [
        replace(INCIDENTS[0], id=f"AF-{n}", state=IncidentState.RESOLVED, resolved_at=ago(n), resolved_by="Mesa")
        for n in (3000, 10, 9, 8, 7)
    ]
    face.store.commit(Step(changes=Changes(incidents={one.id: one for one in shut})), NOW)
    assert "/incidents/AF-3000" not in face.get("/?over=all").text
    alert = Alert("fallas", Scope("swift"), AlertState.FIRING, ago(3100), ago(1), "AF-3000")
    face.store.commit(Step(changes=Changes(alerts={(alert.rule, alert.scope): alert})), NOW)
    assert "/incidents/AF-3000" in face.get("/").text


def test_the_worst_stands_first(face: Face) -> None:
    minor = replace(INCIDENTS[0], id="AF-20260303T1529-ffffff", severity=INCIDENTS[1].severity)
    step = Step()
    step.changes.incidents[minor.id] = minor
    face.store.commit(step, NOW)
    html = face.get("/").text
    assert html.index(f"/incidents/{PAYMENTS}") < html.index(f"/incidents/{minor.id}")


def test_an_incidents_page(face: Face) -> None:
    people.note(face.store, PAYMENTS, "Mesa de turno", "N2 revisa el enlace", ago(3))
    text = face.text(f"/incidents/{PAYMENTS}")
    for words in (
        "Desde 03/03/2026 10:05:00", "fallas_inusuales", "41 %", "1,1 %", "NIT 900.123.456", "$ 98.450.000", "La atiendo",
        "10 min antes", "60 s después", "segmento 30 + impacto 21,5", "C-000001", "SP-75",
        "N2 revisa el enlace", "92 % de las fallas: Conexión Directa, código E504; 60 %: Pagos",
        "Primera falla de un cliente: Aceros del Istmo", "Vigía la detectó 3 min después",
        "Primer cliente que lo reporta: Molinos Borovanda 60 s antes de nuestro caso · 2 lo han reportado",
    ):  # fmt: skip
        assert words in text, words
    clients = text.partition("Clientes afectados, por prioridad (2)")[2]
    assert clients.index("Aceros del Istmo") < clients.index("Molinos Borovanda")
    assert "Textiles Nube Alta" in face.text(f"/incidents/{PAYMENTS}?touch=exposed")
    assert "Ninguno con ese nombre." in face.text(f"/incidents/{PAYMENTS}?q=nadie")


def test_an_incident_leads_to_the_guide_that_is_meant(face: Face) -> None:
    """Its row names general/fallas; of a product with a guide of its own, that one."""
    for path in ("/", f"/incidents/{PAYMENTS}"):
        assert 'href="/guias/pagos/fallas"' in face.get(path).text, path
    text = face.text(f"/incidents/{PAYMENTS}")
    assert "Pagos: fallas por encima de lo normal Mire si las fallas son" in text
    assert "Payments: failures above normal" in face.text(f"/incidents/{PAYMENTS}?lang=en")
    assert face.text("/guias/pagos/fallas?lang=en").startswith("To the content")
    assert "Payments: failures above normal" in face.text("/guias?lang=en&q=above")


def test_who_was_told_is_told(face: Face) -> None:
    path = f"/incidents/{PAYMENTS}"
    assert "Vigía no ha avisado a nadie de esta afectación." in face.text(path)
    tower = Addressee("torre")
    face.store.tell(
        [thread_row(PAYMENTS, tower, 1, {}, ago(21))], [message(PAYMENTS, tower, 1, {"event": "first"})], ago(21)
    )
    assert "torre En espera desde 10:09:00" in face.text(path)
    sent = claim(face.store, NOW, timedelta(minutes=2), only="receivers.torre")
    assert sent
    confirm(face.store, sent["id"], "", ago(20.5))
    text = face.text(path)
    assert "torre Avisado 10:09:30" in text
    assert "10:09:30 Se avisó a torre" in text


def test_who_acts_is_asked_once(face: Face) -> None:
    session, path = requests.Session(), f"{face.server.address}/incidents/{PAYMENTS}"

    def post(action: str, **fields: str) -> int:
        mark = re.search(r'name="csrf" value="([^"]*)"', session.get(path, timeout=60).text)
        assert mark
        sent = fields | {"csrf": mark[1], "back": f"/incidents/{PAYMENTS}"}
        headers = {"Origin": face.server.address}
        return session.post(face.server.address + action, sent, headers=headers, timeout=60).status_code

    before = session.get(path, timeout=60).text
    assert "Marcar como informado" not in before
    assert before.count("Diga quién es para marcar") == 1
    assert post("/turno/quien", by="Mesa de turno «Ñ»") == 200
    after = session.get(path, timeout=60).text
    assert 'name="by" required' not in after
    assert after.count("Marcar como informado") == 2
    assert 'name="by" value="Mesa de turno «Ñ»"' in after
    assert post("/turno/quien", by="") == 200
    assert post(f"/incidents/{PAYMENTS}/note", by="Otra <b>persona</b>", text="una nota") == 200
    after = session.get(path, timeout=60).text
    assert "A nombre de Otra &lt;b&gt;persona&lt;/b&gt;" in after
    assert [act.who for act in face.store.acts(incident_id=PAYMENTS)] == ["Otra <b>persona</b>"]


def test_why_there_is_no_page_is_told_in_its_readers_language(face: Face) -> None:
    assert "there is no incident “nope”" in face.get("/incidents/nope?lang=en").text
    assert "no hay una afectación «nope»" in face.get("/incidents/nope").text


def test_a_clients_page(face: Face) -> None:
    text = face.text("/clientes/900.123.456-8")
    for words in (
        "Aceros del Istmo",
        "posventa1@banco.example",
        "Conexión Directa Con fallas",
        "Sucursal Digital Sin datos: no se ha juzgado hace poco",
        "SP-77",
    ):
        assert words in text, words


def test_a_clients_page_tells_their_past_group_promises_and_crossings(face: Face) -> None:
    group = [replace(client, group_id="G-7") for client in CLIENTS]
    again = replace(INCIDENTS[1], id="AF-again", scope=Scope("pagos"), ended_at=ago(1100), started_at=ago(1200))
    impact = Impact(again.id, ACEROS, "pagos", Touch.AFFECTED, 3, 2, Decimal(5000), ago(1200))
    changes = Changes(incidents={again.id: again}, impacts={(again.id, ACEROS, "pagos"): impact})
    face.store.commit(Step(clients=group, changes=changes), NOW)
    text = face.text(f"/clientes/{ACEROS}")
    for words in (
        "Con fallas Aceros del Istmo", "Afectado 3 veces en 30 días", "Suplente posventa2@banco.example",
        "Grupo G-7, con 2 clientes más", "Otros del grupo G-7, tocados ahora (2 de 2)", "Molinos Borovanda",
        "Reincidencias en 30 días", "Últimos 90 días (3 afectaciones)", "02/03/2026 14:30", "2 faltantes", "$ 5.000",
        "Pagos: 131 fallas, 12 faltantes, $ 98.450.000", "A tiempo vence 11:18",
    ):  # fmt: skip
        assert words in text, words
    html = face.get(f"/clientes/{ACEROS}").text
    assert html.count("<li class=") >= 2, "days with something"
    assert html.count("<li") >= 90


def test_a_clients_page_is_asked_for_anew_once_a_minute_for_each_is_a_read(face: Face) -> None:
    assert [re.findall('data-every="([0-9]+)"', face.get(path).text) for path in ("/", f"/clientes/{ACEROS}")] == [
        ["10"], ["60"],
    ]  # fmt: skip


def test_the_clients_touched_now_are_a_page(face: Face) -> None:
    text = face.text("/clientes")
    assert "Clientes tocados ahora, por prioridad (3)" in text
    assert text.index("Aceros") < text.index("Molinos") < text.index("Nube") < text.index("no ahora (0)")
    assert "Afectado 2 veces en 30 días" in text
    for path in ("/", f"/incidents/{PAYMENTS}"):
        assert 'href="/clientes' in face.get(path).text
    assert f'href="/clientes/{MOLINOS}"' in face.get(f"/incidents/{PAYMENTS}").text
    alone = replace(INCIDENTS[0], id="AF-alone", scope=Scope("pagos", client_id=NUBE))
    face.store.commit(Step(changes=Changes(incidents={alone.id: alone})), NOW)
    for path in ("/", "/incidents/AF-alone"):
        assert f'href="/clientes/{NUBE}"' in face.get(path).text, path


def test_each_read_of_a_client_is_kept_by_its_door(face: Face) -> None:
    face.get(f"/clientes/{ACEROS}")
    face.get(f"/clients/{MOLINOS}")
    face.get("/api/v1/clients/900.123.456-8")
    for path in ("/", "/clientes", "/clientes/1", "/api/v1/clients/1", "/api/v1/clients"):
        face.get(path)
    kept = [(r["at"], r["who"], r["client_id"], r["door"], r["subject"]) for r in rows(face.store, t.reads.select())]
    assert kept == [
        (NOW, "127.0.0.1", ACEROS, "page", ""), (NOW, "127.0.0.1", MOLINOS, "page", ""),
        (NOW, "127.0.0.1", ACEROS, "api", ""), (NOW, "127.0.0.1", "", "page", "/clientes"),
        (NOW, "127.0.0.1", "", "api", "/api/v1/clients"),
    ]  # fmt: skip


def test_a_page_with_several_clients_is_one_read_a_minute_of_its_incident(face: Face) -> None:
    for _ in range(3):
        face.get(f"/incidents/{PAYMENTS}")
        face.get("/api/v1/incidents/a1b2c3")
    face.get(f"/incidents/{SLOW}")
    face.get("/")
    kept = [(row["client_id"], row["door"], row["subject"]) for row in rows(face.store, t.reads.select())]
    assert kept == [("", "page", PAYMENTS), ("", "api", PAYMENTS), ("", "page", SLOW)]


def test_an_unknown_page_says_so(face: Face) -> None:
    for path in ("/incidents/nope", "/clientes/1", "/clients/1"):
        answer = face.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")


def test_what_the_bank_calls_a_client_is_never_markup(face: Face) -> None:
    evil = "<script>alert(1)</script>"
    face.store.commit(Step(clients=[replace(CLIENTS[0], name=evil), Client(MOLINOS, '"><img src=x>')]), NOW)
    people.note(face.store, PAYMENTS, evil, evil, NOW)
    people.acknowledge(face.store, PAYMENTS, evil, "", NOW)
    for path in (
        "/",
        f"/incidents/{PAYMENTS}",
        f"/clientes/{ACEROS}",
        "/clientes",
        "/incidents/<script>alert(1)<%2fscript>",
    ):
        html = face.get(path).text
        assert "<script>alert" not in html, path
        assert "<img" not in html, path
    assert "&lt;script&gt;" in face.get(f"/incidents/{PAYMENTS}").text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/v1/incidents?stat=open", "stat: no se conoce; ¿quiso decir state?"),
        ("/api/v1/cases?segmento=pyme&limit=3", "segmento: no se conoce; hay: incident_id, limit"),
        ("/api/v1/clients/900123456?full=1", "full: no se conoce; aquí no hay ninguna"),
    ],
)
def test_a_word_that_a_call_does_not_know_is_refused(face: Face, path: str, said: str) -> None:
    answer = face.get(path)
    assert answer.status_code == 422
    assert said in answer.text


def test_a_page_passes_over_a_word_that_it_does_not_know(face: Face) -> None:
    assert face.get("/?utm_source=correo").status_code == 200


def test_incidents_as_json(face: Face) -> None:
    found = face.get("/api/v1/incidents").json()
    assert [row["id"] for row in found] == [PAYMENTS, SLOW]
    first = found[0]
    assert (first["product"], first["channel"], first["severity"], first["state"]) == (
        "pagos", "conexion_directa", "critical", "firing",
    )  # fmt: skip
    assert (first["started_at"], first["affected"], first["exposed"]) == ("2026-03-03T15:05:00Z", 2, 1)
    assert [row["id"] for row in face.get("/api/v1/incidents?state=resolved").json()] == [SLOW]
    assert face.get("/api/v1/incidents?state=nope").status_code == 422


def test_one_incident_as_json_has_everything_that_people_answers(face: Face) -> None:
    found = face.get("/api/v1/incidents/a1b2c3").json()
    asked = people.incident(face.store, PAYMENTS, NOW)
    assert found.keys() == asked.keys()
    for part in ("alerts", "affected_clients", "cases"):
        assert [row.keys() for row in found[part]] == [row.keys() for row in asked[part]], part
    assert found["affected_clients"][0]["amount"] == "98450000.00"


def test_cases_and_clients_as_json(face: Face) -> None:
    assert [case["lead_seconds"] for case in face.get("/api/v1/cases").json()] == [-60, 600, None]
    assert [row["name"] for row in face.get("/api/v1/clients").json()] == [client.name for client in CLIENTS]
    found = face.get("/api/v1/clients/9001234568").json()
    asked = portrait.client(face.store, ACEROS, NOW, Reader("ana", "cli"))
    assert_same_keys(found, json.loads(people.as_json(asked)))
    assert found["holdings"][0]["state"] == "con fallas"
    touched = face.get("/api/v1/clients?touched=true").json()
    assert_same_keys(touched, json.loads(people.as_json(clientele.clients(face.store, NOW, touched=True))))
    assert face.get("/api/v1/clients?crossed=true").json() == touched[:1]


def test_leads_as_json_with_their_formulas(face: Face) -> None:
    found = face.get("/api/v1/leads").json()
    by_name = {row["name"]: row for row in found["figures"]}
    assert (by_name["reached_first"]["many"], by_name["reached_first"]["of"]) == (1, 2)
    assert "afectados que reportaron" in by_name["reached_first"]["formula"]
    assert (found["missed"][0]["client_id"], found["missed"][0]["client"]) == (MOLINOS, "Molinos Borovanda")
    assert found["losses"]["value"] is None
    assert face.get("/api/v1/leads?since=2026-03-04T00:00:00Z").json()["affected"] == 0
    assert face.get("/api/v1/leads?since=someday").status_code == 422


def test_what_is_not_there_is_told_as_json(face: Face) -> None:
    answer = face.get("/api/v1/clients/1")
    assert (answer.status_code, answer.json()) == (404, {"detail": "no se conoce un cliente con NIT «1»"})
    assert "3 afectaciones" in face.get("/api/v1/incidents/AF-").json()["detail"]
    assert face.get("/api/v1/nope").status_code == 404


def test_a_lost_state_is_told_in_words(tmp_path: Path) -> None:
    empty = Store(f"sqlite:///{tmp_path / 'none.db'}")
    made = app(empty, Metrics(), lambda: READY, lambda: BOGOTA)
    server = serve(made, "127.0.0.1:0")
    answer = requests.get(f"{server.address}/api/v1/incidents", timeout=60)
    server.stop()
    empty.close()
    assert answer.status_code == 503
    assert "no state in" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/", f"/incidents/{PAYMENTS}", "/api/docs", "/api/v1/incidents", "/incidents/nope"])
def test_every_answer_is_guarded(face: Face, path: str) -> None:
    headers = face.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert "strict-transport-security" not in headers, "over plain HTTP it would say nothing"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        f"/incidents/{PAYMENTS}",
        f"/clientes/{ACEROS}",
        "/clientes",
        "/casos",
        "/reglas",
        "/api/docs",
        "/guias",
        "/guias/pagos/fallas",
        "/turno",
    ],
)
def test_a_page_loads_nothing_from_elsewhere_and_all_that_it_names(face: Face, path: str) -> None:
    html = face.get(path).text
    assert "//" not in " ".join(re.findall(r'(?:src|href)="([^"]*)"', html))
    assert not re.search(r"<[^>]* (style|on\w+)=", html), "the policy forbids what is inline"
    assert "<script>" not in html
    for found in re.findall(r'(?:src|href)="(/static/[^"]*)"', html):
        assert face.get(found).status_code == 200, found


def test_a_page_can_be_read_aloud(face: Face) -> None:
    html = face.get(f"/incidents/{PAYMENTS}").text
    assert '<html lang="es"' in html
    for landmark in ("<header", "<main", "<footer", "<h1"):
        assert html.count(landmark) == 1, landmark
    assert html.count("<th ") == html.count('<th scope="')


def test_the_reference_names_every_call_and_shape(face: Face) -> None:
    html = face.get("/api/docs").text
    schema = face.get("/api/openapi.json").json()
    for path in schema["paths"]:
        assert path in html
    calls = (
        "incidents",
        "incidents/{incident_id}",
        "cases",
        "clients",
        "clients/{nit}",
        "causes",
        "sla",
        "leads",
        "indicators",
    )
    calls += ("acts", "incidents/{incident_id}/{act}", "cases/{name}/{act}", "silences", "silences/{silence_id}")
    calls += ("maintenance", "maintenance/{maintenance_id}", "handover", "incidents/{incident_id}/clients.csv")
    assert set(schema["paths"]) == {f"/api/v1/{call}" for call in calls}
    assert "lead_seconds" in html


def trace(incident_id: str, seen: list[float | None]) -> dict[str, Any]:
    """Curves that begin an hour before."""
    flat = {name: [level] * len(seen) for name, level in (("expected", 1.0), ("lower", 0.0), ("upper", 3.0))}
    curves = {"kind": "failed", "step": 1, "seen": seen, **flat}
    return {"incident_id": incident_id, "start": int(ago(85).timestamp() // 60), "curves": curves}


def test_a_spark_is_drawn_and_told_in_words(face: Face) -> None:
    face.store.commit(Step(traces=[trace(PAYMENTS, [1.0] * 60 + [None, 8.0, 9.0])]), NOW)
    html = face.get("/").text
    assert "Fallas por minuto: 9 ahora, se esperaba 1, lo normal va de 0 a 3; lo más alto fue 9" in html
    assert html.count('class="seen"') == 1
    chart = face.get(f"/incidents/{PAYMENTS}").text
    assert 'data-points="[[' in chart
    assert "Primer minuto malo" in chart


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 1), ("product=pagos", 1), ("product=swift", 0), ("channel=conexion_directa", 1), ("severity=minor", 0),
        ("segment=corporativo", 1), ("segment=pyme", 0), ("by=-", 1), ("by=Mesa", 0),
    ],
)  # fmt: skip
def test_the_board_is_filtered_by_its_query(face: Face, query: str, found: int) -> None:
    html = face.get(f"/?{query}").text
    assert html.count('class="card') == found
    assert ("Quitar el filtro" in html) is bool(query)


def test_of_many_incidents_the_worst_are_drawn_and_the_others_are_a_link_away(face: Face) -> None:
    many = [replace(INCIDENTS[0], id=f"AF-{n}", scope=Scope("pagos", f"canal_{n}")) for n in range(30)]
    face.store.commit(Step(changes=Changes(incidents={one.id: one for one in many})), NOW)
    html = face.get("/").text
    assert html.count('class="card') == 6
    assert "31 afectaciones abiertas" in html
    assert "Ver las otras 25" in html
    assert face.get("/?all=1").text.count('class="card') == 31


def test_places_are_never_well_unless_a_rule_says_so(face: Face) -> None:
    said = [("pagos", "web", 1, 0, 0), ("swift", "web", 0, 1, 0), ("recaudos", "web", 0, 0, 1)]
    rows_ = [dict(zip(("product", "channel", "healthy", "unknown", "breach"), row, strict=True)) for row in said]
    face.store.commit(Step(verdicts=rows_, judged_until=int(NOW.timestamp() // 60)), NOW)
    assert [word for word in ("sano", "con fallas", "sin veredicto") if word in face.text("/")]
    table = face.get("/").text.partition('class="matrix"')[2].partition("</table>")[0]
    shown = re.findall(r'scope="row">(\w+)</th>.*?class="cell (\w+)"', table, re.DOTALL)
    assert shown == [("Pagos", "well"), ("Recaudos", "critical"), ("Swift", "unknown")]
    face.store.commit(Step(judged_until=int(ago(60).timestamp() // 60)), NOW)
    assert "cell well" not in face.get("/").text.partition('class="matrix"')[2].partition("</table>")[0]


def test_the_cases_with_their_clocks(face: Face) -> None:
    text = face.text("/casos")
    for words in ("Casos abiertos y su promesa", "A tiempo", "Aceros del Istmo", "SP-77", "sharepoint"):
        assert words in text, words
    assert "SP-77" not in face.text("/casos?q=Molinos")
    assert "Ninguno con ese filtro." in face.text("/casos?clock=breached&q=nadie")


def test_what_the_rules_say(face: Face) -> None:
    said = Status("fallas_inusuales", Scope("pagos", "web"), Verdict.BREACH, 0.4, 0.01, 0.99)
    learning = replace(said, scope=Scope("swift"), verdict=Verdict.UNKNOWN)
    face.metrics.statuses([said, learning])
    text = face.text("/reglas")
    for words in ("fallas_inusuales", "1 en alerta", "1 sin veredicto", "Pagos · Web 40 %, se esperaba 1 %", "99 %"):
        assert words in text, words


def test_a_page_that_is_as_before_is_not_sent_again(face: Face) -> None:
    url = face.server.address + "/reglas"
    tag = requests.get(url, timeout=60).headers["etag"]
    assert requests.get(url, timeout=60, headers={"If-None-Match": tag}).status_code == 304


def test_english_and_light_are_asked_for_once(face: Face) -> None:
    session = requests.Session()
    asked = session.get(f"{face.server.address}/?lang=en&theme=dark&severity=critical", timeout=60).text
    assert '<html lang="en" data-theme="dark">' in asked
    assert "1 open incident" in asked
    assert 'href="/?severity=critical&amp;lang=es"' in asked or 'href="/?severity=critical&lang=es"' in asked
    later = session.get(face.server.address, timeout=60, headers={"Accept-Language": "es"}).text
    assert "Products and channels" in later
    assert "Payments · Direct Connection" in later
    assert '<html lang="es" data-theme="auto">' in face.get("/?lang=xx&theme=nope").text


def test_no_log_names_a_client(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        face.get(f"/clients/{ACEROS}")
        face.get(f"/api/v1/clients/{ACEROS}")
        face.get("/api/v1/clients/900999999")
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("urllib3")]
    assert not [message for message in ours if ACEROS in message or "900999999" in message]


def test_a_taken_port_is_told(face: Face) -> None:
    port = face.server.address.rpartition(":")[2]
    with pytest.raises(OSError, match="in use"):
        serve(app(face.store, Metrics(), lambda: READY, lambda: BOGOTA), f"127.0.0.1:{port}")


def test_stop_frees_the_port(store: Store) -> None:
    made = Face(store)
    made.get("/-/healthy")
    made.server.stop()
    port = int(made.server.address.rpartition(":")[2])
    socket.create_server(("127.0.0.1", port)).close()
