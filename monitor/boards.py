"""What has changed, pushed to the boards that others build; told once the board has taken it, again from there after a crash.

A board's rows are only ever added: what may have been pushed before a crash is pushed again with a later version, and the highest version
of an id counts. What each holds stands in the table `pushed`, by a digest a row, and is written after the board has answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from threading import Lock

import pyarrow as pa
import structlog

from alerts import IncidentState
from connectors import Board, SourceError
from connectors.boards import MOST, SHEETS
from connectors.circuit import state_of
from connectors.values import digest
from monitor import tables as t
from monitor.board_rows import GONE, Sheets, gone, of_incident, of_months
from monitor.config import Config
from monitor.metrics import Metrics
from monitor.standing import Row, only, rows
from monitor.store import Store

log = structlog.get_logger()

ROUND = 15_000
"""Rows pushed in one round, at most: Power BI takes a million an hour. The rest waits for the next."""


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
    waiting: list[_Change] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Read:
    """Of the incidents at one place: how often each had been changed when all of it was pushed, and in which round it was last read."""

    pushed: dict[str, int] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    rounds: int = 0


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
                self.errors[f"board {name}"] = str(error)
                self.metrics.delivery_error(f"boards.{name}", error.fault)
                log.warning("not pushed", board=name, error=str(error))
            else:
                self.errors.pop(f"board {name}", None)
            self.metrics.circuits(desk=f"boards.{name}", state=state_of(board))
        return done

    @property
    def hanging(self) -> list[str]:
        """Those that are being asked this moment."""
        return sorted(f"board {name}" for name, at in self._at.items() if at.locked())

    def _rounds(self, board: Board, round_: _Round, stop: Callable[[], bool]) -> int:
        names = self.config.boards[round_.board].block.client_names
        read = self._read.setdefault((round_.board, round_.place), _Read())
        read.rounds += 1
        self._compare(round_, "", of_months(self.store))
        for incident_id in self._changed(round_, read):
            if stop() or round_.left <= 0:
                break
            as_of, read.turns[incident_id] = self.store.changed.get(incident_id, 0), read.rounds
            if self._compare(round_, incident_id, of_incident(self.store, incident_id, client_names=names)):
                round_.read[incident_id] = as_of
            if len(round_.waiting) >= MOST:
                self._flush(board, round_, read, stop)
        self._flush(board, round_, read, stop)
        return round_.done

    def _changed(self, round_: _Round, read: _Read) -> list[str]:
        """The incidents, open or detected not too long ago, that may have changed since they were pushed; the longest unread first."""
        i, since = t.incidents.c, round_.now - self.config.boards[round_.board].block.start
        recent = only(t.incidents, "id", (i.state == IncidentState.FIRING) | (i.detected_at >= since))
        found = [row["id"] for row in rows(self.store, recent.order_by(i.detected_at))]
        changed = [one for one in found if read.pushed.get(one) != self.store.changed.get(one, 0)]
        return sorted(changed, key=lambda one: read.turns.get(one, 0))

    def _compare(self, round_: _Round, incident_id: str, sheets: Sheets) -> bool:
        """Add to what waits all that the board does not hold as it stands; whether there was room for it."""
        p = t.pushed.c
        mine = (p.board == round_.board) & (p.place == round_.place) & (p.incident_id == incident_id)
        held = {(row["sheet"], row["id"]): row for row in rows(self.store, t.pushed.select().where(mine))}
        changes = _changes(sheets, held, incident_id)
        for sheet, key, row, mark in islice(changes, round_.left):
            version = max(round_.now.timestamp() * 1000, held.get((sheet, key), {}).get("version", 0) + 1)
            told = {"id": key, "version": int(version), "sent_at": round_.now, **row}
            kept = {"board": round_.board, "place": round_.place, "sheet": sheet, "incident_id": incident_id, "id": key}
            round_.waiting.append(_Change(sheet, told, kept | {"mark": mark, "version": int(version)}))
            round_.left -= 1
        return next(changes, None) is None

    def _flush(self, board: Board, round_: _Round, read: _Read, stop: Callable[[], bool]) -> None:
        """Push what waits, and note what was taken: first pushed, then noted."""
        for sheet, schema in SHEETS.items():
            mine = [change for change in round_.waiting if change.sheet == sheet]
            for first in range(0, len(mine), MOST):
                if stop():
                    return
                some = mine[first : first + MOST]
                board.push(round_.place, sheet, pa.Table.from_pylist([change.row for change in some], schema=schema))
                self.metrics.sent(f"boards.{round_.board}")
                self.store.put(t.pushed, [change.kept for change in some])
                round_.done += len(some)
        round_.waiting = []
        read.pushed |= round_.read
        round_.read = {}


def _changes(
    sheets: Sheets, held: Mapping[tuple[str, str], Row], incident_id: str
) -> Iterator[tuple[str, str, Row, str]]:
    """Sheet, id, row and mark of all that is not held as it stands, and of what is held and is no more."""
    for sheet, found in sheets.items():
        for key, row in found.items():
            mark = digest([*row.values()])
            if held.get((sheet, key), {}).get("mark") != mark:
                yield sheet, key, row, mark
    for (sheet, key), row in held.items():
        if sheet in GONE and row["mark"] and key not in sheets.get(sheet, {}):
            yield sheet, key, gone(sheet, incident_id), ""
