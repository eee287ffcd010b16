"""Whether a form takes what a case sends it, found out before there is a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors import SourceError
from connectors.addresses import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.browser import Browser
    from connectors.fields import Fields

OPENING, CHANGING = ("abierto",), ("afectación superada", "retirado")
"""Our words for a status, as a case is opened and as it is changed."""


def fits(browser: Browser, where: str, sent: Fields, names: Sequence[str], words: Sequence[str]) -> None:
    """Raises SourceError where the form at `where` lacks the field of one of our `names`, or its list of statuses one of our `words`."""
    written = sent.written
    form = browser.form(where, [written[name] for name in names if written.get(name)])
    field = written.get("status", "")
    if "status" not in names or (there := form.choices.get(field)) is None:
        return
    theirs = {word: sent.statuses.get(word, "") if sent.statuses else word for word in words}
    if lacking := [word for word, said in theirs.items() if said and said not in there]:
        needed = ", ".join(f'"{word}" = "..."' for word in lacking)
        raise SourceError(
            f"{shown(where)}: its list {field!r} takes: {', '.join(filter(None, there))}; say which of them it is:"
            f" statuses = {{ {needed} }}",
            permanent=True,
            fault="refused",
        )
