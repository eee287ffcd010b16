"""One client whole, and all on whom impacts cross, over a state with three clients."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from alerts import Alert, AlertState, Changes, Client, Holding, Impact, Incident, IncidentState, TheirCase, Touch
from alerts.promises import Promise, Promises
from connectors.nit import check_digit
from monitor import clientele, people, portrait
from monitor import tables as t
from monitor.business import ServiceHours
from monitor.calendar import Calendar
from monitor.cells import CELLS
from monitor.config import read_config
from monitor.past import days
from monitor.portrait import Outlook
from monitor.reads import Reader
from monitor.retention import prune
from monitor.standing import rows
from monitor.store import Step, Store
from monitor.windows import minute_of
from rules import Scope, Severity
from tests.monitor.conftest import (
    ACEROS,
    CLIENTS,
    DECISIONS,
    HOLDINGS,
    IMPACTS,
    INCIDENTS,
    MOLINOS,
    NOW,
    NUBE,
    PAYMENTS,
    SLOW,
    THEIRS,
    ago,
    heal,
)

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from monitor.people import Row

ANA = Reader("ana", "cli")
AROUND_THE_CLOCK = ServiceHours(Calendar("America/Bogota"), business_days=False)


def asked(store: Store, nit: str, seen: Outlook | None = None, now: datetime = NOW) -> Row:
    return portrait.client(store, nit, now, ANA, seen)


def judged(store: Store, *said: tuple[str, str, int, int, int], until: datetime = NOW) -> None:
    """What the rules say of places: product, channel, in how many ways it is well, nobody can tell, it is in breach."""
    names = ("product", "channel", "healthy", "unknown", "breach")
    verdicts = [dict(zip(names, one, strict=True)) for one in said]
    store.commit(Step(verdicts=verdicts, judged_until=minute_of(until)), until)


def states(row: Row) -> dict[tuple[str, str], str]:
    return {(h["product"], h["channel"]): h["state"] for h in row["holdings"]}


def happened(
    name: str, hours: float, client: str, *products: str, way: str = "failed", code: str = "", lasts: float = 1
) -> Changes:
    """An incident so many hours ago, over since, that affected a client on some products: 5 failures and $ 100 on each."""
    start = ago(60 * hours)
    shares = (("error_code", code, 0.95),) if code else ()
    incident = Incident(
        f"AF-{name}", Scope(products[0]), way, Severity.MAJOR, IncidentState.RESOLVED, start, start, ("r",),
        frozenset({way}), ended_at=start + timedelta(hours=lasts), resolved_at=start + timedelta(hours=lasts), shares=shares,
    )  # fmt: skip
    impacts = [Impact(incident.id, client, p, Touch.AFFECTED, 5, 1, Decimal(100), start) for p in products]
    return Changes(
        incidents={incident.id: incident}, impacts={(i.incident_id, i.client_id, i.product): i for i in impacts}
    )


def keep(store: Store, *changes: Changes) -> None:
    for one in changes:
        store.commit(Step(changes=one), NOW)


# ---- how what they hold is -----------------------------------------------------------------------------------------


def test_every_state_of_what_a_client_holds(store: Store) -> None:
    judged(
        store, ("pagos", "conexion_directa", 7, 0, 1), ("pagos", "sucursal_digital", 3, 1, 0), ("recaudos", "", 2, 2, 0)
    )
    aceros = asked(store, ACEROS)
    assert states(aceros) == {
        ("pagos", "conexion_directa"): "con fallas",
        ("pagos", "sucursal_digital"): "sano",
        ("recaudos", ""): "sin datos",
    }
    assert [h["why"] for h in aceros["holdings"]] == ["", "", "undecided"]
    assert (aceros["state"], aceros["judged_at"]) == ("con fallas", NOW)
    assert states(asked(store, NUBE)) == {("pagos", ""): "expuesto"}, "what has ended is not held"


def test_a_client_whose_own_incident_was_closed_by_hand_and_is_in_alert_is_not_well(store: Store) -> None:
    own = replace(INCIDENTS[0], id="AF-9", scope=Scope("pagos", "sucursal_digital", ACEROS), started_at=ago(1500))
    alert = Alert("suyas", own.scope, AlertState.FIRING, ago(1500), ago(1), own.id)
    hit = Impact(own.id, ACEROS, "pagos", Touch.AFFECTED, 5, priority=50)
    changes = Changes(
        alerts={(alert.rule, alert.scope): alert}, incidents={own.id: own}, impacts={(own.id, ACEROS, "pagos"): hit}
    )
    judged(store, ("pagos", "sucursal_digital", 3, 1, 0))
    keep(store, changes)
    people.resolve(store, own.id, "Mesa", "", ago(1))
    aceros = asked(store, ACEROS)
    assert states(aceros)["pagos", "sucursal_digital"] == "con fallas"
    assert [own.id in {row["id"] for row in seen} for _, seen in days(aceros["history"], NOW)[-2:]] == [True, True]
    heal(store)
    assert states(asked(store, ACEROS))["pagos", "sucursal_digital"] == "sano"


def test_what_is_in_breach_around_a_client_exposes_them_before_there_is_an_incident(store: Store) -> None:
    judged(store, ("recaudos", "", 5, 0, 1))
    assert states(asked(store, ACEROS))["recaudos", ""] == "expuesto"


def test_an_open_incident_exposes_whoever_holds_its_place_though_their_impact_is_not_measured_yet(store: Store) -> None:
    store.commit(Step(holdings=[Holding(NUBE, "tarjetas", "web"), Holding(NUBE, "tarjetas", "h2h")]), NOW)
    fresh = replace(INCIDENTS[0], id="AF-9", scope=Scope("tarjetas", "web"))
    keep(store, Changes(incidents={fresh.id: fresh}))
    judged(store, ("tarjetas", "web", 1, 0, 0), ("tarjetas", "h2h", 1, 0, 0))
    found = states(asked(store, NUBE))
    assert (found["tarjetas", "web"], found["tarjetas", "h2h"]) == ("expuesto", "sano")
    alone = replace(fresh, scope=Scope("tarjetas", "web", MOLINOS))
    keep(store, Changes(incidents={alone.id: alone}))
    assert states(asked(store, NUBE))["tarjetas", "web"] == "sano", "another client's own"
    indicator = replace(fresh, scope=Scope(series="cpu"))
    keep(store, Changes(incidents={indicator.id: indicator}))
    assert states(asked(store, NUBE))["tarjetas", "web"] == "sano", "an indicator without a place"


def test_nothing_is_well_that_was_not_judged_lately(store: Store) -> None:
    healthy = ("pagos", "sucursal_digital", 3, 0, 0)
    store.commit(
        Step(verdicts=[dict(zip(("product", "channel", "healthy", "unknown", "breach"), healthy, strict=True))]), NOW
    )
    never = asked(store, ACEROS)
    assert (never["judged_at"], states(never)["pagos", "sucursal_digital"]) == (None, "sin datos")
    judged(store, healthy, until=ago(10))
    old = asked(store, ACEROS, Outlook(fresh=timedelta(minutes=9)))
    place = next(h for h in old["holdings"] if h["channel"] == "sucursal_digital")
    assert (place["state"], place["why"]) == ("sin datos", "stale")
    assert states(asked(store, ACEROS, Outlook(fresh=timedelta(minutes=10))))["pagos", "sucursal_digital"] == "sano"
    assert states(old)["pagos", "conexion_directa"] == "con fallas", "what was last known to fail is still told"


def test_the_narrowest_place_that_is_watched_speaks(store: Store) -> None:
    held = [Holding(NUBE, "swift", "web"), Holding(NUBE, "swift", "h2h"), Holding(NUBE, "tarjetas", "web")]
    store.commit(Step(holdings=[*held, Holding(NUBE, "nomina"), Holding(NUBE, "leasing")]), NOW)
    judged(
        store, ("swift", "", 4, 0, 0), ("swift", "web", 0, 4, 0), ("tarjetas", "", 4, 0, 0), ("nomina", "web", 1, 0, 0),
        ("nomina", "h2h", 0, 1, 0),
    )  # fmt: skip
    found = {(h["product"], h["channel"]): (h["state"], h["why"]) for h in asked(store, NUBE)["holdings"]}
    assert found["swift", "web"] == ("sin datos", "undecided"), "that Swift is well as a whole says little of it"
    assert found["swift", "h2h"] == ("sin datos", "unwatched")
    assert found["tarjetas", "web"] == ("sano", ""), "nobody watches it more closely"
    assert found["nomina", ""] == ("sin datos", "undecided"), "part of it is not known"
    assert found["leasing", ""] == ("sin datos", "unwatched")
    judged(store, ("nomina", "web", 1, 0, 0), ("nomina", "h2h", 3, 2, 0))
    assert states(asked(store, NUBE))["nomina", ""] == "sano"


def test_what_touches_them_is_shown_though_the_bank_does_not_say_that_they_hold_it(store: Store) -> None:
    keep(
        store,
        Changes(
            impacts={(PAYMENTS, NUBE, "tarjetas"): Impact(PAYMENTS, NUBE, "tarjetas", Touch.AFFECTED, 3)},
        ),
    )
    found = [(h["product"], h["channel"], h["held"], h["state"]) for h in asked(store, NUBE)["holdings"]]
    assert found == [("pagos", "", True, "expuesto"), ("tarjetas", "conexion_directa", False, "con fallas")]


def test_a_client_of_whom_nothing_is_known_is_not_well(store: Store) -> None:
    store.commit(Step(clients=[Client("800111222", "Sin Nada")]), NOW)
    judged(store, ("pagos", "web", 9, 0, 0))
    found = asked(store, "800111222")
    assert (found["state"], found["holdings"], found["history"], found["group"]) == (
        "sin datos", [], [], {"size": 0, "touched": []},
    )  # fmt: skip


# ---- incidents, cases and promises ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{0}", "{0[0]}{0[1]}{0[2]}.123.456-{1}", "{0}-{1}", "{0}{1}", " {0} "])
def test_a_client_by_the_nit_in_any_form(store: Store, form: str) -> None:
    assert asked(store, form.format(ACEROS, check_digit(ACEROS)))["name"] == "Aceros del Istmo"


@pytest.mark.parametrize(
    ("nit", "words"),
    [
        ("1", "no se conoce"),
        ("", "«» no es un NIT"),
        ("Aceros", "«Aceros» no es un NIT"),
        ("900.123.456-1", "dígito de verificación"),
    ],
)
def test_an_unknown_client_is_told_and_nobody_has_read_anything(store: Store, nit: str, words: str) -> None:
    with pytest.raises(people.Unknown, match=words):
        asked(store, nit)
    assert rows(store, t.reads.select()) == []


def test_of_whom_nothing_is_known_but_transactions_what_they_used_of_late_is_told(store: Store) -> None:
    row = {"source": "core", "client_id": "830444555", "status": "ok", "n": 1, "again": 0}

    def cells(minutes: float, product: str, channel: str | None) -> pa.Table:
        minute = minute_of(ago(minutes))
        here = row | {"minute": minute, "known": minute, "product": product, "channel": channel}
        return pa.Table.from_pylist([here, here | {"client_id": "900999888"}], schema=CELLS)

    old, new = cells(25 * 60, "swift", "web"), [cells(600, "recaudos", None), cells(5, "pagos", "web")]
    store.commit(Step(cells=[("cells", table) for table in (old, *new, new[1])]), NOW)
    judged(store, ("pagos", "web", 2, 0, 0))
    found = asked(store, f"830.444.555-{check_digit('830444555')}")
    assert [(h["product"], h["channel"], h["held"], h["state"]) for h in found["holdings"]] == [
        ("pagos", "web", False, "sano"),
        ("recaudos", "", False, "sin datos"),
    ]
    assert (found["client_id"], found["name"], found["state"]) == ("830444555", "", "sin datos")
    with pytest.raises(people.Unknown, match="dígito de verificación"):
        asked(store, f"830.444.555-{(check_digit('830444555') + 1) % 10}")


def test_what_touches_them_now_and_who_answers_for_them(store: Store) -> None:
    aceros = asked(store, ACEROS)
    assert (aceros["post_sale"], aceros["substitute"]) == ("posventa1@banco.example", "posventa2@banco.example")
    (incident,) = aceros["incidents"]
    assert (incident["id"], incident["touches"][0]["failures"]) == (PAYMENTS, 131)
    assert len(aceros["cases"]) == 2
    people.resolve(store, PAYMENTS, "Mesa", "", NOW)
    over = asked(store, ACEROS)
    assert (over["incidents"], over["history"][0]["state"]) == ([], "resolved"), "at once, as everywhere"


def test_the_promises_of_our_case_and_of_theirs_in_two_tools(store: Store) -> None:
    waiting = TheirCase("HX-9", "helix", ACEROS, ago(50), ago(60), "recaudos", status="nuevo", updated_at=ago(50))
    done = TheirCase("HX-8", "helix", ACEROS, ago(90), ago(95), "recaudos", status="cerrado", resolved_at=ago(70))
    ours = TheirCase("C-000001", "mesa", ACEROS, ago(20), ago(20), "pagos", reported_by="monitor")
    store.commit(Step(cases=[waiting, done, ours]), ago(50))
    store.commit(Step(cases=[replace(waiting, status="En espera", updated_at=ago(40), returns=2)]), ago(40))
    linked = replace(DECISIONS[0], linked_source="sharepoint")
    keep(store, Changes(decisions={linked.key: linked}))
    promises = Promises(
        (
            Promise(timedelta(minutes=25), AROUND_THE_CLOCK, {"product": frozenset({"pagos"})}),
            Promise(timedelta(minutes=36), AROUND_THE_CLOCK, {"product": frozenset({"recaudos"})}),
            Promise(timedelta(minutes=13), AROUND_THE_CLOCK, {"product": frozenset({"pagos"})}, priority_from=80),
        ),
        frozenset({"en espera"}),
    )
    found = asked(store, ACEROS, Outlook(promises))
    theirs = {
        case["case_id"]: (case["source"], case["clock"], case["due_at"], case["open"], case["incident_id"])
        for case in found["their_cases"]
    }
    assert list(theirs) == ["SP-77", "HX-9", "HX-8"], "the newest first; ours is among ours"
    assert theirs["SP-77"] == ("sharepoint", "at_risk", ago(-1), True, PAYMENTS), "with its decision's priority of 83"
    assert theirs["HX-9"] == ("helix", "paused", NOW + timedelta(minutes=16), True, "")
    assert theirs["HX-8"] == ("helix", "met", ago(59), False, "")
    assert found["their_cases"][1]["returns"] == 2
    assert {case["incident_id"]: case["clock"] for case in found["cases"]} == {PAYMENTS: "breached", SLOW: "met"}
    assert {case["clock"] for case in asked(store, ACEROS)["their_cases"]} == {""}, "nothing promised, no clock"


def test_our_case_read_back_from_its_tool_is_not_the_clients_own(store: Store) -> None:
    ours = TheirCase("50", "casos", NUBE, ago(20), ago(20), "pagos", status="abierto", reported_by="monitor")
    own = TheirCase("51", "casos", NUBE, ago(19), ago(19), "pagos", status="abierto", reported_by="client")
    store.commit(Step(cases=[ours, own]), ago(18))
    assert [case["case_id"] for case in asked(store, NUBE)["their_cases"]] == ["51"]


# ---- the group, what was, what came again --------------------------------------------------------------------------


def test_others_of_the_group_who_are_touched_now(store: Store) -> None:
    group = [replace(client, group_id="G-7") for client in CLIENTS]
    store.commit(Step(clients=[*group, Client("800111222", "Silo del Sur", group_id="G-7"), Client("800111333")]), NOW)
    found = asked(store, NUBE)["group"]
    assert found["size"] == 3
    assert [(one["name"], one["touch"], one["priority"], one["products"]) for one in found["touched"]] == [
        ("Aceros del Istmo", "affected", 83, ["pagos"]),
        ("Molinos Borovanda", "affected", 61, ["pagos"]),
    ]
    assert [one["name"] for one in asked(store, MOLINOS)["group"]["touched"]] == [
        "Aceros del Istmo",
        "Textiles Nube Alta",
    ]


def test_the_last_ninety_days(store: Store) -> None:
    keep(store, happened("old", 24 * 91, ACEROS, "swift"), happened("ago", 24 * 89, ACEROS, "swift", "pagos"))
    keep(store, happened("else", 24 * 3, MOLINOS, "swift"))
    found = asked(store, ACEROS)["history"]
    assert [row["id"] for row in found] == [PAYMENTS, SLOW, "AF-ago"]
    payments, slow, ago_ = found
    assert (payments["failures"], payments["missing"], payments["amount"]) == (131, 12, Decimal(98450000))
    assert (payments["action"], payments["lead_seconds"], payments["minutes"]) == ("open", 600, 25)
    assert (slow["action"], slow["lead_seconds"], slow["minutes"]) == ("open", None, 30)
    assert (ago_["products"], ago_["failures"], ago_["amount"]) == (["pagos", "swift"], 10, Decimal(200))
    assert (ago_["first_failure_at"], ago_["action"]) == (ago(60 * 24 * 89), "")


def test_the_days_are_the_banks_own(store: Store) -> None:
    bogota = NOW.astimezone(ZoneInfo("America/Bogota"))  # 10:30 of March 3
    keep(store, happened("late", 34, ACEROS, "swift", lasts=5))  # from 00:30 of March 2
    keep(store, happened("night", 59, ACEROS, "swift", lasts=2))  # from 23:30 of February 28 to 01:30 of March 1
    told = days(asked(store, ACEROS)["history"], bogota)
    assert len(told) == 90
    assert {f"{day:%m-%d}": [row["id"] for row in seen] for day, seen in told if seen} == {
        "02-28": ["AF-night"], "03-01": ["AF-night"], "03-02": ["AF-late"], "03-03": [PAYMENTS, SLOW],
    }  # fmt: skip


def test_the_same_product_and_the_same_error_again(store: Store) -> None:
    keep(
        store,
        happened("a", 24 * 20, ACEROS, "swift", code="E504"),
        happened("b", 24 * 10, ACEROS, "swift", code="E504"),
        happened("c", 24 * 5, ACEROS, "swift", way="slow"),
        happened("d", 24 * 31, ACEROS, "tarjetas"),
        happened("e", 24 * 2, ACEROS, "tarjetas"),
    )
    found = asked(store, ACEROS)["recurrences"]
    assert [(row["same"], row["product"], row["error"], row["times"], row["incidents"]) for row in found] == [
        ("product", "swift", "", 3, ["AF-a", "AF-b", "AF-c"]),
        ("error", "swift", "E504", 2, ["AF-a", "AF-b"]),
    ]
    assert found[1]["dates"] == [ago(60 * 24 * 20), ago(60 * 24 * 10)]
    assert asked(store, MOLINOS)["recurrences"] == []


# ---- where impacts cross -------------------------------------------------------------------------------------------


def both(client_id: str, *, open_: bool) -> Changes:
    """Collections fail for a client as well, in an incident of its own."""
    state = IncidentState.FIRING if open_ else IncidentState.RESOLVED
    one = replace(INCIDENTS[1], id="AF-both", state=state, started_at=ago(10), ended_at=None, resolved_at=None)
    impact = Impact(one.id, client_id, "recaudos", Touch.AFFECTED, 4, priority=40)
    return Changes(incidents={one.id: one}, impacts={(one.id, client_id, "recaudos"): impact})


def test_two_products_at_once(store: Store) -> None:
    assert asked(store, MOLINOS)["marks"] == []
    keep(store, both(MOLINOS, open_=True))
    products, month = asked(store, MOLINOS)["marks"]
    assert products == {
        "mark": "products", "products": ["pagos", "recaudos"], "incidents": [PAYMENTS, "AF-both"],
        "dates": [ago(25), ago(10)],
    }  # fmt: skip
    assert (month["mark"], month["incidents"]) == ("month", [PAYMENTS, "AF-both"])
    keep(store, both(MOLINOS, open_=False))
    assert [mark["mark"] for mark in asked(store, MOLINOS)["marks"]] == ["month"], "no longer at once"


def test_one_cause_on_two_products_is_at_once_and_not_twice(store: Store) -> None:
    impact = Impact(PAYMENTS, MOLINOS, "recaudos", Touch.AFFECTED, 4)
    keep(store, Changes(impacts={(PAYMENTS, MOLINOS, "recaudos"): impact}))
    assert [mark["mark"] for mark in asked(store, MOLINOS)["marks"]] == ["products"]


def test_exposed_is_not_hit_and_what_was_before_the_month_does_not_count(store: Store) -> None:
    keep(store, happened("old", 24 * 30.1, MOLINOS, "swift"))
    assert asked(store, MOLINOS)["marks"] == []
    keep(store, happened("new", 24 * 29.9, MOLINOS, "swift"))
    assert [mark["mark"] for mark in asked(store, MOLINOS)["marks"]] == ["month"]
    assert asked(store, NUBE)["marks"] == []


def test_all_clients_the_touched_first_by_priority(store: Store) -> None:
    store.commit(Step(clients=[Client("800111222", "Almidones")]), NOW)
    found = clientele.clients(store, NOW)
    assert [(row["name"], row["touch"], row["priority"]) for row in found] == [
        ("Aceros del Istmo", "affected", 83), ("Molinos Borovanda", "affected", 61), ("Textiles Nube Alta", "exposed", 22),
        ("Almidones", "", 0),
    ]  # fmt: skip
    assert [row["name"] for row in clientele.clients(store, NOW, touched=True)] == [client.name for client in CLIENTS]
    assert [[mark["mark"] for mark in row["marks"]] for row in found] == [["month"], [], [], []]


def test_the_crossed_of_all_clients_touched_now_or_not(store: Store) -> None:
    keep(store, happened("x", 100, "800111222", "swift"), happened("y", 200, "800111222", "swift"))
    keep(store, both(MOLINOS, open_=True))
    found = clientele.clients(store, NOW, crossed=True)
    assert [(row["client_id"], row["touch"]) for row in found] == [
        (ACEROS, "affected"), (MOLINOS, "affected"), ("800111222", ""),
    ]  # fmt: skip
    assert found[1]["products"] == ["pagos", "recaudos"]
    assert found[1]["incidents"] == [PAYMENTS, "AF-both"]


def test_whoever_is_affected_and_exposed_is_affected(store: Store) -> None:
    high = Impact(PAYMENTS, MOLINOS, "swift", Touch.EXPOSED, priority=99)
    keep(store, Changes(impacts={(PAYMENTS, MOLINOS, "swift"): high}))
    found = next(row for row in clientele.clients(store, NOW) if row["client_id"] == MOLINOS)
    assert (found["touch"], found["priority"], found["products"]) == ("affected", 61, ["pagos"])


# ---- who reads -----------------------------------------------------------------------------------------------------


def test_each_read_is_kept_by_who_when_whom_and_door(store: Store) -> None:
    asked(store, "900.123.456-8")
    portrait.client(store, NUBE, ago(-5), Reader("10.1.2.3", "api"))
    asked(store, ACEROS)
    found = [(row["at"], row["who"], row["client_id"], row["door"]) for row in rows(store, t.reads.select())]
    assert found == [(NOW, "ana", ACEROS, "cli"), (ago(-5), "10.1.2.3", NUBE, "api"), (NOW, "ana", ACEROS, "cli")]


def test_a_list_of_clients_is_no_read_of_one(store: Store) -> None:
    clientele.clients(store, NOW)
    assert rows(store, t.reads.select()) == []


def test_reads_are_forgotten_with_what_touches_single_clients(store: Store) -> None:
    for days_ago in (401, 399):
        portrait.client(store, ACEROS, NOW - timedelta(days=days_ago), ANA)
    kept = dict.fromkeys(("cells", "ledger", "incidents", "outbox"), NOW - timedelta(days=730))
    prune(store, kept | {"clients": NOW - timedelta(days=400)})
    assert [row["at"] for row in rows(store, t.reads.select())] == [NOW - timedelta(days=399)]


def test_where_a_read_cannot_be_kept_nothing_is_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise people.Refused("no space")

    monkeypatch.setattr(portrait, "noted", full)
    with pytest.raises(people.Refused):
        asked(store, ACEROS)


# ---- elsewhere -----------------------------------------------------------------------------------------------------


def test_a_verdict_is_fresh_as_long_as_its_minute_may_take_to_come(tmp_path: Path) -> None:
    source = '[sources.{0}]\nrole = "{0}"\nkind = "file"\npath = "x.csv"\nevery = "{1}"\n'
    (tmp_path / "config.toml").write_text(source.format("transactions", "20s") + source.format("clients", "1d"))
    found = portrait.outlook(read_config(tmp_path / "config.toml"))
    assert found.fresh == timedelta(seconds=20 + 10, minutes=2 + 2), "its poll, lateness, patience and slack"


def test_postgresql_answers_the_same(store: Store, postgres: str) -> None:
    other = Store(postgres)
    other.migrate()
    changes = Changes(
        incidents={i.id: i for i in INCIDENTS},
        impacts={(i.incident_id, i.client_id, i.product): i for i in IMPACTS},
        decisions={d.key: d for d in DECISIONS},
    )
    group = [replace(client, group_id="G-7") for client in CLIENTS]
    for one in (store, other):
        one.commit(Step(changes=changes, clients=group, holdings=HOLDINGS, cases=THEIRS), ago(22))
        judged(one, ("pagos", "sucursal_digital", 3, 1, 0))
    told, there = asked(store, ACEROS), asked(other, ACEROS)
    for row in (*told["cases"], *there["cases"]):
        row.update(delivery="", reference="")  # the one has sent its messages
    assert there == told
    assert clientele.clients(other, NOW, crossed=True) == clientele.clients(store, NOW, crossed=True)
    assert len(rows(other, t.reads.select())) == 1
    other.close()
