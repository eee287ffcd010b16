"""A request as its headers have it: from where, for which host, with which credentials. None of it is believed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from monitor.access import Access, address

LONGEST = 4096
"""Signs of a header that says who asks; what is longer says nobody."""


class Malformed(ValueError):  # noqa: N818 - it says what it is
    """Headers that no honest program sends, in words."""


class Asked:
    """One request. peer: the other end of the connection; address: who asked, by the word of a trusted proxy where there is one."""

    def __init__(self, scope: Mapping[str, Any], access: Access) -> None:
        self._headers: Sequence[tuple[bytes, bytes]] = scope.get("headers", ())
        self.method: str = scope["method"].upper()
        self.path: str = scope["path"]
        client = scope.get("client")
        self.peer = str(client[0]) if client else ""
        self.trusted = access.trusts(self.peer)
        self.address = self._source(access) if self.trusted else self.peer
        scheme = self._one("x-forwarded-proto") if self.trusted else ""
        self.https = (scheme or str(scope.get("scheme", "http"))) == "https"
        self.host = self._one("host").lower()
        self.forwarded = any(self._all(name) for name in ("x-forwarded-for", "forwarded", "x-forwarded-host"))
        self.named = self._one(access.header) if access.header and self.trusted else ""

    @property
    def is_page(self) -> bool:
        """Whether a person reads the answer."""
        return not self.path.startswith(("/api/", "/-/", "/metrics"))

    @property
    def token(self) -> str | None:
        """The bearer token, '' where it is too long; None without one: a proxy may bring what it was itself given, by another scheme."""
        scheme, _, token = self._one("authorization").partition(" ")
        if scheme.lower() != "bearer":
            return None
        return token.strip() if len(token) <= LONGEST else ""

    @property
    def content(self) -> str:
        """The type of its body."""
        return self._one("content-type").partition(";")[0].strip().lower()

    @property
    def length(self) -> int | None:
        """Of its body, where it says."""
        said = self._one("content-length")
        if said and not (said.isascii() and said.isdigit()):
            raise Malformed("Content-Length no es un número")
        return int(said) if said and len(said) < len("1000000000000") else LONGEST**3 if said else None

    @property
    def referer(self) -> str:
        """The page that a browser says it comes from."""
        return (self._all("referer") or [""])[0]

    @property
    def guard(self) -> str:
        """The mark against forged requests, where a script brings it."""
        return self._one("x-csrf-token")

    def cookie(self, name: str) -> str:
        """'' without it."""
        found = ""
        for said in self._all("cookie"):
            jar: SimpleCookie = SimpleCookie()
            try:
                jar.load(said[: 4 * LONGEST])
            except CookieError:
                continue
            found = jar[name].value if name in jar else found
        return found

    def from_our_own_page(self, address: str) -> bool:
        """Whether a browser says that the request was made by a page of ours: by what it fetches for, or by where from.

        address: by which people reach us.
        """
        if site := self._one("sec-fetch-site"):
            return site == "same-origin"
        where = self._one("origin") or self._one("referer")
        try:
            parts = urlsplit(where)
            ours = {(self.host, "https" if self.https else "http")}
            if address:
                ours.add((urlsplit(address).netloc.lower(), urlsplit(address).scheme))
        except ValueError:
            return False
        return (parts.netloc.lower(), parts.scheme) in ours and bool(parts.netloc)

    @property
    def from_elsewhere(self) -> bool:
        """Whether a browser came by a link on somebody else's page, or in a mail: then it keeps strict cookies to itself."""
        return self._one("sec-fetch-site") == "cross-site"

    def _source(self, access: Access) -> str:
        """The last address on the way that is not one of our proxies."""
        way = [part.strip() for said in self._all("x-forwarded-for") for part in said.split(",")]
        for part in reversed(way):
            if address(part) is None:
                break
            if not access.trusts(part):
                return part
        return self.peer

    def _all(self, name: str) -> list[str]:
        wanted = name.encode("latin-1")
        return [value.decode("latin-1") for key, value in self._headers if key.lower() == wanted]

    def _one(self, name: str) -> str:
        found = self._all(name)
        if len(found) > 1:
            raise Malformed(f"{name} viene {len(found)} veces")
        return found[0].strip() if found else ""
