"""Azure DevOps: the stories of a team's sprints, as they were planned and as they stood when the sprint ended."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import quote

from connectors import Batch, Cursor, SourceError, answers
from connectors.login import microsoft
from connectors.session import Session
from connectors.values import digest

SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"
"""Azure DevOps, as Microsoft Entra knows it."""
AREA = "work"
"""Where the sprints are, in their names."""
SIGN_IN = 203
"""Its status where it answers with a page to log in by."""
AT_ONCE = 200
"""Stories of one batch, at most."""
TITLE, STATE, CHANGED = "System.Title", "System.State", "System.ChangedDate"
DONE = ("Microsoft.VSTS.Common.ClosedDate", "Microsoft.VSTS.Common.StateChangeDate", CHANGED)
"""Fields that say when a story was done: the first that does."""


@dataclass(frozen=True, slots=True)
class _Sprint:
    """From its first midnight to the one after its last day, in the source's zone; known by its id and its dates.

    path: where its stories are now; name: what it was called as its first rows were told, which they are kept by.
    """

    id: str
    path: str
    name: str
    start: datetime
    end: datetime

    @property
    def dates(self) -> str:
        return f"{self.start:%Y-%m-%d}/{self.end:%Y-%m-%d}"


class AzureDevops:
    """Stories (whatever the process calls them: its requirement category) of the sprints of a team that have begun.

    url: of the organization or the collection, as https://dev.azure.com/banco; project; team: whose sprints they are ('': the project's
    own team); token: a personal access token that may read work items; or tenant, client_id, client_secret: of an application that is
    a member of the organization (token_url: where it logs in, if not at the tenant's). where: which stories count besides, in WIQL, such
    as "[System.AreaPath] UNDER 'Mejora'"; done: the states of what is done; planning: for so long after its first midnight a sprint is
    still being planned. version: of the API. timeout: of one answer.

    A row is a story in a sprint. It is planned there (planned_at) if it was in the sprint when the planning ended, and done if it is in a
    state of `done` when the sprint ends, wherever it stands by then: what left the sprint stays planned, what came later never is. Both
    are asked of the tool's own history (ASOF), so that it does not matter when they are read. A sprint that has ended is asked once;
    again if its dates change. It is known by its id: its rows keep the name under which they were told first. A story that can be read no
    more keeps what was told of it.
    """

    def __init__(
        self,
        *,
        url: str,
        project: str,
        team: str = "",
        token: str = "",
        tenant: str = "",
        client_id: str = "",
        client_secret: str = "",
        token_url: str = "",
        where: str = "",
        done: list[str] | None = None,
        planning: timedelta = timedelta(days=1),
        version: str = "7.1",
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        if bool(token) == bool(client_id):
            raise ValueError("token: give either token or client_id")
        if planning < timedelta(0):
            raise ValueError("planning: must not be less than 0s")
        login = None if token else microsoft(tenant, client_id, client_secret, url, token_url, scope=SCOPE)
        self._project = f"{url.rstrip('/')}/{quote(project, safe='')}"
        self._team = f"{self._project}/{quote(team, safe='')}" if team else self._project
        self.session = Session(self._project, login=login, timeout=timeout)
        # A token is a password without a user.
        self._headers = {"Authorization": f"Basic {b64encode(f':{token}'.encode()).decode()}"} if token else {}
        self._where = f" AND ({where})" if where else ""
        self._done = {state.casefold() for state in (done or ["Closed", "Done"])}
        self._planning, self._version = planning, version

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """The rows of all sprints that are new or other than the last time."""
        before, kept = (cursor or {}).get("sprints", {}), {}
        told: list[dict[str, Any]] = []
        for sprint in self._sprints(now, {id_: held["name"] for id_, held in before.items() if "name" in held}):
            if since and sprint.end <= since:
                continue
            known = before.get(sprint.id, {})
            marks = known.get("rows", {})
            if not known.get("over") or known.get("dates") != sprint.dates:
                found, unread = self._rows(sprint, now)
                gone = {key: self._row(sprint, key) for key in marks if key not in found}
                # What cannot be read now keeps what was told of it.
                rows = {key: row for key, row in (gone | found).items() if key not in unread or key not in marks}
                fresh = {key: digest([json.dumps(row, sort_keys=True)]) for key, row in rows.items()}
                told += [row for key, row in rows.items() if marks.get(key) != fresh[key]]
                marks = marks | fresh
            kept[sprint.id] = {"name": sprint.name, "dates": sprint.dates, "over": sprint.end <= now, "rows": marks}
        place = self.session.shown
        where = [f"{place}: story {row['story_id']} of {row['sprint']}" for row in told]
        return Batch(answers.table(told), {"sprints": kept}, drained=True, complete_until=now, where=where.__getitem__)

    def check(self) -> str:
        """Whether it answers, with what sprints, and how many stories are in the newest."""
        now = datetime.now(UTC)
        sprints = list(self._sprints(now))
        if not sprints:
            return f"{self.session.shown}: answers; no sprint with dates has begun"
        newest = max(sprints, key=lambda sprint: sprint.start)
        many = len(self._ids(newest, newest.end if newest.end <= now else None))
        return f"{self.session.shown}: answers, with {len(sprints)} sprints that have begun; in {newest.path} are {many} stories"

    def _sprints(self, now: datetime, names: Mapping[str, str] | None = None) -> Iterator[_Sprint]:
        """The sprints with dates that have begun. Their dates are days, written as midnights of UTC whatever the zone.

        names: what those were called that are known already, by their id.
        """
        called = dict(names or {})
        body = self._ask("GET", f"{self._team}/_apis/{AREA}/teamsettings/iterations")
        for one in answers.objects(body, "value", self.session.shown):
            days = [answers.reached(one, f"attributes.{name}") for name in ("startDate", "finishDate")]
            if not all(days):
                continue
            try:
                first, last = (date.fromisoformat(str(day)[:10]) for day in days)
            except ValueError:
                raise SourceError(f"{self.session.shown}: a sprint's dates are of another form") from None
            start = datetime.combine(first, time(), now.tzinfo)
            end = datetime.combine(last + timedelta(days=1), time(), now.tzinfo)
            place = self.session.shown
            if start <= now:
                id_, path = answers.needed(one, "id", place), answers.needed(one, "path", place)
                if id_ not in called:  # another may have had the name before
                    called[id_] = f"{path} ({id_})" if path in called.values() else path
                yield _Sprint(id_, path, called[id_], start, end)

    def _rows(self, sprint: _Sprint, now: datetime) -> tuple[dict[str, dict[str, Any]], set[str]]:
        """By number, what was planned in the sprint or is in it, as of its end or of now; and those of which nothing can be read."""
        at = sprint.end if sprint.end <= now else None
        settled = min(sprint.start + self._planning, sprint.end)
        there = self._ids(sprint, at)
        planned = set(self._ids(sprint, settled) if settled <= now else there)
        wanted = sorted({*there, *planned})
        found: dict[int, dict[str, Any]] = {}
        for first in range(0, len(wanted), AT_ONCE):
            found |= self._items(wanted[first : first + AT_ONCE], at)
        rows = {str(n): self._row(sprint, str(n), found.get(n), planned=n in planned) for n in wanted}
        return rows, {str(n) for n in wanted if n not in found}

    def _row(
        self, sprint: _Sprint, number: str, fields: dict[str, Any] | None = None, *, planned: bool = False
    ) -> dict[str, Any]:
        """A story in a sprint under our names; without fields: one that cannot be read, or is there no more."""
        fields = fields or {}
        state = str(fields.get(STATE) or "")
        done_at = next((fields[name] for name in DONE if fields.get(name)), None)
        return {
            "story_id": number, "sprint": sprint.name, "sprint_start": sprint.start.isoformat(), "sprint_end": sprint.end.isoformat(),
            "title": fields.get(TITLE) or "", "state": state, "planned_at": sprint.start.isoformat() if planned else None,
            "done_at": done_at if state.casefold() in self._done else None, "updated_at": fields.get(CHANGED),
        }  # fmt: skip

    def _ids(self, sprint: _Sprint, at: datetime | None) -> list[int]:
        """Numbers of the stories that were in the sprint then; None: that are in it."""
        path = sprint.path.replace("'", "''")
        query = (
            "SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = @project"
            f" AND [System.WorkItemType] IN GROUP 'Microsoft.RequirementCategory' AND [System.IterationPath] = '{path}'{self._where}"
            " ORDER BY [System.Id]"
        )
        query += f" ASOF '{_utc(at)}'" if at else ""
        body = self._ask("POST", f"{self._project}/_apis/wit/wiql", {"timePrecision": "true"}, {"query": query})
        found = answers.objects(body, "workItems", self.session.shown)
        return [int(answers.needed(one, "id", self.session.shown)) for one in found]

    def _items(self, numbers: Sequence[int], at: datetime | None) -> dict[int, dict[str, Any]]:
        """The fields of the stories as they were then, or are; those that cannot be read are left out."""
        sent = {"ids": list(numbers), "fields": [TITLE, STATE, *DONE], "errorPolicy": "omit"}
        sent |= {"asOf": _utc(at)} if at else {}
        found = answers.reached(self._ask("POST", f"{self._project}/_apis/wit/workitemsbatch", body=sent), "value")
        if not isinstance(found, list):
            raise SourceError(f"{self.session.shown}: the answer has no list 'value'")
        return {one["id"]: one["fields"] for one in found if answers.has(one, "id") and answers.has(one, "fields")}

    def _ask(self, method: str, url: str, params: dict[str, str] | None = None, body: Any = None) -> Any:
        asked = {"api-version": self._version, **(params or {})}
        answer = self.session.ask(method, url, params=asked, body=body, headers=self._headers, parse=False)
        if answer.status == SIGN_IN:
            raise SourceError(
                f"{self.session.shown}: asks to sign in: the token is not good", whole=True, fault="login"
            )
        try:
            return json.loads(answer.text)
        except (ValueError, RecursionError):
            raise SourceError(f"{self.session.shown}: the answer is not JSON", fault="unreadable") from None


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
