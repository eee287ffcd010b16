"""Every text of the pages has its English."""

from __future__ import annotations

import ast
import re

import pytest
from jinja2 import Environment

from monitor.languages import Code
from monitor.web.page import HERE, _pages
from monitor.web.wording import catalogue, explained, worded

SAID_IN = (
    "handover.py",
    "people.py",
    "casework.py",
    "portrait.py",
    "seeing.py",
    "web/guides.py",
    "web/gate.py",
    "web/viewer.py",
    "web/asked.py",
)
"""The modules whose refusals people read on a page."""
REFUSALS = {"Refused", "Unknown", "Conflict", "Hidden", "Forbidden", "Refusal", "Malformed"}


def texts() -> set[str]:
    """What the templates say, as it stands there."""
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    found: set[str] = set()
    for template in (HERE / "templates").glob("*.html"):
        for _, _, message in environment.extract_translations(template.read_text(encoding="utf-8")):  # type: ignore[attr-defined]
            found |= {message} if isinstance(message, str) else {part for part in message if part}
    return found


def test_every_text_is_in_the_catalogue_and_nothing_else() -> None:
    assert texts() == set(catalogue())


def test_what_is_filled_in_is_the_same_in_both_languages() -> None:
    holes = re.compile(r"%(?:\(\w+\)s|%)")
    for spanish, english in catalogue().items():
        assert sorted(holes.findall(spanish)) == sorted(holes.findall(english)), spanish


def test_a_text_without_english_stays_spanish() -> None:
    assert worded("en")("Esto no está") == "Esto no está"
    assert worded("es")("Ninguna.") == "Ninguna."


def test_no_spanish_stands_bare_in_a_template() -> None:
    for template in (HERE / "templates").glob("*.html"):
        bare = re.sub(r"{[{%#].*?[}%#]}", "", template.read_text(encoding="utf-8"), flags=re.DOTALL)
        words = re.findall(r">[^<>]*?([A-Za-zÁ-ú]{4,})[^<>]*?<", bare)
        assert set(words) <= {"Vigía", "Enter", "Español", "English", "openapi"}, template.name


def refusals() -> set[str]:
    """What the code says of why something cannot be, with `x1`, `x2`, ... for what it fills in."""
    found = set()
    for name in SAID_IN:
        for node in ast.walk(ast.parse((HERE.parent / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REFUSALS:
                (words,) = [arg for arg in node.args if isinstance(arg, ast.JoinedStr) or _text(arg)] or [None]
                if isinstance(words, ast.JoinedStr):
                    parts = [str(_text(part)) if _text(part) else f"x{n}" for n, part in enumerate(words.values)]
                    found.add("".join(parts))
                elif words:
                    found.add(str(_text(words)))
    return found


def _text(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def test_why_something_cannot_be_is_told_in_english_too() -> None:
    said = refusals()
    assert len(said) > 30
    assert {words for words in said if explained("en")(words) is None} == set()


def test_what_a_refusal_names_stays_in_it() -> None:
    assert explained("en")("no hay una afectación «AF-1»") == "there is no incident “AF-1”"
    assert explained("es")("no hay una afectación «AF-1»") == "no hay una afectación «AF-1»"
    assert explained("en")("algo que no está") is None
    assert explained("en")("ninguna fuente responde: core: away") == "no source answers: core: away"


@pytest.mark.parametrize(("lang", "words"), [("es", "1.186 casos"), ("en", "1,186 cases")])
def test_how_many_is_written_as_numbers_are(lang: Code, words: str) -> None:
    page = _pages[lang].from_string('{{ ngettext("%(num)s caso", "%(num)s casos", many) }}')
    assert page.render(many=1186) == words
    assert page.render(many=1).startswith("1 ca")
