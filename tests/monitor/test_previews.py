"""`vigia alerts preview`, `vigia guides`, `vigia search` and what `vigia check` says of the bank's own words: by the command itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from monitor.__main__ import app
from monitor.claims import confirm
from monitor.standing import rows
from monitor.tables import outbox, reads
from tests.monitor.conftest import ACEROS, MOLINOS, PAYMENTS

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.store import Store

CONFIG = """
[monitor]
database = "sqlite:///vigia.db"
address = "https://vigia.banco.example"
[sources.core]
role = "transactions"
kind = "file"
path = "rows.csv"
"""


@pytest.fixture
def folder(store: Store, tmp_path: Path) -> Path:
    assert store
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "rows.csv").write_text("timestamp,status\n")
    return tmp_path


def vigia(folder: Path, *words: str, code: int = 0) -> str:
    """What it says; on stderr where it failed."""
    found = CliRunner().invoke(app, [*words, "--config", str(folder / "config.toml")])
    assert found.exit_code == code, found.output
    return found.stderr if code else found.stdout


def test_the_tower_sees_what_it_would_be_told(folder: Path) -> None:
    said = vigia(folder, "alerts", "preview", PAYMENTS)
    assert said.startswith("Afectación · Crítica · Pagos · Conexión Directa: fallas")
    assert "https://vigia.banco.example/guias/pagos/fallas" in said
    assert "Aceros" not in said


@pytest.mark.parametrize(
    "asked",
    [
        ["--to", "posventa1@banco.example"],
        ["--role", "post_sale"],
        ["--to", "posventa2@banco.example"],
        ["--to", "posventa2@banco.example", "--role", "substitute"],
    ],
)
def test_an_assistant_sees_their_clients_and_the_read_is_noted(folder: Path, store: Store, asked: list[str]) -> None:
    said = vigia(folder, "alerts", "preview", "a1b2c3", "--who", "ana", *asked)
    assert "TEXTO PARA EL CLIENTE" in said
    assert "Aceros del Istmo" in said
    assert "Molinos" not in said
    noted = rows(store, reads.select())
    assert [(row["who"], row["client_id"], row["door"]) for row in noted] == [("ana", ACEROS, "cli")]
    assert len(rows(store, outbox.select())) == 2, "nothing is sent"


@pytest.mark.parametrize("news", ["incident", "fault", "breach", "digest", "summary"])
@pytest.mark.parametrize("language", ["es", "en"])
def test_any_news_in_any_language(folder: Path, news: str, language: str) -> None:
    said = vigia(folder, "alerts", "preview", PAYMENTS, "--news", news, "--language", language)
    assert said.strip()
    html = vigia(folder, "alerts", "preview", PAYMENTS, "--news", news, "--language", language, "--html")
    assert f'<html lang="{language}">' in html
    facts = json.loads(vigia(folder, "alerts", "preview", PAYMENTS, "--news", news, "--json"))
    assert (facts["schema"], facts["news"]) == ("vigia.notice/1", news)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["AF-NO"], "no hay una afectación «AF-NO»"),
        ([PAYMENTS, "--receiver", "correo"], "no hay un [receivers.correo]; hay ninguno"),
        ([PAYMENTS, "--role", "manager"], f"ningún cliente de {PAYMENTS} tiene manager"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_line(folder: Path, asked: list[str], told: str) -> None:
    assert vigia(folder, "alerts", "preview", *asked, code=1) == f"{told}\n"


def test_the_banks_templates_are_previewed_and_their_faults_told(folder: Path) -> None:
    (folder / "plantillas" / "es").mkdir(parents=True)
    (folder / "plantillas" / "es" / "incident.technical.subject").write_text("Banco {{ incident.id }}")
    with (folder / "config.toml").open("a") as config:
        config.write('[words]\ntemplates = "plantillas"\n')
    assert vigia(folder, "alerts", "preview", PAYMENTS).startswith(f"Banco {PAYMENTS}\n")
    assert "no fault" in vigia(folder, "check")
    (folder / "plantillas" / "es" / "incident.technical.text").write_text("hola\n{{ nada }}")
    assert vigia(folder, "check", code=1) == "es/incident.technical.text: line 2: 'nada' is undefined\n"


def test_check_tells_of_folders_guides_and_rules_that_there_are_not(folder: Path) -> None:
    text = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(f'{text}[words]\ntemplates = "no"\nguides = "hay"\n')
    told = vigia(folder, "check", code=1).splitlines()
    assert told == [
        "config.toml: words.templates: there is no folder 'no'",
        "config.toml: words.guides: there is no folder 'hay'",
    ]
    (folder / "guias" / "es").mkdir(parents=True)
    (folder / "guias" / "es" / "pagos.toml").write_text("title = 1")
    (folder / "reglas.toml").write_text(
        '[[rule]]\nname = "r"\nkind = "limit"\nwhen = "failed > 1"\nguide = "nomina/fallas"\n'
    )
    ours = text.replace("[monitor]", '[monitor]\nrules = ["reglas.toml"]')
    (folder / "config.toml").write_text(f'{ours}[words]\nguides = "guias"\n')
    assert vigia(folder, "check", code=1).splitlines() == [
        'guias/es/pagos.toml: title: must be a text in "quotation marks"',
        "rule r: guide: there is no guide 'nomina/fallas'; vigia guides list names them",
    ]


def test_guides_by_place_and_one_of_them(folder: Path) -> None:
    listed = vigia(folder, "guides", "list", "pagos")
    assert "pagos/fallas" in listed
    assert "recaudos" not in listed
    shown = vigia(folder, "guides", "show", "pagos/fallas")
    assert "Primera solución" in shown
    assert "antes de la hora de corte" in shown
    english: dict[str, Any] = json.loads(vigia(folder, "guides", "show", "pagos/fallas", "--language", "en", "--json"))
    assert english["title"] == "Payments: failures above normal"
    assert vigia(folder, "guides", "show", "pagos/nada", code=1).startswith("no hay una guía «pagos/nada»")


def test_search_finds_guides_incidents_and_cases(folder: Path) -> None:
    def found(text: str) -> list[tuple[str, str]]:
        return [(row["what"], row["id"]) for row in json.loads(vigia(folder, "search", text, "--json"))]

    assert found("lote horario") == []
    assert ("guide", "depositos/reversos") in found("depositos reversos")
    assert found("a1b2c3") == [("incident", PAYMENTS)]
    assert found("c-000001") == [("case", "C-000001")]
    assert found("SP-75") == [("case", "SP-75")]
    assert found("75") == [("case", "SP-75")], "as its client says it"
    assert "case" not in dict(found("5")), "a short one is whole"
    key = f"VG-{PAYMENTS}-{ACEROS}"
    assert found(key) == [("case", "C-000001")]
    assert found(key[-15:]) == [("case", "C-000001")]
    assert "No se encontró nada." in vigia(folder, "search", "zzz")
    assert MOLINOS not in vigia(folder, "search", "SP-7", "--json")


def test_a_short_number_of_a_desk_is_found_whole(folder: Path, store: Store) -> None:
    (sent,) = rows(store, outbox.select().where(outbox.c.reference == "C-000001"))
    confirm(store, sent["id"], "54", sent["sent_at"])
    told = json.loads(vigia(folder, "search", "54", "--json"))
    assert [(row["what"], row["id"], row["incident_id"]) for row in told] == [("case", "54", PAYMENTS)]


def test_the_end_of_what_is_still_open_is_refused_in_words(folder: Path) -> None:
    said = vigia(folder, "alerts", "preview", PAYMENTS, "--event", "end", code=1)
    assert f"{PAYMENTS} sigue abierta" in said


def test_an_incident_is_shown_with_the_guide_that_its_messages_give(folder: Path) -> None:
    assert "pagos/fallas" in vigia(folder, "incidents", "show", PAYMENTS)
    assert json.loads(vigia(folder, "incidents", "show", PAYMENTS, "--json"))["guide"] == "pagos/fallas"
    listed = {row["id"]: row["guide"] for row in json.loads(vigia(folder, "incidents", "list", "--json"))}
    assert listed[PAYMENTS] == "pagos/fallas"
