"""Salesforce's REST API as far as cases go: SOQL with a locator, upsert by external id, sessions that end.

After its REST API Developer Guide: query and nextRecordsUrl, sObject rows by external id (201, 200, 300, 404), errors as a list.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.fake_api import Asked, Said
from tests.fakes.server import SECRET, START, Fake, Tool

KEY = "Vigia_Key__c"
API = "/services/data/v62.0"
KNOWN = {
    *("Id", "CaseNumber", "Status", "Subject", "Description", "CreatedDate", "ClosedDate", "SystemModstamp", KEY),
    *("Vigia_Note__c", "NIT__c", "Producto__c", "Tipo__c", "Helix_Number__c"),
}


class Salesforce(Fake):
    """`records` by Id."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.records: dict[str, dict[str, Any]] = {}
        self.locators: dict[str, list[dict[str, Any]]] = {}

    def login(self, asked: Asked) -> Said | None:
        said = super().login(asked)
        if said and said.status == 200:
            del said.body["expires_in"]  # it does not say
        return said

    def refused(self) -> Said:
        return Said(401, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])

    def right(self, asked: Asked) -> Said:
        if asked.path == f"{API}/query":
            return self.query(asked.query["q"])
        if asked.path.startswith(f"{API}/query/"):
            return self.page(asked.path.removeprefix(f"{API}/query/"))
        parts = [unquote(part) for part in asked.path.removeprefix(f"{API}/sobjects/Case/").split("/")]
        if parts[0] == KEY:
            return self.by_key(asked, parts[1])
        if asked.method == "PATCH" and parts[0] in self.records:
            return self.write(self.records[parts[0]], asked.body) or Said(204)
        return self.fault(404, "NOT_FOUND")

    def query(self, soql: str) -> Said:
        found = re.fullmatch(
            r"SELECT (.+) FROM Case(?: WHERE (.+?))?(?: ORDER BY SystemModstamp, Id)?(?: LIMIT 1)?", soql
        )
        if not found:
            return self.fault(400, "MALFORMED_QUERY")
        names = found[1].split(", ")
        if not {name.partition(".")[0] for name in names} <= KNOWN | {"Account"}:
            return self.fault(400, "INVALID_FIELD")
        records = sorted(self.records.values(), key=lambda r: (r["SystemModstamp"], r["Id"]))
        if found[2]:
            (bound,) = re.fullmatch(r"SystemModstamp >= (\S+)", found[2]).groups()
            since = datetime.fromisoformat(bound)
            records = [r for r in records if datetime.fromisoformat(r["SystemModstamp"]) >= since]
        rows = [{"attributes": {"type": "Case"}, **{n: r.get(n) for n in names}} for r in records]
        locator = f"01g{len(self.locators):015}"
        self.locators[locator] = rows
        return self.page(f"{locator}-0")

    def page(self, name: str) -> Said:
        locator, _, first = name.partition("-")
        if locator not in self.locators:
            return self.fault(404, "INVALID_QUERY_LOCATOR")
        rows, start = self.locators[locator], int(first)
        body = {"totalSize": len(rows), "done": True, "records": rows[start : start + self.size]}
        if start + self.size < len(rows):
            body |= {"done": False, "nextRecordsUrl": f"{API}/query/{locator}-{start + self.size}"}
        return Said(body=body)

    def by_key(self, asked: Asked, key: str) -> Said:
        found = [record for record in self.records.values() if record.get(KEY) == key]
        if len(found) > 1:
            return Said(300, [f"{API}/sobjects/Case/{record['Id']}" for record in found])
        if asked.method == "GET":
            return Said(body=found[0]) if found else self.fault(404, "NOT_FOUND")
        if KEY in asked.body or "Id" in asked.body:
            return self.fault(400, "INVALID_FIELD")
        record = found[0] if found else self.made({KEY: key})
        if wrong := self.write(record, asked.body):
            del self.records[record["Id"]]
            return wrong
        return Said(200 if found else 201, {"id": record["Id"], "success": True, "errors": [], "created": not found})

    def made(self, values: dict[str, Any]) -> dict[str, Any]:
        number = len(self.records) + 1
        at = stamp(self.tick())
        record = {"Id": f"500{number:015}", "CaseNumber": f"{number:08}", "Status": "New", "CreatedDate": at, **values}
        record |= {"SystemModstamp": at, "ClosedDate": None}
        self.records[record["Id"]] = record
        return record

    def write(self, record: dict[str, Any], values: dict[str, Any]) -> Said | None:
        if not set(values) <= KNOWN:
            return self.fault(400, "INVALID_FIELD")
        if len(values.get("Subject", "")) > 255:
            return self.fault(400, "STRING_TOO_LONG")
        at = stamp(self.tick())
        record |= {**values, "SystemModstamp": at}
        record["ClosedDate"] = at if record["Status"] == "Closed" else None
        return None

    def fault(self, status: int, word: str) -> Said:
        return Said(status, [{"message": "No such thing as 900123456", "errorCode": word}])


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.000+0000"


def tool(_: Path, cls: type[Salesforce] = Salesforce) -> Tool:
    fake = cls()
    options = {"url": fake.url, "client_id": "vigia", "client_secret": SECRET}

    def add(ids: list[int]) -> None:
        for n in ids:
            record = fake.made({"NIT__c": "900123456", "Producto__c": "pagos", "Subject": f"Caso {n}"})
            record["CaseNumber"] = f"{n:08}"
            record["SystemModstamp"] = stamp(START + timedelta(seconds=n // 50))  # fifty of one second

    def read(key: str) -> dict[str, str]:
        (record,) = (r for r in fake.records.values() if r.get(KEY) == key)
        return {"status": {"Closed": "retirado"}.get(record["Status"], record["Status"]), "kind": record["Tipo__c"]}

    def change(n: int, status: str) -> None:
        fake.write(next(r for r in fake.records.values() if r["CaseNumber"] == f"{n:08}"), {"Status": status})

    return Tool(
        fake, options | {"columns": {"kind": "Tipo__c"}},
        options | {"columns": {"client_id": "NIT__c", "product": "Producto__c", "kind": "Tipo__c"}},
        lambda key: sum(r.get(KEY) == key for r in fake.records.values()), read, add, change,
    )  # fmt: skip
