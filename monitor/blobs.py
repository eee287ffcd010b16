"""Cells at rest: Arrow tables as compressed bytes, with a version. Another version is refused, never misread."""

from __future__ import annotations

import pyarrow as pa

VERSION = 1


class BlobError(Exception):
    """The bytes cannot be read, in words."""


def packed(table: pa.Table) -> bytes:
    """The table as bytes, all its rows in one batch."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table.combine_chunks())
    found: bytes = sink.getvalue().to_pybytes()
    return found


def unpacked(blob: bytes, kind: str, version: int) -> pa.Table:
    """The table again. Raises BlobError."""
    if version != VERSION:
        raise BlobError(f"the stored {kind} are of version {version}, and this Vigía reads version {VERSION}")
    try:
        with pa.ipc.open_stream(blob) as reader:
            return reader.read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise BlobError(f"the stored {kind} are damaged: {error}") from error
