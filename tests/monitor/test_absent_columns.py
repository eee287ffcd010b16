"""`vigia check --connect` says which columns no row of an API has; messages say why, and say it once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from monitor import connect
from monitor.config import ConfigError, read_config
from monitor.service import Service
from monitor.store import Store
from tests.fake_api import FakeApi, Said

ROWS = [{"n": "C-1", "abierto": "2026-03-03T10:00:00Z", "cliente": {"nit": "900123456"}}] * 3
CONFIG = """
[sources.casos]
role = "cases"
kind = "http"
url = "URL/rows"
columns = {{ case_id = "n", opened_at = "abierto", {more} }}
"""


@pytest.mark.parametrize(
    ("more", "wrong", "words"),
    [
        ('client_id = "cliente.nitt"', 1, "3 rows can be used; no row has 'cliente.nitt' (columns.client_id)"),
        (
            'client_id = "cliente.nit", closed_at = "cerrado"',
            0,
            "3 rows can be used; no row has 'cerrado' (columns.closed_at)",
        ),
        ('client_id = "cliente.nit"', 0, "3 rows can be used\n"),
    ],
)
def test_a_column_that_no_row_has_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: str, wrong: int, words: str
) -> None:
    with FakeApi() as api:
        api.faults = [Said(body=ROWS) for _ in range(4)]
        (tmp_path / "config.toml").write_text(CONFIG.format(more=more).replace("URL", api.url))
        count = connect.faults_of(read_config(tmp_path / "config.toml"), datetime(2026, 3, 3, 12, tzinfo=UTC))
    told = "".join(capsys.readouterr())
    assert (count, words in told) == (wrong, True), told


def test_a_role_that_a_kind_does_not_take_is_told_with_the_kind(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[sources.p]\nrole = "clients"\nkind = "prometheus"\nurl = "http://127.0.0.1:9"\nquery = "up"\n'
    )
    with pytest.raises(
        ConfigError, match=r"p\.role: must be 'metrics' or 'transactions', because kind = \"prometheus\""
    ):
        read_config(tmp_path / "config.toml")


def test_a_source_that_is_left_alone_is_logged_once_for_each_cause(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[sources.x]\nrole = "transactions"\nkind = "file"\npath = "x.csv"\n')
    (tmp_path / "var").mkdir()
    config = read_config(tmp_path / "config.toml")
    store = Store(config.monitor.database)
    store.migrate()
    service = Service(config, store)
    intake = service._intakes["x"]
    with structlog.testing.capture_logs() as logs:
        for fault, error in (
            ("unreachable", "h: no connection"),
            ("resting", "h: has failed again and again; asked again in 20 s"),
            ("resting", "h: has failed again and again; asked again in 10 s"),
            ("unreachable", "h: no connection"),
            ("busy", "h: asked to be left alone for another 300 s"),
            ("busy", "h: asked to be left alone for another 290 s"),
            ("login", "h: 401 Unauthorized"),
        ):
            service._down(intake, error, fault)  # type: ignore[arg-type]
    store.close()
    assert [line["error"] for line in logs if line["event"] == "source is down"] == [
        "h: no connection", "h: asked to be left alone for another 300 s", "h: 401 Unauthorized",
    ]  # fmt: skip
    assert service.errors["x"] == "h: 401 Unauthorized"
