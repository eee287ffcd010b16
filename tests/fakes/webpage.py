"""A page built in-house: a table in pages, behind a form to log in, with forms that open and change a case.

As such pages are: a session in a cookie that ends, a hidden field against forgery, cells with markup in them, other tables about.
"""

from __future__ import annotations

import re
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tests.fake_api import Asked, Said
from tests.fakes.server import START, Fake, Tool

PASSWORD = "s3cret-of-the-user"  # noqa: S105 - of a fake
HEADS = ("Caso", "NIT", "Tipo", "Estado", "Apertura", "Clave", "Nota")
FIELDS = {"NIT": "nit", "Tipo": "tipo", "Estado": "estado", "Clave": "clave", "Nota": "nota"}


class Webpage(Fake):
    """`cases` by number, each by heading."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cases: dict[str, dict[str, str]] = {}

    def login(self, asked: Asked) -> Said | None:
        if asked.path != "/entrar":
            return None
        sent = {name: values[0] for name, values in parse_qs(asked.body).items()} if asked.method == "POST" else {}
        if sent.get("contrasena") == PASSWORD and sent.get("forja") == "f-1" and sent.get("username"):
            return Said(302, headers={"Location": "/casos", "Set-Cookie": f"sesion={self.token()}; Path=/; HttpOnly"})
        return page('<form method="post"><input name="username"><input type="hidden" name="forja" value="f-1">'
                    '<input type="password" name="contrasena"><input type="submit" name="ir" value="Entrar"></form>')  # fmt: skip

    def may(self, asked: Asked) -> bool:
        return asked.headers.get("cookie", "").removeprefix("sesion=") in self.good

    def refused(self) -> Said:
        return Said(302, headers={"Location": "/entrar"})

    def right(self, asked: Asked) -> Said:
        sent = (
            {name: values[0] for name, values in parse_qs(asked.body or "").items()} if asked.method == "POST" else {}
        )
        if sent and sent.get("forja") != "f-1":
            return Said(403)
        given = {head: sent[name] for head, name in FIELDS.items() if name in sent}
        if asked.path == "/casos":
            return self.table(int(asked.query.get("p", 1)))
        if asked.path == "/casos/nuevo" and sent:
            self.made(given)
        elif (found := re.fullmatch(r"/casos/(T-\d+)", asked.path)) and found[1] in self.cases and sent:
            self.cases[found[1]] |= given
        if sent:
            return Said(303, headers={"Location": "/casos"})
        names = FIELDS.values() if asked.path == "/casos/nuevo" else ("estado", "nota")
        inputs = "".join(f'<input name="{name}">' for name in names if name != "nota")
        return page(
            f'<form action="" method="post"><input type=hidden name=forja value="f-1">{inputs}<textarea name="nota"></textarea></form>'
        )

    def table(self, number: int) -> Said:
        rows = list(self.cases.values())
        shown = rows[(number - 1) * self.size : number * self.size]
        body = "".join(
            "<tr>" + "".join(f"<td><b>{escape(row.get(head, ''))}</b></td>" for head in HEADS) + "</tr>"
            for row in shown
        )
        heads = "".join(f"<th>{head}</th>" for head in HEADS)
        link = f'<a href="/casos?p={number + 1}">Siguiente</a>' if number * self.size < len(rows) else ""
        return page(f"<table><tr><td>menú</td></tr></table><table><tr>{heads}</tr>{body}</table>{link}")

    def made(self, values: dict[str, str]) -> dict[str, str]:
        number = f"T-{len(self.cases) + 1:05}"
        self.cases[number] = {"Caso": number, "Apertura": f"{self.tick():%Y-%m-%d %H:%M:%S}", **values}
        return self.cases[number]


def page(body: str) -> Said:
    return Said(text=f"<html><head><title>Tarjetas</title></head><body>{body}</body></html>".encode())


def tool(_: Path) -> Tool:
    fake = Webpage()
    options = {"url": f"{fake.url}/casos", "login": "/entrar", "username": "vigia", "password": PASSWORD}
    columns = {"client_id": "NIT", "kind": "Tipo", "status": "Estado", "opened_at": "Apertura"}
    desk: dict[str, Any] = {"form": "/casos/nuevo", "change": "/casos/{}"}
    desk["fields"] = {"key": "clave", "client_id": "nit", "kind": "tipo", "status": "estado", "note": "nota"}

    def add(ids: list[int]) -> None:
        for n in ids:
            case = fake.made({"NIT": "900123456", "Estado": "nuevo"})
            assert case["Caso"] == f"T-{n + 1:05}"
            case["Apertura"] = f"{START + timedelta(seconds=n // 50):%Y-%m-%d %H:%M:%S}"

    def with_key(key: str) -> list[dict[str, str]]:
        return [case for case in fake.cases.values() if case.get("Clave") == key]

    def read(key: str) -> dict[str, str]:
        return {"status": with_key(key)[0]["Estado"], "kind": with_key(key)[0]["Tipo"]}

    return Tool(
        fake, options | desk, options | {"columns": columns}, lambda key: len(with_key(key)), read, add,
        lambda n, status: fake.cases[f"T-{n + 1:05}"].update({"Estado": status}), lambda name: int(name.removeprefix("T-")) - 1,
        paged=False,
    )  # fmt: skip
