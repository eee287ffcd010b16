"""The judging thread's work: rows and people's acts in, one committed step out.

It alone writes cursors, cells and decisions. Built from the store, it is where it was before any crash: what was committed is
known, what was not is polled again from the committed cursors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from alerts import Changes, IncidentState
from alerts.cases import CaseBook
from alerts.ties import AFTER
from monitor import tables as t
from monitor.calendar import Calendar
from monitor.causes import recalled
from monitor.cells import MINUTE, Counted
from monitor.clocks import first_words
from monitor.config import Config
from monitor.first_reading import unknown
from monitor.intake import Rows, cases_of, clients_of, holdings_of, stories_of
from monitor.joined import joined
from monitor.lateness import EVENTS
from monitor.mending import Promotions, remember, take
from monitor.patience import Standing, Standings
from monitor.pipeline import Pipeline, Status
from monitor.portfolio import Portfolio
from monitor.replaced import Replaced
from monitor.standing import only, tuples
from monitor.store import Step, Store
from monitor.telling import messages
from monitor.traces import Traces
from monitor.unsettled import recall as recall_doubts
from monitor.verdicts import STANDS, Said, summed, valid
from monitor.windows import DAY, HISTORY, Windows, minute_of, time_of
from monitor.works import WORKS, declared

log = structlog.get_logger()
ENDLESS = 1 << 40
"""A minute that never comes."""
BEGINS = 0.01
"""Of a page's rows, so many may be older than the minute with which it begins."""
TELL = 30
"""History of so many days or more is told of as it is read, each time that so many have passed."""


class Stopped(Exception):  # noqa: N818 - it is no error
    """It is time to end, and history was not read to its end: nothing of the step is kept, the next start begins again."""


@dataclass(frozen=True, slots=True)
class Down:
    """A poll that failed: the source said why.

    since: when it was asked, or expected to answer where it hangs (None: it just failed); drained: nothing more is asked of it for now.
    """

    source: str
    error: str
    since: datetime | None = None
    drained: bool = True


@dataclass(slots=True)
class Done:
    """What a step came to, for logs and metrics.

    counted: a source may have several; untrained: a source came late, and the models have not seen its history.
    """

    at: datetime | None = None
    judged: tuple[int, int] | None = None
    changes: Changes = field(default_factory=Changes)
    counted: list[tuple[str, Counted]] = field(default_factory=list)
    untrained: bool = False


class Judge:
    """Takes what the pollers brought, judges the minutes that are closed by it, and commits both together."""

    def __init__(
        self,
        config: Config,
        store: Store,
        clock: Callable[[], datetime],
        ending: Callable[[], bool] = lambda: False,
    ) -> None:
        """Raises Stopped where it is `ending` before all is read; so does `step`."""
        self.config, self.store, self.clock, self._ending = config, store, clock, ending
        monitor = config.monitor
        self.windows = Windows(hold=int(monitor.hold / timedelta(minutes=1)))
        calendar = Calendar(monitor.timezone, country=monitor.country)
        portfolio = Portfolio(
            clients={client.client_id: client for client in store.clients()},
            holdings=store.holdings(),
            desk_of=config.desk_of,
            weights=config.weights,
            limits=config.limits,
            escalating=config.causes.escalating,
            rests=config.rests,
        )
        self.pipeline = Pipeline(
            config.rules(),
            self.windows,
            calendar,
            lateness=monitor.lateness,
            portfolio=portfolio,
            maintenance=(*config.maintenance, *declared(store, monitor.timezone)),
            book=CaseBook(declared=config.declared),
        )
        self._promotions = Promotions()
        self._traces = Traces(self.windows, calendar)
        events = [name for name, source in config.sources.items() if source.block.role in EVENTS]
        self.sources = Standings(events, monitor.patience, monitor.lateness)
        self._began = clock()
        self._unheard = set(config.sources)
        self.said: list[Said] | None = None
        self.words: list[Status] = []
        """What the rules say now, of each scope: for the board, the API and metrics alike."""
        self._restore()

    # ---- from the store --------------------------------------------------------------------------------------------

    def _restore(self) -> None:
        marks = self.store.marks()
        self.judged_until = int(marks["judged_until"]) if "judged_until" in marks else None
        self._last_act = int(marks.get("last_act", 0))
        for name, (_, until) in self.store.cursors().items():
            if name in self.sources:
                self.sources[name].complete_until = until
        self.sources.recall(marks, gaps := self.store.gaps())
        if unasked := [*self.sources.unasked(gaps, self.judged_until or 0)]:
            self.store.commit(Step(gaps=unasked), self.clock())
        for gap in (*gaps, *unasked):
            self.windows.gap(*gap)
        since = 0 if self.judged_until is None else self.judged_until - 2 * self.windows.hold
        since = min([since, *(first - self.windows.hold for first in self.sources.dark())])
        for ledger in self.store.cells("ledger", since):
            self._go_on()
            self.windows.remember(ledger)
        stored = self._stored()
        if self.judged_until is not None:
            self._train(self.judged_until, stored)
        for _ in stored:  # what is known from later on, and where no history was judged yet, all of it
            self._go_on()
        if self.judged_until is not None:
            self._recall(time_of(self.judged_until))
        recall_doubts(self.pipeline, self.store, self.judged_until)

    def _stored(self) -> Iterator[int]:
        """Hold everything that was counted, a blob at a time, in order of time: yields the first minute of each before it is held."""
        gone: set[str] = set()
        replaced = Replaced(self.store, {*self.config.sources}, (self.judged_until or 0) - HISTORY)
        for kind, first, stored in self.store.counted():
            yield first
            table = replaced.without(stored)
            (self.windows.hold_cells if kind == "cells" else self.windows.hold_metrics)(table)
            for source in set(pc.unique(table["source"]).to_pylist()) - self.sources.keys() - gone:
                self.windows.gap(source, 0, ENDLESS)  # no longer configured: what it fed is unknown, not zero
                gone.add(source)

    def _go_on(self) -> None:
        if self._ending():
            raise Stopped

    def _train(self, end: int, stored: Iterator[int]) -> None:
        """Let the models learn, a day at a time, of what is held or still `stored`: that is read as its day comes."""
        ahead = next(stored, None)
        first, last = self.windows.bounds() if ahead is None else (ahead, end)
        days = range(first, end if first <= last else first, DAY)
        for day, start in enumerate(days):
            self._go_on()
            until = min(start + DAY, end)
            while ahead is not None and ahead < until:
                self._go_on()
                ahead = next(stored, None)
            if len(days) >= TELL and day % TELL == 0:
                log.info("reading history", day=day + 1, of=len(days))
            self.windows.prune(start - 2 * HISTORY)
            self.pipeline.train(start, until, shown=until > end - STANDS)

    def _recall(self, at: datetime) -> None:
        """The alerts, incidents, decisions and cases that may still matter."""
        i = t.incidents.c
        alerts = self.store.alerts()
        held = [alert.incident_id for alert in alerts if alert.incident_id]
        live = self.store.incidents((i.state == IncidentState.FIRING) | (i.resolved_at > at - AFTER) | i.id.in_(held))
        ids = [incident.id for incident in live]
        taken = (str(key) for (key,) in tuples(self.store, only(t.incidents, "id")))
        self.pipeline.incidents = self.pipeline.incidents.again(alerts, live, taken)
        self.pipeline.recent = {incident.id: incident for incident in live if incident.state is IncidentState.RESOLVED}
        self.pipeline.impacts.recall(live, self.store.impacts(t.impacts.c.incident_id.in_(ids)))
        since = min((i.detected_at for i in live), default=at)
        known = self.store.decisions(t.decisions.c.incident_id.in_(ids))
        theirs = t.their_cases.c
        cases = self.store.their_cases(theirs.reported_at > since - AFTER)
        self.pipeline.book = CaseBook(known, cases, self.config.declared)
        self.pipeline.book.know(live)
        self._promotions.hear(cases)
        remember(self.pipeline, (a for a in self.store.acts() if a.id <= self._last_act and a.incident_id in set(ids)))
        self.pipeline.causes = recalled(self.store, self.pipeline.portfolio.escalating, at, live)
        changes = Changes()
        self.pipeline.incidents.forget({rule.spec.name: rule.spec for rule in self.pipeline.rules}, at, changes)
        if changes.alerts or changes.incidents:
            # What a rule that is no more was alone to see is over, and its cases are told so.
            self.pipeline.over(changes, at)
            now = self.clock()
            self.store.commit(Step(changes=changes, messages=messages(self.pipeline, self.store, changes, now)), now)

    # ---- a step ----------------------------------------------------------------------------------------------------

    def step(self, arrived: Iterable[Rows | Down]) -> Done:
        """Take in what arrived, judge what it closes, commit. Anything that goes wrong leaves the store as it was."""
        now = self.clock()
        step, done = Step(), Done(at=now)
        for item in joined(
            arrived, [name for name, one in self.sources.items() if one.complete_until and one.dark_from is None]
        ):
            if self.judged_until is None:
                self._go_on()
            self._unheard.discard(item.source)
            if isinstance(item, Down):
                if standing := self.sources.get(item.source):
                    standing.failed(now, item.since)
            else:
                self._take(item, step, done)
        if fresh := [cells for kind, cells in step.cells if kind == "cells"]:
            self.windows.hold_cells(pa.concat_tables(fresh))  # once for all sources
        until = None if self._waits(now) else self.sources.closed(now, watching=self.judged_until is not None)
        if until is not None and self.judged_until is None:
            self._train(until, iter(()))
            self.judged_until = until
            log.info("history is read; watching from here on", since=time_of(until).isoformat())
        self._people(step.changes, now)
        if until is not None and self.judged_until is not None and until > self.judged_until:
            self._judge(until, now, step, done)
        step.judged_until = self.judged_until
        step.marks |= {"last_act": str(self._last_act), **self.sources.marks()}
        step.messages += messages(self.pipeline, self.store, step.changes, now)
        self.store.commit(step, now)
        done.changes = step.changes
        return done

    def _take(self, rows: Rows, step: Step, done: Done) -> None:
        step.cursors[rows.source] = (rows.cursor, rows.complete_until)
        match rows.role:
            case "transactions" | "metrics":
                self._count(rows, step, done)
                step.cursors[rows.source] = (rows.cursor, self.sources[rows.source].complete_until)
            case "cases":
                told = first_words(self.store, cases_of(rows.table, rows.source), self.pipeline.book.cases)
                step.cases += (news := self.pipeline.book.cases.learn(told))
                self._promotions.hear(news)
            case "clients":
                step.clients += clients_of(rows.table)
                self.pipeline.portfolio.clients |= {client.client_id: client for client in step.clients}
            case "stories":
                step.stories += stories_of(rows.table, rows.source)
            case _:
                step.holdings += (fresh := holdings_of(rows.table))
                key = {(h.client_id, h.product, h.channel) for h in fresh}
                old = [h for h in self.pipeline.portfolio.holdings if (h.client_id, h.product, h.channel) not in key]
                self.pipeline.portfolio.holdings = [*old, *fresh]

    def _count(self, rows: Rows, step: Step, done: Done) -> None:
        standing = self.sources[rows.source]
        table, closing, before = rows.table, self.judged_until, len(step.gaps)
        patience, unread = self.config.monitor.patience, standing.complete_until is None
        if rows.wrong:
            standing.failed(rows.polled_at)
        else:
            standing.answered(self.clock(), rows.complete_until, drained=rows.drained, patience=patience)
        if unread:
            # The source's first reading is history, however old: it is known from its own time on, and trains.
            closing = None
            since = self._began - self.config.sources[rows.source].block.start
            table = table.filter(pc.greater_equal(table["timestamp"], since))
            step.gaps += unknown(rows, table, standing, since)
        if (rows.lost or rows.wrong) and standing.complete_until:
            # What was told in between is not known: its minutes are neither empty nor healthy.
            end = max(minute_of(rows.polled_at) + 1, self.judged_until or 0)
            step.gaps.append((rows.source, minute_of(standing.complete_until), end))
        step.gaps += rows.unknown
        for gap in step.gaps[before:]:
            self.windows.gap(*gap)
        if not rows.wrong:
            if rows.drained or standing.complete_until:
                standing.complete_until = rows.complete_until or standing.complete_until
            if unread and standing.complete_until and self.judged_until is not None:
                done.untrained = True
        dark = self._played(standing, table, closing)
        if not rows.wrong and (rows.drained or self.sources.answered(rows.source) >= (self.judged_until or ENDLESS)):
            standing.caught_up()
        if rows.role == "metrics":
            placed, late = self.windows.place_metrics(table, source=rows.source, closing=closing)
            self.windows.hold_metrics(placed)
            step.cells.append(("metrics", placed))
            done.counted.append((rows.source, Counted(placed, placed, late)))
            return
        read = minute_of(self.clock())
        counted = self.windows.count(table, source=rows.source, closing=closing, dark=dark, read=read)
        self.windows.remember(counted.ledger)
        self.windows.note(counted.doubtful)
        step.cells += [("cells", counted.cells), ("ledger", counted.ledger), ("doubtful", counted.doubtful)]
        done.counted.append((rows.source, counted))

    @staticmethod
    def _played(standing: Standing, table: pa.Table, closing: int | None) -> tuple[int, int] | None:
        """Where what it tells of its dark minutes is known, as `monitor.cells.count` takes it."""
        if standing.dark_from is None or closing is None or not table.num_rows:
            return None
        times = table["timestamp"].cast(pa.int64())  # one row that came very late is not where the page begins
        standing.play(pc.quantile(times, BEGINS, interpolation="lower")[0].as_py() // MINUTE, closing)
        return standing.dark_from, standing.played

    def _waits(self, now: datetime) -> bool:
        """For the first word of each source: a client's own case may be waiting there."""
        return bool(self._unheard) and now - self._began <= self.config.monitor.patience

    def _judge(self, until: int, now: datetime, step: Step, done: Done) -> None:
        start = self.judged_until or 0
        for dark in self.sources.left_out(start, until):
            self.windows.gap(*dark)
            step.gaps.append(dark)
        # A day more than base rates need: what begins now may turn out to have begun some time ago.
        self.windows.prune(start - HISTORY - DAY - self._longest())
        changes = self.pipeline.judge(start, until, now=now)
        behind = [name for name, standing in self.sources.items() if standing.dark_from is not None]
        self.windows.release(until, self.pipeline.doubts_since(), behind)
        _merge(step.changes, changes)
        self.judged_until = until
        shown = {**self.pipeline.incidents.open, **step.changes.incidents}
        step.traces = self._traces.drawn(shown.values(), until)
        ways = {rule.spec.name: rule.ways for rule in self.pipeline.rules}
        self.words = valid(self.pipeline.status.values(), until, self.windows.dark(until))
        said = summed(self.words, ways)
        if said != self.said:
            step.verdicts, self.said = [asdict(one) for one in said], said
        done.judged = (start, until)

    def _longest(self) -> int:
        """Minutes since the oldest open incident began: its clients' base rates come from before it."""
        oldest = min(
            (minute_of(i.started_at) for i in self.pipeline.incidents.open.values()), default=self.judged_until or 0
        )
        return max((self.judged_until or 0) - oldest, 0)

    def _people(self, changes: Changes, now: datetime) -> None:
        for act in self.store.acts(after=self._last_act):
            self.pipeline.people(act.action, act.incident_id, act.who, now, changes, act.about)
            if act.action in WORKS:
                self.pipeline.declare((*self.config.maintenance, *declared(self.store, self.config.monitor.timezone)))
            take(act, self.pipeline, self.store, now, changes)
            self._last_act = act.id
        self._promotions.take(self.pipeline, self.store, now, changes)
        self.pipeline.release(now, changes)


def _merge(into: Changes, later: Changes) -> None:
    into.alerts |= later.alerts
    into.incidents |= later.incidents
    into.impacts |= later.impacts
    into.decisions |= later.decisions
    into.ended += later.ended
    into.over += later.over
    into.escalations |= later.escalations
    into.escalated += later.escalated
    into.doubts |= later.doubts
