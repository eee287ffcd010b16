"""Lines of a growing file of which nothing can be made: blanked, and told, so that the others are read."""

from __future__ import annotations

from bisect import bisect_left

from connectors.delimited import spanning
from connectors.malformed import Malformed

LONGEST = 256 << 10
"""Bytes of one record. Past it, a quotation mark never closed is a malformed row, not one still being written."""
_LINE_END = ord("\n")


def blanked(chunk: bytes, end: int, encoding: str, delimiter: str, most: int) -> tuple[bytes, Malformed]:
    """The records up to `end` with those blanked that are not of the encoding or have a line longer than LONGEST, and these.

    Line ends stay, so that every other line has the number that it had. delimiter: '' where they are no CSV.
    """
    # What Arrow takes for an empty line of CSV is not one of JSON, and the other way round.
    filler = b"\r" if delimiter else b" "
    blank = bytes(byte if byte == _LINE_END else filler[0] for byte in range(256))
    spans = spanning(chunk, end, delimiter) if delimiter else []
    kept, found = bytearray(chunk[:end]), Malformed(most)
    start = line = passed = 0
    while start < end:
        stop = chunk.find(b"\n", min(start + LONGEST, end - 1), end) + 1 or end
        if _why(chunk[start:stop], encoding):
            number = line
            while start < stop:
                after = chunk.find(b"\n", start, stop) + 1 or stop
                why = _why(chunk[start:after], encoding)
                if why and start >= passed:
                    first, passed = _record(chunk, start, after, spans)
                    kept[first:passed] = chunk[first:passed].translate(blank)
                    found.add(number - chunk.count(b"\n", first, start), why)
                start, number = after, number + 1
            line = number
        else:
            line += chunk.count(b"\n", start, stop)
        start = stop
    return bytes(kept), found


def _why(lines: bytes, encoding: str) -> str:
    """Why one of the lines cannot be read, or ''. Only the last may be too long: they hold no more than LONGEST without it."""
    if len(lines) - (lines.rfind(b"\n", 0, -1) + 1) > LONGEST:
        return f"a line of more than {LONGEST >> 10} kB"
    try:
        lines.decode(encoding)
    except UnicodeDecodeError as error:
        return f"not {encoding} (byte 0x{error.object[error.start]:02x}); set `encoding`"
    return ""


def _record(chunk: bytes, start: int, stop: int, spans: list[tuple[int, int]]) -> tuple[int, int]:
    """Where the lines begin and end that the record of a line has: more than one, if line ends stand within quotation marks."""
    number = bisect_left(spans, start, key=lambda span: span[1])
    while number < len(spans) and spans[number][0] < stop:
        first, last = spans[number]
        start = min(start, chunk.rfind(b"\n", 0, first) + 1)
        stop = max(stop, chunk.find(b"\n", last - 1) + 1 or len(chunk))
        number += 1
    return start, stop
