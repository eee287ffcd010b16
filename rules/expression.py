"""Rule expressions: SQL over a window's measures, parsed by DuckDB and let through node by node.

An expression may name columns, constants, comparisons, AND/OR/NOT, arithmetic and a few pure functions. No subquery,
aggregate, clock or random: what is not on the list is refused, and so is what compares a text with a number or says
neither yes nor no. It runs on a connection of its own, without access to files or network and with the configuration
locked. A division by zero is NULL, so that the verdict is UNKNOWN (bare DuckDB says NaN, and NaN passes every `>`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from threading import Lock
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from rules import DIMENSIONS, Floats

FUNCTIONS = frozenset({"+", "-", "*", "/", "%", "~~", "!~~", "~~*", "abs", "round", "floor", "ceil", "nullif"})
"""Each of them NULL where an argument is: `least` is not, and the root or logarithm of a negative number is NaN."""
DIVISIONS = frozenset({"/", "%"})
CLASSES = frozenset({"COLUMN_REF", "CONSTANT", "COMPARISON", "CONJUNCTION", "BETWEEN", "OPERATOR", "FUNCTION", "CASE"})
OPERATORS = frozenset(
    {
        "OPERATOR_NOT",
        "OPERATOR_IS_NULL",
        "OPERATOR_IS_NOT_NULL",
        "OPERATOR_COALESCE",
        "OPERATOR_NULLIF",
        "COMPARE_IN",
        "COMPARE_NOT_IN",
    }
)
_LOCK = Lock()


class ExpressionError(ValueError):
    """What is wrong with an expression, in words."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A vetted expression: `sql` is written anew from the parse, never the text as it came."""

    text: str
    sql: str
    columns: frozenset[str]


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        config={
            "enable_external_access": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "threads": 1,
        }
    )
    connection.execute("SET lock_configuration = true")
    return connection


def _words(error: Exception) -> str:
    return re.sub(r"^[\w ]+ Error: ", "", str(error).splitlines()[0]).split(". You might")[0]


def _ask(query: str, argument: str) -> str:
    with _LOCK:
        ((answer,),) = _connection().execute(query, [argument]).fetchall()
    return str(answer)


def parse(text: str, columns: Collection[str]) -> Expression:
    """Vet `text`, which may name only `columns`; raises ExpressionError."""
    try:
        return _parsed(text, tuple(columns))
    except (duckdb.Error, RecursionError) as error:
        raise ExpressionError(f"cannot be read: {_words(error)}") from None


@lru_cache(maxsize=1024)
def _parsed(text: str, columns: tuple[str, ...]) -> Expression:
    tree = json.loads(_ask("SELECT json_serialize_sql(?)", f"SELECT {text}\n"))
    if tree["error"]:
        raise ExpressionError(f"cannot be read: {' '.join(tree['error_message'].split())}")
    node = tree["statements"][0]["node"]
    bare = (
        node.get("from_table", {}).get("type") == "EMPTY"
        and not node.get("modifiers")
        and not node.get("cte_map", {}).get("map")
        and node.get("aggregate_handling") == "STANDARD_HANDLING"
    )
    clauses = [key for key in ("where_clause", "having", "qualify", "group_expressions", "sample") if node.get(key)]
    if (
        len(tree["statements"]) != 1
        or node["type"] != "SELECT_NODE"
        or not bare
        or clauses
        or len(node["select_list"]) != 1
    ):
        raise ExpressionError("must be a single expression such as failed_rate > 0.05")
    node["select_list"][0]["alias"] = ""
    named = set()
    for part in _nodes(node["select_list"][0]):
        _vet(part, columns)
        if part["class"] == "COLUMN_REF":
            named.add(part["column_names"][0].lower())
        if part["type"] == "FUNCTION" and part["function_name"] in DIVISIONS and len(part["arguments"]) > 1:
            _null_by_zero(part)
    sql = _ask("SELECT json_deserialize_sql(?)", json.dumps(tree)).removeprefix("SELECT ")
    expression = Expression(text, sql, frozenset(named))
    _try(expression, columns)
    return expression


def _try(expression: Expression, columns: tuple[str, ...]) -> None:
    """Ask it of two made-up windows: what does not fit together is told now, not when it is needed."""
    texts, numbers = pa.array(["a text", None], pa.string()), pa.array([1.0, None], pa.float64())
    with _LOCK, _connection().cursor() as cursor:
        cursor.register("frame", pa.table({name: texts if name in DIMENSIONS else numbers for name in columns}))
        try:
            answer = cursor.sql(f"SELECT {expression.sql} FROM frame").to_arrow_table()
        except duckdb.Error as error:
            raise ExpressionError(f"cannot be computed: {_words(error)}") from None
    if not pa.types.is_boolean(answer.schema[0].type):
        raise ExpressionError("says neither yes nor no: write a comparison such as failed_rate > 0.05")


def _nodes(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if "class" in part:
            yield part
        for child in list(part.values()):
            yield from _nodes(child)
    elif isinstance(part, list):
        for child in part:
            yield from _nodes(child)


def _vet(part: dict[str, Any], columns: Collection[str]) -> None:
    kind = part["class"]
    if kind == "COLUMN_REF":
        name = ".".join(part["column_names"])
        if name.lower() not in columns:
            raise ExpressionError(f"knows no {name!r}; there are {', '.join(columns)}")
    elif kind == "FUNCTION" and (
        part["function_name"] not in FUNCTIONS or part["schema"] or part["distinct"] or part["filter"]
    ):
        raise ExpressionError(f"may not use {part['function_name']}()")
    elif kind not in CLASSES or (kind == "OPERATOR" and part["type"] not in OPERATORS):
        raise ExpressionError(f"may not use {part['type'].lower().replace('_', ' ')}")


def compared(text: str) -> list[tuple[str, str]]:
    """Each text that an expression compares a column with, after the column's name; of one that `parse` has let through."""
    found = []
    for part in _nodes(json.loads(_ask("SELECT json_serialize_sql(?)", f"SELECT {text}\n"))):
        sides = [part["left"], part["right"]] if part["class"] == "COMPARISON" else part.get("children", [])
        if part["class"] != "COMPARISON" and part["type"] not in ("COMPARE_IN", "COMPARE_NOT_IN"):
            continue
        columns = [one["column_names"][-1].lower() for one in sides if one["class"] == "COLUMN_REF"]
        texts = [one["literal"] for one in sides if one["class"] == "CONSTANT"]
        found += [(columns[0], one["text"]) for one in texts if len(columns) == 1 and one["kind"] == "STRING"]
    return found


def _null_by_zero(division: dict[str, Any]) -> None:
    zero = {"class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": "", "literal": {"kind": "INTEGER", "text": "0"}}
    divisor = division["arguments"][1]
    operands = [dict(divisor), {"name": "", "expression": zero}]
    null = {
        "function_name": "nullif",
        "is_operator": False,
        "qualified_name": {"path": ["nullif"]},
        "arguments": operands,
    }
    divisor["expression"] = division | null


def evaluate(table: pa.Table, expressions: Sequence[Expression]) -> list[Floats]:
    """1, 0 or NaN (cannot say) for each row of `table`, for each expression: all of them in one SELECT."""
    if not expressions or not table.num_rows:
        return [np.empty(0) for _ in expressions]
    picks = ", ".join(f"TRY(CAST(({e.sql}) AS DOUBLE)) AS e{i}" for i, e in enumerate(expressions))
    with _LOCK:
        connection = _connection()
        connection.register("frame", table)
        try:
            found = connection.sql(f"SELECT {picks} FROM frame").to_arrow_table()
        finally:
            connection.unregister("frame")
    return [found[f"e{i}"].to_numpy() for i in range(len(expressions))]
