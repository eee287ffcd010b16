"""Dataverse's Web API for one table.

After its documentation: Prefer odata.track-changes, delta links that expire, $deletedEntity; PATCH at an alternate key with
If-None-Match or If-Match; keys whose values an address cannot hold are refused.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.fake_api import Asked, Said
from tests.fakes.changes import Changes
from tests.fakes.server import SECRET, START, Fake, Tool

ROWS = "/api/data/v9.2/incidents"
KEY = "vigia_key"
LABEL = "OData.Community.Display.V1.FormattedValue"
LABELS = {1: "nuevo", 2: "en curso", 6: "retirado"}
KNOWN = {
    *("incidentid", "ticketnumber", "title", "description", "statuscode", "statecode", "createdon", "modifiedon", KEY),
    *("vigia_nit", "vigia_tipo", "vigia_nota"),
}


class Dataverse(Fake):
    """`rows` by id."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rows: dict[str, dict[str, Any]] = {}
        self.changes = Changes()

    def right(self, asked: Asked) -> Said:
        if not set(filter(None, asked.query.get("$select", "").split(","))) <= KNOWN:
            return self.fault(400, "0x80060888")
        if asked.path == ROWS:
            if "$top" in asked.query:
                return Said(body={"value": list(self.rows.values())[:1]})
            assert "odata.track-changes" in asked.headers["prefer"]
            said = self.changes.told(asked, f"{self.url}{ROWS}", self.rows, self.size, gone)
            return said or self.fault(410, "0x80044352")
        found = re.fullmatch(re.escape(ROWS) + rf"\({KEY}='(.*)'\)", unquote(asked.path))
        if not found or re.search(r"[/<>*%&:\\?+]", found[1]):
            return self.fault(400, "0x80060891")
        return self.by_key(asked, found[1])

    def by_key(self, asked: Asked, key: str) -> Said:  # noqa: PLR0911 - one a refusal
        row = next((row for row in self.rows.values() if row.get(KEY) == key), None)
        if asked.method == "GET":
            return Said(body=row) if row else self.fault(404, "0x80060891")
        if row and asked.headers.get("if-none-match") == "*":
            return self.fault(412, "0x80060892")
        if row is None and asked.headers.get("if-match") == "*":
            return self.fault(404, "0x80060891")
        if not set(asked.body) <= KNOWN:
            return self.fault(400, "0x80060888")
        if len(asked.body.get("title", "")) > 200 or len(asked.body.get("description", "")) > 2000:
            return self.fault(400, "0x80044331")
        if row is None:
            row = self.made({KEY: key, **asked.body})
            return Said(201, row) if "representation" in asked.headers.get("prefer", "") else Said(204)
        self.write(row["incidentid"], asked.body)
        return Said(204)

    def made(self, values: dict[str, Any]) -> dict[str, Any]:
        number = len(self.rows) + 1
        at = f"{self.tick():%Y-%m-%dT%H:%M:%SZ}"
        name = f"00000000-0000-4000-8000-{number:012}"
        self.rows[name] = {"incidentid": name, "ticketnumber": f"CAS-{number:05}", "createdon": at, "statuscode": 1}
        self.write(name, values)
        return self.rows[name]

    def write(self, name: str, values: dict[str, Any]) -> None:
        row = self.rows[name] | values | {"modifiedon": f"{self.tick():%Y-%m-%dT%H:%M:%SZ}"}
        self.rows[name] = row | {f"statuscode@{LABEL}": LABELS[row["statuscode"]]}
        self.changes.note(name)

    def fault(self, status: int, code: str) -> Said:
        return Said(status, {"error": {"code": code, "message": "of 900123456"}})


def gone(name: str) -> dict[str, Any]:
    return {"@odata.context": "...#incidents/$deletedEntity", "id": name, "reason": "deleted"}


def tool(_: Path) -> Tool:
    fake = Dataverse()
    options = {"url": fake.url, "client_id": "vigia", "client_secret": SECRET, "token_url": f"{fake.url}/token"}
    names = {"client_id": "vigia_nit", "kind": "vigia_tipo"}
    desk = {"columns": names | {"note": "vigia_nota"}, "statuses": {"retirado": {"statecode": 2, "statuscode": 6}}}

    def add(ids: list[int]) -> None:
        for n in ids:
            row = fake.made({"title": f"Caso {n}", "vigia_nit": "900123456", "ticketnumber": f"CAS-{n:05}"})
            row["modifiedon"] = f"{START + timedelta(seconds=n // 50):%Y-%m-%dT%H:%M:%SZ}"

    def with_key(key: str) -> list[dict[str, Any]]:
        return [row for row in fake.rows.values() if row.get(KEY) == key]

    def read(key: str) -> dict[str, str]:
        return {"status": LABELS[with_key(key)[0]["statuscode"]], "kind": with_key(key)[0]["vigia_tipo"]}

    def change(n: int, status: str) -> None:
        name = next(row["incidentid"] for row in fake.rows.values() if row["ticketnumber"] == f"CAS-{n:05}")
        fake.write(name, {"statuscode": next(number for number, label in LABELS.items() if label == status)})

    return Tool(
        fake, options | desk, options | {"columns": names}, lambda key: len(with_key(key)), read, add, change,
        lambda name: int(name.removeprefix("CAS-")),
    )  # fmt: skip
