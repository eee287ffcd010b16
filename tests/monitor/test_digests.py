"""Digests at their times of the day; promises as they are broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from alerts import Action, Alert, AlertState, Changes, Decision, TheirCase
from alerts.promises import Promise, Promises
from alerts.routing import Route
from monitor.business import Outside, ServiceHours
from monitor.calendar import Calendar
from monitor.claims import claim, confirm
from monitor.step import Message, Step
from monitor.words import rendered
from rules import Severity
from tests.monitor.told import ACEROS, CAFE, MINA, MINUTE, NOW, OTHER, TEXTILES, Told, bank, incident, over

MORNING = (time(7, 30),)
MANAGERS = Route("correo", "plain", ("manager",), at=MORNING)
TOWER = Route("torre", at=(time(7, 30), time(19)))
NEXT = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
"""Half past seven of the Wednesday in Bogotá."""
ALWAYS = ServiceHours(Calendar("America/Bogota"), business_days=False)


@pytest.fixture
def digested(tmp_path: Path) -> Iterator[Told]:
    here = bank(tmp_path, MANAGERS, TOWER)
    yield here
    here.store.close()


def test_a_digest_says_at_its_time_what_began_or_ended_or_stands_since_the_last(digested: Told) -> None:
    here, one, two = digested, incident("AF-1"), incident("AF-2", channel="app")
    here.put(one, two, hit={"AF-1": [ACEROS, TEXTILES]})
    assert here.told(after=60) == []
    here.now = NEXT - timedelta(hours=12, minutes=31)
    assert here.told() == []
    here.now += MINUTE
    assert here.told() == [("torre", "", "first", ())]
    here.put(over(two, here.now + 60 * MINUTE))
    here.now = NEXT
    assert sorted(here.told()) == [("correo", "g1@banco.example", "first", ()), ("torre", "", "first", ())]
    mine, all_ = sorted((p for p in here.payloads()[-2:]), key=lambda p: p["to"] == "")
    assert [i["id"] for i in mine["incidents"]] == ["AF-1"]
    assert [(c["client_id"], c["client"]) for c in mine["incidents"][0]["own"]] == [(ACEROS, "Aceros del Istmo")]
    assert {i["id"] for i in all_["incidents"]} == {"AF-1", "AF-2"}
    assert not any(i["own"] for i in all_["incidents"])
    assert (all_["from"], all_["until"]) == ("2026-03-04T00:00:00+00:00", NEXT.isoformat())
    here.restart()
    assert here.told(after=1) == []
    here.now = NEXT + timedelta(days=1)
    here.put(over(one, NEXT + 30 * MINUTE))
    here.told()
    assert [i["id"] for i in here.payloads()[-1]["incidents"]] == ["AF-1"], "of the Wednesday evening, both late"


def test_what_was_closed_by_hand_and_is_in_alert_is_in_each_digest(digested: Told) -> None:
    here, one = digested, incident("AF-1")
    here.put(one)
    here.now = NEXT
    here.told()
    alert = Alert("fallas", one.scope, AlertState.FIRING, NOW, NEXT, one.id)
    here.store.commit(Step(changes=Changes(alerts={("fallas", one.scope): alert})), NEXT)
    here.put(replace(over(one, NEXT + MINUTE), resolved_by="ana"))
    for days in (1, 2):
        here.now = NEXT + timedelta(days=days)
        here.told()
        assert [row["still_failing"] for row in here.payloads()[-1]["incidents"]] == [True]
        assert here.payloads()[-1]["until"] == here.now.isoformat()
    here.store.commit(Step(changes=Changes(alerts={("fallas", one.scope): None})), here.now)
    before = len(here.outbox())
    here.now = NEXT + timedelta(days=3)
    here.told()
    assert [row["news"] for row in here.payloads()[before:]] == []


def test_a_daemon_that_was_down_tells_the_digest_when_it_is_back_and_only_once(digested: Told) -> None:
    here = digested
    here.put(incident("AF-1"))
    here.now = NEXT + timedelta(hours=2)
    here.restart()
    assert here.told() == [("torre", "", "first", ())]
    here.restart()
    assert here.told() == []


def test_a_quiet_day_has_no_digest_and_what_is_silenced_is_not_in_it(digested: Told) -> None:
    here = digested
    here.now = NEXT
    assert here.told() == []
    here.put(incident("AF-1", NEXT))
    here.silence(0, 60 * 24)
    here.now = NEXT + timedelta(hours=12)
    assert here.told() == []


def test_a_digest_waits_until_its_route_tells(tmp_path: Path) -> None:
    night = Outside(ServiceHours(Calendar("America/Bogota"), opens=7 * 60, closes=8 * 60))
    here = bank(tmp_path, Route("torre", at=MORNING, hours=night))
    here.put(incident("AF-1"))
    here.now = NEXT
    assert here.told() == []
    assert here.told(after=30) == [("torre", "", "first", ())]
    here.store.close()


# ---- promises ------------------------------------------------------------------------------------------------------


def promised(tmp_path: Path, *routes: Route) -> Told:
    here = bank(tmp_path, *routes)
    promises = Promises((Promise(timedelta(hours=5), ALWAYS),), at_risk=0.8)
    here.config = replace(here.config, promises=promises)
    here.restart()
    cases = [
        TheirCase(f"C-{n}", "mesa", nit, NOW + n * MINUTE, NOW + n * MINUTE, "pagos", status="abierto")
        for n, nit in enumerate((ACEROS, TEXTILES, CAFE))
    ]
    here.store.commit(Step(cases=cases), NOW)
    return here


def test_a_promise_is_told_when_it_is_at_risk_and_when_it_is_broken_to_those_who_answer_for_the_client(
    tmp_path: Path,
) -> None:
    breach = frozenset({"breach"})
    here = promised(
        tmp_path, Route("correo", to=("post_sale",), news=breach), Route("torre", news=breach, severity=Severity.MAJOR)
    )
    assert here.told(after=239) == []
    assert here.told(after=1) == [("correo", MINA, "first", ("new",))]
    assert [(c["reference"], c["client"], c["clock"]) for c in here.payloads()[-1]["cases"]] == [
        ("C-0", "Aceros del Istmo", "at_risk")
    ]
    assert here.told(after=4) == [("correo", OTHER, "first", ("new",))]
    assert len(here.payloads()[-1]["cases"]) == 2, "together"
    assert here.told(after=30) == []
    here.now = NOW + timedelta(hours=5, minutes=10)
    assert sorted((r, to) for r, to, *_ in here.told()) == [("correo", MINA), ("correo", OTHER), ("torre", "")]
    assert all(rendered(payload, here.config.words).faults == () for payload in here.payloads())
    assert {(c["client"], c["client_id"]) for c in here.payloads()[-1]["cases"]} == {("", "")}, (
        "whose, is not the tower's"
    )
    here.restart()
    assert here.told(after=10) == []
    here.store.close()


def test_a_number_that_two_desks_gave_is_tied_to_its_own_clients_incident(tmp_path: Path) -> None:
    here = promised(tmp_path, Route("torre", news=frozenset({"breach"})))
    made = {
        name: Decision(f"VG-{name}", f"AF-{name}", nit, "pagos", Action.OPEN, "", NOW, desk=name)
        for name, nit in (("uno", ACEROS), ("dos", TEXTILES))
    }
    messages = [Message(one.key, one.key, one.desk, "open", {}) for one in made.values()]
    here.store.commit(Step(messages=messages, changes=Changes(decisions={x.key: x for x in made.values()})), NOW)
    for name in made:
        confirm(here.store, claim(here.store, NOW, MINUTE, only=name)["id"], "C-0", NOW)  # C-0 is of Aceros
    here.now = NOW + timedelta(hours=6)
    here.told()
    assert {c["reference"]: c["incident_id"] for c in here.payloads()[-1]["cases"]}["C-0"] == "AF-uno"
    here.store.close()


def test_a_case_that_was_solved_and_is_late_anew_is_news_again(tmp_path: Path) -> None:
    here = promised(tmp_path, Route("torre", news=frozenset({"breach"})))
    here.now = NOW + timedelta(hours=6)
    assert len(here.told()) == 1
    case = TheirCase("C-0", "mesa", ACEROS, NOW, NOW, "pagos", status="resuelto")
    here.store.commit(Step(cases=[replace(case, resolved_at=here.now, updated_at=here.now)]), here.now)
    assert here.told(after=31) == []
    here.store.commit(Step(cases=[replace(case, updated_at=here.now, reopened=1)]), here.now)
    assert here.told(after=31) == [("torre", "", "first", ("new",))]
    assert [c["reference"] for c in here.payloads()[-1]["cases"]] == ["C-0"]
    here.store.close()
