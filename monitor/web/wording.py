"""The pages' words: Spanish stands in the templates, English in `english.toml` beside this file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path


@cache
def _read() -> dict[str, dict[str, str]]:
    return tomllib.loads((Path(__file__).parent / "english.toml").read_text(encoding="utf-8"))


def catalogue() -> dict[str, str]:
    """Spanish to English."""
    return _read()["words"]


@cache
def _troubles() -> list[tuple[re.Pattern[str], str]]:
    """What is said of why something cannot be: the sentence, with whatever stands in its holes (%1, %2, ...), and its English."""
    return [
        (re.compile(re.sub(r"%([0-9])", r"(?P<h\1>.*?)", re.escape(text)), re.DOTALL), english)
        for text, english in _read()["troubles"].items()
    ]


def explained(lang: str) -> Callable[[str], str | None]:
    """Why something cannot be, in the reader's language; None where that is not known in it."""

    def told(words: str) -> str | None:
        if lang != "en":
            return words
        for pattern, english in _troubles():
            if found := pattern.fullmatch(words):
                return re.sub(r"%([0-9])", lambda hole: found[f"h{hole[1]}"], english)
        return None

    return told


def worded(lang: str) -> Callable[[str], str]:
    """How a text reads; one that was not translated stays Spanish."""
    return (lambda text: catalogue().get(text, text)) if lang == "en" else str


def plural_in(lang: str) -> Callable[[str, str, int], str]:
    """How a text reads of so many."""
    say = worded(lang)
    return lambda one, more, many: say(one if many == 1 else more)
