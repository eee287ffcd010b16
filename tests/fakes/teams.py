"""A channel of Microsoft Teams in Graph.

After its documentation: messages/delta; a list of 50 at most, the newest first; only a user may write, and only change their own;
answers, deleted messages and those of the system among the others.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tests.fake_api import Asked, Said
from tests.fakes.changes import Changes
from tests.fakes.server import REFRESH, SECRET, START, Fake, Tool

USER = "0f0e0d0c-6666-4666-8666-000000000006"
MESSAGES = "/v1.0/teams/T1/channels/19:abc@thread.tacv2/messages"


class Teams(Fake):
    """`messages` by id; `users`: tokens that act for a user."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.messages: dict[str, dict[str, Any]] = {}
        self.changes = Changes()
        self.users: set[str] = set()

    def login(self, asked: Asked) -> Said | None:
        said = super().login(asked)
        if said and said.status == 200 and "refresh_token" in parse_qs(asked.body):
            self.users.add(said.body["access_token"])
        return said

    def right(self, asked: Asked) -> Said:
        if asked.path == f"{MESSAGES}/delta":
            said = self.changes.told(asked, f"{self.url}{MESSAGES}/delta", self.messages, self.size)
            return said or Said(410, {"error": {"code": "Gone"}})
        if asked.method != "GET" and asked.headers["authorization"].removeprefix("Bearer ") not in self.users:
            return Said(403, {"error": {"code": "Forbidden", "message": "900123456"}})
        if asked.path == MESSAGES and asked.method == "POST":
            mine = {"application": None, "user": {"id": USER, "userIdentityType": "aadUser"}}
            return Said(201, self.made(asked.body["subject"], asked.body["body"]["content"], **{"from": mine}))
        if asked.path == MESSAGES:
            return self.listed(asked)
        name = asked.path.removeprefix(f"{MESSAGES}/")
        if name not in self.messages or asked.method not in ("GET", "PATCH"):
            return Said(404, {"error": {"code": "NotFound", "message": "900123456"}})
        return Said(body=self.messages[name]) if asked.method == "GET" else self.write(name, asked.body)

    def listed(self, asked: Asked) -> Said:
        found = sorted(self.messages.values(), key=lambda m: m["lastModifiedDateTime"], reverse=True)
        first, size = int(asked.query.get("$skiptoken", 0)), min(int(asked.query.get("$top", 20)), 50)
        body: dict[str, Any] = {"value": found[first : first + size]}
        if first + size < len(found):
            body["@odata.nextLink"] = f"{self.url}{MESSAGES}?$top={size}&$skiptoken={first + size}"
        return Said(body=body)

    def made(self, subject: str | None, content: str, **about: Any) -> dict[str, Any]:
        at = self.tick()
        name, told = f"{1_700_000_000_000 + len(self.messages)}", f"{at:%Y-%m-%dT%H:%M:%S.000Z}"
        self.messages[name] = {
            "id": name, "messageType": "message", "createdDateTime": told, "lastModifiedDateTime": told, "deletedDateTime": None,
            "replyToId": None, "from": {"user": {"id": "somebody"}},
            "subject": subject, "body": {"contentType": "html", "content": content}, "reactions": [], **about,
        }  # fmt: skip
        self.changes.note(name)
        return self.messages[name]

    def write(self, name: str, values: dict[str, Any]) -> Said:
        told = f"{self.tick():%Y-%m-%dT%H:%M:%S.000Z}"
        self.messages[name] = {**self.messages[name], **values, "lastModifiedDateTime": told}
        self.changes.note(name, *values)
        return Said(204)


def tool(_: Path) -> Tool:
    fake = Teams()
    options = {"team": "T1", "channel": "19:abc@thread.tacv2", "client_id": "vigia", "client_secret": SECRET}
    options |= {"token_url": f"{fake.url}/t/token", "url": f"{fake.url}/v1.0", "user": USER}

    def add(ids: list[int]) -> None:
        for n in ids:
            message = fake.made(None, f"<div>Caso {n}</div><div>NIT: 900123456</div><div>Estado: nuevo</div>")
            told = f"{START + timedelta(seconds=n // 50):%Y-%m-%dT%H:%M:%S.000Z}"
            message |= {"createdDateTime": told, "lastModifiedDateTime": told}

    def with_key(key: str) -> list[str]:
        return [m["body"]["content"] for m in fake.messages.values() if f"Clave: {key}<" in m["body"]["content"]]

    def read(key: str) -> dict[str, str]:
        (content,) = with_key(key)
        return {
            name: re.search(rf"{word}: (\w+)", content)[1] for name, word in (("status", "Estado"), ("kind", "Tipo"))
        }

    def change(n: int, status: str) -> None:
        content = f"<div>Caso {n}</div><div>NIT: 900123456</div><div>Estado: {status}</div>"
        fake.write(str(1_700_000_000_000 + n), {"body": {"contentType": "html", "content": content}})

    return Tool(
        fake, options | {"refresh_token": REFRESH}, options, lambda key: len(with_key(key)), read, add, change,
        lambda name: int(name) - 1_700_000_000_000,
    )  # fmt: skip
