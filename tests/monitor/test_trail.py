"""The audit trail: a chain in which no change, gap or addition goes unseen, also after retention has dropped its beginning."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor import tables as t
from monitor.retention import prune
from monitor.step import DOOR
from monitor.store import Act, Store
from monitor.trail import BEFORE, PURGE, reseal, sealed, trail, verify
from tests.monitor.conftest import NOW, ago

LIMITS = dict.fromkeys(("cells", "ledger", "incidents", "clients", "outbox"), ago(100_000))


@pytest.fixture(params=["sqlite", "postgresql"])
def acted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Nine acts, one a minute."""
    url = f"sqlite:///{tmp_path / 'vigia.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres")
    store = Store(url)
    store.migrate()
    for minute in range(9, 0, -1):
        store.act(Act(f"AF-{minute % 2}", ago(minute), "Aña", "note", f"nota {minute}"))
    yield store
    store.close()


def write(store: Store, query: Any) -> None:
    with store.writing() as c:
        c.execute(query)


def test_whole_and_its_newest_seal_stays_in_it(acted: Store) -> None:
    seen = verify(acted)
    assert (seen.acts, seen.unsealed, seen.broken, len(seen.head)) == (9, 0, "", 64)
    acted.act(Act("", NOW, "Luis", "silence", "product=pagos: prueba", about="SI-1"))
    assert verify(acted, seen.head).broken == ""
    assert verify(acted, seen.head[:12]) == verify(acted)
    with pytest.raises(ValueError, match="less than 12"):
        verify(acted, seen.head[:11])
    assert "no está el sello" in verify(acted, "0" * 64).broken


@pytest.mark.parametrize(
    ("acted", "change"),
    [
        ("sqlite", change)
        for change in (
            t.acts.update().where(t.acts.c.text == "nota 5").values(text="nota 6"),
            t.acts.update().where(t.acts.c.text == "nota 5").values(who="Luis"),
            t.acts.update().where(t.acts.c.text == "nota 5").values(at=ago(4.5)),
            t.acts.update().where(t.acts.c.text == "nota 5").values(door="page"),
            t.acts.update().where(t.acts.c.text == "nota 5").values(hash=""),
            t.acts.update().values(hash=""),
            t.acts.delete().where(t.acts.c.text == "nota 9"),
            t.acts.delete().where(t.acts.c.text == "nota 5"),
            t.acts.delete().where(t.acts.c.text == "nota 1"),
            t.acts.insert().values(incident_id="AF-0", at=ago(0), who="Luis", action="note", text="x", hash="0" * 64),
        )
    ],
    indirect=["acted"],
)
def test_any_tampering_is_seen(acted: Store, change: Any) -> None:
    write(acted, change)
    assert verify(acted).broken


def test_a_seal_that_only_a_purge_tells_of_is_a_state_of_its_own(acted: Store) -> None:
    """Whoever can write to the database can make up a purge: it does not pass for a trail that was left alone."""
    head = verify(acted).head
    write(acted, t.acts.update().where(t.acts.c.text == "nota 5").values(who="otra persona"))
    with acted.writing() as c:
        reseal(c, Act("", NOW, "Ana", PURGE, f"x00: fin de relación; {BEFORE} {head}; scrypt 00 00"))
    number = acted.acts()[-1].id
    for noted in (head, head[:12]):
        seen = verify(acted, noted)
        assert (seen.broken, seen.rewritten) == ("", f"la purga del acto {number} ({NOW:%Y-%m-%d %H:%M:%S} UTC)")
    after = verify(acted)
    assert (after.broken, after.rewritten) == ("", "")
    assert verify(acted, after.head).rewritten == "", "noted after the purge it holds"
    assert "no está el sello" in verify(acted, f"{BEFORE} {head}"[:20]).broken


def test_retention_drops_the_oldest_in_order_and_the_rest_can_be_verified(acted: Store) -> None:
    head = verify(acted).head
    early = Act("AF-0", ago(500), "Luis", "note", "con el reloj atrasado")
    acted.act(early)
    assert prune(acted, LIMITS | {"incidents": ago(5)}, step=2) == 4
    assert [act.text for act in acted.acts()][:2] == ["nota 5", "nota 4"]
    assert acted.acts()[-1].text == early.text, "never out of order"
    assert (verify(acted).acts, verify(acted, head).broken) == (6, "")
    write(acted, t.acts.delete().where(t.acts.c.text == "nota 5"))
    assert verify(acted).broken
    prune(acted, LIMITS | {"incidents": NOW + timedelta(days=1)})
    assert len(acted.acts()) == 1, "the newest stays, for the numbers go on from it"


def test_retention_drops_what_was_over_long_ago_and_keeps_what_holds(acted: Store) -> None:
    text = dict.fromkeys(("reason", "author", "ended_by", "product", "channel", "cron"), "")
    quiet = {name: text[name] for name in ("reason", "author", "ended_by")} | {
        "matchers": {},
        "created_at": ago(99),
        "starts_at": ago(99),
    }
    for name, until, ended in (("old", ago(9), None), ("ended", NOW, ago(9)), ("new", NOW, None)):
        acted.put(t.silences, [quiet | {"id": name, "until": until, "ended_at": ended}])
        times = {"created_at": ago(99), "starts_at": ago(99), "until": until, "ended_at": ended, "minutes": None}
        acted.put(t.works, [text | times | {"id": name}])
    acted.put(t.works, [text | times | {"id": "nightly", "cron": "0 2 * * *", "until": None, "minutes": 60}])
    shift = {"author": "Ana", "to": "", "text": "", "told": "x", "since": ago(99)}
    acted.put(t.handovers, [shift | {"id": name, "at": at} for name, at in (("old", ago(9)), ("new", ago(1)))])
    prune(acted, LIMITS | dict.fromkeys(("cells", "incidents", "clients"), ago(5)))
    with acted.reading() as c:
        left = {table.name: sorted(c.execute(table.select()).scalars()) for table in (t.silences, t.works, t.handovers)}
    assert left == {"silences": ["new"], "works": ["new", "nightly"], "handovers": ["new"]}


def test_many_at_once_are_one_chain_and_a_double_click_is_one_act(acted: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: acted.act(Act("AF-7", NOW, f"P{n % 4}", "ack")), range(16)))
    assert (verify(acted).acts, verify(acted).broken) == (13, "")


def test_acts_from_before_the_chain_are_told_of_and_nothing_else(acted: Store) -> None:
    write(acted, t.acts.delete())
    write(acted, t.meta.delete())
    write(acted, t.acts.insert().values(incident_id="AF-0", at=ago(9), who="Luis", action="note", text="vieja"))
    acted.act(Act("AF-0", NOW, "Luis", "note", "nueva"))
    assert (verify(acted).acts, verify(acted).unsealed, verify(acted).broken) == (2, 1, "")


def test_the_trail_newest_first(acted: Store) -> None:
    assert [row["text"] for row in trail(acted, limit=2)] == ["nota 1", "nota 2"]
    assert {row["incident_id"] for row in trail(acted, incident_id="AF-1")} == {"AF-1"}
    assert len(trail(acted, since=ago(3.5))) == 3


def test_by_which_door_an_act_came_is_sealed_with_it(acted: Store) -> None:
    """What was sealed before doors were kept is whole as it was."""
    before = sealed(Act("AF-1", NOW, "Aña", "note", "nota"), "")
    assert before == "de4bb47a6f7ace5ba614c6a7768043a4564166ecdf43fdbf25f65946d13078a3"
    old = verify(acted).head
    door = DOOR.set("cli:root")
    try:
        (noted,) = acted.act(Act("AF-1", NOW, "laura", "note", "por la consola"))
    finally:
        DOOR.reset(door)
    assert noted.door == "cli:root"
    assert [row["door"] for row in trail(acted)] == ["cli:root", *[""] * 9]
    assert verify(acted, old).broken == ""
    for other in ("", "page", "cli:laura"):
        write(acted, t.acts.update().where(t.acts.c.who == "laura").values(door=other))
        assert "no cuadra" in verify(acted).broken
    write(acted, t.acts.update().where(t.acts.c.who == "laura").values(door="cli:root"))
    assert verify(acted).broken == ""
    with acted.writing() as c:
        reseal(c, Act("", NOW, "Luz", PURGE, f"x1: pidió; {BEFORE} {old}"))
    assert verify(acted).broken == "", "a purge seals it anew with its door"
