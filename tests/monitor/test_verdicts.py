"""What the rules now say of a place: from their last words, and through the judging thread into the state."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import isnan
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import portrait
from monitor.pipeline import Status
from monitor.reads import Reader
from monitor.verdicts import SERIES_STANDS, STANDS, Said, present, summed, valid
from rules import Scope, Verdict
from tests.characters import TEXTILES, at
from tests.monitor.test_service import CONFIG, OTHER, Bank

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 10_000
WAYS = {"fallas": {"failed"}, "altas": {"failed"}, "lentitud": {"slow"}, "volumen": {"missing"}}
HEALTHY, BREACH, UNKNOWN = Verdict.HEALTHY, Verdict.BREACH, Verdict.UNKNOWN


def word(rule: str, verdict: Verdict, scope: Scope | None = None, until: int = NOW) -> Status:
    return Status(rule, scope or Scope("pagos", "web"), verdict, 0.0, 0.0, 0.0, until)


def said(*words: Status, dark: dict[tuple[str, str], int] | None = None) -> list[Said]:
    return summed(valid(words, NOW, {Scope(*place): until for place, until in (dark or {}).items()}), WAYS)


def test_ways_are_counted_and_who_can_tell_speaks_for_who_cannot() -> None:
    words = [word("fallas", HEALTHY), word("altas", UNKNOWN), word("lentitud", UNKNOWN), word("volumen", HEALTHY)]
    (found,) = said(*words)
    assert found == Said("pagos", "web", healthy=2, unknown=1)
    assert found.verdict is HEALTHY
    (worse,) = said(*words, word("altas", BREACH))
    assert (worse, worse.verdict) == (Said("pagos", "web", healthy=1, unknown=1, breach=1), BREACH)


def test_one_healthy_way_of_many_is_not_health() -> None:
    (found,) = said(word("fallas", UNKNOWN), word("lentitud", UNKNOWN), word("volumen", HEALTHY))
    assert found.verdict is UNKNOWN
    (even,) = said(word("fallas", HEALTHY), word("lentitud", UNKNOWN))
    assert even.verdict is UNKNOWN, "as much is not most"


def test_places_apart_and_neither_clients_nor_indicators() -> None:
    places = [Scope("pagos"), Scope(channel="web"), Scope("pagos", "web", "900"), Scope("pagos", series="cpu")]
    found = said(*(word("fallas", HEALTHY, place) for place in places))
    assert [(one.product, one.channel) for one in found] == [("", "web"), ("pagos", "")]


@pytest.mark.parametrize(("age", "verdict"), [(0, HEALTHY), (STANDS - 1, HEALTHY), (STANDS, UNKNOWN)])
def test_an_old_word_is_no_word(age: int, verdict: Verdict) -> None:
    (found,) = said(word("fallas", HEALTHY, until=NOW - age))
    assert found.verdict is verdict


@pytest.mark.parametrize(("dark", "verdict"), [(NOW - 6, HEALTHY), (NOW - 5, UNKNOWN), (NOW, UNKNOWN)])
def test_what_was_said_before_its_source_was_dark_is_no_word_on_now(dark: int, verdict: Verdict) -> None:
    (found,) = said(word("fallas", HEALTHY, until=NOW - 5), dark={("pagos", "web"): dark, ("swift", "web"): NOW})
    assert found.verdict is verdict


@pytest.mark.parametrize(("age", "verdict"), [(SERIES_STANDS - 1, HEALTHY), (SERIES_STANDS, UNKNOWN)])
def test_an_indicator_that_no_longer_comes_is_no_word_either(age: int, verdict: Verdict) -> None:
    (found,) = valid([word("cpu", HEALTHY, Scope("pagos", series="cpu"), NOW - age)], NOW, {})
    assert found.verdict is verdict


def test_of_what_nobody_can_tell_no_number_is_told_and_an_indicator_may_be_a_day_old() -> None:
    places = (Scope("pagos"), Scope("pagos", series="cpu"), Scope("pagos", series="red"))
    words = [word("fallas", HEALTHY, place, NOW - STANDS - 1) for place in places]
    found = valid(words, NOW, {places[2]: NOW - STANDS})
    assert [one.verdict for one in found] == [UNKNOWN, HEALTHY, UNKNOWN]
    assert [isnan(one.value) for one in found] == [True, False, True]


@given(
    st.lists(
        st.builds(
            word, st.sampled_from(sorted(WAYS)), st.sampled_from(Verdict),
            until=st.integers(NOW - 2 * STANDS, NOW),
        )
    ),
    st.integers(NOW - STANDS, NOW),
)  # fmt: skip
def test_less_is_known_in_the_dark_never_more(words: list[Status], dark: int) -> None:
    for lit, unlit in zip(said(*words), said(*words, dark={("pagos", "web"): dark}), strict=True):
        assert unlit.healthy + unlit.breach <= lit.healthy + lit.breach
        assert unlit.unknown >= lit.unknown
        assert lit.verdict is not UNKNOWN or unlit.verdict is not HEALTHY


# ---- through the service -------------------------------------------------------------------------------------------

RULES = """
[[rule]]
name = "fallas"
kind = "limit"
by = ["product", "channel"]
when = "failed_rate > 0.3"
min_total = 6
keep_firing_for = "5m"
"""


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    made = Bank(tmp_path, at("12:00:10"))
    (tmp_path / "config.toml").write_text(CONFIG + OTHER.replace('channel = "otra"', 'channel = "web"'))
    (tmp_path / "rules.toml").write_text(RULES)
    for file, product in (("pagos.csv", "pagos"), ("otra.csv", "swift")):
        made.pay("11:00", "12:00", file=file, product=product)
    made.start().cycle()
    yield made
    for service in made.services:
        service.store.close()


def of(bank: Bank, product: str) -> tuple[Verdict, str]:
    found = present(bank.store, bank.now, portrait.outlook(bank.services[-1].config).fresh)
    return found.of(product, "web")


def go_on(bank: Bank, first: int, last: int, *, failing: float = 0.0, silent: bool = False) -> None:
    """Minutes of the hour from 12:00 on. silent: the payments' source does not answer, the other one does."""
    path = bank.folder / "pagos.csv"
    if silent:
        path.rename(bank.folder / "gone")
    for minute in range(first, last):
        clock = (f"12:{minute:02}", f"12:{minute + 1:02}")
        if not silent:
            bank.pay(*clock, failing=failing)
        bank.pay(*clock, file="otra.csv", product="swift")
        bank.cycle(f"{clock[1]}:11")
    if silent:
        (bank.folder / "gone").rename(path)


def test_the_state_tells_what_the_rules_say_of_each_place(bank: Bank) -> None:
    assert of(bank, "pagos") == (UNKNOWN, "unwatched"), "history is not judged"
    go_on(bank, 0, 2)
    assert of(bank, "pagos") == of(bank, "swift") == (HEALTHY, "")
    go_on(bank, 2, 5, failing=0.9)
    assert (of(bank, "pagos"), of(bank, "swift")) == ((BREACH, ""), (HEALTHY, ""))
    row = portrait.client(bank.store, TEXTILES.nit, bank.now, Reader("ana", "cli"))
    assert [(h["product"], h["channel"], h["held"], h["state"]) for h in row["holdings"]] == [
        ("pagos", "web", False, "con fallas")
    ]
    go_on(bank, 5, 12)
    assert of(bank, "pagos") == (HEALTHY, "")


def shown(bank: Bank, product: str) -> Verdict:
    """As Grafana draws it."""
    said = f'vigia_place_verdict{{channel="web",product="{product}"}} '
    told = bank.services[-1].metrics.exposition().decode().splitlines()
    (value,) = [line.removeprefix(said) for line in told if line.startswith(said)]
    return (HEALTHY, UNKNOWN, BREACH)[int(float(value))]


def test_a_dark_source_is_not_well_while_the_other_is(bank: Bank) -> None:
    go_on(bank, 0, 2)
    assert shown(bank, "pagos") is HEALTHY
    go_on(bank, 2, 8, silent=True)
    assert of(bank, "pagos") == (UNKNOWN, "undecided")
    assert of(bank, "swift") == (HEALTHY, "")
    assert (shown(bank, "pagos"), shown(bank, "swift")) == (UNKNOWN, HEALTHY)
    go_on(bank, 8, 10)
    assert of(bank, "pagos") == (HEALTHY, "")


def test_when_vigia_stops_judging_nothing_is_well(bank: Bank) -> None:
    go_on(bank, 0, 2)
    assert bank.services[-1].metrics.watched[1] == 0
    bank.now += timedelta(minutes=10)
    assert of(bank, "pagos") == of(bank, "swift") == (UNKNOWN, "stale")
    watched, unknown = bank.services[-1].metrics.watched
    assert watched == unknown > 0


def test_a_restart_knows_what_was_known(bank: Bank) -> None:
    go_on(bank, 0, 2)
    before = bank.services[-1].judge.pipeline.status
    after = bank.start().judge.pipeline.status
    assert {key: replace(one, value=0, expected=0, score=0, lower=0, upper=0) for key, one in after.items()} == {
        key: replace(one, value=0, expected=0, score=0, lower=0, upper=0) for key, one in before.items()
    }
    assert of(bank, "pagos") == (HEALTHY, "")


def test_a_rule_that_is_gone_says_nothing_any_more(bank: Bank) -> None:
    go_on(bank, 0, 2)
    (bank.folder / "rules.toml").write_text(RULES.replace('"channel"]', '"channel"]\nwhere = "product = \'swift\'"'))
    bank.start()
    go_on(bank, 2, 4)
    assert of(bank, "pagos") == (UNKNOWN, "unwatched")
    assert of(bank, "swift") == (HEALTHY, "")
