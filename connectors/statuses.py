"""A tool's words for how things stand, as the classes that we know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.distinct import Distinct
from connectors.roles import STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa


class Statuses:
    """given: class -> their words for it (none: our own class names are theirs). Raises ValueError, beginning with the option."""

    def __init__(self, given: Mapping[str, list[str]] | None) -> None:
        self._classes = _classes(given)

    def read(self, words: pa.ChunkedArray) -> tuple[pa.ChunkedArray, dict[str, int]]:
        """The words as classes; and those that no class names, which are `other`, with their number of rows."""
        found = Distinct(words)
        known = [self._classes.get(word.casefold()) for word in found.texts]
        unknown = {n: word for n, word in enumerate(found.texts) if word and known[n] is None}
        return found.replaced([one or "other" for one in known]), found.counted(unknown)


def _classes(given: Mapping[str, list[str]] | None) -> dict[str, str]:
    """Their word, in small letters -> class."""
    if not given:
        return {name: name for name in STATUSES}
    classes: dict[str, str] = {}
    for name, words in given.items():
        if name not in STATUSES:
            raise ValueError(f"status.{name}: there is no such class; there are: {', '.join(STATUSES)}")
        for word in words:
            if classes.setdefault(word.strip().casefold(), name) != name:
                raise ValueError(f"status: {word!r} is both {classes[word.strip().casefold()]} and {name}")
    return classes
