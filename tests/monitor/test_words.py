"""Words made of facts: every template for every kind of news; nobody else's client; no jargon for clients; nobody left untold."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import Action as Todo
from alerts import Changes, Client, Decision, Impact, Touch
from monitor import people
from monitor.blocks import Words
from monitor.facts import Recipient, breach_facts, digest_facts, incident_facts
from monitor.guides import SECTIONS, Guides
from monitor.languages import Code
from monitor.rehearsal import LANGUAGES, rehearsed, sample_incident, samples
from monitor.store import Step
from monitor.words import SHIPPED, rendered
from tests.monitor.conftest import ACEROS, CLIENTS, NOW, PAYMENTS, SLOW, ago

if TYPE_CHECKING:
    from monitor.store import Store

SHIPPED_WORDS = Words()
JARGON = (
    *(
        "NIT",
        "AF-",
        "E504",
        "VG-",
        "N1",
        "N2",
        "N3",
        "ANS",
        "SLA",
        "API",
        "score",
        "regla",
        "umbral",
        "latencia",
        "código",
        "posventa",
        "seat",
    ),
    *(
        "rule",
        "threshold",
        "latency",
        "code",
        "error",
        "incidente",
        "incident",
        "severidad",
        "severity",
        "prioridad",
        "priority",
        "backend",
    ),
    *(
        "conexion_directa",
        "sucursal_digital",
        "pasarela_pagos",
        "torre",
        "soporte",
        "afectación",
        "afectado",
        "http",
        "post-sale",
    ),
)
"""What a client must not have to read."""


class Marks(HTMLParser):
    """Which marks a page opens and closes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def letter(text: str) -> str:
    """What of a plain text is for the client."""
    return re.split(r"^-----.*-----$", text, flags=re.MULTILINE)[1]


def facts(
    language: Code = "es", way: str = "failed", event: str = "first", words: str = "plain", **more: Any
) -> dict[str, Any]:
    made = {"language": language, "at": "2026-03-03T15:30:00+00:00", "event": event, "why": [], "words": words}
    return made | sample_incident(way, "critical", event) | more


# ---- every template ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_template_renders_for_every_news_way_severity_and_event(language: Code) -> None:
    seen = set()
    for told in samples(language):
        found = rendered(told, SHIPPED_WORDS)
        seen.add((told["news"], told["words"]))
        assert found.faults == (), told
        assert found.subject
        assert "\n" not in found.subject
        assert len(found.subject) < 200
        for part in (found.subject, found.text, found.html):
            assert not re.search(r"\{\{|\}\}|\{%|%\}|\{#|Undefined|None\b|datetime", part), part
        assert not re.search(r"\n\n\n| \n", found.text)
    assert len(seen) == 6


@pytest.mark.parametrize("language", LANGUAGES)
def test_html_is_whole_and_asks_nothing_from_elsewhere(language: Code) -> None:
    for told in samples(language, ways=["failed"], severities=["major"]):
        page = Marks(rendered(told, SHIPPED_WORDS).html)
        assert page.open == []
        assert {tag for tag, _ in page.seen} & {"script", "img", "link", "iframe", "form"} == set()
        assert all(not name.startswith("on") and name != "src" for _, attrs in page.seen for name in attrs)


def test_what_is_shipped_has_the_same_templates_in_both_languages() -> None:
    es, en = ({file.name for file in (SHIPPED / language).iterdir()} for language in LANGUAGES)
    assert es == en


def test_the_samples_have_the_keys_of_true_facts(store: Store) -> None:
    n1 = Recipient("correo", "posventa1@banco.example", "plain", "es", "post_sale")
    true = incident_facts(store, PAYMENTS, n1, NOW)
    made = sample_incident("failed", "critical", "first")
    assert made["incident"].keys() == true["incident"].keys()
    assert made["clients"].keys() == true["clients"].keys()
    assert made["clients"]["own"][0].keys() == true["clients"]["own"][0].keys()
    assert made["clients"]["own"][0]["case"].keys() == true["clients"]["own"][0]["case"].keys()
    people.acknowledge(store, PAYMENTS, "Ana", "", NOW)
    assert made["done"][0].keys() == incident_facts(store, PAYMENTS, n1, NOW)["done"][0].keys()
    assert made.keys() == true.keys() - {"schema", "words", "language", "at"}
    assert made["incident"]["signals"][0].keys() - {"client_id"} == true["incident"]["signals"][0].keys()
    late = [case | {"clock": "breached", "due_at": ago(1)} for case in people.cases(store)]
    sample = next(told for told in samples("es") if told["news"] == "breach" and told["cases"])
    assert sample["cases"][0].keys() == breach_facts(store, late, n1, NOW)["cases"][0].keys()
    listed = digest_facts(store, [PAYMENTS], ago(60), NOW, n1, NOW)
    sample = next(told for told in samples("es") if told["news"] == "digest" and told["incidents"])
    assert listed["incidents"][0].keys() <= sample["incidents"][0].keys()


# ---- what the client reads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("event", ["first", "update", "end"])
@pytest.mark.parametrize("way", SECTIONS)
def test_the_client_reads_no_jargon_and_nobodys_name(language: Code, event: str, way: str) -> None:
    told = letter(rendered(facts(language, way, event), SHIPPED_WORDS).text)
    for word in JARGON:
        assert not re.search(rf"\b{re.escape(word)}", told, re.IGNORECASE), (word, told)
    assert "Cliente de Ejemplo" not in told
    assert "_" not in told
    assert told.strip().startswith(("Apreciado cliente", "Dear client"))
    if event == "end":
        assert re.search("normalidad|normally", told)
    else:
        assert re.search("a más tardar|at the latest", told), "when the next news comes"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_guide_speaks_jargon_to_a_client(language: Code) -> None:
    for guide in Guides(language):
        for word in JARGON:
            assert not re.search(rf"\b{re.escape(word)}", guide.client, re.IGNORECASE), (guide.id, word)


def test_the_clients_text_says_what_since_when_what_is_done_what_to_use_and_when_more_comes() -> None:
    told = letter(rendered(facts(), SHIPPED_WORDS).text)
    assert "Desde las 10:30 de hoy, algunas operaciones de Pagos por Conexión Directa no se están completando." in told
    assert "el equipo responsable ya fue avisado" in told
    assert "por la Sucursal Digital" in told
    assert "a más tardar a las 11:00" in told
    on_it = facts()
    on_it["incident"]["acknowledged_by"] = "Ana"
    assert "ya está trabajando" in letter(rendered(on_it, SHIPPED_WORDS).text)


def test_operations_in_doubt_are_told_to_the_client_only_where_there_is_but_one() -> None:
    several = facts(event="end")
    assert "TX-1" not in letter(rendered(several, SHIPPED_WORDS).text)
    assert "TX-1" in rendered(several, SHIPPED_WORDS).text, "the assistant has them, by client"
    alone = facts(event="end")
    alone["clients"] |= {"own": several["clients"]["own"][:1], "own_more": 0}
    assert "TX-1" in letter(rendered(alone, SHIPPED_WORDS).text)


def test_times_are_the_banks() -> None:
    assert "10:30" in rendered(facts(), SHIPPED_WORDS).text
    assert "15:30" in rendered(facts(), SHIPPED_WORDS, zone=ZoneInfo("UTC")).text


# ---- nobody else's client ------------------------------------------------------------------------------------------

MAIL = st.sampled_from(["ana@banco.example", "luz@banco.example", ""])
PORTFOLIO = st.lists(
    st.tuples(MAIL, MAIL, st.sampled_from(list(Touch)), st.sampled_from(list(Todo))), min_size=1, max_size=8
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PORTFOLIO, st.sampled_from(["post_sale", "manager", ""]), st.sampled_from(LANGUAGES))
def test_no_rendering_names_a_client_of_somebody_else(store: Store, portfolio: Any, role: Any, language: Code) -> None:
    crowd = [
        Client(str(877000100 + i), f"Empresa Ñu{i}x", "pyme", post_sale=post_sale, manager=manager)
        for i, (post_sale, manager, _, _) in enumerate(portfolio)
    ]
    touched = [touch for _, _, touch, _ in portfolio]
    hits = [
        Impact(PAYMENTS, c.client_id, "pagos", touch, 2, priority=9) for c, touch in zip(crowd, touched, strict=True)
    ]
    todo = [
        Decision(f"VG-{PAYMENTS}-{c.client_id}", PAYMENTS, c.client_id, "pagos", action, "r", NOW, 9, "d", f"SP-{i}")
        for i, (c, (_, _, _, action)) in enumerate(zip(crowd, portfolio, strict=True))
    ]
    changes = Changes(impacts={(h.incident_id, h.client_id, ""): h for h in hits}, decisions={d.key: d for d in todo})
    store.commit(Step(clients=crowd, changes=changes), NOW)
    people.note(store, PAYMENTS, "Mesa", " y ".join(f"{c.name} (NIT {c.client_id})" for c in crowd), NOW)
    late = [case | {"clock": "breached", "due_at": ago(1)} for case in people.cases(store, incident_id=PAYMENTS)]
    mine = {c.client_id for c in crowd if role and getattr(c, role) == "ana@banco.example"}
    for words in ("technical", "plain"):
        ana = Recipient("correo", "ana@banco.example", words, language, role)
        told = [
            incident_facts(store, PAYMENTS, ana, NOW),
            digest_facts(store, [PAYMENTS, SLOW], ago(60), NOW, ana, NOW),
        ]
        told += [breach_facts(store, late, ana, NOW)]
        for one in told:
            found = rendered(one, SHIPPED_WORDS)
            for text in (str(one), found.subject, found.text, found.html):
                for client in (*crowd, *CLIENTS):
                    hidden = client.client_id not in mine
                    digits = re.sub(r"(?<=\d)[.,](?=\d{3})", "", text)
                    assert not (hidden and (client.name in text or client.client_id in digits)), (client, text)


def test_a_clients_name_is_no_markup(store: Store) -> None:
    store.commit(Step(clients=[Client(ACEROS, "<script>alert(1)</script> & Cía", "pyme", post_sale="a@b")]), NOW)
    people.note(store, PAYMENTS, "<b>Mesa</b>", "<img src=x>", NOW)
    for words in ("technical", "plain"):
        told = incident_facts(store, PAYMENTS, Recipient("c", "a@b", words, "es", "post_sale"), NOW)
        found = rendered(told, SHIPPED_WORDS)
        assert "<script>alert(1)</script> & Cía" in found.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Cía" in found.html
        assert not re.search("<script|<img|<b>Mesa", found.html)


# ---- the bank's own ------------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "plantillas" / "es").mkdir(parents=True)
    return tmp_path / "plantillas"


def test_the_banks_template_goes_before_the_shipped_one_file_by_file(own: Path) -> None:
    (own / "es" / "incident.plain.subject").write_text("Banco: {{ w.place(incident) }}")
    (own / "es" / "letter.text").write_text("Hola.\n\n{{ guide.client }}")
    found = rendered(facts(), Words(templates=str(own)))
    assert found.subject == "Banco: Pagos · Conexión Directa"
    assert letter(found.text).strip().startswith("Hola.")
    assert "Hola.</p>" in found.html, "the forwardable part is one, in text and HTML"
    assert rendered(facts("en"), Words(templates=str(own))).subject.startswith("Tell 6 clients of yours: ")
    assert rehearsed(Words(templates=str(own))) == []


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        ("una\n{{ incident.nada }}", "line 2", "no attribute 'nada'"),
        ("{{ nada }}", "line 1", "'nada' is undefined"),
        ("{% if %}", "line 1", "Expected an expression"),
        ("a\nb\n{% for x in y", "line 3", "unexpected end of template"),
        ("{{ 1 / 0 }}", "line 1", "ZeroDivisionError"),
        ("{{ ''.__class__.__mro__ }}", "line 1", "unsafe"),
        ("{% for i in range(10 ** 9) %}x{% endfor %}", "line 1", "OverflowError"),
        ("{% include 'nada.text' %}", "line 1", "nada.text"),
    ],
)
def test_a_template_that_cannot_be_used_is_told_and_the_shipped_one_is_sent(
    own: Path, source: str, line: str, what: str
) -> None:
    (own / "es" / "incident.plain.text").write_text(source)
    words = Words(templates=str(own))
    found = rendered(facts(), words)
    assert found.text == rendered(facts(), SHIPPED_WORDS).text
    (fault,) = found.faults
    assert (fault.file, fault.key) == ("es/incident.plain.text", line)
    assert what in fault.what
    assert fault in rehearsed(words), "and `vigia check` says so beforehand"


def test_a_broken_frame_leaves_no_message_without_html(own: Path) -> None:
    (own / "es" / "frame.html").write_text("{% block body %}{% endblock %}{{ falta }}")
    found = rendered(facts(), Words(templates=str(own)))
    assert found.html == rendered(facts(), SHIPPED_WORDS).html
    assert [fault.file for fault in found.faults] == ["es/frame.html"]


def test_a_fault_is_logged_without_what_it_was_about(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own / "es" / "incident.plain.text").write_text("{{ clients.own[0].client + 1 }}")
    assert rendered(facts(), Words(templates=str(own))).faults
    said = "".join(capsys.readouterr())
    assert "incident.plain.text" in said
    assert "Cliente de Ejemplo" not in said


def test_facts_that_even_the_shipped_templates_do_not_know_are_told_barely() -> None:
    less = facts()
    del less["clients"]
    found = rendered(less, SHIPPED_WORDS)
    assert found.subject == "Vigía: AF-20260303T1505-a1b2c3"
    assert found.text == "Vigía: AF-20260303T1505-a1b2c3 https://vigia.banco.example/incident"
    assert found.faults


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("incident.plain.text", "stands in no language's folder"),
        ("es/incidente.plain.text", "no such template"),
    ],
)
def test_a_file_that_would_never_be_used_is_told(own: Path, file: str, what: str) -> None:
    (own / file).write_text("x")
    (fault,) = rehearsed(Words(templates=str(own)))
    assert what in fault.what
    assert fault.file.endswith(file)


def test_what_was_measured_is_named_and_segments_have_plurals() -> None:
    told = facts(words="technical", event="update", why=["clients"])
    told["clients"] = told["clients"] | {"segments": {"corporativo": 20, "empresarial": 16, "pyme": 7, "gobierno": 1}}
    told["incident"]["signals"] = [told["incident"]["signals"][0] | {"value": n / 10} for n in range(1, 6)]
    text = rendered(told, SHIPPED_WORDS).text
    assert "Operaciones con fallas: 23,1 %; lo usual: 1,2 %" in text
    assert "20 corporativos, 16 empresariales, 7 pymes, 1 gobierno" in text
    assert text.count("Ahora:") == 3
    assert "pide ingreso" not in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("way", SECTIONS)
def test_no_client_is_told_of_more_than_usual(language: Code, way: str) -> None:
    for event in ("first", "update", "end"):
        said = letter(rendered(facts(language, way, event), SHIPPED_WORDS).text)
        assert not re.search("de lo habitual|than usual", said)
        assert not re.search("Actualización: [A-Z]|Update: [A-Z]", said)
