"""What an expression may say, what it may not, and what it says where there is nothing to say."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import DIMENSIONS, MEASURES, expression
from rules.expression import FUNCTIONS, ExpressionError, evaluate, parse

COLUMNS = (*MEASURES, *DIMENSIONS)
YES, NO, UNSAID = 1.0, 0.0, None


def ask(text: str, **row: float | str | None) -> float | None:
    """What the expression says of one window."""
    known = {name: row.get(name, "" if name in DIMENSIONS else None) for name in COLUMNS}
    types = {name: pa.string() if name in DIMENSIONS else pa.float64() for name in COLUMNS}
    table = pa.table({name: pa.array([value], types[name]) for name, value in known.items()})
    ((says,),) = evaluate(table, [parse(text, COLUMNS)])
    return None if np.isnan(says) else float(says)


@pytest.mark.parametrize(
    ("text", "row", "says"),
    [
        ("failed_rate > 0.05", {"failed_rate": 0.06}, YES),
        ("failed_rate > 0.05", {"failed_rate": 0.05}, NO),
        ("FAILED_RATE > 0.05", {"failed_rate": 0.06}, YES),
        ('"failed_rate" > 0.05', {"failed_rate": 0.06}, YES),
        ("failed + rejected >= 3 AND total < 10", {"failed": 1, "rejected": 2, "total": 9}, YES),
        ("failed > 5 OR latency_p95 > 800", {"failed": 0, "latency_p95": 900}, YES),
        ("NOT (failed > 5)", {"failed": 5}, YES),
        ("failed BETWEEN 1 AND 3", {"failed": 3}, YES),
        ("total IN (1, 2)", {"total": 3}, NO),
        ("total NOT IN (1, 2)", {"total": 3}, YES),
        ("product IN ('pagos', 'swift')", {"product": "swift"}, YES),
        ("product LIKE 'pag%'", {"product": "pagos"}, YES),
        ("product NOT LIKE 'pag%'", {"product": "pagos"}, NO),
        ("product ILIKE 'PAG%'", {"product": "pagos"}, YES),
        ("channel = '' OR product <> ''", {}, YES),
        ("product = 'it''s'", {"product": "it's"}, YES),
        ("abs(total - 10) > 3", {"total": 6}, YES),
        ("round(failed_rate, 1) = 0.1", {"failed_rate": 0.12}, YES),
        ("floor(total / 3) = 2 AND ceil(total / 3) = 3", {"total": 7}, YES),
        ("total % 5 = 2", {"total": 7}, YES),
        ("-total < -1", {"total": 2}, YES),
        ("CASE WHEN product = 'pagos' THEN failed > 5 ELSE failed > 50 END", {"product": "swift", "failed": 9}, NO),
        ("coalesce(failed_rate, 1) > 0.5", {"failed_rate": None}, YES),
        ("failed_rate IS NULL", {"failed_rate": None}, YES),
        ("failed_rate IS NOT NULL", {"failed_rate": 0.1}, YES),
        ("true", {}, YES),
    ],
)
def test_says_yes_or_no(text: str, row: dict[str, float | str | None], says: float) -> None:
    assert ask(text, **row) == says


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("failed_rate > 0.05", {"failed_rate": None}),
        ("NOT failed_rate > 0.05", {"failed_rate": None}),
        ("failed / total > 0.05", {"failed": 1, "total": 0}),
        ("failed / total > 0.05", {"failed": 0, "total": 0}),
        ("NOT failed / total > 0.05", {"failed": 0, "total": 0}),
        ("failed % total >= 0", {"failed": 1, "total": 0}),
        ("failed / (total - 3) > 0", {"failed": 1, "total": 3}),
        ("1 / (failed / total) > 0", {"failed": 0, "total": 5}),
        ("CASE WHEN failed / total >= 0 THEN true END", {"failed": 0, "total": 0}),
        ("abs(failed_rate) > 0", {"failed_rate": None}),
        ("round(failed_rate) >= 0", {"failed_rate": None}),
        ("nullif(total, 0) >= 0", {"total": 0}),
        ("failed_rate > 0.05 AND total > 1", {"failed_rate": None, "total": 5}),
    ],
)
def test_where_nothing_can_be_said_nothing_is(text: str, row: dict[str, float | str | None]) -> None:
    assert ask(text, **row) is UNSAID


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cannot be read"),
        ("--", "cannot be read"),
        ("/*", "cannot be read"),
        ("failed_rate >", "cannot be read"),
        ("failed_rate = 1 = 2", "cannot be read"),
        ("failed_rat > 0.05", "knows no 'failed_rat'; there are total, ok,"),
        ("frame.total > 1", "knows no 'frame.total'"),
        ("total.x > 1", "knows no 'total.x'"),
        ("current_date > '2020'", "knows no 'current_date'"),
        ("sum(total) > 1", r"may not use sum\(\)"),
        ("count(*) > 1", r"may not use count_star\(\)"),
        ("sum(total) OVER () > 1", "may not use window aggregate"),
        ("now() > 1", r"may not use now\(\)"),
        ("random() > 0.5", r"may not use random\(\)"),
        ("getenv('HOME') = ''", r"may not use getenv\(\)"),
        ("read_csv('/etc/passwd')", r"may not use read_csv\(\)"),
        ("read_text('/etc/passwd') = ''", r"may not use read_text\(\)"),
        ("system.main.abs(total) > 1", r"may not use abs\(\)"),
        ("abs(DISTINCT total) > 1", r"may not use abs\(\)"),
        ("least(failed_rate, 1) > 0.05", r"may not use least\(\)"),
        ("sqrt(total - 10) > 0", r"may not use sqrt\(\)"),
        ("total // 2 > 1", r"may not use //\(\)"),
        ("/0 > 1", "cannot be computed: No function matches"),
        ("total ^ 2 > 1", r"may not use \^\(\)"),
        ("product ~ '(a+)+'", r"may not use regexp_matches\(\)"),
        ("total > (SELECT 1)", "may not use subquery"),
        ("EXISTS (SELECT 1)", "may not use subquery"),
        ("total > ALL (SELECT 1)", "may not use subquery"),
        ("total::INT > 1", "may not use operator cast"),
        ("total > ?", "may not use value parameter"),
        ("#1 > 1", "may not use positional reference"),
        ("*", "may not use star"),
        ("COLUMNS('.*') > 1", "may not use star"),
        ("[1, 2][1] > 0", "may not use array extract"),
        ("product COLLATE nocase = 'a'", "may not use collate"),
        ("total > 1, total > 2", "must be a single expression"),
        ("total > 1; SELECT 2", "must be a single expression"),
        ("total > 1; DROP TABLE cells", "Only SELECT"),
        ("total > 1 FROM cells", "must be a single expression"),
        ("total > 1 FROM read_csv('/etc/passwd')", "must be a single expression"),
        ("total > 1 WHERE true", "must be a single expression"),
        ("total > 1 GROUP BY ALL", "must be a single expression"),
        ("total > 1 HAVING true", "must be a single expression"),
        ("total > 1 QUALIFY true", "must be a single expression"),
        ("total > 1 ORDER BY 1", "must be a single expression"),
        ("total > 1 LIMIT 1", "must be a single expression"),
        ("total > 1 USING SAMPLE 1", "must be a single expression"),
        ("DISTINCT total > 1", "must be a single expression"),
        ("total > 1 UNION SELECT 2", "must be a single expression"),
        ("failed_rate", "says neither yes nor no"),
        ("failed_rate * 100", "says neither yes nor no"),
        ("'x'", "says neither yes nor no"),
        ("NULL", "says neither yes nor no"),
        ("product > 5", "cannot be computed: Cannot compare values of type VARCHAR"),
        ("product + 1 > 2", "cannot be computed: No function matches"),
        ("product IN (1, 2)", "cannot be computed: Could not convert string 'a text' to INT32"),
        ("product = total", "cannot be computed: Could not convert"),
        ("failed_rate LIKE 'x'", "cannot be computed: No function matches"),
        ("total = 'abc'", "cannot be computed: Could not convert string 'abc'"),
        ("9223372036854775807 + 1 > total", "cannot be computed: Overflow"),
        ("\ud800", "cannot be read"),
        ("not " * 900 + "true", "cannot be read"),
        ("1+" * 3000 + "1 > 0", "cannot be read"),
    ],
)
def test_refused_in_words_of_one_line(text: str, why: str) -> None:
    with pytest.raises(ExpressionError, match=why) as caught:
        parse(text, COLUMNS)
    assert "\n" not in str(caught.value)
    assert "Error:" not in str(caught.value)


def test_only_the_columns_that_are_given_are_known() -> None:
    assert parse("product = 'pagos'", DIMENSIONS).columns == {"product"}
    with pytest.raises(ExpressionError, match="knows no 'total'; there are product, channel, client_id, series"):
        parse("total > 1", DIMENSIONS)


def test_names_the_columns_whatever_their_case() -> None:
    assert parse("Failed > 1 AND PRODUCT = 'x'", COLUMNS).columns == {"failed", "product"}


def test_many_at_once_keep_their_places() -> None:
    texts = [f"total > {n}" for n in range(60)]
    table = pa.table({"total": pa.array([30.0, None, 59.0])})
    said = np.array(evaluate(table, [parse(text, ["total"]) for text in texts]))
    assert (said[:, 0] == (np.arange(60) < 30)).all()
    assert np.isnan(said[:, 1]).all()
    assert said[:, 2].sum() == 59


def test_nothing_is_said_of_no_windows() -> None:
    (said,) = evaluate(pa.table({"total": pa.array([], pa.float64())}), [parse("total > 1", ["total"])])
    assert said.size == 0
    assert evaluate(pa.table({"total": [1.0]}), []) == []


def test_a_conversion_that_fails_on_one_window_says_nothing_and_stops_nothing() -> None:
    text = "CASE WHEN product = 'a text' THEN true ELSE product = total END"  # fits where it is tried
    assert ask(text, product="pagos", total=5) is UNSAID


def test_files_are_out_of_reach_even_of_sql_that_was_not_vetted(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(duckdb.PermissionException, match="disabled"):
        expression._connection().execute(f"SELECT * FROM read_csv('{tmp_path}/secret.csv')")
    with pytest.raises(duckdb.InvalidInputException, match="configuration has been locked"):
        expression._connection().execute("SET enable_external_access = true")


WORDS = [
    *(*COLUMNS, *FUNCTIONS, "=", "<", ">", "<>", "(", ")", ",", ";", "?", "*", "[", "]", "{", "}", "->", "--", "/*"),
    *("$1", "#1", "1", "0", "0.5", "1e308", "'a'", "''", "AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "CASE", "WHEN"),
    *("THEN", "END", "IS", "NULL", "SELECT", "FROM", "cells", "VALUES", "WITH", "UNION", "LIMIT", "ALL", "::INT"),
    *("now()", "GROUP BY", "ORDER BY", "read_csv('/etc/passwd')"),
]


@given(st.text() | st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_any_text_is_an_expression_of_known_columns_or_refused(text: str) -> None:
    try:
        found = parse(text, COLUMNS)
    except ExpressionError:
        return
    assert found.columns <= set(COLUMNS)
    for value in (None, 0.0, -1.0, 1e300):
        row = {name: "a" if name in DIMENSIONS else value for name in COLUMNS}
        assert ask(text, **row) in (YES, NO, UNSAID)


COMPARED = st.sampled_from(
    ["failed_rate", "failed / total", "failed % total", "abs(failed_rate)", "round(failed_rate)"]
)


@given(COMPARED, st.sampled_from(["<", "<=", ">", ">=", "=", "<>"]), st.floats(-10, 10), st.booleans())
def test_without_denominator_no_comparison_says_anything(left: str, sign: str, right: float, negated: bool) -> None:  # noqa: FBT001
    text = f"{left} {sign} {right:.3f}"
    assert ask(f"NOT ({text})" if negated else text, failed=0, total=0, failed_rate=None) is UNSAID
