"""A client taken out: nothing tells of them any more, in whatever table, and every figure stands."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from alerts import Changes, Doubt, Escalation, IncidentState
from monitor import casework, people, portrait
from monitor import tables as t
from monitor.blobs import unpacked
from monitor.cells import CELLS, LEDGER
from monitor.claims import claim, confirm
from monitor.people import Refused, Unknown
from monitor.purge import _Traces, proves, purge
from monitor.reads import Reader, noted, reads
from monitor.standing import rows
from monitor.store import Message, Step, Store
from monitor.trail import PURGE, verify
from rules import Scope
from tests.monitor.conftest import (
    ACEROS,
    CLIENTS,
    DECISIONS,
    HOLDINGS,
    IMPACTS,
    INCIDENTS,
    MOLINOS,
    NOW,
    PAYMENTS,
    SLOW,
    THEIRS,
    ago,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LATER = NOW + timedelta(days=2)
MARKS = ("900123456", "900.123.456", "900 123 456", "9001234568", "Aceros del Istmo", "ACEROS DEL ISTMO", "Aceros")


def cells(client_id: str) -> list[tuple[str, pa.Table]]:
    row = {
        "minute": 1,
        "known": 1,
        "source": "core",
        "client_id": client_id,
        "product": "pagos",
        "n": 3,
        "amount": Decimal(5),
    }
    other = row | {"client_id": MOLINOS}
    kept = pa.Table.from_pylist([row, other, row | {"client_id": None}], schema=CELLS)
    ledger = pa.Table.from_pylist([row | {"id": "T-1"}], schema=LEDGER)
    return [("cells", kept), ("cells", pa.Table.from_pylist([other], schema=CELLS)), ("ledger", ledger)]


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """All that can be kept of Aceros, in every form; the day after, all of it is over."""
    url = f"sqlite:///{tmp_path}/vigia.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres")
    made = Store(url)
    made.migrate()
    over = [replace(i, state=IncidentState.RESOLVED, resolved_at=i.resolved_at or NOW) for i in INCIDENTS[:2]]
    alone = replace(
        over[1], id="AF-alone", scope=Scope("swift", client_id=ACEROS), shares=(("client_id", ACEROS, 1.0),),
        reach=Scope("swift", client_id=ACEROS), symptoms=(Scope("pagos", client_id=ACEROS),),
    )  # fmt: skip
    changes = Changes(
        incidents={i.id: i for i in (*over, alone)},
        impacts={(i.incident_id, i.client_id, i.product): i for i in IMPACTS},
        decisions={d.key: d for d in DECISIONS},
        doubts={"d": Doubt(SLOW, ACEROS, "recaudos", "", "OP-1", "pending", "core", ago(300), Decimal(9), 1)},  # type: ignore[dict-item]
        escalations={"e": Escalation("VG-CR-1", f"product=swift;client_id={ACEROS}", NOW, NOW, 3, NOW, ("AF-alone",), (), "local")},  # type: ignore[arg-type]
    )  # fmt: skip
    theirs = [*THEIRS, replace(THEIRS[1], case_id="SP-90", subject="Aceros del Istmo no puede pagar")]
    payload = {
        "client_id": ACEROS,
        "client": "Aceros del Istmo",
        "body": [{"text": "NIT 900.123.456-8, ACEROS  DEL ISTMO"}],
        "n": 900,
    }
    messages = [Message(d.key, d.key, d.desk, "open", payload) for d in DECISIONS if d.desk]
    made.commit(
        Step(changes=changes, clients=CLIENTS, holdings=HOLDINGS, cases=theirs, messages=messages, cells=cells(ACEROS)),
        NOW,
    )
    while sent := claim(made, NOW, timedelta(minutes=1)):
        confirm(made, sent["id"], f"C-{sent['id']}", NOW)
    people.note(made, PAYMENTS, "Mesa", "Hablé con Aceros del Istmo (900.123.456) y con Molinos Borovanda", ago(1))
    casework.do(made, "informed", [DECISIONS[0].key], "Mesa", "", ago(1))
    thread = {"subject": DECISIONS[0].key, "receiver": "correo", "recipient": "p@banco.example", "sequence": 1,
              "told": {"clients": [ACEROS, MOLINOS]}, "began_at": NOW, "told_at": NOW, "ended_at": None}  # fmt: skip
    made.put(t.threads, [thread])
    silence = {"id": "s", "matchers": {"client_id": ACEROS}, "reason": "de Aceros del Istmo", "author": "Mesa", "created_at": NOW,
               "starts_at": NOW, "until": NOW, "ended_by": "", "ended_at": None}  # fmt: skip
    made.put(t.silences, [silence])
    noted(made, Reader("ana", "page"), ACEROS, NOW)
    yield made
    made.close()


def dump(store: Store) -> str:
    """All that the tables hold, what is packed unpacked."""
    found: dict[str, Any] = {}
    for table in t.metadata.sorted_tables:
        found[table.name] = rows(store, table.select())
    for row in found["cells"]:
        row["blob"] = unpacked(row["blob"], row["kind"], row["version"]).to_pylist()
    return json.dumps(found, default=str, ensure_ascii=False)


def figures(store: Store) -> Any:
    """What is counted."""
    told = people.incidents(store, LATER, state="all")
    counts = ("affected", "exposed", "priority", "cases_opened", "cases_linked", "cases_left")
    whole = people.incident(store, PAYMENTS, LATER)
    return (
        [{name: row[name] for name in counts} for row in told],
        people.figures(store, ago(10_000)),
        sorted((row["failures"], row["amount"]) for row in whole["affected_clients"]),
        sorted(str(case["lead_seconds"]) for case in whole["cases"]),
        [
            len(rows(store, table.select()))
            for table in (t.impacts, t.decisions, t.their_cases, t.outbox, t.reads, t.threads)
        ],
    )


def test_nothing_tells_of_them_and_every_figure_stands(store: Store) -> None:
    before, counted = dump(store), figures(store)
    assert [mark for mark in MARKS if mark not in before] == ["900 123 456", "9001234568", "ACEROS DEL ISTMO"]
    reason = "petición de Aceros del Istmo, 900 123 456 y 9001234568"
    done = purge(store, "900.123.456-8", reason, "Oficial de datos", LATER)
    after = dump(store)
    assert [mark for mark in MARKS if mark.casefold() in after.casefold()] == []
    assert figures(store) == counted
    assert "Molinos Borovanda" in after
    assert "posventa1@banco.example" not in after
    assert "OP-1" not in after
    assert done.touched["cells"] == 2
    with pytest.raises(Unknown):
        portrait.identity(store, ACEROS)
    assert reads(store)[0]["client_id"] == done.alias
    assert {row["client_id"] for row in rows(store, t.impacts.select())} >= {done.alias, MOLINOS}
    assert any(row["key"] == f"VG-{PAYMENTS}-{done.alias}" for row in rows(store, t.outbox.select()))


def test_the_act_is_in_the_trail_and_tells_who_it_was_only_to_who_knows(store: Store) -> None:
    head = verify(store).head
    done = purge(store, ACEROS, "habeas data", "Oficial de datos", LATER)
    (act,) = [act for act in store.acts() if act.action == PURGE]
    assert (act.who, act.at, act.incident_id) == ("Oficial de datos", LATER, "")
    assert act.text.startswith(f"{done.alias}: habeas data; sello anterior {head}; scrypt ")
    assert proves(act, "900.123.456-8")
    assert not proves(act, MOLINOS)
    assert not proves(store.acts()[0], ACEROS)


def test_the_trail_is_sealed_anew_and_the_seal_before_is_still_known(store: Store) -> None:
    head = verify(store).head
    purge(store, ACEROS, "habeas data", "Oficial de datos", LATER)
    assert (verify(store).broken, verify(store, head).broken, verify(store).unsealed) == ("", "", 0)
    assert verify(store, head).rewritten
    with store.writing() as c:
        c.execute(t.acts.update().where(t.acts.c.action != PURGE).values(who="otro"))
    purge(store, MOLINOS, "habeas data", "Oficial de datos", LATER)
    assert "la bitácora ya no estaba íntegra (no cuadra desde el acto" in store.acts()[-1].text, "no purge covers it up"


def test_it_is_refused_while_something_goes_on(store: Store) -> None:
    def why(**how: Any) -> str:
        said = {"nit": ACEROS, "reason": "r", "by": "b", "now": LATER} | how
        before = dump(store)
        with pytest.raises(Refused) as told:
            purge(store, **said)
        assert dump(store) == before
        return str(told.value)

    assert why(now=NOW + timedelta(hours=2)) == f"la afectación {PAYMENTS} lo tocó y terminó hace menos de un día"
    assert (why(reason=" "), why(by="")) == ("falta la razón", "falta quién lo pide")
    firing = replace(INCIDENTS[0], state=IncidentState.FIRING, resolved_at=None)
    store.commit(Step(changes=Changes(incidents={firing.id: firing})), NOW)
    assert why() == f"la afectación {PAYMENTS} lo toca y está abierta"
    over = replace(firing, state=IncidentState.RESOLVED, resolved_at=NOW)
    waiting = Message("notify-1", "", "correo", "notify", {"text": "NIT 900.123.456"})
    store.commit(Step(changes=Changes(incidents={over.id: over}), messages=[waiting]), NOW)
    assert why() == "esperan por enviarse mensajes que lo nombran: 1"
    with pytest.raises(Unknown):
        purge(store, "900999999", "r", "b", LATER)


def test_no_page_of_the_file_keeps_it(store: Store) -> None:
    if store.engine.dialect.name != "sqlite":
        return
    purge(store, ACEROS, "habeas data", "Oficial", LATER)
    name = str(store.engine.url.database)
    for file in (name, f"{name}-wal"):
        with open(file, "rb") as kept:  # noqa: PTH123 - bytes of a file
            held = kept.read()
        assert ACEROS.encode() not in held, file
        assert b"Aceros del Istmo" not in held, file


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("900123456", "x"), ("9001234568", "x"), ("900.123.456-8", "x"), ("900 123 456", "x"), ("VG-AF-1-900123456", "VG-AF-1-x"),
        ("19001234560", "19001234560"), ("9001234561", "9001234561"), ("NIT900123456", "NITx"),
        ("$ 1.900.123.456", "$ 1.900.123.456"), ("900123456.50", "900123456.50"), ("en 900.123.456.", "en x."),
        ("Peña  ÁRBOL, S.A.S.", "cliente suprimido."),
        ("Peña", "Peña"), ("", ""), ("peña árbol s a s", "cliente suprimido"),
    ],
)  # fmt: skip
def test_what_of_a_text_is_theirs(text: str, left: str) -> None:
    assert _Traces(ACEROS, "Peña Árbol S.A.S.", "x").out_of(text) == left


def test_a_name_of_one_word_is_not_a_product() -> None:
    traces = _Traces("AB-7", "Pagos", "x")
    assert traces.out_of({"product": "pagos", "AB-7": ["AB-7", 7, None], "text": "Pagos llamó"}) == {
        "product": "pagos", "x": ["x", 7, None], "text": "cliente suprimido llamó",
    }  # fmt: skip
