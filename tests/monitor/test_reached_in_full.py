"""Whoever is to be told is told: of all of it, once, whatever else is told to them or goes wrong next to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from alembic import command

from alerts import TheirCase
from alerts.promises import Promise, Promises
from alerts.routing import Route
from connectors import Notice
from connectors.roles import ROLES
from monitor import migrations
from monitor import tables as t
from monitor.blocks import Monitor
from monitor.facts import Recipient
from monitor.faults import Fault
from monitor.intake import clients_of
from monitor.receiving import Refreshing
from monitor.retention import prune
from monitor.routes import Routing, read_routing
from monitor.standing import rows
from monitor.step import Act, Step
from monitor.store import Store
from monitor.troubles import Trouble
from rules import Severity
from tests.monitor.test_digests import ALWAYS
from tests.monitor.told import ACEROS, CAFE, CLIENTS, MINA, NOW, RAUL, TEXTILES, Receiver, Told, bank, incident, over

MORNING = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
"""Half past seven of the Wednesday in Bogotá."""
Bank = Callable[..., Told]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Bank]:
    """A bank with these routes; closed in the end."""
    there: list[Told] = []

    def make(*routes: Route, **how: Any) -> Told:
        folder = tmp_path / str(len(there))
        folder.mkdir()
        there.append(bank(folder, *routes, **how))
        return there[-1]

    yield make
    for one in there:
        one.store.close()


def test_two_digests_of_one_receiver_that_share_a_time_are_both_told(made: Bank) -> None:
    half_past, four = time(7, 30), time(16)
    here = made(
        Route("correo", "plain", ("manager",), products=frozenset({"pagos"}), at=(half_past,)),
        Route("correo", "plain", ("manager",), products=frozenset({"recaudos"}), at=(half_past, four)),
    )
    here.put(incident("AF-1"), incident("AF-2", product="recaudos"), hit={"AF-1": [ACEROS], "AF-2": [ACEROS]})
    here.now = MORNING
    here.told()
    assert [[i["id"] for i in told["incidents"]] for told in here.payloads()] == [["AF-1"], ["AF-2"]]


@pytest.mark.parametrize(
    ("acts", "told"),
    [
        ((), True), (("ack",), False), (("ack", "unack"), True), (("ack", "unack", "ack"), False),
        (("ack", "unack") * 2, True),
    ],
)  # fmt: skip
def test_what_was_taken_on_and_taken_back_is_escalated(made: Bank, acts: tuple[str, ...], *, told: bool) -> None:
    here = made(Route("torre"), Route("jefe", after=timedelta(minutes=30)))
    here.put(incident("AF-1"))
    for act in acts:
        here.told(after=1)
        here.act("AF-1", act)
    late = [one for _ in range(6) for one in here.told(after=10) if one[0] == "jefe"]
    assert late == ([("jefe", "", "first", ("new", "escalated"))] if told else [])


def test_the_end_is_told_when_its_silence_is_lifted_early(made: Bank) -> None:
    here = made(Route("torre"))
    one = incident("AF-1")
    here.put(one)
    here.told(after=1)
    here.silence(0, 60 * 72)
    here.put(over(one, here.now))
    assert here.told(after=1) == []
    (silence,) = rows(here.store, t.silences.select())
    lifted = silence | {"ended_by": "ana", "ended_at": here.now}
    act = Act("", here.now, "ana", "end_silence", silence["id"], about=silence["id"])
    here.store.act(act, also=[(t.silences, lifted)])
    assert here.told(after=1) == [("torre", "", "end", ("end",))]


def read_clients(here: Told, **columns: str) -> None:
    """The bank's file says this of its client Aceros."""
    row = dict.fromkeys(ROLES["clients"].names, "") | {"client_id": ACEROS, "name": "Aceros del Istmo"}
    row |= {"value_rank": None, "sensitivity": None} | columns
    here.store.commit(Step(clients=clients_of(pa.Table.from_pylist([row], ROLES["clients"]))), NOW)


def test_a_segment_may_be_written_in_any_way(made: Bank) -> None:
    large = frozenset({"corporativo"})
    late = Route("promesas", "plain", ("post_sale",), segments=large, news=frozenset({"breach"}))
    here = made(Route("correo", "plain", ("post_sale",), segments=large), late)
    here.config = replace(here.config, promises=Promises((Promise(timedelta(hours=2), ALWAYS),)))
    here.restart()
    read_clients(here, segment=" Corporativo ", post_sale=MINA)
    opened = NOW - timedelta(hours=5)
    here.store.commit(Step(cases=[TheirCase("C-1", "sp", ACEROS, opened, opened, "pagos", "", "soporte")]), NOW)
    here.put(incident("AF-1"), hit={"AF-1": [ACEROS]})
    here.told()
    one, case = here.payloads()
    assert (one["incident"]["affected"], [c["client"] for c in one["clients"]["own"]]) == (1, ["Aceros del Istmo"])
    assert [told["client"] for told in case["cases"]] == ["Aceros del Istmo"]


def test_one_mailbox_in_several_spellings_is_told_once(made: Bank) -> None:
    here = made(Route("correo", "plain", ("post_sale", "substitute")))
    read_clients(here, post_sale=" Mina@Banco.example", substitute="MINA@banco.example ")
    here.put(incident("AF-1"), hit={"AF-1": [ACEROS]})
    assert here.told() == [("correo", MINA, "first", ("new",))]


def test_routes_and_teams_spell_addresses_as_clients_do() -> None:
    tables = {
        "receivers": {"correo": {"kind": "email"}},
        "route": [{"receiver": "correo", "to": ["Mina@Banco.example", "mina@banco.example ", "team"]}],
        "teams": {"torre": {"members": ["RAUL@banco.example"], "lead": " Mina@banco.example"}},
    }
    faults: list[Fault] = []
    found = read_routing(tables, Monitor(), "config.toml", faults)
    assert faults == []
    assert found.routes[0].to == (MINA, "team")
    assert (found.teams[0].members, found.teams[0].lead) == ((RAUL,), MINA)


def test_a_state_from_before_is_spelled_anew(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'vigia.db'}")
    store.migrate()
    old = replace(CLIENTS[0], segment="Corporativo ", post_sale="Mina@banco.example", manager="Gil Banco")
    store.commit(Step(clients=[old]), NOW)
    with store.writing() as connection:
        command.downgrade(migrations.settings(connection), "0031")
    store.migrate()
    (client,) = store.clients()
    store.close()
    assert (client.segment, client.post_sale, client.manager) == ("corporativo", MINA, "Gil Banco")


def test_routes_to_one_for_several_segments_tell_of_all_of_them(made: Bank) -> None:
    def ways(**more: Any) -> list[Route]:
        return [
            Route("correo", "plain", ("post_sale",), segments=frozenset({segment}), **more)
            for segment in ("empresarial", "pyme")
        ]

    singly, digested = made(*ways()), made(*ways(at=(time(7, 30),)))
    late = made(*ways(news=frozenset({"breach"})))
    for here in (singly, digested):
        here.put(incident("AF-1"), incident("AF-2", channel="app"), hit={"AF-1": [TEXTILES, CAFE], "AF-2": [CAFE]})
        here.now = MORNING
        here.told()
    both = {"Textiles La Cumbre", "Café Sierra Alta"}
    told = {one["incident"]["id"]: one["clients"] for one in singly.payloads()}
    assert {c["client"] for c in told["AF-1"]["own"]} == both
    assert (told["AF-1"]["affected"], told["AF-2"]["affected"]) == (2, 1)
    (digest,) = digested.payloads()
    assert [{c["client"] for c in one["own"]} for one in digest["incidents"]] == [both, {"Café Sierra Alta"}]
    late.config = replace(late.config, promises=Promises((Promise(timedelta(hours=2), ALWAYS),)))
    late.restart()
    opened = NOW - timedelta(hours=5)
    cases = [TheirCase(f"C-{k}", "sp", k, opened, opened, "pagos", "", "soporte") for k in (TEXTILES, CAFE)]
    late.store.commit(Step(cases=cases), NOW)
    late.told()
    assert [{case["client"] for case in one["cases"]} for one in late.payloads()] == [both]


def test_a_route_that_comes_later_adds_its_segments_when_it_is_due(made: Bank) -> None:
    first = Route("correo", "plain", ("post_sale",), segments=frozenset({"empresarial"}))
    here = made(first, replace(first, segments=frozenset({"pyme"}), after=timedelta(minutes=30)))
    here.put(incident("AF-1"), hit={"AF-1": [TEXTILES, CAFE]})
    told = [one for _ in range(4) for one in here.told(after=10)]
    assert [one["clients"]["affected"] for one in here.payloads()][:2] == [1, 2]
    assert [why for _, _, _, why in told][:2] == [("new",), ("clients",)]


def fails_for(receiver: str, monkeypatch: pytest.MonkeyPatch, where: str) -> Callable[[], None]:
    """What is written for this receiver fails until the answer is called."""
    module, name = where.rsplit(".", 1)
    real, broken = getattr(import_module(module), name), [True]

    def facts(*args: Any, **more: Any) -> Any:
        if broken and any(isinstance(arg, Recipient) and arg.receiver == receiver for arg in args):
            raise ValueError("a bad row")
        return real(*args, **more)

    monkeypatch.setattr(where, facts)
    return broken.clear


MORNINGS = {"at": (time(7, 30),)}


@pytest.mark.parametrize(
    ("where", "how"),
    [
        ("monitor.notices.summary_facts", {}),
        ("monitor.digests.digest_facts", MORNINGS),
        ("monitor.breaches.breach_facts", {"news": frozenset({"breach"})}),
    ],
)
def test_what_cannot_be_told_to_one_mutes_nobody_and_is_told_once_it_can_be(
    made: Bank, monkeypatch: pytest.MonkeyPatch, where: str, how: dict[str, Any]
) -> None:
    mend = fails_for("a_torre", monkeypatch, where)
    here = made(Route("a_torre", **how), Route("z_torre", **how), per_hour=1)
    here.config = replace(here.config, promises=Promises((Promise(timedelta(hours=2), ALWAYS),)))
    here.restart()
    here.put(*[incident(f"AF-{n}", channel=f"c{n}") for n in range(5)])
    here.now, opened = MORNING, NOW - timedelta(hours=5)
    here.store.commit(Step(cases=[TheirCase("C-1", "sp", ACEROS, opened, opened, "pagos", "", "soporte")]), NOW)
    for _ in range(3):
        with pytest.raises(ValueError, match="a bad row"):
            here.told(after=0.1)
    everything = ["first", "summary"] if not how else ["first"]
    assert [kind(row) for row in here.outbox() if row["desk"] == "receivers.z_torre"] == everything
    assert [kind(row) for row in here.outbox() if row["desk"] == "receivers.a_torre"] == everything[:-1]
    mend()
    here.told(after=0.1)
    assert sorted(kind(row) for row in here.outbox()) == sorted(everything * 2)


def kind(row: dict[str, Any]) -> str:
    return "summary" if row["payload"]["news"] == "summary" else str(row["payload"]["event"])


@pytest.mark.parametrize("which", ["concerned.news", "digests.tell", "breaches.tell"])
def test_a_part_that_fails_holds_up_no_other(made: Bank, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    here = made(Route("torre", news=frozenset({"incident", "fault"})))
    here.troubles = lambda _now: [Trouble("source:core", "major", NOW, "core no responde")]

    def broken(*_: Any) -> Any:
        raise ValueError("a row that cannot be read")

    part, name = which.split(".")
    monkeypatch.setattr(getattr(here.notices, part), name, broken)
    here.put(incident("AF-1"))
    for _ in range(2):
        with pytest.raises(ValueError, match="cannot be read"):
            here.told(after=1)
    assert {one["news"] for one in here.payloads()} == {"fault"} | ({"incident"} if part != "concerned" else set())


def test_what_still_stands_is_refreshed_however_old_its_message_is(made: Bank) -> None:
    class Keeper(Receiver):
        def refresh(self, notices: Sequence[Notice], _now: datetime) -> None:
            self.last = [notice.key for notice in notices]

    here, keeper = made(Route("am"), Route("promesas", news=frozenset({"breach"}))), Keeper()
    here.config = replace(here.config, promises=Promises((Promise(timedelta(hours=2), ALWAYS),)))
    here.restart()
    one, ends = incident("AF-1"), incident("AF-2", channel="app")
    opened = NOW - timedelta(hours=5)
    here.store.commit(Step(cases=[TheirCase("C-1", "sp", ACEROS, opened, opened, "pagos", "", "soporte")]), NOW)
    here.put(one, ends)
    here.told()
    here.put(replace(one, severity=Severity.CRITICAL), over(ends, NOW + timedelta(minutes=9)))
    here.told(after=10)
    while here.deliver():
        pass
    here.now += timedelta(days=8)
    limits = dict.fromkeys(("cells", "ledger", "incidents", "clients", "outbox"), here.now - timedelta(days=7))
    prune(here.store, limits)
    Refreshing(here.config, here.store, {"am": keeper}, lambda: here.now).refresh("am")
    assert keeper.last == ["AF-1:am::2"]
    assert [row["key"] for row in here.outbox()] == ["AF-1:am::2"], "no older one, and no promise's"


def test_who_answers_for_some_and_stands_in_for_others_reads_of_both_in_summaries(made: Bank) -> None:
    here = made(Route("correo", "plain", ("post_sale", "substitute")), per_hour=1)
    hit = {"AF-0": [ACEROS, TEXTILES], "AF-1": [ACEROS], "AF-2": [TEXTILES], "AF-3": [TEXTILES]}
    here.put(*[incident(name, channel=f"c{name}") for name in hit], hit=hit)
    here.told()
    read = set()
    for one in (told for told in here.payloads() if told["to"] == MINA):
        listed = one.get("incidents") or [one["incident"] | {"own": one["clients"]["own"]}]
        read |= {(incident["id"], client["client_id"]) for incident in listed for client in incident["own"]}
    assert read == {(name, client) for name, clients in hit.items() for client in clients}
    here.restart()
    assert here.told(after=1) == []


def test_a_summary_tells_of_the_segments_of_all_that_it_sums_up(made: Bank) -> None:
    first = Route("correo", "plain", ("post_sale",), segments=frozenset({"empresarial"}), products=frozenset({"pagos"}))
    here = made(first, replace(first, segments=frozenset({"pyme"}), products=frozenset({"giros"})), per_hour=1)
    names = {"AF-0": ("pagos", TEXTILES), "AF-1": ("pagos", TEXTILES), "AF-2": ("giros", CAFE)}
    here.put(
        *[incident(name, product=product, channel=name) for name, (product, _) in names.items()],
        hit={name: [client] for name, (_, client) in names.items()},
    )
    here.told()
    summary = here.payloads()[-1]
    assert {(one["id"], client["client_id"]) for one in summary["incidents"] for client in one["own"]} == {
        ("AF-1", TEXTILES), ("AF-2", CAFE),
    }  # fmt: skip


def judged(here: Told, **more: Any) -> None:
    """The minutes until now are judged; more: of the step."""
    here.store.commit(Step(marks={"judged_until": str(int(here.now.timestamp()) // 60)}, **more), here.now)


def test_who_is_routed_to_only_now_is_not_told_of_what_was_over_before(made: Bank) -> None:
    here = made(Route("correo", "plain", ("post_sale",)))
    for n in range(3):
        one = incident(f"AF-{n}", here.now, channel=f"c{n}")
        here.put(one, hit={one.id: [ACEROS]})
        here.told(after=1)
        here.put(over(one, here.now))
        here.told(after=6)
        judged(here)
        here.told(after=1)
    assert len(here.payloads()) == 6
    here.now += timedelta(days=3)
    judged(here, clients=[replace(CLIENTS[0], post_sale="nueva@banco.example")])
    assert here.told(after=1) == []
    here.restart()
    assert here.told(after=1) == [], "a client who changed hands"
    routes = (*here.config.routing.routes, Route("correo", "plain", ("jefe@banco.example",)))
    here.config = replace(here.config, routing=Routing(routes))
    here.restart()
    assert here.told(after=1) == [], "a route that is new"
    here.put(incident("AF-9", here.now), hit={"AF-9": [ACEROS]})
    assert {to for _, to, _, _ in here.told(after=1)} == {"nueva@banco.example", "jefe@banco.example"}


def test_what_ended_while_nobody_looked_or_was_held_back_is_told_yet(made: Bank) -> None:
    here = made(Route("torre"), per_hour=1)
    early = [incident(f"AF-{n}", here.now, channel=f"c{n}") for n in range(3)]
    here.put(*early[:1])
    here.told(after=1)
    here.put(*early[1:2])
    here.told(after=1)
    here.put(early[2])
    assert here.told(after=1) == [], "held back: a summary was sent a moment ago"
    here.put(*(over(one, here.now) for one in early))
    here.told(after=1)
    judged(here)
    here.told(after=1)
    here.restart()
    here.now += timedelta(hours=2)
    judged(here)
    here.put(over(incident("AF-8", here.now - timedelta(hours=1)), here.now - timedelta(minutes=50)))
    assert here.told() != []
    for _ in range(3):
        here.told(after=20)
    said = [one.get("incidents") or [one["incident"]] for one in here.payloads()]
    assert {row["id"] for some in said for row in some} == {"AF-0", "AF-1", "AF-2", "AF-8"}
