"""The long lists of a big incident: page by page they are what they are in one piece, to whoever may see how much of them."""

from __future__ import annotations

import csv
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from zlib import decompress

import pytest
import requests

from alerts import Action, Changes, Client, Impact, IncidentState, Touch
from alerts.promises import Promises
from alerts.reasons import FEW
from monitor import casework, clientele, long_lists, people
from monitor import tables as t
from monitor.client_pages import Pages
from monitor.handover import handover
from monitor.metrics import Metrics
from monitor.seeing import SIGHT, Sight, sight_of
from monitor.store import Step, Store
from monitor.timeline import timeline
from monitor.web import app, serve
from tests.crowd import assistant, crowd
from tests.monitor.conftest import NOW

LISTS = ("affected_clients", "exposed_clients", "cases", "doubts")
MANY = 90


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Three incidents, of which the first touches all of ninety clients; two are called alike, one is nobody's, one is a formula."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('big') / 'vigia.db'}")
    store.migrate()
    crowd(store, NOW, incidents=3, clients=MANY, wide=True, assistants=3, over=1)
    odd = {3: "Ánfora Café", 4: "Ánfora Café", 5: "", 6: "=1+1"}
    step = Step()
    step.clients = [Client(str(900_000_000 + n), name, "pyme", n, post_sale=assistant(0)) for n, name in odd.items()]
    store.commit(step, NOW)
    yield store
    store.close()


@pytest.fixture(scope="module")
def served(big: Store) -> Iterator[str]:
    server = serve(app(big, Metrics(), lambda: (True, ""), lambda: NOW), "127.0.0.1:0")
    yield server.address
    server.stop()


@pytest.fixture
def first(big: Store) -> str:
    return next(one.id for one in big.incidents() if one.id.endswith("-000000"))


def keys(found: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: [row.get("key") or (row["client_id"], row["product"]) for row in found[name]] for name in LISTS}


def pages(store: Store, incident_id: str, limit: int) -> dict[str, list[Any]]:
    after, found = "", {name: [] for name in LISTS}
    while True:
        one = people.incident(store, incident_id, NOW, limit=limit, after=after)
        for name, some in keys(one).items():
            assert len(some) <= limit
            found[name] += some
        if one["next"] is None:
            return found
        after = one["next"]


@pytest.mark.parametrize("limit", [1, 7, 30, 60, 1000])
def test_pages_together_are_the_whole(big: Store, first: str, limit: int) -> None:
    whole = people.incident(big, first, NOW)
    assert pages(big, first, limit) == keys(whole)
    cut = people.incident(big, first, NOW, limit=limit)
    assert cut["total"] == whole["total"] == {name: len(whole[name]) for name in LISTS}
    assert (cut["next"] is None) == (limit >= 60)


def test_the_order_is_by_priority_then_name(big: Store, first: str) -> None:
    found = people.incident(big, first, NOW)["affected_clients"]
    assert len(found) == 60
    order = [(-row["priority"], row["client"] or row["client_id"], row["product"], row["client_id"]) for row in found]
    assert order == sorted(order)
    assert next(row for row in found if row["client_id"] == "900000005")["client"] == ""


def test_who_sees_some_pages_through_those_alone(big: Store, first: str) -> None:
    mine = sight_of(big, type("User", (), {"clients": "own", "email": assistant(1)})())
    whole = people.incident(big, first, NOW)
    token = SIGHT.set(mine)
    try:
        found, part = pages(big, first, 4), people.incident(big, first, NOW, limit=4)
    finally:
        SIGHT.reset(token)
    theirs = {
        name: [key for key in some if any(one in str(key) for one in mine.clients or ())]
        for name, some in keys(whole).items()
    }
    assert found == theirs
    assert part["total"] == {name: len(some) for name, some in theirs.items()}
    assert part["affected"] == whole["affected"], "counts stay as they were counted"


@pytest.mark.parametrize("many", [2, 5000])
def test_a_sight_asks_by_clients_or_by_what_found_them(
    big: Store, first: str, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.seeing.SOME", many)
    sight = sight_of(big, type("User", (), {"clients": ("pyme",), "email": ""})())
    token = SIGHT.set(sight)
    try:
        found = long_lists.touched(first, Touch.AFFECTED)
        assert {row["segment"] for row in found.part(big)[0]} == {"pyme"}
        assert found.count(big) == len(found.part(big)[0]) > 2
    finally:
        SIGHT.reset(token)


def _read(after: str) -> str:
    """What a proxy's log may tell of an answer's `next`."""
    body = after.lstrip(".").split(".")[0]
    raw = urlsafe_b64decode(body + "=" * (-len(body) % 4))
    return (decompress(raw) if after.startswith(".") else raw).decode()


def test_next_names_nobody(big: Store, first: str) -> None:
    cut = people.incident(big, first, NOW, limit=3)
    told = _read(cut["next"])
    for name in LISTS[:3]:
        last = cut[name][-1]
        assert str(last["priority"]) in told
        for mark in (last["client_id"], last["client"], last.get("key", first)):
            assert mark not in told
    step = Step()
    step.clients = [Client(cut["affected_clients"][-1]["client_id"], "Ñandú " * 900, "corporativo")]
    before = next(one for one in big.clients() if one.client_id == step.clients[0].client_id)
    big.commit(step, NOW)
    assert len(people.incident(big, first, NOW, limit=3)["next"]) < 400
    step.clients = [before]
    big.commit(step, NOW)


def test_a_list_goes_on_after_a_row_that_has_moved_or_is_no_more(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'vigia.db'}")
    store.migrate()
    crowd(store, NOW, incidents=1, clients=30, wide=True)
    first = next(one.id for one in store.incidents() if one.id.endswith("-000000"))
    whole = keys(people.incident(store, first, NOW))["affected_clients"]
    after = people.incident(store, first, NOW, limit=5)["next"]
    (fifth,) = (i for i in store.impacts(t.impacts.c.incident_id == first) if (i.client_id, i.product) == whole[4])

    def follows(impact: Impact | None) -> list[Any]:
        changes = Changes(impacts={(first, fifth.client_id, fifth.product): impact})
        store.commit(Step(changes=changes), NOW)
        return keys(people.incident(store, first, NOW, limit=1000, after=after))["affected_clients"]

    assert follows(fifth) == whole[5:]
    assert follows(replace(fifth, priority=100)) == whole[5:], "its place of then"
    assert [key for key in follows(replace(fifth, priority=0)) if key != whole[4]] == whole[5:]
    assert set(follows(None)) >= set(whole[5:]), "rather twice than never"
    store.close()


@pytest.mark.parametrize("after", ["nope", "e30", "W10", "bnVsbA", "eyJjYXNlcyI6IFsxXX0", "ñ", "WwWw" * 700])
def test_what_no_answer_said_is_refused(big: Store, first: str, after: str) -> None:
    with pytest.raises(people.Refused, match="after"):
        people.incident(big, first, NOW, limit=3, after=after)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("ánfora", 2),
        ("ÁNFORA CAFÉ", 2),
        ("900.000.004", 1),
        ("900000005-1", 1),
        ("nadie", 0),
        ("%", 0),
        ("Inventado 1", 8),
        ("Inventado 9", 1),
    ],
)
@pytest.mark.parametrize("some", [1, 5000])
def test_clients_are_looked_for(
    big: Store, first: str, wanted: str, found: int, some: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.long_lists.SOME", some)
    every = [long_lists.touched(first, touch).named(big, wanted) for touch in Touch]
    assert sum(one.count(big) for one in every) == found + 3 * (wanted == "Inventado 1")
    assert sum(len(one.part(big, 20)[0]) for one in every) == found + 3 * (wanted == "Inventado 1")


def test_what_was_done_a_moment_ago_is_in_the_line_the_story_and_the_shift(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'vigia.db'}")
    store.migrate()
    crowd(store, NOW, incidents=2, clients=12, wide=True)
    first = next(one.id for one in store.incidents() if one.id.endswith("-000000"))
    head = people.head(store, first, NOW)
    cases = [row["key"] for row in people.cases(store, incident_id=first)]

    def told() -> dict[str, Any]:
        steps = {step["what"]: (step["at"], step["n"]) for step in timeline(store, head, ()) if step["what"] != "act"}
        shift = handover(store, Promises(), (), "UTC", NOW, NOW - timedelta(hours=8))
        return steps | {"owed": {row["id"]: row["uninformed"] for row in shift["open"]}}

    before = told()
    assert "informed" not in before
    casework.do(store, "informed", cases[:3], "Mesa", "", NOW)
    casework.do(store, "withdraw", cases[3:4], "Mesa", "", NOW)
    now = told()
    assert now["informed"] == (NOW, 3)
    assert now["owed"][first] == before["owed"][first] - 3
    assert now["reported"] == before["reported"]
    assert sum(now["cases"][1:]) == sum(before["cases"][1:]), "one that is withdrawn was opened all the same"
    taken = [replace(one, informed_at=NOW) for one in store.decisions() if one.key in cases[:3]]
    store.commit(Step(changes=Changes(decisions={one.key: one for one in taken}), marks={"last_act": "99"}), NOW)
    assert told() == now
    store.close()


def test_the_same_on_postgres(postgres: str, big: Store, first: str) -> None:
    store = Store(postgres)
    store.migrate()
    crowd(store, NOW, incidents=3, clients=MANY, wide=True, assistants=3, over=1)
    whole, there = people.incident(store, first, NOW), people.incident(big, first, NOW)
    assert pages(store, first, 7) == keys(whole)
    assert whole["total"] == there["total"]
    assert timeline(store, whole, ()) == timeline(big, whole, ())
    casework.do(store, "informed", [whole["cases"][0]["key"]], "Mesa", "", NOW)
    assert [step["n"] for step in timeline(store, whole, ()) if step["what"] == "informed"] == [1]
    shift = handover(store, Promises(), (), "UTC", NOW, NOW - timedelta(hours=8))
    assert {row["id"]: row["uninformed"] for row in shift["open"]}[first] == 59
    assert long_lists.touched(first, Touch.AFFECTED).named(store, "INVENTADO 77").count(store) == 1
    here, line = Pages(store, NOW), [one for one in clientele.in_line(store, NOW) if one.touch]
    assert here.count() == (MANY, MANY)
    assert {tuple(one) for one in here.touched(MANY, 0)} == {tuple(one) for one in line}
    assert here.crossed() == []
    assert long_lists.still_in_doubt(store, first) == 0
    store.close()


@pytest.mark.parametrize("sight", [Sight(), Sight(frozenset(str(900_000_000 + n) for n in range(0, MANY, 4)))])
def test_a_page_of_clients_is_a_piece_of_the_line(big: Store, sight: Sight) -> None:
    token = SIGHT.set(sight)
    try:
        line = [one for one in clientele.wanted(big, NOW) if one.touch]
        here = Pages(big, NOW)
        assert here.count() == (MANY, len(line))
        assert [tuple(one) for at in range(0, MANY, 20) for one in here.touched(20, at)] == [tuple(one) for one in line]
        assert [one.client_id for one in here.crossed()] == []
    finally:
        SIGHT.reset(token)


def test_who_was_hit_twice_and_is_not_now_is_on_the_page(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'vigia.db'}")
    store.migrate()
    crowd(store, NOW, incidents=2, clients=12, wide=True)
    over = [replace(one, state=IncidentState.RESOLVED, ended_at=NOW, resolved_at=NOW) for one in store.incidents()]
    store.commit(Step(changes=Changes(incidents={one.id: one for one in over})), NOW)
    line = [one for one in clientele.in_line(store, NOW) if one.crossed]
    assert [tuple(one) for one in Pages(store, NOW).crossed()] == [tuple(one) for one in line]
    assert len(line) == 4
    store.close()


@pytest.mark.parametrize(
    "path",
    [
        f"/api/v1/incidents?limit={'9' * 25}",
        f"/api/v1/cases?limit={'9' * 25}",
        f"/api/v1/acts?limit={'9' * 25}",
        f"/api/v1/clients?limit=2&offset={'9' * 25}",
        "/api/v1/leads?since=0001-01-01T00:00:00%2B10:00",
        "/api/v1/causes?since=0001-01-01T00:00:00%2B10:00",
        "/api/v1/causes?until=9999-12-31T23:00:00-10:00",
        "/api/v1/acts?since=0001-01-01T00:00:00%2B10:00",
    ],
)
def test_numbers_and_times_beyond_all_bounds_are_refused(served: str, path: str) -> None:
    assert requests.get(served + path, timeout=60).status_code == 422


def test_a_page_beyond_the_last_is_the_last(served: str) -> None:
    for number in ("9" * 25, "9" * 5000):
        assert requests.get(f"{served}/clientes?page={number}", timeout=60).status_code == 200


def test_all_of_them_are_a_file(big: Store, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.web.download.SOME", 7)
    server = serve(app(big, Metrics(), lambda: (True, ""), lambda: NOW), "127.0.0.1:0")
    try:
        path = f"{server.address}/api/v1/incidents/{first}"
        answer = requests.get(f"{path}/clients.csv", timeout=60)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        found = list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"))))
        whole = people.incident(big, first, NOW)["affected_clients"]
        assert [(row["nit"], row["producto"], row["monto"]) for row in found] == [
            (row["client_id"], row["product"], str(row["amount"])) for row in whole
        ]
        assert all(not row["cliente"].startswith("=") for row in found)
        exposed = requests.get(f"{path}/clients.csv?touch=exposed", timeout=60).text
        assert exposed.count("\r\n") == 31
        assert "'=1+1" in exposed
        assert requests.get(f"{server.address}/api/v1/incidents/nope/clients.csv", timeout=60).status_code == 404
        page = requests.get(f"{server.address}/incidents/{first}?page=2", timeout=60).text
        assert page.count('data-key="9000000') == 20
        assert "Página 2 de 3" in page
        cut = requests.get(f"{path}?limit=5", timeout=60).json()
        assert [len(cut[name]) for name in LISTS] == [5, 5, 5, 0]
        assert requests.get(f"{path}?limit=5&after={cut['next']}", timeout=60).json()["cases"][0] not in cut["cases"]
        assert requests.get(f"{path}?after=x", timeout=60).status_code == 422
        assert requests.get(f"{path}?limit=5&after={cut['next'][:-1]}", timeout=60).status_code == 422
    finally:
        server.stop()


def test_the_file_tells_the_case_that_stands(tmp_path: Path) -> None:
    """Not what a merged incident brought along: nothing opened, decided before or after."""
    store = Store(f"sqlite:///{tmp_path / 'vigia.db'}")
    store.migrate()
    crowd(store, NOW, incidents=1, clients=12, wide=True)
    first = next(one.id for one in store.incidents() if one.id.endswith("-000000"))
    d = next(one for one in store.decisions(t.decisions.c.incident_id == first) if one.action is Action.OPEN)
    brought = [
        replace(
            d, key=f"VG-AF-{n}-{d.client_id}", action=Action.NONE, reason=FEW, desk="", opened_at=d.opened_at + later
        )
        for n, later in enumerate((timedelta(minutes=-5), timedelta(minutes=5)))
    ]
    linked = replace(brought[1], key=f"VG-AF-7-{d.client_id}", action=Action.LINK, linked_case_id="SP-9")
    server = serve(app(store, Metrics(), lambda: (True, ""), lambda: NOW), "127.0.0.1:0")

    def told() -> str:
        answer = requests.get(f"{server.address}/api/v1/incidents/{first}/clients.csv", timeout=60)
        (row,) = (r for r in csv.DictReader(StringIO(answer.content.decode("utf-8-sig"))) if r["nit"] == d.client_id)
        return row["caso"]

    try:
        mine = replace(d, linked_case_id="SP-8")
        store.commit(Step(changes=Changes(decisions={one.key: one for one in (mine, *brought)})), NOW)
        with store.writing() as c:
            c.execute(t.outbox.delete())
        assert told() == "SP-8"
        taken = replace(mine, withdrawn_at=NOW)
        store.commit(Step(changes=Changes(decisions={one.key: one for one in (taken, linked)})), NOW)
        assert told() == "SP-9"
    finally:
        server.stop()
        store.close()
