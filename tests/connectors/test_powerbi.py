"""A push model of Power BI: found or made, rows in its types, and faults told in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from connectors import SourceError
from connectors.boards import MOST, SHEETS
from connectors.boards.powerbi import Powerbi
from tests.fake_api import Said
from tests.fakes import powerbi as fakes
from tests.fakes.powerbi import GROUP
from tests.fakes.server import SECRET

AT = datetime(2026, 3, 3, 10, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def tool() -> Iterator[fakes.Powerbi]:
    with fakes.Powerbi() as fake:
        yield fake


def board(tool: fakes.Powerbi, **options: Any) -> Powerbi:
    given = {"client_id": "vigia", "client_secret": SECRET, "token_url": f"{tool.url}/token", "url": tool.url}
    made = Powerbi(group=GROUP, **given | options)
    made.session.sleep = lambda _: None
    return made


def rows(*ids: str, sheet: str = "impacts", **values: Any) -> pa.Table:
    given = {"version": 1, "sent_at": AT, "failures": 3, "amount": Decimal("1250000.50"), "touch": "affected"} | values
    known = SHEETS[sheet].names
    return pa.Table.from_pylist(
        [{k: v for k, v in ({"id": key} | given).items() if k in known} for key in ids], schema=SHEETS[sheet]
    )


def test_it_is_made_once_with_all_its_tables_and_found_again(tool: fakes.Powerbi) -> None:
    first = board(tool).place()
    assert board(tool).place() == first == "model-1"
    there = {
        table["name"]: {c["name"]: c["dataType"] for c in table["columns"]} for table in tool.models[first]["tables"]
    }
    assert there.keys() == SHEETS.keys()
    for sheet, columns in there.items():
        assert list(columns) == SHEETS[sheet].names
        assert (columns["id"], columns["version"], columns["sent_at"]) == ("String", "Int64", "DateTime")
    assert there["impacts"]["amount"] == "Double"


def test_one_that_was_made_after_all_is_not_made_twice(tool: fakes.Powerbi) -> None:
    tool.after = [Said(503)]
    with pytest.raises(SourceError):
        board(tool).place()
    assert board(tool).place() == "model-1"
    assert tool.made == 1


def test_rows_arrive_in_the_models_types(tool: fakes.Powerbi) -> None:
    one = board(tool)
    place = one.place()
    one.push(place, "impacts", rows("a", "b", client="x" * 5000))
    assert [row["id"] for row in tool.rows[place, "impacts"]] == ["a", "b"]
    first = tool.rows[place, "impacts"][0]
    assert (first["amount"], first["sent_at"], len(first["client"])) == (1250000.5, "2026-03-03T10:00:00.123Z", 4000)
    assert "first_failure_at" not in first, "what is not known is left out"
    one.push(place, "impacts", rows(*map(str, range(MOST))))
    assert len(tool.rows[place, "impacts"]) == MOST + 2


def test_what_may_have_been_taken_is_not_sent_again_at_once(tool: fakes.Powerbi) -> None:
    one = board(tool)
    place = one.place()
    tool.after = [Said(503)]
    with pytest.raises(SourceError) as error:
        one.push(place, "impacts", rows("a"))
    assert not error.value.permanent
    assert len(tool.rows[place, "impacts"]) == 1, "a second one of the same version would be counted twice"


def test_busy_for_long_is_left_alone(tool: fakes.Powerbi) -> None:
    one = board(tool)
    place = one.place()
    tool.posts = 0
    with pytest.raises(SourceError, match="429"):
        one.push(place, "impacts", rows("a"))
    with pytest.raises(SourceError, match="left alone"):
        one.push(place, "impacts", rows("a"))


def test_a_token_that_ends_in_the_middle_is_renewed(tool: fakes.Powerbi) -> None:
    one = board(tool)
    place = one.place()
    tool.expire()
    one.push(place, "impacts", rows("a"))
    assert len(tool.rows[place, "impacts"]) == 1


def test_what_it_cannot_be_is_told(tool: fakes.Powerbi) -> None:
    tool.models["x"] = {"id": "x", "name": "Vigía", "addRowsAPIEnabled": False}
    with pytest.raises(SourceError, match="no push model"):
        board(tool).check()
    tool.models["y"] = {"id": "y", "name": "Vigía", "addRowsAPIEnabled": True}
    with pytest.raises(SourceError, match="2 called"):
        board(tool).place()
    with pytest.raises(SourceError) as error:
        board(tool, client_secret="wr0ng").check()
    assert error.value.whole
    for wrong in ({"group": ""}, {"group": GROUP, "dataset": ""}):
        with pytest.raises(ValueError, match=r"group|dataset"):
            Powerbi(client_id="a", client_secret="b", tenant="c", **wrong)


def test_an_error_names_no_client_and_no_secret(tool: fakes.Powerbi) -> None:
    one = board(tool)
    place = one.place()
    wrong = rows("a").append_column("nada", pa.array(["900123456"]))
    with pytest.raises(SourceError) as error:
        one.push(place, "impacts", wrong)
    assert error.value.permanent
    assert "900123456" not in str(error.value)
    assert SECRET not in repr(one) + str(error.value)


def test_check_makes_nothing(tool: fakes.Powerbi) -> None:
    assert "is made with the first rows" in board(tool).check()
    assert tool.made == 0
    board(tool).place()
    assert board(tool).check().endswith("'Vigía' is there")


def test_nobody_there_is_told_in_words(tool: fakes.Powerbi) -> None:
    with pytest.raises(SourceError, match="no connection"):
        board(tool, url="http://127.0.0.1:9", token_url=f"{tool.url}/token", timeout=timedelta(seconds=1)).check()
