"""The views that boards read, on SQLite and on PostgreSQL: the product's own figures, and nothing but them for the reader's role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from alerts import Changes
from monitor import people
from monitor.migrations.versions.v0019_views import VIEWS
from monitor.sla import keep_clocks
from monitor.store import Message, Step, Store
from tests.monitor.conftest import (
    ACEROS,
    CLIENTS,
    DECISIONS,
    HOLDINGS,
    IMPACTS,
    INCIDENTS,
    MOLINOS,
    NOW,
    PAYMENTS,
    THEIRS,
    ago,
)
from tests.monitor.test_sla import promises

LECTOR = Path(__file__).parents[2] / "deploy" / "postgres" / "lector.sql"


@pytest.fixture(params=["sqlite", "postgresql"])
def seen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The state of `conftest`, on either database."""
    url = f"sqlite:///{tmp_path}/vigia.db"
    if request.param == "postgresql":
        server = sa.make_url(request.getfixturevalue("postgres"))
        url = server.set(database="vigia_views").render_as_string(hide_password=False)
        engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.execute(sa.text("DROP DATABASE IF EXISTS vigia_views"))
            connection.execute(sa.text("CREATE DATABASE vigia_views"))
    made = Store(url)
    made.migrate()
    changes = Changes(
        incidents={incident.id: incident for incident in INCIDENTS},
        impacts={(i.incident_id, i.client_id, i.product): i for i in IMPACTS},
        decisions={decision.key: decision for decision in DECISIONS},
    )
    messages = [Message(DECISIONS[0].key, DECISIONS[0].key, "local", "open", {})]
    made.commit(Step(changes=changes, clients=CLIENTS, holdings=HOLDINGS, cases=THEIRS, messages=messages), ago(22))
    keep_clocks(made, promises(), NOW)
    yield made
    made.close()


def asked(store: Store, query: str) -> list[dict[str, Any]]:
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(sa.text(query)).mappings()]


def test_incidents_count_as_everywhere_else(seen: Store) -> None:
    mine = {row["id"]: row for row in asked(seen, "SELECT * FROM v_incidents")}
    theirs = {row["id"]: row for row in people.incidents(seen, NOW)}
    assert set(mine) == set(theirs)
    for key, row in mine.items():
        for name in ("affected", "exposed", "cases_opened", "cases_linked", "cases_left", "priority", "severity"):
            assert row[name] == theirs[key][name], (key, name)
    over = next(row for row in mine.values() if row["state"] == "resolved")
    assert over["seconds"] == pytest.approx(30 * 60)


def test_a_case_that_is_taken_back_is_left_and_has_no_lead(seen: Store) -> None:
    query = f"SELECT * FROM v_cases WHERE incident_id = '{PAYMENTS}' ORDER BY priority DESC"
    first, linked = asked(seen, query)
    assert (first["client"], first["segment"], first["channel"]) == (
        "Aceros del Istmo",
        "corporativo",
        "conexion_directa",
    )
    assert (round(first["lead_seconds"]), round(linked["lead_seconds"])) == (600, -60)
    assert first["delivery"] == "due"
    taken = replace(DECISIONS[0], withdrawn_at=ago(15))
    seen.commit(Step(changes=Changes(decisions={taken.key: taken})), NOW)
    assert taken.lead_seconds is None
    assert asked(seen, query)[0]["lead_seconds"] is None
    (row,) = asked(seen, f"SELECT cases_opened, cases_left FROM v_incidents WHERE id = '{PAYMENTS}'")
    assert (row["cases_opened"], row["cases_left"]) == (0, 1)


def test_amounts_and_clocks(seen: Store) -> None:
    (row,) = asked(seen, f"SELECT sum(amount) AS amount FROM v_impacts WHERE client_id = '{MOLINOS}'")
    assert float(row["amount"]) == 1250000.5
    clocks = {row["case_id"]: row for row in asked(seen, "SELECT * FROM v_clocks")}
    assert clocks["SP-77"]["client_id"] == ACEROS
    assert clocks["SP-77"]["state"]
    keep_clocks(seen, promises(10_000), NOW)
    again = {row["case_id"]: row for row in asked(seen, "SELECT * FROM v_clocks")}
    assert again.keys() == clocks.keys(), "kept anew, not added to"
    assert again["SP-77"]["due_at"] > clocks["SP-77"]["due_at"]


def test_every_view_can_be_read(seen: Store) -> None:
    for name in VIEWS:
        asked(seen, f"SELECT * FROM {name}")


def test_the_reader_of_boards_reads_the_views_and_nothing_else(seen: Store) -> None:
    if seen.engine.dialect.name != "postgresql":
        assert all(f"{name}" in LECTOR.read_text(encoding="utf-8") for name in VIEWS)
        return
    for _ in range(2):  # an upgrade runs it again
        with seen.writing() as connection:
            connection.exec_driver_sql(LECTOR.read_text(encoding="utf-8").replace("%", "%%"))
    engine = sa.create_engine(seen.engine.url.set(username="vigia_lector"), poolclass=sa.NullPool)
    with engine.connect() as connection:
        for name in VIEWS:
            connection.execute(sa.text(f"SELECT count(*) FROM {name}")).one()
        for forbidden in ("SELECT * FROM clients", "SELECT * FROM outbox", "UPDATE incidents SET state = ''"):
            with pytest.raises(sa.exc.DBAPIError, match=r"permission denied|read-only transaction"):
                connection.execute(sa.text(forbidden))
            connection.rollback()
