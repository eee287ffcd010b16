"""What has changed in a list that is always read as a whole and does not say when."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors import Batch, Cursor, Reject, answers
from connectors.values import digest


def changed(
    rows: Sequence[dict[str, Any]],
    names: Sequence[str],
    cursor: Cursor | None,
    now: datetime,
    place: str,
    rejects: Sequence[Reject] = (),
) -> Batch:
    """The rows that are new or other than the last time; `names`: of each, always the same; rejects: what could not be read.

    The cursor holds a digest of every row: for lists of some thousand.
    """
    before: Mapping[str, str] = (cursor or {}).get("rows", {})
    marks = [digest([json.dumps(row, sort_keys=True, default=str)]) for row in rows]
    fresh = [(name, row) for name, row, mark in zip(names, rows, marks, strict=True) if before.get(name) != mark]
    return Batch(
        answers.table([row for _, row in fresh]), {"rows": dict(zip(names, marks, strict=True))}, True, now, tuple(rejects),
        lambda row: f"{place}: {fresh[row][0]}",
    )  # fmt: skip
