"""HTTP: the JSON or CSV of an API, page by page, what has changed since the last time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from connectors import Batch, Cursor
from connectors.pages import Pages
from connectors.session import Session
from connectors.sheet import Sheet
from connectors.since import Form, Since
from connectors.tls import Tls


class Http:
    """Rows of an API that answers GET with JSON: a list of objects, or an object with such a list in it.

    url: the address; params: fixed parameters; rows: where the list lies (`value`, `respuesta.casos`; none: it is all
    of the answer). Nested names are written with dots, here and in `columns`: `cliente.nit`.

    Pages: next: where the answer holds the next page's address (`@odata.nextLink`; none: the Link header with rel=next
    is followed), which must be the same server's; page_cursor: the parameter that takes what lies at `next`, if that is
    a token; or offset: the parameter that counts rows passed. limit: the parameter that asks for page_size rows. By
    offset a page without rows is the last, and a row that moves forward between two pages hides another: ask for an
    order that stays (`params = { sort = "id" }`). Rows that move on to the next page, as others arrive before them, come once if they
    have an identity: the column that tells them from others that are like them, which is what `columns` calls the id.

    Increments: since: the parameter that takes the newest value seen of the column cursor, less the overlap, so that
    rows written late or with the same value come too; where a filter is asked for, with its text around `{}`
    (`$filter=modified ge {}`). since_form: how that value is written: `iso` times, seconds `s` or milliseconds `ms`
    since 1970, or a plain `number`, which has no overlap. Rows within the overlap are known again by their digests,
    which the place of reading holds: keep it short. Rows may come in any order. Without `since`, all pages are read
    at each poll, and given if anything in them changed: for clients and holdings.

    format: `json` or `csv`; of CSV, delimiter and encoding where they are not a comma and UTF-8. Every page begins with its header; a
    cell is text as written, an empty one ''. Its pages go by the Link header or by offset.

    token, or token_url with client_id, client_secret and scope, or user and password (Basic): the log-in. headers: sent with each
    request, such as { X-Api-Key = "${CRM_LLAVE}" }. timeout: of one answer.
    ca_file: who vouches for the server's certificate, in place of the well-known (PEM); cert_file, key_file, key_password: our own, where
    it demands one (mutual TLS).

    With `since`, one poll is one page. A page that is gone when the reading goes on after a pause lets the round begin
    again: rows older than the overlap may then come twice.
    """

    SECRET = ("headers",)

    def __init__(
        self,
        *,
        url: str,
        params: dict[str, str] | None = None,
        rows: str = "",
        next: str = "",  # noqa: A002 - what APIs call it
        page_cursor: str = "",
        offset: str = "",
        identity: str = "id",
        limit: str = "",
        page_size: int = 500,
        since: str = "",
        cursor: str = "",
        since_form: Form = "iso",
        overlap: timedelta = timedelta(seconds=5),
        format: Literal["json", "csv"] = "json",  # noqa: A002 - what it is
        delimiter: str = ",",
        encoding: str = "utf-8",
        token: str = "",
        token_url: str = "",
        client_id: str = "",
        client_secret: str = "",
        scope: str = "",
        user: str = "",
        password: str = "",
        headers: dict[str, str] | None = None,
        ca_file: str = "",
        cert_file: str = "",
        key_file: str = "",
        key_password: str = "",
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        if page_cursor and not next:
            raise ValueError("page_cursor: needs next, which says where the answer holds the token")
        if offset and next:
            raise ValueError("offset: give either offset or next")
        if page_size < 1:
            raise ValueError("page_size: must be at least 1")
        if bool(since) != bool(cursor):
            raise ValueError("since: needs cursor" if since else "cursor: needs since")
        if format == "csv" and (rows or next):
            raise ValueError(
                f"{'rows' if rows else 'next'}: CSV has none; its pages go by the Link header or by offset"
            )
        if format == "json" and (delimiter, encoding) != (",", "utf-8"):
            raise ValueError(f'{"encoding" if delimiter == "," else "delimiter"}: of CSV alone (format = "csv")')
        self.session = Session(
            url, token=token, token_url=token_url, client_id=client_id, client_secret=client_secret, scope=scope,
            user=user, password=password, headers=headers, tls=Tls(ca_file, cert_file, key_file, key_password), timeout=timeout,
        )  # fmt: skip
        self._pages = Pages(
            self.session, url, rows=rows, next=next, page_cursor=page_cursor, offset=offset, identity=identity,
            params=dict(params or {}) | ({limit: str(page_size)} if limit else {}),
            since=Since(since, cursor, since_form, overlap) if since else None,
            sheet=Sheet(delimiter, encoding) if format == "csv" else None,
        )  # fmt: skip

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The next page of the round in which `cursor` stands, else the first of a new one. Raises SourceError."""
        return self._pages.poll(cursor, now, since)

    def check(self) -> str:
        """The address and the columns."""
        return self._pages.check()
