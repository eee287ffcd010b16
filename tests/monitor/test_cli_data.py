"""`vigia reads list` and `vigia client purge`, for the officer of data protection."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from alerts import Changes, IncidentState
from monitor.__main__ import app
from monitor.claims import claim, confirm
from monitor.reads import Reader, noted
from monitor.store import Step, Store
from tests.monitor.conftest import ACEROS, INCIDENTS, MOLINOS, NOW, NUBE, PAYMENTS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config(store: Store, tmp_path: Path) -> str:
    """Over the state of `store`, in which somebody has looked."""
    written = '[monitor]\ndatabase = "sqlite:///vigia.db"\n[sources.core]\nrole = "transactions"\nkind = "file"\npath = "x.csv"\n'
    (tmp_path / "config.toml").write_text(written, encoding="utf-8")
    noted(store, Reader("ana", "page"), ACEROS, NOW)
    noted(store, Reader("beto", "api"), "", NOW + timedelta(hours=1), subject=PAYMENTS)
    noted(store, Reader("ana", "api"), MOLINOS, NOW + timedelta(hours=2), refused=True)
    return str(tmp_path / "config.toml")


def vigia(*words: str) -> tuple[int, str]:
    """The exit code, and all that was said."""
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.output


def test_who_looked(config: str) -> None:
    code, said = vigia("reads", "list", "--config", config)
    assert code == 0
    for words in ("ana", "900.123.456", "Varios", PAYMENTS, "Negado", "Página", "Mostrado"):
        assert words in said, words

    def who(*options: str) -> list[str]:
        return [row["who"] for row in json.loads(vigia("reads", "list", "--json", "--config", config, *options)[1])]

    assert who() == ["ana", "beto", "ana"]
    assert who("--client", "900.123.456-8") == ["beto", "ana"]
    assert who("--client", NUBE) == ["beto"], "the incident touched them"
    assert who("--by", "beto") == ["beto"]
    assert who("--since", "2026-03-03T16:00:00Z") == ["ana", "beto"]
    assert who("--until", "2026-03-03T16:00:00Z") == ["ana"]
    assert "Nadie ha mirado." in vigia("reads", "list", "--by", "nadie", "--config", config)[1]


def test_a_client_is_taken_out_when_that_is_meant(config: str, store: Store) -> None:
    order = ("client", "purge", "900.123.456-8", "--reason", "habeas data", "--by", "Oficial", "--config", config)
    assert vigia(*order) == (1, "nothing was done: say --yes where nobody can be asked\n")
    code, said = vigia(*order, "--yes")
    assert (code, said.splitlines()) == (1, [f"la afectación {PAYMENTS} lo toca y está abierta"])
    over = replace(INCIDENTS[0], state=IncidentState.RESOLVED, resolved_at=NOW)
    store.commit(Step(changes=Changes(incidents={over.id: over})), NOW)
    while sent := claim(store, NOW, timedelta(minutes=1)):
        confirm(store, sent["id"], "C-1", NOW)
    code, said = vigia(*order, "--yes")
    assert code == 0
    assert "decisions 2, impacts 2" in said
    assert vigia("client", ACEROS, "--config", config)[0] == 1
    assert vigia(*order, "--yes")[1].startswith("no se conoce un cliente")
    assert vigia("client", "purge", ACEROS, "--config", config)[0] == 2, "a reason and who ordered it are needed"
