"""Silences: what they match, what they keep quiet, what is refused, and that nothing is hidden by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import Changes
from alerts.rows import plain
from alerts.silences import MATCHERS, matches
from monitor import people, silencing
from monitor.store import Step, Store
from tests.monitor.conftest import INCIDENTS, NOW, PART, PAYMENTS, SLOW, ago

HOUR = timedelta(hours=1)
PLACES = [
    ("pagos", "conexion_directa"),
    ("pagos", "sucursal_digital"),
    ("recaudos", "conexion_directa"),
    ("swift", ""),
    ("nomina", ""),
]


def watched(store: Store) -> None:
    """Five places are watched, and a second failure is open."""
    verdicts = [{"product": p, "channel": c, "healthy": 1, "unknown": 0, "breach": 0} for p, c in PLACES]
    slow = replace(
        INCIDENTS[1], id="AF-20260303T1520-ffffff", state=INCIDENTS[0].state, resolved_at=None, ended_at=None
    )
    store.commit(Step(verdicts=verdicts, changes=Changes(incidents={slow.id: slow})), NOW)


def add(store: Store, matchers: Mapping[str, str], *, hours: float = 1, **more: Any) -> people.Row:
    return silencing.add(store, matchers, "Ana", "pruebas con el proveedor", NOW, NOW + hours * HOUR, **more)


values = st.sampled_from(["", "pagos", "web", "major", "failed", "lentitud", "AF-1"])
rows = st.fixed_dictionaries(
    {
        "id": values,
        "product": values,
        "channel": values,
        "severity": values,
        "kind": values,
        "rules": st.lists(values, min_size=1),
    }
)
wanted = st.dictionaries(st.sampled_from(MATCHERS), values)


@given(wanted, wanted, rows)
def test_each_further_matcher_only_narrows(one: dict[str, str], other: dict[str, str], row: dict[str, Any]) -> None:
    both = one | other
    assert matches({}, row)
    if matches(both, row):
        assert matches(other, row)
        assert all(matches({name: value}, row) for name, value in both.items())
    assert matches(other, row) == all(matches({name: value}, row) for name, value in other.items())


@given(rows)
def test_what_is_its_own_matches_and_anything_else_does_not(row: dict[str, Any]) -> None:
    own = {name: row[name] for name in ("product", "channel", "severity", "kind")} | {"incident": row["id"]}
    assert matches(own, row)
    assert not any(matches(own | {name: "nothing of the kind"}, row) for name in MATCHERS)


def test_a_silenced_incident_is_listed_as_such_until_it_is_over(store: Store) -> None:
    watched(store)
    made = add(store, {"product": "pagos", "channel": "conexion_directa"})
    assert (made["silences"], made["state"]) == ([PAYMENTS], "now")
    listed = {row["id"]: row["silenced_until"] for row in people.incidents(store, NOW, state="all")}
    assert (listed.pop(PAYMENTS), set(listed.values())) == (NOW + HOUR, {None})
    assert people.incident(store, PAYMENTS, NOW + HOUR)["silenced_until"] is None
    longer = add(store, {"incident": PAYMENTS[-6:]}, hours=3)
    assert longer["matchers"] == {"incident": PAYMENTS}
    assert people.incident(store, PAYMENTS, NOW)["silenced_until"] == NOW + 3 * HOUR
    assert [act["action"] for act in people.incident(store, PAYMENTS, NOW)["acts"]] == ["silence"]
    over = silencing.end(store, longer["id"], "Luis", NOW + HOUR / 2)
    assert (over["state"], over["ended_by"], over["silences"]) == ("over", "Luis", [])
    assert people.incident(store, PAYMENTS, NOW + HOUR / 2)["silenced_until"] == NOW + HOUR
    assert [row["id"] for row in silencing.listed(store, NOW + HOUR / 2)] == [made["id"]]
    assert len(silencing.listed(store, NOW + 9 * HOUR, whole=True)) == 2
    assert [act.action for act in store.acts()] == ["silence", "silence", "end_silence"]
    with pytest.raises(people.Conflict, match="ya terminó"):
        silencing.end(store, longer["id"], "Luis", NOW + HOUR)


@pytest.mark.parametrize(
    ("matchers", "hours", "words"),
    [
        ({}, 1, "se silencia todo"),
        ({"product": " "}, 1, "se silencia todo"),
        ({"channel": "conexion_directa", "kind": "failed"}, 24 * 7.1, "más de 7 días"),
        ({"severity": "critical"}, 1, "5 de los 5 lugares"),
        ({"product": "pagoz"}, 1, "no se vigila nada en product=pagoz"),
    ],
)
def test_what_keeps_too_much_quiet_needs_force(
    store: Store, matchers: dict[str, str], hours: float, words: str
) -> None:
    watched(store)
    with pytest.raises(people.Refused, match=words):
        add(store, matchers, hours=hours)
    assert store.acts() == silencing.listed(store, NOW) == []
    assert add(store, matchers, hours=hours, force=True)["state"] == "now"


def test_all_that_is_open_and_more_than_half_of_the_places(store: Store) -> None:
    watched(store)
    wide = [{"product": p, "channel": c, "healthy": 1, "unknown": 0, "breach": 0} for p, c in PLACES[:3]]
    same = replace(INCIDENTS[1], id="AF-20260303T1520-ffffff", scope=INCIDENTS[0].scope, state=INCIDENTS[0].state)
    store.commit(Step(verdicts=wide, changes=Changes(incidents={same.id: same})), NOW)
    with pytest.raises(people.Refused, match="todas las afectaciones abiertas, que son 2"):
        add(store, {"product": "pagos"})
    for incident in (INCIDENTS[0].id, same.id):
        assert add(store, {"incident": incident})["silences"] == [incident]
    people.act(store, "resolve", PAYMENTS, "Ana", ago(1))
    with pytest.raises(people.Refused, match="2 de los 3 lugares"):
        add(store, {"product": "pagos"})


@pytest.mark.parametrize(
    ("matchers", "who", "reason", "until", "words"),
    [
        ({"product": "pagos"}, " ", "x", NOW + HOUR, "quién"),
        ({"product": "pagos"}, "Ana", " ", NOW + HOUR, "razón"),
        ({"product": "pagos"}, "Ana", "x", NOW, "ya pasó"),
        ({"product": "pagos"}, "Ana", "x", NOW + 367 * 24 * HOUR, "más de un año"),
        ({"client": "900"}, "Ana", "x", NOW + HOUR, "no se puede silenciar por «client»"),
        ({"severity": "grave"}, "Ana", "x", NOW + HOUR, "no hay una severidad «grave»"),
    ],
)
def test_what_makes_no_sense_is_refused_forced_or_not(
    store: Store, matchers: dict[str, str], who: str, reason: str, until: Any, words: str
) -> None:
    with pytest.raises(people.Refused, match=words):
        silencing.add(store, matchers, who, reason, NOW, until, force=True)


def test_none_such_and_a_double_click(store: Store) -> None:
    with pytest.raises(people.Unknown, match="AF-9"):
        add(store, {"incident": "AF-9"})
    with pytest.raises(people.Unknown, match="SI-9"):
        silencing.end(store, "SI-9", "Ana", NOW)
    first = add(store, {"product": "pagos"})
    later = NOW + timedelta(seconds=4)
    assert (
        silencing.add(store, {"product": "pagos"}, "Ana", "pruebas con el proveedor", later, NOW + HOUR)["id"]
        == first["id"]
    )
    assert len(store.acts()) == 1


def test_what_is_over_or_merged_is_never_silenced(store: Store) -> None:
    add(store, {"channel": "conexion_directa"})
    assert all(people.incident(store, name, NOW)["silenced_until"] is None for name in (SLOW, PART))
    assert plain(INCIDENTS[2])["channel"] == "conexion_directa"
