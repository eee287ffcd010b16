"""JSON lines into columns: one object a line, malformed lines told."""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.json

from connectors import KEPT, SPARSE
from connectors.malformed import Malformed
from connectors.nested import DEPTH, suspect, unfit

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

BLOCK = 4 << 20
HEAD = 64 << 10
"""Bytes from which it is learned what looks like a time."""
LONG = 4096
"""Bytes from which on an object is tried by itself: nested some ten thousand deep, Arrow would end the whole process by it."""


def whole(chunk: bytes) -> int:
    """Length of the complete lines; a last line without a line end counts if it is a complete object."""
    end = chunk.rfind(b"\n") + 1
    rest = chunk[end:].strip()
    if rest.startswith(b"{") and rest.endswith(b"}"):
        try:
            json.loads(rest)
        except (ValueError, RecursionError):
            return end
        return len(chunk)
    return end


def one_array(chunk: bytes) -> bool:
    """Whether all of it is in one line, and that no object but a list."""
    text = chunk.removeprefix(codecs.BOM_UTF8).strip()
    return text.startswith(b"[") and b"\n" not in text


def records(chunk: bytes, end: int) -> Iterator[int]:
    """Of every line up to `end` that is not empty, the number of line ends before it."""
    return (line for line, text in enumerate(chunk[:end].split(b"\n")) if text and not text.isspace())


def parse(chunk: bytes, most: int = KEPT) -> tuple[pa.Table, Malformed]:
    """Lines to a table, and the malformed ones, `most` of them with their lines.

    A key that a line lacks is null. Text stays text and numbers numbers; a column that mixes them becomes text.
    UnicodeDecodeError if the text is not UTF-8.
    """
    chunk = chunk.removeprefix(codecs.BOM_UTF8)
    chunk.decode()
    malformed = Malformed(most)
    if any(len(line) > LONG and _wrong(line) for line in chunk.split(b"\n")):
        table = _line_by_line(chunk, malformed)
    else:
        try:
            table = _at_once(chunk)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            table = _line_by_line(chunk, malformed)
    return table.replace_schema_metadata(SPARSE), malformed


def each(payloads: Sequence[bytes]) -> tuple[pa.Table, list[tuple[int, str]]]:
    """As `parse`, of payloads that hold one object each, laid out as it may be: (number of the malformed one, why).

    What lies in an object within it is a column of its own, named with a dot: `client.nit`.
    """
    # In JSON a line end stands only between values.
    lines = [one.replace(b"\n", b" ").strip() for one in payloads]
    suspects = {n for n, one in enumerate(lines) if len(one) > LONG or one[:1] + one[-1:] != b"{}" or b'"' not in one}
    wrong = {n: why for n in suspects if (why := _wrong(lines[n]))}
    table = _as_many(lines, wrong)
    if table is None:
        wrong |= {n: why for n, one in enumerate(lines) if n not in suspects and (why := _wrong(one))}
        table = _as_many(lines, wrong)
    if table is None:  # what Python takes and Arrow does not, or columns of mixed kinds
        table = _line_by_line(b"\n".join(one for n, one in enumerate(lines) if n not in wrong), Malformed(0))
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    names = table.column_names
    if len(set(names)) < len(names):  # `{"a.b": 1, "a": {"b": 2}}`: the first of a name
        table = table.select([names.index(name) for name in dict.fromkeys(names)])
    return table.replace_schema_metadata(SPARSE), sorted(wrong.items())


def _as_many(lines: Sequence[bytes], wrong: Container[int]) -> pa.Table | None:
    """All but the wrong ones as a table; None if it is not one row each."""
    left = [one for n, one in enumerate(lines) if n not in wrong] if wrong else lines
    chunk = b"\n".join(left)
    try:
        chunk.decode()
        table = _at_once(chunk)
    except (UnicodeDecodeError, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return table if table.num_rows == len(left) else None


def _wrong(text: bytes) -> str:
    """Why it is not one JSON object with something in it, or ''."""
    try:
        found = _read(text)
    except ValueError as error:
        return str(error)
    return "" if isinstance(found, dict) and found else "not a JSON object with a key"


def _read(text: bytes) -> Any:
    """What one line holds; ValueError, saying why, if it can be no row."""
    try:
        found = json.loads(text.decode())
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except RecursionError:
        raise ValueError(f"nested more than {DEPTH} deep") from None
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    if suspect(text) and (why := unfit(found)):
        raise ValueError(why)
    return found


def _at_once(chunk: bytes) -> pa.Table:
    """As Arrow reads it, but text that looks like a time is still text. What does is learned from the first lines."""
    if not chunk or chunk.isspace():
        return pa.table({})
    first = chunk.find(b"\n", HEAD)
    texts = _texts(_columns(chunk[:first], None).schema) if first > 0 else None
    table = _columns(chunk, texts)
    if not (more := _texts(table.schema)):
        return table
    known = {field.name: field for field in (*(texts or ()), *more)}
    return _columns(chunk, pa.schema(list(known.values())))


def _texts(schema: pa.Schema) -> pa.Schema:
    """The columns that Arrow takes for times, or that hold some, as text."""
    wanted = [pa.field(field.name, _text(field.type)) for field in schema]
    return pa.schema([field for field in wanted if field.type != schema.field(field.name).type])


def _text(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _text(field.type)) for field in kind])
    return pa.list_(_text(kind.value_type)) if pa.types.is_list(kind) else kind


def _columns(chunk: bytes, schema: pa.Schema | None) -> pa.Table:
    """Raises ArrowInvalid too where a line is nested too deeply for all that comes after."""
    table = pyarrow.json.read_json(
        pa.BufferReader(chunk),
        read_options=pyarrow.json.ReadOptions(block_size=BLOCK),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="infer"),
    )
    level = list(table.schema.types)
    for _ in range(DEPTH):
        level = [kind.field(n).type for kind in level for n in range(kind.num_fields)]
        if not level:
            return table
    raise pa.ArrowInvalid(f"nested more than {DEPTH} deep")


def _line_by_line(chunk: bytes, malformed: Malformed) -> pa.Table:
    """The patient way, for chunks with a malformed line or a column of mixed kinds."""
    rows: list[dict[str, Any]] = []
    for line, text in enumerate(chunk.split(b"\n")):
        if not text or text.isspace():
            continue
        try:
            row = _read(text)
        except ValueError as error:
            malformed.add(line, str(error))
            continue
        if isinstance(row, dict):
            rows.append(row)
        else:
            malformed.add(line, "not a JSON object")
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _array([row.get(name) for row in rows]) for name in names})


def _array(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([v if v is None or isinstance(v, str) else json.dumps(v) for v in values], pa.string())
