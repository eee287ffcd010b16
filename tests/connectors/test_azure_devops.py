"""Stories of sprints: planned is what was there when planning ended, done what was done at the end; each told once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors import SourceError
from connectors.mapping import Mapping
from connectors.sources.azure_devops import AzureDevops
from tests.fake_api import Said
from tests.fakes import azure_devops as fakes
from tests.fakes.azure_devops import ENTRA, PAT
from tests.fakes.server import SECRET

BOGOTA = ZoneInfo("America/Bogota")
FIRST, SECOND = r"Mejora\Sprint 1", r"Mejora\Sprint 2"


def on(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=BOGOTA)


@pytest.fixture
def tool() -> Iterator[fakes.AzureDevops]:
    """A sprint from 2 to 13 March, and the next."""
    with fakes.AzureDevops() as fake:
        fake.sprint("Sprint 1", "2026-03-02", "2026-03-13")
        fake.sprint("Sprint 2", "2026-03-16", "2026-03-27")
        fake.sprint("Sin fechas", "", "")
        yield fake


def source(tool: fakes.AzureDevops, **options: Any) -> AzureDevops:
    given = {"url": f"{tool.url}/banco", "project": "Mejora", "token": PAT} | options
    made = AzureDevops(**given)
    made.session.sleep = lambda _: None
    return made


class Reader:
    """Polls as the daemon does: its cursor goes through JSON, and each poll is of a new object."""

    def __init__(self, tool: fakes.AzureDevops, **options: Any) -> None:
        self.tool, self.options, self.cursor, self.rows = tool, options, None, dict[tuple[str, str], dict[str, Any]]()
        self.mapping = Mapping(role="stories")

    def read(self, now: datetime, since: datetime | None = None) -> list[str]:
        """The numbers that were told; `rows`: all that is known by now."""
        self.tool.clock = max(self.tool.clock, now)
        batch = source(self.tool, **self.options).poll(self.cursor, now, since)
        assert batch.drained
        assert batch.complete_until == now
        mapped = self.mapping.apply(batch.table, batch.where)
        assert mapped.rejects == ()
        self.cursor = json.loads(json.dumps(batch.cursor))
        self.rows |= {(row["sprint"], row["story_id"]): row for row in mapped.table.to_pylist()}
        return [row["story_id"] for row in mapped.table.to_pylist()]

    def of(self, sprint: str) -> dict[str, tuple[bool, bool]]:
        """By story: planned, done by the end."""
        return {
            n: (row["planned_at"] is not None, row["done_at"] is not None and row["done_at"] <= row["sprint_end"])
            for (path, n), row in self.rows.items()
            if path == sprint
        }


def lived(tool: fakes.AzureDevops) -> None:
    """1 is done, 2 is carried over and done a day late, 3 comes later and is done, 4 leaves undone, 5 moves on and is done in time."""
    for number in (1, 2, 4, 5):
        tool.write(number, on(1), path=FIRST)
    tool.write(9, on(1), path=FIRST, type="Task")
    tool.write(3, on(5), path=FIRST)
    tool.write(1, on(6), state="Closed")
    tool.write(3, on(9), state="Closed")
    tool.write(4, on(10), path="Mejora")
    tool.write(5, on(11), path=SECOND)
    tool.write(5, on(12), state="Closed")
    tool.write(2, on(14), path=SECOND)
    tool.write(2, on(17), state="Closed")


ENDED = {"1": (True, True), "2": (True, False), "3": (False, True), "4": (True, False), "5": (True, True)}


def test_read_long_afterwards_it_is_as_it_was(tool: fakes.AzureDevops) -> None:
    lived(tool)
    reader = Reader(tool)
    reader.read(on(30))
    assert reader.of(FIRST) == ENDED
    assert reader.of(SECOND) == {"2": (True, True), "5": (True, True)}
    row = reader.rows[FIRST, "1"]
    assert (row["sprint_start"], row["sprint_end"]) == (on(2, 0), on(14, 0)), "its days are the bank's"
    assert (row["title"], row["state"], row["done_at"]) == ("Historia 1", "Closed", on(6))


def test_read_day_by_day_it_comes_to_the_same(tool: fakes.AzureDevops) -> None:
    lived(tool)
    late, daily = Reader(tool), Reader(tool)
    late.read(on(30))
    for day in range(1, 31):
        tool.clock = on(day)
        daily.read(on(day))
        assert daily.read(on(day)) == [], "what has not changed is not told again"
        tool.clock = on(30)
    assert daily.of(FIRST) == late.of(FIRST) == ENDED
    assert daily.of(SECOND) == late.of(SECOND)


def test_while_it_is_planned_what_leaves_was_never_planned(tool: fakes.AzureDevops) -> None:
    tool.write(1, on(1), path=FIRST)
    tool.write(2, on(1), path=FIRST)
    reader = Reader(tool)
    tool.clock = on(2, 9)
    assert reader.read(on(2, 9)) == ["1", "2"]
    tool.write(2, on(2, 15), path="Mejora")
    assert reader.read(on(3)) == ["2"]
    assert reader.of(FIRST) == {"1": (True, False), "2": (False, False)}


def test_a_sprint_of_another_name_is_the_same_and_counts_once(tool: fakes.AzureDevops) -> None:
    for number in (1, 2):
        tool.write(number, on(1), path=FIRST)
    reader = Reader(tool)
    reader.read(on(4))
    tool.sprints[0] |= {"path": r"Mejora\Marzo", "name": "Marzo"}
    for past in tool.history.values():  # the tool moves its stories with it
        for _, fields in past:
            fields["path"] = r"Mejora\Marzo"
    tool.write(1, on(6), state="Closed")
    reader.read(on(16))
    assert reader.of(FIRST) == {"1": (True, True), "2": (True, False)}
    assert {path for path, _ in reader.rows} == {FIRST}
    tool.sprints.append({**tool.sprints[0], "id": "another", "path": FIRST})  # its old name is another's now
    tool.write(7, on(3), path=FIRST)
    reader.read(on(16))
    assert {path for path, _ in reader.rows} == {FIRST, rf"{FIRST} (another)"}


def test_a_story_that_can_be_read_no_more_keeps_what_was_told_of_it(tool: fakes.AzureDevops) -> None:
    tool.write(1, on(1), path=FIRST)
    tool.write(1, on(6), state="Closed")
    reader = Reader(tool)
    reader.read(on(7))
    tool.hidden.add(1)
    assert reader.read(on(8)) == []
    assert reader.read(on(16)) == []
    tool.hidden.clear()
    tool.write(1, on(17), title="Otra")
    assert reader.rows[FIRST, "1"]["done_at"] == on(6)


def test_a_sprint_that_has_ended_is_asked_once_and_again_if_its_dates_move(tool: fakes.AzureDevops) -> None:
    lived(tool)
    reader = Reader(tool)
    reader.read(on(30))
    before = len(tool.asked)
    assert reader.read(on(31)) == []
    assert [one.method for one in tool.asked[before:]] == ["GET"], "the list of sprints, and nothing else"
    tool.sprint("Sprint 1", "2026-03-02", "2026-03-10")
    reader.read(on(31))
    assert reader.of(FIRST)["5"] == (True, False), "by the new end it was not done"
    assert reader.cursor is not None
    assert Reader(tool).read(on(31), since=on(20)) == ["2", "5"], "older ones are not asked for"


def test_many_are_read_two_hundred_at_a_time_and_what_is_hidden_stays_planned(tool: fakes.AzureDevops) -> None:
    for number in range(1, 451):
        tool.write(number, on(1), path=FIRST)
    tool.hidden = {7}
    reader = Reader(tool)
    assert len(reader.read(on(5))) == 450
    assert [len(one.body["ids"]) for one in tool.asked if one.path.endswith("batch")] == [200, 200, 50]
    assert reader.rows[FIRST, "7"]["state"] == ""
    assert reader.of(FIRST)["7"] == (True, False)
    tool.limit = 400
    with pytest.raises(SourceError) as error:
        source(tool).poll(None, on(5), None)
    assert error.value.permanent


def test_a_quote_in_a_sprints_name_and_further_conditions(tool: fakes.AzureDevops) -> None:
    path = tool.sprint("Día d'Or", "2026-03-02", "2026-03-13")
    tool.write(1, on(1), path=path)
    reader = Reader(tool, where="[System.AreaPath] UNDER 'Mejora\\Pagos'", team="Equipo")
    assert reader.read(on(3)) == ["1"]
    queries = [one.body["query"] for one in tool.asked if one.path.endswith("wiql")]
    assert all(" AND ([System.AreaPath] UNDER 'Mejora\\Pagos') ORDER BY" in query for query in queries)


def test_by_an_application_of_entra(tool: fakes.AzureDevops) -> None:
    lived(tool)
    given = {"token": "", "client_id": "vigia", "client_secret": SECRET, "token_url": f"{tool.url}/token"}
    reader = Reader(tool, **given)
    reader.read(on(5))
    tool.expire()
    made = source(tool, **given)
    made.poll(None, on(5), None)
    tool.expire()
    made.poll(None, on(5), None)  # withdrawn in the middle: renewed once
    assert ENTRA in str(vars(made.session)["_login"].form)


@pytest.mark.parametrize(("page", "words"), [(True, "asks to sign in"), (False, "401")])
def test_a_token_that_is_not_good_is_told_as_such(tool: fakes.AzureDevops, words: str, *, page: bool) -> None:
    tool.page = page
    with pytest.raises(SourceError, match=words) as error:
        source(tool, token="wr0ng").check()
    assert error.value.whole
    assert "900123456" not in str(error.value)


def test_busy_is_waited_for_and_what_is_no_answer_is_told(tool: fakes.AzureDevops) -> None:
    lived(tool)
    tool.faults = [Said(429, headers={"Retry-After": "1"}), None, Said(503)]
    assert Reader(tool).read(on(5)) == ["1", "2", "3", "4", "5"]
    for answer in (Said(text=b"<html>"), Said(body={"value": "nada"}), Said(body=[])):
        tool.faults = [answer]
        with pytest.raises(SourceError):
            source(tool).poll(None, on(5), None)


def test_check_says_how_many_there_are(tool: fakes.AzureDevops) -> None:
    tool.sprints = []
    assert "no sprint" in source(tool).check()
    begun = datetime.now(UTC) - timedelta(days=3)
    path = tool.sprint("Ahora", f"{begun:%Y-%m-%d}", f"{begun + timedelta(days=13):%Y-%m-%d}")
    tool.write(1, begun, path=path)
    assert source(tool).check().endswith(rf"answers, with 1 sprints that have begun; in {path} are 1 stories")


def test_what_cannot_be_is_refused() -> None:
    for wrong in ({}, {"token": "a", "client_id": "b"}, {"token": "a", "planning": timedelta(days=-1)}):
        with pytest.raises(ValueError, match=r"token|planning"):
            AzureDevops(url="https://dev.azure.com/banco", project="Mejora", **wrong)
