"""Closed windows by event time: the cells that are held, and the frames that rules are shown.

Cells live in an in-memory DuckDB, a scratch copy of what the store keeps: rebuilt at start, pruned as time goes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from monitor import frames
from monitor.cells import CELLS, LEDGER, Counted, count
from monitor.doubtful import DOUBTFUL, ONSETS
from rules import Frame, Grain, Ints, Scope

METRICS = pa.schema(
    [
        ("minute", pa.int64()),
        ("known", pa.int64()),
        ("source", pa.string()),
        ("series", pa.string()),
        ("product", pa.string()),
        ("channel", pa.string()),
        ("n", pa.int64()),
        ("value", pa.float64()),
    ]
)
DAY = 1440
PIECES = 16
"""Of which a ledger may consist: each poll adds one, and each costs as much as many rows."""
HISTORY = 7 * DAY
"""Minutes of cells that are held: the base rates of clients are taken from them; a series silent for longer is forgotten."""


def minute_of(time: datetime) -> int:
    """The minute that `time` lies in, counted since the epoch."""
    return int(time.timestamp() // 60)


def time_of(minute: int) -> datetime:
    """When the minute starts."""
    return datetime.fromtimestamp(minute * 60, UTC)


class Windows:
    """What is held of the past, by event time.

    hold: minutes for which a closed cell may still be corrected by a late or repeated row.
    """

    def __init__(self, *, hold: int = 60) -> None:
        self.hold = hold
        self.ledgers: dict[str, pa.Table] = {}
        """By source, so that none is looked through for another's ids."""
        self.doubtful: pa.Table = DOUBTFUL.empty_table()
        """What was told of operations in doubt, in order of arrival."""
        self.days: dict[int, pa.Table] = {}
        """What was read of whole days (see `monitor.grounds`), until more is known of them."""
        self.quarters: dict[int, tuple[Ints, Ints, Ints]] = {}
        """The same, by quarters of an hour (see `monitor.habits`)."""
        self.db = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
        self.db.execute("SET TimeZone = 'UTC'")
        # A checkpoint squeezes what is held; at the default of 16 MB it would cost as much as the rows of a large batch.
        self.db.execute("SET checkpoint_threshold = '512MB'")
        for name, schema in (("cells", CELLS), ("metrics", METRICS)):
            self.db.register("empty", schema.empty_table())
            self.db.execute(f"CREATE TABLE {name} AS FROM empty")
            self.db.unregister("empty")
        self.db.execute("""
            CREATE TABLE pairs (
                source VARCHAR, series VARCHAR, product VARCHAR, channel VARCHAR, since BIGINT, last BIGINT,
                PRIMARY KEY (source, series, product, channel))""")
        self.db.execute("CREATE TABLE codes (error_code VARCHAR, hour BIGINT, PRIMARY KEY (error_code, hour))")
        self.db.execute("CREATE TABLE gaps (source VARCHAR, start BIGINT, stop BIGINT)")

    # ---- rows in ---------------------------------------------------------------------------------------------------

    def count(
        self,
        rows: pa.Table,
        *,
        source: str,
        closing: int | None,
        dark: tuple[int, int] | None = None,
        read: int | None = None,
    ) -> Counted:
        """Rows of a transactions source, in order of arrival, into cells; nothing is held yet (see `hold_cells`).

        closing, dark, read: as for `monitor.cells.count`.
        """
        if not rows.num_rows:
            return Counted(CELLS.empty_table(), LEDGER.empty_table())
        ledger = self.ledgers.get(source, LEDGER.empty_table())
        return count(
            self.db, rows, source=source, ledger=ledger, held=self.doubtful, closing=closing, hold=self.hold, dark=dark,
            read=read,
        )  # fmt: skip

    def hold_cells(self, cells: pa.Table) -> None:
        """Add cells: what `count` made, or what the store kept."""
        self._append("cells", cells, "'' AS series, product, channel")

    def hold_metrics(self, metrics: pa.Table) -> None:
        """Add readings of metrics, already placed in minutes (METRICS)."""
        self._append("metrics", metrics, "series, product, channel")

    def place_metrics(self, rows: pa.Table, *, source: str, closing: int | None) -> tuple[pa.Table, int]:
        """Rows of a metrics source as METRICS, and how many came late: the readings of a minute are averaged."""
        floor = "NULL" if closing is None else str(int(closing))
        with self.db.cursor() as db:
            db.register("arrived", rows)
            db.execute("SET VARIABLE source = ?", [source])
            placed = db.sql(f"""
                SELECT epoch_us(timestamp) // 60000000 AS minute, greatest(minute, coalesce({floor}, minute)) AS known,
                       getvariable('source')::VARCHAR AS source, series, product, channel, count(*) AS n, sum(value) AS value
                FROM arrived WHERE value IS NOT NULL GROUP BY ALL""").to_arrow_table()
        late = pc.sum(pc.if_else(pc.less(placed["minute"], placed["known"]), placed["n"], 0)).as_py() or 0
        return placed.cast(METRICS), int(late)

    @property
    def held(self) -> int:
        """How many cells."""
        return int(self.db.execute("SELECT count(*) FROM cells").fetchall()[0][0])

    def remember(self, ledger: pa.Table) -> None:
        """Take in ledger entries; the newest of an id stands for it."""
        for source in pc.unique(ledger["source"]).to_pylist():
            fresh, old = ledger.filter(pc.equal(ledger["source"], source)), self.ledgers.get(source)
            if old is not None:
                seen = pc.is_in(old["id"], value_set=fresh["id"].combine_chunks())
                fresh = pa.concat_tables([old.filter(pc.invert(seen)), fresh])
            self.ledgers[source] = fresh.combine_chunks() if fresh["id"].num_chunks > PIECES else fresh

    def note(self, doubtful: pa.Table) -> None:
        """Take in rows of operations in doubt: what `count` found, or what the store kept."""
        if doubtful.num_rows:
            self.doubtful = pa.concat_tables([self.doubtful, doubtful])

    def gap(self, source: str, start: int, stop: int) -> None:
        """The source did not answer for these minutes: what it feeds is unknown, not zero."""
        self.db.execute("INSERT INTO gaps VALUES (?, ?, ?)", [source, start, stop])

    def _append(self, table: str, rows: pa.Table, pair: str) -> None:
        if not rows.num_rows:
            return
        with self.db.cursor() as db:
            db.register("fresh", rows)
            # In order of time, so that who asks for a few minutes reads no others.
            db.execute(f"INSERT INTO {table} BY NAME FROM fresh ORDER BY minute")
            db.execute(f"""
                INSERT INTO pairs SELECT source, {pair}, min(known), max(known) FROM fresh GROUP BY ALL
                ON CONFLICT DO UPDATE SET since = least(since, excluded.since), last = greatest(last, excluded.last)""")
            if table == "cells":
                self._drop_days(lambda day: (day + 1) * DAY > pc.min(rows["known"]).as_py())
                db.execute("""INSERT OR IGNORE INTO codes
                              SELECT DISTINCT error_code, known // 60 FROM fresh WHERE error_code <> ''""")

    def prune(self, before: int) -> None:
        """Forget cells and doubts of minutes before `before`, and series silent since."""
        self._doubt(before)
        for table in ("cells", "metrics"):
            self.db.execute(f"DELETE FROM {table} WHERE minute < ?", [before])
        self.db.execute("DELETE FROM pairs WHERE last < ?", [before])
        self.db.execute("DELETE FROM codes WHERE hour < ?", [before // 60])
        self.db.execute("DELETE FROM gaps WHERE stop < ?", [before])
        self._drop_days(lambda day: day * DAY < before)

    def _drop_days(self, which: Callable[[int], bool]) -> None:
        for days in (self.days, self.quarters):
            for day in [day for day in days if which(day)]:
                del days[day]

    def release(self, closing: int, since: int | None = None, behind: Collection[str] = ()) -> None:
        """Drop the ledger entries whose cells are no longer held once `closing` is the first open minute.

        since: when the oldest incident began that may still ask for operations in doubt; None: there is none. behind: the sources that tell
        of minutes long closed: what they told may change for as long by their own time.
        """
        for source, ledger in self.ledgers.items():
            told = min(closing, pc.max(ledger["minute"]).as_py() or closing) if source in behind else closing
            self.ledgers[source] = ledger.filter(pc.greater_equal(ledger["minute"], told - self.hold))
        self._doubt(min(closing - max(self.hold, ONSETS), closing if since is None else since))

    def _doubt(self, since: int) -> None:
        """Hold on to operations in doubt that are known from `since` on."""
        known = self.doubtful["known"]
        if self.doubtful.num_rows and pc.min(known).as_py() < since:
            self.doubtful = self.doubtful.filter(pc.greater_equal(known, since)).combine_chunks()

    def bounds(self) -> tuple[int, int]:
        """The first and the last minute that anything is held of; (0, -1) where nothing is."""
        query = "SELECT min(known), max(known) FROM (SELECT known FROM cells UNION ALL SELECT known FROM metrics)"
        ((first, last),) = self.db.execute(query).fetchall()
        return (0, -1) if first is None else (int(first), int(last))

    def dark(self, end: int) -> dict[Scope, int]:
        """By product, channel and series ('': all): the end of the last gap before `end` of any source that feeds it."""
        query = """SELECT product, channel, series, max(stop) FROM pairs JOIN (
                       SELECT source, max(least(stop, $end)) AS stop FROM gaps WHERE start < $end GROUP BY source) USING (source)
                   GROUP BY ALL"""
        found: dict[Scope, int] = {}
        for product, channel, series, last in self.db.execute(query, {"end": end}).fetchall():
            for of, through in ((product, channel), (product, ""), ("", channel), ("", "")):
                scope = Scope(of, through, series=series)
                found[scope] = max(int(last), found.get(scope, 0))
        return found

    # ---- windows out -----------------------------------------------------------------------------------------------

    def frame(self, grain: Grain, measures: Collection[str], expressions: Sequence[str], start: int, end: int) -> Frame:
        """The closed windows whose last minute lies in [start, end), with what each expression says of them."""
        return frames.frame(self.db, grain, measures, expressions, start, end)
