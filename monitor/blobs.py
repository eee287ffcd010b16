"""Cells at rest: Arrow tables as compressed bytes, with a version. Another version is refused, never misread."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from monitor.database import StoreError

VERSION = 1


def packed(table: pa.Table) -> bytes:
    """The table as bytes, all its rows in one batch."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table.combine_chunks())
    found: bytes = sink.getvalue().to_pybytes()
    return found


def unpacked(blob: bytes, kind: str, version: int) -> pa.Table:
    """The table again. Raises StoreError."""
    if version != VERSION:
        raise StoreError(f"the stored {kind} are of version {version}, and this Vigía reads version {VERSION}")
    try:
        with pa.ipc.open_stream(blob) as reader:
            return reader.read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"the stored {kind} are damaged: {error}") from error


def blob_row(kind: str, table: pa.Table) -> dict[str, Any]:
    """The table, of at least one row, as a row of `cells`."""
    minutes = table["known"].to_numpy()
    span = {"first_minute": int(minutes.min()), "last_minute": int(minutes.max())}
    return {"kind": kind, **span, "version": VERSION, "blob": packed(table)}
