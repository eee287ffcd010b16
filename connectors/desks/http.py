"""Cases in a tool with an HTTP API of its own: JSON, one case a key."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from connectors import Case, SourceError, answers
from connectors.fields import PRESENT, WRITTEN, no_case
from connectors.once import Once
from connectors.session import Session
from connectors.tls import Tls
from connectors.turns import turn

EXISTS, ABSENT = (409, 412), (404, 410)


class Http:
    """Cases opened by `PUT {url}/{key}` and changed by `PATCH {url}/{key}`, which sends the status and the end's text.

    url: where the cases lie; columns: the tool's names of a case's fields where they differ (ours = theirs, dots for
    nested ones, '' leaves one out); number: where the tool's answer holds its own number of the case. token, or token_url
    with client_id, client_secret and scope, or user and password (Basic): the log-in. headers: sent
    with each request, such as { X-Api-Key = "${CRM_LLAVE}" }. timeout: of one answer.
    ca_file: who vouches for the server's certificate, in place of the well-known (PEM); cert_file, key_file, key_password: our own, where
    it demands one (mutual TLS).

    The key stands in the address and in the header Idempotency-Key, and `If-None-Match: *` keeps a case that is there:
    a tool that has it answers 409 or 412, or with the case, and it is read back by GET. So a repeat after an answer that
    was lost, or an error after the tool had written, leaves one case.

    find: for tools that number their cases themselves: the parameter of `GET {url}` that looks for our key; the list is
    at `rows` (none: it is all of the answer). A case is then looked for, opened by `POST {url}` with Idempotency-Key if
    there is none, by one process of this machine at a time, and changed by `PATCH {url}/{number}`. The tool must keep our key in a
    field (columns.key).
    """

    SECRET = ("headers",)

    def __init__(
        self,
        *,
        url: str,
        columns: dict[str, str] | None = None,
        number: str = "id",
        find: str = "",
        rows: str = "",
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
        for name in columns or {}:
            if name not in WRITTEN:
                raise ValueError(f"columns.{name}: a case has no such field; there are: {', '.join(WRITTEN)}")
        self._columns = {name: name for name in WRITTEN} | (columns or {})
        if rows and not find:
            raise ValueError("rows: needs find")
        if find and not self._columns["key"]:
            raise ValueError("find: needs columns.key, where the tool keeps our key")
        self.session = Session(
            url, token=token, token_url=token_url, client_id=client_id, client_secret=client_secret, scope=scope,
            user=user, password=password, headers=headers, tls=Tls(ca_file, cert_file, key_file, key_password), timeout=timeout,
        )  # fmt: skip
        self.url, self.number, self.find, self.rows = url.rstrip("/"), number, find, rows
        self._once = Once(self.session.shown)

    def open(self, case: Case) -> str:
        """The tool's number of the case with this key, made if it was not there."""
        named = {"Idempotency-Key": quote(case.key, safe="/")}
        sent = self._written(case, WRITTEN)
        if self.find:
            # Not repeated at once: a tool that knows no Idempotency-Key is asked for the case before it gets another.
            with turn(self.session.shown, case.key):
                found = self._read(case.key)
                if found is None:
                    answer = self._once.send(
                        case.key,
                        lambda: self.session.ask(
                            "POST", self.url, body=sent, headers=named, accept=EXISTS, repeat=False
                        ),
                    )
                    found = answer and answer.body
        else:
            named["If-None-Match"] = "*"
            found = self.session.ask("PUT", self._at(case.key), body=sent, headers=named, accept=EXISTS).body
        number = answers.reached(found, self.number)
        if number in (None, ""):
            found = self._read(case.key)
            number = answers.reached(found, self.number)
        if number in (None, ""):
            raise SourceError(
                f"{self.session.shown}: its case has no {self.number!r}: {answers.names(found)}",
                permanent=True,
                fault="unreadable",
            )
        self._once.found(case.key)
        return str(number)

    def update(self, case: Case) -> None:
        """Write status and note into the case; what else people have changed in it stays."""
        number: Any = case.key
        if self.find:
            number = answers.reached(self._read(case.key), self.number)
        sent = self._written(case, PRESENT)
        if number is None or self.session.ask("PATCH", self._at(number), body=sent, accept=ABSENT).status in ABSENT:
            raise no_case(self.session.shown, case.key)

    def check(self) -> str:
        """Whether the tool answers us, asked for a case that it does not have."""
        if self.find:
            self._read("vigia-check")
        else:
            self.session.ask("GET", self._at("vigia-check"), accept=ABSENT)
        return f"{self.session.shown}: answers"

    def _read(self, key: str) -> Any:
        """The case with this key as the tool has it, or None."""
        if not self.find:
            return self.session.ask("GET", self._at(key), accept=ABSENT).body
        body = self.session.ask("GET", self.url, params={self.find: key}).body
        found = answers.reached(body, self.rows) if self.rows else body
        if not isinstance(found, list):
            where = repr(self.rows) if self.rows else "the answer"
            raise SourceError(
                f"{self.session.shown}: {where} is no list: {answers.names(found)}", permanent=True, fault="unreadable"
            )
        # Whoever does not know the parameter answers with all cases.
        return next((case for case in found if answers.reached(case, self._columns["key"]) == key), None)

    def _at(self, name: Any) -> str:
        return f"{self.url}/{quote(str(name), safe='')}"

    def _written(self, case: Case, names: tuple[str, ...]) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for name in names:
            value = getattr(case, name, "monitor")
            *heads, last = self._columns[name].split(".")
            place = written
            for head in heads:
                place = place.setdefault(head, {})
            if last:
                place[last] = value.isoformat() if isinstance(value, datetime) else value
        return written
