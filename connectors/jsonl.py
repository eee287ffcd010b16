"""JSON lines into columns: one object a line, malformed lines told."""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.json

from connectors import SPARSE

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 4 << 20


def whole(chunk: bytes) -> int:
    """Length of the complete lines; a last line without a line end counts if it is a complete object."""
    end = chunk.rfind(b"\n") + 1
    rest = chunk[end:].strip()
    if rest.startswith(b"{") and rest.endswith(b"}"):
        try:
            json.loads(rest)
        except ValueError:
            return end
        return len(chunk)
    return end


def records(chunk: bytes, end: int) -> Iterator[int]:
    """Of every line up to `end` that is not empty, the number of line ends before it."""
    return (line for line, text in enumerate(chunk[:end].split(b"\n")) if text and not text.isspace())


def parse(chunk: bytes) -> tuple[pa.Table, list[tuple[int, str]]]:
    """Lines to a table, and the malformed ones: (line ends before it, why).

    A key that a line lacks is null. Text stays text and numbers numbers; a column that mixes them becomes text.
    UnicodeDecodeError if the text is not UTF-8.
    """
    if not chunk or chunk.isspace():
        return pa.table({}), []
    chunk = chunk.removeprefix(codecs.BOM_UTF8)
    chunk.decode()
    try:
        table = _columns(chunk, None)
        times = [(field.name, pa.string()) for field in table.schema if pa.types.is_timestamp(field.type)]
        if times:  # text that looks like a time is still text
            table = _columns(chunk, pa.schema(times))
        malformed: list[tuple[int, str]] = []
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        table, malformed = _line_by_line(chunk)
    return table.replace_schema_metadata(SPARSE), malformed


def _columns(chunk: bytes, schema: pa.Schema | None) -> pa.Table:
    return pyarrow.json.read_json(
        pa.BufferReader(chunk),
        read_options=pyarrow.json.ReadOptions(block_size=BLOCK),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="infer"),
    )


def _line_by_line(chunk: bytes) -> tuple[pa.Table, list[tuple[int, str]]]:
    """The patient way, for chunks with a malformed line or a column of mixed kinds."""
    rows: list[dict[str, Any]] = []
    malformed: list[tuple[int, str]] = []
    for line, text in enumerate(chunk.split(b"\n")):
        if not text or text.isspace():
            continue
        try:
            row = json.loads(text)
        except ValueError as error:
            malformed.append((line, f"not JSON: {error}"))
            continue
        if isinstance(row, dict):
            rows.append(row)
        else:
            malformed.append((line, "not a JSON object"))
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _array([row.get(name) for row in rows]) for name in names}), malformed


def _array(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([v if v is None or isinstance(v, str) else json.dumps(v) for v in values], pa.string())
