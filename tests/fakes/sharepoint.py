"""A SharePoint list in Microsoft Graph.

After its documentation: items/delta with nextLink and deltaLink, 410 for a token that is too old, the same item more than once, a facet
for the deleted; filtering by a column without index only with a Prefer header, in pages of which the first may hold nothing; items made and
changed by their `fields`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.fake_api import Asked, Said
from tests.fakes.changes import Changes, empty
from tests.fakes.server import SECRET, START, Fake, Tool

ITEMS = "/v1.0/sites/banco.sharepoint.com,1,2/lists/L1/items"
KEY = "VigiaKey"


class Sharepoint(Fake):
    """`items` by id."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.items: dict[str, dict[str, Any]] = {}
        self.changes = Changes()

    def right(self, asked: Asked) -> Said:  # noqa: PLR0911 - one an address
        if asked.path == f"{ITEMS}/delta":
            assert "$expand" in asked.query or "$skiptoken" in asked.query or "$deltatoken" in asked.query
            said = self.changes.told(asked, f"{self.url}{ITEMS}/delta", self.items, self.size, gone)
            return said or Said(410, {"error": {"code": "resyncRequired", "message": "Resync required"}})
        if asked.path == ITEMS and asked.method == "POST":
            if len(asked.body["fields"].get("Title", "")) > 255:
                return Said(400, {"error": {"code": "invalidRequest", "message": "900123456"}})
            return Said(201, self.made(asked.body["fields"]))
        if asked.path == ITEMS:
            return self.filtered(asked)
        found = re.fullmatch(re.escape(ITEMS) + r"/(\d+)/fields", asked.path)
        if (one := asked.path.removeprefix(f"{ITEMS}/")) in self.items and asked.method == "GET":
            assert asked.query == {"$expand": "fields"}
            return Said(body=self.items[one])
        if found and found[1] in self.items and asked.method == "PATCH":
            self.write(found[1], asked.body)
            return Said(body=self.items[found[1]]["fields"])
        return Said(404, {"error": {"code": "itemNotFound", "message": "900123456"}})

    def filtered(self, asked: Asked) -> Said:
        if "HonorNonIndexedQueries" not in asked.headers.get("prefer", ""):
            return Said(400, {"error": {"code": "invalidRequest", "message": "Field cannot be referenced in filter"}})
        if "$skiptoken" not in asked.query:
            return empty(self.url, asked)
        name, value = re.fullmatch(r"fields/(\w+) eq '(.*)'", asked.query["$filter"]).groups()
        found = [item for item in self.items.values() if item["fields"].get(name) == value.replace("''", "'")]
        return Said(body={"value": found})

    def made(self, fields: dict[str, Any]) -> dict[str, Any]:
        name, at = str(len(self.items) + 1), f"{self.tick():%Y-%m-%dT%H:%M:%SZ}"
        self.items[name] = {"id": name, "createdDateTime": at, "lastModifiedDateTime": at, "fields": fields}
        self.changes.note(name)
        return self.items[name]

    def write(self, name: str, fields: dict[str, Any]) -> None:
        item = self.items[name]
        self.items[name] = {
            **item, "lastModifiedDateTime": f"{self.tick():%Y-%m-%dT%H:%M:%SZ}", "fields": item["fields"] | fields,
        }  # fmt: skip
        self.changes.note(name, "fields")


def gone(name: str) -> dict[str, Any]:
    return {"id": name, "deleted": {"state": "deleted"}}


def tool(_: Path) -> Tool:
    fake = Sharepoint()
    options = {"site": "banco.sharepoint.com,1,2", "list": "L1", "client_id": "vigia", "client_secret": SECRET}
    options |= {"token_url": f"{fake.url}/t/oauth2/v2.0/token", "url": f"{fake.url}/v1.0"}
    names = {"client_id": "NIT", "kind": "Tipo", "status": "Estado"}

    def add(ids: list[int]) -> None:
        for n in ids:
            item = fake.made({"Title": f"Caso {n}", "NIT": "900123456", "Estado": "nuevo"})
            assert item["id"] == str(n + 1)
            item["lastModifiedDateTime"] = f"{START + timedelta(seconds=n // 50):%Y-%m-%dT%H:%M:%SZ}"

    def with_key(key: str) -> list[dict[str, Any]]:
        return [item["fields"] for item in fake.items.values() if item["fields"].get(KEY) == key]

    def read(key: str) -> dict[str, str]:
        return {"status": with_key(key)[0]["Estado"], "kind": with_key(key)[0]["Tipo"]}

    return Tool(
        fake, options | {"columns": names | {"note": "Nota", "body": "Detalle"}}, options | {"columns": names},
        lambda key: len(with_key(key)), read, add, lambda n, status: fake.write(str(n + 1), {"Estado": status}),
        lambda name: int(name) - 1,
    )  # fmt: skip
