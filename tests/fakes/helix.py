"""The REST API of BMC Helix ITSM over the interface forms of incidents.

After its documentation: /api/jwt/login answers a bare token; entries by qualification, sort and limit; errors as a list with
messageNumber; the form that creates answers 201 with what was asked of its own entry, which is not the incident's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from tests.fake_api import Asked, Said
from tests.fakes.server import START, Fake, Tool

KEY = "Vendor Ticket Number"
ENTRY = "/api/arsys/v1/entry/"
PASSWORD = "s3cret-of-the-user"  # noqa: S105 - of a fake
NEEDED = {"First_Name", "Last_Name", "Description", "Impact", "Urgency", "Status", "Service_Type", "Reported Source"}


class Helix(Fake):
    """`incidents` by entry id, `log`: entries of the work log."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.incidents: dict[str, dict[str, Any]] = {}
        self.log: list[dict[str, Any]] = []

    def login(self, asked: Asked) -> Said | None:
        if asked.path != "/api/jwt/login":
            return None
        sent = {name: values[0] for name, values in parse_qs(asked.body).items()}
        if (sent.get("username"), sent.get("password")) != ("vigia", PASSWORD):
            return self.fault(401, 623)
        return Said(text=self.token().encode())

    def may(self, asked: Asked) -> bool:
        scheme, _, token = asked.headers.get("authorization", "").partition(" ")
        return scheme == "AR-JWT" and token in self.good

    def refused(self) -> Said:
        return self.fault(401, 9388)

    def right(self, asked: Asked) -> Said:  # noqa: PLR0911 - one a form
        form, _, entry = unquote(asked.path.removeprefix(ENTRY)).partition("/")
        if form == "HPD:IncidentInterface_Create" and asked.method == "POST":
            values = asked.body["values"]
            if not set(values) >= NEEDED or values.get("z1D_Action") != "CREATE":
                return self.fault(400, 9424)
            if len(values["Description"]) > 100:
                return self.fault(400, 306)
            self.made({"Detailed Decription": values.get("Detailed_Decription"), **values})
            return Said(201, {"values": {}})
        if form == "HPD:WorkLog":
            if asked.method == "POST":
                self.log.append({"values": {**asked.body["values"], "Submit Date": stamp(self.tick())}})
                return Said(201)
            return self.listed(asked, self.log)
        if form == "HPD:IncidentInterface" and asked.method == "PUT" and entry in self.incidents:
            self.write(self.incidents[entry], asked.body["values"])
            return Said(204)
        if form == "HPD:IncidentInterface" and asked.method == "GET":
            links = [
                {
                    "values": values,
                    "_links": {"self": [{"href": f"{self.url}{ENTRY}{quote(form)}/{quote(name, safe='')}"}]},
                }
                for name, values in self.incidents.items()
            ]
            return self.listed(asked, links)
        return self.fault(404, 302)

    def listed(self, asked: Asked, entries: list[dict[str, Any]]) -> Said:
        try:
            found = [entry for entry in entries if qualified(asked.query.get("q", ""), entry["values"])]
        except ValueError:
            return self.fault(400, 1587)
        name, _, way = asked.query["sort"].rpartition(".")
        assert way == "asc"
        found.sort(key=lambda entry: entry["values"][name])
        limit = int(asked.query.get("limit", 1000))
        names = re.fullmatch(r"values\((.+)\)", asked.query["fields"])[1].split(",")
        page = [entry | {"values": {name: entry["values"].get(name) for name in names}} for entry in found[:limit]]
        return Said(body={"entries": page, "_links": {}})

    def made(self, values: dict[str, Any]) -> dict[str, Any]:
        number = f"INC{len(self.incidents) + 1:012}"
        at = stamp(self.tick())
        incident = {"Status": "New", **values, "Incident Number": number, "Submit Date": at, "Last Modified Date": at}
        self.incidents[f"{number}|{number}"] = incident
        return incident

    def write(self, incident: dict[str, Any], values: dict[str, Any]) -> None:
        incident |= {**values, "Last Modified Date": stamp(self.tick())}

    def fault(self, status: int, number: int) -> Said:
        return Said(status, [{"messageType": "ERROR", "messageText": "of 900123456", "messageNumber": number}])


TOKEN = re.compile(r"""\s*(?:(\(|\)|AND\b|OR\b)|'([^']+)' (=|>=|>) "((?:[^"]|"")*)")""")


def qualified(q: str, values: dict[str, Any]) -> bool:
    """Whether the entry is meant: `'field' = "text"`, `> "text"` or `>= "date"`, joined by AND and OR, in parentheses or not."""
    at, said = 0, []
    while at < len(q.rstrip()):
        if not (found := TOKEN.match(q, at)):
            raise ValueError(q[at:])
        at = found.end()
        sign, name, how, text = found.groups()
        said.append(sign.lower() if sign else str(_holds(values.get(name), how, text.replace('""', '"'))))
    try:
        return bool(eval(" ".join(said) or "True", {"__builtins__": {}}))  # noqa: S307 - True, False, and, or and parentheses
    except SyntaxError:
        raise ValueError(q) from None


def _holds(value: Any, how: str, text: str) -> bool:
    if how == ">=":
        bound = datetime.strptime(text, "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC)
        return datetime.fromisoformat(value) >= bound
    return bool(value == text) if how == "=" else str(value) > text


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.000+0000"


def tool(_: Path) -> Tool:
    fake = Helix()
    options = {"url": fake.url, "username": "vigia", "password": PASSWORD}
    desk = {"columns": {"kind": "Tipo"}, "values": {"First_Name": "Vigía", "Last_Name": "Monitor"}}

    def add(ids: list[int]) -> None:
        for n in ids:
            incident = fake.made({"Description": f"Caso {n}"})
            incident |= {
                "Incident Number": f"INC{n:012}",
                "Last Modified Date": stamp(START + timedelta(seconds=n // 50)),
            }

    def incident(name: str, value: str) -> dict[str, Any]:
        return next(i for i in fake.incidents.values() if i.get(name) == value)

    def read(key: str) -> dict[str, str]:
        found = incident(KEY, key)
        return {"status": {"Cancelled": "retirado"}.get(found["Status"], found["Status"]), "kind": found["Tipo"]}

    return Tool(
        fake, options | desk, options | {"columns": {"kind": "Tipo"}},
        lambda key: sum(i.get(KEY) == key for i in fake.incidents.values()), read, add,
        lambda n, status: fake.write(incident("Incident Number", f"INC{n:012}"), {"Status": status}),
        lambda name: int(name.removeprefix("INC")),
    )  # fmt: skip
