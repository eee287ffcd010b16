"""What the product finds in months of the simulated bank, and what static limits find in the same: the yardstick of detection.

`python -m tests.bench month [--seeds 101 102 ...] [--months DIR]`: writes a month for every seed (or takes the one in DIR/SEED), and
backtests it with the shipped catalog and with static limits; two processes at a time. docs/simulated-bank.md says what is in it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

SEEDS = (101, 102, 103, 104)
AT_ONCE = 2
STATIC = """
[[rule]]
name      = "fallas_fijas"
kind      = "limit"
window    = "5m"
when      = "failed_rate > 0.05 AND total >= 30"

[[rule]]
name      = "silencio_fijo"
kind      = "limit"
window    = "10m"
when      = "total = 0"
where     = "{awake}"
"""
"""The volume guard stands inside `when`, as static limits elsewhere have it: where it says UNKNOWN, an incident of the evening
would stay open all night and hide what follows."""
AWAKE = 0.5
"""Transactions a minute that a pair has at its quietest, to be watched for ten minutes without any: on one that sleeps at night
such a limit would speak every evening, and no bank would keep it."""
Found = dict[str, Any]
Figures = Callable[[Found], float | None]


def main(arguments: Sequence[str]) -> int:
    """Print the table; returns 0."""
    options = argparse.ArgumentParser(prog="python -m tests.bench month", description=__doc__)
    options.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    options.add_argument(
        "--months", type=Path, help="a folder of months, SEED/ each; those that it lacks are written there"
    )
    options.add_argument("--days", type=int, default=30)
    chosen = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        months = chosen.months or Path(folder)
        pool = ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn"))
        with pool:
            made = list(pool.map(partial(written, months, days=chosen.days), chosen.seeds))
            tasks = [pool.submit(judged, path, static=static) for static in (False, True) for path in made]
            found = [task.result() for task in tasks]
    ours, theirs = found[: len(made)], found[len(made) :]
    Console(width=150).print(table(chosen.seeds, ours, theirs))
    return 0


def written(months: Path, seed: int, *, days: int) -> Path:
    """The month's folder, written unless it is there."""
    from monitor.demo.month import month, write_month  # noqa: PLC0415 - imported by the processes that need it

    path = months / str(seed)
    if not (path / "labels.csv").exists():
        write_month(month(seed, days), path)
    return path


def judged(path: Path, *, static: bool) -> Found:
    """The summary of a backtest of that month, by the shipped catalog or by static limits."""
    from monitor.backtest import backtest  # noqa: PLC0415
    from monitor.config import read_config  # noqa: PLC0415
    from monitor.labels import read_labels  # noqa: PLC0415

    config = path / "config.toml"
    if static:
        (path / "static_rules.toml").write_text(STATIC.format(awake=awake()), encoding="utf-8")
        text = config.read_text(encoding="utf-8").replace("[monitor]\n", '[monitor]\nrules = ["static_rules.toml"]\n')
        config = path / "static.toml"
        config.write_text(text, encoding="utf-8")
    return backtest(read_config(config), labels=read_labels(path / "labels.csv", "America/Bogota")).summary


def awake() -> str:
    """Which pairs never sleep, as a rule's `where`."""
    from monitor.demo.profile import MONTH  # noqa: PLC0415

    week = np.arange(7 * 1440) + 29_540_460  # the week of Monday, 2 March 2026
    least = MONTH.volume(week).min(axis=0)
    named = [pair for pair, quietest in zip(MONTH.pairs, least, strict=True) if quietest >= AWAKE]
    return " OR ".join(f"(product = '{pair.product}' AND channel = '{pair.channel}')" for pair in named)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table: a figure of one month, what it comes to over all of them, and whether less is worse."""

    what: str
    figure: Figures
    pooled: Callable[[Sequence[Found]], float | None]
    shown: str = "{:.2f}"
    less_is_worse: bool = True


def table(seeds: Sequence[int], ours: Sequence[Found], theirs: Sequence[Found]) -> Table:
    """Pooled, median and worst over the seeds; ours, then the static limits'."""
    made = Table(
        title=f"months of the simulated bank, seeds {', '.join(map(str, seeds))}", title_justify="left", box=None
    )
    made.add_column("what", min_width=30)
    for who in ("catalog", "static"):
        for over in ("pooled", "median", "worst"):
            made.add_column(f"{who} {over}", justify="right")
    for line in lines(ours):
        cells = []
        for found in (ours, theirs):
            each = [figure for figure in map(line.figure, found) if figure is not None]
            worst = (min if line.less_is_worse else max)(each, default=None)
            figures = (line.pooled(found), median(each) if each else None, worst)
            cells += ["" if figure is None else line.shown.format(figure) for figure in figures]
        made.add_row(line.what, *cells)
    return made


def lines(found: Sequence[Found]) -> list[Line]:
    """The whole, then how soon it could be known at all, then kind by kind."""
    made = [
        Line("found", lambda one: one["recall"], lambda all_: _share(all_, ""), "{:.1%}"),
        _meant("false incidents a day", "false_incidents_per_day", less_is_worse=False),
        _timed("delay, median (s)", "delay_seconds", 0.5),
        _timed("delay, p90 (s)", "delay_seconds", 0.9),
        _meant("incidents a cause", "incidents_per_cause", less_is_worse=False),
        _meant("affected, recall", "affected_recall", "{:.1%}"),
        _meant("affected, precision", "affected_precision", "{:.1%}"),
        _reached("complained, reached first", lambda one: one["first"], lambda one: one["complained"], "{:.1%}"),
        _reached(
            "missed: not detected by then",
            _why("never_detected", "undetected"),
            lambda one: one["complained"],
            "{:.1%}",
        ),
        _reached("missed: not named by then", _why("never_named", "unnamed"), lambda one: one["complained"], "{:.1%}"),
        _reached("cases opened twice", lambda one: len(one["opened_twice"]), lambda _: 1, "{:.2f}"),
        _exposed("exposed who failed later", "exposed_precision"),
        _exposed("failed later, called exposed", "exposed_recall"),
        _meant("transactions a second", "transactions_per_second", "{:,.0f}"),
        _timed("observer, minutes: median (s)", "observer_seconds", 0.5),
        _timed("observer, minutes: p90 (s)", "observer_seconds", 0.9),
        _timed("observer, 30 s: median (s)", "observer_30s", 0.5),
        _timed("observer, 15 s: median (s)", "observer_15s", 0.5),
    ]
    kinds = sorted({label["kind"] for one in found for label in one["labels"]})
    return made + [
        line for kind in kinds for line in (_found(kind), _timed(f"{kind}: delay (s)", "delay_seconds", 0.5, kind))
    ]


def _found(kind: str) -> Line:
    return Line(f"{kind}: found", lambda one: _share([one], kind), partial(_share, kind=kind), "{:.0%}")


def _meant(what: str, key: str, shown: str = "{:.2f}", *, less_is_worse: bool = True) -> Line:
    def pooled(found: Sequence[Found]) -> float | None:
        each = [one[key] for one in found if one[key] is not None]
        return mean(each) if each else None

    return Line(what, lambda one: one[key], pooled, shown, less_is_worse)


def _why(*reasons: str) -> Callable[[Found], int]:
    return lambda one: sum(one["misses"].get(reason, 0) for reason in reasons)


def _reached(what: str, many: Callable[[Found], int], of: Callable[[Found], int], shown: str) -> Line:
    """Of all months' sums; a month of cases opened twice is told by their number, a mean over the months."""

    def pooled(found: Sequence[Found]) -> float | None:
        whole = sum(of(one["reached"]) for one in found)
        return sum(many(one["reached"]) for one in found) / whole if whole else None

    return Line(what, lambda one: pooled([one]), pooled, shown, less_is_worse=what.endswith("first"))


def _exposed(what: str, key: str) -> Line:
    """Of clients: as `monitor.foretold` says, pooled over all labels of all months."""

    def together(found: Sequence[Found]) -> float | None:
        from monitor.foretold import pooled  # noqa: PLC0415 - as above

        counts = [label["exposed"] for one in found for label in one["labels"] if label["exposed"]]
        share: float | None = pooled(counts)[key]
        return share

    return Line(what, lambda one: one[key], together, "{:.1%}")


def _timed(what: str, key: str, share: float, kind: str = "") -> Line:
    def pooled(found: Sequence[Found]) -> float | None:
        each = [x for one in found for label in _labels(one, kind) if (x := label.get(key)) is not None]
        return float(np.quantile(each, share)) if each else None

    return Line(what, lambda one: pooled([one]), pooled, "{:.0f}", less_is_worse=False)


def _labels(one: Found, kind: str) -> list[Found]:
    return [label for label in one["labels"] if kind in ("", label["kind"])]


def _share(found: Sequence[Found], kind: str) -> float | None:
    labels = [label for one in found for label in _labels(one, kind)]
    return sum(bool(label["incidents"]) for label in labels) / len(labels) if labels else None
