"""One HTTP request and its answer: how long it may take, how much it may be, and what went wrong with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from connectors import SourceError, nested
from connectors.addresses import LOOPBACK
from connectors.broken import causes
from connectors.deadline import Punctual
from connectors.refused import TemporaryError, TooLargeError, fault

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from datetime import timedelta

    from connectors import Fault
    from connectors.tls import Tls

LIMIT = 64 << 20
"""Bytes of one answer."""
CONNECT = 10.0
"""Seconds for a connection, if an answer may take longer."""
KINDS = ("no type", "application/json", "application/xml", "text/csv", "text/html", "text/plain", "text/xml")
"""Types of an answer that are told by name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """body: the JSON (None: there was none); next: the address in the Link header with rel=next, or ''; text: as it came."""

    status: int
    body: Any
    next: str = ""
    text: bytes = b""
    place: str = ""
    """The Location header."""


class Exchange:
    """Requests to the server of `url`, and to that of its log-in. timeout: of one answer, from the connection to its last byte."""

    def __init__(self, url: str, timeout: timedelta, tls: Tls) -> None:
        self._seconds, self._tls = timeout.total_seconds(), tls
        self.http = requests.Session()
        # A proxy of the environment is for what lies outside.
        self.http.trust_env = urlsplit(url).hostname not in LOOPBACK
        for scheme in ("http://", "https://"):
            self.http.mount(scheme, Punctual())
        tls.arm(self.http)

    def ask(
        self,
        method: str,
        url: str,
        place: str,
        *,
        accept: Container[int] = (),
        parse: bool = True,
        path: bool = True,
        **sent: Any,
    ) -> Answer:
        """The answer, if its status is 2xx or one of `accept` (then without body); else SourceError, TemporaryError if it may pass.

        place: with which an error begins; parse: whether the answer is JSON; path: whether the path of an address may be told; sent: as
        requests has it.
        """
        limit: Any = Timeout(total=self._seconds, connect=min(CONNECT, self._seconds))
        try:
            with self.http.request(
                method,
                url,
                timeout=limit,
                allow_redirects=False,
                stream=True,
                **sent,
            ) as response:
                text = _read(response, place)
        except (
            requests.RequestException,
            HTTPError,
            OSError,
            ValueError,
        ) as error:  # ValueError: of a redirect to no address
            if (broken := self._tls.fault(place, url, error)) is not None:
                raise broken from None
            if isinstance(error, ValueError):
                raise SourceError(
                    f"{place}: an address that cannot be asked", permanent=True, fault="refused"
                ) from None
            said, fault_ = self._words(error)
            raise TemporaryError(f"{place}: {said}", fault=fault_) from None
        status = response.status_code
        if not response.ok or response.is_redirect:
            if status in accept:
                return Answer(status, None, text=text, place=response.headers.get("Location", ""))
            raise fault(place, response, text, path=path)
        link = str(response.links.get("next", {}).get("url", ""))
        try:
            body = nested.loads(text) if parse and text.strip() else None
            return Answer(status, body, link, text, response.headers.get("Location", ""))
        except (ValueError, RecursionError) as error:
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower() or "no type"
            kind = kind if kind in KINDS else "another type"  # a server may write into it what we sent
            why = str(error).splitlines()[0] if isinstance(error, json.JSONDecodeError) else type(error).__name__
            raise SourceError(f"{place}: the answer ({kind}) is not JSON: {why}", fault="unreadable") from None

    def _words(self, error: BaseException) -> tuple[str, Fault]:
        """Why there was no answer, and its kind; never the library's own words, which hold the whole address."""
        if isinstance(error, requests.Timeout | TimeoutError) or "Timeout" in type(error).__name__:
            return f"no answer within {self._seconds:g} s", "timeout"
        for one in causes(error):
            if isinstance(one, OSError) and one.strerror:
                return f"no connection: {one.strerror}", "unreachable"
        return "the connection broke off", "unreachable"


def _read(response: requests.Response, place: str) -> bytes:
    """The whole body, piece by piece as it comes, so that it is never larger than its limit."""
    pieces: list[bytes] = []
    size = 0
    while piece := response.raw.read1(1 << 20, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > LIMIT:
            raise TooLargeError(
                f"{place}: an answer of more than {LIMIT >> 20} MB: ask for smaller pages",
                permanent=True,
                fault="unreadable",
            )
    return b"".join(pieces)


def signing(signature: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """For `auth`: the Authorization header, none if it is ''; without it, requests would look for one in the environment."""

    def signed(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if signature:
            request.headers["Authorization"] = signature
        return request

    return signed
