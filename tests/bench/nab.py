"""What the ensemble finds in the 58 series of the Numenta Anomaly Benchmark (VIGIA_DATA/nab), and other kinds beside it.

By the benchmark's own score. One strictly online pass a file, as `vigia score` makes it: slots from the file's timestamps, nothing
known of the file but the readings so far, each learned once it is scored; a detection is a reading whose tail is at or above the
threshold. As on the board, one threshold for all files is chosen on these same files, for each profile; so is the tail from which
the ensemble tells, once and for all: its default.

The honest figure is "a category left out: both": with one category left out, both the threshold and that tail are chosen on the six others,
and earned is what they earn on the one left out; summed over the seven. The members weigh the same, always. What it cannot
make good: which members there are was chosen with all files in sight. The other kinds were not made for these files; theirs are the
best threshold of these files, with one category left out, and the tail that they are customarily in breach at.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np

from detectors import customary, one
from monitor.score import weekday_slot
from tests.bench import Figure
from tests.bench.nab_score import PROFILES, STANDARD, Curve, File, Floats, Profile, curve, marked, normal

TOLD = (2.2, 2.3, 2.4, 2.5, 2.6)
"""Tails from which the ensemble may tell; the middle one is its default."""
OTHERS = ("seasonal", "residuals", "ewma")
AT_ONCE = 2
BESIDE = {"standard": "ARTime 74.9, HTM 70.1", "low FP": "CAD OSE 67.0, ARTime 65.1", "low FN": "ARTime 80.4, HTM 74.3"}
Series = tuple[Floats, np.ndarray]


def corpus(folder: Path) -> tuple[dict[str, Series], dict[str, File]]:
    """Each file's readings and their clock slots, and its marks."""
    series, files = {}, {}
    for name, windows in sorted(json.loads((folder / "labels" / "combined_windows.json").read_text()).items()):
        with (folder / "data" / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        times = [datetime.fromisoformat(row["timestamp"]) for row in rows]
        place = {time: i for i, time in reversed(list(enumerate(times)))}  # a time that comes twice is its first
        ends = [(place[datetime.fromisoformat(a)], place[datetime.fromisoformat(b)]) for a, b in windows]
        readings = np.array([float(row["value"]) for row in rows])
        series[name] = readings, np.array([weekday_slot(time) for time in times])
        files[name] = marked(len(rows), ends)
    return series, files


def scores(series: Series, kind: str, **options: float) -> tuple[Floats, float]:
    """The tail of each reading, NaN while warming, and the seconds that took."""
    readings, slots = series
    detector, tails = one(kind, **options), np.full(len(readings), np.nan)
    began = perf_counter()
    for t, (x, slot) in enumerate(zip(readings.tolist(), slots.tolist(), strict=True)):
        if found := detector.score_one(x, slot):
            tails[t] = found.tail
        detector.learn_one(x, slot)
    return tails, perf_counter() - began


def category(name: str) -> str:
    """The folder that a file lies in."""
    return name.split("/", maxsplit=1)[0]


class Run:
    """A pass over all files: what any threshold earns on any part of them."""

    def __init__(self, files: dict[str, File], found: dict[str, Floats]) -> None:
        self._files, self._found = files, found

    def on(self, names: Iterable[str], profile: Profile = STANDARD) -> Curve:
        """What each threshold earns on these files."""
        return curve([(self._files[name], self._found[name]) for name in names], profile)


def _run(files: dict[str, File], tails: list[tuple[Floats, float]]) -> Run:
    return Run(files, dict(zip(files, (tail for tail, _ in tails), strict=True)))


def left_out(runs: list[Run], files: dict[str, File]) -> float:
    """Run and threshold chosen without a category, scored on it; all categories, standard profile."""
    earned = 0.0
    for out in {category(name) for name in files}:
        others = [run.on(name for name in files if category(name) != out) for run in runs]
        best = max(range(len(runs)), key=lambda i: others[i].earned.max())
        earned += runs[best].on(name for name in files if category(name) == out).at(others[best].best())
    return normal(earned, sum(file.windows for file in files.values()), STANDARD)


def figures() -> Iterator[Figure]:
    """The three profiles, what holds for categories left out, each category, and the time."""
    folder = Path(os.environ.get("VIGIA_DATA", Path(__file__).parents[2].parent / "shared" / "data"), "nab")
    if not folder.exists():
        yield Figure("Numenta's files", float("nan"), "", "no VIGIA_DATA: left out")
        return
    series, files = corpus(folder)
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        passes = [list(pool.map(partial(scores, kind="ensemble", told=told), series.values())) for told in TOLD]
        others = [list(pool.map(partial(scores, kind=kind), series.values())) for kind in OTHERS]
    runs, beside = ([_run(files, run) for run in some] for some in (passes, others))
    default, windows = runs[len(runs) // 2], sum(file.windows for file in files.values())
    for profile in PROFILES:
        best = normal(default.on(files, profile).earned.max(), windows, profile)
        yield Figure(f"{profile.name}, threshold of these files", best, "of 100", BESIDE[profile.name])
    yield Figure("standard, a category left out: threshold", left_out([default], files), "of 100")
    yield Figure("standard, a category left out: both", left_out(runs, files), "of 100", "to reach: 71")
    threshold = default.on(files).best()
    for name in sorted({category(name) for name in files}):
        there = [file for file in files if category(file) == name]
        yield _of_category(name, default.on(there).at(threshold), sum(files[file].windows for file in there))
    points = sum(len(readings) for readings, _ in series.values())
    taken = sum(second for _, second in chain(*passes)) / len(TOLD)
    yield Figure("one pass", taken, "s", f"{points:,} readings: {taken / points * 1e6:.0f} µs each")
    for kind, run in zip(OTHERS, beside, strict=True):
        whole = run.on(files)
        fixed, best = (normal(earned, windows, STANDARD) for earned in (whole.at(customary(kind)), whole.earned.max()))
        told = (
            f"{left_out([run], files):.1f} with a category left out; at its customary {customary(kind):g}: {fixed:.1f}"
        )
        yield Figure(f"{kind}: standard, threshold of these files", best, "of 100", told)


def _of_category(name: str, earned: float, windows: int) -> Figure:
    if windows:
        return Figure(f"standard, {name}", normal(earned, windows, STANDARD), "of 100", f"{windows} windows")
    return Figure(f"standard, {name}", earned, "earned", "no windows: 0 is perfect")
