"""Series of points into rows: labels into columns, names of series, and when there was no point at all."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from connectors import SPARSE
from connectors.roles import TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from connectors.promql import Answered

OURS = ("product", "channel")
"""Labels that are columns of ours by their own name."""


@dataclass(slots=True)
class Points:
    """What one query gave, row by row: which series (a number), when (seconds since 1970), how much.

    name: the query's; labels: of each series, ours where they have a column; infinite: what was left out; nothing: how many NaN were.
    """

    name: str
    labels: list[dict[str, str]] = field(default_factory=list)
    which: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    infinite: list[tuple[str, int]] = field(default_factory=list)
    nothing: int = 0

    @property
    def series(self) -> int:
        """How many series there are."""
        return len(self.labels)

    @property
    def points(self) -> int:
        """How many points there were, usable or not."""
        return len(self.times) + len(self.infinite) + self.nothing


def labelled(found: Answered, columns: Mapping[str, str], *, counts: bool) -> Points:
    """The points that are numbers. columns: ours -> label, or `series`; counts: series are not told apart by their other labels."""
    points = Points(found.name)
    for number, (theirs, values) in enumerate(found.series):
        # An id that comes again is the same operation: no label says that.
        unsaid = ("__name__", "id") if counts else ("__name__",)
        labels = {name: text for name, text in theirs.items() if name not in unsaid}
        name = theirs.get(columns.get("series", ""), found.name)
        rest = {} if counts else {n: text for n, text in labels.items() if n not in (*columns.values(), *OURS)}
        series = f"{name}{{{', '.join(f'{n}={_quoted(text)}' for n, text in sorted(rest.items()))}}}" if rest else name
        known = labels | {"series": series}
        points.labels.append(
            known | {ours: (theirs | known).get(label, "") for ours, label in columns.items() if ours != "series"}
        )
        for at, text in values:
            value = float(text)
            if math.isnan(value):
                points.nothing += 1
            elif math.isinf(value):
                points.infinite.append((found.name, at))
            else:
                points.which.append(number)
                points.times.append(at)
                points.values.append(value)
    return points


def table(found: Sequence[Points], before: timedelta, *, counts: bool) -> tuple[pa.Table, Callable[[int], str]]:
    """Rows in the order of their times, each so long `before` its point; and the query and time of a row, for people."""
    labels = [one for points in found for one in points.labels]
    firsts = [sum(points.series for points in found[:i]) for i in range(len(found))]
    which = pa.array([first + i for first, points in zip(firsts, found, strict=True) for i in points.which], pa.int64())
    times = pa.array([at for points in found for at in points.times], pa.int64())
    values = pa.array([value for points in found for value in points.values], pa.float64())
    if not len(times):
        return pa.table({}), lambda row: f"row {row + 1}"
    order = pc.sort_indices(times)
    which, times, values = which.take(order), times.take(order), values.take(order)
    micros = pc.subtract(pc.multiply(times, 1_000_000), before // timedelta(microseconds=1))
    columns = {
        name: pa.array([one.get(name, "") for one in labels], pa.string()).take(which)
        for name in dict.fromkeys(name for one in labels for name in one)
    }
    columns |= {"timestamp": micros.cast(TIME), "value": values}
    if counts:
        columns["count"] = pc.round(values, round_mode="half_to_even")
    names = [points.name for points in found for _ in points.labels]

    def where(row: int) -> str:
        return f"{names[which[row].as_py()]} at {datetime.fromtimestamp(times[row].as_py(), UTC):%Y-%m-%dT%H:%M:%SZ}"

    return pa.table(columns).replace_schema_metadata(SPARSE), where


def spans(missing: Sequence[int], step: int) -> tuple[tuple[datetime, datetime], ...]:
    """The times (ends of steps, in order) as spans from the beginning of the first step to the end of the last."""
    found: list[list[int]] = []
    for at in missing:
        if found and found[-1][1] == at - step:
            found[-1][1] = at
        else:
            found.append([at - step, at])
    return tuple((datetime.fromtimestamp(a, UTC), datetime.fromtimestamp(b, UTC)) for a, b in found)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
