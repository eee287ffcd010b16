"""Rows counted once, each from the minute that it was known in."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.cells import Counted
from monitor.windows import Windows, time_of
from rules import Grain
from tests.characters import ACEROS, CAFE, TEXTILES, at, minute, transactions


class Counting:
    """A windows' rows in, as the judge brings them; minutes close when told."""

    def __init__(self, *, hold: int = 60) -> None:
        self.windows = Windows(hold=hold)
        self.kept: list[Counted] = []
        self.closing: int | None = None

    def arrive(self, *rows: dict) -> Counted:
        counted = self.windows.count(transactions(rows), source="core", closing=self.closing)
        self.windows.hold_cells(counted.cells)
        self.windows.remember(counted.ledger)
        self.kept.append(counted)
        return counted

    def close(self, clock: str) -> None:
        """Every minute before this time is closed."""
        self.closing = minute(clock)
        self.windows.release(self.closing)

    def restarted(self) -> Counting:
        """Another, built from what this one would have stored."""
        again = Counting(hold=self.windows.hold)
        for counted in self.kept:
            again.windows.hold_cells(counted.cells)
            again.windows.remember(counted.ledger)
        again.closing = self.closing
        return again

    def said(self, clock: str, measure: str = "total", *, minutes: int = 1) -> float:
        """What the window whose last minute starts then says of pagos by web."""
        m = minute(clock)
        frame = self.windows.frame(Grain(minutes=minutes), [measure], [], m, m + 1)
        (value,) = [
            x for x, s in zip(frame.columns[measure], frame.series, strict=True) if frame.scopes[s].product == "pagos"
        ]
        return float(value)


def total(table: pa.Table) -> int:
    return pc.sum(table["n"]).as_py() or 0


def test_a_row_may_stand_for_many():
    bank = Counting()
    bank.arrive(ACEROS.sends("10:00:05", count=40), CAFE.sends("10:00:50", count=2, status="failed"))
    assert bank.said("10:00") == 42
    assert bank.said("10:00", "failed_rate") == 2 / 42


def test_a_late_row_is_seen_by_the_windows_that_end_later_and_not_by_those_that_are_closed():
    bank = Counting()
    bank.close("10:00")
    bank.arrive(ACEROS.sends("10:00"), ACEROS.sends("10:03"))
    bank.close("10:03")
    late = bank.arrive(TEXTILES.sends("10:01:30"))
    assert (late.late, late.too_late) == (1, 0)
    assert [bank.said(f"10:0{m}") for m in range(4)] == [1, 0, 0, 1]
    assert bank.said("10:02", minutes=5) == 1
    assert bank.said("10:03", minutes=5) == 3
    assert bank.said("10:05", minutes=5) == 2
    assert bank.said("10:06", minutes=5) == 1


def test_a_row_that_is_too_late_is_dropped_and_counted():
    bank = Counting(hold=10)
    bank.close("10:30")
    counted = bank.arrive(ACEROS.sends("10:19:59"), ACEROS.sends("10:20"), ACEROS.sends("10:30"))
    assert (counted.late, counted.too_late, total(counted.cells)) == (1, 1, 2)


def test_history_is_never_late():
    counted = Counting().arrive(
        *(ACEROS.sends("10:00", product) for product in ("pagos", "nomina")), ACEROS.sends("03:00")
    )
    assert (counted.late, counted.too_late) == (0, 0)
    assert counted.cells["minute"].to_pylist() == counted.cells["known"].to_pylist()


def test_the_same_id_counts_once_within_a_batch_and_the_last_to_arrive_wins():
    bank = Counting()
    bank.close("10:00")
    counted = bank.arrive(
        ACEROS.sends("10:00", id="a", status="pending"),
        ACEROS.sends("10:00", id="b"),
        ACEROS.sends("10:00", id="a", status="failed"),
    )
    assert counted.repeated == 1
    assert [bank.said("10:00", measure) for measure in ("total", "pending", "failed", "ok")] == [2, 0, 1, 1]


def test_the_same_id_counts_once_across_batches():
    bank = Counting()
    bank.close("10:00")
    bank.arrive(ACEROS.sends("10:00", id="a"), ACEROS.sends("10:00", id="b"))
    assert bank.arrive(ACEROS.sends("10:00", id="a")).repeated == 1
    assert bank.said("10:00") == 2


def test_rows_without_an_id_are_each_their_own():
    bank = Counting()
    bank.arrive(ACEROS.sends("10:00"), ACEROS.sends("10:00"), ACEROS.sends("10:00", id="a"))
    assert bank.said("10:00") == 3


def test_an_id_is_of_its_source():
    windows = Windows()
    for source in ("core", "switch", "core"):
        counted = windows.count(transactions([ACEROS.sends("10:00", id="a")]), source=source, closing=minute("10:00"))
        windows.hold_cells(counted.cells)
        windows.remember(counted.ledger)
    frame = windows.frame(Grain(), ["total"], [], minute("10:00"), minute("10:01"))
    assert frame.columns["total"].tolist() == [2]


def test_pending_then_failed_after_the_minute_has_closed():
    bank = Counting()
    bank.close("10:00")
    bank.arrive(ACEROS.sends("10:00", id="a", status="pending", amount=70), ACEROS.sends("10:00", id="b"))
    bank.close("10:02")
    counted = bank.arrive(ACEROS.sends("10:00", id="a", status="failed", amount=80))
    assert (counted.repeated, counted.late, total(counted.cells)) == (1, 1, 0)
    bank.arrive(ACEROS.sends("10:02"))
    assert bank.said("10:00", "pending") == 1
    assert [bank.said("10:02", measure, minutes=5) for measure in ("total", "pending", "failed")] == [3, 0, 1]
    assert bank.said("10:02", "amount", minutes=5) == bank.said("10:02", "failed_amount", minutes=5) == 80


def test_a_third_version_takes_the_second_back():
    bank = Counting()
    bank.close("10:00")
    for status in ("pending", "failed", "ok"):
        bank.arrive(ACEROS.sends("10:00", id="a", status=status))
    assert [bank.said("10:00", measure) for measure in ("total", "pending", "failed", "ok")] == [1, 0, 0, 1]


def test_across_a_restart_the_same_id_is_known():
    bank = Counting()
    bank.close("10:00")
    bank.arrive(ACEROS.sends("10:00", id="a", status="pending"))
    bank.arrive(ACEROS.sends("10:00", id="a", status="failed"), ACEROS.sends("10:00", id="b"))
    bank.close("10:01")
    again = bank.restarted()
    for one in (bank, again):
        one.arrive(ACEROS.sends("10:01", id="a", status="ok"), ACEROS.sends("10:01", id="b"))
        assert [one.said("10:01", measure, minutes=5) for measure in ("total", "failed", "ok")] == [2, 0, 2]


def test_what_comes_again_as_it_was_is_not_kept_again():
    bank = Counting()
    bank.close("10:00")
    rows = [ACEROS.sends("10:00", id=name, amount=n, latency_ms=n) for n, name in enumerate("abc")]
    rows.append(ACEROS.sends("10:00", id="d"))
    assert bank.arrive(*rows).ledger.num_rows == 4
    bank.close("10:02")
    again = bank.arrive(*rows[:3], rows[3] | {"status": "failed"}, ACEROS.sends("10:02", id="e"))
    assert sorted(again.ledger["id"].to_pylist()) == ["d", "e"]
    last = bank.restarted().arrive(rows[0] | {"status": "failed"}, rows[3])
    assert (last.repeated, [total(c.cells) for c in (*bank.kept, last)]) == (2, [4, 1, 0])


def test_past_the_hold_the_same_id_is_counted_anew():
    bank = Counting(hold=10)
    bank.close("10:00")
    bank.arrive(ACEROS.sends("10:00", id="a", status="failed"))
    bank.close("10:11")
    assert bank.arrive(ACEROS.sends("10:11", id="a")).repeated == 0
    assert bank.said("10:00") == 1
    assert bank.said("10:11") == 1
    assert bank.said("10:11", minutes=15) == 2


def test_at_the_end_of_the_hold_the_same_id_still_counts_once():
    bank = Counting(hold=10)
    bank.close("10:00")
    bank.arrive(ACEROS.sends("10:00", id="a", status="failed"))
    bank.close("10:10")
    assert bank.arrive(ACEROS.sends("10:10", id="a")).repeated == 1
    assert bank.said("10:10", minutes=15) == 1


def test_history_and_live_take_back_the_same_versions():
    """The same id every seven minutes, held for ten: each takes the one before back, read together or one at a time."""
    rows = [
        ACEROS.sends(at("10:00") + timedelta(minutes=7 * n), id="a", status=status)
        for n, status in enumerate(("pending", "failed", "pending", "ok"))
    ]
    history, live = Counting(hold=10), Counting(hold=10)
    history.arrive(*rows)
    for n, row in enumerate(rows):
        live.closing = minute("10:00") + 7 * n
        live.windows.release(live.closing)
        live.arrive(row)
    columns = ["minute", "known", "status", "n"]
    order = [(name, "ascending") for name in columns]
    seen = [
        pa.concat_tables(c.cells for c in bank.kept).select(columns).sort_by(order).to_pylist()
        for bank in (history, live)
    ]
    assert seen[0] == seen[1]
    assert history.said("10:21", minutes=60) == 1


def test_in_history_the_newest_by_time_wins_whatever_the_order_of_the_batches():
    bank = Counting()
    bank.arrive(ACEROS.sends("10:05", id="a", status="failed"))
    bank.arrive(ACEROS.sends("10:00", id="a", status="pending"))
    bank.arrive(ACEROS.sends("10:02", id="a", status="ok"))
    assert [bank.said("10:05", measure, minutes=10) for measure in ("total", "pending", "failed")] == [1, 0, 1]


def test_amounts_are_exact():
    bank = Counting()
    bank.arrive(*(ACEROS.sends("10:00", amount=Decimal(amount)) for amount in ("0.10", "0.20", "9999999999999999.70")))
    (amount,) = bank.kept[0].cells["amount"].to_pylist()
    assert str(amount) == "10000000000000000.00"


# ---- executed twice ----------------------------------------------------------------------------------------------


def again(bank: Counting) -> dict[tuple[int, str], int]:
    """What is told to be executed twice, by minute (from ten o'clock) and client."""
    found: dict[tuple[int, str], int] = {}
    for counted in bank.kept:
        for row in counted.cells.to_pylist():
            key = (row["minute"] - minute("10:00"), row["client_id"])
            found[key] = found.get(key, 0) + row["again"]
    return {key: n for key, n in found.items() if n}


def test_the_same_amount_of_one_client_in_one_minute_under_an_id_of_its_own_is_executed_twice():
    bank = Counting()
    bank.arrive(
        *(ACEROS.sends("10:00", id=name, amount=70) for name in "abc"), ACEROS.sends("10:00", id="d", amount=71)
    )
    assert again(bank) == {(0, ACEROS.nit): 2}
    assert (bank.said("10:00"), bank.said("10:00", "duplicated")) == (4, 2)


@pytest.mark.parametrize(
    "other",
    [
        CAFE.sends("10:00", id="b", amount=70),
        ACEROS.sends("10:00", "nomina", "web", id="b", amount=70),
        ACEROS.sends("10:00", "pagos", "h2h", id="b", amount=70),
        ACEROS.sends("10:01", id="b", amount=70),
        ACEROS.sends("10:00", id="b", amount=Decimal("70.01")),
        ACEROS.sends("10:00", amount=70),
        ACEROS.sends("10:00", id="a", amount=70),
        ACEROS.sends("10:00", id="a", amount=70, status="failed"),
    ],
    ids=["client", "product", "channel", "minute", "amount", "no id", "the same row", "the same row, changed"],
)
def test_what_differs_or_is_the_same_row_is_not(other):
    for batches in (1, 2):
        bank = Counting()
        bank.close("10:00")
        rows = [ACEROS.sends("10:00", "pagos", "web", id="a", amount=70), other]
        for batch in [rows] if batches == 1 else [[row] for row in rows]:
            bank.arrive(*batch)
        assert again(bank) == {}


def test_a_row_that_stands_for_many_is_no_operation_that_could_be_executed_twice():
    bank = Counting()
    bank.arrive(
        *(
            ACEROS.sends("10:00", id=name, amount=70, count=n, status=s)
            for name, n, s in (("a", 2, "ok"), ("b", 1, "failed"))
        )
    )
    bank.arrive(*(ACEROS.sends("10:00", id=name, amount=90, count=3) for name in "cd"))
    assert again(bank) == {}


def test_rows_of_nobody_or_of_nothing_are_not():
    bank = Counting()
    bank.arrive(*(ACEROS.sends("10:00", id=name, amount=0) for name in "ab"))
    bank.arrive(*(ACEROS.sends("10:00", id=name, amount=70, client_id="") for name in "cd"))
    assert again(bank) == {}


def test_pending_then_ok_is_executed_once():
    bank = Counting()
    bank.close("10:00")
    for status in ("pending", "ok"):
        bank.arrive(*(ACEROS.sends("10:00", id=name, amount=70, status=status) for name in "ab"))
    assert again(bank) == {(0, ACEROS.nit): 1}
    assert (bank.said("10:00"), bank.said("10:00", "ok"), bank.said("10:00", "duplicated")) == (2, 2, 1)


def test_what_is_executed_again_late_is_known_then():
    bank = Counting()
    bank.close("10:00")
    bank.arrive(ACEROS.sends("10:00", id="a", amount=70))
    bank.close("10:03")
    bank.arrive(ACEROS.sends("10:00", id="b", amount=70), ACEROS.sends("10:03", id="c", amount=70))
    assert [bank.said(f"10:0{m}", "duplicated", minutes=5) for m in range(6)] == [0, 0, 0, 1, 1, 0]


def test_another_sources_row_is_none_of_this_ones():
    windows = Windows()
    for source in ("core", "switch"):
        rows = transactions([ACEROS.sends("10:00", id=source, amount=70)])
        counted = windows.count(rows, source=source, closing=minute("10:00"))
        windows.remember(counted.ledger)
        assert sum(counted.cells["again"].to_pylist()) == 0


paid = st.tuples(st.sampled_from("abcdef"), st.sampled_from(["pending", "ok", "failed"]))
"""An id, which is of one client, amount and minute for good, and a version of it. Sent twice or thrice, it is still one."""


@settings(max_examples=50)
@given(st.lists(paid, min_size=1, max_size=14), st.lists(st.integers(0, 14), max_size=4), st.booleans())
def test_across_batches_as_in_one_batch(sent, edges, live):
    client = dict(zip("abcdef", (ACEROS, ACEROS, CAFE, ACEROS, CAFE, CAFE), strict=True))
    rows = [
        client[name].sends("10:01" if name == "f" else "10:00", "pagos", "web", id=name, amount=70, status=status)
        for name, status in sent
    ]
    bounds = sorted({0, len(rows), *(edge for edge in edges if edge < len(rows))})
    one, many = Counting(), Counting()
    for bank in (one, many):
        bank.closing = minute("10:00") if live else None
    one.arrive(*rows)
    for start, end in pairwise(bounds):
        many.arrive(*rows[start:end])
    names = {name for name, _ in sent}
    twice = {(0, who.nit): len({n for n in names if client[n] is who and n != "f"}) - 1 for who in (ACEROS, CAFE)}
    assert again(one) == again(many) == {key: n for key, n in twice.items() if n > 0}


def test_a_row_from_a_clock_that_is_ahead_makes_nobody_forget_the_others():
    for closing in ("10:00", None):
        bank = Counting()
        bank.closing = minute(closing) if closing else None
        rows = [ACEROS.sends("10:00", id="a"), ACEROS.sends("15:00", id="ahead")]
        for _ in range(3):
            counted = bank.windows.count(transactions(rows), source="core", closing=bank.closing, read=minute("10:01"))
            bank.windows.hold_cells(counted.cells)
            bank.windows.remember(counted.ledger)
        assert bank.said("10:00") == 1


def test_what_a_source_tells_of_its_dark_time_becomes_known_bit_by_bit():
    bank = Counting(hold=10)
    bank.close("10:30")
    rows = [ACEROS.sends(time_of(minute("10:00") + m)) for m in range(-1, 32)]
    counted = bank.windows.count(
        transactions(rows), source="core", closing=bank.closing, dark=(minute("10:00"), bank.closing)
    )
    assert (counted.late, counted.too_late) == (30, 1)
    known = {
        m: n - minute("10:30")
        for m, n in zip(*(counted.cells[c].to_pylist() for c in ("minute", "known")), strict=True)
    }
    assert [known[minute("10:00") + m] for m in (0, 4, 5, 29, 30, 31)] == [0, 0, 1, 5, 0, 1]


@pytest.mark.parametrize("amount", [None, Decimal(0)])
def test_a_group_that_the_database_counts_as_empty_takes_back_what_it_said(amount: Decimal | None) -> None:
    """Three were pending; two fail and one is left, then none: each of the groups has an id of its own."""
    bank = Counting()
    bank.close("10:00")
    for left, failed in ((3, 0), (1, 2), (0, 3), (0, 3)):
        groups = (("pending", left), ("failed", failed))
        bank.arrive(
            *(CAFE.sends("10:00", id=s, status=s, count=n, amount=amount if n == 0 else Decimal(n)) for s, n in groups)
        )
        assert [bank.said("10:00", what) for what in ("total", "pending", "failed")] == [3, left, failed]
    assert total(bank.kept[-1].cells) == 0
    assert bank.restarted().said("10:00", "failed") == 3
