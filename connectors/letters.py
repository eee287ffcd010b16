"""Messages that are cases: how ours are written, and what is read out of one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from connectors import Case
from connectors.fields import FORM
from connectors.markup import Markup
from connectors.roles import ROLES

KEY = "Clave"
"""The word is one for a password too: only a key's form after it is one. Whoever quotes ours quotes it: it proves nothing."""
LONGEST = 128 << 10
"""Characters that are read of a message: what it says comes before what is quoted below it."""
LINES = {
    "client_id": "NIT", "product": "Producto", "channel": "Canal", "kind": "Tipo", "typology": "Tipología",
    "status": "Estado", "level": "Nivel",
}  # fmt: skip
"""Our name -> the word before it, on a line of its own."""


def letter(case: Case) -> str:
    """The case as HTML, its facts on lines of their own, so that it is read back as what it is."""
    facts = {word: str(getattr(case, name, "")) for name, word in LINES.items()} | {KEY: case.key}
    lines = [
        *case.body.split("\n"),
        *case.note.split("\n"),
        *(f"{word}: {said}" for word, said in facts.items() if said),
    ]
    return "".join(f"<p>{escape(line)}</p>" for line in lines if line)


class Letters:
    """What is read out of a message. extract: ours -> a pattern with one group, in place of the line that says it.

    Raises ValueError, beginning with the option, for what is no such pattern.
    """

    def __init__(self, extract: Mapping[str, str] | None) -> None:
        self._patterns = {name: _line(word) for name, word in LINES.items()}
        self._key = re.compile(rf"^{KEY}: *({FORM})$", re.MULTILINE)
        for name, pattern in (extract or {}).items():
            if name not in ROLES["cases"].names:
                raise ValueError(
                    f"extract.{name}: a case has no such field; there are: {', '.join(ROLES['cases'].names)}"
                )
            try:
                made = re.compile(pattern, re.IGNORECASE | re.MULTILINE)
            except re.error as error:
                raise ValueError(f"extract.{name}: {error}") from None
            if made.groups != 1:
                raise ValueError(f"extract.{name}: must have one group, which is what is read")
            self._patterns[name] = made

    def read(self, subject: str, content: str) -> dict[str, Any]:
        """Our columns, of what is there. ValueError if it cannot be read."""
        text = f"{subject}\n{Markup(content[:LONGEST]).text}"
        found = {name: said[1].strip() for name, pattern in self._patterns.items() if (said := pattern.search(text))}
        return {"subject": subject, **found}

    def key(self, content: str) -> str:
        """Our key in a message, or ''; one that cannot be read is none of ours."""
        try:
            found = self._key.search(Markup(content[:LONGEST]).text)
        except ValueError:
            return ""
        return found[1].strip() if found else ""


def _line(word: str) -> re.Pattern[str]:
    return re.compile(rf"^{word}: *(.+)$", re.IGNORECASE | re.MULTILINE)
