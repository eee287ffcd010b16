"""The views that boards read, on SQLite and on PostgreSQL: the product's own figures, and nothing but them for the reader's role."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from alerts import Changes
from alerts.losses import Losses
from connectors.boards import SHEETS
from monitor import casework, people
from monitor import tables as t
from monitor.indicators import indicators, month_of
from monitor.kept_clocks import keep_clocks
from monitor.leading import leads
from monitor.migrations.versions import v0019_views, v0051_boards
from monitor.months import keep_months
from monitor.store import Message, Step, Store
from rules import Scope
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

ROOT = Path(__file__).parents[2]
LECTOR = ROOT / "deploy" / "postgres" / "lector.sql"
POWER_BI = (ROOT / "docs" / "powerbi.md").read_text(encoding="utf-8")
VIEWS = v0019_views.VIEWS | v0051_boards.VIEWS
MONTH = timedelta(days=30)


@pytest.fixture(params=["sqlite", "postgresql"])
def seen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The state of `conftest`, on either database."""
    url = f"sqlite:///{tmp_path}/vigia.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres")
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
        tables = [f"SELECT * FROM {name}" for name in t.metadata.tables]
        for forbidden in (*tables, "UPDATE incidents SET state = ''", "DELETE FROM v_stories"):
            with pytest.raises(sa.exc.DBAPIError, match=r"permission denied|read-only transaction"):
                connection.execute(sa.text(forbidden))
            connection.rollback()


def columns(store: Store) -> dict[str, list[str]]:
    """Of every view, as the database has them."""
    with store.reading() as connection:
        found = sa.inspect(connection)
        return {view: [column["name"] for column in found.get_columns(view)] for view in found.get_view_names()}


def test_power_bis_document_names_every_column_there_is_and_no_other(seen: Store) -> None:
    there = columns(seen)
    assert there.keys() == VIEWS.keys()
    sections = dict(re.findall(r"^### (v_\w+)\n(.*?)(?=^##)", POWER_BI, re.MULTILINE | re.DOTALL))
    told = {
        view: re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)))
        for view, text in sections.items()
    }
    assert {view: sorted(names) for view, names in told.items()} == {
        view: sorted(names) for view, names in there.items()
    }
    known = there | {sheet: schema.names for sheet, schema in SHEETS.items()}
    used = re.findall(r"\b(\w+)\[(\w+)\]", POWER_BI)
    assert len(used) > 40
    assert {(place, name) for place, name in used if name not in known.get(place, ())} == set()
    assert {
        line.split(" ")[0] for line in re.findall(r"^-- +(v_\w+ .*)$", LECTOR.read_text(encoding="utf-8"), re.MULTILINE)
    } == set(VIEWS)


def test_relations_go_from_one_to_many(seen: Store) -> None:
    relations = re.findall(r"^\| `(\w+)\[(\w+)\]` \| `(\w+)\[(\w+)\]` \|$", POWER_BI, re.MULTILINE)
    assert len(relations) == 12
    for one, key, many, _ in relations:
        (row,) = asked(seen, f"SELECT count(*) AS n, count(DISTINCT {key}) AS different FROM {one}")
        assert row["n"] == row["different"] > 0, (one, key)
        assert many in VIEWS


def test_a_report_that_hides_clients_hides_all_that_tells_of_them(seen: Store) -> None:
    """By the relations, by a filter of its own, or because the document says to leave it out."""
    relations = re.findall(r"^\| `(\w+)\[(\w+)\]` \| `(\w+)\[(\w+)\]` \|$", POWER_BI, re.MULTILINE)
    (rule,) = re.findall(r"^## Quién ve qué\n(.*?)^## ", POWER_BI, re.MULTILINE | re.DOTALL)
    filtered = set(re.findall(r"^(v_\w+)\[", rule, re.MULTILINE))
    reached = filtered | {many for one, _, many, key in relations if one == "v_clients" and key == "client_id"}
    (out,) = re.findall(r"deja fuera (.*?)\. ", rule, re.DOTALL)
    telling = {"client_id", "client", "case_key", "key", "cause"}
    for view, names in columns(seen).items():
        assert not telling & {*names} or view in reached or f"`{view}`" in out, view
        assert "text" not in names or f"`{view}[text]`" in out, view
    assert filtered == {"v_clients", "v_incidents"}


def test_an_act_is_about_whose_case_or_incident_it_is(seen: Store) -> None:
    alone = replace(INCIDENTS[0], id="AF-20260303T1520-aaaaaa", scope=Scope("pagos", client_id=MOLINOS))
    seen.commit(Step(changes=Changes(incidents={alone.id: alone})), NOW)
    casework.do(seen, "informed", [f"VG-{PAYMENTS}-{MOLINOS}"], "Mesa", "", NOW)
    for incident in (PAYMENTS, alone.id):
        people.note(seen, incident, "Mesa", "Revisado", NOW)
    found = asked(seen, "SELECT incident_id, client_id FROM v_acts ORDER BY id")
    assert [tuple(row.values()) for row in found] == [(PAYMENTS, MOLINOS), (PAYMENTS, ""), (alone.id, MOLINOS)]


def test_months_and_leads_are_the_products_own(seen: Store) -> None:
    config = SimpleNamespace(
        monitor=SimpleNamespace(timezone="UTC"),
        promises=promises(),
        losses=Losses(),
        causes=SimpleNamespace(recurrence=MONTH),
    )
    for _ in range(2):
        keep_months(seen, config, lambda: NOW)  # type: ignore[arg-type]
    since, until = month_of(NOW)
    mine = {row["name"]: row for row in asked(seen, "SELECT * FROM v_indicators WHERE month = '2026-03'")}
    theirs = {row["name"]: row for row in indicators(seen, promises(), Losses(), MONTH, since, until)["indicators"]}
    assert mine.keys() == theirs.keys()
    for name, row in mine.items():
        for part in ("value", "numerator", "denominator"):
            told = theirs[name][part]
            assert row[part] == (None if told is None else pytest.approx(float(told))), (name, part)
    (share,) = [row for row in leads(seen, Losses())["figures"] if row["name"] == "reached_first"]
    found = asked(seen, "SELECT * FROM v_leads ORDER BY lead_seconds")
    assert (len(found), sum(row["reached_first"] for row in found)) == (share["of"], share["many"]) == (2, 1)
    assert [(row["client"], row["lead_seconds"]) for row in found] == [
        ("Molinos Borovanda", -60),
        ("Aceros del Istmo", 600),
    ]


def test_stories_count_as_the_indicator_does(seen: Store) -> None:
    told = {"source": "devops", "sprint": "S1", "title": "", "state": "", "sprint_start": None, "updated_at": None}
    told |= {"sprint_end": ago(60)}
    times = {"1": (ago(900), ago(90)), "2": (ago(900), ago(10)), "3": (None, ago(90)), "4": (ago(900), None)}
    rows = [told | {"story_id": n, "planned_at": planned, "done_at": done} for n, (planned, done) in times.items()]
    seen.commit(Step(stories=rows), NOW)
    (row,) = asked(seen, "SELECT sum(done) AS done, sum(planned) AS planned FROM v_stories")
    found = indicators(seen, promises(), Losses(), MONTH, ago(1000), NOW)["indicators"]
    (backlog,) = [one for one in found if one["name"] == "backlog"]
    assert (row["done"], row["planned"]) == (backlog["numerator"], backlog["denominator"]) == (1, 3)
