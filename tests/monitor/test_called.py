"""How names are written: each way is covered for who may not see the client, in pages and in mails, and taken out with the client."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import Client
from monitor.called import Names, known, without, written
from monitor.discretion import HIDDEN, masked, mentioned
from monitor.purge import NAMELESS, _Traces
from monitor.seeing import COVERED, Sight, Veil
from monitor.store import Step, Store
from tests.monitor.conftest import ACEROS, CLIENTS, MOLINOS, NOW, NUBE

NAMED = {
    ACEROS: "Aceros del Istmo S.A.S.",
    MOLINOS: "Café Borovanda S.A.",
    "7": "J.P. Peñón & Cía. Ltda.",
    "8": "Lumbrera S.A.",
}
WAYS = (
    "Aceros del Istmo S.A.S.", "Aceros del Istmo", "ACEROS DEL ISTMO SAS", "aceros del istmo s a s", "Aceros del Istmo S. A. S.",
    "Aceros-del-Istmo", "Cafe Borovanda S.A.", "CAFÉ BOROVANDA", "Cafe\u0301 Borovanda", "JP Peñon", "J. P. Penon y Cia Ltda", "j.p. peñón",
    "Lumbrera", "LUMBRERA SA",
)  # fmt: skip
"""Of the clients of NAMED."""


@pytest.fixture
def named(store: Store) -> Store:
    others = [Client(client_id, name) for client_id, name in NAMED.items() if len(client_id) == 1]
    known_ones = [replace(one, name=NAMED.get(one.client_id, one.name)) for one in CLIENTS]
    store.commit(Step(clients=[*known_ones, *others]), NOW)
    return store


@pytest.mark.parametrize("way", WAYS)
def test_each_way_is_covered_everywhere(named: Store, way: str) -> None:
    text = f"hablé con {way}, y vuelve a las 10"
    way = way.rstrip(".")  # the dot is the sentence's
    told = Veil(named, lambda: NOW).over({"text": text}, Sight(frozenset({NUBE})))["text"]
    assert told == text.replace(way, COVERED)
    among = mentioned(named, [text])
    assert masked([text], among, {NUBE: "x"}) == [text.replace(way, HIDDEN)]
    assert masked([text], among, among) == [text], "of who may read it nothing is covered"
    (client_id,) = among
    if way != "LUMBRERA SA":  # a word alone is taken out as the name is written
        assert _Traces(client_id, NAMED[client_id], "x").out_of(text) == text.replace(way, NAMELESS)


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("Rojas & Cía. S. en C.", ["rojas y cia s en c", "rojas"]),
        ("Sur S.A. E.S.P.", ["sur sa esp", "sur"]),
        ("Norte S.A.S. BIC en liquidación", ["norte sas bic en liquidacion", "norte"]),
        ("Pagos S.A.S.", ["pagos sas"]),  # or every payment would be covered
        ("S.A.", ["sa"]),
        ("Gómez & Hijos", ["gomez y hijos"]),
        ("AB Ltda.", ["ab ltda"]),
        ("", [""]),
    ],
)
def test_the_ways_of_a_name(name: str, ways: list[str]) -> None:
    assert [" ".join(way) for way in written(name)] == ways


def test_ordinary_words_and_initials_stay(named: Store) -> None:
    text = "El café de la s.a. del istmo: aceros, J.P. y otros; pagos por web, grupo A. B. y cía."
    assert Veil(named, lambda: NOW).over(text, Sight(frozenset({NUBE}))) == text
    assert masked([text], mentioned(named, [text]), {}) == [text]


def test_the_longer_name_is_the_one_that_is_meant() -> None:
    names = Names({"1": "Aceros S.A.", "2": "Aceros del Istmo S.A.S."})
    found, many = names.places("con Aceros del Istmo y Aceros")
    assert ([place.owners for place in found], many) == ([("2",), ("1",)], 6)
    assert sorted(set(names.anywhere("Aceros del Istmo"))) == ["1", "2"]


def test_it_is_read_once_for_all_who_ask(named: Store) -> None:
    assert known(named) is known(named)


@given(st.text(), st.sampled_from(sorted(NAMED.values())), st.text())
def test_between_whatever_words_a_name_is_found_and_the_rest_stays(before: str, name: str, after: str) -> None:
    names = Names({"1": name})
    text = f"{before} — {name} — {after}"
    places, _ = names.places(text)
    assert any(text[place.start : place.stop].startswith(name[:-1]) for place in places)
    assert name[:-1] not in without(text, places, "")
