"""`vigia check --connect`: the state, every source, desk, receiver and board is asked, all at once, and told in a line each, in order.

Of a source the first rows are read as the daemon would read them. Nothing is written anywhere and nothing is sent.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from threading import Thread
from time import monotonic

from connectors import Fault, SourceError
from connectors.sqlstates import meaning
from monitor.config import Config
from monitor.intake import Intake
from monitor.left_out import few
from monitor.logs import kind_and_place
from monitor.plugs import BoardConfig, DeskConfig, ReceiverConfig
from monitor.seldom import seldom
from monitor.store import Store, StoreError

LIMIT = 20.0
"""Seconds that each may take."""
LATER = frozenset(
    {"resolved_at", "closed_at", "updated_at", "reported_at", "until", "error_code", "returns", "reopened"}
)
"""Columns that rows get later, or only some: where values that are none are left out, none of the first rows may have them."""
Said = tuple[str, Fault | None]
"""What there is, in words; and what kind of fault it is, if it is one."""


def faults_of(config: Config, now: datetime, limit: float = LIMIT) -> int:
    """How many of them, and the state, have a fault; each of those is told on stderr, and the others on stdout."""
    asked: list[tuple[str, Callable[[], Said]]] = [("state", partial(_state, config))]
    asked += [(f"source {name}", partial(_source, config, name, now)) for name in config.sources]
    plugs: dict[str, Mapping[str, DeskConfig | ReceiverConfig | BoardConfig]] = {
        "desk": config.desks, "receiver": config.receivers, "board": config.boards,
    }  # fmt: skip
    for what, named in plugs.items():
        asked += [(f"{what} {name}", partial(_plug, plug)) for name, plug in named.items()]
    return told(asked, limit)


def told(asked: list[tuple[str, Callable[[], Said]]], limit: float = LIMIT) -> int:
    """Ask all at once, and tell of each in their order; how many have a fault. One that hangs holds up nothing past its limit."""
    until, answers = monotonic() + limit, [(name, *_asked(ask)) for name, ask in asked]
    wrong = 0
    for name, asking, answer in answers:
        # Waited for to its very end: what a library still holds there must not go while Python does.
        asking.join(max(until - monotonic(), 0.0))
        if answer.done():
            words, fault = answer.result()
        else:
            words, fault = f"no answer within {limit:g} s", "timeout"
        line = f"{name}: fails ({fault}): {words}\n" if fault else f"{name}: {words}\n"
        (sys.stderr if fault else sys.stdout).write(line)
        wrong += fault is not None
    if wrong:
        sys.stderr.write(f"{wrong} of {len(answers)} cannot be used\n")
    return wrong


def _asked(ask: Callable[[], Said]) -> tuple[Thread, Future[Said]]:
    """In a thread that Python does not wait for at its end."""
    answer: Future[Said] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except SourceError as error:
            answer.set_result((str(error), error.fault))
        except Exception as error:  # noqa: BLE001 - a fault of ours, or of a library: told in its line like any other
            answer.set_result((f"a fault of ours: {kind_and_place(error)}", "other"))

    asking = Thread(target=run, daemon=True)
    asking.start()
    return asking, answer


def _state(config: Config) -> Said:
    """Of a cause that a database tells, its kind; else something is in the way of its file."""
    try:
        store = Store(config.monitor.database)
    except StoreError as error:
        return str(error), "refused"
    try:
        return store.look(), None
    except StoreError as error:
        cause = getattr(error.__cause__, "orig", None)
        kind = meaning(cause, str(cause), store.engine.dialect.name)[0] if cause else "refused"
        return str(error), kind
    finally:
        store.close()


def _plug(plug: DeskConfig | ReceiverConfig | BoardConfig) -> Said:
    made = plug.make()
    said = made.check()
    if why := getattr(made, "reads_only", ""):  # a desk: its products lead to it, or those that no other takes
        return f"{said}; reads only, opens no cases: {why}", "refused"
    return said, None


def _source(config: Config, name: str, now: datetime) -> Said:
    """What is there, and what comes of its first rows: one of which nothing can be made is a fault, and so is such a status."""
    there = config.sources[name].make().check()
    intake = Intake(config.sources[name])
    rows = intake.look(now, now - config.sources[name].block.start)
    usable, left = rows.table.num_rows, rows.rejected
    said = [there, *([f"{usable:,} rows can be used"] if usable or left else [])]
    files = f" {rows.left_out}" if rows.left_out.startswith("file") else ""
    if left:
        said.append(f"{left:,}{files} cannot, such as {rows.rejects[0].where}: {rows.rejects[0].why}")
    said += [f"{rows.wrong_digits} of clients with a wrong check digit"] if rows.wrong_digits else []
    if rows.unknown_statuses:
        said.append(f"statuses that no class names: {', '.join(sorted(few(rows.unknown_statuses)))}")
    named = config.sources[name].block.columns
    said += [f"no row has {named[ours]!r} (columns.{ours})" for ours in rows.absent]
    said += filter(None, [seldom(intake, rows, now, config.monitor.patience)])
    wrong = left or rows.unknown_statuses or set(rows.absent) - LATER
    return "; ".join(said), "unreadable" if wrong else None
