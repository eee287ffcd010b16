"""Sentences and steps that speak of one, or of a moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts import Action, Changes, Decision
from monitor import english as en
from monitor import people
from monitor import spanish as es
from monitor.blocks import Words
from monitor.claims import claim, confirm
from monitor.facts import Recipient, summary_facts
from monitor.store import Message, Step, Store
from monitor.timeline import timeline
from monitor.words import rendered
from tests.monitor.conftest import NOW, NUBE, PAYMENTS, SLOW

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("language", "ids", "words"),
    [
        ("es", [PAYMENTS], "esta afectación va en un resumen:"),
        ("es", [PAYMENTS, SLOW], "estas 2 afectaciones van juntas:"),
        ("en", [PAYMENTS], "this incident comes in a summary:"),
        ("en", [PAYMENTS, SLOW], "these 2 incidents come together:"),
    ],
)
def test_a_summary_of_one_does_not_speak_of_several(store: Store, language: str, ids: list[str], words: str) -> None:
    facts = summary_facts(store, ids, Recipient("correo", language=language), NOW)
    assert words in rendered(facts | {"event": "first", "why": []}, Words()).text


def test_what_the_desk_has_is_told_with_the_moment_of_the_last_case(store: Store) -> None:
    """Told with that of the first, the desk would have had cases before they were opened."""

    def sent() -> list[tuple[object, int]]:
        found = timeline(store, people.head(store, PAYMENTS, NOW), ())
        return [(step["at"], step["n"]) for step in found if step["what"] == "sent"]

    while one := claim(store, NOW, MINUTE):  # what the day's fixture has left waiting
        confirm(store, one["id"], "C-000002", NOW)
    (before,) = sent()
    key, later = f"VG-{PAYMENTS}-{NUBE}", NOW + 5 * MINUTE
    opened = Decision(key, PAYMENTS, NUBE, "pagos", Action.OPEN, "affected, no case of their own", later, 22, "local")
    store.commit(
        Step(changes=Changes(decisions={key: opened}), messages=[Message(key, key, "local", "open", {})]), later
    )
    one = claim(store, later, MINUTE)
    assert one
    confirm(store, one["id"], "C-000003", later)
    assert sent() == [(later, before[1] + 1)]


def test_a_case_that_was_taken_back_has_kept_no_promise() -> None:
    row = {"clock": "met", "due_at": NOW, "withdrawn_at": None}
    assert (es.promise(row, NOW.tzinfo), en.promise(row, NOW.tzinfo)) != (es.NOTHING, en.NOTHING)
    taken = row | {"withdrawn_at": NOW}
    assert (es.promise(taken, NOW.tzinfo), en.promise(taken, NOW.tzinfo)) == (es.NOTHING, en.NOTHING)
