"""Unit tests of rules, as promtool has them: what comes minute by minute, and what the rules must say at some moments.

A file of tests lies in the folder `tests` beside the rules. Numbers are written as promtool writes them: `20x9` is ten minutes of 20,
`0+5x3` is 0 5 10 15, `_x4` is four minutes in which the source did not answer. A test that asks for what lies beyond its data is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import pyarrow as pa
from pydantic import AfterValidator, Field, ValidationError

from alerts import Alert
from connectors.roles import ROLES
from monitor.blocks import MINUTE, Block, Minutes
from monitor.calendar import Calendar
from monitor.config import Config
from monitor.faults import Fault, explained, read_toml
from monitor.kinds import Duration
from monitor.pipeline import Pipeline
from monitor.windows import Windows, minute_of, time_of
from rules import CLASSES, Scope, Verdict

_PART = re.compile(r"(?:(_)|(\d+(?:\.\d+)?)(?:([+-])(\d+(?:\.\d+)?))?)(?:x(\d+))?")
LONGEST = 60 * 24 * 14
"""Minutes of a test: a fortnight."""


def numbers(text: str) -> list[float | None]:
    """A value a minute; None where the source did not answer. ValueError where it is not written so."""
    found: list[float | None] = []
    for word in text.split():
        if not (match := _PART.fullmatch(word)):
            raise ValueError(f"{word!r} is no such numbers as 20x9, 0+5x3 or _x4")
        gap, first, sign, step, times = match.groups()
        if gap:
            found += [None] * int(times or 1)
        else:
            by = float(step or 0) * (-1 if sign == "-" else 1)
            found += [max(float(first) + by * n, 0.0) for n in range(int(times or 0) + 1)]
        if len(found) > LONGEST:
            raise ValueError("is longer than a fortnight")
    return found


def _numbers(text: str) -> str:
    numbers(text)
    return text


Numbers = Annotated[str, AfterValidator(_numbers)]


class SeriesBlock(Block):
    """[[test.series]]: transactions a minute of one place and client by status, or `value`, the readings of a metric.

    clients: so many clients send as much each (client_id is then theirs in turn); twice: operations that come a second time under
    another id.
    """

    product: str = ""
    channel: str = ""
    client_id: str = ""
    clients: int = Field(default=1, ge=1, le=1000)
    series: str = ""
    error_code: str = ""
    latency_ms: float | None = Field(default=None, ge=0)
    ok: Numbers = ""
    failed: Numbers = ""
    rejected: Numbers = ""
    reversed: Numbers = ""
    pending: Numbers = ""
    other: Numbers = ""
    twice: Numbers = ""
    value: Numbers = ""


class ExpectBlock(Block):
    """[[test.expect]]: what a rule must say of a scope once the minutes before `at` are judged.

    A dimension that is not named may be any: then one such scope must be as expected, and for `silent` and `healthy` all.
    """

    at: Duration
    rule: str
    product: str | None = None
    channel: str | None = None
    client_id: str | None = None
    series: str | None = None
    state: Literal["silent", "pending", "firing"] | None = None
    verdict: Literal["healthy", "breach", "unknown"] | None = None


class TestBlock(Block):
    """[[test]]. train: the first so long is history, and nothing is decided in it."""

    __test__ = False
    name: str = Field(min_length=1)
    start: datetime | None = None
    train: Minutes | None = None
    series: list[SeriesBlock] = Field(min_length=1)
    expect: list[ExpectBlock] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Result:
    """One test: of which file, and what was not as expected, in words."""

    file: str
    name: str
    failures: tuple[str, ...]


def test_files(config: Config) -> list[Path]:
    """The files of tests beside the rules that are configured."""
    folders = dict.fromkeys(path.parent / "tests" for path in config.rule_homes.values())
    return [file for folder in folders for file in sorted(folder.glob("*.toml"))]


test_files.__test__ = False  # type: ignore[attr-defined]  # pytest takes what begins with test for one


def run(config: Config, files: Sequence[Path], faults: list[Fault]) -> Iterator[Result]:
    """Every test of the files, one after the other; what is wrong with a file goes to `faults`."""
    known = {rule.spec.name for rule in config.rules()}
    for path in files:
        tables = read_toml(path, path.name, faults)
        faults += [Fault(path.name, key, "no such key; a test is a [[test]]") for key in tables if key != "test"]
        entries = tables.get("test", [])
        for i, given in enumerate(entries if isinstance(entries, list) else []):
            key = f"test.{given['name']}" if isinstance(given, dict) and given.get("name") else f"test[{i}]"
            try:
                block = TestBlock.model_validate(given)
            except ValidationError as error:
                faults += explained(error, path.name, key, sorted(_KEYS))
                continue
            wrong = _wrong(block, known, path.name, key)
            faults += wrong
            if not wrong:
                yield Result(path.name, block.name, tuple(_failures(config, block)))


_KEYS = {name for model in (TestBlock, SeriesBlock, ExpectBlock) for name in model.model_fields}


def _length(block: TestBlock) -> int:
    return max(len(numbers(getattr(series, name))) for series in block.series for name in (*CLASSES, "twice", "value"))


def _wrong(block: TestBlock, known: set[str], file: str, key: str) -> list[Fault]:
    length, found = _length(block) * MINUTE, []
    for i, series in enumerate(block.series):
        if bool(series.value) == any(getattr(series, name) for name in (*CLASSES, "twice")):
            found.append(Fault(file, f"{key}.series[{i}]", f"must give either value or some of {', '.join(CLASSES)}"))
    for i, expect in enumerate(block.expect):
        at = f"{key}.expect[{i}]"
        if expect.rule not in known:
            found.append(Fault(file, f"{at}.rule", f"no such rule; there are {', '.join(sorted(known))}"))
        if (expect.state is None) == (expect.verdict is None):
            found.append(Fault(file, at, "give exactly one of state and verdict"))
        if expect.at > length:
            found.append(Fault(file, f"{at}.at", f"asks beyond the data, which is {length / MINUTE:.0f} minutes long"))
        if expect.at <= (block.train or timedelta(0)) or expect.at % MINUTE:
            found.append(Fault(file, f"{at}.at", "must be a whole number of minutes, after what trains"))
    return found


def _failures(config: Config, block: TestBlock) -> Iterator[str]:
    """What was not as expected, each in a line."""
    pipeline, first = _fed(config, block)
    judged = first + int((block.train or timedelta(0)) / MINUTE)
    if judged > first:
        pipeline.train(first, judged)
    for expect in sorted(block.expect, key=lambda e: e.at):
        until = first + int(expect.at / MINUTE)
        if until > judged:
            pipeline.judge(judged, until)
        judged = max(until, judged)
        wanted, seen = (expect.state or expect.verdict or ""), _seen(pipeline, expect, until)
        every = wanted in ("silent", "healthy")
        if not (all(s == wanted for s in seen.values()) if every else wanted in seen.values()) or not seen:
            there = ", ".join(f"{_place(scope)} {said}" for scope, said in sorted(seen.items()) if said != wanted)
            yield f"at {_written(expect.at)}: {expect.rule} should be {wanted}, but {there or 'says nothing of such a scope'}"


def _seen(pipeline: Pipeline, expect: ExpectBlock, until: int) -> dict[Scope, str]:
    """By scope of those asked about, what the rule says of it; of what it did not see in the last minute it knows nothing."""
    asked = {
        name: value
        for name in ("product", "channel", "client_id", "series")
        if (value := getattr(expect, name)) is not None
    }

    def meant(scope: Scope) -> bool:
        return all(getattr(scope, name) == value for name, value in asked.items())

    if expect.verdict:
        status = pipeline.status.items()
        said = (
            (s, x.verdict if x.until >= until else Verdict.UNKNOWN)
            for (rule, s), x in status
            if rule == expect.rule and meant(s)
        )
        return {scope: Verdict(verdict).name.lower() for scope, verdict in said}
    alerts: Mapping[tuple[str, Scope], Alert] = pipeline.incidents.alerts
    found = {s: str(alert.state) for (rule, s), alert in alerts.items() if rule == expect.rule and meant(s)}
    return found or {Scope(**asked): "silent"}


def _fed(config: Config, block: TestBlock) -> tuple[Pipeline, int]:
    """A pipeline that holds what the test brings, and its first minute. Each series is a source of its own."""
    monitor = config.monitor
    zone = ZoneInfo(monitor.timezone)
    start = block.start or datetime(2026, 3, 3, 10, tzinfo=zone)
    first = minute_of(start if start.tzinfo else start.replace(tzinfo=zone))
    windows = Windows(hold=int(monitor.hold / MINUTE))
    for i, series in enumerate(block.series):
        source = f"series[{i}]"
        counted = {name: numbers(getattr(series, name)) for name in CLASSES}
        rows = [
            _row(series, name, first + m, n) | {"client_id": client}
            for client in _clients(series)
            for name, ns in counted.items()
            for m, n in enumerate(ns)
            if n
        ]
        rows += [
            _row(series, "ok", first + m, 1) | {"id": f"{m} {k} {again}", "amount": Decimal(k + 1)}
            for m, n in enumerate(numbers(series.twice))
            for k in range(round(n or 0))
            for again in range(2)
        ]
        if rows:
            table = pa.Table.from_pylist(rows, schema=ROLES["transactions"])
            windows.hold_cells(windows.count(table, source=source, closing=None).cells)
        if readings := [(m, v) for m, v in enumerate(numbers(series.value)) if v is not None]:
            told = [{"timestamp": time_of(first + m), "series": series.series, "value": v, "product": series.product,
                     "channel": series.channel} for m, v in readings]  # fmt: skip
            table = pa.Table.from_pylist(told, schema=ROLES["metrics"])
            windows.hold_metrics(windows.place_metrics(table, source=source, closing=None)[0])
        dark = {m for ns in (*counted.values(), numbers(series.value)) for m, n in enumerate(ns) if n is None}
        for m in sorted(dark):
            windows.gap(source, first + m, first + m + 1)
    calendar = Calendar(monitor.timezone, country=monitor.country)
    return Pipeline(config.rules(), windows, calendar, lateness=monitor.lateness), first


def _clients(series: SeriesBlock) -> list[str]:
    return [series.client_id] if series.clients == 1 else [str(900000000 + n) for n in range(series.clients)]


def _row(series: SeriesBlock, status: str, minute: int, n: float) -> dict[str, Any]:
    return {
        "timestamp": time_of(minute) + MINUTE / 2, "product": series.product, "channel": series.channel, "client_id": series.client_id,
        "status": status, "error_code": series.error_code if status != "ok" else "", "latency_ms": series.latency_ms, "amount": Decimal(0),
        "count": round(n), "id": "",
    }  # fmt: skip


def _place(scope: Scope) -> str:
    return " ".join(filter(None, scope.values)) or "all"


def _written(length: timedelta) -> str:
    hours, minutes = divmod(int(length / MINUTE), 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes or not hours else "")
