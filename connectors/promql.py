"""The query API of Prometheus and its kin: what is asked, what the answer means, and its faults in words."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from http.client import responses
from typing import TYPE_CHECKING, Any

from connectors import SourceError, answers
from connectors.refused import TooLargeError, certificate_wanted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from connectors.session import Session

REFUSED = (400, 422)
"""How it answers a query that it cannot make out, or cannot work out."""
REMARK = "PromQL "
"""How a warning begins that is about the query; any other says that data is missing."""
_TOO_MUCH = re.compile(r"too many|too large|maximum|exceed|limit", re.IGNORECASE)
_CLIENTS = re.compile(r"(?<=\{)[^{}]*|\d{6,}")
"""What may hold a client: labels and long numbers."""
_LONGEST = 200


class TooMuchError(SourceError):
    """More than the server gives at once: less may do."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What one query gave: name: its own; series: labels -> [seconds since 1970, value as text]; warnings, infos: about the query."""

    name: str
    series: list[tuple[dict[str, str], list[tuple[int, str]]]]
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


class Api:
    """`GET url/api/v1/query_range`. step: in seconds."""

    def __init__(self, session: Session, url: str, headers: Mapping[str, str], timeout: timedelta, step: int) -> None:
        self._session, self._headers = session, headers
        self._url = f"{url.rstrip('/')}/api/v1/query_range"
        self._fixed = {"step": str(step), "timeout": f"{max(1, int(timeout.total_seconds()))}s"}

    def range(self, name: str, query: str, start: int, end: int) -> Answered:
        """The points of `query` from start to end, both included. Raises SourceError, TooMuchError if less may do."""
        params = {"query": query, "start": str(start), "end": str(end), **self._fixed}
        try:
            answer = self._session.ask("GET", self._url, params=params, headers=self._headers, accept=REFUSED)
        except TooLargeError as error:
            raise TooMuchError(str(error), permanent=True, fault="refused") from None
        place = f"{self._session.shown}: {name}" if name != query else self._session.shown
        if answer.status in REFUSED:
            raise self._refused(place, answer.status, answer.text)
        body = answer.body
        found = answers.reached(body, "data.result")
        if answers.reached(body, "data.resultType") != "matrix" or not isinstance(found, list):
            raise SourceError(
                f"{place}: is no answer of Prometheus to a range query: {answers.names(body)}",
                permanent=True, fault="unreadable",
            )  # fmt: skip
        warnings = [_plain(words) for words in body.get("warnings") or ()]
        missing = [words for words in warnings if not words.startswith(REMARK)]
        if missing or body.get("isPartial"):
            why = missing[0] if missing else "a part of the cluster is away"
            raise SourceError(f"{place}: a partial answer, which is not taken: {why}", fault="server")
        try:
            series = [
                ({name: str(text) for name, text in one["metric"].items()}, _values(place, one, start, end))
                for one in found
            ]
        except (AttributeError, KeyError, TypeError, ValueError):
            raise SourceError(f"{place}: a series in the answer cannot be made out", fault="unreadable") from None
        infos = tuple(_plain(words) for words in body.get("infos") or ())
        return Answered(name, series, tuple(f"{name}: {words}" for words in warnings), infos)

    def _refused(self, place: str, status: int, text: bytes) -> SourceError:
        if wanted := certificate_wanted(place, status, text):
            return wanted
        kind = why = ""
        with suppress(ValueError, RecursionError):
            body = json.loads(text)
            kind, why = _plain(answers.reached(body, "errorType") or ""), _plain(answers.reached(body, "error") or "")
        words = (
            f"{place}: {status} {responses.get(status, '')}{f' ({kind})' if kind else ''}{f': {why}' if why else ''}"
        )
        if _TOO_MUCH.search(why):
            return TooMuchError(words, permanent=True, fault="refused")
        return SourceError(words, permanent=True, fault="refused")


def _values(place: str, one: Mapping[str, Any], start: int, end: int) -> list[tuple[int, str]]:
    if "values" not in one and "histograms" in one:
        raise SourceError(
            f"{place}: gives histograms, not numbers: take histogram_quantile or the like of it",
            permanent=True, fault="refused",
        )  # fmt: skip
    # Some widen what is asked for to whole pieces of their cache.
    return [(at, value) for when, value in one["values"] if start <= (at := round(when)) <= end]


def _plain(text: Any) -> str:
    """The server's words about our query in a line, without what may hold a client."""
    words = _CLIENTS.sub("…", " ".join(str(text).split()))
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
