"""Bizagi's OData services for the cases of a process.

After its documentation: client credentials by Basic, scope api; cases with parameters by xpath, $filter, @odata.nextLink; a case by its
id; start answers the case's number; an activity is saved by startParameters. It has no time of change and no key of anyone else's.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from tests.fake_api import Asked, Said
from tests.fakes.server import SECRET, START, Fake, Tool

KEY = "VigiaKey"
PROCESS = "5f5a5e5d-0000-4000-8000-000000000001"
CASES = f"/odata/data/processes({PROCESS})/cases"
ATTRIBUTES = (KEY, "Cliente.Nit", "Tipo", "Estado", "Nota", "Asunto", "Detalle")


class Bizagi(Fake):
    """`cases` by id, each with its attributes under "parameters"."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cases: dict[int, dict[str, Any]] = {}

    def login(self, asked: Asked) -> Said | None:
        if asked.path != "/oauth2/server/token":
            return None
        basic = base64.b64decode(asked.headers.get("authorization", "Basic ").removeprefix("Basic ")).decode()
        sent = {name: values[0] for name, values in parse_qs(asked.body).items()}
        if basic != f"vigia:{SECRET}" or sent != {"grant_type": "client_credentials", "scope": "api"}:
            return Said(401, {"error": "invalid_client"})
        return Said(body={"access_token": self.token(), "token_type": "Bearer", "expires_in": 3600, "scope": "api"})

    def right(self, asked: Asked) -> Said:  # noqa: PLR0911 - one an address
        if asked.path == CASES.removesuffix("cases") + "start" and asked.method == "POST":
            given = {one["xpath"]: one["value"] for one in asked.body["startParameters"]}
            if not set(given) <= set(ATTRIBUTES):
                return Said(400, {"error": {"code": "BadRequest", "message": "xpath of 900123456"}})
            return Said(body={"value": self.made(given)["caseNumber"]})
        if asked.path == CASES:
            return self.listed(asked)
        found = re.fullmatch(re.escape(CASES) + r"\((\d+)\)(/workitems)?(?:\((\d+)\)/save)?", asked.path)
        case = self.cases.get(int(found[1])) if found else None
        if not found or case is None:
            return Said(404, {"error": {"code": "NotFound", "message": "of 900123456"}})
        if found[3]:
            self.write(case, {one["xpath"]: one["value"] for one in asked.body["startParameters"]})
            return Said(body={"value": True})
        if found[2]:
            return Said(body={"value": [] if case["closed"] else [{"id": 1000 + case["id"], "taskName": "Atender"}]})
        return Said(body=shown(case))

    def listed(self, asked: Asked) -> Said:
        found, condition = list(self.cases.values()), asked.query.get("$filter", "")
        if after := re.fullmatch(r"creationDate ge (\S+)", condition):
            bound = datetime.fromisoformat(after[1])
            found = [case for case in found if datetime.fromisoformat(case["creationDate"]) >= bound]
        elif same := re.fullmatch(r"(\S+) eq '(.*)'", condition):
            found = [case for case in found if case["parameters"].get(same[1]) == same[2].replace("''", "'")]
        elif condition:
            return Said(400, {"error": {"code": "BadRequest", "message": condition}})
        first = int(asked.query.get("$skip", 0))
        body: dict[str, Any] = {
            "@odata.context": "...",
            "value": [shown(case) for case in found[first : first + self.size]],
        }
        if first + self.size < len(found):
            then = f"&$filter={quote(condition)}" if condition else ""
            body["@odata.nextLink"] = f"{self.url}{CASES}?$skip={first + self.size}{then}"
        return Said(body=body)

    def made(self, attributes: dict[str, Any]) -> dict[str, Any]:
        number = len(self.cases) + 1
        self.cases[number] = {
            "id": number, "caseNumber": f"RC-{number:06}", "creationDate": self.tick().isoformat(), "solutionDate": None,
            "processName": "Soporte", "closed": False, "parameters": dict.fromkeys(ATTRIBUTES) | attributes,
        }  # fmt: skip
        return self.cases[number]

    def write(self, case: dict[str, Any], attributes: dict[str, Any]) -> None:
        case["parameters"] |= attributes
        if case["parameters"]["Estado"] == "retirado":
            case |= {"closed": True, "solutionDate": self.tick().isoformat()}


def shown(case: dict[str, Any]) -> dict[str, Any]:
    parameters = [{"xpath": name, "value": value} for name, value in case["parameters"].items()]
    return {"@odata.id": f"...cases({case['id']})", **case, "parameters": parameters}


def tool(_: Path) -> Tool:
    fake = Bizagi()
    options = {"url": fake.url, "process": PROCESS, "client_id": "vigia", "client_secret": SECRET}
    names = {"client_id": "Cliente.Nit", "kind": "Tipo", "status": "Estado", "subject": "Asunto"}

    def add(ids: list[int]) -> None:
        for n in ids:
            case = fake.made({"Cliente.Nit": "900123456", "Estado": "nuevo"})
            case |= {"caseNumber": f"RC-{n:06}", "creationDate": (START + timedelta(seconds=n // 50)).isoformat()}

    def with_key(key: str) -> list[dict[str, Any]]:
        return [case["parameters"] for case in fake.cases.values() if case["parameters"][KEY] == key]

    def read(key: str) -> dict[str, str]:
        return {"status": with_key(key)[0]["Estado"], "kind": with_key(key)[0]["Tipo"]}

    def change(n: int, status: str) -> None:
        fake.write(next(c for c in fake.cases.values() if c["caseNumber"] == f"RC-{n:06}"), {"Estado": status})

    return Tool(
        fake, options | {"columns": names | {"body": "Detalle", "note": "Nota"}}, options | {"columns": names},
        lambda key: len(with_key(key)), read, add, change, lambda name: int(name.removeprefix("RC-")),
    )  # fmt: skip
