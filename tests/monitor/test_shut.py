"""What somebody closed while it still fails is not shown as over: by no page, no list, no hand-over, no guide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from alerts import Changes, IncidentState
from monitor import people
from monitor.failing import failing
from monitor.pipeline import Status
from monitor.standing import shut
from monitor.store import Step, Store
from rules import Scope, Verdict
from tests.monitor.conftest import INCIDENTS, NOW, PAYMENTS, ago, healed
from tests.monitor.test_web import Face

WELL = [Status("fallas", Scope(name), Verdict.HEALTHY, 0.0, 0.0, 0.0) for name in ("swift", "recaudos")]
ELSEWHERE = {"product": "recaudos", "channel": "sucursal_digital", "client_id": ""}


@pytest.fixture
def face(store: Store) -> Iterator[Face]:
    made = Face(store)
    made.metrics.statuses(WELL)
    people.resolve(store, PAYMENTS, "Mesa", "", ago(1))
    yield made
    made.server.stop()


def taken_in(store: Store) -> None:
    """The judging thread knows, and it was days ago."""
    closed = replace(
        INCIDENTS[0],
        state=IncidentState.RESOLVED,
        ended_at=ago(5),
        resolved_at=NOW - timedelta(days=3),
        resolved_by="Mesa",
    )
    store.commit(Step(changes=Changes(incidents={PAYMENTS: closed}), marks={"last_act": str(store.acts()[-1].id)}), NOW)


@pytest.mark.parametrize("known", [False, True])
def test_the_board_does_not_say_that_all_is_well(face: Face, *, known: bool) -> None:
    if known:
        taken_in(face.store)
    text = face.text("/")
    assert "Todo en orden" not in text
    assert (
        "1 cerrada a mano sigue en alerta Mesa la cerró a mano y sus reglas siguen en alerta: Pagos · Conexión Directa"
        in text
    )
    assert 'class="headline critical"' in face.get("/").text
    healed(face.store)
    assert "Todo en orden" in face.text("/")


def test_its_own_page_is_not_green(face: Face) -> None:
    page = face.get(f"/incidents/{PAYMENTS}").text
    assert 'class="said critical" id="head"' in page
    assert "Sus reglas siguen en alerta: no diga que el servicio ya funciona." in page
    assert "Cerrada (por Mesa; sigue en alerta)" in page
    healed(face.store)
    page = face.get(f"/incidents/{PAYMENTS}").text
    assert 'class="said well" id="head"' in page
    assert "Resuelta (por Mesa)" in page


def test_the_hand_over_and_programs_are_told(face: Face) -> None:
    ended = face.get("/api/v1/handover").json()["ended"]
    assert {row["id"]: row["still_failing"] for row in ended}[PAYMENTS] is True
    assert sum(row["still_failing"] for row in ended) == 1, "what healed has ended"
    assert face.text("/turno").count("SUS REGLAS SIGUEN EN ALERTA") == 1
    assert face.text("/turno").count("la cerró Mesa · sus reglas siguen en alerta") == 1


def test_no_guide_sends_anybody_there(face: Face) -> None:
    assert failing(face.store, ELSEWHERE) == ["pagos"]
    healed(face.store)
    assert failing(face.store, ELSEWHERE) == []


def test_opened_again_it_is_open(face: Face) -> None:
    taken_in(face.store)
    assert [one.id for one in shut(face.store)] == [PAYMENTS]
    face.store.act(replace(face.store.acts()[-1], action="reopen", at=NOW))
    assert shut(face.store) == []
