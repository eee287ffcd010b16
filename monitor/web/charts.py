"""Curves as SVG, made on the server: the line of what was seen over the band of what was expected. No script is needed to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from json import dumps
from typing import Any

MARKS = {
    "began": "Primer minuto malo",
    "detected": "Detectada",
    "cases": "Casos",
    "reported": "Cliente reporta",
    "informed": "Informado",
    "ended": "Fin",
}
MARKS_EN = {
    "began": "First bad minute",
    "detected": "Detected",
    "cases": "Cases",
    "reported": "Client reports",
    "informed": "Informed",
    "ended": "End",
}
TONES = {"detected": "minor", "cases": "well", "reported": "major", "informed": "well", "ended": "well"}
Values = Sequence[float | None]
MOST = 90
"""Points of a spark: more would lie closer than a line is wide."""
ROOM = 1.12
"""What the highest point leaves above it."""


@dataclass(frozen=True)
class Drawing:
    """Paths in a box of `width` x `height`: band and lines, the parts of `seen` outside its band, and what to say of it all.

    now, top: the newest and the highest value seen; low, high: the newest band; at: where the first bad minute lies (x).
    """

    width: float
    height: float
    band: str
    expected: str
    seen: str
    area: str
    outside: str
    now: float | None
    expects: float | None
    low: float | None
    high: float | None
    top: float
    at: float
    ticks: Sequence[tuple[float, str]] = ()
    levels: Sequence[tuple[float, float]] = ()


def spark(
    trace: Mapping[str, Any] | None, began: datetime, *, width: float = 240, height: float = 56
) -> Drawing | None:
    """A small picture of the newest hours; None where there is nothing to draw yet."""
    return _drawn(trace, began, width, height, MOST)


def chart(
    trace: Mapping[str, Any] | None, began: datetime, zone: Any, *, width: float = 960, height: float = 260
) -> Drawing | None:
    """The whole of it, with hours below and levels at the side."""
    return _drawn(trace, began, width, height, 1 << 20, zone)


def points(trace: Mapping[str, Any] | None) -> str:
    """The curves as JSON, for the chart that follows the pointer: x in seconds since the epoch, then seen, expected, lower, upper."""
    if trace is None:
        return ""
    curves, step = trace["curves"], trace["curves"]["step"]
    times = [60 * (trace["start"] + step * i) for i in range(len(curves["seen"]))]
    return dumps([times, *(curves[name] for name in ("seen", "expected", "lower", "upper"))], separators=(",", ":"))


def marks(steps: Sequence[Mapping[str, Any]], words: Any) -> str:
    """The steps of a timeline that a chart has signs for, as JSON: [seconds since the epoch, words, tone]."""
    text = MARKS_EN if words.STATES["firing"] == "Open" else MARKS
    found = {step["what"]: step["at"].timestamp() for step in reversed(steps) if step["what"] in text}
    return dumps([[at, text[what], TONES.get(what, "quiet")] for what, at in found.items()], ensure_ascii=False)


def _drawn(
    trace: Mapping[str, Any] | None, began: datetime, width: float, height: float, most: int, zone: Any = None
) -> Drawing | None:
    if trace is None or not (curves := trace["curves"])["seen"]:
        return None
    step = curves["step"]
    seen, expected, lower, upper = (curves[name][-most:] for name in ("seen", "expected", "lower", "upper"))
    first = trace["start"] + step * (len(curves["seen"]) - len(seen))
    known = [value for value in (*seen, *upper) if value is not None]
    floor = min([0.0, *(value for value in (*seen, *lower) if value is not None)])
    top = max([*known, 1.0]) * ROOM
    span = max(len(seen) - 1, 1)

    def x(i: float) -> float:
        return round(i * width / span, 1)

    def y(value: float) -> float:
        return float(round(height - (value - floor) * height / (top - floor), 1))

    out = [
        s is not None and u is not None and low is not None and not low <= s <= u
        for s, low, u in zip(seen, lower, upper, strict=True)
    ]
    line = _path(seen, x, y)
    newest = max((i for i, value in enumerate(seen) if value is not None), default=None)
    return Drawing(
        width, height,
        band=_band(lower, upper, x, y),
        expected=_path(expected, x, y),
        seen=line,
        area="".join(_area(part, x, y, y(max(floor, 0.0))) for part in _runs(seen)),
        outside=" ".join(_outside(i, seen, x, y) for i, odd in enumerate(out) if odd),
        now=None if newest is None else seen[newest],
        expects=None if newest is None else expected[newest],
        low=None if newest is None else lower[newest],
        high=None if newest is None else upper[newest],
        top=max((value for value in seen if value is not None), default=0.0),
        at=x((began.timestamp() / 60 - first) / step),
        ticks=_hours(first, step, len(seen), x, zone) if zone else (),
        levels=[(y(value), value) for value in _levels(floor, top)] if zone else (),
    )  # fmt: skip


def _runs(values: Values) -> list[list[tuple[int, float]]]:
    """What is known without a break in between."""
    found: list[list[tuple[int, float]]] = [[]]
    for i, value in enumerate(values):
        if value is None:
            found.append([])
        else:
            found[-1].append((i, value))
    return [run for run in found if run]


def _path(values: Values, x: Any, y: Any) -> str:
    return "".join(
        "M" + "L".join(f"{x(i)} {y(v)}" for i, v in run) + ("h.1" if len(run) == 1 else "") for run in _runs(values)
    )


def _area(run: Sequence[tuple[int, float]], x: Any, y: Any, ground: float) -> str:
    return f"M{x(run[0][0])} {ground}L" + "L".join(f"{x(i)} {y(v)}" for i, v in run) + f"L{x(run[-1][0])} {ground}Z"


def _band(lower: Values, upper: Values, x: Any, y: Any) -> str:
    both = [None if low is None else up for low, up in zip(lower, upper, strict=True)]
    found = ""
    for run in _runs(both):
        back = "L".join(f"{x(i)} {y(lower[i])}" for i, _ in reversed(run))
        found += "M" + "L".join(f"{x(i)} {y(v)}" for i, v in run) + f"L{back}Z"
    return found


def _outside(i: int, seen: Values, x: Any, y: Any) -> str:
    """The way into a point that lies outside its band, and on to its middle."""
    before = seen[i - 1] if i else None
    here = f"L{x(i)} {y(seen[i])}"
    return f"M{x(i)} {y(seen[i])}h.1" if before is None else f"M{x(i - 1)} {y(before)}{here}"


def _hours(first: int, step: int, many: int, x: Any, zone: Any) -> list[tuple[float, str]]:
    """Ticks at round times, about six of them."""
    apart = next((m for m in (10, 15, 30, 60, 120, 240, 480, 1440) if many * step / m <= 7), 2880)  # noqa: PLR2004 - as many as are read easily
    found = []
    for i in range(many):
        local = datetime.fromtimestamp(60 * (first + i * step), UTC).astimezone(zone)
        if (local.hour * 60 + local.minute) % apart < step:
            found.append((x(i), f"{local:%H:%M}" if apart < 1440 else f"{local:%d/%m}"))  # noqa: PLR2004 - a day
    return found


def _levels(floor: float, top: float) -> list[float]:
    """Three or four round levels."""
    size = top - floor
    steps = (m * 10.0**e for e in range(-3, 12) for m in (1, 2, 5))
    step = next(step for step in steps if size / step <= 4)  # noqa: PLR2004 - as above
    return [step * i for i in range(int(floor // step), int(top // step) + 1) if step * i >= floor]
