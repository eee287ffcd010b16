"""CSV answers: a page of rows, each with its number, and what could not be read."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from connectors import SourceError, delimited

if TYPE_CHECKING:
    from connectors.since import Row

_OTHER = re.compile(r"\s*(?:<!doctype|<html|<\?xml|\{\s*[\"}]|\[\s*[\[{\]])", re.IGNORECASE)
"""How a web page, XML or JSON begins."""
_NO_NAME = re.compile(r"[{}<>]|.{120}")
"""No column is called so."""


class Sheet:
    """How a whole CSV text is read; the first line is its header. Raises ValueError, beginning with the option, if it cannot be so."""

    def __init__(self, delimiter: str = ",", encoding: str = "utf-8") -> None:
        delimited.check_delimiter(delimiter)
        try:
            self._encoding = codecs.lookup(encoding).name
        except LookupError:
            raise ValueError(f"encoding: there is no {encoding!r}") from None
        self._delimiter = delimiter

    def rows(self, text: bytes, place: str) -> tuple[list[Row], list[tuple[int, str, bytes]], list[str]]:
        """Rows with their numbers from 0, cells as text; (number, why, text) of those that cannot be read; and the names of the header.

        Raises SourceError, which begins with `place`, if it is no CSV of this encoding.
        """
        try:
            plain = text.decode(self._encoding).removeprefix("\ufeff")
        except UnicodeError as error:
            at = f": byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
            raise SourceError(f"{place}: the answer is not {self._encoding}{at}", fault="unreadable") from None
        if _OTHER.match(plain):
            raise SourceError(f"{place}: the answer is a web page or JSON, not CSV", fault="unreadable")
        if not plain.strip():
            raise SourceError(f"{place}: the answer is empty, without the header of a CSV", fault="unreadable")
        chunk = plain.encode()
        if not chunk.endswith(b"\n"):
            chunk += b"\n"
        first = chunk.find(b"\n") + 1
        names = delimited.header(chunk[:first].decode().rstrip("\r\n"), self._delimiter)
        if any(_NO_NAME.search(name) for name in names):  # told without it: it may hold anything
            raise SourceError(f"{place}: the answer's first line is no header of a CSV", fault="unreadable")
        body = chunk[first:]
        end = delimited.whole(body, self._delimiter)
        table, malformed = delimited.parse(body, end, names, self._delimiter, len(body))
        wrong, texts = dict(malformed.told), body.split(b"\n")
        lines = list(delimited.records(body, end, self._delimiter))
        numbers = [number for number, line in enumerate(lines) if line not in wrong]
        told = [(number, wrong[line], texts[line]) for number, line in enumerate(lines) if line in wrong]
        if len(numbers) != table.num_rows:  # an empty line, or a line that would be a guess
            numbers = list(range(table.num_rows))
            told = [(number, why, texts[line]) for number, (line, why) in enumerate(wrong.items())]
        if body[end:].strip():
            told.append((len(lines), "a quotation mark is never closed", body[end:]))
        return list(zip(numbers, table.to_pylist(), strict=True)), told, names
