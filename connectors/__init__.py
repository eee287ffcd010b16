"""Facts in; cases, notices and rows for boards out: what a source, a desk, a receiver and a board must do.

One file under `sources/`, `desks/`, `receivers/` or `boards/` is one kind: its name is the `kind` of a config block, its single
public class takes the block's other keys as keyword-only options. Nothing is registered; `connectors.kinds` finds the
files.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pyarrow as pa

Cursor = dict[str, Any]
"""Where a source stopped: small, JSON-able, opaque to everyone else. Committed with the decisions its rows led to."""

Where = Callable[[int], str]
"""A row of a batch's table, from 0 -> where it stands for people: file and line, or key. Valid while the batch is."""

AHEAD = timedelta(minutes=5)
"""A time further ahead of now than this is a wrong clock, zone or sentinel: no reading moves on to it."""

KEPT = 1000
"""Rejects of one poll that are kept, each with where it stands and why; the others are counted."""

SPARSE: Mapping[bytes, bytes] = {b"vigia": b"sparse"}
"""Schema metadata of a batch whose rows name only the keys they have (JSON): it may lack a column that others have."""


@dataclass(frozen=True, slots=True)
class Reject:
    """One row, or file, that could not be used: where it stands (file and line, or key), and why; what: which of the two it is.

    ahead: it lies ahead of now, and says nothing of the others.
    """

    where: str
    why: str
    what: Literal["row", "file"] = "row"
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """What one poll brought, under **their** column names.

    table: rows in order of arrival; cursor: where to go on from; drained: nothing more was waiting; complete_until: the
    source vouches that every row which happened before this time has been delivered (None: it cannot say, which is
    normal while a backlog is being read); rejects: rows that could not even be read, the first KEPT, and rejected: the number of all;
    where: where a row of the table stands, asked only for those that turn out unusable (None: the source cannot say); notes: what was
    left aside and nothing is lost by it, told once; lost: what was never read and is no longer there, in words ('': nothing): what
    happened up to now is not fully known; gaps: from when to when the source knows that it does not know: there, no row is not zero;
    again: rows that could not be read, were told before and have come again.
    """

    table: pa.Table
    cursor: Cursor
    drained: bool
    complete_until: datetime | None = None
    rejects: tuple[Reject, ...] = ()
    where: Where | None = None
    notes: tuple[Reject, ...] = ()
    lost: str = ""
    gaps: tuple[tuple[datetime, datetime], ...] = ()
    rejected: int = 0
    again: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rejected", max(self.rejected, len(self.rejects)))


Fault = Literal["unreachable", "timeout", "busy", "login", "refused", "server", "unreadable", "resting", "other"]
"""What kind of fault it is, for those who count them: no connection (or no such file); no answer in time; asked to come later; not let in
(a password, a certificate, a right); let in, and what was asked of it refused; an error of the other side's own; an answer or a file that
cannot be made out; not asked at all, because its circuit is open; anything else."""


class SourceError(Exception):
    """The source or desk could not be used, said in words for people.

    permanent: asking again will not help until somebody changes something (wrong password, no such table). whole: nor will asking
    for anything else there (a log-in, a certificate): it is the other side that cannot be used, not what was asked of it.
    """

    def __init__(self, message: str, *, permanent: bool = False, whole: bool = False, fault: Fault = "other") -> None:
        super().__init__(message)
        self.permanent, self.whole, self.fault = permanent or whole, whole, fault


@runtime_checkable
class Source(Protocol):
    """Polled for rows; stateless between polls but for what the cursor says.

    A source whose other side wants to know how far it was read also has `committed(cursor)`: what came up to this cursor is on disk. It is
    called by the judging thread, never waits, and may raise SourceError, which is told and nothing more. One that keeps a connection open
    has `close()`: it is let go of until the next poll.
    """

    def poll(self, cursor: Cursor | None, now: datetime, since: datetime | None) -> Batch:
        """Rows after `cursor` (None: from the beginning, but nothing older than `since` need be brought).

        `now` is the time at which the poll starts, in the zone of the source's times without offset: a drained poll is
        complete until then. Raises SourceError.
        """
        ...

    def check(self) -> str:
        """Touch the source and say in a line what is there; raises SourceError with the cause in words."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """A case as a desk is asked to open or to change it: `key` is ours, and the same key is the same case for ever.

    number: the desk's own for it, where it has told one; left: of one that is taken back, the kinds of those that still stand for the
    affectation for which it was opened (None: not told).
    """

    key: str
    incident_id: str
    client_id: str
    product: str
    channel: str
    opened_at: datetime
    priority: int
    subject: str
    body: str
    kind: str = "soporte"
    status: str = "abierto"
    note: str = ""
    left: Collection[str] | None = None
    number: str = ""


@runtime_checkable
class CaseDesk(Protocol):
    """Where cases are opened. `open` and `update` may be called again with the same case after a crash: no harm.

    One that opens none, because its block lacks what that takes, also has `reads_only`: what is missing ('': it opens them).
    """

    def open(self, case: Case) -> str:
        """Open the case unless one with its key exists; the desk's own number for it. Raises SourceError."""
        ...

    def update(self, case: Case) -> None:
        """Write the case's present state over the one with its key; raises SourceError (permanent if there is none)."""
        ...

    def check(self) -> str:
        """As for a source."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to be told to people or to another alerting system, words and facts ready.

    key: the same key is the same notice for ever; thread: what is about one incident (or fault) and for one recipient goes under one, and
    `event` says whether it is the `first` of it, an `update` or the `end`. to: the recipient's address, '' where the receiver has its own.
    facts: what it says for programs (schema `vigia.notice/1`: see `monitor.facts`).
    """

    key: str
    thread: str
    event: str
    to: str
    at: datetime
    subject: str
    text: str
    html: str
    facts: Mapping[str, Any]


@runtime_checkable
class Receiver(Protocol):
    """Whom notices are sent to. `send` may be called again with the same notice after a crash: no harm where the other side can tell.

    A receiver that must hear again and again of what stands also has `refresh(notices, now)`: once a minute, with the newest notice
    of every thread that is open or ended within the last five minutes. One that can reach a single recipient (`Notice.to`) says so by
    a class attribute `personal = True`; all others are read by many, and refuse a notice that names one.
    """

    def send(self, notice: Notice) -> str:
        """Send it; the other side's number for it, or ''. Raises SourceError."""
        ...

    def check(self) -> str:
        """As for a source."""
        ...


@runtime_checkable
class Board(Protocol):
    """Where the facts of `connectors.boards.SHEETS` are pushed to, for a board that people build elsewhere.

    Rows are only ever added: each carries its `id` and `version`, and the newest version of an id is what counts, so that rows that are
    pushed again after a crash do no harm.
    """

    def place(self) -> str:
        """The id of what the rows go to, made with its sheets if it is not there. Another id holds nothing yet. Raises SourceError."""
        ...

    def push(self, place: str, sheet: str, rows: pa.Table) -> None:
        """Add the rows, in the schema of the sheet and not more than `connectors.boards.MOST`; raises SourceError."""
        ...

    def check(self) -> str:
        """As for a source; makes nothing."""
        ...
