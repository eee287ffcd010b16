"""The state on SQLite and on PostgreSQL: what goes in comes out, all of a step or none of it, and nothing is lost."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from alerts import (
    Action,
    Alert,
    AlertState,
    Changes,
    Client,
    Decision,
    Holding,
    Impact,
    Incident,
    IncidentState,
    TheirCase,
    Touch,
)
from monitor import database, migrations
from monitor import tables as t
from monitor.blobs import packed
from monitor.claims import claim, confirm, put_off, waiting
from monitor.retention import compact, prune
from monitor.store import Act, Message, Step, Store, StoreError
from rules import Scope, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 3, 3, 15, 30, 10, 123456, tzinfo=UTC)
BOGOTA = timezone(timedelta(hours=-5))
PAGOS = Scope("pagos", "conexion_directa")
MINUTE = int(NOW.timestamp() // 60)
MONTH = {
    "month": "2026-02", "name": "backlog", "unit": "", "formula": "", "kept_at": NOW, "value": 1.0, "numerator": 1.0,
    "denominator": 1.0,
}  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/deep/down/vigia.db"
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    made = Store(url)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Store]:
    """On SQLite."""
    made = Store(f"sqlite:///{tmp_path}/vigia.db")
    made.migrate()
    yield made
    made.close()


def ago(**units: float) -> datetime:
    return NOW - timedelta(**units)


def incident(name: str = "AF-1", **fields: object) -> Incident:
    return Incident(
        **{
            "id": name, "scope": PAGOS, "kind": "failed", "severity": Severity.CRITICAL, "state": IncidentState.FIRING,
            "started_at": ago(minutes=5), "detected_at": ago(minutes=3), "rules": ("fallas", "volumen"),
            "ways": frozenset({"failed", "missing"}), **fields,
        }  # type: ignore[arg-type]  # fields by name
    )  # fmt: skip


def cells(*known: int, n: int = 1) -> pa.Table:
    return pa.table({"known": pa.array(known, pa.int64()), "n": pa.array([n] * len(known), pa.int64())})


def message(key: str) -> Message:
    return Message(key, key, "local", "open", {"subject": "Falla en «pagos»", "priority": 83})


# ---- what goes in comes out ----------------------------------------------------------------------------------------


def test_every_fact_comes_back_as_it_was(store: Store) -> None:
    alert = Alert("fallas", PAGOS, AlertState.FIRING, ago(minutes=5), ago(minutes=1), "AF-1", 0.25, 0.01, 0.999)
    bare = Alert("fallas", Scope(), AlertState.PENDING, ago(minutes=5), ago(minutes=1))
    whole = incident(
        state=IncidentState.RESOLVED, ended_at=ago(minutes=2), resolved_at=NOW, parent_id="AF-0", resolved_by="ana",
        acknowledged_by="luis", guide="pagos/fallas", value=0.25, expected=0.01,
    )  # fmt: skip
    terms = (("segment", 30.0), ("impact", 12.5))
    large = Decimal("1234567890123456789012345678901234.56")
    impacts = [
        Impact("AF-1", "900123456", "pagos", Touch.AFFECTED, 131, 12, large, ago(minutes=4), 83, terms),
        Impact("AF-1", "860555111", "", Touch.EXPOSED),
    ]
    decisions = [
        Decision("VG-1", "AF-1", "900123456", "pagos", Action.OPEN, "own", NOW, 83, "local", "SP-7", ago(minutes=9)),
        Decision("VG-2", "AF-1", "860555111", "", Action.NONE, "", ago(minutes=1)),
    ]
    cases = [
        TheirCase("SP-7", "sharepoint", "900123456", ago(days=2), ago(days=3), "pagos", "app", "soporte", "abierto",
                  "client", ago(hours=3), ago(hours=2), ago(hours=1), "Pago «no» sale"),
        TheirCase("SP-7", "helix", "900123456", ago(days=1), ago(days=1)),
    ]  # fmt: skip
    clients = [
        Client("900123456", "Aceros del Istmo", "corporativo", 1, 0.9, "a@b", "c@d", "e", "G1", "acero"),
        Client("8"),
    ]
    holdings = [Holding("900123456", "pagos", "app", ago(days=400), ago(days=1)), Holding("8", "swift")]
    cursors = {"core": ({"at": [1, "x"], "files": {"a.csv": {"at": 2**40}}}, NOW), "cases": ({}, None)}
    step = Step(
        cursors=cursors, cells=[("cells", cells(MINUTE, MINUTE + 1))], gaps=[("core", 5, 9)], judged_until=MINUTE,
        cases=cases, clients=clients, holdings=holdings, marks={"first_minute": "7"},
        changes=Changes(
            {(a.rule, a.scope): a for a in (alert, bare)}, {whole.id: whole},
            {(i.incident_id, i.client_id, i.product): i for i in impacts}, {d.key: d for d in decisions},
        ),
    )  # fmt: skip
    store.commit(step, NOW)
    store.act(Act("AF-1", NOW, "ana", "note", "llamé a «Aceros»"))

    assert {a.scope: a for a in store.alerts()} == {alert.scope: alert, bare.scope: bare}
    assert store.incidents() == [whole]
    assert store.impacts() == impacts
    assert isinstance(store.impacts()[0].amount, Decimal)
    assert store.decisions() == decisions
    assert store.their_cases() == cases
    assert sorted(store.clients(), key=lambda c: -len(c.client_id)) == clients
    assert sorted(store.holdings(), key=lambda h: -len(h.client_id)) == holdings
    assert store.cursors() == cursors
    (act,) = store.acts()
    assert store.marks() == {"first_minute": "7", "judged_until": str(MINUTE), "acts_head": act.hash}
    assert store.gaps() == [("core", 5, 9)]
    assert list(store.cells("cells", 0)) == [cells(MINUTE, MINUTE + 1)]
    assert act == Act("AF-1", NOW, "ana", "note", "llamé a «Aceros»", id=act.id, hash=act.hash)


def test_the_minutes_of_an_outage_are_one_gap(store: Store) -> None:
    minutes = [("core", start, start + 1) for start in (9, 7, 8, 20)]
    store.commit(Step(gaps=[*minutes, ("core", 1, 3), ("core", 2, 5), ("app", 9, 10)]), NOW)
    assert store.gaps() == [("app", 9, 10), ("core", 1, 5), ("core", 7, 10), ("core", 20, 21)]


def test_the_newest_state_stands_and_what_ended_is_gone(store: Store) -> None:
    alert = Alert("fallas", PAGOS, AlertState.PENDING, NOW, NOW)
    impact = Impact("AF-1", "9", "pagos", Touch.EXPOSED)
    first = Changes({("fallas", PAGOS): alert}, {"AF-1": incident()}, {("AF-1", "9", "pagos"): impact})
    store.commit(Step(changes=first, clients=[Client("9", "Old")], cursors={"core": ({"at": 1}, NOW)}), NOW)
    over = incident(state=IncidentState.RESOLVED, resolved_at=NOW)
    then = Changes({("fallas", PAGOS): None}, {"AF-1": over}, {("AF-1", "9", "pagos"): None})
    store.commit(Step(changes=then, clients=[Client("9", "New")], cursors={"core": ({"at": 2}, None)}), NOW)
    assert (store.alerts(), store.impacts()) == ([], [])
    assert store.incidents() == [over]
    assert store.clients() == [Client("9", "New")]
    assert store.cursors() == {"core": ({"at": 2}, None)}


def test_times_come_back_in_utc_whatever_zone_they_were_told_in(store: Store) -> None:
    store.commit(Step(cursors={"core": ({}, NOW.astimezone(BOGOTA))}), NOW)
    ((_, until),) = store.cursors().values()
    assert until is not None
    assert (until, until.tzinfo) == (NOW, UTC)


def test_acts_come_in_order_and_after_one(store: Store) -> None:
    for name, action in (("AF-1", "ack"), ("AF-2", "ack"), ("AF-1", "resolve")):
        store.act(Act(name, NOW, "ana", action))
    first, second, third = store.acts()
    assert store.acts(after=first.id) == [second, third]
    assert store.acts(incident_id="AF-1", after=first.id) == [third]


def test_empty_tables_of_cells_leave_nothing(store: Store) -> None:
    store.commit(Step(cells=[("cells", cells())]), NOW)
    assert list(store.cells("cells", 0)) == []


# ---- all or nothing ------------------------------------------------------------------------------------------------


def test_a_step_that_fails_in_the_middle_leaves_nothing(store: Store) -> None:
    store.commit(Step(cursors={"core": ({"at": 1}, NOW)}), NOW)
    wrong = Message("VG-1", "VG-1", "local", "open", {"never": object()})  # has no JSON form
    step = Step(
        cursors={"core": ({"at": 2}, NOW)}, cells=[("cells", cells(MINUTE))], judged_until=MINUTE,
        changes=Changes(incidents={"AF-1": incident()}), messages=[message("VG-0"), wrong],
    )  # fmt: skip
    with pytest.raises(Exception, match="JSON serializable"):
        store.commit(step, NOW)
    assert store.cursors() == {"core": ({"at": 1}, NOW)}
    assert (store.marks(), store.incidents(), list(store.cells("cells", 0)), waiting(store)) == ({}, [], [], [])


def test_a_message_is_kept_once_however_often_its_step_is_repeated(store: Store) -> None:
    for _ in range(3):
        store.commit(Step(messages=[message("VG-1"), message("VG-2")]), NOW)
    assert len(waiting(store)) == 2


# ---- together ------------------------------------------------------------------------------------------------------


def test_threads_that_read_and_write_lose_nothing(store: Store) -> None:
    """With SQLite's own way of beginning, two of three such writes are lost without a word."""
    key = t.meta.c.key == "counter"
    store.commit(Step(marks={"counter": "0"}), NOW)
    held = {} if store.engine.dialect.name == "sqlite" else {"of": t.meta}

    def add(times: int) -> None:
        for _ in range(times):
            with store.engine.begin() as c:
                wanted = sa.select(t.meta.c.value).where(key)
                value = c.execute(wanted.with_for_update(**held) if held else wanted).scalar_one()
                c.execute(sa.update(t.meta).where(key).values(value=str(int(value) + 1)))

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(add, 200) for _ in range(3)]:
            done.result()
    assert store.marks() == {"counter": "600"}


def test_whoever_reads_waits_for_nobody_and_sees_one_moment(store: Store) -> None:
    store.commit(Step(marks={"a": "1"}), NOW)
    with store.engine.begin() as writing:
        writing.execute(sa.update(t.meta).values(value="2"))
        with store.reading() as reading:
            assert reading.execute(sa.select(t.meta.c.value)).scalars().all() == ["1"]
    assert store.marks() == {"a": "2"}


def test_only_one_judges(store: Store, url: str) -> None:
    other = Store(url)
    with store.alone():
        for refused in (store, other):
            with pytest.raises(StoreError, match="another Vigía is judging on"), refused.alone():
                pass
        other.commit(Step(marks={"people": "may act"}), NOW)
    for whoever in (other, store) * 30:  # at once: nobody waits until the server has seen that a session has ended
        with whoever.alone():
            pass
    other.close()


def test_whoever_judged_and_failed_lets_go(store: Store, url: str) -> None:
    with pytest.raises(ZeroDivisionError), store.alone():
        raise ZeroDivisionError
    other = Store(url)
    with other.alone():
        pass
    other.close()


# ---- migrations ----------------------------------------------------------------------------------------------------


def tables(store: Store) -> set[str]:
    return set(sa.inspect(store.engine).get_table_names()) - {"alembic_version"}


def test_up_down_and_up_again(store: Store) -> None:
    assert tables(store) == set(t.metadata.tables)
    store.migrate()
    with store.engine.begin() as connection:
        command.downgrade(migrations.settings(connection), "base")
    assert tables(store) == set()
    store.migrate()
    assert tables(store) == set(t.metadata.tables)


def test_the_migrations_make_what_the_models_say(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_server_default": connection.dialect.name == "postgresql"}
        )
        assert compare_metadata(context, t.metadata) == []


def test_what_an_older_version_has_made_is_said_to_be_so(store: Store) -> None:
    """A column that it lacks, a table that it lacks; `vigia run` migrates."""
    with store.engine.begin() as connection:
        command.downgrade(migrations.settings(connection), "0041")
    for use in (store.acts, lambda: store.act(Act("AF-1", NOW, "ana", "ack")), lambda: store.put(t.months, [MONTH])):
        with pytest.raises(StoreError, match=r"is of an older version: `vigia run` brings it up to this one$"):
            use()
    store.migrate()
    assert store.acts() == []


def test_tables_of_a_newer_vigia_are_refused(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"made by a newer Vigía .*9999"):
        store.migrate()


# ---- retention -----------------------------------------------------------------------------------------------------


LIMITS = {
    "cells": ago(days=35), "ledger": ago(hours=4), "incidents": ago(days=730), "clients": ago(days=400), "outbox": ago(days=90),
}  # fmt: skip


def minute(**units: float) -> int:
    return int(ago(**units).timestamp() // 60)


def test_what_is_past_its_limit_is_dropped_and_nothing_else(store: Store) -> None:
    def closed(name: str, days: int, **fields: object) -> Incident:
        at = ago(days=days)
        return incident(
            name, started_at=at, detected_at=at, **{"state": IncidentState.RESOLVED, "resolved_at": at, **fields}
        )

    def merged(name: str, days: int) -> Incident:
        return closed(name, days, state=IncidentState.MERGED, resolved_at=None, parent_id="AF-far")

    kept = [
        closed("AF-new", 10),
        closed("AF-old", 500),
        incident("AF-open", started_at=ago(days=900)),
        merged("AF-part", 500),
    ]
    dropped = [closed("AF-far", 800), merged("AF-far-part", 800)]
    touched = [i.id for i in (*kept, *dropped)]
    changes = Changes(
        incidents={i.id: i for i in (*kept, *dropped)},
        impacts={(name, "9", "pagos"): Impact(name, "9", "pagos", Touch.AFFECTED) for name in touched},
        decisions={f"VG-{name}": Decision(f"VG-{name}", name, "9", "", Action.OPEN, "", NOW) for name in touched},
    )
    cases = [
        TheirCase("open", "s", "9", ago(days=900), ago(days=900)),
        TheirCase("closed", "s", "9", ago(days=900), ago(days=900), closed_at=ago(days=399)),
        TheirCase("resolved", "s", "9", ago(days=900), ago(days=900), resolved_at=ago(days=401)),
    ]
    blobs = [
        ("cells", cells(minute(days=36), n=1)), ("cells", cells(minute(days=36), minute(days=34), n=2)),
        ("metrics", cells(minute(days=36))), ("metrics", cells(minute(days=1))),
        ("ledger", cells(minute(hours=5))), ("ledger", cells(minute(hours=3))),
    ]  # fmt: skip
    gaps = [("core", 0, minute(days=36)), ("core", 1, minute(days=34))]
    store.commit(
        Step(cells=blobs, gaps=gaps, changes=changes, cases=cases, clients=[Client("9")], holdings=[Holding("9", "p")]),
        NOW,
    )
    store.commit(Step(messages=[message("sent"), message("dead"), message("due")]), ago(days=91))
    store.commit(Step(messages=[message("fresh")]), ago(days=89))
    for n in range(4):
        taken = claim(store, NOW, timedelta(minutes=2))
        assert taken
        if taken["key"] == "dead":
            put_off(store, taken["id"], "no", NOW, dead=True)
        elif taken["key"] != "due":
            confirm(store, taken["id"], f"C-{n}", NOW)
    for days in (731, 1):
        store.act(Act("AF-open", ago(days=days), "ana", "note"))

    assert prune(store, LIMITS, step=1) == 18
    assert {i.id for i in store.incidents()} == {i.id for i in kept}
    assert {i.incident_id for i in store.impacts()} == {"AF-new", "AF-open"}
    assert {d.incident_id for d in store.decisions()} == {"AF-new", "AF-open"}
    assert {c.case_id for c in store.their_cases()} == {"open", "closed"}
    assert {case_id for _, case_id in store.case_changes()} == {"open", "closed"}
    assert [table["n"].to_pylist() for table in store.cells("cells", 0)] == [[2, 2]]
    assert len(list(store.cells("metrics", 0))) == len(list(store.cells("ledger", 0))) == 1
    assert store.gaps() == [("core", 1, minute(days=34))]
    assert [act.at for act in store.acts()] == [ago(days=1)]
    assert (len(store.clients()), len(store.holdings())) == (1, 1)
    with store.reading() as c:
        assert set(c.execute(sa.select(t.outbox.c.key)).scalars()) == {"due", "fresh", "dead"}
    assert prune(store, LIMITS) == 0
    assert prune(store, LIMITS | {"outbox": NOW}) == 1, "fresh"
    assert prune(store, LIMITS | {"outbox": NOW + timedelta(minutes=1)}) == 1, "what was given up, as long after that"


def test_the_changes_of_a_cases_status_are_kept_as_they_come(store: Store) -> None:
    def told(status: str, hours: float | None, case_id: str = "C-1") -> TheirCase:
        at = None if hours is None else ago(hours=hours)
        return TheirCase(case_id, "mesa", "9", ago(days=1), ago(days=1), status=status, updated_at=at)

    store.commit(Step(cases=[told("abierto", 9), told("espera", 8), told("espera", 7), told("abierto", 8, "C-2")]), NOW)
    store.commit(Step(cases=[told("espera", 6), told("resuelto", 5)]), NOW)
    store.commit(Step(cases=[told("resuelto", None), told("abierto", None)]), NOW)  # a tool that does not say when
    c_1 = [(ago(hours=9), "abierto"), (ago(hours=8), "espera"), (ago(hours=5), "resuelto"), (NOW, "abierto")]
    c_2 = [(ago(hours=8), "abierto")]
    assert store.case_changes() == {("mesa", "C-1"): c_1, ("mesa", "C-2"): c_2}
    assert store.case_changes(t.case_changes.c.case_id == "C-2") == {("mesa", "C-2"): c_2}


def test_the_changes_of_a_cases_kind_and_level_are_kept_too(store: Store) -> None:
    for hours, kind, level in (
        (9, "soporte", "N1"),
        (8, "soporte", "N2"),
        (7, "soporte", "N2"),
        (6, "incidente", "N2"),
    ):
        told = TheirCase("C-1", "mesa", "9", ago(days=1), ago(days=1), kind=kind, status="abierto", level=level)
        store.commit(Step(cases=[replace(told, updated_at=ago(hours=hours))]), NOW)
    with store.reading() as c:
        kept = [(row.at, row.status, row.kind, row.level) for row in c.execute(sa.select(t.case_changes))]
    assert sorted(kept) == [
        (ago(hours=9), "abierto", "soporte", "N1"),
        (ago(hours=8), "abierto", "soporte", "N2"),
        (ago(hours=6), "abierto", "incidente", "N2"),
    ]
    assert store.case_changes() == {("mesa", "C-1"): [(ago(hours=9), "abierto")]}, "its status has not changed"


def test_clients_are_forgotten_with_their_incident_whatever_their_own_limit(store: Store) -> None:
    old = incident(state=IncidentState.RESOLVED, resolved_at=ago(days=40))
    impact = Impact("AF-1", "9", "pagos", Touch.AFFECTED)
    store.commit(Step(changes=Changes(incidents={"AF-1": old}, impacts={("AF-1", "9", "pagos"): impact})), NOW)
    prune(store, LIMITS | {"incidents": ago(days=30)})
    assert (store.incidents(), store.impacts()) == ([], [])


def test_compacting_keeps_the_sums_and_the_ledger(store: Store) -> None:
    days = [minute(days=3), minute(days=2), minute(hours=1)]
    for start in days:
        for n in range(5):
            at = start // 1440 * 1440 + n
            store.commit(
                Step(cells=[("cells", cells(at, at, n=n)), ("metrics", cells(at)), ("ledger", cells(at))]), NOW
            )

    def sums(kind: str) -> dict[int, int]:
        found: dict[int, int] = {}
        for table in store.cells(kind, 0):
            for known, n in zip(table["known"].to_pylist(), table["n"].to_pylist(), strict=True):
                found[known] = found.get(known, 0) + n
        return found

    before = {kind: sums(kind) for kind in ("cells", "metrics", "ledger")}
    assert compact(store, ago(days=1), most=4) == 2 * 2 * 4
    assert compact(store, ago(days=1)) == 2 * 2 * 2
    assert {kind: sums(kind) for kind in before} == before
    assert {kind: len(list(store.cells(kind, 0))) for kind in before} == {"cells": 7, "metrics": 7, "ledger": 15}
    assert compact(store, ago(days=1)) == 0


def test_cells_known_from_a_minute_on(store: Store) -> None:
    for at in (10, 20, 30):
        store.commit(Step(cells=[("cells", cells(at - 5, at))]), NOW)
    assert [table["known"].to_pylist() for table in store.cells("cells", 20)] == [[15, 20], [25, 30]]


# ---- what cannot be used, in words ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "blob", "why"),
    [(2, packed(cells(5)), "version 2, and this Vigía reads version 1"), (1, b"x", "damaged")],
)
def test_cells_that_cannot_be_read_are_refused_in_words(local: Store, version: int, blob: bytes, why: str) -> None:
    row = {"kind": "cells", "first_minute": 5, "last_minute": 5, "version": version, "blob": blob}
    with local.engine.begin() as c:
        c.execute(sa.insert(t.cells).values(row))
    with pytest.raises(StoreError, match=why):
        list(local.cells("cells", 0))


@pytest.mark.parametrize("address", ["", "nonsense", "mysql://h/db", "oracle://h/db", "postgresql+psycopg://h:port/db"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(StoreError, match="the address of the state must be"):
        Store(address)


def test_reading_where_there_is_nothing_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no state in sqlite:///.*/none/vigia\.db yet"):
        Store(f"sqlite:///{tmp_path}/none/vigia.db").incidents()
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_our_tables(url: str, tmp_path: Path) -> None:
    if url.startswith("sqlite"):
        url = f"sqlite:///{tmp_path}/empty.db"
        sqlite3.connect(tmp_path / "empty.db").close()
    empty = Store(url)
    with pytest.raises(StoreError, match=r"there is no state in .* yet$"):
        empty.incidents()
    with pytest.raises(StoreError, match=r"there is no state in .* yet$"):
        empty.act(Act("AF-1", NOW, "ana", "ack"))
    empty.close()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "vigia.db").write_text("these are not the tables you are looking for" * 50)
    wrong = Store(f"sqlite:///{tmp_path}/vigia.db")
    for use in (wrong.incidents, wrong.migrate, lambda: wrong.commit(Step(judged_until=1), NOW)):
        with pytest.raises(StoreError, match=r"vigia\.db: file is not a database$"):
            use()
    wrong.close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"File exists|Not a directory"):
        Store(f"sqlite:///{tmp_path}/file/vigia.db").migrate()
    with (
        pytest.raises(StoreError, match=r"File exists|Not a directory"),
        Store(f"sqlite:///{tmp_path}/file/vigia.db").alone(),
    ):
        pass


def test_a_file_that_somebody_keeps_locked(local: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    patient = Store(local.engine.url.render_as_string())
    with local.engine.begin(), pytest.raises(StoreError, match=r"vigia\.db: database is locked$"):
        patient.act(Act("AF-1", NOW, "ana", "ack"))
    patient.act(Act("AF-1", NOW, "ana", "ack"))
    assert len(local.acts()) == 1
    patient.close()


def test_a_server_that_is_not_there_and_no_password_told() -> None:
    away = Store("postgresql+psycopg://vigia:s3cr3t@127.0.0.1:9/vigia?connect_timeout=2")
    with pytest.raises(StoreError, match=r"postgresql\+psycopg://vigia:\*\*\*@127") as caught:
        away.incidents()
    assert "s3cr3t" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_newest_act_stays_for_its_number_must_not_be_given_again(store: Store) -> None:
    store.act(Act("AF-1", ago(days=900), "ana", "note"))
    prune(store, LIMITS)
    (kept,) = store.acts()
    store.act(Act("AF-2", NOW, "ana", "ack"))
    assert [act.incident_id for act in store.acts(after=kept.id)] == ["AF-2"]
