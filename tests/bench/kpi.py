"""What a detector finds in real curves: the key performance indicators of web services of the 2018 AIOps challenge.

Protocol. Each curve is walked once, from its first reading to its last, by a detector that has seen nothing else: a reading is
scored, then learned, anomalous or not; labels are never shown to it. Clock slots are those of Chinese time, which the challenge
does not state. An alarm is a reading whose tail is at the threshold or above; one threshold serves all curves, the one of the
best F1 over their first halves (column `split`), and what is printed is the F1 over their second halves, points of all curves in
one pool. A labelled segment counts as found, with all its points, if there is an alarm on one of its first 8 points (delay 7),
and as missed with all its points otherwise; every alarm outside segments is one false point. Gaps stay as the copy's maker
filled them. "One curve left out": each curve's second half at the threshold of the other curves' first halves.

Points of long segments weigh most, hence the mean over curves beside. The copy has 11 of the challenge's 29 curves: figures
published for all 29 (SR+DNN 0.811, NCAD 0.766) are no comparison, those of the other detectors here are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from time import perf_counter

import numpy as np
from pyarrow import csv

from detectors import customary, kinds, make
from monitor.calendar import Calendar
from tests.bench import Figure

DELAY = 7
CURVES = Path(os.environ.get("VIGIA_DATA", Path(__file__).parents[2].parent / "shared" / "data"), "kpi")
SHOWN, BESIDE = "residuals", ("seasonal", "ewma", "ensemble")
"""The kind that is shown curve by curve, and those that are only pooled. The ensemble tells a fault once and takes minutes."""


@dataclass(frozen=True, eq=False, slots=True)
class Curve:
    """times: epoch seconds; second: which readings belong to the half that is scored."""

    name: str
    times: np.ndarray
    values: np.ndarray
    labels: np.ndarray
    second: np.ndarray


@dataclass(frozen=True, eq=False, slots=True)
class Heard:
    """How loud a detector was over one stretch of one curve.

    onset: its loudest within each segment's first points; length: points of each segment; quiet: each point outside, sorted.
    """

    onset: np.ndarray
    length: np.ndarray
    quiet: np.ndarray


@dataclass(frozen=True, slots=True)
class Found:
    """Points, of one stretch or of several."""

    true: int = 0
    false: int = 0
    missed: int = 0

    def __add__(self, other: Found) -> Found:
        return Found(self.true + other.true, self.false + other.false, self.missed + other.missed)

    @property
    def f1(self) -> float:
        """0 where nothing was found."""
        return 2 * self.true / max(2 * self.true + self.false + self.missed, 1)

    def __str__(self) -> str:
        return f"{self.true:,} points found, {self.missed:,} missed, {self.false:,} false"


def heard(tail: np.ndarray, labels: np.ndarray) -> Heard:
    """NaN is silence."""
    tail = np.where(np.isnan(tail), -np.inf, tail)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels != 0, [0]])))
    starts, ends = edges[::2], edges[1::2]
    onset = [tail[start : min(end, start + DELAY + 1)].max() for start, end in zip(starts, ends, strict=True)]
    return Heard(np.array(onset), ends - starts, np.sort(tail[labels == 0]))


def found(stretch: Heard, threshold: float) -> Found:
    """What alarms at this threshold or above make of a stretch."""
    true = int(stretch.length[stretch.onset >= threshold].sum())
    false = len(stretch.quiet) - int(np.searchsorted(stretch.quiet, threshold))
    return Found(true, false, int(stretch.length.sum()) - true)


def best_threshold(stretches: Sequence[Heard]) -> float:
    """The one of the best pooled F1; it can only be as loud as some segment. ValueError: no segment was heard."""
    onset = np.concatenate([stretch.onset for stretch in stretches])
    length = np.concatenate([stretch.length for stretch in stretches])
    order = np.argsort(-onset, kind="stable")
    candidates, true = onset[order], np.cumsum(length[order])
    false = sum(len(stretch.quiet) - np.searchsorted(stretch.quiet, candidates) for stretch in stretches)
    f1 = np.where(np.isfinite(candidates), 2 * true / (true + false + length.sum()), 0)
    # Of equal candidates the last counts them all.
    f1[:-1][candidates[:-1] == candidates[1:]] = 0
    if not f1.any():
        raise ValueError("no segment was heard at all")
    return float(candidates[np.argmax(f1)])


def read(path: Path) -> Curve:
    """One file of `timestamp,value,label,split`."""
    table = csv.read_csv(path)
    columns = {name: table[name].to_numpy() for name in ("timestamp", "value", "label")}
    second = np.array([half == "test" for half in table["split"].to_pylist()])
    name = path.name.split("-")[0]
    return Curve(name, columns["timestamp"], columns["value"].astype(float), columns["label"], second)


def listen(kind: str, curves: Sequence[Curve]) -> list[np.ndarray]:
    """The tail of each reading of each curve; curves with the same timestamps are stepped as one bank."""
    calendar = Calendar("Asia/Shanghai", country="CN")
    tails: dict[str, np.ndarray] = {}
    for _, group in groupby(sorted(curves, key=_clock), key=_clock):
        together = list(group)
        minutes = together[0].times // 60
        slots = calendar.slots(int(minutes[0]), int(minutes[-1]) + 1)[minutes - minutes[0]]
        values = np.stack([curve.values for curve in together], axis=1)
        out = np.empty_like(values)
        everyone = np.ones(len(together), dtype=bool)
        bank = make(kind)
        bank.grow(len(together))
        for t, slot in enumerate(slots.tolist()):
            out[t] = bank.score(values[t], slot).tail
            bank.learn(values[t], slot, everyone)
        tails |= {curve.name: out[:, i] for i, curve in enumerate(together)}
    return [tails[curve.name] for curve in curves]


def _clock(curve: Curve) -> tuple[int, int, int]:
    """Curves have no holes: start, end and number say when every reading was."""
    return int(curve.times[0]), int(curve.times[-1]), len(curve.times)


def halves(tails: Sequence[np.ndarray], curves: Sequence[Curve]) -> tuple[list[Heard], list[Heard]]:
    """The first halves of all curves, and their second halves."""
    pairs = list(zip(tails, curves, strict=True))
    return (
        [heard(tail[~curve.second], curve.labels[~curve.second]) for tail, curve in pairs],
        [heard(tail[curve.second], curve.labels[curve.second]) for tail, curve in pairs],
    )


def left_out(first: Sequence[Heard], second: Sequence[Heard]) -> Found:
    """Each second half at the threshold of all the other first halves."""
    others = ([*first[:i], *first[i + 1 :]] for i in range(len(first)))
    return sum((found(half, best_threshold(rest)) for half, rest in zip(second, others, strict=True)), Found())


def figures() -> Iterator[Figure]:
    """F1 by curve and pooled; the same of other detectors and of chance."""
    curves = [read(path) for path in sorted(CURVES.glob("*.csv.gz"))]
    if not curves:
        yield Figure("curves of the 2018 AIOps challenge", float("nan"), "", "no VIGIA_DATA: left out")
        return
    readings = sum(len(curve.values) for curve in curves)
    for kind in (SHOWN, *BESIDE):
        began = perf_counter()
        tails = listen(kind, curves)
        taken = perf_counter() - began
        yield from _pooled(kind, tails, curves, each=kind == SHOWN)
        yield Figure(
            f"{kind}, all curves", taken, "s", f"{taken / readings * 1e6:.1f} µs a reading, {readings:,} readings"
        )
    draws = np.random.default_rng(7)
    yield from _pooled("chance", [draws.random(len(curve.values)) for curve in curves], curves, each=False)


def _pooled(kind: str, tails: list[np.ndarray], curves: list[Curve], *, each: bool) -> Iterator[Figure]:
    first, second = halves(tails, curves)
    threshold = best_threshold(first)
    scored = [found(half, threshold) for half in second]
    if each:
        for curve, points in zip(curves, scored, strict=True):
            yield Figure(f"{kind}, curve {curve.name}", points.f1, "F1", str(points))
    pooled, others = sum(scored, Found()), left_out(first, second)
    chosen = sum((found(half, threshold) for half in first), Found())
    best = sum((found(half, best_threshold(second)) for half in second), Found())
    yield Figure(f"{kind}, pooled", pooled.f1, "F1", str(pooled))
    yield Figure(f"{kind}, one curve left out", others.f1, "F1", str(others))
    yield Figure(f"{kind}, mean over curves", float(np.mean([points.f1 for points in scored])), "F1")
    if kind in kinds():
        tail = customary(kind)
        fixed = sum((found(half, tail) for half in second), Found())
        yield Figure(f"{kind}, at its customary tail", fixed.f1, "F1", f"tail {tail:g}: {fixed}")
    beside = f"F1 {chosen.f1:.3f} on the first halves; best one for the second would give {best.f1:.3f}"
    yield Figure(f"{kind}, threshold", threshold, "tail", beside)
