"""What people ask of cases: refused where it makes no sense, noted and shown at once where it does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from alerts import Action, Changes, Decision, TheirCase
from alerts.reasons import APPROVAL, APPROVED, BUDGET, OBSERVED
from monitor import casework, people, spanish
from monitor.__main__ import app
from monitor.store import Step
from tests.monitor.conftest import ACEROS, MOLINOS, NOW, NUBE, PART, PAYMENTS, SLOW, ago

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.store import Store

OPENED, LINKED, OLD = f"VG-{PAYMENTS}-{ACEROS}", f"VG-{PAYMENTS}-{MOLINOS}", f"VG-{SLOW}-{ACEROS}"
WAITING = f"VG-{PAYMENTS}-{NUBE}"


def waits(store: Store, reason: str = APPROVAL) -> None:
    """Textiles Nube Alta waits."""
    waiting = Decision(WAITING, PAYMENTS, NUBE, "pagos", Action.NONE, reason, ago(5), 22, "local")
    store.commit(Step(changes=Changes(decisions={waiting.key: waiting})), NOW)


def shown(store: Store, key: str) -> people.Row:
    return next(row for row in people.cases(store) if row["key"] == key)


def test_one_act_approves_what_waits_in_an_incident_and_is_seen_at_once(store: Store) -> None:
    waits(store)
    assert casework.do(store, "approve", ["a1b2c3"], " Ana ", "vista", NOW) == [f"{PAYMENTS}: 1 caso"]
    row = shown(store, WAITING)
    assert (row["action"], row["reason"], row["approved_by"]) == ("none", APPROVED, "Ana")
    assert spanish.decided(row) == "Sin caso: Aprobado, por abrir", "whether there is room is not known yet"
    (act,) = store.acts()
    assert (act.incident_id, act.case_key, act.action, act.who, act.text) == (PAYMENTS, "", "approve", "Ana", "vista")


def test_single_cases_by_as_much_of_the_key_as_no_other_shares(store: Store) -> None:
    waits(store)
    assert casework.do(store, "withdraw", [WAITING, f"{PAYMENTS}-{ACEROS}"], "Ana", "", NOW) == [WAITING, OPENED]
    assert [act.case_key for act in store.acts()] == [WAITING, OPENED]
    assert shown(store, OPENED)["withdrawn_at"] == NOW
    assert spanish.decided(shown(store, OPENED)) == "Abierto por Vigía, retirado (la mesa aún no lo sabe)"
    assert spanish.decided(shown(store, WAITING)) == "Sin caso: Retirado de la lista"
    assert people.figures(store, ago(1440))["opened"] == 1


def test_one_act_withdraws_all_of_an_incident(store: Store) -> None:
    waits(store)
    assert casework.do(store, "withdraw", [PAYMENTS], "Ana", "", NOW) == [f"{PAYMENTS}: 2 casos"]
    assert {row["key"] for row in people.cases(store) if row["withdrawn_at"]} == {OPENED, WAITING}


def test_a_link_is_confirmed_or_undone_with_its_figures(store: Store) -> None:
    casework.do(store, "confirm", [OPENED], "Ana", "", NOW)
    assert (shown(store, OPENED)["confidence"], spanish.certainty(shown(store, OPENED))) == (1.0, "Confirmado por Ana")
    casework.do(store, "undo", [OPENED], "Ana", "", NOW)
    row = shown(store, OPENED)
    assert (row["linked_case_id"], row["lead_seconds"], row["confidence"]) == ("", None, None)
    assert row["undone"] == [["", "SP-77"]]


def test_attributed_to_a_case_of_a_tool_which_its_other_case_lets_go(store: Store) -> None:
    tied = Decision(
        WAITING, PAYMENTS, NUBE, "pagos", Action.OPEN, "", ago(20), 22, "local", "SP-99", ago(9), "sharepoint"
    )
    lost = TheirCase("SP-99", "sharepoint", f"{NUBE}7", ago(9), ago(9))
    store.commit(Step(changes=Changes(decisions={WAITING: tied}), cases=[lost]), NOW)
    assert casework.attribute(store, OPENED, "sharepoint/SP-99", "Ana", NOW) == OPENED
    row = shown(store, OPENED)
    assert (row["linked_case_id"], row["linked_source"], row["lead_seconds"]) == ("SP-99", "sharepoint", 13 * 60)
    assert (shown(store, WAITING)["linked_case_id"], shown(store, WAITING)["lead_seconds"]) == ("", None)


def test_informed_and_promoted(store: Store) -> None:
    casework.do(store, "informed", [OPENED], "N1", "", ago(2))
    casework.do(store, "promote", [OPENED], "N2", "", ago(1))
    row = shown(store, OPENED)
    assert (row["informed_at"], row["promoted_at"]) == (ago(2), ago(1))
    assert spanish.decided(row) == "Abierto por Vigía, incidente, cliente informado"


@pytest.mark.parametrize(
    ("action", "name", "words"),
    [
        ("approve", PAYMENTS, "no hay casos por aprobar"),
        ("approve", SLOW, "no hay casos por aprobar"),
        ("approve", PART, f"hace parte de {PAYMENTS}"),
        ("approve", OPENED, "ya está abierto"),
        ("approve", LINKED, "del propio cliente"),
        ("withdraw", LINKED, "del propio cliente"),
        ("confirm", OLD, "no está enlazado"),
        ("undo", OLD, "no está enlazado"),
        ("undo", "VG-9", "no hay un caso «VG-9»"),
        ("undo", "", "no hay un caso «»"),
        ("approve", "zz", "no hay una afectación «zz»"),
        ("informed", ACEROS, "puede ser uno de 2 casos"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(store: Store, action: str, name: str, words: str) -> None:
    with pytest.raises((people.Refused, people.Unknown), match=words):
        casework.do(store, action, [name], "Ana", "", NOW)
    assert store.acts() == []


@pytest.mark.parametrize(
    ("reason", "action", "words"),
    [
        (OBSERVED, "approve", "en observación"),
        (BUDGET, "approve", "no espera aprobación"),
        (APPROVAL, "promote", "no se ha abierto"),
        ("no desk takes this product", "withdraw", "no se va a abrir: ninguna mesa"),
    ],
)
def test_what_makes_no_sense_of_one_that_waits(store: Store, reason: str, action: str, words: str) -> None:
    waits(store, reason)
    with pytest.raises(people.Refused, match=words):
        casework.do(store, action, [WAITING], "Ana", "", NOW)


def test_what_was_done_is_refused_the_second_time_and_of_several_none_is_done(store: Store) -> None:
    waits(store)
    for action, words in (("informed", "ya está informado"), ("promote", "ya es un incidente"), ("confirm", "Ana")):
        casework.do(store, action, [OPENED], "Ana", "", ago(1))
        with pytest.raises(people.Conflict, match=words):
            casework.do(store, action, [OPENED], "Ana", "", NOW)
    casework.do(store, "withdraw", [OPENED], "Ana", "", ago(1))
    before = store.acts()
    with pytest.raises(people.Refused, match="ya se retiró"):
        casework.do(store, "withdraw", [WAITING, OPENED], "Ana", "", NOW)
    with pytest.raises(people.Refused, match="quién"):
        casework.do(store, "withdraw", [WAITING], " ", "", NOW)
    assert store.acts() == before


@pytest.mark.parametrize(
    ("case_id", "words"),
    [
        ("SP-1", "ninguna herramienta"),
        ("SP-75", "otro cliente"),
        ("50", "lo abrió Vigía"),
        ("7", "de 2 herramientas: escriba una de bizagi/7, sharepoint/7"),
    ],
)
def test_a_case_that_cannot_be_the_clients_report(store: Store, case_id: str, words: str) -> None:
    ours = TheirCase("50", "casos", ACEROS, ago(20), ago(20), reported_by="monitor")
    twice = [
        TheirCase("7", tool, ACEROS, ago(minutes), ago(minutes)) for tool, minutes in (("bizagi", 9), ("sharepoint", 8))
    ]
    store.commit(Step(cases=[ours, *twice]), NOW)
    with pytest.raises((people.Refused, people.Unknown), match=words):
        casework.attribute(store, OPENED, case_id, "Ana", NOW)
    assert store.acts() == []


def test_the_command_line_does_it_and_tells_what_came_of_it(store: Store, tmp_path: Path) -> None:
    waits(store)
    config = tmp_path / "config.toml"
    config.write_text(
        '[monitor]\ndatabase = "sqlite:///vigia.db"\n[sources.c]\nrole = "cases"\nkind = "file"\npath = "c.csv"\n'
    )

    def vigia(*words: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, ["cases", *words, "--config", str(config)])
        return done.exit_code, done.stdout, done.stderr

    assert vigia("approve", PAYMENTS, "--who", "Ana", "--text", "vista") == (0, f"{PAYMENTS}: 1 caso\n", "")
    for words in (("informed", OPENED), ("promote", OPENED), ("confirm", OPENED), ("undo", LINKED)):
        assert vigia(*words, "--who", "Ana") == (0, f"{words[1]}\n", "")
    assert vigia("attribute", OPENED, "SP-75", "--who", "Ana") == (
        1, "", "el caso sharepoint/SP-75 es de otro cliente, NIT 860.555.111\n",
    )  # fmt: skip
    assert vigia("attribute", LINKED, "SP-75", "--who", "Ana")[0] == 0
    assert vigia("withdraw", WAITING, OPENED, "--who", "Ana") == (0, f"{WAITING}\n{OPENED}\n", "")
    code, listed, _ = vigia("list")
    assert (code, "Confirmado por Ana" in listed) == (0, True)
    (linked,) = (row for row in json.loads(vigia("list", "--json")[1]) if row["key"] == LINKED)
    assert (linked["confidence"], linked["confirmed_by"], linked["undone"]) == (1.0, "Ana", [["", "SP-75"]])
    assert [act.action for act in store.acts()] == [
        "approve", "informed", "promote", "confirm", "undo", "attribute", "withdraw", "withdraw",
    ]  # fmt: skip
