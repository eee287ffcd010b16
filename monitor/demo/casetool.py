"""The bank's case tool, simulated: a small HTTP server on loopback over the table of cases.

`GET /casos?modificado_desde=TIME&pagina=P` pages, `GET /casos/{clave}`, `PUT /casos/{clave}` opens a case unless that key
has one, `PATCH /casos/{clave}` writes its state and note. Every request bears the token. Keys are of those who open
cases from outside; a case that a client opened has a number only.
"""

from __future__ import annotations

import hmac
import json
import sqlite3
from contextlib import closing, contextmanager
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from monitor.demo.cases import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = 100
LARGEST = 64 << 10
"""Bytes of a request."""
WRITTEN = (
    "nit",
    "producto",
    "canal",
    "tipo",
    "estado",
    "abierto_en",
    "asunto",
    "detalle",
    "incidente",
    "reportado_por",
)
NEEDED = ("nit", "abierto_en", "asunto")
ROOT_CAUSE = "causa_raiz"
Answer = tuple[HTTPStatus, dict[str, Any]]


class Wrong(Exception):  # noqa: N818 - the request is wrong, the tool is well
    """What a request lacks, in words."""


class CaseTool:
    """What the tool does with the table of cases in the SQLite file at `path`; `clock` tells its time (aware)."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._path, self._clock = path, clock

    def pages(self, query: dict[str, str]) -> dict[str, Any]:
        """The cases changed at or after `modificado_desde`, the longest unchanged first, and where the next page lies.

        `pagina` names the last case of the page before: a case that changes meanwhile hides no other.
        """
        since = query.get("modificado_desde", "")
        at, _, number = query.get("pagina", "").rpartition("_")
        try:
            bound = stamp(datetime.fromisoformat(since)) if since else ""
            last = (stamp(datetime.fromisoformat(at)), int(number)) if query.get("pagina") else ("", 0)
        except ValueError:
            raise Wrong("modificado_desde o pagina no se entiende") from None
        select = "SELECT * FROM casos WHERE actualizado_en >= ? AND (actualizado_en, id) > (?, ?) ORDER BY actualizado_en, id"
        with self._connected() as database:
            rows = [dict(row) for row in database.execute(f"{select} LIMIT ?", (bound, *last, PAGE + 1))]
        page: dict[str, Any] = {"casos": rows[:PAGE]}
        if len(rows) > PAGE:
            after = rows[PAGE - 1]
            more = {"pagina": f"{after['actualizado_en']}_{after['id']}"}
            page["siguiente"] = f"/casos?{urlencode(({'modificado_desde': since} if since else {}) | more)}"
        return page

    def case(self, key: str) -> dict[str, Any] | None:
        """The case with this key."""
        with self._connected() as database:
            return _case(database, key)

    def open(self, key: str, sent: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
        """Whether the case was made now, and the case; one that is there stays as it is."""
        for name in NEEDED:
            if name == "nit" and sent.get("tipo") == ROOT_CAUSE:
                continue  # it is no single client's
            if not isinstance(sent.get(name), str) or not sent[name]:
                raise Wrong(f"falta {name}")
        case = {"producto": "", "canal": "", "tipo": "soporte", "estado": "abierto"}
        case |= {name: str(sent[name]) for name in WRITTEN if sent.get(name) is not None}
        try:
            case["abierto_en"] = stamp(datetime.fromisoformat(case["abierto_en"]))
            priority = int(sent["prioridad"]) if sent.get("prioridad") is not None else None
        except (ValueError, TypeError):
            raise Wrong("abierto_en o prioridad no se entiende") from None
        with self._writing() as database:
            if there := _case(database, key):
                return False, there
            now = stamp(self._clock())
            case |= {"clave": key, "reportado_en": case["abierto_en"], "actualizado_en": now}
            names = ", ".join((*case, "prioridad"))
            marks = ", ".join("?" * (len(case) + 1))
            database.execute(f"INSERT INTO casos ({names}) VALUES ({marks})", (*case.values(), priority))
            return True, _case(database, key) or {}

    def change(self, key: str, sent: dict[str, Any]) -> dict[str, Any] | None:
        """The case with its new state and note, None if there is none; what is resolved or closed keeps its state."""
        with self._writing() as database:
            there = _case(database, key)
            if there is None:
                return None
            state = there["estado"] if there["resuelto_en"] else str(sent.get("estado", there["estado"]))
            note = str(sent.get("nota", there["nota"]))
            if (state, note) != (there["estado"], there["nota"]):
                change = "UPDATE casos SET estado = ?, nota = ?, actualizado_en = ? WHERE clave = ?"
                database.execute(change, (state, note, stamp(self._clock()), key))
            return _case(database, key)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        # Not made here: the bank fills a new file first, and then puts it in its place.
        address = f"file:{quote(str(self._path))}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as database:
            database.row_factory = sqlite3.Row
            yield database

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Alone with the table; the clock is read under the lock, so that later changes bear later times."""
        with self._connected() as database, database:
            database.execute("BEGIN IMMEDIATE")
            yield database


@contextmanager
def served(tool: CaseTool, address: tuple[str, int], token: str) -> Iterator[str]:
    """The tool's address while it is served, by threads of its own. Raises OSError if the address is not to be had."""
    requests = type("_RequestsHere", (_Requests,), {"tool": tool, "token": token})
    with _Server(address, requests) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="case tool", daemon=True)
        thread.start()
        try:
            host, port = server.server_address[:2]
            yield f"http://{host!s}:{port}/casos"
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class _Requests(BaseHTTPRequestHandler):
    tool: CaseTool
    token: str
    timeout = 30

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_PUT(self) -> None:
        self._answer(self._put)

    def do_PATCH(self) -> None:
        self._answer(self._patch)

    def log_message(self, *_: object) -> None:
        """Nothing: addresses hold clients' numbers."""

    def _get(self, key: str | None) -> Answer:
        if key is None:
            query = parse_qs(urlsplit(self.path).query)
            return HTTPStatus.OK, self.tool.pages({name: values[0] for name, values in query.items()})
        case = self.tool.case(key)
        return (HTTPStatus.OK, case) if case else _none(key)

    def _put(self, key: str | None) -> Answer:
        if not key:
            raise Wrong("falta la clave")
        made, case = self.tool.open(key, self._sent())
        return HTTPStatus.CREATED if made else HTTPStatus.OK, case

    def _patch(self, key: str | None) -> Answer:
        case = self.tool.change(key or "", self._sent())
        return (HTTPStatus.OK, case) if case else _none(key or "")

    def _sent(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            raise Wrong(f"el cuerpo falta o pasa de {LARGEST >> 10} KB")
        try:
            sent = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            sent = None
        if not isinstance(sent, dict):
            raise Wrong("el cuerpo no es un objeto JSON")
        return sent

    def _answer(self, ask: Callable[[str | None], Answer]) -> None:
        named = self.headers.get("Authorization", "")
        place = urlsplit(self.path).path.split("/")
        try:
            if not hmac.compare_digest(named.encode(), f"Bearer {self.token}".encode()):
                status, body = HTTPStatus.UNAUTHORIZED, _error("el token falta o no es el de esta herramienta")
            elif place[1] != "casos" or len(place) > 3:  # noqa: PLR2004 - /casos/{clave}
                status, body = HTTPStatus.NOT_FOUND, _error("no hay nada en esa dirección")
            else:
                status, body = ask(unquote(place[2]) if len(place) > 2 else None)  # noqa: PLR2004
        except Wrong as error:
            status, body = HTTPStatus.BAD_REQUEST, _error(str(error))
        except sqlite3.Error as error:
            status, body = HTTPStatus.SERVICE_UNAVAILABLE, _error(str(error))
        text = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def _case(database: sqlite3.Connection, key: str) -> dict[str, Any] | None:
    row = database.execute("SELECT * FROM casos WHERE clave = ?", (key,)).fetchone()
    return dict(row) if row else None


def _none(key: str) -> Answer:
    return HTTPStatus.NOT_FOUND, _error(f"no hay un caso con la clave {quote(key)}")


def _error(text: str) -> dict[str, Any]:
    return {"error": text}
