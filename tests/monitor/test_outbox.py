"""Delivery: nothing is lost, nothing is sent twice while it is held, and a repeat after a crash does no harm."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from alerts import Action, Client, Decision, Incident, IncidentState
from alerts.decided import case_key, opened_for
from connectors import Case, SourceError
from connectors.desks import pair
from connectors.desks.local import Local
from monitor import tables as t
from monitor.claims import waiting
from monitor.outbox import (
    A_DAY,
    FIRST_WAIT,
    LEASE,
    LONGEST_WAIT,
    SEVERAL,
    deliver,
    to_end,
    to_open,
    to_return,
    to_withdraw,
)
from monitor.store import Message, Step, Store
from rules import Scope, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NOW = datetime(2026, 3, 3, 15, 30, tzinfo=UTC)
BOGOTA = ZoneInfo("America/Bogota")
SECOND = timedelta(seconds=1)


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Desk:
    """Remembers what it was sent; does `before` each time, which may raise."""

    before: Callable[[Case], None] = lambda case: None  # noqa: ARG005 - the face of it
    sent: list[tuple[str, str]] = field(default_factory=list)

    def open(self, case: Case) -> str:
        self.before(case)
        self.sent.append(("open", case.key))
        return f"C-{len(self.sent)}"

    def update(self, case: Case) -> None:
        self.before(case)
        self.sent.append(("update", case.key))

    def check(self) -> str:
        return ""


class Crash(BaseException):
    """The process dies here."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path}/vigia.db")
    made.migrate()
    yield made
    made.close()


def message(case: str, action: str = "open", desk: str = "local") -> Message:
    payload = {
        "key": case, "incident_id": "AF-1", "client_id": "900123456", "product": "pagos", "channel": "", "priority": 83,
        "opened_at": NOW.isoformat(), "subject": "Falla en pagos", "body": "…", "status": "abierto",
    }  # fmt: skip
    return Message(case if action == "open" else f"{case}:end", case, desk, action, payload)


def put(store: Store, *messages: Message) -> None:
    store.commit(Step(messages=list(messages)), NOW)


def states(store: Store) -> dict[str, str]:
    with store.reading() as c:
        return {row.key: row.state for row in c.execute(sa.select(t.outbox))}


def row(store: Store, key: str) -> sa.Row[tuple[object, ...]]:
    with store.reading() as c:
        return c.execute(sa.select(t.outbox).where(t.outbox.c.key == key)).one()


def failing(*keys: str, permanent: bool = False) -> Callable[[Case], None]:
    def check(case: Case) -> None:
        if case.key in keys:
            raise SourceError("the desk says no", permanent=permanent)

    return check


# ---- in order ------------------------------------------------------------------------------------------------------


def test_all_that_is_due_goes_out_in_order_and_once(store: Store) -> None:
    put(store, message("A"), message("B"), message("A", "update"))
    desk, clock, told = Desk(), Clock(), []
    assert deliver(store, {"local": desk}, clock, lambda name, error, _: told.append((name, error))) == 3
    assert desk.sent == [("open", "A"), ("open", "B"), ("update", "A")]
    assert told == [("local", "")] * 3
    assert set(states(store).values()) == {"sent"}
    assert (row(store, "A").reference, row(store, "A").sent_at) == ("C-1", NOW)
    assert waiting(store) == []
    assert deliver(store, {"local": desk}, clock) == 0


def test_the_end_of_a_case_waits_for_its_opening_and_others_do_not(store: Store) -> None:
    put(store, message("A"), message("A", "update"), message("B"))
    desk, clock = Desk(failing("A")), Clock()
    assert (deliver(store, {"local": desk}, clock), deliver(store, {"local": desk}, clock)) == (0, 1)
    assert desk.sent == [("open", "B")]
    desk.before = failing()
    clock.now += FIRST_WAIT
    assert deliver(store, {"local": desk}, clock) == 2
    assert desk.sent == [("open", "B"), ("open", "A"), ("update", "A")]


def test_what_was_decided_reaches_the_desk_as_it_was(store: Store) -> None:
    incident = Incident(
        "AF-1", Scope("pagos", "app"), "failed", Severity.MAJOR, IncidentState.RESOLVED, NOW - 9 * LEASE, NOW - 8 * LEASE,
        ("fallas",), frozenset({"failed"}), ended_at=NOW - LEASE, resolved_at=NOW,
    )  # fmt: skip
    decision = Decision("VG-1", "AF-1", "900123456", "pagos", Action.OPEN, "own", NOW - 8 * LEASE, 83, "local")
    who = Client("900123456", "Aceros del Istmo", post_sale="posventa1@banco.example")
    seen: list[Case] = []
    put(store, to_open(decision, incident, who, BOGOTA), to_end(decision, incident, who, BOGOTA))
    assert deliver(store, {"local": Desk(seen.append)}, Clock()) == 2
    opened, ended = seen
    assert (opened.key, opened.client_id, opened.product, opened.channel) == ("VG-1", "900123456", "pagos", "app")
    assert (opened.opened_at, opened.priority, opened.note) == (decision.opened_at, 83, "")
    assert opened.subject
    assert "Aceros del Istmo (NIT 900.123.456)" in opened.body
    assert who.post_sale in opened.body
    assert ended.key == opened.key
    assert ended.note
    assert ended.status != opened.status
    assert opened.kind == "soporte"


def test_what_follows_on_a_case_bears_the_number_that_its_desk_gave_it(store: Store) -> None:
    told: list[tuple[str, str]] = []
    desk = Desk(before=lambda case: told.append((case.key, case.number)))
    put(store, message("VG-1"), message("VG-2"), message("VG-1", "update"), message("VG-3", "update"))
    deliver(store, {"local": desk}, lambda: NOW)
    assert told == [("VG-1", ""), ("VG-2", ""), ("VG-1", "C-1"), ("VG-3", "")]


def test_a_withdrawal_goes_out_once_after_the_opening_with_a_plain_text(store: Store) -> None:
    incident = Incident(
        "AF-1", Scope("pagos", "app"), "failed", Severity.MAJOR, IncidentState.FIRING, NOW - 9 * LEASE, NOW - 8 * LEASE,
        ("fallas",), frozenset({"failed"}),
    )  # fmt: skip
    decision = Decision("VG-1", "AF-1", "900123456", "pagos", Action.OPEN, "own", NOW, 83, "local", withdrawn_at=NOW)
    back = to_withdraw(decision, incident, Client("900123456"), BOGOTA)
    put(store, to_open(decision, incident, Client("900123456"), BOGOTA), back, back)
    seen: list[Case] = []
    desk = Desk(seen.append)
    assert deliver(store, {"local": desk}, Clock()) == 2
    assert desk.sent == [("open", "VG-1"), ("update", "VG-1")]
    assert (seen[1].status, seen[0].status) == ("retirado", "abierto")
    assert seen[1].note.startswith("Vigía retira este caso: la afectación AF-1 en Pagos · App no lo requiere.")


def test_a_case_is_told_that_it_stands_for_what_came_back_and_of_each_end(store: Store) -> None:
    first = Incident(
        "AF-1", Scope("pagos", "app"), "failed", Severity.MAJOR, IncidentState.RESOLVED, NOW - 9 * LEASE, NOW - 8 * LEASE,
        ("fallas",), frozenset({"failed"}), ended_at=NOW - LEASE, resolved_at=NOW,
    )  # fmt: skip
    second = replace(first, id="AF-2")
    decision = Decision("VG-1", "AF-1", "900123456", "pagos", Action.OPEN, "own", NOW, 83, "local")
    who = Client("900123456")
    told = [make(decision, i, who, BOGOTA) for i in (first, second) for make in (to_return, to_end)]
    put(store, to_open(decision, first, who, BOGOTA), *told[1:], *told[1:])
    seen: list[Case] = []
    assert deliver(store, {"local": Desk(seen.append)}, Clock()) == 4
    assert [case.status for case in seen] == ["abierto", "afectación superada", "abierto", "afectación superada"]
    assert "AF-2. No se abre otro caso" in seen[2].note
    assert "AF-2" in seen[3].note


@pytest.mark.parametrize("client", ["900123456", "CC-1-x"])
def test_a_case_names_what_it_was_opened_for_whatever_that_was_merged_into(client: str) -> None:
    decision = Decision(case_key("AF-20260303T1515-1a2b", client), "AF-2", client, "pagos", Action.OPEN, "own", NOW, 83)
    case = Case(decision.key, decision.incident_id, client, "pagos", "", NOW, 83, "", "")
    assert opened_for(decision) == pair.opened_for(case) == "AF-20260303T1515-1a2b"


# ---- a crash -------------------------------------------------------------------------------------------------------


def test_a_crash_after_sending_sends_again_and_leaves_one_case(store: Store, tmp_path: Path) -> None:
    put(store, message("VG-1"))
    clock, path = Clock(), tmp_path / "casos.csv"

    class Dying(Local):
        def open(self, case: Case) -> str:
            super().open(case)
            raise Crash

    with pytest.raises(Crash):
        deliver(store, {"local": Dying(path=str(path))}, clock)
    desk = {"local": Local(path=str(path))}
    clock.now += LEASE - SECOND
    assert (states(store), deliver(store, desk, clock)) == ({"VG-1": "sending"}, 0)
    clock.now += SECOND
    assert deliver(store, desk, clock) == 1
    cases = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    assert [case["clave"] for case in cases] == ["VG-1"]
    assert (row(store, "VG-1").reference, row(store, "VG-1").attempts) == (cases[0]["caso"], 2)


def test_a_crash_before_sending_loses_nothing(store: Store) -> None:
    put(store, message("A"), message("B"))

    def die(case: Case) -> None:  # noqa: ARG001 - whatever the case
        raise Crash

    clock = Clock()
    with pytest.raises(Crash):
        deliver(store, {"local": Desk(die)}, clock)
    desk = Desk()
    clock.now += LEASE
    assert deliver(store, {"local": desk}, clock) == 2
    assert sorted(desk.sent) == [("open", "A"), ("open", "B")]


# ---- two at once ---------------------------------------------------------------------------------------------------


def test_two_deliverers_send_nothing_twice(store: Store) -> None:
    keys = [f"VG-{n:02}" for n in range(40)]
    put(store, *map(message, keys))
    desk, start = Desk(), Barrier(2)

    def work() -> None:
        start.wait()
        while waiting(store):
            deliver(store, {"local": desk}, Clock())

    threads = [Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(key for _, key in desk.sent) == keys


def test_while_one_sends_another_does_not_take_it_nor_what_follows_it(store: Store) -> None:
    put(store, message("A"), message("A", "update"))
    other, clock = Desk(), Clock()

    def meanwhile(case: Case) -> None:
        if not other.sent and case.status:
            assert deliver(store, {"local": other}, clock) == 0

    assert deliver(store, {"local": Desk(meanwhile)}, clock) == 2
    assert other.sent == []


def test_one_that_was_slower_than_its_lease_does_not_undo_the_other(store: Store) -> None:
    put(store, message("A"))
    clock, quick = Clock(), Desk()

    def slow(case: Case) -> None:
        clock.now += LEASE
        assert deliver(store, {"local": quick}, clock) == 1
        raise SourceError(f"timed out on {case.key}", permanent=True)

    assert deliver(store, {"local": Desk(slow)}, clock) == 0
    assert states(store) == {"A": "sent"}
    clock.now += LONGEST_WAIT
    assert deliver(store, {"local": quick}, clock) == 0


# ---- errors --------------------------------------------------------------------------------------------------------


def test_a_passing_error_backs_off_and_goes_out_later(store: Store) -> None:
    put(store, message("A"))
    desk, clock, told = Desk(failing("A")), Clock(), []
    waits = []
    for _ in range(12):
        assert deliver(store, {"local": desk}, clock, lambda name, error, _: told.append((name, error))) == 0
        assert (row(store, "A").state, row(store, "A").error) == ("due", "the desk says no")
        waits.append(row(store, "A").due_at - clock.now)
        clock.now = row(store, "A").due_at - timedelta(microseconds=1)
        assert deliver(store, {"local": desk}, clock) == 0
        clock.now += timedelta(microseconds=1)
    assert waits[:4] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT, 8 * FIRST_WAIT]
    assert waits[-1] == LONGEST_WAIT
    assert told == [("local", "the desk says no")] * 12
    desk.before = failing()
    assert deliver(store, {"local": desk}, clock) == 1
    assert (row(store, "A").state, row(store, "A").error) == ("sent", "")


def test_a_desk_that_is_away_for_weeks_is_still_tried(store: Store) -> None:
    put(store, message("A"))
    with store.engine.begin() as c:
        c.execute(sa.update(t.outbox).values(attempts=100_000))
    clock = Clock()
    assert deliver(store, {"local": Desk(failing("A"))}, clock) == 0
    assert row(store, "A").due_at == NOW + LONGEST_WAIT


def test_a_lasting_error_holds_up_nobody_and_its_case_goes_out_once_it_is_mended(store: Store) -> None:
    put(store, message("A"), message("B"), message("B", "update"))
    desk, clock = Desk(failing("A", permanent=True)), Clock()
    assert deliver(store, {"local": desk}, clock) == 2
    assert states(store) == {"A": "due", "B": "sent", "B:end": "sent"}
    assert row(store, "A").error == "the desk says no"
    assert deliver(store, {"local": desk}, clock) == 0
    assert len(waiting(store)) == 1
    clock.now += timedelta(days=1)
    assert (deliver(store, {"local": Desk()}, clock), waiting(store)) == (1, [])


@pytest.mark.parametrize("action", ["update", "withdraw"])
def test_what_follows_on_a_case_and_is_refused_is_tried_for_a_day(store: Store, action: str) -> None:
    put(store, message("A", action))
    desk, clock = Desk(failing("A", permanent=True)), Clock()
    for n in range(A_DAY):
        assert states(store) == {"A:end": "due"}, n
        assert deliver(store, {"local": desk}, clock) == 0
        clock.now += LONGEST_WAIT
    assert states(store) == {"A:end": "dead"}


def test_a_desk_that_is_no_longer_configured(store: Store) -> None:
    put(store, message("A", desk="helix"), message("B"))
    desk, told = Desk(), []
    assert deliver(store, {"local": desk}, Clock(), lambda name, error, _: told.append((name, error))) == 1
    assert states(store) == {"A": "due", "B": "sent"}
    assert told == [("helix", "there is no desk 'helix' any more"), ("local", "")]


def test_a_desk_that_breaks_its_word_is_that_desks_trouble_alone(store: Store) -> None:
    """A bug in a desk raises what it should not: noted, put off, and the others go out."""
    put(store, message("A"), message("B"), message("C", desk="helix"))

    def bug(case: Case) -> None:
        if case.key == "A":
            raise KeyError("unexpected answer")

    desk, other, clock, told = Desk(bug), Desk(), Clock(), []
    both = {"local": desk, "helix": other}
    assert deliver(store, both, clock, lambda name, error, _: told.append((name, error))) == 1
    (name, shown), other_told = told
    assert (name, other_told) == ("local", ("helix", ""))
    assert re.fullmatch(r"KeyError \(test_outbox\.py:\d+\)", shown), (
        "its text, which may name a client, is in the outbox alone"
    )
    assert (row(store, "A").state, row(store, "A").error) == ("due", "KeyError: 'unexpected answer'")
    assert deliver(store, both, clock) == 1
    assert (desk.sent, other.sent) == ([("open", "B")], [("open", "C")])


def notice(case: str, number: int = 1) -> Message:
    return Message(f"{case}:{number}", case, "receivers.correo", "notify", {})


def test_a_notice_that_its_recipient_cannot_get_is_given_up_after_a_day_and_so_is_what_waits_behind(
    store: Store,
) -> None:
    put(store, notice("typo"), notice("typo", 2), notice("mina"))
    clock, asked = Clock(), []

    def send(row: Mapping[str, Any]) -> str:
        asked.append(row["case_key"])
        if row["case_key"] == "typo":
            raise SourceError("refuses the recipient (550)", permanent=True)
        return ""

    for _ in range(A_DAY):
        deliver(store, {}, clock, receivers={"receivers.correo": send})
        clock.now += LONGEST_WAIT
    assert states(store) == {"typo:1": "due", "typo:2": "due", "mina:1": "sent"}
    assert len(waiting(store)) == 2
    deliver(store, {}, clock, receivers={"receivers.correo": send})
    assert states(store) == {"typo:1": "dead", "typo:2": "dead", "mina:1": "sent"}
    assert asked.count("typo") == A_DAY + 2


def test_notices_to_a_receiver_that_is_no_longer_configured_are_given_up_after_a_day(store: Store) -> None:
    put(store, notice("a"), notice("b"))
    clock = Clock()
    for _ in range(2):
        assert states(store) == {"a:1": "due", "b:1": "due"}
        deliver(store, {}, clock)
        clock.now += timedelta(days=1)
    assert states(store) == {"a:1": "dead", "b:1": "dead"}


def test_who_lets_nobody_in_is_asked_once_a_rest_and_nothing_is_given_up(store: Store) -> None:
    """A wrong password that is tried once a message locks the account."""
    put(store, *(notice(f"AF-{n}") for n in range(50)), message("A", "update", desk="crm"), message("B", desk="crm"))
    clock, tried, resting = Clock(), [], {}

    def shut(row: Any) -> str:
        tried.append(row)
        raise SourceError("refuses user and password (535)", whole=True)

    def minutes(many: int) -> None:
        until = clock.now + timedelta(minutes=many)
        while clock.now < until:
            deliver(store, {"crm": Desk(shut)}, clock, receivers={"receivers.correo": shut}, resting=resting)
            clock.now += timedelta(minutes=1)

    minutes(10)
    assert len(tried) == 2
    minutes(50)
    assert len(tried) == 12
    clock.now += timedelta(days=3)
    minutes(1)
    assert set(states(store).values()) == {"due"}
    clock.now += LONGEST_WAIT
    assert deliver(store, {"crm": Desk()}, clock, receivers={"receivers.correo": lambda _: ""}, resting=resting) >= 50


def test_one_that_alone_is_not_let_through_keeps_no_other_waiting_for_ever(store: Store) -> None:
    put(store, message("A"), message("B"), message("C"))

    def forbidden(case: Case) -> None:
        if case.key == "A":
            raise SourceError("403 Forbidden", whole=True)

    desk, clock, resting = Desk(forbidden), Clock(), {}
    for _ in range(2):
        deliver(store, {"local": desk}, clock, resting=resting)
        clock.now += LONGEST_WAIT
    assert desk.sent == [("open", "B"), ("open", "C")]


def without_right(*clients: str) -> Callable[[Case], None]:
    def forbidden(case: Case) -> None:
        if not clients or case.client_id in clients:
            raise SourceError("403 Forbidden", permanent=True, fault="login")

    return forbidden


def of_client(number: int, client: str, action: str = "open") -> Message:
    made = message(f"VG-{number:02}", action)
    return replace(made, payload=made.payload | {"client_id": client})


def test_what_is_refused_of_one_client_holds_up_no_other(store: Store) -> None:
    put(store, *(of_client(n, "900123456" if n < 5 else f"80019{n:04}") for n in range(12)))
    desk, clock, resting = Desk(without_right("900123456")), Clock(), {}
    assert deliver(store, {"local": desk}, clock, resting=resting) == 7
    assert resting == {}
    assert {row(store, f"VG-{n:02}").due_at - clock.now for n in range(5)} == {LONGEST_WAIT}


def test_a_desk_that_refuses_several_clients_and_does_not_let_us_in_rests(store: Store) -> None:
    actions = ["open", "update", "withdraw"]
    put(store, *(of_client(n, f"90012{n:04}", actions[n % 3]) for n in range(30)))
    asked: list[str] = []
    clock, resting = Clock(), {}

    class Shut(Desk):
        def check(self) -> str:
            raise SourceError("403 Forbidden", permanent=True, fault="login")

    def forbidden(case: Case) -> None:
        asked.append(case.key)
        without_right()(case)

    for minute in range(20):
        deliver(store, {"local": Shut(forbidden)}, clock, resting=resting)
        assert len(asked) == SEVERAL * (minute // 10 + 1)
        clock.now += timedelta(minutes=1)
    assert set(states(store).values()) == {"due"}, "nothing is given up because of a desk that can take nothing"
    clock.now += LONGEST_WAIT
    assert deliver(store, {"local": Desk()}, clock, resting=resting) == 30


def test_many_that_are_refused_one_by_one_hold_up_nobody(store: Store) -> None:
    clients = [f"90012{n:04}" for n in range(30)]
    put(store, *(of_client(n, client) for n, client in enumerate(clients)), of_client(99, "800197268"))
    desk, clock, resting = Desk(without_right(*clients)), Clock(), {}
    assert deliver(store, {"local": desk}, clock, resting=resting) == 1
    assert desk.sent == [("open", "VG-99")]


def test_what_a_right_lacks_for_is_not_given_up(store: Store) -> None:
    put(store, of_client(1, "900123456", "update"), notice("a"))
    clock = Clock()

    def shut(_: Any) -> str:
        raise SourceError("403 Forbidden", permanent=True, fault="login")

    for _ in range(A_DAY + 10):
        deliver(store, {"local": Desk(without_right())}, clock, receivers={"receivers.correo": shut})
        clock.now += LONGEST_WAIT
    assert set(states(store).values()) == {"due"}


# ---- many desks ----------------------------------------------------------------------------------------------------


def test_a_desk_that_does_not_answer_is_asked_once_a_round_and_holds_up_no_other(store: Store) -> None:
    keys = [f"VG-{n:02}" for n in range(40)]
    put(store, *(message(key, desk="dead") for key in keys), message("B"))
    asked: list[str] = []

    def silent(case: Case) -> None:
        asked.append(case.key)
        raise SourceError("no answer within 30 s")

    desk, clock = Desk(), Clock()
    assert deliver(store, {"dead": Desk(silent), "local": desk}, clock) == 1
    assert (asked, desk.sent) == (["VG-00"], [("open", "B")])
    assert deliver(store, {"dead": Desk(silent), "local": desk}, clock) == 0
    assert asked == ["VG-00", "VG-01"]


def test_one_desks_round_takes_nothing_of_another(store: Store) -> None:
    put(store, message("A", desk="gone"), message("B"), message("C", desk="helix"))
    desk, other = Desk(), Desk()
    both = {"local": desk, "helix": other}
    assert deliver(store, both, Clock(), only="helix") == 1
    assert (desk.sent, other.sent) == ([], [("open", "C")])
    told: list[str] = []
    assert deliver(store, both, Clock(), lambda name, *_: told.append(name), but=("local", "helix")) == 0
    assert (told, states(store)) == (["gone"], {"A": "due", "B": "due", "C": "sent"})


def test_who_is_told_to_stop_sends_no_more(store: Store) -> None:
    put(store, message("A"), message("B"))
    desk = Desk()
    assert deliver(store, {"local": desk}, Clock(), stop=lambda: bool(desk.sent)) == 1
    assert (desk.sent, states(store)["B"]) == ([("open", "A")], "due")
