"""Each recipient's own clients in an incident: read for many at once they are what they are for one, and what plain Python finds."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from alerts import Action, Changes, Client, Decision, Doubt, Impact, Touch
from alerts.reasons import ELSEWHERE
from monitor import theirs
from monitor.claims import claim, confirm
from monitor.facts import Recipient, at_once, digest_facts, incident_facts
from monitor.store import Act, Message, Step
from tests.monitor.conftest import NOW, PAYMENTS, SLOW, ago

if TYPE_CHECKING:
    from monitor.store import Store

PEOPLE = [f"{name}@banco.example" for name in ("ana", "luz", "mesa", "nadie")]
SEGMENTS = (frozenset[str](), frozenset({"pyme"}), frozenset({"pyme", "corporativo"}))
EVERY = [
    Recipient("correo", to, role=role, segments=some)
    for to in PEOPLE
    for role in ("post_sale", "manager")
    for some in SEGMENTS
]


def crowded(store: Store, seed: int) -> None:
    """Clients of a few people, hit on some products by two incidents, with cases of all sorts, doubts, and acts not taken in yet."""
    draw = Random(seed)
    ids = [str(800_000_000 + n) for n in range(60)]
    clients = [
        Client(one, f"Cliente {draw.randrange(9)}", draw.choice(("pyme", "corporativo", "")),
               post_sale=draw.choice(PEOPLE[:2]), manager=draw.choice(PEOPLE[1:3]))
        for one in ids
    ]  # fmt: skip
    changes = Changes()
    messages = []
    for incident in (PAYMENTS, SLOW):
        for one in draw.sample(ids, 45):
            for product in draw.sample(("", "pagos", "recaudos"), draw.randrange(1, 4)):
                at = draw.choice((None, ago(draw.randrange(60))))
                touch = draw.choice((Touch.AFFECTED, Touch.AFFECTED, Touch.EXPOSED))
                changes.impacts[incident, one, product] = Impact(
                    incident, one, product, touch, draw.randrange(5), draw.randrange(3),
                    Decimal(draw.randrange(999)) / 100, at, draw.randrange(6),
                )  # fmt: skip
            for n in range(draw.randrange(4)):
                action = draw.choice((Action.OPEN, Action.NONE, Action.LINK))
                reason = draw.choice((ELSEWHERE, ELSEWHERE, ELSEWHERE, "budget")) if action is Action.NONE else ""
                key = f"VG-{incident}-{n}-{one}"
                changes.decisions[key] = Decision(
                    key, incident, one, "pagos", action, reason, ago(draw.randrange(4)), draw.randrange(3),
                    linked_case_id="SP-1" if action is Action.LINK else "", decided_at=draw.choice((None, ago(n))),
                )  # fmt: skip
                if action is Action.OPEN:
                    messages.append(Message(key, key, "local", "open", {}))
            if draw.random() < 0.3:
                doubt = Doubt(
                    incident,
                    one,
                    "pagos",
                    "",
                    f"TX-{one}",
                    "pending",
                    "core",
                    ago(2),
                    settled_at=draw.choice((None, NOW)),
                )
                changes.doubts[doubt.key] = doubt
    store.commit(Step(clients=clients, changes=changes, messages=messages), NOW)
    while message := claim(store, NOW, timedelta(hours=1), only="local"):
        confirm(store, message["id"], draw.choice(("", f"C-{message['id']}")), NOW)
    opened = [one for one in changes.decisions.values() if one.action is Action.OPEN]
    for worked in opened[:6]:
        said = draw.choice(("informed", "withdraw"))
        store.act(Act(worked.incident_id, NOW, "N1", said, "", case_key=worked.key))


def touched(store: Store, incident: str, to: Recipient) -> tuple[dict[str, int], list[str], int]:
    """By hand: the affected with the sum of their failures, in their order; how many are exposed alone."""
    known = {
        one.client_id: one for one in store.clients()
        if to.role and getattr(one, to.role) == to.to and (not to.segments or one.segment in to.segments)
    }  # fmt: skip
    every = [one for one in store.impacts() if one.incident_id == incident and one.client_id in known]
    hit = [one for one in every if one.touch is Touch.AFFECTED]
    top: dict[str, int] = {}
    failures: dict[str, int] = {}
    for one in hit:
        top[one.client_id] = max(one.priority, top.get(one.client_id, 0))
        failures[one.client_id] = failures.get(one.client_id, 0) + one.failures
    order = sorted(top, key=lambda one: (-top[one], known[one].name, one))
    return failures, order, len({one.client_id for one in every} - top.keys())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("most", "few"), [(200, 20), (5, 0)])
def test_read_for_all_they_are_what_they_are_for_each(
    store: Store, seed: int, most: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowded(store, seed)
    monkeypatch.setattr(theirs, "MOST", most)
    alone = [incident_facts(store, incident, to, NOW) for incident in (PAYMENTS, SLOW) for to in EVERY]
    monkeypatch.setattr(theirs, "FEW", few)
    monkeypatch.setattr(theirs, "SOME", 7)
    for held in (most, 60_000):  # a part an address, and all in one
        monkeypatch.setattr(theirs, "HELD", held)
        once = at_once((incident, to) for incident in (PAYMENTS, SLOW) for to in EVERY)
        assert [incident_facts(store, i, to, NOW, once=once) for i in (PAYMENTS, SLOW) for to in EVERY] == alone
    for (incident, to), told in zip(((i, to) for i in (PAYMENTS, SLOW) for to in EVERY), alone, strict=True):
        failures, order, exposed = touched(store, incident, to)
        clients = told["clients"]
        assert [(one["client_id"], one["failures"]) for one in clients["own"]] == [
            (c, failures[c]) for c in order[:most]
        ]
        assert (clients["own_more"], clients["own_exposed"]) == (max(0, len(order) - most), exposed)
    assert any(told["clients"]["own_more"] for told in alone) is (most < 20)
    assert any(one["case"] and one["case"]["elsewhere"] for told in alone for one in told["clients"]["own"])


def test_a_digest_of_many_is_each_ones_own(store: Store) -> None:
    crowded(store, 1)
    both = [SLOW, PAYMENTS]
    once = at_once((incident, to) for incident in both for to in EVERY)
    for to in EVERY:
        assert digest_facts(store, both, ago(99), NOW, to, NOW, once=once) == digest_facts(
            store, both, ago(99), NOW, to, NOW
        )


def test_for_many_few_questions_are_asked(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    crowded(store, 2)
    asked: list[Any] = []
    whole = theirs._ranked

    def ranked(*told: Any) -> Any:
        asked.append(told)
        return whole(*told)

    monkeypatch.setattr(theirs, "_ranked", ranked)
    mine = [to for to in EVERY if to.role == "post_sale" and not to.segments]
    once = at_once((PAYMENTS, to) for to in mine)
    for to in mine:
        incident_facts(store, PAYMENTS, to, NOW, once=once)
    assert len(asked) == 1
