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
    """The rows that are new or other than the last time. `names`: of each, always the same; of rows with one name the last counts.

    rejects: what could not be read, told once. The cursor holds a digest of every row: for lists of some thousand.
    """
    wrong = {digest([one.where, one.why]): one for one in rejects}
    told: Sequence[str] = (cursor or {}).get("wrong", ())
    before: Mapping[str, str] = (cursor or {}).get("rows", {})
    marks = [digest([json.dumps(row, sort_keys=True, default=str)]) for row in rows]
    last = {name or mark: (row, mark) for name, row, mark in zip(names, rows, marks, strict=True)}
    fresh = [(name, row) for name, (row, mark) in last.items() if before.get(name) != mark]
    here: Cursor = {"rows": {name: mark for name, (_, mark) in last.items()}}
    here |= {"wrong": list(wrong)} if wrong else {}
    return Batch(
        answers.table([row for _, row in fresh]), here, True, now, tuple(one for mark, one in wrong.items() if mark not in told),
        lambda row: f"{place}: {fresh[row][0]}",
    )  # fmt: skip
