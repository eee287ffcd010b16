"""A tool with an API of its own, as source and as desk of kind `http`: cases by key, and what has changed since."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.fake_api import Asked, Said
from tests.fakes.server import SECRET, START, Fake, Tool


class Http(Fake):
    """`cases` by key."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cases: dict[str, dict[str, Any]] = {}

    def right(self, asked: Asked) -> Said:
        if asked.path == "/casos":
            return self.changed(asked)
        key = asked.path.removeprefix("/casos/").replace("%2F", "/")
        there = self.cases.get(key)
        if asked.method == "PUT":
            if there:
                return Said(412)
            self.cases[key] = {"id": f"T-{len(self.cases) + 1:06}", **asked.body, "modified": self.tick().isoformat()}
            return Said(201, self.cases[key])
        if there is None:
            return Said(404)
        if asked.method == "PATCH":
            there |= {**asked.body, "modified": self.tick().isoformat()}
        return Said(body=there)

    def changed(self, asked: Asked) -> Said:
        since, first = asked.query.get("desde"), int(asked.query.get("salta", 0))
        found = sorted(self.cases.values(), key=lambda case: (case["modified"], case["id"]))
        if since:
            found = [
                case for case in found if datetime.fromisoformat(case["modified"]) >= datetime.fromisoformat(since)
            ]
        body: dict[str, Any] = {"value": found[first : first + self.size]}
        if first + self.size < len(found):
            then = f"&desde={since.replace('+', '%2B')}" if since else ""
            body["@odata.nextLink"] = f"/casos?salta={first + self.size}{then}"
        return Said(body=body)


def tool(_: Path) -> Tool:
    fake = Http()
    login = {
        "token_url": f"{fake.url}/token",
        "client_id": "vigia",
        "client_secret": SECRET,
        "url": f"{fake.url}/casos",
    }
    source = {"rows": "value", "next": "@odata.nextLink", "since": "desde", "cursor": "modified"}
    source |= {"columns": {"case_id": "id", "updated_at": "modified"}}

    def add(ids: list[int]) -> None:
        for n in ids:
            at = (START + timedelta(seconds=n // 50)).isoformat()
            fake.cases[f"suyo-{n}"] = {"id": f"T-{n:06}", "opened_at": at, "modified": at, "status": "nuevo"}

    def change(n: int, status: str) -> None:
        fake.cases[f"suyo-{n}"] |= {"status": status, "modified": fake.tick().isoformat()}

    return Tool(
        fake, login, login | source, lambda key: int(key in fake.cases), lambda key: fake.cases[key], add, change,
        lambda name: int(name.removeprefix("T-")),
    )  # fmt: skip
