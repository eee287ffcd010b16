"""How each kind sees a real curve: `python -m tests.bench pictures` draws docs/img/detectors/KIND.png, three days of it.

The curve is one of the challenge's (see `kpi`), walked from its start by the kind at its default options; shown are the days around
the first labelled segment of its second half. Above: value, what was expected and its 99 % band, labelled segments shaded. Below:
the tail, and the customary one at which a reading is in breach. The kind count knows whole numbers
only and is shown the values rounded down: what a kind makes of a series that is not for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as Sheet

from detectors import customary, kinds, one
from monitor.calendar import Calendar
from tests.bench import Figure
from tests.bench.kpi import CURVES, Curve, read

CURVE = "431a8542"
DAY = 1440
LEAD, SHOWN = 20 * DAY, 3 * DAY
"""Minutes that a kind has learned before those that are shown."""
FOLDER = Path(__file__).parents[2] / "docs" / "img" / "detectors"
INK, PALE, RED, BLUE = "#222222", "#c9d7e8", "#c0392b", "#2a6fb0"


def figures() -> Iterator[Figure]:
    """A picture a kind; how many of the readings it shows are in breach."""
    path = next(CURVES.glob(f"{CURVE}*.csv.gz"), None)
    if path is None:
        yield Figure("pictures", float("nan"), "", "no VIGIA_DATA: not drawn")
        return
    curve = read(path)
    end = int(np.flatnonzero(curve.labels.astype(bool) & curve.second)[0]) + SHOWN // 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    for kind in kinds():
        seen = _seen(kind, curve, end)
        yield Figure(kind, _drawn(kind, curve, end, seen), "breaches", f"docs/img/detectors/{kind}.png")


def _seen(kind: str, curve: Curve, end: int) -> np.ndarray:
    """Tail, expected, lower, upper of the last `SHOWN` readings; NaN where there is no score."""
    minutes = curve.times // 60
    slots = Calendar("Asia/Shanghai", country="CN").slots(int(minutes[0]), int(minutes[-1]) + 1)[minutes - minutes[0]]
    found, detector = np.full((4, SHOWN), np.nan), one(kind)
    for t in range(end - LEAD - SHOWN, end):
        x, slot = float(curve.values[t]), int(slots[t])
        x = float(int(x)) if kind == "count" else x
        if t >= end - SHOWN and (s := detector.score_one(x, slot)):
            found[:, t - end] = s.tail, s.expected, s.lower, s.upper
        detector.learn_one(x, slot)
    return found


def _drawn(kind: str, curve: Curve, end: int, seen: np.ndarray) -> int:
    tail, expected, lower, upper = seen
    at, values = np.arange(SHOWN) / 60, curve.values[end - SHOWN : end]
    labelled, bar = curve.labels[end - SHOWN : end].astype(bool), customary(kind)
    breach = tail >= bar
    with mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        sheet = Sheet(figsize=(8, 3.6), dpi=110, layout="constrained")
        above, below = sheet.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
        above.fill_between(at, lower, upper, color=PALE, lw=0, label="99 % band")
        above.plot(at, expected, color=BLUE, lw=0.8, label="expected")
        above.plot(at, values, color=INK, lw=0.6, label="value")
        above.plot(at[breach], values[breach], "o", ms=3, color=RED, label="breach")
        room = np.ptp(values) * 0.15
        above.set_ylim(values.min() - room, values.max() + room)
        above.set_title(kind, loc="left", fontweight="bold")
        below.plot(at, np.minimum(tail, 2 * bar), color=INK, lw=0.6)
        below.axhline(bar, color=RED, lw=0.8, ls="--")
        below.set_ylim(0, 2.05 * bar)
        below.set_ylabel("tail")
        below.set_xlabel("hours")
        below.set_xlim(0, SHOWN / 60)
        for axes in (above, below):
            axes.fill_between(
                at,
                0,
                1,
                where=labelled,
                color="#f5c469",
                alpha=0.6,
                lw=0,
                transform=axes.get_xaxis_transform(),
                label="labelled",
            )
        above.legend(loc="upper right", ncols=5, frameon=False, fontsize=7)
        sheet.savefig(FOLDER / f"{kind}.png")
    return int(breach.sum())
