"""Power BI: a push semantic model of a workspace, made with its tables if it is not there, and rows added to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from connectors import SourceError, answers
from connectors.boards import SHEETS
from connectors.login import microsoft
from connectors.session import Session

SCOPE = "https://analysis.windows.net/powerbi/api/.default"
NOT_FOUND = 404
LONGEST = 4_000
"""Signs of a text, at most."""


class Powerbi:
    """The push semantic model (dataset) with the name `dataset` in the workspace with the id `group`.

    tenant, client_id, client_secret: of an application whose group the tenant's settings let use Fabric's APIs, and that is a
    contributor of the workspace (token_url: where it logs in, if not at the tenant's). url: of the service, where it is not the public one.
    timeout: of one answer.

    Its tables hold 200,000 rows each (basicFIFO): the oldest go. A row is never sent twice at once: what may or may not have been taken is
    sent by the next round with a later version. Whoever deletes the model gets a new one, with all there is to tell. Microsoft lets new
    push models be made until 31 October 2027.
    """

    def __init__(
        self,
        *,
        group: str,
        client_id: str,
        client_secret: str,
        tenant: str = "",
        token_url: str = "",
        dataset: str = "Vigía",
        url: str = "https://api.powerbi.com",
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        if not group or not dataset:
            raise ValueError(f"{'dataset' if group else 'group'}: must not be empty")
        login = microsoft(tenant, client_id, client_secret, url, token_url, scope=SCOPE)
        self._name = dataset
        self._models = f"{url.rstrip('/')}/v1.0/myorg/groups/{quote(group, safe='')}/datasets"
        self.session = Session(self._models, login=login, timeout=timeout)

    def place(self) -> str:
        """The model's id; made if there is none of that name."""
        return self._found() or self._made()

    def push(self, place: str, sheet: str, rows: pa.Table) -> None:
        """Add the rows to the model's table."""
        sent = [{name: _told(value) for name, value in row.items() if value is not None} for row in rows.to_pylist()]
        address = f"{self._models}/{quote(place, safe='')}/tables/{sheet}/rows"
        answer = self.session.ask("POST", address, body={"rows": sent}, accept=(NOT_FOUND,), repeat=False, parse=False)
        if answer.status == NOT_FOUND:
            raise SourceError(
                f"{self.session.shown}: the model, or its table {sheet!r}, is not there", whole=True, fault="refused"
            )

    def check(self) -> str:
        """Whether it answers, and whether the model is there."""
        found = self._found()
        return f"{self.session.shown}: answers; {self._name!r} {'is there' if found else 'is made with the first rows'}"

    def _found(self) -> str:
        """The model's id, or ''; raises SourceError if it is not one that rows can be added to, or not one alone."""
        body = self.session.ask("GET", self._models).body
        named = [one for one in answers.objects(body, "value", self.session.shown) if one.get("name") == self._name]
        if len(named) > 1:
            raise SourceError(f"{self.session.shown}: there are {len(named)} called {self._name!r}", permanent=True)
        if named and named[0].get("addRowsAPIEnabled") is not True:
            raise SourceError(
                f"{self.session.shown}: {self._name!r} takes no rows: it is no push model", permanent=True
            )
        return answers.needed(named[0], "id", self.session.shown) if named else ""

    def _made(self) -> str:
        tables = [
            {"name": name, "columns": [{"name": column.name, "dataType": _type(column.type)} for column in schema]}
            for name, schema in SHEETS.items()
        ]
        body = {"name": self._name, "defaultMode": "Push", "tables": tables}
        params = {"defaultRetentionPolicy": "basicFIFO"}
        # Not asked again at once: if it was made after all, the next round finds it by its name.
        answer = self.session.ask("POST", self._models, params=params, body=body, repeat=False)
        return answers.needed(answer.body, "id", self.session.shown)


def _type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "DateTime"
    return "Int64" if pa.types.is_integer(kind) else "String" if pa.types.is_string(kind) else "Double"


def _told(value: Any) -> Any:
    match value:
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        case Decimal():
            return float(value)
        case str():
            return value[:LONGEST]
        case _:
            return value
