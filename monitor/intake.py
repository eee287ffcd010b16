"""One source as the daemon reads it: polled, mapped to our columns, what could not be used told and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from alerts import Client, Holding, TheirCase
from alerts.routing import ROLES, mailbox
from connectors import AHEAD, KEPT, Cursor, Reject, SourceError
from connectors.circuit import state_of
from monitor import anew
from monitor.plugs import SourceConfig
from monitor.refusals import Refusals
from monitor.windows import minute_of

log = structlog.get_logger()
ENDLESS = datetime(9999, 1, 1, tzinfo=UTC)
"""The `now` of a backtest, in which nothing lies ahead."""
LATELY = timedelta(minutes=5)
"""Before a reading begins anew: so far back rows that bear an id are taken once more."""
NAMELESS = ("clients", "holdings")
"""Roles whose rows are told by no key of theirs, as a database does (`nit = 900123456`): it is who the client is."""
MANY = 20
"""Rows of one poll from which on it tells something that half of them cannot be used, or that all lie ahead of now."""
KNOWN = 200
"""Rows that could not be used and are known again."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What one poll brought, in our columns (the role's schema), and where the source stands after it."""

    source: str
    role: str
    table: pa.Table
    cursor: Cursor
    polled_at: datetime
    drained: bool = True
    complete_until: datetime | None = None
    rejects: tuple[Reject, ...] = ()
    ahead: int = 0
    """Rejects that only lie ahead of now."""
    unknown_statuses: dict[str, int] = field(default_factory=dict)
    wrong_digits: int = 0
    """Rows of a client whose check digit is wrong (see `connectors.nit`)."""
    notes: tuple[Reject, ...] = ()
    lost: str = ""
    still: str = ""
    """Why nothing could be said of the source by what came before, where nothing came since."""
    gaps: tuple[tuple[datetime, datetime], ...] = ()
    absent: tuple[str, ...] = ()
    """Columns of ours that the source's block names and none of these rows has."""
    rejected: int = 0
    """How many rows could not be used; `rejects` tells of the first."""
    only_ahead: int = 0
    """How many rows have come since the last that could be used, if all of them lay ahead of now."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rejected", max(self.rejected, len(self.rejects)))

    @property
    def unknown(self) -> list[tuple[str, int, int]]:
        """The minutes of which the source knows that it does not know: its name, the first, the one after the last."""
        return [(self.source, minute_of(a), minute_of(b - timedelta(microseconds=1)) + 1) for a, b in self.gaps]

    @property
    def left_out(self) -> str:
        """What the rejects are, in a word: rows, unless all of them are whole files."""
        one = "file" if all(reject.what == "file" for reject in self.rejects) else "row"
        return "file" if one == "file" and self.rejected == 1 else f"{one}s"

    @property
    def useless(self) -> str:
        """Why nothing can be said of the source by these rows, or '': none of them could be used, or not even half of many."""
        left, usable = self.rejected - self.ahead, self.table.num_rows
        if not left and self.ahead and self.only_ahead >= MANY:
            return "no row could be used: all lie ahead of now; is its timezone right, and are the clocks?"
        if not left or (usable and (left < usable or left + usable < MANY)):
            return ""
        how_many = f"{left} of {left + usable} rows" if usable else f"none of {left} {self.left_out}"
        could = "could not be used" if usable else "could be used"
        one = next((reject for reject in self.rejects if not reject.ahead), self.rejects[0])
        return f"{how_many} {could}, such as {one.where}: {one.why}"

    @property
    def wrong(self) -> str:
        """Why nothing can be said of the source, or ''. What could be used of its rows is used all the same."""
        return self.useless or self.still


class Intake:
    """A source and its mapping; remembers the cursor of what it has fetched, which runs ahead of what is committed."""

    def __init__(self, config: SourceConfig, cursor: Cursor | None = None, until: datetime | None = None) -> None:
        """cursor: as it was committed, of whatever configuration; until: up to when the source was complete then."""
        self.name, self.role, self.config = config.name, config.block.role, config
        self._events = self.role in ("transactions", "metrics")
        self.fresh = cursor is None
        """Whether nothing was read of it before, by any configuration."""
        self._at, self._beside = anew.taken_up(self.name, cursor, config.reads, until if self._events else None)
        self._zone = ZoneInfo(config.zone)
        self._source, self._mapping, self.refusals = config.make(), config.mapping(), Refusals()

    def poll(self, now: datetime, since: datetime | None = None) -> Rows:
        """The next rows; raises SourceError, after which it asks again from the same place."""
        if self._from:
            since = max(filter(None, (since, self._from - LATELY)))
        with self.refusals.heeded(now):
            batch = self._source.poll(self._at, now.astimezone(self._zone), since)
        try:
            mapped = self._mapping.apply(batch.table, batch.where)
        except SourceError as error:
            if batch.where is None or not batch.table.num_rows:
                raise
            words = f"{error} ({batch.where(0)})"  # which of many files it is
            raise SourceError(words, permanent=error.permanent, fault=error.fault) from error
        if (key := self.config.whole) and pc.any(pc.equal(mapped.table["id"], "")).as_py():
            words = f"{key} is missing, and rows have no id: all are read at each change, and each would count again"
            raise SourceError(words, permanent=True, fault="refused")
        until = batch.complete_until
        counting = self._counting(mapped.table)
        table, ahead = self._not_ahead(counting, now)
        told = self._beside.get(anew.TOLD, "").split()
        news = not set(mapped.marks) <= set(told)
        if mapped.marks or mapped.table.num_rows:
            self._note(anew.TOLD, " ".join(mapped.marks[:KNOWN]))
        if alone := mapped.rejected > 0 and not (news or mapped.table.num_rows or batch.rejects):
            mapped = replace(mapped, rejects=(), rejected=0)  # what a source gives again and again is no news
        rejects: tuple[Reject, ...] = (*batch.rejects, *mapped.rejects, *ahead)[:KEPT]
        if self.role in NAMELESS:
            rejects = tuple(replace(one, where=one.where.partition(" = ")[0]) for one in rejects)
        too_soon = counting.num_rows - table.num_rows
        soon = sum(one.ahead for one in batch.rejects) + too_soon
        waiting = 0 if table.num_rows else int(self._beside.get(anew.AHEAD, 0)) + soon
        self._note(anew.AHEAD, str(waiting or ""))
        rows = Rows(
            self.name, self.role, table, batch.cursor, now, batch.drained, min(until, now) if until else None,
            rejects, soon,
            mapped.unknown_statuses, sum(mapped.wrong_digits.values()), batch.notes, batch.lost, gaps=batch.gaps,
            absent=mapped.absent, rejected=batch.rejected + mapped.rejected + too_soon, only_ahead=waiting,
        )  # fmt: skip
        self._at = batch.cursor
        # Of events silence is a word of its own, unless all that is heard is what could not be used before.
        silent = self._events and not (alone or batch.again) and waiting < MANY
        wrong = rows.useless or ("" if table.num_rows or silent else self._beside.get(anew.WRONG, ""))
        self._note(anew.WRONG, wrong)
        if self._events and table.num_rows:
            newest = pc.max(table["timestamp"]).as_py().isoformat()
            self._note(anew.NEWEST, "" if until and batch.drained else max(newest, self._beside.get(anew.NEWEST, "")))
        return replace(rows, cursor=batch.cursor | self._beside, still="" if rows.useless else wrong)

    def _note(self, name: str, said: str) -> None:
        self._beside = {k: v for k, v in self._beside.items() if k != name} | ({name: said} if said else {})

    @property
    def _from(self) -> datetime | None:
        """From when on rows count, where an older configuration has read those before."""
        return datetime.fromisoformat(self._beside[anew.FROM]) if self._events and anew.FROM in self._beside else None

    def _counting(self, table: pa.Table) -> pa.Table:
        """Without the rows of before the reading began anew; one with an id is known again, and may have grown since."""
        if (since := self._from) is None:
            return table
        counts = pc.greater_equal(table["timestamp"], since)
        if "id" in table.column_names:
            lately = pc.greater_equal(table["timestamp"], since - LATELY)
            counts = pc.or_(counts, pc.and_(lately, pc.not_equal(table["id"], "")))
        return table.filter(counts)

    def look(self, now: datetime, since: datetime | None = None) -> Rows:
        """The first rows, those of files too that may still be written: of which nothing is kept."""
        if at_once := getattr(self._source, "at_once", None):
            at_once()
        return self.poll(now, since)

    def pace(self) -> tuple[timedelta | None, datetime] | None:
        """Of a folder: how long it usually is between two files, and when the last came; None for all else. Raises SourceError."""
        pace = getattr(self._source, "pace", None)
        return pace() if pace else None

    def _not_ahead(self, table: pa.Table, now: datetime) -> tuple[pa.Table, list[Reject]]:
        """Without the rows that say to have happened after now: a clock, a zone or a sentinel date is wrong."""
        if "timestamp" not in table.column_names or now >= ENDLESS:
            return table, []
        ahead = pc.greater(table["timestamp"], pa.scalar(now + AHEAD, table["timestamp"].type))
        wrong = table.filter(ahead)
        if not wrong.num_rows:
            return table, []
        told = [
            Reject(f"a row of {time.isoformat()}", "lies ahead of now", ahead=True)
            for time in wrong["timestamp"][:KEPT].to_pylist()
        ]
        return table.filter(pc.invert(ahead)), told

    def committed(self, cursor: Cursor) -> None:
        """Tell the source, where it asks for it, what is on disk; raises SourceError."""
        if tell := getattr(self._source, "committed", None):
            tell({key: value for key, value in cursor.items() if not key.startswith("_")})

    def close(self) -> None:
        """Let go of the source's connection, where it keeps one; the next poll makes another."""
        if close := getattr(self._source, "close", None):
            close()

    @property
    def circuit(self) -> str:
        """The state of the circuit to its server."""
        return state_of(self._source)

    def drain(self, now: datetime, since: datetime | None = None) -> Iterator[Rows]:
        """Poll until nothing more is waiting."""
        while True:
            rows = self.poll(now, since)
            yield rows
            if rows.drained:
                return


def tell_committed(intakes: Mapping[str, Intake], arrived: Sequence[Rows]) -> None:
    """What came is on disk with its decisions: the sources that ask for it are told how far, whatever they say to it."""
    for name, cursor in {rows.source: rows.cursor for rows in arrived}.items():
        try:
            intakes[name].committed(cursor)
        except SourceError as error:
            log.warning("a source does not take how far it was read", source=name, error=str(error))


def let_go(intakes: Iterable[Intake]) -> None:
    """Of the connections that sources keep open."""
    for intake in intakes:
        intake.close()


def clients_of(table: pa.Table) -> list[Client]:
    """Rows of the role clients. Segments and addresses are compared everywhere as they are here: spelled one way."""
    kept: dict[str, Callable[[str], str]] = {
        "segment": lambda text: text.strip().lower(),
        **dict.fromkeys(ROLES, mailbox),
    }
    return [
        Client(**row | {key: spelled(row[key] or "") for key, spelled in kept.items()}) for row in table.to_pylist()
    ]


def holdings_of(table: pa.Table) -> list[Holding]:
    """Rows of the role holdings."""
    return [Holding(**{k: _utc(v) for k, v in row.items()}) for row in table.to_pylist()]


def cases_of(table: pa.Table, source: str) -> list[TheirCase]:
    """Rows of the role cases; who reported it when is the opening, unless it is told."""
    names = TheirCase.__dataclass_fields__
    found = []
    for row in table.to_pylist():
        kept = {k: _utc(v) for k, v in row.items() if k in names}
        counts = {name: kept[name] or 0 for name in ("returns", "reopened")}
        said = {"source": source, "reported_at": kept["reported_at"] or kept["opened_at"]}
        found.append(TheirCase(**kept | counts | said))
    return found


def stories_of(table: pa.Table, source: str) -> list[dict[str, Any]]:
    """Rows of the role stories, as they are kept."""
    return [{"source": source, **{k: _utc(v) for k, v in row.items()}} for row in table.to_pylist()]


def _utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
