"""The hand-over of a shift: what is open and owed, what ended, what was written, and its signing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.promises import Promise, Promises
from alerts.routing import Addressee
from monitor import casework, people, silencing, works
from monitor.business import ServiceHours
from monitor.calendar import Calendar
from monitor.claims import claim, put_off
from monitor.handover import as_text, handover, sign, signed
from monitor.recipients import message
from monitor.standing import Row
from monitor.store import Step, Store
from monitor.trail import verify
from tests.monitor.conftest import ACEROS, NOW, PAYMENTS, SLOW, THEIRS, ago, heal

BOGOTA = "America/Bogota"
ZONE = ZoneInfo(BOGOTA)
HOURS = ServiceHours(Calendar(BOGOTA), business_days=False)
SHORT = Promises((Promise(timedelta(minutes=10), HOURS, {"product": frozenset({"pagos"})}),))


def shift(store: Store, *, hours: float = 8) -> Row:
    return handover(store, SHORT, (), BOGOTA, NOW, NOW - timedelta(hours=hours))


def test_what_is_open_with_what_is_owed(store: Store) -> None:
    (row,) = shift(store)["open"]
    assert (row["id"], row["owed"], row["uninformed"]) == (PAYMENTS, ["unacknowledged", "unassigned", "uninformed"], 2)
    people.acknowledge(store, PAYMENTS, "Ana", "", ago(3))
    casework.do(store, "informed", [f"VG-{PAYMENTS}-{ACEROS}"], "N1", "", ago(2))
    people.act(store, "assign", PAYMENTS, "Ana", ago(1), about="N2 de pagos")
    (row,) = shift(store)["open"]
    assert (row["owed"], row["uninformed"]) == (["uninformed"], 1)


def test_the_guide_that_is_meant_is_named_and_not_its_rules_word(store: Store) -> None:
    """As everywhere else: by place and way, whatever the rule says."""
    found = shift(store)
    assert [row["guide"] for row in (*found["open"], *found["ended"])] == ["pagos/fallas", "recaudos/lentitud"]


def test_what_ended_and_was_noted_in_the_shift_alone(store: Store) -> None:
    people.note(store, SLOW, "Ana", "el proveedor confirma", ago(200))
    people.note(store, PAYMENTS, "Luis", "llamé al banco corresponsal", ago(20))
    whole, short = shift(store), shift(store, hours=3)
    assert [row["id"] for row in whole["ended"]] == [SLOW]
    assert short["ended"] == []
    assert [(note["text"], note["where"]) for note in whole["notes"]] == [
        ("el proveedor confirma", "Recaudos"), ("llamé al banco corresponsal", "Pagos · Conexión Directa"),
    ]  # fmt: skip
    assert [note["who"] for note in short["notes"]] == ["Luis"]


def test_what_an_earlier_shift_closed_by_hand_and_is_in_alert_is_handed_over(store: Store) -> None:
    people.resolve(store, PAYMENTS, "Ana", "", ago(15))
    told = shift(store, hours=0.1)
    assert [row["id"] for row in told["ended"]] == [PAYMENTS]
    assert "desde 03/03/2026 10:05, 2 clientes afectados; la cerró Ana y sus reglas siguen en alerta" in as_text(
        told, ZONE
    )
    heal(store)
    assert shift(store, hours=0.1)["ended"] == []


def test_what_is_late_kept_quiet_dark_or_undelivered(store: Store) -> None:
    silencing.add(store, {"product": "swift"}, "Ana", "prueba", ago(10), NOW + timedelta(minutes=40))
    works.add(
        store,
        "Ana",
        "motor",
        ago(9),
        BOGOTA,
        product="recaudos",
        start=NOW + timedelta(hours=2),
        until=NOW + timedelta(hours=3),
    )
    works.add(
        store,
        "Ana",
        "lejos",
        ago(8),
        BOGOTA,
        product="swift",
        start=NOW + timedelta(hours=20),
        until=NOW + timedelta(hours=21),
    )
    minute = int(ago(5).timestamp() // 60)
    cursors = {"core": ({}, ago(30)), "crm": ({}, NOW)}
    gaps = [("core", minute - 20, minute - 10), ("core", minute - 10, minute), ("crm", 1, 2), ("vieja", 1, minute)]
    store.commit(Step(cursors=cursors, gaps=gaps, judged_until=minute, cases=[replace(THEIRS[0], case_id="SP-9")]), NOW)
    row = shift(store)
    assert {case["case_id"] for case in row["late"]} >= {"SP-75", "SP-9"}
    assert [(s["matchers"], s["ends_soon"]) for s in row["silences"]] == [({"product": "swift"}, True)]
    assert [(m["product"], m["state"]) for m in row["maintenance"]] == [("recaudos", "to_come")]
    assert [(s["source"], s["since"]) for s in row["sources"]] == [("core", ago(25))], "since the gaps that join"
    assert [(m["desk"], m["state"], m["messages"]) for m in row["undelivered"]] == [("local", "due", 1)]


@pytest.mark.parametrize(
    ("seconds", "error", "waiting"), [(30, "", 0), (30, "no connection", 1), (90, "", 2), (90, "no connection", 2)]
)
def test_what_waits_for_a_receiver_is_owed_after_a_minute_or_a_failure(
    store: Store, seconds: int, error: str, waiting: int
) -> None:
    at = NOW - timedelta(seconds=seconds)
    tower = Addressee("torre")
    store.tell([], [message(PAYMENTS, tower, n, {"event": "first"}) for n in (1, 2)], at)
    if error:
        taken = claim(store, at, timedelta(minutes=2), only="receivers.torre")
        assert taken
        put_off(store, taken["id"], error, NOW + timedelta(minutes=5), dead=False)
    found = {row["desk"]: row for row in shift(store)["undelivered"]}.get(
        "receivers.torre", {"messages": 0, "error": ""}
    )
    assert (found["messages"], found["error"]) == (waiting, error)


def test_as_a_text_for_a_mail_with_nothing_and_with_much(store: Store) -> None:
    people.note(store, PAYMENTS, "Luis", "llamé al banco", ago(20))
    silencing.add(store, {"product": "pagos"}, "Ana", "prueba", ago(10), NOW + timedelta(minutes=40))
    text = as_text(shift(store), ZONE)
    for words in (
        "ENTREGA DE TURNO · 03/03/2026 02:30 a 03/03/2026 10:30",
        f"- {PAYMENTS} · Pagos · Conexión Directa · Fallas, volumen caído o sin transacciones: Crítica, prioridad 83, ",
        "desde 03/03/2026 10:05, 2 clientes afectados; silenciada hasta 03/03/2026 11:10; ",
        "; nadie la atiende; sin asignar; 2 clientes sin informar",
        "Casos en riesgo o vencidos (3)", "product=pagos hasta 03/03/2026 11:10 (pronto): prueba (Ana)", "Mantenimientos: no hay",
        f"Luis · Pagos · Conexión Directa ({PAYMENTS}): llamé al banco", "Terminaron en el turno (1)",
    ):  # fmt: skip
        assert words in text, text


def test_signed_it_stays_as_it_stood_with_the_seal_of_the_trail(store: Store) -> None:
    people.acknowledge(store, PAYMENTS, "Ana", "", ago(20))
    head = verify(store).head
    row = shift(store)
    made = sign(store, row, ZONE, " Ana ", NOW, to="Luis", text="ojo con pagos")
    again = sign(store, row, ZONE, "Ana", NOW + timedelta(seconds=5), to="Luis", text="ojo con pagos")
    assert made == again
    assert (made["author"], made["to"], made["text"], made["since"]) == ("Ana", "Luis", "ojo con pagos", row["since"])
    assert made["told"].endswith(f"Sello de la bitácora: {head}\n")
    people.resolve(store, PAYMENTS, "Luis", "", NOW + timedelta(minutes=1))
    assert signed(store) == [made]
    assert shift(store)["signed"] == {name: made[name] for name in ("id", "at", "author", "to")}
    assert (store.acts()[1].action, store.acts()[1].about, store.acts()[1].text) == (
        "handover",
        made["id"],
        "para Luis: ojo con pagos",
    )
    assert verify(store, head).broken == ""


def test_refused_in_words(store: Store) -> None:
    with pytest.raises(people.Refused, match="quién entrega"):
        sign(store, shift(store), ZONE, " ", NOW)
    with pytest.raises(people.Refused, match="antes de ahora"):
        shift(store, hours=0)
