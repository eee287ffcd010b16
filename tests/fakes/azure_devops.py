"""Azure DevOps: a team's sprints, and stories with their history, asked for by WIQL as of any time and read two hundred at a time."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fake_api import Asked, Said
from tests.fakes.server import Fake

PAT = "s3cret-personal-token"
PROJECT = "/banco/Mejora"
PATH = r"Mejora\Sprint 1"
CATEGORY = "[System.WorkItemType] IN GROUP 'Microsoft.RequirementCategory'"
ENTRA = "499b84ac-1321-427f-aa17-267ca6975798/.default"
CLOSED = "Microsoft.VSTS.Common.ClosedDate"


@dataclass
class AzureDevops(Fake):
    """At most `limit` numbers of one query. clock: the tool's time; page: whether a bad token is answered by a page to sign in."""

    limit: int = 20_000
    page: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.clock = datetime(2026, 3, 3, 10, tzinfo=UTC)
        self.sprints: list[dict[str, Any]] = []
        self.history: dict[int, list[tuple[datetime, dict[str, Any]]]] = {}
        self.hidden: set[int] = set()

    # ---- what people do there

    def sprint(self, name: str, start: str, finish: str) -> str:
        """Its path. Its dates are days, written as midnights of UTC."""
        dates = {"startDate": f"{start}T00:00:00Z", "finishDate": f"{finish}T00:00:00Z"} if start else {}
        path = rf"Mejora\{name}"
        self.sprints = [one for one in self.sprints if one["path"] != path]
        self.sprints.append(
            {"id": f"id-of-{name}", "name": name, "path": path, "attributes": {**dates, "timeFrame": "past"}}
        )
        return path

    def write(self, number: int, at: datetime, **fields: Any) -> None:
        """A story is made, or changed: state, path, title, type."""
        before = self.history.setdefault(number, [])
        last = before[-1][1] if before else {"title": f"Historia {number}", "state": "New", "type": "User Story"}
        now = {**last, **fields, "changed": at}
        if now["state"] != last["state"] or not before:
            now |= {"moved": at, "closed": at if now["state"] == "Closed" else None}
        before.append((at, now))
        self.clock = max(self.clock, at)

    # ---- what it answers

    def may(self, asked: Asked) -> bool:
        given = asked.headers.get("authorization", "")
        return given == f"Basic {b64encode(f':{PAT}'.encode()).decode()}" or super().may(asked)

    def refused(self) -> Said:
        if self.page:
            return Said(203, headers={"Content-Type": "text/html"}, text=b"<html>900123456, sign in</html>")
        return Said(401, text=b"")

    def right(self, asked: Asked) -> Said:
        if asked.query.get("api-version") != "7.1":
            return self.fault(400, "VssVersionNotSpecifiedException")
        match asked.method, asked.path.removeprefix(PROJECT).removeprefix("/Equipo"):
            case "GET", path if path.split("/")[1:] == ["_apis", "work", "teamsettings", "iterations"]:
                return Said(body={"count": len(self.sprints), "value": self.sprints})
            case "POST", "/_apis/wit/wiql":
                return self.wiql(asked)
            case "POST", "/_apis/wit/workitemsbatch":
                return self.batch(asked.body)
        return self.fault(404, "VS800075")

    def wiql(self, asked: Asked) -> Said:
        query = asked.body["query"]
        assert asked.query["timePrecision"] == "true"
        assert "[System.TeamProject] = @project" in query
        assert CATEGORY in query
        path = re.search(r"\[System\.IterationPath\] = '((?:[^']|'')*)'", query)
        assert path
        at = self.time(found[1]) if (found := re.search(r" ASOF '([^']+)'$", query)) else self.clock
        wanted = path[1].replace("''", "'")
        there = {number: self.as_of(number, at) for number in sorted(self.history)}
        ids = [n for n, one in there.items() if one and one["path"] == wanted and one["type"] == "User Story"]
        if len(ids) > self.limit:
            return self.fault(400, "VS402337")
        columns = [{"referenceName": "System.Id"}]
        found_ = [{"id": n, "url": f"{self.url}/{n}"} for n in ids]
        return Said(body={"queryType": "flat", "queryResultType": "workItem", "columns": columns, "workItems": found_})

    def batch(self, body: dict[str, Any]) -> Said:
        if len(body["ids"]) > 200:
            return self.fault(400, "VS403474")
        assert body["errorPolicy"] == "omit"
        at = self.time(body["asOf"]) if "asOf" in body else self.clock
        value = []
        for number in body["ids"]:
            one = None if number in self.hidden else self.as_of(number, at)
            named = one and {
                "System.Title": one["title"], "System.State": one["state"], "System.ChangedDate": told(one["changed"]),
                "Microsoft.VSTS.Common.StateChangeDate": told(one["moved"]), CLOSED: told(one["closed"]),
            }  # fmt: skip
            value.append(
                named
                and {"id": number, "rev": 1, "fields": {k: v for k, v in named.items() if v and k in body["fields"]}}
            )
        return Said(body={"count": len(value), "value": value})

    def as_of(self, number: int, at: datetime) -> dict[str, Any] | None:
        return next((fields for when, fields in reversed(self.history[number]) if when <= at), None)

    def time(self, text: str) -> datetime:
        at = datetime.fromisoformat(text)
        assert at.tzinfo
        assert at <= self.clock + timedelta(days=400)
        return at

    def fault(self, status: int, code: str) -> Said:
        return Said(status, {"$id": "1", "message": f"{code}: 900123456", "typeKey": "Whatever", "errorCode": 0})


def told(at: datetime | None) -> str | None:
    return at and f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.}{at.microsecond // 1000:03}Z"
