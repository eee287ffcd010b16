"""An opening that was not answered in time may be under way still: another is not sent until that is known."""

from __future__ import annotations

import pytest

from connectors import SourceError
from connectors.once import LATE, Once
from tests.cases import CASE
from tests.connectors.test_listed import desk, tool  # noqa: F401 - a fixture
from tests.fake_api import Asked, Said
from tests.fakes.server import Tool

KNOWS_NO_KEY = ["helix", "bizagi", "sharepoint", "teams", "webpage"]


@pytest.mark.parametrize("tool", KNOWS_NO_KEY, indirect=True)
@pytest.mark.parametrize("late", [True, False])
def test_a_tool_that_writes_after_its_gateway_has_given_up_gets_one_case(tool: Tool, *, late: bool) -> None:  # noqa: F811
    """The gateway's 504 comes first; what it asked is done later, or never."""
    held: list[Asked] = []
    real = tool.fake.right

    def right(asked: Asked) -> Said:
        said: Said = real(asked) if asked.method == "GET" or held else Said(504)
        held.extend([asked] if said.status == 504 else [])
        return said

    tool.fake.right = right
    one, now = desk(tool), [1000.0]
    one._once.clock = lambda: now[0]
    with pytest.raises(SourceError) as error:
        one.open(CASE)
    assert (error.value.fault, error.value.permanent) == ("timeout", False)
    now[0] += LATE - 1
    with pytest.raises(SourceError, match="the case was perhaps opened; it is waited whether it appears") as error:
        one.open(CASE)
    assert (error.value.fault, error.value.permanent) == ("busy", False)
    if late:
        with tool.fake.lock:
            real(held[0])
    now[0] += 2
    assert one.open(CASE)
    assert tool.count(CASE.key) == 1


@pytest.mark.parametrize("tool", ["outlook"], indirect=True)
def test_a_mail_that_is_still_under_way_is_not_sent_again(tool: Tool) -> None:  # noqa: F811
    held: list[Asked] = []
    real = tool.fake.right

    def right(asked: Asked) -> Said:
        if asked.path.endswith("/send"):
            held.append(asked)
            return Said(504)
        return real(asked)

    tool.fake.right = right
    one = desk(tool)
    one._once.clock = lambda: 1000.0
    for told in ("504 Gateway Timeout", "it is waited whether it appears", "it is waited whether it appears"):
        with pytest.raises(SourceError, match=told):
            one.open(CASE)
    assert len(held) == 1
    with tool.fake.lock:
        real(held[0])
    assert one.open(CASE)
    assert (len(held), tool.count(CASE.key)) == (1, 1)


def test_what_was_refused_may_be_sent_again_and_what_was_taken_may_not() -> None:
    once, sent = Once("casos"), []

    def refused() -> str:
        sent.append("refused")
        raise SourceError("casos: 503", fault="server")

    def opening() -> str:
        sent.append("taken")
        return "T-1"

    for _ in range(2):
        with pytest.raises(SourceError, match="503"):
            once.send("VG-1", refused)
    assert once.send("VG-1", opening, lambda _: False) == once.send("VG-1", opening) == "T-1"
    assert once.send("VG-1", opening) is None
    assert once.send("VG-2", opening) == "T-1"
    once.found("VG-1")
    assert once.send("VG-1", opening) == "T-1"
    assert sent == ["refused", "refused", "taken", "taken", "taken", "taken"]
