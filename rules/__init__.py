"""Windows in, verdicts out: what a rule is, what it sees, and what it says.

One file is one kind: its name is the rule's `kind`, its single public class takes the rule's own keys as keyword-only options.
Rules do no I/O and never ask the clock. They see a span of closed minutes at once (live it is one minute, in a backtest a day)
and must say the same however the minutes are cut into spans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DIMENSIONS = ("product", "channel", "client_id", "series")
"""What a scope is made of. `series` belongs to metrics, `client_id` to transactions."""

CLASSES = ("ok", "failed", "rejected", "reversed", "pending", "other")
COUNTS = ("total", *CLASSES)
RATES = tuple(f"{status}_rate" for status in CLASSES)
LATENCIES = ("latency_p50", "latency_p95", "latency_p99")
BINS = tuple(f"b{i}" for i in range(16))
"""Rows by the doubling step that their latency lies in."""
MEASURES = (
    *COUNTS,
    *RATES,
    "amount",
    "failed_amount",
    *LATENCIES,
    "clients",
    "clients_failing",
    "arrivals",
    "new_error_codes",
    "novel",
    "duplicated",
    "value",
)
"""What a window knows. `value` is of metrics, all others of transactions; a rate without denominator is NULL.

arrivals: clients that sent something, and rows of no client; novel: rows whose error code was seen in fewer than one in twenty of the
hours of the week before; duplicated: rows that repeat another one's client, product, channel and amount within the minute under an id of
their own.
"""


SETTLE = 5
"""Minutes that a row may be pending before it counts, where a bank writes its rows before their end is known (see `Grain.heard`)."""


class Verdict(IntEnum):
    """UNKNOWN (warming, no denominator, too few rows, source down) neither fires nor resolves: it is never healthy."""

    HEALTHY = 0
    BREACH = 1
    UNKNOWN = 2


class Severity(StrEnum):
    """How bad, from the bank's side."""

    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 minor, 1 major, 2 critical."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Where something holds; an empty dimension is all of it."""

    product: str = ""
    channel: str = ""
    client_id: str = ""
    series: str = ""

    def overlaps(self, other: Scope) -> bool:
        """Equal wherever both are given."""
        # Written out, here and below: a bank asks millions of times a day.
        return (
            (not self.product or not other.product or self.product == other.product)
            and (not self.channel or not other.channel or self.channel == other.channel)
            and (not self.client_id or not other.client_id or self.client_id == other.client_id)
            and (not self.series or not other.series or self.series == other.series)
        )

    def shares(self, other: Scope) -> bool:
        """Both name the same product, channel or client, and not two clients."""
        if self.client_id and other.client_id and self.client_id != other.client_id:
            return False
        return bool(
            (self.product and self.product == other.product)
            or (self.channel and self.channel == other.channel)
            or (self.client_id and self.client_id == other.client_id)
        )

    def holds(self, other: Scope) -> bool:
        """All of the other lies in it."""
        return (
            (not self.product or self.product == other.product)
            and (not self.channel or self.channel == other.channel)
            and (not self.client_id or self.client_id == other.client_id)
            and (not self.series or self.series == other.series)
        )

    def met(self, other: Scope) -> Scope:
        """What two scopes that overlap share."""
        return Scope(*(a or b for a, b in zip(self.values, other.values, strict=True)))

    def widened(self, other: Scope) -> Scope:
        """The narrowest scope that holds both."""
        return Scope(*(a if a == b else "" for a, b in zip(self.values, other.values, strict=True)))

    @property
    def values(self) -> tuple[str, str, str, str]:
        """In the order of DIMENSIONS."""
        return (self.product, self.channel, self.client_id, self.series)


@dataclass(frozen=True, slots=True)
class Grain:
    """Which windows a rule is judged on: split by these dimensions, this many minutes long, of these rows only.

    everyone: where it is split by client, the rows of no client stand there too, as one more. heard: a row counts in the minute in
    which it became known, however late, and what a class has is never taken back: for rules that add up minutes by themselves; in `total`
    it is counted once, in the minute of the first word of it. Where much that is pending is soon over, it is pending after SETTLE minutes.
    """

    by: tuple[str, ...] = ("product", "channel")
    minutes: int = 1
    where: str = ""
    everyone: bool = False
    heard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What every rule has, whatever its kind.

    for_: how long it must have been in breach, counted from the start of the first breaching window, before it fires;
    keep_firing_for: how long it must have been healthy before it is over; min_total: below this volume the verdict is UNKNOWN;
    guide: the first-instance guide shown in the alert.
    """

    name: str
    kind: str = ""
    grain: Grain = field(default_factory=Grain)
    for_: timedelta = timedelta(0)
    keep_firing_for: timedelta = timedelta(minutes=20)
    min_total: int = 0
    severity: Severity = Severity.MAJOR
    guide: str = ""


@dataclass(frozen=True)
class Frame:
    """Closed windows of one grain over a span, sorted by scope and then by minute; a row a window.

    scopes: S of them; series: which scope each row is of; minute: the window's last minute (minutes since the epoch);
    columns: a measure a key, NaN where it is not known; flags: what each expression says, 1, 0, or NaN where it cannot say.
    made: what was worked out from it once for all rules.
    A window with no rows stands here with zero counts if its sources answered, and is missing if they did not. A frame of single clients
    has only windows with rows: dark says for it of which product and channel, in which minutes [start, stop), a source did not answer.
    """

    start: int
    end: int
    scopes: tuple[Scope, ...]
    series: Ints
    minute: Ints
    columns: Mapping[str, Floats]
    flags: Mapping[str, Floats] = field(default_factory=dict)
    made: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)
    dark: tuple[tuple[Scope, int, int], ...] = ()

    @cached_property
    def cell(self) -> tuple[Ints, Ints]:
        """Where each row stands in a (minutes, scopes) block."""
        return self.minute - self.start, self.series

    def block(self, column: Floats) -> Floats:
        """The column as (minutes, scopes), NaN where there is no window."""
        out = np.full((self.end - self.start, len(self.scopes)), np.nan)
        out[self.cell] = column
        return out

    def unheard(self) -> Bools:
        """Which rows are of a scope and minute of which a source did not tell."""
        found = np.zeros(len(self.minute), bool)
        for there, start, stop in self.dark:
            of = np.array([scope.overlaps(there) for scope in self.scopes], bool)
            found |= of[self.series] & (self.minute >= start) & (self.minute < stop)
        return found


class Slots(Protocol):
    """The calendar as rules see it."""

    def slots(self, start: int, end: int) -> Ints:
        """The clock slot of each minute of [start, end), in the bank's local time."""
        ...

    def days(self, start: int, end: int) -> Ints:
        """The kind of day of each minute: 0 a business day, 1 a Saturday, 2 a Sunday or holiday."""
        ...


class View(Protocol):
    """What rules are shown: a span of closed minutes, [start, end) in minutes since the epoch."""

    @property
    def start(self) -> int:
        """The first minute."""
        ...

    @property
    def end(self) -> int:
        """The minute after the last."""
        ...

    @property
    def calendar(self) -> Slots:
        """The bank's."""
        ...

    def frame(self, rule: Rule) -> Frame:
        """The windows of the rule's grain, with the measures and expressions that it asks for."""
        ...

    def maintained(self, frame: Frame) -> NDArray[np.bool_]:
        """Which of its windows lie, wholly or in part, in declared maintenance of their scope: nobody's normal."""
        ...


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What a rule says of each row of its frame; arrays as long as the frame, NaN where there is nothing to show."""

    frame: Frame
    verdict: NDArray[np.int8]
    value: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    score: Floats
    onset: Ints | None = None
    """Where a rule looks back by itself: the first bad minute, as of each row in breach."""


Way = Literal["failed", "rejected", "reversed", "pending", "other", "missing", "slow", "duplicated", "value"]
"""How a client is hurt by what a rule saw: by rows of a class, by rows that did not come, by slow ones, or unknown."""


@runtime_checkable
class Rule(Protocol):
    """One thing that is watched. May hold models, which learn as they check; never told twice of the same minute.

    measures: what it needs of a window; shown: the one whose value its verdicts carry; expressions: what it asks of each window;
    ways: how what it sees hurts clients. A kind that judges whatever there is may say that it `vouches` for some of them: where it
    finds a scope healthy, a rule that knows too little to speak of it is over as well. A `hint` finds something new, and knows little of
    how it hurts.
    """

    spec: Spec
    shown: str
    measures: frozenset[str]
    expressions: tuple[str, ...]
    ways: frozenset[Way]

    def check(self, view: View) -> Verdicts:
        """A verdict for every window of the span."""
        ...


def ways_of(measures: frozenset[str]) -> frozenset[Way]:
    """How what shows in these measures hurts a client."""
    found: set[Way] = set()
    for measure in measures:
        stem = measure.removesuffix("_rate").removesuffix("_amount")
        if measure.startswith("latency"):
            found.add("slow")
        elif measure == "value":
            found.add("value")
        elif measure in BINS:
            found.add("slow")
        elif measure == "duplicated":
            found.add("duplicated")
        elif measure in ("clients_failing", "new_error_codes", "novel"):
            found.add("failed")
        elif stem in CLASSES and stem != "ok":
            found.add(stem)  # type: ignore[arg-type]  # a class other than ok is a way
    return frozenset(found or {"missing"})
