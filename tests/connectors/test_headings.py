"""What people are told of a table's columns, where the table may lack its header."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from connectors import SourceError, answers
from connectors.headings import headings
from connectors.mapping import Mapping
from connectors.sources.http import Http
from tests.fake_api import TOKEN, FakeApi, Said

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as made:
        yield made


@pytest.mark.parametrize(
    "value",
    ["gerente@acme.co", "900123456", "900.123.456-7", "900 123 456", "2026-03-03T07:00:00", "07:00", "NIT900123456"],
)
def test_of_names_that_look_like_values_only_the_number_is_told(value: str) -> None:
    assert headings(["ACME SAS", value, "x"]) == "3 columns, named as if they were values: is the header missing?"


def test_names_are_told_the_first_of_them_cut() -> None:
    assert headings(["fecha", "@timestamp", "value@odata.type", "monto_2026", "n" * 99]) == (
        f"fecha, @timestamp, value@odata.type, monto_2026, {'n' * 60}…"
    )
    assert headings([str(n) for n in range(250)]).endswith(", 98, 99 and 150 others")
    assert answers.names({"900123456": {}, "900123457": {}}).startswith("it has: 2 columns, named as if")


@pytest.mark.parametrize("columns", [{"client_id": "nit"}, {}])
def test_a_mapping_does_not_tell_a_client_for_a_column(columns: dict[str, str]) -> None:
    table = pa.table({"900123456": ["900123457"], "ACME SAS": ["OTRA SAS"], "gerente@acme.co": ["b@otra.co"]})
    with pytest.raises(SourceError, match="there are: 3 columns, named as if they were values") as told:
        Mapping(role="clients", columns=columns).apply(table)
    assert "ACME" not in str(told.value)


@pytest.mark.parametrize("options", [{}, {"since": "desde", "cursor": "cambio"}], ids=["whole", "since"])
def test_nor_does_a_csv_without_its_header(api: FakeApi, options: dict[str, Any]) -> None:
    api.pages = lambda _api, _asked: Said(text=b"900123456,ACME SAS,gerente@acme.co\n900123457,OTRA SAS,b@otra.co\n")
    source = Http(url=f"{api.url}/rows", token=TOKEN, format="csv", **options)
    assert "ACME" not in source.check()
    if options:
        with pytest.raises(SourceError, match="its rows have no 'cambio': it has: 3 columns, named as if"):
            source.poll(None, NOW, None)
