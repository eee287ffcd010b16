"""Windows out of cells, against a slow computation of our own; silence, gaps, metrics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import product as crossed

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.roles import ROLES
from monitor.windows import Windows, minute_of, time_of
from rules import BINS, CLASSES, DIMENSIONS, LATENCIES, MEASURES, Frame, Grain, Scope
from tests.characters import ACEROS, BLANK, CAFE, CAST, TEXTILES, at, every_minute, minute, transactions

BEGIN = minute("10:00")
COUNTED = [name for name in MEASURES if name != "value"]


def held(*rows: dict, closing: str | None = None, source: str = "core", windows: Windows | None = None) -> Windows:
    windows = windows or Windows()
    counted = windows.count(transactions(rows), source=source, closing=closing and minute(closing))
    windows.hold_cells(counted.cells)
    windows.remember(counted.ledger)
    return windows


def said(frame: Frame, measure: str) -> dict[tuple[Scope, int], float]:
    """What the frame says of each scope and minute of its span (counted from its start)."""
    at_rows = zip(
        frame.series.tolist(), (frame.minute - frame.start).tolist(), frame.columns[measure].tolist(), strict=True
    )
    return {(frame.scopes[s], m): value for s, m, value in at_rows}


def totals(windows: Windows, start: str, end: str, grain: Grain | None = None, measure: str = "total") -> list[float]:
    """One scope's readings, minute by minute."""
    frame = windows.frame(grain or Grain(), [measure], [], minute(start), minute(end))
    assert len(frame.scopes) <= 1
    return list(said(frame, measure).values())


# ---- against a slow computation -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slow:
    """The measures by their definitions, one window at a time, from rows with the minute that each was known in."""

    rows: list[tuple[int, dict]]
    grain: Grain
    where: str

    def scope(self, row: dict) -> Scope:
        return Scope(**{name: row[name] for name in self.grain.by})

    def counts(self, row: dict) -> bool:
        return (not self.where or row["product"] == self.where) and (
            "client_id" not in self.grain.by or row["client_id"] != ""
        )

    def since(self, scope: Scope) -> int:
        return min((known for known, row in self.rows if self.counts(row) and self.scope(row) == scope), default=10**12)

    def window(self, scope: Scope, m: int) -> list[dict]:
        return [
            row
            for known, row in self.rows
            if self.counts(row)
            and self.scope(row) == scope
            and m - self.grain.minutes < minute_of(row["timestamp"]) <= m
            and known <= m
        ]

    def measure(self, name: str, scope: Scope, m: int) -> float | None:
        rows = self.window(scope, m)
        n = {status: sum(row["count"] for row in rows if row["status"] == status) for status in CLASSES}
        total = sum(n.values())
        if name in n:
            return n[name]
        if name.endswith("_rate"):
            return n[name.removesuffix("_rate")] / total if total else None
        if name in LATENCIES:
            return percentile([row["latency_ms"] for row in rows for _ in range(row["count"])], int(name[-2:]) / 100)
        if name == "new_error_codes":
            return self.new_codes(scope, m)
        failed = [row for row in rows if row["status"] == "failed"]
        return {
            "total": total,
            "amount": float(sum(row["amount"] for row in rows)),
            "failed_amount": float(sum(row["amount"] for row in failed)),
            "clients": len({row["client_id"] for row in rows} - {""}),
            "clients_failing": len({row["client_id"] for row in failed} - {""}),
            "arrivals": len({row["client_id"] for row in rows} - {""})
            + sum(row["count"] for row in rows if row["client_id"] == ""),
            "novel": sum(
                row["count"] for known, row in self.known(scope, m) if self.rare(row["error_code"], known // 60)
            ),
            "duplicated": self.duplicated(rows),
        }[name]

    def known(self, scope: Scope, m: int) -> list[tuple[int, dict]]:
        kept = self.window(scope, m)
        return [(known, row) for known, row in self.rows if any(row is one for one in kept)]

    def rare(self, code: str, hour: int) -> bool:
        """Seen in fewer than one in twenty of the hours of the week before; on the first day nothing is."""
        first = min(known for known, _ in self.rows) // 60
        seen = {known // 60 for known, row in self.rows if row["error_code"] == code}
        before = [h for h in seen if hour - 168 <= h < hour]
        return code != "" and hour - first >= 24 and len(before) < 0.05 * min(168, hour - first)

    def duplicated(self, rows: list[dict]) -> int:
        """Ids beyond the first that a client paid the same with, by the same way in the same minute; a row that stands for many is none."""
        same: dict[tuple, set[str]] = {}
        for row in rows:
            if row["id"] and row["client_id"] and row["amount"] > 0 and row["count"] == 1:
                key = minute_of(row["timestamp"]), row["product"], row["channel"], row["client_id"], row["amount"]
                same.setdefault(key, set()).add(row["id"])
        return sum(len(ids) - 1 for ids in same.values())

    def new_codes(self, scope: Scope, m: int) -> float | None:
        if m - self.since(scope) < 60:
            return None
        born: dict[str, int] = {}
        for known, row in self.rows:
            if self.counts(row) and self.scope(row) == scope and row["error_code"]:
                born[row["error_code"]] = min(known, born.get(row["error_code"], known))
        return sum(m - self.grain.minutes < first <= m for first in born.values())


def percentile(latencies: list[float | None], share: float) -> float | None:
    known = sorted(x for x in latencies if x is not None)
    rank = next((i for i in range(len(known)) if i + 1 >= share * len(known)), None)
    return None if rank is None else known[rank]


sent = st.fixed_dictionaries(
    {
        "timestamp": st.integers(0, 100 * 60 - 1).map(lambda s: time_of(BEGIN) + timedelta(seconds=s)),
        "product": st.sampled_from(["pagos", "recaudos"]),
        "channel": st.sampled_from(["web", "h2h"]),
        "client_id": st.sampled_from(["", *(who.nit for who in CAST)]),
        "status": st.sampled_from(CLASSES),
        "error_code": st.sampled_from(["", "", "E1", "E2", "E3"]),
        "latency_ms": st.none() | st.floats(4, 2e5),
        "amount": st.sampled_from([Decimal(0), Decimal("10.5")])
        | st.decimals(0, 10**6, places=2).map(lambda d: Decimal(str(d))),
        "count": st.integers(1, 4),
        "id": st.sampled_from(["", "t"]),
    }
)


def told_apart(rows: list[dict], start: int = 0) -> list[dict]:
    """The rows with ids of their own, where they have any."""
    return [row | {"id": f"{row['id']}{n}" if row["id"] else ""} for n, row in enumerate(rows, start)]


grains = st.builds(
    Grain,
    by=st.sets(st.sampled_from(DIMENSIONS[:3])).map(
        lambda chosen: tuple(name for name in DIMENSIONS if name in chosen)
    ),
    minutes=st.sampled_from([1, 2, 5, 30]),
    where=st.sampled_from(["", "", "product = 'pagos'"]),
)


@settings(max_examples=60)
@given(st.lists(sent, max_size=25), st.lists(sent, max_size=8), grains, st.integers(0, 90), st.integers(1, 12))
def test_every_measure_is_what_a_slow_computation_says(rows, late, grain, start, length):
    windows, closing = Windows(hold=100), BEGIN + 70
    rows, late = told_apart(rows), told_apart(late, 1000)
    held(*rows, windows=windows)
    counted = windows.count(transactions(late), source="core", closing=closing)
    windows.hold_cells(counted.cells)
    known = [(minute_of(row["timestamp"]), row) for row in rows] + [
        (max(minute_of(row["timestamp"]), closing), row) for row in late
    ]
    slow = Slow(known, grain, "pagos" if grain.where else "")
    frame = windows.frame(grain, COUNTED, ["failed_rate > 0.5"], BEGIN + start, BEGIN + start + length)

    scopes = {slow.scope(row) for _, row in known if slow.counts(row)}
    minutes = range(BEGIN + start, BEGIN + start + length)
    if "client_id" in grain.by:
        due = {(scope, m - frame.start) for scope, m in crossed(scopes, minutes) if slow.window(scope, m)}
    else:
        due = {(scope, m - frame.start) for scope, m in crossed(scopes, minutes) if m >= slow.since(scope)}
    assert set(said(frame, "total")) == due
    assert list(said(frame, "total")) == sorted(due)
    for measure in COUNTED:
        for (scope, m), found in said(frame, measure).items():
            wanted = slow.measure(measure, scope, frame.start + m)
            if wanted is None:
                assert np.isnan(found), (measure, scope, m)
            elif measure in LATENCIES:
                assert wanted / 2 <= found <= wanted * 2, (measure, scope, m)
            else:
                assert found == pytest.approx(wanted), (measure, scope, m)
    rate, flag = frame.columns["failed_rate"], frame.flags["failed_rate > 0.5"]
    np.testing.assert_array_equal(flag, np.where(np.isnan(rate), np.nan, rate > 0.5))


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 9 * 24 * 4), st.sampled_from(["", "E1", "E2"]), st.sampled_from(["pagos", "nomina"])), max_size=40),
    st.integers(0, 9 * 24 * 4),
)  # fmt: skip
def test_an_unusual_code_is_what_a_slow_computation_says(told, start):
    """Quarters of an hour over nine days, E0 in every third hour of them."""
    begin = at("00:00")
    every = [(quarter, "E0", "pagos") for quarter in range(0, 9 * 24 * 4, 12)]
    rows = [
        BLANK | ACEROS.sends(begin + timedelta(minutes=15 * quarter), product, "web", error_code=code, status="failed")
        for quarter, code, product in sorted(told + every)
    ]
    windows = held(*rows)
    slow = Slow([(minute_of(row["timestamp"]), row) for row in rows], Grain(), "")
    first = minute("00:00") + 15 * start
    frame = windows.frame(Grain(), ["novel"], [], first, first + 180)
    for (scope, m), found in said(frame, "novel").items():
        assert found == slow.measure("novel", scope, first + m), (scope, m)


def test_an_unusual_code_is_none_of_everyday_and_nothing_is_said_on_the_first_day():
    days = [
        ACEROS.sends(at(f"{hour:02}:10", day=day), error_code="E1", status="failed")
        for day in (0, 1, 2)
        for hour in range(24)
    ]
    windows = held(
        *days, ACEROS.sends("20:00", error_code="E9"), ACEROS.sends(at("20:00", day=2), error_code="E9", count=3)
    )
    frame = windows.frame(Grain(()), ["novel"], [], minute("00:00"), minute("00:00", day=3))
    assert {m: n for (_, m), n in said(frame, "novel").items() if n} == {2 * 1440 + 1200: 3}


def test_a_clients_rows_of_one_minute_arrive_together_and_nobodys_each_by_itself():
    windows = held(
        ACEROS.sends("10:00", count=40),
        ACEROS.sends("10:00:30"),
        CAFE.sends("10:00"),
        ACEROS.sends("10:00", client_id="", count=3),
    )
    assert totals(windows, "10:00", "10:02", measure="arrivals") == [5, 0]


# ---- silence and gaps ----------------------------------------------------------------------------------------------


def test_a_minute_without_rows_is_zero_and_its_rates_are_not_known():
    windows = held(ACEROS.sends("10:00"), ACEROS.sends("10:04", status="failed"))
    assert totals(windows, "10:00", "10:06") == [1, 0, 0, 0, 1, 0]
    rates = totals(windows, "10:00", "10:06", measure="failed_rate")
    assert [None if np.isnan(rate) else rate for rate in rates] == [0, None, None, None, 1, None]


def test_a_series_stands_from_its_first_row_on():
    assert totals(held(ACEROS.sends("10:03")), "10:00", "10:05") == [1, 0]


def test_in_a_gap_nothing_is_known_and_around_it_everything_is():
    windows = held(*every_minute("10:00", "10:10", ACEROS.sends("10:00")))
    windows.gap("core", minute("10:03"), minute("10:05"))
    frame = windows.frame(Grain(), ["total"], [], minute("10:00"), minute("10:10"))
    assert [m for _, m in said(frame, "total")] == [0, 1, 2, 5, 6, 7, 8, 9]
    longer = windows.frame(Grain(minutes=3), ["total"], [], minute("10:00"), minute("10:10"))
    assert [m for _, m in said(longer, "total")] == [0, 1, 2, 7, 8, 9]


def test_a_gap_is_of_the_series_that_its_source_feeds():
    windows = held(ACEROS.sends("10:00"))
    held(ACEROS.sends("10:00", "nomina"), source="payroll", windows=windows)
    windows.gap("payroll", minute("10:01"), minute("10:03"))
    frame = windows.frame(Grain(("product",)), ["total"], [], minute("10:01"), minute("10:03"))
    assert [scope.product for scope in frame.scopes] == ["pagos"]
    assert totals(windows, "10:01", "10:03", Grain(())) == []


def test_a_frame_of_clients_says_where_a_source_did_not_tell():
    windows = held(ACEROS.sends("10:00"))
    held(ACEROS.sends("10:00", "nomina"), source="payroll", windows=windows)
    windows.gap("payroll", minute("10:01"), minute("10:03"))
    clients = Grain(("product", "channel", "client_id"))
    frame = windows.frame(clients, ["total"], [], minute("10:00"), minute("10:02"))
    assert frame.dark == ((Scope("nomina", "web"), minute("10:01"), minute("10:02")),)
    assert windows.frame(clients, ["total"], [], minute("10:03"), minute("10:09")).dark == ()


# ---- as it is heard of ---------------------------------------------------------------------------------------------

HEARD = Grain(heard=True)


def test_a_row_that_comes_late_counts_in_the_minute_that_hears_of_it():
    windows = held(ACEROS.sends("10:00"), ACEROS.sends("10:02"))
    held(ACEROS.sends("10:00:30", status="failed"), ACEROS.sends("10:02:30"), closing="10:02", windows=windows)
    assert totals(windows, "10:00", "10:04", HEARD) == [1, 0, 3, 0]
    assert totals(windows, "10:00", "10:04", HEARD, "failed") == [0, 0, 1, 0]
    assert totals(windows, "10:00", "10:04", Grain(), "failed") == [0, 0, 0, 0]


def test_what_was_said_of_a_row_is_not_taken_back_and_the_row_is_counted_once():
    windows = held(ACEROS.sends("10:00", status="rejected", id="a"), CAFE.sends("10:00"))
    held(ACEROS.sends("10:00", status="failed", id="a"), closing="10:01", windows=windows)
    assert totals(windows, "10:00", "10:03", HEARD) == [2, 0, 0]
    assert totals(windows, "10:00", "10:03", HEARD, "rejected") == [1, 0, 0]
    assert totals(windows, "10:00", "10:03", HEARD, "failed") == [0, 1, 0]


def test_what_is_soon_over_on_a_pair_is_pending_only_if_it_stays():
    windows, first = Windows(), minute("10:00")
    for m in range(10):
        fresh = [ACEROS.sends(time_of(first + m), status="pending", id=f"{m}-{n}") for n in range(4)]
        over = [ACEROS.sends(time_of(first + m - 2), id=f"{m - 2}-{n}") for n in range(3)] if m > 1 else []
        counted = windows.count(transactions(fresh + over), source="core", closing=first + m)
        windows.hold_cells(counted.cells)
        windows.remember(counted.ledger)
    # In the first two nobody knows; from then on, of each minute's four the one that is left after five.
    assert totals(windows, "10:00", "10:10", HEARD, "pending") == [4, 4, 0, 0, 0, 1, 1, 1, 1, 1]
    assert totals(windows, "10:00", "10:10", HEARD) == [4] * 10


@settings(max_examples=20)
@given(st.lists(st.tuples(sent, st.integers(0, 3)), max_size=25), st.integers(0, 110))
def test_what_is_heard_of_is_the_same_however_the_minutes_are_cut(told, cut):
    """Rows that come up to three minutes late, some of them anew under the id of another."""
    windows = Windows(hold=100)
    for m in sorted({minute_of(row["timestamp"]) + late for row, late in told}):
        rows = [row for row, late in told if minute_of(row["timestamp"]) + late == m]
        counted = windows.count(transactions(rows), source="core", closing=m)
        windows.hold_cells(counted.cells)
        windows.remember(counted.ledger)
    for by in (DIMENSIONS[:3], DIMENSIONS[:2]):
        grain = Grain(by, heard=True, everyone=True)
        measures = ["total", "failed", "pending", "novel", *(BINS if len(by) == 2 else ())]
        whole = windows.frame(grain, measures, [], BEGIN, BEGIN + 110)
        parts = [
            windows.frame(grain, measures, [], *edges) for edges in ((BEGIN, BEGIN + cut), (BEGIN + cut, BEGIN + 110))
        ]
        for measure in measures:
            one = {(scope, whole.start + m): n for (scope, m), n in said(whole, measure).items()}
            both = {(scope, part.start + m): n for part in parts for (scope, m), n in said(part, measure).items()}
            assert one == both, measure


# ---- where ---------------------------------------------------------------------------------------------------------


def test_where_picks_the_rows():
    windows = held(*every_minute("10:00", "10:02", ACEROS.sends("10:00"), ACEROS.sends("10:00", "nomina", count=5)))
    assert totals(windows, "10:00", "10:03", Grain((), where="product = 'nomina'")) == [5, 5, 0]


def test_where_may_name_the_client():
    windows = held(*every_minute("10:00", "10:02", ACEROS.sends("10:00", count=3), CAFE.sends("10:00")))
    mine = Grain(where=f"client_id = '{ACEROS.nit}'")
    assert totals(windows, "10:00", "10:02", mine) == [3, 3]
    assert totals(windows, "10:00", "10:02", mine, measure="clients") == [1, 1]
    others = Grain(("product", "channel", "client_id"), where=f"client_id <> '{ACEROS.nit}'")
    assert totals(windows, "10:00", "10:02", others) == [1, 1]


def test_where_the_named_client_is_silent_is_zero():
    windows = held(*every_minute("10:00", "10:05", CAFE.sends("10:00")), TEXTILES.sends("10:01"))
    mine = Grain(where=f"client_id = '{TEXTILES.nit}'")
    assert totals(windows, "10:01", "10:04", mine) == [1, 0, 0]


# ---- metrics -------------------------------------------------------------------------------------------------------


def readings(*rows: tuple[str, str, float | None]) -> pa.Table:
    told = [
        {"timestamp": at(clock), "series": series, "value": value, "product": "", "channel": ""}
        for clock, series, value in rows
    ]
    return pa.Table.from_pylist(told, schema=ROLES["metrics"])


def test_the_readings_of_a_window_are_averaged():
    windows = Windows()
    table = readings(
        ("10:00", "cpu", 10), ("10:00:30", "cpu", 20), ("10:02", "cpu", 60), ("10:02", "mem", 1), ("10:01", "cpu", None)
    )
    placed, late = windows.place_metrics(table, source="infra", closing=None)
    windows.hold_metrics(placed)
    assert late == 0
    one = windows.frame(Grain(("series",)), ["value"], ["value > 14"], minute("10:00"), minute("10:04"))
    assert said(one, "value") == {
        (Scope(series="cpu"), 0): 15,
        (Scope(series="cpu"), 2): 60,
        (Scope(series="mem"), 2): 1,
    }
    assert one.flags["value > 14"].tolist() == [1, 1, 0]
    three = windows.frame(Grain(("series",), 3, "series = 'cpu'"), ["value"], [], minute("10:02"), minute("10:03"))
    assert said(three, "value") == {(Scope(series="cpu"), 0): 30}


def test_a_late_reading_is_counted_and_corrects_longer_windows():
    windows = Windows()
    for closing, row in (("10:00", ("10:00", "cpu", 10.0)), ("10:02", ("10:01", "cpu", 40.0))):
        placed, late = windows.place_metrics(readings(row), source="infra", closing=minute(closing))
        windows.hold_metrics(placed)
    assert late == 1
    assert totals(windows, "10:00", "10:03", Grain(("series",)), "value") == [10]
    assert totals(windows, "10:02", "10:03", Grain(("series",), 5), "value") == [25]


# ---- what is forgotten ---------------------------------------------------------------------------------------------


def test_prune_forgets_cells_gaps_and_silent_series():
    windows = held(ACEROS.sends("08:00"), ACEROS.sends("10:00", "nomina"))
    windows.gap("core", minute("08:00"), minute("08:10"))
    windows.prune(minute("09:00"))
    assert windows.bounds() == (minute("10:00"), minute("10:00"))
    frame = windows.frame(Grain(("product",)), ["total"], [], minute("08:00"), minute("10:01"))
    assert [scope.product for scope in frame.scopes] == ["nomina"]
    assert windows.db.execute("SELECT count(*) FROM gaps").fetchall() == [(0,)]


def test_nothing_held_has_no_bounds_and_no_windows():
    windows = Windows()
    assert windows.bounds() == (0, -1)
    frame = windows.frame(Grain(), COUNTED, ["total > 1"], BEGIN, BEGIN + 5)
    assert (frame.scopes, len(frame.minute), len(frame.flags["total > 1"])) == ((), 0, 0)
