"""Links of an API to its next page, kept without what we add to its requests ourselves: a key of ours may be among it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote_plus, urlsplit, urlunsplit

from connectors.addresses import joined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.session import Session

Place = list[Any]
"""["link", address] or, where something of ours was taken out of its query, ["link", address, [[position, name], ...]]."""
SHORT = 6
"""Digits of a number that is no key."""


class Links:
    """Of the list at `url`, asked for with `params`; both may hold a key, which is put back when the page is asked for."""

    def __init__(self, session: Session, url: str, params: Mapping[str, str]) -> None:
        self._session, self._url = session, url
        self._ours = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)) | dict(params)

    def kept(self, link: str, page: Place | None) -> Place:
        """A link on the page that lies at `page` (None: the first). Raises SourceError where it leads to another server."""
        address = joined(self.whole(page) if page else self._url, link)
        self._session.stays(address)
        parts = urlsplit(address)
        pieces = parts.query.split("&")
        names = [self._named(piece) for piece in pieces]
        left = "&".join(piece for piece, name in zip(pieces, names, strict=True) if name is None)
        taken = [[[i, name] for i, name in enumerate(names) if name is not None]]
        return ["link", urlunsplit(parts._replace(query=left)), *filter(None, taken)]

    def whole(self, page: Place) -> str:
        """The address of a page that was kept."""
        _, address, *taken = page
        if not taken:
            return str(address)
        parts = urlsplit(address)
        pieces = parts.query.split("&") if parts.query else []
        for i, name in taken[0]:
            if name in self._ours:
                pieces.insert(i, f"{quote(name, safe='')}={quote(self._ours[name], safe='')}")
        return urlunsplit(parts._replace(query="&".join(pieces)))

    def _named(self, piece: str) -> str | None:
        """The parameter of ours that a piece of a query repeats."""
        name, _, value = map(unquote_plus, piece.partition("="))
        # A short number is no key; and where it is a page's size, the link counts in pages of that size.
        return name if self._ours.get(name) == value and not (value.isdecimal() and len(value) <= SHORT) else None
