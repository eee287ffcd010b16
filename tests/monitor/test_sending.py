"""Everything that is due at the end, sent at once and waited for together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

from alerts.routing import Route
from monitor.metrics import Metrics
from monitor.sending import Sending
from monitor.store import Message
from tests.monitor.told import Told, bank

HANGING = [f"receivers.r{n}" for n in range(3)]


def waiting(folder: Path, *names: str) -> Told:
    """One notice to the bank's own, two to each of these."""
    made = bank(folder, Route("torre"))
    due = [Message(f"{name}:{n}", f"{name}:{n}", name, "notify", {}) for name in names for n in range(2)]
    made.store.tell([], due, made.now)
    return made


def sending(made: Told, tell: Mapping[str, Any]) -> Sending:
    return Sending(made.config, made.store, lambda: made.now, Metrics(), {}, tell)


def test_the_end_waits_once_for_all_that_hang_and_what_they_did_not_take_stays(tmp_path: Path) -> None:
    made, answer, taken = waiting(tmp_path, *HANGING, "receivers.torre"), Event(), []

    def hang(_row: Any) -> str:
        answer.wait(120)
        return ""

    def take(row: Any) -> str:
        taken.append(row["key"])
        return ""

    ending = sending(made, dict.fromkeys(HANGING, hang) | {"receivers.torre": take})
    began = monotonic()
    try:
        ending.rest(2)
        took = monotonic() - began
        assert taken == ["receivers.torre:0", "receivers.torre:1"]
        assert took < 5, "three that hang are waited for as long as one"
        assert ending.hanging == [f"desk {name}" for name in HANGING]
        states = {row["key"]: row["state"] for row in made.outbox() if row["desk"] in HANGING}
        assert sorted(states.values()) == ["due"] * 3 + ["sending"] * 3
    finally:
        answer.set()
    for name in HANGING:
        with ending._at[name]:
            pass
    states = {row["key"]: row["state"] for row in made.outbox() if row["desk"] in HANGING}
    assert sorted(states.values()) == ["due"] * 3 + ["sent"] * 3, "one that answers too late is sent no more"
    made.store.close()


def test_who_did_not_answer_before_is_not_asked_at_the_end(tmp_path: Path) -> None:
    made, asked = waiting(tmp_path, "receivers.r0"), []
    ending = sending(made, {"receivers.r0": asked.append})
    ending.errors["desk receivers.r0"] = "no answer"
    ending.rest(5)
    assert asked == []
    made.store.close()
