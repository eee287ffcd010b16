"""Connections that cannot be made, are not safe or break off: which kind of fault that is, in words that hold no secret."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator

from connectors import Fault, SourceError


def broken(place: str, error: Exception, seconds: float) -> SourceError:
    """What it means, beginning with `place`. seconds: that an answer may take."""
    words, whole, kind = next((words, whole, kind) for one, words, whole, kind in _KINDS if isinstance(error, one))
    why = (isinstance(error, OSError) and error.strerror) or type(error).__name__
    return SourceError(f"{place}: {words.format(seconds=seconds, why=why)}", whole=whole, fault=kind)


_KINDS: tuple[tuple[type[Exception], str, bool, Fault], ...] = (
    (ssl.SSLCertVerificationError, "its certificate cannot be verified", True, "login"),
    (ssl.SSLEOFError, "the connection broke off", False, "unreachable"),
    (ssl.SSLError, "no TLS can be agreed on there", True, "login"),
    (TimeoutError, "no answer within {seconds:g} s", False, "timeout"),
    (OSError, "no connection: {why}", False, "unreachable"),
)
"""The first that fits: what it is called, whether it would befall anything for good, and its kind."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it was raised over, one under the other."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def hushed(words: str, secrets: Iterable[str]) -> str:
    """Somebody else's words without the secrets that may stand in them."""
    for secret in secrets:
        words = words.replace(secret, "***")
    return words
