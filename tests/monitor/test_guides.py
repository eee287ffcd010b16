"""Guides: the right one for an incident, the bank's own before the shipped ones, found by their words."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from fastapi import FastAPI
from typer.testing import CliRunner

from alerts import Changes
from monitor.__main__ import app
from monitor.guides import GENERAL, NOT_NOW, SECTIONS, SHIPPED, Guides, Offer
from monitor.guides import guides as guides_of
from monitor.languages import Code, words
from monitor.people import Unknown
from monitor.rehearsal import LANGUAGES
from monitor.spanish import NAMES
from monitor.store import Step, Store
from monitor.web import face, guides, serve
from rules import Scope
from rules.catalog import __file__ as catalog
from tests.monitor.conftest import INCIDENTS, NOW


def web(store: Store) -> FastAPI:
    """The guides' pages alone."""
    made = FastAPI()
    made.include_router(guides.pages(store))
    made.add_exception_handler(Unknown, lambda _, error: face.trouble(str(error.args[0]), 404))
    return made


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_product_and_channel_has_a_guide_for_every_way(language: str) -> None:
    known = Guides(language)
    assert known.faults == []
    for place in ("general", *NAMES):
        for section in SECTIONS.values():
            guide = known.get(f"{place}/{section}")
            assert guide, (place, section)
            assert guide.title
            assert all((guide.solution, guide.escalation, guide.contingency, guide.client)), guide.id
            assert place == "general" or guide.title.startswith(words(language).name(place)), guide.title


def test_both_languages_have_the_same_guides_with_as_many_steps() -> None:
    es, en = ({guide.id: guide for guide in Guides(language)} for language in LANGUAGES)
    assert es.keys() == en.keys()
    for key, guide in es.items():
        there = en[key]
        steps = [(len(g.solution), len(g.escalation), len(g.contingency), bool(g.client)) for g in (guide, there)]
        assert steps[0] == steps[1], key


@pytest.mark.parametrize(
    ("incident", "guide"),
    [
        (
            {"guide": "general/fallas", "kind": "failed", "product": "pagos", "channel": "conexion_directa"},
            "pagos/fallas",
        ),
        (
            {"guide": "general/fallas", "kind": "failed", "product": "", "channel": "sucursal_digital"},
            "sucursal_digital/fallas",
        ),
        ({"guide": "general/fallas", "kind": "failed", "product": "nomina", "channel": "h2h"}, "general/fallas"),
        (
            {"guide": "general/fallas", "kind": "failed", "product": "nomina", "channel": "conexion_directa"},
            "conexion_directa/fallas",
        ),
        ({"guide": "general/lotes", "kind": "missing", "product": "nomina", "channel": ""}, "general/lotes"),
        ({"guide": "swift/pendientes", "kind": "failed", "product": "pagos", "channel": ""}, "swift/pendientes"),
        ({"guide": "no/hay", "kind": "slow", "product": "pagos", "channel": ""}, "pagos/lentitud"),
        ({"guide": "", "kind": "value", "product": "", "channel": "", "series": "cpu"}, "general/indicador"),
        ({"guide": None, "kind": "nuevo"}, "general/fallas"),
        ({"guide": "general", "kind": "rejected", "product": "pagos", "channel": ""}, "pagos/rechazos"),
        ({"guide": "general", "kind": "rejected", "product": "nomina", "channel": ""}, "general/rechazos"),
    ],
)
def test_the_guide_of_an_incident(incident: dict[str, str], guide: str) -> None:
    assert Guides().of(incident).id == guide


def test_where_one_channel_fails_the_other_is_offered_first() -> None:
    known = Guides()
    row = {"guide": "general/fallas", "kind": "failed", "product": "pagos"}
    direct = known.of(row | {"channel": "conexion_directa"})
    assert "Sucursal Digital" in direct.contingency[0]
    assert "Sucursal Digital" in direct.client
    assert "oficina" in known.of(row | {"channel": ""}).client
    assert "no repita" in known.of(row | {"guide": "", "kind": "pending", "channel": "conexion_directa"}).client


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_fails_too_is_not_offered(language: Code) -> None:
    """Neither by a step nor in the sentence for the client, which is the general one then; what does not need it stands first."""
    known, say = Guides(language), words(language)
    row = {"guide": "general/fallas", "kind": "failed", "product": "", "channel": "conexion_directa"}
    usual, now = known.of(row), known.of(row | {"failing": ["depositos", "sucursal_digital"]})
    branch, general = say.name("sucursal_digital"), known.get("general/fallas")
    assert general
    assert branch in usual.client
    assert usual.not_now == ()
    assert now.client == general.client
    assert now.not_now == ("sucursal_digital",)
    assert now.contingency[0] == usual.contingency[1]
    assert now.contingency[1].endswith(usual.contingency[0])
    assert now.contingency[1].startswith(NOT_NOW[language].partition("{")[0] + branch)
    assert known.of(row | {"failing": ["depositos"]}) == usual
    product = known.of(row | {"product": "pagos", "failing": ["sucursal_digital"]})
    assert product.client == general.client
    assert [step.startswith(NOT_NOW[language][:8]) for step in product.contingency] == [False] * 3 + [True] * 2
    last = known.of(row | {"channel": "nomina", "failing": ["sucursal_digital"]})
    assert last == known.of(row | {"channel": "nomina"}), "what sends nobody elsewhere stays as it is"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_fails_itself_or_is_nowhere_is_never_offered(language: Code) -> None:
    """In no guide, for no place: neither its product nor its channel."""
    known, say = Guides(language), words(language)
    for place in NAMES:
        for key in ("product", "channel"):
            row = {"kind": "failed", "product": "pagos", key: place}
            guide = known.of(row | {"nowhere": ["sucursal_digital"]})
            told = " ".join((*guide.contingency, guide.client))
            names = [
                say.name(where) for where in {"sucursal_digital", *(row.get(k, "") for k in ("product", "channel"))}
            ]
            assert [name for name in filter(None, names) if name in told] == [], (row, told)


SPOKEN = {
    "es": {"asarela": "pasarela_pagos", "nlace de pago": "pasarela_pagos", "por transferencia.": "pagos"},
    "en": {"ateway": "pasarela_pagos", "ayment link": "pasarela_pagos", "by transfer.": "pagos"},
}
"""What places are called in running text, beside their names."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_whatever_shipped_steps_name_they_use(language: Code) -> None:
    called = {words(language).name(place): place for place in NAMES} | SPOKEN[language]
    found = 0
    for file in sorted((SHIPPED / language).glob("*.toml")):
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        for part in (tables, *(value for key, value in tables.items() if isinstance(value, dict) and key != "client")):
            for offer in map(Offer.model_validate, [*part.get("contingency", []), *filter(None, [part.get("client")])]):
                named = {place for name, place in called.items() if name in offer.text} - {file.stem}
                assert named <= set(offer.uses), (file.name, offer.text)
                found += len(named)
    assert found >= 10


def test_no_rule_misses_a_guide_that_is_faulty(tmp_path: Path) -> None:
    rule = '[[rule]]\nname = "r"\nkind = "limit"\nwhen = "failed_rate > 0.05"\nguide = "nomina/fallas"\n'
    (tmp_path / "r.toml").write_text(rule)
    (tmp_path / "x.csv").write_text("timestamp,status\n")
    (tmp_path / "config.toml").write_text(
        '[monitor]\nrules = ["r.toml"]\n[sources.a]\nrole = "transactions"\nkind = "file"\npath = "x.csv"\n[words]\nguides = "guias"\n'
    )
    own = tmp_path / "guias" / "es" / "nomina.toml"
    own.parent.mkdir(parents=True)
    own.write_text("title = 7")
    said = CliRunner().invoke(app, ["check", "--config", str(tmp_path / "config.toml")])
    assert said.stderr == 'guias/es/nomina.toml: title: must be a text in "quotation marks"\n'
    own.write_text('title = "Nómina"\nclient = "Llámenos."')
    own.rename(own.with_name("otra.toml"))
    guides_of.cache_clear()
    said = CliRunner().invoke(app, ["check", "--config", str(tmp_path / "config.toml")])
    assert "there is no guide 'nomina/fallas'" in said.stderr


def test_where_nothing_of_a_guide_can_be_offered_the_general_step_goes_first(tmp_path: Path) -> None:
    (tmp_path / "es").mkdir()
    offer = '{ text = "Por swift.", uses = ["swift"] }'
    (tmp_path / "es" / "pagos.toml").write_text(f'title = "Pagos"\ncontingency = [{offer}]\nclient = {offer}\n')
    known = Guides("es", str(tmp_path))
    assert known.faults == []
    general = known.get("general/fallas")
    guide = known.get("pagos/fallas", ["swift"])
    assert general
    assert guide
    assert guide.contingency == (
        *general.contingency,
        "No lo ofrezca ahora (Swift: también con fallas): Por swift.",
    )
    assert guide.client == general.client


def test_the_catalog_names_guides_that_there_are() -> None:
    text = (Path(catalog).parent / "productos.toml").read_text(encoding="utf-8")
    named = {line.split('"')[1] for line in text.splitlines() if line.startswith("guide")}
    assert named
    assert [name for name in named - {GENERAL} if not Guides().get(name)] == []


def test_words_are_found_without_accents_or_capitals() -> None:
    found = [guide.id for guide in Guides().search("DEPOSITOS reversos")]
    assert found[0] == "depositos/reversos"
    assert Guides().search("  ") == []
    assert Guides().search("zzz") == []


def test_the_banks_place_goes_before_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "es").mkdir()
    (tmp_path / "es" / "pagos.toml").write_text(
        'title = "Pagos"\nclient = "Llámenos."\n[fallas]\nsolution = ["Uno."]\n'
    )
    (tmp_path / "es" / "nomina.toml").write_text('title = "Nómina"\n[fallas]\ntitle = "Nómina caída"\n')
    known = Guides("es", str(tmp_path))
    assert known.faults == []
    own = known.get("pagos/fallas")
    assert own
    assert (own.solution, own.client, own.title) == (("Uno.",), "Llámenos.", "Pagos: fallas por encima de lo normal")
    assert own.escalation == Guides().get("general/fallas").escalation, "what it leaves out is general's"  # type: ignore[union-attr]
    assert known.of({"kind": "failed", "product": "nomina"}).title == "Nómina caída"
    assert known.get("recaudos/fallas") == Guides().get("recaudos/fallas")


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("title = ", "guias/es/pagos.toml: is not TOML"),
        ('client = "x"', "guias/es/pagos.toml: title: is missing"),
        (
            'title = "P"\n[fallas]\nsolucion = ["x"]',
            "guias/es/pagos.toml: fallas.solucion: no such key; did you mean 'solution'?",
        ),
        ('title = "P"\nclient = {uses = ["x"]}', "guias/es/pagos.toml: client.text: is missing"),
        ('title = "P"\ncontingency = [7]', "guias/es/pagos.toml: contingency[0]: must be"),
        (
            'title = "P"\ncontingency = [{text = "x", usa = ["x"]}]',
            "guias/es/pagos.toml: contingency[0].usa: no such key",
        ),
        (
            'title = "P"\n[fallas]\nsolution = ["x", {text = "x", uses = ["app"]}]',
            'guias/es/pagos.toml: fallas.solution[1]: must be a text in "quotation marks"; { text = ..., uses = [...] } is for contingency',
        ),
        ('title = "P"\nsolution = "x"', "guias/es/pagos.toml: solution: must be a list"),
    ],
)
def test_a_bad_guide_is_told_and_the_shipped_one_stands(tmp_path: Path, source: str, fault: str) -> None:
    (tmp_path / "guias" / "es").mkdir(parents=True)
    (tmp_path / "guias" / "es" / "pagos.toml").write_text(source)
    known = Guides("es", str(tmp_path / "guias"))
    (told,) = known.faults
    assert str(told).startswith(fault)
    assert known.get("pagos/fallas") == Guides().get("pagos/fallas")


def test_pages_of_all_guides_and_of_one(store: Store) -> None:
    server = serve(web(store), "127.0.0.1:0")

    def page(path: str) -> requests.Response:
        return requests.get(server.address + path, timeout=60)

    try:
        every, some, one, missing = map(
            page, ("/guias", "/guias?q=depositos+reversos", "/guias/pagos/fallas", "/guias/no/hay")
        )
    finally:
        server.stop()
    assert every.status_code == 200
    assert 'href="/guias/pagos/fallas"' in every.text
    assert "depositos/reversos" in some.text
    assert "swift" not in some.text
    assert "Primera solución" in one.text
    assert "antes de la hora de corte" in one.text
    assert missing.status_code == 404
    assert "no hay una guía" in missing.text


def test_a_guides_page_does_not_offer_what_fails_now(store: Store) -> None:
    scope = Scope("", "sucursal_digital")
    branch = replace(INCIDENTS[0], id="AF-20260303T1510-ffffff", scope=scope, reach=scope)
    store.commit(Step(changes=Changes(incidents={branch.id: branch})), NOW)
    server = serve(web(store), "127.0.0.1:0")
    try:
        text = requests.get(server.address + "/guias/conexion_directa/fallas", timeout=60).text
    finally:
        server.stop()
    assert "No lo ofrezca ahora (Sucursal Digital: también con fallas)" in text
    assert "puede hacerlo por la Sucursal Digital" not in text
