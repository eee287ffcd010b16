"""What has changed, pushed to the boards that others build; told once the board has taken it, again from there after a crash.

A board's rows are only ever added: what may have been pushed before a crash is pushed again with a later version, and the highest version
of an id counts. What each holds stands in the table `pushed`, by a digest a row: before a push it says that the board may hold something
else by now (PERHAPS), after the answer what it holds. A row that is refused is found, told, and left out for an hour; it holds up no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from threading import Lock

import pyarrow as pa
import structlog

from alerts import IncidentState
from connectors import Board, Fault, SourceError
from connectors.boards import MOST, SHEETS
from connectors.circuit import state_of
from connectors.values import digest
from monitor import tables as t
from monitor.board_rows import GONE, Sheets, gone, of_incident, of_months
from monitor.config import Config
from monitor.database import CLIENTS
from monitor.metrics import Metrics
from monitor.standing import Row, only, rows
from monitor.store import Store

log = structlog.get_logger()

ROUND = 15_000
"""Rows pushed in one round, at most: Power BI takes a million an hour. The rest waits for the next."""
PERHAPS = "?"
"""Mark of a row that was pushed, and nobody knows whether it was taken."""
OPEN = "open "
"""Before the mark of an incident that the board holds as firing: it is followed up however long it lasts."""
REFUSALS = 40
"""Of one round, at most; a row among 2,000 is found by 12. Power BI takes 120 pushes a minute."""
LEFT_OUT = timedelta(hours=1)
"""For how long a row that was refused is not pushed again as it is."""


@dataclass(slots=True)
class _Change:
    """A row that the board does not hold yet, and what is written once it does."""

    sheet: str
    row: Row
    kept: Row


@dataclass(slots=True)
class _Round:
    """What one round has pushed, and how often each incident had been changed when it was read."""

    board: str
    place: str
    now: datetime
    left: int = field(default_factory=lambda: ROUND)
    done: int = 0
    refusals: int = 0
    waiting: list[_Change] = field(default_factory=list)
    read: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class _Read:
    """Of the incidents at one place: how often each, and any client, had been changed when all of it was pushed, and when it was last read.

    turns: by round; left_out: by sheet, id and mark, until when and why.
    """

    pushed: dict[str, tuple[int, int]] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    rounds: int = 0
    left_out: dict[tuple[str, str, str], tuple[datetime, str]] = field(default_factory=dict)


class Boards:
    """The boards of one service. errors: shared with it; those that take nothing, by `board NAME`, with the cause in words."""

    def __init__(
        self, config: Config, store: Store, clock: Callable[[], datetime], metrics: Metrics, errors: dict[str, str]
    ) -> None:
        self.config, self.store, self.clock, self.metrics, self.errors = config, store, clock, metrics, errors
        self.boards: dict[str, Board] = {name: board.make() for name, board in config.boards.items()}
        self._read: dict[tuple[str, str], _Read] = {}
        self._at = {name: Lock() for name in self.boards}

    def __iter__(self) -> Iterator[str]:
        """Their names."""
        return iter(self.boards)

    def all(self) -> int:
        """One round for each; how many rows were pushed."""
        return sum(map(self.push, self.boards))

    def push(self, name: str, stop: Callable[[], bool] = lambda: False) -> int:
        """One round for one of them. What goes wrong is logged and kept in `errors`: the next round takes it up."""
        board = self.boards[name]
        done = 0
        with self._at[name]:
            try:
                round_ = _Round(name, board.place(), self.clock())
                done = self._rounds(board, round_, stop)
            except SourceError as error:
                self._wrong(name, str(error), error.fault)
            else:
                self.errors.pop(f"board {name}", None)
                for _, why in self._read[name, round_.place].left_out.values():
                    self.errors[f"board {name}"] = why
            self.metrics.circuits(desk=f"boards.{name}", state=state_of(board))
        return done

    @property
    def hanging(self) -> list[str]:
        """Those that are being asked this moment."""
        return sorted(f"board {name}" for name, at in self._at.items() if at.locked())

    def _wrong(self, name: str, why: str, fault: Fault) -> None:
        self.errors[f"board {name}"] = why
        self.metrics.delivery_error(f"boards.{name}", fault)
        log.warning("not pushed", board=name, error=why)

    def _rounds(self, board: Board, round_: _Round, stop: Callable[[], bool]) -> int:
        names = self.config.boards[round_.board].block.client_names
        read = self._read.setdefault((round_.board, round_.place), _Read())
        read.rounds += 1
        read.left_out = {one: (until, why) for one, (until, why) in read.left_out.items() if until > round_.now}
        self._compare(round_, read, "", of_months(self.store))
        for incident_id in self._changed(round_, read):
            if stop() or round_.left <= 0:
                break
            as_of, read.turns[incident_id] = self._as_of(incident_id), read.rounds
            if self._compare(round_, read, incident_id, of_incident(self.store, incident_id, client_names=names)):
                round_.read[incident_id] = as_of
            if len(round_.waiting) >= MOST:
                self._flush(board, round_, read, stop)
        self._flush(board, round_, read, stop)
        return round_.done

    def _changed(self, round_: _Round, read: _Read) -> list[str]:
        """The incidents, open here or there or detected not too long ago, that may have changed since; the longest unread first."""
        i, p, since = t.incidents.c, t.pushed.c, round_.now - self.config.boards[round_.board].block.start
        unsure = p.mark.startswith(OPEN) | (p.mark == PERHAPS)
        there = only(t.pushed, "incident_id", p.board == round_.board, p.place == round_.place, unsure)
        wanted = (i.state == IncidentState.FIRING) | (i.detected_at >= since) | i.id.in_(there)
        found = [row["id"] for row in rows(self.store, only(t.incidents, "id", wanted).order_by(i.detected_at))]
        changed = [one for one in found if read.pushed.get(one) != self._as_of(one)]
        return sorted(changed, key=lambda one: read.turns.get(one, 0))

    def _as_of(self, incident_id: str) -> tuple[int, int]:
        """How often the incident was changed, and the clients, whose names and segments stand in its rows."""
        return self.store.changed.get(incident_id, 0), self.store.changed.get(CLIENTS, 0)

    def _compare(self, round_: _Round, read: _Read, incident_id: str, sheets: Sheets) -> bool:
        """Add to what waits all that the board does not hold as it stands; whether there was room for it, and nothing is left out."""
        p = t.pushed.c
        mine = (p.board == round_.board) & (p.place == round_.place) & (p.incident_id == incident_id)
        held = {(row["sheet"], row["id"]): row for row in rows(self.store, t.pushed.select().where(mine))}
        every = list(_changes(sheets, held, incident_id))
        changes = iter(wanted := [one for one in every if (one[0], one[1], one[3]) not in read.left_out])
        for sheet, key, row, mark in islice(changes, round_.left):
            version = max(round_.now.timestamp() * 1000, held.get((sheet, key), {}).get("version", 0) + 1)
            told = {"id": key, "version": int(version), "sent_at": round_.now, **row}
            kept = {"board": round_.board, "place": round_.place, "sheet": sheet, "incident_id": incident_id, "id": key}
            round_.waiting.append(_Change(sheet, told, kept | {"mark": mark, "version": int(version)}))
            round_.left -= 1
        return next(changes, None) is None and len(wanted) == len(every)

    def _flush(self, board: Board, round_: _Round, read: _Read, stop: Callable[[], bool]) -> None:
        """Push what waits, and note what was taken."""
        for sheet, schema in SHEETS.items():
            mine = [change for change in round_.waiting if change.sheet == sheet]
            for first in range(0, len(mine), MOST):
                if stop():
                    return
                some = mine[first : first + MOST]
                self.store.put(t.pushed, [change.kept | {"mark": PERHAPS} for change in some])
                for error in self._send(board, round_, sheet, schema, some):
                    self._leave_out(round_, read, error)
        round_.waiting = []
        read.pushed |= round_.read
        round_.read = {}

    def _send(
        self, board: Board, round_: _Round, sheet: str, schema: pa.Schema, some: list[_Change]
    ) -> Iterator[tuple[_Change, SourceError]]:
        """Push these; what is refused is halved until the row is found that is to blame. Those, each with why."""
        try:
            board.push(round_.place, sheet, pa.Table.from_pylist([change.row for change in some], schema=schema))
        except SourceError as error:
            round_.refusals += 1
            every = error.whole or error.fault == "login"  # it lets nobody in: no row is to blame
            if not error.permanent or every or round_.refusals > REFUSALS:
                raise
            if len(some) == 1:
                yield some[0], error
                return
            half = len(some) // 2
            yield from self._send(board, round_, sheet, schema, some[:half])
            yield from self._send(board, round_, sheet, schema, some[half:])
        else:
            self.metrics.sent(f"boards.{round_.board}")
            self.store.put(t.pushed, [change.kept for change in some])
            round_.done += len(some)

    def _leave_out(self, round_: _Round, read: _Read, refused: tuple[_Change, SourceError]) -> None:
        """Tell that a row was refused, and leave it out for a while; its incident is read again."""
        change, error = refused
        kept = change.kept
        why = f"{change.sheet}: a row of {kept['incident_id'] or 'the months'} is left out: {error}"
        read.left_out[change.sheet, kept["id"], kept["mark"]] = round_.now + LEFT_OUT, why
        round_.read.pop(kept["incident_id"], None)
        self._wrong(round_.board, why, error.fault)


def _changes(
    sheets: Sheets, held: Mapping[tuple[str, str], Row], incident_id: str
) -> Iterator[tuple[str, str, Row, str]]:
    """Sheet, id, row and mark of all that is not held as it stands, and of what is held and is no more."""
    for sheet, found in sheets.items():
        for key, row in found.items():
            mark = digest([*row.values()])
            if row.get("state") == IncidentState.FIRING:
                mark = OPEN + mark
            if held.get((sheet, key), {}).get("mark") != mark:
                yield sheet, key, row, mark
    for (sheet, key), row in held.items():
        if sheet in GONE and row["mark"] and key not in sheets.get(sheet, {}):
            yield sheet, key, gone(sheet, incident_id), ""
