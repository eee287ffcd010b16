"""Two mailboxes in Microsoft Graph: drafts that are sent and arrive, and what changes in a folder.

After its documentation: messages/delta with nextLink, deltaLink, @removed and 410; a draft is made, found by a single-value extended
property (on a page after one that holds nothing), sent (202, without a body) and then stands in the sender's mailbox and the recipient's
inbox with the same Message-ID.
"""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.fake_api import Asked, Said
from tests.fakes.changes import Changes, empty
from tests.fakes.server import SECRET, START, Fake, Tool

DESK, SENDER = "pasarela@banco.example", "vigia@banco.example"
HEADERS = "internetMessageHeaders"
DELTA = f"/v1.0/users/{DESK}/mailFolders/inbox/messages/delta"


class Outlook(Fake):
    """`boxes`: messages by id, for each user."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.boxes: dict[str, dict[str, dict[str, Any]]] = {DESK: {}, SENDER: {}}
        self.changes = Changes()

    def right(self, asked: Asked) -> Said:
        if asked.path == DELTA:
            said = self.changes.told(asked, f"{self.url}{DELTA}", self.boxes[DESK], self.size, gone)
            return said or Said(410, {"error": {"code": "SyncStateNotFound", "message": "Resync required"}})
        found = re.fullmatch(r"/v1.0/users/([^/]+)/messages(?:/([^/]+))?(?:/(\w+))?", asked.path)
        box = self.boxes.get(found[1]) if found else None
        if not found or box is None or (found[2] and found[2] not in box):
            return Said(404, {"error": {"code": "ErrorItemNotFound", "message": "900123456"}})
        return self.one(asked, box, *found.groups()) if found[2] else self.all(asked, box)

    def all(self, asked: Asked, box: dict[str, dict[str, Any]]) -> Said:
        if asked.method == "POST":
            return Said(201, self.draft(box, asked.body))
        if "$skiptoken" not in asked.query:
            return empty(self.url, asked)
        where = asked.query["$filter"]
        if same := re.fullmatch(r"internetMessageId eq '(.+)' and isDraft eq false", where):
            found = [m for m in box.values() if m["internetMessageId"] == same[1] and not m["isDraft"]]
        else:
            pattern = r"singleValueExtendedProperties/Any\(ep: ep/id eq '(.+)' and ep/value eq '(.*)'\)"
            property_, value = re.fullmatch(pattern, where).groups()
            wanted = {"id": property_, "value": value}
            found = [m for m in box.values() if wanted in m.get("singleValueExtendedProperties", ())]
        return Said(body={"value": found})

    def one(self, asked: Asked, box: dict[str, dict[str, Any]], user: str, name: str, verb: str | None) -> Said:
        message = box[name]
        if verb == "createReplyAll":
            draft = {
                "subject": f"RE: {message['subject']}",
                "body": {"content": asked.body["comment"]},
                "toRecipients": message["toRecipients"],
            }
            return Said(201, self.draft(box, draft | asked.body["message"], message["conversationIndex"]))
        if verb == "send":
            if not message["isDraft"]:
                return Said(400, {"error": {"code": "ErrorInvalidRequest"}})
            message |= {"isDraft": False, "sentDateTime": f"{self.tick():%Y-%m-%dT%H:%M:%SZ}"}
            for recipient in message["toRecipients"]:
                self.arrives(recipient["emailAddress"]["address"], message)
            return Said(202)
        if asked.method == "PATCH" and user == DESK:
            self.write(name, asked.body)
        wanted = asked.query.get("$select", "").split(",")
        return Said(body={key: value for key, value in box[name].items() if key != HEADERS or key in wanted})

    def draft(self, box: dict[str, dict[str, Any]], sent: dict[str, Any], after: str = "") -> dict[str, Any]:
        number = sum(map(len, self.boxes.values())) + 1
        index = base64.b64encode(base64.b64decode(after) + b"12345" if after else bytes(22)).decode()
        message = {
            "id": f"AAMk{number}",
            "internetMessageId": f"<{number}@banco.example>",
            "isDraft": True,
            "conversationIndex": index,
            **sent,
        }
        box[message["id"]] = message
        return message

    def arrives(self, user: str, sent: dict[str, Any]) -> None:
        number = sum(map(len, self.boxes.values())) + 1
        at = f"{self.tick():%Y-%m-%dT%H:%M:%SZ}"
        message = {name: value for name, value in sent.items() if name != "singleValueExtendedProperties"}
        message |= {"id": f"AAMk{number}", "receivedDateTime": at, "lastModifiedDateTime": at, "isDraft": False}
        self.boxes[user][message["id"]] = {
            HEADERS: [],
            **message,
            "categories": [],
            "flag": {"flagStatus": "notFlagged"},
        }
        self.changes.note(message["id"])

    def write(self, name: str, values: dict[str, Any]) -> None:
        at = f"{self.tick():%Y-%m-%dT%H:%M:%SZ}"
        self.boxes[DESK][name] = {**self.boxes[DESK][name], **values, "lastModifiedDateTime": at}
        self.changes.note(name, *values)


def gone(name: str) -> dict[str, Any]:
    return {"id": name, "@removed": {"reason": "deleted"}}


def tool(_: Path) -> Tool:
    fake = Outlook()
    options = {"mailbox": DESK, "client_id": "vigia", "client_secret": SECRET, "url": f"{fake.url}/v1.0"}
    options |= {"token_url": f"{fake.url}/t/token"}

    def add(ids: list[int]) -> None:
        for n in ids:
            content = (
                "<html><head><title>x</title></head><body>Buenos días,<br>NIT: 900.123.456-8<br>falla</body></html>"
            )
            sent = {
                "internetMessageId": f"<n{n}@cliente.example>",
                "subject": f"Caso {n}",
                "body": {"content": content},
            }
            fake.arrives(DESK, sent | {"conversationIndex": None})
            last = next(reversed(fake.boxes[DESK].values()))
            last["lastModifiedDateTime"] = f"{START + timedelta(seconds=n // 50):%Y-%m-%dT%H:%M:%SZ}"

    def named(name: str) -> dict[str, Any]:
        return next(m for m in fake.boxes[DESK].values() if m["internetMessageId"] == name)

    def with_key(key: str) -> list[dict[str, Any]]:
        return [m for m in fake.boxes[DESK].values() if f"Clave: {key}<" in m["body"]["content"]]

    def read(key: str) -> dict[str, str]:
        (message,) = with_key(key)
        said = re.search(r"Tipo: (\w+)", message["body"]["content"])
        return {"status": "".join(message["categories"]), "kind": said[1]}

    return Tool(
        fake, options | {"sender": SENDER}, options, lambda key: len(with_key(key)), read, add,
        lambda n, status: fake.write(named(f"<n{n}@cliente.example>")["id"], {"categories": [status]}),
        lambda name: int(name.removeprefix("<n").partition("@")[0]),
    )  # fmt: skip
