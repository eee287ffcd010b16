"""Whom a route tells of an incident, and from when on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts import Incident, IncidentState
from alerts.routing import Addressee, Hit, Route, Team, addressed, concerns, counted, due
from alerts.rows import plain
from rules import Scope, Severity

NOW = datetime(2026, 3, 3, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ONE = Incident(
    "AF-1", Scope("pagos", "web"), "failed", Severity.MAJOR, IncidentState.FIRING, NOW, NOW, ("r",), frozenset({"failed"})
)  # fmt: skip
ROW = plain(ONE)
WIDE = plain(replace(ONE, scope=Scope("", "web")))
TEAMS = (
    Team("pagos", frozenset({"pagos"}), frozenset(), ("a@x", "b@x"), "l@x"),
    Team("web", frozenset(), frozenset({"web"}), ("c@x",)),
    Team("giros", frozenset({"giros"}), frozenset({"app"}), ("d@x",)),
    Team("todo", members=("e@x",)),
)
PEOPLE = {"post_sale": "p@x", "substitute": "s@x", "manager": "m@x"}
HITS = [Hit(3, "corporativo", PEOPLE), Hit(2, "pyme", PEOPLE | {"post_sale": "q@x"}), Hit(1, "pyme", {"post_sale": ""})]


def to(route: Route, row: dict[str, object] = ROW) -> dict[str, int]:
    return {who.name: counted(theirs) for who, theirs in addressed(route, row, TEAMS, HITS).items()}


def test_what_is_wider_than_one_product_concerns_all_of_them() -> None:
    giros = Route("r", products=frozenset({"giros"}))
    assert (concerns(giros, ROW, TEAMS), concerns(giros, WIDE, TEAMS)) == (False, True)
    assert not concerns(Route("r", channels=frozenset({"app"})), WIDE, TEAMS)


def test_a_route_is_of_its_severity_and_worse_and_of_its_teams() -> None:
    assert [concerns(Route("r", severity=severity), ROW, TEAMS) for severity in Severity] == [True, True, False]
    named = [concerns(Route("r", teams=frozenset({team.name})), ROW, TEAMS) for team in TEAMS]
    assert named == [True, True, False, True]


def test_addresses_teams_and_each_clients_own() -> None:
    assert to(Route("r")) == {"": 6}
    assert to(Route("r", to=("x@x", "team"))) == {"x@x": 6, "a@x": 6, "b@x": 6, "c@x": 6, "e@x": 6}
    assert to(Route("r", to=("team", "team_lead"), teams=frozenset({"pagos", "giros"}))) == {
        "a@x": 6,
        "b@x": 6,
        "l@x": 6,
    }
    assert to(Route("r", to=("post_sale",))) == {"p@x (post_sale)": 3, "q@x (post_sale)": 2}
    assert to(Route("r", to=("manager",))) == {"m@x (manager)": 5}
    assert to(Route("r", segments=frozenset({"pyme"}))) == {"": 3}
    assert to(Route("r", to=("manager",), segments=frozenset({"corporativo"}))) == {"m@x (manager)": 3}
    assert to(Route("r", segments=frozenset({"empresarial"}))) == {}


def test_one_in_two_roles_has_two_threads_and_one_address() -> None:
    first, second = Addressee("r", "p@x", "post_sale"), Addressee("r", "p@x", "substitute")
    assert first.name != second.name
    assert first.to == second.to


minutes = st.none() | st.integers(0, 60)


@given(acknowledged=minutes, ended=minutes, informed=minutes, after=st.integers(0, 40))
def test_an_escalation_is_due_unless_it_was_taken_on_or_over_by_then(
    acknowledged: int | None, ended: int | None, informed: int | None, after: int
) -> None:
    def time(minute: int | None) -> datetime | None:
        return None if minute is None else NOW + minute * MINUTE

    one = replace(ONE, resolved_at=time(ended))
    theirs = [Hit(1, informed_at=time(informed)), Hit(4, informed_at=NOW)]
    at = due(
        Route("r", after=after * MINUTE), one, theirs, [(time(acknowledged), True)] if acknowledged is not None else []
    )
    taken = [minute for minute in (acknowledged, ended, informed) if minute is not None and minute <= after]
    assert at == (None if taken and after else NOW + after * MINUTE)


def test_one_client_who_is_not_informed_is_enough_to_escalate() -> None:
    theirs = [Hit(1), Hit(4, informed_at=NOW)]
    assert due(Route("r", after=MINUTE), ONE, theirs, []) == NOW + MINUTE
