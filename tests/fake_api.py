"""An HTTP API on a real socket: rows in pages, cases by key, tokens that run out, and whatever a test wants to go wrong."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "s3cret-bearer-token"  # noqa: S105 - of a fake
SECRET = "s3cret-of-the-client"  # noqa: S105


@dataclass
class Asked:
    """One request as the server got it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    text: str = ""


@dataclass
class Said:
    """One answer; `text` in place of JSON where it is not None; `wait` is set by the test when it may go out."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    text: bytes | None = None
    wait: threading.Event | None = None
    cut: bool = False


class Served:
    """On a real socket of this machine, from when it is made until it is closed; answers by `answer`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.lock = threading.RLock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), requests_of(self))
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"http{'s' * bool(tls)}://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def answer(self, asked: Asked) -> Said:
        raise NotImplementedError


class FakeApi(Served):
    """`/rows` pages, `/cases` and `/cases/KEY`, `/token`.

    faults: taken from the front, one a request (not of the token): an answer in place of the right one, or None to let
    it pass; `after`: the same, but the request does its work first. uses: of each token that is given out. idempotent:
    whether a POST heeds its Idempotency-Key.
    """

    def __init__(self, *, uses: int | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.rows: list[dict[str, Any]] = []
        self.cases: dict[str, dict[str, Any]] = {}
        self.asked: list[Asked] = []
        self.faults: list[Said | None] = []
        self.after: list[Said | None] = []
        self.size = 64
        self.idempotent = True
        self.pages: Callable[[FakeApi, Asked], Said] = linked
        self.uses, self.left, self.given = uses, 0, 0
        super().__init__(tls)

    def answer(self, asked: Asked) -> Said:
        with self.lock:
            if asked.path == "/token":
                return self._login(asked)
            self.asked.append(asked)
            fault = self.faults.pop(0) if self.faults else None
            after = self.after.pop(0) if self.after and fault is None else None
            right = fault or self._right(asked)
            return after or right

    def _login(self, asked: Asked) -> Said:
        sent = {name: values[0] for name, values in parse_qs(asked.body).items()}
        if (sent.get("client_secret"), sent.get("grant_type")) != (SECRET, "client_credentials"):
            return Said(401, {"error": "invalid_client"})
        self.given += 1
        self.left = self.uses or 10**9
        return Said(body={"access_token": f"{TOKEN}-{self.given}", "expires_in": 3600, "token_type": "Bearer"})

    def _right(self, asked: Asked) -> Said:
        named = asked.headers.get("authorization", "")
        if self.given:
            self.left -= 1
        if named != f"Bearer {TOKEN}{f'-{self.given}' if self.given else ''}" or self.left < 0:
            return Said(401, {"error": {"code": "InvalidToken", "message": "900123456 may not"}})
        if asked.path == "/rows":
            return self.pages(self, asked)
        if asked.path == "/cases":
            return self._collection(asked)
        if asked.path.startswith("/cases/"):
            return self._case(asked, unquote(asked.path.removeprefix("/cases/")))
        return Said(404)

    def _collection(self, asked: Asked) -> Said:
        if asked.method == "POST":
            key = asked.headers["idempotency-key"]
            if not self.idempotent:
                key = f"{key}#{len(self.cases)}"
            if key not in self.cases:
                self.cases[key] = {**asked.body, "id": f"T-{len(self.cases) + 1}"}
            return Said(201, self.cases[key])
        found = [case for key, case in self.cases.items() if asked.query.get("clave", key) == key.partition("#")[0]]
        return Said(body={"value": found})

    def _case(self, asked: Asked, name: str) -> Said:
        found = self.cases.get(name) or next((c for c in self.cases.values() if c["id"] == name), None)
        if asked.method == "PUT":
            if found:
                return Said(412 if asked.headers.get("if-none-match") == "*" else 200)
            self.cases[name] = {**asked.body, "id": f"T-{len(self.cases) + 1}"}
            return Said(201, self.cases[name])
        if found is None:
            return Said(404)
        if asked.method == "PATCH":
            found |= asked.body
        return Said(body=found)


def since(api: FakeApi, asked: Asked) -> list[dict[str, Any]]:
    """The rows that are asked for, in the order of their change."""
    after = asked.query.get("modified_after")
    bound = datetime.fromisoformat(after) if after else None
    found = [row for row in api.rows if bound is None or datetime.fromisoformat(row["modified"]) > bound]
    return sorted(found, key=lambda row: (datetime.fromisoformat(row["modified"]), row.get("id", 0)))


def linked(api: FakeApi, asked: Asked) -> Said:
    """Pages by the address of the next, after the last row of this one."""
    rows = since(api, asked)
    if "after" in asked.query:
        at, _, number = asked.query["after"].rpartition(",")
        last = (datetime.fromisoformat(at), int(number))
        rows = [row for row in rows if (datetime.fromisoformat(row["modified"]), row["id"]) > last]
    page, body = rows[: api.size], {}
    if len(rows) > len(page):
        body["@odata.nextLink"] = f"{api.url}/rows?after={page[-1]['modified'].replace('+', '%2B')},{page[-1]['id']}"
        if "modified_after" in asked.query:
            body["@odata.nextLink"] += f"&modified_after={asked.query['modified_after'].replace('+', '%2B')}"
    return Said(body=body | {"value": page})


def requests_of(api: Served) -> type[BaseHTTPRequestHandler]:
    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else the body waits 40 ms for the head to be acknowledged

        def do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length).decode() if length else ""
            is_json = self.headers.get("Content-Type", "").startswith("application/json")
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(text) if is_json and text else text
            said = api.answer(Asked(self.command, parts.path, query, headers, body, text))
            if said.wait:
                said.wait.wait(20)
            out = said.text if said.text is not None else b"" if said.body is None else json.dumps(said.body).encode()
            try:
                self.send_response(said.status)
                if "Content-Type" not in said.headers:
                    self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(out) + 10 * said.cut))
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(out)
            except OSError:  # who asked has gone
                pass
            self.close_connection = said.cut or self.close_connection

        do_GET = do_PUT = do_POST = do_PATCH = do  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    return Requests
