"""A hand-over does not say that all sources answer while one does not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.promises import Promises
from monitor.handover import as_text, handover
from monitor.patience import Standings
from monitor.store import Step, Store
from tests.monitor.conftest import NOW, ago
from tests.monitor.test_web import Face

MINUTE = timedelta(minutes=1)


def test_a_source_that_never_answered_is_told_wherever_it_is_asked(store: Store) -> None:
    standings = Standings(["core", "sondas"], 2 * MINUTE, MINUTE)
    standings["sondas"].failed(ago(7))
    store.commit(Step(marks=standings.marks(), judged_until=int(ago(1).timestamp() // 60)), NOW)
    row = handover(store, Promises(), (), "UTC", NOW, ago(480))
    assert row["sources"] == [{"source": "sondas", "since": ago(7)}]
    assert "- sondas desde 03/03/2026 15:23" in as_text(row, NOW.tzinfo)


@pytest.mark.parametrize(("since", "words"), [(None, ""), (ago(30), " desde 10:00")])
def test_the_page_tells_of_one_that_closes_no_minutes(store: Store, since: object, words: str) -> None:
    if since:
        store.commit(Step(cursors={"crm": ({}, ago(30))}), NOW)
    face = Face(store)
    try:
        assert "Fuentes que no responden: no hay" in face.text("/turno")
        face.metrics.source("crm", up=False)
        text = face.text("/turno")
        (told,) = face.get("/api/v1/handover").json()["sources"]
    finally:
        face.server.stop()
    assert "Fuentes que no responden (1)" in text
    assert f"Fuente crm sin responder{words}" in text
    assert "- crm" in text, "nor in what is pasted into a mail"
    assert (told["source"], bool(told["since"])) == ("crm", bool(since))
