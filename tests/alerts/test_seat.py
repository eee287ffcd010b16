"""Where a failure sits, on days that are drawn with a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from alerts import Incident, IncidentState
from alerts.ground import Base, Ground
from alerts.seat import Seat, seat
from rules import Scope, Severity
from tests.characters import at, minute

START = minute("10:00")
LENGTH = 20
STREAMS = [(p, c) for p in ("pagos", "recaudos", "nomina") for c in ("web", "h2h")]
CLIENTS = [f"9000000{n:02}" for n in range(20)]
INCIDENT = Incident(
    id="AF-1", scope=Scope(), kind="failed", severity=Severity.MAJOR, state=IncidentState.FIRING,
    started_at=at("10:00"), detected_at=at("10:02"), rules=("fallas",), ways=frozenset({"failed"}),
)  # fmt: skip


def drawn(rng, begin, end, strikes=None, *, code="E504", silent=False, big=1.0, per_minute=0.5):
    """Every client's transactions in every stream, minute by minute; `strikes` says which share of a unit's fails."""
    rows = []
    for i, client in enumerate(CLIENTS):
        for product, channel in STREAMS:
            share = strikes((client, product, channel)) if strikes else 0.0
            n = rng.poisson(per_minute * (big if i == 0 else 1.0), end - begin)
            usual = rng.binomial(n, 0.01)
            struck = rng.binomial(n - usual, share)
            counts = (
                ("ok", "", n - usual - struck),
                ("failed", "E101", usual),
                ("failed", code, 0 * n if silent else struck),
            )
            for status, error, many in counts:
                told = np.flatnonzero(many)
                rows += [(begin + int(m), client, product, channel, status, error, int(many[m])) for m in told]
    rows.sort()
    names = ("m", "client_id", "product", "channel", "status", "error_code", "n")
    table = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    for name, value, kind in (
        ("bin", -1, pa.int8()),
        ("again", 0, pa.int64()),
        ("cents", 0, pa.int64()),
        ("first", 0, pa.int64()),
    ):
        table = table.append_column(name, pa.array(np.full(len(rows), value), kind))
    return table


def found(strikes, *, ways=("failed",), scope=None, seed=1, length=LENGTH, **told) -> Seat | None:
    rng = np.random.default_rng(seed)
    before = drawn(rng, START - 600, START, big=told.get("big", 1.0))
    base = Base.of(before, before.select(["m", "client_id", "product", "channel", "n"]))
    ground = Ground.of(drawn(rng, START, START + length, strikes, silent="missing" in ways, **told), base)
    incident = replace(INCIDENT, ways=frozenset(ways), kind=ways[0], scope=scope or Scope())
    return seat(incident, ground, base, START, START + length)


WIDE = [Scope("pagos", "web"), Scope("", "web"), Scope("pagos", ""), Scope()]
ONES = [Scope("", "", CLIENTS[3]), Scope("pagos", "web", CLIENTS[3]), Scope("", "web", CLIENTS[3])]


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize(
    ("where", "ways"), [*((where, ("failed",)) for where in WIDE + ONES), *((where, ("missing",)) for where in WIDE)]
)
def test_the_seat_is_what_fails_and_no_more(where, ways, seed):
    def strikes(unit):
        client, product, channel = unit
        return 0.8 * where.overlaps(Scope(product, channel, client))

    assert found(strikes, ways=ways, seed=seed).scope == where


def test_what_is_told_of_it():
    said = found(lambda unit: 0.8 * (unit[2] == "web"))
    shares = {dimension: (value, part) for dimension, value, part in said.shares}
    assert shares["channel"][0] == "web"
    assert shares["channel"][1] >= 0.98
    assert shares["error_code"][0] == "E504"
    assert "product" not in shares, "a third each"
    assert said.shares[0][2] == max(part for _, _, part in said.shares)
    assert said.rows == pytest.approx(0.8 * 0.99 * 0.5 * 20 * 3 * 20, rel=0.15)


def test_two_thirds_are_told_though_the_seat_is_wider():
    said = found(lambda unit: {"pagos": 0.9, "recaudos": 0.4}.get(unit[1], 0.0) * (unit[2] == "web"))
    assert said.scope == Scope("", "web")
    assert {s[0]: s[1] for s in said.shares}["product"] == "pagos"


def test_a_client_who_is_nearly_all_of_the_traffic_is_not_the_seat():
    said = found(lambda unit: 0.5 * (unit[1:] == ("pagos", "web")), big=400.0, per_minute=0.05)
    assert said.scope == Scope("pagos", "web")


def test_a_product_that_is_nearly_all_of_a_failing_channel_is_not_the_seat():
    rng = np.random.default_rng(5)
    share = {"pagos": 1.0, "recaudos": 0.04, "nomina": 0.04}

    def thinned(table):
        kept = [rng.random() < share[p] for p in table["product"].to_pylist()]
        return table.filter(pa.array(kept))

    base = Base.of(thinned(drawn(rng, START - 600, START)))
    fails = drawn(rng, START, START + LENGTH, lambda unit: 0.8 * (unit[2] == "web"))
    said = seat(INCIDENT, Ground.of(thinned(fails), base), base, START, START + LENGTH)
    assert said.scope == Scope("", "web")


def test_it_stays_within_the_incident():
    said = found(lambda unit: 0.8 * (unit[0] == CLIENTS[3]), scope=Scope("", "", CLIENTS[3]))
    assert said.scope.client_id == CLIENTS[3]


@pytest.mark.parametrize("ways", [("failed",), ("missing",)])
def test_with_little_to_go_by_nothing_is_said(ways):
    assert found(None, ways=ways) is None
    assert found(lambda unit: 1.0 * (unit == (CLIENTS[3], "pagos", "web")), ways=ways, length=5) is None


def test_without_any_rows_nothing_is_said():
    empty = drawn(np.random.default_rng(1), START, START + 1).slice(0, 0)
    base = Base.of(empty, empty.select(["m", "client_id", "product", "channel", "n"]))
    for ways in ({"failed"}, {"missing"}, {"slow"}):
        incident = replace(INCIDENT, ways=frozenset(ways))
        assert seat(incident, Ground.of(empty, base), base, START, START + 5) is None
