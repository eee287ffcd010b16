"""The clocks that are kept are, whatever happened, as if all had been looked at anew; what is read of them is what a look at all says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts import Action, Alert, AlertState, Changes, Incident, TheirCase
from alerts.promises import Promise, Promises
from monitor import kept_clocks
from monitor import tables as t
from monitor.kept_clocks import keep_clocks, still_open, urgent_now, whole
from monitor.sla import due_first, row, standing, stood
from monitor.standing import rows
from monitor.store import Message, Step, Store
from tests.monitor.conftest import ACEROS, CLIENTS, DECISIONS, INCIDENTS, MOLINOS, NOW, NUBE, THEIRS, ago, heal
from tests.monitor.test_sla import HOURS, case

MINUTE = timedelta(minutes=1)
PROMISES = Promises(
    (
        Promise(timedelta(minutes=100), HOURS, {"product": frozenset({"pagos"})}),
        Promise(timedelta(minutes=40), HOURS, {"segment": frozenset({"pyme"})}, priority_from=90),
    ),
    frozenset({"en espera"}),
)
FIRST = DECISIONS[0]


@pytest.fixture(params=["sqlite", "postgres"])
def bank(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'v.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres")
    made = Store(url)
    made.migrate()
    decided = {decision.key: decision for decision in DECISIONS}
    changes = Changes(incidents={incident.id: incident for incident in INCIDENTS}, decisions=decided)
    messages = [Message(FIRST.key, FIRST.key, "local", "open", {})]
    cases = [
        *THEIRS,
        case("B-1", 30),
        case("B-2", 79),
        case("B-3", 95),
        case("B-4", 20, MOLINOS),
        case("B-5", 5, product="swift"),
    ]
    made.commit(Step(changes=changes, clients=CLIENTS, cases=cases, messages=messages), ago(22))
    yield made
    made.close()


def kept(store: Store) -> dict[tuple[str, str], dict[str, Any]]:
    """Without what tells when it was looked at."""
    found = rows(store, t.clocks.select())
    but = {"kept_at", "seconds", "turns_at"}
    return {(one["source"], one["case_id"]): {name: one[name] for name in one.keys() - but} for one in found}


def same(store: Store, now: datetime) -> None:
    """What is kept step by step, what all of it anew is, and what is read in between."""
    every = [one for one in stood(store, PROMISES, now, now) if not one.over(now)]
    listed = still_open(store, PROMISES, now)
    due = [row(one, now) | {"ours": one.case.reported_by == "monitor"} for one in sorted(every, key=due_first)]
    assert whole(store, PROMISES, now, listed) == due
    assert urgent_now(store, PROMISES, now) == ((late := standing(store, PROMISES, now)["cases"]), len(late))
    assert urgent_now(store, PROMISES, now, 1) == (late[:1], len(late))
    counted = keep_clocks(store, PROMISES, now)
    by_step = kept(store)
    kept_clocks._kept_by.pop(store)
    assert keep_clocks(store, PROMISES, now) == counted
    assert kept(store) == by_step
    assert len(asked(store, "SELECT DISTINCT kept_at FROM v_clocks")) <= 1, "all as of the same moment"


def asked(store: Store, query: str) -> list[Any]:
    with store.reading() as connection:
        return [*connection.exec_driver_sql(query).all()]


def decided(store: Store, *found: Any) -> None:
    store.commit(Step(changes=Changes(decisions={one.key: one for one in found})), NOW)


def sent(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(t.outbox.update().values(reference="C-7", state="sent"))


def sent_alike(store: Store) -> None:
    """Another client's case at another desk, and both desks number it alike."""
    other = replace(FIRST, key=f"{FIRST.key}-2", client_id=MOLINOS, desk="otra", opened_at=ago(21))
    messages = [Message(other.key, other.key, other.desk, "open", {})]
    store.commit(Step(changes=Changes(decisions={other.key: other}), messages=messages), NOW)
    sent(store)


def over(store: Store, incident: Incident) -> None:
    ended = replace(incident, state="resolved", ended_at=NOW, resolved_at=NOW)
    store.commit(Step(changes=Changes(incidents={ended.id: ended})), NOW)


def shut(store: Store) -> None:
    """The judging thread knows it by now."""
    alert = Alert("fallas", INCIDENTS[0].scope, AlertState.FIRING, ago(25), NOW, INCIDENTS[0].id)
    closed = replace(INCIDENTS[0], state="resolved", ended_at=ago(2), resolved_at=ago(2), resolved_by="Ana")
    changes = Changes(alerts={(alert.rule, alert.scope): alert}, incidents={closed.id: closed})
    store.commit(Step(changes=changes), NOW)


CHANGES = {
    "nothing": lambda _: None,
    "a new case": lambda store: store.commit(Step(cases=[case("B-9", 95)]), NOW),
    "solved": lambda store: store.commit(Step(cases=[replace(case("B-1", 30), resolved_at=NOW)]), NOW),
    "paused": lambda store: store.commit(
        Step(cases=[replace(case("B-1", 30), status="en espera", updated_at=NOW)]), NOW
    ),
    "another segment": lambda store: store.commit(
        Step(clients=[replace(one, segment="corporativo") for one in CLIENTS if one.client_id == NUBE]), NOW
    ),
    "tied": lambda store: decided(
        store, replace(DECISIONS[1], action=Action.LINK, linked_source="bizagi", linked_case_id="B-5", priority=95)
    ),
    "the desk's number": sent,
    "one number at two desks": sent_alike,
    "back from the desk": lambda store: (
        sent(store),
        store.commit(Step(cases=[TheirCase("C-7", "mesa", ACEROS, ago(9), ago(9), reported_by="monitor")]), NOW),
    ),
    "taken back": lambda store: decided(store, replace(FIRST, withdrawn_at=NOW)),
    "another priority": lambda store: decided(store, replace(FIRST, priority=99)),
    "its incident is closed by hand while it fails": shut,
    "and heals": lambda store: (shut(store), over(store, replace(INCIDENTS[0], resolved_by="Ana")), heal(store)),
    "its incident ends": lambda store: over(store, INCIDENTS[0]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_step_by_step_it_is_as_all_anew(bank: Store, change: str) -> None:
    keep_clocks(bank, PROMISES, NOW)
    CHANGES[change](bank)
    for minutes in (0, 1, 1.5, 21, 22, 70, 100, 60 * 24 * 91, 60 * 24 * 93):
        now = NOW + minutes * MINUTE
        same(bank, now)


def test_in_a_quiet_minute_nothing_is_looked_at_but_what_turns(bank: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    clock = Promises.clock

    def noted(self: Promises, one: TheirCase, now: datetime, **words: Any) -> Any:
        looked.append(one.case_id)
        return clock(self, one, now, **words)

    keep_clocks(bank, PROMISES, NOW - MINUTE)
    monkeypatch.setattr(Promises, "clock", noted)
    keep_clocks(bank, PROMISES, NOW)
    assert "B-2" not in looked, "of 100 minutes 79 are gone"
    looked.clear()
    keep_clocks(bank, PROMISES, NOW + MINUTE)
    assert looked == ["B-2"], "it is at risk from 80 on"
    looked.clear()
    store_one = case("B-6", 1)
    bank.commit(Step(cases=[store_one]), NOW)
    keep_clocks(bank, PROMISES, NOW + MINUTE)
    assert looked == ["B-6"]


def test_how_long_an_open_one_lasts_goes_on_though_it_is_not_written_anew(bank: Store) -> None:
    keep_clocks(bank, PROMISES, NOW)
    keep_clocks(bank, PROMISES, NOW + 5 * MINUTE)
    ((seconds,),) = asked(bank, "SELECT seconds FROM v_clocks WHERE case_id = 'B-1'")
    assert seconds == pytest.approx(35 * 60, abs=0.01)
