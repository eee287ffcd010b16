"""Nobody sees clients who are not theirs: by no page, no call, no name in a text, and no difference between none and another's."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import Action, Changes, Client, Decision, IncidentState
from alerts.promises import Promise, Promises
from alerts.reasons import APPROVAL
from monitor import called, casework, people, seeing
from monitor import tables as t
from monitor.access import Role, User
from monitor.business import ServiceHours
from monitor.calendar import Calendar
from monitor.lateness import Behind
from monitor.reads import reads
from monitor.seeing import COVERED, EVERYONE, SIGHT, Hidden, Sight, Veil, names_somebody, sight_of
from monitor.standing import rows
from monitor.store import Step, Store
from monitor.web.viewer import endpoints
from rules import Scope, Severity
from tests.monitor.conftest import ACEROS, CLIENTS, DECISIONS, INCIDENTS, MOLINOS, NOW, NUBE, PAYMENTS, SLOW, ago
from tests.monitor.served import Browser, Guarded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

ALONE = "AF-20260303T1520-aaaaaa"
"""An incident of Molinos alone."""
OURS, ANOTHERS = Sight(frozenset({ACEROS})), Sight(frozenset({NUBE}))
MOLINOS_MARKS = (MOLINOS, "860.555.111", f"{MOLINOS}-", "Molinos", "Borovanda", "SP-75")
"""What would tell of Molinos: their number in its forms, their name, their case."""


@pytest.fixture
def face(store: Store) -> Iterator[Guarded]:
    """As the bank's day, with another's names in every free text, and an incident about another alone."""
    alone = replace(INCIDENTS[0], id=ALONE, scope=Scope("pagos", client_id=MOLINOS))
    shared = replace(INCIDENTS[0], shares=(("client_id", MOLINOS, 0.9),))
    store.commit(Step(changes=Changes(incidents={ALONE: alone, PAYMENTS: shared})), NOW)
    for text in (f"Llamé a molinos  borovanda, NIT 860.555.111-{9}", f"Enlazado a VG-{PAYMENTS}-{MOLINOS}", "Revisado"):
        people.note(store, PAYMENTS, "Mesa", text, ago(3))
    casework.do(store, "informed", [f"VG-{PAYMENTS}-{MOLINOS}"], "Mesa", "", ago(2))
    hours = ServiceHours(Calendar("America/Bogota"), business_days=False)
    promised = Promise(timedelta(minutes=10), hours, {"product": frozenset({"pagos"})})
    made = Guarded(store, promises=Promises((promised,)))
    yield made
    made.server.stop()


def paths(application: FastAPI, **known: str) -> list[str]:
    """Every path that can be asked for, filled in with what is known of its parts."""
    found = []
    for route in endpoints(application.router.routes):
        if "GET" in route.methods:
            missing = set(re.findall(r"{(\w+)", route.path)) - known.keys()
            assert not missing, f"{route.path}: say in this test what {missing} may be"
            found.append(re.sub(r"{(\w+)[^}]*}", lambda part: known[part[1]], route.path))
    return found


KNOWN = {
    "guide_id": "general/fallas",
    "nit": ACEROS,
    "incident_id": PAYMENTS,
    "key": f"VG-{PAYMENTS}-{ACEROS}",
    "case_key": f"VG-{PAYMENTS}-{ACEROS}",
}


def test_no_answer_of_any_path_tells_of_another_client(face: Guarded) -> None:
    asked = paths(face.application, **KNOWN)
    more = ["/api/v1/clients?touched=true", "/api/v1/clients?crossed=true", "/api/v1/incidents?state=all",
            f"/api/v1/cases?incident_id={PAYMENTS}", "/api/v1/causes?since=2026-01-01T00:00:00Z", "/metrics"]  # fmt: skip
    told = ""
    for path in [*asked, *more]:
        answer = face.get(path, "ana")
        assert answer.status_code in (200, 303, 403), (path, answer.text)
        for mark in MOLINOS_MARKS:
            assert mark not in answer.text, (path, mark)
        everything = face.get(path, "beto")
        told += everything.text
        assert everything.status_code in (200, 303, 403), path
    for mark in MOLINOS_MARKS[:2] + MOLINOS_MARKS[3:]:
        assert mark in told, f"{mark}: the walk could not have found it"


def test_a_hand_over_tells_and_keeps_what_its_reader_may_see(face: Guarded) -> None:
    """As a text as well: no line is left of a case that is not theirs, and nobody signs what they have not seen."""
    mine, everyones = (
        re.search(r"<textarea readonly.*?>(.*?)</textarea>", face.get("/turno", who).text, re.DOTALL)
        for who in ("ana", "beto")
    )
    assert mine is not None
    assert everyones is not None
    assert "SP-75" in everyones[1]
    assert "SP-75" not in mine[1]
    assert COVERED not in mine[1].split("Casos en riesgo")[1].split("Notas")[0]
    assert "de clientes que quien la pide no ve" in mine[1]
    signed = face.ask("POST", "/api/v1/handover", user="diana", json={"hours": 8}).json()
    assert signed["told"].startswith("ENTREGA DE TURNO")
    (kept,) = rows(face.store, t.handovers.select())
    for mark in (*MOLINOS_MARKS, ACEROS, "Aceros", ALONE):
        assert mark not in kept["told"], mark
    whole = face.ask("POST", "/api/v1/handover", user="beto", json={"hours": 8}).json()
    assert ALONE in whole["told"]


def test_ones_own_is_told_whole_and_counts_stay_true(face: Guarded) -> None:
    found = face.get(f"/api/v1/incidents/{PAYMENTS}", "ana").json()
    assert (found["affected"], found["exposed"], found["cases_linked"]) == (2, 1, 1)
    assert [row["client"] for row in found["affected_clients"]] == ["Aceros del Istmo"]
    assert found["exposed_clients"] == []
    assert [row["client_id"] for row in found["cases"]] == [ACEROS]
    assert [act["text"] for act in found["acts"]] == [
        f"Llamé a {COVERED}, NIT {COVERED}", f"Enlazado a VG-AF-20260303T1505-a1b2c{COVERED}", "Revisado",
    ]  # fmt: skip
    assert found["shares"] == [["client_id", COVERED, 0.9]]
    assert face.get(f"/api/v1/clients/{ACEROS}", "ana").json()["name"] == "Aceros del Istmo"
    assert [row["id"] for row in face.get("/api/v1/incidents", "ana").json()] == [PAYMENTS, SLOW]
    page = face.get(f"/incidents/{PAYMENTS}", "ana").text
    assert "Clientes afectados, por prioridad (2; 1 suyo)" in page
    exposed = face.get(f"/incidents/{PAYMENTS}?touch=exposed", "ana").text
    assert "Clientes expuestos, por prioridad (1; ninguno suyo)" in exposed
    assert "Clientes tocados ahora, por prioridad (3; 1 suyo)" in face.get("/clientes", "ana").text
    assert "suyo" not in face.get(f"/incidents/{PAYMENTS}", "beto").text


def test_the_first_page_is_there_while_the_worst_is_anothers_alone(face: Guarded) -> None:
    worst = replace(INCIDENTS[0], id=ALONE, scope=Scope("pagos", client_id=MOLINOS), severity=Severity.CRITICAL)
    for firing in ((), (PAYMENTS, SLOW)):
        over = [replace(i, state=IncidentState.RESOLVED, resolved_at=NOW) for i in INCIDENTS if i.id in firing]
        face.store.commit(Step(changes=Changes(incidents={i.id: i for i in (worst, *over)})), NOW)
        page = face.get("/", "ana")
        assert (page.status_code, ALONE in page.text, "Molinos" in page.text) == (200, False, False)
        assert ("La más grave" in page.text) is not bool(firing)
        assert "La más grave" in face.get("/", "beto").text


def test_a_list_is_cut_after_what_is_not_theirs_is_out(face: Guarded) -> None:
    assert [row["client_id"] for row in face.get("/api/v1/cases?limit=1", "ana").json()] == [ACEROS]
    assert len(face.get("/api/v1/cases?limit=2", "ana").json()) == 2
    assert [row["id"] for row in face.get("/api/v1/incidents?state=open&limit=1", "ana").json()] == [PAYMENTS]


def test_anothers_is_answered_as_nobodys(face: Guarded) -> None:
    for path in ("/clientes/{}", "/clients/{}", "/api/v1/clients/{}"):
        answers = [face.get(path.format(nit), "ana") for nit in (MOLINOS, "860.555.111", "900999999")]
        assert [answer.status_code for answer in answers] == [404] * 3
        assert len({answer.text for answer in answers}) == 1
    for path in ("/incidents/{}", "/api/v1/incidents/{}"):
        answers = [face.get(path.format(name), "ana") for name in (ALONE, ALONE[-6:], "AF-nope")]
        assert [answer.status_code for answer in answers] == [404] * 3
        assert len({answer.text for answer in answers}) == 1
    assert face.get(f"/clientes/{MOLINOS}", "beto").status_code == 200
    assert [row["client_id"] for row in face.get("/api/v1/clients", "diana").json()] == [NUBE]


def test_reads_are_kept_with_who_and_the_refused_too(face: Guarded) -> None:
    person = Browser(face)
    person.enter("token-de-ana-0123456789")
    for path in (
        f"/clientes/{ACEROS}",
        f"/clientes/{MOLINOS}",
        "/clientes/900999999",
        f"/incidents/{PAYMENTS}",
        f"/incidents/{ALONE}",
    ):
        person.get(path)
    face.get(f"/api/v1/incidents/{PAYMENTS}", "beto")
    kept = [(r["who"], r["client_id"], r["door"], r["subject"], r["refused"]) for r in reads(face.store)]
    assert kept == [
        ("beto", "", "api", PAYMENTS, False), ("ana", "", "page", PAYMENTS, False),
        ("ana", MOLINOS, "page", "", True), ("ana", ACEROS, "page", "", False),
    ]  # fmt: skip
    of_aceros = [(r["who"], r["subject"]) for r in reads(face.store, client_id=ACEROS)]
    assert of_aceros == [("beto", PAYMENTS), ("ana", PAYMENTS), ("ana", "")], (
        "also those of the incidents that touched them"
    )
    assert [r["who"] for r in reads(face.store, who="beto")] == ["beto"]
    assert reads(face.store, since=NOW + timedelta(seconds=1)) == []
    assert len(reads(face.store, until=NOW + timedelta(seconds=1))) == 4


def test_whom_one_may_see_follows_the_bank(face: Guarded) -> None:
    assert face.get(f"/clientes/{MOLINOS}", "ana").status_code == 404
    face.store.commit(Step(clients=[replace(CLIENTS[1], manager="Posventa1@banco.example")]), NOW)
    face.wait(timedelta(seconds=10))
    assert face.get(f"/clientes/{MOLINOS}", "ana").status_code == 200


def test_an_address_is_not_a_pattern(store: Store) -> None:
    def own(email: str) -> list[str]:
        sight = sight_of(store, User("x", Role.LOOK, "own", email))
        return sorted(sight.clients or ())

    store.commit(
        Step(clients=[Client("1", "Uno", post_sale="a_b@c.example"), Client("2", "Dos", substitute="axb@c.example")]),
        NOW,
    )
    assert own("A_B@c.example") == ["1"]
    assert own("axb@c.example") == ["2"]
    assert own("%@c.example") == own("b@c.example") == own("banco.example") == []
    assert sight_of(store, User("x", Role.LOOK, ("pyme", "empresarial"))).clients == {MOLINOS, NUBE}
    assert sight_of(store, User("x", Role.LOOK, "all")) == EVERYONE


def test_nobody_acts_on_anothers_case(store: Store) -> None:
    held = SIGHT.set(OURS)
    try:
        for name in (f"VG-{PAYMENTS}-{MOLINOS}", MOLINOS, MOLINOS[-4:]):
            with pytest.raises(people.Unknown, match="no hay un caso"):
                casework.do(store, "informed", [name], "Ana", "", NOW)
        with pytest.raises(people.Unknown, match="ninguna herramienta"):
            casework.attribute(store, f"VG-{PAYMENTS}-{ACEROS}", "SP-75", "Ana", NOW)
        assert casework.do(store, "informed", [f"VG-{SLOW}-{ACEROS}"], "Ana", "", NOW) == [DECISIONS[2].key]
    finally:
        SIGHT.reset(held)


WAITING = f"VG-{PAYMENTS}-{NUBE}"


def waits(store: Store) -> None:
    """A case of Nube waits for approval beside those of others."""
    case = Decision(WAITING, PAYMENTS, NUBE, "pagos", Action.NONE, APPROVAL, ago(5), 22, "local")
    store.commit(Step(changes=Changes(decisions={WAITING: case})), NOW)


def test_all_cases_of_an_incident_are_ones_own_alone(face: Guarded) -> None:
    """Case by case: neither others' nor those to come."""
    waits(face.store)
    for act in ("approve", "withdraw", "reinstate"):
        answer = face.ask("POST", f"/api/v1/cases/{PAYMENTS}/{act}", user="diana", json={})
        assert (answer.status_code, answer.json()) == (200, {"told": [f"{PAYMENTS}: 1 caso"]}), act
        again = face.ask("POST", f"/api/v1/cases/{PAYMENTS}/{act}", user="diana", json={})
        assert (again.status_code, again.json()) == (200, answer.json()), "twice is one"
    found = [(act.case_key, act.action) for act in face.store.acts() if act.who == "diana"]
    assert found == [(WAITING, "approve"), (WAITING, "withdraw"), (WAITING, "reinstate")]
    face.wait(timedelta(minutes=1))
    no = face.ask("POST", f"/api/v1/cases/{PAYMENTS}/reinstate", user="diana", json={})
    assert (no.status_code, no.json()["detail"].endswith("no se ha retirado")) == (409, True)


def test_who_has_no_case_there_is_answered_that_there_is_none(face: Guarded) -> None:
    before = face.store.acts()
    for act in ("approve", "withdraw", "reinstate"):
        assert face.ask("POST", f"/api/v1/cases/{PAYMENTS}/{act}", user="diana", json={}).status_code == 404
    assert face.store.acts() == before


def test_what_decides_for_all_is_for_who_sees_all(face: Guarded) -> None:
    """But whoever sees some clients takes it on, notes and assigns; and of their client's own incident decides all."""
    for act in ("resolve", "reopen"):
        answer = face.ask("POST", f"/api/v1/incidents/{PAYMENTS}/{act}", user="diana", json={})
        assert (answer.status_code, "quien los ve a todos" in answer.json()["detail"]) == (403, True)
    for act in ("ack", "note", "assign"):
        deed = {"text": "x", "to": "N2"}
        assert face.ask("POST", f"/api/v1/incidents/{PAYMENTS}/{act}", user="diana", json=deed).status_code == 200
    alone = replace(INCIDENTS[0], id="AF-nube", scope=Scope("pagos", client_id=NUBE))
    face.store.commit(Step(changes=Changes(incidents={alone.id: alone})), NOW)
    for act in ("resolve", "reopen"):
        assert face.ask("POST", f"/api/v1/incidents/{alone.id}/{act}", user="diana", json={}).status_code == 200, act
    assert face.ask("POST", f"/api/v1/incidents/{PAYMENTS}/resolve", user="beto", json={}).status_code == 200


# ---- the veil itself -----------------------------------------------------------------------------------------------


def test_what_is_left(store: Store) -> None:
    veil = Veil(store, lambda: NOW)
    mine, theirs = {"client_id": ACEROS, "n": 1}, {"client_id": MOLINOS, "n": 2}

    @dataclass
    class Fact:
        client_id: str

    assert veil.over([mine, theirs], EVERYONE) == [mine, theirs]
    part = veil.over([mine, theirs, {"n": 3}], OURS)
    assert (part, part.whole) == ([mine, {"n": 3}], 3)
    for gone in (theirs, (1, theirs), Fact(MOLINOS), {"case_key": f"VG-{PAYMENTS}-{MOLINOS}"}):
        assert veil.over([gone], OURS) == []
        with pytest.raises(Hidden):
            veil.over(gone, OURS)
    assert veil.over([{"a": {"b": theirs}}, {"a": mine}], OURS) == [{"a": mine}]
    assert veil.over({"a": {"b": theirs}, "c": (1, theirs), "d": 4}, OURS) == {"a": {"b": None}, "c": None, "d": 4}
    assert veil.over({"rows": iter([theirs, mine])}, OURS) == {"rows": [mine]}
    assert veil.over({MOLINOS: 1, ACEROS: 2}, OURS) == {ACEROS: 2}
    kept = {"at": NOW, "amount": Decimal(3), "none": None, "fact": Fact(ACEROS), "state": "firing"}
    assert veil.over(kept, OURS) == kept
    assert veil.over({"q": "Molinos Borovanda"}, OURS, frozenset({"Molinos Borovanda"})) == {"q": "Molinos Borovanda"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Molinos Borovanda pregunta", f"{COVERED} pregunta"), ("MOLINOS  BOROVANDA.", f"{COVERED}."),
        ("los molinos de Aceros del Istmo", "los molinos de Aceros del Istmo"), ("NIT 860555111", f"NIT {COVERED}"),
        ("860.555.111-9 y 900.123.456-8", f"{COVERED} y 900.123.456-8"), ("8605551111", COVERED), ("8605551112", "8605551112"),
        ("860 555 111 llamó", f"{COVERED} llamó"), ("NIT 860 555 111-1", f"NIT {COVERED}"), ("860 555 1111", COVERED),
        ("tel 12 860 555 111", f"tel {COVERED}"), ("900 123 456 y 860.555 111", f"900 123 456 y {COVERED}"),
        ("12 300 450 pesos, 860 555 y 111", "12 300 450 pesos, 860 555 y 111"), ("2860 555 111", "2860 555 111"),
        ("2026-03-03 10:05, 12.500 fallas", "2026-03-03 10:05, 12.500 fallas"), ("", ""), ("Aceros", "Aceros"),
    ],
)  # fmt: skip
def test_words_that_name_another_are_covered(store: Store, text: str, told: str) -> None:
    assert Veil(store, lambda: NOW).over(text, OURS) == told


def test_the_longest_name_counts(store: Store) -> None:
    store.commit(
        Step(clients=[Client("1", "Aceros"), Client("2", "Aceros del Istmo Sur"), Client("AB-7", "Pagos")]), NOW
    )
    veil = Veil(store, lambda: NOW)
    assert veil.over("Aceros del Istmo", OURS) == "Aceros del Istmo"
    assert veil.over("con Aceros del Istmo Sur", OURS) == f"con {COVERED}"
    assert veil.over("pagos", OURS) == "pagos", "a word alone is a product before it is a name"
    assert veil.over("es AB-7", OURS) == f"es {COVERED}"


def test_names_are_read_anew_where_clients_have_changed_and_not_otherwise(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, asked, whole = [NOW], [], called.tuples

    def counted(store: Store, query: Any) -> list[Any]:
        found = whole(store, query)
        asked.append(len(found))
        return found

    monkeypatch.setattr(called, "tuples", counted)
    veil, many = Veil(store, lambda: now[0]), len(store.clients())

    def told(text: str) -> str:
        now[0] += seeing.HELD
        asked.clear()
        return veil.over(text, OURS)  # type: ignore[no-any-return]

    assert told("con Molinos Borovanda") == f"con {COVERED}"
    assert asked == [1, many]
    assert told("con Nadie Todavía") == "con Nadie Todavía"
    assert asked == [1], "nothing has changed"
    store.commit(Step(clients=[Client("7", "Nadie Todavía"), Client("8", "Nadie Todavía del Sur")]), NOW)
    assert told("con Nadie Todavía") == f"con {COVERED}"
    assert asked == [1, many + 2]
    assert told("con nadie todavía del sur y Nadie Todavía") == f"con {COVERED} y {COVERED}"
    store.commit(Step(clients=[Client("7", "Otro Nombre")]), NOW)
    assert told("Nadie Todavía y Otro Nombre") == f"Nadie Todavía y {COVERED}"
    with store.writing() as connection:  # as another process that takes a client out
        connection.execute(t.clients.delete().where(t.clients.c.client_id == "7"))
    assert told("no es Otro Nombre") == "no es Otro Nombre"
    assert told("es Nadie Todavía del Sur") == f"es {COVERED}"
    assert asked == [1]


@given(st.recursive(
    st.none() | st.text() | st.integers() | st.sampled_from([MOLINOS, f"x {MOLINOS}", "Molinos Borovanda", "860.555.111"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["client_id", "name", "text", "key", MOLINOS]), inner)
    | st.tuples(inner, inner),
))  # fmt: skip
def test_whatever_the_shape_nothing_of_another_is_left(answer: Any) -> None:
    veil = Veil(_Known(), lambda: NOW)  # type: ignore[arg-type]
    try:
        left = repr(veil.over(answer, OURS))
    except Hidden:
        return
    assert MOLINOS not in left
    assert "860.555.111" not in left
    assert "Molinos Borovanda" not in left


class _Known:
    """A state that knows one client, for many examples."""

    changed: ClassVar[dict[str, int]] = {}

    def reading(self) -> Any:
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None: ...

    def execute(self, query: Any) -> Any:
        return _Found(query, [(MOLINOS, "Molinos Borovanda")] if t.clients in query.get_final_froms() else [])


class _Found(list[Any]):
    """Rows of a query; of the client, the number and the name as far as they are asked for."""

    def __init__(self, query: Any, rows: list[tuple[str, str]]) -> None:
        self._keys = [column.name for column in query.selected_columns]
        known = [dict(zip(("client_id", "name"), row, strict=True)) for row in rows]
        super().__init__(tuple(row.get(key, "") for key in self._keys) for row in known)

    def keys(self) -> list[str]:
        return self._keys

    def all(self) -> list[Any]:
        return self


def test_a_tuple_keeps_its_names() -> None:
    veil = Veil(_Known(), lambda: NOW)  # type: ignore[arg-type]
    told = veil.over({"behind": Behind(NOW, ("pse", f"x {MOLINOS}"))}, OURS)["behind"]
    assert (told.until, told.sources) == (NOW, ("pse", f"x {COVERED}"))


def test_whether_an_answer_names_somebody() -> None:
    assert names_somebody({"rows": [{"a": 1}, {"client_id": ACEROS}]})
    assert names_somebody([Client(ACEROS)])
    assert not names_somebody({"rows": [{"client_id": ""}], "properties": {"client_id": {"type": "string"}}})


@pytest.mark.parametrize(
    "path",
    [
        f"cases/VG-{PAYMENTS}-{MOLINOS}/informed",
        "cases/VG-nope/informed",
        f"incidents/{ALONE}/ack",
        "incidents/AF-nope/ack",
    ],
)
def test_an_act_on_anothers_is_answered_as_on_nobodys(face: Guarded, path: str) -> None:
    before = len(face.store.acts())
    answer = face.ask("POST", f"/api/v1/{path}", user="diana", json={})
    assert answer.status_code == 404
    assert MOLINOS not in answer.text
    assert len(face.store.acts()) == before


def test_what_is_typed_finds_nobody_who_may_not_be_seen_not_even_their_number(face: Guarded) -> None:
    """Else who sees some clients spells out the others sign by sign."""

    def answer(path: str, typed: str, user: str) -> str:
        page = face.get(path.format(typed), user, Accept="text/html").text
        return re.sub(r'name="csrf" value="[^"]*"', "", page).replace(typed, "?")

    paths = ("/clientes?q={}", "/casos?q={}", "/casos?q={}&product=pagos", f"/incidents/{PAYMENTS}?q={{}}")
    for path in paths:
        for there, nobody in ((MOLINOS[:4], "8604"), ("860.555", "860.556"), ("molinos", "molinoz")):
            assert answer(path, there, "ana") == answer(path, nobody, "ana"), (path, there)
            assert answer(path, there, "beto") != answer(path, nobody, "beto"), (path, there)
        assert answer(path, "aceros", "ana") != answer(path, "acerox", "ana"), path
