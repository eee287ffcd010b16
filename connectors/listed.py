"""Lists of OData (Microsoft Graph, Bizagi), looked through to their end: a page may hold nothing, and others follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors import SourceError, answers
from connectors.addresses import joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connectors.session import Session

NEXT = "@odata.nextLink"
MOST = 100
"""Pages."""


def pages(
    session: Session,
    url: str,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """The rows of each page. Raises SourceError where there are more than MOST: what was not looked at may hold what is looked for."""
    for _ in range(MOST):
        body = session.ask("GET", url, params=params, headers=headers).body
        yield answers.objects(body, "value", session.shown)
        if not (after := answers.reached(body, NEXT)):
            return
        url, params = joined(url, str(after)), None
    raise SourceError(
        f"{session.shown}: more than {MOST} pages, and not all of them looked through",
        permanent=True,
        fault="unreadable",
    )


def rows(
    session: Session,
    url: str,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Iterator[dict[str, Any]]:
    """As `pages`, row by row."""
    return (row for page in pages(session, url, params, headers) for row in page)
