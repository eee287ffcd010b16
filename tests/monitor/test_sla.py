"""The promises of all tools' cases: at risk, late, end to end across returns, and what the tool's own dates would say."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alerts import Action, Changes, IncidentState, TheirCase
from alerts.promises import Promise, Promises
from monitor import listing, tallies
from monitor.business import ServiceHours
from monitor.calendar import Calendar
from monitor.claims import claim, confirm
from monitor.clocks import first_words
from monitor.kept_clocks import keep_clocks
from monitor.metrics import Metrics
from monitor.sla import standing, stood
from monitor.store import Message, Step, Store
from tests.monitor.conftest import ACEROS, DECISIONS, INCIDENTS, MOLINOS, NOW, NUBE, SLOW, THEIRS, ago

HOURS = ServiceHours(Calendar("America/Bogota"), business_days=False)
DAY = timedelta(days=1)
PROMISED = frozenset({"pagos"})


def promises(minutes: float = 100, *, everything: bool = False) -> Promises:
    where = {} if everything else {"product": PROMISED}
    return Promises((Promise(timedelta(minutes=minutes), HOURS, where),), frozenset({"en espera"}))


def case(number: str, minutes: float, client: str = NUBE, *, product: str = "pagos", **told) -> TheirCase:
    opened = ago(minutes)
    return TheirCase(number, "bizagi", client, opened, opened, product, **{"status": "abierto"} | told)


def put(store: Store, *cases: TheirCase) -> None:
    store.commit(Step(cases=list(cases)), NOW)


def by_product(store: Store, held: Promises, now: datetime = NOW) -> dict[str, dict]:
    return {row["product"]: row for row in standing(store, held, now)["products"]}


def numbers(store: Store, held: Promises) -> dict[str, str]:
    return {row["case_id"]: row["clock"] for row in standing(store, held, NOW)["cases"]}


def test_at_risk_and_late_in_whatever_tool_the_first_due_first(store: Store):
    put(store, case("B-1", 90), case("B-2", 200), case("B-3", 10), case("B-4", 500, resolved_at=ago(490)))
    assert numbers(store, promises()) == {"B-2": "breached", "B-1": "at_risk"}
    row = by_product(store, promises())["pagos"]
    # theirs: SP-75, SP-77, B-1 to B-3; ours of Aceros, in no tool that we read
    assert (row["open"], row["at_risk"], row["breached"], row["running"]) == (6, 1, 1, 4)
    assert (row["resolved"], row["in_time"], row["in_time_by_tool"]) == (1, 1, 1)
    assert row["mean_seconds"] == 600


def test_a_case_of_which_nothing_is_promised_is_never_in_time(store: Store):
    put(store, case("B-1", 90, product="swift"), case("B-2", 90, product="swift", resolved_at=ago(80)))
    row = by_product(store, promises())["swift"]
    assert (row["open"], row["unpromised"], row["resolved"], row["resolved_unpromised"], row["in_time"]) == (
        1,
        1,
        1,
        1,
        0,
    )


def test_what_waits_for_the_client_is_neither(store: Store):
    put(store, replace(case("B-1", 200), updated_at=ago(200)))
    put(store, replace(case("B-1", 200, status="En espera"), updated_at=ago(150)))
    row = by_product(store, promises())["pagos"]
    assert (row["paused"], row["breached"]) == (1, 0)


def test_end_to_end_across_a_return_with_the_tools_own_clock_beside(store: Store):
    """The tool opens it anew when it comes back; ours began with the client's first word."""
    first = replace(case("B-1", 150), updated_at=ago(150))
    put(store, first)
    again = replace(first, opened_at=ago(20), reported_at=ago(20), returns=1, updated_at=ago(20))
    put(store, *first_words(store, [again], {}))
    (row,) = [row for row in standing(store, promises(), NOW)["cases"] if row["case_id"] == "B-1"]
    assert (row["clock"], row["tool_clock"]) == ("breached", "running")
    assert (row["end_to_end_seconds"], row["tool_seconds"]) == (150 * 60, 20 * 60)
    assert (row["spent_seconds"], row["remaining_seconds"], row["returns"]) == (150 * 60, -50 * 60, 1)
    put(store, *first_words(store, [replace(again, resolved_at=NOW, updated_at=NOW)], {}))
    solved = by_product(store, promises(), NOW)["pagos"]
    assert (solved["resolved"], solved["in_time"], solved["in_time_by_tool"]) == (1, 0, 1)
    assert (solved["mean_seconds"], solved["mean_tool_seconds"]) == (150 * 60, 20 * 60)


def test_a_reopened_one_is_open_again(store: Store):
    put(store, replace(case("B-1", 150, resolved_at=ago(100)), updated_at=ago(100)))
    assert "B-1" not in numbers(store, promises())
    put(store, replace(case("B-1", 150, reopened=1), updated_at=ago(10)))
    assert numbers(store, promises())["B-1"] == "breached"


def test_ours_that_came_back_from_the_tool_is_told_once(store: Store):
    before = by_product(store, promises())["pagos"]["open"]
    put(store, TheirCase("C-000001", "mesa", ACEROS, ago(20), ago(20), reported_by="monitor"))
    assert by_product(store, promises())["pagos"]["open"] == before
    put(store, TheirCase("C-000001", "mesa", ACEROS, ago(20), ago(20), reported_by="monitor", resolved_at=ago(1)))
    row = by_product(store, promises())["pagos"]
    assert (row["open"], row["resolved"]) == (before - 1, 1)


def test_a_number_that_two_desks_gave_is_each_clients_own(store: Store):
    """`C-000001` is a case of Aceros at one desk, and of Molinos at another."""
    store.commit(Step(messages=[Message("VG-otro", "VG-otro", "otra", "open", {"client_id": MOLINOS})]), NOW)
    while message := claim(store, NOW, DAY, only="otra"):
        confirm(store, message["id"], "C-000001", NOW)
    other = replace(DECISIONS[0], key="VG-otro", client_id=MOLINOS, priority=7, product="swift")
    store.commit(Step(changes=Changes(decisions={other.key: other})), NOW)

    def ours() -> list[tuple[str, str]]:
        found = stood(store, promises(), NOW, NOW)
        return sorted((one.case.client_id, one.case.product) for one in found if one.case.reported_by == "monitor")

    before = ours()
    assert before == sorted([(ACEROS, "pagos"), (MOLINOS, "swift")])
    for client in (ACEROS, MOLINOS):
        put(store, TheirCase("C-000001", client, client, ago(20), ago(20), reported_by="monitor"))
        assert ours() == before


def test_ours_ends_with_its_incident_or_when_it_is_taken_back(store: Store):
    assert by_product(store, promises())["recaudos"]["resolved"] == 1, "the slow one is over"
    assert standing(store, promises(), NOW + 31 * DAY)["products"][-1]["product"] != "recaudos"
    mine = next(decision for decision in DECISIONS if decision.action is Action.OPEN)
    open_ = by_product(store, promises())["pagos"]["open"]
    taken = replace(mine, withdrawn_at=ago(1))
    store.commit(Step(changes=Changes(decisions={taken.key: taken})), NOW)
    assert by_product(store, promises())["pagos"]["open"] == open_ - 1
    assert INCIDENTS[1].id == SLOW
    assert INCIDENTS[1].state is IncidentState.RESOLVED


def test_a_promise_of_a_priority_holds_for_the_case_that_an_incident_is_tied_to(store: Store):
    linked = replace(next(d for d in DECISIONS if d.action is Action.LINK), linked_source="sharepoint", priority=90)
    store.commit(Step(changes=Changes(decisions={linked.key: linked})), NOW)
    urgent = replace(promises(10).promises[0], priority_from=90)
    found = numbers(store, Promises((urgent,)))
    assert (linked.client_id, found) == (MOLINOS, {"SP-75": "breached"})
    assert THEIRS[0].case_id == "SP-75"


def test_the_metrics_are_by_product_and_segment(store: Store):
    put(store, case("B-1", 90), case("B-2", 200, MOLINOS), case("B-3", 200, "811000000", product=" Pagos"))
    found = keep_clocks(store, promises(), NOW)
    assert found["pagos", "pyme"] == (1, 0)
    assert found["pagos", "empresarial"] == (0, 1)
    assert found["pagos", ""] == (0, 1), "however the tool writes it"
    metrics = Metrics()
    metrics.promises(found)
    text = metrics.exposition().decode()
    assert 'vigia_cases_at_risk{product="pagos",segment="pyme"} 1.0' in text
    assert 'vigia_cases_breached{product="pagos",segment="empresarial"} 1.0' in text
    metrics.promises({})
    assert "vigia_cases_breached{" not in metrics.exposition().decode()


def test_as_a_table(store: Store):
    put(store, case("B-1", 90, client=ACEROS), case("B-2", 10, product="swift"))
    out = listing.console()
    with out.capture() as told:
        tallies.show_sla(standing(store, promises(), NOW), out, NOW)
    words = " ".join(told.get().split())
    for part in ("Swift 1 0 0 1", "B-1 bizagi Aceros del Istmo Pagos En riesgo, vence 03/03/2026 15:40 1 h 30 min"):
        assert part in words, words


@pytest.mark.parametrize("minutes", [1, 10**5])
def test_no_cases_no_rows(tmp_path, minutes):
    store = Store(f"sqlite:///{tmp_path / 'v.db'}")
    store.migrate()
    found = standing(store, promises(minutes), NOW)
    store.close()
    assert (found["products"], found["cases"]) == ([], [])
