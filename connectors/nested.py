"""JSON of any depth: what lies too deep, or is no text, is found before anything breaks by it."""

from __future__ import annotations

import json
import re
from typing import Any

DEPTH = 100
"""Objects and lists within each other in one row; from some hundreds on, what reads them breaks off."""
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]')
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
"""How half of a character may be written that takes two."""


def unfit(found: Any, *, halves: bool = True) -> str:
    """Why what JSON holds can be no row's, or ''. halves: whether half a character may be in it, as `halves` has it."""
    level = [found] if isinstance(found, dict | list) else []
    for _ in range(DEPTH):
        within = (value for one in level for value in (one.values() if isinstance(one, dict) else one))
        level = [value for value in within if isinstance(value, dict | list)]
        if not level:
            break
    else:
        return f"nested more than {DEPTH} deep"
    if not halves:
        return ""
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "holds half a character (a surrogate by itself)"
    return ""


def halves(text: bytes) -> bool:
    """Whether half a character may be in the JSON in it, found much quicker than in each row: as it is written, or in another encoding."""
    return _HALF.search(text) is not None or b"\xed" in text or b"\0" in text


def suspect(text: bytes) -> bool:
    """Whether the JSON in it may be unfit, found much quicker."""
    return text.count(b"[") + text.count(b"{") > DEPTH or _HALF.search(text) is not None


def loads(text: bytes) -> Any:
    """As `json.loads`; raises ValueError, RecursionError.

    What lies deeper than can be read is cut off where it has long been unfit; a whole number of more digits than Python reads is a text.
    """
    try:
        return json.loads(text)
    except RecursionError:
        try:
            return json.loads(_cut(text), parse_int=_number)
        except ValueError:
            raise RecursionError from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        return json.loads(text, parse_int=_number)


def _number(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        return digits


def _cut(text: bytes) -> bytes:
    """With a 0 in place of whatever lies deeper than twice DEPTH."""
    kept, depth, start = [], 0, 0
    for mark in _MARKS.finditer(text):
        if mark[0] in (b"[", b"{"):
            depth += 1
            if depth == 2 * DEPTH:
                kept.append(text[start : mark.start()])
        elif mark[0] in (b"]", b"}"):
            if depth == 2 * DEPTH:
                kept.append(b"0")
                start = mark.end()
            depth -= 1
    return b"".join([*kept, text[start:]])
