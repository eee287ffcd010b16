"""The pages' words: Spanish stands in the templates, English in `english.toml` beside this file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path


@cache
def catalogue() -> dict[str, str]:
    """Spanish to English."""
    return tomllib.loads((Path(__file__).parent / "english.toml").read_text(encoding="utf-8"))["words"]  # type: ignore[no-any-return]


def worded(lang: str) -> Callable[[str], str]:
    """How a text reads; one that was not translated stays Spanish."""
    return (lambda text: catalogue().get(text, text)) if lang == "en" else str


def plural_in(lang: str) -> Callable[[str, str, int], str]:
    """How a text reads of so many."""
    say = worded(lang)
    return lambda one, more, many: say(one if many == 1 else more)
