"""Who is told what, and when: over a real state, with a clock that stands still until it is moved."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import Action, Alert, AlertState, Changes, Decision, IncidentState
from alerts.routing import Route, Team
from alerts.threads import GAP
from connectors import Notice
from monitor import notices
from monitor import tables as t
from monitor.business import Outside, ServiceHours
from monitor.calendar import Calendar
from monitor.receiving import Refreshing
from monitor.retention import prune
from monitor.standing import rows
from monitor.step import Step
from monitor.store import Store
from monitor.troubles import Trouble
from monitor.words import rendered
from rules import Severity
from tests.monitor.told import (
    ACEROS,
    CAFE,
    MINA,
    MINUTE,
    NOW,
    OTHER,
    RAUL,
    TEXTILES,
    Receiver,
    Told,
    bank,
    incident,
    over,
)

HABIL = ServiceHours(Calendar("America/Bogota"), opens=8 * 60, closes=18 * 60)
ALL = Route("torre", news=frozenset({"incident", "fault", "breach"}))
N1 = Route("correo", "plain", ("post_sale",))
STAND_IN = Route("correo", "plain", ("substitute",), after=15 * MINUTE)
LEAD = Route("correo", to=("team_lead",), after=30 * MINUTE)

Bank = Callable[..., Told]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Bank]:
    """A new bank with these routes."""
    with ExitStack() as stack:

        def made(*routes: Route, **more: Any) -> Told:
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            folder.mkdir()
            found = bank(folder, *routes, **more)
            stack.callback(found.store.close)
            return found

        yield made


# ---- one incident, one thread --------------------------------------------------------------------------------------


def test_one_message_an_incident_and_receiver_updated_when_it_matters(told: Bank) -> None:
    here, one = told(ALL), incident()
    here.put(one, hit={one.id: [ACEROS]})
    assert here.told() == [("torre", "", "first", ("new",))]
    assert here.told(after=10) == []
    here.put(replace(one, rules=("fallas", "volumen"), value=0.7))
    assert here.told(after=10) == [], "one more rule is no news"
    here.put(replace(one, severity=Severity.CRITICAL))
    assert here.told() == [("torre", "", "update", ("severity",))]
    here.put(replace(one, severity=Severity.CRITICAL, scope=replace(one.scope, channel="")))
    assert here.told(after=1) == [], "at most one update each five minutes"
    assert here.told(after=4) == [("torre", "", "update", ("scope",))]
    here.put(over(replace(one, severity=Severity.CRITICAL), here.now))
    assert here.told() == [("torre", "", "end", ("end",))]
    assert here.told(after=60) == []
    here.put(replace(one, severity=Severity.CRITICAL))
    assert here.told() == [("torre", "", "update", ("again",))]
    assert [(p["thread"], p["sequence"]) for p in here.payloads()] == [("AF-1:torre:", n) for n in (1, 2, 3, 4, 5)]
    assert {row["action"] for row in here.outbox()} == {"notify"}


def test_closed_by_hand_while_it_fails_nobody_gets_an_all_clear_and_a_mistaken_one_is_corrected(told: Bank) -> None:
    here, one = told(N1), incident()

    def letter() -> str:
        here.deliver()
        return here.receivers["correo"].sent[-1].text

    def alert(*there: Alert) -> None:
        held = {(there[0].rule, there[0].scope): there[0]} if there else {(firing.rule, firing.scope): None}
        here.store.commit(Step(changes=Changes(alerts=held), marks={"alerts": str(len(there))}), here.now)

    firing = Alert("fallas", one.scope, AlertState.FIRING, NOW, NOW, one.id)
    here.put(one, hit={one.id: [ACEROS]})
    alert(firing)
    here.told()
    shut = replace(over(one, here.now + 6 * MINUTE), resolved_by="jefe", ended_at=NOW)
    here.put(shut)
    assert here.told(after=6) == [("correo", MINA, "end", ("closed",))]
    text = letter()
    assert "No hay nada para reenviar" in text
    assert "TEXTO PARA EL CLIENTE" not in text
    assert "funciona con normalidad" not in text
    assert re.search(r"jefe cerró a mano esta afectación a las \d\d:\d\d, pero", text)
    assert here.receivers["correo"].sent[-1].subject.startswith("Cerrada a mano")
    back = replace(one, reopened_at=here.now + MINUTE)
    here.put(back)
    assert here.told(after=1) == [("correo", MINA, "update", ("reopened",))]
    assert "Corrección" not in letter(), "no client was told that it works"
    here.put(shut)
    assert here.told(after=6) == [("correo", MINA, "end", ("closed",))]
    assert here.told(after=1) == []
    here.restart()
    alert()
    assert here.told(after=1) == [("correo", MINA, "end", ("end",))], "it has stopped failing"
    assert "funciona con normalidad" in letter()
    here.put(replace(one, reopened_at=here.now))
    assert here.told() == [("correo", MINA, "update", ("corrected",))]
    assert (
        "Corrección: le habíamos informado que el servicio ya funcionaba con normalidad, y todavía no es así."
        in letter()
    )
    here.put(shut)
    assert here.told(after=6) == [("correo", MINA, "end", ("end",))]


def test_a_count_is_news_when_it_has_doubled_and_ones_own_client_at_once(told: Bank) -> None:
    here, one = told(ALL, N1), incident()
    here.put(one, hit={one.id: [TEXTILES]})
    assert here.told() == [("correo", OTHER, "first", ("new",)), ("torre", "", "first", ("new",))]
    here.put(one, hit={one.id: [TEXTILES, CAFE]})
    assert here.told(after=1) == []
    assert here.told(after=4) == [("correo", OTHER, "update", ("clients",))]
    here.put(one, hit={one.id: [f"90070{n:04}" for n in range(9)]})
    assert here.told(after=6) == [("torre", "", "update", ("clients",))]
    here.put(one, hit={one.id: [f"90070{n:04}" for n in range(18)]})
    assert here.told(after=6) == []


def test_two_hundred_signals_of_one_cause_are_one_message_a_receiver(told: Bank) -> None:
    here, one = told(ALL, Route("correo"), Route("chat", "plain")), incident()
    for n in range(200):
        here.put(replace(one, rules=tuple(f"regla{k}" for k in range(n + 1))), hit={one.id: [ACEROS, TEXTILES]})
        here.now += timedelta(seconds=0.3)
        here.notices.tell()
    assert sorted(row["desk"] for row in here.outbox()) == ["receivers.chat", "receivers.correo", "receivers.torre"]


def test_what_began_and_ended_while_nobody_looked_is_told_once_as_ended(told: Bank) -> None:
    here = told(ALL)
    here.now += 60 * MINUTE
    here.put(over(incident(at=NOW + 20 * MINUTE), NOW + 40 * MINUTE))
    here.restart()
    assert here.told() == [("torre", "", "end", ("new", "end"))]
    here.restart()
    assert here.told(after=10) == []


def test_what_was_over_before_a_receiver_was_there_is_no_news(told: Bank) -> None:
    here = told(ALL)
    here.put(over(incident(at=NOW - 60 * MINUTE), NOW - 30 * MINUTE))
    assert here.told() == []


def test_a_part_of_another_ends_quietly_and_is_never_news(told: Bank) -> None:
    here, one = told(ALL), incident()
    here.put(one, incident("AF-2", channel="app"))
    assert len(here.told()) == 2
    here.put(over(one, NOW, IncidentState.MERGED, "AF-2"), over(incident("AF-3"), NOW, IncidentState.MERGED, "AF-2"))
    assert here.told() == [("torre", "", "end", ("merged",))]
    assert here.payloads()[-1]["incident"]["parent_id"] == "AF-2"
    assert here.told(after=10) == []


# ---- whom ----------------------------------------------------------------------------------------------------------


def test_each_assistant_is_told_of_their_own_clients_alone(told: Bank) -> None:
    here, one = told(N1), incident()
    here.put(one, hit={one.id: [ACEROS]})
    assert here.told() == [("correo", MINA, "first", ("new",))]
    here.put(one, hit={one.id: [ACEROS, TEXTILES]})
    assert here.told(after=1) == [("correo", OTHER, "first", ("new",))], "a first message waits for nothing"


def test_escalation_by_level_until_somebody_takes_it_on(told: Bank) -> None:
    teams = (
        Team("pagos", frozenset({"pagos"}), lead="lider@banco.example"),
        Team("giros", frozenset({"giros"}), lead="x"),
    )
    here, one = told(N1, STAND_IN, LEAD, teams=teams), incident()
    here.put(one, hit={one.id: [ACEROS]})
    assert here.told() == [("correo", MINA, "first", ("new",))]
    assert here.told(after=14.9) == []
    assert here.told(after=0.1) == [("correo", RAUL, "first", ("new", "escalated"))]
    here.act(one.id, "ack")
    assert here.told(after=9) == []
    later = here.told(after=50)
    assert later == [("correo", who, "update", ("promised",)) for who in (MINA, RAUL)], "the bank has given its word"
    assert here.told() == []
    here.put(over(one, here.now))
    assert {to for _, to, *_ in here.told()} == {MINA, RAUL}


def test_unacknowledged_it_reaches_the_lead_of_the_team_that_it_concerns(told: Bank) -> None:
    teams = (
        Team("pagos", frozenset({"pagos"}), lead="lider@banco.example"),
        Team("giros", frozenset({"giros"}), lead="x"),
    )
    here, one = told(LEAD, teams=teams), incident()
    here.put(one)
    assert here.told(after=31) == [("correo", "lider@banco.example", "first", ("new", "escalated"))]


def test_who_gives_it_back_after_the_moment_of_escalation_leaves_the_next_one_as_long_again(told: Bank) -> None:
    here, one = told(STAND_IN), incident()
    here.put(one, hit={one.id: [ACEROS]})
    here.act(one.id, "ack")
    assert here.told(after=40) == []
    here.act(one.id, "unack")
    assert here.told(after=14) == []
    here.restart()
    assert here.told(after=1) == [("correo", RAUL, "first", ("new", "escalated"))]
    assert here.told(after=1) == []


def test_what_is_opened_anew_is_to_be_taken_on_anew(told: Bank) -> None:
    here, one = told(STAND_IN), incident()
    here.put(one, hit={one.id: [ACEROS]})
    here.act(one.id, "ack")
    assert here.told(after=40) == []
    here.put(replace(one, reopened_at=here.now))
    assert here.told(after=14) == []
    assert here.told(after=1) == [("correo", RAUL, "first", ("new", "escalated"))]


def test_an_informed_client_counts_as_taken_on_for_those_who_answer_for_clients(told: Bank) -> None:
    here, one = told(STAND_IN), incident()
    decided = [Decision(f"VG-{c}", one.id, c, "pagos", Action.OPEN, "", NOW) for c in (ACEROS, TEXTILES)]
    here.store.commit(Step(changes=Changes(decisions={d.key: d for d in decided})), NOW)
    here.put(one, hit={one.id: [ACEROS, TEXTILES]})
    here.act(one.id, "informed", f"VG-{ACEROS}")
    assert here.told(after=20) == [("correo", MINA, "first", ("new", "escalated"))], "she stands in for Textiles"


def test_one_who_stands_in_for_themselves_is_told_once(told: Bank) -> None:
    here, one = told(N1, STAND_IN), incident()
    here.put(one, hit={one.id: [CAFE]})
    assert here.told() == [("correo", OTHER, "first", ("new",))]
    assert here.told(after=30) == []


def test_routes_match_by_product_segment_severity_and_team(told: Bank) -> None:
    teams = (Team("canales", channels=frozenset({"app"}), members=("c@banco.example",)),)
    here = told(
        Route("a", products=frozenset({"giros"})),
        Route("b", segments=frozenset({"corporativo"})),
        Route("c", severity=Severity.CRITICAL),
        Route("d", to=("team",), teams=frozenset({"canales"})),
        teams=teams,
    )
    one = incident()
    here.put(one, hit={one.id: [TEXTILES]})
    assert here.told() == []
    here.put(replace(one, severity=Severity.CRITICAL), hit={one.id: [TEXTILES, ACEROS]})
    assert [receiver for receiver, *_ in here.told()] == ["b", "c"]
    here.put(incident("AF-2", product="giros", channel="app"))
    assert [(receiver, to) for receiver, to, *_ in here.told()] == [("a", ""), ("d", "c@banco.example")]


def test_without_routes_nobody_asks_the_state(told: Bank) -> None:
    here = told()
    here.put(incident())
    assert (here.told(), rows(here.store, t.threads.select())) == ([], [])


# ---- when ----------------------------------------------------------------------------------------------------------


def test_outside_its_hours_a_route_is_silent_and_then_tells_what_still_stands(told: Bank) -> None:
    here = told(Route("dia", hours=HABIL), Route("noche", hours=Outside(HABIL)))
    night = NOW + timedelta(hours=10)
    here.now = night
    stays, goes = incident("AF-1", night), incident("AF-2", night)
    here.put(stays, goes)
    assert [receiver for receiver, *_ in here.told()] == ["noche", "noche"]
    here.put(over(goes, night + 60 * MINUTE))
    here.now = night + 61 * MINUTE
    assert here.told() == [("noche", "", "end", ("end",))]
    here.now = NOW + timedelta(hours=22)
    assert here.told() == [("dia", "", "first", ("new",))]
    assert here.payloads()[-1]["incident"]["id"] == "AF-1"


def test_a_silence_hides_what_began_and_ended_inside_and_shows_the_true_state_after(told: Bank) -> None:
    here, known = told(ALL), incident("AF-0")
    here.put(known)
    here.told()
    here.silence(0, 30, product="pagos")
    gone, stays = incident("AF-1"), incident("AF-2", severity="critical")
    here.put(gone, stays, incident("AF-3", product="giros"))
    assert len(here.told()) == 1
    assert here.payloads()[-1]["incident"]["id"] == "AF-3"
    here.put(over(gone, NOW + 10 * MINUTE), over(known, NOW + 12 * MINUTE))
    assert here.told(after=29) == []
    told_after = here.told(after=1)
    assert sorted(told_after) == [("torre", "", "end", ("end",)), ("torre", "", "first", ("new",))]
    here.restart()
    assert here.told(after=60) == [], "what was over inside the silence is not told by a later process either"


def test_a_silence_that_is_ended_early_ends_at_once(told: Bank) -> None:
    here = told(ALL)
    here.silence(0, 600, kind="failed", rule="fallas", severity="major", channel="web", incident="AF-1")
    here.put(incident())
    assert here.told(after=1) == []
    (row,) = rows(here.store, t.silences.select())
    here.store.put(t.silences, [row | {"ended_by": "ana", "ended_at": here.now}])
    assert here.told() == [("torre", "", "first", ("new",))]


# ---- the cap -------------------------------------------------------------------------------------------------------


def test_beyond_the_cap_the_rest_comes_as_one_summary_and_nothing_is_lost(told: Bank) -> None:
    here = told(ALL, per_hour=3)
    many = [incident(f"AF-{n:02}", channel=f"c{n}", severity="minor" if n < 9 else "major") for n in range(10)]
    here.put(*many)
    assert [event for *_, event, _ in here.told()] == ["first"] * 3 + ["summary"]
    summary = here.payloads()[-1]
    assert here.payloads()[0]["incident"]["id"] == "AF-09", "the worst first"
    assert {i["id"] for i in summary["incidents"]} | {p["incident"]["id"] for p in here.payloads()[:3]} == {
        i.id for i in many
    }
    here.put(*(incident(f"AG-{n}", here.now, channel=f"d{n}") for n in range(4)))
    assert here.told(after=14) == []
    assert [event for *_, event, _ in here.told(after=1)] == ["summary"]
    here.put(over(many[9], here.now), over(many[5], here.now))
    assert [event for *_, event, _ in here.told(after=1)] == ["end"], "that of what was told by itself; the other waits"
    assert [event for *_, event, _ in here.told(after=14)] == ["summary"]
    here.put(replace(many[8], severity=Severity.CRITICAL))
    here.now += 61 * MINUTE
    assert [event for *_, event, _ in here.told()] == ["update"]
    assert here.told(after=60) == []


def test_something_critical_waits_five_minutes_at_most(told: Bank) -> None:
    here = told(ALL, per_hour=1)
    here.put(incident("AF-1"), incident("AF-2", channel="x"))
    assert [event for *_, event, _ in here.told()] == ["first", "summary"]
    here.put(incident("AF-3", channel="y", severity="critical"))
    assert here.told(after=4) == []
    assert [event for *_, event, _ in here.told(after=1)] == ["summary"]


def test_the_cap_is_of_each_recipient(told: Bank) -> None:
    here = told(N1, per_hour=1)
    ones = [incident(f"AF-{n}", channel=f"c{n}") for n in range(3)]
    here.put(*ones, hit={one.id: [ACEROS, TEXTILES] for one in ones})
    found = here.told()
    assert sorted((to, event) for _, to, event, _ in found) == sorted(
        (to, event) for to in (MINA, OTHER) for event in ("first", "summary")
    )
    (summary,) = [p for p in here.payloads() if p["news"] == "summary" and p["to"] == MINA]
    assert [([c["client_id"] for c in i["own"]], i["affected"]) for i in summary["incidents"]] == [([ACEROS], 2)] * 2


# ---- restarts, crashes, two of them --------------------------------------------------------------------------------


def test_a_pass_repeated_by_another_process_tells_nothing_new(told: Bank) -> None:
    here, one = told(ALL, N1), incident()
    here.put(one, hit={one.id: [ACEROS]})
    assert len(here.told()) == 2
    here.restart()
    assert here.told() == []


class Crash(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_crash_before_any_commit_loses_nothing_and_repeats_nothing(told: Bank, step: int) -> None:
    here, one = told(ALL, N1, Route("chat")), incident()
    here.put(one, hit={one.id: [ACEROS]})
    whole, calls = here.store.tell, 0

    def dying(*given: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == step:
            raise Crash
        whole(*given)

    here.store.tell = dying  # type: ignore[method-assign]
    with pytest.raises(Crash):
        here.notices.tell()
    here.store.tell = whole  # type: ignore[method-assign]
    here.restart()
    here.notices.tell()
    assert sorted(row["key"] for row in here.outbox()) == [
        "AF-1:chat::1",
        f"AF-1:correo:{MINA} (post_sale):1",
        "AF-1:torre::1",
    ]


def test_two_that_look_at_the_same_moment_tell_once_and_keep_what_was_told(told: Bank) -> None:
    here, one = told(ALL), incident()
    here.put(one, hit={one.id: [ACEROS]})
    whole = here.store.tell
    other = Told(here.store, here.config, here.receivers, now=here.now)

    def late(*given: Any) -> None:
        here.store.tell = whole  # type: ignore[method-assign]
        here.put(one, hit={one.id: [f"90070{n:04}" for n in range(40)]})
        other.notices.tell()  # the other one has seen more, and was quicker
        whole(*given)

    here.store.tell = late  # type: ignore[method-assign]
    here.notices.tell()
    assert [row["key"] for row in here.outbox()] == ["AF-1:torre::1"]
    (row,) = rows(here.store, t.threads.select().where(t.threads.c.subject == one.id))
    assert row["told"]["affected"] == 41
    assert here.told(after=20) == []


def test_a_receiver_that_is_down_for_an_hour_gets_everything_once_and_in_order(told: Bank) -> None:
    here, one = told(ALL, Route("correo")), incident()
    here.receivers["torre"].down = True
    here.put(one)
    for minute in range(60):
        here.told(after=1)
        if minute == 20:
            here.put(replace(one, severity=Severity.CRITICAL), incident("AF-2", here.now, channel="app"))
        if minute == 40:
            here.put(over(replace(one, severity=Severity.CRITICAL), here.now))
        here.deliver()
    events = ["first", "update", "first", "end"]
    assert here.receivers["torre"].sent == []
    assert sorted(n.event for n in here.receivers["correo"].sent) == sorted(events)
    here.receivers["torre"].down = False
    for _ in range(20):
        here.now += MINUTE
        here.deliver()
    sent = here.receivers["torre"].sent
    assert [n.event for n in sent if n.thread == "AF-1:torre:"] == ["first", "update", "end"]
    assert len({n.key for n in sent}) == len(sent) == len(events)


# ---- faults --------------------------------------------------------------------------------------------------------


def test_the_daemons_own_faults_are_told_once_and_their_end_too(told: Bank) -> None:
    here = told(ALL, Route("correo"))
    here.troubles = lambda _now: [Trouble("source:core", "critical", NOW, "no answer")]
    assert here.told() == [("torre", "", "first", ("new",))]
    assert here.payloads()[-1]["fault"] == {
        "key": "source:core", "severity": "critical", "since": NOW.isoformat(), "what": "no answer",
    }  # fmt: skip
    assert here.told(after=30) == []
    here.troubles = lambda _now: []
    assert here.told(after=1) == [("torre", "", "end", ("end",))]
    assert here.payloads()[-1]["fault"]["what"] == "no answer"
    here.troubles = lambda _now: [Trouble("source:core", "major", here.now, "again")]
    assert here.told(after=1) == [], "it may flap as it likes"
    assert here.told(after=4) == [("torre", "", "update", ("again",))]


def test_every_kind_of_news_has_its_words(told: Bank) -> None:
    here = told(replace(ALL, news=frozenset({"incident", "fault"})), N1, Route("torre", at=(time(10, 5),)), per_hour=1)
    here.troubles = lambda _now: [Trouble("source:core", "critical", NOW, "no answer")]
    for n in range(3):
        here.put(incident(f"AF-{n}", channel=f"c{n}"), hit={f"AF-{n}": [ACEROS]})
    here.told()
    here.put(over(incident("AF-0", channel="c0"), here.now))
    here.told(after=5)
    assert {p["news"] for p in here.payloads()} == {"incident", "summary", "fault", "digest"}
    for payload in here.payloads():
        assert rendered(payload, here.config.words).faults == ()


def test_a_receivers_own_fault_is_told_by_the_others(told: Bank) -> None:
    here = told(ALL, replace(ALL, receiver="correo"))
    here.troubles = lambda _now: [Trouble("receiver:torre", "major", NOW, "no answer")]
    assert [receiver for receiver, *_ in here.told()] == ["correo"]


# ---- laws ----------------------------------------------------------------------------------------------------------

CHANGES = ("severity", "client", "end", "again", "silence", "ack")


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    happens=st.lists(st.tuples(st.integers(1, 40), st.sampled_from(CHANGES)), max_size=5),
    looks=st.sets(st.integers(0, 60), max_size=10),
)
def test_whenever_it_looks_in_the_end_all_know_the_same(
    told: Bank, happens: list[tuple[int, str]], looks: set[int]
) -> None:
    """Looking at every minute, or only at some of them and at the last, ends with the same threads telling the same."""
    ends = []
    for moments in (set(range(61)), looks):
        here, one = told(ALL, N1, STAND_IN), incident()
        here.put(one, hit={one.id: [ACEROS]})
        for minute in range(61):
            here.now = NOW + minute * MINUTE
            for at, what in happens:
                one = _happened(here, one, what) if at == minute else one
            if minute in moments:
                here.notices.tell()
        here.now = NOW + 90 * MINUTE
        here.restart()
        here.notices.tell()
        here.restart()
        here.now += GAP
        here.notices.tell()
        assert here.told() == []
        ends.append(
            {
                (row["receiver"], row["recipient"]): {k: row["told"][k] for k in ("open", "severity", "place")}
                for row in rows(here.store, t.threads.select().where(t.threads.c.subject == one.id))
            }
        )
    assert ends[0] == ends[1]


def _happened(here: Told, one: Any, what: str) -> Any:
    if what == "severity" and one.resolved_at is None:
        one = replace(one, severity=Severity.CRITICAL)
    elif what == "end" and one.resolved_at is None:
        one = over(one, here.now)
    elif what == "again":
        one = replace(one, state=IncidentState.FIRING, resolved_at=None, ended_at=None)
    elif what == "silence":
        here.silence(0, 15, product="pagos")
    elif what == "ack":
        here.act(one.id, "ack")
    here.put(one, hit={one.id: [ACEROS, *([TEXTILES] if what == "client" else [])]})
    return one


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrive=st.lists(st.tuples(st.integers(0, 50), st.sampled_from(list(Severity))), min_size=1, max_size=25),
    per_hour=st.integers(1, 6),
)
def test_the_cap_never_loses_anything(told: Bank, arrive: list[tuple[int, Severity]], per_hour: int) -> None:
    here = told(ALL, per_hour=per_hour)
    for minute in range(70):
        here.now = NOW + minute * MINUTE
        if mine := [(n, s) for n, (at, s) in enumerate(arrive) if at == minute]:
            here.put(*(incident(f"AF-{n:02}", here.now, str(s), channel=f"c{n}") for n, s in mine))
        here.notices.tell()
    payloads = here.payloads()
    singly = [p["incident"]["id"] for p in payloads if p["news"] == "incident"]
    summed = [i["id"] for p in payloads if p["news"] == "summary" for i in p["incidents"]]
    assert sorted(singly + summed) == [f"AF-{n:02}" for n in range(len(arrive))], "each once"
    times = [datetime.fromisoformat(p["at"]) for p in payloads if p["news"] == "incident"]
    hour = timedelta(hours=1)
    assert all(sum(start <= at < start + hour for at in times) <= per_hour for start in times)


def test_a_purge_drops_threads_of_incidents_that_are_gone(told: Bank) -> None:
    here, one, stays = told(ALL), incident(), incident("AF-2", channel="app")
    here.put(one, stays)
    here.told()
    here.put(over(one, here.now))
    here.told(after=1)
    here.deliver()
    later = dict.fromkeys(("cells", "ledger", "incidents", "clients", "outbox"), here.now + MINUTE)
    prune(here.store, later)
    assert {row["subject"] for row in rows(here.store, t.threads.select())} == {"", "tally", "AF-2"}
    assert [row["key"] for row in here.outbox()] == ["AF-2:torre::1"], "it still stands"


def test_the_same_on_postgres(postgres: str, tmp_path: Path) -> None:
    store = Store(postgres)
    store.migrate()
    store.close()
    here = bank(tmp_path, ALL, replace(N1, segments=frozenset({"corporativo"})), STAND_IN, url=postgres)
    one = incident()
    decided = Decision("VG-1", one.id, ACEROS, "pagos", Action.OPEN, "", NOW)
    here.store.commit(Step(changes=Changes(decisions={decided.key: decided})), NOW)
    here.put(one, hit={one.id: [ACEROS, TEXTILES]})
    here.act(one.id, "informed", "VG-1")
    assert here.told() == [("correo", MINA, "first", ("new",)), ("torre", "", "first", ("new",))]
    heard = Heard()
    Refreshing(here.config, here.store, {"torre": heard}, lambda: here.now).refresh("torre")
    assert heard.keys == ["AF-1:torre::1"]
    assert here.told(after=20) == [("correo", MINA, "first", ("new", "escalated"))]
    mine = t.threads.select().where(t.threads.c.receiver == "torre", t.threads.c.subject == one.id)
    (row,) = rows(here.store, mine)
    here.store.tell([row | {"told": {}}], (), NOW)
    assert rows(here.store, mine) == [row], "what somebody else has taken as far stays"
    here.store.close()


@dataclass
class Heard(Receiver):
    """Remembers what it was told again."""

    keys: list[str] = field(default_factory=list)

    def refresh(self, notices: Sequence[Notice], _now: datetime) -> None:
        self.keys += [notice.key for notice in notices]


def test_one_that_cannot_be_told_keeps_no_other_from_being_told(told: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    here, whole = told(ALL), notices.incident_facts

    def broken(store: Store, incident_id: str, *given: Any, **more: Any) -> dict[str, Any]:
        if incident_id == "AF-1":
            raise KeyError(incident_id)
        return whole(store, incident_id, *given, **more)

    monkeypatch.setattr(notices, "incident_facts", broken)
    here.put(incident("AF-1"), incident("AF-2", channel="app"))
    assert len(here.told()) == 1
    monkeypatch.setattr(notices, "incident_facts", whole)
    assert len(here.told(after=1)) == 1
