"""A cause that returns, as a timeline with the service: one root-cause case at the desk, for both owners, with its Pareto."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts import Changes, Escalated, IncidentState, Occurrence
from alerts.causes import CauseBook, Escalating, pareto
from monitor.claims import waiting
from monitor.escalation import body, to_escalate
from rules import Scope
from tests.characters import at
from tests.fake_api import TOKEN, FakeApi
from tests.monitor.test_service import Bank
from tests.watched import FAILURES

CAUSES = """
[causes]
returns = 3
period = "6h"
claims_chief = "reclamos@banco.example"
[causes.owners]
pagos = "pagos@banco.example"
"""
LOCAL = '[desks.mesa]\nkind = "local"\npath = "casos.csv"\n'
HTTP = '[desks.mesa]\nkind = "http"\nurl = "{url}/cases"\ntoken = "{token}"\n'
Desk = Callable[[], list[dict[str, str]]]


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    found = Bank(tmp_path, at("12:00:10"))
    (tmp_path / "rules.toml").write_text(FAILURES)
    yield found
    found.close()


@pytest.fixture(params=["local", "http"])
def desk(request: pytest.FixtureRequest, bank: Bank) -> Iterator[Desk]:
    """The root-cause cases that the desk has, by our names."""
    config = bank.folder / "config.toml"
    if request.param == "local":
        config.write_text(config.read_text() + CAUSES + LOCAL)
        yield lambda: [named(row) for row in rows(bank.folder / "casos.csv") if row["tipo"] == "causa_raiz"]
        return
    with FakeApi() as api:
        config.write_text(config.read_text() + CAUSES + HTTP.format(url=api.url, token=TOKEN))
        yield lambda: [case for case in api.cases.values() if case["kind"] == "causa_raiz"]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def named(row: dict[str, str]) -> dict[str, str]:
    return {"key": row["clave"], "subject": row["asunto"], "body": row["detalle"], "product": row["producto"]}


def hour(bank: Bank, number: int, *, product: str = "pagos") -> None:
    """An hour in which it fails for ten minutes, taken in as it goes."""
    bank.pay(f"{number}:00", f"{number}:05", product=product)
    bank.pay(f"{number}:05", f"{number}:15", failing=0.8, product=product)
    bank.cycle(f"{number}:15:11")
    bank.pay(f"{number}:15", f"{number + 1}:00", product=product)
    bank.cycle(f"{number + 1}:00:11")


def test_a_cause_that_returns_is_escalated_once_to_both_owners_with_its_pareto(bank: Bank, desk: Desk):
    bank.pay("10:00", "12:00")
    bank.start().cycle()
    hour(bank, 12)
    hour(bank, 13)
    assert desk() == []
    bank.start()  # again, from what is committed
    hour(bank, 14)
    (case,) = desk()
    incidents = sorted(incident.id for incident in bank.store.incidents())
    assert len(incidents) == 3
    assert case["product"] == "pagos"
    assert case["subject"] == "Causa raíz: Pagos · Web: Fallas (3 veces desde 03/03/2026)"
    for words in (
        "dueño de Pagos (pagos@banco.example), que no se repita",
        "jefe de reclamos (reclamos@banco.example), que se resuelva",
        f"- {incidents[0]}: 03/03/2026 12:05 a 03/03/2026 12:15 (10 min), 3 clientes, ",
        *(f"- {incident}: " for incident in incidents),
        "La han tenido más de una vez 3 clientes: NIT 900.100.200 (3 veces)",
        "1. Pagos · Web: Fallas: ", "; 100 %; 100 % (3 afectaciones)",
    ):  # fmt: skip
        assert words in case["body"], case["body"]
    bank.start()
    hour(bank, 15)
    assert desk() == [case]
    (kept,) = bank.store.escalations()
    assert (kept.key, kept.returns, len(kept.incidents)) == (case["key"], 4, 4)
    assert kept.escalated_at == at("15:00:11"), "with the incident that set it off"
    told = [service.metrics.exposition().decode() for service in bank.services]
    counted = 'vigia_causes_escalated_total{channel="web",product="pagos"} 1.0'
    assert [counted in text for text in told] == [False, True, False]


def test_the_end_by_hand_counts_too(bank: Bank, desk: Desk):
    bank.pay("10:00", "12:00")
    bank.start().cycle()
    hour(bank, 12)
    hour(bank, 13)
    bank.pay("14:00", "14:05")
    bank.pay("14:05", "14:15", failing=0.8)
    bank.cycle("14:15:11")
    from monitor import people  # noqa: PLC0415 - the one test that acts

    (open_,) = [i for i in bank.store.incidents() if i.state is IncidentState.FIRING]
    people.resolve(bank.store, open_.id, "Mesa", "", bank.now)
    bank.pay("14:15", "14:16")
    bank.cycle("14:16:11")
    assert len(desk()) == 1


def test_what_is_not_committed_is_not_escalated_and_what_failed_is_taken_again(bank: Bank, desk: Desk, monkeypatch):
    bank.pay("10:00", "12:00")
    bank.start().cycle()
    hour(bank, 12)
    hour(bank, 13)
    with monkeypatch.context() as patched:
        patched.setattr(bank.store, "commit", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            hour(bank, 14)
    assert (bank.store.escalations(), desk()) == ([], [])
    bank.start()
    bank.pay("14:15", "15:00")
    bank.cycle("15:00:11")
    assert len(bank.store.escalations()) == len(desk()) == 1


# ---- the words -----------------------------------------------------------------------------------------------------


def evidence(**told) -> Escalated:
    book, changes = CauseBook(Escalating(2, **told)), Changes()
    for day in (0, 1):
        scope = Scope("pagos", "h2h")
        one = Occurrence(
            f"AF-{day}", "c", scope, "E504", "failed", at("10:00", day=day), at("11:30", day=day),
            frozenset(str(900100200 + n) for n in range(25)), 1200, 80 + day, ("pagos",),
        )  # fmt: skip
        book.ended(one, at("12:00", day=day), lambda _: "mesa", changes)
    (made,) = changes.escalated
    return made


def test_without_owners_their_roles_are_named():
    words = body(evidence(), ZoneInfo("America/Bogota"))
    assert "Responsables: dueño de Pagos, que no se repita; jefe de reclamos, que se resuelva." in words
    assert "Pagos · H2h, código E504: Fallas ha vuelto: 2 afectaciones desde 03/03/2026 10:00." in words
    assert "En total: 25 clientes, 2.400 transacciones." in words
    assert words.count("NIT ") == 20
    assert "y 5 más." in words


def test_the_message_is_of_no_single_client_and_as_urgent_as_the_worst():
    message = to_escalate(evidence(), ZoneInfo("America/Bogota"))
    assert (message.key, message.case_key, message.desk, message.action) == (message.key, message.key, "mesa", "open")
    payload = message.payload
    assert (payload["kind"], payload["client_id"], payload["priority"]) == ("causa_raiz", "", 81)
    assert (payload["product"], payload["channel"], payload["incident_id"]) == ("pagos", "h2h", "AF-1")


def test_the_worked_example_reads_as_the_bank_writes_it():
    made = evidence()
    weights = {"V1": 1050, "V2": 511, "V3": 465}
    causes = tuple((replace(made.found[0], code=name), 1, part) for name, part in pareto(weights))
    lines = body(replace(made, causes=causes), ZoneInfo("America/Bogota")).splitlines()[-3:]
    assert lines == [
        "1. Pagos · H2h, código V1: Fallas: 1.050; 52 %; 52 % (1 afectación)",
        "2. Pagos · H2h, código V2: Fallas: 511; 25 %; 77 % (1 afectación)",
        "3. Pagos · H2h, código V3: Fallas: 465; 23 %; 100 % (1 afectación)",
    ]


def test_one_that_no_desk_takes_is_kept_all_the_same(bank: Bank):
    config = bank.folder / "config.toml"
    config.write_text(config.read_text() + CAUSES + LOCAL + 'products = ["nomina"]\n')
    bank.pay("10:00", "12:00")
    bank.start().cycle()
    for number in (12, 13, 14):
        hour(bank, number)
    (kept,) = bank.store.escalations()
    assert (kept.desk, waiting(bank.store)) == ("", [])
    assert not (bank.folder / "casos.csv").exists()
