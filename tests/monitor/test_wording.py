"""Every text of the pages has its English."""

from __future__ import annotations

import re

from jinja2 import Environment

from monitor.web.page import HERE
from monitor.web.wording import catalogue, worded

ONE_LANGUAGE = {"reference.html", "entrar.html", "guide.html", "guides.html", "handover.html"}
"""In English, as the API is; and what is in Spanish alone, as the bank's guides are."""


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
        if template.name in ONE_LANGUAGE:
            continue
        bare = re.sub(r"{[{%#].*?[}%#]}", "", template.read_text(encoding="utf-8"), flags=re.DOTALL)
        words = re.findall(r">[^<>]*?([A-Za-zÁ-ú]{4,})[^<>]*?<", bare)
        assert set(words) <= {"Vigía", "Enter", "Español", "English"}, template.name
