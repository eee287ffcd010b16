"""Times and numbers as they are written in a country: `21/11/2026 13:02:00`, `1.234,56`."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mapping import Mapping

SPELLED = "%d/%m/%Y %H:%M:%S"
HERE = Mapping(
    role="transactions", timezone="America/Bogota", time_format=SPELLED, decimal=",",
    defaults={"latency_ms": 1.5, "amount": "0.10"},
)  # fmt: skip


def rows(**columns: list[object]) -> pa.Table:
    table = pa.table(columns)
    return table.append_column("status", pa.array(["ok"] * table.num_rows))


def test_times_and_amounts_are_read_as_written_and_defaults_as_the_configuration_writes_them() -> None:
    told = HERE.apply(rows(timestamp=["21/11/2026 13:02:00", " 1/2/2026 9:05:00"], amount=["1.234,56", ""]))
    assert told.rejects == ()
    assert [(row["timestamp"], row["amount"], row["latency_ms"]) for row in told.table.to_pylist()] == [
        (datetime(2026, 11, 21, 18, 2, tzinfo=UTC), Decimal("1234.56"), 1.5),
        (datetime(2026, 2, 1, 14, 5, tzinfo=UTC), Decimal("0.10"), 1.5),
    ]


@settings(max_examples=50, deadline=None)
@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - written without offset
    st.decimals(-(10**15), 10**15, places=2, allow_nan=False),
)
def test_whatever_is_written_so_comes_back(time: datetime, amount: Decimal) -> None:
    spelled = f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))
    (row,) = HERE.apply(rows(timestamp=[time.strftime(SPELLED)], amount=[spelled])).table.to_pylist()
    whole = time.replace(microsecond=0, tzinfo=UTC) + timedelta(hours=5)
    assert (row["timestamp"], row["amount"]) == (whole, amount)


@pytest.mark.parametrize("amount", ["1234.56", "1.23", "1,234.56", "12.34,5", "uno"])
def test_a_dot_that_sets_no_thousands_apart_is_no_number(amount: str) -> None:
    told = HERE.apply(rows(timestamp=["21/11/2026 13:02:00"], amount=[amount]))
    assert [reject.why for reject in told.rejects] == [f"amount {amount!r} is not a number"]


@pytest.mark.parametrize("time", ["2026-11-21 13:02:00", "31/02/2026 10:00:00", "1793203200"])
def test_a_time_of_another_format_is_no_time(time: str) -> None:
    assert [reject.why for reject in HERE.apply(rows(timestamp=[time])).rejects] == [
        f"timestamp {time!r} is not a time"
    ]


def test_columns_that_have_a_type_need_no_format() -> None:
    table = rows(timestamp=[datetime(2026, 11, 21, 18, 2, tzinfo=UTC)], amount=[1234.56], count=[2])
    (row,) = HERE.apply(table).table.to_pylist()
    assert (row["timestamp"], row["amount"]) == (datetime(2026, 11, 21, 18, 2, tzinfo=UTC), Decimal("1234.56"))
    days = Mapping(role="holdings", time_format="%Y%m%d")
    (row,) = days.apply(pa.table({"client_id": ["1"], "product": ["p"], "since": [20261121]})).table.to_pylist()
    assert row["since"].date() == date(2026, 11, 21)


def test_an_offset_in_the_text_is_heeded_and_metrics_are_read_likewise() -> None:
    mapping = Mapping(role="metrics", timezone="America/Bogota", time_format="%d/%m/%Y %H:%M %z", decimal=",")
    table = pa.table({"timestamp": ["21/11/2026 13:02 +00"], "cola": ["1.234,5"]})
    (row,) = mapping.apply(table).table.to_pylist()
    assert (row["timestamp"], row["value"]) == (datetime(2026, 11, 21, 13, 2, tzinfo=UTC), 1234.5)


def test_whoever_says_nothing_is_told_of_the_keys() -> None:
    (told,) = Mapping(role="transactions").apply(rows(timestamp=["21/11/2026 13:02"], amount=["1.234,56"])).rejects
    assert told.why == (
        "timestamp '21/11/2026 13:02' is not a time; see time_format; amount '1.234,56' is not a number; see decimal"
    )


@pytest.mark.parametrize("wrong", ["dd/mm/yyyy", "%d/%m", "%d/%M/%Y", "%d/%m/%Y %I:%M", "%d/%m/%Y %H:%m", "%Q", "%"])
def test_a_format_that_is_none_is_refused_by_its_key(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^time_format: '.*' is no format"):
        Mapping(role="transactions", time_format=wrong)


@pytest.mark.parametrize(
    "right", ["%d/%m/%Y", "%d/%m/%y %H:%M", "%Y%m%d%H%M%S", "%d/%m/%Y %I:%M %p", SPELLED, "%d %b %Y %H"]
)
def test_a_format_of_a_day_with_its_time_or_without_is_taken(right: str) -> None:
    Mapping(role="transactions", time_format=right)
