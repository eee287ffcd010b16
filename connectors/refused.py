"""What an answer means that was not wanted: whether to ask again, and when; in words that hold no secret and no client."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import responses
from urllib.parse import urljoin

import requests

from connectors import Fault, SourceError
from connectors.addresses import shown

TEMPORARY = (429, 502, 503, 504)
BAD, TIMEOUT, UNAUTHORIZED, FORBIDDEN, SERVER = 400, 408, 401, 403, 500
UNKNOWN_METHOD = (405, 501)
_KINDS: dict[int, Fault] = {429: "busy", 504: "timeout", TIMEOUT: "timeout", UNAUTHORIZED: "login", FORBIDDEN: "login"}
"""What kind of fault a status is, where its hundred does not say."""
PASSING = ("REQUEST_LIMIT_EXCEEDED", "UNABLE_TO_LOCK_ROW")
"""Words of errors that pass by themselves, whatever their status says (Salesforce)."""
_WORD = re.compile(r"[A-Za-z][A-Za-z_.]{1,60}|0x[0-9a-f]{8}|[0-9]{2,5}")
_WORDS = ("errorType", "error", "errorCode", "messageNumber", "code", "typeKey")
"""Where servers put their own word for an error."""


class TemporaryError(SourceError):
    """Worth another try at once, or `after` so many seconds."""

    def __init__(self, message: str, after: float | None = None, *, fault: Fault) -> None:
        super().__init__(message, fault=fault)
        self.after = after


class TooLargeError(SourceError):
    """A longer answer than is read."""


class UnauthorizedError(SourceError):
    """The token is not, or no longer, good."""


def fault(place: str, response: requests.Response, text: bytes, *, path: bool) -> SourceError:
    """What a status that was not wanted means."""
    status = response.status_code
    if response.is_redirect:
        return SourceError(
            f"{place}: {status}, moved to {shown(urljoin(response.url, response.headers['Location']), path=path)}",
            permanent=True,
            fault="refused",
        )
    words = " ".join(part for part in (f"{place}: {status}", responses.get(status, ""), _code(text)) if part)
    words += f", to {response.request.method}" if status in UNKNOWN_METHOD else ""
    if wanted := certificate_wanted(place, status, text):
        return wanted
    after = _after(response.headers.get("Retry-After", ""))
    passing = any(f"({word})" in words for word in PASSING)
    kind = "busy" if passing or after is not None else _KINDS.get(status, "server" if status >= SERVER else "refused")
    if status in TEMPORARY:
        return TemporaryError(words, after, fault=kind)
    if status == UNAUTHORIZED:
        return UnauthorizedError(words, whole=True, fault="login")
    lasting = status < SERVER and status != TIMEOUT and not passing
    # A right may lack for all there is, or for one record: who asks for several knows.
    return SourceError(words, permanent=lasting, fault=kind)


def certificate_wanted(place: str, status: int, text: bytes) -> SourceError | None:
    """What it means where nginx asks for a certificate of ours: it does so in its answer."""
    if status != BAD or b"SSL certificate" not in text[:2000]:
        return None
    return SourceError(
        f"{place}: {status}, it demands a certificate that it knows (cert_file)", whole=True, fault="login"
    )


def _code(text: bytes) -> str:
    """The server's own word for the error, as in OAuth2, where it is one word: never a text, which may name a client."""
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
        found = found[0] if isinstance(found, list) and found else found
        said = (found.get(name) for name in _WORDS) if isinstance(found, dict) else iter(())
        found = next((word for word in said if word), None)
        found = found.get("code") if isinstance(found, dict) else found
        if isinstance(found, str | int) and _WORD.fullmatch(str(found)):
            return f"({found})"
    return ""


def _after(text: str) -> float | None:
    """Seconds that a Retry-After asks for, given in seconds or as a date; None if it does not say."""
    with suppress(ValueError, OverflowError):
        return max(0.0, float(int(text)))
    with suppress(ValueError, OverflowError):
        when = parsedate_to_datetime(text)
        return max(0.0, ((when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())
    return None
