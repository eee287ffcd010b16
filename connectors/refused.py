"""What an answer means that was not wanted: whether to ask again, and when; in words that hold no secret and no client."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import responses
from urllib.parse import urljoin, urlsplit

import requests

from connectors import SourceError

TEMPORARY = (429, 502, 503, 504)
TIMEOUT, UNAUTHORIZED, FORBIDDEN, SERVER = 408, 401, 403, 500
PASSING = ("REQUEST_LIMIT_EXCEEDED", "UNABLE_TO_LOCK_ROW")
"""Words of errors that pass by themselves, whatever their status says (Salesforce)."""
_WORD = re.compile(r"[A-Za-z][A-Za-z_.]{1,40}|0x[0-9a-f]{8}|[0-9]{2,5}")
_WORDS = ("error", "errorCode", "messageNumber", "code")
"""Where servers put their own word for an error."""


class TemporaryError(SourceError):
    """Worth another try at once, or `after` so many seconds."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class UnauthorizedError(SourceError):
    """The token is not, or no longer, good."""


def shown(url: str, *, path: bool = True) -> str:
    """The address as people may see it: without query, name and password, and without its path where that is a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path if path else '/...'}"


def fault(place: str, response: requests.Response, text: bytes, *, path: bool) -> SourceError:
    """What a status that was not wanted means."""
    status = response.status_code
    if response.is_redirect:
        return SourceError(
            f"{place}: {status}, moved to {shown(urljoin(response.url, response.headers['Location']), path=path)}",
            permanent=True,
        )
    words = " ".join(part for part in (f"{place}: {status}", responses.get(status, ""), _code(text)) if part)
    if status in TEMPORARY:
        return TemporaryError(words, _after(response.headers.get("Retry-After", "")))
    if status == UNAUTHORIZED:
        return UnauthorizedError(words, whole=True)
    passing = any(f"({word})" in words for word in PASSING)
    lasting = status < SERVER and status != TIMEOUT and not passing
    # A right may lack for all there is, or for one record: who asks for several knows.
    return SourceError(words, permanent=lasting, fault="login" if status == FORBIDDEN else "other")


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
    with suppress(ValueError):
        return max(0.0, float(int(text)))
    with suppress(ValueError):
        when = parsedate_to_datetime(text)
        return max(0.0, ((when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())
    return None
