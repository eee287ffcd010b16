"""Power BI: push models of a workspace, whose rows are only ever added; it counts requests and rows as the real one does."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.fake_api import Asked, Said
from tests.fakes.server import Fake

GROUP = "0f0e0d0c-5555-4555-8555-000000000005"
MODELS = f"/v1.0/myorg/groups/{GROUP}/datasets"
TYPES = {
    "Int64": lambda value: type(value) is int,
    "Double": lambda value: type(value) in (int, float),
    "String": lambda value: type(value) is str and len(value) <= 4_000,
    "DateTime": lambda value: datetime.fromisoformat(value).tzinfo is not None,
}


@dataclass
class Powerbi(Fake):
    """models: by id; rows: by model and table, in order of arrival. posts: how many POSTs of rows are still taken."""

    posts: int = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        self.models: dict[str, dict[str, Any]] = {}
        self.rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        self.made = 0

    def right(self, asked: Asked) -> Said:
        if asked.path == MODELS:
            return self.make(asked) if asked.method == "POST" else Said(body={"value": [*self.models.values()]})
        found = re.fullmatch(rf"{MODELS}/([^/]+)/tables/(\w+)/rows", asked.path)
        if not found or found[1] not in self.models or asked.method != "POST":
            return Said(404, {"error": {"code": "ItemNotFound"}})
        return self.add(found[1], found[2], asked.body["rows"])

    def make(self, asked: Asked) -> Said:
        assert asked.query == {"defaultRetentionPolicy": "basicFIFO"}
        assert asked.body["defaultMode"] == "Push"
        for table in asked.body["tables"]:
            assert len(table["columns"]) <= 75
            assert all(column["dataType"] in TYPES for column in table["columns"])
        self.made += 1
        name = f"model-{self.made}"
        self.models[name] = {
            "id": name, "name": asked.body["name"], "addRowsAPIEnabled": True, "tables": asked.body["tables"],
        }  # fmt: skip
        return Said(201, {"id": name, "name": asked.body["name"], "defaultRetentionPolicy": "basicFIFO"})

    def add(self, model: str, table: str, rows: list[dict[str, Any]]) -> Said:
        columns = {
            column["name"]: column["dataType"]
            for one in self.models[model]["tables"]
            if one["name"] == table
            for column in one["columns"]
        }
        if len(rows) > 10_000 or not columns:
            return Said(413 if columns else 404)
        for row in rows:
            for name, value in row.items():
                if name not in columns or not TYPES[columns[name]](value):
                    return Said(400, {"error": {"code": "RequestBodyInvalid", "message": "of 900123456"}})
        self.posts -= 1
        if self.posts < 0:
            return Said(429, headers={"Retry-After": "40"})
        self.rows[model, table] += rows
        return Said(200)

    # ---- as who reads the board sees it

    def newest(self, sheet: str) -> dict[str, dict[str, Any]]:
        """By id the row of the highest version, in the newest model; no version of an id stands there twice."""
        found = self.rows[f"model-{self.made}", sheet]
        versions = [(row["id"], row["version"]) for row in found]
        assert len(set(versions)) == len(versions)
        return {row["id"]: row for row in sorted(found, key=lambda row: row["version"])}
