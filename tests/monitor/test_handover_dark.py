"""A hand-over does not say that all sources answer while one does not."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.promises import Promises
from monitor.__main__ import app
from monitor.handover import as_text, handover
from monitor.patience import Standings
from monitor.store import Step, Store
from tests.monitor.conftest import ACEROS, NOW, ago
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


@pytest.mark.parametrize(
    "words", [("incidents", "list"), ("cases", "list"), ("clients",), ("client", ACEROS), ("client", "811999000")]
)
def test_the_command_line_tells_beside_a_list_which_sources_do_not_answer(
    store: Store, tmp_path: Path, words: tuple[str, ...]
) -> None:
    source = 'role = "transactions"\nkind = "file"\npath = "rows.csv"\n'
    (tmp_path / "config.toml").write_text(
        f'[monitor]\ndatabase = "sqlite:///vigia.db"\n[sources.core]\n{source}[sources.sondas]\n{source}'
    )
    command = [*words, "--config", str(tmp_path / "config.toml"), *(["--json"] if "811999000" not in words else [])]
    standings = Standings(["core", "sondas", "otra"], 2 * MINUTE, MINUTE)
    store.commit(Step(marks=standings.marks(), judged_until=int(ago(1).timestamp() // 60)), NOW)
    assert "no responde" not in CliRunner().invoke(app, command).stderr
    standings["sondas"].failed(ago(7))
    standings["otra"].failed(ago(7))  # of another configuration
    store.commit(Step(marks=standings.marks(), judged_until=int(ago(1).timestamp() // 60)), NOW)
    found = CliRunner().invoke(app, command)
    told = "la fuente sondas no responde desde 03/03/2026 10:23: lo que de allí depende no se sabe"
    assert [line for line in found.stderr.splitlines() if "responde" in line] == [told]
    assert found.exit_code == ("811999000" in words)
    if "--json" in command:
        json.loads(found.stdout)
